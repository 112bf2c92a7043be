/*
 * ping: echo requests, timestamp requests, UDP and TCP segments at a steady
 * interval, and all that comes back (prober-reference §4.4).
 *
 *	method          constant              the probe's number is in
 *	icmp-echo       ICMP id               ICMP sequence
 *	icmp-time       ICMP id               ICMP sequence
 *	udp             ports                 IPv4 id, or the last sent is meant
 *	udp-dport       source port           destination port
 *	udp-sport       destination port      source port
 *	tcp-ack-sport,
 *	tcp-syn-sport   destination port      source port
 *	tcp-*           ports, numbers        IPv4 id, or the last sent is meant
 *
 * Probes leave every -i whether or not the one before was answered.  After the
 * last one replies are waited for until -W has passed; with -o N the ping is
 * over as soon as N probes have been answered.
 *
 * With -M each reply that is larger is told that it is too big, as a router
 * would, when there is a credit.  The probe that is due meanwhile comes behind.
 * Of replies that wait for that, the latest is told.
 */
#include <netinet/in.h>
#include <string.h>

#include "common/clock.h"
#include "prober/tech/ping.h"

#define AGAINS_MAX 8 /* probes repeated for losses of our own, per ping */
#define ANSWERS_MAX 0xffff

/* --- the course of a ping --------------------------------------------------------- */

static void
finish(struct task *t, struct ping *p, int reason, int data)
{
	p->stop_reason = (uint8_t)reason;
	p->stop_data = (uint8_t)data;
	probe_done(t);
}

/* Probe NUMBER, below p->nsent. */
static uint64_t *
probe_at(const struct ping *p, unsigned int number)
{
	struct ping_probe_block *b = p->probes;

	if (number / PROBES_PER_PING_BLOCK ==
	    (p->nsent - 1u) / PROBES_PER_PING_BLOCK)
		b = p->probes_last;
	else
		for (unsigned int n = number; n >= PROBES_PER_PING_BLOCK;
		     n -= PROBES_PER_PING_BLOCK)
			b = b->next;
	return &b->tx_us[number % PROBES_PER_PING_BLOCK];
}

uint64_t
ping_tx_us(const struct ping *p, unsigned int number)
{
	return *probe_at(p, number) & ~PING_ANSWERED;
}

static void
probe_add(struct task *t, struct ping *p)
{
	struct ping_probe_block *b;

	if (p->nsent % PROBES_PER_PING_BLOCK == 0) {
		b = technique_block(t);
		if (p->probes == NULL)
			p->probes = b;
		else
			p->probes_last->next = b;
		p->probes_last = b;
	}
	p->nsent++;
	*probe_at(p, p->nsent - 1u) = PING_UNSENT;
}

/* Was the last probe built, and has not left? */
static int
is_unsent(const struct ping *p)
{
	return p->nsent > 0 && *probe_at(p, p->nsent - 1u) == PING_UNSENT;
}

/* --- the way back ---------------------------------------------------------- */

static void **
ping_extras(struct task *t)
{
	static void *none;
	struct ping *p = task_state(t);

	return p->more != NULL ? &p->more->chain : &none;
}

/* Is R to be told that it is too big?  No error is answered by an error
 * (RFC 1122, 3.2.2). */
static int
is_too_big(const struct ping_conf *c, const struct reply *r)
{
	return c->mtu != 0 && r->size > c->mtu && r->kind != REPLY_ICMP_ERROR;
}

/* Of IPv4, the header and eight bytes (RFC 792). */
static void
keep_quote(struct ping_more *m, const struct reply *r)
{
	size_t len = r->packet_len, most = PING_QUOTE_MAX;

	if (r->from.family == ADDR_IPV4)
		most = (r->packet[0] & 15u) * 4 + 8;
	if (m->quote == NULL)
		m->quote = technique_extra(&m->chain, PING_QUOTE_MAX);
	m->quote_len = (uint16_t)(len < most ? len : most);
	memcpy(m->quote, r->packet, m->quote_len);
}

/* Is there somebody to be told? */
static int
has_quote(const struct ping *p)
{
	return p->more != NULL && p->more->quote_len != 0;
}

/* It has been told: on with what was interrupted. */
static void
told(struct task *t, struct ping *p, int64_t now_ns)
{
	const struct ping_conf *c = task_conf(t);
	int64_t due_ns;

	p->more->quote_len = 0;
	if (p->mode == PING_SENDING) {
		probe_send(t);
		return;
	}
	due_ns = p->start_ns +
	    (int64_t)(ping_tx_us(p, p->nsent - 1u) +
		(p->mode == PING_LAST ? c->timeout_us : c->wait_us)) *
		NS_PER_US;
	probe_wait(t, due_ns > now_ns ? due_ns - now_ns : 1);
}

/* --- the course goes on ------------------------------------------------------ */

static void
ping_start(struct task *t, int64_t wall_ns)
{
	struct ping *p = task_state(t);
	uint64_t h = addr_hash(task_dst(t)) ^ (uint64_t)wall_ns;

	p->start_ns = wall_ns;
	p->random = (uint32_t)(h * 0x9e3779b97f4a7c15ULL >> 32);
	p->mode = PING_SENDING;
	if (((const struct ping_conf *)task_conf(t))->mtu != 0)
		p->more = technique_block(t);
	probe_send(t);
}

static void
ping_probe(struct task *t, struct probe *pr)
{
	struct ping *p = task_state(t);

	if (has_quote(p)) {
		ping_make_too_big(t, pr);
		return;
	}
	/* A probe that is sent again, or could not leave, keeps its number. */
	if (p->mode == PING_SENDING && !is_unsent(p))
		probe_add(t, p);
	ping_make(t, p->nsent - 1u, pr);
}

static void
ping_sent(struct task *t, uint32_t id, int64_t tx_ns)
{
	struct ping *p = task_state(t);
	const struct ping_conf *c = task_conf(t);

	if (id == PING_TOO_BIG_ID) {
		told(t, p, tx_ns);
		return;
	}
	if (tx_ns < p->start_ns)
		tx_ns = p->start_ns; /* the clock has been set back */
	*probe_at(p, id) = (uint64_t)(tx_ns - p->start_ns) / NS_PER_US;
	p->mode = p->nsent < c->probe_count ? PING_INTERVAL : PING_LAST;
	if (has_quote(p)) {
		probe_send(t);
		return;
	}
	probe_wait(
	    t, (p->mode == PING_LAST ? c->timeout_us : c->wait_us) * NS_PER_US);
}

static void
ping_timeout(struct task *t)
{
	struct ping *p = task_state(t);

	if (p->mode == PING_LAST) {
		finish(t, p, WARTS_PING_STOP_COMPLETED, 0);
		return;
	}
	p->mode = PING_SENDING;
	probe_send(t);
}

/* Silence may be our own loss: the last probe is sent once more. */
static void
ping_again(struct task *t)
{
	struct ping *p = task_state(t);

	if (p->agains == AGAINS_MAX ||
	    *probe_at(p, p->nsent - 1u) & PING_ANSWERED) {
		ping_timeout(t);
		return;
	}
	p->agains++;
	probe_send(t);
}

static void
ping_unsent(struct task *t)
{
	probe_send(t);
}

static void
ping_failed(struct task *t, int err)
{
	struct ping *p = task_state(t);

	if (is_unsent(p))
		p->nsent--; /* it was counted when it was built */
	finish(t, p, WARTS_PING_STOP_ERROR, err & 0xff);
}

/* --- replies ------------------------------------------------------------------------ */

/* DISTANCE behind the first probe is a number if it was built. */
static int
in_range(const struct ping *p, unsigned int distance)
{
	return distance < p->nsent ? (int)distance : -1;
}

static int
by_ipid(const struct ping *p, const struct reply *r)
{
	for (int n = p->nsent - 1;
	     r->from.family == ADDR_IPV4 && r->q_ipid != 0 && n >= 0; n--) {
		if (ping_ipid(p, (unsigned int)n) == r->q_ipid)
			return n;
	}
	return p->nsent - 1;
}

static int
match_icmp(
    const struct ping *p, const struct ping_conf *c, const struct reply *r)
{
	if (r->kind == REPLY_ICMP_ERROR)
		return (r->q_proto == IPPROTO_ICMP ||
			   r->q_proto == IPPROTO_ICMPV6) &&
			r->q_sport == c->sport
		    ? in_range(p, (uint16_t)(r->q_dport - c->dport))
		    : -1;
	if (r->kind !=
		(c->method == WARTS_PING_ICMP_TIME ? REPLY_ICMP_TIME
						   : REPLY_ICMP_ECHO) ||
	    r->icmp_id != c->sport)
		return -1;
	return in_range(p, (uint16_t)(r->icmp_seq - c->dport));
}

/* SPORT and DPORT are those of the probe. */
static int
match_ports(const struct ping *p, const struct ping_conf *c, uint16_t sport,
    uint16_t dport)
{
	struct probe first = {.ttl = 0}, second = {.ttl = 0};
	int varies_dport, varies_sport;

	ping_number(c, 0, &first);
	ping_number(c, 1, &second);
	varies_sport = first.sport != second.sport;
	varies_dport = first.dport != second.dport;
	if ((!varies_sport && sport != c->sport) ||
	    (!varies_dport && dport != c->dport))
		return -1;
	if (varies_sport)
		return in_range(p, (uint16_t)(sport - c->sport));
	if (varies_dport)
		return in_range(p, (uint16_t)(dport - c->dport));
	return p->nsent; /* one of them */
}

static int
match(const struct ping *p, const struct ping_conf *c, const struct reply *r)
{
	int proto = warts_ping_is_udp(c->method) ? IPPROTO_UDP : IPPROTO_TCP, n;

	if (warts_ping_is_icmp(c->method))
		return match_icmp(p, c, r);
	if (r->kind == REPLY_ICMP_ERROR) {
		if (r->q_proto != proto)
			return -1;
		n = match_ports(p, c, r->q_sport, r->q_dport);
		return n == p->nsent ? by_ipid(p, r) : n;
	}
	if (r->kind != (proto == IPPROTO_UDP ? REPLY_UDP : REPLY_TCP))
		return -1;
	n = match_ports(p, c, r->dport, r->sport);
	return n == p->nsent ? p->nsent - 1 : n;
}

static void
keep_rest(struct task *t, struct ping_answer *a, const struct reply *r)
{
	if (r->kind != REPLY_ICMP_TIME && r->ip_option_len == 0)
		return;
	a->rest = technique_block(t);
	if (r->kind == REPLY_ICMP_TIME) {
		a->has_icmp_ts = 1;
		memcpy(a->rest->icmp_ts, r->icmp_stamps, 12);
	}
	if (r->ip_option_len != 0) {
		a->option_len = r->ip_option_len & 63;
		memcpy(a->rest->option, r->ip_option, r->ip_option_len);
	}
}

static void
answer_add(struct task *t, struct ping *p, const struct reply *r, int number)
{
	struct ping_answer *a = technique_block(t);
	int64_t tx_ns = p->start_ns +
	    (int64_t)ping_tx_us(p, (unsigned int)number) * NS_PER_US;
	int64_t rtt_us = (r->rx_ns - tx_ns) / NS_PER_US;

	a->next = p->nanswers > 0 ? p->answers->next : a;
	if (p->nanswers > 0)
		p->answers->next = a;
	p->answers = a;
	p->nanswers++;
	a->from = r->from;
	a->rtt_us = rtt_us < 0	  ? 0
	    : rtt_us > UINT32_MAX ? UINT32_MAX
				  : (uint32_t)rtt_us;
	a->probe = (uint16_t)number;
	a->size = r->size;
	a->ipid = r->ipid;
	a->has_fragid = r->has_fragid;
	a->fragid = r->fragid;
	a->nhmtu = r->nhmtu;
	a->ttl = r->ttl;
	a->tos = r->tos;
	a->protocol = r->protocol;
	a->icmp_type = r->icmp_type;
	a->icmp_code = r->icmp_code;
	a->tcp_flags = r->tcp_flags;
	keep_rest(t, a, r);
}

/* With the too-big trick an echo reply that came whole does not count. */
static int
counts(const struct ping_conf *c, const struct reply *r)
{
	return !(c->flags & WARTS_PING_TBT) || r->has_fragid ||
	    r->kind != REPLY_ICMP_ECHO;
}

/* R is to be told, as soon as the probe has left that is on its way out. */
static void
tell(struct task *t, struct ping *p, const struct reply *r)
{
	keep_quote(p->more, r);
	if (*probe_at(p, p->nsent - 1u) != PING_UNSENT)
		probe_send(t);
}

static void
ping_reply(struct task *t, const struct reply *r)
{
	struct ping *p = task_state(t);
	const struct ping_conf *c = task_conf(t);
	int number = match(p, c, r);
	uint64_t *probe;

	if (number == -1 || p->nanswers == ANSWERS_MAX)
		return;
	probe = probe_at(p, (unsigned int)number);
	if (*probe == PING_UNSENT)
		return; /* cannot answer what has not left: forged */
	answer_add(t, p, r, number);
	if (is_too_big(c, r))
		tell(t, p, r);
	if (*probe & PING_ANSWERED)
		return;
	*probe |= PING_ANSWERED;
	p->nanswered += counts(c, r);
	if (c->reply_count != 0 && p->nanswered >= c->reply_count)
		finish(t, p, WARTS_PING_STOP_COMPLETED, 0);
}

const struct technique technique_ping = {
    .name = "ping",
    .help = "ping by ICMP, UDP or TCP",
    .conf_size = sizeof(struct ping_conf),
    .state_size = sizeof(struct ping),
    .opts = ping_opts,
    .defaults = ping_defaults,
    .check = ping_check,
    .check_target = ping_check_target,
    .route = ping_route,
    .extras = ping_extras,
    .start = ping_start,
    .probe = ping_probe,
    .sent = ping_sent,
    .reply = ping_reply,
    .timeout = ping_timeout,
    .again = ping_again,
    .unsent = ping_unsent,
    .failed = ping_failed,
    .record = ping_record,
};
