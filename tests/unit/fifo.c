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
	assert_null(fifo_first(&f));
	assert_null(fifo_pop(&f));
	assert_null(fifo_peek(&f, 0));
	fifo_clear(&f);
}

/* Thing N is the N-th that was pushed: what comes out must rise. */
static void
against_a_model(void **state)
{
	static const uint32_t starts[] = {0, 0xfffffff0, 0xffffff00 - 5000};
	static int things[1000000];
	static uint32_t at[LEN(things)];
	static char in[LEN(things)];

	(void)state;
	for (size_t row = 0; row < LEN(starts); row++) {
		uint64_t seed = row;
		uint32_t pushed = 0, count = 0, first = 0, k;
		struct fifo f;

		memset(in, 0, sizeof(in));
		fifo_init(&f);
		f.head = f.tail = starts[row];
		while (pushed < LEN(things)) {
			if (count < THINGS && next(&seed) % 3 != 0) {
				at[pushed] = fifo_push(&f, &things[pushed]);
				in[pushed++] = 1;
				count++;
			}
			k = pushed > THINGS ? pushed - THINGS : 0;
			k += next(&seed) % THINGS;
			if (next(&seed) % 4 == 0 && k < pushed && in[k]) {
				assert_ptr_equal(
				    f.ring[at[k] & (f.size - 1)], &things[k]);
				fifo_remove(&f, at[k]);
				in[k] = 0;
				count--;
			}
			while (first < pushed && !in[first])
				first++;
			assert_int_equal(f.count, count);
			assert_ptr_equal(fifo_first(&f),
			    first < pushed ? &things[first] : NULL);
			assert_ptr_equal(fifo_peek(&f, 0), fifo_first(&f));
			if (count > 0 && next(&seed) % 4 == 0) {
				assert_ptr_equal(fifo_pop(&f), &things[first]);
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
	int things[10];
	uint32_t at[10];
	struct fifo f;

	(void)state;
	fifo_init(&f);
	for (int i = 0; i < 10; i++)
		at[i] = fifo_push(&f, &things[i]);
	fifo_remove(&f, at[4]);
	for (uint32_t i = 0; i < 12; i++)
		assert_ptr_equal(
		    fifo_peek(&f, i), i == 4 || i >= 10 ? NULL : &things[i]);
	for (int i = 0; i < 4; i++)
		assert_ptr_equal(fifo_pop(&f), &things[i]);
	/* The hole has come to the head. */
	assert_ptr_equal(fifo_peek(&f, 0), &things[5]);
	fifo_clear(&f);
}

/* Many things through a short row: no growth. */
static void
holes_do_not_pile_up(void **state)
{
	struct fifo f;
	int thing;

	(void)state;
	fifo_init(&f);
	for (int i = 0; i < 1000000; i++)
		fifo_remove(&f, fifo_push(&f, &thing));
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
