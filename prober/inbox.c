#include "prober/inbox.h"

#include <string.h>

#include "prober/net/packet_parse.h"

void
inbox_flush(struct inbox *in)
{
	struct task *tasks[INBOX_REPLIES];

	for (int i = 0; i < in->count; i++)
		tasks[i] = window_prefetch_hash(in->w, in->hashes[i]);
	for (int i = 0; i < in->count; i++) {
		const struct reply *r = &in->replies[i];
		struct task *t = tasks[i];

		/* Another with this hash?  That is rare. */
		if (t != NULL && !addr_equal(&t->dst, &r->target))
			t = window_find_hash(in->w, &r->target, in->hashes[i]);
		in->handle(in->arg, t, r);
	}
	in->count = 0;
}

/* Copy what reply I points to.  Non-zero: it is too rare or too large to be
 * kept when the packet PKT goes. */
__attribute__((cold, noinline)) static int
keep_error(struct inbox *in, int i)
{
	struct reply *r = &in->replies[i];

	if (r->ext_len > INBOX_EXT)
		return 1;
	memcpy(in->bytes[i], r->ext, r->ext_len);
	r->ext = in->bytes[i];
	return r->ip_option_len > 0;
}

__attribute__((noinline)) static int
keep_reply(struct inbox *in, int i, const uint8_t *pkt, size_t len)
{
	struct reply *r = &in->replies[i];

	r->packet = pkt;
	r->packet_len = len < UINT16_MAX ? (uint16_t)len : UINT16_MAX;
	if (len > INBOX_EXT || r->ip_option_len > 0 || r->icmp_stamps != NULL)
		return 1;
	memcpy(in->bytes[i], pkt, len);
	r->packet = in->bytes[i];
	return 0;
}

void
inbox_packet(struct inbox *in, const uint8_t *pkt, size_t len, int64_t rx_ns)
{
	int i = in->count, flush;
	struct reply *r = &in->replies[i];

	if (packet_parse(pkt, len, r) == -1)
		return;
	r->rx_ns = rx_ns;
	in->hashes[i] = window_prefetch(in->w, &r->target);
	in->count++;
	if (r->kind != REPLY_ICMP_ERROR)
		flush = keep_reply(in, i, pkt, len);
	else if (r->ext_len > 0)
		flush = keep_error(in, i);
	else
		flush = r->ip_option_len;
	if (flush || in->count == INBOX_REPLIES)
		inbox_flush(in);
}
