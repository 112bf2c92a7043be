/*
 * trace_store: what is remembered of a trace in progress: probes sent, replies
 * received, and the rare extras of replies, in blocks of the engine's.
 */
#include <string.h>

#include "prober/tech/trace.h"

/* --- chains ------------------------------------------------------------------- */

struct trace_probe *
trace_probe_get(const struct trace *tr, unsigned int n)
{
	struct probe_block *b = tr->probes;

	/* Nearly always one of the last few probes is meant. */
	if (n / PROBES_PER_BLOCK == (tr->nprobes - 1u) / PROBES_PER_BLOCK)
		return &tr->probes_last->p[n % PROBES_PER_BLOCK];
	for (; n >= PROBES_PER_BLOCK; n -= PROBES_PER_BLOCK)
		b = b->next;
	return &b->p[n];
}

struct trace_probe *
trace_probe_add(struct task *t, struct trace *tr)
{
	struct probe_block *b;

	if (tr->nprobes % PROBES_PER_BLOCK == 0) {
		b = technique_block(t);
		if (tr->probes == NULL)
			tr->probes = b;
		else
			tr->probes_last->next = b;
		tr->probes_last = b;
	}
	return &tr->probes_last->p[tr->nprobes++ % PROBES_PER_BLOCK];
}

static size_t
hop_size(const struct task *t)
{
	return sizeof(struct trace_hop) + addr_len(task_dst(t)->family);
}

static struct trace_hop *
hop_at(const struct hop_block *b, unsigned int i, size_t size)
{
	return (struct trace_hop *)(void *)((uintptr_t)b->bytes + i * size);
}

static struct trace_hop *
hop_add(struct task *t, struct trace *tr)
{
	size_t size = hop_size(t);
	unsigned int per_block = (unsigned int)(HOP_BYTES_PER_BLOCK / size);
	struct hop_block *b;

	if (tr->nhops % per_block == 0) {
		b = technique_block(t);
		if (tr->hops == NULL)
			tr->hops = b;
		else
			tr->hops_last->next = b;
		tr->hops_last = b;
	}
	return hop_at(tr->hops_last, tr->nhops++ % per_block, size);
}

const struct trace_hop *
trace_hop_first(
    const struct task *t, const struct trace *tr, struct trace_walk *w)
{
	w->tr = tr;
	w->block = tr->hops;
	w->size = hop_size(t);
	w->at = w->number = 0;
	return tr->nhops > 0 ? hop_at(w->block, 0, w->size) : NULL;
}

const struct trace_hop *
trace_hop_next(struct trace_walk *w)
{
	if (++w->number == w->tr->nhops)
		return NULL;
	if (++w->at == HOP_BYTES_PER_BLOCK / w->size) {
		w->at = 0;
		w->block = w->block->next;
	}
	return hop_at(w->block, w->at, w->size);
}

static struct ext_block *
ext_block_add(struct task *t, struct trace *tr)
{
	struct ext_block *b = technique_block(t);

	b->hop = (uint16_t)(tr->nhops - 1);
	b->next = tr->exts;
	tr->exts = b;
	return b;
}

static void
ext_add(struct task *t, struct trace *tr, const struct reply *r)
{
	struct ext_block *b;
	size_t n;

	if (r->nhmtu != 0)
		ext_block_add(t, tr)->nhmtu = r->nhmtu;
	for (size_t off = 0; off < r->ext_len; off += n) {
		b = ext_block_add(t, tr);
		n = r->ext_len - off;
		if (n > sizeof(b->bytes))
			n = sizeof(b->bytes);
		b->len = (uint16_t)n;
		memcpy(b->bytes, r->ext + off, n);
	}
}

int
trace_is_loop(
    const struct task *t, const struct trace *tr, const struct trace_hop *h)
{
	size_t len = addr_len(task_dst(t)->family);
	const struct trace_hop *o;
	struct trace_walk w;
	int earlier = 0;

	if (!tr->maybe_again)
		return 0;
	for (o = trace_hop_first(t, tr, &w); o != NULL;
	     o = trace_hop_next(&w)) {
		if (o->probe_ttl >= h->probe_ttl ||
		    memcmp(o->addr, h->addr, len) != 0)
			continue;
		if (o->probe_ttl + 1 == h->probe_ttl)
			return 0;
		earlier = 1;
	}
	return earlier;
}

/* Note in `seen' who replied; nearly always it is somebody new. */
static void
note_address(struct trace *tr, const struct addr *a)
{
	uint64_t bit = 1ULL << (addr_hash(a) >> 58);

	tr->maybe_again = (tr->seen & bit) != 0;
	tr->seen |= bit;
}

struct trace_hop *
trace_hop_add(
    struct task *t, struct trace *tr, const struct reply *r, int number)
{
	struct trace_probe *p = trace_probe_get(tr, (unsigned int)number);
	struct trace_hop *h;
	int64_t rtt_us;

	if (p->nreplies == REPLIES_MAX)
		return NULL;
	p->nreplies++;
	h = hop_add(t, tr);
	memcpy(h->addr, r->from.b, addr_len(task_dst(t)->family));
	note_address(tr, &r->from);
	h->probe = (uint16_t)number;
	h->probe_ttl = p->ttl;
	/* The kernel stamps a reply on arrival, we stamp a batch around its
	 * system call: on a path of no length the difference may be below
	 * zero. */
	rtt_us = (r->rx_ns - tr->start_ns) / NS_PER_US - (int64_t)p->tx_us;
	h->rtt_us = rtt_us > 0 ? (uint32_t)rtt_us : 0;
	h->size = r->size;
	h->ipid = r->ipid;
	h->q_len = r->q_len;
	h->ttl = r->ttl;
	h->tos = r->tos;
	h->q_ttl = r->q_ttl;
	h->q_tos = r->q_tos;
	h->icmp_type = r->icmp_type;
	h->icmp_code = r->icmp_code;
	h->flags = WARTS_HOP_REPLYTTL | WARTS_HOP_DLRXTS;
	if (r->kind == REPLY_UDP)
		h->flags |= WARTS_HOP_UDP;
	if (r->kind == REPLY_TCP)
		h->flags |= WARTS_HOP_TCP;
	if (r->ext_len > 0 || r->nhmtu != 0)
		ext_add(t, tr, r);
	return h;
}
