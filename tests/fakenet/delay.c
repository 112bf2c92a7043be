/*
 * delay: replies that are due later, in a timing wheel.
 *
 *	slot   0   1   2  ...  now  ...  8191     a tick of 65,536 ns each:
 *	       |   |   |        |                 half a second around
 *	      list of packets whose tick falls here, this time round or later
 *
 * A bit per slot says where there is anything, so that the next wake-up is
 * found by looking at 128 words.  Packets come from two free lists, short
 * (nearly all) and long, which grow as needed and are kept.
 */
#include "tests/fakenet/fakenet.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"

#define SLOTS 8192
#define SHORT_LEN 232 /* makes a node of 256 bytes */
#define WORDS (SLOTS / 64)

struct node {
	struct node *next;
	uint64_t tick;
	uint32_t len;
	uint32_t room; /* bytes behind this header */
	uint8_t pkt[];
};

struct slot {
	struct node *first, **last;
};

struct delay {
	struct slot slot[SLOTS];
	uint64_t used[WORDS]; /* bit: the slot is not empty */
	uint64_t tick; /* everything before it has been given out */
	uint32_t count, max;
	struct node *free_short, *free_long;
	struct node *out; /* given out by the last call */
};

struct delay *
delay_new(uint32_t max, int64_t now_ns)
{
	struct delay *d = xcalloc(1, sizeof(*d));

	d->max = max;
	d->tick = (uint64_t)now_ns / DELAY_TICK_NS;
	for (int i = 0; i < SLOTS; i++)
		d->slot[i].last = &d->slot[i].first;
	return d;
}

static void
free_list(struct node *n)
{
	struct node *next;

	for (; n != NULL; n = next) {
		next = n->next;
		free(n);
	}
}

void
delay_free(struct delay *d)
{
	if (d == NULL)
		return;
	for (int i = 0; i < SLOTS; i++)
		free_list(d->slot[i].first);
	free_list(d->free_short);
	free_list(d->free_long);
	free(d->out);
	free(d);
}

static struct node *
take_node(struct delay *d, size_t len)
{
	struct node **list = len <= SHORT_LEN ? &d->free_short : &d->free_long;
	uint32_t room = len <= SHORT_LEN ? SHORT_LEN : PACKET_MAX;
	struct node *n = *list;

	if (n != NULL) {
		*list = n->next;
		return n;
	}
	n = xmalloc(sizeof(*n) + room);
	n->room = room;
	return n;
}

static void
give_back(struct delay *d, struct node *n)
{
	struct node **list =
	    n->room == SHORT_LEN ? &d->free_short : &d->free_long;

	n->next = *list;
	*list = n;
}

int
delay_add(struct delay *d, int64_t due_ns, const uint8_t *pkt, size_t len)
{
	uint64_t tick = ((uint64_t)due_ns + DELAY_TICK_NS - 1) / DELAY_TICK_NS;
	struct slot *s;
	struct node *n;

	assert(len <= PACKET_MAX);
	if (d->count == d->max)
		return -1;
	if (tick < d->tick)
		tick = d->tick;
	n = take_node(d, len);
	n->next = NULL;
	n->tick = tick;
	n->len = (uint32_t)len;
	memcpy(n->pkt, pkt, len);
	s = &d->slot[tick % SLOTS];
	*s->last = n;
	s->last = &n->next;
	d->used[tick % SLOTS / 64] |= 1ULL << (tick % 64);
	d->count++;
	return 0;
}

/* Unlink the first packet of slot I that is due at TICK. */
static struct node *
unlink_due(struct delay *d, uint64_t tick)
{
	uint64_t i = tick % SLOTS;
	struct slot *s = &d->slot[i];
	struct node **at = &s->first, *n;

	while ((n = *at) != NULL && n->tick > tick)
		at = &n->next;
	if (n == NULL)
		return NULL;
	*at = n->next;
	if (n->next == NULL)
		s->last = at;
	if (s->first == NULL)
		d->used[i / 64] &= ~(1ULL << (i % 64));
	return n;
}

/* The first tick from FROM on whose slot holds anything; the wheel is not
 * empty. */
static uint64_t
next_used(const struct delay *d, uint64_t from)
{
	uint64_t i = from % SLOTS, word = d->used[i / 64] >> (i % 64);

	if (word != 0)
		return from + (uint64_t)__builtin_ctzll(word);
	from += 64 - i % 64;
	while ((word = d->used[from % SLOTS / 64]) == 0)
		from += 64;
	return from + (uint64_t)__builtin_ctzll(word);
}

const uint8_t *
delay_next(struct delay *d, int64_t now_ns, size_t *len)
{
	uint64_t now = (uint64_t)now_ns / DELAY_TICK_NS, tick;
	struct node *n = NULL;

	if (d->out != NULL) {
		give_back(d, d->out);
		d->out = NULL;
	}
	while (d->count > 0 && d->tick <= now) {
		tick = next_used(d, d->tick);
		if (tick > now)
			break;
		d->tick = tick;
		n = unlink_due(d, tick);
		if (n != NULL)
			break;
		d->tick = tick + 1;
	}
	if (n == NULL) {
		if (d->tick <= now)
			d->tick = now + 1;
		return NULL;
	}
	d->count--;
	d->out = n;
	*len = n->len;
	return n->pkt;
}

int64_t
delay_wake_ns(const struct delay *d)
{
	if (d->count == 0)
		return -1;
	return (int64_t)(next_used(d, d->tick) * DELAY_TICK_NS);
}
