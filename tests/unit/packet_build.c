/*
 * packet_build: probes to the byte, against packets and checksums that were
 * computed by other means (an end-around carry, 16 bits at a time).
 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "prober/net/packet_build.h"
#include "tests/unit/addr_of.h"

static const struct {
	const char *name, *src, *dst, *hex; /* hex: IPv6 flow label 0 */
	struct probe pr;
} packets[] = {
    {.name = "UDP-paris v4",
	.src = "192.0.2.1",
	.dst = "198.51.100.77",
	.pr = {.kind = PROBE_UDP,
	    .ttl = 1,
	    .tos = 0x0,
	    .ipid = 0x1,
	    .sport = 55260,
	    .dport = 33435,
	    .csum = 0x1,
	    .fix_csum = 1,
	    .payload_len = 16},
	.hex = "4500002c0001400001118d3ec0000201c633644dd7dc829b00180001"
	       "b8c20000000000000000000000000000"},
    {.name = "UDP-paris v4, tos, high id",
	.src = "192.0.2.1",
	.dst = "198.51.100.77",
	.pr = {.kind = PROBE_UDP,
	    .ttl = 255,
	    .tos = 0xb9,
	    .ipid = 0xfffe,
	    .sport = 32769,
	    .dport = 65535,
	    .csum = 0xfffe,
	    .fix_csum = 1,
	    .payload_len = 16},
	.hex = "45b9002cfffe4000ff118e86c0000201c633644d8001ffff0018fffe"
	       "933b0000000000000000000000000000"},
    {.name = "UDP v4",
	.src = "192.0.2.1",
	.dst = "198.51.100.77",
	.pr = {.kind = PROBE_UDP,
	    .ttl = 7,
	    .tos = 0x0,
	    .ipid = 0x3,
	    .sport = 55340,
	    .dport = 33437,
	    .payload_len = 16},
	.hex = "4500002c000340000711873cc0000201c633644dd82c829d0018b871"
	       "00000000000000000000000000000000"},
    {.name = "UDP v4, odd payload",
	.src = "10.0.0.1",
	.dst = "203.0.113.255",
	.pr = {.kind = PROBE_UDP,
	    .ttl = 9,
	    .tos = 0x4,
	    .ipid = 0x3,
	    .sport = 40000,
	    .dport = 53,
	    .payload_len = 5,
	    .payload = (const uint8_t *)"\x01\x02\x03\x04\xff"},
	.hex = "450400210003400009112ac50a000001cb0071ff9c400035000d1957"
	       "01020304ff"},
    {.name = "UDP v4, no payload",
	.src = "10.0.0.1",
	.dst = "203.0.113.255",
	.pr = {.kind = PROBE_UDP,
	    .ttl = 9,
	    .tos = 0x4,
	    .ipid = 0x3,
	    .sport = 40000,
	    .dport = 53,
	    .payload_len = 0},
	.hex = "4504001c0003400009112aca0a000001cb0071ff9c40003500081c68"},
    {.name = "ICMP v4",
	.src = "192.0.2.1",
	.dst = "198.51.100.77",
	.pr = {.kind = PROBE_ICMP_ECHO,
	    .ttl = 1,
	    .tos = 0x0,
	    .ipid = 0x1,
	    .sport = 55368,
	    .dport = 0,
	    .payload_len = 16},
	.hex = "4500002c0001400001018d4ec0000201c633644d08001fb7d8480000"
	       "00000000000000000000000000000000"},
    {.name = "ICMP-paris v4",
	.src = "192.0.2.1",
	.dst = "198.51.100.77",
	.pr = {.kind = PROBE_ICMP_ECHO,
	    .ttl = 2,
	    .tos = 0x0,
	    .ipid = 0x2,
	    .sport = 55429,
	    .dport = 1,
	    .csum = 0xd885,
	    .fix_csum = 1,
	    .payload_len = 16},
	.hex = "4500002c0002400002018c4dc0000201c633644d0800d885d8850001"
	       "46f30000000000000000000000000000"},
    {.name = "ICMP-paris v4, odd payload",
	.src = "192.0.2.1",
	.dst = "198.51.100.77",
	.pr = {.kind = PROBE_ICMP_ECHO,
	    .ttl = 2,
	    .tos = 0x0,
	    .ipid = 0x2,
	    .sport = 55429,
	    .dport = 1,
	    .csum = 0x1234,
	    .fix_csum = 1,
	    .payload_len = 5,
	    .payload = (const uint8_t *)"\xaa\xbb\xcc\xdd\xee"},
	.hex = "450000210002400002018c58c0000201c633644d08001234d8850001"
	       "5266ccddee"},
    {.name = "UDP-paris v6",
	.src = "2001:db8::1",
	.dst = "2001:db8:ffff::77",
	.pr = {.kind = PROBE_UDP,
	    .ttl = 1,
	    .tos = 0x0,
	    .ipid = 0x1,
	    .sport = 56468,
	    .dport = 33435,
	    .csum = 0x1,
	    .fix_csum = 1,
	    .payload_len = 12},
	.hex = "600000000014110120010db800000000000000000000000120010db8"
	       "ffff00000000000000000077dc94829b0014000144ab000000000000"
	       "00000000"},
    {.name = "UDP-paris v6, tos",
	.src = "2001:db8::1",
	.dst = "2001:db8:ffff::77",
	.pr = {.kind = PROBE_UDP,
	    .ttl = 64,
	    .tos = 0xb9,
	    .ipid = 0x1,
	    .sport = 56468,
	    .dport = 33435,
	    .csum = 0xabcd,
	    .fix_csum = 1,
	    .payload_len = 12},
	.hex = "6b9000000014114020010db800000000000000000000000120010db8"
	       "ffff00000000000000000077dc94829b0014abcd98de000000000000"
	       "00000000"},
    {.name = "UDP v6, odd payload",
	.src = "fe80::1",
	.dst = "2001:db8:ffff::77",
	.pr = {.kind = PROBE_UDP,
	    .ttl = 3,
	    .tos = 0x0,
	    .ipid = 0x1,
	    .sport = 56468,
	    .dport = 33437,
	    .payload_len = 7,
	    .payload = (const uint8_t *)"\xde\xad\xbe\xef\x01\x02\x03"},
	.hex = "60000000000f1103fe80000000000000000000000000000120010db8"
	       "ffff00000000000000000077dc94829d000fd24cdeadbeef010203"},
    {.name = "ICMP v6",
	.src = "2001:db8::1",
	.dst = "2001:db8:ffff::77",
	.pr = {.kind = PROBE_ICMP_ECHO,
	    .ttl = 1,
	    .tos = 0x0,
	    .ipid = 0x1,
	    .sport = 57726,
	    .dport = 3,
	    .payload_len = 12},
	.hex = "6000000000143a0120010db800000000000000000000000120010db8"
	       "ffff0000000000000000007780004245e17e00030000000000000000"
	       "00000000"},
    {.name = "ICMP-paris v6",
	.src = "2001:db8::1",
	.dst = "2001:db8:ffff::77",
	.pr = {.kind = PROBE_ICMP_ECHO,
	    .ttl = 2,
	    .tos = 0x1,
	    .ipid = 0x1,
	    .sport = 57726,
	    .dport = 9,
	    .csum = 0xe17e,
	    .fix_csum = 1,
	    .payload_len = 12},
	.hex = "6010000000143a0220010db800000000000000000000000120010db8"
	       "ffff000000000000000000778000e17ee17e000960c0000000000000"
	       "00000000"},
};

static size_t
bytes_of(const char *hex, uint8_t *out)
{
	size_t n = strlen(hex) / 2;
	unsigned int byte;

	for (size_t i = 0; i < n; i++) {
		assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
	return n;
}

/* The sum that a receiver makes: 0xffff when the checksum is right. */
static unsigned int
add_up(const uint8_t *p, size_t len, unsigned int sum)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 == 0 ? p[i] * 256u : p[i];
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return sum;
}

static unsigned int
l4_sum(const uint8_t *p, int family, enum probe_kind kind, size_t len)
{
	int v4 = family == ADDR_IPV4;
	size_t at = v4 ? 20 : 40;
	unsigned int sum = 0;

	if (!v4 || kind == PROBE_UDP) {
		sum = v4 ? add_up(p + 12, 8, 0) : add_up(p + 8, 32, 0);
		sum += (unsigned int)(len - at);
		sum += v4 ? p[9] : p[6];
		sum = (sum & 0xffff) + (sum >> 16);
	}
	return add_up(p + at, len - at, sum);
}

static void
packets_to_the_byte(void **state)
{
	uint8_t want[256], *got;
	struct addr src, dst;
	struct probe pr;
	size_t n;

	(void)state;
	for (size_t i = 0; i < LEN(packets); i++) {
		row_is(packets[i].name);
		src = addr_of(packets[i].src);
		dst = addr_of(packets[i].dst);
		pr = packets[i].pr;
		pr.src = &src;
		pr.dst = &dst;
		n = bytes_of(packets[i].hex, want);
		got = malloc(n); /* so that a byte too many is seen */
		memset(got, 0x55, n);
		assert_int_equal(packet_build(&pr, got, n), n);
		if (dst.family == ADDR_IPV6) {
			got[1] &= 0xf0;
			got[2] = got[3] = 0;
		}
		assert_memory_equal(got, want, n);
		free(got);
	}
}

/* The first four transport bytes, which a load balancer hashes, stay. */
static void
chosen_checksum_for_every_id(void **state)
{
	static const struct {
		const char *name, *src, *dst;
		enum probe_kind kind;
		uint16_t payload_len;
	} rows[] = {
	    {"UDP v4", "192.0.2.1", "203.0.113.9", PROBE_UDP, 16},
	    {"UDP v6", "2001:db8::1", "2001:db8::2", PROBE_UDP, 12},
	    {"ICMP v4", "255.255.255.255", "255.255.255.255", PROBE_ICMP_ECHO,
		2},
	    {"ICMP v6", "2001:db8::1", "2001:db8::2", PROBE_ICMP_ECHO, 13},
	};
	uint8_t p[128];
	int n;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct addr src = addr_of(rows[i].src);
		struct addr dst = addr_of(rows[i].dst);
		struct probe pr = {.src = &src,
		    .dst = &dst,
		    .kind = rows[i].kind,
		    .sport = 0x9999,
		    .dport = 33435,
		    .fix_csum = 1,
		    .payload_len = rows[i].payload_len};
		size_t at = packet_build_headers(dst.family) - 8;
		size_t csum_at = at + (pr.kind == PROBE_UDP ? 6 : 2);

		row_is(rows[i].name);
		for (unsigned int id = 1; id <= 0xffff; id++) {
			pr.csum = (uint16_t)id;
			pr.ipid = (uint16_t)id;
			n = packet_build(&pr, p, sizeof(p));
			assert_int_equal(p[csum_at] << 8 | p[csum_at + 1], id);
			assert_int_equal(
			    l4_sum(p, dst.family, pr.kind, (size_t)n), 0xffff);
		}
	}
}

/* Every sequence number and source port gives a sum that a receiver takes, and
 * UDP never the zero that means "no checksum". */
static void
computed_checksum_is_right(void **state)
{
	struct addr src[2] = {addr_of("192.0.2.1"), addr_of("2001:db8::1")};
	struct addr dst[2] = {addr_of("203.0.113.9"), addr_of("2001:db8::2")};
	struct probe pr = {.sport = 0x8123, .payload_len = 16};
	unsigned int zeros = 0;
	uint8_t p[128];
	int n;

	(void)state;
	for (unsigned int i = 0; i < 4 * 0x10000u; i++) {
		pr.src = &src[i & 1];
		pr.dst = &dst[i & 1];
		pr.kind = i & 2 ? PROBE_UDP : PROBE_ICMP_ECHO;
		pr.dport = (uint16_t)(i >> 2);
		n = packet_build(&pr, p, sizeof(p));
		assert_int_equal(
		    l4_sum(p, pr.dst->family, pr.kind, (size_t)n), 0xffff);
		if (pr.kind != PROBE_UDP)
			continue;
		n = (int)packet_build_headers(pr.dst->family) - 2;
		assert_int_not_equal(p[n] | p[n + 1], 0);
		zeros += p[n] == 0xff && p[n + 1] == 0xff;
	}
	assert_int_equal(zeros, 2); /* once in each family it was about to be */
}

static void
probe_sizes(void **state)
{
	struct addr v4 = addr_of("192.0.2.1"), v6 = addr_of("2001:db8::1");
	struct probe pr = {.src = &v4, .dst = &v4, .payload_len = 16};
	uint8_t p[128];

	(void)state;
	assert_int_equal(packet_build_headers(ADDR_IPV4), 28);
	assert_int_equal(packet_build_headers(ADDR_IPV6), 48);
	assert_int_equal(packet_build(&pr, p, sizeof(p)), 44);
	assert_int_equal(p[6], 0x40); /* DF, no offset */
	assert_int_equal(p[7], 0);
	pr.src = pr.dst = &v6;
	pr.payload_len = 12;
	assert_int_equal(packet_build(&pr, p, sizeof(p)), 60);
}

static void
what_does_not_fit_is_refused(void **state)
{
	struct addr v4 = addr_of("192.0.2.1"), v6 = addr_of("2001:db8::1");
	struct probe pr = {.src = &v4, .dst = &v4, .payload_len = 16};
	uint8_t p[64], untouched[64], *big;

	(void)state;
	memset(p, 0x55, sizeof(p));
	memset(untouched, 0x55, sizeof(untouched));
	assert_int_equal(packet_build(&pr, p, 43), -1);
	assert_int_equal(packet_build(&pr, p, 0), -1);
	assert_memory_equal(p, untouched, sizeof(p));
	assert_int_equal(packet_build(&pr, p, 44), 44);
	/* The total length of IPv4 has 16 bits. */
	big = malloc(70000);
	pr.payload_len = 65535 - 28;
	assert_int_equal(packet_build(&pr, big, 70000), 65535);
	pr.payload_len++;
	assert_int_equal(packet_build(&pr, big, 70000), -1);
	pr.src = pr.dst = &v6;
	pr.payload_len = 65535;
	assert_int_equal(packet_build(&pr, big, 70000), -1);
	free(big);
}

static uint32_t
label(const struct probe *pr)
{
	uint8_t p[128];

	assert_int_equal(packet_build(pr, p, sizeof(p)), 60);
	return (uint32_t)((p[1] & 15) << 16 | p[2] << 8 | p[3]);
}

/* One label per flow, and flows spread over labels (RFC 6437). */
static void
flow_label_is_that_of_the_flow(void **state)
{
	struct addr src = addr_of("2001:db8::1"), dst = addr_of("2001:db8::2");
	struct probe pr = {.src = &src,
	    .dst = &dst,
	    .sport = 50000,
	    .dport = 33435,
	    .fix_csum = 1,
	    .payload_len = 12};
	unsigned int same = 0;
	uint32_t first, l, last = 0;

	(void)state;
	first = label(&pr);
	for (unsigned int i = 1; i < 500; i++) {
		pr.csum = pr.ipid = (uint16_t)i;
		pr.ttl = (uint8_t)i;
		assert_int_equal(label(&pr), first);
	}
	pr.kind = PROBE_ICMP_ECHO;
	first = label(&pr);
	for (unsigned int i = 0; i < 500; i++) {
		pr.dport = (uint16_t)i; /* the sequence */
		assert_int_equal(label(&pr), first);
	}
	pr.kind = PROBE_UDP;
	for (unsigned int i = 0; i < 1000; i++) {
		pr.dport = (uint16_t)(33435 + i);
		l = label(&pr);
		same += l == last;
		last = l;
	}
	assert_in_range(same, 0, 3);
}

/* In any pieces and at any alignment. */
static void
sums_are_those_of_rfc1071(void **state)
{
	uint8_t buf[80];
	unsigned int seed = 1;

	(void)state;
	for (size_t i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)((seed = seed * 1103515245 + 12345) >> 16);
	for (size_t at = 0; at < 8; at++) {
		for (size_t len = 0; len <= 64; len++) {
			unsigned int want = add_up(buf + at, len, 0);
			uint64_t sum = packet_sum(buf + at, len, 0);

			assert_int_equal(packet_csum(sum), 0xffff - want);
			sum = packet_sum(buf + at, len / 4 * 2, 0);
			sum = packet_sum(
			    buf + at + len / 4 * 2, len - len / 4 * 2, sum);
			assert_int_equal(packet_csum(sum), 0xffff - want);
		}
	}
	/* RFC 1071, section 3: the example. */
	assert_int_equal(
	    packet_csum(packet_sum("\x00\x01\xf2\x03\xf4\xf5\xf6\xf7", 8, 0)),
	    0xffff - 0xddf2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(packets_to_the_byte),
	    cmocka_unit_test(chosen_checksum_for_every_id),
	    cmocka_unit_test(computed_checksum_is_right),
	    cmocka_unit_test(probe_sizes),
	    cmocka_unit_test(what_does_not_fit_is_refused),
	    cmocka_unit_test(flow_label_is_that_of_the_flow),
	    cmocka_unit_test(sums_are_those_of_rfc1071),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
