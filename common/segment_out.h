/*
 * segment_out: the lower half of a writer of segments (segment.h): how what is
 * in memory gets into files, and what becomes of it when the disk does not want
 * it.  Nobody but segment.c includes this.
 *
 * All that touches the open file is a job (segment_file.h), one at a time, of
 * these:
 *
 *	write	a batch that is full, or at each tick what there is
 *	sync	the same, and then all that is in the file is made durable
 *	turn	the same; then the file is sealed and the next one begun
 *
 * Records that come meanwhile wait in memory (segment_keep.h).  A turn begins
 * when all that is in the file is durable, and takes along what is in memory at
 * that moment; what comes later belongs to the next file, and has the ids of
 * that.  So after a failure
 *
 *	of the write	for want of space: what the file holds is sealed
 *			(`full'), the rest is the first in the next one
 *	of the sync	also for want of space: nothing behind the last good sync
 *			is believed, nor synced again.  The file ends there, and
 *			what came behind it is written anew, to the next one
 *	of the seal	a turn is tried again when there is room; after any other
 *			error as after that of a sync
 *
 * and when what is written anew is the old part of a turn, a turn is what follows
 * it (`turning'): the file that holds it is not the one that later records were
 * given ids for.  What is done after a failure is done in place, not by a job.
 */
#ifndef COMMON_SEGMENT_OUT_H
#define COMMON_SEGMENT_OUT_H

#include "common/segment.h"
#include "common/segment_accounts.h"
#include "common/segment_dir.h"
#include "common/segment_file.h"
#include "common/segment_ids.h"
#include "common/segment_keep.h"

struct segment_writer {
	struct segment_config cfg;
	struct segment_dir dir;
	int lock_fd, writer_fd;
	struct segment_file file; /* N.open; may be closed for want of space */
	uint64_t number; /* N, as far as is known: see segment_file.h */
	/* Record numbers: the first of this process, the first that is not
	 * known durable, the next. */
	uint64_t first_record, safe_record, next_record;
	struct segment_keep keep; /* the records behind file.synced */
	struct segment_batch given; /* where keep.out leads; no bytes */
	uint64_t out_bytes, safe_bytes; /* of records: given out, durable */
	uint64_t answers; /* command that the next record answers */
	struct segment_ids ids;
	struct wbuf defs; /* turning: what keep.out needs in a new file */
	struct segment_accounts accounts, said; /* said: in the job */
	int64_t now_ns, opened_ns, synced_ns, quota_ns;
	int rotate, hurry; /* asked for: a turn, a sync */
	int turning; /* keep.in is for the next file */
	int full; /* no space: nothing is taken */
	uint64_t used; /* of the quota: at the last look, and recorded since */
	int over_quota; /* nothing is taken until the next look */
	int suspect; /* to be told by the next tick */
	int failed; /* errno of the last failure */
	char reason[128];
};

/* Is this errno one of a disk that has no room? */
int segment_out_is_full(int err);

/* Open the first file.  0, or -1 with errno. */
int segment_out_begin(struct segment_writer *w);

/* Begin what is due, if the file is open and free and there is room.  ALL: also
 * write a batch that is not full. */
void segment_out_go_on(struct segment_writer *w, int all);

/* Is there anything for that, but for what is not full? */
int segment_out_is_due(const struct segment_writer *w);

/* Take the result of the job under way, waiting for it, and see to it. */
void segment_out_take(struct segment_writer *w);

/* No job is under way: make all that was taken durable, waiting for it.  0, or
 * -1 with errno. */
int segment_out_all(struct segment_writer *w);

/* The same, and seal the file, or remove it if it is empty. */
int segment_out_end(struct segment_writer *w);

/* No job is under way: try to go on after a full disk, with a file, what is in
 * memory, the reserve. */
void segment_out_try_again(struct segment_writer *w);

/* Whoever asked for a seal can see that it was seen to. */
void segment_out_answer(struct segment_writer *w);

#endif
