/*
 * warts/neighbourdisc: the record of asking for a neighbour's link-layer
 * address (ARP, RFC 826; neighbour solicitation, RFC 4861), type 0x000a.
 *
 *	block | probes       probe: block | replies
 *
 * The fields of each block are in the tables of neighbourdisc.c.
 */
#ifndef COMMON_WARTS_NEIGHBOURDISC_H
#define COMMON_WARTS_NEIGHBOURDISC_H

#include "common/warts/buf.h"
#include "common/warts/warts.h"

enum warts_neighbourdisc_method {
	WARTS_NEIGHBOURDISC_ARP = 1,
	WARTS_NEIGHBOURDISC_NSOL = 2,
};

/* Of warts_neighbourdisc.flags. */
#define WARTS_NEIGHBOURDISC_ALLATTEMPTS 0x01
#define WARTS_NEIGHBOURDISC_FIRSTRESPONSE 0x02

struct warts_neighbourdisc_reply {
	struct warts_tv rx; /* received */
	struct addr mac;
	uint64_t has;
};

struct warts_neighbourdisc_probe {
	struct warts_tv tx; /* sent */
	uint16_t nreplies;
	struct warts_neighbourdisc_reply *replies; /* nreplies */
	uint64_t has;
};

struct warts_neighbourdisc {
	uint32_t list, cycle; /* file-local, 0 none */
	uint32_t user_id;
	const char *ifname; /* NULL if not known */
	struct warts_tv start;
	uint8_t method; /* enum warts_neighbourdisc_method */
	uint16_t wait_ms;
	uint8_t flags; /* WARTS_NEIGHBOURDISC_ */
	uint16_t attempts;
	uint16_t replies_wanted;
	/* ADDR_NONE where not known; the last is what was asked for. */
	struct addr src_ip, src_mac, dst_ip, dst_mac;
	uint16_t nprobes;
	struct warts_neighbourdisc_probe *probes; /* nprobes */
	const char *errmsg; /* NULL if none */
	uint64_t has;
	struct warts_arena *arena; /* owns the arrays of a decoded record */
};

#endif
