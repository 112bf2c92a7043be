/*
 * journal and archive: a plan that was applied, wholly or in part, is undone
 * to the byte; a damaged journal is not believed; late records go in front of
 * the cycle stop.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "datasort/datasort.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

#define CYCLE 1700006400u
#define DAY "archive/7/mon/2023/11/15/7.mon.20231115.1700006400_"

static char top[128];
static int root;

static int
setup(void **state)
{
	(void)state;
	if (tmpdir_make(top, sizeof(top)) == -1)
		return -1;
	root = open(top, O_RDONLY | O_DIRECTORY);
	return root == -1;
}

static int
teardown(void **state)
{
	(void)state;
	close(root);
	return tmpdir_remove(top);
}

static const struct warts_list list = {.id = 3, .user_id = 7, .name = "l"};
static const struct warts_cycle cycle = {
    .id = 5, .list = 3, .user_id = CYCLE, .start = CYCLE};
static const struct archive_cycle both = {.list = &list, .cycle = &cycle};

static size_t
slurp(const char *path, uint8_t *buf, size_t max)
{
	int fd = openat(root, path, O_RDONLY);
	ssize_t n;

	if (fd == -1)
		return SIZE_MAX;
	n = read(fd, buf, max);
	close(fd);
	return (size_t)n;
}

static mode_t
mode_of(const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(root, path, &st, 0), 0);
	return st.st_mode & 0777;
}

/* Add TEXT to windows 00 and 01, and end the cycle if asked; into P. */
static void
make_plan(struct archive_plan *p, const char *text, int end)
{
	struct archive_target *t;

	archive_plan_init(p, root, "mon");
	t = archive_target(p, &both, CYCLE + 5);
	assert_non_null(t);
	wbuf_bytes(&t->add, text, strlen(text));
	t = archive_target(p, &both, CYCLE + ARCHIVE_WINDOW_S);
	assert_non_null(t);
	wbuf_bytes(&t->add, text, strlen(text));
	if (end)
		assert_int_equal(archive_end(p, &both, CYCLE + 9), 0);
}

static void
test_names_and_windows(void **state)
{
	static const struct {
		uint32_t start;
		const char *path;
	} rows[] = {
	    {CYCLE, DAY "00.warts"},
	    {CYCLE + 86399, DAY "00.warts"},
	    {CYCLE + 86400, DAY "01.warts"},
	    {CYCLE + 10 * 86400, DAY "10.warts"},
	    {CYCLE + 123 * 86400, DAY "123.warts"},
	    {CYCLE - 1, DAY "00.warts"},
	    {0, DAY "00.warts"},
	};
	struct archive_plan p;

	(void)state;
	archive_plan_init(&p, root, "mon");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_string_equal(
		    archive_target(&p, &both, rows[i].start)->path,
		    rows[i].path);
	assert_int_equal(p.count, 4);
	archive_plan_clear(&p);
}

/* Apply, close, add late records: each step undone and done again. */
static void
test_undo(void **state)
{
	static uint8_t before[2][4096], after[4096];
	static const char *const files[] = {DAY "00.warts", DAY "01.warts"};
	size_t len[2];
	struct archive_plan p;
	const char *why;
	mode_t mode[2];

	(void)state;
	for (int step = 0; step < 4; step++) {
		for (int i = 0; i < 2; i++) {
			len[i] = slurp(files[i], before[i], 4096);
			mode[i] = len[i] == SIZE_MAX ? 0 : mode_of(files[i]);
		}
		make_plan(&p, "a record", step == 2);
		assert_int_equal(journal_write(root, &p, 9), 0);
		assert_int_equal(archive_apply(&p), 0);
		assert_int_equal(journal_recover(root, root, 8, &why), 1);
		for (int i = 0; i < 2; i++) {
			assert_int_equal(slurp(files[i], after, 4096), len[i]);
			if (len[i] == SIZE_MAX)
				continue;
			assert_memory_equal(after, before[i], len[i]);
			assert_int_equal(mode_of(files[i]), mode[i]);
		}
		archive_plan_clear(&p);
		/* Again, and this time for good. */
		make_plan(&p, "a record", step == 2);
		assert_int_equal(journal_write(root, &p, 9), 0);
		assert_int_equal(archive_apply(&p), 0);
		assert_int_equal(journal_recover(root, root, 9, &why), 0);
		assert_int_equal(faccessat(root, "journal", F_OK, 0), -1);
		archive_plan_clear(&p);
	}
	/* Closed in step 2, a late record in step 3: the stop is last, once. */
	len[0] = slurp(files[0], after, 4096);
	assert_int_equal(mode_of(files[0]), 0444);
	assert_memory_equal(
	    after + len[0] - ARCHIVE_STOP_LEN, "\x12\x05\x00\x04", 4);
	assert_memory_equal(
	    after + len[0] - ARCHIVE_STOP_LEN - 16, "a recorda record", 16);
}

static void
test_damaged(void **state)
{
	char text[4096];
	struct archive_plan p;
	const char *why;
	size_t len;
	int fd;

	(void)state;
	make_plan(&p, "x", 0);
	assert_int_equal(journal_write(root, &p, 1), 0);
	archive_plan_clear(&p);
	len = slurp("journal", (uint8_t *)text, sizeof(text));
	fd = openat(root, "journal", O_RDWR);
	for (size_t cut = 0; cut < len - 1; cut++) {
		assert_int_equal(ftruncate(fd, (off_t)cut), 0);
		assert_int_equal(journal_recover(root, root, 0, &why), -1);
		assert_int_equal(errno, EBADMSG);
		assert_int_equal(pwrite(fd, text, len, 0), (ssize_t)len);
	}
	for (size_t i = 0; i < len - 1; i++) {
		char c = text[i] ^ 1;

		assert_int_equal(pwrite(fd, &c, 1, (off_t)i), 1);
		assert_int_equal(journal_recover(root, root, 0, &why), -1);
		assert_int_equal(pwrite(fd, text + i, 1, (off_t)i), 1);
	}
	close(fd);
	assert_int_equal(journal_recover(root, root, 0, &why), 1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_names_and_windows),
	    T(test_undo),
	    T(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
