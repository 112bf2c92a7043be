/*
 * show/others: what scamper prints of sting, neighbourdisc, udpprobe and owamp
 * (contract: more.h).
 */
#include <stddef.h>

#include "common/show/more.h"
#include "common/show/parts.h"
#include "common/warts/neighbourdisc.h"
#include "common/warts/owamp.h"
#include "common/warts/sting.h"
#include "common/warts/udpprobe.h"

/* Microseconds as a time. */
static struct warts_tv
tv_of_us(uint32_t us)
{
	return (struct warts_tv){us / 1000000, us % 1000000};
}

static void
monitor(struct json *j, const struct show_context *ctx)
{
	if (ctx->list != NULL && ctx->list->monitor != NULL)
		json_str(j, "monitor", ctx->list->monitor);
}

/* --- sting ------------------------------------------------------------------ */

/*
 *	sting from A:port to B:port, N probes, Mms mean
 *	 data-ack count N, holec N
 *	  probe N hole
 *
 * The samples of the data phase are numbered as they were sent; a hole is one
 * that had to be filled.
 */
void
show_text_sting(
    struct wbuf *out, const struct show_context *ctx, const void *record)
{
	const struct warts_sting *s = record;
	char a[ADDR_STRLEN], b[ADDR_STRLEN];
	unsigned int hole = 0;

	(void)ctx;
	wbuf_printf(out, "sting from %s:%u to %s:%u, %u probes, %ums mean\n",
	    addr_str(&s->src, a), s->sport, addr_str(&s->dst, b), s->dport,
	    s->count, s->mean_ms);
	wbuf_printf(out, " data-ack count %u, holec %u\n", s->dataack_count,
	    s->hole_count);
	if (s->hole_count == 0)
		return;
	for (uint32_t i = 0; i < s->npackets; i++) {
		if (!(s->packets[i].what & WARTS_STING_DATA))
			continue;
		hole++;
		if (s->packets[i].what & WARTS_STING_HOLE)
			wbuf_printf(out, "  probe %u hole\n", hole);
	}
}

/* --- neighbourdisc ---------------------------------------------------------- */

static void
neighbourdisc_probe(struct json *j, const struct warts_neighbourdisc_probe *p)
{
	json_open(j, NULL, '{');
	parts_tv(j, "tx", j->sep, p->tx);
	json_u32(j, "replyc", p->nreplies);
	json_open(j, "replies", '[');
	for (int i = 0; i < p->nreplies; i++) {
		json_open(j, NULL, '{');
		parts_tv(j, "rx", j->sep, p->replies[i].rx);
		json_addr(j, "mac", &p->replies[i].mac);
		json_close(j, '}');
	}
	json_close(j, ']');
	json_close(j, '}');
}

static void
known_addr(struct json *j, const char *key, const struct addr *a)
{
	if (a->family != ADDR_NONE)
		json_addr(j, key, a);
}

void
show_json_neighbourdisc(
    struct wbuf *out, const struct show_context *ctx, const void *record)
{
	static const char *const methods[] = {
	    [WARTS_NEIGHBOURDISC_ARP] = "arp",
	    [WARTS_NEIGHBOURDISC_NSOL] = "nd-nsol",
	};
	static const struct json_word flags[] = {
	    {WARTS_NEIGHBOURDISC_ALLATTEMPTS, "allattempts"},
	    {WARTS_NEIGHBOURDISC_FIRSTRESPONSE, "firstresponse"},
	    {0, NULL},
	};
	const struct warts_neighbourdisc *n = record;
	struct json j = {.out = out, .sep = ", "};

	json_open(&j, NULL, '{');
	json_str(&j, "type", "neighbourdisc");
	json_str(&j, "version", "0.1");
	json_word_or_number(
	    &j, "method", PARTS_WORD(methods, n->method), n->method);
	known_addr(&j, "src_ip", &n->src_ip);
	known_addr(&j, "src_mac", &n->src_mac);
	known_addr(&j, "dst_ip", &n->dst_ip);
	known_addr(&j, "dst_mac", &n->dst_mac);
	if (n->ifname != NULL)
		json_str(&j, "ifname", n->ifname);
	json_u32(&j, "userid", n->user_id);
	json_u32(&j, "attempts", n->attempts);
	json_u32(&j, "stop_count", n->replies_wanted);
	parts_tv(&j, "start", j.sep, n->start);
	parts_tv(
	    &j, "wait_timeout", j.sep, tv_of_us(n->wait_ms * (uint32_t)1000));
	json_words(&j, "flags", n->flags, flags);
	if (n->errmsg != NULL)
		json_str(&j, "errmsg", n->errmsg);
	monitor(&j, ctx);
	json_open(&j, "probes", '[');
	for (int i = 0; i < n->nprobes; i++)
		neighbourdisc_probe(&j, &n->probes[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	wbuf_u8(out, '\n');
}

/* --- udpprobe --------------------------------------------------------------- */

static void
udpprobe_reply(
    struct json *j, struct warts_tv tx, const struct warts_udpprobe_reply *r)
{
	json_open(j, NULL, '{');
	parts_tv(j, "rx", j->sep, r->rx);
	parts_tv(j, "rtt", j->sep, tv_of_us(parts_us(tx, r->rx)));
	json_u32(j, "len", r->data.len);
	json_hex(j, "data", r->data.data, r->data.len);
	if (r->ifname != NULL)
		json_str(j, "ifname", r->ifname);
	json_close(j, '}');
}

static void
udpprobe_probe(struct json *j, const struct warts_udpprobe_probe *p)
{
	json_open(j, NULL, '{');
	parts_tv(j, "tx", j->sep, p->tx);
	json_u32(j, "sport", p->sport);
	json_u32(j, "replyc", p->nreplies);
	json_open(j, "replies", '[');
	for (int i = 0; i < p->nreplies; i++)
		udpprobe_reply(j, p->tx, &p->replies[i]);
	json_close(j, ']');
	json_close(j, '}');
}

void
show_json_udpprobe(
    struct wbuf *out, const struct show_context *ctx, const void *record)
{
	static const char *const stops[] = {"none", "done", "halted", "error"};
	static const struct json_word flags[] = {{1, "exitfirst"}, {0, NULL}};
	const struct warts_udpprobe *u = record;
	struct json j = {.out = out, .sep = ", "};
	int sent = u->probe_sent;

	json_open(&j, NULL, '{');
	json_str(&j, "type", "udpprobe");
	json_str(&j, "version", "0.1");
	known_addr(&j, "src", &u->src);
	known_addr(&j, "dst", &u->dst);
	json_u32(&j, "userid", u->user_id);
	parts_tv(&j, "start", j.sep, u->probes[0].tx);
	json_u32(&j, "sport", u->sport);
	json_u32(&j, "dport", u->dport);
	parts_tv(&j, "wait_timeout", j.sep, tv_of_us(u->wait_timeout_us));
	json_words(&j, "flags", u->flags, flags);
	json_word_or_number(&j, "stop_reason",
	    PARTS_WORD(stops, u->stop_reason), u->stop_reason);
	if (u->errmsg != NULL)
		json_str(&j, "errmsg", u->errmsg);
	monitor(&j, ctx);
	json_hex(&j, "data", u->data.data, u->data.len);
	json_u32(&j, "len", u->data.len);
	json_u32(&j, "probe_count", u->probe_count);
	json_u32(&j, "probe_sent", u->probe_sent);
	json_u32(&j, "stop_count", u->stop_count);
	json_open(&j, "probes", '[');
	for (int i = 0; i < sent; i++)
		udpprobe_probe(&j, &u->probes[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	wbuf_u8(out, '\n');
}

/* --- owamp ------------------------------------------------------------------ */

static void
owamp_rx(struct json *j, const struct warts_owamp_rx *r)
{
	json_open(j, NULL, '{');
	parts_tv(j, "stamp", j->sep, r->tv);
	if (r->flags & WARTS_OWAMP_RX_ERROR)
		json_u32(j, "errest", r->error);
	if (r->flags & WARTS_OWAMP_DSCP)
		json_u32(j, "dscp", r->dscp);
	if (r->flags & WARTS_OWAMP_TTL)
		json_u32(j, "ttl", r->ttl);
	json_close(j, '}');
}

static void
owamp_tx(struct json *j, const struct warts_owamp_tx *t)
{
	json_open(j, NULL, '{');
	parts_tv(j, "sched", j->sep, t->due);
	if (!(t->flags & WARTS_OWAMP_NOTSENT))
		parts_tv(j, "stamp", j->sep, t->sent);
	if (t->flags & WARTS_OWAMP_TX_ERROR)
		json_u32(j, "errest", t->error);
	json_u32(j, "seq", t->seq);
	json_u32(j, "rxc", t->nrxs);
	json_u32(j, "sent", !(t->flags & WARTS_OWAMP_NOTSENT));
	json_open(j, "rxs", '[');
	for (int i = 0; i < t->nrxs; i++)
		owamp_rx(j, &t->rxs[i]);
	json_close(j, ']');
	json_close(j, '}');
}

static void
owamp_schedule(struct json *j, const struct warts_owamp *o)
{
	json_open(j, "sched", '[');
	for (uint32_t i = 0; i < o->nslots; i++) {
		json_open(j, NULL, '{');
		parts_tv(j, "value", j->sep, o->slots[i].interval);
		json_str(j, "type", o->slots[i].type == 0 ? "fixed" : "exp");
		json_close(j, '}');
	}
	json_close(j, ']');
}

void
show_json_owamp(
    struct wbuf *out, const struct show_context *ctx, const void *record)
{
	static const char *const results[] = {"none", "done", "halted", "error",
	    "noconn", "notaccepted", "nomode", "timeout"};
	const struct warts_owamp *o = record;
	struct json j = {.out = out, .sep = ","};

	json_open(&j, NULL, '{');
	json_str(&j, "type", "owamp");
	json_str(&j, "dir", o->dir == 0 ? "tx" : "rx");
	known_addr(&j, "src", &o->src);
	known_addr(&j, "dst", &o->dst);
	json_u32(&j, "dport", o->port);
	parts_tv(&j, "start", j.sep, o->start);
	parts_tv(&j, "startat", j.sep, o->start_at);
	parts_tv(&j, "wait_timeout", j.sep, o->wait_timeout);
	parts_tv(&j, "hsrtt", j.sep, tv_of_us(o->hs_rtt_us));
	json_u32(&j, "userid", o->user_id);
	json_u32(&j, "attempts", o->attempts);
	json_u32(&j, "pktsize", o->packet_size);
	json_u32(&j, "dscp", o->dscp);
	json_u32(&j, "udp_sport", o->udp_sport);
	json_u32(&j, "udp_dport", o->udp_dport);
	json_word_or_number(
	    &j, "result", PARTS_WORD(results, o->result), o->result);
	if (o->errmsg != NULL)
		json_str(&j, "errmsg", o->errmsg);
	monitor(&j, ctx);
	owamp_schedule(&j, o);
	json_open(&j, "txs", '[');
	for (uint32_t i = 0; i < o->ntxs; i++)
		owamp_tx(&j, &o->txs[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	wbuf_u8(out, '\n');
}
