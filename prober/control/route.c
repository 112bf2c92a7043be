/*
 * route: the engine's output when clients drive it.  A record goes to the
 * client that asked for it, or into the output file of its feed; with
 * -O outcopy what clients get is written to the first output file as well.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xmalloc.h"
#include "prober/control/control.h"

static struct control *
control_of(struct output *o)
{
	return (void *)((char *)(void *)o - offsetof(struct control, output));
}

/* --- runs ------------------------------------------------------------------------ */

static int
free_handle(struct control *c)
{
	for (int i = 0; i < c->nruns; i++) {
		if (c->runs[i] == NULL)
			return i;
	}
	c->runs =
	    xreallocarray(c->runs, (size_t)c->nruns + 1, sizeof(*c->runs));
	return c->nruns++;
}

/* Where else, or only, the results of RUN go: NULL for nowhere. */
static struct output *
file_of(const struct control *c, const struct run *run)
{
	if (run->feed->outfile != NULL)
		return run->feed->outfile->o;
	return c->cfg->outcopy ? c->main->o : NULL;
}

/* RUN is recorded in O from now on. */
static void
begin_in(struct run *run, struct output *o)
{
	struct output_cycle oc = {
	    .list = run->list.user_id,
	    .cycle = run->cycle.user_id,
	    .name = run->list.name,
	    .descr = run->list.descr,
	    .start = run->cycle.start,
	};

	run->o = o;
	run->out = output_cycle_begin(o, &oc);
}

void
route_into(struct run *run, struct output *o)
{
	output_cycle_end(
	    run->o, run->out, (uint32_t)(clock_wall_ns() / NS_PER_SEC));
	begin_in(run, o);
}

void
route_open(struct control *c, struct run *run)
{
	struct output *o = file_of(c, run);

	run->handle = free_handle(c);
	c->runs[run->handle] = run;
	run->lc->out = run->handle;
	if (o != NULL)
		begin_in(run, o);
	if (run->feed->client != NULL)
		client_begin(run->feed->client, run);
}

static int
route_cycle_begin(struct output *o, const struct output_cycle *oc)
{
	(void)o;
	(void)oc;
	assert(0); /* route_open() does it */
	return 0;
}

static void
route_cycle_end(struct output *o, int handle, uint32_t stop)
{
	struct control *c = control_of(o);
	struct run *run = c->runs[handle];

	if (run->o != NULL)
		output_cycle_end(run->o, run->out, stop);
	if (run->feed->client != NULL)
		client_end(run->feed->client, run, stop);
	c->runs[handle] = NULL;
	round_run_over(run);
}

static int
route_record(struct output *o, int handle, struct technique_record *rec)
{
	struct control *c = control_of(o);
	struct run *run = c->runs[handle];
	struct job *j = jobs_find(run, rec->number);
	struct feed *f = run->feed;
	struct addr dst = j->dst;

	if (run->o != NULL && output_record(run->o, run->out, rec) == -1)
		return -1;
	if (f->client != NULL)
		client_result(f->client, run, rec);
	else if (f->file == NULL)
		f->lost++;
	jobs_end(j);
	jobs_unblock(c, &dst);
	if (!TAILQ_EMPTY(&c->again))
		c->e->admit.waiting = 1;
	if (run->lc->ended)
		control_kick(c);
	return 0;
}

static int
route_wants_partial(const struct output *o, int handle)
{
	const struct control *c = (const void *)((const char *)(const void *)o -
	    offsetof(struct control, output));
	const struct client *cl = c->runs[handle]->feed->client;

	return cl != NULL && client_wants_partial(cl);
}

static void
route_partial(struct output *o, int handle, struct technique_record *rec)
{
	struct run *run = control_of(o)->runs[handle];

	client_partial(run->feed->client, run, rec);
}

/* --- all of it ------------------------------------------------------------------ */

static int
route_tick(struct output *o, int64_t now_ns)
{
	struct control *c = control_of(o);
	struct outfile *of;
	int full = 0;

	TAILQ_FOREACH(of, &c->outfiles, link)
	full |= output_tick(of->o, now_ns);
	return full;
}

static int
route_rotate(struct output *o, int64_t now_ns)
{
	struct control *c = control_of(o);
	struct outfile *of;
	int rc = 0;

	TAILQ_FOREACH(of, &c->outfiles, link)
	rc |= output_rotate(of->o, now_ns);
	return rc;
}

/* The files; the clients go with the source. */
static int
route_close(struct output *o, int64_t now_ns, int hurry)
{
	struct control *c = control_of(o);
	uint32_t stop = (uint32_t)(clock_wall_ns() / NS_PER_SEC);
	struct outfile *of;
	int rc = 0;

	for (int i = 0; i < c->nruns; i++) {
		if (c->runs[i] != NULL && c->runs[i]->o != NULL)
			output_cycle_end(c->runs[i]->o, c->runs[i]->out, stop);
	}
	TAILQ_FOREACH(of, &c->outfiles, link)
	{
		rc |= output_close(of->o, now_ns, hurry);
		of->o = NULL;
	}
	return rc;
}

static const struct output_ops route_ops = {
    .cycle_begin = route_cycle_begin,
    .cycle_end = route_cycle_end,
    .record = route_record,
    .wants_partial = route_wants_partial,
    .partial = route_partial,
    .tick = route_tick,
    .rotate = route_rotate,
    .close = route_close,
};

void
route_init(struct control *c)
{
	c->output.ops = &route_ops;
	if (gethostname(c->output.hostname, sizeof(c->output.hostname) - 1) ==
	    -1)
		c->output.hostname[0] = '\0';
}
