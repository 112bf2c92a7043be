/*
 * packet: bytes only.  packet.c understands a packet, answer.c makes one; what
 * is answered is decided elsewhere (reply.c).  Packets are in network order,
 * everything in these structs in host order.
 */
#ifndef FAKENET_PACKET_H
#define FAKENET_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

#define PACKET_MAX 65535
#define IP4_HLEN 20
#define IP6_HLEN 40

/* --- packet.c ------------------------------------------------------------- */

enum probe_kind {
	PROBE_OTHER, /* a protocol nobody speaks */
	PROBE_ECHO,
	PROBE_TIME, /* ICMP timestamp request */
	PROBE_ICMP, /* other ICMP queries and replies: never answered */
	PROBE_ICMP_ERROR, /* never answered, by anyone */
	PROBE_UDP,
	PROBE_TCP,
	PROBE_FRAGMENT, /* not the first, or without a transport header */
};

struct probe {
	const uint8_t *ip; /* the packet */
	size_t len; /* as the IP header says, <= bytes read */
	const uint8_t *l4; /* its transport header */
	size_t l4len;
	struct addr src, dst;
	uint8_t ttl, tos, proto;
	uint8_t dont_fragment; /* set for IPv6 */
	uint8_t more_fragments; /* a first fragment: no host answers it */
	uint32_t label; /* IPv6 flow label */
	uint32_t first4; /* first 4 transport bytes, 0 if there are none */
	size_t hlen; /* of the IP header alone: quoted whole */
	enum probe_kind kind;
};

/* Understand LEN bytes at PKT.  NULL, or a static reason; nothing beyond LEN
 * is looked at, whatever the packet says. */
const char *packet_parse(const uint8_t *pkt, size_t len, struct probe *p);

/* Non-zero if the transport checksum is right (or absent, for UDP over IPv4).
 * True for PROBE_OTHER and fragments, where it cannot be known. */
int packet_sum_ok(const struct probe *p);

/* RFC 1071: add LEN bytes to SUM; fold and complement at the end. */
uint64_t packet_sum(const void *data, size_t len, uint64_t sum);
uint16_t packet_fold(uint64_t sum);

/* Sum of the pseudo header of LEN transport bytes between two addresses. */
uint64_t packet_pseudo(
    const struct addr *src, const struct addr *dst, uint8_t proto, size_t len);

static inline uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static inline void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void
put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

/* --- answer.c ------------------------------------------------------------- */

/* Who answers, and the fields of the reply's IP header. */
struct sender {
	struct addr src;
	uint8_t ttl, tos; /* as they arrive */
	uint16_t ipid;
};

struct icmp_error {
	uint8_t type, code;
	uint32_t rest; /* bytes 4..7 of the ICMP header */
	uint8_t quoted_ttl; /* as the probe arrived at the sender */
	size_t quote; /* bytes behind the IP header to quote, at most */
	int nlabels; /* RFC 4950 stack, topmost first; 0: no extension */
	const uint32_t *label;
};

/* Each writes one packet to OUT (PACKET_MAX bytes) and returns its length. */
size_t answer_error(uint8_t *out, const struct sender *from,
    const struct probe *p, const struct icmp_error *e);
size_t
answer_echo(uint8_t *out, const struct sender *from, const struct probe *p);
size_t answer_time(uint8_t *out, const struct sender *from,
    const struct probe *p, uint32_t ms_of_day);
/* Who writes into an IPv4 option, in order, and when. */
struct writers {
	struct addr addr[2 * 31 + 1]; /* routers there, host, routers back */
	int n;
	uint32_t ms_of_day;
};
/* Put the record route or timestamp option of P into the IPv4 packet of LEN
 * bytes at OUT, written by W (RFC 791 3.1); returns its new length. */
size_t answer_option(
    uint8_t *out, size_t len, const struct probe *p, const struct writers *w);
/* SEQ, ACK, FLAGS (RFC 9293) of the segment; with SYN it offers an MSS. */
struct tcp_reply {
	uint32_t seq, ack;
	uint8_t flags;
};
size_t answer_tcp(uint8_t *out, const struct sender *from,
    const struct probe *p, const struct tcp_reply *t);

#endif
