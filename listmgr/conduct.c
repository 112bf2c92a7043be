/*
 * conduct: how much a generator may do, and the patience with one that does
 * too much of what is wrong.  Pure: no descriptor, no clock.
 *
 *	rate of targets, of begins	it waits until there is one again
 *	bad lines			a thousand at once, a hundred a second:
 *					behind that it is held for 1 s, 2 s, ...
 *					60 s
 *	hung, or too many processes	stopped, and held likewise
 */
#include <string.h>

#include "listmgr/generator.h"

#define BEGINS_PER_S 10
#define BEGINS_BURST 100
#define BAD_PER_S 100
#define BAD_BURST 1000
#define HOLD_MIN_NS NS_PER_SEC
#define HOLD_MAX_NS (60 * NS_PER_SEC)
#define FORGET_NS (60 * NS_PER_SEC)

/* A tenth of a second at once: who has a rate to keep need not wake up for
 * each target. */
void
conduct_set_rate(struct conduct *c, uint32_t rate)
{
	bucket_set(&c->targets, rate, rate / 10 + 1);
}

void
conduct_init(struct conduct *c, uint32_t rate)
{
	memset(c, 0, sizeof(*c));
	conduct_set_rate(c, rate);
	bucket_set(&c->begins, BEGINS_PER_S, BEGINS_BURST);
	bucket_set(&c->bad, BAD_PER_S, BAD_BURST);
}

int
conduct_is_held(const struct conduct *c, int64_t now_ns)
{
	return c->held_ns > now_ns;
}

int64_t
conduct_wait(struct conduct *c, int64_t now_ns)
{
	int64_t a, b;

	if (c->held_ns > now_ns)
		return c->held_ns - now_ns;
	a = bucket_wait(&c->targets, now_ns);
	b = bucket_wait(&c->begins, now_ns);
	return a > b ? a : b;
}

int64_t
conduct_hold(struct conduct *c, int64_t now_ns)
{
	if (c->held_ns == 0 || now_ns - c->held_ns >= FORGET_NS)
		c->pause_ns = HOLD_MIN_NS;
	else if (c->pause_ns * 2 <= HOLD_MAX_NS)
		c->pause_ns *= 2;
	else
		c->pause_ns = HOLD_MAX_NS;
	c->held_ns = now_ns + c->pause_ns;
	return c->pause_ns;
}

int64_t
conduct_bad(struct conduct *c, uint32_t n, int64_t now_ns)
{
	bucket_take(&c->bad, n, now_ns);
	if (bucket_wait(&c->bad, now_ns) == 0)
		return 0;
	/* What comes now is on the account of the next hold. */
	if (c->bad.level < 0)
		c->bad.level = 0;
	return conduct_hold(c, now_ns);
}

/* Looks are counted and not time, so that a machine that stood still is not
 * taken for a generator that did. */
int
conduct_looks(uint32_t *looks, int is_so, uint32_t limit)
{
	if (!is_so || limit == SCHEDULE_NEVER) {
		*looks = 0;
		return 0;
	}
	if (*looks < limit)
		++*looks;
	return *looks == limit;
}
