/*
 * chan: a line channel on a stream socket or a pair of pipes, on libevent.
 *
 * Lines out are queued and written as the peer takes them; lines in are given
 * out one by one, complete and bounded.  Between lines the user may expect a
 * body of raw bytes.  Back-pressure works both ways: chan_pause() stops
 * reading, chan_pending() says how much is unwritten, `drained' is called when
 * all of it is out.
 *
 * A callback may free the channel.  All callbacks come from the loop, none from
 * inside a call of the user's.
 *
 *	        line ... line  body  line ...        EOF, error, deadline
 *	kernel ------------------------------> user --------> closed
 *	kernel <------------------------------ user
 *	         drained: nothing is queued         chan_finish -> closed: "done"
 *
 * Files and devices that cannot be polled (/dev/null) work as well.
 */
#ifndef COMMON_CHAN_H
#define COMMON_CHAN_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct event_base;
struct chan;

struct chan_ops {
	/* A line without its \n; may be changed, is gone afterwards.  `line'
	 * and `bad' may be NULL where all that comes is bodies: whenever the
	 * loop runs, chan_expect() has announced one that is not over. */
	void (*line)(struct chan *c, char *line, void *arg);
	/* Bytes of a body that chan_expect() announced, as they come.  May be
	 * NULL where nothing is announced. */
	void (*data)(struct chan *c, const void *p, size_t len, void *arg);
	/* A line that is too long or has a bad byte; number from 1. */
	void (*bad)(
	    struct chan *c, uint64_t number, const char *why, void *arg);
	/* The peer is gone (EOF: why "closed by peer") or an error.  No more
	 * callbacks follow; the owner must chan_free(). */
	void (*closed)(struct chan *c, const char *why, void *arg);
	/* Everything queued has been written.  May be NULL. */
	void (*drained)(struct chan *c, void *arg);
};

/*
 * What moves the bytes of a descriptor when read(2) and write(2) do not: TLS
 * (tls.h).  A call that returns -1 sets `why', or leaves it NULL and sets
 * errno; EAGAIN: wait for the descriptor.
 */
struct chan_io {
	ssize_t (*read)(struct chan_io *io, void *p, size_t len);
	ssize_t (*write)(struct chan_io *io, const void *p, size_t len);
	/* Non-zero: there is more to read although the descriptor is quiet. */
	int (*pending)(struct chan_io *io);
	/* Say goodbye if that costs no waiting, and free.  Not the fd. */
	void (*close)(struct chan_io *io);
	const char *why;
};

/* FD_IN and FD_OUT may be the same; -1 for one-way.  The channel owns and
 * closes them and makes them non-blocking (0 to 2 get their flags back). */
struct chan_config {
	int fd_in, fd_out;
	size_t max_line; /* in, bytes with \n */
	const char *peer; /* for messages */
};

/* CFG is copied, OPS is kept. */
struct chan *chan_new(struct event_base *base, const struct chan_config *cfg,
    const struct chan_ops *ops, void *arg);
/* The same through IO, which the channel owns; NULL: none. */
struct chan *chan_new_io(struct event_base *base, const struct chan_config *cfg,
    struct chan_io *io, const struct chan_ops *ops, void *arg);
void chan_free(struct chan *c);

/* PEER of chan_new, for messages. */
const char *chan_peer(const struct chan *c);

/* Queue one line; \n is added.  Dropped once the channel is closed or
 * finishing, as is chan_write's. */
void chan_printf(struct chan *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Queue raw bytes (copied). */
void chan_write(struct chan *c, const void *p, size_t len);

/* The next LEN bytes in are a body and go to ops->data.  To be called from
 * ops->line, from ops->data with the last bytes of a body, or before the loop
 * runs. */
void chan_expect(struct chan *c, uint64_t len);

/* Stop reading and giving out (also in the middle of what was read), and go
 * on.  A paused channel does not see its peer go and has no deadline. */
void chan_pause(struct chan *c);
void chan_resume(struct chan *c);

/* Bytes queued and not yet taken by the kernel. */
size_t chan_pending(const struct chan *c);

/* Write what is queued now, waiting MS milliseconds at most: for the end of a
 * program, when the loop does not run any more.  Calls nobody back. */
void chan_flush(struct chan *c, int ms);

/* Close (ops->closed with "done") once all is written; input is ignored. */
void chan_finish(struct chan *c);

/* Close with "timed out" if nothing comes in for so long, or, once it is
 * finishing, if nothing can be written for so long; 0: never. */
void chan_deadline(struct chan *c, int64_t ns);

/* Close with "line not finished in time" when a line that has begun to come in
 * takes so long; 0: never.  Such a peer never runs into chan_deadline(). */
void chan_line_deadline(struct chan *c, int64_t ns);

/* --- listening and connecting -------------------------------------------- */

/* ADDRESS is "PATH" with a slash in it (unix stream socket) or
 * "IP:PORT" / "[IP6]:PORT".  Both return a non-blocking CLOEXEC descriptor,
 * or -1 with errno and a static reason in *WHY.  A stale unix socket (nobody
 * accepts on it) is replaced by chan_listen. */
int chan_listen(const char *address, const char **why);
/* Connects in the background for TCP: the first write or read tells. */
int chan_connect(const char *address, const char **why);

/* Is that an address?  NULL, or a static reason.  Nothing is asked or opened. */
const char *chan_check(const char *address);

/* Can only this host be behind ADDRESS: a path or a loopback address? */
int chan_is_local(const char *address);

/* Last words to a connection that gets no channel: LINE as far as it can be
 * sent without waiting; then IO (NULL: plain) and FD are closed. */
void chan_refuse(int fd, struct chan_io *io, const char *line);

#endif
