/*
 * centre: all that a List Manager has to do with a Control Server, in one place:
 * settings, key, store, places of the lists, and the check-in.
 */
#ifndef LISTMGR_CENTRE_H
#define LISTMGR_CENTRE_H

#include "listmgr/roster.h"

struct centre;

struct centre_ops {
	/* Generators may run (or no longer). */
	void (*probing)(void *arg, int on);
	/* Somebody has something to be told. */
	void (*news)(void *arg);
	/* The Prober is to read its files again. */
	void (*tell_prober)(void *arg);
};

struct centre_config {
	const char *path; /* of the settings */
	struct event_base *base; /* and what follows: kept */
	struct roster *roster;
	const struct centre_ops *ops;
	void *arg;
};

/* Only look at the settings PATH: 0, or an exit code. */
int centre_check(const char *path);

/* Make it, and run what the store has.  Dies if that cannot be. */
struct centre *centre_new(const struct centre_config *cfg);
void centre_free(struct centre *c);

/* Check in at once. */
void centre_now(struct centre *c);

/* About once a second.  C may be NULL. */
void centre_look(struct centre *c);

#endif
