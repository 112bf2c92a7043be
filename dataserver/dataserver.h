/*
 * dataserver: hand sealed segments to the archive.  This is the map of the
 * program.
 *
 *	common/gate.c (they call)    dial.c (we call, from behind a NAT)
 *	       └────────────┬───────────────┘ a peer of the peers file
 *	                    ▼
 *	     session.c: the protocol, one per connection; bulk.c: its blocks
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
 *	        zlib=1 poll=S			zlib=1
 *	C rotate			S ok N | none | busy
 *	C list N			S seg N FIRST LAST BYTES SHA ...
 *					S bad N SHA ...		S end
 *	C get N SHA OFFSET		S data N OFFSET LEN CRC\n<LEN bytes> ...
 *					S zdata N OFFSET LEN CRC Z\n<Z bytes> ...
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
#include "common/tls.h"

struct chan;
struct event;
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

/* For the spool D, which is kept. */
struct rotate *rotate_new(struct event_base *base, struct segment_dir *d);
void rotate_free(struct rotate *r);

/* Ask; DONE is called once, perhaps before this returns, unless forgotten.  Requests that
 * come while one is under way share its result. */
void rotate_ask(struct rotate *r,
    void (*done)(void *arg, enum rotate_result result), void *arg);
void rotate_forget(struct rotate *r, void *arg);

/* --- listing.c: the answer to list --------------------------------------------- */

struct server;

struct listing {
	struct server *srv;
	struct chan *chan;
	uint64_t *numbers, *bad; /* still to be listed: spool/ and bad/ */
	size_t nnumbers, nbad, at, bad_at;
	struct event *turn; /* the next segment */
	void (*done)(void *arg);
	void *arg;
};

/* Lines go to CHAN; DONE is called when all of a list are out. */
void listing_init(struct listing *l, struct server *srv, struct chan *chan,
    void (*done)(void *arg), void *arg);
void listing_clear(struct listing *l);

/* Segments from FROM on, one per turn of the loop: reading them takes time. */
void listing_begin(struct listing *l, uint64_t from);

/* The line of one segment. */
void listing_print(struct listing *l, const struct offer *f);

/* --- bulk.c: the blocks of one get --------------------------------------------- */

#define BULK_RATE 1024 /* bytes/s that a peer must take */

struct bulk {
	struct chan *chan;
	int zlib; /* the peer takes zdata */
	int active; /* one is under way */
	int fd; /* -1: all of it is queued */
	uint64_t number, offset, size;
	uint64_t queued; /* bytes given to the channel */
	uint64_t taken; /* of them, by the kernel when last looked at */
	struct event *timer;
	void (*slow)(void *arg);
	void *arg;
};

enum bulk_result { BULK_MORE, BULK_DONE, BULK_ERROR };

/* SLOW is called when the peer takes less than BULK_RATE; it may clear B. */
void bulk_init(struct bulk *b, struct event_base *base, struct chan *chan,
    void (*slow)(void *arg), void *arg);
void bulk_clear(struct bulk *b);

/* Send F, open as FD (owned), from OFFSET on: bulk_more() now and whenever the
 * channel is drained, as long as it says BULK_MORE.  BULK_ERROR: errno. */
void bulk_begin(struct bulk *b, int fd, const struct offer *f, uint64_t offset);
enum bulk_result bulk_more(struct bulk *b);

/* --- session.c --------------------------------------------------------------- */

struct session;
struct dial;

struct server {
	struct event_base *base;
	struct segment_dir dir;
	struct offers offers;
	struct rotate *rotate;
	struct session *sessions; /* list */
	unsigned int nsessions;
	int64_t idle_ns; /* a client that says nothing so long is gone */
	struct tls *tls; /* NULL: plain */
	struct tls_peers peers;
};

struct session_config {
	int fd; /* owned */
	struct chan_io *io; /* owned; NULL: plain */
	const struct tls_peer *peer; /* copied; NULL: plain */
	/* Once, at the end, if not NULL: the client wants to be dialled again
	 * after POLL_S seconds; 0: it never said hello. */
	void (*ended)(void *arg, unsigned int poll_s);
	void *arg;
};

/* Serve a connection until its end.  -1: there are too many, nothing is owned
 * and `ended' will not be called. */
int session_new(struct server *srv, const struct session_config *cfg);

/* The peers have changed: end the sessions of those who are gone. */
void session_recheck(struct server *srv);

/* Drop all. */
void session_close_all(struct server *srv);

/* --- dial.c -------------------------------------------------------------------- */

/* Call the COUNT ADDRESSES (kept), the first that answers, again and again. */
struct dial *dial_new(struct server *srv, char **addresses, size_t count);
void dial_free(struct dial *d);

#endif
