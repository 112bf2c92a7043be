/*
 * segment_keep: the records of a writer that are not known durable, as bytes
 * without marks, and what they are to cycles.
 *
 *	out	0 ........ written ......... len
 *		in the     to be
 *		file, too
 *	in	0 .......................... len
 *
 * New records go to `in'.  What has been given out stands still, and while a job
 * (segment_file.h) is under way it is the job's.  Records are forgotten when
 * they are durable; when the disk has failed below them they are written again,
 * to another file.
 */
#ifndef COMMON_SEGMENT_KEEP_H
#define COMMON_SEGMENT_KEEP_H

#include "common/segment_events.h"
#include "common/segment_file.h"
#include "common/warts/buf.h"

struct segment_keep {
	struct wbuf out, in;
	size_t written; /* bytes */
	struct segment_events out_events, in_events;
};

void segment_keep_init(struct segment_keep *k);
void segment_keep_clear(struct segment_keep *k);

/* Bytes that are only in memory. */
static inline size_t
segment_keep_unwritten(const struct segment_keep *k)
{
	return k->out.len - k->written + k->in.len;
}

/* Give out what is in. */
void segment_keep_give(struct segment_keep *k);
/* Have B be what was given out and is only in memory; its numbers and accounts
 * stay. */
void segment_keep_batch(const struct segment_keep *k, struct segment_batch *b);
/* All that was given out has been written. */
void segment_keep_written(struct segment_keep *k);
/* What was written is durable. */
void segment_keep_synced(struct segment_keep *k);
/* What was written is cut off the file again: it will be the first in one of its
 * own, behind the definitions DEFS that it needs there. */
void segment_keep_again(struct segment_keep *k, const struct wbuf *defs);

#endif
