/*
 * hold: the order of the architecture: timestamp max(now, latest hold of that
 * address) + period; equal times first come.  Against a model that sorts.
 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "prober/prober.h"

#define PERIOD 1000

static int dropped;

void
technique_unref(struct measurement *m)
{
	(void)m;
	dropped++;
}

static struct addr
addr_n(uint32_t n)
{
	uint8_t b[16] = {0x20, 1, 0xd, 0xb8};

	memcpy(b + 4, &n, 4);
	return addr_make(
	    n % 2 != 0 ? ADDR_IPV4 : ADDR_IPV6, n % 2 != 0 ? b + 4 : b);
}

static void
add(struct hold *h, uint32_t address, uint64_t number, int64_t now_ns)
{
	struct command c = {.dst = addr_n(address), .number = number};

	hold_add(h, &c, now_ns);
}

static void
timestamps(void **state)
{
	static const struct {
		uint32_t address;
		int64_t now_ns, due_ns; /* of this command */
	} rows[] = {
	    {1, 0, 1000},
	    {2, 0, 1000},
	    {1, 0, 2000},
	    {1, 500, 3000}, /* the latest of its address counts */
	    {2, 500, 2000},
	    {3, 500, 1500},
	    {3, 2600, 3600}, /* the latest is past: now counts */
	    {1, 2600, 4000},
	};
	struct hold *h = hold_new(PERIOD);
	struct command c;
	int64_t due_ns;
	size_t n = 0;

	(void)state;
	assert_int_equal(hold_count(h), 0);
	assert_true(hold_due(h) == INT64_MAX);
	assert_int_equal(hold_take(h, INT64_MAX - 1, &c), -1);
	for (size_t i = 0; i < LEN(rows); i++)
		add(h, rows[i].address, i, rows[i].now_ns);
	assert_int_equal(hold_count(h), LEN(rows));
	while ((due_ns = hold_due(h)) != INT64_MAX) {
		assert_int_equal(hold_take(h, due_ns - 1, &c), -1);
		assert_int_equal(hold_take(h, due_ns, &c), 0);
		assert_int_equal(due_ns, rows[c.number].due_ns);
		n++;
	}
	assert_int_equal(n, LEN(rows));
	hold_free(h);
}

static void
equal_times_first_come(void **state)
{
	struct hold *h = hold_new(PERIOD);
	struct command c;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		add(h, i, i, 7);
	for (uint32_t i = 0; i < 1000; i++) {
		assert_int_equal(hold_take(h, 1007, &c), 0);
		assert_int_equal(c.number, i);
	}
	/* Also when they came to the same time by different ways. */
	add(h, 1, 1, 0);
	add(h, 1, 2, 0); /* due 2000 */
	add(h, 2, 3, 1000); /* due 2000 */
	assert_int_equal(hold_take(h, 5000, &c), 0);
	assert_int_equal(c.number, 1);
	assert_int_equal(hold_take(h, 5000, &c), 0);
	assert_int_equal(c.number, 2);
	assert_int_equal(hold_take(h, 5000, &c), 0);
	assert_int_equal(c.number, 3);
	hold_free(h);
}

static void
has_counts_commands(void **state)
{
	struct addr a = addr_n(1), b = addr_n(2);
	struct hold *h = hold_new(PERIOD);
	struct command c;

	(void)state;
	assert_false(hold_has(h, &a));
	add(h, 1, 1, 0);
	add(h, 1, 2, 0);
	assert_true(hold_has(h, &a));
	assert_false(hold_has(h, &b));
	assert_int_equal(hold_take(h, 1000, &c), 0);
	assert_true(hold_has(h, &a));
	assert_int_equal(hold_take(h, 1999, &c), -1);
	assert_int_equal(hold_take(h, 2000, &c), 0);
	assert_false(hold_has(h, &a));
	/* Forgotten: the next hold counts from now. */
	add(h, 1, 3, 1500);
	assert_int_equal(hold_due(h), 2500);
	hold_free(h);
}

static void
references_go_along(void **state)
{
	struct measurement *m = calloc(1, sizeof(*m));
	struct hold *h = hold_new(PERIOD);
	struct command c = {.dst = addr_n(1), .m = m};

	(void)state;
	dropped = 0;
	for (int i = 0; i < 5; i++)
		hold_add(h, &c, 0);
	assert_int_equal(hold_take(h, 1000, &c), 0);
	assert_ptr_equal(c.m, m);
	assert_int_equal(dropped, 0);
	hold_free(h);
	assert_int_equal(dropped, 4);
	hold_free(NULL);
	free(m);
}

/* --- a model with 100,000 addresses --------------------------------------------- */

#define ADDRESSES 100000
#define COMMANDS 250000

struct model {
	int64_t due_ns;
	uint32_t number;
};

static int
by_due(const void *a, const void *b)
{
	const struct model *x = a, *y = b;

	if (x->due_ns != y->due_ns)
		return x->due_ns < y->due_ns ? -1 : 1;
	return x->number < y->number ? -1 : 1;
}

static uint32_t
next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*seed >> 33);
}

static void
a_hundred_thousand_addresses(void **state)
{
	struct model *model = calloc(COMMANDS, sizeof(*model));
	int64_t *latest = calloc(ADDRESSES, sizeof(*latest)), now_ns = 1;
	struct hold *h = hold_new(5000);
	uint64_t seed = 1;
	struct command c;

	(void)state;
	for (uint32_t i = 0; i < COMMANDS; i++) {
		uint32_t a = next(&seed) % ADDRESSES;

		if (i < ADDRESSES)
			a = i; /* all are met */
		now_ns += next(&seed) % 4 / 3;
		add(h, a, i, now_ns);
		latest[a] = (latest[a] > now_ns ? latest[a] : now_ns) + 5000;
		model[i].due_ns = latest[a];
		model[i].number = i;
	}
	qsort(model, COMMANDS, sizeof(*model), by_due);
	for (uint32_t i = 0; i < COMMANDS; i++) {
		assert_int_equal(hold_due(h), model[i].due_ns);
		assert_int_equal(hold_take(h, INT64_MAX - 1, &c), 0);
		assert_int_equal(c.number, model[i].number);
	}
	for (uint32_t a = 0; a < ADDRESSES; a++) {
		c.dst = addr_n(a);
		assert_false(hold_has(h, &c.dst));
	}
	assert_int_equal(hold_count(h), 0);
	free(latest);
	free(model);
	hold_free(h);
}

/* The index keeps every address findable while others come and go. */
static void
index_while_it_changes(void **state)
{
	enum { N = 300 };
	unsigned int held[N] = {0};
	struct hold *h = hold_new(40);
	struct command c;
	uint64_t seed = 7;

	(void)state;
	for (int64_t now_ns = 0; now_ns < 50000; now_ns++) {
		uint32_t a = next(&seed) % N;

		if (next(&seed) % 2) {
			add(h, a, a, now_ns);
			held[a]++;
		}
		if (hold_take(h, now_ns, &c) == 0) {
			assert_true(held[c.number] > 0);
			held[c.number]--;
		}
		a = next(&seed) % N;
		c.dst = addr_n(a);
		assert_int_equal(hold_has(h, &c.dst) != 0, held[a] > 0);
	}
	hold_free(h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(timestamps),
	    cmocka_unit_test(equal_times_first_come),
	    cmocka_unit_test(has_counts_commands),
	    cmocka_unit_test(references_go_along),
	    cmocka_unit_test(a_hundred_thousand_addresses),
	    cmocka_unit_test(index_while_it_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
