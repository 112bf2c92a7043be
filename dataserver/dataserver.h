/*
 * dataserver: hand sealed segments to the archive.  This is the map of the
 * program.
 *
 *	     session.c: the protocol, one per connection
 *	       │ rotate        │ list, get          │ commit, refuse
 *	       ▼               ▼                    ▼
 *	rotate.c           offer.c: what the spool has, verified
 *	asks the Prober     spool/N.warts ──► sent/N.warts or bad/N.warts
 *
 * A segment is offered only after it and its directory are fsynced, and leaves
 * spool/ only when the other side has said, with its SHA-256, that it is
 * durable there.  Nothing else on the monitor removes it.
 *
 * The protocol (lines of at most 512 bytes; dataserver(8)):
 *
 *	C hello datacli VERSION		S hello dataserver VERSION epoch=E next=N
 *	C rotate			S ok N | none | busy
 *	C list N			S seg N FIRST LAST BYTES SHA ...
 *					S bad N SHA ...		S end
 *	C get N SHA OFFSET		S data N OFFSET LEN CRC\n<LEN bytes> ...
 *					S eof N
 *	C commit N SHA			S gone N
 *	C refuse N SHA REASON		S kept N
 *	C resend N			S seg ... | none
 *	either: ping / pong; err CODE TEXT, then close
 */
#ifndef DATASERVER_H
#define DATASERVER_H

#include <stddef.h>
#include <stdint.h>

#include "common/segment_dir.h"
#include "common/segment_read.h"

struct event_base;

#define DATASERVER_LINE_MAX 512

/* --- offer.c: the segments of the spool ------------------------------------- */

struct offer {
	uint64_t number;
	int in_sent; /* lies in sent/, not in spool/ */
	struct segment_info info; /* as read when it was first asked for */
	unsigned int refused; /* times, since this program started */
};

struct offers {
	struct segment_dir *d;
	struct offer **list; /* by number, ascending */
	size_t count;
	uint64_t keep_bytes; /* of sent/ */
};

/* What D offers now: none yet.  D is kept; KEEP_BYTES: see above. */
void offers_init(struct offers *o, struct segment_dir *d, uint64_t keep_bytes);
void offers_clear(struct offers *o);

/*
 * Segment NUMBER, from spool/ (or, with SENT, from sent/): made durable,
 * verified and hashed at the first call.  A damaged one is offered as well,
 * under the hash of what is there (and logged): the archive refuses it and
 * says so.  NULL with errno (ENOENT: it is not there).
 */
struct offer *offers_get(struct offers *o, uint64_t number, int sent);

/* An open descriptor of it, locked while it is open.  -1 with errno
 * (EWOULDBLOCK: in another transfer). */
int offers_open(struct offers *o, const struct offer *f);

/* The archive has it: to sent/.  0, or -1 with errno. */
int offers_commit(struct offers *o, struct offer *f);

/* The archive cannot take it, because of WHY.  The second time it goes to
 * bad/.  0, or -1 with errno. */
int offers_refuse(struct offers *o, struct offer *f, const char *why);

/* --- rotate.c: have the Prober seal its segment ------------------------------ */

enum rotate_result {
	ROTATE_OK, /* something was sealed */
	ROTATE_NONE, /* there was nothing to seal */
	ROTATE_BUSY, /* the holder of the spool does not answer */
};

struct rotate;

/* For the spool DIR, opened as D, which is kept.  Dies if it cannot be watched. */
struct rotate *
rotate_new(struct event_base *base, struct segment_dir *d, const char *dir);
void rotate_free(struct rotate *r);

/* Ask; DONE is called once, perhaps before this returns, unless forgotten.  Requests that
 * come while one is under way share its result. */
void rotate_ask(struct rotate *r,
    void (*done)(void *arg, enum rotate_result result), void *arg);
void rotate_forget(struct rotate *r, void *arg);

/* --- session.c --------------------------------------------------------------- */

struct session;

struct server {
	struct event_base *base;
	struct segment_dir dir;
	struct offers offers;
	struct rotate *rotate;
	struct session *sessions; /* list */
	unsigned int nsessions;
};

/* Serve FD, a connected stream socket, until its end. */
void session_new(struct server *srv, int fd, const char *peer);

/* Drop all. */
void session_close_all(struct server *srv);

#endif
