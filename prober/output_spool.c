/*
 * output_spool: records to the spool, segment by segment (common/segment.h),
 * and its checkpoint (checkpoint.h).  What waits for the disk is done by one
 * thread beside the loop (common/syncer.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/segment.h"
#include "common/syncer.h"
#include "common/xmalloc.h"
#include "prober/checkpoint.h"
#include "prober/output.h"

_Static_assert(REFUSED_N <= SEGMENT_REASONS, "an account has room for all");

struct spool {
	struct output o;
	struct segment_writer *w;
	struct syncer *syncer;
	const char *dir;
	enum segment_state state;
	struct checkpoint *cp; /* NULL: none */
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
	struct spool *s = (struct spool *)o;

	if (s->cp != NULL)
		segment_answers(s->w, rec->number);
	return segment_result(s->w, handle, rec->type, &rec->trace);
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

	/* The log first: a record should not be durable before its command. */
	if (s->cp != NULL)
		checkpoint_tick(s->cp, now_ns);
	note_state(s, segment_tick(s->w, now_ns));
	return s->state == SEGMENT_FULL;
}

static int
spool_poll(struct output *o, int64_t now_ns)
{
	struct spool *s = (struct spool *)o;
	int what = 0;

	if (segment_poll(s->w, now_ns))
		what = OUTPUT_MOVED;
	if (s->cp != NULL && checkpoint_poll(s->cp))
		what = OUTPUT_MOVED;
	if (what == OUTPUT_MOVED && segment_is_full(s->w))
		what |= OUTPUT_FULL;
	if (segment_is_busy(s->w) ||
	    (s->cp != NULL && checkpoint_is_busy(s->cp)))
		what |= OUTPUT_BUSY;
	return what;
}

static int
spool_settle(struct output *o, int64_t now_ns)
{
	struct spool *s = (struct spool *)o;

	segment_settle(s->w, now_ns);
	return segment_is_full(s->w) ? -1 : 0;
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
	int rc;

	(void)hurry;
	/* If there is no room for the rest, the log at least. */
	if (s->cp != NULL)
		checkpoint_flush(s->cp);
	if (segment_sync(s->w, now_ns) == 0 && s->cp != NULL)
		checkpoint_snapshot(s->cp);
	rc = segment_close(s->w, now_ns);
	checkpoint_close(s->cp);
	syncer_free(s->syncer);
	free(s);
	return rc;
}

static void
spool_sealed(void *arg)
{
	struct spool *s = arg;

	if (s->cp != NULL)
		checkpoint_want(s->cp);
}

static void
spool_resume(struct output *o, struct admit *a)
{
	struct spool *s = (struct spool *)o;

	s->cp = checkpoint_open(s->dir, s->w, a, o);
	s->cp->file.job.by = s->syncer;
}

static const struct output_ops spool_ops = {
    .cycle_begin = spool_cycle_begin,
    .cycle_end = spool_cycle_end,
    .record = spool_record,
    .tick = spool_tick,
    .poll = spool_poll,
    .settle = spool_settle,
    .rotate = spool_rotate,
    .account = spool_account,
    .resume = spool_resume,
    .close = spool_close,
};

struct output *
output_spool_open(const struct output_config *cfg, int64_t now_ns)
{
	struct spool *s = xcalloc(1, sizeof(*s));
	struct segment_config sc = {.dir = cfg->spool,
	    .monitor = cfg->monitor,
	    .quota_bytes = cfg->quota_bytes,
	    .sealed = spool_sealed,
	    .arg = s,
	    .syncer = syncer_new()};
	const char *why = NULL;
	int err;

	s->o.ops = &spool_ops;
	s->dir = cfg->spool;
	s->syncer = sc.syncer;
	s->w = segment_open(&sc, now_ns, &why);
	if (s->w != NULL)
		return &s->o;
	err = errno;
	syncer_free(s->syncer);
	free(s);
	if (err == EWOULDBLOCK)
		log_fatal(EXIT_TEMPORARY, "%s: another prober has this spool",
		    cfg->spool);
	log_fatal(EXIT_TEMPORARY, "--spool %s: %s: %s", cfg->spool, why,
	    strerror(err));
}
