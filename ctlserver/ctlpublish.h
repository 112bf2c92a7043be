/*
 * ctlpublish: from the operator's files to what is published.
 *
 *	tree.c, include.c	what the operator has written, checked
 *	plan.c			the texts that are to be, against those that are
 *	plan_look.c		is it good, what does it change
 *	publish.c		sign, put, switch
 *	publish_all.c		what concerns all: the stop, promotion
 *	prune.c			what is old goes
 *	root.c			keys
 *
 * The map of both programs is ctlserver.h.
 */
#ifndef CTLPUBLISH_H
#define CTLPUBLISH_H

#include "ctlserver/ctlserver.h"

/* --- tree.c: what the operator has written; the working directory is DIR --- */

struct tree_monitor {
	char name[CMD_NAME_MAX];
	struct schedule *schedule; /* with hashes; NULL: it has errors */
};

/* A file of DIR, looked at once. */
struct tree_object {
	char *path;
	struct signed_object object;
	int error; /* errno; 0: it is there */
};

struct tree {
	const struct repo *store; /* where objects go; NULL: only looked at */
	const struct signed_release *last; /* that is stored last; NULL: none */
	unsigned int errors; /* each was logged */
	char **said; /* nsaid: which; a group's would come for each monitor */
	size_t nsaid;
	struct tree_monitor *monitors; /* nmonitors, by name */
	size_t nmonitors;
	struct tree_object *objects; /* nobjects */
	size_t nobjects;
	char *rules; /* the lines of DIR/release that go into the text */
	struct signed_release parsed; /* the same, read */
	int64_t release_life_s, assign_life_s;
	char (*canaries)[CMD_NAME_MAX]; /* ncanaries */
	size_t ncanaries;
};

/* Read and check all of DIR; objects go to STORE if it is not NULL; what LAST, the
 * release stored last, has withdrawn is an error.  Every error is logged with file
 * and line.  Their number. */
unsigned int tree_load(struct tree *t, const struct repo *store,
    const struct signed_release *last);
void tree_clear(struct tree *t);

/* Of DIR/release only the lives and the canaries, whatever else is wrong in it:
 * who goes back must not be kept from it by what he has edited since. */
void tree_settings(struct tree *t);

/* Non-zero when MONITOR is a canary. */
int tree_is_canary(const struct tree *t, const char *monitor);

/* --- plan.c: the texts that are to be ------------------------------------------ */

/* One text, and what is stored of its kind. */
struct plan_text {
	struct signed_head head;
	char *body;
	char *old; /* the body that is current; NULL: none */
	uint64_t current; /* the version that is current; 0: none */
	int kept; /* the text stored last will do as it is */
	struct signed_text text; /* signed, or stored; .text NULL: not yet */
};

struct plan {
	const char *keys; /* folder of the keys; set by the caller */
	const char *what; /* the command, for the log; set by the caller */
	struct repo *repo;
	struct tree tree;
	int whole; /* monitors that are not in it go */
	int64_t now_s;
	struct signed_root root; /* that of now */
	struct plan_text release;
	struct plan_text *assigns; /* nassigns */
	size_t nassigns;
};

/* All of them: *P is zeros but for KEYS, for plan_clear() also after -1.  0 or -1,
 * all errors logged.  From DIR; with STORE its objects are put. */
int plan_tree(struct plan *p, struct repo *repo, int store);

/* From publication NUMBER. */
int plan_history(struct plan *p, struct repo *repo, uint64_t number);

/* From what is current, without the object SHA and the lists that run it. */
int plan_without(struct plan *p, struct repo *repo, const uint8_t *sha);

void plan_clear(struct plan *p);

/* Judge head and body of all as the monitors will.  Faults, each logged. */
unsigned int plan_check(const struct plan *p);

/* Print what is changed, text by text.  Non-zero when something is. */
int plan_print(const struct plan *p);

/* The lines of a text between head and signature, allocated. */
char *plan_body(const struct signed_text *t);

/* --- publish.c: sign, put, switch; the lock is the caller's --------------------- */

/* Sign, put, and switch all, or with CANARY those only.  0 or -1, logged. */
int publish_plan(struct plan *p, int canary);

/* Print the publications. */
void publish_log(const struct repo *repo);

/* The number of the last publication; 0: none. */
uint64_t publish_last(const struct repo *repo);

/* --- prune.c ------------------------------------------------------------------ */

struct prune {
	uint64_t keep; /* publications */
	int64_t now_s;
};

/* Remove publications but the last KEEP, and the texts and objects that nobody
 * needs then.  What stands in the way is logged. */
void prune(const struct repo *r, const struct prune *p);

/* --- root.c: keys in the folder PATH.  0 or -1, logged --- */

int root_init(struct repo *repo, const char *path, int one_key); /* the first */
/* The next, with a new key for ROLE ("release", "assign", NULL). */
int root_renew(struct repo *repo, const char *path, const char *role);

/* --- publish_all.c: what concerns all; promotion -------------------------------- */

/* Stop all probing because of REASON, or go on.  0 or -1, logged. */
int
publish_stop(struct repo *repo, const char *keys, int stop, const char *reason);

/* Hold the current root in *TR, as a monitor would.  0 or -1, logged; for
 * signed_trust_clear(). */
int publish_trust(const struct repo *repo, struct signed_trust *tr);

/* Those that wait get it, when the canaries were well for AFTER_S seconds (-1:
 * in any case).  0; 1: too early (said if SAY); -1, logged. */
int publish_promote(struct repo *repo, int64_t after_s, int say);

#endif
