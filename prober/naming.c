/*
 * naming: tasks whose measurement is over and whose record waits for names
 * (contract: names.h, technique.h).
 *
 *	done ─► naming_holds() ─► waits ─┬─ the last name is there ─┬─► done
 *	          └─ none is missing     └─ NAMING_WAIT_NS ─────────┘
 *
 * A task waits for one name at a time, the first that is missing: when that is
 * there it looks for the next.  It has been here once when its due_ns says so.
 */
#include "prober/names.h"

#include <stdlib.h>

#include "common/xmalloc.h"
#include "prober/window.h"

#define NAMED_NS INT64_MIN /* due_ns of a task that waits no more */

struct naming {
	TAILQ_ENTRY(naming) link; /* in the order of due_ns */
	struct names_waiter waiter;
	struct task *task;
	int64_t due_ns;
};

/* --- what a technique asks for ------------------------------------------------- */

int
technique_name_wait(struct task *t, const struct addr *a)
{
	struct names *n = t->win->names;
	int64_t now_ns = t->win->now_ns;

	if (n == NULL)
		return 0;
	if (t->where == TASK_NAMING)
		return names_await(n, a, &t->naming->waiter, now_ns);
	if (t->where == TASK_DONE)
		return names_await(n, a, NULL, now_ns);
	return names_want(n, a, NULL, now_ns);
}

const char *
technique_name(const struct task *t, const struct addr *a)
{
	return t->win->names != NULL ? names_find(t->win->names, a) : NULL;
}

/* --- waiting ------------------------------------------------------------------- */

static struct naming *
naming_of(struct names_waiter *w)
{
	return (struct naming *)(void *)((uint8_t *)w -
	    offsetof(struct naming, waiter));
}

void
naming_end(struct task *t)
{
	struct naming *g = t->naming;

	names_forget(&g->waiter);
	TAILQ_REMOVE(&t->win->naming, g, link);
	free(g);
	t->where = TASK_IDLE;
	probe_done(t);
	t->due_ns = NAMED_NS;
}

/* One name more: is there another that is missing? */
static void
on_name(struct names_waiter *w)
{
	struct task *t = naming_of(w)->task;

	if (!t->m->tech->names(t))
		naming_end(t);
}

void
naming_init(struct window *w, struct names *n)
{
	TAILQ_INIT(&w->naming);
	w->names = n;
}

int
naming_holds(struct window *w, struct task *t)
{
	struct naming *g;

	if (t->due_ns == NAMED_NS || t->halted || !t->m->tech->names(t))
		return 0;
	g = xcalloc(1, sizeof(*g));
	g->task = t;
	g->due_ns = w->now_ns + NAMING_WAIT_NS;
	g->waiter.done = on_name;
	fifo_remove(&w->done, t->at);
	t->where = TASK_NAMING;
	t->naming = g;
	TAILQ_INSERT_TAIL(&w->naming, g, link);
	on_name(&g->waiter);
	return 1;
}

void
naming_end_all(struct window *w)
{
	struct naming *g;

	while ((g = TAILQ_FIRST(&w->naming)) != NULL)
		naming_end(g->task);
}

void
naming_run(struct window *w, uint32_t pps)
{
	struct naming *g;

	names_run(w->names, w->now_ns, pps);
	while ((g = TAILQ_FIRST(&w->naming)) != NULL && g->due_ns <= w->now_ns)
		naming_end(g->task);
}

int64_t
naming_due(const struct window *w)
{
	const struct naming *g = TAILQ_FIRST(&w->naming);
	int64_t due_ns = names_due(w->names);

	return g != NULL && g->due_ns < due_ns ? g->due_ns : due_ns;
}
