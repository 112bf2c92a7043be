/*
 * warts/state: what earlier records of a file say about later ones.
 *
 * Measurements name their list and cycle by number, and those of the oldest
 * files their addresses too.  The numbers are per file, from 1, in the order of
 * the records that define them:
 *
 *	list 1 ◄── cycle 1 ◄── trace (list 1, cycle 1)
 *	list 2 ◄── cycle 2 ◄── ...
 *
 * scamper's readers give up at a number that is not the next one.  This one
 * reports it and goes on: a list that was lost to damage leaves a hole, and a
 * number 1 that comes again begins a new file (someone used cat(1)).
 */
#ifndef COMMON_WARTS_STATE_H
#define COMMON_WARTS_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "common/warts/arena.h"
#include "common/warts/warts.h"

/* All zero is the state at the beginning of a file. */
struct warts_state {
	struct warts_list *lists; /* by increasing id, strings copied */
	struct warts_cycle *cycles; /* by increasing id, strings copied */
	struct addr *addrs; /* number 1 is addrs[0] */
	size_t nlists, ncycles, naddrs;
	size_t caplists, capcycles, capaddrs;
	struct warts_arena *strings;
};

void warts_state_clear(struct warts_state *st);

/*
 * Take notice of REC, whatever its type.  Returns 0, or -1 with a static reason
 * in *WHY when it is a list, cycle, cycle stop or address record that is
 * damaged or out of turn; out of turn, it still counts.
 */
int warts_state_feed(
    struct warts_state *st, const struct warts_record *rec, const char **why);

/* By file-local number; NULL when there is none.  Good until the next feed. */
const struct warts_list *
warts_state_list(const struct warts_state *st, uint32_t id);
const struct warts_cycle *
warts_state_cycle(const struct warts_state *st, uint32_t id);

/* Put the address of number GID into *OUT, which stays as it is for 0 or when it
 * holds one.  Returns 0, or -1 when the number has no record. */
int
warts_state_addr(const struct warts_state *st, uint32_t gid, struct addr *out);

/* Fill in the addresses of T that it names by number.  Returns 0, or -1 when a
 * number has no record. */
int warts_state_resolve(const struct warts_state *st, struct warts_trace *t);
int
warts_state_resolve_ping(const struct warts_state *st, struct warts_ping *p);

#endif
