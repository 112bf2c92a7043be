/*
 * stopset: what was added is there, nothing else is; names.
 */
#include "tests/unit/test.h"

#include <string.h>

#include "prober/tech/stopset.h"

static struct addr
number(int family, unsigned int i)
{
	uint8_t b[16] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};

	return addr_make(family, b);
}

static void
many(void **state)
{
	struct stopset *s = stopset_new();
	struct addr a;

	(void)state;
	for (unsigned int i = 0; i < 20000; i += 2) {
		a = number(i % 4 ? ADDR_IPV4 : ADDR_IPV6, i);
		assert_false(stopset_has(s, &a));
		stopset_add(s, &a);
		stopset_add(s, &a);
		assert_true(stopset_has(s, &a));
	}
	assert_int_equal(stopset_count(s), 10000);
	for (unsigned int i = 0; i < 20000; i++) {
		a = number(i % 4 ? ADDR_IPV4 : ADDR_IPV6, i);
		assert_int_equal(stopset_has(s, &a), i % 2 == 0);
	}
	stopset_free(s);
	stopset_free(NULL);
}

static void
names(void **state)
{
	struct addr a = number(ADDR_IPV4, 1), b = number(ADDR_IPV4, 2);
	struct stopset *x = stopset_named("x"), *y = stopset_named("y");

	(void)state;
	assert_ptr_not_equal(x, y);
	stopset_add(x, &a);
	stopset_add(y, &b);
	assert_ptr_equal(stopset_named("x"), x);
	assert_true(stopset_has(x, &a));
	assert_false(stopset_has(y, &a));
	assert_int_equal(stopset_clear("x"), 0);
	assert_int_equal(stopset_clear("nobody's"), -1);
	assert_int_equal(stopset_count(x), 0);
	assert_int_equal(stopset_count(y), 1);
	stopset_clear(NULL);
	assert_false(stopset_has(y, &b));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(many),
	    cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
