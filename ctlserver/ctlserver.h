/*
 * ctlserver: the control repository.  This is the map of two programs; what only
 * the operator's tool has is in ctlpublish.h.
 *
 *	operator edits	 ctlpublish, with the keys	 ctlserver, without
 *	DIR/release	 ┌► tree.c: read and check	 common/gate.c
 *	DIR/monitors/MON ┤   everything			   │ a peer of the
 *	DIR/groups/GRP	 │ (include.c)			   │ peers file
 *	DIR/files/...	 │	│			   ▼
 *	DIR/code/...	 ┘	▼			 checkin.c ── body.c
 *	DIR/keys/   ───────► publish.c: what changed,	   │	▲
 *			   sign, put, switch		   ▼	│
 *			     │				 beat.c	│
 *			     ▼ repo.c			   │	│ repo.c
 *			   DIR/published/ ──────────────────────┘
 *			   DIR/beats/MON ◄─────────────────┘ status.c, promote
 *
 *	published/objects/HASH		a file, mode 444
 *	published/texts/KIND[.MON].N	a signed text (signed(5)), never changed
 *	published/current/MON		which release and assign MON gets
 *	published/waiting/MON		... once the canaries have done well
 *	published/common		which root and stop all get
 *	published/history/N		what was current for all, for rollback; the
 *					oldest go, and what only they need (prune.c)
 *	published/changed		replaced behind every switch
 *
 * Everything that a pointer names is durable before the pointer is, and a pointer
 * is replaced by rename: a reader sees one publication or the other for each
 * monitor, whatever is killed when.  What was left half-done is in nobody's way,
 * because the next publication takes other numbers.
 */
#ifndef CTLSERVER_H
#define CTLSERVER_H

#include <stddef.h>
#include <stdint.h>

#include "common/signed.h"
#include "common/tls.h"

struct chan;
struct event;
struct event_base;

#define CTLSERVER_LINE_MAX 1024

/* --- repo.c: DIR/published -------------------------------------------------- */

struct repo {
	int root; /* DIR */
	int dir, objects, texts, current, waiting, history; /* in it */
};

/* What one monitor gets: version 0: nothing. */
struct repo_set {
	uint64_t version[SIGNED_KINDS];
};

/* Open DIR/published; with MAKE, make what is not there.  0, or -1 with errno. */
int repo_open(struct repo *r, const char *dir, int make);
void repo_close(struct repo *r);

/* What MONITOR gets; with WAITING, what it would get once promoted.  0, also
 * when there is nothing; or -1 with errno (EBADMSG: damaged). */
int repo_get(const struct repo *r, const char *monitor, int waiting,
    struct repo_set *out);

/* Switch MONITOR to the release and assign of SET, or let them wait. */
int repo_put(const struct repo *r, const char *monitor, int waiting,
    const struct repo_set *set);

/* Switch all monitors to the root and stop of SET. */
int repo_put_common(const struct repo *r, const struct repo_set *set);

/* What waits for MONITOR becomes current; or is forgotten.  0, or -1. */
int repo_promote(const struct repo *r, const char *monitor);
int repo_forget(const struct repo *r, const char *monitor);

/* Tell ctlserver that pointers were switched. */
int repo_touch(const struct repo *r);

/* A number that is another one after repo_touch(). */
uint64_t repo_stamp(const struct repo *r);

#define REPO_TEXT_NAME (8 + CMD_NAME_MAX + 21) /* bytes */

/* The name of the file of the text of H, in published/texts: BUF. */
char *repo_text_name(char buf[REPO_TEXT_NAME], const struct signed_head *h);

/* The text of KIND (and MONITOR, if it is an assign) with VERSION, as a string:
 * the caller frees T->text.  0, or -1 with errno. */
int repo_text(const struct repo *r, const struct signed_head *which,
    struct signed_text *t);
/* The same, opened for reading; *SIZE in bytes.  The descriptor, or -1. */
int repo_text_open(
    const struct repo *r, const struct signed_head *which, uint64_t *size);
/* Store T, under what its head says. */
int repo_text_put(const struct repo *r, const struct signed_text *t);
/* The highest version of KIND (and MONITOR) that is stored; 0: none. */
uint64_t repo_text_last(
    const struct repo *r, enum signed_kind kind, const char *monitor);

/* The object SHA, opened for reading, if it has SIZE bytes.  The descriptor, or
 * -1 with errno (ENOENT). */
int repo_object_open(const struct repo *r, const struct signed_object *o);
/* Store the open file FD, unless it is there already: what it is in *O. */
int repo_object_put(const struct repo *r, int fd, struct signed_object *o);

/* The names in an open directory that are names (scan_name), sorted: *N of
 * them, for repo_names_free(). */
char **repo_names(int dir, size_t *n);
/* The same of files whose names need not be such: texts, objects. */
char **repo_files(int dir, size_t *n);
void repo_names_free(char **names, size_t n);

/* --- view.c: what one session sees of it ----------------------------------- */

struct view {
	struct repo_set set;
	struct signed_object *objects; /* nobjects: what its assign names */
	size_t nobjects;
};

/* Look what MONITOR gets: 1 when it is not what V had, 0 when it is; -1 with
 * errno. */
int view_load(struct view *v, const struct repo *repo, const char *monitor);
void view_clear(struct view *v);
/* Add the objects that the assign T names.  0, or -1: it cannot be read, see F. */
int
view_read(struct view *v, const struct signed_text *t, struct signed_fault *f);

/* The object SHA if it may be asked for, or NULL. */
const struct signed_object *
view_object(const struct view *v, const uint8_t *sha);

/* --- beat.c: heartbeats ------------------------------------------------------ */

#define BEAT_KEYS_MAX 1100
#define BEAT_BYTES_MAX (128u << 10)

/* What is being received: lines KEY=VALUE\n, as a string. */
struct beat_buf {
	char *text; /* len bytes, size allocated */
	size_t len, size;
	unsigned int keys;
};

/* Add "KEY=VALUE".  NULL, or a static reason. */
const char *beat_add(struct beat_buf *b, const char *line);
void beat_clear(struct beat_buf *b);

struct beat { /* what is kept of the last one */
	int64_t at_s; /* Unix time it came; 0: never */
	int64_t well_s; /* since when all were good, with this assign, or 0 */
	char from[56]; /* address */
	char *text; /* as above */
};

/* Read the beat of MONITOR in the open directory DIR; all zeros if there is
 * none, or if it is damaged.  For beat_free(). */
void beat_load(int dir, const char *monitor, struct beat *out);
void beat_free(struct beat *b);

/* Keep B as the last one of MONITOR, received at NOW_S from FROM.  0, or -1 with
 * errno. */
int beat_store(int dir, const char *monitor, const struct beat_buf *b,
    const char *from, int64_t now_s);

/* The value of KEY, copied to BUF of SIZE bytes ("" if it is not there);
 * returns BUF. */
char *beat_value(const struct beat *b, const char *key, char *buf, size_t size);
/* The same as a number; 0 if it is none. */
uint64_t beat_number(const struct beat *b, const char *key);

struct beat_list { /* of one that has misbehaved */
	char number[11];
	char name[CMD_NAME_MAX];
};

/* How many lists of B misbehave, have of late, or were taken back; *FIRST is the
 * first of them. */
size_t beat_bad_lists(const struct beat *b, struct beat_list *first);

/* If there are any: "list 3 (mine): WHAT; 1 more list" to BUF of SIZE bytes, which
 * it returns. */
char *beat_bad_why(const struct beat *b, char *buf, size_t size);

/* Why B is not good at NOW_S, a static reason; NULL: it is. */
const char *beat_trouble(const struct beat *b, int64_t now_s);

/* --- status.c ---------------------------------------------------------------- */

/* Print a line per monitor, the most troubled first.  The exit code. */
int status_print(const char *dir);

/* --- body.c: a file behind a line ------------------------------------------- */

struct body {
	struct chan *chan;
	int fd; /* -1: none */
	uint64_t offset, size; /* bytes */
	uint64_t queued, taken; /* bytes, by the channel and by the kernel */
	struct event *timer;
	void (*done)(void *arg);
	void (*failed)(void *arg, const char *why);
	void *arg;
};

/* DONE: all of a file has been taken.  FAILED: it cannot be read, or the peer is
 * too slow; the channel is to be closed.  Both may clear B. */
void body_init(struct body *b, struct event_base *base);
void body_clear(struct body *b);

/* Send the file FD (owned) of SIZE bytes from OFFSET on; body_more() whenever
 * the channel is drained. */
void body_begin(struct body *b, int fd, uint64_t offset, uint64_t size);
void body_more(struct body *b);

/* --- checkin.c: the protocol ------------------------------------------------- */

struct checkin;

struct control {
	struct event_base *base;
	struct repo repo;
	int beats; /* DIR/beats */
	struct tls *tls;
	struct tls_peers peers;
	struct checkin *checkins; /* list */
	unsigned int ncheckins;
	size_t beat_bytes; /* held by all that are being received */
	struct event *poll; /* looks for changes while somebody waits */
	uint64_t stamp; /* of the repository, when last looked */
};

void checkin_begin(struct control *ctl); /* set up what they share */
void checkin_end(struct control *ctl); /* let go of it and of all of them */

/* Serve PEER (copied) at FROM over FD and IO (owned).  -1: too many, not owned. */
int checkin_new(struct control *ctl, int fd, struct chan_io *io,
    const struct tls_peer *peer, const char *from);

/* The peers have changed: end those of who is gone. */
void checkin_recheck(struct control *ctl);

/* --- keys.c ------------------------------------------------------------------ */

struct keys_key;

/* The private key in the file NAME (keyfile) of the open directory DIR.  NULL with a
 * reason in *WHY (good until the next call). */
struct keys_key *keys_load(int dir, const char *name, const char **why);
void keys_free(struct keys_key *k);

/* The same of the first that is there: ROLE.key, all.key. */
struct keys_key *keys_role(int dir, const char *role, const char **why);

/* Its public half. */
const struct signed_key *keys_public(const struct keys_key *k);

/* TEXT, a head and a body, with the signature line behind it: allocated. */
char *keys_sign(const struct keys_key *k, const char *text);

#endif
