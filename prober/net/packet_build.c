#include "prober/net/packet_build.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#define IPV4_HLEN 20
#define IPV6_HLEN 40
#define L4_HLEN 8 /* of UDP and of ICMP alike */
#define TCP_HLEN 20
#define FRAGMENT_HLEN 8

static void
put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

uint64_t
packet_sum(const void *p, size_t len, uint64_t sum)
{
	const uint8_t *b = p;
	uint32_t w;
	uint16_t h = 0;

	/* One's complement sums may be taken in any word size and in either
	 * byte order (RFC 1071, section 2). */
	for (; len >= 4; b += 4, len -= 4) {
		memcpy(&w, b, 4);
		sum += w;
	}
	if (len >= 2) {
		memcpy(&h, b, 2);
		sum += h;
		b += 2;
		len -= 2;
	}
	if (len == 1) {
		h = 0;
		memcpy(&h, b, 1);
		sum += h;
	}
	return sum;
}

uint16_t
packet_csum(uint64_t sum)
{
	uint32_t half;

	/* Adding the halves to each other in both places leaves their sum, with
	 * its carry, in the upper one. */
	sum += sum >> 32 | sum << 32;
	half = (uint32_t)(sum >> 32);
	half += half >> 16 | half << 16;
	return (uint16_t)~ntohs((uint16_t)(half >> 16));
}

size_t
packet_build_headers_of(int family, enum probe_kind kind)
{
	return packet_build_headers(family) +
	    (kind == PROBE_TCP ? TCP_HLEN - L4_HLEN : 0);
}

static uint8_t
protocol(const struct probe *pr)
{
	if (pr->kind == PROBE_UDP)
		return IPPROTO_UDP;
	if (pr->kind < PROBE_TCP)
		return pr->dst->family == ADDR_IPV4 ? IPPROTO_ICMP
						    : IPPROTO_ICMPV6;
	if (pr->kind == PROBE_TCP)
		return IPPROTO_TCP;
	if (pr->kind == PROBE_FRAGMENT)
		return IPPROTO_FRAGMENT;
	return pr->dst->family == ADDR_IPV4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
}

/* Sums and words are in network order, as the bytes lie in the packet. */
static void
build_ipv4(const struct probe *pr, uint8_t *p, uint16_t total)
{
	uint8_t proto = protocol(pr);
	uint32_t w[5];
	uint64_t sum = 0;

	w[0] = htonl((0x45u + pr->ip_option_len / 4u) << 24 |
	    (uint32_t)pr->tos << 16 | total);
	w[1] = htonl((uint32_t)pr->ipid << 16 | 0x4000); /* don't fragment */
	w[2] = htonl((uint32_t)pr->ttl << 24 | (uint32_t)proto << 16);
	memcpy(&w[3], pr->src->b, 4);
	memcpy(&w[4], pr->dst->b, 4);
	for (int i = 0; i < 5; i++)
		sum += w[i];
	if (pr->ip_option_len != 0) {
		memcpy(p + IPV4_HLEN, pr->ip_option, pr->ip_option_len);
		sum = packet_sum(pr->ip_option, pr->ip_option_len, sum);
	}
	w[2] |= htonl(packet_csum(sum));
	memcpy(p, w, IPV4_HLEN);
}

/*
 * The flow label of one flow must not change (RFC 6437): routers may hash it.
 * What the host's own stack would choose is unknown here, so it is made from
 * the fields that name the flow.
 */
static uint32_t
flow_label(const struct probe *pr)
{
	uint64_t src[2], dst[2], h;

	memcpy(src, pr->src->b, 16);
	memcpy(dst, pr->dst->b, 16);
	h = (uint64_t)pr->sport << 16;
	if (pr->kind == PROBE_UDP || pr->kind == PROBE_TCP)
		h ^= pr->dport;
	h = (h ^ src[0] ^ dst[1]) * 0x9e3779b97f4a7c15ULL;
	h = (h ^ h >> 32 ^ src[1] ^ dst[0]) * 0x9e3779b97f4a7c15ULL;
	return (uint32_t)(h >> 44);
}

static void
build_ipv6(const struct probe *pr, uint8_t *p, uint16_t payload)
{
	uint8_t next = protocol(pr);
	uint32_t w[2];

	w[0] = htonl(0x60000000u | (uint32_t)pr->tos << 20 |
	    (pr->has_flow ? pr->flow : flow_label(pr)));
	w[1] = htonl((uint32_t)payload << 16 | (uint32_t)next << 8 | pr->ttl);
	memcpy(p, w, 8);
	memcpy(p + 8, pr->src->b, 16);
	memcpy(p + 24, pr->dst->b, 16);
}

/* The addresses' part of a pseudo header. */
static uint64_t
addr_sum(const struct addr *a)
{
	uint32_t w[4];

	memcpy(w, a->b, 16);
	if (a->family == ADDR_IPV4)
		return w[0];
	return (uint64_t)w[0] + w[1] + w[2] + w[3];
}

/* All but ICMP for IPv4 cover a pseudo header. */
static uint64_t
pseudo_sum(const struct probe *pr, uint16_t len)
{
	uint8_t proto = protocol(pr);

	if (proto == IPPROTO_ICMP)
		return 0;
	return addr_sum(pr->src) + addr_sum(pr->dst) + htons(proto) +
	    htons(len);
}

static uint32_t
icmp_type(const struct probe *pr)
{
	if (pr->dst->family == ADDR_IPV6)
		return 128;
	return pr->kind == PROBE_ICMP_TIME ? 13 : 8;
}

/* As build_l4, for TCP. */
static void
build_tcp(const struct probe *pr, uint8_t *p, uint64_t sum)
{
	uint32_t w[5] = {
	    htonl((uint32_t)pr->sport << 16 | pr->dport),
	    htonl(pr->tcp_seq),
	    htonl(pr->tcp_ack),
	    htonl((TCP_HLEN + pr->tcp_option_len) / 4u << 28 |
		(uint32_t)pr->tcp_flags << 16 | pr->tcp_window),
	};

	sum += pseudo_sum(pr, (uint16_t)(TCP_HLEN + pr->payload_len));
	for (int i = 0; i < 4; i++)
		sum += w[i];
	w[4] = htonl((uint32_t)packet_csum(sum) << 16);
	memcpy(p, w, TCP_HLEN);
}

/*
 * The transport header in two words; the checksum is the low half of the
 * second in UDP, of the first in ICMP.  The payload at P + 8 is in its place,
 * and SUM is its sum.
 */
static void
build_l4(const struct probe *pr, uint8_t *p, uint64_t sum)
{
	uint16_t len = (uint16_t)(L4_HLEN + pr->payload_len), csum;
	int udp = pr->kind == PROBE_UDP;
	uint32_t w[2], *csum_at = &w[udp];

	w[0] = (uint32_t)pr->sport << 16 | pr->dport;
	if (udp) {
		w[1] = htonl((uint32_t)len << 16);
	} else {
		w[1] = htonl(w[0]);
		w[0] = icmp_type(pr) << 24;
	}
	w[0] = htonl(w[0]);
	sum += pseudo_sum(pr, len) + w[0] + w[1];
	if (pr->fix_csum) {
		csum = pr->csum;
		put16(p + L4_HLEN, packet_csum(sum + htons(csum)));
	} else {
		csum = packet_csum(sum);
		if (csum == 0 && udp)
			csum = 0xffff; /* zero means "none" in UDP */
	}
	*csum_at |= htonl(csum);
	memcpy(p, w, L4_HLEN);
}

/* What must be added to a sum over dst, so that it is over `final': in one's
 * complement the inverse is the negative. */
static uint64_t
final_sum(const struct probe *pr)
{
	uint32_t dst, final;

	if (pr->final == NULL || protocol(pr) == IPPROTO_ICMP)
		return 0;
	memcpy(&dst, pr->dst->b, 4);
	memcpy(&final, pr->final->b, 4);
	return (uint64_t) final + (uint32_t)~dst;
}

/* A fragment header (RFC 8200, 4.5); what is behind it is not looked at. */
__attribute__((cold, noinline)) static void
build_fragment(const struct probe *pr, uint8_t *p)
{
	p[0] = pr->fragment_of;
	p[1] = 0;
	put16(p + 2, (uint16_t)(pr->offset << 3));
	put16(p + 4, (uint16_t)(pr->fragid >> 16));
	put16(p + 6, (uint16_t)pr->fragid);
}

/* "Packet too big", which is an unreachable in IPv4 (RFC 1191, 4443); as
 * build_l4. */
__attribute__((cold, noinline)) static void
build_too_big(const struct probe *pr, uint8_t *p, uint64_t sum)
{
	int v4 = pr->dst->family == ADDR_IPV4;
	uint32_t w[2] = {
	    htonl(v4 ? 0x03040000u : 0x02000000u), htonl(pr->dport)};

	sum += pseudo_sum(pr, (uint16_t)(L4_HLEN + pr->payload_len));
	w[0] |= htonl(packet_csum(sum + w[0] + w[1]));
	memcpy(p, w, L4_HLEN);
}

/* The payload at P, where ROOM bytes may be written, and its sum without what
 * `fix_csum' puts in. */
static uint64_t
build_payload(const struct probe *pr, uint8_t *p, size_t room)
{
	size_t fixed = pr->fix_csum ? 2 : 0;

	assert(pr->payload_len >= fixed);
	if (pr->payload == NULL) {
		/* The usual lengths, without a call. */
		if (pr->payload_len <= 16 && room >= 16)
			memset(p, 0, 16);
		else
			memset(p, 0, pr->payload_len);
		return 0;
	}
	memcpy(p, pr->payload, pr->payload_len);
	return packet_sum(p + fixed, pr->payload_len - fixed, 0);
}

int
packet_build(const struct probe *pr, uint8_t *buf, size_t cap)
{
	size_t hlen = packet_build_headers_of(pr->dst->family, pr->kind) +
	    pr->ip_option_len;
	size_t total = hlen + pr->payload_len;
	uint64_t sum = 0;

	if (total > cap || total > 0xffff)
		return -1;
	if (pr->dst->family == ADDR_IPV4) {
		build_ipv4(pr, buf, (uint16_t)total);
		if (pr->ip_option_len != 0)
			sum = final_sum(pr);
	} else {
		build_ipv6(pr, buf, (uint16_t)(total - IPV6_HLEN));
	}
	sum += build_payload(pr, buf + hlen, cap - hlen);
	if (pr->kind < PROBE_TCP)
		build_l4(pr, buf + hlen - L4_HLEN, sum);
	else if (pr->kind == PROBE_TCP)
		build_tcp(pr, buf + hlen - TCP_HLEN, sum);
	else if (pr->kind == PROBE_FRAGMENT)
		build_fragment(pr, buf + hlen - FRAGMENT_HLEN);
	else
		build_too_big(pr, buf + hlen - L4_HLEN, sum);
	return (int)total;
}
