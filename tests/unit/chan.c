/*
 * chan: lines and bodies in order however they are cut, back-pressure both
 * ways, every way to end, and freeing from inside each callback.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <event2/event.h>

#include "common/chan.h"
#include "common/clock.h"

#define MS INT64_C(1000000)

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

static void
saw(struct user *u, const char *what, const char *detail)
{
	size_t n = strlen(u->seen);

	snprintf(u->seen + n, sizeof(u->seen) - n, "%s(%s) ", what, detail);
	if (u->free_at != NULL && strcmp(u->free_at, what) == 0) {
		chan_free(u->c);
		u->c = NULL;
	}
}

static void
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

static void
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

static void
on_bad(struct chan *c, uint64_t number, const char *why, void *arg)
{
	char text[100];

	(void)c;
	snprintf(text, sizeof(text), "%d: %s", (int)number, why);
	saw(arg, "bad", text);
}

static void
on_closed(struct chan *c, const char *why, void *arg)
{
	if (strcmp(chan_peer(c), "peer") == 0)
		chan_printf(c, "into nowhere");
	saw(arg, "closed", why);
}

static void
on_drained(struct chan *c, void *arg)
{
	assert_int_equal(chan_pending(c), 0);
	saw(arg, "drained", "");
}

static const struct chan_ops ops = {
    on_line, on_data, on_bad, on_closed, on_drained};

static int
make_base(void **state)
{
	(void)state;
	signal(SIGPIPE, SIG_IGN);
	base = event_base_new();
	return base == NULL;
}

static int
free_base(void **state)
{
	(void)state;
	event_base_free(base);
	return 0;
}

static void
turn(void)
{
	event_base_loop(base, EVLOOP_NONBLOCK);
}

static void
open_pair(struct user *u, int *peer)
{
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	memset(u, 0, sizeof(*u));
	u->fd = fds[0];
	u->c = chan_new(base, fds[0], fds[0], 16, "peer", &ops, u);
	*peer = fds[1];
}

static void
done(struct user *u, int peer)
{
	chan_free(u->c);
	if (peer != -1)
		close(peer);
	turn();
}

static void
say(int fd, const char *s)
{
	assert_int_equal(write(fd, s, strlen(s)), strlen(s));
}

static void
hears(int fd, const char *want)
{
	char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, MSG_DONTWAIT);

	buf[n > 0 ? n : 0] = '\0';
	assert_string_equal(buf, want);
}

static void
lines_and_bodies_at_every_cut(void **state)
{
	static const char in[] = "a\n\nbody 5\n12\n\xff\n"
				 "b\nbody 0\n0123456789abcdef\nq\x01\nc\r\nend";
	static const char out[] =
	    "line(a) line() line(body 5) line(b) line(body 0) "
	    "bad(6: line too long) bad(7: byte outside printable ASCII) "
	    "line(c) bad(9: input ends inside this line) "
	    "closed(closed by peer) ";
	struct user u;
	int peer;

	(void)state;
	for (size_t piece = 1; piece < sizeof(in); piece++) {
		open_pair(&u, &peer);
		for (size_t at = 0; at < sizeof(in) - 1; at += piece) {
			size_t n = sizeof(in) - 1 - at;

			n = n < piece ? n : piece;
			assert_int_equal(write(peer, in + at, n), n);
			turn();
		}
		close(peer);
		turn();
		assert_string_equal(u.seen, out);
		assert_int_equal(u.body, 5);
		done(&u, -1);
	}
}

static void
a_large_body_passes_through(void **state)
{
	static char block[100000];
	struct user u;
	int peer;
	size_t sent = 0;
	ssize_t n;

	(void)state;
	open_pair(&u, &peer);
	fcntl(peer, F_SETFL, O_NONBLOCK);
	say(peer, "body 1000000\n");
	while (sent < 1000000) {
		n = write(peer, block,
		    1000000 - sent < sizeof(block) ? 1000000 - sent
						   : sizeof(block));
		sent += n > 0 ? (size_t)n : 0;
		turn();
	}
	say(peer, "next\n");
	turn();
	assert_int_equal(u.body, 1000000);
	assert_string_equal(u.seen, "line(body 1000000) line(next) ");
	done(&u, peer);
}

static void
a_cut_body_is_told(void **state)
{
	struct user u;
	int peer;

	(void)state;
	open_pair(&u, &peer);
	say(peer, "body 9\nab");
	close(peer);
	turn();
	turn();
	assert_string_equal(
	    u.seen, "line(body 9) closed(closed by peer inside a body) ");
	done(&u, -1);
}

static void
writes_and_tells_when_drained(void **state)
{
	struct user u;
	int peer;

	(void)state;
	open_pair(&u, &peer);
	assert_string_equal(chan_peer(u.c), "peer");
	chan_printf(u.c, "hello %d", 7);
	chan_write(u.c, "raw", 3);
	assert_int_equal(chan_pending(u.c), 11);
	assert_string_equal(u.seen, ""); /* only from the loop */
	turn();
	hears(peer, "hello 7\nraw");
	assert_string_equal(u.seen, "drained() ");
	turn();
	assert_string_equal(u.seen, "drained() ");
	done(&u, peer);
}

/* A peer that does not read stops us, and gets everything once it reads. */
static void
a_slow_reader_gets_all(void **state)
{
	static char buf[65536];
	struct user u;
	int peer;
	size_t got = 0, total = 0;
	ssize_t n;

	(void)state;
	open_pair(&u, &peer);
	for (int i = 0; i < 100000; i++) {
		chan_printf(u.c, "%09d", i);
		total += 10;
	}
	turn();
	assert_true(chan_pending(u.c) > 0);
	assert_string_equal(u.seen, "");
	while (got < total) {
		n = recv(peer, buf, 10, MSG_WAITALL);
		assert_int_equal(n, 10);
		assert_int_equal(atoi(buf), got / 10);
		got += 10;
		turn();
	}
	assert_string_equal(u.seen, "drained() ");
	done(&u, peer);
}

static void
a_pause_holds_lines_back(void **state)
{
	struct user u;
	int peer;

	(void)state;
	open_pair(&u, &peer);
	u.pause_at = 2;
	say(peer, "a\nb\nc\nd\n");
	turn();
	turn();
	assert_string_equal(u.seen, "line(a) line(b) ");
	say(peer, "e\n");
	turn();
	assert_string_equal(u.seen, "line(a) line(b) ");
	chan_resume(u.c);
	assert_string_equal(u.seen, "line(a) line(b) ");
	turn();
	turn();
	assert_string_equal(u.seen, "line(a) line(b) line(c) line(d) line(e) ");
	/* The end of the peer waits behind the lines too. */
	chan_pause(u.c);
	say(peer, "f\n");
	close(peer);
	turn();
	chan_resume(u.c);
	turn();
	turn();
	assert_string_equal(u.seen,
	    "line(a) line(b) line(c) line(d) line(e) "
	    "line(f) closed(closed by peer) ");
	done(&u, -1);
}

/* Back-pressure reaches the writer: what we do not read fills its socket. */
static void
a_pause_stops_the_writer(void **state)
{
	static char block[65536];
	struct user u;
	int peer;

	(void)state;
	open_pair(&u, &peer);
	fcntl(peer, F_SETFL, O_NONBLOCK);
	chan_pause(u.c);
	for (int i = 0; i < 1000; i++) {
		turn();
		if (write(peer, block, sizeof(block)) == -1)
			break;
	}
	assert_int_equal(write(peer, block, sizeof(block)), -1);
	assert_int_equal(errno, EAGAIN);
	done(&u, peer);
}

static void
finishes_when_all_is_written(void **state)
{
	struct user u;
	int peer;

	(void)state;
	open_pair(&u, &peer);
	chan_printf(u.c, "bye");
	say(peer, "a\nfinish\nlost\n");
	turn();
	say(peer, "lost too\n");
	turn();
	turn();
	hears(peer, "bye\n");
	assert_string_equal(
	    u.seen + strlen(u.seen) - strlen("closed(done) "), "closed(done) ");
	assert_null(strstr(u.seen, "lost"));
	done(&u, peer);
}

/* The peer closed its sending side, then reads: it gets its answers. */
static void
answers_a_half_closed_peer(void **state)
{
	struct user u;
	int peer;

	(void)state;
	open_pair(&u, &peer);
	say(peer, "quit\n");
	shutdown(peer, SHUT_WR);
	chan_printf(u.c, "answer");
	turn();
	turn();
	assert_non_null(strstr(u.seen, "line(quit) "));
	assert_non_null(strstr(u.seen, "closed(closed by peer) "));
	hears(peer, "answer\n");
	done(&u, peer);
}

/* As above while finishing, with more than the socket holds. */
static void
finishes_towards_a_half_closed_peer(void **state)
{
	static char buf[65536];
	struct user u;
	int peer;
	size_t got = 0;
	ssize_t n = 0;

	(void)state;
	open_pair(&u, &peer);
	for (int i = 0; i < 100000; i++)
		chan_write(u.c, "0123456789", 10);
	chan_finish(u.c);
	shutdown(peer, SHUT_WR);
	while (strstr(u.seen, "closed") == NULL || n > 0) {
		turn();
		n = recv(peer, buf, sizeof(buf), MSG_DONTWAIT);
		got += n > 0 ? (size_t)n : 0;
	}
	assert_int_equal(got, 1000000);
	assert_string_equal(u.seen, "closed(done) ");
	done(&u, peer);
}

static void
a_lost_reader_is_an_error(void **state)
{
	struct user u;
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	memset(&u, 0, sizeof(u));
	u.c = chan_new(base, -1, fds[1], 16, "pipe", &ops, &u);
	close(fds[0]);
	chan_printf(u.c, "x");
	turn();
	assert_string_equal(u.seen, "closed(Broken pipe) ");
	done(&u, -1);
}

static void
deadlines(void **state)
{
	struct user u;
	int64_t start = clock_mono_ns(), took;
	int peer;

	(void)state;
	open_pair(&u, &peer);
	chan_deadline(u.c, 60 * MS);
	for (int i = 0; i < 10; i++) {
		usleep(10000);
		say(peer, "x\n");
		turn();
	}
	/* 100 ms of life, never 60 ms of silence */
	assert_null(strstr(u.seen, "closed"));
	start = clock_mono_ns();
	event_base_dispatch(base);
	took = clock_mono_ns() - start;
	assert_non_null(strstr(u.seen, "closed(timed out) "));
	assert_true(took > 40 * MS);
	done(&u, peer);

	/* 0 takes it back. */
	open_pair(&u, &peer);
	chan_deadline(u.c, 20 * MS);
	chan_deadline(u.c, 0);
	usleep(30000);
	turn();
	assert_string_equal(u.seen, "");
	/* Finishing towards a peer that reads nothing. */
	chan_deadline(u.c, 20 * MS);
	for (int i = 0; i < 100000; i++)
		chan_write(u.c, "0123456789", 10);
	chan_finish(u.c);
	shutdown(peer, SHUT_WR);
	event_base_dispatch(base);
	assert_string_equal(u.seen, "closed(timed out) ");
	done(&u, peer);
}

static void
may_be_freed_in_each_callback(void **state)
{
	static const struct {
		const char *at, *in, *seen;
	} rows[] = {
	    {"line", "a\nb\n", "line(a) "},
	    {"data", "body 3\nabc", "line(body 3) data() "},
	    {"bad", "\x01\nb\n", "bad(1: byte outside printable ASCII) "},
	    {"drained", "", "drained() "},
	};
	struct user u;
	int peer;
	char c;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].at);
		open_pair(&u, &peer);
		u.free_at = rows[i].at;
		say(peer, rows[i].in);
		if (*rows[i].in == '\0')
			chan_printf(u.c, "x");
		turn();
		assert_string_equal(u.seen, rows[i].seen);
		assert_null(u.c);
		while (recv(peer, &c, 1, MSG_DONTWAIT) == 1)
			continue;
		/* its descriptor is closed */
		assert_true(recv(peer, &c, 1, MSG_DONTWAIT) == 0 ||
		    errno == ECONNRESET);
		done(&u, peer);
	}
	open_pair(&u, &peer);
	u.free_at = "closed";
	close(peer);
	turn();
	assert_string_equal(u.seen, "closed(closed by peer) ");
	turn();
	done(&u, -1);
}

/* /dev/null and regular files cannot be polled. */
static void
files_work_too(void **state)
{
	char path[] = "/tmp/chan.XXXXXX";
	int fd = mkstemp(path);
	struct user u = {0};
	char text[100] = "";

	(void)state;
	say(fd, "a\nb\n");
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	u.c = chan_new(
	    base, fd, open(path, O_WRONLY | O_APPEND), 16, "file", &ops, &u);
	chan_pause(u.c);
	turn();
	assert_string_equal(u.seen, "");
	chan_resume(u.c);
	chan_printf(u.c, "c");
	event_base_dispatch(base);
	assert_non_null(strstr(u.seen, "line(a) line(b) "));
	assert_non_null(strstr(u.seen, "drained() "));
	assert_non_null(strstr(u.seen, "closed(closed by peer) "));
	done(&u, -1);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, text, sizeof(text) - 1), 6);
	assert_string_equal(text, "a\nb\nc\n");
	close(fd);
	unlink(path);

	memset(&u, 0, sizeof(u));
	u.c = chan_new(
	    base, open("/dev/null", O_RDONLY), -1, 16, "null", &ops, &u);
	event_base_dispatch(base);
	assert_string_equal(u.seen, "closed(closed by peer) ");
	done(&u, -1);
}

/* Two busy channels on files: none waits for the other's end. */
static void
a_busy_file_starves_nobody(void **state)
{
	struct user zero = {0}, u;
	int peer;

	(void)state;
	zero.c = chan_new(
	    base, open("/dev/zero", O_RDONLY), -1, 16, "zero", &ops, &zero);
	open_pair(&u, &peer);
	say(peer, "a\n");
	for (int i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_ONCE);
	assert_string_equal(u.seen, "line(a) ");
	done(&zero, -1);
	done(&u, peer);
}

static void
one_way_in_can_finish(void **state)
{
	struct user u = {0};
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	u.c = chan_new(base, fds[0], -1, 16, "pipe", &ops, &u);
	chan_finish(u.c);
	turn();
	assert_string_equal(u.seen, "closed(done) ");
	done(&u, -1);
	close(fds[1]);
}

static void
descriptors_are_ours(void **state)
{
	struct user u;
	int peer;

	(void)state;
	open_pair(&u, &peer);
	assert_int_equal(fcntl(u.fd, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(u.fd, F_GETFL) & O_NONBLOCK);
	chan_free(u.c);
	assert_int_equal(fcntl(u.fd, F_GETFD), -1);
	close(peer);
	chan_free(NULL);
}

static void
bad_addresses_are_named(void **state)
{
	static const struct {
		const char *in, *why;
	} rows[] = {
	    {"", "neither"},
	    {"localhost", "neither"},
	    {"localhost:80", "not an IP"},
	    {":80", "not an IP"},
	    {"127.0.0.1:", "not a port"},
	    {"127.0.0.1:65536", "not a port"},
	    {"127.0.0.1:http", "not a port"},
	    {"::1:80", "brackets"},
	    {"[::1]", "brackets"},
	    {"[]:80", "not an IP"},
	    {"]:80", "not an IP"},
	    {"[:80", "not an IP"},
	    {"[::1]:x", "not a port"},
	};
	char path[300];
	const char *why;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].in);
		why = "";
		assert_int_equal(chan_listen(rows[i].in, &why), -1);
		assert_int_equal(errno, EINVAL);
		assert_non_null(strstr(why, rows[i].why));
		assert_int_equal(chan_connect(rows[i].in, &why), -1);
	}
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(chan_listen(path, &why), -1);
	assert_non_null(strstr(why, "too long"));
}

/* A line from one end to the other. */
static void
talk(int server, int client)
{
	struct user u = {0};
	int fd = -1;

	assert_true(server != -1);
	assert_true(client != -1);
	assert_int_equal(fcntl(server, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(client, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(server, F_GETFL) & O_NONBLOCK);
	u.c = chan_new(base, client, client, 16, "server", &ops, &u);
	while ((fd = accept(server, NULL, NULL)) == -1)
		assert_int_equal(errno, EAGAIN);
	say(fd, "hello\n");
	event_base_loop(base, EVLOOP_ONCE);
	assert_string_equal(u.seen, "line(hello) ");
	done(&u, fd);
}

static void
listens_and_connects_over_tcp(void **state)
{
	const char *why = NULL;
	char address[32];
	int server = -1, again;

	(void)state;
	for (int port = 20000 + getpid() % 10000; server == -1; port++) {
		snprintf(address, sizeof(address), "127.0.0.1:%d", port);
		server = chan_listen(address, &why);
		assert_true(server != -1 || errno == EADDRINUSE);
	}
	again = chan_listen(address, &why);
	assert_int_equal(again, -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_string_equal(why, "cannot bind");
	talk(server, chan_connect(address, &why));
	close(server);
}

static void
replaces_a_stale_socket_only(void **state)
{
	char dir[] = "/tmp/chan.XXXXXX", path[64], file[64];
	const char *why = NULL;
	int a, b;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(file, sizeof(file), "%s/f", dir);
	assert_int_equal(chan_connect(path, &why), -1);
	assert_int_equal(errno, ENOENT);
	a = chan_listen(path, &why);
	talk(a, chan_connect(path, &why));
	/* Alive: not to be taken. */
	assert_int_equal(chan_listen(path, &why), -1);
	assert_int_equal(errno, EADDRINUSE);
	close(a);
	/* Dead: to be replaced. */
	b = chan_listen(path, &why);
	talk(b, chan_connect(path, &why));
	close(b);
	/* A file is not a socket. */
	close(open(file, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(chan_listen(file, &why), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(access(file, F_OK), 0);
	unlink(path);
	unlink(file);
	assert_int_equal(rmdir(dir), 0);
}

#define with_base(f) cmocka_unit_test_setup_teardown(f, make_base, free_base)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    with_base(lines_and_bodies_at_every_cut),
	    with_base(a_large_body_passes_through),
	    with_base(a_cut_body_is_told),
	    with_base(writes_and_tells_when_drained),
	    with_base(a_slow_reader_gets_all),
	    with_base(a_pause_holds_lines_back),
	    with_base(a_pause_stops_the_writer),
	    with_base(finishes_when_all_is_written),
	    with_base(answers_a_half_closed_peer),
	    with_base(finishes_towards_a_half_closed_peer),
	    with_base(a_lost_reader_is_an_error),
	    with_base(deadlines),
	    with_base(may_be_freed_in_each_callback),
	    with_base(files_work_too),
	    with_base(a_busy_file_starves_nobody),
	    with_base(one_way_in_can_finish),
	    with_base(descriptors_are_ours),
	    with_base(bad_addresses_are_named),
	    with_base(listens_and_connects_over_tcp),
	    with_base(replaces_a_stale_socket_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
