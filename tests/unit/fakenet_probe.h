/*
 * fakenet_probe: probes for the tests of fakenet's replies, and the checks that
 * hold for every reply: it is one IP packet with right lengths, addresses and
 * checksums.  Nothing here is shared with the code that makes replies but the
 * accessors of 16 and 32 bits.
 */
#ifndef TESTS_UNIT_FAKENET_PROBE_H
#define TESTS_UNIT_FAKENET_PROBE_H

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
};

static inline void
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

static inline void
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
static inline uint16_t
sum(const uint8_t *p, size_t len, uint32_t s)
{
	for (size_t i = 0; i < len; i++)
		s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

static inline uint32_t
pseudo(const uint8_t *ip, uint8_t proto, size_t len)
{
	int v6 = ip[0] >> 4 == 6;
	uint32_t s = v6 ? sum(ip + 8, 32, 0) : sum(ip + 12, 8, 0);

	return s + proto + (uint32_t)len;
}

/* The transport checksum over P is right. */
static inline int
l4_right(const uint8_t *ip, size_t hlen, uint8_t proto, size_t len)
{
	uint32_t s = proto == IPPROTO_ICMP ? 0 : pseudo(ip, proto, len);

	return sum(ip + hlen, len, s) == 0xffff;
}

static inline void
set_l4_sum(struct pkt *p, uint8_t proto, size_t at)
{
	uint8_t *l4 = p->b + p->hlen;
	size_t len = p->len - p->hlen;
	uint32_t s = proto == IPPROTO_ICMP ? 0 : pseudo(p->b, proto, len);

	put16(l4 + at, 0);
	put16(l4 + at, (uint16_t)~sum(l4, len, s));
}

static inline void
set_ip_sum(struct pkt *p)
{
	put16(p->b + 10, 0);
	put16(p->b + 10, (uint16_t)~sum(p->b, 20, 0));
}

/* An IP header to DST for LEN transport bytes of PROTO. */
static inline struct pkt
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

static inline struct pkt
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

static inline struct pkt
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

static inline struct pkt
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
static inline void
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
static inline int
ask_at(struct rig *g, const struct pkt *p, int64_t now_ns)
{
	/* A buffer of just that size: the sanitizer sees any byte beyond. */
	uint8_t *in = malloc(p->len);

	assert_non_null(in);
	memcpy(in, p->b, p->len);
	g->len = reply_make(&g->reply, in, p->len, now_ns, g->out);
	free(in);
	if (g->len == 0)
		return 0;
	assert_true(g->reply.due_ns >= now_ns);
	check_ip(g, p);
	return 1;
}

static inline int
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
static inline void
check_from(const struct rig *g, const struct addr *a)
{
	int v6 = a->family == ADDR_IPV6;

	assert_memory_equal(g->out + (v6 ? 8 : 12), a->b, v6 ? 16 : 4);
}

/* An ICMP message's first two bytes as one number. */
#define ICMP(type, code) ((type) << 8 | (code))

/* "Time exceeded" and "port unreachable" for P's family. */
static inline int
time_exceeded(const struct pkt *p)
{
	return p->v6 ? ICMP(3, 0) : ICMP(11, 0);
}

static inline int
port_unreachable(const struct pkt *p)
{
	return p->v6 ? ICMP(1, 4) : ICMP(3, 3);
}

/* The reply is the error ICMP(TYPE, CODE) and quotes QUOTED bytes of P as they
 * were when their TTL was TTL. */
static inline void
check_error(const struct rig *g, const struct pkt *p, int error, uint8_t ttl,
    size_t quoted)
{
	const uint8_t *icmp = reply_l4(g);
	struct pkt want = *p;

	assert_int_equal(get16(icmp), error);
	want.b[p->v6 ? 7 : 8] = ttl;
	if (!p->v6)
		set_ip_sum(&want);
	assert_memory_equal(icmp + 8, want.b, quoted);
	assert_true(g->len >= (size_t)(icmp - g->out) + 8 + quoted);
}

static inline struct addr
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

__attribute__((unused)) static const char *const both[] = {
    "9.9.9.9", "2001:db8:9::9"};
__attribute__((unused)) static const char *const plain[] = {
    "route 9.9.9.0/24 hops=9", "route 2001:db8:9::/48 hops=9", NULL};

/* An IPv6 packet with extension headers in front of its UDP. */
static inline struct pkt
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

#endif
