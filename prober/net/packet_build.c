#include "prober/net/packet_build.h"

#include <arpa/inet.h>
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#define IPV4_HLEN 20
#define IPV6_HLEN 40
#define L4_HLEN 8 /* of UDP and of ICMP echo alike */

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
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~ntohs((uint16_t)sum);
}

size_t
packet_build_headers(int family)
{
	return (family == ADDR_IPV4 ? IPV4_HLEN : IPV6_HLEN) + L4_HLEN;
}

static void
build_ipv4(const struct probe *pr, uint8_t *p, uint16_t total)
{
	memset(p, 0, IPV4_HLEN);
	p[0] = 0x45;
	p[1] = pr->tos;
	put16(p + 2, total);
	put16(p + 4, pr->ipid);
	p[6] = 0x40; /* don't fragment */
	p[8] = pr->ttl;
	p[9] = pr->kind == PROBE_UDP ? IPPROTO_UDP : IPPROTO_ICMP;
	memcpy(p + 12, pr->src->b, 4);
	memcpy(p + 16, pr->dst->b, 4);
	put16(p + 10, packet_csum(packet_sum(p, IPV4_HLEN, 0)));
}

/*
 * The flow label of one flow must not change (RFC 6437): routers may hash it.
 * What the host's own stack would choose is unknown here, so it is made from
 * the fields that name the flow.
 */
static uint32_t
flow_label(const struct probe *pr)
{
	uint64_t h = addr_hash(pr->dst) ^ (addr_hash(pr->src) >> 1);

	h ^= (uint64_t)pr->sport << 16;
	if (pr->kind == PROBE_UDP)
		h ^= pr->dport;
	h *= 0x9e3779b97f4a7c15ULL;
	return (uint32_t)(h >> 44);
}

static void
build_ipv6(const struct probe *pr, uint8_t *p, uint16_t payload)
{
	uint32_t label = flow_label(pr);

	p[0] = (uint8_t)(0x60 | pr->tos >> 4);
	p[1] = (uint8_t)((pr->tos & 15) << 4 | (label >> 16 & 15));
	put16(p + 2, (uint16_t)label);
	put16(p + 4, payload);
	p[6] = pr->kind == PROBE_UDP ? IPPROTO_UDP : IPPROTO_ICMPV6;
	p[7] = pr->ttl;
	memcpy(p + 8, pr->src->b, 16);
	memcpy(p + 24, pr->dst->b, 16);
}

/* UDP and ICMPv6 cover a pseudo header, ICMP for IPv4 does not. */
static uint64_t
pseudo_sum(const struct probe *pr, uint16_t len)
{
	int v4 = pr->dst->family == ADDR_IPV4;
	size_t n = addr_len(pr->dst->family);
	uint64_t sum;

	if (v4 && pr->kind != PROBE_UDP)
		return 0;
	sum = packet_sum(pr->src->b, n, 0);
	sum = packet_sum(pr->dst->b, n, sum);
	sum += htons(pr->kind == PROBE_UDP ? IPPROTO_UDP : IPPROTO_ICMPV6);
	return sum + htons(len);
}

static void
build_l4(const struct probe *pr, uint8_t *p)
{
	uint16_t len = (uint16_t)(L4_HLEN + pr->payload_len), csum;
	uint8_t *csum_at = p + (pr->kind == PROBE_UDP ? 6 : 2);
	uint64_t sum;

	memset(p, 0, L4_HLEN);
	if (pr->kind == PROBE_UDP) {
		put16(p, pr->sport);
		put16(p + 2, pr->dport);
		put16(p + 4, len);
	} else {
		p[0] = pr->dst->family == ADDR_IPV4 ? 8 : 128;
		put16(p + 4, pr->sport);
		put16(p + 6, pr->dport);
	}
	if (pr->payload != NULL)
		memcpy(p + L4_HLEN, pr->payload, pr->payload_len);
	else
		memset(p + L4_HLEN, 0, pr->payload_len);
	if (pr->fix_csum) {
		assert(pr->payload_len >= 2);
		put16(csum_at, pr->csum);
		memset(p + L4_HLEN, 0, 2);
		sum = packet_sum(p, len, pseudo_sum(pr, len));
		put16(p + L4_HLEN, packet_csum(sum));
		return;
	}
	csum = packet_csum(packet_sum(p, len, pseudo_sum(pr, len)));
	if (csum == 0 && pr->kind == PROBE_UDP)
		csum = 0xffff; /* zero means "none" in UDP */
	put16(csum_at, csum);
}

int
packet_build(const struct probe *pr, uint8_t *buf, size_t cap)
{
	size_t hlen = packet_build_headers(pr->dst->family);
	size_t total = hlen + pr->payload_len;

	if (total > cap || total > 0xffff)
		return -1;
	if (pr->dst->family == ADDR_IPV4)
		build_ipv4(pr, buf, (uint16_t)total);
	else
		build_ipv6(pr, buf, (uint16_t)(total - IPV6_HLEN));
	build_l4(pr, buf + hlen - L4_HLEN);
	return (int)total;
}
