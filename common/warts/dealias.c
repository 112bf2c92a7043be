#include "common/warts/dealias.h"

#include <string.h>

#include "common/warts/block.h"
#include "common/warts/codec.h"

#define IP_PROTO_ICMP 1
#define IP_PROTO_TCP 6
#define IP_PROTO_ICMPV6 58

enum { WENC_XS = WENC_OWN, WENC_SCHEDULE };

#define HEAD(e, member, w) WARTS_ROW(struct warts_dealias, e, member, w)
#define M(e, member, w) \
	WARTS_ROW(struct warts_dealias_method_block, e, member, w)
#define DEF(e, member, w) WARTS_ROW(struct warts_dealias_def, e, member, w)
#define PROBE(e, member, w) WARTS_ROW(struct warts_dealias_probe, e, member, w)
#define REPLY(e, member, w) WARTS_ROW(struct warts_dealias_reply, e, member, w)

_Static_assert(offsetof(struct warts_dealias_reply, icmp_code) ==
	offsetof(struct warts_dealias_reply, icmp_type) + 1,
    "field 5 is both");
_Static_assert(offsetof(struct warts_dealias_def, dport) ==
	offsetof(struct warts_dealias_def, sport) + 2,
    "field 7 is both");

static const struct warts_field head_field[] = {
    [1] = HEAD(WENC_U32, list, ALWAYS),
    [2] = HEAD(WENC_U32, cycle, ALWAYS),
    [3] = HEAD(WENC_TV, start, ALWAYS),
    [4] = HEAD(WENC_U8, method, ALWAYS),
    [5] = HEAD(WENC_U8, result, SET),
    [6] = HEAD(WENC_U32, nprobes, SET),
    [7] = HEAD(WENC_U32, user_id, SET),
    [8] = HEAD(WENC_STR, errmsg, SET),
};
static const struct warts_fields head_table =
    WARTS_TABLE(head_field, struct warts_dealias, 1);

static const struct warts_field def_field[] = {
    [1] = DEF(WENC_U32, dst_gid, TOLD),
    [2] = DEF(WENC_U32, src_gid, TOLD),
    [3] = DEF(WENC_U32, id, SET),
    [4] = DEF(WENC_U8, method, ALWAYS),
    [5] = DEF(WENC_U8, ttl, ALWAYS),
    [6] = DEF(WENC_U8, tos, SET),
    [7] = DEF(WENC_U16X2, sport, TOLD),
    [8] = DEF(WENC_U8, tcp_flags, TOLD),
    [9] = DEF(WENC_U16, icmp_id, TOLD),
    [10] = DEF(WENC_ADDR, dst, ALWAYS),
    [11] = DEF(WENC_ADDR, src, SET),
    [12] = DEF(WENC_U16, size, SET),
    [13] = DEF(WENC_U16, mtu, SET),
    [14] = DEF(WENC_U16, icmp_sum, TOLD),
};
static const struct warts_fields def_table =
    WARTS_TABLE(def_field, struct warts_dealias_def, 9);

static const struct warts_field probe_field[] = {
    [1] = PROBE(WENC_U32, def, SET),
    [2] = PROBE(WENC_TV, tx, ALWAYS),
    [3] = PROBE(WENC_U16, nreplies, SET),
    [4] = PROBE(WENC_U16, ipid, TOLD),
    [5] = PROBE(WENC_U32, seq, SET),
};
static const struct warts_fields probe_table =
    WARTS_TABLE(probe_field, struct warts_dealias_probe, 11);

static const struct warts_field reply_field[] = {
    [1] = REPLY(WENC_U32, gid, TOLD),
    [2] = REPLY(WENC_TV, rx, ALWAYS),
    [3] = REPLY(WENC_U16, ipid, TOLD),
    [4] = REPLY(WENC_U8, ttl, ALWAYS),
    [5] = REPLY(WENC_PAIR, icmp_type, TOLD),
    [6] = REPLY(WENC_U8, q_ttl, TOLD),
    [7] = REPLY(WENC_EXTS, exts, TOLD),
    [8] = REPLY(WENC_U8, protocol, TOLD),
    [9] = REPLY(WENC_U8, tcp_flags, TOLD),
    [10] = REPLY(WENC_ADDR, src, ALWAYS),
    [11] = REPLY(WENC_U32, fragid, TOLD),
    [12] = REPLY(WENC_U8, flags, SET),
    [13] = REPLY(WENC_U16, size, SET),
};
static const struct warts_fields reply_table =
    WARTS_TABLE(reply_field, struct warts_dealias_reply, 13);

/* --- the methods' blocks -------------------------------------------------- */

static const struct warts_field mercator_field[] = {
    [1] = M(WENC_U8, attempts, ALWAYS),
    [2] = M(WENC_U8, wait_timeout_s, ALWAYS),
};
static const struct warts_field ally_field[] = {
    [1] = M(WENC_U16, wait_probe_ms, ALWAYS),
    [2] = M(WENC_U8, wait_timeout_s, ALWAYS),
    [3] = M(WENC_U8, attempts, ALWAYS),
    [4] = M(WENC_U16, fudge, SET),
    [5] = M(WENC_U8, flags, SET),
};
static const struct warts_field radargun_field[] = {
    [1] = M(WENC_U32, ndefs, ALWAYS),
    [2] = M(WENC_U16, rounds, ALWAYS),
    [3] = M(WENC_U16, wait_probe_ms, ALWAYS),
    [4] = M(WENC_U32, wait_round_ms, ALWAYS),
    [5] = M(WENC_U8, wait_timeout_s, ALWAYS),
    [6] = M(WENC_U8, flags, SET),
};
static const struct warts_field prefixscan_field[] = {
    [1] = M(WENC_ADDR, a, SET),
    [2] = M(WENC_ADDR, b, SET),
    [3] = M(WENC_ADDR, ab, SET),
    [4] = M(WENC_XS, xs, SET),
    [5] = M(WENC_U8, prefix_len, ALWAYS),
    [6] = M(WENC_U8, attempts, ALWAYS),
    [7] = M(WENC_U16, fudge, ALWAYS),
    [8] = M(WENC_U16, wait_probe_ms, ALWAYS),
    [9] = M(WENC_U8, wait_timeout_s, ALWAYS),
    [10] = M(WENC_LOW16, ndefs, SET),
    [11] = M(WENC_U8, flags, SET),
    [12] = M(WENC_U8, nreplies, TOLD),
};
static const struct warts_field bump_field[] = {
    [1] = M(WENC_U16, wait_probe_ms, ALWAYS),
    [2] = M(WENC_U16, bump_limit, ALWAYS),
    [3] = M(WENC_U8, attempts, ALWAYS),
};
static const struct warts_field midarest_field[] = {
    [1] = M(WENC_LOW16, ndefs, ALWAYS),
    [2] = M(WENC_U8, rounds8, ALWAYS),
    [3] = M(WENC_U32, wait_probe_us, ALWAYS),
    [4] = M(WENC_U32, wait_round_us, ALWAYS),
    [5] = M(WENC_U32, wait_timeout_us, ALWAYS),
};
static const struct warts_field midardisc_field[] = {
    [1] = M(WENC_U32, ndefs, ALWAYS),
    [2] = M(WENC_U32, wait_timeout_us, ALWAYS),
    [3] = M(WENC_SCHEDULE, schedule, SET),
    [4] = M(WENC_TV, start, SET),
};

/*
 * scamper 2021 stores the number of exclusions with its bytes swapped, and
 * then cannot read it.  Nobody excludes as many as the wrong number says.
 */
static void
xs_read(struct rbuf *r, struct warts_dealias_xs *xs, struct warts_arena **arena)
{
	size_t n = rbuf_u16(r);

	if (n > rbuf_left(r) / 5)
		n = (n & 0xff) << 8 | n >> 8;
	if (n > rbuf_left(r) / 5) {
		rbuf_fail(r, "more exclusions than there are bytes for");
		return;
	}
	xs->count = (uint16_t)n;
	xs->addr = warts_arena_alloc(arena, n, sizeof(*xs->addr));
	for (size_t i = 0; i < n; i++)
		xs->addr[i] = rbuf_addr(r);
}

static void
schedule_read(struct rbuf *r, struct warts_dealias_schedule *s,
    struct warts_arena **arena)
{
	size_t n = rbuf_u32(r);

	if (n > rbuf_left(r) / 16) {
		rbuf_fail(r, "more of a schedule than there are bytes for");
		return;
	}
	s->count = (uint16_t)n;
	s->slot = warts_arena_alloc(arena, n, sizeof(*s->slot));
	for (size_t i = 0; i < n; i++) {
		s->slot[i].start = rbuf_tv(r);
		s->slot[i].first = rbuf_u32(r);
		s->slot[i].last = rbuf_u32(r);
	}
}

static void
own_read(struct rbuf *r, int enc, void *v, struct warts_arena **arena)
{
	if (enc == WENC_XS)
		xs_read(r, v, arena);
	else
		schedule_read(r, v, arena);
}

static void
own_write(struct wbuf *b, int enc, const void *v)
{
	const struct warts_dealias_xs *xs = v;
	const struct warts_dealias_schedule *s = v;

	if (enc == WENC_XS) {
		wbuf_u16(b, xs->count);
		for (int i = 0; i < xs->count; i++)
			wbuf_addr(b, &xs->addr[i]);
		return;
	}
	wbuf_u32(b, s->count);
	for (int i = 0; i < s->count; i++) {
		wbuf_tv(b, s->slot[i].start);
		wbuf_u32(b, s->slot[i].first);
		wbuf_u32(b, s->slot[i].last);
	}
}

#define METHOD(f)        \
	WARTS_TABLE_OWN( \
	    f, struct warts_dealias_method_block, 1, own_read, own_write)

/* By method; how many definitions it has, 0 where its block says so. */
static const struct {
	struct warts_fields table;
	uint32_t ndefs;
} methods[] = {
    [WARTS_DEALIAS_MERCATOR] = {METHOD(mercator_field), 1},
    [WARTS_DEALIAS_ALLY] = {METHOD(ally_field), 2},
    [WARTS_DEALIAS_RADARGUN] = {METHOD(radargun_field), 0},
    [WARTS_DEALIAS_PREFIXSCAN] = {METHOD(prefixscan_field), 0},
    [WARTS_DEALIAS_BUMP] = {METHOD(bump_field), 2},
    [WARTS_DEALIAS_MIDAREST] = {METHOD(midarest_field), 0},
    [WARTS_DEALIAS_MIDARDISC] = {METHOD(midardisc_field), 0},
};

#define NMETHODS (sizeof(methods) / sizeof(methods[0]))
#define REPLIES_DEFAULT 5 /* that prefixscan asks for */

int
warts_dealias_is_icmp(const struct warts_dealias_reply *r)
{
	return (r->src.family == ADDR_IPV4 && r->protocol == IP_PROTO_ICMP) ||
	    (r->src.family == ADDR_IPV6 && r->protocol == IP_PROTO_ICMPV6);
}

/* --- writing ------------------------------------------------------------ */

static void
def_write(struct wbuf *b, const struct warts_dealias_def *d)
{
	uint64_t due = warts_block_due(&def_table, d);

	if (d->method == WARTS_DEALIAS_ICMP_ECHO)
		due |= WARTS_BIT(9) | warts_bit_if(d->icmp_sum != 0, 14);
	else
		due |= WARTS_BIT(7);
	if (d->method == WARTS_DEALIAS_TCP_ACK ||
	    d->method == WARTS_DEALIAS_TCP_ACK_SPORT ||
	    d->method == WARTS_DEALIAS_TCP_SYN_SPORT)
		due |= WARTS_BIT(8);
	warts_block_put(b, &def_table, d, due);
}

static void
reply_write(struct wbuf *b, const struct warts_dealias_reply *r)
{
	int v4 = r->src.family == ADDR_IPV4;
	uint64_t due = warts_block_due(&reply_table, r) |
	    warts_bit_if(v4 && r->ipid != 0, 3) |
	    warts_bit_if(!v4 && r->fragid != 0, 11);

	if (warts_dealias_is_icmp(r))
		due |= WARTS_BIT(5) | WARTS_BIT(6) |
		    warts_bit_if(r->exts.count != 0, 7);
	else
		due |=
		    WARTS_BIT(8) | warts_bit_if(r->protocol == IP_PROTO_TCP, 9);
	warts_block_put(b, &reply_table, r, due);
}

static void
write_body(struct wbuf *b, const void *record)
{
	const struct warts_dealias *d = record;
	const struct warts_fields *t = &methods[d->method].table;
	uint64_t due = warts_block_due(t, &d->m);

	if (d->method == WARTS_DEALIAS_PREFIXSCAN)
		due |= warts_bit_if(d->m.nreplies != REPLIES_DEFAULT, 12);
	warts_blocks_put(b, &head_table, d, 1);
	warts_block_put(b, t, &d->m, due);
	for (uint32_t i = 0; i < d->ndefs; i++)
		def_write(b, &d->defs[i]);
	for (uint32_t i = 0; i < d->nprobes; i++) {
		const struct warts_dealias_probe *p = &d->probes[i];

		due = warts_block_due(&probe_table, p) |
		    warts_bit_if(d->defs[p->def].dst.family == ADDR_IPV4, 4);
		warts_block_put(b, &probe_table, p, due);
		for (int k = 0; k < p->nreplies; k++)
			reply_write(b, &p->replies[k]);
	}
}

/* --- reading ------------------------------------------------------------ */

static void
defs_read(struct rbuf *r, struct warts_dealias *d)
{
	d->defs = warts_blocks_get(r, &def_table, d->ndefs, &d->arena);
	for (uint32_t i = 0; r->bad == NULL && i < d->ndefs; i++) {
		struct warts_dealias_def *def = &d->defs[i];

		if (def->dst.family == ADDR_NONE && def->dst_gid == 0)
			rbuf_fail(r, "definition without a destination");
		if (def->method == 0 ||
		    def->method > WARTS_DEALIAS_TCP_SYN_SPORT)
			rbuf_fail(r, "definition of an unknown method");
		/* As the oldest have it. */
		if (def->method == WARTS_DEALIAS_ICMP_ECHO &&
		    def->has & WARTS_BIT(7))
			def->icmp_sum = def->dport;
	}
}

static void
replies_read(
    struct rbuf *r, struct warts_dealias_probe *p, struct warts_arena **arena)
{
	p->replies = warts_blocks_get(r, &reply_table, p->nreplies, arena);
	for (int i = 0; r->bad == NULL && i < p->nreplies; i++) {
		struct warts_dealias_reply *reply = &p->replies[i];

		if (reply->src.family == ADDR_NONE && reply->gid == 0)
			rbuf_fail(r, "reply without a source");
		if (!(reply->has & WARTS_BIT(8)))
			reply->protocol = reply->src.family == ADDR_IPV6
			    ? IP_PROTO_ICMPV6
			    : IP_PROTO_ICMP;
	}
}

static void
probes_read(struct rbuf *r, struct warts_dealias *d)
{
	d->probes = warts_block_room(r, &probe_table, d->nprobes, &d->arena);
	for (uint32_t i = 0; r->bad == NULL && i < d->nprobes; i++) {
		struct warts_dealias_probe *p = &d->probes[i];

		warts_block_get(r, &probe_table, p, &d->arena);
		if (p->def >= d->ndefs)
			rbuf_fail(r, "probe of a definition not there");
		replies_read(r, p, &d->arena);
	}
}

static void
read_body(struct rbuf *r, void *record)
{
	struct warts_dealias *d = record;

	warts_block_get(r, &head_table, d, &d->arena);
	if (d->method == 0 || d->method >= NMETHODS)
		rbuf_fail(r, "dealias of an unknown method");
	if (r->bad != NULL)
		return;
	d->m.nreplies = REPLIES_DEFAULT;
	warts_block_get(r, &methods[d->method].table, &d->m, &d->arena);
	d->ndefs = methods[d->method].ndefs;
	if (d->ndefs == 0)
		d->ndefs = d->m.ndefs;
	defs_read(r, d);
	probes_read(r, d);
}

static int
resolve(const struct warts_state *st, void *record)
{
	struct warts_dealias *d = record;
	int rc = 0;

	for (uint32_t i = 0; i < d->ndefs; i++) {
		struct warts_dealias_def *def = &d->defs[i];

		rc |= warts_state_addr(st, def->dst_gid, &def->dst);
		rc |= warts_state_addr(st, def->src_gid, &def->src);
	}
	for (uint32_t i = 0; i < d->nprobes; i++) {
		for (int k = 0; k < d->probes[i].nreplies; k++)
			rc |= warts_state_addr(st, d->probes[i].replies[k].gid,
			    &d->probes[i].replies[k].src);
	}
	return rc;
}

const struct warts_codec warts_dealias_codec =
    WARTS_CODEC(struct warts_dealias, write_body, read_body, resolve);
