/*
 * fifo: things come out in the order they went in, without those that were
 * taken out, through growth and through the wrap of positions; the ring is as
 * long as what lies between head and tail, and no longer.
 */
#include "tests/unit/test.h"

#include "prober/fifo.h"

enum { THINGS = 3000 };

static uint32_t
next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*seed >> 33);
}

static void
empty(void **state)
{
	struct fifo f;

	(void)state;
	fifo_init(&f);
	assert_int_equal(fifo_first(&f), 0);
	assert_int_equal(fifo_pop(&f), 0);
	assert_int_equal(fifo_peek(&f, 0), 0);
	fifo_clear(&f);
}

enum { PUSHED = 1000000 };

/* The N-th that was pushed, from 0, is thing N + 1: what comes out must rise. */
static void
against_a_model(void **state)
{
	static const uint32_t starts[] = {0, 0xfffffff0, 0xffffff00 - 5000};
	static uint32_t at[PUSHED];
	static char in[PUSHED];

	(void)state;
	for (size_t row = 0; row < LEN(starts); row++) {
		uint64_t seed = row;
		uint32_t pushed = 0, count = 0, first = 0, k;
		struct fifo f;

		memset(in, 0, sizeof(in));
		fifo_init(&f);
		f.head = f.tail = starts[row];
		while (pushed < PUSHED) {
			if (count < THINGS && next(&seed) % 3 != 0) {
				at[pushed] = fifo_push(&f, pushed + 1);
				in[pushed++] = 1;
				count++;
			}
			k = pushed > THINGS ? pushed - THINGS : 0;
			k += next(&seed) % THINGS;
			if (next(&seed) % 4 == 0 && k < pushed && in[k]) {
				assert_int_equal(fifo_at(&f, at[k]), k + 1);
				fifo_remove(&f, at[k]);
				in[k] = 0;
				count--;
			}
			while (first < pushed && !in[first])
				first++;
			assert_int_equal(f.count, count);
			assert_int_equal(
			    fifo_first(&f), first < pushed ? first + 1 : 0);
			assert_int_equal(fifo_peek(&f, 0), fifo_first(&f));
			if (count > 0 && next(&seed) % 4 == 0) {
				assert_int_equal(fifo_pop(&f), first + 1);
				in[first] = 0;
				count--;
			}
		}
		assert_in_range(f.size, THINGS / 2, 16 * THINGS);
		fifo_clear(&f);
	}
}

static void
peek_sees_holes(void **state)
{
	uint32_t at[10];
	struct fifo f;

	(void)state;
	fifo_init(&f);
	for (uint32_t i = 0; i < 10; i++)
		at[i] = fifo_push(&f, 100 + i);
	fifo_remove(&f, at[4]);
	for (uint32_t i = 0; i < 12; i++)
		assert_int_equal(
		    fifo_peek(&f, i), i == 4 || i >= 10 ? 0 : 100 + i);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(fifo_pop(&f), 100 + i);
	/* The hole has come to the head. */
	assert_int_equal(fifo_peek(&f, 0), 105);
	fifo_clear(&f);
}

/* Many things through a short row: no growth. */
static void
holes_do_not_pile_up(void **state)
{
	struct fifo f;

	(void)state;
	fifo_init(&f);
	for (int i = 0; i < 1000000; i++)
		fifo_remove(&f, fifo_push(&f, 1));
	assert_int_equal(f.size, FIFO_SIZE_MIN);
	assert_int_equal(f.count, 0);
	fifo_clear(&f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(empty),
	    cmocka_unit_test(against_a_model),
	    cmocka_unit_test(peek_sees_holes),
	    cmocka_unit_test(holes_do_not_pile_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
