/*
 * room: how far a sender of commands may be ahead.
 *
 *	sender ──── pipe ────► queue ────► window
 *	   ▲                   │ count
 *	   └── room TOTAL ◄────┘ as many as leave it in ROOM_SECONDS
 *
 * The queue and the pipe hold tens of thousands of addresses: minutes of work, or
 * at a low rate hours, for which an edit of a weight would change nothing.  So a
 * client is told how many `ip' it should have sent in all, as a receiver's
 * window.  It is advice: who sends more is stopped by the pipe.
 *
 * Pure: no descriptor, no clock.  Who has used up its room and left the queue
 * empty gets twice as much, so in a dozen answers the queue is as long as it has
 * to be for any rate; it becomes shorter by half in a second.
 */
#include "prober/source/source.h"

#define ROOM_SECONDS 2

void
room_init(struct room *r)
{
	*r = (struct room){.ahead = ROOM_MIN};
}

void
room_tick(struct room *r, uint64_t put, uint32_t count)
{
	uint64_t left = put > count ? put - count : 0;
	uint64_t want = left > r->left ? (left - r->left) * ROOM_SECONDS : 0;

	r->left = left;
	if (want < r->ahead / 2)
		want = r->ahead / 2;
	if (want < ROOM_MIN)
		want = ROOM_MIN;
	r->ahead = want > ROOM_MAX ? ROOM_MAX : (uint32_t)want;
}

uint64_t
room_of(struct room *r, const struct room_client *c, uint32_t count)
{
	uint64_t total;

	if (c->told > 0 && c->taken >= c->told && count == 0) {
		r->ahead *= 2;
		if (r->ahead > ROOM_MAX)
			r->ahead = ROOM_MAX;
	}
	if (count >= r->ahead)
		return 0;
	total = c->taken + r->ahead - count;
	/* Not for each one that leaves: when half of it has gone. */
	return total >= c->told + (r->ahead + 1) / 2 ? total : 0;
}
