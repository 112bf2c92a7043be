/*
 * output_spool: records to the spool, segment by segment (common/segment.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/segment.h"
#include "common/xmalloc.h"
#include "prober/output.h"

_Static_assert(REFUSED_N <= SEGMENT_REASONS, "an account has room for all");

struct spool {
	struct output o;
	struct segment_writer *w;
	const char *dir;
	enum segment_state state;
};

static int
spool_cycle_begin(struct output *o, const struct output_cycle *c)
{
	struct segment_cycle sc = {
	    .list_id = c->list,
	    .name = c->name,
	    .descr = c->descr,
	    .cycle_id = c->cycle,
	    .start = c->start,
	    .hostname = *o->hostname != '\0' ? o->hostname : NULL,
	    .resumed = c->resumed,
	};

	return segment_cycle_begin(((struct spool *)o)->w, &sc);
}

static void
spool_cycle_end(struct output *o, int handle, uint32_t stop)
{
	segment_cycle_end(((struct spool *)o)->w, handle, stop);
}

static int
spool_record(struct output *o, int handle, struct technique_record *rec)
{
	return segment_trace(((struct spool *)o)->w, handle, &rec->trace);
}

/* Say it when the disk's state changes, once. */
static void
note_state(struct spool *s, enum segment_state state)
{
	if (state == s->state)
		return;
	if (state == SEGMENT_FULL)
		log_warn(
		    "%s: %s: waiting for room", s->dir, segment_reason(s->w));
	else if (state == SEGMENT_SUSPECT)
		log_warn("%s: %s: going on in a new segment", s->dir,
		    segment_reason(s->w));
	else if (s->state == SEGMENT_FULL)
		log_warn("%s: has room again", s->dir);
	s->state = state;
}

static int
spool_tick(struct output *o, int64_t now_ns)
{
	struct spool *s = (struct spool *)o;

	note_state(s, segment_tick(s->w, now_ns));
	return s->state == SEGMENT_FULL;
}

static int
spool_rotate(struct output *o, int64_t now_ns)
{
	return segment_rotate(((struct spool *)o)->w, now_ns);
}

static void
spool_account(struct output *o, const struct listcycle *lc)
{
	struct segment_account a = {
	    .list = lc->list,
	    .cycle = lc->cycle,
	    .accepted = lc->accepted,
	    .recorded = lc->recorded,
	    .held = lc->held,
	    .queued = lc->queued,
	    .active = lc->active,
	};

	for (int i = 0; i < REFUSED_N; i++)
		a.refused[i] = lc->refused[i];
	segment_account(((struct spool *)o)->w, &a);
}

static int
spool_close(struct output *o, int64_t now_ns, int hurry)
{
	struct spool *s = (struct spool *)o;
	int rc = segment_close(s->w, now_ns);

	(void)hurry;
	free(s);
	return rc;
}

static const struct output_ops spool_ops = {
    .cycle_begin = spool_cycle_begin,
    .cycle_end = spool_cycle_end,
    .record = spool_record,
    .tick = spool_tick,
    .rotate = spool_rotate,
    .account = spool_account,
    .close = spool_close,
};

struct output *
output_spool_open(const struct output_config *cfg, int64_t now_ns)
{
	struct segment_config sc = {.dir = cfg->spool, .monitor = cfg->monitor};
	const char *why = NULL;
	struct segment_writer *w = segment_open(&sc, now_ns, &why);
	struct spool *s;

	if (w == NULL && errno == EWOULDBLOCK)
		log_fatal(EXIT_TEMPORARY, "%s: another prober has this spool",
		    cfg->spool);
	if (w == NULL)
		log_fatal(EXIT_TEMPORARY, "--spool %s: %s: %s", cfg->spool, why,
		    strerror(errno));
	s = xcalloc(1, sizeof(*s));
	s->o.ops = &spool_ops;
	s->dir = cfg->spool;
	s->w = w;
	return &s->o;
}
