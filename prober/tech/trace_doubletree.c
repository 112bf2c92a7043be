/*
 * trace_doubletree: begin in the middle of the path (Donnet et al., SIGMETRICS
 * 2005; prober-reference §4.1).
 *
 *	FIRST	a ttl that a router answers: too far or silent, then half of it
 *	TRACE	forward from there; a router in the global set ends it
 *	BACK	from there to us; a router in the local set ends it
 *
 * Routers met on the way back are added to the local set.  Without a name there
 * is no local set, and the first router on the way back ends it.
 */
#include "prober/tech/stopset.h"
#include "prober/tech/trace_rare.h"

void
trace_dtree_start(struct task *t, struct trace *tr)
{
	const struct trace_conf *c = task_conf(t);

	tr->more->phase = PHASE_FIRST;
	if (c->lss_name != NULL)
		tr->more->lss = stopset_named(c->lss_name);
}

int
trace_dtree_too_far(
    const struct task *t, const struct trace *tr, const struct reply *r)
{
	int data;

	return tr->ttl > 1 &&
	    (trace_stop_of(t, r, &data) != WARTS_STOP_NONE ||
		addr_equal(&r->from, task_dst(t)));
}

void
trace_dtree_nearer(struct task *t, struct trace *tr, int64_t now_ns)
{
	struct trace_more *m = tr->more;

	if (tr->ttl == 1) {
		m->phase = PHASE_TRACE; /* nothing is nearer */
		trace_next_ttl(t, tr, now_ns);
		return;
	}
	tr->ttl /= 2;
	tr->attempt = 0;
	m->first_ttl = tr->ttl;
	m->first_probe = tr->nprobes;
	trace_next_probe(t, tr, now_ns);
}

/* --- the way back --------------------------------------------------------------- */

/* On from the ttl at hand, which has had its probes. */
void
trace_dtree_step(struct task *t, struct trace *tr, int64_t now_ns)
{
	struct trace_more *m = tr->more;

	if (m->lss_stop.family != ADDR_NONE || tr->ttl == 1) {
		tr->ttl = m->hop_count;
		probe_done(t);
		return;
	}
	tr->ttl--;
	tr->attempt = 0;
	m->first_ttl = tr->ttl;
	m->back_heard = 0;
	trace_next_probe(t, tr, now_ns);
}

int
trace_dtree_back(struct task *t, struct trace *tr, int64_t now_ns)
{
	const struct trace_conf *c = task_conf(t);
	struct trace_more *m = tr->more;

	if (c->noback || m->first_ttl == 1)
		return 0;
	m->phase = PHASE_BACK;
	m->hop_count = tr->ttl;
	tr->ttl = m->first_ttl;
	trace_dtree_step(t, tr, now_ns);
	return 1;
}

static void
back_reply(struct task *t, struct trace *tr, const struct reply *r)
{
	const struct trace_conf *c = task_conf(t);
	struct trace_more *m = tr->more;

	/* At ttl 1 the way back is over whatever is in the set. */
	if (!m->back_heard) {
		if (m->lss != NULL && !stopset_has(m->lss, &r->from))
			stopset_add(m->lss, &r->from);
		else if (tr->ttl > 1)
			m->lss_stop = r->from;
	}
	m->back_heard = 1;
	if (c->all && tr->attempt + 1u < trace_attempts(t, tr)) {
		tr->attempt++;
		trace_next_probe(t, tr, r->rx_ns);
	} else {
		trace_dtree_step(t, tr, r->rx_ns);
	}
}

/* --- the way forward ------------------------------------------------------------- */

int
trace_dtree_reply(struct task *t, struct trace *tr, const struct reply *r)
{
	const struct trace_conf *c = task_conf(t);
	struct trace_more *m = tr->more;
	int data, first = m->phase == PHASE_FIRST;

	if (m->phase == PHASE_BACK) {
		back_reply(t, tr, r);
		return 1;
	}
	m->phase = PHASE_TRACE;
	if (trace_stop_of(t, r, &data) != WARTS_STOP_NONE)
		return 0;
	if (c->gss != NULL && stopset_has(c->gss, &r->from)) {
		m->gss_stop = r->from;
		tr->stop_reason = WARTS_STOP_GSS;
		return 0;
	}
	if (!first)
		return 0;
	/* One answer is enough to know that it is a router. */
	trace_next_ttl(t, tr, r->rx_ns);
	return 1;
}
