/*
 * place: which generation each list runs from.
 *
 *	              new generation                  behaves for ten minutes
 *	proven on A ─────────────────► on trial on B ────────────────► proven on B
 *	     ▲                             │ dies 5 times in 10 minutes, says
 *	     │                             ▼ nothing valid in a minute, hangs, forks
 *	     └──────────── back on A, until another generation than B comes
 *
 * A list that the new generation changes in nothing but its weight is not
 * disturbed and not on trial.  The others never notice.
 *
 * A generator's program and files are links that lead over DIR/place/LIST.gen,
 * so that renaming this one link switches all of them at once; what the change
 * means for the running process is told behind it.
 */
#ifndef LISTMGR_PLACE_H
#define LISTMGR_PLACE_H

#include <stddef.h>
#include <stdint.h>

#include "listmgr/roster.h"
#include "listmgr/store.h"

struct place;

/* Of the generators R from the store ST; both are kept.  SILENCE_NS: how long
 * one on trial may say nothing. */
struct place *place_new(struct roster *r, struct store *st, int64_t silence_ns);
void place_free(struct place *p);

/* Run st->current, which has changed; NULL: nothing.  NOW_S is Unix time. */
void place_apply(struct place *p, int64_t now_s);

/* About once a second: those on trial.  Non-zero when one has gone back. */
int place_look(struct place *p);

/* Non-zero when list number LIST runs another generation than the current. */
int place_is_back(const struct place *p, uint32_t list);

#endif
