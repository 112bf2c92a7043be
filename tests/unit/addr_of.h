/*
 * addr_of: an address from its text, for tables and expectations.
 */
#ifndef TESTS_UNIT_ADDR_OF_H
#define TESTS_UNIT_ADDR_OF_H

#include "common/addr.h"
#include "tests/unit/test.h"

/* TEXT as an address; the test fails when it is none. */
static inline struct addr
addr_of(const char *text)
{
	struct addr a = {0};

	assert_int_equal(addr_scan(text, &a), 0);
	return a;
}

#endif
