/*
 * team: shares are disjoint, together complete and about equal; a death moves
 * the dead member's units and no other; options that make no sense are refused.
 */
#include "tests/unit/test.h"

#include <string.h>

#include "listgen/permute.h"
#include "listgen/team.h"

#define UNITS 20000

static void
parse(struct team *t, const char *share, const char *members)
{
	memset(t, 0, sizeof(*t));
	assert_null(team_parse_share(t, share));
	if (members != NULL)
		assert_null(team_parse_members(t, members));
	assert_null(team_check(t));
}

static void
shares_are_fair(void **state)
{
	static const uint32_t sizes[] = {1, 2, 3, 7, 64, 256};
	uint32_t units[TEAM_MAX + 1], n, owner;
	struct team_set all;
	struct team t;
	char text[16];

	(void)state;
	for (size_t i = 0; i < LEN(sizes); i++) {
		n = sizes[i];
		snprintf(text, sizeof(text), "1/%u", n);
		row_is(text);
		parse(&t, text, NULL);
		team_set_at(&t, 1, &all);
		memset(units, 0, sizeof(units));
		for (uint64_t u = 0; u < UNITS; u++) {
			owner = team_owner(&t, &all, permute_mix(9, u));
			assert_in_range(owner, 1, n);
			units[owner]++;
		}
		for (uint32_t m = 1; m <= n; m++)
			assert_in_range(
			    units[m], UNITS / n * 5 / 10, UNITS / n * 15 / 10);
	}
}

static void
a_death_moves_its_units_only(void **state)
{
	uint32_t moved[5] = {0}, before, after;
	struct team_set all, rest;
	struct team t;

	(void)state;
	parse(&t, "1/4", NULL);
	team_set_at(&t, 1, &all);
	rest = all;
	team_without(&rest, 2);
	for (uint64_t u = 0; u < UNITS; u++) {
		before = team_owner(&t, &all, u);
		after = team_owner(&t, &rest, u);
		if (before != 2)
			assert_int_equal(after, before);
		else
			moved[after]++;
	}
	assert_int_equal(moved[2], 0);
	for (uint32_t m = 1; m <= 4; m++) {
		if (m != 2)
			assert_in_range(moved[m], UNITS / 16, UNITS / 9);
	}
}

static void
sets_hold_from_a_cycle_on(void **state)
{
	struct team_set set;
	struct team t;

	(void)state;
	parse(&t, "1/5", "1,2,3,4@100");
	assert_null(team_parse_members(&t, "1,4@200"));
	team_set_at(&t, 99, &set);
	assert_true(team_has(&set, 5));
	team_set_at(&t, 100, &set);
	assert_false(team_has(&set, 5));
	assert_true(team_has(&set, 2));
	team_set_at(&t, 4000000000, &set);
	assert_false(team_has(&set, 2));
	assert_true(team_has(&set, 4));
}

static void
hex(void **state)
{
	char text[TEAM_HEX_LEN];
	struct team_set set, back;
	struct team t;

	(void)state;
	parse(&t, "3/256", "3,77,256");
	team_set_at(&t, 1, &set);
	team_to_hex(&set, text);
	assert_int_equal(strlen(text), TEAM_HEX_LEN - 1);
	assert_int_equal(team_from_hex(text, &back), 0);
	assert_memory_equal(back.bits, set.bits, sizeof(set.bits));
	text[10] = 'g';
	assert_int_equal(team_from_hex(text, &back), -1);
	text[10] = '\0';
	assert_int_equal(team_from_hex(text, &back), -1);
}

static void
nobody_lives(void **state)
{
	struct team_set none = {0};
	struct team t;

	(void)state;
	parse(&t, "1/4", NULL);
	assert_int_equal(team_owner(&t, &none, 5), 0);
}

static const char *
all_of(const char *share, const char *members, const char *take)
{
	struct team t = {0};
	const char *why = NULL;

	if (share != NULL)
		why = team_parse_share(&t, share);
	if (why == NULL && members != NULL)
		why = team_parse_members(&t, members);
	if (why == NULL && take != NULL)
		why = team_parse_take(&t, take);
	return why == NULL ? team_check(&t) : why;
}

static void
refusals(void **state)
{
	static const struct {
		const char *share, *members, *take, *why;
	} rows[] = {
	    {"1/1", NULL, NULL, NULL},
	    {"2/3", "1,2,3@5", "7:1:0", NULL},
	    {"0/3", NULL, NULL, "the share is not one of the team's"},
	    {"4/3", NULL, NULL, "the share is not one of the team's"},
	    {"1/257", NULL, NULL, "a team has 1 to 256 members"},
	    {"1/0", NULL, NULL, "a team has 1 to 256 members"},
	    {"1", NULL, NULL, "a share is I/N"},
	    {"1/3", "1,4", NULL, "a member that the team does not have"},
	    {"1/3", "1,,2", NULL,
		"members are numbers, with commas between them"},
	    {"1/3", "", NULL, "members are numbers, with commas between them"},
	    {"1/3", "1@x", NULL, "not a cycle behind @"},
	    {"1/3", NULL, "7:1:0", "nothing to take over from that member"},
	    {"1/3", NULL, "7:4:0", "nothing to take over from that member"},
	    {"1/3", NULL, "7:2", "what is taken over is CYCLE:MEMBER:NUMBER"},
	    {"1/3", NULL, "2", "what is taken over is CYCLE:MEMBER:NUMBER"},
	    {"1/3", NULL, "7:2:x", "what is taken over is CYCLE:MEMBER:NUMBER"},
	    {NULL, "1,2", NULL,
		"members and what is taken over go with a share, -t"},
	};
	const char *why;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].why == NULL ? "accepted" : rows[i].why);
		why = all_of(rows[i].share, rows[i].members, rows[i].take);
		if (rows[i].why == NULL)
			assert_null(why);
		else
			assert_string_equal(why, rows[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(shares_are_fair),
	    cmocka_unit_test(a_death_moves_its_units_only),
	    cmocka_unit_test(sets_hold_from_a_cycle_on),
	    cmocka_unit_test(hex),
	    cmocka_unit_test(nobody_lives),
	    cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
