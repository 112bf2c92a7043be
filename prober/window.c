/*
 * window: the Active Window.  An address is in it at most once, so a reply
 * finds its task by the address it quotes.
 *
 *	index	hash, number | ...		open addressing, linear probing
 *	tasks	task | task | ...		numbered through all chunks
 *	blocks	block | block | ...		a technique's extra memory
 *
 * The index is at most half full.  It holds the hashes, so that neither a miss
 * nor a removal nor growing looks at a task: with a million tasks each look is
 * a cache miss.  Tasks and blocks are cut from chunks and are never given back
 * to the heap; those that are free again are used first, the latest first.
 *
 * The blocks of a task are a ring, of which the task knows the last: the next
 * is the first.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/xmalloc.h"
#include "prober/prober.h"

#define SLOTS_MIN 1024
#define CHUNK_BITS 14 /* tasks, blocks per chunk: 2 MiB of blocks */
#define CHUNK_COUNT (1u << CHUNK_BITS)
#define LARGE_PAGE (2u << 20)
#define LINE_BYTES 64
/* So many tasks before its turn a task is fetched, and then its last block. */
#define AHEAD_TASK 8
#define AHEAD_BLOCK 4

struct task_block {
	struct task_block *next;
	uint8_t bytes[TECHNIQUE_BLOCK];
};

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
	w->task_size =
	    (sizeof(struct task) + largest_state() + align - 1) / align * align;
	fifo_init(&w->ready);
	fifo_init(&w->done);
	timeout_init(&w->timeout);
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
	for (uint32_t i = 0; i < w->nchunks; i++)
		free(w->chunks[i]);
	for (uint32_t i = 0; i < w->nblock_chunks; i++)
		free(w->block_chunks[i]);
	free(w->chunks);
	free(w->block_chunks);
	free(w->free);
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

static struct task *
task_by_id(const struct window *w, uint32_t id)
{
	size_t i = id - 1;

	return (struct task *)(void *)(w->chunks[i >> CHUNK_BITS] +
	    (i & (CHUNK_COUNT - 1)) * w->task_size);
}

uint32_t
window_prefetch(const struct window *w, const struct addr *dst)
{
	uint32_t hash = (uint32_t)addr_hash(dst);

	__builtin_prefetch(&w->slots[hash & (w->nslots - 1)]);
	return hash;
}

/* A task or a block is two cache lines. */
static void
prefetch_lines(const void *p)
{
	__builtin_prefetch(p);
	__builtin_prefetch((const uint8_t *)p + LINE_BYTES);
}

void
window_prefetch_task(const struct task *t)
{
	prefetch_lines(t);
}

void
window_prefetch_block(const struct task *t)
{
	prefetch_lines(t->blocks);
}

void
window_prefetch_behind(const struct fifo *f)
{
	const struct task *t = fifo_peek(f, AHEAD_BLOCK);

	window_prefetch_task(fifo_peek(f, AHEAD_TASK));
	if (t != NULL)
		window_prefetch_block(t);
}

struct task *
window_prefetch_hash(const struct window *w, uint32_t hash)
{
	uint32_t mask = w->nslots - 1, i = hash & mask;
	struct task *t;

	for (; w->slots[i].id != 0; i = (i + 1) & mask) {
		if (w->slots[i].hash == hash) {
			t = task_by_id(w, w->slots[i].id);
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
		t = task_by_id(w, w->slots[i].id);
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

/* Of the BYTES at P.  Looking at random into gigabytes of small pages misses
 * the TLB as well as the cache.  A wish: that it fails is no failure. */
static void
want_large_pages(void *p, size_t bytes)
{
	uintptr_t begin = (uintptr_t)p, end = begin + bytes;

	begin = (begin + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
	if (begin + LARGE_PAGE <= end)
		madvise((void *)begin, end - begin, MADV_HUGEPAGE);
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
	want_large_pages(w->slots, w->nslots * sizeof(*w->slots));
	for (uint32_t i = 0; i < n; i++) {
		if (old[i].id != 0)
			index_put(w, old[i]);
	}
	free(old);
}

/* Take T out and move back what it displaced.  Returns its number. */
static uint32_t
index_remove(struct window *w, const struct task *t)
{
	uint32_t hash = (uint32_t)addr_hash(&t->dst), mask = w->nslots - 1;
	uint32_t hole = hash & mask, i, id;

	while (w->slots[hole].hash != hash ||
	    task_by_id(w, w->slots[hole].id) != t)
		hole = (hole + 1) & mask;
	id = w->slots[hole].id;
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
	return id;
}

/* --- memory ----------------------------------------------------------------------- */

/*
 * A chunk for CHUNK_COUNT things of SIZE bytes, appended to LIST of *N.  The
 * first stays in small pages, of which only those in use count, unless LARGE.
 */
static void
new_chunk(uint8_t ***list, uint32_t *n, size_t size, int large)
{
	size_t bytes = CHUNK_COUNT * size;
	uint8_t *p = xaligned(LARGE_PAGE, bytes);

	if (*n > 0 || large)
		want_large_pages(p, bytes);
	*list = xreallocarray(*list, *n + 1u, sizeof(**list));
	(*list)[(*n)++] = p;
}

/* The number of a task that is free. */
static uint32_t
take_id(struct window *w)
{
	if (w->nfree > 0)
		return w->free[--w->nfree];
	if (w->ntasks == w->nchunks << CHUNK_BITS) {
		new_chunk(
		    &w->chunks, &w->nchunks, w->task_size, w->large_pages);
		w->free = xreallocarray(w->free,
		    (size_t)w->nchunks << CHUNK_BITS, sizeof(*w->free));
	}
	return ++w->ntasks;
}

static struct task_block *
take_block(struct window *w)
{
	struct task_block *b = w->free_blocks;

	if (b != NULL) {
		w->free_blocks = b->next;
		return b;
	}
	if (w->new_blocks == w->new_blocks_end) {
		new_chunk(&w->block_chunks, &w->nblock_chunks, sizeof(*b),
		    w->large_pages);
		w->new_blocks = (void *)w->block_chunks[w->nblock_chunks - 1];
		w->new_blocks_end = w->new_blocks + CHUNK_COUNT;
	}
	return w->new_blocks++;
}

void *
technique_block(struct task *t)
{
	struct task_block *b = take_block(t->win);

	if (t->blocks == NULL) {
		b->next = b;
	} else {
		b->next = t->blocks->next;
		t->blocks->next = b;
	}
	t->blocks = b;
	memset(b->bytes, 0, sizeof(b->bytes));
	return b->bytes;
}

void *
technique_last_block(const struct task *t)
{
	return t->blocks->bytes;
}

void *
technique_next_block(const struct task *t, const void *block)
{
	const struct task_block *b;

	if (t->blocks == NULL)
		return NULL;
	if (block == NULL)
		return t->blocks->next->bytes;
	b = (const void *)((const uint8_t *)block -
	    offsetof(struct task_block, bytes));
	if (b == t->blocks)
		return NULL;
	__builtin_prefetch(b->next->next);
	return b->next->bytes;
}

struct task *
window_add(struct window *w, const struct command *c, struct link_path *path)
{
	struct window_slot s = {.hash = (uint32_t)addr_hash(&c->dst)};
	struct task *t;

	if (2 * (w->count + 1) > w->nslots)
		index_grow(w);
	s.id = take_id(w);
	t = task_by_id(w, s.id);
	memset(t, 0, w->task_size);
	t->win = w;
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
			cb(arg, task_by_id(w, w->slots[i].id));
	}
}

void
window_remove(struct window *w, struct task *t)
{
	struct task_block *first;

	assert(t->where == TASK_IDLE);
	if (t->m->tech->extras != NULL)
		drop_extras(t); /* their chain may begin in a block */
	/* Used next: its memory is still in the cache. */
	w->free[w->nfree++] = index_remove(w, t);
	w->count--;
	if (t->blocks != NULL) {
		first = t->blocks->next;
		t->blocks->next = w->free_blocks;
		w->free_blocks = first;
	}
	technique_unref(t->m);
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

struct task *
window_take_ready(struct window *w)
{
	struct task *t = fifo_pop(&w->ready);

	if (t != NULL)
		t->where = TASK_IDLE;
	return t;
}

void
window_prefetch_ready(const struct window *w, uint32_t n, int blocks)
{
	const struct fifo *f = &w->ready;
	uint32_t end = f->head + (n < f->count ? n : f->count);
	const struct task *t;

	for (uint32_t i = f->head; i != end; i++) {
		t = fifo_at(f, i);
		if (!blocks)
			window_prefetch_task(t);
		else if (t != NULL)
			window_prefetch_block(t);
	}
}

uint32_t
window_ready(const struct window *w)
{
	return w->ready.count;
}

struct task *
window_first_done(const struct window *w)
{
	const struct task *next = fifo_peek(&w->done, 1);

	/* The last one's block was touched a moment ago, the first not. */
	if (next != NULL && next->blocks != NULL)
		prefetch_lines(next->blocks->next);
	return fifo_first(&w->done);
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
	t->at = fifo_push(&t->win->ready, t);
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
	t->at = fifo_push(&t->win->done, t);
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
