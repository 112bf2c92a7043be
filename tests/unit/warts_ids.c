/* Lists and cycles of records of all types, changed without decoding them. */
#include <sys/types.h>

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/warts/reader.h"
#include "common/warts/record.h"

#define SAMPLES TESTS_DIR "/golden/warts"

/* The clock of the machine that made the samples; the hand-made and the
 * synthetic files have times of their own. */
#define LAB_FIRST 1795279000u
#define LAB_LAST 1795281000u

static unsigned int seen[WARTS_OWAMP + 1];

static int
from_the_lab(const char *file)
{
	return strncmp(file, "handmade", 8) != 0 &&
	    strncmp(file, "synthetic", 9) != 0;
}

static struct warts_record
record_at(const struct wbuf *b)
{
	return (struct warts_record){
	    .type = (uint16_t)(b->p[2] << 8 | b->p[3]),
	    .len = (uint32_t)(b->len - WARTS_HEADER_LEN),
	    .body = b->p + WARTS_HEADER_LEN,
	};
}

static void
check(const char *file, const struct warts_record *rec)
{
	uint32_t list, cycle, l, c;
	struct warts_record other;
	const char *why = NULL;
	struct warts_tv tv;
	struct wbuf a, b;

	if (warts_ids(rec, &list, &cycle, &why) == -1 ||
	    warts_start_time(rec, &tv, &why) == -1)
		fail_msg("%s at %ju: %s", file, (uintmax_t)rec->offset, why);
	if (from_the_lab(file))
		assert_in_range(tv.sec, LAB_FIRST, LAB_LAST);
	wbuf_init(&a);
	wbuf_init(&b);
	/* To other numbers and back: as it was, but for ids of 0 put in. */
	assert_int_equal(warts_renumber(&a, rec, 0xa1b2c3d4, 77, &why), 0);
	other = record_at(&a);
	assert_int_equal(other.type, rec->type);
	assert_int_equal(warts_ids(&other, &l, &c, &why), 0);
	assert_true(l == 0xa1b2c3d4);
	assert_int_equal(c, 77);
	assert_int_equal(warts_renumber(&b, &other, list, cycle, &why), 0);
	if (other.len == rec->len) {
		assert_int_equal(b.len, rec->len + WARTS_HEADER_LEN);
		assert_memory_equal(
		    b.p + WARTS_HEADER_LEN, rec->body, rec->len);
	} else {
		assert_in_range(other.len, rec->len + 4, rec->len + 10);
		assert_true(list == 0 || cycle == 0);
	}
	wbuf_clear(&a);
	wbuf_clear(&b);
	seen[rec->type]++;
}

static void
check_file(const char *name)
{
	char path[512];
	struct warts_reader *rd;
	struct warts_record rec;
	const char *why;
	int fd;

	snprintf(path, sizeof(path), SAMPLES "/%s", name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	rd = warts_reader_new(fd);
	while (warts_reader_next(rd, &rec, &why) == WARTS_READ_RECORD) {
		if (rec.type >= WARTS_TRACE && rec.type <= WARTS_OWAMP)
			check(name, &rec);
	}
	warts_reader_free(rd);
}

static void
test_all_types_of_all_samples(void **state)
{
	DIR *d = opendir(SAMPLES);
	struct dirent *e;

	(void)state;
	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (strstr(e->d_name, ".warts") != NULL)
			check_file(e->d_name);
	}
	closedir(d);
	for (int type = WARTS_TRACE; type <= WARTS_OWAMP; type++) {
		if (seen[type] == 0)
			fail_msg("no record of type %d", type);
	}
}

static void
test_ids_are_put_in_where_there_were_none(void **state)
{
	static const struct {
		uint16_t type;
		uint32_t list, cycle;
		uint8_t body[12];
		size_t len;
		uint8_t want[20];
		size_t want_len;
	} rows[] = {
	    /* An empty block gets a length. */
	    {WARTS_PING, 1, 2, {0x00, 0xee}, 2,
		{0x03, 0, 8, 0, 0, 0, 1, 0, 0, 0, 2, 0xee}, 12},
	    {WARTS_PING, 0, 0, {0x00, 0xee}, 2, {0x00, 0xee}, 2},
	    {WARTS_PING, 0, 2, {0x00, 0xee}, 2, {0x02, 0, 4, 0, 0, 0, 2, 0xee},
		8},
	    /* A trace always has both. */
	    {WARTS_TRACE, 0, 0, {0x00, 0xee}, 2,
		{0x03, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 0xee}, 12},
	    /* In front of a field of the second flag byte. */
	    {WARTS_PING, 1, 0, {0x80, 0x01, 0, 1, 9, 0xee}, 6,
		{0x81, 0x01, 0, 5, 0, 0, 0, 1, 9, 0xee}, 10},
	    /* Between: the list is there, the cycle is not. */
	    {WARTS_PING, 7, 8, {0x01, 0, 4, 0, 0, 0, 1, 0xee}, 8,
		{0x03, 0, 8, 0, 0, 0, 7, 0, 0, 0, 8, 0xee}, 12},
	    {WARTS_PING, 0, 0, {0x01, 0, 4, 0, 0, 0, 1, 0xee}, 8,
		{0x01, 0, 4, 0, 0, 0, 0, 0xee}, 8},
	};
	struct wbuf b;

	(void)state;
	wbuf_init(&b);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct warts_record rec = {.type = rows[i].type,
		    .len = (uint32_t)rows[i].len,
		    .body = rows[i].body};
		const char *why = NULL;

		wbuf_reset(&b);
		assert_int_equal(
		    warts_renumber(&b, &rec, rows[i].list, rows[i].cycle, &why),
		    0);
		assert_int_equal(b.len, WARTS_HEADER_LEN + rows[i].want_len);
		assert_memory_equal(
		    b.p + WARTS_HEADER_LEN, rows[i].want, rows[i].want_len);
		assert_int_equal(b.p[7], rows[i].want_len);
	}
	wbuf_clear(&b);
}

static void
test_what_cannot_be_renumbered_leaves_nothing(void **state)
{
	static uint8_t full[4 + 65535] = {0x04, 0xff, 0xff};
	static const uint8_t cut[] = {0x03, 0, 8, 0, 0, 0, 1},
			     small[] = {0x03, 0, 4, 0, 0, 0, 1},
			     flags[] = {0x83};
	static const struct {
		uint16_t type;
		const uint8_t *body;
		uint32_t len;
	} rows[] = {
	    {WARTS_PING, full, sizeof(full)},
	    {WARTS_PING, cut, sizeof(cut)},
	    {WARTS_PING, small, sizeof(small)},
	    {WARTS_PING, flags, sizeof(flags)},
	    {WARTS_PING, flags, 0},
	    {WARTS_LIST, small, sizeof(small)},
	    {0x12, small, sizeof(small)},
	    {WARTS_MARK, small, sizeof(small)},
	};
	struct wbuf b;

	(void)state;
	wbuf_init(&b);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct warts_record rec = {
		    rows[i].type, rows[i].len, rows[i].body, 0};
		const char *why = NULL;
		struct warts_tv tv;

		assert_int_equal(warts_renumber(&b, &rec, 1, 1, &why), -1);
		assert_non_null(why);
		assert_int_equal(b.len, 0);
		why = NULL;
		assert_int_equal(warts_start_time(&rec, &tv, &why), -1);
		assert_non_null(why);
	}
	wbuf_clear(&b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_all_types_of_all_samples),
    cmocka_unit_test(test_ids_are_put_in_where_there_were_none),
    cmocka_unit_test(test_what_cannot_be_renumbered_leaves_nothing),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
