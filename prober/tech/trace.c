/*
 * trace: traceroute, one probe in flight (prober-reference §4.1).
 *
 * Paris methods keep everything constant that a per-flow load balancer hashes,
 * so that all probes of a trace take one path; the probe's number goes where
 * routers quote it back:
 *
 *	method       constant                  number in
 *	udp-paris    ports                     UDP checksum and IPv4 id
 *	udp          source port               destination port
 *	icmp-paris   ICMP id, ICMP checksum    ICMP sequence
 *	icmp         ICMP id                   ICMP sequence
 *
 * Numbers: probe 0 is the first of the trace, over all hops; on the wire the
 * UDP checksum and the IPv4 id carry number + 1 (a UDP checksum cannot be 0).
 */
#include <assert.h>
#include <netinet/in.h>
#include <string.h>

#include "prober/tech/trace.h"

#define NS_PER_CS 10000000LL /* hundredth of a second */
#define TTL_MAX 255
#define AGAINS_MAX 8 /* probes repeated for losses of our own, per trace */
#define LASTDITCH_TTL 255

static const char *const method_words[] = {
    "UDP", "ICMP", "UDP-paris", "ICMP-paris", NULL};

#define AT(member) offsetof(struct trace_conf, member)

static const struct technique_opt trace_opts[] = {
    {'d', OPT_U16, AT(dport), 1, 65535, "dport", NULL, 0, NULL},
    {'f', OPT_U8, AT(first_ttl), 1, 255, "first hop", NULL, 0, NULL},
    {'g', OPT_U8, AT(gap_limit), 1, 255, "gaplimit", NULL, 0, NULL},
    {'G', OPT_U8, AT(gap_action), 1, 2, "gapaction", NULL, 0, NULL},
    {'l', OPT_U8, AT(loops), 0, 255, "loops", NULL, 0, NULL},
    {'m', OPT_U8, AT(hop_limit), 0, 255, "max ttl", NULL, 0, NULL},
    {'p', OPT_HEX, AT(payload), 0, 0, "payload", NULL, 0, NULL},
    {'P', OPT_WORD, AT(method), 0, 0, "method", method_words, 0, NULL},
    {'q', OPT_U8, AT(attempts), 1, 20, "attempts", NULL, 0, NULL},
    {'Q', OPT_FLAG, AT(flags), WARTS_TRACE_ALLATTEMPTS, 0, "all attempts", NULL,
	0, NULL},
    {'s', OPT_U16, AT(sport), 1, 65535, "sport", NULL, 0, NULL},
    {'t', OPT_U8, AT(tos), 0, 255, "tos", NULL, 0, NULL},
    {'T', OPT_FLAG, AT(flags), WARTS_TRACE_IGNORETTLDST, 0,
	"ignore time exceeded from the target", NULL, 0, NULL},
    {'U', OPT_U32, AT(user_id), 0, UINT32_MAX, "userid", NULL, 0, NULL},
    {'w', OPT_U8, AT(wait_s), 1, 10, "wait", NULL, 0, NULL},
    {'W', OPT_U8, AT(wait_probe_cs), 0, 200, "wait-probe", NULL, 0, NULL},
    {0, 0, 0, 0, 0, NULL, NULL, 0, NULL},
};

/* --- configuration ---------------------------------------------------------- */

static void
trace_defaults(void *conf)
{
	struct trace_conf *c = conf;

	c->dport = 0; /* 33435, or the sport for icmp-paris */
	c->first_ttl = 1;
	c->gap_limit = 5;
	c->gap_action = 1;
	c->loops = 1;
	c->method = UDP_PARIS;
	c->attempts = 2;
	c->wait_s = 5;
	c->sport = technique_default_port();
}

static const char *
trace_check(void *conf)
{
	struct trace_conf *c = conf;

	if (c->hop_limit != 0 && c->first_ttl > c->hop_limit)
		return "first hop must not be beyond the max ttl";
	if (c->method == ICMP_PARIS) {
		c->flags |= WARTS_TRACE_ICMPCSUM;
		if (c->dport == 0)
			c->dport = technique_default_port();
	}
	if (c->dport == 0)
		c->dport = 33435;
	if (c->payload.len == 1 && c->method >= UDP_PARIS)
		return "a paris payload needs at least two bytes";
	return NULL;
}

static void next_probe(struct task *t, struct trace *tr, int64_t now_ns);

/* --- sending -------------------------------------------------------------------- */

static void
trace_start(struct task *t, int64_t wall_ns)
{
	struct trace *tr = task_state(t);
	const struct trace_conf *c = task_conf(t);

	tr->start_ns = wall_ns;
	tr->ttl = c->first_ttl;
	next_probe(t, tr, wall_ns);
}

/* What number NUMBER (from 0) means on the wire, by method. */
static void
number_probe(const struct trace_conf *c, unsigned int number, struct probe *pr)
{
	pr->ipid = (uint16_t)(number + 1);
	pr->sport = c->sport;
	pr->dport = c->dport;
	switch (c->method) {
	case UDP_PARIS:
		pr->fix_csum = 1;
		pr->csum = (uint16_t)(number + 1);
		break;
	case UDP:
		pr->dport = (uint16_t)(c->dport + number);
		break;
	case ICMP_PARIS:
		pr->fix_csum = 1;
		pr->csum = c->dport;
		/* FALLTHROUGH */
	case ICMP:
		pr->dport = (uint16_t)number;
		break;
	}
}

static void
trace_probe(struct task *t, struct probe *pr)
{
	struct trace *tr = task_state(t);
	const struct trace_conf *c = task_conf(t);
	unsigned int number = tr->nprobes;

	tr->asked = 0;
	memset(pr, 0, sizeof(*pr));
	pr->src = task_src(t);
	pr->dst = task_dst(t);
	pr->kind = c->method == UDP || c->method == UDP_PARIS ? PROBE_UDP
							      : PROBE_ICMP_ECHO;
	pr->ttl = tr->mode == MODE_LASTDITCH ? LASTDITCH_TTL : tr->ttl;
	pr->tos = c->tos;
	pr->id = number;
	pr->payload = c->payload.len > 0 ? c->payload.bytes : NULL;
	pr->payload_len = trace_payload_len(c, pr->dst->family);
	number_probe(c, number, pr);
	trace_probe_add(t, tr, pr->ttl, tr->attempt);
}

static void
trace_sent(struct task *t, uint32_t id, int64_t tx_ns)
{
	struct trace *tr = task_state(t);
	const struct trace_conf *c = task_conf(t);
	uint64_t us = 0;

	/* The clock may have been set back, or ahead by half a year. */
	if (tx_ns > tr->start_ns)
		us = (uint64_t)(tx_ns - tr->start_ns) / NS_PER_US;
	trace_probe_left(t, tr, id, us < TX_UNKNOWN ? us : TX_UNKNOWN - 1);
	/* While it waited to leave, a late reply may have called for the next
	 * one: that stands, and only its pause begins again. */
	if (!tr->asked)
		probe_wait(t, c->wait_s * NS_PER_SEC);
	else if (tr->mode == MODE_PAUSE)
		probe_wait(t, c->wait_probe_cs * NS_PER_CS);
}

/* When the last probe left, by the wall clock; NOW if that is still to come. */
static int64_t
last_tx_ns(const struct trace *tr, int64_t now_ns)
{
	uint64_t tx_us = trace_tx_us(&tr->last);

	if (tx_us == TX_UNKNOWN)
		return now_ns;
	return tr->start_ns + (int64_t)tx_us * NS_PER_US;
}

/* --- going on -------------------------------------------------------------------- */

static void
finish(struct task *t, struct trace *tr, int reason, int data)
{
	tr->stop_reason = reason & 15;
	tr->stop_data = (uint8_t)data;
	probe_done(t);
}

/* The next probe, not sooner than -W after the last; it is NOW. */
static void
next_probe(struct task *t, struct trace *tr, int64_t now_ns)
{
	const struct trace_conf *c = task_conf(t);
	int64_t due_ns = now_ns;

	tr->asked = 1;
	if (c->wait_probe_cs > 0 && tr->nprobes > 0)
		due_ns = last_tx_ns(tr, now_ns) + c->wait_probe_cs * NS_PER_CS;
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
	int heard = tr->answered != 0 ? tr->answered : c->first_ttl - 1;

	return tr->ttl - heard >= c->gap_limit;
}

static void
start_lastditch(struct task *t, struct trace *tr, int64_t now_ns)
{
	tr->mode = MODE_LASTDITCH;
	tr->attempt = 0;
	tr->lastditch_from = tr->nprobes;
	next_probe(t, tr, now_ns);
}

/* This ttl is done with. */
static void
next_ttl(struct task *t, struct trace *tr, int64_t now_ns)
{
	const struct trace_conf *c = task_conf(t);

	if (gap_reached(tr, c)) {
		if (c->gap_action == 2)
			start_lastditch(t, tr, now_ns);
		else
			finish(t, tr, WARTS_STOP_GAPLIMIT, 0);
		return;
	}
	if (tr->ttl == TTL_MAX || tr->ttl == c->hop_limit) {
		finish(t, tr, WARTS_STOP_HOPLIMIT, 0);
		return;
	}
	tr->ttl++;
	tr->attempt = 0;
	next_probe(t, tr, now_ns);
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
	now_ns = last_tx_ns(tr, tr->start_ns) + c->wait_s * NS_PER_SEC;
	if (tr->attempt + 1 < c->attempts) {
		tr->attempt++;
		next_probe(t, tr, now_ns);
		return;
	}
	if (tr->mode == MODE_LASTDITCH)
		finish(t, tr, WARTS_STOP_GAPLIMIT, 0);
	else if (tr->stop_reason != WARTS_STOP_NONE)
		finish(t, tr, tr->stop_reason, tr->stop_data);
	else
		next_ttl(t, tr, now_ns);
}

static void
trace_again(struct task *t)
{
	struct trace *tr = task_state(t);

	if (tr->mode == MODE_PAUSE || tr->agains == AGAINS_MAX) {
		trace_timeout(t);
		return;
	}
	tr->agains++;
	next_probe(t, tr, last_tx_ns(tr, tr->start_ns));
}

static void
trace_failed(struct task *t, int err)
{
	finish(t, task_state(t), WARTS_STOP_ERROR, err & 0xff);
}

/* --- replies ----------------------------------------------------------------------- */

/* Number of the probe whose wire id (from 1) was ID, -1 if never sent. */
static int
by_id(const struct trace *tr, unsigned int id)
{
	return id >= 1 && id <= tr->nprobes ? (int)id - 1 : -1;
}

static uint16_t
swapped(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

/* Some routers change the IPv4 id they quote: by one, or its byte order. */
static int
by_ipid(const struct trace *tr, uint16_t ipid)
{
	int n = by_id(tr, ipid);

	if (n == -1)
		n = by_id(tr, ipid - 1u);
	if (n == -1)
		n = by_id(tr, swapped(ipid));
	return n;
}

static int
match_udp(
    const struct trace *tr, const struct trace_conf *c, const struct reply *r)
{
	if (r->q_proto != IPPROTO_UDP || r->q_sport != c->sport)
		return -1;
	if (c->method == UDP)
		return by_id(tr, (uint16_t)(r->q_dport - c->dport) + 1u);
	if (r->q_dport != c->dport)
		return -1;
	/* Where both numbers agree, but for what is done to the id on the way,
	 * there is no doubt. */
	if (r->from.family == ADDR_IPV6 || r->q_csum == r->q_ipid ||
	    r->q_csum == r->q_ipid - 1 || r->q_csum == swapped(r->q_ipid))
		return by_id(tr, r->q_csum);
	return by_ipid(tr, r->q_ipid);
}

static int
match_icmp(
    const struct trace *tr, const struct trace_conf *c, const struct reply *r)
{
	if (r->kind == REPLY_ICMP_ECHO)
		return r->icmp_id == c->sport ? by_id(tr, r->icmp_seq + 1u)
					      : -1;
	if (r->q_proto != IPPROTO_ICMP && r->q_proto != IPPROTO_ICMPV6)
		return -1;
	if (r->q_sport != c->sport)
		return -1;
	return by_id(tr, r->q_dport + 1u);
}

/* Has probe NUMBER left? */
static int
has_left(const struct task *t, const struct trace *tr, int number)
{
	return trace_tx_us(trace_probe_get(t, tr, (unsigned int)number)) !=
	    TX_UNKNOWN;
}

/* The last probe that has left; -1 if none. */
static int
last_sent(const struct task *t, const struct trace *tr)
{
	int n = tr->nprobes - 1;

	while (n >= 0 && !has_left(t, tr, n))
		n--;
	return n;
}

/* The number of the probe that R answers, or -1. */
static int
match(const struct task *t, const struct trace *tr, const struct reply *r)
{
	const struct trace_conf *c = task_conf(t);
	int udp = c->method == UDP || c->method == UDP_PARIS;
	int n = -1;

	if (udp && r->kind == REPLY_ICMP_ERROR)
		n = match_udp(tr, c, r);
	else if (udp && r->kind == REPLY_UDP && r->dport == c->sport)
		n = last_sent(t, tr); /* no number in it */
	else if (!udp)
		n = match_icmp(tr, c, r);
	return n;
}

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

/* Does this reply end the trace?  Stop reason and data, or NONE. */
static int
stop_of_icmp(const struct trace_conf *c, const struct task *t,
    const struct reply *r, int *data)
{
	*data = 0;
	if (is_port_unreachable(r) &&
	    (c->method == UDP || c->method == UDP_PARIS))
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

/* Is this the loop that ends the trace?  Looked for among routers: any other
 * reply ends the trace for a reason of its own. */
static int
loop_reached(struct task *t, struct trace *tr, const struct reply *r,
    const struct trace_hop *h)
{
	const struct trace_conf *c = task_conf(t);

	if (c->loops == 0 || r->kind != REPLY_ICMP_ERROR ||
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
	int reason = WARTS_STOP_COMPLETED, data = 0;

	if (loop_reached(t, tr, r, h)) {
		finish(t, tr, WARTS_STOP_LOOP, 0);
		return;
	}
	if (r->kind == REPLY_ICMP_ERROR)
		reason = stop_of_icmp(c, t, r, &data);
	if (tr->stop_reason == WARTS_STOP_NONE) {
		tr->stop_reason = reason & 15;
		tr->stop_data = (uint8_t)data;
	}
	if (c->flags & WARTS_TRACE_ALLATTEMPTS &&
	    tr->attempt + 1 < c->attempts) {
		tr->attempt++;
		next_probe(t, tr, r->rx_ns);
	} else if (tr->stop_reason != WARTS_STOP_NONE) {
		finish(t, tr, tr->stop_reason, tr->stop_data);
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
	if (c->flags & WARTS_TRACE_ALLATTEMPTS)
		return number == tr->nprobes - 1 && !tr->asked;
	return 1;
}

static void
trace_reply(struct task *t, const struct reply *r)
{
	struct trace *tr = task_state(t);
	const struct trace_probe *p;
	const struct trace_hop *h;
	int number = match(t, tr, r);

	if (number == -1)
		return;
	p = trace_probe_get(t, tr, (unsigned int)number);
	if (trace_tx_us(p) == TX_UNKNOWN)
		return; /* cannot answer what has not left: forged */
	h = trace_hop_add(t, tr, r, p, (unsigned int)number);
	if (h == NULL)
		return;
	if (tr->lastditch_from != 0 && number >= tr->lastditch_from) {
		finish(t, tr, WARTS_STOP_GAPLIMIT, 0);
		return;
	}
	if (p->ttl > tr->answered)
		tr->answered = p->ttl;
	if (is_news(tr, task_conf(t), number, p))
		advance(t, tr, r, h);
}

const struct technique technique_trace = {
    .name = "trace",
    .help = "traceroute by UDP or ICMP, Paris or classic",
    .conf_size = sizeof(struct trace_conf),
    .state_size = sizeof(struct trace),
    .opts = trace_opts,
    .defaults = trace_defaults,
    .check = trace_check,
    .start = trace_start,
    .probe = trace_probe,
    .sent = trace_sent,
    .reply = trace_reply,
    .timeout = trace_timeout,
    .again = trace_again,
    .failed = trace_failed,
    .record = trace_record,
};
