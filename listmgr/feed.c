/*
 * feed: the way to the Prober: standard output, or a socket that is connected
 * again when it is lost.
 *
 *	DOWN ──connect──► UP ──feed_finish──► (written) ──► over
 *	  ▲               │ lost
 *	  └── back-off ◄──┘ ops->down
 *
 * What was written to a lost connection is forgotten: it was not acked, so
 * the generators say it again.
 *
 * A Prober on a socket may say `room N': N targets since the connection began it
 * wants to have.  One that has not said so a moment behind the connection does
 * not know of it, and takes what the pipe takes.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/chan.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/xmalloc.h"
#include "listmgr/listmgr.h"

#define RETRY_MIN_NS (100 * NS_PER_MS)
#define RETRY_MAX_NS (10 * NS_PER_SEC)
#define ROOM_NS NS_PER_SEC /* until the first `room' */

struct feed {
	struct event_base *base;
	const char *address; /* NULL: standard output */
	const struct feed_ops *ops;
	void *arg;
	struct chan *chan; /* NULL: down */
	struct event *timer; /* the next try; when up: until the first `room' */
	int64_t retry_ns; /* the next pause */
	int said; /* the present trouble was logged */
	int finishing;
	int waiting; /* for the first `room' */
	uint64_t room; /* targets on this connection; UINT64_MAX: any number */
	uint64_t given; /* ... so far */
	pid_t peer; /* the Prober, while it is up; 0: not known */
};

static void
set_timer(struct feed *f, int64_t ns)
{
	struct timeval tv = {
	    .tv_sec = ns / NS_PER_SEC, .tv_usec = ns % NS_PER_SEC / NS_PER_US};

	if (event_add(f->timer, &tv) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
}

static void
set_retry(struct feed *f)
{
	set_timer(f, f->retry_ns);
	f->retry_ns *= 2;
	if (f->retry_ns > RETRY_MAX_NS)
		f->retry_ns = RETRY_MAX_NS;
}

/* --- lines from the Prober ------------------------------------------------ */

static const char *
do_ack(struct feed *f, char **words, int n)
{
	struct feed_ack a = {.end = n == 5};

	if (n < 4 || n > 5 || scan_u32(words[1], 0, INT32_MAX, &a.list) == -1 ||
	    scan_u32(words[2], 1, UINT32_MAX, &a.cycle) == -1 ||
	    scan_u64(words[3], 0, UINT64_MAX, &a.n) == -1 ||
	    (a.end && strcmp(words[4], "end") != 0))
		return "not ack LIST CYCLE N [end]";
	f->ops->ack(f->arg, &a);
	return NULL;
}

/* A Prober on TCP says who it is; we take it as it is. */
static const char *
do_hello(struct feed *f, char **words, int n)
{
	(void)f;
	(void)words;
	(void)n;
	return NULL;
}

static const char *
do_room(struct feed *f, char **words, int n)
{
	uint64_t room;

	if (n != 2 || scan_u64(words[1], 0, UINT64_MAX, &room) == -1)
		return "not room N";
	f->room = room;
	f->waiting = 0;
	return NULL;
}

static const struct {
	const char *name;
	const char *(*run)(struct feed *f, char **words, int n);
} verbs[] = {
    {"ack", do_ack},
    {"room", do_room},
    {"hello", do_hello},
};

static void
on_line(struct chan *c, char *line, void *arg)
{
	struct feed *f = arg;
	const char *why = "unknown verb";
	char *words[16];
	int n = scan_words(line, words, 16);

	f->retry_ns = RETRY_MIN_NS;
	f->said = 0;
	for (size_t i = 0; n > 0 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(words[0], verbs[i].name) == 0)
			why = verbs[i].run(f, words, n);
	}
	if (why != NULL)
		log_warn("%s: %s", chan_peer(c), why);
}

static void
on_bad(struct chan *c, uint64_t number, const char *why, void *arg)
{
	(void)arg;
	log_warn(
	    "%s: line %llu: %s", chan_peer(c), (unsigned long long)number, why);
}

/* --- up and down ---------------------------------------------------------- */

static void
on_closed(struct chan *c, const char *why, void *arg)
{
	struct feed *f = arg;
	int done = f->finishing && strcmp(why, "done") == 0;

	if (!done && !f->said)
		log_warn("%s: %s", chan_peer(c), why);
	f->said = 1;
	chan_free(c);
	f->chan = NULL;
	if (f->address == NULL || f->finishing) {
		f->ops->over(f->arg, done ? EXIT_DONE : EXIT_TEMPORARY);
		return;
	}
	set_retry(f);
	f->ops->down(f->arg);
}

static const struct chan_ops chan_ops = {
    .line = on_line, .bad = on_bad, .closed = on_closed};

static void
open_chan(struct feed *f, int fd_in, int fd_out, const char *peer)
{
	struct chan_config cfg = {fd_in, fd_out, LINE_MAX_COMMAND, peer};

	f->room = UINT64_MAX;
	f->given = 0;
	f->chan = chan_new(f->base, &cfg, &chan_ops, f);
	f->ops->up(f->arg);
}

/* Who has opened the socket at the other end of FD; 0 if the kernel cannot say.
 * As long as we are connected the number is nobody else's. */
static pid_t
peer_of(int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return 0;
	return cred.pid;
}

static void
on_timer(int fd, short what, void *arg)
{
	struct feed *f = arg;
	const char *why;

	(void)what;
	if (f->chan != NULL) {
		f->waiting = 0;
		return;
	}
	if (f->address == NULL) {
		open_chan(f, -1, STDOUT_FILENO, "standard output");
		return;
	}
	fd = chan_connect(f->address, &why);
	if (fd == -1) {
		if (!f->said)
			log_warn("%s: %s: %s: trying again", f->address, why,
			    strerror(errno));
		f->said = 1;
		set_retry(f);
		return;
	}
	log_info("%s: connected", f->address);
	f->peer = peer_of(fd);
	open_chan(f, fd, fd, f->address);
	f->waiting = 1;
	set_timer(f, ROOM_NS);
}

struct feed *
feed_new(struct event_base *base, const char *address,
    const struct feed_ops *ops, void *arg)
{
	struct feed *f = xcalloc(1, sizeof(*f));

	f->base = base;
	f->address = address;
	f->ops = ops;
	f->arg = arg;
	f->retry_ns = RETRY_MIN_NS;
	f->timer = evtimer_new(base, on_timer, f);
	if (f->timer == NULL)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
	event_active(f->timer, EV_TIMEOUT, 1);
	return f;
}

void
feed_free(struct feed *f)
{
	if (f == NULL)
		return;
	event_free(f->timer);
	chan_free(f->chan);
	free(f);
}

void
feed_signal(const struct feed *f, int signo)
{
	if (f->chan == NULL || f->peer <= 1)
		return;
	if (kill(f->peer, signo) == -1)
		log_warn("%s: process %d: %s", f->address, (int)f->peer,
		    strerror(errno));
}

/* --- writing -------------------------------------------------------------- */

uint64_t
feed_room(const struct feed *f)
{
	if (f->chan == NULL || f->finishing || f->waiting ||
	    chan_pending(f->chan) > 0)
		return 0;
	return f->room > f->given ? f->room - f->given : 0;
}

int
feed_acks_itself(const struct feed *f)
{
	return f->address == NULL;
}

void
feed_write(struct feed *f, const char *buf, size_t len, uint64_t ips)
{
	f->given += ips;
	chan_write(f->chan, buf, len);
}

void
feed_exit(struct feed *f)
{
	if (f->chan != NULL && !f->finishing)
		chan_printf(f->chan, "exit");
}

void
feed_finish(struct feed *f)
{
	if (f->finishing)
		return;
	f->finishing = 1;
	event_del(f->timer);
	if (f->chan == NULL) {
		f->ops->over(f->arg, EXIT_DONE);
		return;
	}
	chan_deadline(f->chan, FEED_FINISH_NS);
	chan_finish(f->chan);
}
