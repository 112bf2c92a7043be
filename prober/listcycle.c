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
	free(lc);
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
