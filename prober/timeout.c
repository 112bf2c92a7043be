/*
 * timeout: deadlines without a heap.  All waits of one duration make a class;
 * a class is a FIFO that stays sorted by itself, since time only goes forward.
 * Adding, removing and "has any expired?" cost a few nanoseconds whatever the
 * number of tasks, and touch no task but the one meant and the first of each
 * class.
 *
 * Waits in use are few: the reply timeouts (1..10 s) and the pauses between
 * probes of running measurements.  When there are more durations than classes,
 * a wait goes to the next longer class: late by little, never early.
 */
#include <assert.h>

#include "prober/prober.h"

#define AHEAD 24 /* a task is fetched so many places before its turn */

void
timeout_init(struct timeout *to, const struct pool *tasks)
{
	to->tasks = tasks;
	to->n = 0;
}

void
timeout_clear(struct timeout *to)
{
	while (to->n > 0)
		fifo_clear(&to->classes[--to->n].fifo);
}

/* The class of WAIT; -1 if none. */
static int
class_of(const struct timeout *to, int64_t wait_ns)
{
	for (int i = 0; i < to->n; i++) {
		if (to->classes[i].ns == wait_ns)
			return i;
	}
	return -1;
}

/* The shortest class that is longer than WAIT; -1 if none. */
static int
class_above(const struct timeout *to, int64_t wait_ns)
{
	int best = -1;

	for (int i = 0; i < to->n; i++) {
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
		if (to->classes[i].fifo.count == 0)
			return i;
	}
	return -1;
}

/* There is no class of WAIT yet: make one, or take another. */
static int
class_make(struct timeout *to, int64_t wait_ns)
{
	int i;

	if (to->n < TIMEOUT_CLASSES) {
		i = to->n++;
		fifo_init(&to->classes[i].fifo);
		to->classes[i].last_ns = INT64_MIN;
	} else if ((i = reusable(to)) != -1) {
		to->classes[i].last_ns = INT64_MIN;
	} else if ((i = class_above(to, wait_ns)) != -1) {
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
	int i = class_of(to, wait_ns);

	if (i == -1)
		i = class_make(to, wait_ns);
	t->due_ns = now_ns + to->classes[i].ns;
	assert(t->due_ns >= to->classes[i].last_ns);
	to->classes[i].last_ns = t->due_ns;
	t->timeout = i & (TIMEOUT_CLASSES - 1);
	t->at = fifo_push(&to->classes[i].fifo, t->id);
}

void
timeout_remove(struct timeout *to, struct task *t)
{
	fifo_remove(&to->classes[t->timeout].fifo, t->at);
}

int64_t
timeout_ns(const struct timeout *to, const struct task *t)
{
	return to->classes[t->timeout].ns;
}

/* The first of class I; NULL when it is empty. */
static inline struct task *
first_of(const struct timeout *to, int i)
{
	uint32_t id = fifo_first(&to->classes[i].fifo);

	return id != 0 ? pool_at(to->tasks, id) : NULL;
}

int64_t
timeout_due(const struct timeout *to)
{
	int64_t due_ns = INT64_MAX;

	for (int i = 0; i < to->n; i++) {
		const struct task *t = first_of(to, i);

		if (t != NULL && t->due_ns < due_ns)
			due_ns = t->due_ns;
	}
	return due_ns;
}

/* The first of class I is taken out; those behind it will be wanted next: as many
 * more places come near as the head has moved, most of them holes. */
static void
take_first(const struct timeout *to, struct fifo *f)
{
	uint32_t from = f->head, moved, id;

	fifo_step(f);
	moved = f->head - from;
	for (uint32_t n = 1; n <= moved && n <= AHEAD; n++) {
		id = fifo_peek(f, AHEAD - n);
		if (id != 0)
			window_prefetch_task(pool_at(to->tasks, id));
	}
}

struct task *
timeout_pop(struct timeout *to, int64_t now_ns)
{
	for (int i = 0; i < to->n; i++) {
		struct task *t = first_of(to, i);

		if (t != NULL && t->due_ns <= now_ns) {
			take_first(to, &to->classes[i].fifo);
			return t;
		}
	}
	return NULL;
}
