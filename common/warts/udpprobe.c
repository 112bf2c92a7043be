#include "common/warts/udpprobe.h"

#include "common/warts/block.h"
#include "common/warts/codec.h"

/* What the block has, the first probe's fields among them. */
struct block {
	struct warts_udpprobe u;
	struct warts_udpprobe_probe first;
	uint64_t has;
};

#define HEAD(e, member, w) WARTS_ROW(struct block, e, u.member, w)
#define FIRST(e, member, w) WARTS_ROW(struct block, e, first.member, w)
#define PROBE(e, member, w) WARTS_ROW(struct warts_udpprobe_probe, e, member, w)
#define REPLY(e, member) WARTS_ROW(struct warts_udpprobe_reply, e, member, SET)

static const struct warts_field head_field[] = {
    [1] = HEAD(WENC_U32, list, SET),
    [2] = HEAD(WENC_U32, cycle, SET),
    [3] = HEAD(WENC_U32, user_id, SET),
    [4] = HEAD(WENC_SADDR, src, SET),
    [5] = HEAD(WENC_SADDR, dst, SET),
    [6] = FIRST(WENC_U16, sport, TOLD),
    [7] = HEAD(WENC_U16, dport, SET),
    [8] = FIRST(WENC_TV, tx, SET),
    [9] = HEAD(WENC_U32, wait_timeout_us, SET),
    [10] = HEAD(WENC_U8, flags, SET),
    [11] = HEAD(WENC_U8, stop_reason, SET),
    [12] = HEAD(WENC_U16, data.len, SET),
    [13] = HEAD(WENC_BYTES, data, SET),
    [14] = FIRST(WENC_U8, nreplies, SET),
    [15] = HEAD(WENC_U8, probe_count, TOLD),
    [16] = HEAD(WENC_U8, probe_sent, TOLD),
    [17] = HEAD(WENC_U8, stop_count, SET),
    [18] = HEAD(WENC_U16, sport, SET),
    [19] = HEAD(WENC_U32, wait_probe_us, SET),
    [20] = HEAD(WENC_STR, errmsg, SET),
};
static const struct warts_fields head_table =
    WARTS_TABLE(head_field, struct block, 1);

static const struct warts_field probe_field[] = {
    [1] = PROBE(WENC_TV, tx, ALWAYS),
    [2] = PROBE(WENC_U16, sport, ALWAYS),
    [3] = PROBE(WENC_U8, nreplies, SET),
};
static const struct warts_fields probe_table =
    WARTS_TABLE(probe_field, struct warts_udpprobe_probe, 13);

static const struct warts_field reply_field[] = {
    [1] = REPLY(WENC_TV, rx),
    [2] = REPLY(WENC_U16, data.len),
    [3] = REPLY(WENC_BYTES, data),
    [4] = REPLY(WENC_IFNAME, ifname),
};
static const struct warts_fields reply_table =
    WARTS_TABLE(reply_field, struct warts_udpprobe_reply, 1);

static void
write_body(struct wbuf *b, const void *record)
{
	const struct warts_udpprobe *u = record;
	struct block block = {*u, u->probes[0], u->has};

	warts_block_put(b, &head_table, &block,
	    warts_block_due(&head_table, &block) |
		warts_bit_if(u->probe_sent != 0, 6) |
		warts_bit_if(u->probe_count != 1, 15) |
		warts_bit_if(u->probe_sent != 1, 16));
	warts_blocks_put(
	    b, &reply_table, u->probes[0].replies, u->probes[0].nreplies);
	for (int i = 1; i < u->nprobes; i++)
		warts_blocks_put(b, &probe_table, &u->probes[i], 1);
	for (int i = 1; i < u->nprobes; i++)
		warts_blocks_put(b, &reply_table, u->probes[i].replies,
		    u->probes[i].nreplies);
}

static void
replies_read(struct rbuf *r, struct warts_udpprobe *u, int probe)
{
	struct warts_udpprobe_probe *p = &u->probes[probe];

	p->replies = warts_blocks_get(r, &reply_table, p->nreplies, &u->arena);
}

static void
read_body(struct rbuf *r, void *record)
{
	struct warts_udpprobe *u = record;
	struct block block = {0};

	block.u.probe_count = block.u.probe_sent = 1;
	warts_block_get(r, &head_table, &block, NULL);
	*u = block.u;
	u->has = block.has;
	u->nprobes = u->probe_sent != 0 ? u->probe_sent : 1;
	u->probes =
	    warts_arena_alloc(&u->arena, u->nprobes, sizeof(*u->probes));
	u->probes[0] = block.first;
	replies_read(r, u, 0);
	for (int i = 1; i < u->nprobes; i++)
		warts_block_get(r, &probe_table, &u->probes[i], &u->arena);
	for (int i = 1; r->bad == NULL && i < u->nprobes; i++)
		replies_read(r, u, i);
}

const struct warts_codec warts_udpprobe_codec =
    WARTS_CODEC(struct warts_udpprobe, write_body, read_body, NULL);
