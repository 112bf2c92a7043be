/*
 * responder.bpf: an XDP program that answers probes as routers and hosts would:
 * the kernel's half of responder.h, where the paths come from.
 *
 *	UDP, echo request
 *	   TTL ends on the way    time exceeded, with the whole probe quoted
 *	   at a silent host       nothing
 *	   at a host              port unreachable; echo reply
 *	all else                  is left to the kernel
 *
 * It has no state and no map, and calls nothing but bpf_xdp_adjust_head(), so
 * that the kernel's own headers and clang are all it needs.  A reply takes the
 * probe's place in its buffer:
 *
 *	| link | IP | UDP or ICMP ... |                     the probe
 *	| link | IP | ICMP | IP | UDP or ICMP ... |         an error: the front grows
 *
 * It is compiled and loaded by responder.sh, never by the build.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include "tests/bench/responder.h"

#define PROBE_MAX 512 /* bytes; a longer one is dropped */
#define TTL_REPLY 64
#define SECTION(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

/* RFC 792, RFC 4443 */
enum { ECHO4_REQUEST = 8, ECHO4_REPLY = 0, EXCEEDED4 = 11, UNREACH4 = 3 };
enum { ECHO6_REQUEST = 128, ECHO6_REPLY = 129, EXCEEDED6 = 3, UNREACH6 = 1 };
enum { UNREACH4_PORT = 3, UNREACH6_PORT = 4 };

struct icmp {
	uint8_t type, code;
	uint16_t check;
	uint32_t rest;
};

static long (*adjust_head)(
    struct xdp_md *ctx, int bytes) = (void *)BPF_FUNC_xdp_adjust_head;

/* What a reply says: from whom, and which. */
struct answer {
	uint8_t from[16];
	uint8_t type, code;
	uint8_t ttl_left; /* as the probe came to its end */
};

struct error4 {
	struct ethhdr eth;
	struct iphdr ip;
	struct icmp icmp;
	struct iphdr quoted;
} __attribute__((packed, aligned(2)));

struct error6 {
	struct ethhdr eth;
	struct ipv6hdr ip;
	struct icmp icmp;
	struct ipv6hdr quoted;
} __attribute__((packed, aligned(2)));

struct echo4 {
	struct ethhdr eth;
	struct iphdr ip;
	struct icmp icmp;
} __attribute__((packed, aligned(2)));

struct echo6 {
	struct ethhdr eth;
	struct ipv6hdr ip;
	struct icmp icmp;
} __attribute__((packed, aligned(2)));

INLINE uint16_t
swap16(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

/* The Internet checksum of a SUM of words (RFC 1071). */
INLINE uint16_t
fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* The checksum of SUM and of what lies between P and END of the packet, at
 * most PROBE_MAX bytes. */
INLINE uint16_t
checksum(uint32_t sum, const void *p, const void *end)
{
	const uint16_t *at = p;

	/* Else the compiler would reach the header through AT, and the verifier
	 * would not believe what is known of it. */
	__asm__("" : "+r"(at));
	for (int i = 0; i < PROBE_MAX / 2; i++) {
		if ((const void *)(at + 1) > end)
			break;
		sum += *at++;
	}
	if ((const void *)((const uint8_t *)at + 1) <= end)
		sum += *(const uint8_t *)at;
	return fold(sum);
}

INLINE void
turn_link(struct ethhdr *to, const struct ethhdr *from)
{
	struct ethhdr eth = *from;

	__builtin_memcpy(to->h_dest, eth.h_source, ETH_ALEN);
	__builtin_memcpy(to->h_source, eth.h_dest, ETH_ALEN);
	to->h_proto = eth.h_proto;
}

/* The header checksum of IP, which has no options. */
INLINE void
seal4(struct iphdr *ip)
{
	const uint16_t *words = (const uint16_t *)ip;
	uint32_t sum = 0;

	ip->check = 0;
	for (unsigned int i = 0; i < sizeof(*ip) / 2; i++)
		sum += words[i];
	ip->check = fold(sum);
}

/* The checksum of ICMP, up to END, and its pseudo-header. */
INLINE void
seal6(struct ipv6hdr *ip, struct icmp *icmp, const void *end)
{
	uint32_t sum = ip->payload_len + swap16(IPPROTO_ICMPV6);
	const uint16_t *addrs = (const uint16_t *)&ip->saddr;

	for (int i = 0; i < 16; i++)
		sum += addrs[i];
	icmp->check = 0;
	icmp->check = checksum(sum, icmp, end);
}

INLINE int
error4(struct xdp_md *ctx, const struct ethhdr *eth, const struct answer *a)
{
	void *end = (void *)(uintptr_t)ctx->data_end;
	struct error4 *e = (void *)(uintptr_t)ctx->data;

	if ((void *)(e + 1) > end)
		return XDP_DROP;
	turn_link(&e->eth, eth);
	e->quoted.ttl = a->ttl_left;
	seal4(&e->quoted);
	e->ip = e->quoted;
	e->ip.tot_len = swap16((uint16_t)(swap16(e->quoted.tot_len) +
	    sizeof(e->ip) + sizeof(e->icmp)));
	e->ip.tos = 0;
	e->ip.frag_off = 0;
	e->ip.ttl = TTL_REPLY;
	e->ip.protocol = IPPROTO_ICMP;
	e->ip.daddr = e->quoted.saddr;
	__builtin_memcpy(&e->ip.saddr, a->from, 4);
	seal4(&e->ip);
	e->icmp.type = a->type;
	e->icmp.code = a->code;
	e->icmp.check = 0;
	e->icmp.rest = 0;
	e->icmp.check = checksum(0, &e->icmp, end);
	return XDP_TX;
}

INLINE int
error6(struct xdp_md *ctx, const struct ethhdr *eth, const struct answer *a)
{
	void *end = (void *)(uintptr_t)ctx->data_end;
	struct error6 *e = (void *)(uintptr_t)ctx->data;

	if ((void *)(e + 1) > end)
		return XDP_DROP;
	turn_link(&e->eth, eth);
	e->quoted.hop_limit = a->ttl_left;
	e->ip = e->quoted;
	e->ip.payload_len = swap16((uint16_t)(swap16(e->quoted.payload_len) +
	    sizeof(e->quoted) + sizeof(e->icmp)));
	e->ip.hop_limit = TTL_REPLY;
	e->ip.nexthdr = IPPROTO_ICMPV6;
	e->ip.daddr = e->quoted.saddr;
	__builtin_memcpy(&e->ip.saddr, a->from, 16);
	e->icmp.type = a->type;
	e->icmp.code = a->code;
	e->icmp.rest = 0;
	seal6(&e->ip, &e->icmp, end);
	return XDP_TX;
}

INLINE int
echo4(struct echo4 *e, const void *end)
{
	uint32_t to = e->ip.saddr;

	turn_link(&e->eth, &e->eth);
	e->ip.saddr = e->ip.daddr;
	e->ip.daddr = to;
	e->ip.ttl = TTL_REPLY;
	seal4(&e->ip);
	e->icmp.type = ECHO4_REPLY;
	e->icmp.check = 0;
	e->icmp.check = checksum(0, &e->icmp, end);
	return XDP_TX;
}

INLINE int
echo6(struct echo6 *e, const void *end)
{
	struct in6_addr to = e->ip.saddr;

	turn_link(&e->eth, &e->eth);
	e->ip.saddr = e->ip.daddr;
	e->ip.daddr = to;
	e->ip.hop_limit = TTL_REPLY;
	e->icmp.type = ECHO6_REPLY;
	seal6(&e->ip, &e->icmp, end);
	return XDP_TX;
}

/* Who answers a probe with TTL on P, and what.  Non-zero if it is the host. */
INLINE int
ask(const struct responder_path *p, uint8_t ttl, struct answer *a, int len)
{
	if (ttl < p->hops) {
		responder_router(p, ttl, a->from, len);
		a->type = len == 4 ? EXCEEDED4 : EXCEEDED6;
		a->code = 0;
		a->ttl_left = 1;
		return 0;
	}
	a->type = len == 4 ? UNREACH4 : UNREACH6;
	a->code = len == 4 ? UNREACH4_PORT : UNREACH6_PORT;
	a->ttl_left = (uint8_t)(ttl - p->hops + 1);
	return 1;
}

INLINE int
answer4(struct xdp_md *ctx, struct echo4 *e)
{
	struct answer a = {.from = {0}};
	struct responder_path p;
	struct ethhdr eth = e->eth;
	int echo = e->ip.protocol == IPPROTO_ICMP, host;

	if (e->ip.ihl != 5 || (e->ip.protocol != IPPROTO_UDP && !echo) ||
	    (echo && e->icmp.type != ECHO4_REQUEST) || e->ip.ttl == 0)
		return XDP_PASS;
	__builtin_memcpy(a.from, &e->ip.daddr, 4);
	p = responder_path(a.from, 4);
	host = ask(&p, e->ip.ttl, &a, 4);
	if (host && p.silent)
		return XDP_DROP;
	if (host && echo)
		return echo4(e, (void *)(uintptr_t)ctx->data_end);
	if (adjust_head(
		ctx, -(int)(sizeof(struct iphdr) + sizeof(struct icmp))) != 0)
		return XDP_DROP;
	return error4(ctx, &eth, &a);
}

INLINE int
answer6(struct xdp_md *ctx, struct echo6 *e)
{
	struct answer a = {.from = {0}};
	struct responder_path p;
	struct ethhdr eth = e->eth;
	int echo = e->ip.nexthdr == IPPROTO_ICMPV6, host;

	if ((e->ip.nexthdr != IPPROTO_UDP && !echo) ||
	    (echo && e->icmp.type != ECHO6_REQUEST) || e->ip.hop_limit == 0)
		return XDP_PASS;
	__builtin_memcpy(a.from, &e->ip.daddr, 16);
	p = responder_path(a.from, 16);
	host = ask(&p, e->ip.hop_limit, &a, 16);
	if (host && p.silent)
		return XDP_DROP;
	if (host && echo)
		return echo6(e, (void *)(uintptr_t)ctx->data_end);
	if (adjust_head(
		ctx, -(int)(sizeof(struct ipv6hdr) + sizeof(struct icmp))) != 0)
		return XDP_DROP;
	return error6(ctx, &eth, &a);
}

SECTION("xdp")
int
responder(struct xdp_md *ctx)
{
	void *end = (void *)(uintptr_t)ctx->data_end;
	struct ethhdr *eth = (void *)(uintptr_t)ctx->data;

	if ((void *)((uint8_t *)eth + PROBE_MAX) < end)
		return XDP_DROP;
	if ((void *)((struct echo4 *)eth + 1) > end)
		return XDP_PASS;
	if (eth->h_proto == swap16(ETH_P_IP))
		return answer4(ctx, (struct echo4 *)eth);
	if (eth->h_proto == swap16(ETH_P_IPV6) &&
	    (void *)((struct echo6 *)eth + 1) <= end)
		return answer6(ctx, (struct echo6 *)eth);
	return XDP_PASS;
}

/* Silence: nobody is there. */
SECTION("silent")
int
responder_silent(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_DROP;
}

/* For the near end: a veth pair hands on what an XDP program sends only to a
 * device that has a program, too. */
SECTION("near")
int
responder_near(struct xdp_md *ctx)
{
	(void)ctx;
	return XDP_PASS;
}
