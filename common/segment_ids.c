#include "common/segment_ids.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/warts/record.h"
#include "common/xmalloc.h"

void
segment_ids_init(struct segment_ids *ids, const char *monitor)
{
	memset(ids, 0, sizeof(*ids));
	if (monitor != NULL)
		ids->monitor = xstrdup(monitor);
}

static void
free_cycle(struct segment_ids_cycle *c)
{
	if (c == NULL)
		return;
	free(c->hostname);
	free(c);
}

void
segment_ids_clear(struct segment_ids *ids)
{
	segment_ids_new_file(ids);
	for (size_t i = 0; i < ids->ncycles; i++)
		free_cycle(ids->cycles[i]);
	for (size_t i = 0; i < ids->nlists; i++) {
		free(ids->lists[i]->name);
		free(ids->lists[i]->descr);
		free(ids->lists[i]);
	}
	free(ids->cycles);
	free(ids->lists);
	free(ids->def_lists);
	free(ids->def_cycles);
	free(ids->monitor);
	memset(ids, 0, sizeof(*ids));
}

static int
same(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

static char *
copy(const char *s)
{
	return s == NULL ? NULL : xstrdup(s);
}

/* Lists are the same when all that a list record says is. */
static struct segment_ids_list *
find_list(struct segment_ids *ids, const struct segment_cycle *c)
{
	struct segment_ids_list *l;

	for (size_t i = 0; i < ids->nlists; i++) {
		l = ids->lists[i];
		if (l->user_id == c->list_id && same(l->name, c->name) &&
		    same(l->descr, c->descr))
			return l;
	}
	l = xcalloc(1, sizeof(*l));
	l->user_id = c->list_id;
	l->name = xstrdup(c->name);
	l->descr = copy(c->descr);
	ids->lists =
	    xreallocarray(ids->lists, ids->nlists + 1, sizeof(*ids->lists));
	ids->lists[ids->nlists++] = l;
	return l;
}

static int
free_handle(struct segment_ids *ids)
{
	size_t i;

	for (i = 0; i < ids->ncycles; i++) {
		if (ids->cycles[i] == NULL)
			return (int)i;
	}
	ids->cycles =
	    xreallocarray(ids->cycles, ids->ncycles + 1, sizeof(*ids->cycles));
	ids->ncycles++;
	return (int)i;
}

int
segment_ids_begin(struct segment_ids *ids, const struct segment_cycle *c)
{
	struct segment_ids_cycle *cycle = xcalloc(1, sizeof(*cycle));
	int handle = free_handle(ids);

	cycle->list = find_list(ids, c);
	cycle->user_id = c->cycle_id;
	cycle->start = c->start;
	cycle->hostname = copy(c->hostname);
	cycle->started = c->resumed;
	ids->cycles[handle] = cycle;
	return handle;
}

static void
write_list(
    struct segment_ids *ids, const struct segment_ids_list *l, struct wbuf *b)
{
	struct warts_list rec = {
	    .id = l->id,
	    .user_id = l->user_id,
	    .name = l->name,
	    .descr = l->descr,
	    .monitor = ids->monitor,
	};

	warts_list_encode(b, &rec);
}

static void
write_cycle(const struct segment_ids_cycle *c, uint16_t type, struct wbuf *b)
{
	struct warts_cycle rec = {
	    .id = c->id,
	    .list = c->list->id,
	    .user_id = c->user_id,
	    .start = c->start,
	    .hostname = c->hostname,
	};

	warts_cycle_encode(b, type, &rec);
}

static void
define_list(struct segment_ids *ids, struct segment_ids_list *l, struct wbuf *b)
{
	ids->def_lists = xreallocarray(
	    ids->def_lists, ids->ndef_lists + 1, sizeof(*ids->def_lists));
	ids->def_lists[ids->ndef_lists++] = l;
	l->id = (uint32_t)ids->ndef_lists;
	write_list(ids, l, b);
}

static void
define_cycle(
    struct segment_ids *ids, struct segment_ids_cycle *c, struct wbuf *b)
{
	if (c->list->id == 0)
		define_list(ids, c->list, b);
	ids->def_cycles = xreallocarray(
	    ids->def_cycles, ids->ndef_cycles + 1, sizeof(*ids->def_cycles));
	ids->def_cycles[ids->ndef_cycles++] = c;
	c->id = (uint32_t)ids->ndef_cycles;
	write_cycle(c, c->started ? WARTS_CYCLE_DEF : WARTS_CYCLE_START, b);
	c->started = 1;
}

void
segment_ids_use(struct segment_ids *ids, int handle, struct wbuf *b,
    uint32_t *list, uint32_t *cycle)
{
	struct segment_ids_cycle *c;

	assert(handle >= 0 && (size_t)handle < ids->ncycles);
	c = ids->cycles[handle];
	assert(c != NULL);
	if (c->id == 0)
		define_cycle(ids, c, b);
	*list = c->list->id;
	*cycle = c->id;
}

void
segment_ids_end(struct segment_ids *ids, int handle)
{
	struct segment_ids_cycle *c = ids->cycles[handle];

	ids->cycles[handle] = NULL;
	c->ended = 1;
	/* A cycle that the file defines may have to be replayed. */
	if (c->id == 0)
		free_cycle(c);
}

void
segment_ids_new_file(struct segment_ids *ids)
{
	for (size_t i = 0; i < ids->ndef_lists; i++)
		ids->def_lists[i]->id = 0;
	for (size_t i = 0; i < ids->ndef_cycles; i++) {
		ids->def_cycles[i]->id = 0;
		if (ids->def_cycles[i]->ended)
			free_cycle(ids->def_cycles[i]);
	}
	ids->ndef_lists = ids->ndef_cycles = 0;
}

void
segment_ids_replay(
    struct segment_ids *ids, struct wbuf *b, size_t nlists, size_t ncycles)
{
	assert(nlists <= ids->ndef_lists && ncycles <= ids->ndef_cycles);
	for (size_t i = 0; i < nlists; i++)
		write_list(ids, ids->def_lists[i], b);
	for (size_t i = 0; i < ncycles; i++)
		write_cycle(ids->def_cycles[i], WARTS_CYCLE_DEF, b);
}
