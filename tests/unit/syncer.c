/*
 * syncer: jobs are done by another thread, in order, one at a time; what comes
 * of each is told its owner; there is no thread before the first job.
 */
#include "tests/unit/test.h"

#include <dirent.h>
#include <stdlib.h>

#include "common/syncer.h"
#include "tests/unit/slowdisk.h"

static int foreign; /* threads that are not ours: a sanitizer has one */

static int
count_threads(void)
{
	DIR *d = opendir("/proc/self/task");
	int n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n - 2 - foreign;
}

static int
open_file(void)
{
	char name[] = "/tmp/syncer-test-XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd != -1);
	unlink(name);
	return fd;
}

static int
do_sync(void *arg)
{
	return fdatasync(*(int *)arg);
}

static int
setup(void **state)
{
	(void)state;
	slowdisk_hold(0);
	slowdisk.calls = slowdisk.let = 0;
	return 0;
}

static void
without_syncer(void **state)
{
	struct syncer_job j = {.by = NULL};
	int fd = open_file();

	(void)state;
	assert_false(syncer_is_busy(&j));
	syncer_submit(&j, do_sync, &fd);
	assert_true(syncer_is_busy(&j) && syncer_is_done(&j));
	assert_int_equal(syncer_result(&j), 0);
	assert_false(syncer_is_busy(&j) || syncer_is_done(&j));
	close(fd);
	fd = -1;
	syncer_submit(&j, do_sync, &fd);
	assert_int_equal(syncer_result(&j), -1);
	assert_int_equal(errno, EBADF);
	assert_int_equal(slowdisk.calls, 2);
	assert_true(pthread_equal(slowdisk.thread, pthread_self()));
	assert_int_equal(count_threads(), 1);
}

static void
in_order(void **state)
{
	struct syncer *s = syncer_new();
	struct syncer_job a = {.by = s}, b = {.by = s};
	int fd = open_file(), fd2 = dup(fd);

	(void)state;
	assert_int_equal(count_threads(), 1);
	slowdisk_hold(1);
	syncer_submit(&a, do_sync, &fd);
	syncer_submit(&b, do_sync, &fd2);
	slowdisk_await(1);
	assert_int_equal(count_threads(), 2);
	assert_false(pthread_equal(slowdisk.thread, pthread_self()));
	for (int signo = 1; signo < 32; signo++) {
		if (signo != SIGKILL && signo != SIGSTOP)
			assert_true(sigismember(&slowdisk.blocked, signo));
	}
	assert_true(syncer_is_busy(&a) && !syncer_is_done(&a));
	slowdisk_let(EIO);
	slowdisk_await(2); /* then the first is done */
	assert_true(syncer_is_done(&a));
	assert_true(syncer_is_busy(&b) && !syncer_is_done(&b));
	assert_int_equal(slowdisk.fds[0], fd);
	assert_int_equal(slowdisk.fds[1], fd2);
	assert_int_equal(syncer_result(&a), -1);
	assert_int_equal(errno, EIO);
	/* Behind the other, which its owner does not wait for. */
	syncer_submit(&a, do_sync, &fd);
	slowdisk_let(0);
	slowdisk_let(0);
	assert_int_equal(syncer_result(&a), 0);
	assert_true(syncer_is_done(&b));
	assert_int_equal(syncer_result(&b), 0);
	assert_int_equal(slowdisk.calls, 3);
	syncer_free(s);
	assert_int_equal(count_threads(), 1);
	close(fd);
	close(fd2);
}

/* Owners that look, or wait, at any moment. */
static void
many(void **state)
{
	struct syncer *s = syncer_new();
	struct syncer_job jobs[2] = {{.by = s}, {.by = s}};
	int fd = open_file(), done = 0;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		struct syncer_job *j = &jobs[i % 2];

		if (syncer_is_busy(j) && (i % 7 == 0 || syncer_is_done(j)))
			done += syncer_result(j) == 0;
		if (!syncer_is_busy(j))
			syncer_submit(j, do_sync, &fd);
	}
	for (int i = 0; i < 2; i++) {
		if (syncer_is_busy(&jobs[i]))
			done += syncer_result(&jobs[i]) == 0;
	}
	assert_int_equal(done, slowdisk.calls);
	assert_true(done > 2);
	syncer_free(s);
	close(fd);
}

static void *
nothing(void *arg)
{
	return arg;
}

/* What comes with the first thread is there from now on. */
static int
group_setup(void **state)
{
	pthread_t t;

	(void)state;
	if (pthread_create(&t, NULL, nothing, NULL) != 0 ||
	    pthread_join(t, NULL) != 0)
		return -1;
	foreign = count_threads() - 1;
	return 0;
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup(f, setup)
	const struct CMUnitTest tests[] = {
	    T(without_syncer),
	    T(in_order),
	    T(many),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
