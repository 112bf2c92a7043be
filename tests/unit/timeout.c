/*
 * timeout: no deadline early, none forgotten, FIFOs sorted, whatever the
 * number of durations.
 */
#include "tests/unit/test.h"

#include "prober/prober.h"

static struct pool pool;

/* N tasks, zeroed, that TO knows. */
static struct task *
prepare(struct timeout *to, uint32_t n)
{
	struct task *tasks;
	uint32_t first;

	pool_init(&pool, sizeof(*tasks));
	first = pool_take(&pool, 0);
	tasks = pool_at(&pool, first);
	for (uint32_t i = 1; i < n; i++)
		assert_int_equal(pool_take(&pool, 0), first + i);
	memset(tasks, 0, n * sizeof(*tasks));
	for (uint32_t i = 0; i < n; i++)
		tasks[i].id = first + i;
	timeout_init(to, &pool);
	return tasks;
}

static void
end(struct timeout *to)
{
	timeout_clear(to);
	pool_clear(&pool);
}

static void
empty(void **state)
{
	struct timeout to;

	(void)state;
	prepare(&to, 1);
	assert_true(timeout_due(&to) == INT64_MAX);
	assert_null(timeout_pop(&to, INT64_MAX));
	end(&to);
}

static void
deadlines_to_the_nanosecond(void **state)
{
	static const struct {
		int64_t now_ns, wait_ns;
	} rows[] = {{0, 5000}, {10, 5000}, {20, 1000}, {30, 1}, {30, 0},
	    {40, 5000}, {40, 1000}};
	struct timeout to;
	struct task *tasks = prepare(&to, LEN(rows)), *t;
	int64_t due_ns, last_ns = 0;
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++)
		timeout_add(&to, &tasks[i], rows[i].now_ns, rows[i].wait_ns);
	while ((due_ns = timeout_due(&to)) != INT64_MAX) {
		assert_true(due_ns >= last_ns);
		assert_null(timeout_pop(&to, due_ns - 1));
		t = timeout_pop(&to, due_ns);
		assert_non_null(t);
		assert_int_equal(
		    due_ns, rows[t - tasks].now_ns + rows[t - tasks].wait_ns);
		last_ns = due_ns;
		n++;
	}
	assert_int_equal(n, LEN(rows));
	end(&to);
}

static void
equal_deadlines_first_come(void **state)
{
	struct timeout to;
	struct task *tasks = prepare(&to, 10);

	(void)state;
	for (size_t i = 0; i < 10; i++)
		timeout_add(&to, &tasks[i], 5, 100);
	for (size_t i = 0; i < 10; i++)
		assert_ptr_equal(timeout_pop(&to, 105), &tasks[i]);
	assert_null(timeout_pop(&to, 105));
	end(&to);
}

static void
removed_is_forgotten(void **state)
{
	struct timeout to;
	struct task *tasks = prepare(&to, 3);

	(void)state;
	for (int i = 0; i < 3; i++)
		timeout_add(&to, &tasks[i], i, 100);
	timeout_remove(&to, &tasks[1]);
	assert_int_equal(timeout_due(&to), 100);
	timeout_remove(&to, &tasks[0]);
	assert_int_equal(timeout_due(&to), 102);
	assert_ptr_equal(timeout_pop(&to, 1000), &tasks[2]);
	assert_null(timeout_pop(&to, 1000));
	/* It can be added again, with another wait. */
	timeout_add(&to, &tasks[1], 1000, 7);
	assert_int_equal(timeout_due(&to), 1007);
	end(&to);
}

/* The FIFOs are sorted: the invariant that makes a look at the head enough. */
static void
check_fifos(const struct timeout *to)
{
	const struct task *t;
	int64_t last_ns;

	for (int i = 0; i < to->n; i++) {
		const struct fifo *f = &to->classes[i].fifo;
		uint32_t tasks = 0, id;

		last_ns = INT64_MIN;
		for (uint32_t n = 0; n < f->tail - f->head; n++) {
			id = fifo_peek(f, n);
			if (id == 0)
				continue;
			t = pool_at(to->tasks, id);
			tasks++;
			assert_true(t->due_ns >= last_ns);
			assert_int_equal(t->timeout, i);
			last_ns = t->due_ns;
		}
		assert_int_equal(tasks, f->count);
	}
}

static uint32_t
next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*seed >> 33);
}

/* DURATIONS at random in a running clock, with removals: every task comes back
 * once, and not early; with at most as many durations as there are classes,
 * not late. */
static void
run(uint32_t durations)
{
	enum { TASKS = 500 };
	struct timeout to;
	struct task *tasks = prepare(&to, TASKS), *t;
	int64_t wanted_ns[TASKS] = {0}, now_ns = 1;
	uint64_t seed = durations;
	unsigned int popped = 0, pending = 0;

	for (int step = 0; step < 100000; step++, now_ns += next(&seed) % 3) {
		size_t i = next(&seed) % TASKS;

		if (wanted_ns[i] == 0) {
			int64_t wait_ns = 1 + next(&seed) % durations * 7;

			timeout_add(&to, &tasks[i], now_ns, wait_ns);
			wanted_ns[i] = now_ns + wait_ns;
			pending++;
		} else if (next(&seed) % 64 == 0) {
			timeout_remove(&to, &tasks[i]);
			wanted_ns[i] = 0;
			pending--;
		}
		if (step % 64 == 0)
			check_fifos(&to);
		while ((t = timeout_pop(&to, now_ns)) != NULL) {
			i = (size_t)(t - tasks);
			assert_true(wanted_ns[i] > 0);
			assert_true(now_ns >= wanted_ns[i]);
			if (durations <= TIMEOUT_CLASSES)
				assert_true(now_ns - wanted_ns[i] <= 2);
			wanted_ns[i] = 0;
			popped++;
			pending--;
		}
		assert_true(timeout_due(&to) > now_ns);
	}
	assert_true(popped > 1000);
	/* All the rest comes by the longest wait. */
	while (timeout_pop(&to, now_ns + 7 * (int64_t)durations) != NULL)
		pending--;
	assert_int_equal(pending, 0);
	end(&to);
}

static void
few_and_many_durations(void **state)
{
	static const uint32_t rows[] = {
	    1, 2, 10, TIMEOUT_CLASSES, TIMEOUT_CLASSES + 1, 200, 5000};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		print_message("row: %u durations\n", rows[i]);
		run(rows[i]);
	}
}

/* Longer than all that are in use, when no class is free: not early either. */
static void
longer_and_longer(void **state)
{
	enum { TASKS = 200 };
	struct timeout to;
	struct task *tasks = prepare(&to, TASKS), *t;
	int64_t due_ns;

	(void)state;
	for (int i = 0; i < TASKS; i++) {
		timeout_add(&to, &tasks[i], i, 10 * (i + 1));
		check_fifos(&to);
	}
	for (int n = 0; n < TASKS; n++) {
		due_ns = timeout_due(&to);
		t = timeout_pop(&to, due_ns);
		assert_non_null(t);
		assert_true(due_ns >= (t - tasks) + 10 * (t - tasks + 1));
	}
	assert_true(timeout_due(&to) == INT64_MAX);
	end(&to);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(empty),
	    cmocka_unit_test(deadlines_to_the_nanosecond),
	    cmocka_unit_test(equal_deadlines_first_come),
	    cmocka_unit_test(removed_is_forgotten),
	    cmocka_unit_test(few_and_many_durations),
	    cmocka_unit_test(longer_and_longer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
