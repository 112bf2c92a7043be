/*
 * checkpoint_restore: a process continues what the one before it left.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xmalloc.h"
#include "prober/checkpoint.h"
#include "prober/output.h"

static void
refuse_to_start(const char *spool, const char *why, int err)
{
	log_fatal(EXIT_TEMPORARY, "%s/state/%s: %s: %s", spool, CHECKPOINT_FILE,
	    why, strerror(err));
}

static struct listcycle *
restore_row(struct admit *a, struct output *o, const struct checkpoint_row *row)
{
	struct output_cycle oc = {
	    .list = row->list,
	    .cycle = row->cycle,
	    .name = row->name,
	    .descr = row->descr,
	    .start = row->start,
	    .resumed = row->started,
	};
	struct listcycle *lc;
	char why[256];
	struct measurement *m =
	    technique_parse_old(row->probe, NULL, why, sizeof(why));

	if (m == NULL)
		log_fatal(EXIT_PERMANENT, "list %u cycle %u: probe %s: %s",
		    row->list, row->cycle, row->probe, why);
	lc = listcycle_add(&a->table, row->list, row->cycle, m);
	listcycle_define(lc, row->name, row->descr, row->start);
	lc->high = row->high;
	lc->accepted = row->accepted;
	lc->recorded = row->recorded;
	memcpy(lc->refused, row->refused, sizeof(lc->refused));
	lc->ended = row->ended;
	for (size_t i = 0; i < row->nahead; i++)
		listcycle_add_ahead(lc, row->ahead[i]);
	lc->out = output_cycle_begin(o, &oc);
	return lc;
}

static void
restore_commands(struct admit *a, const struct checkpoint_state *s,
    struct listcycle *const *lcs)
{
	for (size_t i = 0; i < s->npending; i++) {
		const struct checkpoint_pending *p = &s->pending[i];
		struct command c = {
		    .dst = p->addr, .lc = lcs[p->row], .number = p->number};

		if (p->finished || c.lc == NULL)
			continue;
		c.m = c.lc->m;
		c.m->refs++;
		c.lc->queued++;
		cmdqueue_restore(&a->queue, &c);
	}
}

static void
restore(struct admit *a, struct output *o, const struct checkpoint_state *s)
{
	struct listcycle **lcs = xcalloc(s->nrows + 1, sizeof(*lcs));
	const struct checkpoint_row *row;

	for (size_t i = 0; i < s->npast; i++)
		listcycle_past_add(
		    &a->history, s->past[i].list, s->past[i].cycle)
		    ->high = s->past[i].high;
	for (size_t i = 0; i < s->nrows; i++) {
		row = &s->rows[i];
		if (row->over)
			listcycle_past_add(&a->history, row->list, row->cycle)
			    ->high = row->high;
		else
			lcs[i] = restore_row(a, o, row);
	}
	restore_commands(a, s, lcs);
	free(lcs);
}

static void
tell(const struct admit *a, const struct checkpoint_state *s)
{
	const struct listcycle *lc;
	char books[256];

	if (s->torn > 0)
		log_info("state/%s: %zu bytes of a last frame were not "
			 "finished",
		    CHECKPOINT_FILE, s->torn);
	if (s->missing != 0)
		log_warn("segment %" PRIu64 " is gone: what is in it may be "
			 "probed again",
		    s->missing);
	TAILQ_FOREACH(lc, &a->table, link)
	{
		log_info("list %u cycle %u goes on: %s", lc->list, lc->cycle,
		    listcycle_books(lc, books, sizeof(books)));
	}
}

struct checkpoint *
checkpoint_open(const char *spool, struct segment_writer *w, struct admit *a,
    struct output *o)
{
	struct checkpoint *cp = xcalloc(1, sizeof(*cp));
	struct checkpoint_state s;
	const char *why;
	int rc;

	if (checkpoint_init(cp, spool, &why) == -1)
		refuse_to_start(spool, why, errno);
	rc = checkpoint_read(&cp->dir, &s, &why);
	if (rc == -1)
		refuse_to_start(spool, why, errno);
	cp->w = w;
	cp->admit = a;
	if (rc == 1) {
		restore(a, o, &s);
		tell(a, &s);
		checkpoint_state_clear(&s);
	}
	a->checkpoint = cp;
	/* From here on in this process' own numbers. */
	checkpoint_snapshot(cp);
	return cp;
}

void
checkpoint_close(struct checkpoint *cp)
{
	if (cp == NULL)
		return;
	cp->admit->checkpoint = NULL;
	checkpoint_clear(cp);
	free(cp);
}
