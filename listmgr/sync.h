/*
 * sync: the check-in with the Control Server (docs/protocol.md), and what comes
 * of it.
 *
 *	settings.c	the file of -C
 *	sync.c		when to connect, to whom; the session's answers
 *	sync_fetch.c	what to ask for next: root, stop, release, assign, objects
 *	beat.c		the heartbeat
 *	limits.c	what the Prober must obey: caps, do-not-probe floor, stop
 *
 *	connect ─► hello ─► beat ─► fetch what is new ─► switch ─► wait ─┐
 *	              ▲                                     same, changed │
 *	              └───────────────────────────────────────────────────┘
 *
 * A text that is refused ends the round; the session goes on, because a good
 * one may follow.  A server that breaks the protocol is hung up on, and tried
 * again with growing pauses.
 */
#ifndef LISTMGR_SYNC_H
#define LISTMGR_SYNC_H

#include <stddef.h>
#include <stdint.h>

#include "common/tls.h"
#include "listmgr/place.h"
#include "listmgr/roster.h"
#include "listmgr/store.h"

struct chan;

/* --- settings.c ------------------------------------------------------------- */

#define SETTINGS_SERVERS_MAX 8

struct settings_server {
	char *address;
	struct tls_pin pin;
};

struct settings {
	char *monitor, *key, *store; /* required */
	struct signed_key anchor;
	struct settings_server servers[SETTINGS_SERVERS_MAX];
	size_t nservers;
	int64_t period_ns, silence_ns;
	char *spool, *status; /* the Prober's; NULL: not said, as below */
	char *dnp, *limits;
	uint64_t quota; /* bytes of the spool, 0: as the disk has */
};

/* Read PATH.  0, or -1 with all errors logged. */
int settings_load(struct settings *s, const char *path);
void settings_clear(struct settings *s);

/* --- limits.c: pure but for limits_write ------------------------------------- */

enum limits_state {
	LIMITS_ON,
	LIMITS_STOPPED, /* by a stop of the centre */
	LIMITS_DEADMAN, /* too long without a good check-in */
	LIMITS_EXPIRED, /* the schedule, or there is none */
};

struct limits {
	enum limits_state state;
	struct signed_caps caps;
	int64_t until_s; /* Unix time from which on nothing is sent; 0: none */
	char reason[CMD_DESCR_MAX]; /* of a stop, or why nothing is sent */
};

/* The word of it for the heartbeat: "on", "stopped" ... */
const char *limits_word(enum limits_state state);

/* What holds for the store ST at NOW_S, when the last good check-in was at
 * CHECKED_S. */
void limits_judge(
    struct limits *l, const struct store *st, int64_t now_s, int64_t checked_s);

/* The text of the Prober's limits file; the caller frees. */
char *limits_print(const struct limits *l);

/* Write the files that S names, if they are to be others than they are.  Non-zero
 * when one was written: the Prober is to be told.  What cannot be done is logged
 * once: SAID is at first 0, and then the last errno of each. */
int limits_write(const struct settings *s, const struct limits *l,
    const struct store *st, int said[2]);

/* --- rate.c: pure -------------------------------------------------------------- */

/* Of the last two status files that differ. */
struct rate {
	uint64_t sent; /* packets, as the last one says */
	int64_t at_ns; /* its own time, of the wall clock */
	int64_t seen_ns; /* when it was first seen; 0: none was */
	int64_t per_s; /* since the one before; -1: not known */
};

/* At NOW_NS (monotonic) the file of the wall time AT_NS says SENT. */
void rate_saw(struct rate *r, uint64_t sent, int64_t at_ns, int64_t now_ns);
/* Seconds without a new file, since START_NS or since the last one came; 0: not
 * for long. */
int64_t rate_silent_s(const struct rate *r, int64_t start_ns, int64_t now_ns);
/* Packets per second; -1: not known. */
int64_t rate_per_s(const struct rate *r, int64_t now_ns);

/* --- beat.c ------------------------------------------------------------------ */

/* What happened, of all that was logged about the centre. */
struct beat_news {
	char refused[400]; /* KIND VERSION CODE TEXT; "" nothing */
	char error[200]; /* the last one; "" none */
	uint64_t errors; /* since the last beat */
	int64_t start_ns;
	struct rate rate;
	int silent; /* that the Prober says nothing was logged */
};

struct beat_config {
	const struct roster *roster;
	const struct place *place;
	const struct store *store;
	const struct settings *settings;
	const struct limits *limits;
	struct beat_news *news;
};

/* Write the lines of a heartbeat, with its end, to CHAN. */
void beat_write(const struct beat_config *b, struct chan *chan);

/* --- sync_fetch.c -------------------------------------------------------------- */

/* Versions that the server has; 0: none. */
struct sync_versions {
	uint64_t v[SIGNED_KINDS];
};

enum sync_want_kind { WANT_NOTHING, WANT_TEXT, WANT_OBJECT };

/* What is to be asked for. */
struct sync_want {
	enum sync_want_kind what;
	enum signed_kind kind; /* of a text */
	uint64_t version; /* of a root */
	struct signed_object object;
	uint64_t have; /* bytes of it */
};

struct sync_fetch {
	struct store *store;
	struct sync_versions server;
	uint64_t
	    judged[SIGNED_KINDS]; /* versions taken or refused this round */
	struct signed_seen seen; /* of assigns, before this one */
	struct signed_assign assign; /* taken, its objects are arriving */
	int has_assign;
	char *assign_text;
	size_t assign_len;
	int refused; /* this round is over */
};

/* Begin a round: the server has VERSIONS. */
void
sync_fetch_begin(struct sync_fetch *f, const struct sync_versions *versions);
void sync_fetch_clear(struct sync_fetch *f);

/* What to ask for next.  WANT_NOTHING: all is here, or refused.  -1 with
 * errno: the disk. */
int sync_fetch_next(struct sync_fetch *f, struct sync_want *want);

/* The text T of version VERSION, as the server says, came for WANT.  0; or -1
 * with F, and the round is over. */
int sync_fetch_text(struct sync_fetch *f, const struct sync_want *want,
    const struct signed_text *t, struct signed_fault *fault);

/* All is here: switch.  1: there is a new generation; 0: there was nothing to
 * switch to; -1 with errno. */
int sync_fetch_switch(struct sync_fetch *f);

/* --- sync.c ---------------------------------------------------------------------- */

struct sync;

struct sync_ops {
	/* There is a new generation, or none any more. */
	void (*switched)(void *arg);
	/* Whether generators may run has changed. */
	void (*probing)(void *arg, int on);
	/* The Prober is to read its files again. */
	void (*tell_prober)(void *arg);
};

struct sync_config {
	struct event_base *base;
	const struct settings *settings; /* kept */
	struct tls *tls; /* kept */
	struct store *store; /* kept */
	struct roster *roster; /* kept */
	struct place *place; /* kept */
	const struct sync_ops *ops; /* kept */
	void *arg;
};

/* Check in from now on. */
struct sync *sync_new(const struct sync_config *cfg);
void sync_free(struct sync *s);

/* Check in at once. */
void sync_now(struct sync *s);

/* About once a second: expiry, dead-man timer, the Prober's files. */
void sync_look(struct sync *s);

#endif
