/*
 * stopping: the numbers that scamper's users know, and what defines them.
 */
#include "tests/unit/test.h"

#include <math.h>

#include "prober/tech/stopping.h"

static void
known_numbers(void **state)
{
	static const struct {
		unsigned int n, at95, at99;
	} rows[] = {
	    {2, 6, 8},
	    {3, 11, 15},
	    {4, 16, 21},
	    {5, 21, 28},
	    {6, 27, 36},
	    {7, 33, 43},
	    {8, 38, 51},
	    {9, 44, 58},
	    {10, 51, 66},
	    {16, 90, 115},
	    {25, 152, 192},
	    {50, 341, 422},
	    {99, 746, 906},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		assert_int_equal(stopping_point(rows[i].n, 95), rows[i].at95);
		assert_int_equal(stopping_point(rows[i].n, 99), rows[i].at99);
	}
}

/* Of two interfaces one stays hidden when all K probes went to the other. */
static void
two_interfaces(void **state)
{
	(void)state;
	for (unsigned int c = 50; c < 100; c++) {
		unsigned int k = stopping_point(2, c);

		assert_true(2 * pow(0.5, k) <= 1 - c / 100.0 + 1e-12);
		assert_true(2 * pow(0.5, k - 1) > 1 - c / 100.0 - 1e-12);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_numbers),
	    cmocka_unit_test(two_interfaces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
