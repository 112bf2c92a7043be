#include "common/warts/sting.h"

#include "common/warts/codec.h"

#define HEAD(e, member, w) WARTS_ROW(struct warts_sting, e, member, w)

static const struct warts_field head_field[] = {
    [1] = HEAD(WENC_U32, list, SET),
    [2] = HEAD(WENC_U32, cycle, SET),
    [3] = HEAD(WENC_U32, user_id, SET),
    [4] = HEAD(WENC_ADDR, src, SET),
    [5] = HEAD(WENC_ADDR, dst, SET),
    [6] = HEAD(WENC_U16, sport, ALWAYS),
    [7] = HEAD(WENC_U16, dport, ALWAYS),
    [8] = HEAD(WENC_U16, count, ALWAYS),
    [9] = HEAD(WENC_U16, mean_ms, ALWAYS),
    [10] = HEAD(WENC_U16, inter_ms, ALWAYS),
    [11] = HEAD(WENC_U8, distribution, ALWAYS),
    [12] = HEAD(WENC_U8, syn_attempts, ALWAYS),
    [13] = HEAD(WENC_U8, data_attempts, ALWAYS),
    [14] = HEAD(WENC_U8, seqskip, ALWAYS),
    [15] = HEAD(WENC_U16, request.len, ALWAYS),
    [16] = HEAD(WENC_BYTES, request, SET),
    [17] = HEAD(WENC_TV, start, ALWAYS),
    [18] = HEAD(WENC_TV, hs_rtt, ALWAYS),
    [19] = HEAD(WENC_U16, dataack_count, ALWAYS),
    [20] = HEAD(WENC_U16, hole_count, ALWAYS),
    [21] = HEAD(WENC_U32, npackets, ALWAYS),
    [22] = HEAD(WENC_U8, result, SET),
};
static const struct warts_fields head_table =
    WARTS_TABLE(head_field, struct warts_sting, 1);

static void
write_body(struct wbuf *b, const void *record)
{
	const struct warts_sting *s = record;

	warts_blocks_put(b, &head_table, s, 1);
	warts_blocks_put(b, &warts_packet_table, s->packets, s->npackets);
}

static void
read_body(struct rbuf *r, void *record)
{
	struct warts_sting *s = record;

	warts_block_get(r, &head_table, s, &s->arena);
	if (s->src.family == ADDR_NONE || s->dst.family == ADDR_NONE)
		rbuf_fail(r, "sting without its addresses");
	s->packets =
	    warts_packet_read(r, &warts_packet_table, s->npackets, &s->arena);
}

const struct warts_codec warts_sting_codec =
    WARTS_CODEC(struct warts_sting, write_body, read_body, NULL);
