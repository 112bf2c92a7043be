/*
 * datacli: fetch the segments of all monitors.  This is the map of the program.
 *
 *	datacli.c   configuration, one pass after the other, the sorter
 *	   │ fetch_new()                      ▲ done: fetched, or why not
 *	   ▼                                  │
 *	fetch.c     one pass over one monitor: the protocol (dataserver(8))
 *	   │ look, begin, write, finish       ▲ have, need, conflict
 *	   ▼                                  │
 *	incoming.c  the disk: incoming/MON/EPOCH/N.part -> N.warts
 *
 * For each segment, in this order: bytes to N.part; SHA-256 of the file as read
 * back, and its marks; fsync; rename to N.warts; fsync of the directory; only
 * then `commit'.  A kill anywhere leaves N.part, which is resumed, or N.warts,
 * which is committed again; until then the monitor has it.
 *
 * Names on disk come from the configuration and from numbers: the epoch, which
 * the monitor says, is taken as 128 bits and printed by us.
 */
#ifndef DATACLI_H
#define DATACLI_H

#include <stddef.h>
#include <stdint.h>

#include "common/segment.h"

struct event_base;

#define DATACLI_LINE_MAX 512

/* --- incoming.c -------------------------------------------------------------- */

/* What a monitor offers. */
struct offer {
	uint64_t number, first, last, bytes;
	uint8_t sha[SEGMENT_SHA_LEN];
};

struct incoming {
	int root, dir; /* DIR; incoming/MON/EPOCH */
	char *monitor;
	uint8_t epoch[SEGMENT_EPOCH_LEN];
	char hex[2 * SEGMENT_EPOCH_LEN + 1];
	/* The part that is being written. */
	int fd; /* -1: none */
	struct offer part;
	uint64_t size; /* bytes in it */
	int resumed; /* it had bytes at the beginning */
};

/* Directories are made as needed.  0, or -1 with errno. */
int incoming_open(struct incoming *in, int root, const char *monitor,
    const uint8_t epoch[SEGMENT_EPOCH_LEN]);
void incoming_close(struct incoming *in);

/* The first number that is not filed.  0 with errno if that cannot be known. */
uint64_t incoming_next(struct incoming *in);

enum incoming_look {
	INCOMING_NEED, /* to be fetched */
	INCOMING_HAVE, /* here or filed, with the same hash: to be committed */
	INCOMING_CONFLICT, /* the number is here or filed with another hash */
	INCOMING_ERROR, /* errno */
};
/* What is to be done with O. */
enum incoming_look incoming_look(struct incoming *in, const struct offer *o);

/* Is segment NUMBER complete here (or known as refused)? */
int incoming_has(struct incoming *in, uint64_t number);

/* Open N.part; `size' says where to go on.  0, or -1 with errno (ENOSPC also
 * when less than twice the segment is free). */
int incoming_begin(struct incoming *in, const struct offer *o);
/* Bytes at `size'.  0, or -1 with errno. */
int incoming_write(struct incoming *in, const void *p, size_t len);
/* Forget the bytes from SIZE on. */
int incoming_cut(struct incoming *in, uint64_t size);
/* Stop; the part stays. */
void incoming_stop(struct incoming *in);

/*
 * All bytes are here: verify and make it N.warts.  Returns 1 when that is
 * durable; 0 when the bytes are not what was offered or not a good segment,
 * with *WHY (the part is gone); -1 with errno.
 */
int incoming_finish(struct incoming *in, const char **why);

/* The monitor keeps segment NUMBER in bad/: say so to the sorter.  0 or -1. */
int incoming_refused(struct incoming *in, uint64_t number, const uint8_t *sha);

/* O is another segment than the one of that number: say so to the sorter, for
 * the ledger.  0 or -1. */
int incoming_conflict(struct incoming *in, const struct offer *o);

/* --- fetch.c ------------------------------------------------------------------ */

struct fetch;

struct fetch_config {
	struct event_base *base;
	int root; /* DIR */
	const char *monitor, *address; /* kept */
	/* The pass is over: WHY is NULL, or why it broke off (logged).
	 * FETCHED segments are new.  The fetch is gone afterwards. */
	void (*done)(void *arg, const char *why, unsigned int fetched);
	void *arg;
};

/* Begin one pass: rotate, list, get what is new, commit. */
struct fetch *fetch_new(const struct fetch_config *cfg);
void fetch_free(struct fetch *f);

#endif
