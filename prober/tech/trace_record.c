/*
 * trace_record: a finished trace as a warts record.
 */
#include <string.h>

#include "prober/tech/trace.h"

static const uint8_t warts_method[] = {
    [UDP] = WARTS_TRACE_UDP,
    [ICMP] = WARTS_TRACE_ICMP,
    [UDP_PARIS] = WARTS_TRACE_UDP_PARIS,
    [ICMP_PARIS] = WARTS_TRACE_ICMP_PARIS,
};

/* --- the record --------------------------------------------------------------------- */

static struct warts_tv
tv_of(int64_t ns)
{
	struct warts_tv tv = {
	    .sec = (uint32_t)(ns / NS_PER_SEC),
	    .usec = (uint32_t)(ns % NS_PER_SEC / NS_PER_US),
	};

	return tv;
}

static void
fill_hop(const struct task *t, struct trace *tr, const struct trace_hop *h,
    struct warts_hop *out)
{
	const struct trace_probe *p = trace_probe_get(tr, h->probe);

	out->addr = addr_make(task_dst(t)->family, h->addr);
	out->probe_ttl = h->probe_ttl;
	out->reply_ttl = h->ttl;
	out->flags = h->flags;
	out->attempt = p->attempt;
	out->rtt_us = h->rtt_us;
	out->icmp_type = h->icmp_type;
	out->icmp_code = h->icmp_code;
	out->reply_size = h->size;
	out->reply_ipid = h->ipid;
	out->reply_tos = h->tos;
	out->q_len = h->q_len;
	out->q_ttl = h->q_ttl;
	out->q_tos = h->q_tos;
	out->tx = tv_of(tr->start_ns + (int64_t)p->tx_us * NS_PER_US);
}

/* All pieces of the extensions of hop HOP as one run; its length. */
static size_t
join_ext(const struct trace *tr, uint16_t hop, uint8_t **bytes,
    struct warts_hop *out)
{
	size_t len = 0, end;

	for (const struct ext_block *b = tr->exts; b != NULL; b = b->next)
		len += b->hop == hop ? b->len : 0u;
	*bytes = len > 0 ? technique_scratch(len) : NULL;
	end = len; /* the last piece comes first */
	for (const struct ext_block *b = tr->exts; b != NULL; b = b->next) {
		if (b->hop != hop)
			continue;
		end -= b->len;
		if (b->len > 0)
			memcpy(*bytes + end, b->bytes, b->len);
		else
			out->nhmtu = b->nhmtu;
	}
	return len;
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

static void
fill_ext(const struct trace *tr, uint16_t hop, struct warts_hop *out)
{
	uint8_t *bytes;
	size_t len = join_ext(tr, hop, &bytes, out);

	if (len == 0)
		return;
	out->exts.count = split_ext(bytes, len, NULL);
	if (out->exts.count == 0)
		return;
	out->exts.ext =
	    technique_scratch(out->exts.count * sizeof(*out->exts.ext));
	split_ext(bytes, len, out->exts.ext);
}

/* Insert HOP behind all of the N at HOPS that are not of a later probe: by
 * ttl, attempt, arrival.  Nearly always it goes to the end. */
static void
insert_hop(struct warts_hop *hops, unsigned int n, const struct warts_hop *hop)
{
	while (n > 0 &&
	    (hops[n - 1].probe_ttl > hop->probe_ttl ||
		(hops[n - 1].probe_ttl == hop->probe_ttl &&
		    hops[n - 1].attempt > hop->attempt))) {
		hops[n] = hops[n - 1];
		n--;
	}
	hops[n] = *hop;
}

/* HOP answered a last-ditch probe; there are at most MOST of these. */
static void
add_lastditch(struct warts_trace *out, const struct warts_hop *hop, size_t most)
{
	if (out->lastditch == NULL) {
		out->lastditch = technique_scratch(sizeof(*out->lastditch));
		out->lastditch->hops = technique_scratch(most * sizeof(*hop));
	}
	out->lastditch->hops[out->lastditch->hop_count++] = *hop;
}

static void
fill_hops(const struct task *t, struct trace *tr, struct warts_trace *out)
{
	const struct trace_hop *h;
	struct warts_hop hop;
	struct trace_walk w;

	if (tr->nhops == 0)
		return;
	out->hops = technique_scratch(tr->nhops * sizeof(hop));
	for (h = trace_hop_first(t, tr, &w); h != NULL;
	     h = trace_hop_next(&w)) {
		memset(&hop, 0, sizeof(hop));
		fill_hop(t, tr, h, &hop);
		hop.probe_size = out->probe_size;
		if (tr->exts != NULL)
			fill_ext(tr, (uint16_t)w.number, &hop);
		if (tr->lastditch_from != 0 && h->probe >= tr->lastditch_from)
			add_lastditch(out, &hop, tr->nhops);
		else
			insert_hop(out->hops, out->nhops++, &hop);
	}
}

void
trace_record(struct task *t, struct technique_record *rec)
{
	struct trace *tr = task_state(t);
	const struct trace_conf *c = task_conf(t);
	struct warts_trace *out = &rec->trace;

	rec->type = WARTS_TRACE;
	memset(out, 0, sizeof(*out));
	out->src = *task_src(t);
	out->dst = *task_dst(t);
	out->start = tv_of(tr->start_ns);
	out->stop_reason = tr->stop_reason;
	out->stop_data = tr->stop_data;
	out->flags = c->flags;
	out->attempts = c->attempts;
	out->hop_limit = c->hop_limit;
	out->method = warts_method[c->method];
	out->probe_size = (uint16_t)(packet_build_headers(out->dst.family) +
	    trace_payload_len(c, out->dst.family));
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
	fill_hops(t, tr, out);
}
