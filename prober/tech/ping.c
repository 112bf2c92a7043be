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
 */
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/scan.h"
#include "prober/tech/ping.h"

#define US_PER_SEC 1000000
#define AGAINS_MAX 8 /* probes repeated for losses of our own, per ping */
#define ANSWERS_MAX 0xffff
#define PATTERN_MAX 16 /* bytes of -p */
#define PAYLOAD_MAX 1000 /* bytes of -B */

static const char *const method_words[] = {
    [WARTS_PING_ICMP_ECHO] = "icmp-echo",
    [WARTS_PING_TCP_ACK] = "tcp-ack",
    [WARTS_PING_TCP_ACK_SPORT] = "tcp-ack-sport",
    [WARTS_PING_UDP] = "udp",
    [WARTS_PING_UDP_DPORT] = "udp-dport",
    [WARTS_PING_ICMP_TIME] = "icmp-time",
    [WARTS_PING_TCP_SYN] = "tcp-syn",
    [WARTS_PING_TCP_SYNACK] = "tcp-synack",
    [WARTS_PING_TCP_RST] = "tcp-rst",
    [WARTS_PING_TCP_SYN_SPORT] = "tcp-syn-sport",
    [WARTS_PING_UDP_SPORT] = "udp-sport",
    NULL,
};

/* --- options ------------------------------------------------------------------ */

static const char *
set_timestamp(void *conf, const char *arg)
{
	struct ping_conf *c = conf;
	const char *list = scan_keyvalue(arg, "tsprespec");

	if (strcasecmp(arg, "tsonly") == 0)
		c->flags |= WARTS_PING_TSONLY;
	else if (strcasecmp(arg, "tsandaddr") == 0)
		c->flags |= WARTS_PING_TSANDADDR;
	else if (list == NULL)
		return "must be tsonly, tsandaddr or tsprespec=ADDRESS,...";
	else if (technique_addrs_scan(list, ADDR_IPV4, &c->tsps) == -1)
		return "tsprespec= must be 1 - 4 IPv4 addresses";
	return NULL;
}

#define AT(member) offsetof(struct ping_conf, member)

static const struct technique_opt ping_opts[] = {
    {'A', OPT_U32, AT(tcp_number), 0, UINT32_MAX, "tcp ack", NULL,
	AT(has_number), NULL},
    {'B', OPT_HEX, AT(payload), 0, PAYLOAD_MAX, "payload", NULL, 0, NULL},
    {'c', OPT_U16, AT(probe_count), 1, 65535, "probe count", NULL, 0, NULL},
    {'C', OPT_U16, AT(icmp_sum), 0, 65535, "checksum", NULL, AT(has_sum), NULL},
    {'d', OPT_U16, AT(dport), 0, 65535, "dport", NULL, AT(has_dport), NULL},
    {'F', OPT_U16, AT(sport), 0, 65535, "sport", NULL, AT(has_sport), NULL},
    {'i', OPT_SECONDS, AT(wait_us), 1000, 20 * US_PER_SEC,
	"wait between probes", NULL, 0, NULL},
    {'m', OPT_U8, AT(ttl), 1, 255, "ttl", NULL, 0, NULL},
    {'o', OPT_U16, AT(reply_count), 0, 65535, "reply count", NULL, 0, NULL},
    {'p', OPT_HEX, AT(pattern), 1, PATTERN_MAX, "pattern", NULL, 0, NULL},
    {'P', OPT_WORD, AT(method), 0, 0, "method", method_words, 0, NULL},
    {'R', OPT_FLAG, AT(flags), WARTS_PING_V4RR, 0, "record route", NULL, 0,
	NULL},
    {'s', OPT_U16, AT(size), 0, 65535, "probe size", NULL, 0, NULL},
    {'T', OPT_CALL, 0, 0, 0, "timestamp option", NULL, 0, set_timestamp},
    {'U', OPT_U32, AT(user_id), 0, UINT32_MAX, "userid", NULL, 0, NULL},
    {'W', OPT_SECONDS, AT(timeout_us), 1000, 255 * US_PER_SEC, "wait timeout",
	NULL, AT(has_timeout), NULL},
    {'z', OPT_U8, AT(tos), 0, 255, "tos", NULL, 0, NULL},
    {0, 0, 0, 0, 0, NULL, NULL, 0, NULL},
};

static void
ping_defaults(void *conf)
{
	struct ping_conf *c = conf;

	c->probe_count = 4;
	c->wait_us = US_PER_SEC;
	c->timeout_us = US_PER_SEC;
	c->ttl = 64;
	c->method = WARTS_PING_ICMP_ECHO;
}

/* What depends on the method: ports and numbers. */
static const char *
check_method(struct ping_conf *c)
{
	if (!c->has_sport)
		c->sport = warts_ping_is_icmp(c->method)
		    ? technique_default_id()
		    : technique_default_port();
	if (!c->has_dport && !warts_ping_is_icmp(c->method))
		c->dport = 33435;
	if (c->has_sum && !warts_ping_is_icmp(c->method))
		return "a checksum can only be chosen for ICMP";
	if (c->has_sum)
		c->flags |= WARTS_PING_ICMPSUM;
	return NULL;
}

/* Which data are in the probe, and how large it is at least. */
static const char *
check_data(struct ping_conf *c)
{
	int options = (c->flags & WARTS_PING_V4RR) != 0;

	options += (c->flags & WARTS_PING_TSONLY) != 0;
	options += (c->flags & WARTS_PING_TSANDADDR) != 0;
	options += c->tsps.count != 0;
	if (options > 1)
		return "one IP option at most: record route or a timestamp";
	if (c->payload.len != 0 && c->pattern.len != 0)
		return "cannot set both payload and pattern";
	if (c->payload.len != 0)
		c->flags |= WARTS_PING_PAYLOAD;
	if (c->has_sum && c->payload.len == 1)
		return "a chosen checksum needs two bytes of payload";
	return NULL;
}

static const char *
ping_check(void *conf)
{
	struct ping_conf *c = conf;
	const char *why = check_method(c);

	if (why == NULL)
		why = check_data(c);
	/* A wait of more than 1 s between probes is one for the last, too. */
	if (!c->has_timeout && c->wait_us > c->timeout_us)
		c->timeout_us = c->wait_us;
	return why;
}

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

static void
ping_start(struct task *t, int64_t wall_ns)
{
	struct ping *p = task_state(t);
	uint64_t h = addr_hash(task_dst(t)) ^ (uint64_t)wall_ns;

	p->start_ns = wall_ns;
	p->random = (uint32_t)(h * 0x9e3779b97f4a7c15ULL >> 32);
	p->mode = PING_SENDING;
	probe_send(t);
}

static void
ping_probe(struct task *t, struct probe *pr)
{
	struct ping *p = task_state(t);

	/* A probe that is sent again keeps its number. */
	if (p->mode == PING_SENDING)
		probe_add(t, p);
	ping_make(t, p->nsent - 1u, pr);
}

static void
ping_sent(struct task *t, uint32_t id, int64_t tx_ns)
{
	struct ping *p = task_state(t);
	const struct ping_conf *c = task_conf(t);

	if (tx_ns < p->start_ns)
		tx_ns = p->start_ns; /* the clock has been set back */
	*probe_at(p, id) = (uint64_t)(tx_ns - p->start_ns) / NS_PER_US;
	p->mode = p->nsent < c->probe_count ? PING_INTERVAL : PING_LAST;
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
ping_failed(struct task *t, int err)
{
	struct ping *p = task_state(t);

	/* It was counted when it was built, and has not left. */
	if (p->nsent > 0 && *probe_at(p, p->nsent - 1u) == PING_UNSENT)
		p->nsent--;
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
keep_option(struct ping_answer *a, const struct reply *r)
{
	if (r->kind == REPLY_ICMP_TIME) {
		a->has_icmp_ts = 1;
		a->option_len = 12;
		memcpy(a->option, r->icmp_stamps, 12);
	} else if (r->ip_option_len != 0) {
		a->option_len = r->ip_option_len;
		memcpy(a->option, r->ip_option, r->ip_option_len);
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
	keep_option(a, r);
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
	if (*probe & PING_ANSWERED)
		return;
	*probe |= PING_ANSWERED;
	p->nanswered++;
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
    .start = ping_start,
    .probe = ping_probe,
    .sent = ping_sent,
    .reply = ping_reply,
    .timeout = ping_timeout,
    .again = ping_again,
    .failed = ping_failed,
    .record = ping_record,
};
