/*
 * child: pipes, signals, group, restart with back-off, every way to stop.  No
 * test waits for a time: the loop ends when the callback comes.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include <event2/event.h>

#include "common/child.h"
#include "common/clock.h"

#define MS INT64_C(1000000)

static struct event_base *base;

struct user {
	struct child *c;
	int starts, ends;
	int max_ends; /* leave the loop after so many */
	int leave_at_start;
	int free_at_end;
	pid_t pid;
	int in, out; /* of the last run */
	int status;
	int64_t pauses_ns[8];
};

static void
on_started(struct child *c, pid_t pid, int fd_in, int fd_out, void *arg)
{
	struct user *u = arg;

	(void)c;
	if (u->starts++ > 0) {
		close(u->in);
		close(u->out);
	}
	u->pid = pid;
	u->in = fd_in;
	u->out = fd_out;
	if (u->leave_at_start)
		event_base_loopbreak(base);
}

static void
on_ended(struct child *c, int status, int64_t restart_ns, void *arg)
{
	struct user *u = arg;

	assert_true(u->ends < (int)LEN(u->pauses_ns));
	u->status = status;
	u->pauses_ns[u->ends++] = restart_ns;
	if (u->free_at_end)
		child_free(c);
	if (u->ends == u->max_ends)
		event_base_loopbreak(base);
}

static const struct child_ops ops = {on_started, on_ended};

static void
start(struct user *u, const struct child_config *cfg)
{
	memset(u, 0, sizeof(*u));
	u->max_ends = 1;
	u->c = child_new(base, cfg, &ops, u);
	assert_int_equal(u->starts, 0); /* only from the loop */
}

static void
finish(struct user *u)
{
	child_free(u->c);
	if (u->starts > 0) {
		close(u->in);
		close(u->out);
	}
}

/* All that comes out of the child until it closes. */
static void
output_is(struct user *u, const char *want)
{
	char buf[1024];
	size_t got = 0;
	ssize_t n;

	fcntl(u->in, F_SETFL, 0);
	while ((n = read(u->in, buf + got, sizeof(buf) - 1 - got)) > 0)
		got += (size_t)n;
	buf[got] = '\0';
	assert_string_equal(buf, want);
}

#define SH(script) ((char *const[]){"sh", "-c", script, NULL})

static void
pipes_both_ways(void **state)
{
	struct child_config cfg = {.argv = SH("read a; echo \"got $a\"")};
	struct user u;

	(void)state;
	start(&u, &cfg);
	u.leave_at_start = 1;
	event_base_dispatch(base);
	assert_int_equal(fcntl(u.in, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(u.out, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(u.in, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(u.out, F_GETFL) & O_NONBLOCK);
	assert_int_equal(write(u.out, "line\n", 5), 5);
	event_base_dispatch(base);
	output_is(&u, "got line\n");
	assert_int_equal(u.ends, 1);
	assert_int_equal(u.status, 0);
	assert_true(u.pauses_ns[0] == -1);
	finish(&u);
}

/* The child's own world: directory, environment, group, signals, no
 * descriptors of ours. */
static void
starts_clean(void **state)
{
	struct child_config cfg = {
	    .argv = SH("pwd; echo $A-$B; "
		       "[ $$ = $(ps -o pgid= -p $$) ] && echo leader; "
		       "grep -E 'Sig(Blk|Ign)' /proc/self/status; "
		       "ls /proc/self/fd | tr '\\n' ' '"),
	    .env = ((char *const[]){"A=1", "B=two words", NULL}),
	    .dir = "/usr"};
	struct user u;
	sigset_t usr1;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	start(&u, &cfg);
	event_base_dispatch(base);
	sigprocmask(SIG_UNBLOCK, &usr1, NULL);
	assert_int_equal(u.status, 0);
	/* 3 is ls's own, of the directory it lists. */
	output_is(&u,
	    "/usr\n1-two words\nleader\n"
	    "SigBlk:\t0000000000000000\n"
	    "SigIgn:\t0000000000000000\n"
	    "0 1 2 3 ");
	assert_null(getenv("A"));
	finish(&u);
}

static void
restarts_with_back_off(void **state)
{
	struct child_config cfg = {.argv = SH("exit 3"),
	    .restart = 1,
	    .backoff_min_ns = 2 * MS,
	    .backoff_max_ns = 9 * MS};
	static const int64_t want_ns[] = {
	    2 * MS, 4 * MS, 8 * MS, 9 * MS, 9 * MS};
	struct user u;
	int64_t began_ns = clock_mono_ns();

	(void)state;
	start(&u, &cfg);
	u.max_ends = LEN(want_ns);
	event_base_dispatch(base);
	assert_int_equal(u.starts, LEN(want_ns));
	assert_int_equal(WEXITSTATUS(u.status), 3);
	for (size_t i = 0; i < LEN(want_ns); i++)
		assert_true(u.pauses_ns[i] == want_ns[i]);
	assert_true(clock_mono_ns() - began_ns >= 20 * MS);
	finish(&u);
}

static void
some_ends_are_final(void **state)
{
	static const struct {
		const char *script;
		int restart;
		int status;
		int again;
	} rows[] = {
	    {"exit 0", 0, 0, 0},
	    {"exit 0", 1, 0, 1},
	    {"exit 1", 1, 1 << 8, 1},
	    {"exit 100", 1, 100 << 8, 0},
	    {"exit 111", 1, 111 << 8, 1},
	    {"exit 111", 0, 111 << 8, 0},
	    {"kill -9 $$", 1, 9, 1},
	};
	struct user u;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		char *argv[] = {"sh", "-c", (char *)rows[i].script, NULL};
		struct child_config cfg = {
		    .argv = argv, .restart = rows[i].restart};

		row_is(rows[i].script);
		start(&u, &cfg);
		event_base_dispatch(base);
		assert_int_equal(u.status, rows[i].status);
		assert_true(u.pauses_ns[0] ==
		    (rows[i].again ? 1000 * MS : (int64_t)-1));
		finish(&u);
	}
}

static void
what_cannot_run_is_permanent(void **state)
{
	static const struct {
		const char *program, *dir;
	} rows[] = {
	    {"/nonexistent/program", NULL},
	    {"no-such-program-in-path", NULL},
	    {"/etc/passwd", NULL},
	    {"true", "/nonexistent"},
	};
	struct user u;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		char *argv[] = {(char *)rows[i].program, NULL};
		struct child_config cfg = {
		    .argv = argv, .dir = rows[i].dir, .restart = 1};

		row_is(rows[i].program);
		start(&u, &cfg);
		event_base_dispatch(base);
		assert_int_equal(WEXITSTATUS(u.status), 100);
		assert_true(u.pauses_ns[0] == -1);
		finish(&u);
	}
}

/* A stop reaches the whole group; `ended' comes once, without a restart. */
static void
stops_on_sigterm(void **state)
{
	struct child_config cfg = {
	    .argv = SH("sleep 1000 & echo; wait"), .restart = 1};
	struct user u;

	(void)state;
	start(&u, &cfg);
	u.leave_at_start = 1;
	event_base_dispatch(base);
	fcntl(u.in, F_SETFL, 0);
	assert_int_equal(read(u.in, &(char){0}, 1), 1); /* both run */
	child_stop(u.c, 3600 * 1000 * MS);
	child_stop(u.c, 0); /* a second one changes nothing */
	event_base_dispatch(base);
	assert_int_equal(u.ends, 1);
	assert_int_equal(WTERMSIG(u.status), SIGTERM);
	assert_true(u.pauses_ns[0] == -1);
	while (read(u.in, &(char){0}, 1) > 0)
		continue; /* ends only when sleep is gone too */
	finish(&u);
}

static void
kills_after_the_grace(void **state)
{
	struct child_config cfg = {
	    .argv = SH("trap '' TERM; echo; while :; do sleep 1000; done")};
	struct user u;
	char c;

	(void)state;
	start(&u, &cfg);
	u.leave_at_start = 1;
	event_base_dispatch(base);
	fcntl(u.in, F_SETFL, 0);
	assert_int_equal(read(u.in, &c, 1), 1); /* the trap is set */
	child_stop(u.c, 5 * MS);
	event_base_dispatch(base);
	assert_int_equal(WTERMSIG(u.status), SIGKILL);
	while (read(u.in, &c, 1) > 0)
		continue;
	finish(&u);
}

/* What the leader leaves behind goes with it. */
static void
no_straggler_stays(void **state)
{
	struct child_config cfg = {.argv = SH("sleep 1000 & exit 7")};
	struct user u;

	(void)state;
	start(&u, &cfg);
	event_base_dispatch(base);
	assert_int_equal(WEXITSTATUS(u.status), 7);
	output_is(&u, "");
	finish(&u);
}

static void
stops_before_a_start(void **state)
{
	struct child_config cfg = {.argv = SH("exit 3"), .restart = 1};
	struct user u;

	(void)state;
	/* Before the first: */
	start(&u, &cfg);
	child_stop(u.c, 0);
	event_base_dispatch(base);
	assert_int_equal(u.starts, 0);
	assert_int_equal(u.ends, 1);
	assert_true(u.pauses_ns[0] == -1);
	finish(&u);
	/* While waiting for the second: */
	start(&u, &cfg);
	event_base_dispatch(base);
	assert_true(u.pauses_ns[0] > 0);
	child_stop(u.c, 0);
	u.max_ends = 2;
	event_base_dispatch(base);
	assert_int_equal(u.starts, 1);
	assert_int_equal(u.ends, 2);
	assert_true(u.pauses_ns[1] == -1);
	assert_int_equal(WEXITSTATUS(u.status), 3);
	finish(&u);
}

static void
free_kills_and_reaps(void **state)
{
	struct child_config cfg = {.argv = SH("sleep 1000")};
	struct user u;

	(void)state;
	start(&u, &cfg);
	u.leave_at_start = 1;
	event_base_dispatch(base);
	child_free(u.c);
	u.c = NULL;
	assert_int_equal(kill(u.pid, 0), -1);
	assert_int_equal(errno, ESRCH);
	finish(&u);
	child_free(NULL);
}

static void
may_be_freed_when_it_ends(void **state)
{
	struct child_config cfg = {.argv = SH("exit 3"), .restart = 1};
	struct user u;

	(void)state;
	start(&u, &cfg);
	u.free_at_end = 1;
	event_base_dispatch(base);
	u.c = NULL;
	assert_int_equal(u.ends, 1);
	event_base_loop(base, EVLOOP_NONBLOCK);
	finish(&u);
}

static int
sum_of_ends(const struct user *u, int n)
{
	int sum = 0;

	for (int i = 0; i < n; i++)
		sum += u[i].ends;
	return sum;
}

/* Many at once: each end is told to its own. */
static void
many_at_once(void **state)
{
	enum { N = 20 };
	static struct user u[N];
	char script[N][20];

	(void)state;
	for (int i = 0; i < N; i++) {
		snprintf(script[i], sizeof(script[i]), "exit %d", i);
		start(&u[i], &(struct child_config){.argv = SH(script[i])});
		while (u[i].starts == 0) /* argv lives in this block */
			event_base_loop(base, EVLOOP_ONCE);
	}
	while (sum_of_ends(u, N) < N)
		event_base_loop(base, EVLOOP_ONCE);
	for (int i = 0; i < N; i++) {
		assert_int_equal(WEXITSTATUS(u[i].status), i);
		finish(&u[i]);
	}
}

static void
statuses_in_words(void **state)
{
	char buf[40];

	(void)state;
	assert_string_equal(child_status(0, buf, sizeof(buf)), "exit 0");
	assert_string_equal(
	    child_status(111 << 8, buf, sizeof(buf)), "exit 111");
	assert_string_equal(
	    child_status(9, buf, sizeof(buf)), "killed by signal 9");
	assert_string_equal(
	    child_status(0x137f, buf, sizeof(buf)), "wait status 0x137f");
}

static int
make_base(void **state)
{
	(void)state;
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

#define with_base(f) cmocka_unit_test_setup_teardown(f, make_base, free_base)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    with_base(pipes_both_ways),
	    with_base(starts_clean),
	    with_base(restarts_with_back_off),
	    with_base(some_ends_are_final),
	    with_base(what_cannot_run_is_permanent),
	    with_base(stops_on_sigterm),
	    with_base(kills_after_the_grace),
	    with_base(no_straggler_stays),
	    with_base(stops_before_a_start),
	    with_base(free_kills_and_reaps),
	    with_base(may_be_freed_when_it_ends),
	    with_base(many_at_once),
	    cmocka_unit_test(statuses_in_words),
	};

	/* Whoever started this test may have left descriptors open. */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
