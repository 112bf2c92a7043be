/*
 * chan_end: every way in which a channel ends: the peer's, the deadline, ours,
 * and being freed from inside each callback.
 */
#include "tests/unit/chan_user.h"

#include "common/clock.h"

#define MS INT64_C(1000000)

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
	u.c = make(-1, fds[1], "pipe", &u);
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

/* A byte now and then is no silence, and yet no line. */
static void
a_line_must_end(void **state)
{
	struct user u;
	int peer, said = 0;

	(void)state;
	open_pair(&u, &peer);
	chan_deadline(u.c, 10000 * MS);
	chan_line_deadline(u.c, 60 * MS);
	say(peer, "whole\n");
	turn();
	while (strstr(u.seen, "closed") == NULL && said++ < 1000) {
		if (said < 10)
			say(peer, "x");
		usleep(10000);
		turn();
	}
	assert_string_equal(
	    u.seen, "line(whole) closed(line not finished in time) ");
	done(&u, peer);
	/* One that does end, and the next begins: no harm. */
	open_pair(&u, &peer);
	chan_line_deadline(u.c, 200 * MS);
	for (int i = 0; i < 30; i++) {
		say(peer, "x\nx");
		turn();
		usleep(10000);
	}
	assert_null(strstr(u.seen, "closed"));
	done(&u, peer);
}

static void
one_way_in_can_finish(void **state)
{
	struct user u = {0};
	int fds[2];

	(void)state;
	assert_int_equal(pipe(fds), 0);
	u.c = make(fds[0], -1, "pipe", &u);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    with_base(a_cut_body_is_told),
	    with_base(finishes_when_all_is_written),
	    with_base(answers_a_half_closed_peer),
	    with_base(finishes_towards_a_half_closed_peer),
	    with_base(a_lost_reader_is_an_error),
	    with_base(deadlines),
	    with_base(a_line_must_end),
	    with_base(may_be_freed_in_each_callback),
	    with_base(one_way_in_can_finish),
	    with_base(descriptors_are_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
