/*
 * segment: what a writer puts into a spool is there, whole, once and in order,
 * over seals and restarts, and the quota is kept.
 */
#include "common/clock.h"
#include "common/segment_mark.h"
#include "tests/unit/spool.h"

static void
test_round_trip(void **state)
{
	struct segment_writer *w = open_writer(NULL);
	struct books b;
	int c = begin_cycle(w, 7, 0);

	(void)state;
	for (uint32_t i = 0; i < 30; i++) {
		assert_int_equal(put_trace(w, c, i), 0);
		if (i % 10 == 9)
			assert_int_equal(segment_rotate(w, 2), 0);
	}
	assert_int_equal(segment_durable(w), 30);
	/* An empty one is not sealed. */
	assert_int_equal(segment_rotate(w, 2), 0);
	assert_int_equal(segment_cycle_end(w, c, CYCLE_TIME + 60), 0);
	assert_int_equal(segment_close(w, 3), 0);
	read_spool(&b);
	assert_books(&b, 30);
	assert_int_equal(b.segments, 4);
	assert_int_equal(b.starts, 1);
	assert_int_equal(b.defs, 3);
	assert_int_equal(b.lists, 4);
	assert_int_equal(b.stops, 1);
}

static void
test_restart_goes_on(void **state)
{
	struct segment_writer *w = open_writer(NULL);
	struct books b;
	int c = begin_cycle(w, 1, 0);

	(void)state;
	put_trace(w, c, 0);
	assert_int_equal(segment_close(w, 2), 0);
	w = open_writer(NULL);
	c = begin_cycle(w, 1, 1);
	put_trace(w, c, 1);
	assert_int_equal(segment_close(w, 2), 0);
	read_spool(&b);
	assert_books(&b, 2);
	assert_int_equal(b.starts, 1);
	assert_int_equal(b.defs, 1);
}

static void
test_one_writer(void **state)
{
	struct segment_writer *w = open_writer(NULL);
	struct segment_dir d;
	const char *why;

	(void)state;
	assert_int_equal(segment_dir_open(&d, spool, 0, &why), 0);
	assert_int_equal(segment_dir_lock(&d), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	segment_dir_close(&d);
	assert_int_equal(segment_close(w, 2), 0);
}

/* A seal by age and by size. */
static void
test_seal_by_itself(void **state)
{
	struct segment_config cfg = {
	    .max_bytes = 4096, .batch_bytes = 512, .max_age_ns = NS_PER_SEC};
	struct segment_writer *w = open_writer(&cfg);
	struct books b;
	int c = begin_cycle(w, 1, 0);

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		put_trace(w, c, i);
	assert_int_equal(segment_tick(w, NS_PER_SEC / 2), SEGMENT_OK);
	assert_int_equal(segment_tick(w, 2 * NS_PER_SEC), SEGMENT_OK);
	assert_int_equal(segment_durable(w), 100);
	assert_int_equal(segment_close(w, 3 * NS_PER_SEC), 0);
	read_spool(&b);
	assert_books(&b, 100);
	assert_true(b.segments >= 2);
}

/* Ticks write before a batch is full; the size is kept all the same. */
static void
test_seal_by_size(void **state)
{
	struct segment_config cfg = {.max_bytes = 2000};
	struct segment_writer *w = open_writer(&cfg);
	struct books b;
	int c = begin_cycle(w, 1, 0);

	(void)state;
	for (uint32_t i = 0; i < 60; i++) {
		put_trace(w, c, i);
		assert_int_equal(segment_tick(w, 2), SEGMENT_OK);
	}
	assert_int_equal(segment_close(w, 3), 0);
	read_spool(&b);
	assert_books(&b, 60);
	assert_true(b.segments >= 4);
}

static void
test_quota(void **state)
{
	struct segment_config cfg = {.quota_bytes = 2000, .batch_bytes = 200};
	struct segment_writer *w = open_writer(&cfg);
	const uint32_t size = 73; /* of one of these traces */
	uint32_t n = 0;
	char path[128];
	int c = begin_cycle(w, 1, 0);

	(void)state;
	/* A cap also between two looks at the spool. */
	while (put_trace(w, c, n) == 0)
		n++;
	assert_int_equal(n, (2000 + size - 1) / size);
	assert_int_equal(segment_tick(w, 1), SEGMENT_FULL);
	assert_int_equal(segment_rotate(w, 2), 0);
	assert_int_equal(segment_tick(w, 3 * NS_PER_SEC), SEGMENT_FULL);
	assert_int_equal(put_trace(w, c, n), -1);
	assert_non_null(strstr(segment_reason(w), "quota"));
	snprintf(path, sizeof(path), "%s/spool/1.warts", spool);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(segment_tick(w, 5 * NS_PER_SEC), SEGMENT_OK);
	assert_int_equal(put_trace(w, c, n), 0);
	assert_int_equal(segment_close(w, 6 * NS_PER_SEC), 0);
}

static void
keep_mark(void *arg, const uint8_t *body, uint32_t len)
{
	struct segment_account *a = arg;

	segment_mark_account(body, len, 0, &a[0]);
	segment_mark_account(body, len, 1, &a[1]);
}

static void
test_account(void **state)
{
	struct segment_account a = {.list = 1,
	    .cycle = 2,
	    .accepted = 30,
	    .recorded = 10,
	    .held = 1,
	    .queued = 2,
	    .active = 3,
	    .refused = {0, 5, 0, 0, 0, 0, 0, 9}};
	struct segment_account b = a, got[2];
	struct segment_read_opts opts = {.mark = keep_mark, .arg = got};
	struct segment_writer *w = open_writer(NULL);
	struct segment_info info;
	const char *why;
	char path[128];
	int fd;

	(void)state;
	b.list = 9;
	put_trace(w, begin_cycle(w, 1, 0), 0);
	segment_account(w, &b);
	segment_account(w, &a);
	b.accepted = 31;
	segment_account(w, &b);
	assert_int_equal(segment_close(w, 2), 0);
	snprintf(path, sizeof(path), "%s/spool/1.warts", spool);
	fd = open(path, O_RDONLY);
	assert_int_equal(segment_read(fd, &opts, &info, &why), 0);
	close(fd);
	assert_memory_equal(&got[0], &b, sizeof(b));
	assert_memory_equal(&got[1], &a, sizeof(a));
}

/* A cycle in which nothing was recorded still leaves start and stop. */
static void
test_empty_cycle(void **state)
{
	struct segment_writer *w = open_writer(NULL);
	struct books b;

	(void)state;
	segment_cycle_end(w, begin_cycle(w, 1, 0), CYCLE_TIME);
	assert_int_equal(segment_close(w, 2), 0);
	read_spool(&b);
	assert_int_equal(b.starts, 1);
	assert_int_equal(b.stops, 1);
	assert_int_equal(b.segments, 1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, spool_setup, spool_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_round_trip),
	    T(test_restart_goes_on),
	    T(test_one_writer),
	    T(test_seal_by_itself),
	    T(test_seal_by_size),
	    T(test_quota),
	    T(test_account),
	    T(test_empty_cycle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
