/*
 * clock: right unit, right clock, never backwards.
 */
#include "tests/unit/test.h"

#include <time.h>

#include "common/clock.h"

static void
never_backwards(void **state)
{
	int64_t before = clock_mono_ns(), now;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		now = clock_mono_ns();
		assert_true(now >= before);
		before = now;
	}
}

/* Between two readings by other means. */
static void
reads_the_clock_it_says(void **state)
{
	struct timespec a, b;
	int64_t mono, wall;
	time_t t0 = time(NULL);

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &a);
	mono = clock_mono_ns();
	wall = clock_wall_ns();
	clock_gettime(CLOCK_MONOTONIC, &b);
	assert_true(mono >= a.tv_sec * NS_PER_SEC + a.tv_nsec);
	assert_true(mono <= b.tv_sec * NS_PER_SEC + b.tv_nsec);
	/* time(2) may lag a tick behind. */
	assert_in_range(wall / NS_PER_SEC, t0, time(NULL) + 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(never_backwards),
	    cmocka_unit_test(reads_the_clock_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
