/*
 * roster: all generators, and their merge.  Takes a schedule as it is to be from
 * now on, and changes only what it says otherwise.
 *
 *	the same list, run in the same way	goes on, with the new weight
 *	run in another way			halted; the new one is started
 *						when the old one is gone, maybe
 *						with the same state file
 *	not there any more			halted
 */
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xmalloc.h"
#include "listmgr/roster.h"

#define COUNT_EACH 5 /* seconds, while nobody is crowded */

void
roster_init(struct roster *r, struct event_base *base)
{
	memset(r, 0, sizeof(*r));
	r->host.base = base;
	r->host.now_ns = clock_mono_ns();
	merge_init(&r->merge, generator_next);
}

static void
add(struct roster *r, const struct work *w)
{
	struct generator *g = generator_new(&r->host, w);

	r->list = xreallocarray(r->list, r->n + 1, sizeof(*r->list));
	r->list[r->n++] = g;
	merge_add(&r->merge, g, w->weight);
}

static void
forget(struct roster *r, size_t i)
{
	generator_report(r->list[i]);
	generator_free(r->list[i]);
	memmove(&r->list[i], &r->list[i + 1],
	    (r->n - i - 1) * sizeof(struct generator *));
	r->n--;
}

void
roster_clear(struct roster *r)
{
	while (r->n > 0)
		forget(r, r->n - 1);
	free(r->list);
	merge_clear(&r->merge);
}

struct generator *
roster_find(const struct roster *r, uint32_t number)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->list[i]->number == number && !r->list[i]->removed)
			return r->list[i];
	}
	return NULL;
}

/* Its predecessor of the same number still runs, maybe with the same state
 * file: it goes first. */
static int
has_predecessor(const struct roster *r, const struct generator *g)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->list[i] != g && r->list[i]->number == g->number)
			return 1;
	}
	return 0;
}

void
roster_halt(struct roster *r)
{
	for (size_t i = 0; i < r->n; i++)
		generator_halt(r->list[i]);
}

/* A new generator, or a weight. */
static void
apply_one(struct roster *r, const struct work *w)
{
	struct generator *g = roster_find(r, w->list->number);

	if (g == NULL) {
		add(r, w);
		return;
	}
	merge_set_weight(&r->merge, g, w->weight);
	generator_limit(g, w);
	log_info("%s: weight %u", g->who, w->weight);
}

static const struct work *
work_of(const struct work *work, size_t n, uint32_t number)
{
	for (size_t i = 0; i < n; i++) {
		if (work[i].list->number == number)
			return &work[i];
	}
	return NULL;
}

void
roster_apply(struct roster *r, const struct work *work, size_t n)
{
	const struct work *w;
	struct generator *g;

	for (size_t i = 0; i < r->n; i++) {
		g = r->list[i];
		w = work_of(work, n, g->number);
		if (g->removed || (w != NULL && generator_same(g, w)))
			continue;
		log_info("%s: %s", g->who,
		    w == NULL ? "no longer in the schedule"
			      : "is run in another way");
		g->removed = 1;
		merge_remove(&r->merge, g);
		generator_halt(g);
	}
	for (size_t i = 0; i < n; i++)
		apply_one(r, &work[i]);
}

void
roster_run(struct roster *r, const struct schedule *s)
{
	struct work *work = xcalloc(s->nlists + 1, sizeof(*work));

	strcpy(r->host.monitor, s->monitor);
	for (size_t i = 0; i < s->nlists; i++) {
		work[i].list = &s->lists[i];
		work[i].weight = s->lists[i].weight;
		work[i].schedule = s;
	}
	roster_apply(r, work, s->nlists);
	free(work);
}

void
roster_tend(struct roster *r, int start)
{
	struct generator *g;

	for (size_t i = r->n; i-- > 0;) {
		g = r->list[i];
		generator_look(g);
		if (g->state != GENERATOR_IDLE && !g->removed)
			continue;
		if (g->removed && g->child == NULL)
			forget(r, i);
		else if (!g->removed && start && !has_predecessor(r, g) &&
		    !conduct_is_held(&g->conduct, r->host.now_ns))
			generator_start(g);
	}
}

/* Somebody was crowded at the last look, or it is time to look again. */
static int
is_to_count(struct roster *r)
{
	if (r->host.first_uid == 0)
		return 0;
	for (size_t i = 0; i < r->n; i++) {
		if (r->list[i]->crowded > 0)
			return 1;
	}
	return ++r->looks % COUNT_EACH == 0;
}

void
roster_watch(struct roster *r, int64_t now_ns)
{
	static uint32_t counts[SCHEDULE_LISTS_MAX];
	uid_t first = r->host.first_uid;
	int known = 0;
	struct generator *g;

	r->host.now_ns = now_ns;
	if (is_to_count(r)) {
		memset(counts, 0, sizeof(counts));
		known = crowd_count(first, counts, SCHEDULE_LISTS_MAX) == 0;
	}
	for (size_t i = 0; i < r->n; i++) {
		g = r->list[i];
		if (known && g->jail.uid != 0)
			generator_watch(
			    g, (int64_t)counts[g->jail.uid - first]);
		else
			generator_watch(g, -1);
	}
}

size_t
roster_count(const struct roster *r, enum generator_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->list[i]->state == state;
	return n;
}
