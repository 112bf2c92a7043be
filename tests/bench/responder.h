/*
 * responder: an Internet that is a pure function of the destination, small
 * enough for an XDP program: what tests/fakenet is in `silent-hosts 75%', but
 * that nobody has to be woken for it.
 *
 *	responder.bpf.c   answers packets with it, in the kernel
 *	responder.c       prints it, as `fakenet -t' does
 *	responder.sh      puts the former behind a wire
 *
 * This file is the function; both of the others include it.  An IPv4 address
 * is one of 24 bits of network and a host; of an IPv6 address bits 16 to 48
 * are taken for the network (tests/lib/targets.py draws these), and all of it
 * for the host.  A path has 5 to 30 hops with its destination.  The router at
 * hop h is drawn from h and the first 3h bits of the network, so that paths are
 * shared at first and fan out; its address holds h, so that none is twice on
 * a path:
 *
 *	IPv4   100.64.0.0/10       | hop:5 | router:17
 *	IPv6   2001:db8:ffff:hop:: | router:32
 */
#ifndef TESTS_BENCH_RESPONDER_H
#define TESTS_BENCH_RESPONDER_H

#include <stdint.h>

#define RESPONDER_HOPS_MIN 5
#define RESPONDER_HOPS_MAX 30
#define RESPONDER_SILENT_PERCENT 75
#define RESPONDER_ROUTERS 0x20000u /* at a hop */

struct responder_path {
	uint32_t net; /* what the path depends on */
	uint32_t hops; /* its length with the destination */
	uint32_t silent; /* the destination never answers */
};

static inline uint32_t
responder_get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

/* Every bit of X changes half of the bits. */
static inline uint32_t
responder_mix(uint32_t x)
{
	x ^= x >> 16;
	x *= 0x85ebca6bu;
	x ^= x >> 13;
	x *= 0xc2b2ae35u;
	return x ^ x >> 16;
}

/* The path to DST, an address of LEN bytes, 4 or 16. */
static inline struct responder_path
responder_path(const uint8_t *dst, int len)
{
	struct responder_path p;
	uint32_t host;

	if (len == 4) {
		host = responder_get32(dst);
		p.net = host & ~0xffu;
	} else {
		p.net = responder_get32(dst + 2);
		host = p.net;
		for (int i = 4; i < 16; i += 4)
			host = responder_mix(host) ^ responder_get32(dst + i);
	}
	p.hops = RESPONDER_HOPS_MIN +
	    responder_mix(p.net) %
		(RESPONDER_HOPS_MAX - RESPONDER_HOPS_MIN + 1);
	p.silent =
	    responder_mix(host ^ 0x5117e47u) % 100 < RESPONDER_SILENT_PERCENT;
	return p;
}

/* Write the address of the router at hop TTL, 1 to 31, of path P to ADDR,
 * which has LEN bytes, 4 or 16. */
static inline void
responder_router(
    const struct responder_path *p, uint32_t ttl, uint8_t *addr, int len)
{
	uint32_t bits = ttl < 8 ? 3 * ttl : 24;
	uint32_t n = responder_mix(p->net >> (32 - bits) ^ ttl << 25) %
	    RESPONDER_ROUTERS;
	uint32_t low = len == 4 ? 0x64400000u | ttl << 17 | n : n;

	if (len == 16) {
		static const uint8_t pool[6] = {
		    0x20, 1, 0x0d, 0xb8, 0xff, 0xff};

		for (int i = 0; i < 12; i++)
			addr[i] = i < 6 ? pool[i] : 0;
		addr[7] = (uint8_t)ttl;
		addr += 12;
	}
	for (int i = 0; i < 4; i++)
		addr[i] = (uint8_t)(low >> (24 - 8 * i));
}

#endif
