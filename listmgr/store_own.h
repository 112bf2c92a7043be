/*
 * store_own: what the files of the store share, and nobody else sees.
 */
#ifndef LISTMGR_STORE_OWN_H
#define LISTMGR_STORE_OWN_H

#include "listmgr/store.h"

#define STORE_PATH 256 /* of a path within the store, with its NUL */

/* openat2(2) beneath the store, over no link; -1 with errno. */
int store_openat(const struct store *st, const char *path, int flags);

/* "object/SHA" to BUF; returns BUF. */
const char *store_object_path(const uint8_t *sha, char buf[STORE_PATH]);

/* The generation that the link PATH names, to NAME.  0, or -1. */
int
store_link(const struct store *st, const char *path, char name[STORE_NAME_MAX]);

/* PATH becomes a link to TARGET, by rename.  0, or -1 with errno. */
int
store_set_link(const struct store *st, const char *path, const char *target);

/* Remove PATH with all that is in it, as far as possible. */
void store_remove(const struct store *st, const char *path);

#endif
