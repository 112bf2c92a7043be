/* Parameter blocks: section 3 of the format, rule by rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/warts/block.h"

struct thing {
	uint32_t one;
	uint16_t two;
	uint8_t nine, last;
	const char *three;
	struct warts_exts exts;
};

/* Fields 1, 2, 3, 4, 9 and 62, the highest that a mask can hold. */
static const struct warts_field fields[63] = {
    [1] = {.enc = WENC_U32, .offset = offsetof(struct thing, one)},
    [2] = {.enc = WENC_U16, .offset = offsetof(struct thing, two)},
    [3] = {.enc = WENC_STR, .offset = offsetof(struct thing, three)},
    [4] = {.enc = WENC_EXTS, .offset = offsetof(struct thing, exts)},
    [9] = {.enc = WENC_U8, .offset = offsetof(struct thing, nine)},
    [62] = {.enc = WENC_U8, .offset = offsetof(struct thing, last)},
};
static const struct warts_fields table = {.field = fields, .n = 62};
static const struct warts_fields first_two = {.field = fields, .n = 2};

static void
test_layout(void **state)
{
	static const struct thing t = {
	    .one = 0x01020304, .two = 0x0506, .nine = 9, .last = 62};
	static const struct {
		uint64_t has;
		uint8_t bytes[20];
		size_t len;
	} rows[] = {
	    /* No field: one byte, no length. */
	    {0, {0x00}, 1},
	    {WARTS_HAS, {0x00}, 1},
	    {WARTS_BIT(1), {0x01, 0, 4, 1, 2, 3, 4}, 7},
	    /* The example of the format: fields 1, 2 and 9. */
	    {WARTS_BIT(1) | WARTS_BIT(2) | WARTS_BIT(9),
		{0x83, 0x02, 0, 7, 1, 2, 3, 4, 5, 6, 9}, 11},
	    /* None of the first seven: 80 is not `no fields'. */
	    {WARTS_BIT(9), {0x80, 0x02, 0, 1, 9}, 5},
	    {WARTS_BIT(62),
		{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x20, 0, 1,
		    62},
		12},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct thing got = {0};
		struct wbuf b;
		struct rbuf r;

		wbuf_init(&b);
		warts_block_write(&b, &table, &t, rows[i].has);
		assert_int_equal(b.len, rows[i].len);
		assert_memory_equal(b.p, rows[i].bytes, rows[i].len);
		rbuf_init(&r, b.p, b.len);
		assert_true(warts_block_read(&r, &table, &got, NULL) ==
		    (rows[i].has | WARTS_HAS));
		assert_null(r.bad);
		assert_int_equal(rbuf_left(&r), 0);
		assert_int_equal(
		    got.one, rows[i].has & WARTS_BIT(1) ? t.one : 0);
		assert_int_equal(
		    got.nine, rows[i].has & WARTS_BIT(9) ? t.nine : 0);
		rbuf_clear(&r);
		wbuf_clear(&b);
	}
}

static void
test_what_a_reader_makes_of_it(void **state)
{
	static const struct {
		const char *what;
		uint8_t bytes[16];
		size_t len;
		int ok;
		uint16_t two;
	} rows[] = {
	    {"more flag bytes than needed", {0x82, 0x80, 0, 0, 2, 5, 6, 0xee},
		8, 1, 0x0506},
	    {"an unknown field behind", {0x06, 0, 4, 5, 6, 7, 8, 0xee}, 8, 1,
		0x0506},
	    {"only unknown fields", {0x80, 0x01, 0, 3, 1, 2, 3, 0xee}, 8, 1, 0},
	    {"fields of 9 flag bytes",
		{0x82, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x81, 0x01, 0,
		    3, 5, 6, 1, 0xee},
		16, 1, 0x0506},
	    {"length too long for the fields", {0x02, 0, 3, 5, 6, 7, 0xee}, 7,
		0, 0},
	    {"length too short", {0x02, 0, 1, 5, 6, 0xee}, 6, 0, 0},
	    {"length beyond the record", {0x02, 0, 9, 5, 6, 0xee}, 6, 0, 0},
	    {"flags cut", {0x82}, 1, 0, 0},
	    {"length cut", {0x02, 0}, 2, 0, 0},
	    {"nothing", {0}, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct thing got = {0};
		struct rbuf r;

		rbuf_init(&r, rows[i].bytes, rows[i].len);
		warts_block_read(&r, &first_two, &got, NULL);
		if (!rows[i].ok) {
			if (r.bad == NULL)
				fail_msg("%s: taken", rows[i].what);
			assert_int_equal(rbuf_left(&r), 0);
			continue;
		}
		if (r.bad != NULL)
			fail_msg("%s: %s", rows[i].what, r.bad);
		assert_int_equal(got.two, rows[i].two);
		/* What follows the block is where it is. */
		assert_int_equal(rbuf_u8(&r), 0xee);
	}
}

static void
test_extensions(void **state)
{
	static const uint8_t label[] = {0, 1, 0x21, 9}, odd[] = {7};
	struct warts_ext e[] = {
	    {1, 1, 4, label}, {2, 9, 1, odd}, {3, 3, 0, odd}};
	static const uint8_t want[] = {0x08, 0, 19, 0, 17, 0, 4, 1, 1, 0, 1,
	    0x21, 9, 0, 1, 2, 9, 7, 0, 0, 3, 3};
	struct thing t = {.exts = {3, e}}, got = {0};
	struct warts_arena *arena = NULL;
	struct wbuf b;
	struct rbuf r;

	(void)state;
	wbuf_init(&b);
	warts_block_write(&b, &table, &t, WARTS_BIT(4));
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.p, want, sizeof(want));
	rbuf_init(&r, b.p, b.len);
	warts_block_read(&r, &table, &got, &arena);
	assert_null(r.bad);
	assert_int_equal(got.exts.count, 3);
	assert_int_equal(got.exts.ext[1].class_type, 9);
	assert_int_equal(got.exts.ext[1].len, 1);
	assert_int_equal(got.exts.ext[1].data[0], 7);
	/* An object that ends beyond its set, and an empty set. */
	b.p[5] = 0;
	b.p[6] = 20;
	rbuf_init(&r, b.p, b.len);
	warts_block_read(&r, &table, &got, &arena);
	assert_non_null(r.bad);
	rbuf_init(&r, "\x08\x00\x02\x00\x00", 5);
	warts_block_read(&r, &table, &got, &arena);
	assert_non_null(r.bad);
	warts_arena_free(&arena);
	wbuf_clear(&b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_layout),
    cmocka_unit_test(test_what_a_reader_makes_of_it),
    cmocka_unit_test(test_extensions),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
