/*
 * warts/udpprobe: the record of UDP probes with a payload, type 0x0010 (after
 * 2021).  The first probe is in the block, as it was before there were several:
 *
 *	block | replies to probe 0 | blocks of probes 1, 2, ... |
 *	replies to probe 1 | replies to probe 2 | ...
 *
 * The fields of each block are in the tables of udpprobe.c.
 */
#ifndef COMMON_WARTS_UDPPROBE_H
#define COMMON_WARTS_UDPPROBE_H

#include "common/warts/buf.h"
#include "common/warts/warts.h"

struct warts_udpprobe_reply {
	struct warts_tv rx; /* received */
	struct warts_bytes data;
	const char *ifname; /* where it arrived, NULL if not known */
	uint64_t has;
};

struct warts_udpprobe_probe {
	struct warts_tv tx; /* sent */
	uint16_t sport;
	uint8_t nreplies;
	struct warts_udpprobe_reply *replies; /* nreplies */
	uint64_t has; /* of the first: unused */
};

struct warts_udpprobe {
	uint32_t list, cycle; /* file-local, 0 none */
	uint32_t user_id;
	struct addr src, dst; /* ADDR_NONE if not known */
	uint16_t dport;
	uint32_t wait_timeout_us, wait_probe_us;
	uint8_t flags; /* 1: stop at the first reply */
	uint8_t stop_reason; /* 1 done, 2 halted, 3 error */
	struct warts_bytes data; /* payload */
	uint8_t probe_count; /* requested */
	uint8_t probe_sent;
	uint8_t stop_count; /* replies after which to stop */
	uint16_t sport; /* requested; 0: any */
	const char *errmsg; /* NULL if none */
	/* The first is there whether it was sent or not: its tx is when the
	 * measurement began. */
	uint8_t nprobes; /* probe_sent, at least 1 */
	struct warts_udpprobe_probe *probes; /* nprobes */
	uint64_t has;
	struct warts_arena *arena; /* owns the arrays of a decoded record */
};

#endif
