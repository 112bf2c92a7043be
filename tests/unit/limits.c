/*
 * limits: when a monitor may probe, until when, and what the Prober is told.
 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "listmgr/sync.h"

#define NOW INT64_C(1700000000)

static const struct row {
	const char *name;
	int stopped;
	int64_t deadman_s, checked_s; /* relative to NOW */
	int64_t expires_s; /* likewise; 0: there is no schedule */
	enum limits_state state;
	int64_t until_min_s, until_max_s; /* likewise */
	const char *reason; /* NULL: none */
} rows[] = {
    {"all is well", 0, 0, 0, 1000, LIMITS_ON, 1000, 1000, NULL},
    {"never checked in", 0, 0, -NOW, 1000, LIMITS_ON, 1000, 1000, NULL},
    {"no schedule", 0, 0, 0, 0, LIMITS_EXPIRED, -NOW, -NOW,
	"there is no schedule"},
    {"its last second", 0, 0, 0, 1, LIMITS_ON, 1, 1, NULL},
    {"a second later", 0, 0, 0, -1, LIMITS_EXPIRED, -1, -1,
	"the schedule was good until 2023-11-14T22:13:19Z, and here it is "
	"2023-11-14T22:13:20Z"},
    {"stop", 1, 0, 0, 1000, LIMITS_STOPPED, 1000, 1000, NULL},
    {"stop and expired", 1, 0, 0, -5, LIMITS_STOPPED, -5, -5, NULL},
    {"deadman ahead", 0, 800, 0, 9000, LIMITS_ON, 800, 900, NULL},
    {"deadman, long ago", 0, 800, -700, 9000, LIMITS_ON, 100, 200, NULL},
    {"deadman is here", 0, 800, -900, 9000, LIMITS_DEADMAN, -100, 0,
	"the last good check-in was at 2023-11-14T21:58:20Z, and here it is "
	"2023-11-14T22:13:20Z"},
    {"expiry before deadman", 0, 800, 0, 50, LIMITS_ON, 50, 50, NULL},
    {"deadman of seconds", 0, 3, 0, 9000, LIMITS_ON, 3, 4, NULL},
    {"deadman, never checked in", 0, 800, -NOW, 9000, LIMITS_DEADMAN, 800 - NOW,
	900 - NOW, "there was no good check-in yet"},
};

static void
states(void **state)
{
	(void)state;
	for (const struct row *r = rows; r < rows + LEN(rows); r++) {
		struct signed_caps caps = {
		    .monitor = "*", .deadman_ns = r->deadman_s * NS_PER_SEC};
		struct store_gen gen = {.expires_s = NOW + r->expires_s};
		struct store st = {.trust.monitor = "mon",
		    .trust.stop.stopped = r->stopped,
		    .trust.release.caps = &caps,
		    .trust.release.ncaps = 1,
		    .current = r->expires_s != 0 ? &gen : NULL};
		struct limits l;

		row_is(r->name);
		limits_judge(&l, &st, NOW, NOW + r->checked_s);
		assert_int_equal(l.state, r->state);
		assert_string_equal(
		    l.reason, r->reason != NULL ? r->reason : "");
		assert_true(l.until_s >= NOW + r->until_min_s);
		assert_true(l.until_s <= NOW + r->until_max_s);
	}
}

/* Its own line counts and not that of all. */
static void
caps_and_text(void **state)
{
	struct signed_caps caps[] = {
	    {.monitor = "*", .rate = 1},
	    {.monitor = "mon", .rate = 100, .prefix_rate = 7},
	};
	struct store_gen gen = {.expires_s = NOW + 10};
	struct store st = {.trust.monitor = "mon",
	    .trust.release.caps = caps,
	    .trust.release.ncaps = 2,
	    .current = &gen};
	struct limits l;
	char *text;

	(void)state;
	limits_judge(&l, &st, NOW, NOW);
	text = limits_print(&l);
	assert_string_equal(text,
	    "probing go\nrate 100\naddress-rate 0\nprefix-rate 7\n"
	    "until 1700000010\n");
	free(text);
	st.trust.monitor = "other";
	st.trust.stop.stopped = 1;
	limits_judge(&l, &st, NOW, NOW);
	text = limits_print(&l);
	assert_string_equal(text,
	    "probing stop\nrate 1\naddress-rate 0\nprefix-rate 0\n"
	    "until 1700000010\n");
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(states),
	    cmocka_unit_test(caps_and_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
