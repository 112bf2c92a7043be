/*
 * packet_parse: received packets as struct reply.  Pure; bytes from the net
 * are never trusted: every length is checked against what was captured.
 *
 * Understood: ICMP and ICMPv6 errors that quote an IP packet (RFC 792, 4443),
 * with their extensions (RFC 4884: by the length field, or at byte 128 as
 * routers did before it); echo and timestamp replies; TCP and UDP; a record
 * route or timestamp option (RFC 791).  Of IPv6 extension headers only that of
 * a first fragment is walked: routers do not put any before their errors.
 */
#ifndef PROBER_PACKET_PARSE_H
#define PROBER_PACKET_PARSE_H

#include "prober/tech/technique.h"

/*
 * Parse LEN captured bytes at P, from the IP header on.  Returns 0 and fills
 * OUT (all but rx_ns and packet; `ext' points into P), or -1: not a reply to a probe of
 * any kind, or cut too short to tell.
 */
int packet_parse(const uint8_t *p, size_t len, struct reply *out);

#endif
