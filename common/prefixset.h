/*
 * prefixset: a set of IPv4 and IPv6 prefixes in one file: do-not-probe and
 * allow lists.  Is this address in any of them?
 *
 * One prefix or address a line, # comments.  A file with any error is refused
 * whole, so that a bad edit keeps the old list.
 */
#ifndef COMMON_PREFIXSET_H
#define COMMON_PREFIXSET_H

#include "common/addr.h"
#include "common/conf.h"

struct prefixset;

struct prefixset *prefixset_new(void);
void prefixset_free(struct prefixset *ps);

/* P is copied; a prefix that is there already changes nothing. */
void prefixset_add(struct prefixset *ps, const struct addr_prefix *p);

/* Load PATH into a new set.  NULL if there was any error, each reported. */
struct prefixset *prefixset_load(const char *path, conf_error_cb cb, void *arg);

/* Add what is in PATH.  0, or -1 if there was any error, each reported; then
 * what PS holds is good for nothing. */
int prefixset_add_file(
    struct prefixset *ps, const char *path, conf_error_cb cb, void *arg);

/* The longest prefix that holds A in *OUT (may be NULL): 1; or 0. At most tens
 * of nanoseconds for a list of 1,000 prefixes. */
int prefixset_match(
    const struct prefixset *ps, const struct addr *a, struct addr_prefix *out);

/* Different prefixes, of both families. */
size_t prefixset_count(const struct prefixset *ps);

#endif
