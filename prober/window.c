/*
 * window: the Active Window.  An address is in it at most once, so a reply
 * finds its task by the address it quotes.
 *
 *	index	hash, id | ...		open addressing, linear probing
 *	tasks	task | task | ...	a pool
 *	blocks	block | block | ...	a pool: a technique's extra memory
 *
 * The index is at most half full.  It holds the hashes, so that neither a miss
 * nor a removal nor growing looks at a task: with a million tasks each look is
 * a cache miss.
 *
 * A task knows the latest of its blocks, and each block the one before it: a new
 * one touches no other.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"
#include "prober/prober.h"

#define SLOTS_MIN 1024
#define LINE_BYTES 64
/* So many blocks of a task whose record is to be written are fetched before. */
#define AHEAD_BLOCKS 3

struct task_block {
	uint8_t bytes[TECHNIQUE_BLOCK];
	uint32_t earlier; /* in window.blocks, or 0 */
};

_Static_assert(sizeof(struct task_block) == LINE_BYTES, "a cache line");

/* Before the bytes of an extra memory; links point at the bytes. */
struct extra {
	_Alignas(max_align_t) struct extra *next;
};

static size_t
largest_state(void)
{
	size_t size = 0;

	for (size_t i = 0; technique_table[i] != NULL; i++) {
		if (technique_table[i]->state_size > size)
			size = technique_table[i]->state_size;
	}
	return size;
}

void
window_init(struct window *w, uint32_t max)
{
	size_t align = _Alignof(max_align_t);

	memset(w, 0, sizeof(*w));
	w->max = max;
	w->nslots = SLOTS_MIN;
	w->slots = xcalloc(w->nslots, sizeof(*w->slots));
	pool_init(&w->tasks,
	    (sizeof(struct task) + largest_state() + align - 1) / align *
		align);
	pool_init(&w->blocks, sizeof(struct task_block));
	fifo_init(&w->ready);
	fifo_init(&w->done);
	timeout_init(&w->timeout, &w->tasks);
}

static void
drop_extras(struct task *t)
{
	for (struct extra *x = *t->m->tech->extras(t), *next; x; x = next) {
		next = x[-1].next;
		free(x - 1);
	}
}

static void
drop_task(void *arg, const struct task *t)
{
	(void)arg;
	if (t->m->tech->extras != NULL)
		drop_extras((struct task *)(uintptr_t)t);
	technique_unref(t->m);
}

void
window_clear(struct window *w)
{
	window_each(w, drop_task, NULL);
	pool_clear(&w->tasks);
	pool_clear(&w->blocks);
	free(w->slots);
	fifo_clear(&w->ready);
	fifo_clear(&w->done);
	timeout_clear(&w->timeout);
	memset(w, 0, sizeof(*w));
}

int
window_full(const struct window *w)
{
	return w->max != 0 && w->count >= w->max;
}

/* --- index ---------------------------------------------------------------------- */

uint32_t
window_prefetch(const struct window *w, const struct addr *dst)
{
	uint32_t hash = (uint32_t)addr_hash(dst);

	__builtin_prefetch(&w->slots[hash & (w->nslots - 1)]);
	return hash;
}

void
window_prefetch_task(const struct task *t)
{
	const uint8_t *p = (const void *)t;

	__builtin_prefetch(p);
	__builtin_prefetch(p + LINE_BYTES);
	__builtin_prefetch(p + 2 * LINE_BYTES);
}

struct task *
window_prefetch_hash(const struct window *w, uint32_t hash)
{
	uint32_t mask = w->nslots - 1, i = hash & mask;
	struct task *t;

	for (; w->slots[i].id != 0; i = (i + 1) & mask) {
		if (w->slots[i].hash == hash) {
			t = pool_at(&w->tasks, w->slots[i].id);
			window_prefetch_task(t);
			return t;
		}
	}
	return NULL;
}

struct task *
window_find_hash(const struct window *w, const struct addr *dst, uint32_t hash)
{
	uint32_t mask = w->nslots - 1, i = hash & mask;
	struct task *t;

	for (; w->slots[i].id != 0; i = (i + 1) & mask) {
		if (w->slots[i].hash != hash)
			continue;
		t = pool_at(&w->tasks, w->slots[i].id);
		if (addr_equal(&t->dst, dst))
			return t;
	}
	return NULL;
}

struct task *
window_find(const struct window *w, const struct addr *dst)
{
	return window_find_hash(w, dst, (uint32_t)addr_hash(dst));
}

static void
index_put(struct window *w, struct window_slot s)
{
	uint32_t i = s.hash & (w->nslots - 1);

	while (w->slots[i].id != 0)
		i = (i + 1) & (w->nslots - 1);
	w->slots[i] = s;
}

static void
index_grow(struct window *w)
{
	struct window_slot *old = w->slots;
	uint32_t n = w->nslots;

	w->nslots *= 2;
	w->slots = xcalloc(w->nslots, sizeof(*w->slots));
	pool_want_large_pages(w->slots, w->nslots * sizeof(*w->slots));
	for (uint32_t i = 0; i < n; i++) {
		if (old[i].id != 0)
			index_put(w, old[i]);
	}
	free(old);
}

/* Take T out and move back what it displaced. */
static void
index_remove(struct window *w, const struct task *t)
{
	uint32_t hash = (uint32_t)addr_hash(&t->dst), mask = w->nslots - 1;
	uint32_t hole = hash & mask, i;

	while (w->slots[hole].id != t->id)
		hole = (hole + 1) & mask;
	i = hole;
	for (;;) {
		i = (i + 1) & mask;
		if (w->slots[i].id == 0)
			break;
		if (((i - w->slots[i].hash) & mask) >= ((i - hole) & mask)) {
			w->slots[hole] = w->slots[i];
			hole = i;
		}
	}
	w->slots[hole].id = 0;
}

/* --- memory ----------------------------------------------------------------------- */

void *
technique_block(struct task *t)
{
	struct window *w = t->win;
	uint32_t number = pool_take(&w->blocks, w->large_pages);
	struct task_block *b = pool_at(&w->blocks, number);

	memset(b->bytes, 0, sizeof(b->bytes));
	b->earlier = t->block;
	t->block = number;
	return b->bytes;
}

/* The block with NUMBER of a task in W; NULL for 0. */
static const struct task_block *
block_at(const struct window *w, uint32_t number)
{
	return number != 0 ? pool_at(&w->blocks, number) : NULL;
}

const void *
technique_earlier_block(const struct task *t, const void *block)
{
	const struct task_block *b = block;

	b = block_at(t->win, b == NULL ? t->block : b->earlier);
	return b != NULL ? b->bytes : NULL;
}

static void
free_blocks(struct window *w, uint32_t number)
{
	while (number != 0) {
		uint32_t earlier = block_at(w, number)->earlier;

		pool_give(&w->blocks, number);
		number = earlier;
	}
}

struct task *
window_add(struct window *w, const struct command *c, struct link_path *path)
{
	struct window_slot s = {.hash = (uint32_t)addr_hash(&c->dst)};
	struct task *t;

	if (2 * (w->count + 1) > w->nslots)
		index_grow(w);
	s.id = pool_take(&w->tasks, w->large_pages);
	t = pool_at(&w->tasks, s.id);
	memset(t, 0, w->tasks.size);
	t->win = w;
	t->id = s.id;
	t->dst = c->dst;
	t->lc = c->lc;
	t->m = c->m;
	t->number = c->number;
	t->path = path;
	t->where = TASK_IDLE;
	index_put(w, s);
	w->count++;
	return t;
}

void
window_each(const struct window *w, void (*cb)(void *arg, const struct task *t),
    void *arg)
{
	for (uint32_t i = 0; i < w->nslots; i++) {
		if (w->slots[i].id != 0)
			cb(arg, pool_at(&w->tasks, w->slots[i].id));
	}
}

void
window_remove(struct window *w, struct task *t)
{
	assert(t->where == TASK_IDLE);
	if (t->m->tech->extras != NULL)
		drop_extras(t); /* their chain may begin in a block */
	index_remove(w, t);
	w->count--;
	free_blocks(w, t->block);
	technique_unref(t->m);
	/* Used next: its memory is still in the cache. */
	pool_give(&w->tasks, t->id);
}

void *
technique_extra(void **chain, size_t size)
{
	struct extra *x = xcalloc(1, sizeof(*x) + size), *first = *chain;

	if (first == NULL)
		return *chain = x + 1;
	x->next = first[-1].next;
	return first[-1].next = x + 1;
}

/*
 * Scratch memory for one record at a time: a run of chunks that is reset, not
 * freed, between records.  A program builds one record at a time, so there is
 * one of it.
 */
#define SCRATCH_BYTES (64 * 1024)

struct scratch {
	struct scratch *next;
	size_t used, size;
	max_align_t bytes[];
};

static struct scratch *scratch;

void *
technique_scratch(size_t size)
{
	size_t align = _Alignof(max_align_t), want;
	struct scratch *s;
	void *p;

	size = (size + align - 1) / align * align;
	if (scratch == NULL || scratch->size - scratch->used < size) {
		want = size > SCRATCH_BYTES ? size : SCRATCH_BYTES;
		s = xmalloc(sizeof(*s) + want);
		s->next = scratch;
		s->used = 0;
		s->size = want;
		scratch = s;
	}
	p = (uint8_t *)scratch->bytes + scratch->used;
	scratch->used += size;
	return memset(p, 0, size);
}

void
window_scratch_reset(void)
{
	struct scratch *s;

	/* Keep one chunk, the usual case. */
	while (scratch != NULL && scratch->next != NULL) {
		s = scratch;
		scratch = s->next;
		free(s);
	}
	if (scratch != NULL)
		scratch->used = 0;
}

/* --- where a task is ----------------------------------------------------------------- */

/* Take T out of the list it is in. */
static inline void
unlink_task(struct task *t)
{
	struct window *w = t->win;

	switch (t->where) {
	case TASK_READY:
		fifo_remove(&w->ready, t->at);
		break;
	case TASK_WAITING:
	case TASK_PUT_OFF:
		timeout_remove(&w->timeout, t);
		break;
	case TASK_DONE:
		fifo_remove(&w->done, t->at);
		break;
	}
}

/* The task N places behind the first in F; NULL for a hole or beyond the end. */
static inline struct task *
task_in(const struct window *w, const struct fifo *f, uint32_t n)
{
	uint32_t id = fifo_peek(f, n);

	return id != 0 ? pool_at(&w->tasks, id) : NULL;
}

struct task *
window_take_ready(struct window *w)
{
	uint32_t id = fifo_pop(&w->ready);
	struct task *t;

	if (id == 0)
		return NULL;
	t = pool_at(&w->tasks, id);
	t->where = TASK_IDLE;
	return t;
}

void
window_prefetch_ready(const struct window *w, uint32_t n)
{
	const struct task *t;

	for (uint32_t i = 0; i < n && i < w->ready.count; i++) {
		t = task_in(w, &w->ready, i);
		if (t != NULL)
			window_prefetch_task(t);
	}
}

uint32_t
window_ready(const struct window *w)
{
	return w->ready.count;
}

/* Of the tasks behind the first of those that are done: the next one's third
 * block, whose number is known by now, the second of the one behind it, ... */
static void
fetch_done(const struct window *w)
{
	const struct task_block *b;
	const struct task *t;

	for (uint32_t n = 1; n <= AHEAD_BLOCKS; n++) {
		t = task_in(w, &w->done, n);
		if (t == NULL)
			continue;
		b = block_at(w, t->block);
		for (uint32_t i = n; i < AHEAD_BLOCKS && b != NULL; i++)
			b = block_at(w, b->earlier);
		__builtin_prefetch(b);
	}
}

struct task *
window_first_done(const struct window *w)
{
	fetch_done(w);
	return task_in(w, &w->done, 0);
}

void
window_end(struct window *w, struct task *t)
{
	assert(t->where == TASK_DONE);
	fifo_remove(&w->done, t->at);
	t->where = TASK_IDLE;
	window_remove(w, t);
}

void
probe_send(struct task *t)
{
	if (t->where == TASK_READY)
		return;
	unlink_task(t);
	t->where = TASK_READY;
	t->at = fifo_push(&t->win->ready, t->id);
}

void
probe_wait(struct task *t, int64_t wait_ns)
{
	unlink_task(t);
	t->where = TASK_WAITING;
	timeout_add(&t->win->timeout, t, t->win->now_ns, wait_ns);
}

void
probe_done(struct task *t)
{
	unlink_task(t);
	t->where = TASK_DONE;
	t->at = fifo_push(&t->win->done, t->id);
}

/* --- what a technique may ask ---------------------------------------------------------- */

void *
task_state(struct task *t)
{
	return t->state;
}

const void *
task_conf(const struct task *t)
{
	return t->m->conf;
}

const struct addr *
task_src(const struct task *t)
{
	return &t->path->src;
}

const struct addr *
task_dst(const struct task *t)
{
	return &t->dst;
}

uint16_t
task_mtu(const struct task *t)
{
	return t->path->mtu;
}
