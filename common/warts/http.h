/*
 * warts/http: the record of fetching a page, type 0x000f (after 2021).
 *
 *	block | buffers | attributes, until the body ends
 *	attribute:  kind u8 | length u32 | bytes
 *
 * The fields of each block are in the tables of http.c.
 */
#ifndef COMMON_WARTS_HTTP_H
#define COMMON_WARTS_HTTP_H

#include "common/warts/buf.h"
#include "common/warts/warts.h"

#define WARTS_HTTP_HTTPS 0 /* warts_http.type */
#define WARTS_HTTP_HTTP 1

/* What went over the connection, in order. */
struct warts_http_buffer {
	uint8_t what; /* 0x80: sent; 0 data, 1 header, 2 TLS */
	struct warts_tv tv;
	struct warts_bytes data;
	uint64_t has;
};

struct warts_http_headers {
	uint16_t count; /* 255 at most */
	const char **header;
};

/* Kind 1: ECH configuration list, 2: ECH retry configuration; others as they
 * are. */
struct warts_http_attr {
	uint8_t kind;
	uint32_t len;
	const uint8_t *data;
};

struct warts_http {
	uint32_t list, cycle; /* file-local, 0 none */
	uint32_t user_id;
	struct addr src, dst; /* ADDR_NONE if not known */
	uint16_t sport, dport;
	struct warts_tv start;
	uint8_t
	    stop_reason; /* 1 halted, 2 no connection, 3 done, 4 error ... */
	uint8_t type; /* WARTS_HTTP_ */
	const char *host, *file; /* NULL if none */
	struct warts_http_headers headers; /* of the user */
	uint32_t hs_rtt_us; /* of the handshake */
	uint32_t flags; /* 1 certificate not checked, 2 GREASE ECH */
	struct warts_tv max_time;
	const char *errmsg; /* NULL if none */
	uint8_t ech_status;
	const char *ech_outer; /* NULL if none */
	uint32_t nbuffers;
	struct warts_http_buffer *buffers; /* nbuffers */
	uint32_t nattrs;
	struct warts_http_attr *attrs; /* nattrs */
	uint64_t has;
	struct warts_arena *arena; /* owns the arrays of a decoded record */
};

#endif
