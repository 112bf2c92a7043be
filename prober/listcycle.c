/*
 * listcycle: the List-Cycle Table.  A handful of rows: a search from the newest
 * on is all the index it needs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/xmalloc.h"
#include "prober/prober.h"

struct listcycle *
listcycle_find(const struct listcycle_table *t, uint32_t list, uint32_t cycle)
{
	struct listcycle *lc;

	TAILQ_FOREACH(lc, t, link)
	{
		if (lc->list == list && lc->cycle == cycle)
			return lc;
	}
	return NULL;
}

struct listcycle *
listcycle_add(struct listcycle_table *t, uint32_t list, uint32_t cycle,
    struct measurement *m)
{
	struct listcycle *lc = xcalloc(1, sizeof(*lc));

	lc->list = list;
	lc->cycle = cycle;
	lc->m = m;
	lc->position = 1;
	TAILQ_INSERT_HEAD(t, lc, link);
	return lc;
}

int
listcycle_is_over(const struct listcycle *lc)
{
	return lc->ended && lc->queued + lc->held + lc->active == 0;
}

void
listcycle_remove(struct listcycle_table *t, struct listcycle *lc)
{
	TAILQ_REMOVE(t, lc, link);
	technique_unref(lc->m);
	free(lc->name);
	free(lc->descr);
	free(lc->ahead);
	free(lc);
}

void
listcycle_define(
    struct listcycle *lc, const char *name, const char *descr, uint32_t start)
{
	lc->name = xstrdup(name);
	lc->descr = descr != NULL ? xstrdup(descr) : NULL;
	lc->start = start;
}

int
listcycle_is_ahead(const struct listcycle *lc, uint64_t n)
{
	for (size_t i = 0; i < lc->nahead; i++) {
		if (lc->ahead[i] == n)
			return 1;
	}
	return 0;
}

void
listcycle_add_ahead(struct listcycle *lc, uint64_t n)
{
	lc->ahead =
	    xreallocarray(lc->ahead, lc->nahead + 1, sizeof(*lc->ahead));
	lc->ahead[lc->nahead++] = n;
}

/* --- history -------------------------------------------------------------- */

struct listcycle_past *
listcycle_past_find(
    const struct listcycle_history *h, uint32_t list, uint32_t cycle)
{
	for (size_t i = 0; i < h->n; i++) {
		if (h->rows[i].list == list && h->rows[i].cycle == cycle)
			return &h->rows[i];
	}
	return NULL;
}

struct listcycle_past *
listcycle_past_add(struct listcycle_history *h, uint32_t list, uint32_t cycle)
{
	struct listcycle_past *p = listcycle_past_find(h, list, cycle);

	if (p == NULL) {
		h->rows = xreallocarray(h->rows, h->n + 1, sizeof(*h->rows));
		p = &h->rows[h->n++];
	}
	*p = (struct listcycle_past){.list = list, .cycle = cycle};
	return p;
}

/* Is there a later cycle of its list, and nobody waits for the ack of P? */
static int
is_needless(const struct listcycle_history *h, const struct listcycle_past *p)
{
	if (p->owner != NULL && !p->acked)
		return 0;
	for (size_t i = 0; i < h->n; i++) {
		if (h->rows[i].list == p->list && h->rows[i].cycle > p->cycle)
			return 1;
	}
	return 0;
}

/* Take away what is needless, of LIST; of several the order does not matter, the
 * latest stays. */
static void
forget(struct listcycle_history *h, uint32_t list)
{
	size_t i = 0;

	while (i < h->n) {
		if (h->rows[i].list == list && is_needless(h, &h->rows[i]))
			h->rows[i] = h->rows[--h->n];
		else
			i++;
	}
}

void
listcycle_to_history(struct listcycle_history *h, const struct listcycle *lc)
{
	struct listcycle_past *p;

	forget(h, lc->list);
	p = listcycle_past_add(h, lc->list, lc->cycle);
	p->high = lc->high;
	p->position = lc->position;
	p->logged = lc->logged_end && lc->logged == lc->high;
	p->durable = lc->durable_end && lc->durable == lc->high;
	p->acked = lc->acked_end;
	p->owner = lc->owner;
}

void
listcycle_history_clear(struct listcycle_history *h)
{
	free(h->rows);
	h->rows = NULL;
	h->n = 0;
}

void
listcycle_logged(struct listcycle_table *t, struct listcycle_history *h)
{
	struct listcycle *lc;

	TAILQ_FOREACH(lc, t, link)
	{
		lc->logged = lc->high;
		lc->logged_end = lc->ended;
	}
	for (size_t i = 0; i < h->n; i++)
		h->rows[i].logged = 1;
}

void
listcycle_durable(struct listcycle_table *t, struct listcycle_history *h)
{
	struct listcycle *lc;

	TAILQ_FOREACH(lc, t, link)
	{
		lc->durable = lc->logged;
		lc->durable_end = lc->logged_end;
	}
	for (size_t i = 0; i < h->n; i++)
		h->rows[i].durable = h->rows[i].logged;
}

uint64_t
listcycle_refused(const struct listcycle *lc)
{
	uint64_t n = 0;

	for (int i = 0; i < REFUSED_N; i++)
		n += lc->refused[i];
	return n;
}

const char *
listcycle_books(const struct listcycle *lc, char *buf, size_t size)
{
	int n = snprintf(buf, size, "accepted=%ju recorded=%ju refused=%ju",
	    (uintmax_t)lc->accepted, (uintmax_t)lc->recorded,
	    (uintmax_t)listcycle_refused(lc));

	for (int i = 0; i < REFUSED_N && n > 0 && (size_t)n < size; i++) {
		if (lc->refused[i] != 0)
			n += snprintf(buf + n, size - (size_t)n, " (%s=%ju)",
			    refusal_name((unsigned int)i),
			    (uintmax_t)lc->refused[i]);
	}
	if (n > 0 && (size_t)n < size)
		snprintf(buf + n, size - (size_t)n,
		    " held=%ju queued=%ju active=%ju", (uintmax_t)lc->held,
		    (uintmax_t)lc->queued, (uintmax_t)lc->active);
	return buf;
}
