/*
 * pacer: how many packets may be sent now?
 */
#ifndef PROBER_PACER_H
#define PROBER_PACER_H

#include <stdint.h>

#include "common/clock.h"

/*
 * Two buckets of credits that every packet is taken from.  `acc' fills at the
 * rate and remembers up to PACER_DEBT_NS that could not be used in time: the
 * mean.  `peak' holds the share of one slice and fills a little faster:
 * evenness.  After a late wake-up `peak' is full and no more than that goes out;
 * what is owed is paid back at 3 % above the rate, in slices that are shorter.
 *
 * Up to PACER_SLOT_PPS a packet has a slot and a wake-up of its own, and
 * packets are never less than half a slot apart.  Above, a wake-up is the
 * dearest thing there is: a turn sends the share of a slice, and turns that
 * send are never less than a millisecond apart.  Thus, by actual sending,
 *
 *	no  1 ms has more than twice its share (1.85),
 *	no 10 ms has more than 1.2 times its share, or one packet more than it:
 *	         1.6 + 10 x 1.032 while something is owed, 1.85 + 10 x 1.0125
 *	         else; what becomes owed was lost from a full bucket of 1.85.
 *
 * A machine that wakes us late all the time would so slow us down for good.
 * There the mean is worth more: while the debt stays near its maximum, `peak'
 * grows from second to second, and shrinks when it has helped.
 */
struct pacer {
	uint64_t pps; /* now; 0: no limit */
	uint64_t asked; /* the rate asked for */
	int64_t last_ns; /* of the last accrual; 0: none yet */
	int64_t sent_ns; /* when the last turn that sent began to; 0: none */
	int64_t stretch_ns; /* what `peak' holds beyond a slice */
	int64_t judged_ns; /* when that was thought about last */
	int behind; /* times in a row that the debt was near its maximum */
	uint64_t acc, peak; /* credits × 1e9 */
	int fresh; /* nothing was spent since the last pacer_credits() */
};

#define PACER_DEBT_NS (250 * NS_PER_MS)
#define PACER_SLOT_PPS 2000 /* up to this rate: a slot per packet */
#define PACER_LATE_NS (500 * NS_PER_US) /* a slot forgives: more is owed */
#define PACER_SLICE_NS (1850 * NS_PER_US) /* the most that a turn sends */
#define PACER_SLEEP_NS (1750 * NS_PER_US) /* then it wakes up late a bit */
#define PACER_FEW_SLEEP_NS (1500 * NS_PER_US) /* below PACER_OWING_PPS */
#define PACER_REPAY 80 /* `peak' fills faster by 1/80 */
/* The same while more than PACER_LITTLE_NS is owed, where a millisecond has
 * packets enough for fractions of one not to matter. */
#define PACER_OWING_PPS 5000
#define PACER_LITTLE_NS NS_PER_MS
#define PACER_OWING_SLICE_NS (1600 * NS_PER_US)
#define PACER_OWING_SLEEP_NS (1100 * NS_PER_US)
#define PACER_OWING_REPAY 32
#define PACER_GAP_NS (1020 * NS_PER_US) /* between turns that send, at least */
#define PACER_BEHIND 3 /* seconds near the maximum: one stall is over by then */

void pacer_init(struct pacer *p, uint32_t pps);
/* Accrue up to NOW; the number of packets that may be sent in this turn. */
uint32_t pacer_credits(struct pacer *p, int64_t now_ns);
/* N packets have just been sent; NOW is read after that. */
void pacer_spend(struct pacer *p, uint32_t n, int64_t now_ns);
/* There was less to send than allowed: unused time earns no more than one
 * turn's share. */
void pacer_idle(struct pacer *p);
/* The device takes no more for now: what is owed is not for lateness. */
void pacer_refused(struct pacer *p);
/* Replies are being lost: a quarter slower.  They are not: back towards the rate
 * asked for, an eighth of the way.  Each about once a second. */
void pacer_slow(struct pacer *p);
void pacer_recover(struct pacer *p);
/* When the next packets may go. */
int64_t pacer_due(const struct pacer *p, int64_t now_ns);

#endif
