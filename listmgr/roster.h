/*
 * roster: all generators of a List Manager, and what makes them change: a
 * schedule, a file.  Part of the map in listmgr.h.
 */
#ifndef LISTMGR_ROSTER_H
#define LISTMGR_ROSTER_H

#include <stddef.h>
#include <stdint.h>

#include "common/schedule.h"
#include "listmgr/generator.h"
#include "listmgr/listmgr.h"

/* --- roster.c: all generators --------------------------------------------- */

struct roster {
	struct generator_host host;
	struct merge merge;
	struct generator **list; /* n; those that halt are among them */
	size_t n;
	unsigned int looks; /* at how they behave */
};

/* The host is to be filled in before the first roster_apply. */
void roster_init(struct roster *r, struct event_base *base);
void roster_clear(struct roster *r);

/* Run the N lists of WORK and no others: new ones are added, those gone or run
 * in another way are halted, weights and rates change at once. */
void roster_apply(struct roster *r, const struct work *work, size_t n);

/* The same for all lists of S, a schedule of our own. */
void roster_run(struct roster *r, const struct schedule *s);

/* The one in service with this list number, or NULL. */
struct generator *roster_find(const struct roster *r, uint32_t number);

/* Let go of those that are gone, and (if START) start those that may. */
void roster_tend(struct roster *r, int start);
/* Once a second: it is NOW_NS; see that each behaves. */
void roster_watch(struct roster *r, int64_t now_ns);
void roster_halt(struct roster *r);
/* How many are in STATE. */
size_t roster_count(const struct roster *r, enum generator_state state);

/* --- watch.c: files that an operator edits on the spot --------------------- */

struct watch;

/* Watch the files of S in the directories of R's generators; S is kept until
 * the next call.  A file that was watched before is known as it was. */
struct watch *watch_new(struct roster *r);
void watch_free(struct watch *w);
void watch_set(struct watch *w, const struct schedule *s);

/* Look at all files, about once a second; what has changed and come to rest is
 * told to its generator.  W may be NULL. */
void watch_look(struct watch *w);

#endif
