/*
 * addr: what is an address or a prefix and what is not; order, equality, hash
 * and containment at every bit.
 */
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/addr.h"
#include "tests/unit/addr_of.h"

static void
scans_and_prints(void **state)
{
	static const struct {
		const char *in, *out; /* out NULL: refused */
		int family;
	} rows[] = {
	    {"1.2.3.4", "1.2.3.4", ADDR_IPV4},
	    {"0.0.0.0", "0.0.0.0", ADDR_IPV4},
	    {"255.255.255.255", "255.255.255.255", ADDR_IPV4},
	    {"::", "::", ADDR_IPV6},
	    {"2001:DB8:0:0:0:0:0:1", "2001:db8::1", ADDR_IPV6},
	    {"::ffff:192.0.2.1", "::ffff:192.0.2.1", ADDR_IPV6},
	    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
		"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", ADDR_IPV6},
	    {"", NULL, 0},
	    {"1.2.3", NULL, 0},
	    {"1.2.3.4.5", NULL, 0},
	    {"256.1.1.1", NULL, 0},
	    {"01.2.3.4", NULL, 0},
	    {"0x1.2.3.4", NULL, 0},
	    {" 1.2.3.4", NULL, 0},
	    {"1.2.3.4 ", NULL, 0},
	    {"1.2.3.4/32", NULL, 0},
	    {"fe80::1%eth0", NULL, 0},
	    {"1::2::3", NULL, 0},
	    {"localhost", NULL, 0},
	};
	char buf[ADDR_STRLEN];
	struct addr a;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].in);
		memset(&a, 0xee, sizeof(a));
		if (rows[i].out == NULL) {
			assert_int_equal(addr_scan(rows[i].in, &a), -1);
			assert_int_equal(a.family, 0xee);
			continue;
		}
		assert_int_equal(addr_scan(rows[i].in, &a), 0);
		assert_int_equal(a.family, rows[i].family);
		assert_string_equal(addr_str(&a, buf), rows[i].out);
	}
}

/* As inet_ntop(3) does, whatever the zeros. */
static void
prints_as_libc(void **state)
{
	char buf[ADDR_STRLEN], libc[ADDR_STRLEN];
	uint8_t b[16] = {0};
	struct addr a;

	(void)state;
	/* Every pattern of empty groups, with groups of each length; the
	 * sixth is full now and then, as in mapped addresses. */
	for (unsigned int i = 0; i < 256 * 256; i++) {
		for (unsigned int k = 0; k < 8; k++) {
			unsigned int v = ((i * 40503u >> 4) | 1) &
			    (0xffffu >> (i >> k & 12));

			v = k == 5 && i >> 8 > 0x7f ? 0xffff : v;
			v = i >> k & 1 ? v : 0;
			b[2 * k] = (uint8_t)(v >> 8);
			b[2 * k + 1] = (uint8_t)v;
		}
		a = addr_make(ADDR_IPV6, b);
		inet_ntop(AF_INET6, b, libc, sizeof(libc));
		assert_int_equal(addr_print(&a, buf), strlen(libc));
		assert_string_equal(buf, libc);
		b[0] = (uint8_t)(i >> 8);
		b[1] = (uint8_t)i;
		b[2] = (uint8_t)(i / 3);
		b[3] = (uint8_t)(i / 7);
		a = addr_make(ADDR_IPV4, b);
		inet_ntop(AF_INET, b, libc, sizeof(libc));
		assert_string_equal(addr_str(&a, buf), libc);
	}
}

static void
prints_other_families(void **state)
{
	static const uint8_t b[8] = {0, 0x1b, 0x21, 0xff, 4, 5, 6, 7};
	char buf[ADDR_STRLEN];
	struct addr mac = addr_make(ADDR_MAC, b);
	struct addr fw = addr_make(ADDR_FIREWIRE, b);
	struct addr none = {0};

	(void)state;
	assert_string_equal(addr_str(&mac, buf), "00:1b:21:ff:04:05");
	assert_string_equal(addr_str(&fw, buf), "00:1b:21:ff:04:05:06:07");
	assert_string_equal(addr_str(&none, buf), "-");
	assert_int_equal(mac.b[6], 0); /* beyond the family's length */
}

static void
knows_lengths(void **state)
{
	(void)state;
	assert_int_equal(addr_len(ADDR_IPV4), 4);
	assert_int_equal(addr_len(ADDR_IPV6), 16);
	assert_int_equal(addr_len(ADDR_MAC), 6);
	assert_int_equal(addr_len(ADDR_FIREWIRE), 8);
	assert_int_equal(addr_len(ADDR_NONE), 0);
	assert_int_equal(addr_len(5), 0);
	assert_int_equal(addr_len(255), 0);
	assert_int_equal(addr_len(-1), 0);
}

static void
scans_prefixes(void **state)
{
	static const struct {
		const char *in;
		int len; /* -1: refused */
		const char *word; /* in the reason */
	} rows[] = {
	    {"10.0.0.0/8", 8, NULL},
	    {"0.0.0.0/0", 0, NULL},
	    {"192.0.2.1", 32, NULL},
	    {"192.0.2.1/32", 32, NULL},
	    {"192.0.2.128/25", 25, NULL},
	    {"128.0.0.0/1", 1, NULL},
	    {"::/0", 0, NULL},
	    {"2001:db8::/32", 32, NULL},
	    {"2001:db8::1", 128, NULL},
	    {"2001:db8::8000:0:0:0/65", 65, NULL},
	    {"10.0.0.1/8", -1, "beyond"},
	    {"192.0.2.128/24", -1, "beyond"},
	    {"128.0.0.0/0", -1, "beyond"},
	    {"2001:db8::1/127", -1, "beyond"},
	    {"2001:db8:8000::/32", -1, "beyond"},
	    {"10.0.0.0/33", -1, "range"},
	    {"::/129", -1, "range"},
	    {"10.0.0.0/", -1, "range"},
	    {"10.0.0.0/-1", -1, "range"},
	    {"10.0.0.0/8 ", -1, "range"},
	    {"10.0.0.0/8/8", -1, "range"},
	    {"10.0.0.0/99999999999999999999", -1, "range"},
	    {"/8", -1, "not an"},
	    {"", -1, "not an"},
	    {"10/8", -1, "not an"},
	    {"example.org", -1, "not an"},
	    {"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111/8", -1,
		"not an"},
	};
	struct addr_prefix p;
	const char *reason;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].in);
		reason = addr_prefix_scan(rows[i].in, &p);
		if (rows[i].len == -1) {
			assert_non_null(reason);
			assert_non_null(strstr(reason, rows[i].word));
		} else {
			assert_null(reason);
			assert_int_equal(p.len, rows[i].len);
		}
	}
}

static void
orders_by_family_then_bytes(void **state)
{
	static const char *const sorted[] = {"0.0.0.0", "1.2.3.4", "1.2.3.5",
	    "128.0.0.0", "255.255.255.255", "::", "::1", "8000::", "ffff::"};
	struct addr a, b;

	(void)state;
	for (size_t i = 0; i < LEN(sorted); i++) {
		for (size_t j = 0; j < LEN(sorted); j++) {
			a = addr_of(sorted[i]);
			b = addr_of(sorted[j]);
			assert_int_equal(addr_cmp(&a, &b) < 0, i < j);
			assert_int_equal(addr_cmp(&a, &b) > 0, i > j);
			assert_int_equal(addr_equal(&a, &b), i == j);
		}
	}
}

/* Containment of every address that differs in one bit, for every length. */
static void
holds_exactly_its_bits(void **state)
{
	static const char *const bases[] = {"85.170.85.170", "5555:aaaa::"};
	struct addr_prefix p;
	struct addr base, a;
	int bits;

	(void)state;
	for (size_t i = 0; i < LEN(bases); i++) {
		base = addr_of(bases[i]);
		bits = 8 * (int)addr_len(base.family);
		for (int len = 0; len <= bits; len++) {
			p.addr = base;
			p.len = (uint8_t)len;
			for (int k = len; k < bits; k++)
				p.addr.b[k / 8] &= (uint8_t) ~(0x80 >> k % 8);
			assert_true(addr_in_prefix(&base, &p));
			for (int k = 0; k < bits; k++) {
				a = base;
				a.b[k / 8] ^= (uint8_t)(0x80 >> k % 8);
				assert_int_equal(
				    addr_in_prefix(&a, &p), k >= len);
			}
		}
	}
}

static void
families_do_not_mix(void **state)
{
	struct addr_prefix all4 = {.addr = addr_of("0.0.0.0"), .len = 0};
	struct addr v6 = addr_of("::");

	(void)state;
	assert_false(addr_in_prefix(&v6, &all4));
	assert_false(addr_equal(&v6, &all4.addr));
}

/* Counters on disk and between hosts may rely on the value. */
static void
hash_is_fixed(void **state)
{
	struct addr a = addr_of("192.0.2.1"), b = addr_of("2001:db8::1");

	(void)state;
	assert_true(addr_hash(&a) == UINT64_C(0x8e8083384cbc7062));
	assert_true(addr_hash(&b) == UINT64_C(0x39592964fe21868a));
}

/* Neighbouring addresses spread over low and high bits: 64 K addresses over
 * 256 buckets give 256 each; 6 sigma is 96. */
static void
hash_spreads(void **state)
{
	static unsigned int low[256], high[256];
	struct addr v4 = addr_of("10.0.0.0"), v6 = addr_of("2001:db8::");
	uint64_t h;

	(void)state;
	for (int family = 0; family < 2; family++) {
		memset(low, 0, sizeof(low));
		memset(high, 0, sizeof(high));
		for (unsigned int i = 0; i < 65536; i++) {
			struct addr a = family == 0 ? v4 : v6;
			int at = family == 0 ? 2 : 14;

			a.b[at] = (uint8_t)(i >> 8);
			a.b[at + 1] = (uint8_t)i;
			h = addr_hash(&a);
			low[h & 255]++;
			high[h >> 56]++;
		}
		for (int i = 0; i < 256; i++) {
			assert_in_range(low[i], 160, 352);
			assert_in_range(high[i], 160, 352);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(scans_and_prints),
	    cmocka_unit_test(prints_as_libc),
	    cmocka_unit_test(prints_other_families),
	    cmocka_unit_test(knows_lengths),
	    cmocka_unit_test(scans_prefixes),
	    cmocka_unit_test(orders_by_family_then_bytes),
	    cmocka_unit_test(holds_exactly_its_bits),
	    cmocka_unit_test(families_do_not_mix),
	    cmocka_unit_test(hash_is_fixed),
	    cmocka_unit_test(hash_spreads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
