/*
 * frame: the frames of sc_remoted's connection, byte for byte as Debian's
 * scamper sends them; what is kept until it is acknowledged.
 */
#include "prober/control/remote.h"

#include "tests/unit/test.h"

static const uint8_t magic[FRAME_MAGIC] = {
    0xbb, 0x66, 0xdf, 0x3a, 0x28, 0xbf, 0x31, 0x44};

static void
hex(const struct wbuf *b, char *out)
{
	for (size_t i = 0; i < b->len; i++)
		sprintf(out + 2 * i, "%02x", b->p[i]);
	out[2 * b->len] = '\0';
}

static void
test_bytes(void **state)
{
	const uint32_t numbers[3] = {8, 0x1a, 0x1b};
	struct wbuf body, out;
	struct frame f = {0};
	char text[200];

	(void)state;
	wbuf_init(&body);
	wbuf_init(&out);
	frame_put_hello(&body, magic, "mon1");
	f.len = (uint16_t)body.len;
	f.body = body.p;
	frame_write(&out, &f);
	hex(&out, text);
	assert_string_equal(text,
	    "00000000000000000010"
	    "0008bb66df3a28bf3144056d6f6e3100");
	wbuf_reset(&body);
	frame_put_hello(&body, magic, NULL);
	hex(&body, text);
	assert_string_equal(text, "0008bb66df3a28bf314400");
	wbuf_reset(&body);
	frame_put_resume(&body, magic, numbers);
	hex(&body, text);
	assert_string_equal(
	    text, "0608bb66df3a28bf3144000000080000001a0000001b");
	wbuf_reset(&body);
	frame_put_number(&body, FRAME_ACK, 258);
	hex(&body, text);
	assert_string_equal(text, "0500000102");
	wbuf_clear(&body);
	wbuf_clear(&out);
}

static void
test_header(void **state)
{
	static const uint8_t p[FRAME_HEADER] = {1, 2, 3, 4, 0, 0, 0, 9, 1, 0};
	struct frame f;

	(void)state;
	frame_header(p, &f);
	assert_int_equal(f.seq, 0x01020304);
	assert_int_equal(f.channel, 9);
	assert_int_equal(f.len, 256);
}

static const struct {
	const char *bytes;
	size_t len;
	int kind;
} kinds[] = {
    {"", 0, -1},
    {"\1\2a\0", 4, FRAME_WELCOME},
    {"\1", 1, -1},
    {"\2\0\0\0\1", 5, FRAME_OPEN},
    {"\2\0\0\0", 4, -1},
    {"\3\0\0\0\1", 5, FRAME_CLOSE},
    {"\4", 1, FRAME_ALIVE},
    {"\5\0\0\0\1", 5, FRAME_ACK},
    {"\5", 1, -1},
    {"\7", 1, FRAME_REJECT},
    {"\10\0\0\0\1", 5, FRAME_ACCEPT},
    {"\11\0\0\0\1", 5, -1},
    {"\377\0\0\0\1", 5, -1},
};

static void
test_kinds(void **state)
{
	struct frame f = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		f.body = (const uint8_t *)kinds[i].bytes;
		f.len = (uint16_t)kinds[i].len;
		assert_int_equal(frame_kind(&f), kinds[i].kind);
		if (f.len == 5 && kinds[i].kind != -1)
			assert_int_equal(frame_number(&f), 1);
	}
}

static const struct {
	const char *bytes;
	size_t len;
	const char *name; /* NULL: refused */
} welcomes[] = {
    {"\1\20"
     "127.0.0.1:56820\0",
	18, "127.0.0.1:56820"},
    {"\1\20"
     "127.0.0.1:56820\0",
	17, NULL}, /* cut */
    {"\1\17"
     "127.0.0.1:56820\0",
	18, NULL}, /* no NUL where it should be */
    {"\1\1\0", 3, NULL},
    {"\1\3a\n\0", 5, NULL},
    {"\1\377a", 3, NULL},
};

static void
test_welcome(void **state)
{
	struct frame f = {0};
	char buf[32];
	int rc;

	(void)state;
	for (size_t i = 0; i < sizeof(welcomes) / sizeof(welcomes[0]); i++) {
		f.body = (const uint8_t *)welcomes[i].bytes;
		f.len = (uint16_t)welcomes[i].len;
		rc = frame_welcome(&f, buf, sizeof(buf));
		assert_int_equal(rc, welcomes[i].name != NULL ? 0 : -1);
		if (rc == 0)
			assert_string_equal(buf, welcomes[i].name);
	}
}

/* Numbers go around, and what is acknowledged goes in order. */
static void
test_queue(void **state)
{
	struct frame_queue q = {.bytes = 0};
	struct frame f = {.channel = 1, .len = 3, .body = (uint8_t *)"abc"};

	(void)state;
	TAILQ_INIT(&q.list);
	for (uint32_t seq = UINT32_MAX - 1; seq != 2; seq++) {
		f.seq = seq;
		frame_queue_add(&q, &f);
	}
	assert_int_equal(q.bytes, 12);
	frame_queue_forget(&q, UINT32_MAX);
	assert_int_equal(q.bytes, 9);
	assert_int_equal(TAILQ_FIRST(&q.list)->f.seq, UINT32_MAX);
	assert_memory_equal(TAILQ_FIRST(&q.list)->f.body, "abc", 3);
	frame_queue_forget(&q, 1);
	assert_int_equal(TAILQ_FIRST(&q.list)->f.seq, 1);
	frame_queue_forget(&q, 0); /* an old one again */
	assert_int_equal(q.bytes, 3);
	frame_queue_forget(&q, 2);
	assert_null(TAILQ_FIRST(&q.list));
	assert_int_equal(q.bytes, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bytes),
	    cmocka_unit_test(test_header),
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_welcome),
	    cmocka_unit_test(test_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
