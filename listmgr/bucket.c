/*
 * bucket: so much per second, and so much at once.  Pure: no clock.
 *
 * The level is in billionths, so that a nanosecond at a rate of one a second is
 * worth one.  It may be overdrawn; then it takes longer to come back.
 */
#include "listmgr/generator.h"

void
bucket_set(struct bucket *b, uint32_t rate, uint32_t burst)
{
	b->rate = rate;
	b->burst = burst;
}

static void
fill(struct bucket *b, int64_t now_ns)
{
	int64_t full = (int64_t)b->burst * NS_PER_SEC;
	int64_t passed_ns = now_ns - b->last_ns;

	/* Divided first: a long pause times a high rate is too much. */
	if (b->last_ns == 0 || passed_ns > (full - b->level) / b->rate)
		b->level = full;
	else
		b->level += passed_ns * b->rate;
	b->last_ns = now_ns;
}

void
bucket_take(struct bucket *b, uint32_t n, int64_t now_ns)
{
	if (b->rate == 0)
		return;
	fill(b, now_ns);
	b->level -= (int64_t)n * NS_PER_SEC;
}

int64_t
bucket_wait(struct bucket *b, int64_t now_ns)
{
	if (b->rate == 0)
		return 0;
	fill(b, now_ns);
	if (b->level >= NS_PER_SEC)
		return 0;
	return (NS_PER_SEC - b->level + b->rate - 1) / b->rate;
}
