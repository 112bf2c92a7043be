/*
 * trace_flight: several hops in flight (-N).
 *
 *	ttl     1    2    3    4    5    6    7    8
 *	      over over out  over out  again .    .
 *	                ▲ low                ▲ next
 *
 * Of at most -N ttls probes are out, or wait for their next attempt; a new ttl
 * begins when one of them is over.  What a trace is looked for, gaps and
 * its end, is seen at `low', in order, as if there were one probe at a time.
 * So a reply that ends the trace only keeps new ttls from being begun until all
 * that are nearer are over.
 */
#include "prober/tech/trace_rare.h"

enum hop_state { HOP_NEW, HOP_OUT, HOP_AGAIN, HOP_OVER };

struct trace_flight {
	uint16_t low, next; /* ttls */
	uint16_t heard; /* the last ttl below `low' that was answered */
	uint16_t out; /* ttls that are out or wait to be again */
	uint8_t at; /* ttl to send for */
	uint8_t unsent; /* its probe was built and has not left */
	struct {
		int64_t due_ns; /* of its last probe; wall clock */
		uint8_t state; /* enum hop_state */
		uint8_t attempts; /* made */
		uint8_t answered;
	} hop[256]; /* by ttl */
};

static void
hop_over(struct trace_flight *f, uint16_t ttl)
{
	f->hop[ttl].state = HOP_OVER;
	f->out--;
}

/* --- what next -------------------------------------------------------------------- */

/* May one more ttl be probed?  None that a gap limit would not reach. */
static int
may_begin(const struct task *t, const struct trace *tr)
{
	const struct trace_conf *c = task_conf(t);
	const struct trace_flight *f = tr->more->flight;
	int last = c->hop_limit != 0 ? c->hop_limit : 255;
	int heard = tr->answered > f->heard ? tr->answered : f->heard;

	return f->out < c->squeries && tr->more->stop_ttl == 0 &&
	    f->next <= last && f->next <= heard + c->gap_limit;
}

/* The ttl to probe next, 0 if none. */
static uint16_t
next_ttl(const struct task *t, const struct trace *tr)
{
	const struct trace_flight *f = tr->more->flight;

	for (uint16_t ttl = f->low; ttl < f->next; ttl++) {
		if (f->hop[ttl].state == HOP_AGAIN)
			return ttl;
	}
	return may_begin(t, tr) ? f->next : 0;
}

/* When the first of the probes that are out is given up. */
static int64_t
first_due(const struct trace_flight *f)
{
	int64_t due_ns = INT64_MAX;

	for (uint16_t ttl = f->low; ttl < f->next; ttl++) {
		if (f->hop[ttl].state == HOP_OUT && f->hop[ttl].due_ns < due_ns)
			due_ns = f->hop[ttl].due_ns;
	}
	return due_ns;
}

/* The ttl at `low' is over.  Non-zero: so is the trace.  Until then there is no
 * ttl at hand. */
static int
low_over(struct task *t, struct trace *tr, int64_t now_ns)
{
	const struct trace_conf *c = task_conf(t);
	struct trace_flight *f = tr->more->flight;

	tr->ttl = (uint8_t)f->low;
	if (f->hop[f->low].answered)
		f->heard = f->low;
	if (f->low == tr->more->stop_ttl) {
		trace_finish(t, tr, tr->stop_reason, tr->stop_data);
		return 1;
	}
	if (f->low - f->heard >= c->gap_limit) {
		tr->more->phase = PHASE_TRACE;
		tr->more->stop_ttl = 0;
		tr->stop_reason = WARTS_STOP_NONE;
		trace_gap_over(t, tr, now_ns);
		return 1;
	}
	if (f->low == 255 || f->low == c->hop_limit) {
		trace_finish(t, tr, WARTS_STOP_HOPLIMIT, 0);
		return 1;
	}
	tr->ttl = 0;
	f->low++;
	return 0;
}

/* It is NOW: what is to be done? */
static void
go_on(struct task *t, struct trace *tr, int64_t now_ns)
{
	struct trace_flight *f = tr->more->flight;
	int64_t due_ns;

	while (f->hop[f->low].state == HOP_OVER) {
		if (low_over(t, tr, now_ns))
			return;
	}
	if (tr->asked || f->unsent)
		return;
	f->at = (uint8_t)next_ttl(t, tr);
	if (f->at != 0) {
		tr->attempt = f->hop[f->at].attempts;
		trace_next_probe(t, tr, now_ns);
		return;
	}
	due_ns = first_due(f);
	probe_wait(t, due_ns > now_ns ? due_ns - now_ns : 1);
}

/* --- events ----------------------------------------------------------------------- */

void
trace_flight_start(struct task *t, struct trace *tr, int64_t now_ns)
{
	const struct trace_conf *c = task_conf(t);
	struct trace_flight *f =
	    technique_extra((void **)(void *)&tr->more, sizeof(*f));

	tr->more->phase = PHASE_FLIGHT;
	tr->more->flight = f;
	f->low = f->next = c->first_ttl;
	f->heard = (uint16_t)(c->first_ttl - 1);
	tr->ttl = 0;
	go_on(t, tr, now_ns);
}

void
trace_flight_probe(struct task *t, struct trace *tr, struct probe *pr)
{
	struct trace_flight *f = tr->more->flight;

	if (tr->unsent) {
		pr->ttl = f->at;
		tr->attempt = (uint8_t)(f->hop[f->at].attempts - 1);
		return;
	}
	/* What was to be sent may have become needless while it waited. */
	if (f->hop[f->at].state == HOP_OVER && next_ttl(t, tr) != 0)
		f->at = (uint8_t)next_ttl(t, tr);
	if (f->hop[f->at].state == HOP_NEW)
		f->next++;
	if (f->hop[f->at].state == HOP_NEW || f->hop[f->at].state == HOP_OVER)
		f->out++;
	f->hop[f->at].state = HOP_OUT;
	f->hop[f->at].due_ns = INT64_MAX;
	f->unsent = 1;
	pr->ttl = f->at;
	tr->attempt = f->hop[f->at].attempts++;
}

void
trace_flight_sent(struct task *t, struct trace *tr, unsigned int number)
{
	const struct trace_conf *c = task_conf(t);
	struct trace_flight *f = tr->more->flight;
	const struct trace_probe *p = trace_probe_get(t, tr, number);
	int64_t tx_ns = tr->start_ns + (int64_t)trace_tx_us(p) * NS_PER_US;

	f->unsent = 0;
	f->hop[p->ttl].due_ns = tx_ns + c->wait_s * NS_PER_SEC;
	go_on(t, tr, tx_ns);
}

void
trace_flight_timeout(struct task *t, struct trace *tr)
{
	const struct trace_conf *c = task_conf(t);
	struct trace_flight *f = tr->more->flight;
	int64_t now_ns = first_due(f);

	for (uint16_t ttl = f->low; ttl < f->next; ttl++) {
		if (f->hop[ttl].state != HOP_OUT || f->hop[ttl].due_ns > now_ns)
			continue;
		if (f->hop[ttl].attempts < c->attempts)
			f->hop[ttl].state = HOP_AGAIN;
		else
			hop_over(f, ttl);
	}
	go_on(t, tr, now_ns);
}

/* The reply R, kept as H, ends the trace, if it does. */
static void
look_for_end(struct task *t, struct trace *tr, const struct reply *r,
    const struct trace_hop *h)
{
	struct trace_more *m = tr->more;
	int data, reason = trace_stop_of(t, r, &data);

	if (trace_loop_reached(t, tr, r, h)) {
		reason = WARTS_STOP_LOOP;
		data = 0;
	}
	if (reason == WARTS_STOP_NONE ||
	    (m->stop_ttl != 0 && m->stop_ttl <= h->probe_ttl))
		return;
	m->stop_ttl = h->probe_ttl;
	tr->stop_reason = (uint8_t)reason;
	tr->stop_data = (uint8_t)data;
}

void
trace_flight_reply(struct task *t, struct trace *tr, const struct reply *r,
    const struct trace_hop *h)
{
	const struct trace_conf *c = task_conf(t);
	struct trace_flight *f = tr->more->flight;
	uint16_t ttl = h->probe_ttl;

	look_for_end(t, tr, r, h);
	f->hop[ttl].answered = 1;
	if (f->hop[ttl].state == HOP_OUT || f->hop[ttl].state == HOP_AGAIN) {
		if (c->all && f->hop[ttl].attempts < c->attempts)
			f->hop[ttl].state = HOP_AGAIN;
		else
			hop_over(f, ttl);
	}
	go_on(t, tr, r->rx_ns);
}
