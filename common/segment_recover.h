/*
 * segment_recover: what a killed writer left in spool/N.open becomes sealed
 * segments, or nothing if there was nothing in it.
 *
 *	N.open is				it becomes
 *	whole, with its tail			N.warts
 *	good up to some mark, then torn		cut there, tail, N.warts
 *	empty (head only), N = state/next	removed; N will be used again
 *	empty, N below state/next		N.warts without a record
 *
 * Where N+1 exists too (a disk error made the writer leave N and go on in
 * N+1), N is cut before the first record of N+1.
 *
 * Record numbers: what write(2) took in this boot is in the file, so that
 * numbering goes on behind the last one found.  After a torn segment of
 * another boot, unsynced records may be missing: numbering goes on at the end
 * of the block that was reserved.  state/next keeps both sides of that gap
 * until the writer has said so in a resume mark.
 */
#ifndef COMMON_SEGMENT_RECOVER_H
#define COMMON_SEGMENT_RECOVER_H

#include <stdint.h>

#include "common/segment_dir.h"

struct segment_recovered {
	unsigned int sealed; /* segments sealed now */
	unsigned int empty; /* removed */
	int gap; /* record numbers were jumped over */
};

/*
 * The caller holds the lock of D, whose `next' and `next_record' are right
 * afterwards.  To be repeated after a failure: every step can be.  Returns 0,
 * or -1 with errno and a reason in *WHY.
 */
int segment_recover(
    struct segment_dir *d, struct segment_recovered *out, const char **why);

#endif
