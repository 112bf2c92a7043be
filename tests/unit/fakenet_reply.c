/*
 * Replies, byte for byte, checked by code that shares nothing with the code
 * that makes them: lengths, checksums, quotes, extensions, who answers what;
 * and that no input, however broken, is read beyond its end.
 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "tests/fakenet/fakenet.h"
#include "tests/unit/test.h"

#define T0 (1000 * NS_PER_SEC)

/* --- a probe and a fakenet to send it to ---------------------------------- */

struct rig {
	struct settings set;
	struct reply reply;
	uint8_t *out;
	size_t len; /* of the last reply */
	int64_t due_ns;
};

static void
rig_init(struct rig *g, const char *const *lines)
{
	char buf[200];

	memset(g, 0, sizeof(*g));
	settings_init(&g->set);
	for (; *lines != NULL; lines++) {
		strcpy(buf, *lines);
		assert_null(settings_line(&g->set, buf));
	}
	assert_null(settings_check(&g->set));
	g->reply.set = &g->set;
	g->reply.routers = routers_new(&g->set);
	g->out = malloc(PACKET_MAX);
	assert_non_null(g->out);
}

static void
rig_clear(struct rig *g)
{
	routers_free(g->reply.routers);
	free(g->out);
}

struct pkt {
	uint8_t b[2000];
	size_t len;
	size_t hlen;
	int v6;
};

/* The Internet checksum, the slow way. */
static uint16_t
sum(const uint8_t *p, size_t len, uint32_t s)
{
	for (size_t i = 0; i < len; i++)
		s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static uint32_t
pseudo(const uint8_t *ip, uint8_t proto, size_t len)
{
	int v6 = ip[0] >> 4 == 6;
	uint32_t s = v6 ? sum(ip + 8, 32, 0) : sum(ip + 12, 8, 0);

	return s + proto + (uint32_t)len;
}

/* The transport checksum over P is right. */
static int
l4_right(const uint8_t *ip, size_t hlen, uint8_t proto, size_t len)
{
	uint32_t s = proto == IPPROTO_ICMP ? 0 : pseudo(ip, proto, len);

	return sum(ip + hlen, len, s) == 0xffff;
}

static void
set_l4_sum(struct pkt *p, uint8_t proto, size_t at)
{
	uint8_t *l4 = p->b + p->hlen;
	size_t len = p->len - p->hlen;
	uint32_t s = proto == IPPROTO_ICMP ? 0 : pseudo(p->b, proto, len);

	put16(l4 + at, 0);
	put16(l4 + at, (uint16_t)~sum(l4, len, s));
}

static void
set_ip_sum(struct pkt *p)
{
	put16(p->b + 10, 0);
	put16(p->b + 10, (uint16_t)~sum(p->b, 20, 0));
}

/* An IP header to DST for LEN transport bytes of PROTO. */
static struct pkt
ip(const char *dst, uint8_t ttl, uint8_t proto, size_t len)
{
	struct pkt p = {.len = len};
	struct addr a, src;

	assert_int_equal(addr_scan(dst, &a), 0);
	p.v6 = a.family == ADDR_IPV6;
	assert_int_equal(
	    addr_scan(p.v6 ? "2001:db8::1" : "192.0.2.1", &src), 0);
	p.hlen = p.v6 ? 40 : 20;
	p.len += p.hlen;
	if (p.v6) {
		put32(p.b, 6u << 28 | 0xbeef);
		put16(p.b + 4, (uint32_t)len);
		p.b[6] = proto;
		p.b[7] = ttl;
		memcpy(p.b + 8, src.b, 16);
		memcpy(p.b + 24, a.b, 16);
		return p;
	}
	p.b[0] = 0x45;
	put16(p.b + 2, (uint32_t)p.len);
	put16(p.b + 4, 0x1234);
	put16(p.b + 6, 0x4000);
	p.b[8] = ttl;
	p.b[9] = proto;
	memcpy(p.b + 12, src.b, 4);
	memcpy(p.b + 16, a.b, 4);
	set_ip_sum(&p);
	return p;
}

static struct pkt
udp(const char *dst, uint8_t ttl, size_t payload)
{
	struct pkt p = ip(dst, ttl, IPPROTO_UDP, 8 + payload);
	uint8_t *l4 = p.b + p.hlen;

	put16(l4, 40000);
	put16(l4 + 2, 33435);
	put16(l4 + 4, (uint32_t)(8 + payload));
	for (size_t i = 0; i < payload; i++)
		l4[8 + i] = (uint8_t)(i + 1);
	set_l4_sum(&p, IPPROTO_UDP, 6);
	return p;
}

static struct pkt
echo(const char *dst, uint8_t ttl, size_t payload)
{
	int v6 = strchr(dst, ':') != NULL;
	uint8_t proto = v6 ? IPPROTO_ICMPV6 : IPPROTO_ICMP;
	struct pkt p = ip(dst, ttl, proto, 8 + payload);
	uint8_t *l4 = p.b + p.hlen;

	l4[0] = v6 ? 128 : 8;
	put32(l4 + 4, 0xabcd0007);
	for (size_t i = 0; i < payload; i++)
		l4[8 + i] = (uint8_t)(i + 1);
	set_l4_sum(&p, proto, 2);
	return p;
}

static struct pkt
tcp(const char *dst, uint16_t port, uint8_t flags, uint32_t ack)
{
	struct pkt p = ip(dst, 64, IPPROTO_TCP, 20);
	uint8_t *l4 = p.b + p.hlen;

	put16(l4, 40000);
	put16(l4 + 2, port);
	put32(l4 + 4, 1000);
	put32(l4 + 8, ack);
	l4[12] = 5 << 4;
	l4[13] = flags;
	set_l4_sum(&p, IPPROTO_TCP, 16);
	return p;
}

/* The reply is an IP packet in itself: lengths, addresses, checksums. */
static void
check_ip(const struct rig *g, const struct pkt *p)
{
	const uint8_t *o = g->out;
	size_t hlen = p->v6 ? 40 : 20;

	assert_true(g->len >= hlen + 8);
	assert_int_equal(o[0] >> 4, p->v6 ? 6 : 4);
	if (p->v6) {
		assert_int_equal(get16(o + 4) + 40, g->len);
		assert_memory_equal(o + 24, p->b + 8, 16);
		assert_true(l4_right(o, 40, o[6], g->len - 40));
		return;
	}
	assert_int_equal(o[0], 0x45);
	assert_int_equal(get16(o + 2), g->len);
	assert_int_equal(sum(o, 20, 0), 0xffff);
	assert_memory_equal(o + 16, p->b + 12, 4);
	assert_true(l4_right(o, 20, o[9], g->len - 20));
}

/* Give P to fakenet at NOW_NS; non-zero if there is an answer. */
static int
ask_at(struct rig *g, const struct pkt *p, int64_t now_ns)
{
	/* A buffer of just that size: the sanitizer sees any byte beyond. */
	uint8_t *in = malloc(p->len);

	assert_non_null(in);
	memcpy(in, p->b, p->len);
	g->len = reply_make(&g->reply, in, p->len, now_ns, g->out, &g->due_ns);
	free(in);
	if (g->len == 0)
		return 0;
	assert_true(g->due_ns >= now_ns);
	check_ip(g, p);
	return 1;
}

static int
ask(struct rig *g, const struct pkt *p)
{
	return ask_at(g, p, T0);
}

static const uint8_t *
reply_l4(const struct rig *g)
{
	return g->out + (g->out[0] >> 4 == 6 ? 40 : 20);
}

/* The reply is from ADDR. */
static void
check_from(const struct rig *g, const struct addr *a)
{
	int v6 = a->family == ADDR_IPV6;

	assert_memory_equal(g->out + (v6 ? 8 : 12), a->b, v6 ? 16 : 4);
}

/* The reply is error TYPE CODE and quotes QUOTED bytes of P as they were when
 * their TTL was TTL. */
static void
check_error(const struct rig *g, const struct pkt *p, int type, int code,
    uint8_t ttl, size_t quoted)
{
	const uint8_t *icmp = reply_l4(g);
	struct pkt want = *p;

	assert_int_equal(icmp[0], type);
	assert_int_equal(icmp[1], code);
	want.b[p->v6 ? 7 : 8] = ttl;
	if (!p->v6)
		set_ip_sum(&want);
	assert_memory_equal(icmp + 8, want.b, quoted);
	assert_true(g->len >= (size_t)(icmp - g->out) + 8 + quoted);
}

static struct addr
truth(const struct rig *g, const struct pkt *p, int h)
{
	struct path path;
	struct path_hop hop[HOPS_MAX + 1];
	struct addr dst =
	    addr_make(p->v6 ? ADDR_IPV6 : ADDR_IPV4, p->b + (p->v6 ? 24 : 16));

	path_init(&path, &g->set, &dst);
	path_walk(&path, h, NULL, hop);
	return path_addr(&path, h, &hop[h], hop[h].router);
}

static const char *const both[] = {"9.9.9.9", "2001:db8:9::9"};
static const char *const plain[] = {
    "route 9.9.9.0/24 hops=9", "route 2001:db8:9::/48 hops=9", NULL};

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
			    &g, &p, p.v6 ? 3 : 11, 0, 1, p.v6 ? 64 : 28);
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
		check_error(&g, &p, p.v6 ? 3 : 11, 0, 1, p.v6 ? 60 : 48);
		assert_int_equal(g.len, p.v6 ? 108 : 76);
	}
	rig_clear(&g);
	rig_init(&g, all);
	for (int f = 0; f < 2; f++) {
		struct pkt p = udp(both[f], 3, 1400);

		assert_true(ask(&g, &p));
		assert_int_equal(g.len, p.v6 ? 1280 : 576);
		check_error(
		    &g, &p, p.v6 ? 3 : 11, 0, 1, g.len - 8 - (p.v6 ? 40 : 20));
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
		    &g, &p, p.v6 ? 3 : 11, 0, 1, p.len < 128 ? p.len : 128);
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
				check_error(&g, &p, p.v6 ? 3 : 11, 0, 1, 28);
			else
				check_error(&g, &p, t[i].type, t[i].code,
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
	    "route 2001:db8:1::/48 hops=9 mtu=1400@3", NULL};
	struct rig g;
	struct pkt p;

	(void)state;
	rig_init(&g, lines);
	p = udp("9.9.1.1", 20, 1372);
	assert_true(ask(&g, &p));
	check_error(&g, &p, 3, 3, 12, 28);
	p = udp("9.9.1.1", 20, 1373);
	assert_true(ask(&g, &p));
	check_error(&g, &p, 3, 4, 18, 28);
	assert_int_equal(get32(reply_l4(&g) + 4), 1400);
	/* It expires before the link. */
	p = udp("9.9.1.1", 3, 1373);
	assert_true(ask(&g, &p));
	check_error(&g, &p, 11, 0, 1, 28);
	/* It may be fragmented. */
	p = udp("9.9.1.1", 20, 1373);
	put16(p.b + 6, 0);
	set_ip_sum(&p);
	assert_true(ask(&g, &p));
	check_error(&g, &p, 3, 3, 12, 28);
	p = udp("9.9.2.1", 20, 1373);
	assert_true(ask(&g, &p));
	assert_int_equal(get32(reply_l4(&g) + 4), 0);
	p = udp("9.9.3.1", 20, 1373);
	assert_false(ask(&g, &p));
	assert_int_equal(g.reply.n.silent, 1);
	p = udp("2001:db8:1::1", 20, 1353);
	assert_true(ask(&g, &p));
	check_error(&g, &p, 2, 0, 18, 1280 - 48);
	assert_int_equal(get32(reply_l4(&g) + 4), 1400);
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
		low_ns = g.due_ns < low_ns ? g.due_ns : low_ns;
		high_ns = g.due_ns > high_ns ? g.due_ns : high_ns;
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
		check_error(&g, &p, p.v6 ? 1 : 3, p.v6 ? 4 : 3, 1, 28);
		p = udp(both[f], 64, 16);
		assert_true(ask(&g, &p));
		check_error(&g, &p, p.v6 ? 1 : 3, p.v6 ? 4 : 3, 56, 28);
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
	check_error(&g, &p, 3, 2, 56, 28);
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

/* An IPv6 packet with extension headers in front of its UDP. */
static struct pkt
with_extensions(uint8_t ttl, uint16_t frag)
{
	struct pkt u = udp(both[1], ttl, 16), p = u;

	/* hop-by-hop, then fragment, then UDP */
	p.b[6] = 0;
	memset(p.b + 40, 0, 16);
	p.b[40] = 44;
	p.b[42] = 1;
	p.b[43] = 4;
	p.b[48] = IPPROTO_UDP;
	put16(p.b + 50, frag);
	memcpy(p.b + 56, u.b + 40, u.len - 40);
	p.len += 16;
	put16(p.b + 4, (uint32_t)p.len - 40);
	return p;
}

static void
test_extension_headers(void **state)
{
	struct pkt p = with_extensions(64, 0);
	struct rig g;

	(void)state;
	rig_init(&g, plain);
	assert_true(ask(&g, &p));
	check_error(&g, &p, 1, 4, 56, p.len);
	p = with_extensions(3, 8);
	assert_true(ask(&g, &p));
	check_error(&g, &p, 3, 0, 1, p.len);
	p = with_extensions(64, 8);
	assert_false(ask(&g, &p));
	rig_clear(&g);
}

/* --- broken input --------------------------------------------------------- */

static const char *const hostile[] = {"diamonds 0.3", "mpls 0.5",
    "mtu 0.3 1280 1400", "unreach 0.2", "interfaces 4", "quote-long 0.5",
    "open-ports 80", "per-packet 0.5", "rate-limit 0.2 1000", NULL};

static struct pkt
sample(uint32_t n)
{
	const char *dst = both[n % 2];
	uint8_t ttl = (uint8_t)(n >> 1 & 31);

	switch (n % 5) {
	case 0:
		return udp(dst, ttl, 16);
	case 1:
		return echo(dst, ttl, n % 1400);
	case 2:
		return tcp(dst, n & 64 ? 80 : 81, (uint8_t)(n >> 7), n);
	case 3:
		return with_extensions(ttl, 0);
	default:
		return udp(dst, ttl, n % 1400);
	}
}

static void
test_truncated(void **state)
{
	struct rig g;

	(void)state;
	rig_init(&g, hostile);
	for (uint32_t n = 0; n < 200; n++) {
		struct pkt p = sample(n);

		for (size_t len = p.len < 150 ? p.len : 150; len-- > 0;) {
			p.len = len;
			assert_false(ask(&g, &p));
		}
	}
	rig_clear(&g);
}

/* Bits flipped and lengths cut, the header's checksum made right again so
 * that it gets through. */
static void
test_mutated(void **state)
{
	uint64_t x = 1;
	struct rig g;

	(void)state;
	rig_init(&g, hostile);
	for (uint32_t n = 0; n < 200000; n++) {
		struct pkt p = sample(n);
		int flips = 1 + (int)(n % 4);

		while (flips-- > 0) {
			x = mix(x);
			p.b[x % (p.len < 80 ? p.len : 80)] ^=
			    (uint8_t)(1 << (x >> 40 & 7));
		}
		if (n % 3 == 0)
			p.len -= x % 30 % p.len;
		if (p.b[0] >> 4 == 4 && (p.b[0] & 15) == 5)
			set_ip_sum(&p);
		p.v6 = p.b[0] >> 4 == 6;
		ask(&g, &p);
	}
	assert_true(g.reply.n.replies > 20000);
	assert_true(g.reply.n.malformed > 10000);
	rig_clear(&g);
}

static void
test_garbage(void **state)
{
	uint64_t x = 7;
	struct rig g;

	(void)state;
	rig_init(&g, hostile);
	for (uint32_t n = 0; n < 100000; n++) {
		struct pkt p = {.len = n % 100};

		for (size_t i = 0; i < p.len; i++)
			p.b[i] = (uint8_t)(x = mix(x));
		if (p.len > 0)
			p.b[0] = n & 1 ? 0x45 : 0x60;
		p.v6 = p.b[0] >> 4 == 6;
		ask(&g, &p);
	}
	assert_int_equal(g.reply.n.probes, 100000);
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
	    cmocka_unit_test(test_silence),
	    cmocka_unit_test(test_rate_limit),
	    cmocka_unit_test(test_loss_and_delay),
	    cmocka_unit_test(test_ipid),
	    cmocka_unit_test(test_host),
	    cmocka_unit_test(test_timestamp),
	    cmocka_unit_test(test_tcp),
	    cmocka_unit_test(test_wrong_checksums),
	    cmocka_unit_test(test_never_answered),
	    cmocka_unit_test(test_extension_headers),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_mutated),
	    cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
