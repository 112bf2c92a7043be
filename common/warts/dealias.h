/*
 * warts/dealias: the record of an alias test, type 0x0009: do two addresses
 * belong to one router?
 *
 *	block | the method's block | probe definitions | probes
 *	probe:  block | replies
 *
 * How many definitions there are is fixed (mercator 1, ally and bump 2) or in
 * the method's block.  A probe names its definition by index.
 *
 * The fields of each block are in the tables of dealias.c.  To be encoded,
 * each definition has a destination and a method, each probe a definition that
 * there is, each reply a source.
 */
#ifndef COMMON_WARTS_DEALIAS_H
#define COMMON_WARTS_DEALIAS_H

#include "common/warts/buf.h"
#include "common/warts/warts.h"

enum warts_dealias_method {
	WARTS_DEALIAS_MERCATOR = 1,
	WARTS_DEALIAS_ALLY = 2,
	WARTS_DEALIAS_RADARGUN = 3,
	WARTS_DEALIAS_PREFIXSCAN = 4,
	WARTS_DEALIAS_BUMP = 5,
	WARTS_DEALIAS_MIDAREST = 6, /* from here on not in 2021 */
	WARTS_DEALIAS_MIDARDISC = 7,
};

enum warts_dealias_result {
	WARTS_DEALIAS_NONE = 0,
	WARTS_DEALIAS_ALIASES = 1,
	WARTS_DEALIAS_NOT_ALIASES = 2,
	WARTS_DEALIAS_HALTED = 3,
	WARTS_DEALIAS_IPID_ECHO = 4, /* replies echo the probe's IP-ID */
	WARTS_DEALIAS_ERROR = 5,
};

enum warts_dealias_probe_method {
	WARTS_DEALIAS_ICMP_ECHO = 1,
	WARTS_DEALIAS_TCP_ACK = 2,
	WARTS_DEALIAS_UDP = 3,
	WARTS_DEALIAS_TCP_ACK_SPORT = 4,
	WARTS_DEALIAS_UDP_DPORT = 5,
	WARTS_DEALIAS_TCP_SYN_SPORT = 6,
};

/* Of warts_dealias.flags, by method. */
#define WARTS_DEALIAS_NOBS 0x01 /* ally, prefixscan: byte order is known */
#define WARTS_DEALIAS_SHUFFLE 0x01 /* radargun: probe order shuffled */
#define WARTS_DEALIAS_CSA 0x02 /* prefixscan: common source address */

/* What a probe looks like. */
struct warts_dealias_def {
	uint32_t id; /* normally its index */
	uint8_t method; /* enum warts_dealias_probe_method */
	uint8_t ttl, tos;
	uint16_t sport, dport; /* of UDP and TCP; old ICMP: dport a checksum */
	uint8_t tcp_flags;
	uint16_t icmp_id, icmp_sum;
	struct addr dst;
	struct addr src; /* ADDR_NONE if not known */
	uint16_t size; /* whole IP packet, bytes; 0: the method's own */
	uint16_t mtu; /* pseudo MTU, 0 if none */
	uint32_t dst_gid, src_gid; /* as of a reply */
	uint64_t has;
};

struct warts_dealias_reply {
	struct addr src;
	struct warts_tv rx; /* received */
	uint16_t ipid; /* of IPv4 */
	uint32_t fragid; /* of IPv6 */
	uint8_t ttl;
	uint8_t
	    icmp_type; /* icmp_code lies behind it: one field of the block */
	uint8_t icmp_code;
	uint8_t q_ttl; /* quoted */
	struct warts_exts exts;
	uint8_t protocol; /* 1, 6, 17, 58 */
	uint8_t tcp_flags;
	uint8_t flags; /* 1: it carried a 32-bit id */
	uint16_t size; /* 0: not known */
	uint32_t gid; /* address by its record (obsolete), 0 if `src' has it */
	uint64_t has;
};

struct warts_dealias_probe {
	uint32_t def; /* index */
	struct warts_tv tx; /* sent */
	uint16_t ipid; /* of IPv4 */
	uint32_t seq; /* round */
	uint16_t nreplies;
	struct warts_dealias_reply *replies; /* nreplies */
	uint64_t has;
};

/* Addresses not to be scanned; count first. */
struct warts_dealias_xs {
	uint16_t count;
	struct addr *addr;
};

/* When which definitions are probed. */
struct warts_dealias_slot {
	struct warts_tv start; /* since the beginning */
	uint32_t first, last; /* definitions */
};

struct warts_dealias_schedule {
	uint16_t count;
	struct warts_dealias_slot *slot;
};

/* The settings of all methods; each has some of them. */
struct warts_dealias_method_block {
	uint32_t ndefs; /* radargun, prefixscan, midar */
	uint16_t rounds; /* radargun */
	uint8_t rounds8; /* midarest */
	uint8_t attempts;
	uint8_t wait_timeout_s;
	uint16_t wait_probe_ms;
	uint32_t wait_round_ms;
	uint32_t wait_probe_us, wait_round_us, wait_timeout_us; /* midar */
	uint16_t fudge; /* largest IP-ID step accepted */
	uint16_t bump_limit;
	uint8_t flags;
	uint8_t prefix_len; /* prefixscan */
	uint8_t nreplies; /* prefixscan: required; 5 if absent */
	struct addr a, b, ab; /* prefixscan: of it, to it, the alias found */
	struct warts_dealias_xs xs;
	struct warts_dealias_schedule schedule; /* midardisc */
	struct warts_tv start; /* midardisc */
	uint64_t has;
};

struct warts_dealias {
	uint32_t list, cycle; /* file-local, 0 none */
	struct warts_tv start;
	uint8_t method; /* enum warts_dealias_method */
	uint8_t result; /* enum warts_dealias_result */
	uint32_t user_id;
	const char *errmsg; /* NULL if none */
	struct warts_dealias_method_block m;
	uint32_t ndefs; /* of defs, whatever the method */
	struct warts_dealias_def *defs; /* ndefs */
	uint32_t nprobes;
	struct warts_dealias_probe *probes; /* nprobes */
	uint64_t has;
	struct warts_arena *arena; /* owns the arrays of a decoded record */
};

/* Is R an ICMP message? */
int warts_dealias_is_icmp(const struct warts_dealias_reply *r);

#endif
