#include "common/warts/http.h"

#include "common/warts/block.h"
#include "common/warts/codec.h"

#define ATTR_HEAD 5 /* bytes: kind, length */

enum { WENC_HEADERS = WENC_OWN };

#define HEAD(e, member, w) WARTS_ROW(struct warts_http, e, member, w)
#define BUFFER(e, member) WARTS_ROW(struct warts_http_buffer, e, member, SET)

static const struct warts_field head_field[] = {
    [1] = HEAD(WENC_U32, list, SET),
    [2] = HEAD(WENC_U32, cycle, SET),
    [3] = HEAD(WENC_U32, user_id, SET),
    [4] = HEAD(WENC_SADDR, src, SET),
    [5] = HEAD(WENC_SADDR, dst, SET),
    [6] = HEAD(WENC_U16, sport, SET),
    [7] = HEAD(WENC_U16, dport, TOLD),
    [8] = HEAD(WENC_TV, start, SET),
    [9] = HEAD(WENC_U8, stop_reason, SET),
    [10] = HEAD(WENC_U8, type, SET),
    [11] = HEAD(WENC_STR, host, SET),
    [12] = HEAD(WENC_STR, file, SET),
    [13] = HEAD(WENC_HEADERS, headers, SET),
    [14] = HEAD(WENC_U32, nbuffers, SET),
    [15] = HEAD(WENC_U32, hs_rtt_us, SET),
    [16] = HEAD(WENC_U32, flags, SET),
    [17] = HEAD(WENC_TV, max_time, SET),
    [18] = HEAD(WENC_STR, errmsg, SET),
    [19] = HEAD(WENC_U8, ech_status, SET),
    [20] = HEAD(WENC_STR, ech_outer, SET),
};

static void
headers_read(struct rbuf *r, int enc, void *v, struct warts_arena **arena)
{
	struct warts_http_headers *h = v;

	(void)enc;
	h->count = rbuf_u8(r);
	h->header = warts_arena_alloc(arena, h->count, sizeof(*h->header));
	for (int i = 0; i < h->count; i++)
		h->header[i] = rbuf_str(r);
}

static void
headers_write(struct wbuf *b, int enc, const void *v)
{
	const struct warts_http_headers *h = v;

	(void)enc;
	wbuf_u8(b, (uint8_t)h->count);
	for (int i = 0; i < h->count; i++)
		wbuf_str(b, h->header[i]);
}

static const struct warts_fields head_table = WARTS_TABLE_OWN(
    head_field, struct warts_http, 1, headers_read, headers_write);

static const struct warts_field buffer_field[] = {
    [1] = BUFFER(WENC_U8, what),
    [2] = BUFFER(WENC_TV, tv),
    [3] = BUFFER(WENC_U16, data.len),
    [4] = BUFFER(WENC_BYTES, data),
};
static const struct warts_fields buffer_table =
    WARTS_TABLE(buffer_field, struct warts_http_buffer, 6);

static uint16_t
default_port(const struct warts_http *h)
{
	return h->type == WARTS_HTTP_HTTP ? 80 : 443;
}

static void
write_body(struct wbuf *b, const void *record)
{
	const struct warts_http *h = record;

	warts_block_put(b, &head_table, h,
	    warts_block_due(&head_table, h) |
		warts_bit_if(h->dport != default_port(h), 7));
	warts_blocks_put(b, &buffer_table, h->buffers, h->nbuffers);
	for (uint32_t i = 0; i < h->nattrs; i++) {
		wbuf_u8(b, h->attrs[i].kind);
		wbuf_u32(b, h->attrs[i].len);
		wbuf_bytes(b, h->attrs[i].data, h->attrs[i].len);
	}
}

/* Counted first, since they say nowhere how many they are. */
static void
attrs_read(struct rbuf *r, struct warts_http *h)
{
	struct rbuf count = *r;
	uint32_t n = 0;

	for (; rbuf_left(&count) >= ATTR_HEAD; n++) {
		rbuf_u8(&count);
		rbuf_bytes(&count, rbuf_u32(&count));
	}
	if (r->bad != NULL)
		return;
	h->attrs = warts_arena_alloc(&h->arena, n, sizeof(*h->attrs));
	h->nattrs = n;
	for (uint32_t i = 0; i < n; i++) {
		h->attrs[i].kind = rbuf_u8(r);
		h->attrs[i].len = rbuf_u32(r);
		h->attrs[i].data = rbuf_bytes(r, h->attrs[i].len);
	}
}

static void
read_body(struct rbuf *r, void *record)
{
	struct warts_http *h = record;

	warts_block_get(r, &head_table, h, &h->arena);
	if (!(h->has & WARTS_BIT(7)))
		h->dport = default_port(h);
	h->buffers = warts_blocks_get(r, &buffer_table, h->nbuffers, &h->arena);
	attrs_read(r, h);
}

const struct warts_codec warts_http_codec =
    WARTS_CODEC(struct warts_http, write_body, read_body, NULL);
