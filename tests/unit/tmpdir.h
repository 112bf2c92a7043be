/*
 * tmpdir: a directory for one test, and its removal with all that is in it.
 */
#ifndef TESTS_UNIT_TMPDIR_H
#define TESTS_UNIT_TMPDIR_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* Make one and write its name into PATH of SIZE bytes.  0 or -1. */
static inline int
tmpdir_make(char *path, size_t size)
{
	const char *dir = getenv("TMPDIR");

	if (snprintf(path, size, "%s/scamper-test-XXXXXX",
		dir != NULL ? dir : "/tmp") >= (int)size)
		return -1;
	return mkdtemp(path) == NULL ? -1 : 0;
}

static inline int
tmpdir_remove_one(
    const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st, (void)flag, (void)f;
	return remove(path);
}

/* Remove PATH and all below it, links not followed.  0 or -1. */
static inline int
tmpdir_remove(const char *path)
{
	return nftw(path, tmpdir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
