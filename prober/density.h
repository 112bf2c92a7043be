/*
 * density: how many packets were sent in the last so many milliseconds?
 *
 *	grains	| 32 32 | 32 | 0 | 0 | 32 32 | . .	a ring, by time
 *		  ^tail of a span		^now
 *
 * Time is cut into grains, each with the packets whose sending ended in it; a
 * span knows its oldest grain and the sum from there on.  Whole grains leave it, so
 * that it is up to a grain longer than it says: what it holds is never less than
 * what was sent in its time.
 */
#ifndef PROBER_DENSITY_H
#define PROBER_DENSITY_H

#include <stdint.h>

#include "common/clock.h"

#define DENSITY_GRAIN_NS (50 * NS_PER_US)
#define DENSITY_GRAINS 256 /* longer than the longest span */

enum density_span { DENSITY_MS, DENSITY_TEN, DENSITY_SPANS };

struct density {
	uint32_t sent[DENSITY_GRAINS];
	int64_t head; /* the latest grain, counted from time 0 */
	struct {
		int64_t tail;
		uint64_t sum;
	} spans[DENSITY_SPANS];
};

/* N packets have left, the last at NOW, which never goes back. */
void density_add(struct density *d, uint32_t n, int64_t now_ns);
/* How many in the millisecond, or the ten, up to NOW. */
uint64_t density_in(struct density *d, enum density_span which, int64_t now_ns);
/* From when on at most MOST of them are in the span, if no more are sent.  0: they
 * are already. */
int64_t
density_until(const struct density *d, enum density_span which, uint64_t most);

#endif
