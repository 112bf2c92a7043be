/*
 * show/tbit_packet: what is said of a packet in a tbit record, taken apart
 * (RFC 791, 8200, 9293).  Nothing in the bytes is trusted; what is not there
 * is 0.
 */
#ifndef COMMON_SHOW_TBIT_PACKET_H
#define COMMON_SHOW_TBIT_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "common/warts/packet.h"

#define TBIT_FIN 0x01
#define TBIT_SYN 0x02
#define TBIT_RST 0x04
#define TBIT_PSH 0x08
#define TBIT_ACK 0x10
#define TBIT_URG 0x20
#define TBIT_ECE 0x40
#define TBIT_CWR 0x80

struct tbit_packet {
	uint8_t version; /* 4, 6, or 0: not an IP packet */
	uint16_t len; /* as the IP header has it */
	uint16_t ip_hlen; /* with a fragment header */
	uint8_t ecn, ttl, proto;
	int has_frag; /* frag_ are valid: IPv4, or there is a header */
	uint32_t frag_id;
	uint16_t frag_off; /* bytes */
	uint8_t frag_mf, frag_df;
	int is_tcp; /* the whole TCP header is there */
	uint16_t tcp_hlen, win, datalen;
	uint8_t tcp_flags;
	uint32_t seq, ack;
	const uint8_t *options; /* optlen bytes */
	uint16_t optlen;
	int is_too_big; /* an ICMP message that the packet was too big */
	uint32_t mtu; /* of is_too_big */
};

/* Take P apart. */
struct tbit_packet tbit_packet(const struct warts_packet *p);

#endif
