/*
 * rate: the packets per second of the Prober, from the status files that it
 * leaves behind.  Pure: who reads them says what is in them and when.
 *
 *	status files	A          B          C		about one a second
 *	heartbeats	  1      2    3         4	1 and 2 both see A
 *	rate		  -      -    (B-A)/(time of B - time of A)
 *
 * A file that was seen before says nothing new: the rate is still that between
 * the last two that differ, and nought would be a lie.  One that does not change
 * for long is of a Prober that is gone, and then nought is the truth.
 */
#include "listmgr/sync.h"

#define GONE_NS (15 * NS_PER_SEC)

/* Packets per second from what R knows to SENT at AT_NS; -1: not known.  The
 * files' times are of the wall clock, which may be set: an interval that cannot
 * be, by the times at which they were seen, tells nothing. */
static int64_t
between(const struct rate *r, uint64_t sent, int64_t at_ns, int64_t now_ns)
{
	int64_t ns = at_ns - r->at_ns;

	/* A Prober that was started anew counts from 0. */
	if (r->seen_ns == 0 || sent < r->sent || ns <= 0 ||
	    ns > 2 * (now_ns - r->seen_ns) + GONE_NS)
		return -1;
	return (int64_t)((double)(sent - r->sent) * NS_PER_SEC / (double)ns);
}

void
rate_saw(struct rate *r, uint64_t sent, int64_t at_ns, int64_t now_ns)
{
	if (r->seen_ns != 0 && at_ns == r->at_ns)
		return;
	r->per_s = between(r, sent, at_ns, now_ns);
	r->sent = sent;
	r->at_ns = at_ns;
	r->seen_ns = now_ns;
}

int64_t
rate_silent_s(const struct rate *r, int64_t start_ns, int64_t now_ns)
{
	int64_t since_ns = r->seen_ns != 0 ? r->seen_ns : start_ns;

	return now_ns - since_ns < GONE_NS ? 0
					   : (now_ns - since_ns) / NS_PER_SEC;
}

int64_t
rate_per_s(const struct rate *r, int64_t now_ns)
{
	if (r->seen_ns == 0)
		return -1;
	return now_ns - r->seen_ns >= GONE_NS ? 0 : r->per_s;
}
