/*
 * warts/sting: the record of measuring one-way loss with TCP (Savage, "Sting: a
 * TCP-based network measurement tool", USITS 1999), type 0x000c.
 *
 *	block | packets (packet.h)
 *
 * The fields of the block are in the table of sting.c.  To be encoded, src and
 * dst are known.  scamper writes bytes of its own memory as the request; they
 * say nothing and are kept as they are.
 */
#ifndef COMMON_WARTS_STING_H
#define COMMON_WARTS_STING_H

#include "common/warts/packet.h"

/* Of a packet's `what'. */
#define WARTS_STING_TX 0x01
#define WARTS_STING_RX 0x02
#define WARTS_STING_DATA 0x04
#define WARTS_STING_HOLE 0x08

struct warts_sting {
	uint32_t list, cycle; /* file-local, 0 none */
	uint32_t user_id;
	struct addr src, dst;
	uint16_t sport, dport;
	uint16_t count; /* samples */
	uint16_t mean_ms; /* delay between packets */
	uint16_t inter_ms; /* delay between phases */
	uint8_t distribution; /* 1 exponential, 2 periodic, 3 uniform */
	uint8_t syn_attempts, data_attempts;
	uint8_t seqskip; /* size of the first hole */
	struct warts_bytes request;
	struct warts_tv start, hs_rtt; /* of the handshake */
	uint16_t dataack_count; /* acknowledgements in the data phase */
	uint16_t hole_count; /* holes filled: lost on the way there */
	uint8_t result; /* 1 completed, 2 error */
	uint32_t npackets;
	struct warts_packet *packets; /* npackets */
	uint64_t has;
	struct warts_arena *arena; /* owns the arrays of a decoded record */
};

#endif
