/*
 * polite: budgets hold in every second and are used up; who waits goes in
 * turn, and slows nobody else; limits are lowered and never raised; a dead
 * man's and a broken file are told from a good one.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "prober/polite.h"
#include "prober/prober.h"
#include "tests/unit/addr_of.h"
#include "tests/unit/tmpdir.h"

#define WALL_NS (1700000000 * NS_PER_SEC)

static const struct technique fake = {.name = "fake", .state_size = 8};

const struct technique *const technique_table[] = {&fake, NULL};

void
technique_unref(struct measurement *m)
{
	(void)m;
}

static char dir[128];

static struct polite *
make(uint32_t address_pps, uint32_t prefix_pps)
{
	struct polite_config cfg = {.rates = {.pps = 1000,
					.address_pps = address_pps,
					.prefix_pps = prefix_pps},
	    .prefix_len = {24, 48}};
	struct polite *p = polite_new(&cfg, WALL_NS);

	assert_non_null(p);
	return p;
}

/* --- budgets ----------------------------------------------------------------- */

/* Ask for A each STEP for a second: how often it may be sent to. */
static int
in_a_second(struct polite *p, const char *a, int64_t from_ns, int64_t step_ns)
{
	struct addr dst = addr_of(a);
	int n = 0;

	for (int64_t t = from_ns; t < from_ns + NS_PER_SEC; t += step_ns)
		n += polite_claim(p, &dst, t) == 0;
	return n;
}

static void
rates(void **state)
{
	static const struct {
		const char *name;
		uint32_t address_pps, prefix_pps;
		int64_t step_ns;
		int least, most;
	} rows[] = {
	    {"one a second", 1, 0, NS_PER_MS, 1, 2},
	    {"by address", 10, 0, NS_PER_MS, 10, 11},
	    {"by prefix", 0, 10, NS_PER_MS, 10, 11},
	    {"the lower counts", 10, 50, NS_PER_MS, 10, 11},
	    {"the lower counts, too", 50, 10, NS_PER_MS, 10, 11},
	    {"late wake-ups are made good", 100, 0, 7 * NS_PER_MS, 95, 102},
	    {"many at a time", 5000, 0, NS_PER_MS / 20, 5000, 5052},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct polite *p =
		    make(rows[i].address_pps, rows[i].prefix_pps);

		row_is(rows[i].name);
		for (int64_t s = 1; s < 4; s++)
			assert_in_range(in_a_second(p, "192.0.2.1",
					    s * NS_PER_SEC, rows[i].step_ns),
			    rows[i].least, rows[i].most);
		polite_free(p);
	}
}

/* Two of one prefix share a budget, two of different ones do not. */
static void
prefixes(void **state)
{
	static const struct {
		const char *a, *b;
		int shared;
	} rows[] = {
	    {"192.0.2.1", "192.0.2.255", 1},
	    {"192.0.2.1", "192.0.3.1", 0},
	    {"2001:db8::1", "2001:db8:0:ffff::1", 1},
	    {"2001:db8::1", "2001:db8:1::1", 0},
	    {"32.1.13.184", "2001:db8::", 0},
	};

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct polite *p = make(0, 10);
		struct addr a = addr_of(rows[i].a), b = addr_of(rows[i].b);

		row_is(rows[i].b);
		assert_int_equal(polite_claim(p, &a, NS_PER_SEC), 0);
		assert_int_equal(
		    polite_claim(p, &b, NS_PER_SEC) != 0, rows[i].shared);
		polite_free(p);
	}
}

static void
unused_costs_nothing(void **state)
{
	struct polite *p = make(0, 0);
	struct addr a = addr_of("192.0.2.1");

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_int_equal(polite_claim(p, &a, 5), 0);
	assert_int_equal(polite_admit(p, &a, 5), 0);
	assert_int_equal(polite_due(p), INT64_MAX);
	assert_null(polite_stopped(NULL));
	assert_int_equal(polite_due(NULL), INT64_MAX);
	polite_free(p);
}

/* Those of a million addresses that are over are forgotten, those that are not
 * are kept. */
static void
many_addresses(void **state)
{
	struct polite *p = make(1, 0);
	struct addr kept = addr_of("192.0.2.1"), a = addr_of("10.0.0.0");
	int64_t now_ns = NS_PER_SEC;

	(void)state;
	for (uint32_t i = 0; i < 1000000; i++) {
		if (i % 100000 == 0)
			assert_int_equal(polite_claim(p, &kept, now_ns), 0);
		memcpy(a.b + 1, &i, 3);
		assert_int_equal(polite_claim(p, &a, now_ns), 0);
		assert_true(polite_claim(p, &a, now_ns) > now_ns);
		assert_true(i % 100000 >= 90000 ||
		    polite_claim(p, &kept, now_ns) > now_ns);
		now_ns += NS_PER_SEC / 100000;
	}
	polite_free(p);
}

/* --- tasks --------------------------------------------------------------------- */

static struct task *
add_task(struct window *w, const char *address)
{
	static struct measurement m = {.tech = &fake};
	struct command c = {.dst = addr_of(address), .m = &m};
	struct task *t = window_add(w, &c, NULL);

	probe_send(t);
	return t;
}

/* Those of a crowded prefix wait for each other in their order; another one is
 * behind them in the list and does not wait; one that a reply took is not
 * woken. */
static void
tasks_wait_in_turn(void **state)
{
	struct task *t[4], *other, *got;
	struct window w;
	char text[32];

	(void)state;
	window_init(&w, 0);
	w.polite = make(0, 10);
	w.now_ns = NS_PER_SEC;
	for (int i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "192.0.2.%d", i);
		t[i] = add_task(&w, text);
	}
	other = add_task(&w, "198.51.100.1");
	assert_ptr_equal(polite_take(&w), t[0]);
	assert_ptr_equal(polite_take(&w), other);
	assert_null(polite_take(&w));
	t[0]->where = other->where = TASK_IDLE;
	assert_int_equal(t[1]->where, TASK_POLITE);
	probe_done(t[2]);
	for (int i = 1; i < 4; i++) {
		w.now_ns = polite_due(w.polite);
		assert_in_range(w.now_ns, NS_PER_SEC + i * 90 * NS_PER_MS,
		    NS_PER_SEC + i * 100 * NS_PER_MS);
		polite_wake(w.polite, w.now_ns);
		got = polite_take(&w);
		if (i == 2)
			assert_null(got);
		else
			assert_ptr_equal(got, t[i]);
	}
	assert_int_equal(polite_due(w.polite), INT64_MAX);
	assert_int_equal(t[2]->where, TASK_DONE);
	polite_free(w.polite);
	window_clear(&w);
}

/* With a second's worth waiting the next commands are held, one after the
 * other; those of other prefixes are not. */
static void
commands_are_held(void **state)
{
	struct addr a = addr_of("192.0.2.1"), b = addr_of("198.51.100.1");
	struct polite *p = make(0, 10);
	int64_t now_ns = NS_PER_SEC, due_ns, last_ns = 0;
	int n = 0;

	(void)state;
	while (polite_admit(p, &a, now_ns) == 0) {
		polite_claim(p, &a, now_ns);
		assert_true(++n < 20);
	}
	assert_in_range(n, 10, 14);
	for (int i = 0; i < 100; i++) {
		due_ns = polite_admit(p, &a, now_ns);
		assert_true(due_ns >= last_ns + NS_PER_SEC / 10);
		last_ns = due_ns;
	}
	assert_true(last_ns < now_ns + 12 * NS_PER_SEC);
	assert_int_equal(polite_admit(p, &b, now_ns), 0);
	assert_int_equal(polite_admit(p, &a, now_ns + 2 * NS_PER_SEC), 0);
	polite_free(p);
}

/* --- limits ---------------------------------------------------------------------- */

/* The file of limits becomes TEXT, as of AGE_S before WALL_NS. */
static const char *
write_limits(const char *text, int64_t age_s)
{
	static char path[200];
	struct timespec times[2] = {
	    {.tv_nsec = UTIME_OMIT}, {.tv_sec = WALL_NS / NS_PER_SEC - age_s}};
	FILE *f;

	snprintf(path, sizeof(path), "%s/limits", dir);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
	return path;
}

static void
limits_only_lower(void **state)
{
	static const struct {
		const char *name;
		uint32_t asked, said, want;
	} rows[] = {
	    {"lower", 100, 50, 50},
	    {"not higher", 100, 200, 100},
	    {"no limit asked", 0, 200, 200},
	};
	struct polite_config cfg = {.prefix_len = {24, 48}};
	struct polite *p;
	char text[64];

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].name);
		snprintf(text, sizeof(text), "rate %u\n", rows[i].said);
		cfg.rates.pps = rows[i].asked;
		cfg.limits = write_limits(text, 0);
		p = polite_new(&cfg, WALL_NS);
		assert_non_null(p);
		assert_int_equal(polite_pps(p), rows[i].want);
		write_limits("# nothing is said any more\n", 1);
		assert_true(polite_look(p, WALL_NS));
		assert_int_equal(polite_pps(p), rows[i].asked);
		polite_free(p);
	}
}

static void
bad_limits(void **state)
{
	static const char *const rows[] = {"rate x\n", "rate -1\n", "rate\n",
	    "rate 5 6\n", "rate 5\nrate 6\n", "probing now\n", "until x\n",
	    "stop\n", "dead-man 0\n", "dead-man soon\n",
	    "do-not-probe 10.0.0.1/8\n", "do-not-probe x\n",
	    "prefix-rate 1.5\n", "other 5\n", "rate 100000000\n"};
	struct addr a = addr_of("192.0.2.1"), b = addr_of("10.0.0.1");
	struct polite_config cfg = {.rates.pps = 100, .prefix_len = {24, 48}};
	struct polite *p;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i]);
		cfg.limits = write_limits(rows[i], 0);
		assert_null(polite_new(&cfg, WALL_NS));
		write_limits("rate 7\ndo-not-probe 192.0.2.0/24\n", 1);
		p = polite_new(&cfg, WALL_NS);
		assert_non_null(p);
		write_limits(rows[i], 2);
		assert_false(polite_look(p, WALL_NS));
		assert_int_equal(polite_pps(p), 7);
		assert_true(polite_refuses(p, &a));
		assert_false(polite_refuses(p, &b));
		polite_free(p);
	}
}

static void
dead_man(void **state)
{
	static const struct {
		const char *name, *text;
		int64_t age_s;
		int stops;
	} rows[] = {
	    {"fresh", "dead-man 1h\n", 3599, 0},
	    {"old", "dead-man 1h\n", 3601, 1},
	    {"of a little in the future", "dead-man 1h\n", -3599, 0},
	    {"of far in the future", "dead-man 1h\n", -3601, 1},
	    {"not asked for", "rate 5\n", 1000000, 0},
	};
	struct polite_config cfg = {.rates.pps = 100, .prefix_len = {24, 48}};
	struct polite *p;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].name);
		cfg.limits = write_limits(rows[i].text, rows[i].age_s);
		p = polite_new(&cfg, WALL_NS);
		assert_non_null(p);
		assert_int_equal(polite_stopped(p) != NULL, rows[i].stops);
		/* Garbage does not keep it alive, a good file does. */
		write_limits("garbage\n", 0);
		polite_look(p, WALL_NS);
		assert_int_equal(polite_stopped(p) != NULL, rows[i].stops);
		write_limits(rows[i].text, 1);
		polite_look(p, WALL_NS);
		assert_null(polite_stopped(p));
		polite_free(p);
	}
	/* The shorter one counts, and the command line's is not lengthened. */
	cfg.rates.dead_man_ns = 60 * NS_PER_SEC;
	cfg.limits = write_limits("dead-man 1h\n", 61);
	p = polite_new(&cfg, WALL_NS);
	assert_non_null(polite_stopped(p));
	polite_free(p);
}

static void
stop(void **state)
{
	struct polite_config cfg = {.rates.pps = 100, .prefix_len = {24, 48}};
	struct polite *p;
	char path[200];
	FILE *f;

	(void)state;
	snprintf(path, sizeof(path), "%s/stop", dir);
	cfg.limits = write_limits("probing stop\n", 0);
	cfg.stop_file = path;
	p = polite_new(&cfg, WALL_NS);
	assert_string_equal(polite_stopped(p), "the limits say stop");
	write_limits("probing go\nuntil 1700000001\n", 1);
	assert_true(polite_look(p, WALL_NS));
	assert_null(polite_stopped(p));
	assert_true(polite_look(p, WALL_NS + NS_PER_SEC));
	assert_string_equal(
	    polite_stopped(p), "the time that the limits allow is over");
	write_limits("until 0\nrate 0\n", 2);
	assert_true(polite_look(p, WALL_NS));
	assert_null(polite_stopped(p));
	assert_int_equal(polite_pps(p), 100);
	f = fopen(path, "w");
	fclose(f);
	assert_true(polite_look(p, WALL_NS));
	assert_string_equal(polite_stopped(p), "the stop file is there");
	assert_false(polite_look(p, WALL_NS));
	remove(path);
	assert_true(polite_look(p, WALL_NS));
	assert_null(polite_stopped(p));
	polite_free(p);
}

/* The floor is added to the limits' own prefixes, and a bad one changes
 * nothing. */
static void
floor_file(void **state)
{
	struct addr a = addr_of("192.0.2.1"), b = addr_of("10.0.0.1");
	struct polite_config cfg = {.rates.pps = 100, .prefix_len = {24, 48}};
	struct polite *p;

	(void)state;
	cfg.floor = write_limits("192.0.2.0/24x\n", 0);
	assert_null(polite_new(&cfg, WALL_NS));
	write_limits("192.0.2.0/24\n", 0);
	p = polite_new(&cfg, WALL_NS);
	assert_true(polite_refuses(p, &a));
	assert_false(polite_refuses(p, &b));
	write_limits("10.0.0.0/8\ngarbage\n", 1);
	assert_false(polite_look(p, WALL_NS));
	assert_true(polite_refuses(p, &a));
	write_limits("10.0.0.0/8\n", 2);
	assert_true(polite_look(p, WALL_NS));
	assert_true(polite_refuses(p, &b));
	polite_free(p);
}

static int failures;

static void
note_failure(struct task *t, int err)
{
	assert_int_equal(err, EACCES);
	failures++;
	probe_done(t);
}

/* A task that was admitted before its prefix came to the floor sends no more;
 * others go on. */
static void
floor_ends_tasks(void **state)
{
	static const struct technique noting = {
	    .name = "noting", .state_size = 8, .failed = note_failure};
	struct measurement m = {.tech = &noting};
	struct polite_config cfg = {.rates.pps = 100, .prefix_len = {24, 48}};
	struct window w;
	struct task *in, *out;

	(void)state;
	window_init(&w, 0);
	cfg.floor = write_limits("10.0.0.0/8\n", 0);
	w.polite = polite_new(&cfg, WALL_NS);
	w.now_ns = NS_PER_SEC;
	in = add_task(&w, "192.0.2.1");
	out = add_task(&w, "198.51.100.1");
	in->m = out->m = &m;
	assert_ptr_equal(polite_take(&w), in);
	probe_send(in);
	write_limits("192.0.2.0/24\n", 1);
	assert_true(polite_look(w.polite, WALL_NS));
	assert_ptr_equal(polite_take(&w), out);
	assert_null(polite_take(&w));
	assert_int_equal(failures, 1);
	assert_int_equal(in->where, TASK_DONE);
	polite_free(w.polite);
	window_clear(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(floor_ends_tasks),
	    cmocka_unit_test(rates),
	    cmocka_unit_test(prefixes),
	    cmocka_unit_test(unused_costs_nothing),
	    cmocka_unit_test(many_addresses),
	    cmocka_unit_test(tasks_wait_in_turn),
	    cmocka_unit_test(commands_are_held),
	    cmocka_unit_test(limits_only_lower),
	    cmocka_unit_test(bad_limits),
	    cmocka_unit_test(dead_man),
	    cmocka_unit_test(stop),
	    cmocka_unit_test(floor_file),
	};
	int rc;

	if (tmpdir_make(dir, sizeof(dir)) == -1)
		return 1;
	rc = cmocka_run_group_tests(tests, NULL, NULL);
	tmpdir_remove(dir);
	return rc;
}
