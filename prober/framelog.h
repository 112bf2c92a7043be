/*
 * framelog: a file with a line of text in front and frames behind it, that
 * grows frame by frame and is replaced as a whole from time to time.
 *
 *	text #crc\n			as common/crcline.h
 *	frame ...			each one:
 *		4	"frme"
 *		4	length of the body, bytes
 *		4	CRC-32 of the 8 bytes before
 *		n	body
 *		4	CRC-32 of the body
 *
 * A frame is appended with one write(2) and is durable when fdatasync(2) has
 * returned; only then the next one is written, or the file replaced.  Both wait
 * for the disk in a job, which another thread may do (common/syncer.h); while one
 * is under way nothing else is done with the file.  So whatever a kill leaves is
 * whole frames and at most the beginning of one, which was promised to nobody.
 * After a power cut the last frame may be anything.  What does not fit this is
 * damage, and is said to be: reading never passes over a frame to the next.
 *
 * Not here: what is in the frames.
 */
#ifndef PROBER_FRAMELOG_H
#define PROBER_FRAMELOG_H

#include <stddef.h>
#include <stdint.h>

#include "common/syncer.h"

#define FRAMELOG_LINE_MAX 200

struct framelog {
	int dirfd, fd; /* fd -1: replace it first */
	const char *name;
	uint64_t bytes; /* whole frames */
	struct syncer_job job; /* its `by' is the caller's to set */
	/* What the job makes the new file of; line NULL: it does not. */
	char *line;
	const void *body;
	size_t len;
	int new_fd; /* or -1 */
};

/* DIRFD and NAME (kept) are the caller's.  No file is open. */
void framelog_init(struct framelog *f, int dirfd, const char *name);
void framelog_clear(struct framelog *f); /* waits for a job; closes */

/*
 * Begin to replace the file durably by TEXT (without newline) and one frame of
 * LEN bytes at BODY, which stays until the result is taken.  If that is -1
 * either the old or the new one is there, and nothing can be appended until a
 * replace succeeds.
 */
void framelog_replace(
    struct framelog *f, const char *text, const void *body, size_t len);

/*
 * Append a frame, and begin to make it durable.  0; or -1 with errno.  Without
 * space (ENOSPC, EDQUOT) it can be tried again; after any other error the file is
 * closed and must be replaced.
 */
int framelog_append(struct framelog *f, const void *body, size_t len);

/* Non-zero while a job is under way, also when its result only needs to be
 * taken; then, whether it can be without waiting. */
static inline int
framelog_is_busy(const struct framelog *f)
{
	return syncer_is_busy(&f->job);
}
static inline int
framelog_is_done(const struct framelog *f)
{
	return syncer_is_done(&f->job);
}

/* Take the result of the job under way, waiting for it: 0, what was begun is
 * durable; or -1 with errno, and the file is closed and must be replaced. */
int framelog_result(struct framelog *f);

struct framelog_reader {
	/* The text of the first line, may be changed.  Returns NULL, or a
	 * reason not to go on.  *SURE: no power cut since it was written, so
	 * that a bad last frame is damage. */
	const char *(*line)(void *arg, char *text, int *sure);
	/* NULL, or a reason not to go on. */
	const char *(*frame)(void *arg, const uint8_t *body, size_t len);
	void *arg;
};

/*
 * Read NAME in DIRFD.  0 when it is good up to a torn end, of which *TORN
 * bytes were passed over; else -1 with a static reason in *WHY and errno
 * (ENOENT: no such file; EBADMSG: it is damaged, and what was given before is
 * to be forgotten).
 */
int framelog_read(int dirfd, const char *name, const struct framelog_reader *r,
    size_t *torn, const char **why);

#endif
