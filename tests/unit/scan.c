/*
 * scan: whole tokens or nothing, at the edges of every range.
 */
#include "tests/unit/test.h"

#include <string.h>

#include "common/scan.h"

static void
u64_takes_whole_decimal_tokens(void **state)
{
	static const struct {
		const char *in;
		uint64_t min, max;
		int rc;
		uint64_t out;
	} rows[] = {
	    {"0", 0, UINT64_MAX, 0, 0}, {"7", 0, UINT64_MAX, 0, 7},
	    {"007", 0, UINT64_MAX, 0, 7},
	    {"18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX},
	    {"18446744073709551616", 0, UINT64_MAX, -1, 0},
	    {"18446744073709551620", 0, UINT64_MAX, -1, 0},
	    {"99999999999999999999", 0, UINT64_MAX, -1, 0},
	    {"184467440737095516150", 0, UINT64_MAX, -1, 0}, {"5", 5, 5, 0, 5},
	    {"4", 5, 5, -1, 0}, {"6", 5, 5, -1, 0}, {"", 0, 9, -1, 0},
	    {" 1", 0, 9, -1, 0}, {"1 ", 0, 9, -1, 0}, {"+1", 0, 9, -1, 0},
	    {"-1", 0, UINT64_MAX, -1, 0}, {"0x1", 0, 9, -1, 0},
	    {"1e1", 0, 99, -1, 0}, {"1.0", 0, 9, -1, 0},
	    {"\xb2", 0, 9, -1, 0}, /* superscript two in Latin-1 */
	};
	uint64_t out;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].in);
		out = 4711;
		assert_int_equal(
		    scan_u64(rows[i].in, rows[i].min, rows[i].max, &out),
		    rows[i].rc);
		assert_true(out == (rows[i].rc == 0 ? rows[i].out : 4711));
	}
}

static void
u32_has_its_own_edge(void **state)
{
	uint32_t out = 4711;

	(void)state;
	assert_int_equal(scan_u32("4294967296", 0, UINT32_MAX, &out), -1);
	assert_int_equal(out, 4711);
	assert_int_equal(scan_u32("4294967295", 0, UINT32_MAX, &out), 0);
	assert_true(out == UINT32_MAX);
	assert_int_equal(scan_u32("10", 11, 20, &out), -1);
	assert_int_equal(scan_u32("21", 11, 20, &out), -1);
}

#define S INT64_C(1000000000)

static void
durations(void **state)
{
	static const struct {
		const char *in;
		int64_t unit_ns;
		int rc;
		int64_t out;
	} rows[] = {
	    {"2", S, 0, 2 * S},
	    {"2", 1000000, 0, 2000000},
	    {"1.5s", 1, 0, 1500000000},
	    {"250ms", S, 0, 250000000},
	    {"7us", S, 0, 7000},
	    {"9ns", S, 0, 9},
	    {"3m", S, 0, 180 * S},
	    {"0.5m", S, 0, 30 * S},
	    {"2h", S, 0, 7200 * S},
	    {"1d", S, 0, 86400 * S},
	    {"0", S, 0, 0},
	    {"0.000000001", S, 0, 1},
	    {"0.0000000009", S, 0, 0},
	    {"0.123456789", S, 0, 123456789},
	    {"9223372036.854775807s", S, 0, INT64_MAX},
	    {"9223372036.854775808s", S, -1, 0},
	    {"9223372036.9s", S, -1, 0},
	    {"9223372037s", S, -1, 0},
	    {"9223372036854775807ns", S, 0, INT64_MAX},
	    {"9223372036854775808ns", S, -1, 0},
	    {"99999999999999999999", 1, -1, 0},
	    {"106751d", S, 0, INT64_C(106751) * 86400 * S},
	    {"106752d", S, -1, 0},
	    {"", S, -1, 0},
	    {"s", S, -1, 0},
	    {".5s", S, -1, 0},
	    {"1.s", S, -1, 0},
	    {"1.5.5s", S, -1, 0},
	    {"-1s", S, -1, 0},
	    {"+1s", S, -1, 0},
	    {"1 s", S, -1, 0},
	    {"1S", S, -1, 0},
	    {"1sec", S, -1, 0},
	    {"1s ", S, -1, 0},
	    {"1e3", S, -1, 0},
	};
	int64_t out;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].in);
		out = 4711;
		assert_int_equal(
		    scan_duration(rows[i].in, rows[i].unit_ns, &out),
		    rows[i].rc);
		assert_true(out == (rows[i].rc == 0 ? rows[i].out : 4711));
	}
}

static void
names_are_file_names(void **state)
{
	static const struct {
		const char *in;
		int rc;
	} rows[] = {
	    {"a", 0},
	    {"0", 0},
	    {"ipv4.all-routed_48", 0},
	    {"a.b.c", 0},
	    {"a23456789012345678901234567890123456789_1", 0}, /* 41 */
	    {"a23456789012345678901234567890123456789_12", -1},
	    {"", -1},
	    {".", -1},
	    {"..", -1},
	    {".hidden", -1},
	    {"-option", -1},
	    {"_x", -1},
	    {"a..b", -1},
	    {"a/b", -1},
	    {"A", -1},
	    {"a b", -1},
	    {"a\n", -1},
	    {"a\xe9", -1},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].in);
		assert_int_equal(scan_name(rows[i].in), rows[i].rc);
	}
}

static void
keyvalue_is_exact(void **state)
{
	(void)state;
	assert_string_equal(scan_keyvalue("from=12", "from"), "12");
	assert_string_equal(scan_keyvalue("from=", "from"), "");
	assert_string_equal(scan_keyvalue("a=b=c", "a"), "b=c");
	assert_null(scan_keyvalue("from", "from"));
	assert_null(scan_keyvalue("fromage=1", "from"));
	assert_null(scan_keyvalue("fro=1", "from"));
	assert_null(scan_keyvalue("From=1", "from"));
	assert_null(scan_keyvalue("", "from"));
}

static void
words(void **state)
{
	static const struct {
		const char *in;
		int max, n;
		const char *out[4];
	} rows[] = {
	    {"", 4, 0, {0}},
	    {" \t ", 4, 0, {0}},
	    {"a", 4, 1, {"a"}},
	    {"a b", 4, 2, {"a", "b"}},
	    {"  a\t\tb  ", 4, 2, {"a", "b"}},
	    {"\"a b\" c", 4, 2, {"a b", "c"}},
	    {"descr=\"two words\" x", 4, 2, {"descr=two words", "x"}},
	    {"\"\"", 4, 1, {""}},
	    {"\"\" x \"\"", 4, 3, {"", "x", ""}},
	    {"a\"\"b", 4, 1, {"ab"}},
	    {"a\\\"b\"", 4, 1, {"a\\b"}},
	    {"a b c d", 4, 4, {"a", "b", "c", "d"}},
	    {"a b c d  ", 4, 4, {"a", "b", "c", "d"}},
	    {"a b c d e", 4, -1, {0}},
	    {"a", 0, -1, {0}},
	    {"", 0, 0, {0}},
	    {"\"open", 4, -1, {0}},
	    {"a b\"", 4, -1, {0}},
	};
	char line[64], *w[4];
	int n;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].in);
		strcpy(line, rows[i].in);
		n = scan_words(line, w, rows[i].max);
		assert_int_equal(n, rows[i].n);
		for (int k = 0; k < n; k++)
			assert_string_equal(w[k], rows[i].out[k]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(u64_takes_whole_decimal_tokens),
	    cmocka_unit_test(u32_has_its_own_edge),
	    cmocka_unit_test(durations),
	    cmocka_unit_test(names_are_file_names),
	    cmocka_unit_test(keyvalue_is_exact),
	    cmocka_unit_test(words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
