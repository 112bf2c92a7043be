/*
 * round: feeds, and whose turn it is.
 *
 *	round_add ─► round_begin ─► jobs … ─► round_end ─► (records) ─► over
 *	                 ▲                        │
 *	                 └──── the next cycle ────┘
 *
 * A feed gives as many commands in its turn as its priority says; one of
 * priority 0 gives none.  One whose client does not read its results waits.
 */
#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"
#include "prober/control/control.h"

struct feed *
round_add(struct control *c, const struct feed_config *cfg)
{
	struct feed *f = xcalloc(1, sizeof(*f));
	const char *monitor = cfg->monitor != NULL ? cfg->monitor : c->monitor;

	f->control = c;
	f->name = xstrdup(cfg->name);
	f->descr = cfg->descr != NULL ? xstrdup(cfg->descr) : NULL;
	if (monitor != NULL)
		f->monitor = xstrdup(monitor);
	f->list_id = cfg->list_id;
	f->cycle_id = cfg->cycle_id;
	f->priority = f->left = cfg->priority;
	TAILQ_INIT(&f->queue);
	TAILQ_INSERT_TAIL(&c->feeds, f, link);
	return f;
}

static void
free_feed(struct feed *f)
{
	struct control *c = f->control;

	if (c->turn == f)
		c->turn = TAILQ_NEXT(f, link);
	TAILQ_REMOVE(&c->feeds, f, link);
	if (f->begun)
		sources_event(c, "source finish '%s'", f->name);
	files_free(f->file);
	if (f->outfile != NULL)
		outfile_unref(c, f->outfile);
	free(f->name);
	free(f->descr);
	free(f->monitor);
	free(f);
}

/* --- cycles --------------------------------------------------------------------- */

void
round_begin(struct feed *f)
{
	struct control *c = f->control;
	struct run *run = xcalloc(1, sizeof(*run));

	/* Each command brings its own measurement. */
	run->feed = f;
	run->lc =
	    listcycle_add(&c->e->admit.table, f->list_id, f->cycle_id, NULL);
	run->list.id = run->cycle.id = run->cycle.list = 1;
	run->list.user_id = f->list_id;
	run->list.name = f->name;
	run->list.descr = f->descr;
	run->list.monitor = f->monitor;
	run->cycle.user_id = f->cycle_id;
	run->cycle.start = (uint32_t)(clock_wall_ns() / NS_PER_SEC);
	run->cycle.hostname = c->output.hostname;
	f->run = run;
	f->begun = 1;
	f->nruns++;
	route_open(c, run);
	sources_event(c, "source cycle '%s' id %u", f->name, f->cycle_id);
}

void
round_end(struct feed *f)
{
	if (f->run == NULL)
		return;
	f->run->lc->ended = 1;
	f->run = NULL;
	control_kick(f->control);
}

void
round_close(struct feed *f)
{
	f->closed = 1;
	round_end(f);
	if (f->nruns == 0)
		free_feed(f);
}

void
round_run_over(struct run *run)
{
	struct feed *f = run->feed;

	jobs_table_clear(&run->jobs);
	free(run);
	if (--f->nruns == 0 && f->closed)
		free_feed(f);
}

struct feed *
round_find(const struct control *c, const char *name)
{
	struct feed *f;

	TAILQ_FOREACH(f, &c->feeds, link)
	{
		if (strcmp(f->name, name) == 0)
			return f;
	}
	return NULL;
}

/* --- turns -------------------------------------------------------------------------- */

static int
is_ready(struct feed *f)
{
	if (f->priority == 0)
		return 0;
	if (f->client != NULL && !client_takes(f->client))
		return 0;
	if (f->outfile != NULL && !sink_takes(f->outfile->o))
		return 0;
	if (f->file != NULL)
		files_refill(f);
	return !TAILQ_EMPTY(&f->queue);
}

static struct job *
take_from(struct feed *f)
{
	struct job *j = TAILQ_FIRST(&f->queue);

	TAILQ_REMOVE(&f->queue, j, link);
	if (f->client != NULL && TAILQ_EMPTY(&f->queue))
		client_more(f->client);
	return j;
}

struct job *
round_take(struct control *c)
{
	struct job *j = TAILQ_FIRST(&c->again);
	struct feed *f;

	if (j != NULL) {
		TAILQ_REMOVE(&c->again, j, link);
		return j;
	}
	/* Once around, and the first one again: its turn may be new. */
	TAILQ_FOREACH(f, &c->feeds, link)
	{
		if (c->turn == NULL)
			c->turn = TAILQ_FIRST(&c->feeds);
		if (c->turn->left > 0 && is_ready(c->turn)) {
			c->turn->left--;
			return take_from(c->turn);
		}
		c->turn->left = c->turn->priority;
		c->turn = TAILQ_NEXT(c->turn, link);
	}
	if (c->turn == NULL)
		c->turn = TAILQ_FIRST(&c->feeds);
	if (c->turn == NULL || !is_ready(c->turn))
		return NULL;
	c->turn->left = c->turn->priority - 1;
	return take_from(c->turn);
}

int
round_waiting(const struct control *c)
{
	struct feed *f, *next;
	int some = !TAILQ_EMPTY(&c->again);

	for (f = TAILQ_FIRST(&c->feeds); !some && f != NULL; f = next) {
		next = TAILQ_NEXT(f, link);
		some = is_ready(f);
	}
	return some;
}
