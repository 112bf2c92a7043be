/*
 * trace_store: the log of a trace in progress (its entries are in trace.h).
 */
#include <string.h>

#include "prober/tech/trace.h"

/* --- writing ---------------------------------------------------------------- */

/* A block with nothing in it. */
__attribute__((noinline)) static uint8_t *
log_grow(struct task *t, struct trace *tr)
{
	tr->used = 0;
	return technique_block(t);
}

/* Room for an entry of N bytes, zeroed but for its kind. */
static inline void *
log_add(struct task *t, struct trace *tr, enum trace_entry_kind kind, size_t n)
{
	struct trace_entry *e;
	uint8_t *b;

	if (tr->last == NULL || tr->used + n > TECHNIQUE_BLOCK)
		b = log_grow(t, tr);
	else
		b = technique_last_block(t);
	e = (void *)(b + tr->used);
	e->kind = kind;
	tr->used = (uint8_t)(tr->used + n);
	return e;
}

struct trace_probe *
trace_probe_add(struct task *t, struct trace *tr, uint8_t ttl, uint8_t attempt)
{
	struct trace_probe *p = log_add(t, tr, ENTRY_PROBE, sizeof(*p));

	p->ttl = ttl;
	p->e.attempt = attempt & 31;
	trace_set_tx_us(p, TX_UNKNOWN);
	tr->last = p;
	tr->nprobes++;
	return p;
}

static size_t
hop_size(const struct task *t)
{
	return sizeof(struct trace_hop) + addr_len(task_dst(t)->family);
}

static size_t
ext_size(size_t len)
{
	return sizeof(struct trace_ext) + (len + 3) / 4 * 4;
}

static void
add_ext(struct task *t, struct trace *tr, const struct reply *r)
{
	struct trace_ext *x;
	size_t n, room;

	tr->exts = 1;
	for (size_t off = 0; off < r->ext_len; off += n) {
		room = (size_t)TECHNIQUE_BLOCK - tr->used;
		if (room <= sizeof(*x))
			room = TECHNIQUE_BLOCK;
		room -= sizeof(*x);
		n = r->ext_len - off;
		if (n > room)
			n = room;
		x = log_add(t, tr, ENTRY_EXT, ext_size(n));
		x->len = (uint16_t)n;
		memcpy(x->bytes, r->ext + off, n);
	}
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
	struct trace_odd *o = log_add(t, tr, ENTRY_ODD, sizeof(*o));

	if (r->kind == REPLY_UDP)
		o->flags = WARTS_HOP_UDP;
	if (r->kind == REPLY_TCP)
		o->flags = WARTS_HOP_TCP;
	o->probe = (uint16_t)number;
	/* A reply is ICMP or TCP. */
	o->icmp_type = r->kind == REPLY_TCP ? r->tcp_flags : r->icmp_type;
	o->icmp_code = r->icmp_code;
	o->q_ttl = r->q_ttl;
	o->q_tos = r->q_tos;
	o->q_len = r->q_len;
	o->nhmtu = r->nhmtu;
}

static inline int
conf_is_rare(const struct task *t)
{
	return ((const struct trace_conf *)task_conf(t))->rare;
}

/* Note in `seen' who replied; nearly always it is somebody new. */
static void
note_address(struct trace *tr, const struct addr *a)
{
	uint32_t hash = addr_hash_quick(a);
	uint64_t *half0 = &tr->seen[hash & 1],
		 *half1 = &tr->seen[hash >> 1 & 1];
	uint64_t bit0 = 1ULL << (hash >> 2 & 63),
		 bit1 = 1ULL << (hash >> 8 & 63);

	tr->maybe_again = (*half0 & bit0) != 0 && (*half1 & bit1) != 0;
	*half0 |= bit0;
	*half1 |= bit1;
}

struct trace_hop *
trace_hop_add(struct task *t, struct trace *tr, const struct reply *r,
    struct trace_probe *p, unsigned int number)
{
	struct trace_hop *h;
	int64_t rtt_us;

	if (p->nreplies == REPLIES_MAX)
		return NULL;
	p->nreplies++;
	if (number + 1 != tr->nprobes || !is_plain(t, r))
		add_odd(t, tr, r, number);
	h = log_add(t, tr, ENTRY_HOP, hop_size(t));
	memcpy(h->addr, r->from.b, r->from.family == ADDR_IPV4 ? 4 : 16);
	if (conf_is_rare(t))
		tr->maybe_again = 1; /* `seen' is in use for another thing */
	else
		note_address(tr, &r->from);
	h->probe_ttl = p->ttl;
	/* The kernel stamps a reply on arrival, we stamp a batch around its
	 * system call: on a path of no length the difference may be below
	 * zero. */
	rtt_us =
	    (r->rx_ns - tr->start_ns) / NS_PER_US - (int64_t)trace_tx_us(p);
	h->rtt_us = rtt_us > 0 ? (uint32_t)rtt_us : 0;
	h->size = r->size;
	h->ipid = r->ipid;
	h->ttl = r->ttl;
	h->tos = r->tos;
	tr->nhops++;
	if (r->ext_len > 0)
		add_ext(t, tr, r);
	return h;
}

/* --- reading ---------------------------------------------------------------- */

void
trace_walk_init(
    struct trace_walk *w, const struct task *t, const struct trace *tr)
{
	memset(w, 0, sizeof(*w));
	w->task = t;
	w->tr = tr;
	w->hop_size = hop_size(t);
}

/* On to the next block; 0 at the end. */
static int
next_block(struct trace_walk *w)
{
	w->block = w->at = technique_next_block(w->task, w->block);
	return w->at != NULL;
}

/* Behind entry E, which W is at. */
static inline void
step(struct trace_walk *w, const struct trace_entry *e)
{
	switch (e->kind) {
	case ENTRY_PROBE:
		w->last = (struct trace_probe *)(void *)w->at;
		w->nprobes++;
		w->at += sizeof(struct trace_probe);
		break;
	case ENTRY_HOP:
		w->at += w->hop_size;
		break;
	case ENTRY_ODD:
		w->odd = (const void *)e;
		w->at += sizeof(struct trace_odd);
		break;
	default:
		w->at +=
		    ext_size(((const struct trace_ext *)(const void *)e)->len);
		break;
	}
}

/* The entry that W is at, in the next block if this one is over; NULL at the
 * end. */
static inline void *
entry_at(struct trace_walk *w)
{
	const struct trace_entry *e = (const void *)w->at;

	if (e == NULL || w->at == w->block + TECHNIQUE_BLOCK ||
	    e->kind == ENTRY_NONE)
		return next_block(w) ? w->at : NULL;
	return w->at;
}

int
trace_walk_next(struct trace_walk *w)
{
	const struct trace_entry *e;

	w->odd = NULL;
	while ((e = entry_at(w)) != NULL && e->kind != ENTRY_HOP)
		step(w, e);
	if (e == NULL)
		return 0;
	w->hop = (const void *)e;
	w->at += w->hop_size;
	w->probe = w->last;
	w->number = w->nprobes - 1;
	if (w->odd != NULL && w->odd->probe != w->number) {
		w->number = w->odd->probe;
		w->probe = trace_probe_get(w->task, w->tr, w->number);
	}
	return 1;
}

struct trace_probe *
trace_probe_find(
    const struct task *t, const struct trace *tr, unsigned int number)
{
	const struct trace_entry *e;
	struct trace_walk w;

	trace_walk_init(&w, t, tr);
	while (w.nprobes <= number && (e = entry_at(&w)) != NULL)
		step(&w, e);
	return w.last;
}

size_t
trace_walk_ext(const struct trace_walk *w, uint8_t *out)
{
	struct trace_walk at = *w;
	const struct trace_entry *e;
	const struct trace_ext *x;
	size_t len = 0;

	while ((e = entry_at(&at)) != NULL && e->kind == ENTRY_EXT) {
		x = (const void *)e;
		if (out != NULL)
			memcpy(out + len, x->bytes, x->len);
		len += x->len;
		step(&at, e);
	}
	return len;
}

int
trace_find_loop(
    const struct task *t, const struct trace *tr, const struct trace_hop *h)
{
	size_t len = addr_len(task_dst(t)->family);
	struct trace_walk w;
	int earlier = 0;

	trace_walk_init(&w, t, tr);
	while (trace_walk_next(&w)) {
		if (w.hop->probe_ttl >= h->probe_ttl ||
		    memcmp(w.hop->addr, h->addr, len) != 0)
			continue;
		if (w.hop->probe_ttl + 1 == h->probe_ttl)
			return 0;
		earlier = 1;
	}
	return earlier;
}
