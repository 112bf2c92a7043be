#include "common/segment_keep.h"

#include <assert.h>
#include <string.h>

void
segment_keep_init(struct segment_keep *k)
{
	memset(k, 0, sizeof(*k));
	wbuf_init(&k->out);
	wbuf_init(&k->in);
}

void
segment_keep_clear(struct segment_keep *k)
{
	wbuf_clear(&k->out);
	wbuf_clear(&k->in);
	segment_events_clear(&k->out_events);
	segment_events_clear(&k->in_events);
	k->written = 0;
}

void
segment_keep_give(struct segment_keep *k)
{
	struct wbuf b = k->out;

	segment_events_move(&k->out_events, &k->in_events);
	if (b.len > 0) {
		wbuf_bytes(&k->out, k->in.p, k->in.len);
		wbuf_reset(&k->in);
		return;
	}
	k->out = k->in;
	k->in = b;
}

void
segment_keep_batch(const struct segment_keep *k, struct segment_batch *b)
{
	b->p = k->out.p + k->written;
	b->len = k->out.len - k->written;
	b->events = k->out_events.p + k->out_events.written;
	b->nevents = k->out_events.n - k->out_events.written;
}

void
segment_keep_written(struct segment_keep *k)
{
	k->written = k->out.len;
	k->out_events.written = k->out_events.n;
}

void
segment_keep_synced(struct segment_keep *k)
{
	size_t rest = k->out.len - k->written;

	if (k->written > 0 && rest > 0)
		memmove(k->out.p, k->out.p + k->written, rest);
	k->out.len = rest;
	k->written = 0;
	segment_events_synced(&k->out_events);
}

void
segment_keep_again(struct segment_keep *k, const struct wbuf *defs)
{
	struct wbuf b;

	wbuf_init(&b);
	wbuf_bytes(&b, defs->p, defs->len);
	wbuf_bytes(&b, k->out.p, k->out.len);
	wbuf_clear(&k->out);
	k->out = b;
	k->written = 0;
	k->out_events.written = 0;
}
