/*
 * pacer: the mean is the rate asked for, no millisecond and no 10 ms are
 * crowded whatever happens, and a stall is made up for, slowly, but no more than
 * a second of it.  The loop is simulated: it wakes when the pacer says, and
 * somewhat late or early as real ones do.
 */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "prober/pacer.h"

#define PIECES 4096 /* of batches in 10 ms, at most */

/* Of a batch, what left at the same time. */
struct piece {
	int64_t ns;
	uint32_t sent;
};

/* The pieces of so much time up to now. */
struct last {
	int64_t width_ns;
	size_t tail;
	uint64_t sum;
};

/* What may happen to a turn. */
struct mishaps {
	const char *name;
	int64_t late_ns; /* at most, each time */
	int64_t very_late_ns; /* at most, once in `seldom' */
	int64_t batch_ns; /* that a batch takes */
	int64_t held_ns; /* at most, in one batch of `seldom' */
	uint32_t seldom; /* 0: never */
	int early; /* woken for other reasons as well */
	int starved; /* now and then there is less to send */
};

struct sim {
	struct pacer p;
	struct mishaps m;
	int64_t now_ns;
	uint64_t sent, seed, turns;
	uint32_t pps;
	uint32_t batch; /* packets between two looks at the clock */
	struct piece recent[PIECES]; /* the latest is [(head - 1) % PIECES] */
	size_t head;
	struct last last_ms, last_ten;
	double worst_ms, worst_ten; /* of what is allowed */
	int64_t began_ns; /* when the last turn that sent did */
	int64_t closest_ns; /* of two such turns */
};

static uint32_t
upto(struct sim *s, int64_t most)
{
	s->seed = s->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return most > 0 ? (uint32_t)((s->seed >> 33) % (uint64_t)(most + 1))
			: 0;
}

static void
sim_init(struct sim *s, uint32_t pps, int64_t late_ns)
{
	*s = (struct sim){.now_ns = 1000, .pps = pps, .seed = pps};
	s->last_ms.width_ns = NS_PER_MS;
	s->last_ten.width_ns = 10 * NS_PER_MS;
	s->batch = 32 + pps / 50000;
	s->m.late_ns = late_ns;
	s->closest_ns = INT64_MAX;
	pacer_init(&s->p, pps);
}

/* What was sent in the time of W up to now. */
static double
in_last(const struct sim *s, struct last *w)
{
	assert_true(s->head - w->tail < PIECES);
	for (w->sum += s->recent[(s->head - 1) % PIECES].sent;
	     s->recent[w->tail % PIECES].ns <= s->now_ns - w->width_ns;
	     w->tail++)
		w->sum -= s->recent[w->tail % PIECES].sent;
	return (double)w->sum;
}

static double
larger(double a, double b)
{
	return a > b ? a : b;
}

/* N packets leave now. */
static void
count(struct sim *s, uint32_t n)
{
	double ms = s->pps / 1e3, ten = s->pps / 1e2;

	if (n == 0)
		return;
	s->recent[s->head++ % PIECES] = (struct piece){s->now_ns, n};
	s->sent += n;
	s->worst_ms =
	    larger(s->worst_ms, in_last(s, &s->last_ms) / larger(2 * ms, 2));
	ten = larger(1.2 * ten, (double)(s->pps + 99) / 100 + 1);
	s->worst_ten = larger(s->worst_ten, in_last(s, &s->last_ten) / ten);
}

/* The rules that hold whatever happens. */
static void
assert_even(const struct sim *s)
{
	assert_true(s->worst_ms <= 1);
	assert_true(s->worst_ten <= 1);
	if (s->pps <= PACER_SLOT_PPS)
		assert_true(s->closest_ns >= NS_PER_SEC / 2 / s->pps);
}

/* N packets in batches.  Of each a part leaves at once and the others when it is
 * at its end, however long that takes. */
static void
send(struct sim *s, uint32_t n)
{
	uint32_t k, early, room;

	for (; n > 0; n -= k) {
		room = pacer_room(&s->p, s->now_ns);
		k = n < s->batch ? n : s->batch;
		k = k < room ? k : room;
		if (k == 0)
			return;
		early = upto(s, k);
		count(s, early);
		s->now_ns += s->m.batch_ns;
		if (s->m.seldom != 0 && upto(s, s->m.seldom) == 0)
			s->now_ns += upto(s, s->m.held_ns);
		count(s, k - early);
		pacer_spend(&s->p, k, s->now_ns);
	}
}

/* One wake-up: send all that may be sent, sleep until due and a bit. */
static void
turn(struct sim *s)
{
	uint32_t n = pacer_credits(&s->p, s->now_ns);
	int64_t due_ns;

	s->turns++;
	if (s->m.starved && upto(s, 99) == 0) {
		n /= 2;
		pacer_idle(&s->p);
	}
	if (n > 0 && s->began_ns != 0 &&
	    s->now_ns - s->began_ns < s->closest_ns)
		s->closest_ns = s->now_ns - s->began_ns;
	if (n > 0)
		s->began_ns = s->now_ns;
	send(s, n);
	due_ns = pacer_due(&s->p, s->now_ns);
	assert_true(due_ns >= s->now_ns);
	s->now_ns = due_ns + upto(s, s->m.late_ns);
	if (s->m.seldom != 0 && upto(s, s->m.seldom) == 0)
		s->now_ns += upto(s, s->m.very_late_ns);
	if (s->m.early && upto(s, 3) == 0)
		s->now_ns -= upto(s, s->now_ns - s->p.last_ns);
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
		assert_true(still < 3 || s->m.early); /* never spins */
	}
}

/* Since S was BEFORE, what fell due was sent or is owed still. */
static void
assert_mean(const struct sim *s, const struct sim *before)
{
	double due =
	    (double)s->pps * (double)(s->p.last_ns - before->p.last_ns) / 1e9;
	double owed = ((double)s->p.acc - (double)before->p.acc) / 1e9;
	double sent = (double)(s->sent - before->sent);

	print_message("%u pps: %.0f sent, %.1f owed, %.0f due\n", s->pps, sent,
	    owed, due);
	assert_true(sent + owed <= due * 1.00001 + 2);
	assert_true(sent + owed >= due * 0.99999 - 2);
}

static const uint32_t rates[] = {1, 3, 7, 20, 60, 100, 130, 200, 999, 1000,
    1001, 1500, 1999, 2000, 2001, 2500, 3001, 4000, 4999, 5000, 7000, 9999,
    10000, 50000, 100000, 400000};

/* Seconds in which at least 20,000 packets are due. */
static int64_t
long_enough_ns(uint32_t pps)
{
	return (pps < 2000 ? 20000 / pps : 10) * NS_PER_SEC;
}

static const struct mishaps mishaps[] = {
    {"none", .late_ns = 0},
    {"quiet machine", .late_ns = 80 * NS_PER_US},
    {"late each time", .late_ns = NS_PER_MS / 4},
    {"late and early", .late_ns = NS_PER_MS / 4, .early = 1},
    {"seldom very late", .late_ns = NS_PER_MS / 10,
	.very_late_ns = 8 * NS_PER_MS, .seldom = 1000},
    {"seldom very late, early", .late_ns = NS_PER_MS / 10, .early = 1,
	.very_late_ns = 50 * NS_PER_MS, .seldom = 8000},
    {"batches take time", .late_ns = NS_PER_MS / 10,
	.batch_ns = 45 * NS_PER_US},
    {"seldom held up in a turn", .late_ns = NS_PER_MS / 10,
	.batch_ns = 20 * NS_PER_US, .held_ns = 4 * NS_PER_MS, .seldom = 1000},
};

/* The mean, where the mishaps allow it, and evenness. */
static void
mean_and_evenness(void **state)
{
	struct sim s, before;

	(void)state;
	for (size_t i = 0; i < LEN(rates) * LEN(mishaps); i++) {
		const struct mishaps *m = &mishaps[i / LEN(rates)];

		print_message("%s: ", m->name);
		sim_init(&s, rates[i % LEN(rates)], 0);
		s.m = *m;
		run_until(&s, long_enough_ns(s.pps));
		before = s;
		run_until(&s, 2 * long_enough_ns(s.pps));
		assert_mean(&s, &before);
		assert_true(s.p.acc < (s.pps / 10 + 2) * 1000000000ULL);
		assert_even(&s);
	}
}

/* Whatever happens, as long as it does not last for good. */
static void
evenness_always(void **state)
{
	struct sim s;

	(void)state;
	for (size_t i = 0; i < LEN(rates) * 32; i++) {
		sim_init(&s, rates[i % LEN(rates)], 0);
		s.seed += i;
		s.m.late_ns = upto(&s, 1) * upto(&s, 8) * NS_PER_MS;
		s.m.very_late_ns = upto(&s, 50 * NS_PER_MS);
		s.m.held_ns = upto(&s, 1) * upto(&s, 8) * NS_PER_MS;
		s.m.batch_ns = upto(&s, 1) * upto(&s, 60) * NS_PER_US;
		s.m.seldom = upto(&s, 1) * upto(&s, 50);
		s.m.early = upto(&s, 1) != 0;
		s.m.starved = upto(&s, 1) != 0;
		print_message("%u pps, late %jd, very %jd in %u, held %jd, "
			      "early %d, starved %d\n",
		    s.pps, (intmax_t)s.m.late_ns, (intmax_t)s.m.very_late_ns,
		    s.m.seldom, (intmax_t)s.m.held_ns, s.m.early, s.m.starved);
		run_until(&s, 29 * NS_PER_SEC / 10);
		assert_even(&s);
	}
}

/* A busy machine wakes us milliseconds late, every time: the mean comes all the
 * same, after some seconds of being thought a passing stall. */
static void
mean_with_late_wakeups(void **state)
{
	struct sim s;

	(void)state;
	for (size_t i = 0; i < LEN(rates); i++) {
		sim_init(&s, rates[i], 6 * NS_PER_MS);
		run_until(&s, 20 * NS_PER_SEC);
		s.sent = 0;
		run_until(&s, s.now_ns + 60 * NS_PER_SEC);
		print_message(
		    "stretch %jd us: ", (intmax_t)(s.p.stretch_ns / NS_PER_US));
		assert_true((double)s.sent >= 0.99 * 60 * s.pps - 2);
		assert_true((double)s.sent <= 1.01 * 60 * s.pps + 2);
		/* And the machine gets quiet: soon it is even again. */
		s.m.late_ns = NS_PER_MS / 10;
		run_until(&s, s.now_ns + 60 * NS_PER_SEC);
		s.worst_ms = s.worst_ten = 0;
		s.closest_ns = INT64_MAX;
		run_until(&s, s.now_ns + 10 * NS_PER_SEC);
		assert_even(&s);
	}
}

/* Stalled for STALL_MS: how much of it is made up for, and within ten times as
 * long? */
static void
stalls(void **state)
{
	static const struct {
		uint32_t pps;
		int64_t stall_ms, made_up_ms;
	} rows[] = {
	    {200, 300, 300},
	    {1000, 20, 20},
	    {1000, 200, 200},
	    {1000, 1000, 1000},
	    {1000, 1100, 1000},
	    {1000, 3000, 1000},
	    {1000, 7200 * 1000, 1000},
	    {1500, 200, 200},
	    {2500, 200, 200},
	    {3400, 200, 200},
	    {5000, 200, 200},
	    {10000, 30, 30},
	    {10000, 500, 500},
	    {100000, 200, 200},
	    {100000, 3000, 1000},
	    {400000, 100, 100},
	    {400000, 60000, 1000},
	    {4294967295u, 7200 * 1000, 1000},
	};
	struct sim s;
	double due, more;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		print_message("row: %u pps, %jd ms\n", rows[i].pps,
		    (intmax_t)rows[i].stall_ms);
		sim_init(&s, rows[i].pps, NS_PER_MS / 10);
		run_until(&s, NS_PER_SEC);
		s.sent = 0;
		s.now_ns = NS_PER_SEC + rows[i].stall_ms * NS_PER_MS;
		run_until(&s, s.now_ns + 10 * rows[i].made_up_ms * NS_PER_MS);
		more = (double)rows[i].made_up_ms / 1e3;
		due = 11.0 * rows[i].pps * more;
		print_message("%ju sent, %.0f due\n", (uintmax_t)s.sent, due);
		/* What a turn sends may be owed at either end. */
		more = rows[i].pps / 400.0 + 2;
		assert_true((double)s.sent <= due * 1.00001 + more);
		assert_true((double)s.sent >= due * 0.99999 - more);
		assert_even(&s);
	}
}

/* Unused time earns a slice and no more. */
static void
idle_time_earns_nothing(void **state)
{
	struct sim s, before;

	(void)state;
	for (size_t i = 0; i < LEN(rates); i++) {
		sim_init(&s, rates[i], 0);
		for (int64_t ns = 1; ns < 10 * NS_PER_SEC; ns += NS_PER_SEC) {
			pacer_credits(&s.p, ns);
			pacer_idle(&s.p);
		}
		/* The next packet may go at once. */
		assert_true(pacer_credits(&s.p, 10 * NS_PER_SEC) >= 1);
		pacer_idle(&s.p);
		assert_true(
		    pacer_due(&s.p, 10 * NS_PER_SEC) == 10 * NS_PER_SEC);
		s.now_ns = 10 * NS_PER_SEC;
		before = s;
		run_until(&s, s.now_ns + long_enough_ns(s.pps));
		assert_mean(&s, &before);
		assert_even(&s);
	}
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
		pacer_spend(&s.p, n, s.now_ns);
		s.sent += n;
	}
	assert_in_range(s.sent, 300, 1000 + 20); /* what was due, a turn */
	run_until(&s, 11 * NS_PER_SEC);
	assert_in_range(s.sent, 99900, 100100);
}

/* A device that takes nothing is not made up for by larger bursts. */
static void
refused_for_long(void **state)
{
	struct sim s;

	(void)state;
	for (size_t i = 0; i < LEN(rates); i++) {
		sim_init(&s, rates[i], NS_PER_MS / 10);
		for (int k = 0; k < 20000; k++, s.now_ns += NS_PER_MS) {
			pacer_credits(&s.p, s.now_ns);
			pacer_refused(&s.p);
		}
		run_until(&s, s.now_ns + 2 * NS_PER_SEC);
		assert_even(&s);
	}
}

static void
no_limit(void **state)
{
	struct pacer p;

	(void)state;
	pacer_init(&p, 0);
	for (int64_t ns = 1; ns < 1000; ns++) {
		assert_true(pacer_credits(&p, ns) == UINT32_MAX);
		pacer_spend(&p, UINT32_MAX, ns);
		assert_int_equal(pacer_due(&p, ns), ns);
	}
}

/* No packet is woken for twice, and a slice is as long as it may be. */
static void
wakeups(void **state)
{
	struct sim s;

	(void)state;
	for (size_t i = 0; i < LEN(rates); i++) {
		sim_init(&s, rates[i], 80 * NS_PER_US);
		run_until(&s, 2 * NS_PER_SEC);
		print_message(
		    "%u pps: %ju turns in 2 s\n", rates[i], (uintmax_t)s.turns);
		assert_true(s.turns <= 2 * rates[i] + 2);
		assert_true(rates[i] <= PACER_SLOT_PPS || s.turns <= 1260);
		assert_true(rates[i] < 9999 || s.turns <= 1120);
	}
}

/* Losses: slower by a quarter; then back. */
static void
slower_and_back(void **state)
{
	struct pacer p;

	(void)state;
	for (size_t i = 0; i < LEN(rates); i++) {
		pacer_init(&p, rates[i]);
		for (int k = 0; k < 3; k++)
			pacer_slow(&p);
		assert_true(p.pps >= 1);
		assert_true((double)p.pps <= rates[i] * 0.43 || p.pps == 1);
		for (int k = 0; k < 100; k++)
			pacer_recover(&p);
		assert_int_equal(p.pps, rates[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mean_and_evenness),
	    cmocka_unit_test(evenness_always),
	    cmocka_unit_test(mean_with_late_wakeups),
	    cmocka_unit_test(stalls),
	    cmocka_unit_test(idle_time_earns_nothing),
	    cmocka_unit_test(unspent_credits_stay),
	    cmocka_unit_test(refused_for_long),
	    cmocka_unit_test(no_limit),
	    cmocka_unit_test(wakeups),
	    cmocka_unit_test(slower_and_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
