/*
 * ping_probe: the probes of a ping (contract: ping.h).
 *
 * An IPv4 option is sent once for each slot that it has: nine addresses or
 * timestamps, four of both (RFC 791).
 */
#include <string.h>

#include "common/clock.h"
#include "prober/tech/ping.h"

#define MS_PER_DAY 86400000
#define OPTION_MAX 40 /* bytes of options in an IPv4 header */
#define PAYLOAD_ECHO 56
#define PAYLOAD_TIME 44 /* the three stamps are in it */
#define PAYLOAD_UDP 12

#define MSS_LEN 4 /* TCP option: maximum segment size (RFC 9293, 3.2) */

#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

/* Record route of nine slots (RFC 791): 39 bytes and the end of options. */
#define RR_LEN 40
static const uint8_t option_rr[RR_LEN] = {7, 39, 4};
/* Timestamps only, nine; with addresses, four. */
#define TSONLY_LEN 40
static const uint8_t option_tsonly[TSONLY_LEN] = {68, 40, 5, 0};
#define TSANDADDR_LEN 36
static const uint8_t option_tsandaddr[TSANDADDR_LEN] = {68, 36, 5, 1};

uint16_t
ping_ipid(const struct ping *p, unsigned int number)
{
	return (uint16_t)(1 + (p->random % 65535 + number * 28643u) % 65535);
}

uint32_t
ping_tcp_seq(const struct ping *p, const struct ping_conf *c)
{
	int syn = c->method == WARTS_PING_TCP_SYN ||
	    c->method == WARTS_PING_TCP_SYN_SPORT ||
	    c->method == WARTS_PING_TCP_RST;

	return syn && c->has_number ? c->tcp_number : p->random * 2654435761u;
}

uint32_t
ping_tcp_ack(const struct ping *p, const struct ping_conf *c)
{
	switch (c->method) {
	case WARTS_PING_TCP_ACK:
	case WARTS_PING_TCP_ACK_SPORT:
	case WARTS_PING_TCP_SYNACK:
		return c->has_number ? c->tcp_number : p->random * 2246822519u;
	default:
		return 0;
	}
}

static uint8_t
tcp_flags(const struct ping_conf *c)
{
	switch (c->method) {
	case WARTS_PING_TCP_SYN:
	case WARTS_PING_TCP_SYN_SPORT:
		return TCP_SYN;
	case WARTS_PING_TCP_SYNACK:
		return TCP_SYN | TCP_ACK;
	case WARTS_PING_TCP_RST:
		return TCP_RST;
	default:
		return TCP_ACK;
	}
}

/* The IPv4 option of the probes in OUT (40 bytes); its length, 0 if none. */
static uint8_t
build_option(const struct ping_conf *c, uint8_t *out)
{
	if (c->flags & WARTS_PING_V4RR) {
		memcpy(out, option_rr, RR_LEN);
		return RR_LEN;
	}
	if (c->flags & WARTS_PING_TSONLY) {
		memcpy(out, option_tsonly, TSONLY_LEN);
		return TSONLY_LEN;
	}
	if (c->flags & WARTS_PING_TSANDADDR) {
		memcpy(out, option_tsandaddr, TSANDADDR_LEN);
		return TSANDADDR_LEN;
	}
	if (c->tsps.count == 0)
		return source_route_len(&c->lsrr);
	memset(out, 0, 40);
	out[0] = 68;
	out[1] = (uint8_t)(4 + 8 * c->tsps.count);
	out[2] = 5;
	out[3] = 3;
	for (int i = 0; i < c->tsps.count; i++)
		memcpy(out + 4 + 8 * i, c->tsps.addr[i].b, 4);
	return out[1];
}

static enum probe_kind
kind_of(uint8_t method)
{
	if (method == WARTS_PING_ICMP_TIME)
		return PROBE_ICMP_TIME;
	if (method == WARTS_PING_ICMP_ECHO)
		return PROBE_ICMP_ECHO;
	return warts_ping_is_udp(method) ? PROBE_UDP : PROBE_TCP;
}

/* Headers of a probe: IP with the option, and what is behind it. */
static size_t
headers(const struct ping_conf *c, int family)
{
	uint8_t option[40];
	size_t n = packet_build_headers_of(family, kind_of(c->method));

	if (family == ADDR_IPV4)
		n += build_option(c, option);
	return c->mss != 0 ? n + MSS_LEN : n;
}

size_t
ping_own_len(const struct ping_conf *c, int family)
{
	if (!(c->flags & WARTS_PING_SPOOF) || c->flags & WARTS_PING_NOSRC)
		return 0;
	return family == ADDR_IPV4 ? 4 : 16;
}

/* Bytes of the stamps in front of the data of a timestamp request. */
static size_t
stamps_len(const struct ping_conf *c)
{
	return c->method == WARTS_PING_ICMP_TIME ? 12 : 0;
}

size_t
ping_size_min(const struct ping_conf *c, int family)
{
	size_t data = stamps_len(c);

	if (c->payload.len > data)
		data = c->payload.len;
	if (c->has_sum && data < 2)
		data = 2;
	return headers(c, family) + ping_own_len(c, family) + data;
}

uint16_t
ping_size(const struct ping_conf *c, int family)
{
	size_t data = ping_own_len(c, family), n = headers(c, family);

	if (c->size != 0)
		return c->size;
	if (c->has_data_size && n + c->data_size > UINT16_MAX)
		return UINT16_MAX;
	if (c->has_data_size)
		return (uint16_t)(n + c->data_size);
	if (c->method == WARTS_PING_ICMP_ECHO)
		data += PAYLOAD_ECHO;
	else if (c->method == WARTS_PING_ICMP_TIME)
		data += PAYLOAD_TIME;
	else if (warts_ping_is_udp(c->method))
		data += PAYLOAD_UDP;
	if (c->flags & WARTS_PING_PAYLOAD)
		return (uint16_t)ping_size_min(c, family);
	return (uint16_t)(n + data);
}

/* When probe NUMBER leaves, as near as can be known while it is made. */
static int64_t
leaves_ns(const struct ping *p, const struct ping_conf *c, unsigned int number)
{
	if (number == 0)
		return p->start_ns;
	return p->start_ns +
	    ((int64_t)ping_tx_us(p, number - 1) + c->wait_us) * NS_PER_US;
}

/* What stands behind the headers: LEN bytes at OUT. */
static void
fill_data(const struct ping_conf *c, uint8_t *out, size_t len, int64_t wall_ns)
{
	const struct technique_hex *hex =
	    c->flags & WARTS_PING_PAYLOAD ? &c->payload : &c->pattern;
	uint32_t ms = (uint32_t)(wall_ns / NS_PER_MS % MS_PER_DAY);

	memset(out, 0, len);
	for (size_t i = 0; hex->len != 0 && i < len; i++) {
		if (i >= hex->len && c->flags & WARTS_PING_PAYLOAD)
			break;
		out[i] = hex->bytes[i % hex->len];
	}
	if (c->method != WARTS_PING_ICMP_TIME || len < 12)
		return;
	memset(out, 0, 12);
	for (int i = 0; i < 4; i++)
		out[i] = (uint8_t)(ms >> (24 - 8 * i));
}

const struct addr *
ping_src(const struct task *t)
{
	const struct ping_conf *c = task_conf(t);

	return c->flags & WARTS_PING_SPOOF && c->source.family != ADDR_NONE
	    ? &c->source
	    : task_src(t);
}

/* Put our own address into the LEN bytes of data, behind the stamps. */
static void
put_own(const struct task *t, uint8_t *data, size_t len)
{
	const struct ping_conf *c = task_conf(t);
	size_t own = ping_own_len(c, task_dst(t)->family), at = stamps_len(c);

	if (own == 0 || at + own > len)
		return;
	memmove(data + at + own, data + at, len - at - own);
	memcpy(data + at, task_src(t)->b, own);
}

void
ping_number(const struct ping_conf *c, unsigned int number, struct probe *pr)
{
	pr->sport = c->sport;
	pr->dport = c->dport;
	switch (c->method) {
	case WARTS_PING_ICMP_ECHO:
	case WARTS_PING_ICMP_TIME:
	case WARTS_PING_UDP_DPORT:
		pr->dport = (uint16_t)(c->dport + number);
		break;
	case WARTS_PING_TCP_ACK_SPORT:
	case WARTS_PING_TCP_SYN_SPORT:
	case WARTS_PING_UDP_SPORT:
		pr->sport = (uint16_t)(c->sport + number);
		break;
	default:
		break;
	}
}

/* The option is the beginning of what is behind the TCP header. */
static void
put_mss(struct probe *pr, uint8_t *data, uint16_t mss)
{
	data[0] = 2;
	data[1] = MSS_LEN;
	data[2] = (uint8_t)(mss >> 8);
	data[3] = (uint8_t)mss;
	pr->payload_len = (uint16_t)(pr->payload_len + MSS_LEN);
}

void
ping_make(struct task *t, unsigned int number, struct probe *pr)
{
	static uint8_t option[OPTION_MAX], data[PROBE_SIZE_MAX];
	const struct ping *p = task_state(t);
	const struct ping_conf *c = task_conf(t);
	int family = task_dst(t)->family;

	memset(pr, 0, sizeof(*pr));
	pr->src = ping_src(t);
	pr->dst = task_dst(t);
	pr->kind = kind_of(c->method);
	pr->ttl = c->ttl;
	pr->tos = c->tos;
	pr->id = number;
	pr->ipid = ping_ipid(p, number);
	ping_number(c, number, pr);
	pr->tcp_seq = ping_tcp_seq(p, c);
	pr->tcp_ack = ping_tcp_ack(p, c);
	pr->tcp_flags = tcp_flags(c);
	pr->tcp_window = 65535;
	if (family == ADDR_IPV4)
		pr->ip_option_len = build_option(c, option);
	pr->ip_option = option;
	if (c->lsrr.count != 0)
		source_route_put(&c->lsrr, pr);
	pr->payload_len = (uint16_t)(ping_size(c, family) - headers(c, family));
	if (pr->payload_len > sizeof(data) - MSS_LEN)
		return; /* will not fit a frame either */
	if (c->mss != 0)
		pr->tcp_option_len = MSS_LEN;
	fill_data(c, data + pr->tcp_option_len, pr->payload_len,
	    leaves_ns(p, c, number));
	put_own(t, data + pr->tcp_option_len, pr->payload_len);
	if (c->mss != 0)
		put_mss(pr, data, c->mss);
	pr->payload = data;
	pr->fix_csum = c->has_sum && pr->payload_len >= 2;
	pr->csum = c->icmp_sum;
}

void
ping_make_too_big(struct task *t, struct probe *pr)
{
	const struct ping_conf *c = task_conf(t);
	const struct ping *p = task_state(t);
	const struct ping_more *m = p->more;

	memset(pr, 0, sizeof(*pr));
	pr->src = task_src(t);
	pr->dst = task_dst(t);
	pr->kind = PROBE_TOO_BIG;
	pr->ttl = 255;
	pr->ipid = ping_ipid(p, p->nsent);
	pr->id = PING_TOO_BIG_ID;
	pr->has_flow = 1;
	pr->dport = c->mtu;
	pr->payload = m->quote;
	pr->payload_len = m->quote_len;
}
