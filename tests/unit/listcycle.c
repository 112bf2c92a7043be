/*
 * listcycle: rows are found by list and cycle, end when nothing is left of
 * them, and show their books; those that are over are known until they need not
 * be.
 */
#include "tests/unit/test.h"

#include <string.h>

#include "prober/prober.h"

static int dropped;

void
technique_unref(struct measurement *m)
{
	(void)m;
	dropped++;
}

static void
rows_by_list_and_cycle(void **state)
{
	struct listcycle_table t = TAILQ_HEAD_INITIALIZER(t);
	struct listcycle *rows[4];
	struct measurement m;

	(void)state;
	dropped = 0;
	assert_null(listcycle_find(&t, 1, 1));
	for (uint32_t i = 0; i < 4; i++) {
		rows[i] = listcycle_add(&t, 1 + i / 2, 100 + i % 2, &m);
		assert_int_equal(rows[i]->list, 1 + i / 2);
		assert_int_equal(rows[i]->cycle, 100 + i % 2);
		assert_ptr_equal(rows[i]->m, &m);
		assert_int_equal(rows[i]->position, 1);
		assert_int_equal(rows[i]->accepted, 0);
	}
	for (uint32_t i = 0; i < 4; i++)
		assert_ptr_equal(
		    listcycle_find(&t, 1 + i / 2, 100 + i % 2), rows[i]);
	assert_null(listcycle_find(&t, 1, 102));
	assert_null(listcycle_find(&t, 3, 100));
	assert_null(listcycle_find(&t, 100, 1));
	listcycle_remove(&t, rows[1]);
	assert_int_equal(dropped, 1);
	assert_null(listcycle_find(&t, 1, 101));
	assert_ptr_equal(listcycle_find(&t, 1, 100), rows[0]);
	listcycle_remove(&t, rows[0]);
	listcycle_remove(&t, rows[2]);
	listcycle_remove(&t, rows[3]);
	assert_true(TAILQ_EMPTY(&t));
	assert_int_equal(dropped, 4);
}

static void
over_when_nothing_is_left(void **state)
{
	static const struct {
		int ended;
		uint64_t queued, held, active;
		int over;
	} rows[] = {
	    {0, 0, 0, 0, 0},
	    {1, 0, 0, 0, 1},
	    {1, 1, 0, 0, 0},
	    {1, 0, 1, 0, 0},
	    {1, 0, 0, 1, 0},
	    {1, 5, 6, 7, 0},
	    {0, 1, 0, 0, 0},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct listcycle lc = {.ended = rows[i].ended,
		    .queued = rows[i].queued,
		    .held = rows[i].held,
		    .active = rows[i].active,
		    .accepted = 100,
		    .recorded = 7};

		assert_int_equal(listcycle_is_over(&lc) != 0, rows[i].over);
	}
}

static void
books(void **state)
{
	struct listcycle lc = {
	    .accepted = 21, .recorded = 1, .held = 2, .queued = 3, .active = 4};
	const char *const with = "accepted=21 recorded=1 refused=11 "
				 "(do-not-probe=5) (exit=6) held=2 queued=3 "
				 "active=4";
	char buf[200];

	(void)state;
	assert_int_equal(listcycle_refused(&lc), 0);
	assert_string_equal(listcycle_books(&lc, buf, sizeof(buf)),
	    "accepted=21 recorded=1 refused=0 held=2 queued=3 active=4");
	lc.refused[REFUSED_DNP] = 5;
	lc.refused[REFUSED_EXIT] = 6;
	assert_int_equal(listcycle_refused(&lc), 11);
	assert_string_equal(listcycle_books(&lc, buf, sizeof(buf)), with);
	for (int i = 0; i < REFUSED_N; i++)
		assert_non_null(refusal_name((unsigned int)i));
	/* Whatever room there is: as much of the text as fits. */
	for (size_t size = 1; size <= strlen(with) + 2; size++) {
		memset(buf, 'x', sizeof(buf));
		listcycle_books(&lc, buf, size);
		assert_in_range(strlen(buf), 0, size - 1);
		assert_int_equal(strncmp(buf, with, strlen(buf)), 0);
		assert_int_equal(buf[size], 'x');
	}
}

/* Counters of years: no 32-bit anywhere on the way. */
static void
books_of_large_numbers(void **state)
{
	struct listcycle lc = {.accepted = UINT64_MAX,
	    .recorded = 1ULL << 40,
	    .held = 1ULL << 41,
	    .queued = 1ULL << 42,
	    .active = 1ULL << 43};
	char buf[200];

	(void)state;
	assert_string_equal(listcycle_books(&lc, buf, sizeof(buf)),
	    "accepted=18446744073709551615 recorded=1099511627776 refused=0 "
	    "held=2199023255552 queued=4398046511104 active=8796093022208");
	lc.ended = 1;
	lc.held = 1ULL << 32;
	lc.queued = lc.active = 0;
	assert_false(listcycle_is_over(&lc));
}

/* CYCLE of LIST is over: for OWNER, that was told or not. */
static void
is_over(struct listcycle_history *h, uint32_t list, uint32_t cycle,
    const void *owner, int acked)
{
	struct listcycle lc = {.list = list,
	    .cycle = cycle,
	    .high = cycle,
	    .owner = owner,
	    .acked_end = acked};

	listcycle_to_history(h, &lc);
}

/* Is that, and nothing else, in the history? */
static void
is_known(const struct listcycle_history *h, uint32_t list, const char *cycles)
{
	char name[2] = "";
	size_t n = 0;

	for (uint32_t i = 0; i < 10; i++) {
		name[0] = (char)('0' + i);
		n += listcycle_past_find(h, list, i) != NULL;
		assert_int_equal(listcycle_past_find(h, list, i) != NULL,
		    strstr(cycles, name) != NULL);
	}
	for (size_t i = 0; i < h->n; i++) {
		assert_true(h->rows[i].list != list || n-- > 0);
		assert_int_equal(h->rows[i].high, h->rows[i].cycle);
	}
}

/* Two cycles of a list are over at once, the later one first: who waits for its
 * ack is told, and it is not begun again. */
static void
is_kept_until_told(void **state)
{
	struct listcycle_table none = TAILQ_HEAD_INITIALIZER(none);
	struct listcycle_history h = {0};
	const char *me = "me";

	(void)state;
	is_over(&h, 1, 5, me, 0);
	is_over(&h, 1, 4, me, 0);
	is_over(&h, 2, 3, me, 0);
	is_known(&h, 1, "45");
	is_known(&h, 2, "3");
	listcycle_logged(&none, &h);
	listcycle_durable(&none, &h);
	for (size_t i = 0; i < h.n; i++) {
		assert_true(h.rows[i].durable);
		assert_ptr_equal(h.rows[i].owner, me);
		assert_false(h.rows[i].acked);
	}
	/* One of them was told: the later one still waits. */
	listcycle_past_find(&h, 1, 4)->acked = 1;
	is_over(&h, 1, 6, me, 0);
	is_known(&h, 1, "56");
	is_known(&h, 2, "3");
	listcycle_history_clear(&h);
}

/* And not for ever: nor who went away, nor numbers that go down. */
static void
is_forgotten(void **state)
{
	struct listcycle_history h = {0};

	(void)state;
	for (uint32_t i = 0; i < 5; i++)
		is_over(&h, 1, i, i % 2 == 0 ? "me" : NULL, 1);
	is_known(&h, 1, "34");
	for (uint32_t i = 4; i-- > 0;)
		is_over(&h, 1, i, NULL, 0);
	is_known(&h, 1, "04");
	listcycle_history_clear(&h);
	is_over(&h, 1, 7, NULL, 0); /* the latest, whoever began it */
	is_over(&h, 1, 2, "me", 1);
	is_known(&h, 1, "27");
	is_over(&h, 1, 3, "me", 1);
	is_known(&h, 1, "37");
	listcycle_history_clear(&h);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rows_by_list_and_cycle),
	    cmocka_unit_test(over_when_nothing_is_left),
	    cmocka_unit_test(books),
	    cmocka_unit_test(books_of_large_numbers),
	    cmocka_unit_test(is_kept_until_told),
	    cmocka_unit_test(is_forgotten),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
