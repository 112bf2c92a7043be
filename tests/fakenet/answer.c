/*
 * answer: the bytes of a reply.  Nothing is decided here.
 *
 *	ICMP error  |type|code|sum|rest|quoted IP header|quoted bytes|
 *	with RFC 4884                  |<-- zeros up to 128 bytes -->|extension|
 *
 *	rest        IPv4: 0, length of the quote / 4, next-hop MTU
 *	            IPv6: length of the quote / 8, 0, 0; or the MTU
 *	extension   |2:4 0:12|sum:16|object length|class 1|type 1|labels: 4 each|
 */
#include "tests/fakenet/packet.h"

#include <netinet/in.h>
#include <string.h>

#define QUOTE_EXT 128 /* RFC 4884: bytes quoted before an extension */
#define ERROR4_MAX 576 /* RFC 1812 4.3.2.3 */
#define ERROR6_MAX 1280 /* RFC 4443 2.4 (c) */
#define MSS 1460

/* The IP header in front of LEN bytes of PROTO at OUT; its length. */
static size_t
ip_header(uint8_t *out, const struct sender *from, const struct probe *p,
    uint8_t proto, size_t len)
{
	if (from->src.family == ADDR_IPV6) {
		put32(out, 6u << 28 | (uint32_t)from->tos << 20);
		put16(out + 4, (uint32_t)len);
		out[6] = proto;
		out[7] = from->ttl;
		memcpy(out + 8, from->src.b, 16);
		memcpy(out + 24, p->src.b, 16);
		return IP6_HLEN;
	}
	out[0] = 0x45;
	out[1] = from->tos;
	put16(out + 2, (uint32_t)(len + IP4_HLEN));
	put16(out + 4, from->ipid);
	put16(out + 6, 0);
	out[8] = from->ttl;
	out[9] = proto;
	put16(out + 10, 0);
	memcpy(out + 12, from->src.b, 4);
	memcpy(out + 16, p->src.b, 4);
	put16(out + 10, packet_fold(packet_sum(out, IP4_HLEN, 0)));
	return IP4_HLEN;
}

static size_t
ip_hlen(const struct probe *p)
{
	return p->src.family == ADDR_IPV6 ? IP6_HLEN : IP4_HLEN;
}

/* Checksum LEN transport bytes at L4 into their field at offset AT. */
static void
set_sum(uint8_t *l4, size_t len, size_t at, uint64_t pseudo)
{
	put16(l4 + at, 0);
	put16(l4 + at, packet_fold(packet_sum(l4, len, pseudo)));
}

static uint64_t
icmp_pseudo(const struct sender *from, const struct probe *p, size_t len)
{
	if (from->src.family == ADDR_IPV4)
		return 0;
	return packet_pseudo(&from->src, &p->src, IPPROTO_ICMPV6, len);
}

/* Quote at most ROOM bytes of P as they arrived: with their TTL then. */
static size_t
quote(uint8_t *out, const struct probe *p, const struct icmp_error *e,
    size_t room)
{
	size_t want = p->hlen + e->quote;
	size_t n = p->len < want ? p->len : want;

	if (e->nlabels > 0 && n < QUOTE_EXT)
		n = p->len < QUOTE_EXT ? p->len : QUOTE_EXT;
	if (n > room)
		n = room;
	memcpy(out, p->ip, n);
	if (p->src.family == ADDR_IPV6) {
		out[7] = e->quoted_ttl;
		return n;
	}
	out[8] = e->quoted_ttl;
	set_sum(out, p->hlen, 10, 0);
	return n;
}

/* The RFC 4950 object in its RFC 4884 structure. */
static size_t
extension(uint8_t *out, const struct icmp_error *e)
{
	size_t len = 8 + 4 * (size_t)e->nlabels;

	put32(out, 2u << 28);
	put16(out + 4, (uint32_t)(len - 4));
	out[6] = 1;
	out[7] = 1;
	for (int i = 0; i < e->nlabels; i++)
		put32(out + 8 + 4 * i, e->label[i]);
	set_sum(out, len, 2, 0);
	return len;
}

size_t
answer_error(uint8_t *out, const struct sender *from, const struct probe *p,
    const struct icmp_error *e)
{
	int v4 = from->src.family == ADDR_IPV4;
	size_t max = v4 ? ERROR4_MAX : ERROR6_MAX, unit = v4 ? 4 : 8;
	size_t ext = e->nlabels > 0 ? 8 + 4 * (size_t)e->nlabels : 0;
	uint8_t *icmp = out + ip_hlen(p);
	size_t n, len;

	len = quote(icmp + 8, p, e, (max - ip_hlen(p) - 8 - ext) / unit * unit);
	icmp[0] = e->type;
	icmp[1] = e->code;
	put32(icmp + 4, e->rest);
	if (ext > 0) {
		n = len < QUOTE_EXT ? QUOTE_EXT
				    : (len + unit - 1) / unit * unit;
		memset(icmp + 8 + len, 0, n - len);
		icmp[v4 ? 5 : 4] = (uint8_t)(n / unit);
		len = n + extension(icmp + 8 + n, e);
	}
	len += 8;
	set_sum(icmp, len, 2, icmp_pseudo(from, p, len));
	return len +
	    ip_header(out, from, p, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, len);
}

size_t
answer_echo(uint8_t *out, const struct sender *from, const struct probe *p)
{
	int v4 = from->src.family == ADDR_IPV4;
	uint8_t *icmp = out + ip_hlen(p);

	memcpy(icmp, p->l4, p->l4len);
	icmp[0] = v4 ? 0 : 129;
	icmp[1] = 0;
	set_sum(icmp, p->l4len, 2, icmp_pseudo(from, p, p->l4len));
	return p->l4len +
	    ip_header(
		out, from, p, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, p->l4len);
}

size_t
answer_time(uint8_t *out, const struct sender *from, const struct probe *p,
    uint32_t ms_of_day)
{
	uint8_t *icmp = out + IP4_HLEN;

	memset(icmp, 0, 20);
	memcpy(icmp, p->l4, p->l4len < 12 ? p->l4len : 12);
	icmp[0] = 14;
	icmp[1] = 0;
	put32(icmp + 12, ms_of_day);
	put32(icmp + 16, ms_of_day);
	set_sum(icmp, 20, 2, 0);
	return 20 + ip_header(out, from, p, IPPROTO_ICMP, 20);
}

size_t
answer_tcp(uint8_t *out, const struct sender *from, const struct probe *p,
    const struct tcp_reply *t)
{
	uint8_t *tcp = out + ip_hlen(p);
	size_t len = t->flags & 0x02 ? 24 : 20;

	memset(tcp, 0, len);
	put16(tcp, get16(p->l4 + 2));
	put16(tcp + 2, get16(p->l4));
	put32(tcp + 4, t->seq);
	put32(tcp + 8, t->ack);
	tcp[12] = (uint8_t)(len / 4 << 4);
	tcp[13] = t->flags;
	if (len == 24) {
		put16(tcp + 14, 65535);
		put32(tcp + 20, 2u << 24 | 4u << 16 | MSS);
	}
	set_sum(
	    tcp, len, 16, packet_pseudo(&from->src, &p->src, IPPROTO_TCP, len));
	return len + ip_header(out, from, p, IPPROTO_TCP, len);
}

/* --- IPv4 options --------------------------------------------------------- */

#define OPT_RR 7
#define OPT_TS 68
#define TS_ADDR 1
#define TS_PRESPEC 3

/* Bytes that A writes into option O at its pointer; 0: it does not. */
static size_t
slot_of(const uint8_t *o, const struct addr *a)
{
	int flag = o[3] & 15;

	if (o[0] == OPT_RR)
		return 4;
	if (o[0] != OPT_TS || (flag == TS_PRESPEC && o[2] + 7 > o[1]))
		return 0;
	if (flag == TS_PRESPEC)
		return memcmp(o + o[2] - 1, a->b, 4) == 0 ? 8 : 0;
	return flag == TS_ADDR ? 8 : 4;
}

static void
write_option(uint8_t *o, const struct addr *a, uint32_t ms_of_day)
{
	size_t n = slot_of(o, a);

	if (n == 0 || o[2] < 4 || o[2] - 1u + n > o[1])
		return;
	if (o[0] == OPT_RR || n == 8)
		memcpy(o + o[2] - 1, a->b, 4);
	if (o[0] == OPT_TS)
		put32(o + o[2] + n - 5, ms_of_day);
	o[2] = (uint8_t)(o[2] + n);
}

size_t
answer_option(
    uint8_t *out, size_t len, const struct probe *p, const struct writers *w)
{
	size_t n = p->hlen - IP4_HLEN;
	uint8_t *o = out + IP4_HLEN;

	memmove(o + n, o, len - IP4_HLEN);
	memcpy(o, p->ip + IP4_HLEN, n);
	for (int i = 0; i < w->n && o[1] <= n; i++)
		write_option(o, &w->addr[i], w->ms_of_day);
	out[0] = (uint8_t)(0x40 | (IP4_HLEN + n) / 4);
	put16(out + 2, (uint32_t)(len + n));
	set_sum(out, IP4_HLEN + n, 10, 0);
	return len + n;
}
