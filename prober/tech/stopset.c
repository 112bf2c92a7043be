#include "prober/tech/stopset.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"

#define SLOTS_MIN 16
#define SET_MAX (1u << 24) /* addresses */

struct stopset {
	struct stopset *next; /* of those with a name */
	char *name; /* NULL: of a measurement */
	struct addr *slots; /* ADDR_NONE: free */
	size_t nslots, count;
};

static struct stopset *named;

static void
empty(struct stopset *s)
{
	free(s->slots);
	s->nslots = SLOTS_MIN;
	s->slots = xcalloc(s->nslots, sizeof(*s->slots));
	s->count = 0;
}

struct stopset *
stopset_new(void)
{
	struct stopset *s = xcalloc(1, sizeof(*s));

	empty(s);
	return s;
}

void
stopset_free(struct stopset *s)
{
	if (s == NULL)
		return;
	free(s->slots);
	free(s->name);
	free(s);
}

struct stopset *
stopset_named(const char *name)
{
	struct stopset *s;

	for (s = named; s != NULL; s = s->next) {
		if (strcmp(s->name, name) == 0)
			return s;
	}
	s = stopset_new();
	s->name = xstrdup(name);
	s->next = named;
	named = s;
	return s;
}

int
stopset_clear(const char *name)
{
	int rc = -1;

	for (struct stopset *s = named; s != NULL; s = s->next) {
		if (name != NULL && strcmp(s->name, name) != 0)
			continue;
		empty(s);
		rc = 0;
	}
	return rc;
}

/* Where A is, or the free place where it belongs. */
static struct addr *
slot_of(const struct stopset *s, const struct addr *a)
{
	size_t i = addr_hash(a) & (s->nslots - 1);

	while (s->slots[i].family != ADDR_NONE && !addr_equal(&s->slots[i], a))
		i = (i + 1) & (s->nslots - 1);
	return &s->slots[i];
}

int
stopset_has(const struct stopset *s, const struct addr *a)
{
	return slot_of(s, a)->family != ADDR_NONE;
}

static void
grow(struct stopset *s)
{
	struct addr *old = s->slots;
	size_t n = s->nslots;

	s->nslots *= 2;
	s->slots = xcalloc(s->nslots, sizeof(*s->slots));
	for (size_t i = 0; i < n; i++) {
		if (old[i].family != ADDR_NONE)
			*slot_of(s, &old[i]) = old[i];
	}
	free(old);
}

void
stopset_add(struct stopset *s, const struct addr *a)
{
	if (s->count == SET_MAX || stopset_has(s, a))
		return;
	if (2 * (s->count + 1) > s->nslots)
		grow(s);
	*slot_of(s, a) = *a;
	s->count++;
}

size_t
stopset_count(const struct stopset *s)
{
	return s->count;
}
