/*
 * warts/packet: packets as they were sent and received, in the records of tbit,
 * sting and sniff.
 *
 *	tbit, sting:  block { 1 u8 direction or flags | 2 tv | 3 u16 length | 4 bytes }
 *	sniff:        block { 1 tv | 2 u16 length | 3 bytes }
 */
#ifndef COMMON_WARTS_PACKET_H
#define COMMON_WARTS_PACKET_H

#include "common/warts/block.h"

struct warts_packet {
	uint8_t what; /* tbit: direction; sting: flags */
	struct warts_tv tv;
	struct warts_bytes data; /* from the IP header on; not empty */
	uint64_t has;
};

/* The two tables. */
extern const struct warts_fields warts_packet_table;
extern const struct warts_fields warts_packet_sniff_table;

/* Read N packets by table T, of which none is empty. */
struct warts_packet *warts_packet_read(struct rbuf *r,
    const struct warts_fields *t, size_t n, struct warts_arena **arena);

#endif
