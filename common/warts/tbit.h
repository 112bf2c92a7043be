/*
 * warts/tbit: the record of testing a TCP implementation (Padhye and Floyd, "On
 * inferring TCP behavior", SIGCOMM 2001), type 0x000b.
 *
 *	block | packets (packet.h) | sections | 00 00
 *	section:  kind u16 | length u32 | a block
 *	  1 of the test's type:  pmtud, null, icw, blind
 *	  2 of the application:  HTTP, BGP
 *
 * The fields of each block are in the tables of tbit.c.  To be encoded, src and
 * dst are known.
 */
#ifndef COMMON_WARTS_TBIT_H
#define COMMON_WARTS_TBIT_H

#include "common/warts/packet.h"

enum warts_tbit_type {
	WARTS_TBIT_PMTUD = 1,
	WARTS_TBIT_ECN = 2,
	WARTS_TBIT_NULL = 3,
	WARTS_TBIT_SACK_RCVR = 4,
	WARTS_TBIT_ICW = 5,
	WARTS_TBIT_ABC = 6,
	WARTS_TBIT_BLIND_DATA = 7,
	WARTS_TBIT_BLIND_RST = 8,
	WARTS_TBIT_BLIND_SYN = 9,
	WARTS_TBIT_BLIND_FIN = 10,
};

enum warts_tbit_app {
	WARTS_TBIT_NONE = 0,
	WARTS_TBIT_HTTP = 1,
	WARTS_TBIT_SMTP = 2,
	WARTS_TBIT_DNS = 3,
	WARTS_TBIT_FTP = 4,
	WARTS_TBIT_BGP = 5,
};

/* Of warts_tbit.options. */
#define WARTS_TBIT_TCPTS 0x01
#define WARTS_TBIT_SACK 0x02

#define WARTS_TBIT_TX 1 /* of a packet's `what': sent */
#define WARTS_TBIT_RX 2 /* received */

/* Section 1, and what of it each type has. */
struct warts_tbit_test {
	uint16_t mtu; /* pmtud */
	uint8_t ptb_attempts; /* pmtud */
	uint8_t pmtud_options; /* 1: blackhole test */
	struct addr ptb_src; /* pmtud: of the packets too big */
	uint16_t null_options, null_results;
	uint32_t icw_start; /* first sequence number */
	int32_t blind_offset;
	uint8_t blind_attempts;
	uint64_t has;
};

/* Section 2. */
struct warts_tbit_app_block {
	const char *http_host, *http_file; /* NULL if none */
	uint8_t http_type; /* 1: https */
	uint32_t bgp_as;
	uint64_t has;
};

struct warts_tbit {
	uint32_t list, cycle; /* file-local, 0 none */
	uint32_t user_id;
	struct addr src, dst;
	uint16_t sport, dport;
	struct warts_tv start;
	uint16_t result; /* its words: common/show/tbit.c */
	uint8_t type; /* enum warts_tbit_type */
	uint8_t app; /* enum warts_tbit_app */
	uint16_t client_mss, server_mss;
	uint8_t syn_attempts, data_attempts;
	struct warts_bytes cookie; /* of TCP fast open (RFC 7413), 16 at most */
	uint8_t wscale; /* 0: not sent */
	uint32_t options; /* WARTS_TBIT_ */
	uint8_t ttl;
	const char *errmsg; /* NULL if none */
	/* Sections; has_ says that there is one. */
	uint8_t has_test, has_app;
	struct warts_tbit_test test;
	struct warts_tbit_app_block appdata;
	uint32_t npackets;
	struct warts_packet *packets; /* npackets */
	uint64_t has;
	struct warts_arena *arena; /* owns the arrays of a decoded record */
};

#endif
