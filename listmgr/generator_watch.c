/*
 * generator_watch: what only time tells of a generator.
 *
 *	closed	its output, all of it is taken, and it lives on	  10 s
 *	quiet	a cycle is open, all of it is accepted, its pipe
 *		is empty, and no good line comes		  quiet=
 *	crowded	it has the processes that it may have, which is
 *		when its fork(2) fails				  crowded=
 *
 * Such a one is stopped with all its processes and started again: at once when
 * it had closed its output, else when a hold is over (conduct.c).  One that says
 * too much on its standard error is held by its pipe; that is told only.
 *
 * Not judged is silence between cycles, which may be what was asked for, and that
 * of one that we do not read: then nobody knows what it would say.
 */
#include "common/log.h"
#include "listmgr/generator.h"

/* Of ten processes that it may have so many are all, because what forks without
 * end also dies now and then. */
#define CROWDED_OF_TEN 9

/* Stop it, and do not start it before a hold is over. */
static void
stop_and_hold(struct generator *g)
{
	int64_t hold_ns = conduct_hold(&g->conduct, g->host->now_ns);

	log_warn("%s: %s: stopped, and held for %lld s", g->who, g->trouble,
	    (long long)(hold_ns / NS_PER_SEC));
	g->stopped_ns = g->host->now_ns;
	g->quiet = g->crowded = 0;
	generator_halt(g);
}

/* An open end of a line is no line, and neither is what was refused. */
static int
is_quiet(struct generator *g)
{
	int64_t since_ns = g->valid_ns;

	if (since_ns < g->started_ns)
		since_ns = g->started_ns;
	return g->open && g->fd_in != -1 && !g->dead && g->dry &&
	    generator_is_taken(g) && g->host->now_ns - since_ns >= NS_PER_SEC &&
	    generator_wait(g) == 0;
}

static int
is_crowded(const struct generator *g, int64_t count)
{
	return g->jail.uid != 0 && g->jail.processes != 0 && count >= 0 &&
	    10 * count >= (int64_t)CROWDED_OF_TEN * g->jail.processes;
}

/* Its output is closed, all of it is taken, and it lives on: it would keep us
 * for ever.  Ended, it is started again. */
void
generator_look(struct generator *g)
{
	if (g->state != GENERATOR_RUNNING || g->closed_ns == 0 || g->dead ||
	    !generator_is_taken(g))
		return;
	if (g->host->now_ns - g->closed_ns < GENERATOR_LINGER_NS)
		return;
	log_warn("%s: has closed its output and does not end: stopped", g->who);
	generator_note_death(g, "has closed its output and does not end");
	generator_halt(g);
}

void
generator_watch(struct generator *g, int64_t count)
{
	if (g->voice != NULL && voice_is_loud(g->voice) && !g->loud) {
		generator_trouble(
		    g, "says more on its standard error than is logged");
		g->loud = 1;
	}
	if (g->state != GENERATOR_RUNNING)
		return;
	if (conduct_looks(&g->quiet, is_quiet(g), g->quiet_s)) {
		generator_trouble(
		    g, "hangs: nothing for %u s in an open cycle", g->quiet_s);
		stop_and_hold(g);
	} else if (conduct_looks(
		       &g->crowded, is_crowded(g, count), g->crowded_s)) {
		generator_trouble(g, "has had %lld of %u processes for %u s",
		    (long long)count, g->jail.processes, g->crowded_s);
		stop_and_hold(g);
	}
}
