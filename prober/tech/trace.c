/*
 * trace: traceroute, one probe in flight (prober-reference §4.1).
 *
 * A ttl gets its attempts until one is answered, then the next has its turn,
 * until a reply says that there is nothing behind, or a limit is reached.
 * What few traces want is asked for at the same places of that course
 * (trace_rare.c).
 */
#include "prober/tech/trace_rare.h"

#define NS_PER_CS 10000000LL /* hundredth of a second */
#define TTL_MAX 255
/* Nearly every reply comes here: no call, though there is a second caller. */
#define HOT static inline __attribute__((always_inline))
#define AGAINS_MAX 8 /* probes repeated for losses of our own, per trace */
#define LASTDITCH_TTL 255

/* --- sending -------------------------------------------------------------------- */

static void
trace_start(struct task *t, int64_t wall_ns)
{
	struct trace *tr = task_state(t);
	const struct trace_conf *c = task_conf(t);

	tr->start_ns = wall_ns;
	tr->ttl = c->first_ttl;
	if (c->rare)
		trace_rare_start(t, tr, wall_ns);
	else
		trace_next_probe(t, tr, wall_ns);
}

/* Least time from the last probe to the next (-W, -H). */
static int64_t
pause_ns(const struct trace *tr, const struct trace_conf *c)
{
	int64_t all_ns = c->wait_probe_cs * NS_PER_CS;
	int64_t hop_ns = tr->attempt > 0 ? c->wait_hop_us * NS_PER_US : 0;

	return hop_ns > all_ns ? hop_ns : all_ns;
}

static void
trace_probe(struct task *t, struct probe *pr)
{
	struct trace *tr = task_state(t);
	const struct trace_conf *c = task_conf(t);

	tr->asked = 0;
	trace_make(t, tr->nprobes - (unsigned int)tr->unsent, pr);
	pr->ttl = tr->mode == MODE_LASTDITCH ? LASTDITCH_TTL : tr->ttl;
	if (c->rare)
		trace_rare_probe(t, tr, pr);
	if (!tr->unsent)
		trace_probe_add(t, tr, pr->ttl, tr->attempt);
	tr->unsent = 0;
}

/* The wait that follows a probe. */
HOT void
await(struct task *t, const struct trace *tr, const struct trace_conf *c)
{
	/* While it waited to leave, a late reply may have called for the next
	 * one: that stands, and only its pause begins again. */
	if (!tr->asked)
		probe_wait(t, c->wait_s * NS_PER_SEC);
	else if (tr->mode == MODE_PAUSE)
		probe_wait(t, pause_ns(tr, c));
}

RARE static void
rare_sent(struct task *t, unsigned int number)
{
	struct trace *tr = task_state(t);

	if (!trace_rare_sent(t, tr, number))
		await(t, tr, task_conf(t));
}

static void
trace_sent(struct task *t, uint32_t id, int64_t tx_ns)
{
	struct trace *tr = task_state(t);
	const struct trace_conf *c = task_conf(t);
	uint64_t us = 0;

	/* The clock may have been set back, or ahead by a month. */
	if (tx_ns > tr->start_ns)
		us = (uint64_t)(tx_ns - tr->start_ns) / NS_PER_US;
	trace_probe_left(t, tr, id, us < TX_UNKNOWN ? us : TX_UNKNOWN - 1);
	if (c->rare)
		rare_sent(t, id);
	else
		await(t, tr, c);
}

/* When the last probe left, by the wall clock; NOW if that is still to come. */
int64_t
trace_last_tx_ns(const struct trace *tr, int64_t now_ns)
{
	uint64_t tx_us = trace_tx_us(&tr->last);

	if (tx_us == TX_UNKNOWN)
		return now_ns;
	return tr->start_ns + (int64_t)tx_us * NS_PER_US;
}

/* --- going on -------------------------------------------------------------------- */

void
trace_finish(struct task *t, struct trace *tr, int reason, int data)
{
	const struct trace_conf *c = task_conf(t);

	tr->stop_reason = reason & 15;
	tr->stop_data = (uint8_t)data;
	if (c->rare && reason != WARTS_STOP_ERROR && trace_rare_finish(t, tr))
		return;
	probe_done(t);
}

void
trace_next_probe(struct task *t, struct trace *tr, int64_t now_ns)
{
	const struct trace_conf *c = task_conf(t);
	int64_t due_ns = now_ns;

	tr->asked = 1;
	tr->unsent = 0;
	if (c->pauses && tr->nprobes > 0)
		due_ns = trace_last_tx_ns(tr, now_ns) + pause_ns(tr, c);
	if (due_ns <= now_ns) {
		probe_send(t);
		return;
	}
	tr->after_mode = tr->mode;
	tr->mode = MODE_PAUSE;
	probe_wait(t, due_ns - now_ns);
}

/* Have the last `gap limit' ttls all been silent? */
static int
gap_reached(const struct trace *tr, const struct trace_conf *c)
{
	int heard = tr->answered;

	if (heard == 0 && !(c->flags & WARTS_TRACE_DOUBLETREE))
		heard = c->first_ttl - 1;

	return tr->ttl - heard >= c->gap_limit;
}

static void
start_lastditch(struct task *t, struct trace *tr, int64_t now_ns)
{
	tr->mode = MODE_LASTDITCH;
	tr->attempt = 0;
	tr->lastditch_from = tr->nprobes;
	trace_next_probe(t, tr, now_ns);
}

void
trace_gap_over(struct task *t, struct trace *tr, int64_t now_ns)
{
	const struct trace_conf *c = task_conf(t);

	if (c->gap_action == 2)
		start_lastditch(t, tr, now_ns);
	else
		trace_finish(t, tr, WARTS_STOP_GAPLIMIT, 0);
}

/* The ttl at hand is done with. */
HOT void
next_ttl(struct task *t, struct trace *tr, int64_t now_ns)
{
	const struct trace_conf *c = task_conf(t);

	if (c->rare && trace_rare_next_ttl(t, tr, now_ns))
		return;
	if (gap_reached(tr, c)) {
		trace_gap_over(t, tr, now_ns);
		return;
	}
	if (tr->ttl == TTL_MAX || tr->ttl == c->hop_limit) {
		trace_finish(t, tr, WARTS_STOP_HOPLIMIT, 0);
		return;
	}
	tr->ttl++;
	tr->attempt = 0;
	trace_next_probe(t, tr, now_ns);
}

unsigned int
trace_attempts(const struct task *t, const struct trace *tr)
{
	const struct trace_conf *c = task_conf(t);

	return c->confidence == 0 ? c->attempts : trace_rare_attempts(t, tr);
}

static void
trace_timeout(struct task *t)
{
	struct trace *tr = task_state(t);
	const struct trace_conf *c = task_conf(t);
	int64_t now_ns;

	if (tr->mode == MODE_PAUSE) {
		tr->mode = tr->after_mode;
		probe_send(t);
		return;
	}
	if (c->rare && trace_rare_timeout(t, tr))
		return;
	now_ns = trace_last_tx_ns(tr, tr->start_ns) + c->wait_s * NS_PER_SEC;
	if (tr->attempt + 1u < trace_attempts(t, tr)) {
		tr->attempt++;
		trace_next_probe(t, tr, now_ns);
		return;
	}
	if (tr->mode == MODE_LASTDITCH)
		trace_finish(t, tr, WARTS_STOP_GAPLIMIT, 0);
	else if (tr->stop_reason != WARTS_STOP_NONE &&
	    !(c->flags & WARTS_TRACE_BACK))
		trace_finish(t, tr, tr->stop_reason, tr->stop_data);
	else
		next_ttl(t, tr, now_ns);
}

static void
trace_again(struct task *t)
{
	const struct trace_conf *c = task_conf(t);
	struct trace *tr = task_state(t);

	if (tr->mode == MODE_PAUSE || tr->agains == AGAINS_MAX ||
	    (c->rare && tr->more->phase == PHASE_FLIGHT)) {
		trace_timeout(t);
		return;
	}
	tr->agains++;
	trace_next_probe(t, tr, trace_last_tx_ns(tr, tr->start_ns));
}

static void
trace_unsent(struct task *t)
{
	struct trace *tr = task_state(t);

	tr->asked = 1;
	tr->unsent = 1;
	probe_send(t);
}

static void
trace_failed(struct task *t, int err)
{
	const struct trace_conf *c = task_conf(t);
	struct trace *tr = task_state(t);

	/* The trace itself is sound if only a large packet cannot be sent. */
	if (c->rare && tr->more != NULL && tr->more->phase == PHASE_PMTUD)
		probe_done(t);
	else
		trace_finish(t, tr, WARTS_STOP_ERROR, err & 0xff);
}

/* --- replies ----------------------------------------------------------------------- */

/* ICMP types by family: which is which. */
static int
is_time_exceeded(const struct reply *r)
{
	return r->icmp_type == trace_time_exceeded(r->from.family);
}

static int
is_unreachable(const struct reply *r)
{
	return r->icmp_type == (r->from.family == ADDR_IPV4 ? 3 : 1);
}

static int
is_port_unreachable(const struct reply *r)
{
	return is_unreachable(r) &&
	    r->icmp_code == (r->from.family == ADDR_IPV4 ? 3 : 4);
}

/* Why reply R ends the trace. */
HOT int
stop_of(const struct task *t, const struct reply *r, int *data)
{
	const struct trace_conf *c = task_conf(t);

	*data = 0;
	if (r->kind != REPLY_ICMP_ERROR)
		return WARTS_STOP_COMPLETED;
	if (is_port_unreachable(r) && !trace_is_icmp(c))
		return WARTS_STOP_COMPLETED;
	if (is_unreachable(r)) {
		*data = r->icmp_code;
		return WARTS_STOP_UNREACH;
	}
	if (!is_time_exceeded(r)) {
		*data = r->icmp_type;
		return WARTS_STOP_ICMP;
	}
	if (addr_equal(&r->from, task_dst(t)) &&
	    !(c->flags & WARTS_TRACE_IGNORETTLDST))
		return WARTS_STOP_COMPLETED;
	return WARTS_STOP_NONE;
}

/* Looked for among routers: any other reply ends the trace for a reason of its
 * own. */
HOT int
loop_reached(struct task *t, struct trace *tr, const struct reply *r,
    const struct trace_hop *h)
{
	const struct trace_conf *c = task_conf(t);

	if (c->loops == 0 || !tr->maybe_again || r->kind != REPLY_ICMP_ERROR ||
	    !is_time_exceeded(r) || !trace_loop_is(t, tr, h))
		return 0;
	return ++tr->loops >= c->loops;
}

/* The current ttl has an answer: go on, or end. */
static void
advance(struct task *t, struct trace *tr, const struct reply *r,
    const struct trace_hop *h)
{
	const struct trace_conf *c = task_conf(t);
	int reason, data;

	if (c->rare && trace_rare_reply(t, tr, r))
		return;
	reason = stop_of(t, r, &data);
	if (loop_reached(t, tr, r, h)) {
		reason = WARTS_STOP_LOOP;
		data = 0;
	}
	if (tr->stop_reason == WARTS_STOP_NONE) {
		tr->stop_reason = reason & 15;
		tr->stop_data = (uint8_t)data;
	}
	if (c->all && tr->attempt + 1u < trace_attempts(t, tr)) {
		tr->attempt++;
		trace_next_probe(t, tr, r->rx_ns);
	} else if (tr->stop_reason != WARTS_STOP_NONE) {
		trace_finish(t, tr, tr->stop_reason, tr->stop_data);
	} else {
		next_ttl(t, tr, r->rx_ns);
	}
}

/* Does a reply to probe NUMBER move the trace on?  Else it is only kept: it
 * is late, or a second one. */
static int
is_news(const struct trace *tr, const struct trace_conf *c, int number,
    const struct trace_probe *p)
{
	if (tr->mode != MODE_TRACE || p->ttl != tr->ttl)
		return 0;
	if (c->all)
		return number == tr->nprobes - 1 && !tr->asked;
	return 1;
}

static void
trace_reply(struct task *t, const struct reply *r)
{
	struct trace *tr = task_state(t);
	const struct trace_probe *p;
	const struct trace_hop *h;
	const struct trace_conf *c = task_conf(t);
	int number = trace_match(t, tr, r);

	if (number == -1)
		return;
	p = trace_probe_get(t, tr, (unsigned int)number);
	if (trace_tx_us(p) == TX_UNKNOWN)
		return; /* cannot answer what has not left: forged */
	if (c->rare && trace_rare_takes(t, tr, r, (unsigned int)number))
		return;
	h = trace_hop_add(t, tr, r, p, (unsigned int)number);
	if (h == NULL)
		return;
	if (tr->lastditch_from != 0 && number >= tr->lastditch_from) {
		trace_finish(t, tr, WARTS_STOP_GAPLIMIT, 0);
		return;
	}
	if (p->ttl > tr->answered)
		tr->answered = p->ttl;
	if (is_news(tr, c, number, p))
		advance(t, tr, r, h);
	else if (c->rare && tr->more->phase == PHASE_FLIGHT)
		trace_flight_reply(t, tr, r, h);
}

/* --- for the rare ones ------------------------------------------------------------- */

void
trace_next_ttl(struct task *t, struct trace *tr, int64_t now_ns)
{
	next_ttl(t, tr, now_ns);
}

int
trace_stop_of(const struct task *t, const struct reply *r, int *data)
{
	return stop_of(t, r, data);
}

int
trace_loop_reached(struct task *t, struct trace *tr, const struct reply *r,
    const struct trace_hop *h)
{
	return loop_reached(t, tr, r, h);
}

static void **
trace_extras(struct task *t)
{
	struct trace *tr = task_state(t);
	static void *none;

	if (!((const struct trace_conf *)task_conf(t))->rare)
		return &none;
	return (void **)(void *)&tr->more;
}

const struct technique technique_trace = {
    .name = "trace",
    .help = "traceroute by UDP, ICMP or TCP, Paris or classic",
    .conf_size = sizeof(struct trace_conf),
    .state_size = sizeof(struct trace),
    .opts = trace_opts,
    .defaults = trace_defaults,
    .check = trace_check,
    .check_target = trace_check_target,
    .clear = trace_clear,
    .route = trace_route,
    .extras = trace_extras,
    .start = trace_start,
    .probe = trace_probe,
    .sent = trace_sent,
    .reply = trace_reply,
    .timeout = trace_timeout,
    .again = trace_again,
    .unsent = trace_unsent,
    .failed = trace_failed,
    .names = trace_names,
    .record = trace_record,
};
