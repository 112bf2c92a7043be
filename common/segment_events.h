/*
 * segment_events: what the records behind a writer's last sync are to cycles,
 * in their order, as the marks say it.
 *
 *	0 ........ written ......... n
 *	in a mark           not yet
 *
 * It goes along with the writer's record bytes: written out, written again to
 * another file after a disk error, forgotten when they are durable.
 */
#ifndef COMMON_SEGMENT_EVENTS_H
#define COMMON_SEGMENT_EVENTS_H

#include <stddef.h>

#include "common/segment.h"

struct segment_events {
	struct segment_event *p; /* n */
	size_t n, cap, written;
};

/* To begin with all is zero. */
void segment_events_clear(struct segment_events *s);
void
segment_events_add(struct segment_events *s, const struct segment_event *e);
/* All of FROM goes behind TO. */
void
segment_events_move(struct segment_events *to, struct segment_events *from);
/* What was written is durable. */
void segment_events_synced(struct segment_events *s);

#endif
