/*
 * warts/trace: the traceroute record, type 0x0006 (contract: record.h).
 *
 *	block | hop count u16 | hops (trace_hop.h) | sections | 00 00
 *
 *	section:  kind (4 bits), length (12 bits) | length bytes
 *	  1 path MTU discovery:  block | count u16 | hops | a block per note
 *	  2 last ditch:          block | count u16 | hops
 *	  3 doubletree:          block
 *
 * The sections share the record's dictionary of addresses.  One of a kind
 * not known is stepped over; it is lost when the record is encoded again.
 *
 * scamper writes the length of a path MTU section without masking it, so that
 * one above 4,095 bytes spills into the kind and its length is the true one
 * modulo 4,096.  Such a section is recognised by its contents and written
 * back as it was.  Ours never get there: hops at the end are left out until
 * the section fits.
 */
#include <assert.h>
#include <string.h>

#include "common/warts/block.h"
#include "common/warts/record.h"
#include "common/warts/trace_hop.h"

#define SECTION_MAX 0xfffu
#define SECTION_PMTUD 1
#define SECTION_LASTDITCH 2
#define SECTION_DTREE 3

#define TRACE(e, member)                                                 \
	{                                                                \
		.enc = e, .offset = offsetof(struct warts_trace, member) \
	}
#define PMTUD(e, member)                                                 \
	{                                                                \
		.enc = e, .offset = offsetof(struct warts_pmtud, member) \
	}
#define NOTE(e, member)                                                       \
	{                                                                     \
		.enc = e, .offset = offsetof(struct warts_pmtud_note, member) \
	}
#define DTREE(e, member)                                                 \
	{                                                                \
		.enc = e, .offset = offsetof(struct warts_dtree, member) \
	}

static const struct warts_field trace_field[] = {
    [1] = TRACE(WENC_U32, list),
    [2] = TRACE(WENC_U32, cycle),
    [3] = TRACE(WENC_U32, src_gid),
    [4] = TRACE(WENC_U32, dst_gid),
    [5] = TRACE(WENC_TV, start),
    [6] = TRACE(WENC_U8, stop_reason),
    [7] = TRACE(WENC_U8, stop_data),
    [8] = TRACE(WENC_LOW8, flags),
    [9] = TRACE(WENC_U8, attempts),
    [10] = TRACE(WENC_U8, hop_limit),
    [11] = TRACE(WENC_U8, method),
    [12] = TRACE(WENC_U16, probe_size),
    [13] = TRACE(WENC_U16, sport),
    [14] = TRACE(WENC_U16, dport),
    [15] = TRACE(WENC_U8, first_ttl),
    [16] = TRACE(WENC_U8, tos),
    [17] = TRACE(WENC_U8, wait_s),
    [18] = TRACE(WENC_U8, loops),
    [19] = TRACE(WENC_U16, hop_count),
    [20] = TRACE(WENC_U8, gap_limit),
    [21] = TRACE(WENC_U8, gap_action),
    [22] = TRACE(WENC_U8, loop_action),
    [23] = TRACE(WENC_U16, probe_count),
    [24] = TRACE(WENC_U8, wait_probe_cs),
    [25] = TRACE(WENC_U8, confidence),
    [26] = TRACE(WENC_ADDR, src),
    [27] = TRACE(WENC_ADDR, dst),
    [28] = TRACE(WENC_U32, user_id),
    [29] = TRACE(WENC_U16, offset),
    [30] = TRACE(WENC_SADDR, rtr),
    [31] = TRACE(WENC_U8, squeries),
    [32] = TRACE(WENC_U32, flags),
    [33] = TRACE(WENC_U8, stop_ttl),
    [34] = TRACE(WENC_STR, errmsg),
};
static const struct warts_fields trace_table = {.field = trace_field, .n = 34};

static const struct warts_field pmtud_field[] = {
    [1] = PMTUD(WENC_U16, if_mtu),
    [2] = PMTUD(WENC_U16, path_mtu),
    [3] = PMTUD(WENC_U16, out_mtu),
    [4] = PMTUD(WENC_U8, version),
    [5] = PMTUD(WENC_U8, note_count),
};
static const struct warts_fields pmtud_table = {.field = pmtud_field, .n = 5};

static const struct warts_field note_field[] = {
    [1] = NOTE(WENC_U8, type),
    [2] = NOTE(WENC_U16, nhmtu),
    [3] = NOTE(WENC_U16, hop),
};
static const struct warts_fields note_table = {.field = note_field, .n = 3};

static const struct warts_field dtree_field[] = {
    [1] = DTREE(WENC_U32, lss_gid),
    [2] = DTREE(WENC_U32, gss_gid),
    [3] = DTREE(WENC_U8, first_ttl),
    [4] = DTREE(WENC_ADDR, lss_stop),
    [5] = DTREE(WENC_ADDR, gss_stop),
    [6] = DTREE(WENC_STR, lss_name),
    [7] = DTREE(WENC_U8, flags),
};
static const struct warts_fields dtree_table = {.field = dtree_field, .n = 7};

static const struct warts_fields no_fields = {.field = NULL, .n = 0};

/* --- writing ------------------------------------------------------------ */

/* The fields that scamper 2026 writes whatever their value: 1, 2, 5 to 7, 9
 * to 25, 27. */
#define TRACE_ALWAYS 0x0bfffee6ULL

static uint64_t
trace_fields(const struct warts_trace *t)
{
	uint64_t has = TRACE_ALWAYS;

	if (t->flags & 0xff)
		has |= WARTS_BIT(8);
	if (t->flags > 0xff)
		has |= WARTS_BIT(32);
	if (t->src.family != ADDR_NONE)
		has |= WARTS_BIT(26);
	if (t->rtr.family != ADDR_NONE)
		has |= WARTS_BIT(30);
	if (t->user_id != 0)
		has |= WARTS_BIT(28);
	if (t->offset != 0)
		has |= WARTS_BIT(29);
	if (t->squeries > 1)
		has |= WARTS_BIT(31);
	if (t->stop_ttl != 0)
		has |= WARTS_BIT(33);
	if (t->errmsg != NULL)
		has |= WARTS_BIT(34);
	return has;
}

/* The block of nearly every trace of ours in one pass, as hops are written
 * (trace_hop.c); any other goes through the table. */
#define PLAIN_FIELDS (WARTS_HAS | TRACE_ALWAYS | WARTS_BIT(8) | WARTS_BIT(26))
#define PLAIN_HEAD 6 /* flags (field 27 is in the fourth byte), length */
#define PLAIN_MAX (PLAIN_HEAD + 64 + 2 * WBUF_ADDR_MAX)

static int
is_plain(uint64_t has)
{
	return (has & TRACE_ALWAYS) == TRACE_ALWAYS && !(has & ~PLAIN_FIELDS);
}

/* Fields 9 to 25. */
static uint8_t *
put_settings(uint8_t *p, const struct warts_trace *t)
{
	*p++ = t->attempts;
	*p++ = t->hop_limit;
	*p++ = t->method;
	p = wbuf_put16(p, t->probe_size);
	p = wbuf_put16(p, t->sport);
	p = wbuf_put16(p, t->dport);
	*p++ = t->first_ttl;
	*p++ = t->tos;
	*p++ = t->wait_s;
	*p++ = t->loops;
	p = wbuf_put16(p, t->hop_count);
	*p++ = t->gap_limit;
	*p++ = t->gap_action;
	*p++ = t->loop_action;
	p = wbuf_put16(p, t->probe_count);
	*p++ = t->wait_probe_cs;
	*p++ = t->confidence;
	return p;
}

static void
plain_write(struct wbuf *b, const struct warts_trace *t, uint64_t has)
{
	uint8_t *head, *p;

	wbuf_room(b, PLAIN_MAX);
	head = b->p + b->len;
	p = wbuf_put32(head + PLAIN_HEAD, t->list);
	p = wbuf_put32(p, t->cycle);
	p = wbuf_put32(p, t->start.sec);
	p = wbuf_put32(p, t->start.usec);
	*p++ = t->stop_reason;
	*p++ = t->stop_data;
	if (has & WARTS_BIT(8))
		*p++ = (uint8_t)t->flags;
	p = put_settings(p, t);
	if (has & WARTS_BIT(26))
		p = wbuf_addr_at(b, p, &t->src);
	p = wbuf_addr_at(b, p, &t->dst);
	head[0] = (uint8_t)(has >> 1 | 0x80);
	head[1] = (uint8_t)(has >> 8 | 0x80);
	head[2] = (uint8_t)(has >> 15 | 0x80);
	head[3] = (uint8_t)(has >> 22);
	wbuf_put16(head + 4, (uint16_t)(p - head - PLAIN_HEAD));
	b->len = (size_t)(p - b->p);
}

/* The section behind AT is complete: fill in its header. */
static void
section_end(struct wbuf *b, size_t at, unsigned int kind)
{
	size_t len = b->len - at - 2, head = kind << 12 | len;

	b->p[at] = (uint8_t)(head >> 8);
	b->p[at + 1] = (uint8_t)head;
}

static void
note_write(struct wbuf *b, const struct warts_pmtud_note *n, size_t nhops)
{
	uint64_t has = n->has;

	if (!(has & WARTS_HAS)) {
		has = 0;
		if (n->type != 0)
			has |= WARTS_BIT(1);
		if (n->nhmtu != 0)
			has |= WARTS_BIT(2);
		if (n->has_hop && n->hop < nhops)
			has |= WARTS_BIT(3);
	}
	warts_block_write(b, &note_table, n, has);
}

static uint64_t
pmtud_fields(const struct warts_pmtud *p)
{
	uint64_t has = WARTS_BIT(4);

	if (p->if_mtu != 0)
		has |= WARTS_BIT(1);
	if (p->path_mtu != 0)
		has |= WARTS_BIT(2);
	if (p->out_mtu != 0)
		has |= WARTS_BIT(3);
	if (p->note_count != 0)
		has |= WARTS_BIT(5);
	return has;
}

static void
pmtud_write(struct wbuf *b, const struct warts_trace *t, size_t nhops)
{
	struct warts_pmtud p = *t->pmtud;
	uint64_t has = p.has;
	size_t at = b->len;

	wbuf_u16(b, 0);
	if (!(has & WARTS_HAS)) {
		has = pmtud_fields(&p);
		if (p.version == 0)
			p.version = 2;
	}
	warts_block_write(b, &pmtud_table, &p, has);
	wbuf_u16(b, (uint16_t)nhops);
	warts_hops_write(b, p.hops, nhops, t->probe_size);
	for (size_t i = 0; i < p.note_count; i++)
		note_write(b, &p.notes[i], nhops);
	section_end(b, at, SECTION_PMTUD);
}

static void
lastditch_write(struct wbuf *b, const struct warts_trace *t, size_t nhops)
{
	size_t at = b->len;

	wbuf_u16(b, 0);
	warts_block_write(b, &no_fields, t, 0);
	wbuf_u16(b, (uint16_t)nhops);
	warts_hops_write(b, t->lastditch->hops, nhops, t->probe_size);
	section_end(b, at, SECTION_LASTDITCH);
}

/* WRITE a section with as many of its N hops as fit its length. */
static void
section_fit(struct wbuf *b, const struct warts_trace *t, size_t n,
    void (*write)(struct wbuf *, const struct warts_trace *, size_t))
{
	struct wbuf_mark m = wbuf_mark(b);
	size_t low = 0, high = n; /* low hops fit, more than high do not */

	write(b, t, n);
	if (b->len - m.len - 2 <= SECTION_MAX)
		return;
	while (low < high) {
		size_t mid = (low + high) / 2;

		wbuf_rewind(b, m);
		write(b, t, mid);
		if (b->len - m.len - 2 > SECTION_MAX)
			high = mid;
		else if (low == mid)
			break;
		else
			low = mid;
	}
	wbuf_rewind(b, m);
	write(b, t, low);
	assert(b->len - m.len - 2 <= SECTION_MAX);
}

static void
dtree_write(struct wbuf *b, const struct warts_dtree *d)
{
	uint64_t has = d->has;
	size_t at = b->len;

	wbuf_u16(b, 0);
	if (!(has & WARTS_HAS)) {
		has = WARTS_BIT(3);
		if (d->lss_stop.family != ADDR_NONE)
			has |= WARTS_BIT(4);
		if (d->gss_stop.family != ADDR_NONE)
			has |= WARTS_BIT(5);
		if (d->lss_name != NULL)
			has |= WARTS_BIT(6);
		if (d->flags != 0)
			has |= WARTS_BIT(7);
	}
	warts_block_write(b, &dtree_table, d, has);
	assert(b->len - at - 2 <= SECTION_MAX);
	section_end(b, at, SECTION_DTREE);
}

static void
sections_write(struct wbuf *b, const struct warts_trace *t)
{
	if (t->pmtud != NULL && t->pmtud->has & WARTS_HAS)
		pmtud_write(b, t, t->pmtud->hop_count);
	else if (t->pmtud != NULL)
		section_fit(b, t, t->pmtud->hop_count, pmtud_write);
	if (t->lastditch != NULL)
		section_fit(b, t, t->lastditch->hop_count, lastditch_write);
	if (t->dtree != NULL)
		dtree_write(b, t->dtree);
}

void
warts_trace_write(struct wbuf *b, const struct warts_trace *t)
{
	uint64_t has = t->has;

	if (!(has & WARTS_HAS))
		has = trace_fields(t);
	if (is_plain(has))
		plain_write(b, t, has);
	else
		warts_block_write(b, &trace_table, t, has);
	wbuf_u16(b, t->nhops);
	warts_hops_write(b, t->hops, t->nhops, t->probe_size);
	sections_write(b, t);
	wbuf_u16(b, 0);
}

void
warts_trace_encode(struct wbuf *b, const struct warts_trace *t)
{
	size_t token = wbuf_record_begin(b, WARTS_TRACE);

	warts_trace_write(b, t);
	wbuf_record_end(b, token);
}

/* --- reading ------------------------------------------------------------ */

static struct warts_pmtud_note *
notes_read(struct rbuf *r, size_t n, struct warts_arena **arena)
{
	struct warts_pmtud_note *notes;

	if (n > rbuf_left(r))
		rbuf_fail(r, "more notes than there are bytes for");
	if (r->bad != NULL || n == 0)
		return NULL;
	notes = warts_arena_alloc(arena, n, sizeof(*notes));
	for (size_t i = 0; i < n; i++) {
		uint64_t has =
		    warts_block_read(r, &note_table, &notes[i], arena);

		notes[i].has = (uint32_t)has;
		notes[i].has_hop = (has & WARTS_BIT(3)) != 0;
	}
	return notes;
}

static void
pmtud_read(struct rbuf *r, struct warts_trace *t)
{
	struct warts_pmtud *p = warts_arena_alloc(&t->arena, 1, sizeof(*p));

	p->version = 1;
	p->has = (uint32_t)warts_block_read(r, &pmtud_table, p, &t->arena);
	p->hop_count = rbuf_u16(r);
	p->hops = warts_hops_read(r, p->hop_count, &t->arena);
	p->notes = notes_read(r, p->note_count, &t->arena);
	for (size_t i = 0; r->bad == NULL && i < p->note_count; i++) {
		if (p->notes[i].has_hop && p->notes[i].hop >= p->hop_count)
			rbuf_fail(r, "note about a hop that is not there");
	}
	t->pmtud = p;
}

static void
lastditch_read(struct rbuf *r, struct warts_trace *t)
{
	struct warts_lastditch *l = warts_arena_alloc(&t->arena, 1, sizeof(*l));

	warts_block_read(r, &no_fields, l, &t->arena);
	l->hop_count = rbuf_u16(r);
	l->hops = warts_hops_read(r, l->hop_count, &t->arena);
	t->lastditch = l;
}

static void
dtree_read(struct rbuf *r, struct warts_trace *t)
{
	struct warts_dtree *d = warts_arena_alloc(&t->arena, 1, sizeof(*d));

	d->has = (uint32_t)warts_block_read(r, &dtree_table, d, &t->arena);
	t->dtree = d;
}

/*
 * A path MTU section whose length spilt over (see the top): true when one of
 * the length that HEAD stands for is at R->p, and then it was read.
 */
static int
pmtud_overlong_read(struct rbuf *r, struct warts_trace *t, unsigned int head)
{
	struct rbuf try = *r;
	size_t used;

	if (t->pmtud != NULL || !(head >> 12 & SECTION_PMTUD) ||
	    rbuf_left(r) <= SECTION_MAX)
		return 0;
	pmtud_read(&try, t);
	used = (size_t)(try.p - r->p);
	if (try.bad == NULL && used > SECTION_MAX &&
	    ((SECTION_PMTUD << 12 | used) & 0xffff) == head) {
		*r = try;
		return 1;
	}
	t->pmtud = NULL;
	/* The trial may have moved the dictionary; it is longer, not other. */
	r->dict = try.dict;
	r->capdict = try.capdict;
	return 0;
}

/* Is there one already?  scamper writes at most one of each. */
static int
section_again(const struct warts_trace *t, unsigned int kind)
{
	return (kind == SECTION_PMTUD && t->pmtud != NULL) ||
	    (kind == SECTION_LASTDITCH && t->lastditch != NULL) ||
	    (kind == SECTION_DTREE && t->dtree != NULL);
}

static void
section_read(struct rbuf *r, struct warts_trace *t, unsigned int head)
{
	static void (*const read[])(struct rbuf *, struct warts_trace *) = {
	    [SECTION_PMTUD] = pmtud_read,
	    [SECTION_LASTDITCH] = lastditch_read,
	    [SECTION_DTREE] = dtree_read,
	};
	unsigned int kind = head >> 12;
	const uint8_t *end = r->end;
	size_t len = head & SECTION_MAX;

	if (pmtud_overlong_read(r, t, head))
		return;
	if (section_again(t, kind)) {
		rbuf_fail(r, "two sections of one kind");
		return;
	}
	if (kind == 0 || kind > SECTION_DTREE) {
		rbuf_bytes(r, len);
		return;
	}
	if (len > rbuf_left(r)) {
		rbuf_fail(r, "section runs beyond the record");
		return;
	}
	r->end = r->p + len;
	read[kind](r, t);
	if (r->bad == NULL && r->p != r->end)
		rbuf_fail(r, "section is longer than its contents");
	r->end = end;
}

static void
trace_check(struct rbuf *r, const struct warts_trace *t)
{
	uint8_t ttl = 0;

	if (!(t->has & WARTS_BIT(27)) && t->dst_gid == 0)
		rbuf_fail(r, "trace without a destination");
	for (size_t i = 0; r->bad == NULL && i < t->nhops; i++) {
		if (t->hops[i].probe_ttl < ttl)
			rbuf_fail(r, "hops out of order");
		ttl = t->hops[i].probe_ttl;
	}
	if (t->hop_count > 255 || (t->hop_count != 0 && t->hop_count < ttl))
		rbuf_fail(r, "hop count below the hops or above 255");
}

int
warts_trace_decode(
    const uint8_t *body, size_t len, struct warts_trace *out, const char **why)
{
	unsigned int head;
	struct rbuf r;

	memset(out, 0, sizeof(*out));
	out->first_ttl = 1;
	out->squeries = 1;
	rbuf_init(&r, body, len);
	out->has = warts_block_read(&r, &trace_table, out, &out->arena);
	out->nhops = rbuf_u16(&r);
	out->hops = warts_hops_read(&r, out->nhops, &out->arena);
	trace_check(&r, out);
	while ((head = rbuf_u16(&r)) != 0)
		section_read(&r, out, head);
	if (rbuf_finish(&r, why) == 0)
		return 0;
	warts_trace_clear(out);
	return -1;
}

void
warts_trace_clear(struct warts_trace *t)
{
	warts_arena_free(&t->arena);
	memset(t, 0, sizeof(*t));
}
