/*
 * warts/sniff: the record of listening for ICMP packets with an id, type 0x000d.
 *
 *	block | packets (packet.h)
 *
 * The fields of the block are in the table of sniff.c.  To be encoded, src is
 * known.
 */
#ifndef COMMON_WARTS_SNIFF_H
#define COMMON_WARTS_SNIFF_H

#include "common/warts/packet.h"

struct warts_sniff {
	uint32_t list, cycle; /* file-local, 0 none */
	uint32_t user_id;
	struct addr src; /* that packets arrive at */
	struct warts_tv start, finish;
	uint8_t stop_reason; /* 1 error, 2 time, 3 packets, 4 halted */
	uint32_t limit_packets;
	uint16_t limit_s;
	uint16_t icmp_id;
	const char *errmsg; /* NULL if none */
	uint32_t npackets;
	struct warts_packet *packets; /* npackets */
	uint64_t has;
	struct warts_arena *arena; /* owns the arrays of a decoded record */
};

#endif
