#include "common/warts/neighbourdisc.h"

#include <string.h>

#include "common/warts/block.h"
#include "common/warts/codec.h"

#define HEAD(e, member, w) WARTS_ROW(struct warts_neighbourdisc, e, member, w)
#define PROBE(e, member, w) \
	WARTS_ROW(struct warts_neighbourdisc_probe, e, member, w)
#define REPLY(e, member, w) \
	WARTS_ROW(struct warts_neighbourdisc_reply, e, member, w)

static const struct warts_field head_field[] = {
    [1] = HEAD(WENC_U32, list, SET),
    [2] = HEAD(WENC_U32, cycle, SET),
    [3] = HEAD(WENC_U32, user_id, SET),
    [4] = HEAD(WENC_STR, ifname, SET),
    [5] = HEAD(WENC_TV, start, ALWAYS),
    [6] = HEAD(WENC_U8, method, ALWAYS),
    [7] = HEAD(WENC_U16, wait_ms, ALWAYS),
    [8] = HEAD(WENC_U8, flags, ALWAYS),
    [9] = HEAD(WENC_U16, attempts, ALWAYS),
    [10] = HEAD(WENC_U16, replies_wanted, ALWAYS),
    [11] = HEAD(WENC_ADDR, src_ip, SET),
    [12] = HEAD(WENC_ADDR, src_mac, SET),
    [13] = HEAD(WENC_ADDR, dst_ip, SET),
    [14] = HEAD(WENC_ADDR, dst_mac, SET),
    [15] = HEAD(WENC_U16, nprobes, SET),
    [16] = HEAD(WENC_STR, errmsg, SET),
};
static const struct warts_fields head_table =
    WARTS_TABLE(head_field, struct warts_neighbourdisc, 1);

static const struct warts_field probe_field[] = {
    [1] = PROBE(WENC_TV, tx, ALWAYS),
    [2] = PROBE(WENC_U16, nreplies, SET),
};
static const struct warts_fields probe_table =
    WARTS_TABLE(probe_field, struct warts_neighbourdisc_probe, 11);

static const struct warts_field reply_field[] = {
    [1] = REPLY(WENC_TV, rx, ALWAYS),
    [2] = REPLY(WENC_ADDR, mac, ALWAYS),
};
static const struct warts_fields reply_table =
    WARTS_TABLE(reply_field, struct warts_neighbourdisc_reply, 13);

static void
write_body(struct wbuf *b, const void *record)
{
	const struct warts_neighbourdisc *n = record;

	warts_blocks_put(b, &head_table, n, 1);
	for (int i = 0; i < n->nprobes; i++) {
		warts_blocks_put(b, &probe_table, &n->probes[i], 1);
		warts_blocks_put(b, &reply_table, n->probes[i].replies,
		    n->probes[i].nreplies);
	}
}

/*
 * scamper 2021 says that the block of a probe with replies is 12 bytes long,
 * when it is 10, and adds two zeroes at the record's end for each.  Returns 1
 * when that is what is at R->p, and then it was read.
 */
static int
wrong_length_read(struct rbuf *r, struct warts_neighbourdisc_probe *p)
{
	static const uint8_t wrong[3] = {0x03, 0, 12};

	if (rbuf_left(r) < sizeof(wrong) ||
	    memcmp(r->p, wrong, sizeof(wrong)) != 0)
		return 0;
	rbuf_bytes(r, sizeof(wrong));
	p->tx = rbuf_tv(r);
	p->nreplies = rbuf_u16(r);
	return 1;
}

static void
read_body(struct rbuf *r, void *record)
{
	struct warts_neighbourdisc *n = record;
	size_t wrong = 0;

	warts_block_get(r, &head_table, n, &n->arena);
	n->probes = warts_block_room(r, &probe_table, n->nprobes, &n->arena);
	for (int i = 0; r->bad == NULL && i < n->nprobes; i++) {
		struct warts_neighbourdisc_probe *p = &n->probes[i];

		if (wrong_length_read(r, p))
			wrong++;
		else
			warts_block_get(r, &probe_table, p, &n->arena);
		p->replies =
		    warts_blocks_get(r, &reply_table, p->nreplies, &n->arena);
		for (int k = 0; r->bad == NULL && k < p->nreplies; k++) {
			if (p->replies[k].mac.family == ADDR_NONE)
				rbuf_fail(r, "reply without an address");
		}
	}
	rbuf_bytes(r, 2 * wrong);
}

const struct warts_codec warts_neighbourdisc_codec =
    WARTS_CODEC(struct warts_neighbourdisc, write_body, read_body, NULL);
