#include "common/segment_events.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"

#define FIRST_CAP 256

void
segment_events_clear(struct segment_events *s)
{
	free(s->p);
	memset(s, 0, sizeof(*s));
}

void
segment_events_add(struct segment_events *s, const struct segment_event *e)
{
	if (s->n == s->cap) {
		s->cap = s->cap == 0 ? FIRST_CAP : 2 * s->cap;
		s->p = xreallocarray(s->p, s->cap, sizeof(*s->p));
	}
	s->p[s->n++] = *e;
}

void
segment_events_move(struct segment_events *to, struct segment_events *from)
{
	struct segment_events empty = *to;

	if (to->n == 0) {
		*to = *from;
		*from = empty;
		return;
	}
	for (size_t i = 0; i < from->n; i++)
		segment_events_add(to, &from->p[i]);
	from->n = 0;
}

void
segment_events_synced(struct segment_events *s)
{
	s->n -= s->written;
	if (s->n > 0 && s->written > 0)
		memmove(s->p, s->p + s->written, s->n * sizeof(*s->p));
	s->written = 0;
}
