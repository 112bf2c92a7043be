/*
 * expire: the stage of a turn in which silence is concluded.
 *
 * Replies that were lost for want of room in the ring, or because our interface
 * went down, must not be recorded as silence: what was waited for meanwhile is
 * asked again.  Where wake-ups are
 * what costs, silence is concluded for some time at once.
 */
#include "prober/prober.h"

#define EXPIRE_BUDGET 8192 /* tasks per turn */
#define EXPIRE_REST_NS (7 * NS_PER_MS)
#define EXPIRE_DENSE_PPS 50000 /* above: with each turn, evenly */

void
expire_start(struct engine *e)
{
	if (e->pacer.pps > EXPIRE_DENSE_PPS || e->pacer.pps == 0)
		e->expire_rest_ns = NS_PER_MS;
	else if (e->pacer.pps > PACER_SLOT_PPS)
		e->expire_rest_ns = EXPIRE_REST_NS;
}

void
expire_note_loss(struct engine *e)
{
	if (e->lossy_to_ns != e->looked_ns)
		e->lossy_from_ns = e->looked_ns;
	e->lossy_to_ns = e->now_ns;
}

void
expire_look_for_losses(struct engine *e)
{
	uint64_t drops = rx_drops(e->rx);

	if (drops > 0)
		expire_note_loss(e);
	e->stats.ring_drops += drops;
	e->looked_ns = e->now_ns;
}

/* May a reply to what T waits for have been among those that were lost? */
static int
was_lossy(const struct engine *e, const struct task *t)
{
	int64_t sent_ns = t->due_ns - timeout_ns(&e->window.timeout, t);

	return sent_ns < e->lossy_to_ns && t->due_ns > e->lossy_from_ns;
}

int64_t
expire_due(const struct engine *e)
{
	int64_t due_ns = timeout_due(&e->window.timeout);
	int64_t rested_ns = e->expired_ns + e->expire_rest_ns;

	return due_ns > rested_ns ? due_ns : rested_ns;
}

void
expire_run(struct engine *e)
{
	struct task *t;
	int where;

	if (timeout_due(&e->window.timeout) > e->now_ns)
		return;
	e->expired_ns = e->now_ns;
	expire_look_for_losses(e);
	for (int i = 0; i < EXPIRE_BUDGET; i++) {
		t = timeout_pop(&e->window.timeout, e->now_ns);
		if (t == NULL)
			return;
		where = t->where;
		t->where = TASK_IDLE;
		if (where == TASK_PUT_OFF)
			t->m->tech->unsent(t);
		else if (e->lossy_to_ns != 0 && was_lossy(e, t))
			t->m->tech->again(t);
		else
			t->m->tech->timeout(t);
	}
}
