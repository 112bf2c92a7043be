/*
 * admit: two lists that overlap never have two tasks of one address, commands
 * come back from hold in the order of the architecture, what must not be
 * probed is refused, and the books balance after every step.
 *
 * Routes come from a stub: none to 192.0.2.0/24.
 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/prefixset.h"
#include "prober/prober.h"

#define HOLD_NS (100 * NS_PER_MS)

static const struct technique fake = {.name = "fake", .state_size = 8};

const struct technique *const technique_table[] = {&fake, NULL};

static struct measurement measurement = {.tech = &fake};
static struct link_path path;

void
technique_unref(struct measurement *m)
{
	assert_true(m->refs > 0);
	m->refs--;
}

struct link_path *
link_lookup(struct link *l, const struct addr *dst, const char **why)
{
	(void)l;
	if (memcmp(dst->b, "\xc0\0\x02", 3) != 0)
		return &path;
	*why = "no route";
	return NULL;
}

struct link_path *
link_lookup_by(struct link *l, const struct addr *dst,
    const struct technique_route *r, const char **why)
{
	(void)r;
	return link_lookup(l, dst, why);
}

/* --- the scene: an admit with two lists ---------------------------------------- */

struct scene {
	struct admit a;
	struct window w;
	struct listcycle *lc[2];
	uint64_t asked, recorded;
};

static void
setup(struct scene *s, uint32_t queue, uint32_t window)
{
	memset(s, 0, sizeof(*s));
	window_init(&s->w, window);
	cmdqueue_init(&s->a.queue, queue);
	s->a.hold = hold_new(HOLD_NS);
	s->a.window = &s->w;
	TAILQ_INIT(&s->a.table);
	measurement.refs = 2;
	for (uint32_t i = 0; i < 2; i++)
		s->lc[i] =
		    listcycle_add(&s->a.table, 1 + i, 1000, &measurement);
}

static void
teardown(struct scene *s)
{
	cmdqueue_clear(&s->a.queue);
	hold_free(s->a.hold);
	window_clear(&s->w);
	prefixset_free(s->a.dnp);
	listcycle_remove(&s->a.table, s->lc[0]);
	listcycle_remove(&s->a.table, s->lc[1]);
	assert_int_equal(measurement.refs, 0); /* none lost, none twice */
}

static void
balanced(const struct scene *s)
{
	uint64_t held = 0, queued = 0, active = 0;

	for (int i = 0; i < 2; i++) {
		const struct listcycle *lc = s->lc[i];

		assert_int_equal(lc->accepted,
		    lc->recorded + listcycle_refused(lc) + lc->held +
			lc->queued + lc->active);
		held += lc->held;
		queued += lc->queued;
		active += lc->active;
	}
	assert_int_equal(held, hold_count(s->a.hold));
	assert_int_equal(queued, s->a.queue.count);
	assert_int_equal(active, s->w.count);
}

static int
ask(struct scene *s, int list, const char *address)
{
	struct command c = {.lc = s->lc[list],
	    .m = &measurement,
	    .number = s->lc[list]->position};
	int rc;

	assert_int_equal(addr_scan(address, &c.dst), 0);
	measurement.refs++;
	rc = admit_put(&s->a, &c);
	if (rc == -1)
		measurement.refs--;
	else
		s->lc[list]->position++;
	balanced(s);
	return rc;
}

static struct task *
admit(struct scene *s, int64_t now_ns)
{
	uint32_t budget = 1000;
	struct task *t = admit_next(&s->a, now_ns, &budget);

	balanced(s);
	return t;
}

static void
end(struct scene *s, struct task *t)
{
	t->lc->active--;
	t->lc->recorded++;
	window_remove(&s->w, t);
	balanced(s);
}

/* --- one thing at a time ---------------------------------------------------------- */

static void
one_command_becomes_a_task(void **state)
{
	struct scene s;
	struct task *t;
	struct addr a;

	(void)state;
	setup(&s, 8, 0);
	assert_true(admit_due(&s.a) == INT64_MAX);
	assert_null(admit(&s, 0));
	assert_int_equal(ask(&s, 1, "10.0.0.1"), 0);
	assert_int_equal(admit_due(&s.a), 0);
	t = admit(&s, 0);
	assert_non_null(t);
	assert_int_equal(addr_scan("10.0.0.1", &a), 0);
	assert_true(addr_equal(&t->dst, &a));
	assert_ptr_equal(t->lc, s.lc[1]);
	assert_ptr_equal(t->m, &measurement);
	assert_ptr_equal(t->path, &path);
	assert_int_equal(t->number, 1);
	assert_true(admit_due(&s.a) == INT64_MAX);
	end(&s, t);
	teardown(&s);
}

static void
hold_order(void **state)
{
	struct scene s;
	struct task *t;

	(void)state;
	setup(&s, 8, 0);
	/* One active, three more of it, one of another address behind. */
	ask(&s, 0, "10.0.0.1");
	ask(&s, 1, "10.0.0.1");
	ask(&s, 0, "10.0.0.1");
	ask(&s, 1, "10.0.0.1");
	ask(&s, 1, "10.0.0.2");
	t = admit(&s, 0);
	assert_int_equal(t->number, 1);
	t = admit(&s, 10);
	assert_int_equal(t->dst.b[3], 2); /* not held up by those on hold */
	assert_int_equal(hold_count(s.a.hold), 3);
	assert_int_equal(admit_due(&s.a), 10 + HOLD_NS);
	assert_null(admit(&s, 10 + HOLD_NS - 1));
	/* The first is due but its address is still active: behind the last,
	 * which is due at 10 + 3 periods. */
	assert_null(admit(&s, 10 + HOLD_NS));
	assert_int_equal(hold_count(s.a.hold), 3);
	assert_int_equal(admit_due(&s.a), 10 + 2 * HOLD_NS);
	end(&s, t);
	end(&s, window_find(&s.w, &(struct addr){ADDR_IPV4, {10, 0, 0, 1}}));
	/* Not active any more, but not due: they wait all the same. */
	assert_null(admit(&s, 10 + 2 * HOLD_NS - 1));
	t = admit(&s, 10 + 2 * HOLD_NS);
	assert_ptr_equal(t->lc, s.lc[0]);
	assert_int_equal(t->number, 2);
	end(&s, t);
	t = admit(&s, 10 + 3 * HOLD_NS);
	assert_ptr_equal(t->lc, s.lc[1]);
	assert_int_equal(t->number, 2);
	end(&s, t);
	assert_int_equal(admit_due(&s.a), 10 + 4 * HOLD_NS);
	t = admit(&s, 10 + 4 * HOLD_NS);
	assert_ptr_equal(t->lc, s.lc[1]);
	assert_int_equal(t->number, 1);
	end(&s, t);
	teardown(&s);
}

/* A new command does not overtake one of its address on hold. */
static void
held_address_is_not_overtaken(void **state)
{
	struct scene s;
	struct task *t;

	(void)state;
	setup(&s, 8, 0);
	ask(&s, 0, "10.0.0.1");
	ask(&s, 0, "10.0.0.1");
	t = admit(&s, 0);
	assert_null(admit(&s, 0));
	end(&s, t);
	ask(&s, 0, "10.0.0.1");
	assert_null(admit(&s, 5)); /* number 3 behind number 2 */
	assert_int_equal(hold_count(s.a.hold), 2);
	t = admit(&s, HOLD_NS);
	assert_int_equal(t->number, 2);
	end(&s, t);
	assert_null(admit(&s, 2 * HOLD_NS - 1));
	t = admit(&s, 2 * HOLD_NS);
	assert_int_equal(t->number, 3);
	end(&s, t);
	teardown(&s);
}

static void
hold_comes_before_the_queue(void **state)
{
	struct scene s;
	struct task *t;

	(void)state;
	setup(&s, 8, 0);
	ask(&s, 0, "10.0.0.1");
	ask(&s, 0, "10.0.0.1");
	end(&s, admit(&s, 0));
	ask(&s, 0, "10.0.0.1");
	t = admit(&s, 0);
	assert_int_equal(t->number, 2);
	assert_null(admit(&s, 0)); /* number 3 on hold */
	end(&s, t);
	ask(&s, 0, "10.0.0.9");
	assert_int_equal(admit(&s, HOLD_NS)->number, 3);
	assert_int_equal(admit(&s, HOLD_NS)->number, 4);
	teardown(&s);
}

static void
refusals(void **state)
{
	struct addr_prefix v4, v6;
	struct scene s;

	(void)state;
	setup(&s, 8, 0);
	s.a.dnp = prefixset_new();
	assert_null(addr_prefix_scan("10.9.0.0/16", &v4));
	assert_null(addr_prefix_scan("2001:db8:9::/48", &v6));
	prefixset_add(s.a.dnp, &v4);
	prefixset_add(s.a.dnp, &v6);
	ask(&s, 0, "10.9.1.2");
	ask(&s, 0, "192.0.2.7");
	ask(&s, 1, "2001:db8:9::1");
	assert_null(admit(&s, 0));
	ask(&s, 1, "2001:db8:8::1");
	assert_non_null(admit(&s, 0));
	assert_int_equal(s.lc[0]->refused[REFUSED_DNP], 1);
	assert_int_equal(s.lc[0]->refused[REFUSED_NOROUTE], 1);
	assert_int_equal(s.lc[1]->refused[REFUSED_DNP], 1);
	assert_int_equal(s.lc[1]->refused[REFUSED_NOROUTE], 0);
	assert_int_equal(hold_count(s.a.hold), 0);
	teardown(&s);
}

/* A prefix that is added to the list counts for what is on hold too. */
static void
refused_after_hold(void **state)
{
	struct addr_prefix p;
	struct scene s;

	(void)state;
	setup(&s, 8, 0);
	ask(&s, 0, "10.9.1.2");
	ask(&s, 0, "10.9.1.2");
	assert_non_null(admit(&s, 0));
	assert_null(admit(&s, 0));
	assert_null(addr_prefix_scan("10.9.0.0/16", &p));
	s.a.dnp = prefixset_new();
	prefixset_add(s.a.dnp, &p);
	assert_null(admit(&s, HOLD_NS));
	assert_int_equal(s.lc[0]->refused[REFUSED_DNP], 1);
	assert_int_equal(hold_count(s.a.hold), 0);
	teardown(&s);
}

static void
limits(void **state)
{
	char address[] = "10.0.0.0";
	struct scene s;
	struct task *t;
	uint32_t budget;

	(void)state;
	setup(&s, 8, 2);
	for (int i = 0; i < 8; i++) {
		address[7] = (char)('0' + i);
		assert_int_equal(ask(&s, 0, address), 0);
	}
	assert_int_equal(ask(&s, 0, "10.0.0.8"), -1); /* the queue is full */
	assert_int_equal(s.lc[0]->accepted, 8);
	t = admit(&s, 0);
	assert_non_null(t);
	assert_non_null(admit(&s, 0));
	assert_null(admit(&s, 0)); /* the window is full */
	assert_true(admit_due(&s.a) == INT64_MAX);
	end(&s, t);
	assert_int_equal(admit_due(&s.a), 0);
	budget = 0;
	assert_null(admit_next(&s.a, 0, &budget));
	budget = 1;
	assert_non_null(admit_next(&s.a, 0, &budget));
	assert_int_equal(budget, 0);
	teardown(&s);
}

/* Every command looked at counts, wherever it goes. */
static void
budget_counts_what_goes_on_hold(void **state)
{
	struct scene s;
	uint32_t budget;

	(void)state;
	setup(&s, 64, 0);
	for (int i = 0; i < 40; i++)
		ask(&s, i % 2, "10.0.0.1");
	assert_non_null(admit(&s, 0));
	for (uint64_t held = 0; held < 35; held += 5) {
		assert_int_equal(hold_count(s.a.hold), held);
		budget = 5;
		assert_null(admit_next(&s.a, 0, &budget));
		assert_int_equal(budget, 0);
		balanced(&s);
	}
	teardown(&s);
}

static void
closed(void **state)
{
	struct scene s;

	(void)state;
	setup(&s, 8, 0);
	ask(&s, 0, "10.0.0.1");
	ask(&s, 1, "10.0.0.1");
	assert_non_null(admit(&s, 0));
	assert_null(admit(&s, 0)); /* the second is on hold */
	ask(&s, 0, "10.0.0.2");
	ask(&s, 1, "10.0.0.3");
	ask(&s, 1, "10.0.0.4");
	admit_close(&s.a);
	balanced(&s);
	assert_int_equal(s.lc[0]->refused[REFUSED_EXIT], 1);
	assert_int_equal(s.lc[1]->refused[REFUSED_EXIT], 2);
	assert_int_equal(ask(&s, 0, "10.0.0.5"), -1);
	assert_int_equal(admit_due(&s.a), HOLD_NS);
	end(&s, window_find(&s.w, &(struct addr){ADDR_IPV4, {10, 0, 0, 1}}));
	assert_non_null(admit(&s, HOLD_NS)); /* held ones are finished */
	teardown(&s);
}

/* --- two lists that overlap, at random ------------------------------------------------ */

static uint32_t
next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*seed >> 33);
}

struct live {
	struct task *t[65];
	size_t n;
};

static void
no_two_of_one_address(const struct live *l)
{
	for (size_t i = 0; i < l->n; i++) {
		for (size_t k = i + 1; k < l->n; k++)
			assert_false(addr_equal(&l->t[i]->dst, &l->t[k]->dst));
	}
}

static void
random_address(uint64_t *seed, char *text, size_t size)
{
	uint32_t n = next(seed) % 60;

	if (n < 5)
		snprintf(text, size, "192.0.2.%u", n); /* no route */
	else if (n < 10)
		snprintf(text, size, "10.9.0.%u", n); /* do not probe */
	else if (n < 30)
		snprintf(text, size, "2001:db8::%u", n);
	else
		snprintf(text, size, "10.0.0.%u", n);
}

static void
two_lists_that_overlap(void **state)
{
	struct addr_prefix p;
	struct live live = {.n = 0};
	struct scene s;
	uint64_t seed = 5;
	int64_t now_ns = 0;
	char text[40];

	(void)state;
	setup(&s, 32, LEN(live.t) - 1);
	s.a.dnp = prefixset_new();
	assert_null(addr_prefix_scan("10.9.0.0/16", &p));
	prefixset_add(s.a.dnp, &p);
	for (int step = 0; step < 40000; step++) {
		now_ns += next(&seed) % (4 * NS_PER_MS);
		random_address(&seed, text, sizeof(text));
		if (step < 30000 && next(&seed) % 2)
			ask(&s, (int)(next(&seed) % 2), text);
		if (next(&seed) % 4) {
			struct task *t = admit(&s, now_ns);

			if (t != NULL) {
				live.t[live.n++] = t;
				no_two_of_one_address(&live);
			}
		}
		if (live.n > 0 && next(&seed) % 3 == 0) {
			size_t i = next(&seed) % live.n;

			end(&s, live.t[i]);
			live.t[i] = live.t[--live.n];
		}
	}
	while (hold_count(s.a.hold) + live.n > 0) {
		while (live.n > 0)
			end(&s, live.t[--live.n]);
		now_ns += HOLD_NS;
		while ((live.t[live.n] = admit(&s, now_ns)) != NULL)
			live.n++;
	}
	for (int i = 0; i < 2; i++) {
		char buf[200];

		print_message("%s\n", listcycle_books(s.lc[i], buf, 200));
		assert_true(s.lc[i]->accepted > 3000);
		assert_int_equal(s.lc[i]->accepted,
		    s.lc[i]->recorded + listcycle_refused(s.lc[i]));
		assert_true(s.lc[i]->refused[REFUSED_DNP] > 0);
		assert_true(s.lc[i]->refused[REFUSED_NOROUTE] > 0);
		s.lc[i]->ended = 1;
		assert_true(listcycle_is_over(s.lc[i]));
	}
	teardown(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_command_becomes_a_task),
	    cmocka_unit_test(hold_order),
	    cmocka_unit_test(held_address_is_not_overtaken),
	    cmocka_unit_test(hold_comes_before_the_queue),
	    cmocka_unit_test(refusals),
	    cmocka_unit_test(refused_after_hold),
	    cmocka_unit_test(limits),
	    cmocka_unit_test(budget_counts_what_goes_on_hold),
	    cmocka_unit_test(closed),
	    cmocka_unit_test(two_lists_that_overlap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
