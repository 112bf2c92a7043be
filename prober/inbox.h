/*
 * inbox: replies that were parsed and wait a moment for their tasks to come
 * into the cache.
 *
 * With a million tasks in progress, finding the task of a reply, the task and
 * what it remembers are a cache miss each, one behind the other.  So the
 * misses of many replies are started together, then the replies are handled
 * in the order in which they came.
 */
#ifndef PROBER_INBOX_H
#define PROBER_INBOX_H

#include "prober/window.h"

#define INBOX_REPLIES 32
#define INBOX_EXT 128 /* bytes of extensions, of a packet, that are kept */

struct inbox {
	const struct window *w;
	/* Handle R, a reply to a probe of T; NULL: of none. */
	void (*handle)(void *arg, struct task *t, const struct reply *r);
	void *arg;
	int count;
	struct reply replies[INBOX_REPLIES];
	uint32_t hashes[INBOX_REPLIES];
	uint8_t bytes[INBOX_REPLIES][INBOX_EXT];
};

/* A packet of LEN bytes, from the IP header on, that came at RX_NS (wall
 * clock); nothing of it is needed after the call. */
void
inbox_packet(struct inbox *in, const uint8_t *pkt, size_t len, int64_t rx_ns);
/* Handle all that wait. */
void inbox_flush(struct inbox *in);

#endif
