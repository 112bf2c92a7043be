/*
 * warts/arena: the memory of one decoded record.
 *
 * A decoded record has arrays (hops, extensions, notes) whose number is known
 * only while it is read, and all of them die together.  They are cut from
 * chunks, newest chunk first:
 *
 *	*arena -> [used|size|..data..] -> [full] -> [full] -> NULL
 *
 * so that a usual record costs one malloc and one free.
 */
#ifndef COMMON_WARTS_ARENA_H
#define COMMON_WARTS_ARENA_H

#include <stddef.h>

struct warts_arena;

/*
 * N zeroed objects of SIZE bytes, aligned for any type, that live until
 * warts_arena_free.  *A is NULL before the first call.  Never NULL; N may be 0.
 */
void *warts_arena_alloc(struct warts_arena **a, size_t n, size_t size);

/* Give back everything; *A becomes NULL. */
void warts_arena_free(struct warts_arena **a);

#endif
