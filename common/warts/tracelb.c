#include "common/warts/tracelb.h"

#include <string.h>

#include "common/warts/block.h"
#include "common/warts/codec.h"

#define LB(e, member, w) WARTS_ROW(struct warts_tracelb, e, member, w)
#define NODE(e, member, w) WARTS_ROW(struct warts_tracelb_node, e, member, w)
#define LINK(e, member, w) WARTS_ROW(struct warts_tracelb_link, e, member, w)
#define SET(e, member, w) WARTS_ROW(struct warts_tracelb_set, e, member, w)
#define PROBE(e, member, w) WARTS_ROW(struct warts_tracelb_probe, e, member, w)
#define REPLY(e, member, w) WARTS_ROW(struct warts_tracelb_reply, e, member, w)

_Static_assert(offsetof(struct warts_tracelb_reply, icmp_code) ==
	offsetof(struct warts_tracelb_reply, icmp_type) + 1,
    "field 5 is both");

static const struct warts_field head_field[] = {
    [1] = LB(WENC_U32, list, ALWAYS),
    [2] = LB(WENC_U32, cycle, ALWAYS),
    [3] = LB(WENC_U32, src_gid, TOLD),
    [4] = LB(WENC_U32, dst_gid, TOLD),
    [5] = LB(WENC_TV, start, ALWAYS),
    [6] = LB(WENC_U16, sport, ALWAYS),
    [7] = LB(WENC_U16, dport, ALWAYS),
    [8] = LB(WENC_U16, probe_size, ALWAYS),
    [9] = LB(WENC_U8, method, ALWAYS),
    [10] = LB(WENC_U8, first_ttl, ALWAYS),
    [11] = LB(WENC_U8, wait_s, ALWAYS),
    [12] = LB(WENC_U8, wait_probe_cs, ALWAYS),
    [13] = LB(WENC_U8, attempts, ALWAYS),
    [14] = LB(WENC_U8, confidence, ALWAYS),
    [15] = LB(WENC_U8, tos, ALWAYS),
    [16] = LB(WENC_U16, nnodes, ALWAYS),
    [17] = LB(WENC_U16, nlinks, ALWAYS),
    [18] = LB(WENC_U32, probes_sent, ALWAYS),
    [19] = LB(WENC_U32, probes_max, ALWAYS),
    [20] = LB(WENC_U8, gap_limit, ALWAYS),
    [21] = LB(WENC_ADDR, src, SET),
    [22] = LB(WENC_ADDR, dst, ALWAYS),
    [23] = LB(WENC_U32, user_id, SET),
    [24] = LB(WENC_U8, flags, SET),
    [25] = LB(WENC_SADDR, rtr, SET),
    [26] = LB(WENC_STR, errmsg, SET),
};
static const struct warts_fields head_table =
    WARTS_TABLE(head_field, struct warts_tracelb, 16);

static const struct warts_field node_field[] = {
    [1] = NODE(WENC_U32, gid, TOLD),
    [2] = NODE(WENC_U8, flags, ALWAYS),
    [3] = NODE(WENC_U16, nlinks, ALWAYS),
    [4] = NODE(WENC_U8, q_ttl, TOLD),
    [5] = NODE(WENC_ADDR, addr, SET),
    [6] = NODE(WENC_STR, name, SET),
};
static const struct warts_fields node_table =
    WARTS_TABLE(node_field, struct warts_tracelb_node, 6);

static const struct warts_field link_field[] = {
    [1] = LINK(WENC_U16, from, ALWAYS),
    [2] = LINK(WENC_U16, to, TOLD),
    [3] = LINK(WENC_U8, nsets, ALWAYS),
};
static const struct warts_fields link_table =
    WARTS_TABLE(link_field, struct warts_tracelb_link, 6);

static const struct warts_field set_field[] = {
    [1] = SET(WENC_U16, nprobes, ALWAYS),
};
static const struct warts_fields set_table =
    WARTS_TABLE(set_field, struct warts_tracelb_set, 5);

static const struct warts_field probe_field[] = {
    [1] = PROBE(WENC_TV, tx, ALWAYS),
    [2] = PROBE(WENC_U16, flow, ALWAYS),
    [3] = PROBE(WENC_U8, ttl, ALWAYS),
    [4] = PROBE(WENC_U8, attempt, ALWAYS),
    [5] = PROBE(WENC_U16, nreplies, ALWAYS),
};
static const struct warts_fields probe_table =
    WARTS_TABLE(probe_field, struct warts_tracelb_probe, 11);

static const struct warts_field reply_field[] = {
    [1] = REPLY(WENC_TV, rx, ALWAYS),
    [2] = REPLY(WENC_U16, ipid, ALWAYS),
    [3] = REPLY(WENC_U8, ttl, TOLD),
    [4] = REPLY(WENC_U8, flags, ALWAYS),
    [5] = REPLY(WENC_PAIR, icmp_type, TOLD),
    [6] = REPLY(WENC_U8, tcp_flags, TOLD),
    [7] = REPLY(WENC_EXTS, exts, TOLD),
    [8] = REPLY(WENC_U8, q_ttl, TOLD),
    [9] = REPLY(WENC_U8, q_tos, TOLD),
    [10] = REPLY(WENC_U32, gid, TOLD),
    [11] = REPLY(WENC_ADDR, addr, ALWAYS),
};
static const struct warts_fields reply_table =
    WARTS_TABLE(reply_field, struct warts_tracelb_reply, 13);

/* --- writing ------------------------------------------------------------ */

static void
reply_write(struct wbuf *b, const struct warts_tracelb_reply *r)
{
	uint64_t due = warts_block_due(&reply_table, r) |
	    warts_bit_if(r->flags & WARTS_TRACELB_REPLY_TTL, 3);

	if (r->flags & WARTS_TRACELB_REPLY_TCP)
		due |= WARTS_BIT(6);
	else
		due |= WARTS_BIT(5) | WARTS_BIT(8) | WARTS_BIT(9) |
		    warts_bit_if(r->exts.count != 0, 7);
	warts_block_put(b, &reply_table, r, due);
}

static void
set_write(struct wbuf *b, const struct warts_tracelb_set *s)
{
	warts_blocks_put(b, &set_table, s, 1);
	for (int i = 0; i < s->nprobes; i++) {
		warts_blocks_put(b, &probe_table, &s->probes[i], 1);
		for (int k = 0; k < s->probes[i].nreplies; k++)
			reply_write(b, &s->probes[i].replies[k]);
	}
}

static void
write_body(struct wbuf *b, const void *record)
{
	const struct warts_tracelb *t = record;

	warts_blocks_put(b, &head_table, t, 1);
	for (int i = 0; i < t->nnodes; i++) {
		const struct warts_tracelb_node *n = &t->nodes[i];

		warts_block_put(b, &node_table, n,
		    warts_block_due(&node_table, n) |
			warts_bit_if(n->flags & WARTS_TRACELB_NODE_QTTL, 4));
	}
	for (int i = 0; i < t->nlinks; i++) {
		const struct warts_tracelb_link *l = &t->links[i];

		warts_block_put(b, &link_table, l,
		    warts_block_due(&link_table, l) |
			warts_bit_if(l->has_to, 2));
		for (int k = 0; k < l->nsets; k++)
			set_write(b, &l->sets[k]);
	}
}

/* --- reading ------------------------------------------------------------ */

static void
replies_read(
    struct rbuf *r, struct warts_tracelb_probe *p, struct warts_arena **arena)
{
	p->replies = warts_blocks_get(r, &reply_table, p->nreplies, arena);
	for (int i = 0; r->bad == NULL && i < p->nreplies; i++) {
		if (p->replies[i].addr.family == ADDR_NONE &&
		    p->replies[i].gid == 0)
			rbuf_fail(r, "reply without an address");
	}
}

static void
set_read(
    struct rbuf *r, struct warts_tracelb_set *s, struct warts_arena **arena)
{
	warts_block_get(r, &set_table, s, arena);
	s->probes = warts_block_room(r, &probe_table, s->nprobes, arena);
	for (int i = 0; r->bad == NULL && i < s->nprobes; i++) {
		warts_block_get(r, &probe_table, &s->probes[i], arena);
		replies_read(r, &s->probes[i], arena);
	}
}

static void
links_read(struct rbuf *r, struct warts_tracelb *t)
{
	t->links = warts_block_room(r, &link_table, t->nlinks, &t->arena);
	for (int i = 0; r->bad == NULL && i < t->nlinks; i++) {
		struct warts_tracelb_link *l = &t->links[i];

		warts_block_get(r, &link_table, l, &t->arena);
		l->has_to = (l->has & WARTS_BIT(2)) != 0;
		l->sets = warts_block_room(r, &set_table, l->nsets, &t->arena);
		for (int k = 0; r->bad == NULL && k < l->nsets; k++)
			set_read(r, &l->sets[k], &t->arena);
	}
}

/* Links name nodes that there are, and as many as the nodes say. */
static void
graph_check(struct rbuf *r, struct warts_tracelb *t)
{
	uint16_t *count =
	    warts_arena_alloc(&t->arena, t->nnodes, sizeof(*count));

	for (int i = 0; i < t->nlinks; i++) {
		const struct warts_tracelb_link *l = &t->links[i];

		if (l->from >= t->nnodes || (l->has_to && l->to >= t->nnodes)) {
			rbuf_fail(r, "link of a node that is not there");
			return;
		}
		count[l->from]++;
	}
	for (int i = 0; i < t->nnodes; i++) {
		if (count[i] != t->nodes[i].nlinks)
			rbuf_fail(r, "node with another number of links");
	}
}

static void
read_body(struct rbuf *r, void *record)
{
	struct warts_tracelb *t = record;

	warts_block_get(r, &head_table, t, &t->arena);
	if (t->dst.family == ADDR_NONE && t->dst_gid == 0)
		rbuf_fail(r, "tracelb without a destination");
	t->nodes = warts_blocks_get(r, &node_table, t->nnodes, &t->arena);
	links_read(r, t);
	if (r->bad == NULL)
		graph_check(r, t);
}

/* --- addresses by number ------------------------------------------------ */

static int
set_resolve(const struct warts_state *st, struct warts_tracelb_set *s)
{
	int rc = 0;

	for (int i = 0; i < s->nprobes; i++) {
		struct warts_tracelb_probe *p = &s->probes[i];

		for (int k = 0; k < p->nreplies; k++)
			rc |= warts_state_addr(
			    st, p->replies[k].gid, &p->replies[k].addr);
	}
	return rc;
}

static int
resolve(const struct warts_state *st, void *record)
{
	struct warts_tracelb *t = record;
	int rc = warts_state_addr(st, t->src_gid, &t->src);

	rc |= warts_state_addr(st, t->dst_gid, &t->dst);
	for (int i = 0; i < t->nnodes; i++)
		rc |= warts_state_addr(st, t->nodes[i].gid, &t->nodes[i].addr);
	for (int i = 0; i < t->nlinks; i++) {
		for (int k = 0; k < t->links[i].nsets; k++)
			rc |= set_resolve(st, &t->links[i].sets[k]);
	}
	return rc;
}

const struct warts_codec warts_tracelb_codec =
    WARTS_CODEC(struct warts_tracelb, write_body, read_body, resolve);
