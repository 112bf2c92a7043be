/*
 * window: an address is found while it is in and not after, through 100,000
 * changes; a task is in one list at a time; blocks are zeroed, aligned, and
 * come back when the task ends.
 *
 * A table with one technique of this test's own stands in for the real ones.
 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "prober/prober.h"

static const struct technique fake = {.name = "fake", .state_size = 100};
static const struct technique large = {.name = "large", .state_size = 333};

const struct technique *const technique_table[] = {&fake, &large, NULL};

static struct measurement measurement = {.tech = &fake};
static int dropped;

void
technique_unref(struct measurement *m)
{
	if (m != NULL)
		dropped++;
}

static uint32_t
next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*seed >> 33);
}

/* Addresses that share all bytes but two, in both families. */
static struct addr
addr_n(uint32_t n)
{
	uint8_t b[16] = {0x20, 1, 0xd, 0xb8};
	uint16_t low = (uint16_t)(n / 2);

	memcpy(b + (n % 2 != 0 ? 2 : 14), &low, 2);
	return addr_make(n % 2 != 0 ? ADDR_IPV4 : ADDR_IPV6, b);
}

static struct task *
add(struct window *w, uint32_t n)
{
	struct command c = {.dst = addr_n(n), .number = n, .m = &measurement};

	return window_add(w, &c, NULL);
}

static void
against_a_model(void **state)
{
	enum { ADDRESSES = 6000 };
	struct task **model = calloc(ADDRESSES, sizeof(*model)), *t;
	uint64_t seed = 3;
	struct window w;
	struct addr a;
	uint32_t count = 0, most = 0;

	(void)state;
	window_init(&w, 0);
	for (int i = 0; i < 100000; i++) {
		uint32_t n = next(&seed) % ADDRESSES;
		int grow = i / 25000 % 2 == 0; /* and shrink, in turns */

		a = addr_n(n);
		assert_ptr_equal(window_find(&w, &a), model[n]);
		if (model[n] == NULL && (grow || next(&seed) % 4 == 0)) {
			t = add(&w, n);
			assert_true(addr_equal(&t->dst, &a));
			assert_int_equal(t->number, n);
			assert_int_equal(t->where, TASK_IDLE);
			model[n] = t;
			count++;
		} else if (model[n] != NULL &&
		    (!grow || next(&seed) % 4 == 0)) {
			window_remove(&w, model[n]);
			assert_null(window_find(&w, &a));
			model[n] = NULL;
			count--;
		}
		assert_int_equal(w.count, count);
		most = count > most ? count : most;
		n = next(&seed) % ADDRESSES;
		a = addr_n(n);
		assert_ptr_equal(window_find(&w, &a), model[n]);
	}
	assert_true(most > 2000);
	for (uint32_t n = 0; n < ADDRESSES; n++) {
		a = addr_n(n);
		assert_ptr_equal(window_find(&w, &a), model[n]);
		if (model[n] != NULL)
			window_remove(&w, model[n]);
	}
	assert_int_equal(w.count, 0);
	window_clear(&w);
	free(model);
}

static int
by_hash(const void *a, const void *b)
{
	const struct addr *const *x = a, *const *y = b;
	uint32_t hx = (uint32_t)addr_hash(*x), hy = (uint32_t)addr_hash(*y);

	return hx < hy ? -1 : hx > hy;
}

/* The index holds 32 bits of hash: among 300,000 addresses some ten pairs
 * share them, and must not be taken for each other. */
static void
equal_hashes(void **state)
{
	enum { ADDRESSES = 300000 };
	struct addr *addrs = calloc(ADDRESSES, sizeof(*addrs));
	struct addr **order = calloc(ADDRESSES, sizeof(*order));
	int pairs = 0;

	(void)state;
	for (uint32_t i = 0; i < ADDRESSES; i++) {
		addrs[i] = addr_make(ADDR_IPV4, &i);
		order[i] = &addrs[i];
	}
	qsort(order, ADDRESSES, sizeof(struct addr *), by_hash);
	for (int i = 0; i + 1 < ADDRESSES; i++) {
		struct command one = {.dst = *order[i], .m = &measurement};
		struct command two = {.dst = *order[i + 1], .m = &measurement};
		struct task *t1, *t2;
		struct window w;

		if (by_hash(&order[i], &order[i + 1]) != 0)
			continue;
		pairs++;
		window_init(&w, 0);
		t1 = window_add(&w, &one, NULL);
		assert_null(window_find(&w, &two.dst));
		t2 = window_add(&w, &two, NULL);
		assert_ptr_equal(window_find(&w, &one.dst), t1);
		assert_ptr_equal(window_find(&w, &two.dst), t2);
		window_remove(&w, t2);
		assert_ptr_equal(window_find(&w, &one.dst), t1);
		assert_null(window_find(&w, &two.dst));
		window_clear(&w);
	}
	assert_true(pairs > 0);
	free(order);
	free(addrs);
}

static void
full_at_its_limit(void **state)
{
	struct window w;
	struct task *t;

	(void)state;
	window_init(&w, 3);
	assert_false(window_full(&w));
	add(&w, 1);
	add(&w, 2);
	assert_false(window_full(&w));
	t = add(&w, 3);
	assert_true(window_full(&w));
	window_remove(&w, t);
	assert_false(window_full(&w));
	window_clear(&w);
	window_init(&w, 0);
	for (uint32_t i = 0; i < 5000; i++)
		assert_false((add(&w, i), window_full(&w)));
	window_clear(&w);
}

static void
a_task_is_new_each_time(void **state)
{
	struct measurement *m = calloc(1, sizeof(*m) + 16);
	struct link_path path = {.ifindex = 7};
	struct listcycle lc = {.list = 9};
	struct command c = {
	    .dst = addr_n(5), .m = m, .lc = &lc, .number = 1234};
	static const uint8_t zeros[333];
	struct window w;
	struct task *t;

	(void)state;
	m->tech = &fake;
	dropped = 0;
	window_init(&w, 0);
	path.src = addr_n(7);
	for (int i = 0; i < 3; i++) {
		t = window_add(&w, &c, &path);
		assert_ptr_equal(t->win, &w);
		assert_ptr_equal(t->lc, &lc);
		assert_ptr_equal(t->m, m);
		assert_int_equal(t->number, 1234);
		assert_ptr_equal(task_conf(t), m->conf);
		assert_ptr_equal(task_src(t), &path.src);
		assert_true(addr_equal(task_dst(t), &c.dst));
		/* The largest state of the table, zeroed and aligned. */
		assert_int_equal((uintptr_t)task_state(t) % 16, 0);
		assert_memory_equal(task_state(t), zeros, 333);
		memset(task_state(t), 0xff, 333);
		window_remove(&w, t);
		assert_int_equal(dropped, i + 1);
	}
	window_add(&w, &c, &path);
	window_clear(&w);
	assert_int_equal(dropped, 4);
	free(m);
}

static void
states_do_not_overlap(void **state)
{
	enum { N = 3000 }; /* several chunks */
	struct task *tasks[N];
	struct window w;

	(void)state;
	window_init(&w, 0);
	for (uint32_t i = 0; i < N; i++) {
		tasks[i] = add(&w, i);
		memset(task_state(tasks[i]), (int)(i % 251), 333);
	}
	for (uint32_t i = 0; i < N; i++) {
		const uint8_t *p = task_state(tasks[i]);

		for (int k = 0; k < 333; k++)
			assert_int_equal(p[k], i % 251);
		assert_int_equal(tasks[i]->number, i);
	}
	window_clear(&w);
}

static void
blocks(void **state)
{
	enum { N = 5000 };
	static const uint8_t zeros[TECHNIQUE_BLOCK];
	struct task *a, *b;
	struct window w;
	uint8_t *p[N];
	uint32_t end = 0;

	(void)state;
	window_init(&w, 0);
	a = add(&w, 1);
	b = add(&w, 2);
	for (int round = 0; round < 2; round++) {
		assert_null(technique_earlier_block(a, NULL));
		for (int i = 0; i < N; i++) {
			p[i] = technique_block(i % 2 ? a : b);
			assert_int_equal((uintptr_t)p[i] % 16, 0);
			assert_memory_equal(p[i], zeros, TECHNIQUE_BLOCK);
			memset(p[i], 1 + i % 250, TECHNIQUE_BLOCK);
		}
		assert_ptr_equal(technique_earlier_block(a, NULL), p[N - 1]);
		assert_ptr_equal(technique_earlier_block(b, NULL), p[N - 2]);
		for (int i = 0; i < N; i++) {
			assert_ptr_equal(
			    technique_earlier_block(i % 2 ? a : b, p[i]),
			    i >= 2 ? p[i - 2] : NULL);
			assert_int_equal(p[i][0], 1 + i % 250);
			assert_int_equal(
			    p[i][TECHNIQUE_BLOCK - 1], 1 + i % 250);
		}
		/* The second round lives on what the first gave back. */
		if (round == 1)
			assert_int_equal(w.blocks.end, end);
		end = w.blocks.end;
		window_remove(&w, a);
		window_remove(&w, b);
		a = add(&w, 3);
		b = add(&w, 4);
	}
	window_clear(&w);
}

/* Zeroed, aligned, apart, whatever the sizes, and the same memory after a
 * reset. */
static void
scratch(void **state)
{
	enum { N = 400 };
	uint64_t seed = 17;
	uint8_t *p[N], *first = NULL;
	size_t size[N];

	(void)state;
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < N; i++) {
			size[i] = i == 7 ? 300000 : next(&seed) % 3000;
			p[i] = technique_scratch(size[i]);
			assert_int_equal((uintptr_t)p[i] % 16, 0);
			for (size_t k = 0; k < size[i]; k++)
				assert_int_equal(p[i][k], 0);
			memset(p[i], 1 + i % 250, size[i]);
		}
		for (int i = 0; i < N; i++) {
			for (size_t k = 0; k < size[i]; k++)
				assert_int_equal(p[i][k], 1 + i % 250);
		}
		if (round > 0)
			assert_ptr_equal(p[0], first);
		first = p[0];
		window_scratch_reset();
	}
	window_scratch_reset();
}

/* --- one list at a time ------------------------------------------------------ */

static void
ready_is_a_queue(void **state)
{
	struct task *tasks[5];
	struct window w;

	(void)state;
	window_init(&w, 0);
	assert_null(window_take_ready(&w));
	for (uint32_t i = 0; i < 5; i++) {
		tasks[i] = add(&w, i);
		probe_send(tasks[i]);
	}
	/* Asking again costs no place. */
	probe_send(tasks[0]);
	assert_int_equal(window_ready(&w), 5);
	probe_wait(tasks[2], 100);
	assert_int_equal(window_ready(&w), 4);
	assert_ptr_equal(window_take_ready(&w), tasks[0]);
	assert_int_equal(tasks[0]->where, TASK_IDLE);
	assert_ptr_equal(window_take_ready(&w), tasks[1]);
	assert_ptr_equal(window_take_ready(&w), tasks[3]);
	assert_ptr_equal(window_take_ready(&w), tasks[4]);
	assert_null(window_take_ready(&w));
	assert_int_equal(window_ready(&w), 0);
	window_clear(&w);
}

static void
later_call_replaces_the_former(void **state)
{
	uint64_t seed = 11;
	struct window w;
	struct task *t, *other;

	(void)state;
	window_init(&w, 0);
	t = add(&w, 1);
	other = add(&w, 2);
	probe_send(other);
	w.now_ns = 1000;
	for (int i = 0; i < 1000; i++) {
		switch (next(&seed) % 4) {
		case 0:
			probe_send(t);
			assert_int_equal(t->where, TASK_READY);
			break;
		case 1:
			probe_wait(t, 500);
			assert_int_equal(t->where, TASK_WAITING);
			assert_int_equal(timeout_due(&w.timeout), 1500);
			break;
		case 2:
			probe_done(t);
			assert_int_equal(t->where, TASK_DONE);
			assert_ptr_equal(window_first_done(&w), t);
			window_end(&w, t);
			assert_null(window_first_done(&w));
			t = add(&w, 1);
			break;
		default:
			probe_wait(t, 100 + next(&seed) % 50);
			break;
		}
		assert_int_equal(
		    window_ready(&w), 1 + (t->where == TASK_READY));
		assert_int_equal(w.done.count, 0);
		if (t->where != TASK_WAITING)
			assert_true(timeout_due(&w.timeout) == INT64_MAX);
	}
	window_clear(&w);
}

/* What few tasks have is freed with the task: the leak checker sees to that. */
static void **
extras_of(struct task *t)
{
	return task_state(t);
}

static void
extra_memory(void **state)
{
	static const struct technique with_extras = {
	    .name = "extras", .state_size = 100, .extras = extras_of};
	struct measurement m = {.tech = &with_extras};
	struct window w;
	struct task *t[3];
	uint8_t *p, *first;

	(void)state;
	window_init(&w, 0);
	for (uint32_t i = 0; i < 3; i++) {
		struct command c = {.dst = addr_n(i), .m = &m};

		t[i] = window_add(&w, &c, NULL);
	}
	first = technique_extra(extras_of(t[0]), 1000);
	for (int i = 0; i < 5; i++) {
		p = technique_extra(extras_of(t[0]), 8);
		assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
		assert_int_equal(p[0] | p[7], 0);
		memset(p, 0xff, 8);
	}
	assert_ptr_equal(*extras_of(t[0]), first);
	technique_extra(extras_of(t[2]), 1);
	window_remove(&w, t[0]);
	window_clear(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(extra_memory),
	    cmocka_unit_test(against_a_model),
	    cmocka_unit_test(equal_hashes),
	    cmocka_unit_test(full_at_its_limit),
	    cmocka_unit_test(a_task_is_new_each_time),
	    cmocka_unit_test(states_do_not_overlap),
	    cmocka_unit_test(blocks),
	    cmocka_unit_test(scratch),
	    cmocka_unit_test(ready_is_a_queue),
	    cmocka_unit_test(later_call_replaces_the_former),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
