/*
 * uu: bytes as scamper's clients read them.
 */
#include "prober/control/control.h"

#include "tests/unit/test.h"

static const struct {
	const char *bytes;
	size_t len;
	const char *text;
} table[] = {
    {"", 0, "`\n"},
    {"\0", 1, "!````\n`\n"},
    {"a", 1, "!80``\n`\n"},
    {"ab", 2, "\"86(`\n`\n"},
    {"abc", 3, "#86)C\n`\n"},
    {"\377\377\377\377", 4, "$_____P``\n`\n"},
    /* A full line has 45 bytes; the next begins with the 46th. */
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 45,
	"M86%A86%A86%A86%A86%A86%A86%A86%A86%A86%A86%A86%A86%A86%A86%A\n`\n"},
    {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", 46,
	"M86%A86%A86%A86%A86%A86%A86%A86%A86%A86%A86%A86%A86%A86%A86%A\n"
	"!8@``\n`\n"},
    /* The start of a cycle, as Debian's scamper says it. */
    {"\x12\x05\x00\x02\x00\x00\x00\x16\x00\x00\x00\x01\x00\x00\x00\x01"
     "\x00\x00\x00\x01\x6b\x02\x48\xe7\x02\x00\x03vm\x00",
	30, ">$@4``@```!8````!`````0````%K`DCG`@`#=FT`\n`\n"},
};

static void
test_table(void **state)
{
	struct wbuf b;

	(void)state;
	wbuf_init(&b);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		wbuf_reset(&b);
		uu_encode(&b, (const uint8_t *)table[i].bytes, table[i].len);
		assert_int_equal(b.len, strlen(table[i].text));
		assert_memory_equal(b.p, table[i].text, b.len);
	}
	wbuf_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
