/*
 * prefixset: the longest prefix, in both families, checked against a search
 * that looks at every prefix; files are taken whole or not at all.
 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/prefixset.h"
#include "tests/unit/addr_of.h"

static struct addr_prefix
prefix(const char *s)
{
	struct addr_prefix p = {0};

	assert_null(addr_prefix_scan(s, &p));
	return p;
}

static void
add(struct prefixset *ps, const char *s)
{
	struct addr_prefix p = prefix(s);

	prefixset_add(ps, &p);
}

static void
finds_the_longest(void **state)
{
	static const char *const set[] = {"10.1.0.0/16", "10.0.0.0/8",
	    "10.1.2.0/24", "10.1.2.3", "10.9.0.0/16", "192.0.2.128/25",
	    "255.255.255.255", "2001:db8::/32", "2001:db8:0:1::/64",
	    "2001:db8:0:1::7", "ff00::/8", "10.0.0.0/8"};
	static const struct {
		const char *addr, *match; /* match NULL: in none */
	} rows[] = {
	    {"10.1.2.3", "10.1.2.3/32"},
	    {"10.1.2.2", "10.1.2.0/24"},
	    {"10.1.2.4", "10.1.2.0/24"},
	    {"10.1.2.255", "10.1.2.0/24"},
	    {"10.1.3.0", "10.1.0.0/16"},
	    {"10.1.255.255", "10.1.0.0/16"},
	    {"10.2.0.0", "10.0.0.0/8"},
	    {"10.0.0.0", "10.0.0.0/8"},
	    {"10.255.255.255", "10.0.0.0/8"},
	    {"10.9.0.1", "10.9.0.0/16"},
	    {"10.10.0.0", "10.0.0.0/8"},
	    {"9.255.255.255", NULL},
	    {"11.0.0.0", NULL},
	    {"0.0.0.0", NULL},
	    {"192.0.2.127", NULL},
	    {"192.0.2.128", "192.0.2.128/25"},
	    {"192.0.3.0", NULL},
	    {"255.255.255.254", NULL},
	    {"255.255.255.255", "255.255.255.255/32"},
	    {"2001:db8::", "2001:db8::/32"},
	    {"2001:db8:0:1::7", "2001:db8:0:1::7/128"},
	    {"2001:db8:0:1::8", "2001:db8:0:1::/64"},
	    {"2001:db8:0:2::", "2001:db8::/32"},
	    {"2001:db9::", NULL},
	    {"::", NULL},
	    {"a00::", NULL}, /* 10.0.0.0 read as IPv6 */
	    {"feff::", NULL},
	    {"ffff::ffff", "ff00::/8"},
	};
	struct prefixset *ps = prefixset_new();
	struct addr_prefix out, want;
	struct addr a;

	(void)state;
	for (size_t i = 0; i < LEN(set); i++)
		add(ps, set[i]);
	assert_int_equal(prefixset_count(ps), LEN(set) - 1); /* one twice */
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].addr);
		a = addr_of(rows[i].addr);
		assert_int_equal(
		    prefixset_match(ps, &a, &out), rows[i].match != NULL);
		assert_int_equal(
		    prefixset_match(ps, &a, NULL), rows[i].match != NULL);
		if (rows[i].match == NULL)
			continue;
		want = prefix(rows[i].match);
		assert_true(addr_equal(&out.addr, &want.addr));
		assert_int_equal(out.len, want.len);
	}
	prefixset_free(ps);
}

static void
empty_and_odd_families(void **state)
{
	struct prefixset *ps = prefixset_new();
	struct addr a = addr_of("0.0.0.0"), mac = {.family = ADDR_MAC};

	(void)state;
	assert_int_equal(prefixset_count(ps), 0);
	assert_int_equal(prefixset_match(ps, &a, NULL), 0);
	add(ps, "0.0.0.0/0");
	assert_int_equal(prefixset_match(ps, &a, NULL), 1);
	assert_int_equal(prefixset_match(ps, &mac, NULL), 0);
	add(ps, "0.0.0.0/1"); /* after a question */
	assert_int_equal(prefixset_count(ps), 2);
	prefixset_free(ps);
	prefixset_free(NULL);
}

#define NPREFIXES 3000

/* Few distinct bytes, so that prefixes nest and addresses hit. */
static struct addr
random_addr(int family)
{
	static const uint8_t bytes[] = {0, 1, 2, 127, 128, 255};
	uint8_t b[16];

	for (int i = 0; i < 16; i++)
		b[i] = bytes[(size_t)rand() % LEN(bytes)];
	return addr_make(family, b);
}

static struct addr_prefix
random_prefix(int family)
{
	struct addr_prefix p = {.addr = random_addr(family)};
	int bits = 8 * (int)addr_len(family);

	p.len = (uint8_t)(rand() % (bits + 1));
	for (int k = p.len; k < bits; k++)
		p.addr.b[k / 8] &= (uint8_t) ~(0x80 >> k % 8);
	return p;
}

static int
longest(const struct addr_prefix *set, const struct addr *a)
{
	int best = -1;

	for (int i = 0; i < NPREFIXES; i++) {
		if (addr_in_prefix(a, &set[i]) &&
		    (best == -1 || set[i].len > set[best].len))
			best = i;
	}
	return best;
}

static void
agrees_with_a_plain_search(void **state)
{
	static struct addr_prefix set[NPREFIXES];
	struct prefixset *ps = prefixset_new();
	struct addr_prefix out = {0};
	struct addr a;
	int best, hits = 0;

	(void)state;
	srand(4);
	for (int i = 0; i < NPREFIXES; i++) {
		set[i] = random_prefix(i % 2 ? ADDR_IPV4 : ADDR_IPV6);
		if (set[i].len < 8)
			set[i] = prefix("203.0.113.0/24");
		prefixset_add(ps, &set[i]);
	}
	for (int i = 0; i < 5000; i++) {
		a = random_addr(i % 2 ? ADDR_IPV4 : ADDR_IPV6);
		if (i % 3 == 0)
			a.b[0] = (uint8_t)rand();
		best = longest(set, &a);
		assert_int_equal(prefixset_match(ps, &a, &out), best != -1);
		if (best == -1)
			continue;
		hits++;
		assert_int_equal(out.len, set[best].len);
		assert_true(addr_equal(&out.addr, &set[best].addr));
	}
	assert_in_range(hits, 500, 4999);
	prefixset_free(ps);
}

struct errors {
	int n;
	char last[256];
};

static void
count_error(void *arg, const char *file, int line, const char *reason)
{
	struct errors *e = arg;

	(void)file;
	e->n++;
	snprintf(e->last, sizeof(e->last), "%d: %s", line, reason);
}

static struct prefixset *
load(const char *text, struct errors *e)
{
	char path[] = "/tmp/prefixset.XXXXXX";
	int fd = mkstemp(path);
	struct prefixset *ps;

	assert_true(fd != -1);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	memset(e, 0, sizeof(*e));
	ps = prefixset_load(path, count_error, e);
	unlink(path);
	return ps;
}

static void
a_file_is_taken_whole_or_not(void **state)
{
	struct prefixset *ps;
	struct errors e;
	struct addr a = addr_of("198.51.100.7");

	(void)state;
	ps = load("# do not probe\n\n  198.51.100.0/24  # J\xc3\xb6rg asked\n"
		  "2001:db8::/32\r\n192.0.2.1",
	    &e);
	assert_non_null(ps);
	assert_int_equal(e.n, 0);
	assert_int_equal(prefixset_count(ps), 3);
	assert_int_equal(prefixset_match(ps, &a, NULL), 1);
	prefixset_free(ps);

	ps = load("", &e);
	assert_non_null(ps);
	assert_int_equal(prefixset_count(ps), 0);
	prefixset_free(ps);

	assert_null(load("10.0.0.0/8\n10.0.0.1/8\nx\n1.1.1.1 2.2.2.2\n", &e));
	assert_int_equal(e.n, 3);
	assert_string_equal(e.last, "4: more than one prefix on a line");

	memset(&e, 0, sizeof(e));
	assert_null(prefixset_load("/nonexistent/x", count_error, &e));
	assert_int_equal(e.n, 1);
	assert_string_equal(e.last, "0: No such file or directory");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_the_longest),
	    cmocka_unit_test(empty_and_odd_families),
	    cmocka_unit_test(agrees_with_a_plain_search),
	    cmocka_unit_test(a_file_is_taken_whole_or_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
