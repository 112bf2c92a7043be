#include "common/warts/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"

#define CHUNK_BYTES 4000

struct warts_arena {
	struct warts_arena *next;
	size_t used, size; /* of data, bytes */
	alignas(max_align_t) unsigned char data[];
};

void *
warts_arena_alloc(struct warts_arena **a, size_t n, size_t size)
{
	size_t align = alignof(max_align_t), bytes;
	struct warts_arena *c = *a;
	void *p;

	if (__builtin_mul_overflow(n, size, &bytes) || bytes > SIZE_MAX / 2)
		abort();
	bytes = (bytes + align - 1) / align * align;
	if (c == NULL || c->size - c->used < bytes) {
		size_t want = bytes > CHUNK_BYTES ? bytes : CHUNK_BYTES;

		c = xmalloc(sizeof(*c) + want);
		c->next = *a;
		c->used = 0;
		c->size = want;
		*a = c;
	}
	p = c->data + c->used;
	c->used += bytes;
	return memset(p, 0, bytes);
}

void
warts_arena_free(struct warts_arena **a)
{
	while (*a != NULL) {
		struct warts_arena *next = (*a)->next;

		free(*a);
		*a = next;
	}
}
