#include "common/chan.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <event2/buffer.h>
#include <event2/event.h>

#include "common/chan_fd.h"
#include "common/clock.h"
#include "common/line.h"
#include "common/log.h"
#include "common/xmalloc.h"

/* Bytes asked of the kernel at once: all of a pipe. */
#define READ_BYTES 65536

struct chan {
	char *peer;
	const struct chan_ops *ops;
	void *arg;
	int fd_in, fd_out; /* -1: none */
	int in_flags, out_flags; /* of fcntl(2), before us */
	int in_always, out_always; /* a file: not pollable, always ready */
	struct event *ev_in; /* persistent, with the deadline; NULL: none */
	struct event *ev_out; /* armed while there is something; NULL: none */
	struct event *ev_go; /* a turn of input without a poll before it */
	struct event *ev_late; /* a line that does not end */
	struct chan_io *io; /* NULL: read(2) and write(2) */
	struct line_buf lines;
	uint64_t late_line; /* number of the line that ev_late is about */
	struct evbuffer *out;
	uint64_t body; /* bytes of a body still to come */
	struct timeval deadline, line_deadline;
	int has_deadline, has_line_deadline;
	int paused, finishing;
	int in_ended; /* end of file while finishing */
	int closed; /* ops->closed was called */
	int depth; /* callbacks running below us */
	int freed; /* by a callback: the outermost frees */
};

static void destroy(struct chan *c);

/* Around everything that calls the user: C may be freed in between.  leave()
 * returns non-zero if C is gone. */
static void
enter(struct chan *c)
{
	c->depth++;
}

static int
leave(struct chan *c)
{
	if (--c->depth > 0 || !c->freed)
		return c->freed;
	destroy(c);
	return 1;
}

/* No more callbacks may be made. */
static int
is_over(const struct chan *c)
{
	return c->freed || c->closed;
}

static void
stop_events(struct chan *c)
{
	event_del(c->ev_go);
	event_del(c->ev_late);
	if (c->ev_in != NULL)
		event_del(c->ev_in);
	if (c->ev_out != NULL)
		event_del(c->ev_out);
}

static void
add_event(struct event *ev, const struct timeval *tv)
{
	if (event_add(ev, tv) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot watch a descriptor");
}

/* Through a timer, not event_active(): libevent would run that before it
 * polls again, and one busy channel would starve the others. */
static void
go_soon(struct event *ev)
{
	static const struct timeval now = {0, 0};

	add_event(ev, &now);
}

static void
do_close(struct chan *c, const char *why)
{
	if (is_over(c))
		return;
	stop_events(c);
	c->closed = 1;
	c->ops->closed(c, why, c->arg);
}

/* --- reading */

static void
arm_in(struct chan *c)
{
	if (c->in_ended)
		return;
	if (c->in_always)
		go_soon(c->ev_go);
	else if (c->ev_in != NULL)
		add_event(c->ev_in, c->has_deadline ? &c->deadline : NULL);
}

static int
give_body(struct chan *c)
{
	char *p;
	size_t n = c->lines.end - c->lines.start;

	if (n > c->body)
		n = (size_t)c->body;
	n = line_take(&c->lines, n, &p);
	if (n == 0)
		return 0;
	c->body -= n;
	c->ops->data(c, p, n, c->arg);
	return 1;
}

/* Give out one line or piece of a body; 0 when more must be read first. */
static int
give_one(struct chan *c)
{
	enum line_result r;
	char *line;

	if (c->body > 0)
		return give_body(c);
	assert(c->ops->line != NULL && c->ops->bad != NULL);
	r = line_next(&c->lines, &line);
	if (r == LINE_MORE)
		return 0;
	if (r == LINE_OK)
		c->ops->line(c, line, c->arg);
	else
		c->ops->bad(c, c->lines.number, line_reason(r), c->arg);
	return 1;
}

static void
give_all(struct chan *c)
{
	while (!is_over(c) && !c->paused && !c->finishing && give_one(c))
		continue;
}

static void
end_of_input(struct chan *c)
{
	enum line_result r;
	char *line;

	if (c->finishing) {
		/* It will say no more, but may still be reading. */
		c->in_ended = 1;
		if (c->ev_in != NULL)
			event_del(c->ev_in);
		return;
	}
	if (c->body > 0) {
		do_close(c, "closed by peer inside a body");
		return;
	}
	assert(c->ops->bad != NULL);
	r = line_last(&c->lines, &line);
	if (r != LINE_MORE)
		c->ops->bad(c, c->lines.number, line_reason(r), c->arg);
	/* Answers for one that closed its sending side only. */
	if (!is_over(c) && c->fd_out != -1)
		chan_fd_put(c->io, c->fd_out, c->out);
	do_close(c, "closed by peer");
}

static void
read_in(struct chan *c)
{
	size_t room;
	char *p = line_space(&c->lines, &room);
	ssize_t n = chan_fd_get(c->io, c->fd_in, p, room);
	const char *why;

	if (n == -1) {
		why = chan_fd_error(c->io);
		if (why != NULL)
			do_close(c, why);
	} else if (n == 0)
		end_of_input(c);
	else if (!c->finishing) {
		line_added(&c->lines, (size_t)n);
		give_all(c);
	}
}

/* The clock of an unfinished line runs from its first byte on, whatever else
 * comes in. */
static void
watch_line(struct chan *c)
{
	int begun = c->body == 0 &&
	    (c->lines.skipping || c->lines.end > c->lines.start);

	if (!c->has_line_deadline || c->finishing)
		return;
	if (!begun || c->late_line != c->lines.number)
		event_del(c->ev_late);
	if (begun && !event_pending(c->ev_late, EV_TIMEOUT, NULL)) {
		c->late_line = c->lines.number;
		add_event(c->ev_late, &c->line_deadline);
	}
}

static void
on_late(int fd, short what, void *arg)
{
	struct chan *c = arg;

	(void)fd;
	(void)what;
	enter(c);
	if (!c->paused && !c->finishing)
		do_close(c, "line not finished in time");
	leave(c);
}

static void
input_turn(struct chan *c)
{
	/* What a pause left behind comes before new bytes. */
	give_all(c);
	if (is_over(c) || c->paused)
		return;
	read_in(c);
	if (is_over(c) || c->paused)
		return;
	watch_line(c);
	if (c->in_always)
		arm_in(c);
	else if (c->io != NULL && !c->in_ended && c->io->pending(c->io))
		go_soon(c->ev_go);
}

static void
on_in(int fd, short what, void *arg)
{
	struct chan *c = arg;

	(void)fd;
	enter(c);
	if (what & EV_TIMEOUT)
		do_close(c, "timed out");
	else
		input_turn(c);
	leave(c);
}

static void
on_go(int fd, short what, void *arg)
{
	struct chan *c = arg;

	(void)fd;
	(void)what;
	enter(c);
	if (c->finishing && c->ev_out == NULL)
		do_close(c, "done");
	else
		input_turn(c);
	leave(c);
}

/* --- writing */

static void
arm_out(struct chan *c)
{
	int timed = c->finishing && c->has_deadline;

	if (c->out_always)
		go_soon(c->ev_out);
	else
		add_event(c->ev_out, timed ? &c->deadline : NULL);
}

static void
all_written(struct chan *c)
{
	if (c->finishing) {
		do_close(c, "done");
		return;
	}
	if (c->ops->drained != NULL)
		c->ops->drained(c, c->arg);
}

static void
write_out(struct chan *c)
{
	size_t before = evbuffer_get_length(c->out);
	const char *why = NULL;

	if (before > 0 && chan_fd_put(c->io, c->fd_out, c->out) == -1)
		why = chan_fd_error(c->io);
	if (why != NULL) {
		do_close(c, why);
		return;
	}
	if (evbuffer_get_length(c->out) > 0)
		arm_out(c);
	else if (before > 0 || c->finishing)
		all_written(c);
}

static void
on_out(int fd, short what, void *arg)
{
	struct chan *c = arg;

	(void)fd;
	enter(c);
	if ((what & EV_TIMEOUT) && !c->out_always)
		do_close(c, "timed out");
	else if (!is_over(c))
		write_out(c);
	leave(c);
}

void
chan_write(struct chan *c, const void *p, size_t len)
{
	assert(c->fd_out != -1);
	if (is_over(c) || c->finishing)
		return;
	if (evbuffer_add(c->out, p, len) == -1)
		log_fatal(EXIT_TEMPORARY, "out of memory");
	arm_out(c);
}

void
chan_printf(struct chan *c, const char *fmt, ...)
{
	va_list ap;
	int n;

	assert(c->fd_out != -1);
	if (is_over(c) || c->finishing)
		return;
	va_start(ap, fmt);
	n = evbuffer_add_vprintf(c->out, fmt, ap);
	va_end(ap);
	if (n == -1)
		log_fatal(EXIT_TEMPORARY, "out of memory");
	chan_write(c, "\n", 1);
}

/* --- making and ending */

static struct event *
new_event(struct event_base *base, int fd, short what, event_callback_fn cb,
    struct chan *c)
{
	struct event *ev = event_new(base, fd, what, cb, c);

	if (ev == NULL)
		log_fatal(EXIT_TEMPORARY, "cannot watch a descriptor");
	return ev;
}

static void
init_in(struct chan *c, struct event_base *base)
{
	c->in_flags = chan_fd_own(c->fd_in);
	c->in_always = chan_fd_is_always_ready(c->fd_in);
	if (!c->in_always)
		c->ev_in =
		    new_event(base, c->fd_in, EV_READ | EV_PERSIST, on_in, c);
	arm_in(c);
}

static void
init_out(struct chan *c, struct event_base *base)
{
	if (c->fd_out != c->fd_in)
		c->out_flags = chan_fd_own(c->fd_out);
	c->out_always = chan_fd_is_always_ready(c->fd_out);
	c->ev_out = new_event(base, c->out_always ? -1 : c->fd_out,
	    c->out_always ? 0 : EV_WRITE, on_out, c);
}

struct chan *
chan_new(struct event_base *base, const struct chan_config *cfg,
    const struct chan_ops *ops, void *arg)
{
	return chan_new_io(base, cfg, NULL, ops, arg);
}

struct chan *
chan_new_io(struct event_base *base, const struct chan_config *cfg,
    struct chan_io *io, const struct chan_ops *ops, void *arg)
{
	struct chan *c = xcalloc(1, sizeof(*c));
	size_t size = 2 * cfg->max_line;

	c->peer = xstrdup(cfg->peer);
	c->ops = ops;
	c->arg = arg;
	c->fd_in = cfg->fd_in;
	c->fd_out = cfg->fd_out;
	c->io = io;
	line_init(
	    &c->lines, cfg->max_line, size > READ_BYTES ? size : READ_BYTES);
	c->out = evbuffer_new();
	if (c->out == NULL)
		log_fatal(EXIT_TEMPORARY, "out of memory");
	c->ev_go = new_event(base, -1, 0, on_go, c);
	c->ev_late = new_event(base, -1, 0, on_late, c);
	if (c->fd_in != -1)
		init_in(c, base);
	if (c->fd_out != -1)
		init_out(c, base);
	/* The end of a handshake may have brought the first line with it. */
	if (c->io != NULL)
		go_soon(c->ev_go);
	return c;
}

static void
destroy(struct chan *c)
{
	event_free(c->ev_go);
	event_free(c->ev_late);
	if (c->ev_in != NULL)
		event_free(c->ev_in);
	if (c->ev_out != NULL)
		event_free(c->ev_out);
	if (c->io != NULL)
		c->io->close(c->io);
	if (c->fd_out != -1 && c->fd_out != c->fd_in)
		chan_fd_disown(c->fd_out, c->out_flags);
	if (c->fd_in != -1)
		chan_fd_disown(c->fd_in, c->in_flags);
	evbuffer_free(c->out);
	line_clear(&c->lines);
	free(c->peer);
	free(c);
}

void
chan_free(struct chan *c)
{
	if (c == NULL)
		return;
	stop_events(c);
	c->freed = 1;
	if (c->depth == 0)
		destroy(c);
}

const char *
chan_peer(const struct chan *c)
{
	return c->peer;
}

void
chan_expect(struct chan *c, uint64_t len)
{
	assert(c->ops->data != NULL);
	c->body = len;
}

void
chan_pause(struct chan *c)
{
	c->paused = 1;
	event_del(c->ev_go);
	event_del(c->ev_late);
	if (c->ev_in != NULL)
		event_del(c->ev_in);
}

void
chan_resume(struct chan *c)
{
	if (!c->paused)
		return;
	c->paused = 0;
	if (is_over(c))
		return;
	arm_in(c);
	/* There may be whole lines in the buffer and none in the kernel. */
	go_soon(c->ev_go);
}

size_t
chan_pending(const struct chan *c)
{
	return evbuffer_get_length(c->out);
}

void
chan_flush(struct chan *c, int ms)
{
	struct pollfd pfd = {.fd = c->fd_out, .events = POLLOUT};
	int64_t end_ns = clock_mono_ns() + ms * NS_PER_MS;

	while (!is_over(c) && evbuffer_get_length(c->out) > 0) {
		if (chan_fd_put(c->io, c->fd_out, c->out) == -1 &&
		    chan_fd_error(c->io) != NULL)
			return;
		ms = (int)((end_ns - clock_mono_ns()) / NS_PER_MS);
		if (ms <= 0 || poll(&pfd, 1, ms) < 1)
			return;
	}
}

void
chan_finish(struct chan *c)
{
	char *unread;

	if (is_over(c) || c->finishing)
		return;
	/* Input is read on and dropped: closing a TCP connection with unread
	 * bytes would take our last words away from the peer. */
	c->finishing = 1;
	line_take(&c->lines, SIZE_MAX, &unread);
	chan_resume(c);
	if (c->ev_out != NULL)
		arm_out(c);
	else
		go_soon(c->ev_go);
}

void
chan_deadline(struct chan *c, int64_t ns)
{
	c->has_deadline = ns > 0;
	c->deadline.tv_sec = ns / NS_PER_SEC;
	c->deadline.tv_usec = ns % NS_PER_SEC / NS_PER_US;
	if (is_over(c) || c->paused || c->ev_in == NULL)
		return;
	event_del(c->ev_in);
	arm_in(c);
}

void
chan_line_deadline(struct chan *c, int64_t ns)
{
	c->has_line_deadline = ns > 0;
	c->line_deadline.tv_sec = ns / NS_PER_SEC;
	c->line_deadline.tv_usec = ns % NS_PER_SEC / NS_PER_US;
}
