/*
 * ledger and crcline: what was written reads back; a changed bit does not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/crcline.h"
#include "common/ledger.h"
#include "common/xmalloc.h"

static void
test_round_trip(void **state)
{
	struct ledger_entry e = {.number = 12,
	    .outcome = LEDGER_VOID,
	    .first = 4001,
	    .last = 4000,
	    .sha = {1, 2, 255},
	    .resumed = 1,
	    .resume_last = 99};
	struct ledger_entry got;
	char *line = ledger_format(&e);

	(void)state;
	assert_int_equal(line[strlen(line) - 1], '\n');
	line[strlen(line) - 1] = '\0';
	assert_non_null(strstr(line, " resume=99 #"));
	assert_null(ledger_scan(line, &got));
	assert_int_equal(got.number, 12);
	assert_int_equal(got.outcome, LEDGER_VOID);
	assert_int_equal(got.first, 4001);
	assert_int_equal(got.last, 4000);
	assert_memory_equal(got.sha, e.sha, sizeof(e.sha));
	free(line);
}

static void
test_every_bit(void **state)
{
	struct ledger_entry e = {.number = 1, .first = 1, .last = 2}, got;
	char *line = ledger_format(&e), *copy;
	size_t len = strlen(line) - 1;

	(void)state;
	line[len] = '\0';
	for (size_t bit = 0; bit < 8 * len; bit++) {
		copy = xstrdup(line);
		copy[bit / 8] ^= (char)(1 << bit % 8);
		assert_non_null(ledger_scan(copy, &got));
		free(copy);
	}
	free(line);
}

static void
test_crcline(void **state)
{
	static const char *const bad[] = {"", "#", " #00000000x", "x #0000000g",
	    "text without", "filed 1#00000000", "filed 1 #ABCDEF01"};
	char *line = crcline_make("");

	(void)state;
	assert_int_equal(strlen(line), CRCLINE_EXTRA);
	line[strlen(line) - 1] = '\0';
	assert_null(crcline_check(line));
	assert_string_equal(line, "");
	free(line);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		line = xstrdup(bad[i]);
		assert_non_null(crcline_check(line));
		free(line);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_every_bit),
	    cmocka_unit_test(test_crcline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
