/*
 * exclude: the prefixes that a List Generator leaves out, from any number of
 * files (common/prefixset.h), read anew for each cycle.
 *
 * It saves work.  What must not be probed is enforced by the Prober.
 */
#ifndef LISTGEN_EXCLUDE_H
#define LISTGEN_EXCLUDE_H

#include "common/addr.h"
#include "listgen/gen.h"

struct prefixset;

#define EXCLUDE_MAX 64 /* files of prefixes */

struct exclude {
	const char *path[EXCLUDE_MAX]; /* borrowed */
	struct prefixset *set[EXCLUDE_MAX];
	int n;
};

/* One file more, to be read by exclude_load().  NULL, or a static reason. */
const char *exclude_add(struct exclude *x, const char *path);

/*
 * (Re)read all files and append to ID what tells their contents apart.  A file
 * with an error keeps what it had; -1, logged, if it never had anything.
 */
int exclude_load(struct exclude *x, char id[GEN_IDENTITY_MAX]);

/* Non-zero when A is in a prefix of any of the files. */
int exclude_match(const struct exclude *x, const struct addr *a);

void exclude_clear(struct exclude *x);

#endif
