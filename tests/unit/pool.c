/*
 * pool: things are apart, aligned and keep what is in them while others come and
 * go over several chunks; numbers that are free again come before new ones.
 */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "prober/pool.h"

static uint32_t
next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*seed >> 33);
}

/* Number and round in each thing's first and last word. */
static void
come_and_go(void **state)
{
	enum { MOST = POOL_CHUNK * 5 / 2 };
	static const size_t sizes[] = {4, 64, 192, 333 * 4};
	static uint32_t in[MOST + 1]; /* by number: what was written, or 0 */
	static uint32_t numbers[MOST];

	(void)state;
	for (size_t row = 0; row < LEN(sizes); row++) {
		size_t last = sizes[row] / 4 - 1;
		uint32_t n, *thing, count = 0, k;
		uint64_t seed = row;
		struct pool p;

		memset(in, 0, sizeof(in));
		pool_init(&p, sizes[row]);
		for (uint32_t i = 1; i < 6 * MOST; i++) {
			/* up, down and up again */
			int up = i / (2 * MOST) != 1;

			if (count < MOST && next(&seed) % 4 < (up ? 3 : 1)) {
				n = pool_take(&p, 0);
				assert_in_range(n, 1, MOST);
				assert_int_equal(in[n], 0);
				thing = pool_at(&p, n);
				assert_int_equal((uintptr_t)thing % 4, 0);
				thing[0] = thing[last] = in[n] = i;
				numbers[count++] = n;
			} else if (count > 0) {
				k = next(&seed) % count;
				n = numbers[k];
				thing = pool_at(&p, n);
				assert_int_equal(thing[0], in[n]);
				assert_int_equal(thing[last], in[n]);
				in[n] = 0;
				pool_give(&p, n);
				numbers[k] = numbers[--count];
			}
		}
		assert_true(p.nchunks > 1);
		pool_clear(&p);
		assert_int_equal(pool_take(&p, 1), 1);
		pool_clear(&p);
	}
}

static void
the_latest_first(void **state)
{
	struct pool p;

	(void)state;
	pool_init(&p, 64);
	for (uint32_t i = 1; i <= 10; i++)
		assert_int_equal(pool_take(&p, 0), i);
	pool_give(&p, 3);
	pool_give(&p, 7);
	assert_int_equal(pool_take(&p, 0), 7);
	assert_int_equal(pool_take(&p, 0), 3);
	assert_int_equal(pool_take(&p, 0), 11);
	pool_clear(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(come_and_go),
	    cmocka_unit_test(the_latest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
