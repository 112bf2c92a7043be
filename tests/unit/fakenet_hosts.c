/*
 * What destinations send, and what nobody answers.
 */
#include "tests/unit/fakenet_probe.h"

/* --- destinations --------------------------------------------------------- */

static void
test_host(void **state)
{
	struct rig g;
	struct pkt p;

	(void)state;
	rig_init(&g, plain);
	for (int f = 0; f < 2; f++) {
		struct addr dst;

		addr_scan(both[f], &dst);
		p = udp(both[f], 9, 16);
		assert_true(ask(&g, &p));
		check_from(&g, &dst);
		check_error(&g, &p, port_unreachable(&p), 1, 28);
		p = udp(both[f], 64, 16);
		assert_true(ask(&g, &p));
		check_error(&g, &p, port_unreachable(&p), 56, 28);
		p = echo(both[f], 9, 333);
		assert_true(ask(&g, &p));
		check_from(&g, &dst);
		assert_int_equal(reply_l4(&g)[0], p.v6 ? 129 : 0);
		assert_int_equal(g.len, p.len);
		assert_memory_equal(
		    reply_l4(&g) + 4, p.b + p.hlen + 4, 4 + 333);
	}
	p = ip("9.9.9.9", 64, 99, 30);
	assert_true(ask(&g, &p));
	check_error(&g, &p, ICMP(3, 2), 56, 28);
	rig_clear(&g);
}

static void
test_timestamp(void **state)
{
	struct pkt p = ip("9.9.9.9", 64, IPPROTO_ICMP, 20);
	struct rig g;

	(void)state;
	rig_init(&g, plain);
	p.b[20] = 13;
	put32(p.b + 24, 0x12345678);
	put32(p.b + 28, 4711);
	set_l4_sum(&p, IPPROTO_ICMP, 2);
	assert_true(ask(&g, &p));
	assert_int_equal(reply_l4(&g)[0], 14);
	assert_memory_equal(reply_l4(&g) + 4, p.b + 24, 8);
	assert_int_equal(get32(reply_l4(&g) + 12), T0 / NS_PER_MS);
	rig_clear(&g);
}

/* An IPv4 option comes back, written by the routers there, the host, the routers
 * back: at most as many as there is room for. */
static void
test_options(void **state)
{
	static const char *const lines[] = {"route 9.9.9.0/24 hops=3", NULL};
	static const struct {
		uint8_t option[8]; /* it is 24 bytes */
		int slot, n; /* bytes; number of those written */
	} t[] = {
	    {{7, 23, 4}, 4, 5},
	    {{7, 11, 4}, 4, 2},
	    {{68, 24, 5, 0}, 4, 5},
	    {{68, 24, 5, 1}, 8, 2},
	    {{68, 24, 5, 3, 9, 9, 9, 1}, 8, 1},
	    {{68, 24, 5, 3, 9, 9, 9, 2}, 8, 0},
	    {{130, 23, 4}, 4, 0},
	    {{7, 200, 4}, 4, 0},
	};
	struct rig g;

	(void)state;
	rig_init(&g, lines);
	for (size_t i = 0; i < LEN(t); i++) {
		struct pkt p = echo("9.9.9.1", 64, 16);
		const uint8_t *o = g.out + 20;

		memmove(p.b + 44, p.b + 20, p.len - 20);
		memset(p.b + 20, 0, 24);
		memcpy(p.b + 20, t[i].option, 8);
		p.len += 24;
		p.b[0] = 0x4b;
		put16(p.b + 2, (uint32_t)p.len);
		put16(p.b + 10, 0);
		put16(p.b + 10, (uint16_t)~sum(p.b, 44, 0));
		g.len = reply_make(&g.reply, p.b, p.len, T0, g.out);
		assert_int_equal(g.len, p.len);
		assert_int_equal(g.out[0], 0x4b);
		assert_int_equal(sum(g.out, 44, 0), 0xffff);
		assert_memory_equal(o, t[i].option, 2);
		assert_int_equal(o[2], t[i].option[2] + t[i].slot * t[i].n);
		if (t[i].slot == 4 && t[i].option[0] == 7 && t[i].n > 2) {
			assert_memory_equal(o + 11, p.b + 16, 4);
			assert_memory_equal(o + 3, o + 19, 4);
		}
		if (t[i].option[0] == 68 && t[i].n > 0)
			assert_int_equal(get32(o + t[i].slot), T0 / NS_PER_MS);
	}
	rig_clear(&g);
}

static void
test_tcp(void **state)
{
	static const char *const lines[] = {"open-ports 80 443",
	    "route 9.9.9.0/24 hops=9", "route 2001:db8:9::/48 hops=9", NULL};
	enum { FIN = 1, SYN = 2, RST = 4, ACK = 16, NONE = 0 };
	static const struct {
		uint16_t port;
		uint8_t flags;
		int by_isn; /* the probe's ack, from the host's ISN on; -1: 77 */
		uint8_t want;
		uint32_t ack; /* of the reply */
	} t[] = {
	    {80, SYN, -1, SYN | ACK, 1001},
	    {81, SYN, -1, RST | ACK, 1001},
	    {81, ACK, -1, RST, 0},
	    {80, ACK, -1, RST, 0},
	    {80, SYN | ACK, -1, RST, 0},
	    {81, RST, -1, NONE, 0},
	    {80, RST | ACK, -1, NONE, 0},
	    {81, FIN, -1, RST | ACK, 1001},
	    {80, NONE, -1, RST | ACK, 1000},
	    {80, ACK, 1, NONE, 0},
	    {80, FIN | ACK, 1, FIN | ACK, 1001},
	    {80, ACK, 2, NONE, 0},
	    {80, ACK, 3, RST, 0},
	};
	uint32_t isn = 0;
	struct rig g;

	(void)state;
	rig_init(&g, lines);
	for (size_t i = 0; i < 2 * LEN(t); i++) {
		const char *dst = both[i / LEN(t)];
		size_t k = i % LEN(t);
		uint32_t ack =
		    t[k].by_isn < 0 ? 77 : isn + (uint32_t)t[k].by_isn;
		struct pkt p = tcp(dst, t[k].port, t[k].flags, ack);
		const uint8_t *l4 = reply_l4(&g);

		assert_int_equal(ask(&g, &p), t[k].want != NONE);
		l4 = reply_l4(&g);
		if (g.len == 0)
			continue;
		assert_int_equal(l4[13], t[k].want);
		assert_int_equal(get32(l4), (uint32_t)t[k].port << 16 | 40000);
		assert_int_equal(get32(l4 + 8), t[k].ack);
		if (t[k].want == RST)
			assert_int_equal(get32(l4 + 4), ack);
		if (t[k].want == (SYN | ACK))
			isn = get32(l4 + 4);
	}
	rig_clear(&g);
}

/* --- what nobody answers -------------------------------------------------- */

static void
test_wrong_checksums(void **state)
{
	struct rig g;
	struct pkt p;

	(void)state;
	rig_init(&g, plain);
	for (int f = 0; f < 2; f++) {
		p = udp(both[f], 64, 16);
		p.b[p.len - 1] ^= 1;
		assert_false(ask(&g, &p));
		p = echo(both[f], 64, 16);
		p.b[p.len - 1] ^= 1;
		assert_false(ask(&g, &p));
		p = tcp(both[f], 80, 2, 0);
		p.b[p.len - 1] ^= 1;
		assert_false(ask(&g, &p));
		assert_int_equal(g.reply.n.badsum, 3 * (f + 1));
		/* A router does not look. */
		p = udp(both[f], 3, 16);
		p.b[p.len - 1] ^= 1;
		assert_true(ask(&g, &p));
	}
	/* None at all is right for UDP over IPv4 only. */
	p = udp(both[0], 64, 16);
	put16(p.b + p.hlen + 6, 0);
	assert_true(ask(&g, &p));
	p = udp(both[1], 64, 16);
	put16(p.b + p.hlen + 6, 0);
	assert_false(ask(&g, &p));
	/* A router drops a wrong IP header. */
	p = udp(both[0], 3, 16);
	p.b[10] ^= 1;
	assert_false(ask(&g, &p));
	assert_int_equal(g.reply.n.malformed, 1);
	rig_clear(&g);
}

static void
test_never_answered(void **state)
{
	static const uint8_t errors4[] = {3, 4, 5, 11, 12};
	struct rig g;
	struct pkt p;

	(void)state;
	rig_init(&g, plain);
	for (uint8_t ttl = 3; ttl < 64; ttl += 50) {
		for (size_t i = 0; i < LEN(errors4); i++) {
			p = echo(both[0], ttl, 28);
			p.b[20] = errors4[i];
			set_l4_sum(&p, IPPROTO_ICMP, 2);
			assert_false(ask(&g, &p));
		}
		p = echo(both[1], ttl, 48);
		p.b[40] = 1;
		set_l4_sum(&p, IPPROTO_ICMPV6, 2);
		assert_false(ask(&g, &p));
	}
	p = udp("224.0.0.5", 64, 0);
	assert_false(ask(&g, &p));
	p = udp("ff02::5", 64, 0);
	assert_false(ask(&g, &p));
	p = udp(both[0], 0, 0);
	assert_false(ask(&g, &p));
	/* Fragments: the routers tell of them, the host waits for the rest. */
	p = udp(both[0], 64, 16);
	put16(p.b + 6, 0x2000);
	set_ip_sum(&p);
	assert_false(ask(&g, &p));
	put16(p.b + 6, 0x0002);
	set_ip_sum(&p);
	assert_false(ask(&g, &p));
	p.b[8] = 3;
	set_ip_sum(&p);
	assert_true(ask(&g, &p));
	rig_clear(&g);
}

static void
test_extension_headers(void **state)
{
	struct pkt p = with_extensions(64, 0);
	struct rig g;

	(void)state;
	rig_init(&g, plain);
	assert_true(ask(&g, &p));
	check_error(&g, &p, ICMP(1, 4), 56, p.len);
	p = with_extensions(3, 8);
	assert_true(ask(&g, &p));
	check_error(&g, &p, ICMP(3, 0), 1, p.len);
	p = with_extensions(64, 8);
	assert_false(ask(&g, &p));
	rig_clear(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_host),
	    cmocka_unit_test(test_timestamp),
	    cmocka_unit_test(test_options),
	    cmocka_unit_test(test_tcp),
	    cmocka_unit_test(test_wrong_checksums),
	    cmocka_unit_test(test_never_answered),
	    cmocka_unit_test(test_extension_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
