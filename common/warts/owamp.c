#include "common/warts/owamp.h"

#include "common/warts/block.h"
#include "common/warts/codec.h"

/* What absence means. */
#define PORT_DEFAULT 861
#define WAIT_DEFAULT_S 2
#define SLOTS_DEFAULT 1
#define ATTEMPTS_DEFAULT 10
#define SIZE_DEFAULT 42
#define TTL_DEFAULT 255

#define HEAD(e, member, w) WARTS_ROW(struct warts_owamp, e, member, w)
#define SLOT(e, member) WARTS_ROW(struct warts_owamp_slot, e, member, SET)
#define TX(e, member) WARTS_ROW(struct warts_owamp_tx, e, member, SET)
#define RX(e, member) WARTS_ROW(struct warts_owamp_rx, e, member, SET)

static const struct warts_field head_field[] = {
    [1] = HEAD(WENC_U32, list, SET),
    [2] = HEAD(WENC_U32, cycle, SET),
    [3] = HEAD(WENC_U32, user_id, SET),
    [4] = HEAD(WENC_SADDR, src, SET),
    [5] = HEAD(WENC_SADDR, dst, SET),
    [6] = HEAD(WENC_U16, port, TOLD),
    [7] = HEAD(WENC_U16, flags, SET),
    [8] = HEAD(WENC_TV, start, SET),
    [9] = HEAD(WENC_TV, start_at, SET),
    [10] = HEAD(WENC_TV, wait_timeout, TOLD),
    [11] = HEAD(WENC_U32, nslots, TOLD),
    [12] = HEAD(WENC_U32, attempts, TOLD),
    [13] = HEAD(WENC_U16, packet_size, TOLD),
    [14] = HEAD(WENC_U8, dir, SET),
    [15] = HEAD(WENC_U8, dscp, SET),
    [16] = HEAD(WENC_U8, ttl, TOLD),
    [17] = HEAD(WENC_U32, hs_rtt_us, SET),
    [18] = HEAD(WENC_U8, result, SET),
    [19] = HEAD(WENC_STR, errmsg, SET),
    [20] = HEAD(WENC_U16, udp_sport, SET),
    [21] = HEAD(WENC_U16, udp_dport, SET),
    [22] = HEAD(WENC_U32, ntxs, SET),
};
static const struct warts_fields head_table =
    WARTS_TABLE(head_field, struct warts_owamp, 1);

static const struct warts_field slot_field[] = {
    [1] = SLOT(WENC_TV, interval),
    [2] = SLOT(WENC_U8, type),
};
static const struct warts_fields slot_table =
    WARTS_TABLE(slot_field, struct warts_owamp_slot, 4);

static const struct warts_field tx_field[] = {
    [1] = TX(WENC_TV, due),
    [2] = TX(WENC_TV, sent),
    [3] = TX(WENC_U32, seq),
    [4] = TX(WENC_U16, error),
    [5] = TX(WENC_U8, flags),
    [6] = TX(WENC_U8, nrxs),
};
static const struct warts_fields tx_table =
    WARTS_TABLE(tx_field, struct warts_owamp_tx, 7);

static const struct warts_field rx_field[] = {
    [1] = RX(WENC_TV, tv),
    [2] = RX(WENC_U16, error),
    [3] = RX(WENC_U8, flags),
    [4] = RX(WENC_U8, dscp),
    [5] = RX(WENC_U8, ttl),
};
static const struct warts_fields rx_table =
    WARTS_TABLE(rx_field, struct warts_owamp_rx, 1);

static uint64_t
head_due(const struct warts_owamp *o)
{
	return warts_block_due(&head_table, o) |
	    warts_bit_if(o->port != PORT_DEFAULT, 6) |
	    warts_bit_if(o->wait_timeout.sec != WAIT_DEFAULT_S ||
		    o->wait_timeout.usec != 0,
		10) |
	    warts_bit_if(o->nslots != SLOTS_DEFAULT, 11) |
	    warts_bit_if(o->attempts != ATTEMPTS_DEFAULT, 12) |
	    warts_bit_if(o->packet_size != SIZE_DEFAULT, 13) |
	    warts_bit_if(o->ttl != TTL_DEFAULT, 16);
}

static void
write_body(struct wbuf *b, const void *record)
{
	const struct warts_owamp *o = record;

	warts_block_put(b, &head_table, o, head_due(o));
	warts_blocks_put(b, &slot_table, o->slots, o->nslots);
	for (uint32_t i = 0; i < o->ntxs; i++) {
		warts_blocks_put(b, &tx_table, &o->txs[i], 1);
		warts_blocks_put(b, &rx_table, o->txs[i].rxs, o->txs[i].nrxs);
	}
}

static void
read_body(struct rbuf *r, void *record)
{
	struct warts_owamp *o = record;

	o->port = PORT_DEFAULT;
	o->wait_timeout.sec = WAIT_DEFAULT_S;
	o->nslots = SLOTS_DEFAULT;
	o->attempts = ATTEMPTS_DEFAULT;
	o->packet_size = SIZE_DEFAULT;
	o->ttl = TTL_DEFAULT;
	warts_block_get(r, &head_table, o, &o->arena);
	o->slots = warts_blocks_get(r, &slot_table, o->nslots, &o->arena);
	o->txs = warts_block_room(r, &tx_table, o->ntxs, &o->arena);
	for (uint32_t i = 0; r->bad == NULL && i < o->ntxs; i++) {
		struct warts_owamp_tx *tx = &o->txs[i];

		warts_block_get(r, &tx_table, tx, &o->arena);
		tx->rxs = warts_blocks_get(r, &rx_table, tx->nrxs, &o->arena);
	}
}

const struct warts_codec warts_owamp_codec =
    WARTS_CODEC(struct warts_owamp, write_body, read_body, NULL);
