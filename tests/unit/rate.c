/*
 * rate: that between the last two status files that differ, however many
 * heartbeats see each of them; and never one that nobody can know.
 */
#include "tests/unit/test.h"

#include "listmgr/sync.h"

#define MS NS_PER_MS
#define LOOKS 6
/* Whatever the machine's clocks say. */
#define WALL_NS (1700000000 * NS_PER_SEC)
#define MONO_NS (77 * NS_PER_SEC)

/* A heartbeat: when, what is in the status file, and from when that is. */
struct look {
	int64_t now_ms;
	uint64_t sent;
	int64_t at_ms;
	int64_t want; /* -1: not known */
};

static const struct {
	const char *name;
	struct look look[LOOKS]; /* the first, and all with a time */
} rows[] = {
    {"a file each beat",
	{{0, 100, -500, -1}, {1000, 350, 500, 250}, {2000, 450, 1500, 100}}},
    {"two beats see one file",
	{{0, 100, -10, -1}, {900, 400, 890, 333}, {950, 400, 890, 333},
	    {1800, 400, 890, 333}, {1950, 700, 1890, 300}}},
    {"two beats see the first file",
	{{0, 100, -10, -1}, {300, 100, -10, -1}, {1000, 200, 990, 100}}},
    {"beats that come late do not count, the files do",
	{{0, 1000, -1, -1}, {1990, 2000, 999, 1000}, {2010, 3000, 1999, 1000}}},
    {"a beat a minute",
	{{0, 0, -900, -1}, {60000, 6000, 59100, 100},
	    {120000, 6000, 119100, 0}}},
    {"the Prober does nothing, and says so",
	{{0, 5, 0, -1}, {1000, 5, 1000, 0}, {2000, 6, 2000, 1}}},
    {"the Prober is gone",
	{{0, 100, 0, -1}, {1000, 200, 1000, 100}, {15999, 200, 1000, 100},
	    {16000, 200, 1000, 0}, {60000, 200, 1000, 0}}},
    {"and comes back, counting from 0",
	{{0, 100, 0, -1}, {60000, 200, 1000, 100}, {61000, 50, 61000, -1},
	    {62000, 90, 62000, 40}}},
    {"an old file of a Prober before",
	{{0, 100, -86400000, -1}, {1000, 900, 1000, -1},
	    {2000, 950, 2000, 50}}},
    {"the clock is set forward",
	{{0, 100, 0, -1}, {1000, 200, 3601000, -1}, {2000, 300, 3602000, 100}}},
    {"the clock is set back",
	{{0, 100, 0, -1}, {1000, 200, -3599000, -1},
	    {2000, 300, -3598000, 100}}},
};

static void
it_is_between_two_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct rate r = {0};
		const struct look *l = rows[i].look;

		assert_int_equal(rate_per_s(&r, MONO_NS), -1);
		for (int k = 0; k < LOOKS && (k == 0 || l[k].now_ms > 0); k++) {
			row_is(rows[i].name);
			rate_saw(&r, l[k].sent, WALL_NS + l[k].at_ms * MS,
			    MONO_NS + l[k].now_ms * MS);
			assert_int_equal(
			    rate_per_s(&r, MONO_NS + l[k].now_ms * MS),
			    l[k].want);
		}
	}
}

/* And since when there was none, from a start at 0 on. */
static void
a_prober_that_says_nothing(void **state)
{
	struct rate r = {0};

	(void)state;
	assert_int_equal(rate_silent_s(&r, MONO_NS, MONO_NS), 0);
	assert_int_equal(rate_silent_s(&r, MONO_NS, MONO_NS + 14999 * MS), 0);
	assert_int_equal(rate_silent_s(&r, MONO_NS, MONO_NS + 15000 * MS), 15);
	rate_saw(&r, 1, WALL_NS, MONO_NS + 20000 * MS);
	assert_int_equal(rate_silent_s(&r, MONO_NS, MONO_NS + 20000 * MS), 0);
	rate_saw(&r, 1, WALL_NS, MONO_NS + 50000 * MS);
	assert_int_equal(rate_silent_s(&r, MONO_NS, MONO_NS + 50000 * MS), 30);
	rate_saw(&r, 1, WALL_NS + 1, MONO_NS + 51000 * MS);
	assert_int_equal(rate_silent_s(&r, MONO_NS, MONO_NS + 51000 * MS), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_is_between_two_files),
	    cmocka_unit_test(a_prober_that_says_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
