/*
 * permute: complete for every size, far apart, the same for the same key and
 * another for another.
 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "listgen/permute.h"

/* Where each number is; every number must be somewhere. */
static uint64_t *
places(const struct permute *p)
{
	uint64_t *at = calloc(p->n + 1, sizeof(*at));

	memset(at, 0xff, p->n * sizeof(*at));
	for (uint64_t i = 0; i < p->n; i++) {
		uint64_t x = permute_at(p, i);

		assert_true(x < p->n);
		assert_true(at[x] == UINT64_MAX); /* only once */
		at[x] = i;
	}
	return at;
}

static void
every_size(void **state)
{
	struct permute p;

	(void)state;
	for (uint64_t n = 0; n <= 1200; n++) {
		permute_init(&p, n, n * 77);
		free(places(&p));
	}
}

static void
large_sizes(void **state)
{
	static const uint64_t sizes[] = {65536, 99991, 1048577};
	struct permute p;

	(void)state;
	for (size_t i = 0; i < LEN(sizes); i++) {
		permute_init(&p, sizes[i], 5);
		free(places(&p));
	}
}

static uint64_t
distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* The least distance in the order of two numbers that differ by D. */
static uint64_t
least(const uint64_t *at, uint64_t n, uint64_t d)
{
	uint64_t min = UINT64_MAX;

	for (uint64_t i = 0; i + d < n; i++) {
		uint64_t now = distance(at[i], at[i + d]);

		min = now < min ? now : min;
	}
	return min;
}

static void
far_apart(void **state)
{
	static const struct {
		const char *name;
		uint64_t n, d, share; /* least distance at least n / share */
	} rows[] = {
	    {"neighbours", 1200000, 1, 3},
	    {"but one", 1200000, 2, 5},
	    {"within 12", 1200000, 3, 35},
	    {"within 12, the last", 1200000, 12, 35},
	    {"a small list", 100, 1, 4},
	    {"a smaller one", 20, 1, 6},
	};
	struct permute p;
	uint64_t *at;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].name);
		for (uint64_t key = 0; key < 3; key++) {
			permute_init(&p, rows[i].n, key);
			at = places(&p);
			assert_true(least(at, rows[i].n, rows[i].d) >=
			    rows[i].n / rows[i].share);
			free(at);
		}
	}
}

/* The share of places at which two orders of N agree; that of two random ones
 * is 1/N. */
static void
keys(void **state)
{
	struct permute p, q, same;
	uint64_t agree = 0, rising = 0, n = 100000;

	(void)state;
	permute_init(&p, n, 1700000000);
	permute_init(&q, n, 1700000001);
	permute_init(&same, n, 1700000000);
	for (uint64_t i = 0; i < n; i++) {
		assert_int_equal(permute_at(&p, i), permute_at(&same, i));
		agree += permute_at(&p, i) == permute_at(&q, i);
		if (i > 0)
			rising += permute_at(&p, i) > permute_at(&p, i - 1);
	}
	assert_true(agree < 100);
	assert_in_range(rising, n / 2 - n / 50, n / 2 + n / 50);
}

/* The same on every machine, or the members of a team would not agree. */
static void
known_values(void **state)
{
	struct permute p;

	(void)state;
	permute_init(&p, 1000000, 42);
	assert_int_equal(permute_at(&p, 0), 981378);
	assert_int_equal(permute_at(&p, 999999), 635951);
	permute_init(&p, PERMUTE_MAX, 42);
	assert_int_equal(permute_at(&p, PERMUTE_MAX - 1), 259698027521987);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_size),
	    cmocka_unit_test(large_sizes),
	    cmocka_unit_test(far_apart),
	    cmocka_unit_test(keys),
	    cmocka_unit_test(known_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
