/*
 * What routers send: time exceeded, labels, unreachables, "too big"; and what
 * they withhold.  Quotes are compared with the probe byte for byte.
 */
#include "tests/unit/fakenet_probe.h"

/* --- routers -------------------------------------------------------------- */

static void
test_time_exceeded(void **state)
{
	struct rig g;

	(void)state;
	rig_init(&g, plain);
	for (int f = 0; f < 2; f++) {
		for (uint8_t ttl = 1; ttl < 9; ttl++) {
			struct pkt p = udp(both[f], ttl, 16);
			struct addr from = truth(&g, &p, ttl);
			uint8_t back;

			assert_true(ask(&g, &p));
			check_from(&g, &from);
			check_error(
			    &g, &p, time_exceeded(&p), 1, p.v6 ? 64 : 28);
			assert_int_equal(g.len, p.v6 ? 40 + 8 + 64 : 56);
			assert_int_equal(get32(reply_l4(&g) + 4), 0);
			back = g.out[p.v6 ? 7 : 8];
			assert_true(
			    back == 255 - ttl + 1 || back == 64 - ttl + 1);
			if (!p.v6)
				assert_int_equal(g.out[1], 0xc0);
		}
	}
	rig_clear(&g);
}

static void
test_quote_lengths(void **state)
{
	static const char *const longer[] = {"quote4 28", "quote6 20",
	    "route 9.9.9.0/24 hops=9", "route 2001:db8:9::/48 hops=9", NULL};
	static const char *const all[] = {"quote-long 1",
	    "route 9.9.9.0/24 hops=9", "route 2001:db8:9::/48 hops=9", NULL};
	struct rig g;

	(void)state;
	rig_init(&g, longer);
	for (int f = 0; f < 2; f++) {
		struct pkt p = udp(both[f], 3, 400);

		assert_true(ask(&g, &p));
		check_error(&g, &p, time_exceeded(&p), 1, p.v6 ? 60 : 48);
		assert_int_equal(g.len, p.v6 ? 108 : 76);
	}
	rig_clear(&g);
	rig_init(&g, all);
	for (int f = 0; f < 2; f++) {
		struct pkt p = udp(both[f], 3, 1400);

		assert_true(ask(&g, &p));
		assert_int_equal(g.len, p.v6 ? 1280 : 576);
		check_error(
		    &g, &p, time_exceeded(&p), 1, g.len - 8 - (p.v6 ? 40 : 20));
	}
	rig_clear(&g);
}

/* RFC 4884: 128 bytes of quote at least, their length, an extension with a
 * checksum; RFC 4950: the labels, the bottom of the stack marked. */
static void
check_mpls(const struct rig *g, const struct pkt *p)
{
	const uint8_t *icmp = reply_l4(g), *ext;
	size_t unit = p->v6 ? 8 : 4, n = icmp[p->v6 ? 4 : 5] * unit;
	size_t extlen = g->len - (size_t)(icmp - g->out) - 8 - n;

	assert_true(n >= 128);
	for (size_t i = p->len; i < n; i++)
		assert_int_equal(icmp[8 + i], 0);
	ext = icmp + 8 + n;
	assert_in_range(extlen, 4 + 4 + 4, 4 + 4 + 4 * LABELS_MAX);
	assert_int_equal(ext[0], 0x20);
	assert_int_equal(sum(ext, extlen, 0), 0xffff);
	assert_int_equal(get16(ext + 4), extlen - 4);
	assert_int_equal(get16(ext + 6), 0x0101);
	for (size_t i = 8; i < extlen; i += 4)
		assert_int_equal(ext[i + 2] & 1, i + 4 == extlen);
}

static void
test_mpls(void **state)
{
	static const char *const lines[] = {
	    "route 9.9.9.0/24 hops=9 mpls=1,2,3,4",
	    "route 2001:db8:9::/48 hops=9 mpls=1,2,3,4", NULL};
	static const size_t payload[] = {0, 1, 15, 16, 99, 101, 107, 1000};
	struct rig g;

	(void)state;
	rig_init(&g, lines);
	for (size_t i = 0; i < LEN(payload) * 2; i++) {
		struct pkt p =
		    udp(both[i % 2], (uint8_t)(1 + i % 4), payload[i / 2]);

		assert_true(ask(&g, &p));
		check_mpls(&g, &p);
		check_error(
		    &g, &p, time_exceeded(&p), 1, p.len < 128 ? p.len : 128);
	}
	rig_clear(&g);
}

static void
test_unreachable(void **state)
{
	static const struct {
		const char *dst;
		int hop, type, code;
	} t[] = {{"9.9.1.9", 3, 3, 0}, {"9.9.2.9", 4, 3, 1},
	    {"9.9.3.9", 5, 3, 13}, {"2001:db8:1::", 3, 1, 0},
	    {"2001:db8:2::", 4, 1, 3}, {"2001:db8:3::", 5, 1, 1}};
	static const char *const lines[] = {
	    "route 9.9.1.0/24 hops=9 unreach=net@3",
	    "route 9.9.2.0/24 hops=9 unreach=host@4",
	    "route 9.9.3.0/24 hops=9 unreach=admin@5",
	    "route 2001:db8:1::/48 hops=9 unreach=net@3",
	    "route 2001:db8:2::/48 hops=9 unreach=host@4",
	    "route 2001:db8:3::/48 hops=9 unreach=admin@5", NULL};
	struct rig g;

	(void)state;
	rig_init(&g, lines);
	for (size_t i = 0; i < LEN(t); i++) {
		for (int ttl = 1; ttl < 64; ttl++) {
			struct pkt p = udp(t[i].dst, (uint8_t)ttl, 16);
			int at = ttl < t[i].hop ? ttl : t[i].hop;
			struct addr from = truth(&g, &p, at);

			assert_true(ask(&g, &p));
			check_from(&g, &from);
			if (ttl < t[i].hop)
				check_error(&g, &p, time_exceeded(&p), 1, 28);
			else
				check_error(&g, &p, ICMP(t[i].type, t[i].code),
				    (uint8_t)(ttl - t[i].hop + 1), 28);
		}
	}
	rig_clear(&g);
}

static void
test_too_big(void **state)
{
	static const char *const lines[] = {
	    "route 9.9.1.0/24 hops=9 mtu=1400@3",
	    "route 9.9.2.0/24 hops=9 mtu=1400@3,zero",
	    "route 9.9.3.0/24 hops=9 mtu=1400@3,silent",
	    "route 9.9.4.0/24 hops=9 mtu=1400@3,say:9000",
	    "route 2001:db8:1::/48 hops=9 mtu=1400@3", NULL};
	struct rig g;
	struct pkt p;

	(void)state;
	rig_init(&g, lines);
	p = udp("9.9.1.1", 20, 1372);
	assert_true(ask(&g, &p));
	check_error(&g, &p, ICMP(3, 3), 12, 28);
	p = udp("9.9.1.1", 20, 1373);
	assert_true(ask(&g, &p));
	check_error(&g, &p, ICMP(3, 4), 18, 28);
	assert_int_equal(get32(reply_l4(&g) + 4), 1400);
	/* It expires before the link. */
	p = udp("9.9.1.1", 3, 1373);
	assert_true(ask(&g, &p));
	check_error(&g, &p, ICMP(11, 0), 1, 28);
	/* It may be fragmented. */
	p = udp("9.9.1.1", 20, 1373);
	put16(p.b + 6, 0);
	set_ip_sum(&p);
	assert_true(ask(&g, &p));
	check_error(&g, &p, ICMP(3, 3), 12, 28);
	p = udp("9.9.2.1", 20, 1373);
	assert_true(ask(&g, &p));
	assert_int_equal(get32(reply_l4(&g) + 4), 0);
	p = udp("9.9.4.1", 20, 1373);
	assert_true(ask(&g, &p));
	assert_int_equal(get32(reply_l4(&g) + 4), 9000);
	p = udp("9.9.3.1", 20, 1373);
	assert_false(ask(&g, &p));
	assert_int_equal(g.reply.n.silent, 1);
	p = udp("2001:db8:1::1", 20, 1353);
	assert_true(ask(&g, &p));
	check_error(&g, &p, ICMP(2, 0), 18, 1280 - 48);
	assert_int_equal(get32(reply_l4(&g) + 4), 1400);
	rig_clear(&g);
}

/* Two routers that send to each other; one that speaks as the target. */
static void
test_loop(void **state)
{
	static const char *const lines[] = {"route 9.9.9.0/24 hops=9 loop=4",
	    "route 9.9.8.0/24 hops=4 host=nat",
	    "route 9.9.7.0/24 hops=4 host=twice", NULL};
	uint8_t from[9][4];
	struct rig g;
	struct pkt p;

	(void)state;
	rig_init(&g, lines);
	for (uint8_t ttl = 1; ttl < 9; ttl++) {
		p = udp("9.9.9.1", ttl, 16);
		assert_true(ask(&g, &p));
		assert_int_equal(reply_l4(&g)[0], 11);
		/* What is left of the TTL, in the quote. */
		assert_int_equal(reply_l4(&g)[8 + 8], 1);
		memcpy(from[ttl], g.out + 12, 4);
	}
	for (int ttl = 5; ttl < 9; ttl++)
		assert_memory_equal(from[ttl], from[ttl - 2], 4);
	assert_memory_not_equal(from[3], from[4], 4);
	for (uint8_t ttl = 1; ttl < 4; ttl++) {
		p = udp("9.9.8.1", ttl, 16);
		assert_true(ask(&g, &p));
		assert_int_equal(
		    memcmp(g.out + 12, p.b + 16, 4) == 0, ttl == 3);
		p = udp("9.9.7.1", (uint8_t)(ttl + 1), 16);
		assert_true(ask(&g, &p));
		assert_int_equal(g.reply.again, ttl == 3);
	}
	rig_clear(&g);
}

static void
test_silence(void **state)
{
	static const char *const lines[] = {
	    "route 9.9.9.0/24 hops=4 silent=2 host=silent", NULL};
	static const int heard[] = {0, 1, 0, 1, 0, 0, 0};
	struct rig g;

	(void)state;
	rig_init(&g, lines);
	for (uint8_t ttl = 1; ttl <= 6; ttl++) {
		struct pkt p = echo("9.9.9.9", ttl, 0);

		assert_int_equal(ask(&g, &p), heard[ttl]);
	}
	assert_int_equal(g.reply.n.silent, 4);
	assert_int_equal(g.reply.n.probes, 6);
	assert_int_equal(g.reply.n.replies, 2);
	rig_clear(&g);
}

/* Ten at once, then one each 10 ms; every router has a bucket of its own. */
static void
test_rate_limit(void **state)
{
	static const char *const lines[] = {
	    "rate-limit 1 100 10", "route 9.9.9.0/24 hops=9", NULL};
	struct rig g;
	int n = 0;

	(void)state;
	rig_init(&g, lines);
	for (int i = 0; i < 50; i++) {
		struct pkt p = udp("9.9.9.9", 3, 0);

		n += ask(&g, &p);
	}
	assert_int_equal(n, 10);
	assert_int_equal(g.reply.n.limited, 40);
	for (int i = 0; i < 1000; i++) {
		struct pkt p = udp("9.9.9.9", 3, 0);

		n += ask_at(&g, &p, T0 + i * NS_PER_MS);
	}
	assert_in_range(n, 10 + 99, 10 + 100);
	for (int i = 0; i < 10; i++) {
		struct pkt p = udp("9.9.9.9", 4, 0);

		assert_true(ask(&g, &p));
	}
	/* A long rest does not save up more than the burst. */
	n = 0;
	for (int i = 0; i < 50; i++) {
		struct pkt p = udp("9.9.9.9", 3, 0);

		n += ask_at(&g, &p, T0 + 1150 * NS_PER_MS);
	}
	assert_int_equal(n, 10);
	rig_clear(&g);
}

static void
test_loss_and_delay(void **state)
{
	static const char *const lines[] = {"probe-loss 20%", "reply-loss 10%",
	    "rtt-hop 10ms", "jitter 5ms", "route 9.9.9.0/24 hops=9", NULL};
	int64_t low_ns = INT64_MAX, high_ns = 0;
	struct path_hop hop[HOPS_MAX + 1];
	struct path path;
	struct rig g;
	struct addr dst;
	int n = 0;

	(void)state;
	rig_init(&g, lines);
	for (int i = 0; i < 10000; i++) {
		struct pkt p = udp("9.9.9.9", 5, 0);

		if (!ask(&g, &p))
			continue;
		n++;
		low_ns = g.reply.due_ns < low_ns ? g.reply.due_ns : low_ns;
		high_ns = g.reply.due_ns > high_ns ? g.reply.due_ns : high_ns;
	}
	assert_in_range(n, 7000, 7400);
	assert_int_equal(g.reply.n.lost, 10000 - n);
	addr_scan("9.9.9.9", &dst);
	path_init(&path, &g.set, &dst);
	path_walk(&path, 5, NULL, hop);
	assert_in_range(
	    hop[5].rtt_ns, 5 * 10 * NS_PER_MS / 4, 5 * 10 * NS_PER_MS / 4 * 7);
	assert_in_range(low_ns - T0, hop[5].rtt_ns, hop[5].rtt_ns + 50000);
	assert_in_range(
	    high_ns - T0, hop[5].rtt_ns + 4900000, hop[5].rtt_ns + 5000000);
	rig_clear(&g);
}

/* The IP-ID of the answer of interface I of a router to an echo request. */
static uint16_t
router_ipid(struct rig *g, uint32_t i, int64_t now_ns)
{
	struct addr a = path_iface(&g->set, ADDR_IPV4, 7, 1234 << 2 | i);
	char buf[ADDR_STRLEN];
	struct pkt p = echo(addr_str(&a, buf), 64, 0);

	assert_true(ask_at(g, &p, now_ns));
	check_from(g, &a);
	assert_int_equal(reply_l4(g)[0], 0);
	return get16(g->out + 4);
}

static void
test_ipid(void **state)
{
	static const char *const shared[] = {"interfaces 4", NULL};
	static const char *const zero[] = {"ipid-zero 1", NULL};
	static const char *const moving[] = {"ipid-rate 1000", NULL};
	struct addr a;
	struct path p;
	struct traits t;
	struct rig g;
	uint16_t first, last;

	(void)state;
	rig_init(&g, shared);
	a = path_iface(&g.set, ADDR_IPV4, 7, 1234 << 2);
	path_init(&p, &g.set, &a);
	path_traits(&p, 7, 1234, &t);
	first = router_ipid(&g, 0, T0);
	for (uint32_t i = 1; i < 20; i++) {
		last = router_ipid(&g, i % t.ifaces, T0);
		assert_int_equal(last, (uint16_t)(first + i));
	}
	rig_clear(&g);
	rig_init(&g, zero);
	assert_int_equal(router_ipid(&g, 0, T0), 0);
	rig_clear(&g);
	rig_init(&g, moving);
	first = router_ipid(&g, 0, T0);
	last = router_ipid(&g, 0, T0 + NS_PER_SEC);
	assert_in_range((uint16_t)(last - first), 1, 1001);
	rig_clear(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_time_exceeded),
	    cmocka_unit_test(test_quote_lengths),
	    cmocka_unit_test(test_mpls),
	    cmocka_unit_test(test_unreachable),
	    cmocka_unit_test(test_too_big),
	    cmocka_unit_test(test_loop),
	    cmocka_unit_test(test_silence),
	    cmocka_unit_test(test_rate_limit),
	    cmocka_unit_test(test_loss_and_delay),
	    cmocka_unit_test(test_ipid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
