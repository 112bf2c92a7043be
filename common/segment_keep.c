#include "common/segment_keep.h"

#include <assert.h>
#include <string.h>

void
segment_keep_clear(struct segment_keep *k)
{
	wbuf_clear(&k->b);
	segment_events_clear(&k->events);
	k->written = 0;
}

void
segment_keep_batch(const struct segment_keep *k, struct segment_batch *b)
{
	b->p = k->b.p + k->written;
	b->len = segment_keep_unwritten(k);
	b->events = k->events.p + k->events.written;
	b->nevents = k->events.n - k->events.written;
}

void
segment_keep_written(struct segment_keep *k)
{
	k->written = k->b.len;
	k->events.written = k->events.n;
}

void
segment_keep_synced(struct segment_keep *k)
{
	size_t rest = segment_keep_unwritten(k);

	if (k->written > 0 && rest > 0)
		memmove(k->b.p, k->b.p + k->written, rest);
	k->b.len = rest;
	k->written = 0;
	segment_events_synced(&k->events);
}

void
segment_keep_cut(struct segment_keep *k)
{
	k->written = 0;
	k->events.written = 0;
}

void
segment_keep_again(struct segment_keep *k, struct segment_ids *ids,
    const struct segment_point *at)
{
	struct wbuf b;

	assert(k->written == 0);
	wbuf_init(&b);
	segment_ids_replay(ids, &b, at->nlists, at->ncycles);
	wbuf_bytes(&b, k->b.p, k->b.len);
	wbuf_clear(&k->b);
	k->b = b;
}
