/*
 * fifo: things in a row, by their numbers (pool.h), out of which any may be
 * taken.  Header only: it is done several times per packet.
 *
 *	ring	0 0 7 0 2 9 0 0 4 0 0	position = count of all pushed before,
 *		    ^head     ^tail	modulo 2^32; index = position & (size - 1)
 *
 * Who pushes keeps the position, so that taking a thing out makes a hole and
 * touches no other: with a million in a linked list the two neighbours would be
 * two cache misses.  Holes are stepped over when they come to the head: what is
 * at the head is always a thing.  The ring grows to what lies between head and
 * tail, 4 bytes for each, holes as well, and stays so.
 *
 * A ring is read in order, so that what comes behind the head can be fetched
 * before it is wanted: fifo_peek().
 */
#ifndef PROBER_FIFO_H
#define PROBER_FIFO_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"

#define FIFO_SIZE_MIN 64

struct fifo {
	uint32_t *ring; /* 0: a hole */
	uint32_t size, head, tail; /* size: 0 or a power of two */
	uint32_t count; /* of things */
};

static inline void
fifo_init(struct fifo *f)
{
	memset(f, 0, sizeof(*f));
}

/* Free the ring; what is in it is not looked at. */
static inline void
fifo_clear(struct fifo *f)
{
	free(f->ring);
	fifo_init(f);
}

__attribute__((noinline, unused)) static void
fifo_grow(struct fifo *f)
{
	uint32_t size = f->size != 0 ? f->size * 2 : FIFO_SIZE_MIN;
	uint32_t *ring = xcalloc(size, sizeof(*ring));

	for (uint32_t i = f->head; i != f->tail; i++)
		ring[i & (size - 1)] = f->ring[i & (f->size - 1)];
	free(f->ring);
	f->ring = ring;
	f->size = size;
}

/* THING, not 0, goes to the end of F.  Returns its position. */
static inline uint32_t
fifo_push(struct fifo *f, uint32_t thing)
{
	uint32_t at = f->tail;

	if (at - f->head == f->size)
		fifo_grow(f);
	f->ring[at & (f->size - 1)] = thing;
	f->tail = at + 1;
	f->count++;
	return at;
}

/* The head moves to the next thing behind it, or to the tail. */
static inline void
fifo_step(struct fifo *f)
{
	uint32_t mask = f->size - 1, at = f->head + 1, tail = f->tail;

	while (at != tail && f->ring[at & mask] == 0)
		at++;
	f->head = at;
	f->count--;
}

/* What is at position AT leaves F. */
static inline void
fifo_remove(struct fifo *f, uint32_t at)
{
	if (at == f->head) {
		fifo_step(f);
		return;
	}
	f->ring[at & (f->size - 1)] = 0;
	f->count--;
}

/* What is at position AT, from the head to before the tail; 0 for a hole. */
static inline uint32_t
fifo_at(const struct fifo *f, uint32_t at)
{
	return f->ring[at & (f->size - 1)];
}

/* The first; 0 when F is empty. */
static inline uint32_t
fifo_first(const struct fifo *f)
{
	return f->count > 0 ? fifo_at(f, f->head) : 0;
}

/* What is N places behind the first; 0 for a hole or beyond the end. */
static inline uint32_t
fifo_peek(const struct fifo *f, uint32_t n)
{
	return f->tail - f->head > n ? fifo_at(f, f->head + n) : 0;
}

/* The first, removed; 0 when F is empty. */
static inline uint32_t
fifo_pop(struct fifo *f)
{
	uint32_t first = fifo_first(f);

	if (first != 0)
		fifo_step(f);
	return first;
}

#endif
