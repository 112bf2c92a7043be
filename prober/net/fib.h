/*
 * fib: answers of the kernel about routes, remembered by prefix.
 *
 * All addresses whose longest match among the prefixes of the routing tables is
 * the same are routed alike, so the kernel is asked once per prefix and not
 * once per address.  Prefixes with several routes (other metrics, several next
 * hops) are not remembered: there the answer may depend on the address.
 *
 * Not here: netlink.  link.c fills the set of prefixes and empties it when the
 * kernel says that something changed.
 */
#ifndef PROBER_FIB_H
#define PROBER_FIB_H

#include "common/addr.h"

#define FIB_MAX 100000 /* more prefixes: nothing is remembered */

struct fib_route {
	int ifindex;
	struct addr src;
	struct addr gateway; /* ADDR_NONE: the destination itself */
};

struct fib_entry {
	struct addr_prefix prefix;
	uint32_t ways; /* next hops in all routes with this prefix */
	int known; /* `route' is the kernel's answer */
	struct fib_route route;
};

struct fib;

struct fib *fib_new(void);
void fib_free(struct fib *f);

/* There is a route with this prefix and so many next hops (0: a rule). */
void fib_add(struct fib *f, const struct addr_prefix *p, uint32_t ways);

/* The entry that DST belongs to, for the caller to read or fill in; NULL if the
 * kernel must be asked about this very address.  Good until fib_add(). */
struct fib_entry *fib_find(struct fib *f, const struct addr *dst);

#endif
