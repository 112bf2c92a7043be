/*
 * chan_user: what the tests of chan share: a user of a channel that writes down
 * every callback as a word,
 *
 *	line(a) bad(2: line too long) drained() closed(closed by peer)
 *
 * and a channel on one end of a socket pair, whose other end the test has.
 */
#ifndef TESTS_UNIT_CHAN_USER_H
#define TESTS_UNIT_CHAN_USER_H

#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "common/chan.h"

static struct event_base *base;

/* What the channel told, one word per callback; and what to do then. */
struct user {
	struct chan *c;
	char seen[4096];
	size_t body; /* bytes of all bodies */
	const char *free_at; /* free the channel in this callback */
	int pause_at; /* pause in the callback of this line, from 1 */
	int nlines;
	int fd; /* the channel's descriptor */
};

static inline void
saw(struct user *u, const char *what, const char *detail)
{
	size_t n = strlen(u->seen);

	snprintf(u->seen + n, sizeof(u->seen) - n, "%s(%s) ", what, detail);
	if (u->free_at != NULL && strcmp(u->free_at, what) == 0) {
		chan_free(u->c);
		u->c = NULL;
	}
}

static inline void
on_line(struct chan *c, char *line, void *arg)
{
	struct user *u = arg;

	if (strncmp(line, "body ", 5) == 0)
		chan_expect(c, strtoull(line + 5, NULL, 10));
	if (++u->nlines == u->pause_at)
		chan_pause(c);
	if (strcmp(line, "finish") == 0)
		chan_finish(c);
	saw(u, "line", line);
	memset(line, 'x', strlen(line)); /* it is ours */
}

static inline void
on_data(struct chan *c, const void *p, size_t len, void *arg)
{
	struct user *u = arg;

	(void)c;
	assert_non_null(p);
	assert_true(len > 0);
	u->body += len;
	if (u->free_at != NULL)
		saw(u, "data", "");
}

static inline void
on_bad(struct chan *c, uint64_t number, const char *why, void *arg)
{
	char text[100];

	(void)c;
	snprintf(text, sizeof(text), "%d: %s", (int)number, why);
	saw(arg, "bad", text);
}

static inline void
on_closed(struct chan *c, const char *why, void *arg)
{
	if (strcmp(chan_peer(c), "peer") == 0)
		chan_printf(c, "into nowhere");
	saw(arg, "closed", why);
}

static inline void
on_drained(struct chan *c, void *arg)
{
	assert_int_equal(chan_pending(c), 0);
	saw(arg, "drained", "");
}

static const struct chan_ops ops = {
    on_line, on_data, on_bad, on_closed, on_drained};

static inline int
make_base(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	return base == NULL;
}

static inline int
free_base(void **state)
{
	(void)state;
	event_base_free(base);
	return 0;
}

static inline void
turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static inline struct chan *
make(int fd_in, int fd_out, const char *peer, struct user *u)
{
	struct chan_config cfg = {fd_in, fd_out, 16, peer};

	return chan_new(base, &cfg, &ops, u);
}

static inline void
open_pair(struct user *u, int *peer)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	memset(u, 0, sizeof(*u));
	u->fd = fds[0];
	u->c = make(fds[0], fds[0], "peer", u);
	*peer = fds[1];
}

static inline void
done(struct user *u, int peer)
{
	chan_free(u->c);
	if (peer != -1)
		close(peer);
	turn();
}

static inline void
say(int fd, const char *s)
{
	assert_int_equal(write(fd, s, strlen(s)), strlen(s));
}

static inline void
hears(int fd, const char *want)
{
	char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	buf[n > 0 ? n : 0] = '\0';
	assert_string_equal(buf, want);
}

#define with_base(f) cmocka_unit_test_setup_teardown(f, make_base, free_base)

#endif
