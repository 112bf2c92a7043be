/*
 * trace_sim: an engine and a network for one trace, with a clock of their own.
 *
 * The engine defines what technique.h promises to techniques.  Probes become
 * packets by packet_build, replies are packets too and come back through
 * packet_parse.  A path is text, a word per ttl, the last one for all beyond:
 *
 *	7	time exceeded from router 7 (10.0.0.7, fd00::7)
 *	*	silence
 *	D	the target answers as targets do: port unreachable, echo reply
 *	7!u13	unreachable with code 13; D!t time exceeded; 7!p parameter
 *		problem; 7!b too big; D!r the target's UDP reply
 *	7?1	answers from attempt 1 on;  7<1 below attempt 1 only
 *	7@900	after 900 ms instead of a millisecond per ttl
 *	7x3	three copies
 *
 * The name of an address that was asked for is "nN", N its last byte.
 *
 * A record is shown as text again, "TTL.ATTEMPT=WHO ...".
 */
#ifndef TESTS_UNIT_TRACE_SIM_H
#define TESTS_UNIT_TRACE_SIM_H

#include "tests/unit/test.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "prober/net/packet_parse.h"
#include "prober/tech/trace.h"

#define START_NS (1700000000 * NS_PER_SEC + 999999000)
#define SENT_MAX 6000
#define QUEUED_MAX 64
#define FORWARD_TTL 61 /* of replies on arrival */

enum force { FORCE_NONE, FORCE_SEND, FORCE_WAIT, FORCE_DONE };

struct memory {
	struct memory *next;
	max_align_t bytes[];
};

#define BLOCKS_MAX 4000
#define NAMED_MAX 1000

struct task {
	struct measurement *m;
	struct addr src, dst;
	enum force force;
	int64_t now_ns, due_ns;
	struct memory *memory;
	struct addr named[NAMED_MAX]; /* whose names were asked for */
	unsigned int nnamed;
	int pending; /* a name is still to come */
	void **blocks; /* BLOCKS_MAX, in the order of their making */
	unsigned int nblocks;
	union {
		struct trace trace;
		max_align_t align;
	} state;
};

struct packet {
	int64_t ns;
	size_t len;
	uint8_t b[700];
};

struct sent {
	int64_t ns;
	struct probe pr;
	int len;
	uint8_t b[100]; /* the first of it */
};

struct sim {
	struct task t;
	const char *path;
	struct sent *sent; /* SENT_MAX */
	unsigned int nsent;
	struct packet queue[QUEUED_MAX]; /* replies under way */
	unsigned int nqueued;
	/* Change the reply PKT to probe NUMBER, whose quote is at QUOTE. */
	void (*mangle)(struct sim *s, struct packet *pkt, uint8_t *quote);
	int put_off; /* each probe finds no way, the first time */
	const uint8_t *ext; /* appended behind 128 bytes of quote */
	size_t ext_len;
	struct technique_record rec;
};

/* --- what the engine gives ----------------------------------------------------- */

static struct task *scratch_task;

static inline void *
sim_memory(struct task *t, size_t size)
{
	struct memory *m = calloc(1, sizeof(*m) + size);

	m->next = t->memory;
	t->memory = m;
	return m->bytes;
}

void *
technique_block(struct task *t)
{
	if (t->blocks == NULL)
		t->blocks = sim_memory(t, BLOCKS_MAX * sizeof(*t->blocks));
	assert_true(t->nblocks < BLOCKS_MAX);
	return t->blocks[t->nblocks++] = sim_memory(t, TECHNIQUE_BLOCK);
}

const void *
technique_earlier_block(const struct task *t, const void *block)
{
	unsigned int i = t->nblocks;

	while (block != NULL && t->blocks[--i] != block)
		;
	return i > 0 ? t->blocks[i - 1] : NULL;
}

void *
technique_extra(void **chain, size_t size)
{
	void *p = sim_memory(scratch_task, size);

	if (*chain == NULL)
		*chain = p;
	return p;
}

uint16_t
task_mtu(const struct task *t)
{
	(void)t;
	return 1500;
}

void *
technique_scratch(size_t size)
{
	return sim_memory(scratch_task, size);
}

static inline int
sim_is_named(const struct task *t, const struct addr *a)
{
	for (unsigned int i = 0; i < t->nnamed; i++) {
		if (addr_equal(&t->named[i], a))
			return 1;
	}
	return 0;
}

int
technique_name_wait(struct task *t, const struct addr *a)
{
	if (!sim_is_named(t, a)) {
		assert_true(t->nnamed < NAMED_MAX);
		t->named[t->nnamed++] = *a;
	}
	return t->pending;
}

const char *
technique_name(const struct task *t, const struct addr *a)
{
	char *text;

	if (!sim_is_named(t, a))
		return NULL;
	text = sim_memory(scratch_task, 8);
	snprintf(text, 8, "n%u", a->b[a->family == ADDR_IPV4 ? 3 : 15]);
	return text;
}

void *
task_state(struct task *t)
{
	return &t->state;
}

const void *
task_conf(const struct task *t)
{
	return t->m->conf;
}

const struct addr *
task_src(const struct task *t)
{
	return &t->src;
}

const struct addr *
task_dst(const struct task *t)
{
	return &t->dst;
}

void
probe_send(struct task *t)
{
	assert_int_not_equal(t->force, FORCE_DONE);
	t->force = FORCE_SEND;
}

void
probe_wait(struct task *t, int64_t wait_ns)
{
	assert_int_not_equal(t->force, FORCE_DONE);
	assert_true(wait_ns > 0);
	t->force = FORCE_WAIT;
	t->due_ns = t->now_ns + wait_ns;
}

void
probe_done(struct task *t)
{
	assert_int_not_equal(t->force, FORCE_DONE);
	t->force = FORCE_DONE;
}

/* --- the scene --------------------------------------------------------------------- */

static inline struct addr
sim_router(int family, int n)
{
	uint8_t b[16] = {10, 0, 0, (uint8_t)n};

	if (family == ADDR_IPV6) {
		b[0] = 0xfd;
		b[3] = 0;
		b[15] = (uint8_t)n;
	}
	return addr_make(family, b);
}

static inline void
sim_open(struct sim *s, const char *options, int family, const char *path)
{
	char why[200] = "", text[4096];

	memset(s, 0, sizeof(*s));
	snprintf(text, sizeof(text), "trace -s 50000 %s", options);
	s->t.m = technique_parse(text, NULL, why, sizeof(why));
	assert_string_equal(why, "");
	s->t.src = sim_router(family, 200);
	s->t.dst = sim_router(family, 250);
	s->path = path;
	s->t.now_ns = START_NS;
	s->sent = calloc(SENT_MAX, sizeof(*s->sent));
	scratch_task = &s->t;
	s->t.m->tech->start(&s->t, s->t.now_ns);
}

static inline void
sim_close(struct sim *s)
{
	struct memory *m;

	while ((m = s->t.memory) != NULL) {
		s->t.memory = m->next;
		free(m);
	}
	technique_unref(s->t.m);
	free(s->sent);
}

/* --- the network --------------------------------------------------------------------- */

struct hop_desc {
	int router; /* 0 silent */
	char what; /* 0, t, u, p, b, r */
	int code, from, below, rtt_ms, copies;
};

static inline struct hop_desc
sim_hop(const struct sim *s, int ttl)
{
	struct hop_desc h = {.below = 99, .rtt_ms = ttl, .copies = 1};
	const char *p = s->path, *word = p;
	char *end;

	for (int i = 1; i < ttl && (p = strchr(word, ' ')) != NULL; i++)
		word = p + 1;
	if (*word == '*')
		return h;
	h.router = *word == 'D' ? 250 : (int)strtol(word, &end, 10);
	p = *word == 'D' ? word + 1 : end;
	while (*p != ' ' && *p != '\0') {
		char c = *p++;

		if (c == '!')
			h.what = *p++;
		if (c == '!' && (*p < '0' || *p > '9'))
			continue;
		*(c == '!'	   ? &h.code
			: c == '?' ? &h.from
			: c == '<' ? &h.below
			: c == '@' ? &h.rtt_ms
				   : &h.copies) = (int)strtol(p, &end, 10);
		p = end;
	}
	return h;
}

static inline void
sim_set16(uint8_t *p, unsigned int v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* The outer header of a reply from FROM with LEN bytes behind it. */
static inline size_t
sim_ip(const struct sim *s, uint8_t *b, int proto, const struct addr *from,
    size_t len)
{
	int v4 = from->family == ADDR_IPV4;
	size_t hlen = v4 ? 20 : 40;

	memset(b, 0, hlen);
	b[0] = v4 ? 0x45 : 0x6c;
	b[1] = v4 ? 0xc0 : 0;
	sim_set16(b + (v4 ? 2 : 4), (unsigned int)(len + (v4 ? hlen : 0)));
	if (v4)
		sim_set16(b + 4, 0x7777);
	b[v4 ? 8 : 7] = FORWARD_TTL;
	b[v4 ? 9 : 6] = (uint8_t)proto;
	memcpy(b + (v4 ? 12 : 8), from->b, v4 ? 4 : 16);
	memcpy(b + (v4 ? 16 : 24), s->t.src.b, v4 ? 4 : 16);
	return hlen;
}

/* ICMP type and code of an error by H; DEST: by a target of the method. */
static inline void
sim_icmp_type(const struct hop_desc *h, int v4, uint8_t *icmp)
{
	switch (h->what) {
	case 'u':
		icmp[0] = v4 ? 3 : 1;
		icmp[1] = (uint8_t)h->code;
		break;
	case 'p':
		icmp[0] = v4 ? 12 : 4;
		break;
	case 'b':
		icmp[0] = v4 ? 3 : 2;
		icmp[1] = v4 ? 4 : 0;
		sim_set16(icmp + 6, 1400);
		break;
	case 't':
		icmp[0] = v4 ? 11 : 3;
		break;
	default:
		icmp[0] = h->router == 250 ? (v4 ? 3 : 1) : (v4 ? 11 : 3);
		icmp[1] = h->router == 250 ? (v4 ? 3 : 4) : 0;
		break;
	}
}

/* The reply by H to the packet P. */
static inline void
sim_reply(struct sim *s, const struct sent *p, const struct hop_desc *h,
    struct packet *out)
{
	int family = s->t.dst.family, v4 = family == ADDR_IPV4;
	int udp = p->pr.kind == PROBE_UDP, icmp = v4 ? 1 : 58;
	struct addr from = sim_router(family, h->router);
	size_t hlen = v4 ? 20 : 40, quoted = v4 ? 28 : (size_t)p->len;
	uint8_t *b = out->b, *l4 = b + hlen;

	memset(b, 0, sizeof(out->b));
	if (h->what == 'r') {
		sim_ip(s, b, IPPROTO_UDP, &from, 8);
		sim_set16(l4, p->pr.dport);
		sim_set16(l4 + 2, p->pr.sport);
		out->len = hlen + 8;
		return;
	}
	if (h->router == 250 && h->what == 0 && !udp) {
		sim_ip(s, b, icmp, &from, 8);
		l4[0] = v4 ? 0 : 129;
		sim_set16(l4 + 4, p->pr.sport);
		sim_set16(l4 + 6, p->pr.dport);
		out->len = hlen + 8;
		return;
	}
	if (quoted > sizeof(p->b))
		quoted = sizeof(p->b);
	if (s->ext != NULL)
		quoted = 128;
	sim_ip(s, b, icmp, &from, 8 + quoted + s->ext_len);
	sim_icmp_type(h, v4, l4);
	memcpy(l4 + 8, p->b, quoted < sizeof(p->b) ? quoted : sizeof(p->b));
	l4[8 + (v4 ? 8 : 7)] = 1;
	if (s->ext != NULL)
		memcpy(l4 + 8 + quoted, s->ext, s->ext_len);
	out->len = hlen + 8 + quoted + s->ext_len;
	if (s->mangle != NULL)
		s->mangle(s, out, l4 + 8);
}

static inline void
sim_queue(struct sim *s, const struct packet *pkt)
{
	unsigned int i = s->nqueued++;

	assert_true(i < QUEUED_MAX);
	for (; i > 0 && s->queue[i - 1].ns > pkt->ns; i--)
		s->queue[i] = s->queue[i - 1];
	s->queue[i] = *pkt;
}

/* --- the engine ---------------------------------------------------------------------- */

/* Let the technique build its probe; it has not left yet. */
static inline struct sent *
sim_build(struct sim *s)
{
	struct sent *p = &s->sent[s->nsent++];
	static uint8_t bytes[PROBE_SIZE_MAX];

	assert_int_equal(s->t.force, FORCE_SEND);
	assert_true(s->nsent < SENT_MAX);
	s->t.force = FORCE_NONE;
	s->t.m->tech->probe(&s->t, &p->pr);
	assert_int_equal(s->t.force, FORCE_NONE);
	p->len = packet_build(&p->pr, bytes, sizeof(bytes));
	assert_true(p->len > 0);
	memcpy(p->b, bytes,
	    (size_t)p->len < sizeof(p->b) ? (size_t)p->len : sizeof(p->b));
	return p;
}

/* It leaves, and the network acts. */
static inline void
sim_leave(struct sim *s, struct sent *p)
{
	const struct trace *tr = &s->t.state.trace;
	const struct trace_conf *c = task_conf(&s->t);
	struct hop_desc h = sim_hop(s, p->pr.ttl);
	int attempt = trace_probe_get(&s->t, tr, p->pr.id)->attempt;
	enum force before = s->t.force;
	struct packet pkt;

	p->ns = s->t.now_ns;
	s->t.m->tech->sent(&s->t, p->pr.id, s->t.now_ns);
	if (before == FORCE_NONE && c->squeries < 2)
		assert_int_equal(s->t.force, FORCE_WAIT);
	if (h.router == 0 || attempt < h.from || attempt >= h.below)
		return;
	sim_reply(s, p, &h, &pkt);
	for (int i = 0; i < h.copies; i++) {
		pkt.ns = s->t.now_ns + h.rtt_ms * NS_PER_MS + i * NS_PER_US;
		sim_queue(s, &pkt);
	}
}

/* Hand PKT to the technique as the engine would; non-zero if it was for the
 * task. */
static inline int
sim_deliver(struct sim *s, const struct packet *pkt)
{
	struct reply r;

	if (packet_parse(pkt->b, pkt->len, &r) == -1 ||
	    !addr_equal(&r.target, &s->t.dst) || s->t.force == FORCE_DONE)
		return 0;
	r.rx_ns = s->t.now_ns;
	s->t.m->tech->reply(&s->t, &r);
	return 1;
}

static inline void
sim_timeout(struct sim *s)
{
	s->t.force = FORCE_NONE;
	s->t.m->tech->timeout(&s->t);
	assert_int_not_equal(s->t.force, FORCE_NONE);
}

/* One event: a probe leaves, a reply arrives, or a wait ends. */
static inline void
sim_step(struct sim *s)
{
	struct packet pkt;
	struct sent *p;

	if (s->t.force == FORCE_SEND) {
		p = sim_build(s);
		if (s->put_off) {
			s->nsent--;
			s->t.m->tech->unsent(&s->t);
			p = sim_build(s);
		}
		sim_leave(s, p);
		return;
	}
	assert_int_equal(s->t.force, FORCE_WAIT);
	if (s->nqueued > 0 && s->queue[0].ns <= s->t.due_ns) {
		pkt = s->queue[0];
		memmove(
		    s->queue, s->queue + 1, --s->nqueued * sizeof(s->queue[0]));
		s->t.now_ns = pkt.ns;
		sim_deliver(s, &pkt);
		return;
	}
	s->t.now_ns = s->t.due_ns;
	sim_timeout(s);
}

static inline const struct warts_trace *
sim_run(struct sim *s)
{
	while (s->t.force != FORCE_DONE)
		sim_step(s);
	s->t.m->tech->record(&s->t, &s->rec);
	assert_int_equal(s->rec.type, WARTS_TRACE);
	return &s->rec.trace;
}

/* HOPS as "TTL.ATTEMPT=WHO ...". */
static inline const char *
sim_show(const struct warts_hop *hops, unsigned int n, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned int i = 0; i < n && len < size; i++) {
		const struct warts_hop *h = &hops[i];
		int who = h->addr.b[h->addr.family == ADDR_IPV4 ? 3 : 15];

		len += (size_t)snprintf(buf + len, size - len,
		    who == 250 ? "%s%u.%u=D" : "%s%u.%u=%d", i > 0 ? " " : "",
		    h->probe_ttl, h->attempt, who);
	}
	return buf;
}

#endif
