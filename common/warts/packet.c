#include "common/warts/packet.h"

#define PACKET(e, member, w) WARTS_ROW(struct warts_packet, e, member, w)

static const struct warts_field packet_field[] = {
    [1] = PACKET(WENC_U8, what, ALWAYS),
    [2] = PACKET(WENC_TV, tv, ALWAYS),
    [3] = PACKET(WENC_U16, data.len, ALWAYS),
    [4] = PACKET(WENC_BYTES, data, SET),
};
const struct warts_fields warts_packet_table =
    WARTS_TABLE(packet_field, struct warts_packet, 14);

static const struct warts_field sniff_field[] = {
    [1] = PACKET(WENC_TV, tv, ALWAYS),
    [2] = PACKET(WENC_U16, data.len, ALWAYS),
    [3] = PACKET(WENC_BYTES, data, SET),
};
const struct warts_fields warts_packet_sniff_table =
    WARTS_TABLE(sniff_field, struct warts_packet, 13);

struct warts_packet *
warts_packet_read(struct rbuf *r, const struct warts_fields *t, size_t n,
    struct warts_arena **arena)
{
	struct warts_packet *p = warts_blocks_get(r, t, n, arena);

	for (size_t i = 0; r->bad == NULL && i < n; i++) {
		if (p[i].data.len == 0)
			rbuf_fail(r, "empty packet");
	}
	return p;
}
