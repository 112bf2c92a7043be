/*
 * segment_read: read a segment and believe only what its marks prove.
 *
 * One pass over the file: every record is taken by its length, every mark is
 * compared with what came before it (epoch, segment and record numbers, count,
 * CRC-32; in the tail SHA-256).  At the first thing that does not fit the
 * reading of records ends; the rest is still hashed, so that the whole file
 * has a name.  A segment is good when its tail mark is good and nothing
 * follows it.
 *
 * A file that is being written can be read too: `good' is then the end of the
 * last good mark.
 */
#ifndef COMMON_SEGMENT_READ_H
#define COMMON_SEGMENT_READ_H

#include <stddef.h>
#include <stdint.h>

#include "common/segment.h"

struct segment_info {
	uint8_t epoch[SEGMENT_EPOCH_LEN];
	uint8_t boot[16];
	uint64_t number;
	uint64_t first, last; /* record numbers; last = first - 1 if none */
	uint64_t bytes; /* length of the file */
	uint64_t good; /* end of the last good mark; 0: not even a head */
	uint64_t stopped; /* offset of what ended the reading */
	uint32_t marks; /* good ones, with head and tail */
	int content; /* there is more than a head before `good' */
	int sealed; /* all of it is good, with a tail */
	int resumed; /* it has a resume mark: numbers were jumped over */
	uint64_t resume_last; /* last number found before the gap */
	uint8_t sha[SEGMENT_SHA_LEN]; /* of the whole file */
	uint8_t good_sha[SEGMENT_SHA_LEN]; /* of the bytes before `good' */
};

struct segment_read_opts {
	/* Believe no mark behind which record BOUND would have been given; 0:
	 * no such bound.  (What follows was written again elsewhere.) */
	uint64_t bound;
	/*
	 * Believe the tail's SHA-256 alone and compare no CRC-32 before it: all
	 * that is lost is to know where a bad segment went bad.  Such a one, or
	 * one without a tail, or with records between its last mark and the
	 * tail, is -1 with *WHY, `good' and `stopped' as they come; read it
	 * again without this.
	 */
	int tail_only;
	/*
	 * Called for each record but the good marks, in order.  NUMBER: the
	 * record number, 0 if it has none.  What it is told is proven only when
	 * segment_read() has returned 0.  May be NULL.
	 */
	void (*record)(void *arg, uint16_t type, const uint8_t *body,
	    uint32_t len, uint64_t number);
	/* Called for each good mark, with its body.  May be NULL. */
	void (*mark)(void *arg, const uint8_t *body, uint32_t len);
	void *arg;
};

/*
 * Read FD from its start to its end (its offset is not used).  OPTS may be
 * NULL.  Returns 0 when the segment is sealed and good; else -1 with *INFO
 * filled in as far as it goes and *WHY a static reason; or, when the file
 * cannot be read, "read error" and errno (0 otherwise).
 */
int segment_read(int fd, const struct segment_read_opts *opts,
    struct segment_info *info, const char **why);

/* Only the head mark.  0 or -1. */
int segment_read_head(int fd, struct segment_info *info);

/* Non-zero for the types that carry a record number. */
int segment_read_numbered(uint16_t type);

#endif
