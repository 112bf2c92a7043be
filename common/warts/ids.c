/*
 * warts/ids: what every measurement record has in common, found without
 * understanding the rest of it (contract: record.h).  A sorter moves records
 * of all types between files with this; only the list, the cycle and, where
 * those were absent, the block's flags and length change.
 *
 *	before:  flags | length | [list] [cycle] | rest of the body
 *	after:   flags | length | [list'] [cycle'] | the same bytes
 */
#include <string.h>

#include "common/warts/block.h"
#include "common/warts/record.h"

#define LIST WARTS_BIT(1)
#define CYCLE WARTS_BIT(2)

/* The fields of all types up to the start time, and a place for each. */
struct head {
	uint32_t list, cycle, u32;
	uint16_t u16;
	uint8_t u8;
	struct warts_tv start;
	struct addr addr;
	const char *str;
	struct warts_bytes bytes;
};

#define F_LIST                                                         \
	{                                                              \
		.enc = WENC_U32, .offset = offsetof(struct head, list) \
	}
#define F_CYCLE                                                         \
	{                                                               \
		.enc = WENC_U32, .offset = offsetof(struct head, cycle) \
	}
#define F_START                                                        \
	{                                                              \
		.enc = WENC_TV, .offset = offsetof(struct head, start) \
	}
#define F_U8                                                        \
	{                                                           \
		.enc = WENC_U8, .offset = offsetof(struct head, u8) \
	}
#define F_U16                                                         \
	{                                                             \
		.enc = WENC_U16, .offset = offsetof(struct head, u16) \
	}
#define F_U32                                                         \
	{                                                             \
		.enc = WENC_U32, .offset = offsetof(struct head, u32) \
	}
#define F_ADDR                                                          \
	{                                                               \
		.enc = WENC_ADDR, .offset = offsetof(struct head, addr) \
	}
#define F_SADDR                                                          \
	{                                                                \
		.enc = WENC_SADDR, .offset = offsetof(struct head, addr) \
	}
#define F_STR                                                         \
	{                                                             \
		.enc = WENC_STR, .offset = offsetof(struct head, str) \
	}
#define F_LEN                                                               \
	{                                                                   \
		.enc = WENC_U16, .offset = offsetof(struct head, bytes.len) \
	}
#define F_BYTES                                                           \
	{                                                                 \
		.enc = WENC_BYTES, .offset = offsetof(struct head, bytes) \
	}

/* Field 0 is not one; the last is the start time. */
static const struct warts_field classic[] = {
    {.enc = WENC_NONE}, F_LIST, F_CYCLE, F_U32, F_U32, F_START};
static const struct warts_field dealias[] = {
    {.enc = WENC_NONE}, F_LIST, F_CYCLE, F_START};
static const struct warts_field neighbourdisc[] = {
    {.enc = WENC_NONE}, F_LIST, F_CYCLE, F_U32, F_STR, F_START};
static const struct warts_field tbit[] = {{.enc = WENC_NONE}, F_LIST, F_CYCLE,
    F_U32, F_ADDR, F_ADDR, F_U16, F_U16, F_START};
static const struct warts_field sting[] = {{.enc = WENC_NONE}, F_LIST, F_CYCLE,
    F_U32, F_ADDR, F_ADDR, F_U16, F_U16, F_U16, F_U16, F_U16, F_U8, F_U8, F_U8,
    F_U8, F_LEN, F_BYTES, F_START};
static const struct warts_field sniff[] = {
    {.enc = WENC_NONE}, F_LIST, F_CYCLE, F_U32, F_ADDR, F_START};
static const struct warts_field host[] = {
    {.enc = WENC_NONE}, F_LIST, F_CYCLE, F_U32, F_ADDR, F_ADDR, F_START};
static const struct warts_field plain[] = {{.enc = WENC_NONE}, F_LIST, F_CYCLE,
    F_U32, F_SADDR, F_SADDR, F_U16, F_U16, F_START};

#define TABLE(f)                                                     \
	{                                                            \
		.field = f, .n = (int)(sizeof(f) / sizeof(f[0])) - 1 \
	}

/* By record type. */
static const struct warts_fields heads[] = {
    [WARTS_TRACE] = TABLE(classic),
    [WARTS_PING] = TABLE(classic),
    [WARTS_TRACELB] = TABLE(classic),
    [WARTS_DEALIAS] = TABLE(dealias),
    [WARTS_NEIGHBOURDISC] = TABLE(neighbourdisc),
    [WARTS_TBIT] = TABLE(tbit),
    [WARTS_STING] = TABLE(sting),
    [WARTS_SNIFF] = TABLE(sniff),
    [WARTS_HOST] = TABLE(host),
    [WARTS_HTTP] = TABLE(plain),
    [WARTS_UDPPROBE] = TABLE(plain),
    [WARTS_OWAMP] = TABLE(plain),
};

/* Types that carry list and cycle even when they are 0 (none). */
static int
ids_always(uint16_t type)
{
	return type == WARTS_TRACE || type == WARTS_TRACELB ||
	    type == WARTS_DEALIAS;
}

/* Bytes that the ids named in HAS take. */
static size_t
ids_bytes(uint64_t has)
{
	return (has & LIST ? 4u : 0u) + (has & CYCLE ? 4u : 0u);
}

/* Where the ids of a measurement are. */
struct place {
	const uint8_t *flags, *flags_end; /* flags_end: at the length */
	const uint8_t *fields; /* NULL: the block is the single byte 00 */
	size_t fields_len;
	uint64_t has; /* LIST, CYCLE */
};

static int
place_find(const struct warts_record *rec, struct place *out, const char **why)
{
	struct rbuf r;
	uint8_t flags;

	if (rec->type < WARTS_TRACE || rec->type > WARTS_OWAMP) {
		*why = "not a measurement record";
		return -1;
	}
	memset(out, 0, sizeof(*out));
	rbuf_init(&r, rec->body, rec->len);
	out->flags = r.p;
	out->flags_end = r.p + 1;
	flags = rbuf_u8(&r);
	if (r.bad == NULL && flags == 0)
		return 0;
	out->has = (uint64_t)flags << 1 & (LIST | CYCLE);
	while (flags & 0x80)
		flags = rbuf_u8(&r);
	out->flags_end = r.p;
	out->fields_len = rbuf_u16(&r);
	out->fields = rbuf_bytes(&r, out->fields_len);
	if (r.bad == NULL && out->fields_len < ids_bytes(out->has))
		rbuf_fail(&r, "block shorter than its list and cycle");
	if (r.bad != NULL)
		*why = r.bad;
	return r.bad == NULL ? 0 : -1;
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

/* The ids at P; returns the byte behind them. */
static const uint8_t *
ids_get(const struct place *p, uint32_t *list, uint32_t *cycle)
{
	const uint8_t *f = p->fields;

	*list = *cycle = 0;
	if (p->has & LIST) {
		*list = get32(f);
		f += 4;
	}
	if (p->has & CYCLE) {
		*cycle = get32(f);
		f += 4;
	}
	return f;
}

int
warts_ids(const struct warts_record *rec, uint32_t *list, uint32_t *cycle,
    const char **why)
{
	struct place p;

	if (place_find(rec, &p, why) == -1)
		return -1;
	ids_get(&p, list, cycle);
	return 0;
}

/* What the new block says of list and cycle. */
static uint64_t
ids_wanted(uint16_t type, uint64_t has, uint32_t list, uint32_t cycle)
{
	if (ids_always(type))
		return LIST | CYCLE;
	if (list != 0)
		has |= LIST;
	if (cycle != 0)
		has |= CYCLE;
	return has;
}

static void
put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* The record as it is, then the ids in place: nothing moves. */
static void
copy_with_ids(struct wbuf *b, const struct warts_record *rec,
    const struct place *p, uint32_t list, uint32_t cycle)
{
	size_t token, at;

	wbuf_room(b, WARTS_HEADER_LEN + (size_t)rec->len);
	token = wbuf_record_begin(b, rec->type);
	at = b->len;
	wbuf_bytes(b, rec->body, rec->len);
	wbuf_record_end(b, token);
	if (p->has == 0)
		return;
	at += (size_t)(p->fields - rec->body);
	if (p->has & LIST) {
		put32(b->p + at, list);
		at += 4;
	}
	if (p->has & CYCLE)
		put32(b->p + at, cycle);
}

int
warts_renumber(struct wbuf *b, const struct warts_record *rec, uint32_t list,
    uint32_t cycle, const char **why)
{
	uint32_t old_list, old_cycle;
	const uint8_t *rest;
	struct place p;
	size_t token, fields_len;
	uint64_t has;

	if (place_find(rec, &p, why) == -1)
		return -1;
	rest = ids_get(&p, &old_list, &old_cycle);
	if (p.fields == NULL)
		rest = p.flags_end;
	has = ids_wanted(rec->type, p.has, list, cycle);
	if (has == p.has) {
		copy_with_ids(b, rec, &p, list, cycle);
		return 0;
	}
	fields_len = p.fields_len + ids_bytes(has) - ids_bytes(p.has);
	if (fields_len > UINT16_MAX) {
		*why = "no room for list and cycle in the block";
		return -1;
	}
	token = wbuf_record_begin(b, rec->type);
	wbuf_u8(b, p.flags[0] | (uint8_t)(has >> 1));
	wbuf_bytes(b, p.flags + 1, (size_t)(p.flags_end - p.flags - 1));
	if (fields_len != 0 || p.fields != NULL)
		wbuf_u16(b, (uint16_t)fields_len);
	if (has & LIST)
		wbuf_u32(b, list);
	if (has & CYCLE)
		wbuf_u32(b, cycle);
	wbuf_bytes(b, rest, (size_t)(rec->body + rec->len - rest));
	wbuf_record_end(b, token);
	return 0;
}

int
warts_start_time(
    const struct warts_record *rec, struct warts_tv *start, const char **why)
{
	const struct warts_fields *t;
	struct head h = {0};
	struct rbuf r;
	uint64_t has;

	if (rec->type < WARTS_TRACE || rec->type > WARTS_OWAMP) {
		*why = "not a measurement record";
		return -1;
	}
	t = &heads[rec->type];
	rbuf_init(&r, rec->body, rec->len);
	has = warts_block_read(&r, t, &h, NULL);
	if (r.bad == NULL && !(has & WARTS_BIT(t->n)))
		rbuf_fail(&r, "record has no start time");
	has = r.bad == NULL;
	if (has)
		*start = h.start;
	else
		*why = r.bad;
	rbuf_clear(&r);
	return has ? 0 : -1;
}
