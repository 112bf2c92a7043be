/*
 * cmdqueue: first in, first out, around the ring's end; references go along.
 */
#include "tests/unit/test.h"

#include "prober/prober.h"

static int dropped;

void
technique_unref(struct measurement *m)
{
	assert_non_null(m);
	m->refs--;
	dropped++;
}

static void
put(struct cmdqueue *q, uint64_t number, int rc)
{
	struct command c = {.number = number};

	assert_int_equal(cmdqueue_put(q, &c), rc);
}

static void
take(struct cmdqueue *q, uint64_t number)
{
	struct command c;

	assert_int_equal(cmdqueue_take(q, &c), 0);
	assert_int_equal(c.number, number);
}

static void
order_around_the_end(void **state)
{
	struct cmdqueue q;
	struct command c;
	uint64_t in = 0, out = 0;

	(void)state;
	cmdqueue_init(&q, 8);
	assert_int_equal(cmdqueue_take(&q, &c), -1);
	/* Every fill level begins at every place of the ring. */
	for (unsigned int n = 1; n <= 8; n++) {
		for (unsigned int turn = 0; turn < 17; turn++) {
			for (unsigned int i = 0; i < n; i++)
				put(&q, in++, 0);
			assert_int_equal(q.count, n);
			for (unsigned int i = 0; i < n; i++)
				take(&q, out++);
			assert_int_equal(cmdqueue_take(&q, &c), -1);
		}
	}
	cmdqueue_clear(&q);
}

static void
full_queue_takes_no_more(void **state)
{
	struct cmdqueue q;

	(void)state;
	cmdqueue_init(&q, 4);
	for (uint64_t i = 0; i < 4; i++)
		put(&q, i, 0);
	put(&q, 4, -1);
	put(&q, 4, -1);
	take(&q, 0);
	put(&q, 5, 0);
	put(&q, 6, -1);
	for (uint64_t i = 1; i < 4; i++)
		take(&q, i);
	take(&q, 5);
	cmdqueue_clear(&q);
}

/* The smallest ring there is. */
static void
one_slot(void **state)
{
	struct cmdqueue q;

	(void)state;
	cmdqueue_init(&q, 1);
	for (uint64_t i = 0; i < 10; i++) {
		put(&q, i, 0);
		put(&q, 99, -1);
		take(&q, i);
	}
	cmdqueue_clear(&q);
}

static void
clear_drops_what_is_left(void **state)
{
	struct measurement m = {.refs = 10};
	struct command c = {.m = &m};
	struct cmdqueue q;

	(void)state;
	dropped = 0;
	cmdqueue_init(&q, 16);
	for (int i = 0; i < 7; i++)
		assert_int_equal(cmdqueue_put(&q, &c), 0);
	assert_int_equal(cmdqueue_take(&q, &c), 0);
	assert_ptr_equal(c.m, &m);
	assert_int_equal(dropped, 0); /* handed on, not dropped */
	cmdqueue_clear(&q);
	assert_int_equal(dropped, 6);
	assert_int_equal(m.refs, 4);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(order_around_the_end),
	    cmocka_unit_test(full_queue_takes_no_more),
	    cmocka_unit_test(one_slot),
	    cmocka_unit_test(clear_drops_what_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
