/*
 * warts/owamp: the record of a one-way active measurement (RFC 4656), type
 * 0x0011 (after 2021).
 *
 *	block | schedule | transmissions      transmission: block | receptions
 *
 * The fields of each block are in the tables of owamp.c.
 */
#ifndef COMMON_WARTS_OWAMP_H
#define COMMON_WARTS_OWAMP_H

#include "common/warts/buf.h"
#include "common/warts/warts.h"

struct warts_owamp_slot {
	struct warts_tv interval;
	uint8_t type; /* 0 fixed, 1 exponential */
	uint64_t has;
};

/* Of warts_owamp_rx.flags. */
#define WARTS_OWAMP_DSCP 0x01 /* dscp is valid */
#define WARTS_OWAMP_TTL 0x02 /* ttl is valid */
#define WARTS_OWAMP_RX_ERROR 0x04 /* error is valid */
/* Of warts_owamp_tx.flags. */
#define WARTS_OWAMP_NOTSENT 0x01
#define WARTS_OWAMP_TX_ERROR 0x02 /* error is valid */

struct warts_owamp_rx {
	struct warts_tv tv;
	uint16_t error; /* estimate (RFC 4656, 4.1.2) */
	uint8_t flags, dscp, ttl;
	uint64_t has;
};

struct warts_owamp_tx {
	struct warts_tv due, sent;
	uint32_t seq;
	uint16_t error;
	uint8_t flags;
	uint8_t nrxs;
	struct warts_owamp_rx *rxs; /* nrxs */
	uint64_t has;
};

struct warts_owamp {
	uint32_t list, cycle; /* file-local, 0 none */
	uint32_t user_id;
	struct addr src, dst; /* ADDR_NONE if not known */
	uint16_t port; /* of the control connection */
	uint16_t flags; /* 1: padding of zeroes */
	struct warts_tv start, start_at, wait_timeout;
	uint32_t attempts;
	uint16_t packet_size;
	uint8_t dir; /* 0 sent by us, 1 received */
	uint8_t dscp, ttl;
	uint32_t hs_rtt_us; /* of the control connection's handshake */
	uint8_t result; /* its words: common/show/owamp.c */
	const char *errmsg; /* NULL if none */
	uint16_t udp_sport, udp_dport;
	uint32_t nslots, ntxs;
	struct warts_owamp_slot *slots; /* nslots */
	struct warts_owamp_tx *txs; /* ntxs */
	uint64_t has;
	struct warts_arena *arena; /* owns the arrays of a decoded record */
};

#endif
