/*
 * segment on a slow disk: while another thread syncs, or seals, records are taken,
 * up to a limit, and the file stands still; whoever needs the end of it waits for
 * it; and when it fails in the end nothing is lost or there twice.
 */
#include <sys/stat.h>

#include "common/clock.h"
#include "common/syncer.h"
#include "tests/unit/slowdisk.h"
#include "tests/unit/spool.h"

#define NAP_US 50000 /* who does not wait has gone on in that time */

static struct syncer *syncer;

static int
setup(void **state)
{
	slowdisk_hold(0);
	slowdisk.calls = slowdisk.let = 0;
	slowdisk.only = "fdatasync";
	syncer = syncer_new();
	return spool_setup(state);
}

static int
teardown(void **state)
{
	slowdisk_hold(0); /* also after a failure */
	syncer_free(syncer);
	return spool_teardown(state);
}

static char *
path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/spool/%s", spool, name);
	return path;
}

static off_t
size_of(const char *name)
{
	struct stat st;

	return stat(path_of(name), &st) == -1 ? -1 : st.st_size;
}

/* Batches of some records, a sync behind each, at most 2000 bytes behind. */
static struct segment_writer *
open_slow(void)
{
	const struct segment_config cfg = {.batch_bytes = 300,
	    .sync_bytes = 300,
	    .wait_bytes = 2000,
	    .syncer = syncer};

	return open_writer(&cfg);
}

/* Put traces from number I on until the disk has the first sync to do; the
 * number of the next. */
static uint32_t
until_syncing(struct segment_writer *w, int c, uint32_t i)
{
	int calls = slowdisk.calls;

	while (!segment_is_busy(w))
		assert_int_equal(put_trace(w, c, i++), 0);
	slowdisk_await(calls + 1);
	return i;
}

static void
finish(struct segment_writer *w, size_t n)
{
	struct books b;

	slowdisk_hold(0);
	assert_int_equal(segment_close(w, 9), 0);
	/* What could not be sealed then is now. */
	assert_int_equal(segment_close(open_writer(NULL), 9), 0);
	read_spool(&b);
	assert_books(&b, n);
}

static void
test_goes_on(void **state)
{
	struct segment_writer *w = open_slow();
	int c = begin_cycle(w, 1, 0);
	int before;
	uint32_t i, first;
	off_t size;

	(void)state;
	before = slowdisk.calls;
	slowdisk_hold(1);
	first = i = until_syncing(w, c, 0);
	size = size_of("1.open");
	for (; i < first + 10; i++)
		assert_int_equal(put_trace(w, c, i), 0);
	assert_int_equal(segment_tick(w, 9 * NS_PER_SEC), SEGMENT_OK);
	assert_int_equal(segment_poll(w, 2), 0);
	assert_int_equal(segment_durable(w), 0);
	assert_int_equal(size_of("1.open"), size);
	/* Then all that has gathered is the next batch. */
	slowdisk_let(0);
	while (!segment_poll(w, 3))
		usleep(100);
	assert_int_equal(segment_durable(w), first);
	assert_true(segment_is_busy(w));
	slowdisk_await(before + 2);
	assert_true(size_of("1.open") > size);
	finish(w, i);
}

static void
test_limit(void **state)
{
	struct segment_writer *w = open_slow();
	int c = begin_cycle(w, 1, 0);
	uint32_t i;

	(void)state;
	slowdisk_hold(1);
	i = until_syncing(w, c, 0);
	while (put_trace(w, c, i) == 0)
		assert_true(i++ < 1000);
	assert_true(segment_is_full(w));
	assert_int_equal(segment_tick(w, 2), SEGMENT_FULL);
	assert_non_null(strstr(segment_reason(w), "1.open: the disk is slow"));
	slowdisk_let(0);
	while (!segment_poll(w, 3))
		usleep(100);
	assert_false(segment_is_full(w));
	assert_int_equal(segment_tick(w, 4), SEGMENT_OK);
	assert_int_equal(put_trace(w, c, i++), 0);
	finish(w, i);
}

/* A call that must wait, and who lets the disk go on in the meantime. */
static void *
let_later(void *arg)
{
	(void)arg;
	usleep(NAP_US);
	/* Not sealed before what is in it is durable. */
	slowdisk.fds[63] = (int)size_of("1.warts");
	slowdisk_hold(0);
	return NULL;
}

static int
do_close(struct segment_writer *w)
{
	return segment_close(w, 2);
}

static int
do_rotate(struct segment_writer *w)
{
	return segment_rotate(w, 2);
}

static int
do_sync(struct segment_writer *w)
{
	return segment_sync(w, 2);
}

static void
test_waits(void **state)
{
	int (*const calls[])(struct segment_writer *) = {do_sync, do_close};
	struct segment_writer *w;
	pthread_t other;
	uint32_t i;
	int c;

	for (size_t k = 0; k < 2; k++) {
		w = open_slow();
		c = begin_cycle(w, 1, 0);
		slowdisk_hold(1);
		i = until_syncing(w, c, 0);
		assert_int_equal(put_trace(w, c, i++), 0);
		assert_int_equal(
		    pthread_create(&other, NULL, let_later, NULL), 0);
		assert_int_equal(calls[k](w), 0);
		pthread_join(other, NULL);
		assert_int_equal(slowdisk.fds[63], -1);
		if (calls[k] != do_close) {
			assert_int_equal(segment_durable(w), i);
			finish(w, i);
		}
		teardown(state);
		setup(state);
	}
}

/*
 * A seal: each call of it is held back, and while it is, records are taken, by the
 * file that follows.  The order of the calls is the promise of custody.
 */
static void
test_turn(void **state)
{
	static const char *const calls[] = {
	    "fdatasync", /* 1.open */
	    "fsync", "fsync", "rename", "fsync", /* the tail; state/next */
	    "rename", "fsync", /* 1.warts */
	    "fsync", /* 2.open */
	};
	struct segment_writer *w = open_slow();
	int c = begin_cycle(w, 1, 0), gone, first;
	uint64_t number, record;
	struct segment_dir d;
	const char *why;
	uint32_t i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_int_equal(put_trace(w, c, i), 0);
	assert_int_equal(segment_sync(w, 2), 0);
	gone = begin_cycle(w, 2, 0);
	assert_int_equal(put_trace(w, gone, i++), 0);
	slowdisk.only = NULL;
	first = slowdisk.calls;
	slowdisk_hold(1);
	assert_int_equal(segment_rotate(w, 2), 0);
	for (int k = 0; k < (int)LEN(calls); k++) {
		slowdisk_await(first + k + 1);
		assert_string_equal(slowdisk.names[(first + k) % 64], calls[k]);
		assert_int_equal(put_trace(w, c, i), 0);
		i++;
		if (k == 3)
			segment_cycle_end(w, gone, 9);
		assert_int_equal(segment_tick(w, 3), SEGMENT_OK);
		assert_int_equal(segment_durable(w), 3);
		assert_int_equal(segment_dir_open(&d, spool, 0, &why), 0);
		assert_int_equal(d.next, k < 4 ? 1 : 2);
		segment_dir_close(&d);
		assert_int_equal(size_of("1.warts") != -1, k > 5);
		slowdisk_let(0);
	}
	do {
		segment_poll(w, 4);
		segment_position(w, &number, &record);
	} while (number == 1);
	assert_int_equal(segment_durable(w), 4);
	assert_true(size_of("1.warts") > 0);
	finish(w, i);
}

/* Asked for while the disk is busy, it comes when that has ended; and again. */
static void
test_turns(void **state)
{
	struct segment_writer *w = open_slow();
	int c = begin_cycle(w, 1, 0);
	struct books b;
	uint32_t i = 0;

	(void)state;
	for (int k = 0; k < 3; k++) {
		slowdisk_hold(1);
		i = until_syncing(w, c, i);
		assert_int_equal(segment_rotate(w, 2), 0);
		assert_int_equal(put_trace(w, c, i++), 0);
		assert_int_equal(segment_rotate(w, 2), 0);
		slowdisk_hold(0);
		while (segment_is_busy(w))
			segment_poll(w, 4);
		assert_int_equal(segment_durable(w), i);
	}
	assert_int_equal(segment_close(w, 9), 0);
	read_spool(&b);
	assert_books(&b, i);
	assert_int_equal(b.segments, 3);
	/* Each says what it needs. */
	assert_int_equal(b.lists, 3);
	assert_int_equal(b.starts, 1);
	assert_int_equal(b.defs, 2);
}

/* The N-th call of a seal fails with ERR, when more has been taken. */
static void
turn_fails(int n, int err)
{
	struct segment_writer *w = open_slow();
	int c = begin_cycle(w, 1, 0), first, tries = 0;
	uint32_t i = 0;

	assert_int_equal(put_trace(w, c, i++), 0);
	slowdisk.only = NULL;
	first = slowdisk.calls;
	slowdisk_hold(1);
	assert_int_equal(segment_rotate(w, 2), 0);
	for (int k = 0; k <= n; k++) {
		slowdisk_await(first + k + 1);
		assert_int_equal(put_trace(w, c, i), 0);
		i++;
		slowdisk_let(k == n ? err : 0);
	}
	slowdisk_hold(0);
	while (segment_durable(w) < i) {
		assert_true(tries++ < 100000);
		segment_poll(w, 3);
		if (tries % 100 == 0)
			segment_tick(w, 3 + (tries / 100) * NS_PER_SEC);
		usleep(10);
	}
	assert_int_equal(put_trace(w, c, i), 0);
	finish(w, i + 1);
}

static void
test_turn_fails(void **state)
{
	for (int k = 0; k < 22; k++) {
		turn_fails(k / 2, k % 2 ? EIO : ENOSPC);
		teardown(state);
		setup(state);
	}
}

/* The sync fails when more has been taken.  Whoever finds it sees to it, and then
 * does what it has to. */
static int
do_tick(struct segment_writer *w)
{
	assert_int_equal(segment_tick(w, 3), SEGMENT_SUSPECT);
	return 0;
}

static int
do_poll(struct segment_writer *w)
{
	while (!segment_poll(w, 3))
		usleep(100);
	return do_tick(w);
}

static int
do_wait(struct segment_writer *w)
{
	segment_settle(w, 3);
	return do_tick(w);
}

static void
test_fails(void **state)
{
	int (*const calls[])(struct segment_writer *) = {
	    do_poll, do_wait, do_sync, do_rotate, do_close};
	struct segment_writer *w;
	struct books b;
	uint32_t i;
	int c;

	for (size_t k = 0; k < 5; k++) {
		w = open_slow();
		c = begin_cycle(w, 1, 0);
		slowdisk_hold(1);
		i = until_syncing(w, c, 0);
		for (int n = 0; n < 10; n++)
			assert_int_equal(put_trace(w, c, i++), 0);
		slowdisk_let(EIO);
		/* Nor is the failed one tried again. */
		slowdisk_hold(0);
		assert_int_equal(calls[k](w), 0);
		if (calls[k] != do_close)
			assert_int_equal(segment_close(w, 9), 0);
		read_spool(&b);
		assert_books(&b, i);
		teardown(state);
		setup(state);
	}
}

static struct timespec
answered(void)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "%s/state/writer", spool);
	assert_int_equal(stat(path, &st), 0);
	return st.st_mtim;
}

/* Asked for while the disk is busy; then it is full, and who asked is told. */
static void
test_asked_and_full(void **state)
{
	struct segment_writer *w = open_slow();
	int c = begin_cycle(w, 1, 0);
	struct timespec before, after;
	uint32_t i;

	(void)state;
	slowdisk_hold(1);
	i = until_syncing(w, c, 0);
	assert_int_equal(segment_rotate(w, 2), 0);
	before = answered();
	slowdisk_let(ENOSPC);
	while (!segment_poll(w, 3))
		usleep(100);
	assert_true(segment_lacks_space(w));
	after = answered();
	assert_memory_not_equal(&before, &after, sizeof(before));
	finish(w, i);
}

/* Anything in any order, with a disk that now and then fails. */
static void
random_life(unsigned int seed)
{
	struct segment_writer *w = open_slow();
	int c = begin_cycle(w, 1, 0);
	uint32_t n = 0;

	slowdisk.only = NULL;
	for (int step = 0; step < 300; step++) {
		slowdisk_hold(rand_r(&seed) % 2);
		if (rand_r(&seed) % 8 == 0)
			slowdisk_let(rand_r(&seed) % 2 ? EIO : 0);
		for (int k = rand_r(&seed) % 8; k > 0; k--)
			n += put_trace(w, c, n) == 0;
		segment_poll(w, step);
		if (rand_r(&seed) % 8 == 0) {
			/* After a failure it waits for the disk. */
			if (segment_is_busy(w) || segment_lacks_space(w))
				slowdisk_hold(0);
			segment_tick(w, step);
		}
		if (rand_r(&seed) % 32 == 0)
			segment_rotate(w, step);
	}
	slowdisk_hold(0);
	slowdisk_heal();
	for (int k = 0; segment_is_busy(w) || segment_is_full(w); k++)
		segment_tick(w, 300 + k * NS_PER_SEC);
	finish(w, n);
}

static void
test_random(void **state)
{
	for (unsigned int seed = 1; seed <= 40; seed++) {
		random_life(seed);
		teardown(state);
		setup(state);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_goes_on),
	    T(test_limit),
	    T(test_waits),
	    T(test_turn),
	    T(test_turns),
	    T(test_turn_fails),
	    T(test_fails),
	    T(test_asked_and_full),
	    T(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
