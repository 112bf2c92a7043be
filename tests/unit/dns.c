/*
 * dns: a question on the wire; answers, good, damaged and hostile.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "prober/names.h"

#define ANY 300 /* ttl */
/* Where the head counts records; their types. */
#define ANSWER 6
#define AUTHORITY 8
#define PTR 12
#define CNAME 5
#define SOA 6

static struct addr
addr_text(const char *text)
{
	struct addr a;

	assert_int_equal(addr_scan(text, &a), 0);
	return a;
}

/* --- questions -------------------------------------------------------------- */

static void
test_query_ipv4(void **state)
{
	static const char want[] = "\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0"
				   "\001"
				   "1\001"
				   "2\001"
				   "0\003"
				   "192\007in-addr\004arpa\0\0\x0c\0\001";
	struct addr a = addr_text("192.0.2.1");
	uint8_t buf[DNS_QUERY_MAX];

	(void)state;
	assert_int_equal(dns_query(&a, 0x1234, buf), sizeof(want) - 1);
	assert_memory_equal(buf, want, sizeof(want) - 1);
}

static void
test_query_ipv6(void **state)
{
	struct addr a = addr_text("2001:db8::f1");
	uint8_t buf[DNS_QUERY_MAX];
	size_t len = dns_query(&a, 1, buf);

	(void)state;
	/* 32 digits of two bytes, ip6, arpa, the end, type and class */
	assert_int_equal(len, 12 + 64 + 4 + 5 + 1 + 4);
	assert_memory_equal(buf + 12, "\0011\001f\0010", 6);
	assert_memory_equal(
	    buf + len - 22, "\0011\0010\0010\0012\003ip6\004arpa", 17);
}

/* --- answers ------------------------------------------------------------------ */

struct packet {
	uint8_t bytes[4096];
	size_t len;
};

static void
put(struct packet *p, const void *bytes, size_t len)
{
	assert_true(p->len + len <= sizeof(p->bytes));
	memcpy(p->bytes + p->len, bytes, len);
	p->len += len;
}

/* The answer to a question for A, with no records yet. */
static struct packet
begin(const struct addr *a, uint8_t flags, uint8_t rcode)
{
	struct packet p;

	memset(&p, 0, sizeof(p));
	p.len = dns_query(a, 7, p.bytes);
	p.bytes[2] = 0x81 | flags;
	p.bytes[3] = 0x80 | rcode;
	return p;
}

/* A record whose owner is the question; a SOA is not an answer. */
static void
record(
    struct packet *p, uint8_t type, uint32_t ttl, const void *data, uint8_t len)
{
	uint8_t head[] = {0xc0, 12, 0, type, 0, 1, (uint8_t)(ttl >> 24),
	    (uint8_t)(ttl >> 16), (uint8_t)(ttl >> 8), (uint8_t)ttl, 0, len};

	put(p, head, sizeof(head));
	put(p, data, len);
	p->bytes[(type == SOA ? AUTHORITY : ANSWER) + 1]++;
}

/* Labels, each with its length in front, as one PTR record. */
static const struct {
	const char *labels;
	uint8_t len;
	enum dns_result result;
	const char *name;
} names[] = {
#define LABELS(s) s, sizeof(s) /* with the NUL, which is the root */
    {LABELS("\002r1\007example\003net"), DNS_NAME, "r1.example.net"},
    {LABELS("\004R_-1\0030/2\004a+@:"), DNS_NAME, "R_-1.0/2.a+@:"},
    /* bytes that would end or change a line, a string, a page, a command */
    {LABELS("\011\"\\\n\r\t\x1b[2J"), DNS_NAME, "%22%5C%0A%0D%09%1B%5B2J"},
    {LABELS("\010<a>&'`$%\002~ "), DNS_NAME, "%3Ca%3E%26%27%60%24%25.%7E%20"},
    {LABELS("\003\x80\xff\xc3"), DNS_NAME, "%80%FF%C3"},
    {LABELS("\003a\0b\001c"), DNS_NAME, "a%00b.c"},
    {LABELS("\003a.b\001c"), DNS_NAME, "a%2Eb.c"},
    {LABELS(""), DNS_NONE, ""},
    /* a label that is longer than what there is; a pointer to itself; a
     * pointer beyond the end; a label type that nobody has */
    {"\077abc", 4, DNS_FAILED, ""},
    {"\xc0\x33", 2, DNS_FAILED, ""},
    {"\xcf\xff", 2, DNS_FAILED, ""},
    {"\x80\x01", 2, DNS_FAILED, ""},
    {"", 0, DNS_FAILED, ""},
};

static void
test_names(void **state)
{
	struct addr a = addr_text("192.0.2.1");
	struct dns_answer out;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct packet p = begin(&a, 0, 0);

		record(&p, PTR, ANY, names[i].labels, names[i].len);
		assert_int_equal(dns_read(p.bytes, p.len, &a, &out), 0);
		assert_int_equal(out.result, names[i].result);
		assert_string_equal(out.name, names[i].name);
	}
}

/* The longest name there may be is taken; with bytes to escape it is not. */
static void
test_long(void **state)
{
	struct addr a = addr_text("192.0.2.1");
	struct dns_answer out;
	uint8_t data[255];

	(void)state;
	for (int bad = 0; bad < 2; bad++) {
		struct packet p = begin(&a, 0, 0);

		memset(data, bad ? '"' : 'x', sizeof(data));
		data[0] = data[64] = data[128] = 63;
		data[192] = 61;
		data[254] = 0;
		record(&p, PTR, ANY, data, 255);
		assert_int_equal(dns_read(p.bytes, p.len, &a, &out), 0);
		assert_int_equal(out.result, bad ? DNS_FAILED : DNS_NAME);
		if (!bad)
			assert_int_equal(strlen(out.name), 253);
	}
}

static void
test_alias(void **state)
{
	struct addr a = addr_text("192.0.2.1");
	struct packet p = begin(&a, 0, 0);
	struct dns_answer out;

	(void)state;
	record(&p, CNAME, 40, "\001x\003net", 7);
	record(&p, PTR, 50, "\001y\003net", 7);
	record(&p, PTR, 10, "\001z\003net", 7);
	assert_int_equal(dns_read(p.bytes, p.len, &a, &out), 0);
	assert_int_equal(out.result, DNS_NAME);
	assert_string_equal(out.name, "y.net");
	assert_int_equal(out.ttl_s, 40); /* of what was needed */
}

/* "." for both names, five words: the last is the time for "there is none". */
#define SOA_DATA "\0\0\0\0\0\1\0\0\0\2\0\0\0\3\0\0\0\4\0\0\0\x1e"

static void
test_none(void **state)
{
	struct addr a = addr_text("2001:db8::1");
	struct dns_answer out;

	(void)state;
	for (uint8_t rcode = 0; rcode <= 3; rcode += 3) {
		struct packet p = begin(&a, 0, rcode);

		assert_int_equal(dns_read(p.bytes, p.len, &a, &out), 0);
		assert_int_equal(out.result, DNS_NONE);
		assert_int_equal(out.ttl_s, 0);
		record(&p, SOA, 3600, SOA_DATA, 22);
		assert_int_equal(dns_read(p.bytes, p.len, &a, &out), 0);
		assert_int_equal(out.result, DNS_NONE);
		assert_int_equal(out.ttl_s, 30);
	}
}

static void
test_failures(void **state)
{
	static const struct {
		uint8_t flags, rcode;
	} rows[] = {{2, 0}, {0, 1}, {0, 2}, {0, 4}, {0, 5}, {0, 15}};
	struct addr a = addr_text("192.0.2.1");
	struct dns_answer out;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct packet p = begin(&a, rows[i].flags, rows[i].rcode);

		assert_int_equal(dns_read(p.bytes, p.len, &a, &out), 0);
		assert_int_equal(out.result, DNS_FAILED);
	}
}

/* What does not answer this question is not looked at. */
static void
test_others(void **state)
{
	struct addr a = addr_text("192.0.2.1"), b = addr_text("192.0.2.2");
	struct packet p = begin(&b, 0, 0);
	struct dns_answer out;

	(void)state;
	record(&p, PTR, ANY, "\001x\003net", 7);
	assert_int_equal(dns_read(p.bytes, p.len, &b, &out), 0);
	assert_int_equal(dns_read(p.bytes, p.len, &a, &out), -1);
	p.bytes[2] &= 0x7f; /* a question */
	assert_int_equal(dns_read(p.bytes, p.len, &b, &out), -1);
	p.bytes[2] |= 0x80;
	p.bytes[5] = 2; /* two */
	assert_int_equal(dns_read(p.bytes, p.len, &b, &out), -1);
}

/* The case of the question does not matter: servers may have their own. */
static void
test_case(void **state)
{
	struct addr a = addr_text("192.0.2.1");
	struct packet p = begin(&a, 0, 0);
	struct dns_answer out;

	(void)state;
	memcpy(p.bytes + 12 + 10, "\007IN-aDDr", 8);
	record(&p, PTR, ANY, "\001x\003net", 7);
	assert_int_equal(dns_read(p.bytes, p.len, &a, &out), 0);
	assert_string_equal(out.name, "x.net");
}

/* Cut anywhere and with any bytes changed: whatever comes out of it is short
 * and has no byte that is not allowed.  In memory of its own size, so that the
 * sanitizers see a byte too many. */
static void
test_damaged(void **state)
{
	struct addr a = addr_text("192.0.2.1");
	struct packet p = begin(&a, 0, 0);
	struct dns_answer out;
	uint8_t *copy;
	size_t len;

	(void)state;
	srand(1);
	record(&p, CNAME, 40, "\001x\003net", 7);
	record(&p, PTR, 50, "\001y\003n\"t\xc0\x0c", 8);
	record(&p, SOA, 3600, SOA_DATA, 22);
	for (int i = 0; i < 200000; i++) {
		len = i < (int)p.len ? (size_t)i : p.len;
		copy = malloc(len);
		memcpy(copy, p.bytes, len);
		for (int k = rand() % 4; k > 0 && len > 12; k--)
			copy[(size_t)rand() % len] = (uint8_t)rand();
		if (dns_read(copy, len, &a, &out) == 0) {
			assert_true(strlen(out.name) <= DNS_NAME_MAX);
			assert_int_equal(strspn(out.name,
					     "abcdefghijklmnopqrstuvwxyz"
					     "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
					     "0123456789-._/+:@*=%"),
			    strlen(out.name));
		}
		free(copy);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_query_ipv4),
	    cmocka_unit_test(test_query_ipv6),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_long),
	    cmocka_unit_test(test_alias),
	    cmocka_unit_test(test_none),
	    cmocka_unit_test(test_failures),
	    cmocka_unit_test(test_others),
	    cmocka_unit_test(test_case),
	    cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
