#include "prober/net/packet_parse.h"

#include <netinet/in.h>
#include <string.h>

#define ICMP_TIME_REPLY 14
#define OPTION_RR 7
#define OPTION_TS 68
#define OPTION_LSRR 131
#define OPTION_SSRR 137
#define QUOTE_MIN_EXT 128 /* bytes of quote before an unannounced extension */

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

/* A, which is all zeros, becomes an address. */
static void
set_addr(struct addr *a, int family, const uint8_t *b)
{
	a->family = (uint8_t)family;
	if (family == ADDR_IPV4)
		memcpy(a->b, b, 4);
	else
		memcpy(a->b, b, 16);
}

/* The first 8 transport bytes of the quote: ports or ICMP id and sequence. */
static void
parse_quoted_l4(const uint8_t *p, size_t len, struct reply *out)
{
	if (len < 8)
		return;
	if (out->q_proto == IPPROTO_ICMP || out->q_proto == IPPROTO_ICMPV6) {
		out->q_csum = get16(p + 2);
		out->q_sport = get16(p + 4);
		out->q_dport = get16(p + 6);
		return;
	}
	out->q_sport = get16(p);
	out->q_dport = get16(p + 2);
	if (out->q_proto == IPPROTO_UDP) {
		out->q_csum = get16(p + 6);
	} else if (out->q_proto == IPPROTO_FRAGMENT) {
		out->q_sport = get16(p + 4); /* its identification */
		out->q_dport = get16(p + 6);
	}
}

/* The first record route or timestamp option among LEN bytes of options. */
static void
parse_options(const uint8_t *p, size_t len, struct reply *out)
{
	while (len >= 3 && p[0] != 0) {
		size_t n = p[0] == 1 ? 1 : p[1];

		if (n == 0 || n > len || (p[0] != 1 && n < 2))
			return;
		if (n >= 3 && (p[0] == OPTION_RR || p[0] == OPTION_TS)) {
			out->ip_option = p;
			out->ip_option_len = (uint8_t)n;
			return;
		}
		p += n;
		len -= n;
	}
}

/* Where a quoted packet with LEN bytes of options was to go in the end, if a
 * source route (RFC 791) had still some way to go. */
__attribute__((cold, noinline)) static void
parse_route(const uint8_t *p, size_t len, struct reply *out)
{
	while (len >= 3 && p[0] != 0) {
		size_t n = p[0] == 1 ? 1 : p[1];

		if (n == 0 || n > len || (p[0] != 1 && n < 2))
			return;
		if ((p[0] == OPTION_LSRR || p[0] == OPTION_SSRR) && n >= 7) {
			if (p[2] <= n - 3)
				set_addr(&out->target, ADDR_IPV4, p + n - 4);
			return;
		}
		p += n;
		len -= n;
	}
}

static int
parse_quote(const uint8_t *p, size_t len, int family, struct reply *out)
{
	size_t hlen;

	if (family == ADDR_IPV4) {
		if (len < 20 || p[0] >> 4 != 4)
			return -1;
		hlen = (size_t)(p[0] & 15) * 4;
		if (hlen < 20 || hlen > len)
			return -1;
		out->q_tos = p[1];
		out->q_len = get16(p + 2);
		out->q_ipid = get16(p + 4);
		out->q_ttl = p[8];
		out->q_proto = p[9];
		set_addr(&out->target, ADDR_IPV4, p + 16);
		/* How the probe got there, not how the error came back. */
		if (hlen > 20) {
			parse_options(p + 20, hlen - 20, out);
			parse_route(p + 20, hlen - 20, out);
		}
	} else {
		hlen = 40;
		if (len < hlen || p[0] >> 4 != 6)
			return -1;
		out->q_tos = (uint8_t)(p[0] << 4 | p[1] >> 4);
		out->q_ipid = get16(p + 2);
		out->q_len = (uint16_t)(get16(p + 4) + hlen);
		out->q_proto = p[6];
		out->q_ttl = p[7];
		set_addr(&out->target, ADDR_IPV6, p + 24);
	}
	parse_quoted_l4(p + hlen, len - hlen, out);
	return 0;
}

/*
 * RFC 4884: QUOTED bytes of quote by the length field, then a 4-byte header
 * (version 2, checksum) and objects.  P, LEN: from the quote on.
 */
static void
parse_extension(const uint8_t *p, size_t len, size_t quoted, struct reply *out)
{
	if (quoted == 0)
		quoted = QUOTE_MIN_EXT;
	if (quoted < QUOTE_MIN_EXT || len < quoted + 8)
		return;
	p += quoted;
	len -= quoted;
	if (len > 0xffff || p[0] >> 4 != 2)
		return;
	if (get16(p + 2) != 0 && packet_csum(packet_sum(p, len, 0)) != 0)
		return;
	out->ext = p + 4;
	out->ext_len = (uint16_t)(len - 4);
}

/* What an ICMP type is to us; unit: bytes per count of its length field. */
struct icmp_kind {
	uint8_t known, error, len_at, unit;
};

static const struct icmp_kind icmp4_kinds[256] = {
    [0] = {1, 0, 0, 0},
    [3] = {1, 1, 5, 4},
    [4] = {1, 1, 0, 0},
    [11] = {1, 1, 5, 4},
    [12] = {1, 1, 5, 4},
    [ICMP_TIME_REPLY] = {1, 0, 0, 0},
};

static const struct icmp_kind icmp6_kinds[256] = {
    [1] = {1, 1, 4, 8},
    [2] = {1, 1, 0, 0},
    [3] = {1, 1, 4, 8},
    [4] = {1, 1, 0, 0},
    [129] = {1, 0, 0, 0},
};

/* An echo or timestamp reply. */
static int
parse_icmp_reply(const uint8_t *p, size_t len, struct reply *out)
{
	out->kind = REPLY_ICMP_ECHO;
	out->target = out->from;
	out->icmp_id = get16(p + 4);
	out->icmp_seq = get16(p + 6);
	if (out->from.family == ADDR_IPV6 || p[0] != ICMP_TIME_REPLY)
		return 0;
	out->kind = REPLY_ICMP_TIME;
	out->icmp_stamps = p + 8;
	return len >= 20 ? 0 : -1;
}

static int
parse_icmp(const uint8_t *p, size_t len, int family, struct reply *out)
{
	const struct icmp_kind *k =
	    family == ADDR_IPV4 ? icmp4_kinds : icmp6_kinds;

	if (len < 8 || !k[p[0]].known)
		return -1;
	k += p[0];
	out->icmp_type = p[0];
	out->icmp_code = p[1];
	if (!k->error)
		return parse_icmp_reply(p, len, out);
	out->kind = REPLY_ICMP_ERROR;
	/* A next-hop MTU over 64 KiB (IPv6 only) cannot be told apart from no
	 * limit for any probe of ours. */
	if (family == ADDR_IPV4 ? (p[0] == 3 && p[1] == 4) : p[0] == 2)
		out->nhmtu =
		    p[4] | p[5] && family == ADDR_IPV6 ? 0xffff : get16(p + 6);
	if (parse_quote(p + 8, len - 8, family, out) == -1)
		return -1;
	if (k->unit != 0)
		parse_extension(
		    p + 8, len - 8, (size_t)p[k->len_at] * k->unit, out);
	return 0;
}

static int
parse_ports(const uint8_t *p, size_t len, int proto, struct reply *out)
{
	if (len < (proto == IPPROTO_TCP ? 20u : 8u))
		return -1;
	out->kind = proto == IPPROTO_TCP ? REPLY_TCP : REPLY_UDP;
	out->target = out->from;
	out->sport = get16(p);
	out->dport = get16(p + 2);
	if (proto == IPPROTO_TCP)
		out->tcp_flags = p[13];
	return 0;
}

static int
parse_l4(const uint8_t *p, size_t len, int proto, struct reply *out)
{
	out->protocol = (uint8_t)proto;
	switch (proto) {
	case IPPROTO_ICMP:
		return out->from.family == ADDR_IPV4
		    ? parse_icmp(p, len, ADDR_IPV4, out)
		    : -1;
	case IPPROTO_ICMPV6:
		return out->from.family == ADDR_IPV6
		    ? parse_icmp(p, len, ADDR_IPV6, out)
		    : -1;
	case IPPROTO_TCP:
	case IPPROTO_UDP:
		return parse_ports(p, len, proto, out);
	default:
		return -1;
	}
}

static int
parse_ipv4(const uint8_t *p, size_t len, struct reply *out)
{
	size_t hlen, total;

	if (len < 20)
		return -1;
	hlen = (size_t)(p[0] & 15) * 4;
	total = get16(p + 2);
	if (hlen < 20 || total < hlen || len < hlen)
		return -1;
	if (get16(p + 6) & 0x1fff)
		return -1; /* not the first fragment */
	out->size = (uint16_t)total;
	out->tos = p[1];
	out->ipid = get16(p + 4);
	out->ttl = p[8];
	set_addr(&out->from, ADDR_IPV4, p + 12);
	if (len > total)
		len = total; /* Ethernet padding */
	if (hlen > 20)
		parse_options(p + 20, hlen - 20, out);
	return parse_l4(p + hlen, len - hlen, p[9], out);
}

static int
parse_ipv6(const uint8_t *p, size_t len, struct reply *out)
{
	size_t total;

	if (len < 40)
		return -1;
	total = 40 + (size_t)get16(p + 4);
	out->size = (uint16_t)total;
	out->tos = (uint8_t)(p[0] << 4 | p[1] >> 4);
	out->ttl = p[7];
	set_addr(&out->from, ADDR_IPV6, p + 8);
	if (len > total)
		len = total;
	if (p[6] != IPPROTO_FRAGMENT)
		return parse_l4(p + 40, len - 40, p[6], out);
	if (len < 48 || get16(p + 42) & 0xfff8)
		return -1; /* not the first fragment */
	out->has_fragid = 1;
	out->fragid = (uint32_t)get16(p + 44) << 16 | get16(p + 46);
	return parse_l4(p + 48, len - 48, p[40], out);
}

int
packet_parse(const uint8_t *p, size_t len, struct reply *out)
{
	out->ext = out->icmp_stamps = out->ip_option = NULL;
	memset(&out->kind, 0, sizeof(*out) - offsetof(struct reply, kind));
	if (len < 1)
		return -1;
	if (p[0] >> 4 == 4)
		return parse_ipv4(p, len, out);
	if (p[0] >> 4 == 6)
		return parse_ipv6(p, len, out);
	return -1;
}
