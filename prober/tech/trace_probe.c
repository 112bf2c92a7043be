/*
 * trace_probe: a probe as the builder of packets wants it, and the probe that
 * a reply is an answer to.
 *
 * Paris methods keep everything constant that a per-flow load balancer hashes,
 * so that all probes of a trace take one path; the probe's number goes where
 * routers quote it back:
 *
 *	method         constant                  number in
 *	udp-paris      ports                     UDP checksum and IPv4 id
 *	  const-payload  ports, checksum         IPv4 id, IPv6 flow label
 *	udp            source port               destination port
 *	icmp-paris     ICMP id, ICMP checksum    ICMP sequence
 *	icmp           ICMP id                   ICMP sequence
 *	tcp, tcp-ack   ports                     IPv4 id, IPv6 flow label
 *	a fragment     offset                    its identification, low half
 *
 * Numbers: probe 0 is the first of the trace, over all hops; on the wire the
 * UDP checksum, the IPv4 id and the flow label carry number + 1 (a UDP
 * checksum cannot be 0).
 */
#include <netinet/in.h>
#include <string.h>

#include "prober/tech/source_route.h"
#include "prober/tech/trace.h"

#define TCP_FLAG_SYN 0x02
#define TCP_FLAG_ACK 0x10

/* --- sending -------------------------------------------------------------------- */

static void
number_tcp(const struct trace_conf *c, unsigned int number, struct probe *pr)
{
	pr->tcp_flags = c->method == TCP ? TCP_FLAG_SYN : TCP_FLAG_ACK;
	pr->has_flow = 1;
	pr->flow = number + 1;
}

/* What number NUMBER (from 0) means on the wire, by method. */
static void
number_probe(const struct trace_conf *c, unsigned int number, struct probe *pr)
{
	pr->ipid = (uint16_t)(number + 1);
	pr->sport = c->sport;
	pr->dport = c->dport;
	switch (c->method) {
	case UDP_PARIS:
		if (c->flags & WARTS_TRACE_CONSTPAYLOAD) {
			pr->has_flow = 1;
			pr->flow = number + 1;
			break;
		}
		pr->fix_csum = 1;
		pr->csum = (uint16_t)(number + 1);
		break;
	case UDP:
		pr->dport = (uint16_t)(c->dport + number);
		break;
	case ICMP_PARIS:
		pr->fix_csum = 1;
		pr->csum = c->dport;
		/* FALLTHROUGH */
	case ICMP:
		pr->dport = (uint16_t)number;
		break;
	default:
		number_tcp(c, number, pr);
		break;
	}
}

/* What it would be a fragment of. */
static uint8_t
fragment_protocol(const struct trace_conf *c)
{
	if (trace_is_icmp(c))
		return IPPROTO_ICMPV6;
	return trace_is_tcp(c) ? IPPROTO_TCP : IPPROTO_UDP;
}

/* The payload of a fragment begins with its number. */
static void
fragment_probe(
    const struct trace_conf *c, unsigned int number, struct probe *pr)
{
	static uint8_t data[sizeof(c->payload.bytes)];

	pr->fix_csum = 0;
	pr->offset = c->offset;
	pr->fragment_of = fragment_protocol(c);
	pr->fragid = (uint32_t)c->sport << 16 | (number & 0xffff);
	pr->has_flow = 1;
	pr->flow = 0;
	memset(data, 0, sizeof(data));
	if (pr->payload != NULL)
		memcpy(data, pr->payload, pr->payload_len);
	for (int i = 0; i < 4; i++)
		data[i] = (uint8_t)(number >> (24 - 8 * i));
	pr->payload = data;
}

void
trace_make(struct task *t, unsigned int number, struct probe *pr)
{
	const struct trace_conf *c = task_conf(t);

	memset(pr, 0, sizeof(*pr));
	pr->src = task_src(t);
	pr->dst = task_dst(t);
	pr->kind = c->kind;
	pr->tos = c->tos;
	pr->id = number;
	pr->payload = c->payload.len > 0 ? c->payload.bytes : NULL;
	pr->payload_len = trace_payload_len(c, pr->dst->family);
	number_probe(c, number, pr);
}

void
trace_make_rare(struct task *t, unsigned int number, struct probe *pr)
{
	const struct trace_conf *c = task_conf(t);

	if (c->lsrr.count != 0)
		source_route_put(&c->lsrr, pr);
	if (c->offset != 0)
		fragment_probe(c, number, pr);
}

void
trace_make_large(struct task *t, struct probe *pr, uint16_t size)
{
	int family = task_dst(t)->family;
	size_t headers =
	    packet_build_headers_of(family, pr->kind) + pr->ip_option_len;

	pr->payload_len = size > headers ? (uint16_t)(size - headers) : 0;
	if (pr->payload_len < 2)
		pr->fix_csum = 0;
	pr->payload = NULL;
}

/* --- matching --------------------------------------------------------------------- */

/* Number of the probe whose wire id (from 1) was ID, -1 if never sent. */
static int
by_id(const struct trace *tr, unsigned int id)
{
	return id >= 1 && id <= tr->nprobes ? (int)id - 1 : -1;
}

static uint16_t
swapped(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

/* Some routers change the IPv4 id they quote: by one, or its byte order.  In
 * IPv6 the flow label has its place. */
static int
by_ipid(const struct trace *tr, uint16_t ipid)
{
	int n = by_id(tr, ipid);

	if (n == -1)
		n = by_id(tr, ipid - 1u);
	if (n == -1)
		n = by_id(tr, swapped(ipid));
	return n;
}

/* A fragment is quoted with its own header. */
static int
match_fragment(
    const struct trace *tr, const struct trace_conf *c, const struct reply *r)
{
	if (r->kind != REPLY_ICMP_ERROR || r->q_proto != IPPROTO_FRAGMENT ||
	    r->q_sport != c->sport)
		return -1;
	return by_id(tr, r->q_dport + 1u);
}

static int
match_udp(
    const struct trace *tr, const struct trace_conf *c, const struct reply *r)
{
	if (r->q_proto != IPPROTO_UDP || r->q_sport != c->sport)
		return -1;
	if (c->method == UDP)
		return by_id(tr, (uint16_t)(r->q_dport - c->dport) + 1u);
	if (r->q_dport != c->dport)
		return -1;
	if (c->flags & WARTS_TRACE_CONSTPAYLOAD)
		return by_ipid(tr, r->q_ipid);
	/* Where both numbers agree, but for what is done to the id on the way,
	 * there is no doubt. */
	if (r->from.family == ADDR_IPV6 || r->q_csum == r->q_ipid ||
	    r->q_csum == r->q_ipid - 1 || r->q_csum == swapped(r->q_ipid))
		return by_id(tr, r->q_csum);
	return by_ipid(tr, r->q_ipid);
}

static int
match_icmp(
    const struct trace *tr, const struct trace_conf *c, const struct reply *r)
{
	if (r->kind == REPLY_ICMP_ECHO)
		return r->icmp_id == c->sport ? by_id(tr, r->icmp_seq + 1u)
					      : -1;
	if (r->q_proto != IPPROTO_ICMP && r->q_proto != IPPROTO_ICMPV6)
		return -1;
	if (r->q_sport != c->sport)
		return -1;
	return by_id(tr, r->q_dport + 1u);
}

/* Has probe NUMBER left? */
static int
has_left(const struct task *t, const struct trace *tr, int number)
{
	return trace_tx_us(trace_probe_get(t, tr, (unsigned int)number)) !=
	    TX_UNKNOWN;
}

/* The last probe that has left; -1 if none. */
static int
last_sent(const struct task *t, const struct trace *tr)
{
	int n = tr->nprobes - 1;

	while (n >= 0 && !has_left(t, tr, n))
		n--;
	return n;
}

static int
match_tcp(const struct task *t, const struct trace *tr, const struct reply *r)
{
	const struct trace_conf *c = task_conf(t);

	if (r->kind == REPLY_TCP)
		return r->dport == c->sport && r->sport == c->dport
		    ? last_sent(t, tr)
		    : -1;
	if (r->kind != REPLY_ICMP_ERROR || r->q_proto != IPPROTO_TCP ||
	    r->q_sport != c->sport || r->q_dport != c->dport)
		return -1;
	return by_ipid(tr, r->q_ipid);
}

int
trace_match(const struct task *t, const struct trace *tr, const struct reply *r)
{
	const struct trace_conf *c = task_conf(t);

	if (c->kind == PROBE_UDP && r->kind == REPLY_ICMP_ERROR)
		return match_udp(tr, c, r);
	if (c->kind == PROBE_ICMP_ECHO)
		return match_icmp(tr, c, r);
	if (c->kind == PROBE_FRAGMENT)
		return match_fragment(tr, c, r);
	if (c->kind == PROBE_TCP)
		return match_tcp(t, tr, r);
	return r->kind == REPLY_UDP && r->dport == c->sport
	    ? last_sent(t, tr) /* no number in it */
	    : -1;
}
