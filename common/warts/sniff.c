#include "common/warts/sniff.h"

#include "common/warts/codec.h"

#define HEAD(e, member, w) WARTS_ROW(struct warts_sniff, e, member, w)

static const struct warts_field head_field[] = {
    [1] = HEAD(WENC_U32, list, SET),
    [2] = HEAD(WENC_U32, cycle, SET),
    [3] = HEAD(WENC_U32, user_id, SET),
    [4] = HEAD(WENC_ADDR, src, SET),
    [5] = HEAD(WENC_TV, start, ALWAYS),
    [6] = HEAD(WENC_TV, finish, ALWAYS),
    [7] = HEAD(WENC_U8, stop_reason, ALWAYS),
    [8] = HEAD(WENC_U32, limit_packets, ALWAYS),
    [9] = HEAD(WENC_U16, limit_s, ALWAYS),
    [10] = HEAD(WENC_U32, npackets, ALWAYS),
    [11] = HEAD(WENC_U16, icmp_id, ALWAYS),
    [12] = HEAD(WENC_STR, errmsg, SET),
};
static const struct warts_fields head_table =
    WARTS_TABLE(head_field, struct warts_sniff, 1);

static void
write_body(struct wbuf *b, const void *record)
{
	const struct warts_sniff *s = record;

	warts_blocks_put(b, &head_table, s, 1);
	warts_blocks_put(b, &warts_packet_sniff_table, s->packets, s->npackets);
}

static void
read_body(struct rbuf *r, void *record)
{
	struct warts_sniff *s = record;

	warts_block_get(r, &head_table, s, &s->arena);
	if (s->src.family == ADDR_NONE)
		rbuf_fail(r, "sniff without a source");
	s->packets = warts_packet_read(
	    r, &warts_packet_sniff_table, s->npackets, &s->arena);
}

const struct warts_codec warts_sniff_codec =
    WARTS_CODEC(struct warts_sniff, write_body, read_body, NULL);
