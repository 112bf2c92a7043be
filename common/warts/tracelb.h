/*
 * warts/tracelb: the record of a multipath traceroute (MDA), type 0x0008.
 *
 *	block | nodes | links
 *	link:   block | a set per hop of distance
 *	set:    block | probes       probe:  block | replies
 *
 * A node is where all paths meet, or end.  What lies between two nodes is in
 * the sets of the link between them: set k holds the probes sent k+1 hops behind
 * the first, so that a diamond is a link with sets that several routers
 * answered, and a silent router is a set without replies.
 *
 *	   ╭─ b ─╮          nodes a, d; one link a -> d of distance 2;
 *	a ─┤     ├─ d       set 0: replies of b and c, set 1: replies of d
 *	   ╰─ c ─╯
 *
 * The fields of each block are in the tables of tracelb.c.  To be encoded, dst
 * is known, each node's nlinks is the number of links that name it as `from',
 * links name nodes that there are, and each reply has an address.
 */
#ifndef COMMON_WARTS_TRACELB_H
#define COMMON_WARTS_TRACELB_H

#include "common/warts/buf.h"
#include "common/warts/warts.h"

enum warts_tracelb_method {
	WARTS_TRACELB_UDP_DPORT = 1,
	WARTS_TRACELB_ICMP = 2,
	WARTS_TRACELB_UDP_SPORT = 3,
	WARTS_TRACELB_TCP_SPORT = 4,
	WARTS_TRACELB_TCP_ACK_SPORT = 5,
};

#define WARTS_TRACELB_PTR 0x01 /* of warts_tracelb.flags: names looked up */
#define WARTS_TRACELB_NODE_QTTL 0x01 /* of a node: q_ttl is valid */
#define WARTS_TRACELB_REPLY_TTL 0x01 /* of a reply: ttl is valid */
#define WARTS_TRACELB_REPLY_TCP 0x02 /* of a reply: it is TCP */

struct warts_tracelb_reply {
	struct addr addr;
	struct warts_tv rx; /* received */
	uint16_t ipid;
	uint8_t ttl; /* valid with WARTS_TRACELB_REPLY_TTL */
	uint8_t flags;
	uint8_t
	    icmp_type; /* icmp_code lies behind it: one field of the block */
	uint8_t icmp_code;
	uint8_t tcp_flags;
	uint8_t q_ttl, q_tos; /* quoted */
	struct warts_exts exts;
	uint32_t gid; /* address by its record (obsolete), 0 if `addr' has it */
	uint64_t has;
};

struct warts_tracelb_probe {
	struct warts_tv tx; /* sent */
	uint16_t flow; /* the counter that the varied field of the header has */
	uint8_t ttl;
	uint8_t attempt; /* from 0 */
	uint16_t nreplies;
	struct warts_tracelb_reply *replies; /* nreplies */
	uint64_t has;
};

struct warts_tracelb_set {
	uint16_t nprobes;
	struct warts_tracelb_probe *probes; /* nprobes */
	uint64_t has;
};

struct warts_tracelb_link {
	uint16_t from; /* index of a node */
	uint16_t to; /* index of a node, if has_to */
	uint8_t has_to; /* 0: the path went silent */
	uint8_t nsets; /* distance, hops */
	struct warts_tracelb_set *sets; /* nsets */
	uint64_t has;
};

struct warts_tracelb_node {
	struct addr addr; /* ADDR_NONE if not known */
	uint8_t flags; /* WARTS_TRACELB_NODE_ */
	uint8_t q_ttl; /* quoted in its replies */
	uint16_t nlinks; /* that start here */
	const char *name; /* PTR name, or NULL */
	uint32_t gid; /* as of a reply */
	uint64_t has;
};

struct warts_tracelb {
	uint32_t list, cycle; /* file-local, 0 none */
	struct addr src; /* ADDR_NONE if not known */
	struct addr dst;
	struct addr rtr; /* via this router, or ADDR_NONE */
	struct warts_tv start;
	uint16_t sport, dport; /* base; sport may be an ICMP id */
	uint16_t probe_size; /* whole IP packet, bytes */
	uint8_t method; /* enum warts_tracelb_method */
	uint8_t first_ttl;
	uint8_t wait_s;
	uint8_t wait_probe_cs; /* hundredths of a second */
	uint8_t attempts;
	uint8_t confidence; /* 95 or 99 */
	uint8_t tos;
	uint8_t gap_limit;
	uint8_t flags; /* WARTS_TRACELB_ */
	uint32_t probes_sent, probes_max;
	uint32_t user_id;
	const char *errmsg; /* NULL if none */
	uint16_t nnodes, nlinks;
	struct warts_tracelb_node *nodes; /* nnodes */
	struct warts_tracelb_link *links; /* nlinks */
	uint32_t src_gid, dst_gid; /* as of a reply */
	uint64_t has;
	struct warts_arena *arena; /* owns the arrays of a decoded record */
};

#endif
