#include "prober/tech/trace_rare.h"

#include <string.h>

#include "prober/tech/stopping.h"

#define INTERFACES_MAX 25 /* that -c looks for at a hop */

/* --- what the log knows -------------------------------------------------------- */

/* How many different addresses answered at TTL, INTERFACES_MAX at most. */
static unsigned int
interfaces_at(const struct task *t, const struct trace *tr, uint8_t ttl)
{
	uint8_t seen[INTERFACES_MAX][16];
	size_t len = addr_len(task_dst(t)->family);
	struct trace_walk w;
	unsigned int n = 0, i;

	trace_walk_init(&w, t, tr);
	while (n < INTERFACES_MAX && trace_walk_next(&w)) {
		if (w.hop.probe_ttl != ttl)
			continue;
		for (i = 0; i < n; i++) {
			if (memcmp(seen[i], w.hop.addr, len) == 0)
				break;
		}
		if (i == n)
			memcpy(seen[n++], w.hop.addr, len);
	}
	return n;
}

unsigned int
trace_rare_attempts(const struct task *t, const struct trace *tr)
{
	const struct trace_conf *c = task_conf(t);
	unsigned int n = interfaces_at(t, tr, tr->ttl);

	if (n == 0)
		n = 1;
	if (n == INTERFACES_MAX)
		n--;
	return stopping_point(n + 1, c->confidence);
}

int
trace_rare_replied(const struct task *t, const struct trace *tr, uint8_t ttl)
{
	return interfaces_at(t, tr, ttl) > 0;
}

/* --- back: from the last ttl to the first ----------------------------------------- */

static int
is_back(const struct task *t)
{
	const struct trace_conf *c = task_conf(t);

	return (c->flags & WARTS_TRACE_BACK) != 0;
}

static void
back_next(struct task *t, struct trace *tr, int64_t now_ns)
{
	const struct trace_conf *c = task_conf(t);

	if (tr->ttl > c->first_ttl) {
		tr->ttl--;
		tr->attempt = 0;
		trace_next_probe(t, tr, now_ns);
		return;
	}
	tr->ttl = c->hop_limit;
	trace_finish(t, tr,
	    tr->stop_reason != WARTS_STOP_NONE ? tr->stop_reason
					       : WARTS_STOP_HOPLIMIT,
	    tr->stop_data);
}

/* Why a trace ended is what the nearest hop said that knew. */
static void
back_reply(struct task *t, struct trace *tr, const struct reply *r)
{
	const struct trace_conf *c = task_conf(t);
	int data, reason = trace_stop_of(t, r, &data);

	if (reason != WARTS_STOP_NONE) {
		tr->stop_reason = (uint8_t)reason;
		tr->stop_data = (uint8_t)data;
	}
	if (c->all && tr->attempt + 1u < trace_attempts(t, tr)) {
		tr->attempt++;
		trace_next_probe(t, tr, r->rx_ns);
	} else {
		back_next(t, tr, r->rx_ns);
	}
}

/* --- the course -------------------------------------------------------------------- */

void
trace_rare_start(struct task *t, struct trace *tr, int64_t now_ns)
{
	const struct trace_conf *c = task_conf(t);

	technique_extra((void **)(void *)&tr->more, sizeof(*tr->more));
	tr->more->first_ttl = c->first_ttl;
	if (c->squeries > 1) {
		trace_flight_start(t, tr, now_ns);
		return;
	}
	if (is_back(t))
		tr->ttl = c->hop_limit;
	if (c->flags & WARTS_TRACE_DOUBLETREE)
		trace_dtree_start(t, tr);
	trace_next_probe(t, tr, now_ns);
}

void
trace_rare_probe(struct task *t, struct trace *tr, struct probe *pr)
{
	trace_make_rare(t, pr->id, pr);
	if (tr->more->phase == PHASE_FLIGHT)
		trace_flight_probe(t, tr, pr);
	else if (tr->more->phase == PHASE_PMTUD)
		trace_pmtud_probe(t, tr, pr);
}

int
trace_rare_sent(struct task *t, struct trace *tr, unsigned int number)
{
	if (tr->more->phase != PHASE_FLIGHT)
		return 0;
	trace_flight_sent(t, tr, number);
	return 1;
}

int
trace_rare_timeout(struct task *t, struct trace *tr)
{
	switch (tr->more->phase) {
	case PHASE_FLIGHT:
		trace_flight_timeout(t, tr);
		return 1;
	case PHASE_PMTUD:
		trace_pmtud_timeout(t, tr);
		return 1;
	default:
		return 0;
	}
}

int
trace_rare_takes(struct task *t, struct trace *tr, const struct reply *r,
    unsigned int number)
{
	const struct trace_conf *c = task_conf(t);
	struct trace_more *m = tr->more;

	/* Beyond the target, perhaps: not of the path. */
	if (number < m->first_probe)
		return 1;
	if (c->flags & WARTS_TRACE_PTR)
		technique_name_wait(t, &r->from);
	if (m->phase == PHASE_FIRST && !tr->asked && tr->mode == MODE_TRACE &&
	    trace_dtree_too_far(t, tr, r)) {
		trace_dtree_nearer(t, tr, r->rx_ns);
		return 1;
	}
	if (m->phase != PHASE_PMTUD)
		return 0;
	return trace_pmtud_reply(t, tr, r, number);
}

int
trace_rare_reply(struct task *t, struct trace *tr, const struct reply *r)
{
	const struct trace_conf *c = task_conf(t);

	if (is_back(t)) {
		back_reply(t, tr, r);
		return 1;
	}
	if (c->flags & WARTS_TRACE_DOUBLETREE)
		return trace_dtree_reply(t, tr, r);
	return 0;
}

int
trace_rare_next_ttl(struct task *t, struct trace *tr, int64_t now_ns)
{
	if (tr->more->phase == PHASE_FIRST) {
		trace_dtree_nearer(t, tr, now_ns);
		return 1;
	}
	if (!is_back(t))
		return 0;
	back_next(t, tr, now_ns);
	return 1;
}

/* Did the trace end where large packets can be told from all packets? */
static int
is_responsive(const struct trace *tr)
{
	return tr->stop_reason == WARTS_STOP_COMPLETED ||
	    tr->stop_reason == WARTS_STOP_UNREACH ||
	    tr->stop_reason == WARTS_STOP_ICMP;
}

int
trace_rare_finish(struct task *t, struct trace *tr)
{
	const struct trace_conf *c = task_conf(t);
	int64_t now_ns = trace_last_tx_ns(tr, tr->start_ns);
	struct trace_more *m = tr->more;

	if (m->phase == PHASE_BACK) {
		trace_dtree_step(t, tr, now_ns);
		return 1;
	}
	if (m->phase == PHASE_PMTUD || tr->mode == MODE_LASTDITCH)
		return 0;
	if (c->flags & WARTS_TRACE_DOUBLETREE)
		return trace_dtree_back(t, tr, now_ns);
	if (!(c->flags & WARTS_TRACE_PMTUD) || !is_responsive(tr))
		return 0;
	trace_pmtud_start(t, tr);
	return 1;
}
