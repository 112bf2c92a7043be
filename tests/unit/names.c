/*
 * names: what is asked and when, what is kept and for how long; a server that
 * is silent.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/log.h"
#include "prober/names.h"

#define S NS_PER_SEC

/* The server's end: the questions that came. */
struct server {
	struct {
		struct addr addr;
		uint16_t id;
	} asked[2 * NAMES_QUEUE_MAX];
	unsigned int n;
	const char *other; /* the next server, or NULL */
	unsigned int left_out;
};

static struct server server;
static struct names *names;
static int64_t now_ns;

static void
ask(void *arg, const struct addr *a, uint16_t id)
{
	struct server *s = arg;

	assert_true(s->n < sizeof(s->asked) / sizeof(s->asked[0]));
	s->asked[s->n].addr = *a;
	s->asked[s->n++].id = id;
}

static const char *
next(void *arg)
{
	return ((struct server *)arg)->other;
}

static void
left_out(void *arg)
{
	((struct server *)arg)->left_out++;
}

static int
setup(void **state)
{
	static const struct names_ops ops = {
	    .ask = ask, .next = next, .left_out = left_out};

	(void)state;
	memset(&server, 0, sizeof(server));
	now_ns = 1000 * S;
	names = names_new(&ops, &server);
	names_serve(names, "192.0.2.53");
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	names_free(names);
	return 0;
}

static struct addr
address(unsigned int i)
{
	uint8_t b[4] = {10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i};

	return addr_make(ADDR_IPV4, b);
}

static int
want(unsigned int i)
{
	struct addr a = address(i);

	return names_want(names, &a, NULL, now_ns);
}

static const char *
find(unsigned int i)
{
	struct addr a = address(i);

	return names_find(names, &a);
}

static void
run(void)
{
	names_run(names, now_ns, NAMES_PPS);
}

/* Question number K, from 0, is answered. */
static void
answer(unsigned int k, enum dns_result result, uint32_t ttl_s)
{
	struct dns_answer a = {.result = result, .ttl_s = ttl_s};
	char text[ADDR_STRLEN];

	assert_true(k < server.n);
	snprintf(a.name, sizeof(a.name), "h%s",
	    addr_str(&server.asked[k].addr, text));
	names_answer(names, server.asked[k].id, &a, now_ns);
}

/* --- what is kept ------------------------------------------------------------ */

static void
test_once(void **state)
{
	(void)state;
	assert_false(names_used(names));
	assert_int_equal(names_due(names), INT64_MAX);
	for (int i = 0; i < 1000; i++)
		assert_true(want(1));
	assert_true(names_used(names));
	run();
	assert_int_equal(server.n, 1);
	assert_int_equal(names_asking(names), 1);
	assert_true(addr_equal(
	    names_asked(names, server.asked[0].id), &server.asked[0].addr));
	assert_null(find(1));
	answer(0, DNS_NAME, 300);
	assert_string_equal(find(1), "h10.0.0.1");
	for (int i = 0; i < 1000; i++)
		assert_false(want(1));
	run();
	assert_int_equal(server.n, 1);
	assert_null(names_asked(names, server.asked[0].id));
	answer(0, DNS_NONE, 300); /* a second answer: nobody asked */
	assert_string_equal(find(1), "h10.0.0.1");
}

static void
test_lifetimes(void **state)
{
	static const struct {
		enum dns_result result;
		uint32_t ttl_s, good_s;
	} rows[] = {
	    {DNS_NAME, 0, NAMES_TTL_MIN_S},
	    {DNS_NAME, 300, 300},
	    {DNS_NAME, INT32_MAX, NAMES_TTL_MAX_S},
	    {DNS_NONE, 0, NAMES_TTL_MIN_S},
	    {DNS_NONE, 1800, 1800},
	    {DNS_NONE, 100000, NAMES_NONE_MAX_S},
	    {DNS_FAILED, 100000, NAMES_FAILED_S},
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		server.n = 0;
		want(i);
		run();
		answer(0, rows[i].result, rows[i].ttl_s);
		assert_int_equal(find(i) != NULL, rows[i].result == DNS_NAME);
		now_ns += rows[i].good_s * S - 1;
		assert_false(want(i));
		now_ns++;
		assert_true(want(i));
		/* it is asked for again, and what was known is still there */
		run();
		assert_int_equal(server.n, 2);
		assert_int_equal(find(i) != NULL, rows[i].result == DNS_NAME);
		answer(1, DNS_NONE, 300);
		assert_null(find(i));
	}
}

/* At the end of a task what was known once will do. */
static void
test_await(void **state)
{
	struct addr a = address(1);

	(void)state;
	assert_true(names_await(names, &a, NULL, now_ns));
	run();
	answer(0, DNS_NAME, 60);
	now_ns += 1000 * S;
	assert_false(names_await(names, &a, NULL, now_ns));
	run();
	assert_int_equal(server.n, 1);
}

/* As many as there is room for; the one that was not used for longest goes. */
static void
test_bound(void **state)
{
	unsigned int k = 0;

	(void)state;
	for (unsigned int i = 0; i < NAMES_MAX; i++) {
		server.n = 0;
		want(i);
		run();
		assert_int_equal(server.n, 1);
		answer(0, DNS_NAME, 86400);
		now_ns += S / 100;
		k++;
	}
	assert_false(want(0)); /* used */
	want(NAMES_MAX);
	assert_non_null(find(0));
	assert_null(find(1));
	assert_non_null(find(2));
}

/* --- how much is asked ----------------------------------------------------------- */

static void
test_in_flight(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < NAMES_QUEUE_MAX + 100; i++)
		assert_int_equal(want(i), i < NAMES_QUEUE_MAX);
	assert_int_equal(server.left_out, 100);
	for (int i = 0; i < 100; i++) {
		run();
		now_ns += S / 100;
	}
	assert_int_equal(server.n, NAMES_ASKED_MAX);
	/* nothing to do before an answer, or the end of a try */
	assert_true(names_due(names) > now_ns);
	answer(0, DNS_NAME, 300);
	assert_true(names_due(names) <= now_ns);
	run();
	assert_int_equal(server.n, NAMES_ASKED_MAX + 1);
}

static void
test_rate(void **state)
{
	int64_t begin_ns = now_ns, due_ns;

	(void)state;
	for (unsigned int i = 0; i < 60; i++)
		want(i);
	while (server.n < 60) {
		names_run(names, now_ns, 10);
		due_ns = names_due(names);
		assert_true(due_ns > now_ns);
		for (unsigned int k = 0; k < server.n; k++)
			answer(k, DNS_NAME, 300);
		if (server.n < 60)
			now_ns = due_ns;
	}
	assert_int_equal(server.n, 60);
	/* a few at once, the others a tenth of a second apart */
	assert_in_range(now_ns - begin_ns, 5 * S, 6 * S);
}

/* While nothing is to be sent nothing is asked, and nobody is woken for it. */
static void
test_stopped(void **state)
{
	(void)state;
	want(1);
	names_run(names, now_ns, 0);
	assert_int_equal(server.n, 0);
	assert_int_equal(names_due(names), INT64_MAX);
}

/* --- silence ------------------------------------------------------------------------ */

struct waiting {
	struct names_waiter w;
	int done;
};

static void
on_done(struct names_waiter *w)
{
	((struct waiting *)(void *)w)->done++;
}

static void
test_waiters(void **state)
{
	struct waiting a = {.w.done = on_done}, b = a, c = a;
	struct addr one = address(1);

	(void)state;
	assert_true(names_await(names, &one, &a.w, now_ns));
	run();
	assert_true(names_await(names, &one, &b.w, now_ns));
	assert_true(names_await(names, &one, &c.w, now_ns));
	names_forget(&b.w);
	names_forget(&b.w);
	assert_int_equal(a.done, 0);
	answer(0, DNS_NONE, 300);
	assert_int_equal(a.done, 1);
	assert_int_equal(b.done, 0);
	assert_int_equal(c.done, 1);
	assert_null(a.w.on);
	assert_false(names_await(names, &one, &a.w, now_ns));
	assert_null(a.w.on);
}

static void
test_again(void **state)
{
	struct waiting a = {.w.done = on_done};
	struct addr one = address(1);

	(void)state;
	names_await(names, &one, &a.w, now_ns);
	run();
	assert_int_equal(names_due(names), now_ns + NAMES_TRY_NS);
	for (unsigned int try = 2; try <= NAMES_TRIES; try++) {
		now_ns += NAMES_TRY_NS;
		run();
		assert_int_equal(server.n, try);
		assert_int_equal(a.done, 0);
	}
	now_ns += NAMES_TRY_NS;
	run();
	assert_int_equal(server.n, NAMES_TRIES);
	assert_int_equal(a.done, 1);
	assert_false(want(1)); /* for a while */
}

/* So many without an answer: all is given up, nobody waits, one is tried now
 * and then; when that has its answer all is as before. */
static void
test_dead(void **state)
{
	struct waiting late = {.w.done = on_done};
	struct addr many = address(NAMES_SILENT + 1);
	unsigned int n;

	(void)state;
	for (unsigned int i = 0; i < NAMES_SILENT; i++)
		want(i);
	run();
	now_ns += NAMES_TRY_NS - 1;
	names_await(names, &many, &late.w, now_ns);
	assert_int_equal(late.done, 0);
	now_ns++;
	run();
	assert_int_equal(late.done, 1);
	assert_int_equal(names_asking(names), 0);
	n = server.n;
	for (unsigned int i = 0; i < 1000; i++)
		assert_false(want(i));
	run();
	assert_int_equal(server.n, n);
	for (int i = 0; i < 3; i++) {
		now_ns += NAMES_TRIAL_NS;
		for (unsigned int k = 0; k < 10; k++)
			assert_false(want(k));
		run();
		assert_int_equal(server.n, ++n);
		now_ns += NAMES_TRY_NS;
		run();
	}
	now_ns += NAMES_TRIAL_NS;
	want(1);
	run();
	answer(n, DNS_FAILED, 0); /* it is there, that is enough */
	assert_true(want(2));
	assert_true(want(3));
}

/* Answers in between: it is slow with some, that is all. */
static void
test_not_dead(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < 3 * NAMES_SILENT; i++) {
		server.n = 0;
		want(2 * i);
		want(2 * i + 1);
		run();
		answer(0, DNS_NAME, 300);
		now_ns += NAMES_TRY_NS;
		run();
		assert_true(want(2 * i + 1));
	}
}

/* Another one is asked at once. */
static void
test_other_server(void **state)
{
	(void)state;
	server.other = "192.0.2.54";
	for (unsigned int i = 0; i < NAMES_SILENT; i++)
		want(i);
	run();
	now_ns += NAMES_TRY_NS;
	run();
	server.n = 0;
	want(1);
	run();
	assert_int_equal(server.n, 1);
	answer(0, DNS_NAME, 300);
	assert_true(want(2));
}

static void
test_no_server(void **state)
{
	(void)state;
	names_serve(names, NULL);
	assert_false(want(1));
	run();
	assert_int_equal(server.n, 0);
	names_serve(names, "192.0.2.55");
	assert_true(want(1));
	run();
	assert_int_equal(server.n, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_once),
	    TEST(test_lifetimes),
	    TEST(test_await),
	    TEST(test_bound),
	    TEST(test_in_flight),
	    TEST(test_rate),
	    TEST(test_stopped),
	    TEST(test_waiters),
	    TEST(test_again),
	    TEST(test_dead),
	    TEST(test_not_dead),
	    TEST(test_other_server),
	    TEST(test_no_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
