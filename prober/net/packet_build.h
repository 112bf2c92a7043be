/*
 * packet_build: probes as bytes.  Pure: no socket, no clock, no allocation.
 *
 * A probe is an IPv4 or IPv6 packet from the IP header on:
 *
 *	IPv4  20 bytes, DF set, and an option   (RFC 791)
 *	IPv6  40 bytes, and a fragment header   (RFC 8200)
 *	UDP    8 bytes                          (RFC 768)
 *	ICMP   8 bytes, echo or time request    (RFC 792, RFC 4443)
 *	TCP   20 bytes, no options              (RFC 9293)
 *	payload
 *
 * Paris traceroute (Augustin et al., IMC 2006) needs a chosen transport
 * checksum: a per-flow load balancer hashes the first four transport bytes
 * (ports, or ICMP type, code and checksum), so these stay the same and the
 * probe's number moves elsewhere.  With `fix_csum' the first two payload bytes
 * take the value that makes the checksum come out as asked.
 */
#ifndef PROBER_PACKET_BUILD_H
#define PROBER_PACKET_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

enum probe_kind {
	PROBE_UDP,
	PROBE_ICMP_ECHO,
	PROBE_ICMP_TIME,
	PROBE_TCP,
	PROBE_FRAGMENT, /* IPv6: the last fragment of something */
	PROBE_TOO_BIG, /* ICMP: `dport' is the MTU, `payload' the quote */
};

#define PROBE_SIZE_MAX 2048 /* bytes of a frame's buffer */

struct probe {
	const struct addr *src, *dst; /* one family */
	enum probe_kind kind;
	uint8_t ttl;
	uint8_t tos;
	uint16_t ipid; /* IPv4 only */
	uint16_t sport; /* source port, ICMP id */
	uint16_t dport; /* destination port, ICMP sequence */
	uint16_t csum; /* wanted transport checksum, with fix_csum */
	int fix_csum; /* needs payload_len >= 2; not for TCP */
	uint32_t tcp_seq, tcp_ack;
	uint16_t tcp_window;
	uint8_t tcp_flags;
	uint8_t tcp_option_len; /* of `payload', which begins with them */
	uint8_t ip_option_len; /* IPv4: 0..40, a multiple of 4 */
	uint8_t has_flow; /* IPv6: `flow' is the flow label */
	uint16_t offset; /* of a fragment, in 8 bytes */
	uint8_t fragment_of; /* IP protocol */
	uint32_t flow;
	uint32_t fragid; /* identification of a fragment */
	const uint8_t *ip_option;
	/* Where a source route ends, which checksums cover (RFC 1122, 4.1.3.4);
	 * NULL: at dst. */
	const struct addr *final;
	const uint8_t *payload; /* NULL: zeros */
	uint16_t payload_len;
	uint32_t id; /* the technique's own, given back when sent */
};

/* Bytes of headers before the payload for FAMILY, without an option: of UDP
 * and ICMP alike; of KIND. */
static inline size_t
packet_build_headers(int family)
{
	return (family == ADDR_IPV4 ? 20 : 40) + 8;
}
size_t packet_build_headers_of(int family, enum probe_kind kind);

/*
 * Write PR as a packet to BUF of CAP bytes.  Returns its length, or -1 if it
 * does not fit.
 */
int packet_build(const struct probe *pr, uint8_t *buf, size_t cap);

/*
 * RFC 1071 sum of LEN bytes added to SUM, not folded, not inverted.  LEN may
 * be odd at the end of a packet only.
 */
uint64_t packet_sum(const void *p, size_t len, uint64_t sum);

/* Fold and invert: the checksum in host order. */
uint16_t packet_csum(uint64_t sum);

#endif
