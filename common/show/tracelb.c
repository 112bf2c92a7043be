/*
 * show/tracelb: multipath traceroutes as text and JSON (contract: more.h).
 *
 *	tracelb from A to B, N nodes, L links, P probes, C%
 *	X -> Y
 *	X -> (a, b, *) -> * -> Y
 *
 * Between two nodes, a step per probe set: who answered, by address, and a star
 * when a flow had no answer.  Of nodes at which several links start, and which
 * MDA does not go into, only where they lead.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/show/more.h"
#include "common/show/parts.h"
#include "common/warts/tracelb.h"
#include "common/xmalloc.h"

/* Who answered the probes of a set: each once, in ascending order. */
struct who {
	struct addr *addr;
	size_t n;
	int silence; /* a flow had no answer */
};

/* Did all attempts of some flow remain without an answer?  Attempts of a flow
 * are beside each other. */
static int
has_silence(const struct warts_tracelb_set *s)
{
	int answers = 0;

	for (int i = 0; i < s->nprobes; i++) {
		if (i != 0 && s->probes[i].flow != s->probes[i - 1].flow) {
			if (answers == 0)
				return 1;
			answers = 0;
		}
		answers += s->probes[i].nreplies;
	}
	return answers == 0;
}

static int
addr_order(const void *a, const void *b)
{
	return addr_cmp(a, b);
}

static struct who
who_answered(const struct warts_tracelb_set *s)
{
	struct who w = {NULL, 0, has_silence(s)};
	size_t max = 0, n = 0;

	for (int i = 0; i < s->nprobes; i++)
		max += s->probes[i].nreplies;
	w.addr = xcalloc(max + 1, sizeof(*w.addr));
	for (int i = 0; i < s->nprobes; i++) {
		const struct warts_tracelb_probe *p = &s->probes[i];

		for (int k = 0; k < p->nreplies; k++)
			w.addr[n++] = p->replies[k].addr;
	}
	qsort(w.addr, n, sizeof(*w.addr), addr_order);
	for (size_t i = 0; i < n; i++) {
		if (w.n == 0 || !addr_equal(&w.addr[w.n - 1], &w.addr[i]))
			w.addr[w.n++] = w.addr[i];
	}
	return w;
}

/* A as text; a star when nobody knows it. */
static const char *
addr_text(const struct addr *a, char buf[ADDR_STRLEN])
{
	return a->family != ADDR_NONE ? addr_str(a, buf) : "*";
}

/* --- text ----------------------------------------------------------------- */

static void
text_set(struct wbuf *out, const struct warts_tracelb_set *s)
{
	struct who w = who_answered(s);
	int clump = w.n != 0;
	char a[ADDR_STRLEN];

	wbuf_printf(out, " -> %s", clump ? "(" : "");
	for (size_t i = 0; i < w.n; i++)
		wbuf_printf(
		    out, "%s%s", i != 0 ? ", " : "", addr_str(&w.addr[i], a));
	if (w.silence)
		wbuf_printf(out, "%s*", w.n != 0 ? ", " : "");
	if (clump)
		wbuf_printf(out, ")");
	free(w.addr);
}

/* Where L leads; the steps between only if nothing else starts at its node. */
static void
text_link(struct wbuf *out, const struct warts_tracelb *t,
    const struct warts_tracelb_link *l)
{
	int steps = l->nsets - (l->has_to != 0);
	char a[ADDR_STRLEN];

	wbuf_printf(out, "%s", addr_text(&t->nodes[l->from].addr, a));
	for (int k = 0; t->nodes[l->from].nlinks == 1 && k < steps; k++)
		text_set(out, &l->sets[k]);
	if (l->has_to)
		wbuf_printf(out, " -> %s", addr_text(&t->nodes[l->to].addr, a));
	wbuf_printf(out, "\n");
}

void
show_text_tracelb(
    struct wbuf *out, const struct show_context *ctx, const void *record)
{
	const struct warts_tracelb *t = record;
	char a[ADDR_STRLEN];

	(void)ctx;
	wbuf_printf(out, "tracelb");
	if (t->src.family != ADDR_NONE)
		wbuf_printf(out, " from %s", addr_str(&t->src, a));
	wbuf_printf(out, " to %s, %u nodes, %u links, %u probes, %u%%\n",
	    addr_str(&t->dst, a), t->nnodes, t->nlinks, t->probes_sent,
	    t->confidence);
	for (int i = 0; i < t->nlinks; i++)
		text_link(out, t, &t->links[i]);
}

/* --- JSON ----------------------------------------------------------------- */

/* Is R a message whose quoted ttl says something (RFC 792, 4443)?  scamper does
 * not count the packet too big. */
static int
quotes(const struct warts_tracelb_reply *r)
{
	if (r->addr.family == ADDR_IPV4)
		return r->icmp_type == 3 || r->icmp_type == 11;
	return r->icmp_type == 1 || r->icmp_type == 3;
}

/* A reply of a probe sent at TX. */
static void
reply_object(
    struct json *j, struct warts_tv tx, const struct warts_tracelb_reply *r)
{
	json_open(j, NULL, '{');
	parts_tv(j, "rx", j->sep, r->rx);
	if (r->flags & WARTS_TRACELB_REPLY_TTL)
		json_u32(j, "ttl", r->ttl);
	json_milli(j, "rtt", parts_us(tx, r->rx));
	if (r->addr.family == ADDR_IPV4)
		json_u32(j, "ipid", r->ipid);
	if (r->flags & WARTS_TRACELB_REPLY_TCP) {
		json_u32(j, "tcp_flags", r->tcp_flags);
	} else {
		json_u32(j, "icmp_type", r->icmp_type);
		json_u32(j, "icmp_code", r->icmp_code);
		json_u32(j, "icmp_q_tos", r->q_tos);
		if (quotes(r))
			json_u32(j, "icmp_q_ttl", r->q_ttl);
		if (j->newer)
			parts_extensions(j, &r->exts);
	}
	json_close(j, '}');
}

static uint32_t
replies_from(const struct warts_tracelb_probe *p, const struct addr *a)
{
	uint32_t n = 0;

	for (int i = 0; i < p->nreplies; i++)
		n += addr_equal(&p->replies[i].addr, a) != 0;
	return n;
}

/* P with its replies from A. */
static void
probe_object(
    struct json *j, const struct warts_tracelb_probe *p, const struct addr *a)
{
	uint32_t n = replies_from(p, a);

	json_open(j, NULL, '{');
	parts_tv(j, "tx", j->sep, p->tx);
	json_u32(j, "replyc", n);
	json_u32(j, "ttl", p->ttl);
	json_u32(j, "attempt", p->attempt);
	json_u32(j, "flowid", p->flow);
	if (n != 0)
		json_open(j, "replies", '[');
	for (int i = 0; i < p->nreplies; i++) {
		if (addr_equal(&p->replies[i].addr, a))
			reply_object(j, p->tx, &p->replies[i]);
	}
	if (n != 0)
		json_close(j, ']');
	json_close(j, '}');
}

/* A and the probes of S: ALL of them or those that A answered. */
static void
hop_object(struct json *j, const struct warts_tracelb_set *s,
    const struct addr *a, int all)
{
	json_open(j, NULL, '{');
	if (a->family != ADDR_NONE)
		json_addr(j, "addr", a);
	else
		json_str(j, "addr", "*");
	json_open(j, "probes", '[');
	for (int i = 0; i < s->nprobes; i++) {
		if (all || replies_from(&s->probes[i], a) != 0)
			probe_object(j, &s->probes[i], a);
	}
	json_close(j, ']');
	json_close(j, '}');
}

/* Everybody who answered a probe of S. */
static void
set_array(struct json *j, const struct warts_tracelb_set *s)
{
	struct who w = who_answered(s);

	json_open(j, NULL, '[');
	for (size_t i = 0; i < w.n; i++)
		hop_object(j, s, &w.addr[i], 0);
	if (w.silence) {
		json_open(j, NULL, '{');
		json_str(j, "addr", "*");
		json_close(j, '}');
	}
	json_close(j, ']');
	free(w.addr);
}

/* The only link of a node, step by step. */
static void
link_arrays(struct json *j, const struct warts_tracelb *t,
    const struct warts_tracelb_link *l)
{
	int steps = l->nsets - (l->has_to != 0);

	for (int k = 0; k < steps; k++)
		set_array(j, &l->sets[k]);
	if (!l->has_to)
		return;
	json_open(j, NULL, '[');
	if (l->nsets != 0)
		hop_object(j, &l->sets[steps], &t->nodes[l->to].addr, 1);
	json_close(j, ']');
}

/* One of several links of a node: only its first step. */
static void
link_object(struct json *j, const struct warts_tracelb *t,
    const struct warts_tracelb_link *l)
{
	if (l->has_to && l->nsets != 0)
		hop_object(j, &l->sets[0], &t->nodes[l->to].addr, 1);
}

static void
links_array(struct json *j, const struct warts_tracelb *t, int node)
{
	int several = t->nodes[node].nlinks > 1;

	json_open(j, "links", '[');
	if (several)
		json_open(j, NULL, '[');
	for (int i = 0; i < t->nlinks; i++) {
		if (t->links[i].from != node)
			continue;
		if (several)
			link_object(j, t, &t->links[i]);
		else
			link_arrays(j, t, &t->links[i]);
	}
	if (several)
		json_close(j, ']');
	json_close(j, ']');
}

static void
node_object(struct json *j, const struct warts_tracelb *t, int node)
{
	const struct warts_tracelb_node *n = &t->nodes[node];

	json_open(j, NULL, '{');
	if (n->addr.family != ADDR_NONE)
		json_addr(j, "addr", &n->addr);
	else
		json_str(j, "addr", "*");
	if (n->name != NULL)
		json_str(j, "name", n->name);
	if (n->flags & WARTS_TRACELB_NODE_QTTL)
		json_u32(j, "q_ttl", n->q_ttl);
	json_u32(j, "linkc", n->nlinks);
	links_array(j, t, node);
	json_close(j, '}');
}

/* The nodes at which a link starts. */
static void
nodes_array(struct json *j, const struct warts_tracelb *t)
{
	if (t->nlinks == 0)
		return;
	json_open(j, "nodes", '[');
	for (int i = 0; i < t->nnodes; i++) {
		if (t->nodes[i].nlinks != 0)
			node_object(j, t, i);
	}
	json_close(j, ']');
}

static const char *
method_word(uint8_t method)
{
	static const char *const words[] = {
	    [WARTS_TRACELB_UDP_DPORT] = "udp-dport",
	    [WARTS_TRACELB_ICMP] = "icmp-echo",
	    [WARTS_TRACELB_UDP_SPORT] = "udp-sport",
	    [WARTS_TRACELB_TCP_SPORT] = "tcp-sport",
	    [WARTS_TRACELB_TCP_ACK_SPORT] = "tcp-ack-sport",
	};

	return PARTS_WORD(words, method);
}

static void
head(struct json *j, const struct warts_tracelb *t)
{
	json_str(j, "type", "tracelb");
	json_str(j, "version", "0.1");
	json_u32(j, "userid", t->user_id);
	json_word_or_number(j, "method", method_word(t->method), t->method);
	if (t->src.family != ADDR_NONE)
		json_addr(j, "src", &t->src);
	json_addr(j, "dst", &t->dst);
	if (t->rtr.family != ADDR_NONE)
		json_addr(j, "rtr", &t->rtr);
	if (t->method != WARTS_TRACELB_ICMP) {
		json_u32(j, "sport", t->sport);
		json_u32(j, "dport", t->dport);
	}
	parts_start(j, t->start);
}

void
show_json_tracelb(
    struct wbuf *out, const struct show_context *ctx, const void *record)
{
	const struct warts_tracelb *t = record;
	struct json j = {
	    .out = out, .sep = ", ", .newer = ctx->generation == SHOW_2026};

	json_open(&j, NULL, '{');
	head(&j, t);
	json_u32(&j, "probe_size", t->probe_size);
	json_u32(&j, "firsthop", t->first_ttl);
	json_u32(&j, "attempts", t->attempts);
	json_u32(&j, "confidence", t->confidence);
	json_u32(&j, "tos", t->tos);
	json_u32(&j, "gaplimit", t->gap_limit);
	json_u32(&j, "wait_timeout", t->wait_s);
	json_u32(&j, "wait_probe",
	    j.newer ? t->wait_probe_cs : t->wait_probe_cs * 10u);
	json_u32(&j, "probec", t->probes_sent);
	json_u32(&j, "probec_max", t->probes_max);
	json_u32(&j, "nodec", t->nnodes);
	json_u32(&j, "linkc", t->nlinks);
	if (j.newer && t->errmsg != NULL)
		json_str(&j, "errmsg", t->errmsg);
	if (j.newer && ctx->list != NULL && ctx->list->monitor != NULL)
		json_str(&j, "monitor", ctx->list->monitor);
	nodes_array(&j, t);
	json_close(&j, '}');
	wbuf_u8(out, '\n');
}
