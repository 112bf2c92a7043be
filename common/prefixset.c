#include "common/prefixset.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"

/*
 * Per family an array sorted by address, then length, so that a prefix comes
 * directly before what lies inside it:
 *
 *	0  10.0.0.0/8       parent -
 *	1  10.1.0.0/16      parent 0
 *	2  10.1.2.0/24      parent 1
 *	3  10.9.0.0/16      parent 0
 *
 * The last entry that does not begin behind A holds A, or one of its parents
 * does, or none: 10 steps of binary search in 16 KB for 1,000 prefixes.
 * Sorting waits for the first question, so that loading is not quadratic.
 */
struct key {
	uint64_t hi, lo; /* the address as a 128-bit number, left-aligned */
};

struct entry {
	struct addr_prefix prefix;
	int parent; /* index, -1 none */
	struct key last; /* greatest address in it */
};

struct table {
	struct key *keys; /* n, sorted; apart from entries for the cache */
	struct entry *entries; /* n */
	size_t n, cap;
	int sorted;
};

struct prefixset {
	struct table *v4, *v6;
};

static struct key
key_of(const struct addr *a)
{
	struct key k;

	memcpy(&k.hi, a->b, 8);
	memcpy(&k.lo, a->b + 8, 8);
	k.hi = be64toh(k.hi);
	k.lo = be64toh(k.lo);
	return k;
}

/* 1 or 0, without a branch: & and | on purpose. */
static size_t
key_le(struct key a, struct key b)
{
	return (a.hi < b.hi) | ((a.hi == b.hi) & (a.lo <= b.lo));
}

static struct key
last_of(const struct addr_prefix *p)
{
	struct key k = key_of(&p->addr);

	if (p->len < 64)
		k.hi |= UINT64_MAX >> p->len;
	if (p->len <= 64)
		k.lo = UINT64_MAX;
	else if (p->len < 128)
		k.lo |= UINT64_MAX >> (p->len - 64);
	return k;
}

struct prefixset *
prefixset_new(void)
{
	struct prefixset *ps = xcalloc(1, sizeof(*ps));

	ps->v4 = xcalloc(1, sizeof(*ps->v4));
	ps->v6 = xcalloc(1, sizeof(*ps->v6));
	return ps;
}

static void
table_free(struct table *t)
{
	free(t->keys);
	free(t->entries);
	free(t);
}

void
prefixset_free(struct prefixset *ps)
{
	if (ps == NULL)
		return;
	table_free(ps->v4);
	table_free(ps->v6);
	free(ps);
}

static struct table *
table_of(const struct prefixset *ps, int family)
{
	if (family == ADDR_IPV4)
		return ps->v4;
	return family == ADDR_IPV6 ? ps->v6 : NULL;
}

void
prefixset_add(struct prefixset *ps, const struct addr_prefix *p)
{
	struct table *t = table_of(ps, p->addr.family);

	if (t == NULL)
		return;
	if (t->n == t->cap) {
		t->cap = t->cap == 0 ? 16 : 2 * t->cap;
		t->entries =
		    xreallocarray(t->entries, t->cap, sizeof(*t->entries));
	}
	t->entries[t->n++] = (struct entry){.prefix = *p};
	t->sorted = 0;
}

static int
entry_cmp(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;
	int c = addr_cmp(&a->prefix.addr, &b->prefix.addr);

	return c != 0 ? c : (int)a->prefix.len - (int)b->prefix.len;
}

static int
inside(const struct entry *e, const struct entry *outer)
{
	return addr_in_prefix(&e->prefix.addr, &outer->prefix);
}

static void
table_sort(struct table *t)
{
	size_t n = 0;
	int up;

	if (t->n > 0)
		qsort(t->entries, t->n, sizeof(*t->entries), entry_cmp);
	t->keys = xreallocarray(t->keys, t->n, sizeof(*t->keys));
	for (size_t i = 0; i < t->n; i++) {
		if (n > 0 && entry_cmp(&t->entries[n - 1], &t->entries[i]) == 0)
			continue; /* given twice */
		up = (int)n - 1;
		while (up >= 0 && !inside(&t->entries[i], &t->entries[up]))
			up = t->entries[up].parent;
		t->entries[n] = t->entries[i];
		t->entries[n].parent = up;
		t->entries[n].last = last_of(&t->entries[n].prefix);
		t->keys[n] = key_of(&t->entries[n].prefix.addr);
		n++;
	}
	t->n = n;
	t->sorted = 1;
}

int
prefixset_match(
    const struct prefixset *ps, const struct addr *a, struct addr_prefix *out)
{
	struct table *t = table_of(ps, a->family);
	struct key k;
	size_t base = 0, n;
	int i;

	if (t == NULL || t->n == 0)
		return 0;
	if (!t->sorted)
		table_sort(t);
	k = key_of(a);
	/* Halve without a branch on the data: it could not be predicted. */
	for (n = t->n; n > 1; n -= n / 2)
		base += n / 2 & -key_le(t->keys[base + n / 2], k);
	i = key_le(t->keys[base], k) ? (int)base : -1;
	while (i >= 0 && !key_le(k, t->entries[i].last))
		i = t->entries[i].parent;
	if (i >= 0 && out != NULL)
		*out = t->entries[i].prefix;
	return i >= 0;
}

size_t
prefixset_count(const struct prefixset *ps)
{
	if (!ps->v4->sorted)
		table_sort(ps->v4);
	if (!ps->v6->sorted)
		table_sort(ps->v6);
	return ps->v4->n + ps->v6->n;
}

static const char *
load_line(void *ctx, char **words, int nwords, int line)
{
	struct addr_prefix p;
	const char *reason;

	(void)line;
	if (nwords > 1)
		return "more than one prefix on a line";
	reason = addr_prefix_scan(words[0], &p);
	if (reason == NULL)
		prefixset_add(ctx, &p);
	return reason;
}

int
prefixset_add_file(
    struct prefixset *ps, const char *path, conf_error_cb cb, void *arg)
{
	return conf_load_lines(path, load_line, ps, cb, arg) == 0 ? 0 : -1;
}

struct prefixset *
prefixset_load(const char *path, conf_error_cb cb, void *arg)
{
	struct prefixset *ps = prefixset_new();

	if (prefixset_add_file(ps, path, cb, arg) == 0)
		return ps;
	prefixset_free(ps);
	return NULL;
}
