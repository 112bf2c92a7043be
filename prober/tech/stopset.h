/*
 * stopset: sets of addresses at which doubletree stops (Donnet et al.,
 * SIGMETRICS 2005).
 *
 * A *global* set is given with a measurement and belongs to it.  A *local* one
 * has a name and lives as long as the process: every trace that names it adds
 * the routers it meets on its way back.  Open addressing, at most half full;
 * a set that has SET_MAX addresses takes no more, and then stops fewer traces.
 */
#ifndef PROBER_STOPSET_H
#define PROBER_STOPSET_H

#include <stddef.h>

#include "common/addr.h"

struct stopset;

struct stopset *stopset_new(void);
void stopset_free(struct stopset *s); /* NULL is fine */
/* The local set of this name: the one there is, else a new one. */
struct stopset *stopset_named(const char *name);
/* Empty the local set of this name, of NULL all of them.  0, or -1 when there is
 * none: no trace has named it yet. */
int stopset_clear(const char *name);
int stopset_has(const struct stopset *s, const struct addr *a);
void stopset_add(struct stopset *s, const struct addr *a);
/* The addresses in S. */
size_t stopset_count(const struct stopset *s);

#endif
