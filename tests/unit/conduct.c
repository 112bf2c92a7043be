/*
 * conduct: a rate is kept to the line, a hold comes behind a thousand bad
 * lines, doubles up to a minute, and a minute of peace forgets.
 */
#include "tests/unit/test.h"

#include "listmgr/generator.h"

/* Take what may be taken for SECONDS from *NOW_NS on, looking each STEP_NS. */
static unsigned int
taken(struct bucket *b, int64_t *now_ns, int seconds, int64_t step_ns)
{
	int64_t end_ns = *now_ns + seconds * NS_PER_SEC;
	unsigned int n = 0;

	for (; *now_ns < end_ns; *now_ns += step_ns) {
		while (bucket_wait(b, *now_ns) == 0) {
			bucket_take(b, 1, *now_ns);
			n++;
		}
	}
	return n;
}

static void
rates_are_kept(void **state)
{
	static const struct {
		uint32_t rate, burst;
		int64_t step_ns;
		unsigned int want; /* in ten seconds, behind the burst */
	} rows[] = {
	    {1, 1, 50 * NS_PER_MS, 10},
	    {10, 2, 10 * NS_PER_MS, 100},
	    {1000, 101, NS_PER_MS, 10000},
	    {1000, 101, 100 * NS_PER_MS, 10000},
	    {1000, 101, NS_PER_SEC, 1010}, /* who sleeps loses it */
	    {100000000, 10000001, NS_PER_MS, 0},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct bucket b = {0};
		int64_t now_ns = 77 * NS_PER_SEC;

		bucket_set(&b, rows[i].rate, rows[i].burst);
		if (rows[i].want == 0) {
			bucket_take(&b, rows[i].burst, now_ns);
			assert_true(bucket_wait(&b, now_ns) == 10);
			now_ns += INT64_MAX / 4;
			assert_true(bucket_wait(&b, now_ns) == 0);
			continue;
		}
		bucket_take(&b, rows[i].burst, now_ns);
		now_ns += rows[i].step_ns;
		assert_in_range(taken(&b, &now_ns, 10, rows[i].step_ns),
		    rows[i].want - 1, rows[i].want + 1);
	}
}

static void
a_wait_is_enough_and_no_more(void **state)
{
	struct bucket b = {0};
	int64_t now_ns = 5 * NS_PER_SEC, wait_ns;

	(void)state;
	assert_true(bucket_wait(&b, now_ns) == 0); /* no limit */
	bucket_set(&b, 3, 1);
	for (int i = 0; i < 100; i++) {
		assert_true(bucket_wait(&b, now_ns) == 0);
		bucket_take(&b, 1, now_ns);
		wait_ns = bucket_wait(&b, now_ns);
		assert_true(wait_ns > 0);
		assert_true(bucket_wait(&b, now_ns + wait_ns - 1) > 0);
		now_ns += wait_ns;
	}
}

static void
holds(void **state)
{
	static const int want_s[] = {1, 2, 4, 8, 16, 32, 60, 60};
	int64_t now_ns = 100 * NS_PER_SEC, pause_ns;
	struct conduct c;

	(void)state;
	conduct_init(&c, 0);
	for (int i = 0; i < 999; i++)
		assert_true(conduct_bad(&c, 1, now_ns) == 0);
	assert_true(conduct_wait(&c, now_ns) == 0);
	for (size_t i = 0; i < LEN(want_s); i++) {
		/* It goes on like that whenever it is let. */
		while ((pause_ns = conduct_bad(&c, 1, now_ns)) == 0)
			continue;
		assert_true(pause_ns == want_s[i] * NS_PER_SEC);
		assert_true(conduct_wait(&c, now_ns) == pause_ns);
		now_ns += pause_ns;
		assert_true(conduct_wait(&c, now_ns) == 0);
	}
	now_ns += 60 * NS_PER_SEC;
	assert_true(conduct_bad(&c, 5000, now_ns) == NS_PER_SEC);
}

/* So many looks in a row, and never if that is said. */
static void
looks(void **state)
{
	uint32_t n = 0, never = 0;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_false(conduct_looks(&n, 1, 4));
		assert_false(conduct_looks(&n, 1, 4));
		assert_false(conduct_looks(&n, 1, 4));
		assert_false(conduct_looks(&n, 0, 4));
	}
	for (int i = 0; i < 3; i++)
		assert_false(conduct_looks(&n, 1, 4));
	assert_true(conduct_looks(&n, 1, 4));
	for (int i = 0; i < 1000; i++)
		assert_false(conduct_looks(&never, 1, SCHEDULE_NEVER));
}

/* Bad lines now and then are no reason. */
static void
patience(void **state)
{
	int64_t now_ns = 100 * NS_PER_SEC;
	struct conduct c;

	(void)state;
	conduct_init(&c, 0);
	for (int i = 0; i < 100000; i++, now_ns += 10 * NS_PER_MS)
		assert_true(conduct_bad(&c, 1, now_ns) == 0);
}

static void
begins_and_targets(void **state)
{
	int64_t now_ns = 100 * NS_PER_SEC;
	struct conduct c;

	(void)state;
	conduct_init(&c, 0);
	for (int i = 0; i < 100; i++) {
		assert_true(conduct_wait(&c, now_ns) == 0);
		bucket_take(&c.begins, 1, now_ns);
	}
	assert_true(conduct_wait(&c, now_ns) == NS_PER_SEC / 10);
	conduct_set_rate(&c, 1);
	bucket_take(&c.targets, 1, now_ns);
	assert_true(conduct_wait(&c, now_ns) == NS_PER_SEC);
	/* Another rate counts at once. */
	conduct_set_rate(&c, 2);
	assert_true(conduct_wait(&c, now_ns) == NS_PER_SEC / 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rates_are_kept),
	    cmocka_unit_test(a_wait_is_enough_and_no_more),
	    cmocka_unit_test(holds),
	    cmocka_unit_test(looks),
	    cmocka_unit_test(patience),
	    cmocka_unit_test(begins_and_targets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
