/*
 * ping_record: a finished ping as a warts record (contract: ping.h).
 */
#include <string.h>

#include "common/clock.h"
#include "prober/tech/ping.h"

#define US_PER_SEC 1000000u

#define OPTION_RR 7
#define OPTION_TS 68
#define TS_ADDR 1 /* flags of a timestamp option */
#define TS_PRESPEC 3

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

/* The pointer of an option is that of the next free slot, from 1. */
static size_t
option_used(const struct ping_answer *a)
{
	size_t used = a->rest->option[2] - 1u, len = a->rest->option[1];

	if (len > a->option_len)
		len = a->option_len;
	return used < len ? used : len;
}

static void
fill_route(const struct ping_answer *a, struct warts_ping_reply *out)
{
	size_t used = option_used(a);

	if (used < 7)
		return;
	out->rr.count = (uint8_t)((used - 3) / 4);
	out->rr.addr = technique_scratch(out->rr.count * sizeof(struct addr));
	for (int i = 0; i < out->rr.count; i++)
		out->rr.addr[i] =
		    addr_make(ADDR_IPV4, a->rest->option + 3 + 4 * i);
}

static void
fill_stamps(const struct ping_answer *a, struct warts_ping_reply *out)
{
	size_t used = option_used(a), slot = 4;
	int flag = a->rest->option[3] & 15, addrs = 0;

	if (flag == TS_ADDR || flag == TS_PRESPEC) {
		addrs = 1;
		slot = 8;
	}
	if (used < 4 + slot)
		return;
	out->ts.count = (uint8_t)((used - 4) / slot);
	out->ts.stamp_ms = technique_scratch(out->ts.count * sizeof(uint32_t));
	if (addrs) {
		out->ts.addr_count = out->ts.count;
		out->ts.addr =
		    technique_scratch(out->ts.count * sizeof(struct addr));
	}
	for (int i = 0; i < out->ts.count; i++) {
		const uint8_t *p = a->rest->option + 4 + slot * (size_t)i;

		if (addrs)
			out->ts.addr[i] = addr_make(ADDR_IPV4, p);
		out->ts.stamp_ms[i] = get32(addrs ? p + 4 : p);
	}
}

static void
fill_options(const struct ping_answer *a, struct warts_ping_reply *out)
{
	if (a->has_icmp_ts) {
		out->has_icmp_ts = 1;
		for (int i = 0; i < 3; i++)
			out->icmp_ts[i] = get32(a->rest->icmp_ts + 4 * i);
	}
	if (a->option_len >= 3 && a->rest->option[0] == OPTION_RR)
		fill_route(a, out);
	else if (a->option_len >= 4 && a->rest->option[0] == OPTION_TS)
		fill_stamps(a, out);
}

static void
fill_reply(const struct ping *p, const struct ping_answer *a, int64_t tx_ns,
    struct warts_ping_reply *out)
{
	out->addr = a->from;
	out->flags = WARTS_REPLY_TTL | WARTS_REPLY_DLRX | WARTS_REPLY_TOS;
	out->reply_ttl = a->ttl;
	out->reply_tos = a->tos;
	out->reply_size = a->size;
	out->icmp_type = a->icmp_type;
	out->icmp_code = a->icmp_code;
	out->rtt_us = a->rtt_us;
	out->probe = a->probe;
	out->protocol = a->protocol;
	out->tcp_flags = a->tcp_flags;
	out->nhmtu = a->nhmtu;
	out->tx = warts_tv_of(tx_ns);
	if (a->from.family == ADDR_IPV4) {
		out->flags |= WARTS_REPLY_IPID | WARTS_REPLY_PROBEIPID;
		out->reply_ipid = a->ipid;
		out->probe_ipid = ping_ipid(p, a->probe);
	} else if (a->has_fragid) {
		out->flags |= WARTS_REPLY_IPID;
		out->reply_fragid = a->fragid;
	}
	fill_options(a, out);
}

/* By number of the probe; those of one probe in order of arrival.  Nearly
 * always it goes to the end. */
static void
insert_reply(struct warts_ping *out, const struct warts_ping_reply *r)
{
	unsigned int n = out->nreplies++;

	for (; n > 0 && out->replies[n - 1].probe > r->probe; n--)
		out->replies[n] = out->replies[n - 1];
	out->replies[n] = *r;
}

static void
fill_replies(
    const struct ping *p, const struct ping_conf *c, struct warts_ping *out)
{
	const struct ping_answer *a = p->answers;
	struct probe pr = {.ttl = 0};

	if (p->nanswers != 0)
		out->replies =
		    technique_scratch(p->nanswers * sizeof(*out->replies));
	for (unsigned int n = 0; n < p->nanswers; n++) {
		struct warts_ping_reply r;

		a = a->next; /* the last one's is the first */
		memset(&r, 0, sizeof(r));
		fill_reply(p, a,
		    p->start_ns + (int64_t)ping_tx_us(p, a->probe) * NS_PER_US,
		    &r);
		ping_number(c, a->probe, &pr);
		if (pr.sport != c->sport)
			r.sport = pr.sport;
		insert_reply(out, &r);
	}
}

static void
fill_probe(
    const struct ping *p, const struct ping_conf *c, struct warts_ping *out)
{
	const struct technique_hex *data =
	    c->flags & WARTS_PING_PAYLOAD ? &c->payload : &c->pattern;

	out->data_len = data->len;
	out->data = data->bytes;
	out->probe_size = ping_size(c, out->dst.family);
	out->ttl = c->ttl;
	out->tos = c->tos;
	out->method = c->method;
	out->sport = c->sport;
	out->dport = c->dport;
	out->icmp_sum = c->icmp_sum;
	out->pmtu = c->mtu;
	out->tsps.count = c->tsps.count;
	out->tsps.addr = technique_scratch(sizeof(c->tsps.addr));
	memcpy(out->tsps.addr, c->tsps.addr, sizeof(c->tsps.addr));
	if (!warts_ping_is_icmp(c->method) && !warts_ping_is_udp(c->method)) {
		out->tcp_seq = ping_tcp_seq(p, c);
		out->tcp_ack = ping_tcp_ack(p, c);
	}
}

void
ping_record(struct task *t, struct technique_record *rec)
{
	const struct ping *p = task_state(t);
	const struct ping_conf *c = task_conf(t);
	struct warts_ping *out = &rec->ping;

	rec->type = WARTS_PING;
	memset(out, 0, sizeof(*out));
	out->src = *ping_src(t);
	out->dst = *task_dst(t);
	out->start = warts_tv_of(p->start_ns);
	out->stop_reason = p->stop_reason;
	out->stop_data = p->stop_data;
	out->rtr = c->route.via;
	out->flags = c->flags;
	out->probe_count = c->probe_count;
	out->reply_count = c->reply_count;
	out->ping_sent = p->nsent;
	out->wait_s = (uint8_t)(c->wait_us / US_PER_SEC);
	out->wait_us = c->wait_us % US_PER_SEC;
	out->timeout_s = (uint8_t)(c->timeout_us / US_PER_SEC);
	out->timeout_us = c->timeout_us % US_PER_SEC;
	out->user_id = c->user_id;
	fill_probe(p, c, out);
	fill_replies(p, c, out);
}
