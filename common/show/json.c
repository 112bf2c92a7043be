/*
 * show/json: cycles and traceroutes as JSON lines (contract: show.h).
 *
 * The order of the members is scamper's.  Its two releases print the same
 * bytes for the same record, but for the key "icmp_nhmtu".
 */
#include <stddef.h>
#include <string.h>

#include "common/show/json_out.h"
#include "common/show/parts.h"
#include "common/show/show.h"
#include "common/warts/trace_hop.h"

/* --- cycles --------------------------------------------------------------- */

static void
cycle_members(struct json *j, const struct show_context *ctx, const char *type)
{
	json_open(j, NULL, '{');
	json_str(j, "type", type);
	if (ctx->list != NULL)
		json_str(j, "list_name", ctx->list->name);
	if (ctx->cycle == NULL)
		return;
	json_u32(j, "id", ctx->cycle->user_id);
	if (ctx->cycle->hostname != NULL)
		json_str(j, "hostname", ctx->cycle->hostname);
}

void
show_json_cycle_start(struct wbuf *out, const struct show_context *ctx)
{
	struct json j = {.out = out, .sep = ", "};

	cycle_members(&j, ctx, "cycle-start");
	json_u32(&j, "start_time", ctx->cycle->start);
	json_close(&j, '}');
	wbuf_u8(out, '\n');
}

void
show_json_cycle_stop(
    struct wbuf *out, const struct show_context *ctx, uint32_t stop)
{
	struct json j = {.out = out, .sep = ", "};

	cycle_members(&j, ctx, "cycle-stop");
	json_u32(&j, "stop_time", stop);
	json_close(&j, '}');
	wbuf_u8(out, '\n');
}

/* A trace and how to show it: what the objects inside of it depend on. */
struct about {
	const struct warts_trace *t;
	const char *monitor; /* NULL if not known or not shown */
	int newer; /* SHOW_2026 */
	int no_ip; /* replies came without their IP header */
};

/* --- traceroutes ------------------------------------------------------------ */

static void
hop_icmp(struct json *j, const struct about *about, const struct warts_hop *h)
{
	json_u32(j, "icmp_type", h->icmp_type);
	json_u32(j, "icmp_code", h->icmp_code);
	if (warts_hop_quotes(h) && !about->no_ip) {
		json_u32(j, "icmp_q_ttl", h->q_ttl);
		json_u32(j, "icmp_q_ipl", h->q_len);
		if (about->newer || h->addr.family == ADDR_IPV4)
			json_u32(j, "icmp_q_tos", h->q_tos);
	}
	if (warts_hop_is_too_big(h))
		json_u32(j, "icmp_nhmtu", h->nhmtu);
}

static void
hop_object(struct json *j, const struct about *about, const struct warts_hop *h)
{
	static const struct json_word words[] = {
	    {WARTS_HOP_DLTXTS, "dltxts"},
	    {WARTS_HOP_SOCKRXTS, "sockrxts"},
	    {WARTS_HOP_DLRXTS, "dlrxts"},
	    {0, NULL},
	};

	json_open(j, NULL, '{');
	json_addr(j, "addr", &h->addr);
	if (h->name != NULL)
		json_str(j, "name", h->name);
	json_u32(j, "probe_ttl", h->probe_ttl);
	json_u32(j, "probe_id", h->attempt + 1u);
	json_u32(j, "probe_size", h->probe_size);
	if (h->tx.sec != 0)
		parts_tv(j, "tx", j->sep, h->tx);
	json_milli(j, "rtt", h->rtt_us);
	json_u32(j, "reply_ttl", h->reply_ttl);
	json_u32(j, "reply_tos", h->reply_tos);
	if (about->newer)
		json_words(j, "flags", h->flags, words);
	if (!about->no_ip) {
		json_u32(j, "reply_ipid", h->reply_ipid);
		json_u32(j, "reply_size", h->reply_size);
	}
	if (warts_hop_is_icmp(h))
		hop_icmp(j, about, h);
	if (h->flags & WARTS_HOP_TCP)
		json_u32(j, "tcp_flags", h->tcp_flags);
	parts_extensions(j, &h->exts);
	json_close(j, '}');
}

/* Those of N hops with a ttl FROM..TO as KEY, left out when there are none. */
struct hop_range {
	const char *key;
	const struct warts_hop *hops;
	size_t n;
	int from, to; /* ttl */
};

static void
hop_objects(struct json *j, const struct about *about, struct hop_range r)
{
	int open = 0;

	for (size_t i = 0; i < r.n; i++) {
		if (r.hops[i].probe_ttl < r.from || r.hops[i].probe_ttl > r.to)
			continue;
		if (!open)
			json_open(j, r.key, '[');
		open = 1;
		hop_object(j, about, &r.hops[i]);
	}
	if (open)
		json_close(j, ']');
}

static void
note_object(struct json *j, const struct warts_trace *t,
    const struct warts_pmtud_note *n)
{
	static const char *const words[] = {NULL, "ptb", "ptb-bad", "silence"};
	const struct warts_hop *h = NULL;

	if (n->has_hop)
		h = &t->pmtud->hops[n->hop];
	json_open(j, NULL, '{');
	json_u32(j, "nhmtu", n->nhmtu);
	if (h != NULL) {
		json_u32(j, "hop_id", n->hop);
		json_u32(j, "dist", (uint32_t)show_note_distance(t, n, 1));
	}
	if (n->type != 0 && n->type <= WARTS_NOTE_SILENCE)
		json_str(j, "type", words[n->type]);
	if (h != NULL && n->type != WARTS_NOTE_SILENCE)
		json_u32(j, "icmp_nhmtu", h->nhmtu);
	if (h != NULL)
		json_addr(j, "addr", &h->addr);
	json_close(j, '}');
}

/* Probes that were answered: replies to one are beside each other. */
static uint32_t
probes_answered(const struct warts_hop *h, size_t n)
{
	uint32_t probes = 0;

	for (size_t i = 0; i < n; i++) {
		if (i == 0 || h[i].probe_ttl != h[i - 1].probe_ttl ||
		    h[i].attempt != h[i - 1].attempt ||
		    h[i].probe_size != h[i - 1].probe_size)
			probes++;
	}
	return probes;
}

static void
pmtud_object(struct json *j, const struct about *about)
{
	const struct warts_pmtud *p = about->t->pmtud;

	json_open(j, "pmtud", '{');
	json_u32(j, "if_mtu", p->if_mtu);
	json_u32(j, "out_mtu", p->out_mtu != 0 ? p->out_mtu : p->if_mtu);
	json_u32(j, "path_mtu", p->path_mtu);
	json_u32(j, "probec", probes_answered(p->hops, p->hop_count));
	json_u32(j, "notec", p->note_count);
	if (p->note_count != 0) {
		json_open(j, "notes", '[');
		for (int i = 0; i < p->note_count; i++)
			note_object(j, about->t, &p->notes[i]);
		json_close(j, ']');
	}
	hop_objects(j, about,
	    (struct hop_range){"hops", p->hops, p->hop_count, 0, 255});
	json_close(j, '}');
}

/* Ports, or what an ICMP method has instead. */
static void
trace_ports(struct json *j, const struct warts_trace *t)
{
	if (t->method != WARTS_TRACE_ICMP &&
	    t->method != WARTS_TRACE_ICMP_PARIS) {
		json_u32(j, "sport", t->sport);
		json_u32(j, "dport", t->dport);
	} else if (t->flags & WARTS_TRACE_ICMPCSUM) {
		json_u32(j, "icmp_sum", t->dport);
	}
}

static void
trace_head(struct json *j, const struct about *about)
{
	const struct warts_trace *t = about->t;
	const char *sep = j->sep;

	j->sep = ",";
	json_str(j, "type", "trace");
	json_str(j, "version", "0.1");
	j->sep = sep;
	json_u32(j, "userid", t->user_id);
	json_word_or_number(j, "method", show_method(t->method), t->method);
	if (t->src.family != ADDR_NONE)
		json_addr(j, "src", &t->src);
	json_addr(j, "dst", &t->dst);
	if (t->rtr.family != ADDR_NONE)
		json_addr(j, "rtr", &t->rtr);
	trace_ports(j, t);
	json_word_or_number(
	    j, "stop_reason", show_stop_reason(t->stop_reason), t->stop_reason);
	json_u32(j, "stop_data", t->stop_data);
	if (t->errmsg != NULL && about->newer)
		json_str(j, "errmsg", t->errmsg);
	parts_start(j, t->start);
}

static void
trace_options(struct json *j, const struct warts_trace *t)
{
	json_u32(j, "attempts", t->attempts);
	json_u32(j, "hoplimit", t->hop_limit);
	json_u32(j, "firsthop", show_first_ttl(t));
	json_u32(j, "wait", t->wait_s);
	json_u32(j, "wait_probe", t->wait_probe_cs);
	json_u32(j, "tos", t->tos);
	json_u32(j, "probe_size", t->probe_size);
	json_u32(j, "probe_count", t->probe_count);
}

/* The members that only 2026 has, in front of the hops. */
static void
trace_newer(struct json *j, const struct about *about)
{
	static const struct json_word words[] = {
	    {WARTS_TRACE_ALLATTEMPTS, "all-attempts"},
	    {WARTS_TRACE_PMTUD, "pmtud"},
	    {WARTS_TRACE_DL, "dl"},
	    {WARTS_TRACE_IGNORETTLDST, "ignorettldst"},
	    {WARTS_TRACE_DOUBLETREE, "doubletree"},
	    {WARTS_TRACE_ICMPCSUM, "icmp-csum-dport"},
	    {WARTS_TRACE_CONSTPAYLOAD, "const-payload"},
	    {WARTS_TRACE_RXERR, "rxerr"},
	    {WARTS_TRACE_PTR, "ptr"},
	    {WARTS_TRACE_RAW, "raw"},
	    {WARTS_TRACE_BACK, "back"},
	    {0, NULL},
	};

	if (about->monitor != NULL)
		json_str(j, "monitor", about->monitor);
	json_words(j, "flags", about->t->flags, words);
}

void
show_json_trace(struct wbuf *out, const struct show_context *ctx,
    const struct warts_trace *t)
{
	struct about about = {
	    .t = t,
	    .monitor = ctx->list != NULL ? ctx->list->monitor : NULL,
	    .newer = ctx->generation == SHOW_2026,
	    .no_ip = (t->flags & WARTS_TRACE_RXERR) != 0,
	};
	struct json j = {.out = out, .sep = about.newer ? "," : ", "};
	struct hop_range hops = {
	    "hops", t->hops, t->nhops, show_first_ttl(t), 255};
	struct hop_range extra = {"extra_hops", t->hops, t->nhops, 256, 255};
	uint32_t hop_count = show_hop_count(t);

	if (about.newer && t->stop_ttl != 0 && t->stop_ttl <= hop_count) {
		hop_count = t->stop_ttl;
		hops.to = t->stop_ttl;
		extra.from = t->stop_ttl + 1;
	}
	json_open(&j, NULL, '{');
	trace_head(&j, &about);
	json_u32(&j, "hop_count", hop_count);
	trace_options(&j, t);
	if (about.newer)
		trace_newer(&j, &about);
	hop_objects(&j, &about, hops);
	hop_objects(&j, &about, extra);
	if (about.newer && t->pmtud != NULL)
		pmtud_object(&j, &about);
	json_close(&j, '}');
	wbuf_u8(out, '\n');
}
