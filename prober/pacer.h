/*
 * pacer: how many packets may be sent now?
 */
#ifndef PROBER_PACER_H
#define PROBER_PACER_H

#include <stdint.h>

#include "prober/density.h"

/*
 * What is owed, `acc', fills at the rate and remembers up to PACER_DEBT_NS that
 * could not be used in time: the mean.  How fast it may be paid is decided by
 * evenness, in one of two ways.
 *
 * Up to PACER_SLOT_PPS a packet has a slot and a wake-up of its own.  Packets are
 * never less than half a slot apart, and each is taken from a second bucket,
 * `peak', that holds a slot and a bit and fills at the rate and `repay_ppm' more.
 *
 * Above, a wake-up is the dearest thing there is: a turn sends what two milliseconds
 * earn, and no turn begins, nor goes on, when the last millisecond or the last ten
 * have had what they may have, by actual sending (density.h).
 *
 *	late by 3 ms        |...........20      20       20         20
 *	on time  20         20         20       |
 *	        -+----------+----------+--------+--------+----------+--
 *	         0          2          4        ms       until paid: 6 in 10 ms
 *
 * So whatever happens no millisecond has more than twice its share, and no 10 ms
 * more than 1.2 times, or one packet more than it; and a debt is paid at up to
 * 1.2 times the rate, with fewer wake-ups for a packet and not with more.
 *
 * A machine that is always late would slow us down for good all the same.  There
 * the mean is worth more: while the debt grows from judgement to judgement, turns
 * may send what is due in `stretch_ns' more, until it has helped.
 */
struct pacer {
	uint64_t pps; /* now; 0: no limit */
	uint64_t asked; /* the rate asked for */
	uint64_t acc, peak; /* credits × 1e9 */
	uint64_t slice; /* packets that a turn sends at most */
	uint64_t repay_ppm; /* of a slot's bucket */
	int64_t gap_ns; /* at least, from a packet in a slot to the next */
	int64_t last_ns; /* of the last accrual; 0: none yet */
	int64_t sent_ns; /* when the last packet had left */
	int64_t stretch_ns; /* what a turn sends beyond a slice */
	int64_t judged_ns; /* when that was thought about last */
	uint64_t owed; /* then */
	int behind; /* times in a row that the debt had grown */
	struct density density; /* above slots: of what was sent */
};

#define PACER_DEBT_NS NS_PER_SEC
#define PACER_SLOT_PPS 2000 /* up to this rate: a slot per packet */
#define PACER_LATE_NS (500 * NS_PER_US) /* a slot forgives: more is owed */
#define PACER_SLEEP_NS (2 * NS_PER_MS) /* twice a share of a millisecond */
#define PACER_REPAY_PPM 125000 /* wanted: faster than the rate by an eighth */

void pacer_init(struct pacer *p, uint32_t pps);
/* Accrue up to NOW; the number of packets that may be sent in this turn. */
uint32_t pacer_credits(struct pacer *p, int64_t now_ns);
/* How many of them may go at this very time, however long the turn is at it. */
uint32_t pacer_room(struct pacer *p, int64_t now_ns);
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
