/*
 * feed: the archive as others see it.
 *
 *	state/MON/feed ── lines behind `published' ──► gzip, by-cycle/ link
 *	                                                     │
 *	   feed/created.log, feed/completed.log ◄── lines ───┘
 *	                    │
 *	   state/MON/published ◄── how far
 *
 * Everything is done so that it can be done again: a file that is compressed
 * stays, a link that is there stays, and a line that is in the log is known by
 * its id.  To find it not the whole log is read: `published' has the lengths
 * that the logs had when it was written.
 *
 * Many monitors write one log, under feed/lock.  A line that was torn by a kill
 * is cut off by the next who has the lock.
 */
#ifndef DATASORT_FEED_H
#define DATASORT_FEED_H

#include <stddef.h>
#include <stdint.h>

#include "datasort/datasort.h"

#define FEED_PATH_MAX (ARCHIVE_PATH_MAX + 4) /* with .gz */
#define FEED_LOGS 2

/* A line of a monitor's feed; pointers into it. */
struct feed_event {
	uint64_t number;
	const char *verb; /* verb_len bytes */
	size_t verb_len;
	const char *rest;
};

struct feed_log {
	const char *name; /* below root */
	uint64_t length; /* at the last `published' */
	struct wbuf add; /* K and text of each line to add, each NUL ended */
};

struct feed {
	int root, compress;
	const char *monitor;
	uint64_t offset; /* in state/MON/feed: what is public ends here */
	struct feed_log logs[FEED_LOGS];
};

/* feed_log.c: keep E for log L; append to the logs what was kept and is not
 * there yet, durably. */
void feed_log_add(
    struct feed_log *l, const char *monitor, const struct feed_event *e);
int feed_log_write(struct feed *f);

/* First word of the last whole line of FD and, if END is not NULL, where it
 * ends.  0 and *LAST 0 for an empty file; -1 with errno (EBADMSG). */
int feed_last(int fd, uint64_t *last, uint64_t *end);

/* state/MON/published.  0, or -1 with errno. */
int feed_state_read(struct feed *f);
int feed_state_write(struct feed *f);

/* feed_link.c: by-cycle/LIST/CYCLE/FILE to PATH, and none to OTHER.  0, or -1
 * with errno. */
int feed_link(int root, const char *path, const char *other);

#endif
