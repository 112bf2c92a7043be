/*
 * trace_record: a finished trace as a warts record.
 */
#include <string.h>

#include "prober/tech/trace_rare.h"

static const uint8_t warts_method[] = {
    [UDP] = WARTS_TRACE_UDP,
    [ICMP] = WARTS_TRACE_ICMP,
    [UDP_PARIS] = WARTS_TRACE_UDP_PARIS,
    [ICMP_PARIS] = WARTS_TRACE_ICMP_PARIS,
    [TCP] = WARTS_TRACE_TCP,
    [TCP_ACK] = WARTS_TRACE_TCP_ACK,
};

/* --- the record --------------------------------------------------------------------- */

/* What is not written down of a reply like nearly all (trace.h). */
static void
fill_plain(const struct trace_conf *c, struct warts_hop *out)
{
	out->flags = HOP_FLAGS_ALL;
	out->icmp_type = trace_time_exceeded(out->addr.family);
	out->q_len = out->probe_size;
	out->q_ttl = 1;
	out->q_tos = c->tos;
}

static void
fill_odd(const struct trace_odd *o, struct warts_hop *out)
{
	out->flags = HOP_FLAGS_ALL | o->flags;
	if (o->flags & WARTS_HOP_TCP)
		out->tcp_flags = o->icmp_type;
	else
		out->icmp_type = o->icmp_type;
	out->icmp_code = o->icmp_code;
	out->nhmtu = o->nhmtu;
	out->q_len = o->q_len;
	out->q_ttl = o->q_ttl;
	out->q_tos = o->q_tos;
}

/* The reply that W is at as OUT, which is zeroed but for the probe's size. */
static void
fill_hop(const struct trace_walk *w, const struct trace_conf *c, int family,
    struct warts_hop *out)
{
	const struct trace_hop *h = &w->hop;

	out->addr = addr_make(family, h->addr);
	out->probe_ttl = h->probe_ttl;
	out->reply_ttl = h->ttl;
	out->attempt = w->probe_attempt;
	out->reply_size = h->size;
	out->reply_ipid = h->ipid;
	out->reply_tos = h->tos;
	if (!c->nortt) {
		out->rtt_us = h->rtt_us;
		out->tx = warts_tv_of(
		    w->tr->start_ns + (int64_t)w->probe_us * NS_PER_US);
	}
	if (w->odd != NULL)
		fill_odd(w->odd, out);
	else
		fill_plain(c, out);
}

int
trace_names(struct task *t)
{
	const struct trace_conf *c = task_conf(t);
	int family = task_dst(t)->family;
	struct trace_walk w;
	struct addr a;

	if (!(c->flags & WARTS_TRACE_PTR))
		return 0;
	trace_walk_init(&w, t, task_state(t));
	while (trace_walk_next(&w)) {
		a = addr_make(family, w.hop.addr);
		if (technique_name_wait(t, &a))
			return 1;
	}
	return 0;
}

/* Only for those who asked: all others need not look. */
static void
fill_names(const struct task *t, struct warts_hop *hops, size_t n)
{
	for (size_t i = 0; i < n; i++)
		hops[i].name = technique_name(t, &hops[i].addr);
}

/* Objects of RFC 4884: u16 length with header, class, type, data. */
static uint16_t
split_ext(const uint8_t *p, size_t len, struct warts_ext *out)
{
	uint16_t n = 0;
	size_t objlen;

	while (len >= 4) {
		objlen = (size_t)p[0] << 8 | p[1];
		if (objlen < 4 || objlen > len)
			break;
		if (out != NULL) {
			out[n].class_num = p[2];
			out[n].class_type = p[3];
			out[n].len = (uint16_t)(objlen - 4);
			out[n].data = p + 4;
		}
		n++;
		p += objlen;
		len -= objlen;
	}
	return n;
}

void
trace_split_ext(const uint8_t *p, size_t len, struct warts_hop *hop)
{
	hop->exts.count = split_ext(p, len, NULL);
	if (hop->exts.count == 0)
		return;
	hop->exts.ext =
	    technique_scratch(hop->exts.count * sizeof(*hop->exts.ext));
	split_ext(p, len, hop->exts.ext);
}

static void
fill_ext(const struct trace_walk *w, struct warts_hop *out)
{
	size_t len = trace_walk_ext(w, NULL);
	uint8_t *bytes;

	if (len == 0)
		return;
	bytes = technique_scratch(len);
	trace_walk_ext(w, bytes);
	trace_split_ext(bytes, len, out);
}

void
trace_hop_of(const struct reply *r, struct warts_hop *hop)
{
	hop->addr = r->from;
	hop->flags = HOP_FLAGS_ALL;
	if (r->kind == REPLY_TCP)
		hop->flags |= WARTS_HOP_TCP;
	if (r->kind == REPLY_UDP)
		hop->flags |= WARTS_HOP_UDP;
	hop->tcp_flags = r->tcp_flags;
	hop->reply_ttl = r->ttl;
	hop->reply_size = r->size;
	hop->reply_ipid = r->ipid;
	hop->reply_tos = r->tos;
	hop->icmp_type = r->icmp_type;
	hop->icmp_code = r->icmp_code;
	hop->nhmtu = r->nhmtu;
	hop->q_len = r->q_len;
	hop->q_ttl = r->q_ttl;
	hop->q_tos = r->q_tos;
}

static int
is_later(const struct warts_hop *a, const struct warts_hop *b)
{
	if (a->probe_ttl != b->probe_ttl)
		return a->probe_ttl > b->probe_ttl;
	return a->attempt > b->attempt;
}

/* The last of the N at HOPS goes behind all that are not of a later probe: by
 * ttl, attempt, arrival.  Nearly always it stays. */
static void
sort_in(struct warts_hop *hops, unsigned int n)
{
	struct warts_hop last;

	if (n < 2 || !is_later(&hops[n - 2], &hops[n - 1]))
		return;
	last = hops[--n];
	for (; n > 0 && is_later(&hops[n - 1], &last); n--)
		hops[n] = hops[n - 1];
	hops[n] = last;
}

/* Room for the next reply to a last-ditch probe; there are at most MOST. */
static struct warts_hop *
lastditch_hop(struct warts_trace *out, size_t most)
{
	if (out->lastditch == NULL) {
		out->lastditch = technique_scratch(sizeof(*out->lastditch));
		out->lastditch->hops =
		    technique_scratch(most * sizeof(*out->hops));
	}
	return &out->lastditch->hops[out->lastditch->hop_count++];
}

static void
fill_hops(struct task *t, const struct trace *tr, struct warts_trace *out)
{
	const struct trace_conf *c = task_conf(t);
	struct warts_hop *hop;
	struct trace_walk w;
	int lastditch;

	if (tr->nhops == 0)
		return;
	out->hops = technique_scratch(tr->nhops * sizeof(*hop));
	trace_walk_init(&w, t, tr);
	while (trace_walk_next(&w)) {
		lastditch =
		    tr->lastditch_from != 0 && w.number >= tr->lastditch_from;
		hop = lastditch ? lastditch_hop(out, tr->nhops)
				: &out->hops[out->nhops++];
		hop->probe_size = out->probe_size;
		fill_hop(&w, c, out->dst.family, hop);
		if (tr->exts)
			fill_ext(&w, hop);
		if (!lastditch)
			sort_in(out->hops, out->nhops);
	}
}

static struct warts_dtree *
dtree(const struct trace_conf *c, const struct trace_more *m)
{
	struct warts_dtree *d = technique_scratch(sizeof(*d));

	d->first_ttl = c->first_ttl;
	d->flags = c->noback;
	d->lss_stop = m->lss_stop;
	d->gss_stop = m->gss_stop;
	d->lss_name = c->lss_name;
	return d;
}

/* What only rare traces have. */
static void
fill_rare(struct task *t, const struct trace *tr, struct warts_trace *out)
{
	const struct trace_conf *c = task_conf(t);
	const struct trace_more *m = tr->more;

	out->offset = c->offset;
	out->confidence = c->confidence;
	out->squeries = c->squeries;
	out->first_ttl = m->first_ttl;
	out->stop_ttl = m->stop_ttl;
	if (c->squeries > 1 && tr->answered > out->hop_count)
		out->hop_count = tr->answered;
	if (c->flags & WARTS_TRACE_DOUBLETREE)
		out->dtree = dtree(c, m);
	out->pmtud = trace_pmtud_record(tr);
}

static void
fill_all_names(const struct task *t, struct warts_trace *out)
{
	fill_names(t, out->hops, out->nhops);
	if (out->lastditch != NULL)
		fill_names(t, out->lastditch->hops, out->lastditch->hop_count);
	if (out->pmtud != NULL)
		fill_names(t, out->pmtud->hops, out->pmtud->hop_count);
}

void
trace_record(struct task *t, struct technique_record *rec)
{
	const struct trace *tr = task_state(t);
	const struct trace_conf *c = task_conf(t);
	struct warts_trace *out = &rec->trace;

	rec->type = WARTS_TRACE;
	memset(out, 0, sizeof(*out));
	out->src = *task_src(t);
	out->rtr = c->route.via;
	out->dst = *task_dst(t);
	out->start = warts_tv_of(tr->start_ns);
	out->stop_reason = tr->stop_reason;
	out->stop_data = tr->stop_data;
	out->flags = c->flags;
	out->attempts = c->attempts;
	out->hop_limit = c->hop_limit;
	out->method = warts_method[c->method];
	out->probe_size = trace_probe_size(c, out->dst.family);
	out->sport = c->sport;
	out->dport = c->dport;
	out->first_ttl = c->first_ttl;
	out->tos = c->tos;
	out->wait_s = c->wait_s;
	out->loops = c->loops;
	out->hop_count = tr->ttl;
	out->gap_limit = c->gap_limit;
	out->gap_action = c->gap_action;
	out->probe_count = tr->nprobes;
	out->wait_probe_cs = c->wait_probe_cs;
	out->user_id = c->user_id;
	out->squeries = 1;
	if (c->rare && tr->more != NULL) /* else it was never begun */
		fill_rare(t, tr, out);
	fill_hops(t, tr, out);
	if (c->flags & WARTS_TRACE_PTR)
		fill_all_names(t, out);
}
