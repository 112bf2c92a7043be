/*
 * density: a span never holds less than what was sent in its time, and no more
 * than what was sent in a grain more; until is the first time at which enough
 * has left.
 */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "prober/density.h"

#define EVENTS 4096

static const int64_t widths_ns[DENSITY_SPANS] = {
    [DENSITY_MS] = NS_PER_MS, [DENSITY_TEN] = 10 * NS_PER_MS};

struct event {
	int64_t ns;
	uint32_t n;
};

/* What was sent after FROM, of COUNT events. */
static uint64_t
after(const struct event *e, size_t count, int64_t from_ns)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		if (e[i].ns > from_ns)
			sum += e[i].n;
	}
	return sum;
}

/* At NOW, against all that was sent. */
static void
compare(struct density *d, const struct event *e, size_t count, int64_t now_ns)
{
	for (int which = 0; which < DENSITY_SPANS; which++) {
		int64_t from_ns = now_ns - widths_ns[which], until_ns;
		uint64_t sum = density_in(d, which, now_ns), most = sum / 2;
		struct density later;

		assert_true(sum >= after(e, count, from_ns));
		assert_true(sum <= after(e, count, from_ns - DENSITY_GRAIN_NS));
		until_ns = density_until(d, which, most);
		if (sum <= most) {
			assert_true(until_ns == 0);
			continue;
		}
		assert_true(until_ns > now_ns);
		later = *d;
		assert_true(density_in(&later, which, until_ns - 1) > most);
		assert_true(density_in(&later, which, until_ns) <= most);
	}
}

static void
as_counted_by_hand(void **state)
{
	/* Pauses, ns at most: far apart, close, longer than the ring. */
	static const int64_t pauses[] = {1, 1000, 40000, 300000, 20000000};
	struct event *e = calloc(EVENTS, sizeof(*e));
	struct density d;
	int64_t now_ns;

	(void)state;
	srandom(1);
	for (size_t row = 0; row < LEN(pauses); row++) {
		d = (struct density){0};
		now_ns = 1000000007;
		for (size_t i = 0; i < EVENTS; i++) {
			now_ns += random() % (pauses[row] + 1);
			if (random() % 64 == 0)
				now_ns += random() % (15 * NS_PER_MS);
			e[i].ns = now_ns;
			e[i].n = (uint32_t)random() % 33;
			density_add(&d, e[i].n, now_ns);
			compare(&d, e, i + 1, now_ns);
			if (random() % 2 != 0)
				compare(&d, e, i + 1, now_ns += 70000);
		}
	}
	free(e);
}

/* Days later it is as if nothing had ever been sent. */
static void
after_long_silence(void **state)
{
	struct density d = {0};

	(void)state;
	density_add(&d, 1000, 5 * NS_PER_SEC);
	assert_int_equal(density_in(&d, DENSITY_TEN, 5 * NS_PER_SEC), 1000);
	assert_int_equal(density_in(&d, DENSITY_TEN, 900000 * NS_PER_SEC), 0);
	density_add(&d, 7, 900000 * NS_PER_SEC);
	assert_int_equal(density_in(&d, DENSITY_MS, 900000 * NS_PER_SEC), 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(as_counted_by_hand),
	    cmocka_unit_test(after_long_silence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
