/*
 * chan: lines and bodies in order however they are cut, and back-pressure both
 * ways, on sockets and on files.  Ends are in chan_end.c.
 */
#include "tests/unit/chan_user.h"

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
	u.c = make(fd, open(path, O_WRONLY | O_APPEND), "file", &u);
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
	u.c = make(open("/dev/null", O_RDONLY), -1, "null", &u);
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
	zero.c = make(open("/dev/zero", O_RDONLY), -1, "zero", &zero);
	open_pair(&u, &peer);
	say(peer, "a\n");
	for (int i = 0; i < 3; i++)
		event_base_loop(base, EVLOOP_ONCE);
	assert_string_equal(u.seen, "line(a) ");
	done(&zero, -1);
	done(&u, peer);
}

/* Bodies of three bytes, one after the other. */
static void
on_three(struct chan *c, const void *p, size_t len, void *arg)
{
	struct user *u = arg;

	on_data(c, p, len, arg);
	if (u->body % 3 == 0)
		chan_expect(c, 3);
}

static void
who_has_no_lines_gets_bodies(void **state)
{
	static const struct chan_ops bodies = {
	    .data = on_three, .closed = on_closed};
	struct chan_config cfg = {.max_line = 16, .peer = "peer"};
	struct user u = {.free_at = NULL};
	int fds[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	cfg.fd_in = cfg.fd_out = fds[0];
	u.c = chan_new(base, &cfg, &bodies, &u);
	chan_expect(u.c, 3);
	turn();
	say(fds[1], "a\n\n\xff\n");
	turn();
	assert_int_equal(u.body, 5);
	say(fds[1], "b longer than any line");
	turn();
	assert_int_equal(u.body, 27);
	assert_string_equal(u.seen, "");
	close(fds[1]);
	turn();
	assert_string_equal(u.seen, "closed(closed by peer inside a body) ");
	done(&u, -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    with_base(lines_and_bodies_at_every_cut),
	    with_base(a_large_body_passes_through),
	    with_base(who_has_no_lines_gets_bodies),
	    with_base(writes_and_tells_when_drained),
	    with_base(a_slow_reader_gets_all),
	    with_base(a_pause_holds_lines_back),
	    with_base(a_pause_stops_the_writer),
	    with_base(files_work_too),
	    with_base(a_busy_file_starves_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
