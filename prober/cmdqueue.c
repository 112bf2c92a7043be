/*
 * cmdqueue: the Command Queue, a ring of commands between the sources and the
 * Active Window.  It is bounded: a full queue stops the sources' reading, and
 * so, through the pipe, the List Manager and the generators.
 */
#include <assert.h>
#include <stdlib.h>

#include "common/xmalloc.h"
#include "prober/prober.h"

void
cmdqueue_init(struct cmdqueue *q, uint32_t size)
{
	assert(size != 0 && (size & (size - 1)) == 0);
	q->ring = xcalloc(size, sizeof(*q->ring));
	q->size = q->limit = size;
	q->head = q->count = 0;
}

void
cmdqueue_clear(struct cmdqueue *q)
{
	struct command c;

	while (cmdqueue_take(q, &c) == 0)
		technique_unref(c.m);
	free(q->ring);
	q->ring = NULL;
}

int
cmdqueue_put(struct cmdqueue *q, const struct command *c)
{
	if (q->count >= q->limit)
		return -1;
	q->ring[(q->head + q->count++) & (q->size - 1)] = *c;
	return 0;
}

/* Twice the size, the oldest first again. */
static void
grow(struct cmdqueue *q)
{
	struct command *ring = xcalloc((size_t)q->size * 2, sizeof(*ring));

	for (uint32_t i = 0; i < q->count; i++)
		ring[i] = *cmdqueue_at(q, i);
	free(q->ring);
	q->ring = ring;
	q->size *= 2;
	q->head = 0;
}

void
cmdqueue_restore(struct cmdqueue *q, const struct command *c)
{
	if (q->count == q->size)
		grow(q);
	q->ring[(q->head + q->count++) & (q->size - 1)] = *c;
}

const struct command *
cmdqueue_at(const struct cmdqueue *q, uint32_t i)
{
	return &q->ring[(q->head + i) & (q->size - 1)];
}

int
cmdqueue_take(struct cmdqueue *q, struct command *out)
{
	if (q->count == 0)
		return -1;
	*out = q->ring[q->head];
	q->head = (q->head + 1) & (q->size - 1);
	q->count--;
	return 0;
}
