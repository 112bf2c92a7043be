/*
 * segment_keep: the records of a writer that are not known durable, as bytes
 * without marks, and what they are to cycles.
 *
 *	0 ........ written ......... len
 *	in the     only here
 *	file, too
 *
 * They are forgotten when they are durable; when the disk has failed below them
 * they are written again, to another file.
 */
#ifndef COMMON_SEGMENT_KEEP_H
#define COMMON_SEGMENT_KEEP_H

#include "common/segment_events.h"
#include "common/segment_file.h"
#include "common/segment_ids.h"
#include "common/warts/buf.h"

struct segment_keep {
	struct wbuf b;
	size_t written; /* bytes */
	struct segment_events events;
};

/* To begin with all is zero. */
void segment_keep_clear(struct segment_keep *k);

/* Bytes that are only in memory. */
static inline size_t
segment_keep_unwritten(const struct segment_keep *k)
{
	return k->b.len - k->written;
}

/* Have B be what is only in memory; its numbers and accounts stay. */
void segment_keep_batch(const struct segment_keep *k, struct segment_batch *b);
/* All of it has been written. */
void segment_keep_written(struct segment_keep *k);
/* What was written is durable. */
void segment_keep_synced(struct segment_keep *k);
/* What was written is cut off the file again. */
void segment_keep_cut(struct segment_keep *k);
/* Nothing of it is in a file: it will be the first in one of its own, behind the
 * definitions of IDS that the old file holds up to AT. */
void segment_keep_again(struct segment_keep *k, struct segment_ids *ids,
    const struct segment_point *at);

#endif
