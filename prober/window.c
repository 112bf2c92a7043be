/*
 * window: the Active Window.  An address is in it at most once, so a reply
 * finds its task by the address it quotes.
 *
 * Tasks come from slabs and are never given back to the heap; a technique's
 * extra memory is 128-byte blocks from a slab likewise.  The index is open
 * addressing with linear probing over task pointers, at most half full.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"
#include "prober/prober.h"

#define SLOTS_MIN 1024
#define CHUNK_BYTES (256 * 1024)

struct task_block {
	struct task_block *next;
	uint8_t bytes[TECHNIQUE_BLOCK];
};

struct window_chunk {
	struct window_chunk *next;
	max_align_t bytes[];
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
	TAILQ_INIT(&w->free);
	TAILQ_INIT(&w->ready);
	TAILQ_INIT(&w->done);
	timeout_init(&w->timeout);
}

void
window_clear(struct window *w)
{
	struct window_chunk *c;

	for (uint32_t i = 0; i < w->nslots; i++) {
		if (w->slots[i] != NULL)
			technique_unref(w->slots[i]->m);
	}
	while ((c = w->chunks) != NULL) {
		w->chunks = c->next;
		free(c);
	}
	free(w->slots);
	memset(w, 0, sizeof(*w));
}

int
window_full(const struct window *w)
{
	return w->max != 0 && w->count >= w->max;
}

/* --- index ---------------------------------------------------------------------- */

static uint32_t
home(const struct window *w, const struct addr *a)
{
	return (uint32_t)addr_hash(a) & (w->nslots - 1);
}

struct task *
window_find(const struct window *w, const struct addr *dst)
{
	uint32_t i = home(w, dst);

	for (; w->slots[i] != NULL; i = (i + 1) & (w->nslots - 1)) {
		if (addr_equal(&w->slots[i]->dst, dst))
			return w->slots[i];
	}
	return NULL;
}

static void
index_put(struct window *w, struct task *t)
{
	uint32_t i = home(w, &t->dst);

	while (w->slots[i] != NULL)
		i = (i + 1) & (w->nslots - 1);
	w->slots[i] = t;
}

static void
index_grow(struct window *w)
{
	struct task **old = w->slots;
	uint32_t n = w->nslots;

	w->nslots *= 2;
	w->slots = xcalloc(w->nslots, sizeof(*w->slots));
	for (uint32_t i = 0; i < n; i++) {
		if (old[i] != NULL)
			index_put(w, old[i]);
	}
	free(old);
}

/* Take T out and move back what it displaced. */
static void
index_remove(struct window *w, const struct task *t)
{
	uint32_t mask = w->nslots - 1, hole = home(w, &t->dst), i;

	while (w->slots[hole] != t)
		hole = (hole + 1) & mask;
	i = hole;
	for (;;) {
		i = (i + 1) & mask;
		if (w->slots[i] == NULL)
			break;
		if (((i - home(w, &w->slots[i]->dst)) & mask) >=
		    ((i - hole) & mask)) {
			w->slots[hole] = w->slots[i];
			hole = i;
		}
	}
	w->slots[hole] = NULL;
}

/* --- memory ----------------------------------------------------------------------- */

static uint8_t *
new_chunk(struct window *w)
{
	struct window_chunk *c = xmalloc(CHUNK_BYTES);

	c->next = w->chunks;
	w->chunks = c;
	return (uint8_t *)c->bytes;
}

static void
more_tasks(struct window *w)
{
	uint8_t *p = new_chunk(w);
	size_t n = (CHUNK_BYTES - sizeof(struct window_chunk)) / w->task_size;

	for (size_t i = 0; i < n; i++, p += w->task_size)
		TAILQ_INSERT_TAIL(&w->free, (struct task *)(void *)p, link);
}

static void
more_blocks(struct window *w)
{
	struct task_block *b = (void *)new_chunk(w);
	size_t n = (CHUNK_BYTES - sizeof(struct window_chunk)) / sizeof(*b);

	for (size_t i = 0; i < n; i++, b++) {
		b->next = w->free_blocks;
		w->free_blocks = b;
	}
}

void *
technique_block(struct task *t)
{
	struct window *w = t->win;
	struct task_block *b;

	if (w->free_blocks == NULL)
		more_blocks(w);
	b = w->free_blocks;
	w->free_blocks = b->next;
	b->next = t->blocks;
	t->blocks = b;
	memset(b->bytes, 0, sizeof(b->bytes));
	return b->bytes;
}

struct task *
window_add(struct window *w, const struct command *c, struct link_path *path)
{
	struct task *t;

	if (2 * (w->count + 1) > w->nslots)
		index_grow(w);
	if (TAILQ_EMPTY(&w->free))
		more_tasks(w);
	t = TAILQ_FIRST(&w->free);
	TAILQ_REMOVE(&w->free, t, link);
	memset(t, 0, w->task_size);
	t->win = w;
	t->dst = c->dst;
	t->lc = c->lc;
	t->m = c->m;
	t->number = c->number;
	t->path = path;
	t->where = TASK_IDLE;
	index_put(w, t);
	w->count++;
	return t;
}

void
window_each(const struct window *w, void (*cb)(void *arg, const struct task *t),
    void *arg)
{
	for (uint32_t i = 0; i < w->nslots; i++) {
		if (w->slots[i] != NULL)
			cb(arg, w->slots[i]);
	}
}

void
window_remove(struct window *w, struct task *t)
{
	struct task_block *b;

	assert(t->where == TASK_IDLE);
	index_remove(w, t);
	w->count--;
	while ((b = t->blocks) != NULL) {
		t->blocks = b->next;
		b->next = w->free_blocks;
		w->free_blocks = b;
	}
	technique_unref(t->m);
	/* The first is taken next: its memory is still in the cache. */
	TAILQ_INSERT_HEAD(&w->free, t, link);
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
static void
unlink_task(struct task *t)
{
	struct window *w = t->win;

	switch (t->where) {
	case TASK_READY:
		TAILQ_REMOVE(&w->ready, t, link);
		w->nready--;
		break;
	case TASK_WAITING:
		timeout_remove(&w->timeout, t);
		break;
	case TASK_DONE:
		TAILQ_REMOVE(&w->done, t, link);
		break;
	default:
		break;
	}
	t->where = TASK_IDLE;
}

struct task *
window_take_ready(struct window *w)
{
	struct task *t = TAILQ_FIRST(&w->ready);

	if (t != NULL)
		unlink_task(t);
	return t;
}

void
probe_send(struct task *t)
{
	if (t->where == TASK_READY)
		return;
	unlink_task(t);
	t->where = TASK_READY;
	TAILQ_INSERT_TAIL(&t->win->ready, t, link);
	t->win->nready++;
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
	TAILQ_INSERT_TAIL(&t->win->done, t, link);
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
