#include "common/show/tbit_packet.h"

#define PROTO_ICMP 1
#define PROTO_TCP 6
#define PROTO_FRAGMENT 44
#define PROTO_ICMPV6 58

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

/* The headers of IPv4 at P, N bytes. */
static void
take_ip4(struct tbit_packet *t, const uint8_t *p, size_t n)
{
	t->ip_hlen = (uint16_t)((p[0] & 15) * 4);
	if (t->ip_hlen < 20 || t->ip_hlen > n)
		return;
	t->version = 4;
	t->len = get16(p + 2);
	t->ecn = p[1] & 3;
	t->ttl = p[8];
	t->proto = p[9];
	t->has_frag = 1;
	t->frag_id = get16(p + 4);
	t->frag_off = (uint16_t)((get16(p + 6) & 0x1fff) * 8);
	t->frag_mf = p[6] >> 5 & 1;
	t->frag_df = p[6] >> 6 & 1;
}

/* The headers of IPv6 at P, N bytes. */
static void
take_ip6(struct tbit_packet *t, const uint8_t *p, size_t n)
{
	if (n < 40)
		return;
	t->version = 6;
	t->ip_hlen = 40;
	t->len = (uint16_t)(get16(p + 4) + 40);
	t->ecn = p[1] >> 4 & 3;
	t->ttl = p[7];
	t->proto = p[6];
	if (t->proto != PROTO_FRAGMENT || n < 48)
		return;
	t->ip_hlen = 48;
	t->has_frag = 1;
	t->proto = p[40];
	t->frag_off = get16(p + 42) & 0xfff8;
	t->frag_mf = p[43] & 1;
	t->frag_id = get32(p + 44);
}

/* The TCP header at P, N bytes. */
static void
take_tcp(struct tbit_packet *t, const uint8_t *p, size_t n)
{
	if (n < 20)
		return;
	t->tcp_hlen = (uint16_t)((p[12] >> 4) * 4);
	if (t->tcp_hlen < 20 || t->tcp_hlen > n)
		return;
	t->is_tcp = 1;
	t->seq = get32(p + 4);
	t->ack = get32(p + 8);
	t->tcp_flags = p[13];
	t->win = get16(p + 14);
	t->options = p + 20;
	t->optlen = t->tcp_hlen - 20;
	if (t->len > t->ip_hlen + t->tcp_hlen)
		t->datalen = t->len - t->ip_hlen - t->tcp_hlen;
}

struct tbit_packet
tbit_packet(const struct warts_packet *packet)
{
	struct tbit_packet t = {0};
	const uint8_t *p = packet->data.data;
	size_t n = packet->data.len;

	if (n >= 20 && p[0] >> 4 == 4)
		take_ip4(&t, p, n);
	else if (n != 0 && p[0] >> 4 == 6)
		take_ip6(&t, p, n);
	if (t.version == 0)
		return t;
	p += t.ip_hlen;
	n -= t.ip_hlen;
	if (t.frag_off != 0)
		return t;
	if (t.proto == PROTO_TCP)
		take_tcp(&t, p, n);
	if (n < 8)
		return t;
	if (t.version == 4 && t.proto == PROTO_ICMP && p[0] == 3 && p[1] == 4) {
		t.is_too_big = 1;
		t.mtu = get16(p + 6);
	}
	if (t.version == 6 && t.proto == PROTO_ICMPV6 && p[0] == 2) {
		t.is_too_big = 1;
		t.mtu = get32(p + 4);
	}
	return t;
}
