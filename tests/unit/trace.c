/*
 * trace: what is probed and when it stops: a table of paths with the record
 * that each must give, over both families and all methods.
 */
#include "tests/unit/trace_sim.h"

enum { ANY, V4 = 1, V6 = 2, OVER_UDP = 4, OVER_ICMP = 8 };

#define COMPLETED WARTS_STOP_COMPLETED
#define UNREACH WARTS_STOP_UNREACH
#define OTHER WARTS_STOP_ICMP
#define LOOP WARTS_STOP_LOOP
#define GAP WARTS_STOP_GAPLIMIT
#define HOPLIMIT WARTS_STOP_HOPLIMIT

static const struct {
	const char *options, *path;
	int only; /* in which families, over which methods */
	int stop, data;
	unsigned int hop_count, probe_count;
	const char *hops, *lastditch; /* lastditch NULL: no such section */
} rows[] = {
    /* the target */
    {"", "1 2 3 D", ANY, COMPLETED, 0, 4, 4, "1.0=1 2.0=2 3.0=3 4.0=D", 0},
    {"", "D", ANY, COMPLETED, 0, 1, 1, "1.0=D", 0},
    {"", "1 D!t D", ANY, COMPLETED, 0, 2, 2, "1.0=1 2.0=D", 0},
    {"-T", "1 D!t D!t D", ANY, COMPLETED, 0, 4, 4, "1.0=1 2.0=D 3.0=D 4.0=D",
	0},
    {"", "1 D!r", OVER_UDP, COMPLETED, 0, 2, 2, "1.0=1 2.0=D", 0},
    {"", "1 2!u3", V4 | OVER_UDP, COMPLETED, 0, 2, 2, "1.0=1 2.0=2", 0},
    {"", "1 2!u4", V6 | OVER_UDP, COMPLETED, 0, 2, 2, "1.0=1 2.0=2", 0},
    /* unreachable, other ICMP */
    {"", "1 2!u0", ANY, UNREACH, 0, 2, 2, "1.0=1 2.0=2", 0},
    {"", "1 2!u1 D", ANY, UNREACH, 1, 2, 2, "1.0=1 2.0=2", 0},
    {"", "1 D!u13", ANY, UNREACH, 13, 2, 2, "1.0=1 2.0=D", 0},
    {"", "1 2!u3", V4 | OVER_ICMP, UNREACH, 3, 2, 2, "1.0=1 2.0=2", 0},
    {"", "1 2!u4", V6 | OVER_ICMP, UNREACH, 4, 2, 2, "1.0=1 2.0=2", 0},
    {"", "1 2!b", V4, UNREACH, 4, 2, 2, "1.0=1 2.0=2", 0},
    {"", "1 2!b", V6, OTHER, 2, 2, 2, "1.0=1 2.0=2", 0},
    {"", "1 2!p", V4, OTHER, 12, 2, 2, "1.0=1 2.0=2", 0},
    {"", "1 2!p", V6, OTHER, 4, 2, 2, "1.0=1 2.0=2", 0},
    /* a reason of its own comes before a loop */
    {"", "1 2 1!u1", ANY, UNREACH, 1, 3, 3, "1.0=1 2.0=2 3.0=1", 0},
    /* loops */
    {"", "1 2 1 D", ANY, LOOP, 0, 3, 3, "1.0=1 2.0=2 3.0=1", 0},
    {"", "1 2 2 D", ANY, COMPLETED, 0, 4, 4, "1.0=1 2.0=2 3.0=2 4.0=D", 0},
    {"", "1 1 1 D", ANY, COMPLETED, 0, 4, 4, "1.0=1 2.0=1 3.0=1 4.0=D", 0},
    {"", "1 2 2 1 D", ANY, LOOP, 0, 4, 4, "1.0=1 2.0=2 3.0=2 4.0=1", 0},
    {"", "1 * 1 D", ANY, LOOP, 0, 3, 4, "1.0=1 3.0=1", 0},
    {"-l 2", "1 2 1 2 D", ANY, LOOP, 0, 4, 4, "1.0=1 2.0=2 3.0=1 4.0=2", 0},
    {"-l 3", "1 2 1 2 D", ANY, COMPLETED, 0, 5, 5,
	"1.0=1 2.0=2 3.0=1 4.0=2 5.0=D", 0},
    {"-l 0", "1 2 1 2 1 D", ANY, COMPLETED, 0, 6, 6,
	"1.0=1 2.0=2 3.0=1 4.0=2 5.0=1 6.0=D", 0},
    {"-T", "1 D!t 3 D!t", ANY, LOOP, 0, 4, 4, "1.0=1 2.0=D 3.0=3 4.0=D", 0},
    /* gaps */
    {"", "1 2 * * * * * D", ANY, GAP, 0, 7, 12, "1.0=1 2.0=2", 0},
    {"", "1 * * * * 6 D", ANY, COMPLETED, 0, 7, 11, "1.0=1 6.0=6 7.0=D", 0},
    {"", "*", ANY, GAP, 0, 5, 10, "", 0},
    {"-g 1", "1 * D", ANY, GAP, 0, 2, 3, "1.0=1", 0},
    {"-g 2", "1 * 3 * * D", ANY, GAP, 0, 5, 8, "1.0=1 3.0=3", 0},
    {"-g 255 -q 1", "*", ANY, GAP, 0, 255, 255, "", 0},
    {"-f 3 -g 2", "1 2 * * D", ANY, GAP, 0, 4, 4, "", 0},
    /* the gap may reach over a silent end only */
    {"-g 3", "1 2 3?1 * * D", ANY, COMPLETED, 0, 6, 9,
	"1.0=1 2.0=2 3.1=3 6.0=D", 0},
    /* hop limit, first hop */
    {"-m 3", "1 2 3 D", ANY, HOPLIMIT, 0, 3, 3, "1.0=1 2.0=2 3.0=3", 0},
    {"-m 4", "1 2 3 D", ANY, COMPLETED, 0, 4, 4, "1.0=1 2.0=2 3.0=3 4.0=D", 0},
    {"-m 1", "1 D", ANY, HOPLIMIT, 0, 1, 1, "1.0=1", 0},
    {"-m 3", "1 2 * D", ANY, HOPLIMIT, 0, 3, 4, "1.0=1 2.0=2", 0},
    {"-m 5", "*", ANY, GAP, 0, 5, 10, "", 0},
    {"-m 4", "*", ANY, HOPLIMIT, 0, 4, 8, "", 0},
    {"-g 255 -q 1", "1 *", ANY, HOPLIMIT, 0, 255, 255, "1.0=1", 0},
    {"-f 3", "1 2 3 D", ANY, COMPLETED, 0, 4, 2, "3.0=3 4.0=D", 0},
    {"-f 9", "1 2 3 D", ANY, COMPLETED, 0, 9, 1, "9.0=D", 0},
    {"-f 2 -m 2", "1 2 3 D", ANY, HOPLIMIT, 0, 2, 1, "2.0=2", 0},
    {"-f 255", "*", ANY, HOPLIMIT, 0, 255, 2, "", 0},
    /* attempts */
    {"", "1 2?1 D", ANY, COMPLETED, 0, 3, 4, "1.0=1 2.1=2 3.0=D", 0},
    {"-q 1", "1 2?1 D", ANY, COMPLETED, 0, 3, 3, "1.0=1 3.0=D", 0},
    {"-q 3", "1?2 D", ANY, COMPLETED, 0, 2, 4, "1.2=1 2.0=D", 0},
    {"-q 20", "1?19 D", ANY, COMPLETED, 0, 2, 21, "1.19=1 2.0=D", 0},
    {"-q 3 -g 1", "1 *", ANY, GAP, 0, 2, 4, "1.0=1", 0},
    /* all attempts */
    {"-Q", "1 D", ANY, COMPLETED, 0, 2, 4, "1.0=1 1.1=1 2.0=D 2.1=D", 0},
    {"-Q -q 1", "1 D", ANY, COMPLETED, 0, 2, 2, "1.0=1 2.0=D", 0},
    {"-Q -q 3", "1?1 D", ANY, COMPLETED, 0, 2, 6,
	"1.1=1 1.2=1 2.0=D 2.1=D 2.2=D", 0},
    {"-Q", "1 * D", ANY, COMPLETED, 0, 3, 6, "1.0=1 1.1=1 3.0=D 3.1=D", 0},
    {"-Q", "1 2!u1<1 D", ANY, UNREACH, 1, 2, 4, "1.0=1 1.1=1 2.0=2", 0},
    {"-Q -q 3", "1<1 D<2", ANY, COMPLETED, 0, 2, 6, "1.0=1 2.0=D 2.1=D", 0},
    {"-Q", "1 2!u1?1 D", ANY, UNREACH, 1, 2, 4, "1.0=1 1.1=1 2.1=2", 0},
    {"-Q -m 2", "1", ANY, HOPLIMIT, 0, 2, 4, "1.0=1 1.1=1 2.0=1 2.1=1", 0},
    /* last ditch */
    {"-G 2 -g 2", "1 * * * D", ANY, GAP, 0, 3, 6, "1.0=1", "255.0=D"},
    {"-G 2 -g 2", "1 * * * D?1", ANY, GAP, 0, 3, 7, "1.0=1", "255.1=D"},
    {"-G 2 -g 2", "1 * * * 5", ANY, GAP, 0, 3, 6, "1.0=1", "255.0=5"},
    {"-G 2 -g 2", "1 * * * D!u1", ANY, GAP, 0, 3, 6, "1.0=1", "255.0=D"},
    {"-G 2 -g 2", "1 *", ANY, GAP, 0, 3, 7, "1.0=1", NULL},
    {"-G 2 -g 2", "1 * 3 D", ANY, COMPLETED, 0, 4, 5, "1.0=1 3.0=3 4.0=D",
	NULL},
    {"-G 2 -m 4", "*", ANY, HOPLIMIT, 0, 4, 8, "", NULL},
};

static const char *const methods[] = {"UDP", "ICMP", "UDP-paris", "ICMP-paris"};

static void
check_row(size_t i, int family, const char *method)
{
	char options[100], text[400];
	const struct warts_trace *tr;
	static struct sim s;

	print_message("row: %s %s over %s, IPv%d\n", rows[i].options,
	    rows[i].path, method, family == ADDR_IPV4 ? 4 : 6);
	snprintf(options, sizeof(options), "%s -P %s", rows[i].options, method);
	sim_open(&s, options, family, rows[i].path);
	tr = sim_run(&s);
	assert_string_equal(
	    sim_show(tr->hops, tr->nhops, text, sizeof(text)), rows[i].hops);
	assert_int_equal(tr->stop_reason, rows[i].stop);
	assert_int_equal(tr->stop_data, rows[i].data);
	assert_int_equal(tr->hop_count, rows[i].hop_count);
	assert_int_equal(tr->probe_count, rows[i].probe_count);
	assert_int_equal(tr->lastditch != NULL, rows[i].lastditch != NULL);
	if (rows[i].lastditch != NULL)
		assert_string_equal(
		    sim_show(tr->lastditch->hops, tr->lastditch->hop_count,
			text, sizeof(text)),
		    rows[i].lastditch);
	sim_close(&s);
}

static void
paths_and_their_records(void **state)
{
	(void)state;
	for (size_t i = 0; i < LEN(rows) * 8; i++) {
		size_t row = i / 8;
		int family = i & 1 ? ADDR_IPV4 : ADDR_IPV6;
		int udp = i / 2 % 2 == 0, only = rows[row].only;

		if ((only & V4 && family != ADDR_IPV4) ||
		    (only & V6 && family != ADDR_IPV6) ||
		    (only & OVER_UDP && !udp) || (only & OVER_ICMP && udp))
			continue;
		check_row(row, family, methods[i / 2 % 4]);
	}
}

/* --- when ------------------------------------------------------------------------- */

/* The next probe leaves when the reply comes; silence lasts -w seconds. */
static void
times_of_probes(void **state)
{
	static const int64_t want_ms[] = {
	    0, 1, 3001, 6001, 6004, 9004, 12004, 15004, 18004};
	static struct sim s;

	(void)state;
	sim_open(&s, "-w 3 -g 2", ADDR_IPV4, "1 * 3 * *");
	sim_run(&s);
	assert_int_equal(s.nsent, 8);
	for (unsigned int i = 0; i < s.nsent; i++)
		assert_int_equal(
		    s.sent[i].ns, START_NS + want_ms[i] * NS_PER_MS);
	assert_int_equal(s.t.now_ns, START_NS + want_ms[8] * NS_PER_MS);
	sim_close(&s);
}

static void
last_ditch_probes(void **state)
{
	static struct sim s;

	(void)state;
	sim_open(&s, "-G 2 -g 1 -q 3 -w 2", ADDR_IPV6, "1 *");
	sim_run(&s);
	assert_int_equal(s.nsent, 7);
	for (unsigned int i = 4; i < 7; i++) {
		assert_int_equal(s.sent[i].pr.ttl, 255);
		assert_int_equal(s.sent[i].ns,
		    START_NS + NS_PER_MS + 2 * (int64_t)(i - 1) * NS_PER_SEC);
	}
	sim_close(&s);
}

/* -W: never two probes closer than that, whatever comes in between. */
static void
wait_between_probes(void **state)
{
	static const struct {
		const char *options, *path;
		int64_t min_ms, total_ms;
	} waits[] = {
	    {"-W 50", "1 2 3 D", 500, 1504},
	    {"-W 50 -Q", "1 D", 500, 1502},
	    {"-W 50", "1@700 2 D", 500, 1203},
	    {"-W 50", "1x3 2x3 D", 500, 1003},
	    {"-W 50 -w 1", "1 2?1 D", 500, 2003},
	    {"-W 200 -w 1", "1 *?1 D", 2000, 6003},
	    {"-W 200 -w 1 -G 2 -g 1", "1 * D", 2000, 6255},
	    {"-W 0", "1 2 D", 0, 6},
	};
	static struct sim s;

	(void)state;
	for (size_t i = 0; i < LEN(waits); i++) {
		row_is(waits[i].options);
		row_is(waits[i].path);
		sim_open(&s, waits[i].options, ADDR_IPV4, waits[i].path);
		sim_run(&s);
		for (unsigned int k = 1; k < s.nsent; k++)
			assert_true(s.sent[k].ns - s.sent[k - 1].ns >=
			    waits[i].min_ms * NS_PER_MS);
		assert_int_equal(
		    (s.t.now_ns - START_NS) / NS_PER_MS, waits[i].total_ms);
		sim_close(&s);
	}
}

/* Probes that have to wait for a way are the same when they leave. */
static void
probes_that_are_put_off(void **state)
{
	static const struct {
		const char *options, *path;
	} cases[] = {
	    {"", "1 * 3?1 D"},
	    {"-Q -P icmp-paris", "1 2 D"},
	    {"-G 2 -g 2", "1 *"},
	    {"-W 50 -P udp", "1 2?1 D"},
	    {"-N 3", "1 2 * 4 D"},
	    {"-M", "1 2 D"},
	};
	static struct sim s;
	char texts[2][400];
	unsigned int nsent[2], counts[2];
	const struct warts_trace *tr;

	(void)state;
	for (size_t i = 0; i < LEN(cases) * 2; i++) {
		int put_off = i % 2;

		row_is(cases[i / 2].options);
		sim_open(
		    &s, cases[i / 2].options, ADDR_IPV4, cases[i / 2].path);
		s.put_off = put_off;
		tr = sim_run(&s);
		sim_show(tr->hops, tr->nhops, texts[put_off], 400);
		nsent[put_off] = s.nsent;
		counts[put_off] = tr->probe_count;
		sim_close(&s);
		if (!put_off)
			continue;
		assert_string_equal(texts[0], texts[1]);
		assert_int_equal(nsent[0], nsent[1]);
		assert_int_equal(counts[0], counts[1]);
	}
}

/* The kernel will not have the probe: the trace ends with what it has. */
static void
probe_that_cannot_be_sent(void **state)
{
	const struct warts_trace *tr;
	static struct sim s;
	char text[50];

	(void)state;
	sim_open(&s, "", ADDR_IPV4, "1 2 D");
	sim_step(&s);
	sim_step(&s);
	sim_build(&s);
	s.t.m->tech->failed(&s.t, 90);
	assert_int_equal(s.t.force, FORCE_DONE);
	tr = sim_run(&s);
	assert_int_equal(tr->stop_reason, WARTS_STOP_ERROR);
	assert_int_equal(tr->stop_data, 90);
	assert_string_equal(
	    sim_show(tr->hops, tr->nhops, text, sizeof(text)), "1.0=1");
	sim_close(&s);
}

/* --- probes ------------------------------------------------------------------------ */

/* What a per-flow load balancer hashes is one for all probes of a trace, and
 * the number is where the reference says. */
static void
fields_by_method(void **state)
{
	static struct sim s;

	(void)state;
	for (int i = 0; i < 8; i++) {
		int v4 = i & 1, m = i / 2;
		char options[60];
		size_t at = v4 ? 20 : 40;

		print_message("row: %s, IPv%d\n", methods[m], v4 ? 4 : 6);
		snprintf(options, sizeof(options),
		    "-t 9 -g 255 -q 3 -m 100 -P %s", methods[m]);
		sim_open(&s, options, v4 ? ADDR_IPV4 : ADDR_IPV6, "1 *");
		sim_run(&s);
		assert_int_equal(s.nsent, 298);
		for (unsigned int n = 0; n < s.nsent; n++) {
			const uint8_t *p = s.sent[n].b, *q = s.sent[0].b;

			assert_int_equal(s.sent[n].len, v4 ? 44 : 60);
			if (v4) {
				assert_int_equal(p[1], 9);
				assert_int_equal(p[4] << 8 | p[5], n + 1);
			} else {
				assert_int_equal(p[0] << 8 | p[1] >> 4 << 4,
				    0x6000 | 9 << 4);
				if (m != UDP)
					assert_memory_equal(p, q, 4);
			}
			if (m == UDP || m == ICMP)
				assert_memory_equal(
				    p + at, q + at, m == UDP ? 2 : 1);
			else
				assert_memory_equal(p + at, q + at, 4);
			if (m == UDP_PARIS)
				assert_int_equal(
				    p[at + 6] << 8 | p[at + 7], n + 1);
			else if (m == UDP)
				assert_int_equal(
				    p[at + 2] << 8 | p[at + 3], 33435 + n);
			else
				assert_int_equal(p[at + 6] << 8 | p[at + 7], n);
			if (m == ICMP_PARIS)
				assert_int_equal(p[at + 2] << 8 | p[at + 3],
				    technique_default_port());
		}
		sim_close(&s);
	}
}

static void
payload_is_sent(void **state)
{
	static struct sim s;

	(void)state;
	sim_open(&s, "-P icmp -p 0102030405", ADDR_IPV4, "D");
	assert_int_equal(sim_run(&s)->probe_size, 33);
	assert_int_equal(s.sent[0].len, 33);
	assert_memory_equal(s.sent[0].b + 28, "\1\2\3\4\5", 5);
	sim_close(&s);
	sim_open(&s, "-P udp-paris -p 0102030405", ADDR_IPV6, "D");
	assert_int_equal(sim_run(&s)->probe_size, 53);
	assert_memory_equal(s.sent[0].b + 50, "\3\4\5", 3);
	sim_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths_and_their_records),
	    cmocka_unit_test(times_of_probes),
	    cmocka_unit_test(last_ditch_probes),
	    cmocka_unit_test(wait_between_probes),
	    cmocka_unit_test(probes_that_are_put_off),
	    cmocka_unit_test(probe_that_cannot_be_sent),
	    cmocka_unit_test(fields_by_method),
	    cmocka_unit_test(payload_is_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
