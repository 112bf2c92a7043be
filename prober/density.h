/*
 * density: how many packets were sent in the last so many milliseconds?
 *
 *	pieces	. | 32 | 96 | 96 | 32 | .	a ring, in the order of time
 *		    ^tail of a span	^head
 *
 * What was sent at nearly the same time is a piece, with the time at which the last
 * of it had left; a span knows its oldest piece and the sum from there on.  Pieces
 * leave it whole, so that it holds what was sent in its time, or in a grain more, but
 * never less.
 */
#ifndef PROBER_DENSITY_H
#define PROBER_DENSITY_H

#include <stdint.h>

#include "common/clock.h"

#define DENSITY_GRAIN_NS (100 * NS_PER_US) /* how long a piece is, at most */
#define DENSITY_PIECES 128 /* more than the longest span may have */

enum density_span { DENSITY_MS, DENSITY_TEN, DENSITY_SPANS };

struct density {
	struct density_piece {
		int64_t began_ns, ended_ns;
		uint64_t n;
	} pieces[DENSITY_PIECES];
	uint32_t head; /* of the next piece, counted from the first ever */
	struct {
		uint32_t tail;
		uint64_t sum;
	} spans[DENSITY_SPANS];
};

/* To begin with all is zero.  N packets have left, the last at NOW, which never
 * goes back. */
void density_add(struct density *d, uint32_t n, int64_t now_ns);
/* How many in the millisecond, or the ten, up to NOW. */
uint64_t density_in(struct density *d, enum density_span which, int64_t now_ns);
/* From when on at most MOST of them are in the span, if no more are sent.  0: they
 * are already. */
int64_t
density_until(const struct density *d, enum density_span which, uint64_t most);

#endif
