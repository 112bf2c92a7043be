/*
 * segment_accounts: what a writer of segments was told last about each cycle
 * (struct segment_account), to be said in its next mark.
 *
 * Marks are for who reads the segments one after the other: the last word on a
 * cycle counts.  A batch says all of them again if one has changed; a tail says
 * them in any case, and then those that are final are forgotten.
 */
#ifndef COMMON_SEGMENT_ACCOUNTS_H
#define COMMON_SEGMENT_ACCOUNTS_H

#include "common/segment.h"

struct segment_accounts {
	struct segment_account *p; /* n */
	uint16_t n;
	int changed; /* since the last batch */
};

/* To begin with all is zero. */
void segment_accounts_clear(struct segment_accounts *s);
/* A replaces what was said about its cycle, or is the first word on it. */
void segment_accounts_put(
    struct segment_accounts *s, const struct segment_account *a);
/* Have TO be what FROM is now. */
void segment_accounts_copy(
    struct segment_accounts *to, const struct segment_accounts *from);
/* A tail has said SAID: forget the cycles of which nothing more will come. */
void segment_accounts_sealed(
    struct segment_accounts *s, const struct segment_accounts *said);

#endif
