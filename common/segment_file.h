/*
 * segment_file: the one open segment of a writer, N.open: marks and bytes into
 * it, its two good ends, and its seal.
 *
 *	0 ........ synced ......... written
 *	           fdatasync(2)     pwritev(2) returned, behind a mark
 *	           returned
 *
 * What a writer wants done with it is a job (struct segment_work), which another
 * thread may do (common/syncer.h).  While one is under way the file is the job's,
 * and so are its directory's state and the bytes to be written; nobody else
 * looks at them.  All other functions here want that none is.
 *
 * A failed write leaves the file at `written'; after a failed sync only
 * `synced' is believed.  What to do then is the writer's business
 * (segment.c), as are the records behind `synced', which it keeps in memory.
 *
 * All functions that can fail return -1 with errno and set `what' to the file
 * concerned.
 */
#ifndef COMMON_SEGMENT_FILE_H
#define COMMON_SEGMENT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/segment.h"
#include "common/segment_dir.h"
#include "common/syncer.h"
#include "common/warts/buf.h"

struct evp_md_ctx_st;

/* A place in the file that is good to end it at. */
struct segment_point {
	uint64_t len; /* bytes */
	uint64_t record; /* number of the next record there */
	size_t nlists, ncycles; /* defined before it */
	struct evp_md_ctx_st *sha; /* of the bytes before it */
};

/* Records to append: LEN bytes at P, without a mark, and where that leads. */
struct segment_batch {
	const uint8_t *p;
	size_t len;
	uint64_t next_record; /* behind it */
	size_t nlists, ncycles; /* defined behind it */
	const struct segment_account *accounts;
	uint16_t naccounts;
	const struct segment_event *events; /* of these records */
	size_t nevents;
};

/* What is to be done with the file, in this order. */
struct segment_work {
	uint64_t numbers; /* reserve record numbers below it; 0: no need */
	struct segment_batch batch; /* append it, unless its len is 0 */
	int sync; /* make durable all that is in the file */
	int turn; /* the same; then seal it and begin the next */
	const struct segment_account *accounts; /* for the tail */
	uint16_t naccounts;
};

/* How far that has come: where it failed. */
enum segment_step {
	SEGMENT_WRITE,
	SEGMENT_SYNC,
	SEGMENT_SEAL,
	SEGMENT_BEGIN,
	SEGMENT_DONE, /* nowhere */
};

struct segment_file {
	struct segment_dir *dir;
	int fd; /* -1: none is open */
	char name[SEGMENT_DIR_NAME]; /* N.open */
	uint64_t number; /* N */
	uint64_t first_record;
	int ends; /* nothing is appended any more: it is to be sealed */
	uint64_t stale; /* N.open could not be removed; 0: none */
	struct segment_point written, synced;
	struct wbuf mark; /* scratch */
	const char *what;
	struct syncer_job job; /* its `by' is the writer's to set */
	struct segment_work work; /* of the job */
	enum segment_step step; /* that it has come to */
};

/* No segment is open yet.  D must outlive F. */
void segment_file_init(struct segment_file *f, struct segment_dir *d);
void segment_file_clear(struct segment_file *f); /* closes */

/* Begin N.open for N = state/next: head mark, a resume mark if numbers were
 * jumped over, lock, directory synced.  If it fails there is no such file. */
int segment_file_begin(struct segment_file *f);

/* Remove N.open, which holds nothing that is not in memory.  If the disk does not
 * let us, the next segment_file_begin() does it. */
void segment_file_discard(struct segment_file *f);

/* Begin to do WORK, which is copied; what it points to stays until the result is
 * taken.  The file is open. */
void segment_file_give(struct segment_file *f, const struct segment_work *work);

/* Non-zero while a job is under way, also when its result only needs to be
 * taken; then, whether it can be without waiting. */
static inline int
segment_file_is_busy(const struct segment_file *f)
{
	return syncer_is_busy(&f->job);
}
static inline int
segment_file_is_done(const struct segment_file *f)
{
	return syncer_is_done(&f->job);
}

/* Take the result of the job that is under way, when it is there: 0; or -1,
 * and `step' says where it ended: what comes before was done. */
int segment_file_result(struct segment_file *f);

/* Append a batch and its mark in one write, or nothing. */
int segment_file_append(struct segment_file *f, const struct segment_batch *b);

/* Make `synced' what `written' is.  When that fails `synced' stays, and what is
 * behind it is not believed any more: a second sync may say yes without having
 * written, as the kernel takes the pages of a failed one for clean. */
int segment_file_sync(struct segment_file *f);

/* Go back to `synced', where it ends; what is behind it is cut off.  If that
 * fails it must not be sealed: recovery will cut it, at the first record of N+1. */
int segment_file_cut(struct segment_file *f);

/* Is there anything behind the head that the archive must get? */
int segment_file_has_content(const struct segment_file *f);

/*
 * Seal N, all of which is synced: tail mark with the accounts, fsync, counter,
 * rename.  Everything that can be refused for want of space comes before the
 * counter moves; after a failure the tail is cut off again and N may go on,
 * unless it `ends'.
 * The descriptor stays open, for its lock.
 */
int segment_file_seal(struct segment_file *f,
    const struct segment_account *accounts, uint16_t naccounts);

/* segment_file_begin() with the old file, sealed or given up, open until the
 * new one has its lock. */
int segment_file_begin_after(struct segment_file *f);

#endif
