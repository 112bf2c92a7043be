/*
 * position: how far a List Generator has come, and the file that keeps it over
 * a restart.  Whether targets are accepted by acks or by standard output, and
 * when to save, is gen.c's.
 *
 * The state file, replaced as a whole; each line with its check word (crcline):
 *
 *	cycle 1700000000	begun last
 *	accepted 1234		its targets 1..1234 need not be sent again
 *	open 1			0: the cycle is complete
 *	file "lists/a.txt"	as given on the command line
 *	update "lists/b.txt"	in its place since an update command
 *	identity "..."		of what the numbers were counted in
 *
 * Text is stored between quotes, so no path here has one in it.
 */
#ifndef LISTGEN_POSITION_H
#define LISTGEN_POSITION_H

#include <stdint.h>

#include "listgen/gen.h"

#define POSITION_PATH_MAX 900 /* of an update: a command line holds it */

struct position {
	const char *state; /* path of the state file, NULL: none */
	const char *list; /* the list's path on the command line */
	uint32_t cycle; /* the last one begun, 0 none */
	uint64_t accepted; /* as it was stored */
	int open; /* the cycle is not complete */
	char file[POSITION_PATH_MAX + 1]; /* list when this was stored */
	char update[POSITION_PATH_MAX + 1]; /* "", or in its place */
	char identity[GEN_IDENTITY_MAX];
	int64_t saved_ns; /* when it was stored last */
	int dirty; /* it moved since */
};

/* NULL, or the static reason why the path LIST cannot be stored. */
const char *position_check(const char *list);

/*
 * What the file STATE holds for the list LIST; both are borrowed.  Without a
 * file (or with STATE NULL) it is the beginning; so it is, with a warning,
 * when the file is damaged.
 */
void position_load(struct position *p, const char *state, const char *list);

/* Store P with targets 1..ACCEPTED accepted, at the monotonic NOW_NS; a
 * failure is logged, and P stands for stored all the same. */
void position_save(struct position *p, uint64_t accepted, int64_t now_ns);

/* From now on the list is in FILE.  NULL, or a static reason. */
const char *position_update(struct position *p, const char *file);

/* The file to read: of the last update, or of the command line. */
const char *position_file(const struct position *p);

#endif
