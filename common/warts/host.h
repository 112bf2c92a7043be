/*
 * warts/host: the record of a DNS query (RFC 1035), type 0x000e.
 *
 *	block | queries      query: block | answers | authority | additional
 *	a record's data:  kind u16 | an address, a name, or a block
 *
 * The fields of each block are in the tables of host.c.  To be encoded, dst is
 * known and each resource record has a name.
 */
#ifndef COMMON_WARTS_HOST_H
#define COMMON_WARTS_HOST_H

#include "common/warts/buf.h"
#include "common/warts/warts.h"

/* Of warts_host.flags. */
#define WARTS_HOST_NORECURSE 0x01
#define WARTS_HOST_TCP 0x02
#define WARTS_HOST_NSID 0x04

/* What kind of data a resource record has; 0: none that is decoded. */
enum warts_host_kind {
	WARTS_HOST_NODATA = 0,
	WARTS_HOST_ADDR = 1, /* A, AAAA */
	WARTS_HOST_STR = 2, /* NS, CNAME, PTR */
	WARTS_HOST_SOA = 3,
	WARTS_HOST_MX = 4,
	WARTS_HOST_TXT = 5, /* from here on not in 2021 */
	WARTS_HOST_OPT = 6,
	WARTS_HOST_SVCB = 7, /* and HTTPS (RFC 9460) */
};

/* An EDNS option, a parameter of a service, or (code unused) a text. */
struct warts_host_item {
	uint16_t code;
	struct warts_bytes data;
};

struct warts_host_items {
	uint16_t count;
	struct warts_host_item *item;
};

struct warts_host_data {
	uint16_t kind; /* enum warts_host_kind */
	struct addr addr;
	const char *str; /* NS, CNAME, PTR; mname, exchange, target */
	const char *rname; /* SOA */
	uint32_t serial, refresh_s, retry_s, expire_s, minimum_s; /* SOA */
	uint16_t preference; /* MX; SVCB: priority */
	struct warts_host_items items; /* TXT, OPT, SVCB */
	uint64_t has;
};

struct warts_host_rr {
	uint16_t class_num, type;
	const char *name;
	uint32_t ttl_s;
	struct warts_host_data data;
	uint64_t has;
};

struct warts_host_query {
	struct warts_tv tx; /* sent */
	struct warts_tv rx; /* answered; 0 if not */
	uint16_t id;
	/* Resource records: answers, authority, additional. */
	uint16_t nrrs[3];
	struct warts_host_rr *rrs[3];
	uint8_t rcode;
	uint8_t flags; /* of the header: AA 40 TC 20 RD 10 RA 08 AD 02 CD 01 */
	uint64_t has;
};

struct warts_host {
	uint32_t list, cycle; /* file-local, 0 none */
	uint32_t user_id;
	struct addr src; /* ADDR_NONE if not known */
	struct addr dst; /* the server */
	struct warts_tv start;
	uint16_t flags; /* WARTS_HOST_ */
	uint16_t wait_ms;
	uint8_t stop_reason; /* 1 done, 2 timeout, 3 halted, 4 error */
	uint8_t retries;
	uint16_t qtype, qclass;
	const char *qname; /* NULL if none */
	const char *ecs; /* EDNS client subnet, NULL if none */
	const char *errmsg; /* NULL if none */
	uint8_t nqueries;
	struct warts_host_query *queries; /* nqueries */
	uint64_t has;
	struct warts_arena *arena; /* owns the arrays of a decoded record */
};

#endif
