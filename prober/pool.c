#include "prober/pool.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "common/xmalloc.h"

#define LARGE_PAGE (2u << 20)

void
pool_init(struct pool *p, size_t size)
{
	memset(p, 0, sizeof(*p));
	p->size = (uint32_t)size;
	p->end = 1;
}

void
pool_clear(struct pool *p)
{
	for (uint32_t i = 0; i < p->nchunks; i++)
		free(p->chunks[i]);
	free(p->chunks);
	pool_init(p, p->size);
}

void
pool_want_large_pages(void *memory, size_t bytes)
{
	uintptr_t begin = (uintptr_t)memory, end = begin + bytes;

	begin = (begin + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE;
	end = end / LARGE_PAGE * LARGE_PAGE;
	if (begin < end)
		madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

/* The first chunk stays in small pages, of which only those in use count. */
void
pool_grow(struct pool *p, int large)
{
	size_t bytes = (size_t)POOL_CHUNK * p->size;
	uint8_t *chunk = xaligned(LARGE_PAGE, bytes);

	if (p->nchunks > 0 || large)
		pool_want_large_pages(chunk, bytes);
	p->chunks =
	    xreallocarray(p->chunks, p->nchunks + 1u, sizeof(*p->chunks));
	p->chunks[p->nchunks++] = chunk;
}
