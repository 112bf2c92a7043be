/*
 * table: what is committed reads back; no changed bit is believed; rows that
 * left come back; an account that falls behind is a Prober that began anew.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "datasort/datasort.h"

static char top[128];
static int dir;

static int
setup(void **state)
{
	(void)state;
	strcpy(top, "/tmp/table-test-XXXXXX");
	if (mkdtemp(top) == NULL)
		return -1;
	dir = open(top, O_RDONLY | O_DIRECTORY);
	return dir == -1;
}

static int
teardown(void **state)
{
	(void)state;
	unlinkat(dir, "filed", 0);
	unlinkat(dir, TABLE_LOG, 0);
	close(dir);
	return rmdir(top);
}

/* A table of three rows with something in every field. */
static void
fill(struct table *t)
{
	struct table_row row = {.list = 4294967295u,
	    .cycle = 1700006400,
	    .first_segment = 3,
	    .last_segment = UINT64_MAX,
	    .archived = 12301,
	    .quarantined = 2,
	    .stop = 1700009999,
	    .said_ns = INT64_MAX,
	    .said = {.accepted = 12345,
		.recorded = 12303,
		.held = 1,
		.queued = 2,
		.active = 3,
		.refused = {40, 4}},
	    .before = {.accepted = 7, .active = 7}};

	memset(t, 0, sizeof(*t));
	t->filed = 9;
	t->commit = 11;
	table_add(t, &row);
	row.list = 1;
	row.said.refused[SEGMENT_REASONS - 1] = UINT64_MAX;
	table_window(table_add(t, &row), 0, 1);
	row.list = 2;
	table_add(t, &row);
	table_window(table_find(t, 2, 1700006400), 3, 1);
	table_window(table_find(t, 2, 1700006400), 12, 1);
	table_window(table_find(t, 2, 1700006400), 12, 1);
}

static void
test_round_trip(void **state)
{
	struct table t, got;
	const struct table_row *a, *b;
	char *x, *y;

	(void)state;
	assert_int_equal(table_read(dir, &got), 0);
	assert_int_equal(got.filed, 0);
	fill(&t);
	assert_int_equal(table_write(dir, &t), 0);
	assert_int_equal(table_read(dir, &got), 0);
	assert_int_equal(got.filed, 9);
	assert_int_equal(got.commit, 11);
	assert_int_equal(got.n, 3);
	for (size_t i = 0; i < 3; i++) {
		a = &t.rows[i];
		b = table_find(&got, a->list, a->cycle);
		assert_non_null(b);
		assert_memory_equal(&a->said, &b->said, sizeof(a->said));
		assert_memory_equal(&a->before, &b->before, sizeof(a->before));
		x = table_row_line(a);
		y = table_row_line(b);
		assert_string_equal(x, y);
		free(x);
		free(y);
	}
	assert_int_equal(table_find(&got, 2, 1700006400)->nopen, 2);
	table_window(table_find(&got, 2, 1700006400), 3, 0);
	assert_int_equal(table_find(&got, 2, 1700006400)->open[0], 12);
	table_drop(&got, table_find(&got, 1, 1700006400));
	assert_null(table_find(&got, 1, 1700006400));
	assert_int_equal(got.n, 2);
	table_clear(&got);
	table_clear(&t);
}

static void
test_every_bit_and_cut(void **state)
{
	static char text[8192], copy[8192];
	struct table t;
	ssize_t len;
	int fd;

	(void)state;
	fill(&t);
	assert_int_equal(table_write(dir, &t), 0);
	table_clear(&t);
	fd = openat(dir, "filed", O_RDWR);
	len = read(fd, text, sizeof(text));
	assert_in_range(len, 500, sizeof(text) - 1);
	/* All but the last newline. */
	for (ssize_t bit = 0; bit < 8 * (len - 1); bit++) {
		memcpy(copy, text, (size_t)len);
		copy[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(pwrite(fd, copy, (size_t)len, 0), len);
		assert_int_equal(table_read(dir, &t), -1);
		assert_int_equal(errno, EBADMSG);
	}
	assert_int_equal(pwrite(fd, text, (size_t)len, 0), len);
	for (ssize_t cut = len - 2; cut >= 0; cut--) {
		assert_int_equal(ftruncate(fd, cut), 0);
		assert_int_equal(table_read(dir, &t), -1);
	}
	close(fd);
}

static void
test_past(void **state)
{
	struct table_row row = {.list = 1, .cycle = 2, .archived = 3}, got;
	char *line;
	int fd = openat(dir, TABLE_LOG, O_WRONLY | O_CREAT | O_APPEND, 0600);

	(void)state;
	assert_int_equal(table_past(dir, 1, 2, &got), 0);
	for (row.archived = 3; row.archived < 6; row.archived++) {
		for (row.list = 1; row.list < 22; row.list++) {
			line = table_row_line(&row);
			assert_int_not_equal(write(fd, line, strlen(line)), -1);
			free(line);
		}
	}
	/* The last line counts, and 2 is not 21. */
	assert_int_equal(table_past(dir, 2, 2, &got), 1);
	assert_int_equal(got.list, 2);
	assert_int_equal(got.archived, 5);
	assert_int_equal(table_past(dir, 2, 22, &got), 0);
	assert_int_equal(write(fd, "cycle 2 2 x #00000000\n", 22), 22);
	assert_int_equal(table_past(dir, 2, 2, &got), -1);
	assert_int_equal(errno, EBADMSG);
	assert_int_equal(table_past(dir, 3, 2, &got), 1);
	close(fd);
}

static void
test_say(void **state)
{
	static const struct {
		const char *name;
		struct segment_account said;
		uint64_t before_accepted, before_recorded, before_dropped;
	} rows[] = {
	    {"first", {.accepted = 10, .queued = 10}, 0, 0, 0},
	    {"on", {.accepted = 10, .recorded = 6, .held = 1, .active = 3}, 0,
		0, 0},
	    {"same", {.accepted = 10, .recorded = 6, .held = 1, .active = 3}, 0,
		0, 0},
	    {"anew", {.accepted = 4, .queued = 4}, 10, 6, 4},
	    {"more", {.accepted = 9, .recorded = 5, .queued = 4}, 10, 6, 4},
	    {"again", {.accepted = 9, .recorded = 1, .queued = 8}, 19, 11, 8},
	};
	struct table_row row = {.list = 1};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		table_say(&row, &rows[i].said, (int64_t)i + 1);
		assert_int_equal(row.said_ns, i + 1);
		assert_memory_equal(&row.said, &rows[i].said, sizeof(row.said));
		assert_int_equal(row.before.accepted, rows[i].before_accepted);
		assert_int_equal(row.before.recorded, rows[i].before_recorded);
		assert_int_equal(row.before.active, rows[i].before_dropped);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_round_trip),
	    T(test_every_bit_and_cut),
	    T(test_past),
	    T(test_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
