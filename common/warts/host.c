#include "common/warts/host.h"

#include "common/warts/block.h"
#include "common/warts/codec.h"

/* A resource record's data; items of one byte of length, with codes. */
enum { WENC_DATA = WENC_OWN, WENC_TEXTS, WENC_ITEMS };

#define HEAD(e, member, w) WARTS_ROW(struct warts_host, e, member, w)
#define QUERY(e, member) WARTS_ROW(struct warts_host_query, e, member, SET)
#define RR(e, member) WARTS_ROW(struct warts_host_rr, e, member, SET)
#define DATA(e, member) WARTS_ROW(struct warts_host_data, e, member, SET)

static const struct warts_field head_field[] = {
    [1] = HEAD(WENC_U32, list, SET),
    [2] = HEAD(WENC_U32, cycle, SET),
    [3] = HEAD(WENC_U32, user_id, SET),
    [4] = HEAD(WENC_ADDR, src, SET),
    [5] = HEAD(WENC_ADDR, dst, SET),
    [6] = HEAD(WENC_TV, start, ALWAYS),
    [7] = HEAD(WENC_U16, flags, SET),
    [8] = HEAD(WENC_U16, wait_ms, SET),
    [9] = HEAD(WENC_U8, stop_reason, SET),
    [10] = HEAD(WENC_U8, retries, SET),
    [11] = HEAD(WENC_U16, qtype, SET),
    [12] = HEAD(WENC_U16, qclass, SET),
    [13] = HEAD(WENC_STR, qname, SET),
    [14] = HEAD(WENC_U8, nqueries, SET),
    [15] = HEAD(WENC_STR, ecs, SET),
    [16] = HEAD(WENC_STR, errmsg, SET),
};
static const struct warts_fields head_table =
    WARTS_TABLE(head_field, struct warts_host, 1);

static const struct warts_field query_field[] = {
    [1] = QUERY(WENC_TV, tx),
    [2] = QUERY(WENC_TV, rx),
    [3] = QUERY(WENC_U16, id),
    [4] = QUERY(WENC_U16, nrrs[0]),
    [5] = QUERY(WENC_U16, nrrs[1]),
    [6] = QUERY(WENC_U16, nrrs[2]),
    [7] = QUERY(WENC_U8, rcode),
    [8] = QUERY(WENC_U8, flags),
};
static const struct warts_fields query_table =
    WARTS_TABLE(query_field, struct warts_host_query, 1);

/* --- a resource record's data ----------------------------------------------- */

static const struct warts_field soa_field[] = {
    [1] = DATA(WENC_STR, str),
    [2] = DATA(WENC_STR, rname),
    [3] = DATA(WENC_U32, serial),
    [4] = DATA(WENC_U32, refresh_s),
    [5] = DATA(WENC_U32, retry_s),
    [6] = DATA(WENC_U32, expire_s),
    [7] = DATA(WENC_U32, minimum_s),
};
static const struct warts_field mx_field[] = {
    [1] = DATA(WENC_U16, preference),
    [2] = DATA(WENC_STR, str),
};
static const struct warts_field txt_field[] = {
    [1] = DATA(WENC_U16, items.count),
    [2] = DATA(WENC_TEXTS, items),
};
static const struct warts_field opt_field[] = {
    [1] = DATA(WENC_U16, items.count),
    [2] = DATA(WENC_ITEMS, items),
};
static const struct warts_field svcb_field[] = {
    [1] = DATA(WENC_U16, preference),
    [2] = DATA(WENC_STR, str),
    [3] = DATA(WENC_U16, items.count),
    [4] = DATA(WENC_ITEMS, items),
};

static void
items_read(struct rbuf *r, int enc, void *v, struct warts_arena **arena)
{
	struct warts_host_items *items = v;

	if (items->count > rbuf_left(r)) {
		rbuf_fail(r, "more items than there are bytes for");
		return;
	}
	items->item =
	    warts_arena_alloc(arena, items->count, sizeof(*items->item));
	for (int i = 0; i < items->count; i++) {
		struct warts_host_item *item = &items->item[i];

		if (enc == WENC_ITEMS)
			item->code = rbuf_u16(r);
		item->data.len = enc == WENC_ITEMS ? rbuf_u16(r) : rbuf_u8(r);
		item->data.data = rbuf_bytes(r, item->data.len);
	}
}

static void
items_write(struct wbuf *b, int enc, const void *v)
{
	const struct warts_host_items *items = v;

	for (int i = 0; i < items->count; i++) {
		const struct warts_host_item *item = &items->item[i];

		if (enc == WENC_ITEMS) {
			wbuf_u16(b, item->code);
			wbuf_u16(b, item->data.len);
		} else {
			wbuf_u8(b, (uint8_t)item->data.len);
		}
		wbuf_bytes(b, item->data.data, item->data.len);
	}
}

#define TABLE(f) \
	WARTS_TABLE_OWN(f, struct warts_host_data, 1, items_read, items_write)

/* By kind; n is 0 for those that are no block. */
static const struct warts_fields kinds[] = {
    [WARTS_HOST_SOA] = TABLE(soa_field),
    [WARTS_HOST_MX] = TABLE(mx_field),
    [WARTS_HOST_TXT] = TABLE(txt_field),
    [WARTS_HOST_OPT] = TABLE(opt_field),
    [WARTS_HOST_SVCB] = TABLE(svcb_field),
};

#define NKINDS (sizeof(kinds) / sizeof(kinds[0]))

static void
data_read(struct rbuf *r, int enc, void *v, struct warts_arena **arena)
{
	struct warts_host_data *d = v;

	(void)enc;
	d->kind = rbuf_u16(r);
	if (d->kind == WARTS_HOST_ADDR)
		d->addr = rbuf_addr(r);
	else if (d->kind == WARTS_HOST_STR)
		d->str = rbuf_str(r);
	else if (d->kind != WARTS_HOST_NODATA && d->kind < NKINDS)
		warts_block_get(r, &kinds[d->kind], d, arena);
	else
		rbuf_fail(r, "data of an unknown kind");
}

static void
data_write(struct wbuf *b, int enc, const void *v)
{
	const struct warts_host_data *d = v;

	(void)enc;
	wbuf_u16(b, d->kind);
	if (d->kind == WARTS_HOST_ADDR)
		wbuf_addr(b, &d->addr);
	else if (d->kind == WARTS_HOST_STR)
		wbuf_str(b, d->str);
	else
		warts_blocks_put(b, &kinds[d->kind], d, 1);
}

static const struct warts_field rr_field[] = {
    [1] = RR(WENC_U16, class_num),
    [2] = RR(WENC_U16, type),
    [3] = RR(WENC_STR, name),
    [4] = RR(WENC_U32, ttl_s),
    [5] = RR(WENC_DATA, data),
};
static const struct warts_fields rr_table =
    WARTS_TABLE_OWN(rr_field, struct warts_host_rr, 4, data_read, data_write);

/* --- the record ------------------------------------------------------------- */

static void
write_body(struct wbuf *b, const void *record)
{
	const struct warts_host *h = record;

	warts_blocks_put(b, &head_table, h, 1);
	for (int i = 0; i < h->nqueries; i++) {
		const struct warts_host_query *q = &h->queries[i];

		warts_blocks_put(b, &query_table, q, 1);
		for (int k = 0; k < 3; k++)
			warts_blocks_put(b, &rr_table, q->rrs[k], q->nrrs[k]);
	}
}

static void
query_read(
    struct rbuf *r, struct warts_host_query *q, struct warts_arena **arena)
{
	warts_block_get(r, &query_table, q, arena);
	for (int k = 0; k < 3; k++) {
		q->rrs[k] = warts_blocks_get(r, &rr_table, q->nrrs[k], arena);
		for (int i = 0; r->bad == NULL && i < q->nrrs[k]; i++) {
			if (q->rrs[k][i].name == NULL)
				rbuf_fail(r, "resource record without a name");
		}
	}
}

static void
read_body(struct rbuf *r, void *record)
{
	struct warts_host *h = record;

	warts_block_get(r, &head_table, h, &h->arena);
	if (h->dst.family == ADDR_NONE)
		rbuf_fail(r, "host without a server");
	h->queries = warts_block_room(r, &query_table, h->nqueries, &h->arena);
	for (int i = 0; r->bad == NULL && i < h->nqueries; i++)
		query_read(r, &h->queries[i], &h->arena);
}

const struct warts_codec warts_host_codec =
    WARTS_CODEC(struct warts_host, write_body, read_body, NULL);
