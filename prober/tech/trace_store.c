/*
 * trace_store: the log of a trace in progress (its entries are in trace.h, their
 * bits in trace_log.h).
 *
 * A million of these logs are what the Prober's memory is for, so an entry has
 * no byte that can be told from those before it or from the measurement.  It is
 * made in the state, which is at hand, and goes to a block with all the others
 * there when there is no room for more.  Who reads has them copied together:
 * that is once per trace, if nothing strange happens.
 */
#include <endian.h>
#include <string.h>

#include "common/xmalloc.h"
#include "prober/tech/trace_log.h"

static uint16_t
header_size(int family)
{
	return family == ADDR_IPV4 ? 20 : 40;
}

/* Of an ICMP error that quotes so much. */
static uint16_t
size_short(int family)
{
	return (uint16_t)(2 * header_size(family) + 8 + QUOTE_SHORT);
}

static uint16_t
size_all(const struct task *t, int family)
{
	return (uint16_t)(header_size(family) + 8 +
	    trace_probe_size(task_conf(t), family));
}

/* --- writing ---------------------------------------------------------------- */

__attribute__((noinline)) static void
append_bytes(struct task *t, struct trace *tr, const uint8_t *p, size_t n)
{
	size_t part;

	while (n > 0) {
		if (tr->log_len == sizeof(tr->log)) {
			memcpy(technique_block(t), tr->log, sizeof(tr->log));
			tr->nblocks++;
			tr->log_len = 0;
		}
		part = sizeof(tr->log) - tr->log_len;
		if (part > n)
			part = n;
		memcpy(tr->log + tr->log_len, p, part);
		tr->log_len = (uint8_t)(tr->log_len + part);
		p += part;
		n -= part;
	}
}

/* Where the next entry, of which up to NEED bytes will be touched, is to be made:
 * in its place, or else in BUF. */
static inline uint8_t *
begin(struct trace *tr, size_t need, uint8_t *buf)
{
	if (sizeof(tr->log) - tr->log_len < need)
		return buf;
	return tr->log + tr->log_len;
}

/* The entry has been made where begin() said: N bytes at E, perhaps BUF. */
static inline void
end(struct task *t, struct trace *tr, const uint8_t *buf, const uint8_t *e,
    size_t n)
{
	if (e == buf)
		append_bytes(t, tr, e, n);
	else
		tr->log_len = (uint8_t)(tr->log_len + n);
}

/* An entry of KIND: LEN bytes at P. */
static void
append_other(struct task *t, struct trace *tr, enum other kind, const void *p,
    size_t len)
{
	uint8_t e[ENTRY_MAX];

	e[0] = (uint8_t)(CODE_OTHER << CODE_SHIFT | kind);
	memcpy(e + 1, p, len);
	append_bytes(t, tr, e, 1 + len);
}

static void
set_us(struct trace_probe *p, uint64_t us)
{
	p->us_low = (uint32_t)us;
	p->us_high = us >> 32 & 0x1ff;
}

static inline uint32_t
wait_us_of(const struct task *t)
{
	const struct trace_conf *c = task_conf(t);

	return c->wait_s * (uint32_t)(NS_PER_SEC / NS_PER_US);
}

/* When the next probe is expected, since the last one left. */
static inline uint32_t
expected_us(const struct task *t, const struct trace *tr)
{
	if (tr->heard == 0)
		return wait_us_of(t);
	return (uint32_t)(tr->heard & ~HEARD) << HEARD_SHIFT;
}

void
trace_probe_add(struct task *t, struct trace *tr, uint8_t ttl, uint8_t attempt)
{
	struct trace_probe *p = &tr->last;
	enum trace_step step = STEP_OTHER;

	if (ttl == p->ttl + 1 && attempt == 0)
		step = STEP_NEXT;
	else if (ttl == p->ttl && attempt == p->attempt + 1)
		step = STEP_RETRY;
	if (tr->nprobes == 0) {
		tr->heard = HEARD; /* so to speak: expected at 0 */
	} else if (!p->left) {
		append_other(t, tr, OTHER_PROBE, p, sizeof(*p));
		tr->heard = 0;
	}
	p->ttl = ttl;
	p->attempt = attempt;
	p->nreplies = 0;
	p->left = 0;
	p->step = step;
	tr->nprobes++;
}

/* Probe NUMBER is in the log, as one that had not left. */
static void
late_left(struct task *t, struct trace *tr, unsigned int number, uint64_t us)
{
	uint8_t e[ENTRY_MAX];
	struct trace_probe p = {.left = 1};
	uint16_t number16 = (uint16_t)number;

	set_us(&p, us);
	memcpy(e, &number16, 2);
	memcpy(e + 2, &p, sizeof(p));
	append_other(t, tr, OTHER_LEFT, e, 2 + sizeof(p));
}

void
trace_probe_left(
    struct task *t, struct trace *tr, unsigned int number, uint64_t tx_us)
{
	struct trace_probe *p = &tr->last;
	uint8_t buf[ENTRY_MAX], *e;
	uint64_t delta;
	uint32_t rest;
	int n;

	if (number + 1 != tr->nprobes) {
		late_left(t, tr, number, tx_us);
		return;
	}
	/* Huge if it is sooner. */
	delta = tx_us - trace_us(p) - expected_us(t, tr);
	tr->heard = 0;
	set_us(p, tx_us);
	p->left = 1;
	if (p->step == STEP_OTHER || delta > DELTA_MAX) {
		append_other(t, tr, OTHER_PROBE, p, sizeof(*p));
		return;
	}
	rest = (uint32_t)delta >> DELTA_LOW_BITS;
	n = (rest > 0) + (rest > 0xff) + (rest > 0xffff);
	e = begin(tr, PROBE_NEED, buf);
	e[0] = (uint8_t)(p->step << CODE_SHIFT | n << DELTA_BYTES_SHIFT |
	    (delta & ((1 << DELTA_LOW_BITS) - 1)));
	rest = htole32(rest);
	memcpy(e + 1, &rest, 4);
	end(t, tr, buf, e, 1 + (size_t)n);
}

static void
add_ext(struct task *t, struct trace *tr, const struct reply *r)
{
	append_other(t, tr, OTHER_EXT, &r->ext_len, sizeof(r->ext_len));
	append_bytes(t, tr, r->ext, r->ext_len);
	tr->exts = 1;
}

/* Is R what nearly all replies are (see trace.h)?  CONF's defaults of a hop. */
static int
is_plain(const struct task *t, const struct reply *r)
{
	const struct trace_conf *c = task_conf(t);
	int family = r->from.family;

	return r->kind == REPLY_ICMP_ERROR && r->icmp_code == 0 &&
	    r->icmp_type == trace_time_exceeded(family) && r->q_ttl == 1 &&
	    r->q_tos == c->tos && r->q_len == trace_probe_size(c, family);
}

static void
add_odd(struct task *t, struct trace *tr, const struct reply *r,
    unsigned int number)
{
	struct trace_odd o = {
	    .probe = (uint16_t)number,
	    .q_len = r->q_len,
	    .nhmtu = r->nhmtu,
	    .icmp_type = r->icmp_type,
	    .icmp_code = r->icmp_code,
	    .q_ttl = r->q_ttl,
	    .q_tos = r->q_tos,
	};

	if (r->kind == REPLY_UDP)
		o.flags = WARTS_HOP_UDP;
	if (r->kind == REPLY_TCP) {
		o.flags = WARTS_HOP_TCP;
		o.icmp_type = r->tcp_flags;
	}
	append_other(t, tr, OTHER_ODD, &o, sizeof(o));
}

static void
add_hop(struct task *t, struct trace *tr, const struct trace_hop *h, int family)
{
	size_t n = 4 + addr_len(family), need = trace_log_hop_need(family);
	enum hop_tos tos = TOS_GIVEN;
	enum hop_size size = SIZE_GIVEN;
	uint8_t buf[ENTRY_MAX], *e = begin(tr, need, buf);
	uint32_t rtt = htole32(h->rtt_us);
	int more =
	    (h->rtt_us > 0xff) + (h->rtt_us > 0xffff) + (h->rtt_us > 0xffffff);

	if (h->tos == 0 || h->tos == TOS_CONTROL)
		tos = h->tos == 0 ? TOS_0 : TOS_192;
	if (h->size == size_short(family))
		size = SIZE_SHORT;
	else if (h->size == size_all(t, family))
		size = SIZE_ALL;
	e[0] = (uint8_t)(CODE_HOP << CODE_SHIFT | more << DELTA_BYTES_SHIFT |
	    (int)tos << TOS_SHIFT | (int)size);
	e[1] = h->ttl;
	memcpy(e + 2, &h->ipid, 2);
	trace_log_copy(e + 4, h->addr, family);
	memcpy(e + n, &rtt, 4);
	n += (size_t)more + 1;
	if (tos == TOS_GIVEN)
		e[n++] = h->tos;
	memcpy(e + n, &h->size, 2);
	end(t, tr, buf, e, size == SIZE_GIVEN ? n + 2 : n);
}

static unsigned int count_replies(
    const struct task *t, const struct trace *tr, unsigned int number);

const struct trace_hop *
trace_hop_add(struct task *t, struct trace *tr, const struct reply *r,
    const struct trace_probe *p, unsigned int number)
{
	static struct trace_hop h;
	int64_t rtt_us;
	int is_last = number + 1 == tr->nprobes, is_odd;

	if ((is_last ? p->nreplies : count_replies(t, tr, number)) ==
	    REPLIES_MAX)
		return NULL;
	if (is_last)
		tr->last.nreplies++;
	is_odd = !is_last || !is_plain(t, r);
	if (is_odd)
		add_odd(t, tr, r, number);
	trace_log_copy(h.addr, r->from.b, r->from.family);
	if (((const struct trace_conf *)task_conf(t))->rare)
		tr->maybe_again = 1; /* `seen' is something else */
	else
		trace_loop_note(tr, &r->from);
	h.probe_ttl = p->ttl;
	/* The kernel stamps a reply on arrival, we stamp a batch around its
	 * system call: on a path of no length the difference may be below
	 * zero. */
	rtt_us =
	    (r->rx_ns - tr->start_ns) / NS_PER_US - (int64_t)trace_tx_us(p);
	h.rtt_us = rtt_us > 0 ? (uint32_t)rtt_us : 0;
	if (!is_odd)
		tr->heard = (uint16_t)(h.rtt_us >> HEARD_SHIFT) | HEARD;
	h.size = r->size;
	h.ipid = r->ipid;
	h.ttl = r->ttl;
	h.tos = r->tos;
	add_hop(t, tr, &h, r->from.family);
	tr->nhops++;
	if (r->ext_len > 0)
		add_ext(t, tr, r);
	return &h;
}

/* --- reading ---------------------------------------------------------------- */

/* A copy of T's log, with some bytes behind it, until the next call. */
static const uint8_t *
gather(const struct task *t, const struct trace *tr)
{
	static uint8_t *copy;
	static size_t size;
	size_t want = (tr->nblocks + 2) * sizeof(tr->log);
	const void *block = NULL;
	uint8_t *p;

	if (size < want) {
		size = 2 * want;
		copy = xreallocarray(copy, size, 1);
	}
	p = copy + tr->nblocks * sizeof(tr->log);
	memcpy(p, tr->log, sizeof(tr->log));
	while ((block = technique_earlier_block(t, block)) != NULL) {
		p -= sizeof(tr->log);
		memcpy(p, block, sizeof(tr->log));
	}
	return p;
}

/* Back to the beginning. */
static void
rewind_walk(struct trace_walk *w)
{
	memset(w, 0, offsetof(struct trace_walk, at));
	w->at = w->log;
}

void
trace_walk_init(
    struct trace_walk *w, const struct task *t, const struct trace *tr)
{
	int family = task_dst(t)->family;

	w->log = gather(t, tr);
	w->end = w->log + tr->nblocks * sizeof(tr->log) + tr->log_len;
	w->tr = tr;
	w->addr_len = (uint8_t)addr_len(family);
	w->wait_us = wait_us_of(t);
	w->sizes[SIZE_SHORT] = size_short(family);
	w->sizes[SIZE_ALL] = size_all(t, family);
	rewind_walk(w);
}

/* The entry that W is at, with all bytes behind it that will be touched; NULL at
 * the end. */
static inline const uint8_t *
look(const struct trace_walk *w)
{
	return w->at < w->end ? w->at : NULL;
}

/* NEXT or RETRY, at E. */
static inline size_t
read_probe(struct trace_walk *w, const uint8_t *e)
{
	static const uint32_t masks[] = {0, 0xff, 0xffff, 0xffffff};
	unsigned int n = e[0] >> DELTA_BYTES_SHIFT & 3;
	uint32_t rest;

	memcpy(&rest, e + 1, 4);
	rest = le32toh(rest) & masks[n];
	w->us = w->expected_us +
	    (rest << DELTA_LOW_BITS | (e[0] & ((1u << DELTA_LOW_BITS) - 1)));
	w->expected_us = w->us + w->wait_us;
	w->left = 1;
	if (e[0] >> CODE_SHIFT == CODE_NEXT) {
		w->ttl++;
		w->attempt = 0;
	} else {
		w->attempt++;
	}
	w->nprobes++;
	return 1 + n;
}

static inline size_t
read_hop(struct trace_walk *w, const uint8_t *e)
{
	static const uint8_t tos_of[] = {[TOS_192] = TOS_CONTROL, [3] = 0};
	unsigned int more = e[0] >> DELTA_BYTES_SHIFT & 3;
	unsigned int tos = e[0] >> TOS_SHIFT & 3, size = e[0] & 3;
	struct trace_hop *h = &w->hop;
	size_t n = 4u + w->addr_len;
	uint32_t rtt;

	h->ttl = e[1];
	memcpy(&h->ipid, e + 2, 2);
	trace_log_copy(
	    h->addr, e + 4, w->addr_len == 4 ? ADDR_IPV4 : ADDR_IPV6);
	memcpy(&rtt, e + n, 4);
	h->rtt_us = le32toh(rtt) & UINT32_MAX >> (24 - 8 * more);
	if (w->odd == NULL)
		w->expected_us = w->us + (h->rtt_us & HEARD_MASK);
	n += more + 1;
	h->tos = tos_of[tos];
	if (tos == TOS_GIVEN)
		h->tos = e[n++];
	h->size = w->sizes[size];
	if (size == SIZE_GIVEN) {
		memcpy(&h->size, e + n, 2);
		n += 2;
	}
	return n;
}

static size_t
read_other(struct trace_walk *w, const uint8_t *e)
{
	struct trace_probe p;
	uint16_t len;

	switch (e[0] & ((1 << CODE_SHIFT) - 1)) {
	case OTHER_PROBE:
		memcpy(&p, e + 1, sizeof(p));
		w->us = trace_us(&p);
		w->expected_us = w->us + w->wait_us;
		w->ttl = p.ttl;
		w->attempt = p.attempt;
		w->left = p.left;
		w->nprobes++;
		return 1 + sizeof(p);
	case OTHER_LEFT:
		return 1 + 2 + sizeof(p);
	case OTHER_ODD:
		memcpy(&w->odd_bytes, e + 1, sizeof(w->odd_bytes));
		w->odd = &w->odd_bytes;
		return 1 + sizeof(w->odd_bytes);
	default:
		memcpy(&len, e + 1, 2);
		return 1 + 2 + (size_t)len;
	}
}

/* Behind the entry E, which W is at.  Returns its code. */
static inline int
step(struct trace_walk *w, const uint8_t *e)
{
	int code = e[0] >> CODE_SHIFT;

	if (code == CODE_HOP)
		w->at += read_hop(w, e);
	else if (code == CODE_OTHER)
		w->at += read_other(w, e);
	else
		w->at += read_probe(w, e);
	return code;
}

/* The probe met last. */
static inline struct trace_probe
last_met(const struct trace_walk *w)
{
	struct trace_probe p = {
	    .ttl = w->ttl,
	    .attempt = w->attempt & 31,
	    .left = w->left & 1,
	};

	set_us(&p, w->us);
	return p;
}

/* To the next reply and the number of the probe that it answers. */
static int
next_hop(struct trace_walk *w)
{
	const uint8_t *e;

	w->odd = NULL;
	while ((e = look(w)) != NULL) {
		if (step(w, e) != CODE_HOP)
			continue;
		w->number = w->odd != NULL ? w->odd->probe : w->nprobes - 1;
		return 1;
	}
	return 0;
}

static unsigned int
count_replies(const struct task *t, const struct trace *tr, unsigned int number)
{
	struct trace_walk w;
	unsigned int n = 0;

	trace_walk_init(&w, t, tr);
	while (next_hop(&w))
		n += w.number == number;
	return n;
}

/* Probe NUMBER, which is P, had not left where W is: but it may have soon. */
static void
note_left(struct trace_walk *w, unsigned int number, struct trace_probe *p)
{
	const uint8_t *e;
	struct trace_probe left;
	uint16_t which;

	for (; !p->left && (e = look(w)) != NULL; step(w, e)) {
		if (e[0] != (CODE_OTHER << CODE_SHIFT | OTHER_LEFT))
			continue;
		memcpy(&which, e + 1, 2);
		memcpy(&left, e + 3, sizeof(left));
		if (which != number)
			continue;
		set_us(p, trace_us(&left));
		p->left = 1;
	}
}

/* Probe NUMBER; W is anywhere, and then elsewhere. */
static struct trace_probe
find(struct trace_walk *w, unsigned int number)
{
	struct trace_probe found;
	const uint8_t *e;

	rewind_walk(w);
	while (w->nprobes <= number && (e = look(w)) != NULL) {
		if (step(w, e) == CODE_HOP)
			w->odd = NULL;
	}
	found = last_met(w);
	note_left(w, number, &found);
	return found;
}

const struct trace_probe *
trace_probe_find(
    const struct task *t, const struct trace *tr, unsigned int number)
{
	static struct trace_probe found;
	struct trace_walk w;

	trace_walk_init(&w, t, tr);
	found = find(&w, number);
	return &found;
}

int
trace_walk_next(struct trace_walk *w)
{
	struct trace_walk from;
	struct trace_probe p;

	if (!next_hop(w))
		return 0;
	if (w->number == w->nprobes - 1 && w->left) {
		w->probe_us = w->us;
		w->probe_attempt = w->attempt;
		w->hop.probe_ttl = w->ttl;
	} else {
		from = *w;
		p = find(&from, w->number);
		w->probe_us = trace_tx_us(&p);
		w->probe_attempt = p.attempt;
		w->hop.probe_ttl = p.ttl;
	}
	return 1;
}

size_t
trace_walk_ext(const struct trace_walk *w, uint8_t *out)
{
	const uint8_t *e = look(w);
	uint16_t len;

	if (e == NULL || e[0] != (CODE_OTHER << CODE_SHIFT | OTHER_EXT))
		return 0;
	memcpy(&len, e + 1, 2);
	if (out != NULL)
		memcpy(out, e + 1 + 2, len);
	return len;
}
