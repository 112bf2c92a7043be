/*
 * packet: bytes -> what kind of probe this is.  Every length is checked
 * against what was read; IPv6 extension headers are followed, a bounded number
 * of them.
 *
 *	IPv4  |ver ihl|tos|total len|id|flags frag|ttl|proto|sum|src|dst|options
 *	       0       1   2         4  6          8   9     10  12  16  20
 *	IPv6  |ver class label|payload len|next|hops|src|dst|extension headers
 *	       0               4           6    7    8   24  40
 */
#include "tests/fakenet/packet.h"

#include <arpa/inet.h>
#include <string.h>

#define EXT_MAX 8 /* extension headers of a packet we follow */

uint64_t
packet_sum(const void *data, size_t len, uint64_t sum)
{
	const uint8_t *p = data;
	uint32_t word;
	uint16_t half;

	for (; len >= 4; len -= 4, p += 4) {
		memcpy(&word, p, 4);
		sum += word;
	}
	if (len >= 2) {
		memcpy(&half, p, 2);
		sum += half;
		p += 2;
		len -= 2;
	}
	if (len == 1) {
		half = 0;
		memcpy(&half, p, 1);
		sum += half;
	}
	return sum;
}

uint16_t
packet_fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return ntohs((uint16_t)~sum);
}

uint64_t
packet_pseudo(
    const struct addr *src, const struct addr *dst, uint8_t proto, size_t len)
{
	uint8_t tail[8];
	size_t n = addr_len(src->family);
	uint64_t sum;

	put32(tail, (uint32_t)len);
	put32(tail + 4, proto);
	sum = packet_sum(src->b, n, 0);
	sum = packet_sum(dst->b, n, sum);
	return packet_sum(tail, sizeof(tail), sum);
}

static const char *
parse_ip4(const uint8_t *pkt, size_t len, struct probe *p)
{
	size_t total;
	uint16_t frag;

	if (len < IP4_HLEN)
		return "shorter than an IPv4 header";
	p->hlen = (pkt[0] & 15u) * 4u;
	total = get16(pkt + 2);
	if (p->hlen < IP4_HLEN || total < p->hlen || total > len)
		return "wrong IPv4 length";
	if (packet_fold(packet_sum(pkt, p->hlen, 0)) != 0)
		return "wrong IPv4 header checksum";
	p->len = total;
	p->tos = pkt[1];
	p->ttl = pkt[8];
	p->proto = pkt[9];
	p->src = addr_make(ADDR_IPV4, pkt + 12);
	p->dst = addr_make(ADDR_IPV4, pkt + 16);
	frag = get16(pkt + 6);
	p->dont_fragment = frag >> 14 & 1;
	p->more_fragments = frag >> 13 & 1;
	if ((frag & 0x1fff) != 0)
		p->kind = PROBE_FRAGMENT;
	p->l4 = pkt + p->hlen;
	p->l4len = total - p->hlen;
	return NULL;
}

/* Step over one extension header of P.  1: done; 0: it was none; -1: bad. */
static int
step_ext(struct probe *p)
{
	size_t n = 8;

	switch (p->proto) {
	case 0: /* hop-by-hop, routing, destination options */
	case 43:
	case 60:
		if (p->l4len < 8)
			return -1;
		n += p->l4[1] * 8u;
		break;
	case 44:
		if (p->l4len < 8)
			return -1;
		if (get16(p->l4 + 2) >> 3 != 0)
			p->kind = PROBE_FRAGMENT;
		p->more_fragments = p->l4[3] & 1;
		break;
	default:
		return 0;
	}
	if (n > p->l4len)
		return -1;
	p->proto = p->l4[0];
	p->l4 += n;
	p->l4len -= n;
	return 1;
}

static const char *
parse_ip6(const uint8_t *pkt, size_t len, struct probe *p)
{
	int r = 1;

	if (len < IP6_HLEN)
		return "shorter than an IPv6 header";
	p->hlen = IP6_HLEN;
	p->len = (size_t)get16(pkt + 4) + IP6_HLEN;
	if (p->len > len)
		return "wrong IPv6 length";
	p->tos = (uint8_t)(get16(pkt) >> 4);
	p->label = get32(pkt) & 0xfffff;
	p->proto = pkt[6];
	p->ttl = pkt[7];
	p->src = addr_make(ADDR_IPV6, pkt + 8);
	p->dst = addr_make(ADDR_IPV6, pkt + 24);
	p->dont_fragment = 1;
	p->l4 = pkt + IP6_HLEN;
	p->l4len = p->len - IP6_HLEN;
	for (int i = 0; i < EXT_MAX && r == 1 && p->kind == PROBE_OTHER; i++)
		r = step_ext(p);
	return r == -1 ? "cut IPv6 extension header" : NULL;
}

static enum probe_kind
icmp4_kind(uint8_t type)
{
	switch (type) {
	case 3: /* unreachable, quench, redirect, exceeded, parameter */
	case 4:
	case 5:
	case 11:
	case 12:
		return PROBE_ICMP_ERROR;
	case 8:
		return PROBE_ECHO;
	case 13:
		return PROBE_TIME;
	default:
		return PROBE_ICMP;
	}
}

static enum probe_kind
icmp6_kind(uint8_t type)
{
	if (type < 128)
		return PROBE_ICMP_ERROR;
	return type == 128 ? PROBE_ECHO : PROBE_ICMP;
}

/* The protocols hosts speak; a header that is cut makes a fragment of it. */
static enum probe_kind
l4_kind(const struct probe *p)
{
	int v4 = p->src.family == ADDR_IPV4;

	if (p->proto == (v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6)) {
		if (p->l4len < 8)
			return PROBE_FRAGMENT;
		return v4 ? icmp4_kind(p->l4[0]) : icmp6_kind(p->l4[0]);
	}
	if (p->proto == IPPROTO_UDP)
		return p->l4len < 8 ? PROBE_FRAGMENT : PROBE_UDP;
	if (p->proto == IPPROTO_TCP)
		return p->l4len < 20 ? PROBE_FRAGMENT : PROBE_TCP;
	return PROBE_OTHER;
}

const char *
packet_parse(const uint8_t *pkt, size_t len, struct probe *p)
{
	const char *why = "neither IPv4 nor IPv6";

	memset(p, 0, sizeof(*p));
	p->ip = pkt;
	if (len > 0 && pkt[0] >> 4 == 4)
		why = parse_ip4(pkt, len, p);
	else if (len > 0 && pkt[0] >> 4 == 6)
		why = parse_ip6(pkt, len, p);
	if (why != NULL)
		return why;
	if (p->kind == PROBE_FRAGMENT)
		return NULL;
	if (p->l4len >= 4)
		p->first4 = get32(p->l4);
	p->kind = l4_kind(p);
	return NULL;
}

int
packet_sum_ok(const struct probe *p)
{
	uint64_t sum = 0;

	if (p->more_fragments || p->kind == PROBE_FRAGMENT ||
	    p->kind == PROBE_OTHER)
		return 1;
	if (p->kind == PROBE_UDP) {
		if (get16(p->l4 + 4) < 8 || get16(p->l4 + 4) > p->l4len)
			return 0;
		if (get16(p->l4 + 6) == 0)
			return p->src.family == ADDR_IPV4;
	}
	if (p->proto != IPPROTO_ICMP)
		sum = packet_pseudo(&p->src, &p->dst, p->proto, p->l4len);
	return packet_fold(packet_sum(p->l4, p->l4len, sum)) == 0;
}
