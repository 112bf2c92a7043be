/*
 * pool: many things of one size, each with a number of 4 bytes, by which all
 * others know it: a million pointers are 4 MB more.
 *
 *	chunks	[0] . 1 2 3 ...		number / POOL_CHUNK
 *		[1] . . . .		number % POOL_CHUNK
 *
 * Number 0 is nobody's.  Things are cut from chunks and never given back to the
 * heap; those that are free again are used first, the latest first, and are
 * chained by their first bytes.  Chunks are large pages, if their things are of 64
 * bytes or a multiple: looking at random into gigabytes of small ones misses the
 * TLB as well as the cache.
 */
#ifndef PROBER_POOL_H
#define PROBER_POOL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define POOL_CHUNK_BITS 15
#define POOL_CHUNK (1u << POOL_CHUNK_BITS) /* things */

struct pool {
	uint8_t **chunks;
	uint32_t size; /* bytes of a thing */
	uint32_t nchunks;
	uint32_t end; /* numbers from here on have never been given out */
	uint32_t free; /* number of the one that became free last, or 0 */
};

/* Things of SIZE bytes, a multiple of 4. */
void pool_init(struct pool *p, size_t size);
void pool_clear(struct pool *p);
/* Room for things from p->end on, in large pages if LARGE or not the first. */
void pool_grow(struct pool *p, int large);
/* Ask for large pages for the BYTES at MEMORY, those that are whole.  A wish: that
 * it fails is no failure. */
void pool_want_large_pages(void *memory, size_t bytes);

/* The thing with NUMBER, which was given out. */
static inline void *
pool_at(const struct pool *p, uint32_t number)
{
	return p->chunks[number >> POOL_CHUNK_BITS] +
	    (size_t)(number & (POOL_CHUNK - 1)) * p->size;
}

/* The number of a thing, whose bytes are anything.  LARGE: see pool_grow(). */
static inline uint32_t
pool_take(struct pool *p, int large)
{
	uint32_t number = p->free;

	if (number != 0) {
		memcpy(&p->free, pool_at(p, number), sizeof(p->free));
		return number;
	}
	if (p->end >> POOL_CHUNK_BITS == p->nchunks)
		pool_grow(p, large);
	return p->end++;
}

/* The thing with NUMBER is free again. */
static inline void
pool_give(struct pool *p, uint32_t number)
{
	memcpy(pool_at(p, number), &p->free, sizeof(p->free));
	p->free = number;
}

#endif
