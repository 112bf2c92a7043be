/*
 * show/ping_json: pings as JSON lines (contract: show.h).
 *
 * The two releases of scamper print the same things of a reply in another
 * order; each order is a table of the parts below.
 */
#include <stddef.h>

#include "common/show/json_out.h"
#include "common/show/parts.h"
#include "common/show/show.h"
#include "common/warts/record.h"

/* What a part of a reply is made from. */
struct about {
	const struct warts_ping *p;
	const struct warts_ping_reply *r;
	int newer; /* SHOW_2026 */
};

/* The ports of a probe, where one of them may vary from probe to probe. */
static uint16_t
probe_sport(const struct about *about)
{
	if (about->r->sport != 0)
		return about->r->sport;
	if (about->p->method == WARTS_PING_TCP_ACK_SPORT)
		return about->p->sport + about->r->probe;
	return about->p->sport;
}

static uint16_t
probe_dport(const struct about *about)
{
	if (about->p->method == WARTS_PING_UDP_DPORT)
		return about->p->dport + about->r->probe;
	return about->p->dport;
}

static void
addresses(struct json *j, const char *key, const struct warts_addrs *v)
{
	if (v->count == 0)
		return;
	json_open(j, key, '[');
	for (int i = 0; i < v->count; i++)
		json_addr(j, NULL, &v->addr[i]);
	json_close(j, ']');
}

/* --- the parts of a reply ------------------------------------------------- */

static void
reply_from(struct json *j, const struct about *about)
{
	json_addr(j, "from", &about->r->addr);
}

static void
reply_seq(struct json *j, const struct about *about)
{
	json_u32(j, "seq", about->r->probe);
}

static void
reply_size(struct json *j, const struct about *about)
{
	json_u32(j, "reply_size", about->r->reply_size);
	if (about->r->flags & WARTS_REPLY_TTL)
		json_u32(j, "reply_ttl", about->r->reply_ttl);
}

static void
reply_proto(struct json *j, const struct about *about)
{
	uint8_t protocol = about->r->protocol;

	json_str(j, "reply_proto",
	    protocol == 6	 ? "tcp"
		: protocol == 17 ? "udp"
				 : "icmp");
}

static void
reply_tx(struct json *j, const struct about *about)
{
	if (about->r->tx.sec != 0)
		parts_tv(j, "tx", j->sep, about->r->tx);
}

static void
reply_rx(struct json *j, const struct about *about)
{
	struct warts_tv t = about->r->tx;
	uint32_t usec = t.usec + about->r->rtt_us % 1000000;

	if (t.sec == 0)
		return;
	t.sec += about->r->rtt_us / 1000000 + usec / 1000000;
	t.usec = usec % 1000000;
	parts_tv(j, "rx", j->sep, t);
}

static void
reply_rtt(struct json *j, const struct about *about)
{
	json_milli(j, "rtt", about->r->rtt_us);
}

static void
probe_ipid(struct json *j, const struct about *about)
{
	if (about->r->flags & WARTS_REPLY_PROBEIPID)
		json_u32(j, "probe_ipid", about->r->probe_ipid);
}

static void
reply_ipid(struct json *j, const struct about *about)
{
	if (!(about->r->flags & WARTS_REPLY_IPID))
		return;
	json_u32(j, "reply_ipid",
	    about->p->dst.family == ADDR_IPV4 ? about->r->reply_ipid
					      : about->r->reply_fragid);
}

static void
probe_ids(struct json *j, const struct about *about)
{
	const struct warts_ping *p = about->p;

	if (warts_ping_is_icmp(p->method)) {
		json_u32(j, "icmp_id", p->sport);
		json_u32(j, "icmp_seq", (uint16_t)(p->dport + about->r->probe));
	} else if (!warts_ping_is_udp(p->method)) {
		json_u32(j, "tcp_sport", probe_sport(about));
		json_u32(j, "tcp_dport", probe_dport(about));
	} else {
		json_u32(j, "udp_sport", probe_sport(about));
		json_u32(j, "udp_dport", probe_dport(about));
	}
}

static void
reply_arrival(struct json *j, const struct about *about)
{
	static const struct json_word words[] = {
	    {WARTS_REPLY_DLTX, "dltxts"},
	    {WARTS_REPLY_DLRX, "dlrxts"},
	    {0, NULL},
	};

	if (about->r->ifname != NULL)
		json_str(j, "ifname", about->r->ifname);
	json_words(j, "reply_flags", about->r->flags, words);
}

static void
reply_tos(struct json *j, const struct about *about)
{
	if (about->r->flags & WARTS_REPLY_TOS)
		json_u32(j, "reply_tos", about->r->reply_tos);
}

static void
reply_message(struct json *j, const struct about *about)
{
	const struct warts_ping_reply *r = about->r;

	if (warts_reply_is_icmp(r)) {
		json_u32(j, "icmp_type", r->icmp_type);
		json_u32(j, "icmp_code", r->icmp_code);
		if (about->newer && warts_reply_is_too_big(r))
			json_u32(j, "icmp_nhmtu", r->nhmtu);
	} else if (r->protocol == 6) {
		json_u32(j, "tcp_flags", r->tcp_flags);
	}
}

static void
reply_route(struct json *j, const struct about *about)
{
	addresses(j, "RR", &about->r->rr);
}

static void
reply_stamps(struct json *j, const struct about *about)
{
	const struct warts_stamps *ts = &about->r->ts;
	const char *sep = j->sep;

	if (ts->count == 0)
		return;
	json_open(j, ts->addr_count != 0 ? "tsandaddr" : "tsonly", '[');
	j->sep = ",";
	for (int i = 0; i < ts->count; i++) {
		if (ts->addr_count == 0) {
			json_u32(j, NULL, ts->stamp_ms[i]);
			continue;
		}
		json_open(j, NULL, '{');
		if (about->newer)
			json_u32(j, "ts", ts->stamp_ms[i]);
		json_addr(j, "ip", &ts->addr[i]);
		if (!about->newer)
			json_u32(j, "ts", ts->stamp_ms[i]);
		json_close(j, '}');
	}
	j->sep = sep;
	json_close(j, ']');
}

typedef void part_fn(struct json *, const struct about *);

static part_fn *const order_2021[] = {reply_from, reply_seq, reply_size,
    reply_proto, reply_tx, reply_rx, reply_rtt, probe_ipid, reply_ipid,
    reply_message, reply_stamps, reply_route, NULL};
static part_fn *const order_2026[] = {reply_from, reply_size, reply_seq,
    reply_tx, probe_ids, probe_ipid, reply_proto, reply_arrival, reply_rx,
    reply_rtt, reply_ipid, reply_tos, reply_message, reply_route, reply_stamps,
    NULL};

static void
replies(struct json *j, const struct warts_ping *p, int newer)
{
	const char *sep = j->sep;

	json_open(j, "responses", '[');
	for (int i = 0; i < p->nreplies; i++) {
		struct about about = {p, &p->replies[i], newer};
		part_fn *const *part = newer ? order_2026 : order_2021;

		json_open(j, NULL, '{');
		for (; *part != NULL; part++)
			(*part)(j, &about);
		json_close(j, '}');
	}
	json_close(j, ']');
	/* What scamper puts behind an array of 2021. */
	j->sep = ",";
	if (newer) {
		json_open(j, "no_responses", '[');
		json_close(j, ']');
	}
	json_open(j, "statistics", '{');
	j->sep = sep;
}

/* --- the ping ------------------------------------------------------------- */

static void
statistics(
    struct json *j, const struct warts_ping *p, enum show_generation generation)
{
	struct show_ping_stats st = show_ping_stats(p, generation);

	json_u32(j, "replies", st.replies);
	if (p->ping_sent != 0) {
		if (st.replies == 0 || st.replies >= p->ping_sent)
			json_u32(j, "loss", st.replies == 0);
		else
			json_share(
			    j, "loss", p->ping_sent - st.replies, p->ping_sent);
	}
	if (st.replies + st.dups != 0) {
		json_milli(j, "min", st.min_us);
		json_milli(j, "max", st.max_us);
		json_milli(j, "avg", st.avg_us);
		json_milli(j, "stddev", st.stddev_us);
	}
	if (generation != SHOW_2026)
		return;
	if (st.dups != 0)
		json_u32(j, "ndups", st.dups);
	if (st.errors != 0)
		json_u32(j, "nerrs", st.errors);
}

static const char *
method_word(uint8_t method)
{
	return method <= WARTS_PING_UDP_SPORT ? warts_ping_methods[method]
					      : NULL;
}

static const char *
stop_word(uint8_t reason)
{
	static const char *const words[] = {
	    [WARTS_PING_STOP_NONE] = "none",
	    [WARTS_PING_STOP_COMPLETED] = "done",
	    [WARTS_PING_STOP_ERROR] = "error",
	    [WARTS_PING_STOP_HALTED] = "halted",
	    [WARTS_PING_STOP_INPROGRESS] = "inprogress",
	};

	return reason < sizeof(words) / sizeof(words[0]) ? words[reason] : NULL;
}

static void
ping_head(struct json *j, const struct warts_ping *p, int newer)
{
	json_str(j, "type", "ping");
	json_str(j, "version", "0.4");
	json_word_or_number(j, "method", method_word(p->method), p->method);
	if (p->src.family != ADDR_NONE)
		json_addr(j, "src", &p->src);
	json_addr(j, "dst", &p->dst);
	if (p->rtr.family != ADDR_NONE)
		json_addr(j, "rtr", &p->rtr);
	parts_tv(j, "start", ",", p->start);
	if (newer) {
		json_word_or_number(j, "stop_reason", stop_word(p->stop_reason),
		    p->stop_reason);
		json_u32(j, "stop_data", p->stop_data);
		if (p->errmsg != NULL)
			json_str(j, "errmsg", p->errmsg);
	}
	json_u32(j, "ping_sent", p->ping_sent);
	json_u32(j, "probe_size", p->probe_size);
	json_u32(j, "userid", p->user_id);
	json_u32(j, "ttl", p->ttl);
	if (newer)
		json_u32(j, "tos", p->tos);
	json_u32(j, "wait", p->wait_s);
	if (p->wait_us != 0)
		json_u32(j, "wait_us", p->wait_us);
	json_u32(j, "timeout", p->timeout_s);
	if (p->timeout_us != 0 && newer)
		json_u32(j, "timeout_us", p->timeout_us);
}

static void
ping_probe(struct json *j, const struct warts_ping *p)
{
	static const struct json_word words[] = {
	    {WARTS_PING_V4RR, "v4rr"},
	    {WARTS_PING_SPOOF, "spoof"},
	    {WARTS_PING_PAYLOAD, "payload"},
	    {WARTS_PING_TSONLY, "tsonly"},
	    {WARTS_PING_TSANDADDR, "tsandaddr"},
	    {WARTS_PING_ICMPSUM, "icmpsum"},
	    {WARTS_PING_DL, "dl"},
	    {WARTS_PING_TBT, "tbt"},
	    {WARTS_PING_NOSRC, "nosrc"},
	    {WARTS_PING_RAW, "raw"},
	    {WARTS_PING_SOCKRX, "sockrx"},
	    {WARTS_PING_DLTX, "dltx"},
	    {0, NULL},
	};

	if (!warts_ping_is_icmp(p->method)) {
		json_u32(j, "sport", p->sport);
		json_u32(j, "dport", p->dport);
	}
	if (!warts_ping_is_icmp(p->method) && !warts_ping_is_udp(p->method)) {
		json_u32(j, "tcp_seq", p->tcp_seq);
		json_u32(j, "tcp_ack", p->tcp_ack);
	}
	if (p->data_len != 0)
		json_hex(j,
		    p->flags & WARTS_PING_PAYLOAD ? "payload" : "pattern",
		    p->data, p->data_len);
	json_words(j, "flags", p->flags, words);
	if (p->flags & WARTS_PING_ICMPSUM && warts_ping_is_icmp(p->method))
		json_u32(j, "icmp_csum", p->icmp_sum);
	addresses(j, "probe_tsps", &p->tsps);
}

void
show_json_ping(struct wbuf *out, const struct show_context *ctx,
    const struct warts_ping *p)
{
	int newer = ctx->generation == SHOW_2026;
	struct json j = {.out = out, .sep = newer ? "," : ", "};

	json_open(&j, NULL, '{');
	ping_head(&j, p, newer);
	ping_probe(&j, p);
	if (newer && ctx->list != NULL && ctx->list->monitor != NULL)
		json_str(&j, "monitor", ctx->list->monitor);
	replies(&j, p, newer);
	statistics(&j, p, ctx->generation);
	json_close(&j, '}');
	json_close(&j, '}');
	wbuf_u8(out, '\n');
}
