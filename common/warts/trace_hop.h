/*
 * warts/trace_hop: the hop records of a trace, in the trace itself and in its
 * attached sections (common/warts/trace.c is the only user).
 *
 * One record per reply, one parameter block each:
 *
 *	 1 gid   address (old)     8 u16 probe size     15 u8   TCP flags
 *	 2 u8    probe ttl         9 u16 reply size     16 u8   quoted ToS
 *	 3 u8    reply ttl        10 u16 reply IP-ID    17 exts ICMP extensions
 *	 4 u8    flags            11 u8  reply ToS      18 addr address
 *	 5 u8    attempt          12 u16 next-hop MTU   19 tv   probe sent
 *	 6 us    round-trip time  13 u16 quoted length  20 str  PTR name
 *	 7 type, code             14 u8  quoted ttl
 *
 * Values that a reader must supply: a reply that quotes has quoted ttl 1 when
 * 14 is absent, and its own probe size as quoted length when 13 is.  scamper
 * leaves 13 out when it equals the *trace's* probe size; so do we, unless the
 * reader's rule would then give another value.
 */
#ifndef COMMON_WARTS_TRACE_HOP_H
#define COMMON_WARTS_TRACE_HOP_H

#include "common/warts/arena.h"
#include "common/warts/buf.h"

/* Append N hops of a trace whose probes are TRACE_SIZE bytes. */
void warts_hops_write(struct wbuf *b, const struct warts_hop *hops, size_t n,
    uint16_t trace_size);

/* Read N hops; NULL if N is 0 or after a failure (then R->bad is set). */
struct warts_hop *
warts_hops_read(struct rbuf *r, size_t n, struct warts_arena **arena);

/* Of a reply: an ICMP message; one that quotes the probe; one that says
 * the probe was too big (RFC 792, 1191, 4443). */
int warts_hop_is_icmp(const struct warts_hop *h);
int warts_hop_quotes(const struct warts_hop *h);
int warts_hop_is_too_big(const struct warts_hop *h);

#endif
