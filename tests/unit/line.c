/*
 * line: the same lines come out however the bytes came in.  One stream with
 * every kind of line in it is fed in pieces of every size into buffers of every
 * size; each bad line costs one line.
 */
#include "tests/unit/test.h"

#include <string.h>

#include "common/line.h"

#define MAX 8 /* bytes of a line with its \n */

struct out {
	enum line_result r;
	const char *text; /* NULL: not looked at */
};

static const char stream[] = "\n" /* 1 */
			     "a\n"
			     "1234567\n" /* 3: as long as may be */
			     "12345678\n"
			     "123456\r\n" /* 5: \r is taken off */
			     "1234567\r\n" /* ... but counts */
			     "\r\n" /* 7 */
			     "\r\r\n"
			     "a\rb\n" /* 9 */
			     "x\0y\n"
			     "\xff\n" /* 11 */
			     "\x7f\n"
			     "\x1f\n" /* 13 */
			     "a\tb ~\n"
			     "123456789012345678901234567890\n" /* 15 */
			     "12345678901234567890\xff\0\n"
			     "z\n" /* 17 */
			     "end";

static const struct out expected[] = {
    {LINE_OK, ""},
    {LINE_OK, "a"},
    {LINE_OK, "1234567"},
    {LINE_TOO_LONG, NULL},
    {LINE_OK, "123456"},
    {LINE_TOO_LONG, NULL},
    {LINE_OK, ""},
    {LINE_BAD_BYTE, "\r"},
    {LINE_BAD_BYTE, "a\rb"},
    {LINE_BAD_BYTE, "x"},
    {LINE_BAD_BYTE, "\xff"},
    {LINE_BAD_BYTE, "\x7f"},
    {LINE_BAD_BYTE, "\x1f"},
    {LINE_OK, "a\tb ~"},
    {LINE_TOO_LONG, NULL},
    {LINE_TOO_LONG, NULL},
    {LINE_OK, "z"},
    {LINE_CUT, "end"},
};

static void
expect(
    const struct line_buf *lb, enum line_result r, const char *line, size_t *n)
{
	assert_in_range(*n, 0, LEN(expected) - 1);
	assert_int_equal(r, expected[*n].r);
	if (expected[*n].text != NULL)
		assert_string_equal(line, expected[*n].text);
	++*n;
	assert_int_equal(lb->number, *n);
}

static void
feed(size_t piece, size_t size)
{
	struct line_buf lb;
	enum line_result r;
	size_t at = 0, n = 0, room, len;
	char *line = NULL, *p;

	line_init(&lb, MAX, size);
	while (at < sizeof(stream) - 1) {
		p = line_space(&lb, &room);
		assert_true(room >= MAX);
		len = piece < room ? piece : room;
		if (len > sizeof(stream) - 1 - at)
			len = sizeof(stream) - 1 - at;
		memcpy(p, stream + at, len);
		line_added(&lb, len);
		at += len;
		while ((r = line_next(&lb, &line)) != LINE_MORE)
			expect(&lb, r, line, &n);
	}
	r = line_last(&lb, &line);
	expect(&lb, r, line, &n);
	assert_int_equal(n, LEN(expected));
	assert_int_equal(line_last(&lb, &line), LINE_MORE);
	line_clear(&lb);
}

static void
any_piece_any_buffer(void **state)
{
	(void)state;
	for (size_t size = 2 * MAX; size <= sizeof(stream) + 2; size++) {
		for (size_t piece = 1; piece <= sizeof(stream); piece++)
			feed(piece, size);
	}
}

static void
add(struct line_buf *lb, const char *bytes)
{
	size_t room;
	char *p = line_space(lb, &room);

	assert_true(strlen(bytes) <= room);
	memcpy(p, bytes, strlen(bytes));
	line_added(lb, strlen(bytes));
}

static void
overlong_at_the_end_is_cut(void **state)
{
	struct line_buf lb;
	char *line = NULL;

	(void)state;
	line_init(&lb, MAX, 2 * MAX);
	add(&lb, "123456789");
	assert_int_equal(line_next(&lb, &line), LINE_MORE);
	assert_int_equal(line_last(&lb, &line), LINE_CUT);
	assert_string_equal(line, "");
	assert_int_equal(lb.number, 1);
	line_clear(&lb);
}

static void
nothing_is_no_line(void **state)
{
	struct line_buf lb;
	char *line = NULL;

	(void)state;
	line_init(&lb, MAX, 2 * MAX);
	assert_int_equal(line_next(&lb, &line), LINE_MORE);
	assert_int_equal(line_last(&lb, &line), LINE_MORE);
	assert_int_equal(lb.number, 0);
	line_clear(&lb);
}

/* A body between lines is taken as it is. */
static void
takes_a_body(void **state)
{
	struct line_buf lb;
	char *line = NULL, *p = NULL;

	(void)state;
	line_init(&lb, MAX, 32);
	add(&lb, "data 5\n\n\xff\r\n!end\n");
	assert_int_equal(line_next(&lb, &line), LINE_OK);
	assert_string_equal(line, "data 5");
	assert_int_equal(line_take(&lb, 2, &p), 2);
	assert_memory_equal(p, "\n\xff", 2);
	assert_int_equal(line_take(&lb, 3, &p), 3);
	assert_memory_equal(p, "\r\n!", 3);
	assert_int_equal(line_next(&lb, &line), LINE_OK);
	assert_string_equal(line, "end");
	assert_int_equal(line_take(&lb, 9, &p), 0);
	assert_int_equal(lb.number, 2);
	line_clear(&lb);
}

static void
each_result_has_a_reason(void **state)
{
	(void)state;
	for (int r = LINE_OK; r <= LINE_CUT; r++)
		assert_true(strlen(line_reason((enum line_result)r)) > 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(any_piece_any_buffer),
	    cmocka_unit_test(overlong_at_the_end_is_cut),
	    cmocka_unit_test(nothing_is_no_line),
	    cmocka_unit_test(takes_a_body),
	    cmocka_unit_test(each_result_has_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
