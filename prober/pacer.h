/*
 * pacer: how many packets may be sent now?
 */
#ifndef PROBER_PACER_H
#define PROBER_PACER_H

#include <stdint.h>

#include "common/clock.h"

/*
 * Two buckets of credits.  `acc' fills at the rate and remembers up to
 * PACER_DEBT_NS that could not be used in time.  `peak' fills a sixteenth
 * faster and remembers nothing but the fraction of a packet: it is what one
 * turn may send, so that a debt is paid back smoothly.
 *
 * Up to 1,000 packets/s each packet has a slot and a wake-up of its own.  Above,
 * a wake-up is the dearest thing there is, and a turn sends the share of a
 * slice of time; so that no millisecond carries more than twice its share,
 * turns that send are a millisecond apart, and a late one sends no more than
 * the share of two.
 */
struct pacer {
	uint64_t pps; /* now; 0: no limit */
	uint64_t asked; /* the rate asked for */
	int64_t last_ns; /* of the last accrual; 0: none yet */
	int64_t sent_ns; /* of the last spending */
	uint64_t acc, peak; /* credits × 1e9 */
	uint32_t given; /* by the last pacer_credits() */
};

#define PACER_DEBT_NS (250 * NS_PER_MS)
#define PACER_BURST_NS (8 * NS_PER_MS) /* peak share of one turn */
#define PACER_SLOT_PPS 1000 /* up to this rate: a slot per packet */
#define PACER_LONG_PPS 5000 /* from this rate: the long slice */
#define PACER_SLICE_NS NS_PER_MS
#define PACER_LONG_NS (7 * NS_PER_MS / 4) /* and the wake-up is late a bit */
#define PACER_BEHIND_NS (6 * NS_PER_MS) /* behind by more: larger turns */

void pacer_init(struct pacer *p, uint32_t pps);
/* Accrue up to NOW; the number of packets that may be sent in this turn. */
uint32_t pacer_credits(struct pacer *p, int64_t now_ns);
void pacer_spend(struct pacer *p, uint32_t n);
/* There is nothing to send: unused time earns no more than one credit. */
void pacer_idle(struct pacer *p);
/* Replies are being lost: a quarter slower.  They are not: back towards the rate
 * asked for, an eighth of the way.  Each about once a second. */
void pacer_slow(struct pacer *p);
void pacer_recover(struct pacer *p);
/* When the next packets may go. */
int64_t pacer_due(const struct pacer *p, int64_t now_ns);

#endif
