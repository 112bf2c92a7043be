/*
 * warts/trace_quick: is a trace record good?  For who moves records by the
 * million and needs of each only where it belongs.
 *
 * It knows the forms that traces mostly have: fixed fields, then addresses,
 * then fixed fields; no MPLS, names or sections.  How long the fixed fields of
 * a form are is worked out once and remembered by its flags.  Of everything
 * else it says that it does not know, and warts_trace_decode() does.
 *
 *	block:	flags | length | fixed ... | address [address] | fixed ...
 *	                       |<- front ->|                   |<- back ->|
 */
#ifndef COMMON_WARTS_TRACE_QUICK_H
#define COMMON_WARTS_TRACE_QUICK_H

#include <stddef.h>
#include <stdint.h>

#define WARTS_QUICK_FORMS 32 /* a power of two */

struct warts_quick_form {
	uint64_t flags; /* 0: free */
	uint8_t usable; /* it is of the known kind */
	uint8_t front, back; /* bytes */
	uint8_t addrs;
	uint8_t count_at; /* trace: of the hop count in front; 255: none */
	uint8_t flag_bytes; /* 0 when more than 4: */
	uint8_t raw[4]; /* ... as they are in the record */
};

/* Forms seen so far.  All zero is a good start. */
struct warts_quick {
	struct warts_quick_form traces[WARTS_QUICK_FORMS];
	struct warts_quick_form hops[WARTS_QUICK_FORMS];
	/* The one before; the next is mostly like it. */
	struct warts_quick_form *last_trace, *last_hop;
};

struct warts_quick_trace {
	uint32_t list, cycle; /* file-local */
	uint32_t start_s; /* Unix time */
};

/*
 * 1 with *OUT when BODY is a trace that warts_trace_decode() takes; 0 when that
 * has to be asked.
 */
int warts_trace_quick(struct warts_quick *q, const uint8_t *body, size_t len,
    struct warts_quick_trace *out);

#endif
