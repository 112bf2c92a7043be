/*
 * segment_hash: the SHA-256 of a segment, worked out by a second thread while
 * the first one looks at the records.
 *
 *	reader   fill a block ─► add ─► parse it ─► fill the next ...   sum: waits
 *	                          │ pieces, in order                     ▲
 *	thread                    └────────► SHA-256 ────────────────────┘
 *
 * This is all that both threads touch: the queue of pieces below the mutex, and the bytes of a
 * piece, which nobody writes from segment_hash_add() until segment_hash_wait()
 * has returned for it.  The thread makes no system call but waiting, takes no
 * signal, and ends with segment_hash_free().  It is started by the first piece
 * that is worth it; what is smaller is hashed where it is added.
 */
#ifndef COMMON_SEGMENT_HASH_H
#define COMMON_SEGMENT_HASH_H

#include <stddef.h>
#include <stdint.h>

#include "common/segment.h"

struct segment_hash;

/* Of nothing so far.  THREAD 0: never start one.  Dies without memory. */
struct segment_hash *segment_hash_new(int thread);
void segment_hash_free(struct segment_hash *h);

/* LEN bytes at P come next.  They stay as they are until segment_hash_wait()
 * was called with what this returns. */
uint64_t segment_hash_add(struct segment_hash *h, const void *p, size_t len);

/* Return when the piece NUMBER and all before it are in the hash. */
void segment_hash_wait(struct segment_hash *h, uint64_t number);

/* The hash of all that was added; more may follow. */
void segment_hash_sum(struct segment_hash *h, uint8_t out[SEGMENT_SHA_LEN]);

#endif
