/*
 * pacer: the mean is the rate asked for, no 10 ms are crowded, and a stall is
 * made up for, but no more than 250 ms of it.  The loop is simulated: it wakes
 * when the pacer says, and somewhat late as real ones do.
 */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "prober/prober.h"

#define WINDOW_NS (10 * NS_PER_MS)

struct turn {
	int64_t ns;
	uint32_t sent;
};

struct sim {
	struct pacer p;
	int64_t t0_ns, now_ns, late_ns; /* late by at most that */
	uint64_t sent, seed;
	uint32_t pps;
	struct turn recent[1024]; /* turns of the last 10 ms */
	size_t head, n;
	uint64_t in_window, most_in_window;
	uint64_t in_ms, most_in_ms; /* of the last millisecond */
};

static uint32_t
next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*seed >> 33);
}

static void
sim_init(struct sim *s, uint32_t pps, int64_t late_ns)
{
	*s = (struct sim){.now_ns = 1000, .late_ns = late_ns, .pps = pps};
	s->seed = pps;
	pacer_init(&s->p, pps);
}

static void
count(struct sim *s, uint32_t n)
{
	while (s->n > 0 && s->recent[s->head].ns <= s->now_ns - WINDOW_NS) {
		s->in_window -= s->recent[s->head].sent;
		s->head = (s->head + 1) % LEN(s->recent);
		s->n--;
	}
	if (n == 0)
		return;
	assert_true(s->n < LEN(s->recent));
	s->recent[(s->head + s->n++) % LEN(s->recent)] =
	    (struct turn){s->now_ns, n};
	s->in_window += n;
	s->sent += n;
	s->in_ms = 0;
	for (size_t i = s->n; i-- > 0;) {
		const struct turn *t =
		    &s->recent[(s->head + i) % LEN(s->recent)];

		if (t->ns <= s->now_ns - NS_PER_MS)
			break;
		s->in_ms += t->sent;
	}
	if (s->in_ms > s->most_in_ms)
		s->most_in_ms = s->in_ms;
	if (s->in_window > s->most_in_window)
		s->most_in_window = s->in_window;
}

/* One wake-up: send all that may be sent, sleep until due and a bit. */
static void
turn(struct sim *s)
{
	uint32_t n = pacer_credits(&s->p, s->now_ns);
	int64_t due_ns;

	pacer_spend(&s->p, n);
	count(s, n);
	due_ns = pacer_due(&s->p, s->now_ns);
	assert_true(due_ns >= s->now_ns);
	s->now_ns = due_ns;
	if (s->late_ns > 0)
		s->now_ns += next(&s->seed) % (uint32_t)s->late_ns;
}

static void
run_until(struct sim *s, int64_t until_ns)
{
	unsigned int still = 0;
	int64_t before_ns;

	while (s->now_ns < until_ns) {
		before_ns = s->now_ns;
		turn(s);
		still = s->now_ns == before_ns ? still + 1 : 0;
		assert_true(still < 3); /* never spins */
	}
}

static void
assert_mean(const struct sim *s, int64_t ns)
{
	double share = (double)s->pps * (double)ns / 1e9;

	print_message(
	    "%u pps: %ju sent, %.0f due\n", s->pps, (uintmax_t)s->sent, share);
	assert_true((double)s->sent <= share * 1.001 + 1);
	assert_true((double)s->sent >= share * 0.999 - 1);
}

static const uint32_t rates[] = {1, 3, 7, 20, 130, 200, 999, 1000, 1001, 1500,
    1999, 2500, 9999, 10000, 100000, 400000};

/* Seconds in which at least 20,000 packets are due. */
static int64_t
long_enough_ns(uint32_t pps)
{
	return (pps < 2000 ? 20000 / pps : 10) * NS_PER_SEC;
}

/* Wake-ups come 0.1 ms late in the median here, 0.25 ms seldom. */
static void
mean_and_smoothness(void **state)
{
	struct sim s;
	double limit;

	(void)state;
	for (size_t i = 0; i < LEN(rates); i++) {
		sim_init(&s, rates[i], NS_PER_MS / 4);
		run_until(&s, long_enough_ns(rates[i]));
		assert_mean(&s, long_enough_ns(rates[i]));
		limit = 1.2 * rates[i] * WINDOW_NS / 1e9 + 1;
		assert_true((double)s.most_in_window <= limit);
		limit = 2.0 * rates[i] * NS_PER_MS / 1e9 + 1;
		assert_true((double)s.most_in_ms <= limit);
	}
}

/* A busy machine wakes us milliseconds late, every time: the mean stays.  What
 * is owed at any time is the same, so the first second is not counted. */
static void
mean_with_late_wakeups(void **state)
{
	struct sim s;

	(void)state;
	for (size_t i = 0; i < LEN(rates); i++) {
		sim_init(&s, rates[i], 6 * NS_PER_MS);
		run_until(&s, NS_PER_SEC);
		s.sent = 0;
		run_until(&s, s.now_ns + long_enough_ns(rates[i]));
		assert_mean(&s, long_enough_ns(rates[i]));
	}
}

/* Packets that arrive wake the loop too: a turn is no reason to send, also not
 * while there is something to make up for. */
static void
turns_by_other_reasons(void **state)
{
	struct sim s;
	uint32_t n;

	(void)state;
	for (size_t i = 0; i < LEN(rates); i++) {
		sim_init(&s, rates[i], 0);
		turn(&s);
		s.now_ns += 200 * NS_PER_MS;
		for (int k = 0; k < 100000; k++) {
			s.now_ns += 11 * NS_PER_US;
			n = pacer_credits(&s.p, s.now_ns);
			pacer_spend(&s.p, n);
			if (k == 0) /* what was kept during the stall */
				s.n = 0, s.in_window = 0, n = 0;
			count(&s, n);
		}
		assert_true((double)s.most_in_window <=
		    1.2 * rates[i] * WINDOW_NS / 1e9 + 1);
	}
}

/* Stalled for STALL_MS, then run for 10 s: how much was made up for? */
static void
stalls(void **state)
{
	static const struct {
		uint32_t pps;
		int64_t stall_ms, made_up_ms;
	} rows[] = {
	    {1000, 20, 20},
	    {1000, 200, 200},
	    {1000, 250, 250},
	    {1000, 400, 250},
	    {1000, 3000, 250},
	    {1000, 7200 * 1000, 250},
	    {100000, 200, 200},
	    {100000, 3000, 250},
	    {400000, 100, 100},
	    {400000, 60000, 250},
	    {4294967295u, 7200 * 1000, 250},
	};
	struct sim s;
	double due, most;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		print_message("row: %u pps, %jd ms\n", rows[i].pps,
		    (intmax_t)rows[i].stall_ms);
		sim_init(&s, rows[i].pps, NS_PER_MS / 4);
		run_until(&s, NS_PER_SEC);
		s.sent = s.n = s.in_window = s.most_in_window = 0;
		s.now_ns = NS_PER_SEC + rows[i].stall_ms * NS_PER_MS;
		run_until(&s, s.now_ns + 10 * NS_PER_SEC);
		due = rows[i].pps * (10 + (double)rows[i].made_up_ms / 1e3);
		print_message("%ju sent, %.0f due\n", (uintmax_t)s.sent, due);
		assert_true((double)s.sent <= due * 1.001 + 2);
		assert_true((double)s.sent >= due * 0.999 - 2);
		/* One turn's burst, and then smoothly. */
		most = 1.07 * rows[i].pps *
		    (double)(WINDOW_NS + PACER_BURST_NS + NS_PER_MS) / 1e9;
		assert_true((double)s.most_in_window <= most + 2);
	}
}

/* Nothing to send for a while is no stall. */
static void
idle_time_earns_nothing(void **state)
{
	struct pacer p;

	(void)state;
	for (size_t i = 0; i < LEN(rates); i++) {
		pacer_init(&p, rates[i]);
		for (int64_t ns = 1; ns < NS_PER_SEC; ns += NS_PER_MS) {
			pacer_credits(&p, ns);
			pacer_idle(&p);
		}
		/* The next packet may go at once, a second one may not. */
		assert_int_equal(pacer_credits(&p, NS_PER_SEC) >= 1, 1);
		pacer_init(&p, rates[i]);
		pacer_credits(&p, 1);
		pacer_credits(&p, NS_PER_SEC);
		pacer_idle(&p);
		assert_int_equal(pacer_credits(&p, NS_PER_SEC), 1);
	}
}

/* Tasks are admitted for credits: in a turn that comes too early for one there
 * is none that is ready, and this must not count as idle. */
static void
early_turns_are_not_idle(void **state)
{
	struct sim s;
	uint32_t n;

	(void)state;
	sim_init(&s, 10000, 0);
	run_until(&s, NS_PER_SEC);
	s.sent = 0;
	s.t0_ns = s.now_ns;
	s.now_ns += 200 * NS_PER_MS;
	while (s.now_ns < s.t0_ns + 6 * NS_PER_SEC) {
		s.now_ns += 11 * NS_PER_US;
		n = pacer_credits(&s.p, s.now_ns);
		if (n == 0)
			pacer_idle(&s.p);
		pacer_spend(&s.p, n);
		s.sent += n;
	}
	/* At the start up to a slice's share, 18, was due already. */
	assert_in_range(s.sent, 59950, 60020);
}

/* What may be sent but is not, because sockets are full, is not lost. */
static void
unspent_credits_stay(void **state)
{
	struct sim s;
	uint32_t n;

	(void)state;
	sim_init(&s, 10000, 0);
	run_until(&s, NS_PER_SEC);
	s.sent = 0;
	for (int i = 0; i < 100; i++) { /* 100 ms with half of it refused */
		s.now_ns += NS_PER_MS;
		n = pacer_credits(&s.p, s.now_ns) / 2;
		pacer_spend(&s.p, n);
		s.sent += n;
	}
	assert_in_range(s.sent, 300, 700);
	run_until(&s, 6 * NS_PER_SEC);
	assert_in_range(s.sent, 49900, 50100);
}

static void
no_limit(void **state)
{
	struct pacer p;

	(void)state;
	pacer_init(&p, 0);
	for (int64_t ns = 1; ns < 1000; ns++) {
		assert_true(pacer_credits(&p, ns) == UINT32_MAX);
		pacer_spend(&p, UINT32_MAX);
		pacer_idle(&p);
		assert_int_equal(pacer_due(&p, ns), ns);
	}
}

/* "One wake-up sends a millisecond's share", and no packet twice woken for. */
static void
wakeups(void **state)
{
	struct sim s;
	unsigned int turns;

	(void)state;
	for (size_t i = 0; i < LEN(rates); i++) {
		sim_init(&s, rates[i], 0);
		for (turns = 0; s.now_ns < 2 * NS_PER_SEC; turns++)
			turn(&s);
		print_message("%u pps: %u turns in 2 s\n", rates[i], turns);
		assert_true(turns <= 2002 && turns <= 2 * rates[i] + 2);
		assert_true(rates[i] < PACER_LONG_PPS || turns <= 1150);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mean_and_smoothness),
	    cmocka_unit_test(mean_with_late_wakeups),
	    cmocka_unit_test(turns_by_other_reasons),
	    cmocka_unit_test(stalls),
	    cmocka_unit_test(idle_time_earns_nothing),
	    cmocka_unit_test(early_turns_are_not_idle),
	    cmocka_unit_test(unspent_credits_stay),
	    cmocka_unit_test(no_limit),
	    cmocka_unit_test(wakeups),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
