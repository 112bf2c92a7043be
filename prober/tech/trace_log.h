/*
 * trace_log: the bits of the entries in a trace's log; for trace_store.c alone.
 * What they mean is in trace.h.
 *
 *	first byte	7 6	5 4	3 2	1 0
 *	NEXT, RETRY	code	n	low .......
 *	HOP		code	r	tos	size
 *	OTHER		code	kind ..............
 *
 * An entry is written and read in words of fixed size, so that more bytes may be
 * touched than are its own.
 */
#ifndef PROBER_TRACE_LOG_H
#define PROBER_TRACE_LOG_H

#include <string.h>

#include "prober/tech/trace.h"

enum code { CODE_NEXT, CODE_RETRY, CODE_HOP, CODE_OTHER };
enum other { OTHER_PROBE, OTHER_LEFT, OTHER_ODD, OTHER_EXT };
enum hop_tos { TOS_0, TOS_192, TOS_GIVEN };
enum hop_size { SIZE_SHORT, SIZE_ALL, SIZE_GIVEN };

#define CODE_SHIFT 6
#define DELTA_LOW_BITS 4
#define DELTA_BYTES_SHIFT 4 /* and the same for a HOP's rtt */
#define HEARD 0x8000u
#define HEARD_SHIFT 9
#define HEARD_MASK ((HEARD - 1) << HEARD_SHIFT) /* what it keeps of an rtt */
#define DELTA_MAX ((1u << 28) - 1) /* microseconds */
#define TOS_SHIFT 2
#define TOS_CONTROL 192 /* Linux: what routers say is for control */
#define QUOTE_SHORT 8 /* bytes behind the IP header, RFC 792 */
#define ENTRY_MAX 32 /* bytes touched; but for extensions */

/* Bytes touched: of NEXT and RETRY, 4 behind the first; of a HOP, 4 for the rtt,
 * the tos and the size behind the address.  The others are shorter than that. */
#define PROBE_NEED 5
static inline size_t
trace_log_hop_need(int family)
{
	return 4 + addr_len(family) + 4 + 1 + 2;
}

_Static_assert(1 + sizeof(struct trace_odd) <= 4 + 4 + 4 + 1 + 2, "need");
_Static_assert(1 + 2 + sizeof(struct trace_probe) <= 4 + 4 + 4 + 1 + 2, "need");

static inline void
trace_log_copy(void *to, const void *from, int family)
{
	memcpy(to, from, 4);
	if (family == ADDR_IPV6)
		memcpy((uint8_t *)to + 4, (const uint8_t *)from + 4, 12);
}

#endif
