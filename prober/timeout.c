/*
 * timeout: deadlines without a heap.  All waits of one duration make a class;
 * a class is a FIFO that stays sorted by itself, since time only goes forward.
 * Adding, removing and "has any expired?" cost a few nanoseconds whatever the
 * number of tasks.
 *
 * Waits in use are few: the reply timeouts (1..10 s) and the pauses between
 * probes of running measurements.  When there are more durations than classes,
 * a wait goes to the next longer class: late by little, never early.
 */
#include <assert.h>

#include "prober/prober.h"

void
timeout_init(struct timeout *to)
{
	to->n = 0;
}

/* The class of WAIT, or the shortest that is not shorter; -1 if none. */
static int
class_for(const struct timeout *to, int64_t wait_ns)
{
	int best = -1;

	for (int i = 0; i < to->n; i++) {
		if (to->classes[i].ns == wait_ns)
			return i;
		if (to->classes[i].ns > wait_ns &&
		    (best == -1 || to->classes[i].ns < to->classes[best].ns))
			best = i;
	}
	return best;
}

/* An empty class may change its duration: the FIFO is sorted trivially. */
static int
reusable(const struct timeout *to)
{
	for (int i = 0; i < to->n; i++) {
		if (TAILQ_EMPTY(&to->classes[i].fifo))
			return i;
	}
	return -1;
}

static int
class_make(struct timeout *to, int64_t wait_ns)
{
	int i = class_for(to, wait_ns);

	if (i != -1 && to->classes[i].ns == wait_ns)
		return i;
	if (to->n < TIMEOUT_CLASSES) {
		i = to->n++;
		TAILQ_INIT(&to->classes[i].fifo);
	} else if (reusable(to) != -1) {
		i = reusable(to);
	} else if (i != -1) {
		return i;
	} else {
		/* Longer than all: make the last class longer.  What is in it
		 * keeps its own deadline, and what follows is later. */
		i = TIMEOUT_CLASSES - 1;
	}
	to->classes[i].ns = wait_ns;
	return i;
}

void
timeout_add(struct timeout *to, struct task *t, int64_t now_ns, int64_t wait_ns)
{
	int i = class_make(to, wait_ns);
	struct task *last;

	t->due_ns = now_ns + to->classes[i].ns;
	last = TAILQ_LAST(&to->classes[i].fifo, task_list);
	assert(last == NULL || last->due_ns <= t->due_ns);
	t->timeout = (uint8_t)i;
	TAILQ_INSERT_TAIL(&to->classes[i].fifo, t, link);
}

void
timeout_remove(struct timeout *to, struct task *t)
{
	TAILQ_REMOVE(&to->classes[t->timeout].fifo, t, link);
}

int64_t
timeout_ns(const struct timeout *to, const struct task *t)
{
	return to->classes[t->timeout].ns;
}

int64_t
timeout_due(const struct timeout *to)
{
	int64_t due_ns = INT64_MAX;

	for (int i = 0; i < to->n; i++) {
		const struct task *t = TAILQ_FIRST(&to->classes[i].fifo);

		if (t != NULL && t->due_ns < due_ns)
			due_ns = t->due_ns;
	}
	return due_ns;
}

struct task *
timeout_pop(struct timeout *to, int64_t now_ns)
{
	for (int i = 0; i < to->n; i++) {
		struct task *t = TAILQ_FIRST(&to->classes[i].fifo);

		if (t != NULL && t->due_ns <= now_ns) {
			timeout_remove(to, t);
			return t;
		}
	}
	return NULL;
}
