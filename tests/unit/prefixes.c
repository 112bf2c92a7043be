/*
 * prefixes: what a line may be, what is a unit, and that an address drawn is
 * in its prefix and in no longer one.
 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "listgen/permute.h"
#include "listgen/prefixes.h"
#include "tests/unit/addr_of.h"
#include "tests/unit/tmpdir.h"

static const struct prefixes_config whole = {.max_len = {32, 64}, .special = 1};

static char dir[128];
static const char *last_why;
static uint64_t bad_line, bad_count;

static void
on_bad(void *arg, uint64_t line, const char *why)
{
	(void)arg;
	last_why = why;
	bad_line = line;
	bad_count++;
}

static struct prefixes *
load(const char *text, const struct prefixes_config *cfg)
{
	char path[200];
	const char *why;
	struct prefixes *p;
	FILE *f;

	snprintf(path, sizeof(path), "%s/file", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	last_why = NULL;
	bad_count = bad_line = 0;
	p = prefixes_load(path, cfg, on_bad, NULL, &why);
	assert_non_null(p);
	return p;
}

static void
lines(void **state)
{
	static const struct {
		const char *line, *why;
		uint64_t units;
	} rows[] = {
	    {"192.0.2.0\t24\t64496\n", NULL, 1},
	    {"192.0.2.0 24\n", NULL, 1},
	    {"  192.0.2.0/24", NULL, 1},
	    {"192.0.2.0/24\t64496_64497,64498 # x\r\n", NULL, 1},
	    {"2001:db8::\t32\t64496_64497\n", NULL, 1},
	    {"2001:db8::/64\n", NULL, 1},
	    {"# a comment\n\n \t\n", NULL, 0},
	    {"192.0.2.1/32\n192.0.2.1/32\n", NULL, 1},
	    {"192.0.2.0\n", "no prefix length", 0},
	    {"192.0.2.0/\n", "no prefix length", 0},
	    {"192.0.2.0/x\n", "prefix length out of range", 0},
	    {"192.0.2.0/33\n", "prefix length out of range", 0},
	    {"2001:db8::/129\n", "prefix length out of range", 0},
	    {"2001:db8::1/128\n", NULL, 0}, /* longer than /64 */
	    {"192.0.2.1/24\n", "bits set beyond the prefix length", 0},
	    {"2001:db8::1/48\n", "bits set beyond the prefix length", 0},
	    {"2001:db8:0:1::/48\n", "bits set beyond the prefix length", 0},
	    {"0.0.0.0/0\n", "shorter than any routed prefix", 0},
	    {"2000::/3\n", "shorter than any routed prefix", 0},
	    {"127.0.0.0/8\n", "outside unicast space", 0},
	    {"0.1.0.0/16\n", "outside unicast space", 0},
	    {"224.0.0.0/8\n", "outside unicast space", 0},
	    {"fe80::/64\n", "outside unicast space", 0},
	    {"example\n", "not an IPv4 or IPv6 address", 0},
	    {"192.0.2/24\n", "not an IPv4 or IPv6 address", 0},
	    {"192.0.2.0/24 \303\251\n", "byte outside printable ASCII", 0},
	};
	struct prefixes *p;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].line);
		p = load(rows[i].line, &whole);
		assert_int_equal(prefixes_units(p), rows[i].units);
		assert_int_equal(bad_count, rows[i].why != NULL);
		assert_int_equal(prefixes_counts(p)->bad, bad_count);
		if (rows[i].why != NULL)
			assert_string_equal(last_why, rows[i].why);
		prefixes_free(p);
	}
}

/* What is not the public Internet's is counted and not taken. */
static void
special(void **state)
{
	static const struct prefixes_config public = {.max_len = {32, 64}};
	static const char *const rows[] = {"0.0.0.0/8", "0.1.0.0/16",
	    "10.0.0.0/8", "10.255.255.0/24", "100.64.0.0/10", "100.127.0.0/16",
	    "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "172.31.255.0/24",
	    "192.0.0.0/24", "192.0.0.8/32", "192.0.2.0/24", "192.88.99.0/24",
	    "192.168.0.0/16", "198.18.0.0/15", "198.19.255.0/24",
	    "198.51.100.0/24", "203.0.113.0/24", "203.0.113.128/25",
	    "224.0.0.0/4", "239.1.0.0/16", "240.0.0.0/4", "255.255.255.255/32",
	    "::1/128", "::ffff:0:0/96", "64:ff9b:1::/48", "100::/64",
	    "2001::/23", "2001::/32", "2001:2::/48", "2001:1ff::/32",
	    "2001:db8::/32", "2001:db8:1::/48", "2002::/16", "2002:a00::/24",
	    "3fff::/20", "5f00::/16", "fc00::/7", "fd00:1::/48", "fe80::/10",
	    "ff00::/8"};
	static const char *const good[] = {"1.0.0.0/24", "9.0.0.0/8",
	    "11.0.0.0/8", "100.0.0.0/10", "100.128.0.0/9", "126.0.0.0/8",
	    "128.0.0.0/16", "172.15.0.0/16", "172.32.0.0/16", "192.0.0.9/32",
	    "192.0.1.0/24", "192.0.3.0/24", "192.31.196.0/24",
	    "192.52.193.0/24", "192.175.48.0/24", "192.0.0.0/16",
	    "198.17.0.0/16", "198.20.0.0/16", "203.0.112.0/22", "223.0.0.0/8",
	    "2001:3::/32", "2001:4:112::/48", "2001:20::/28", "2001:200::/23",
	    "2001:db7::/32", "2001:db9::/32", "2003::/19", "2620:4f:8000::/48",
	    "3ffe::/16", "2001:d00::/24"};
	struct prefixes *p;
	char text[64];

	(void)state;
	for (size_t i = 0; i < LEN(rows) + LEN(good); i++) {
		snprintf(text, sizeof(text), "# x\n%s\n",
		    i < LEN(rows) ? rows[i] : good[i - LEN(rows)]);
		row_is(text);
		p = load(text, &public);
		assert_int_equal(bad_count, 0);
		assert_int_equal(prefixes_counts(p)->special, i < LEN(rows));
		assert_int_equal(
		    prefixes_counts(p)->special_line, i < LEN(rows) ? 2 : 0);
		assert_int_equal(prefixes_units(p), i >= LEN(rows));
		prefixes_free(p);
	}
}

/* An address of a prefix that is around special space is not in it. */
static void
around(void **state)
{
	static const struct prefixes_config public = {.max_len = {32, 64}};
	struct prefixes *p = load("203.0.112.0/22\n", &public);
	struct prefixes_unit u;
	uint64_t random[2];
	struct addr a;
	int drawn = 0;

	(void)state;
	prefixes_unit(p, 0, &u);
	for (uint64_t k = 0; k < 1000; k++) {
		random[0] = permute_mix(k, 1);
		random[1] = permute_mix(k, 2);
		if (prefixes_draw(p, &u, random, &a) == -1)
			continue;
		drawn++;
		assert_int_not_equal(a.b[2], 113);
	}
	assert_in_range(drawn, 700, 800);
	prefixes_free(p);
}

/* Unit I of P as text. */
static const char *
unit_text(const struct prefixes *p, uint64_t i)
{
	static char text[80];
	uint8_t bytes[16] = {0};
	struct prefixes_unit u;
	struct addr a;
	char buf[ADDR_STRLEN];

	prefixes_unit(p, i, &u);
	for (int k = 0; k < 8; k++)
		bytes[k] = (uint8_t)(u.top >> (56 - 8 * k));
	a = addr_make(u.family == PREFIXES_V4 ? ADDR_IPV4 : ADDR_IPV6, bytes);
	snprintf(text, sizeof(text), "%s/%u", addr_str(&a, buf), u.len);
	return text;
}

static void
expect_units(const struct prefixes *p, const char *const *want, uint64_t n)
{
	assert_int_equal(prefixes_units(p), n);
	for (uint64_t i = 0; i < n; i++)
		assert_string_equal(unit_text(p, i), want[i]);
}

#define MIXED                                                           \
	"2001:db8:8000::/34\n10.1.2.0/24\n10.1.0.0/22\n20.0.0.128/25\n" \
	"2001:db8::/32\n10.1.2.0/26\n30.0.0.0/24\n10.1.0.0/22\n"

static void
units(void **state)
{
	static const char *const as_they_are[] = {"10.1.0.0/22", "10.1.2.0/24",
	    "10.1.2.0/26", "20.0.0.128/25", "30.0.0.0/24", "2001:db8::/32",
	    "2001:db8:8000::/34"};
	static const char *const parts[] = {"10.1.0.0/24", "10.1.1.0/24",
	    "10.1.2.0/24", "10.1.3.0/24", "20.0.0.128/25", "30.0.0.0/24",
	    "2001:db8::/33", "2001:db8:8000::/33"};
	static const char *const not_long[] = {
	    "10.1.0.0/22", "10.1.2.0/24", "30.0.0.0/24", "2001:db8::/32"};
	struct prefixes_config cfg = whole;
	struct prefixes *p = load(MIXED, &cfg);

	(void)state;
	expect_units(p, as_they_are, LEN(as_they_are));
	assert_int_equal(prefixes_counts(p)->prefixes, 7);
	prefixes_free(p);
	cfg.split[PREFIXES_V4] = 24;
	cfg.split[PREFIXES_V6] = 33;
	p = load(MIXED, &cfg);
	expect_units(p, parts, LEN(parts));
	prefixes_free(p);
	cfg = whole;
	cfg.max_len[PREFIXES_V4] = 24;
	cfg.max_len[PREFIXES_V6] = 32;
	p = load(MIXED, &cfg);
	expect_units(p, not_long, LEN(not_long));
	assert_int_equal(prefixes_counts(p)->longer, 3);
	prefixes_free(p);
}

/* Draw N times from unit I: how often it worked; each is inside IN, and
 * outside of NOT (NULL: nothing). */
static int
draws(const struct prefixes *p, uint64_t i, const char *in, const char * not )
{
	struct addr_prefix inside, outside;
	struct prefixes_unit u;
	uint64_t random[2];
	struct addr a;
	int n = 0;

	assert_null(addr_prefix_scan(in, &inside));
	if (not != NULL)
		assert_null(addr_prefix_scan(not, &outside));
	prefixes_unit(p, i, &u);
	for (uint64_t k = 0; k < 1000; k++) {
		random[0] = permute_mix(k, 1);
		random[1] = permute_mix(k, 2);
		if (prefixes_draw(p, &u, random, &a) == -1)
			continue;
		n++;
		assert_true(addr_in_prefix(&a, &inside));
		assert_false(not != NULL && addr_in_prefix(&a, &outside));
	}
	return n;
}

static void
addresses(void **state)
{
	struct prefixes *p = load(MIXED, &whole);

	(void)state;
	/* A quarter of the /22 is another prefix's. */
	assert_in_range(draws(p, 0, "10.1.0.0/22", "10.1.2.0/24"), 700, 800);
	assert_in_range(draws(p, 1, "10.1.2.0/24", "10.1.2.0/26"), 700, 800);
	assert_int_equal(draws(p, 2, "10.1.2.0/26", NULL), 1000);
	assert_int_equal(draws(p, 4, "30.0.0.0/24", NULL), 1000);
	assert_in_range(
	    draws(p, 5, "2001:db8::/32", "2001:db8:8000::/34"), 700, 800);
	prefixes_free(p);
}

/* How many different last bytes the first prefix of TEXT yields, and whether 0
 * or 255 (as last byte) is among them. */
static int
last_bytes(const char *text, const struct prefixes_config *cfg, int *edges)
{
	struct prefixes *p = load(text, cfg);
	char seen[256] = {0};
	struct prefixes_unit u;
	uint64_t random[2];
	struct addr a;
	int n = 0;

	prefixes_unit(p, 0, &u);
	for (uint64_t k = 0; k < 20000; k++) {
		random[0] = permute_mix(k, 1);
		random[1] = permute_mix(k, 2);
		assert_int_equal(prefixes_draw(p, &u, random, &a), 0);
		seen[a.b[3]] = 1;
	}
	for (int i = 0; i < 256; i++)
		n += seen[i];
	*edges = seen[0] || seen[255];
	prefixes_free(p);
	return n;
}

static void
edges(void **state)
{
	static const struct {
		const char *text;
		int all, inner, edges; /* edges: also with `inner' */
	} rows[] = {
	    {"10.0.0.0/24\n", 256, 254, 0},
	    {"10.0.0.0/16\n", 256, 254, 0},
	    {"10.0.0.0/25\n", 128, 126, 0},
	    {"10.0.0.4/30\n", 4, 2, 0},
	    {"10.0.0.0/31\n", 2, 2, 1},
	    {"10.0.0.0/32\n", 1, 1, 1},
	};
	struct prefixes_config inner = whole;
	int seen;

	(void)state;
	inner.inner = 1;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].text);
		assert_int_equal(
		    last_bytes(rows[i].text, &whole, &seen), rows[i].all);
		assert_int_equal(
		    last_bytes(rows[i].text, &inner, &seen), rows[i].inner);
		assert_int_equal(seen, rows[i].edges);
	}
}

static void
unreadable(void **state)
{
	struct prefixes_config cfg = whole;
	const char *why = NULL;
	char path[200];
	FILE *f;

	(void)state;
	assert_null(prefixes_load("/nonexistent", &cfg, on_bad, NULL, &why));
	assert_string_equal(why, "No such file or directory");
	snprintf(path, sizeof(path), "%s/gz", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("\037\213\010 not gzip at all", f);
	fclose(f);
	assert_null(prefixes_load(path, &cfg, on_bad, NULL, &why));
	assert_non_null(strstr(why, "gzip"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines),
	    cmocka_unit_test(special),
	    cmocka_unit_test(around),
	    cmocka_unit_test(units),
	    cmocka_unit_test(addresses),
	    cmocka_unit_test(edges),
	    cmocka_unit_test(unreadable),
	};
	int rc;

	if (tmpdir_make(dir, sizeof(dir)) == -1)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	tmpdir_remove(dir);
	return rc;
}
