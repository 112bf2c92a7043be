/*
 * finish: ends of a measurement that its technique does not come to: a client
 * halts it, or it cannot be begun.  A client that asked for a measurement gets
 * a record in every case, and as scamper's has it: halted, or with the error.
 *
 * A technique knows the end "your probe cannot be sent"; that is used for both,
 * so none has to know of clients.
 */
#include "prober/names.h"
#include "prober/prober.h"

void
finish_halted(struct task *t)
{
	if (t->where == TASK_DONE)
		return;
	if (t->where == TASK_NAMING) {
		naming_end(t);
		return;
	}
	t->m->tech->failed(t, 0);
	t->halted = 1;
}

void
finish_unstarted(struct engine *e, const struct command *c, int err)
{
	/* Of one without a route nobody asks for more than the addresses. */
	static struct link_path nowhere;
	const char *why;
	struct link_path *path = link_lookup(e->link, &c->dst, &why);
	struct task *t;

	c->lc->active++;
	t = window_add(&e->window, c, path != NULL ? path : &nowhere);
	if (err == 0) {
		finish_halted(t);
		return;
	}
	t->m->tech->start(t, clock_wall_ns());
	t->m->tech->failed(t, err);
}

void
finish_mark(struct technique_record *rec, enum warts_trace_stop trace,
    enum warts_ping_stop ping)
{
	switch (rec->type) {
	case WARTS_TRACE:
		rec->trace.stop_reason = trace;
		rec->trace.stop_data = 0;
		break;
	case WARTS_PING:
		rec->ping.stop_reason = ping;
		rec->ping.stop_data = 0;
		break;
	}
}
