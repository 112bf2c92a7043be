/*
 * ledger: the archive's durable list of segments, one line each, in the order
 * of their numbers without a gap (but for conflicts):
 *
 *	NUMBER OUTCOME FIRST LAST SHA-256 [key=value ...] #check
 *
 *	12 filed 4001 4380 9f86d081... bytes=65536 quarantined=0 #52e3a1b0
 *
 *	filed	every record is in the archive (or in quarantine)
 *	void	the segment held no record
 *	refused	damaged on the monitor, which keeps it in bad/
 *	conflict	a second line about NUMBER: the monitor offered other
 *		contents, of this hash, under a number that was filed
 *
 * FIRST and LAST are record numbers; LAST is FIRST - 1 when there are none.
 * resume=N says that the numbers between N and FIRST were announced as
 * possibly lost.  The sorter writes it; the client reads it, to know what not
 * to fetch again.
 */
#ifndef COMMON_LEDGER_H
#define COMMON_LEDGER_H

#include <stdint.h>

#include "common/segment.h"

enum ledger_outcome {
	LEDGER_FILED,
	LEDGER_VOID,
	LEDGER_REFUSED,
	LEDGER_CONFLICT,
};

struct ledger_entry {
	uint64_t number;
	enum ledger_outcome outcome;
	uint64_t first, last;
	uint8_t sha[SEGMENT_SHA_LEN];
	uint64_t bytes, quarantined; /* bytes: only for writing */
	int resumed;
	uint64_t resume_last;
};

/* A whole line with its newline; the caller frees. */
char *ledger_format(const struct ledger_entry *e);

/* Parse LINE (changed; without its newline).  NULL, or a static reason. */
const char *ledger_scan(char *line, struct ledger_entry *e);

/*
 * Look for segment NUMBER in ledger file PATH; conflicts are passed over.  1
 * found, 0 not in it (or there is no ledger), -1 with errno (EBADMSG: a line is
 * damaged).
 */
int ledger_find(
    int dirfd, const char *path, uint64_t number, struct ledger_entry *e);

/* Call EACH for every line of ledger file PATH; it ends the reading by not
 * returning 0.  Returns that, 0, or -1 with errno (EBADMSG as above). */
int ledger_each(int dirfd, const char *path,
    int (*each)(void *arg, const struct ledger_entry *e), void *arg);

#endif
