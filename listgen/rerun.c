#include "listgen/rerun.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"
#include "listgen/permute.h"

#define SLOTS_MIN 1024

struct path {
	uint64_t key; /* of monitor and destination; 0: free */
	uint64_t hash;
};

struct dest {
	struct addr addr;
	uint8_t classes; /* bits 1 << enum rerun_class */
};

struct rerun {
	uint32_t max;
	struct path *paths; /* open addressing */
	uint32_t npaths, path_slots; /* slots: a power of two */
	struct dest *dests;
	uint32_t ndests, cap;
	uint32_t *index; /* open addressing: number of a dest from 1 */
	uint32_t index_slots;
	uint64_t dropped;
	struct rerun_order order;
	int turn; /* index into order */
	uint32_t next; /* dest to look at */
};

static const char *const names[] = {
    [RERUN_CHANGED] = "changed",
    [RERUN_UNREACHABLE] = "unreachable",
    [RERUN_NEW] = "new",
    [RERUN_REST] = "rest",
};

struct rerun *
rerun_new(uint32_t max)
{
	struct rerun *r = xcalloc(1, sizeof(*r));

	r->max = max;
	r->path_slots = r->index_slots = SLOTS_MIN;
	r->paths = xcalloc(r->path_slots, sizeof(*r->paths));
	r->index = xcalloc(r->index_slots, sizeof(*r->index));
	return r;
}

void
rerun_free(struct rerun *r)
{
	if (r == NULL)
		return;
	free(r->paths);
	free(r->dests);
	free(r->index);
	free(r);
}

/* --- the cycle before -------------------------------------------------------- */

static struct path *
path_slot(const struct rerun *r, uint64_t key)
{
	uint32_t mask = r->path_slots - 1, i = (uint32_t)key & mask;

	while (r->paths[i].key != 0 && r->paths[i].key != key)
		i = (i + 1) & mask;
	return &r->paths[i];
}

static void
grow_paths(struct rerun *r)
{
	struct path *old = r->paths;
	uint32_t n = r->path_slots;

	r->path_slots *= 2;
	r->paths = xcalloc(r->path_slots, sizeof(*r->paths));
	for (uint32_t i = 0; i < n; i++) {
		if (old[i].key != 0)
			*path_slot(r, old[i].key) = old[i];
	}
	free(old);
}

static uint64_t
key_of(const char *name, const struct addr *dst)
{
	uint64_t key = addr_hash(dst);

	for (; *name != '\0'; name++)
		key = permute_mix(key, (unsigned char)*name);
	return key | 1;
}

/* The routers that answered, each with its distance: the first at each. */
static uint64_t
path_hash(const struct warts_trace *t)
{
	uint64_t hash = 0;
	int ttl = 0;

	for (int i = 0; i < t->nhops; i++) {
		const struct warts_hop *h = &t->hops[i];

		if (h->probe_ttl == ttl || addr_equal(&h->addr, &t->dst))
			continue;
		ttl = h->probe_ttl;
		hash = permute_mix(hash, addr_hash(&h->addr));
		hash = permute_mix(hash, (uint64_t)ttl);
	}
	return hash;
}

void
rerun_before(struct rerun *r, const char *name, const struct warts_trace *t)
{
	uint64_t key = key_of(name, &t->dst);
	struct path *p;

	if (2 * (r->npaths + 1) > r->path_slots)
		grow_paths(r);
	p = path_slot(r, key);
	if (p->key == 0 && r->npaths == r->max) {
		r->dropped++;
		return;
	}
	r->npaths += p->key == 0;
	p->key = key;
	p->hash = path_hash(t);
}

/* --- the cycle looked at ------------------------------------------------------- */

static uint32_t *
index_slot(const struct rerun *r, const struct addr *a)
{
	uint32_t mask = r->index_slots - 1, i = (uint32_t)addr_hash(a) & mask;

	while (
	    r->index[i] != 0 && !addr_equal(&r->dests[r->index[i] - 1].addr, a))
		i = (i + 1) & mask;
	return &r->index[i];
}

static void
grow_index(struct rerun *r)
{
	free(r->index);
	r->index_slots *= 2;
	r->index = xcalloc(r->index_slots, sizeof(*r->index));
	for (uint32_t i = 0; i < r->ndests; i++)
		*index_slot(r, &r->dests[i].addr) = i + 1;
}

/* The destination A, perhaps a new one; NULL when there are too many. */
static struct dest *
dest_of(struct rerun *r, const struct addr *a)
{
	uint32_t *slot;

	if (2 * (r->ndests + 1) > r->index_slots)
		grow_index(r);
	slot = index_slot(r, a);
	if (*slot != 0)
		return &r->dests[*slot - 1];
	if (r->ndests == r->max)
		return NULL;
	if (r->ndests == r->cap) {
		r->cap = r->cap != 0 ? r->cap + r->cap / 2 : SLOTS_MIN;
		r->dests = xreallocarray(r->dests, r->cap, sizeof(*r->dests));
	}
	r->dests[r->ndests] = (struct dest){.addr = *a};
	*slot = ++r->ndests;
	return &r->dests[*slot - 1];
}

void
rerun_now(struct rerun *r, const char *name, const struct warts_trace *t)
{
	struct dest *d = dest_of(r, &t->dst);
	const struct path *was;

	if (d == NULL) {
		r->dropped++;
		return;
	}
	was = path_slot(r, key_of(name, &t->dst));
	if (was->key == 0)
		d->classes |= 1 << RERUN_NEW;
	else if (was->hash != path_hash(t))
		d->classes |= 1 << RERUN_CHANGED;
	if (t->stop_reason != WARTS_STOP_COMPLETED)
		d->classes |= 1 << RERUN_UNREACHABLE;
}

uint64_t
rerun_dropped(const struct rerun *r)
{
	return r->dropped;
}

/* --- giving out ------------------------------------------------------------------ */

void
rerun_rewind(struct rerun *r, const struct rerun_order *order)
{
	r->order = *order;
	r->turn = 0;
	r->next = 0;
}

/* Is it D's turn?  That of the first class asked for that it has. */
static int
is_due(const struct rerun *r, const struct dest *d)
{
	int classes = d->classes != 0 ? d->classes : 1 << RERUN_REST;

	for (int i = 0; i < r->turn; i++) {
		if (classes >> r->order.classes[i] & 1)
			return 0;
	}
	return classes >> r->order.classes[r->turn] & 1;
}

const struct addr *
rerun_next(struct rerun *r)
{
	const struct dest *d;

	while (r->turn < r->order.n) {
		if (r->next == r->ndests) {
			r->turn++;
			r->next = 0;
			continue;
		}
		d = &r->dests[r->next++];
		if (is_due(r, d))
			return &d->addr;
	}
	return NULL;
}

enum rerun_class
rerun_class_of_last(const struct rerun *r)
{
	return r->order.classes[r->turn];
}

const char *rerun_class_name(enum rerun_class class)
{
	return names[class];
}

static int
class_of(const char *name)
{
	for (int i = 0; i < RERUN_CLASSES; i++) {
		if (strcmp(name, names[i]) == 0)
			return i;
	}
	return -1;
}

const char *
rerun_order_scan(const char *text, struct rerun_order *out)
{
	struct rerun_order o = {.n = 0};
	char buf[64], *word, *next = buf;
	int class;

	if (strlen(text) >= sizeof(buf))
		return "too many classes";
	strcpy(buf, text);
	while ((word = strsep(&next, ",")) != NULL) {
		class = class_of(word);
		if (class == -1)
			return "a class is changed, unreachable, new or rest";
		for (int i = 0; i < o.n; i++) {
			if (o.classes[i] == class)
				return "a class is there twice";
		}
		o.classes[o.n++] = (uint8_t) class;
	}
	*out = o;
	return NULL;
}
