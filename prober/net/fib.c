#include "prober/net/fib.h"

#include <stdlib.h>

#include "common/prefixset.h"
#include "common/xmalloc.h"

#define SLOTS_MIN 64

struct fib {
	struct prefixset *prefixes;
	struct fib_entry *slots; /* open addressing, family 0: free */
	size_t nslots, count;
};

/*
 * Source addresses are chosen by these classes of destinations (RFC 6724,
 * section 2.1), so each of them is a prefix of its own.
 */
static const char *const classes[] = {
    "0.0.0.0/0",
    "::/0",
    "::ffff:0:0/96",
    "2002::/16",
    "2001::/32",
    "fc00::/7",
    "fe80::/10",
    "fec0::/10",
    "3ffe::/16",
};

static struct fib_entry *
slot_of(const struct fib *f, const struct addr_prefix *p)
{
	size_t i = (addr_hash(&p->addr) + p->len) & (f->nslots - 1);
	struct fib_entry *e;

	for (;; i = (i + 1) & (f->nslots - 1)) {
		e = &f->slots[i];
		if (e->prefix.addr.family == ADDR_NONE ||
		    (e->prefix.len == p->len &&
			addr_equal(&e->prefix.addr, &p->addr)))
			return e;
	}
}

static void
grow(struct fib *f)
{
	struct fib_entry *old = f->slots;
	size_t n = f->nslots;

	f->nslots *= 2;
	f->slots = xcalloc(f->nslots, sizeof(*f->slots));
	for (size_t i = 0; i < n; i++) {
		if (old[i].prefix.addr.family != ADDR_NONE)
			*slot_of(f, &old[i].prefix) = old[i];
	}
	free(old);
}

/* The entry of P, made if need be. */
static struct fib_entry *
entry_of(struct fib *f, const struct addr_prefix *p)
{
	struct fib_entry *e;

	if (2 * (f->count + 1) > f->nslots)
		grow(f);
	e = slot_of(f, p);
	if (e->prefix.addr.family == ADDR_NONE) {
		e->prefix = *p;
		f->count++;
		prefixset_add(f->prefixes, p);
	}
	return e;
}

struct fib *
fib_new(void)
{
	struct fib *f = xcalloc(1, sizeof(*f));
	struct addr_prefix p;

	f->prefixes = prefixset_new();
	f->nslots = SLOTS_MIN;
	f->slots = xcalloc(f->nslots, sizeof(*f->slots));
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		addr_prefix_scan(classes[i], &p);
		entry_of(f, &p);
	}
	return f;
}

void
fib_free(struct fib *f)
{
	if (f == NULL)
		return;
	prefixset_free(f->prefixes);
	free(f->slots);
	free(f);
}

void
fib_add(struct fib *f, const struct addr_prefix *p, uint32_t ways)
{
	if (f->count < FIB_MAX)
		entry_of(f, p)->ways += ways;
}

struct fib_entry *
fib_find(struct fib *f, const struct addr *dst)
{
	struct addr_prefix p;
	struct fib_entry *e;

	if (f->count >= FIB_MAX || !prefixset_match(f->prefixes, dst, &p))
		return NULL;
	e = slot_of(f, &p);
	return e->ways > 1 ? NULL : e;
}
