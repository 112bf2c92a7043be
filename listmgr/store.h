/*
 * store: what a monitor has taken from the centre, on disk.  No network here.
 *
 *	DIR/lock
 *	DIR/checked		Unix time of the last good check-in
 *	DIR/seen		the highest versions (signed.h)
 *	DIR/text/SHA		signed texts, by their SHA-256
 *	DIR/object/SHA		files and programs; SHA.part: arriving
 *	DIR/gen/NAME/		a generation: what runs together
 *		assign, release		its texts
 *		file/LIST/FILE		-> ../../../../object/SHA
 *		code/PROGRAM		-> ../../../object/SHA
 *	DIR/current		-> gen/NAME
 *	DIR/place/LIST.gen	-> ../gen/NAME, that this list runs from
 *	DIR/place/LIST.old	-> ../gen/NAME, that it would go back to
 *	DIR/place/LIST.bad	-> ../gen/NAME, that it has gone back from
 *	DIR/place/LIST.due	-> CYCLE/NAME: since that generation it owes a
 *				new cycle, other than CYCLE
 *	DIR/place/LIST.begun	the cycle that it begun last
 *
 * A text is stored under its hash, then `seen' names it: that rename is the
 * moment from which it holds.  A generation is built as gen/NAME.tmp from
 * objects that were verified as read back, synced, and renamed; then `seen' gets
 * its assign; then `current' is renamed.  A kill anywhere leaves the old
 * generation or the new one, and nothing that is not there as a whole is ever
 * looked at.  Objects are never written once they have their name, so a
 * generation cannot change.
 *
 * At each start everything is verified anew, as if it had just come: texts by
 * signature, objects by hash.
 */
#ifndef LISTMGR_STORE_H
#define LISTMGR_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "common/signed.h"

#define STORE_NAME_MAX 80 /* of a generation, with its NUL */

/* What runs together; it does not change. */
struct store_gen {
	char name[STORE_NAME_MAX]; /* VERSION.RELEASE.HASH */
	struct signed_assign assign;
	int64_t expires_s; /* the assign or its release, whichever is first */
	struct store_gen *next;
};

struct store {
	char *path; /* absolute */
	int dir, lock;
	struct signed_trust trust;
	struct store_gen *gens; /* list of those in memory */
	struct store_gen *current; /* NULL: none */
	/* Texts that trust took and the disk did not: to be kept as soon as it
	 * does, and before any other. */
	struct signed_text owed[SIGNED_KINDS];
};

/* Open the store PATH, made if it is not there, of the monitor NAME (kept) that
 * trusts ANCHOR, and take what is stored.  What is not good any more at NOW_S is
 * logged and not used.  0; or -1 with what is wrong in WHY. */
int store_open(struct store *st, const char *path, const char *name,
    const struct signed_key *anchor);
void store_close(struct store *st);
/* What is stored, judged at the Unix time NOW_S; said in the log if not good. */
void store_load(struct store *st, int64_t now_s);

/* T was taken by st->trust: keep it and `seen'.  0, or -1 with errno: `seen' may
 * be the old or the new one. */
int store_keep(struct store *st, const struct signed_text *t);

/* The same of a KIND that cannot be untaken: what fails is owed. */
int store_keep_or_owe(
    struct store *st, enum signed_kind kind, const struct signed_text *t);

/* Keep what is owed of KIND.  1: done; 0: nothing is; -1 with errno: it still
 * is. */
int store_keep_owed(struct store *st, enum signed_kind kind);

/* The text of KIND that `seen' names; the caller frees t->text.  0, or -1. */
int store_text(
    const struct store *st, enum signed_kind kind, struct signed_text *t);

/* When the last good check-in was, in Unix time, is kept in DIR/checked.  0:
 * never, or not known. */
int64_t store_checked(const struct store *st);
/* 0, or -1 with errno. */
int store_set_checked(struct store *st, int64_t now_s);

/* Is O here?  1; 0, with the bytes of it that are in *HAVE; -1 with errno. */
int store_look(struct store *st, const struct signed_object *o, uint64_t *have);
/* Open the part of O to append to it at HAVE.  The descriptor; or -1. */
int store_part(struct store *st, const struct signed_object *o, uint64_t have);
/* All bytes of O are in its part: verify it as read back, make it durable, give
 * it its name.  0; or -1 with F, and the part is gone. */
int store_finish(
    struct store *st, const struct signed_object *o, struct signed_fault *f);

/*
 * Build the generation of A, which T was, and the release text R; all objects
 * are here.  Then make it current.  A becomes the store's.  NULL with errno if
 * that cannot be done; nothing has changed then.
 */
struct store_gen *store_switch(struct store *st, struct signed_assign *a,
    const struct signed_text *t, const struct signed_text *r);

/* The generation NAME, verified, from memory or disk; NULL: F. */
struct store_gen *store_gen(
    struct store *st, const char *name, int64_t now_s, struct signed_fault *f);

enum store_place { STORE_GEN, STORE_OLD, STORE_BAD };

/* The generation that list LIST has in place WHICH, to NAME; 0, or -1. */
int store_placed(struct store *st, uint32_t list, enum store_place which,
    char name[STORE_NAME_MAX]);
/* Set it, NULL: none.  0, or -1 with errno. */
int store_put(struct store *st, uint32_t list, enum store_place which,
    const struct store_gen *g);

/* --- store_due.c */

/* Since G list LIST owes a new cycle, other than AFTER (0: not known); G NULL: it
 * does not.  0, or -1 with errno. */
int store_put_due(
    struct store *st, uint32_t list, const struct store_gen *g, uint32_t after);
/* Non-zero when it does; *AFTER. */
int store_due(const struct store *st, uint32_t list, uint32_t *after);

/* The cycle that list LIST begun last, 0: none, or not known; and to set it, 0:
 * none.  It outlives the program, and if DURABLE also a power cut.  0, or -1 with
 * errno. */
uint32_t store_begun(const struct store *st, uint32_t list);
int
store_put_begun(struct store *st, uint32_t list, uint32_t cycle, int durable);

/* Remove what no place and no `current' names. */
void store_prune(struct store *st);

#endif
