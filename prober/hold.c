/*
 * hold: the Hold List.  Commands whose address is being probed, or is on hold
 * already, wait here until max(now, latest hold of that address) + period.
 *
 *	heap	commands by (due time, order of arrival)
 *	index	per address: how many are on hold, and the latest due time
 *
 * Both are arrays; there is no allocation per command.
 */
#include <stdlib.h>

#include "common/xmalloc.h"
#include "prober/prober.h"

struct entry {
	int64_t due_ns;
	uint64_t order;
	struct command c;
};

struct held_addr {
	struct addr addr; /* family 0: free slot */
	uint32_t count;
	int64_t latest_ns;
};

struct hold {
	int64_t period_ns;
	struct entry *heap;
	size_t count, cap;
	struct held_addr *index;
	size_t nslots, naddrs; /* nslots: a power of two */
	uint64_t order;
};

#define SLOTS_MIN 64

struct hold *
hold_new(int64_t period_ns)
{
	struct hold *h = xcalloc(1, sizeof(*h));

	h->period_ns = period_ns;
	h->nslots = SLOTS_MIN;
	h->index = xcalloc(h->nslots, sizeof(*h->index));
	return h;
}

void
hold_free(struct hold *h)
{
	if (h == NULL)
		return;
	for (size_t i = 0; i < h->count; i++)
		technique_unref(h->heap[i].c.m);
	free(h->heap);
	free(h->index);
	free(h);
}

size_t
hold_count(const struct hold *h)
{
	return h->count;
}

/* --- index: open addressing, linear probing --------------------------------- */

static size_t
home(const struct hold *h, const struct addr *a)
{
	return addr_hash(a) & (h->nslots - 1);
}

/* The slot of A, or the free slot where it belongs. */
static struct held_addr *
slot_of(const struct hold *h, const struct addr *a)
{
	size_t i = home(h, a);

	while (h->index[i].addr.family != ADDR_NONE &&
	    !addr_equal(&h->index[i].addr, a))
		i = (i + 1) & (h->nslots - 1);
	return &h->index[i];
}

static void
grow_index(struct hold *h)
{
	struct held_addr *old = h->index;
	size_t n = h->nslots;

	h->nslots *= 2;
	h->index = xcalloc(h->nslots, sizeof(*h->index));
	for (size_t i = 0; i < n; i++) {
		if (old[i].addr.family != ADDR_NONE)
			*slot_of(h, &old[i].addr) = old[i];
	}
	free(old);
}

/* Free a slot and move back what was displaced by it. */
static void
free_slot(struct hold *h, struct held_addr *slot)
{
	size_t mask = h->nslots - 1, hole = (size_t)(slot - h->index), i = hole;

	for (;;) {
		i = (i + 1) & mask;
		if (h->index[i].addr.family == ADDR_NONE)
			break;
		if (((i - home(h, &h->index[i].addr)) & mask) >=
		    ((i - hole) & mask)) {
			h->index[hole] = h->index[i];
			hole = i;
		}
	}
	h->index[hole].addr.family = ADDR_NONE;
	h->naddrs--;
}

int
hold_has(const struct hold *h, const struct addr *a)
{
	return h->count > 0 && slot_of(h, a)->addr.family != ADDR_NONE;
}

/* --- heap --------------------------------------------------------------------- */

static int
before(const struct entry *a, const struct entry *b)
{
	if (a->due_ns != b->due_ns)
		return a->due_ns < b->due_ns;
	return a->order < b->order;
}

static void
sift_up(struct entry *heap, size_t i)
{
	struct entry e = heap[i];

	while (i > 0 && before(&e, &heap[(i - 1) / 2])) {
		heap[i] = heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	heap[i] = e;
}

static void
sift_down(struct entry *heap, size_t n)
{
	struct entry e = heap[0];
	size_t i = 0, child;

	while ((child = 2 * i + 1) < n) {
		if (child + 1 < n && before(&heap[child + 1], &heap[child]))
			child++;
		if (!before(&heap[child], &e))
			break;
		heap[i] = heap[child];
		i = child;
	}
	heap[i] = e;
}

/* Put C on hold until DUE; or, if others of its address are on hold until
 * later than DUE less BEHIND, until BEHIND after the latest of them. */
static void
add(struct hold *h, const struct command *c, int64_t due_ns, int64_t behind_ns)
{
	struct held_addr *slot;

	if (2 * (h->naddrs + 1) > h->nslots)
		grow_index(h);
	slot = slot_of(h, &c->dst);
	if (slot->addr.family == ADDR_NONE) {
		slot->addr = c->dst;
		slot->count = 0;
		h->naddrs++;
	} else if (slot->latest_ns + behind_ns > due_ns) {
		due_ns = slot->latest_ns + behind_ns;
	}
	slot->count++;
	slot->latest_ns = due_ns;
	if (h->count == h->cap) {
		h->cap = h->cap != 0 ? 2 * h->cap : SLOTS_MIN;
		h->heap = xreallocarray(h->heap, h->cap, sizeof(*h->heap));
	}
	h->heap[h->count].due_ns = slot->latest_ns;
	h->heap[h->count].order = h->order++;
	h->heap[h->count].c = *c;
	sift_up(h->heap, h->count++);
}

void
hold_add(struct hold *h, const struct command *c, int64_t now_ns)
{
	add(h, c, now_ns + h->period_ns, h->period_ns);
}

void
hold_until(struct hold *h, const struct command *c, int64_t due_ns)
{
	add(h, c, due_ns, 0);
}

const struct command *
hold_at(const struct hold *h, size_t i)
{
	return &h->heap[i].c;
}

int64_t
hold_due(const struct hold *h)
{
	return h->count > 0 ? h->heap[0].due_ns : INT64_MAX;
}

int
hold_take(struct hold *h, int64_t now_ns, struct command *out)
{
	struct held_addr *slot;

	if (hold_due(h) > now_ns)
		return -1;
	*out = h->heap[0].c;
	slot = slot_of(h, &out->dst);
	if (--slot->count == 0)
		free_slot(h, slot);
	h->heap[0] = h->heap[--h->count];
	if (h->count > 0)
		sift_down(h->heap, h->count);
	return 0;
}
