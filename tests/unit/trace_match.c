/*
 * trace: which probe a reply belongs to: late ones, second ones, ones that a
 * router mangled, and ones that nobody asked for.
 */
#include "tests/unit/trace_sim.h"

static const char *const methods[] = {"UDP", "ICMP", "UDP-paris", "ICMP-paris"};

/* --- late and repeated replies -------------------------------------------------- */

static void
late_and_repeated(void **state)
{
	static const struct {
		const char *options, *path;
		int stop;
		unsigned int hop_count, probe_count;
		const char *hops;
	} rows[] = {
	    /* After the second attempt has left: it moves the trace on. */
	    {"", "1 2@6000<1 D", WARTS_STOP_COMPLETED, 3, 4,
		"1.0=1 2.0=2 3.0=D"},
	    /* After the trace went on: it is only kept. */
	    {"", "1 2@11000 * D", WARTS_STOP_COMPLETED, 4, 6,
		"1.0=1 2.0=2 2.1=2 4.0=D"},
	    {"", "1@10500<1 * D", WARTS_STOP_COMPLETED, 3, 5, "1.0=1 3.0=D"},
	    /* It ends a gap too. */
	    {"-g 2", "1 2@11000 * *", WARTS_STOP_GAPLIMIT, 4, 7,
		"1.0=1 2.0=2 2.1=2"},
	    /* With all attempts, only the last one counts. */
	    {"-Q", "1 2@6000<1 D", WARTS_STOP_COMPLETED, 3, 6,
		"1.0=1 1.1=1 2.0=2 3.0=D 3.1=D"},
	    {"-Q", "1 2@6000 D", WARTS_STOP_COMPLETED, 3, 6,
		"1.0=1 1.1=1 2.0=2 3.0=D 3.1=D"},
	    /* Copies: kept behind the first. */
	    {"", "1x3 2x2 D", WARTS_STOP_COMPLETED, 3, 3,
		"1.0=1 1.0=1 1.0=1 2.0=2 2.0=2 3.0=D"},
	    {"-Q", "1x2 Dx2", WARTS_STOP_COMPLETED, 2, 4,
		"1.0=1 1.0=1 1.1=1 1.1=1 2.0=D 2.0=D 2.1=D"},
	    /* Copies are no loop. */
	    {"", "1x3 2 2x3 D", WARTS_STOP_COMPLETED, 4, 4,
		"1.0=1 1.0=1 1.0=1 2.0=2 3.0=2 3.0=2 3.0=2 4.0=D"},
	    /* Late ones of the trace do not end the last ditch. */
	    {"-G 2 -g 1", "1 2@11000<1 *", WARTS_STOP_GAPLIMIT, 2, 5,
		"1.0=1 2.0=2"},
	};
	const struct warts_trace *tr;
	static struct sim s;
	char text[400];

	(void)state;
	for (size_t i = 0; i < LEN(rows) * 8; i++) {
		size_t row = i / 8;

		row_is(rows[row].path);
		snprintf(text, sizeof(text), "%s -P %s", rows[row].options,
		    methods[i / 2 % 4]);
		sim_open(
		    &s, text, i & 1 ? ADDR_IPV4 : ADDR_IPV6, rows[row].path);
		tr = sim_run(&s);
		assert_string_equal(
		    sim_show(tr->hops, tr->nhops, text, sizeof(text)),
		    rows[row].hops);
		assert_int_equal(tr->stop_reason, rows[row].stop);
		assert_int_equal(tr->hop_count, rows[row].hop_count);
		assert_int_equal(tr->probe_count, rows[row].probe_count);
		assert_null(tr->lastditch);
		sim_close(&s);
	}
}

/* A late reply moves the trace on while its next probe waits in the transmit
 * queue: that one's leaving must not stop the probe after it. */
static void
late_reply_while_a_probe_waits(void **state)
{
	static const char *const options[] = {"", "-W 30"};
	static struct sim s;
	struct sent *b;
	int64_t ns;

	(void)state;
	for (size_t i = 0; i < LEN(options); i++) {
		sim_open(&s, options[i], ADDR_IPV4, "1@5002<1 D");
		sim_step(&s);
		sim_step(&s); /* the timeout */
		b = sim_build(&s);
		s.t.now_ns = s.queue[0].ns;
		sim_deliver(&s, &s.queue[0]);
		s.nqueued = 0;
		s.t.now_ns += NS_PER_MS;
		ns = s.t.now_ns;
		sim_leave(&s, b);
		s.nqueued = 0; /* the answer to it is lost */
		while (s.nsent < 3)
			sim_step(&s);
		assert_int_equal(s.sent[2].pr.ttl, 2);
		assert_int_equal(
		    s.sent[2].ns - ns, i == 0 ? 0 : 300 * NS_PER_MS);
		assert_int_equal(
		    sim_run(&s)->stop_reason, WARTS_STOP_COMPLETED);
		sim_close(&s);
	}
}

/* UDP from the target has no number: it goes to the last probe that left. */
static void
udp_reply_goes_to_the_last_sent(void **state)
{
	const struct warts_trace *tr;
	static struct sim s;
	struct packet pkt;
	char text[100];

	(void)state;
	sim_open(&s, "", ADDR_IPV6, "1 D!r@5001<1 *");
	sim_step(&s);
	sim_step(&s);
	sim_step(&s); /* to the target */
	sim_step(&s); /* silent */
	sim_build(&s); /* again, but this one does not leave */
	pkt = s.queue[0];
	s.t.now_ns = pkt.ns;
	assert_int_equal(sim_deliver(&s, &pkt), 1);
	tr = sim_run(&s);
	assert_string_equal(
	    sim_show(tr->hops, tr->nhops, text, sizeof(text)), "1.0=1 2.0=D");
	assert_int_equal(tr->hops[1].rtt_us, 5001000);
	assert_int_equal(tr->hops[1].flags & WARTS_HOP_UDP, WARTS_HOP_UDP);
	assert_int_equal(tr->stop_reason, WARTS_STOP_COMPLETED);
	sim_close(&s);
}

/* --- routers that change what they quote -------------------------------------------- */

static unsigned int mangle_ipid, mangle_csum;

enum { KEEP = 0x10000, PLUS_ONE, SWAPPED };

static unsigned int
mangled(unsigned int how, unsigned int v)
{
	switch (how) {
	case KEEP:
		return v;
	case PLUS_ONE:
		return v + 1;
	case SWAPPED:
		return (v << 8 | v >> 8) & 0xffff;
	default:
		return how;
	}
}

static void
mangle_numbers(struct sim *s, struct packet *pkt, uint8_t *q)
{
	size_t at = s->t.dst.family == ADDR_IPV4 ? 20 : 40;

	(void)pkt;
	if (at == 20)
		sim_set16(q + 4,
		    mangled(mangle_ipid, (unsigned int)q[4] << 8 | q[5]));
	sim_set16(q + at + 6,
	    mangled(mangle_csum, (unsigned int)q[at + 6] << 8 | q[at + 7]));
}

static void
changed_numbers(void **state)
{
	static const struct {
		const char *name;
		int family;
		unsigned int ipid, csum;
		int found;
	} rows[] = {
	    {"as sent", ADDR_IPV4, KEEP, KEEP, 1},
	    {"checksum changed", ADDR_IPV4, KEEP, 0x9999, 1},
	    {"checksum cleared", ADDR_IPV4, KEEP, 0, 1},
	    {"id plus one", ADDR_IPV4, PLUS_ONE, KEEP, 1},
	    {"id swapped", ADDR_IPV4, SWAPPED, KEEP, 1},
	    {"id swapped, checksum changed", ADDR_IPV4, SWAPPED, 0x9999, 1},
	    {"both changed", ADDR_IPV4, 0x7777, 0x9999, 0},
	    {"as sent", ADDR_IPV6, KEEP, KEEP, 1},
	    {"checksum changed", ADDR_IPV6, KEEP, 0x9999, 0},
	    {"checksum cleared", ADDR_IPV6, KEEP, 0, 0},
	};
	const struct warts_trace *tr;
	static struct sim s;
	char text[100];

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].name);
		mangle_ipid = rows[i].ipid;
		mangle_csum = rows[i].csum;
		/* 300 probes, so that an id and its swapped form, or its
		 * neighbour, are both in use; replies come late. */
		sim_open(&s, "-q 20 -w 1 -g 255 -m 15 -l 0", rows[i].family,
		    "1@1500 2@1500 3@1500 4@1500 5@1500 6@1500 7@1500 8@1500 "
		    "9@1500 10@1500 11@1500 12@1500 13@1500 14@1500 15@1500");
		s.mangle = mangle_numbers;
		tr = sim_run(&s);
		assert_int_equal(tr->nhops > 0, rows[i].found);
		/* Each router is where it should be. */
		for (unsigned int k = 0; k < tr->nhops; k++)
			assert_int_equal(
			    tr->hops[k]
				.addr.b[rows[i].family == ADDR_IPV4 ? 3 : 15],
			    tr->hops[k].probe_ttl);
		sim_close(&s);
	}
	/* Probe 256, whose id swapped is that of probe 1. */
	mangle_ipid = SWAPPED;
	mangle_csum = KEEP;
	sim_open(&s, "-q 20 -w 1 -g 255 -m 14", ADDR_IPV4,
	    "1 * * * * * * * * * * * * 14?14");
	s.mangle = mangle_numbers;
	tr = sim_run(&s);
	assert_int_equal(tr->probe_count, 256);
	assert_string_equal(sim_show(tr->hops, tr->nhops, text, sizeof(text)),
	    "1.0=1 14.14=14");
	sim_close(&s);
}

/* --- replies that nobody asked for --------------------------------------------------- */

struct forgery {
	const char *name;
	int methods; /* bit per method, 15: all */
	int at; /* in the quote of 28 (48) bytes; v4 offset */
	int at6;
	int value; /* of two bytes; -1: complement */
};

/* Where method M has its numbers in the transport header. */
static const struct forgery forgeries[] = {
    {"other source port or ICMP id", 1, 20, 40, -1},
    {"other source port", 4, 20, 40, -1},
    {"other ICMP id", 2 | 8, 24, 44, -1},
    {"other destination port", 4, 22, 42, -1},
    {"destination port of the next probe", 1, 22, 42, 33436},
    {"destination port below", 1, 22, 42, 33434},
    {"sequence of the next probe", 2 | 8, 26, 46, 1},
    {"sequence 65535", 2 | 8, 26, 46, 65535},
    {"another protocol", 15, 8, 6, 6},
    {"another target", 15, 18, 38, -1},
};

static void
forgeries_are_not_heard(void **state)
{
	static struct sim s;
	struct packet good, bad;

	(void)state;
	for (size_t i = 0; i < LEN(forgeries) * 8; i++) {
		const struct forgery *f = &forgeries[i / 8];
		int m = (int)(i / 2 % 4), v4 = i & 1;
		uint8_t *at;

		if (!(f->methods & 1 << m))
			continue;
		print_message(
		    "row: %s, %s, IPv%d\n", f->name, methods[m], v4 ? 4 : 6);
		char options[40];

		snprintf(options, sizeof(options), "-P %s", methods[m]);
		sim_open(&s, options, v4 ? ADDR_IPV4 : ADDR_IPV6, "1 D");
		sim_step(&s);
		good = bad = s.queue[0];
		at = bad.b + (v4 ? 28 + f->at : 48 + f->at6);
		if (f->value == -1)
			sim_set16(at, (unsigned int)(~(at[0] << 8 | at[1])));
		else if (f->at == 8)
			at[v4 ? 1 : 0] = (uint8_t)f->value;
		else
			sim_set16(at, (unsigned int)f->value);
		sim_deliver(&s, &bad);
		assert_int_equal(s.t.state.trace.nhops, 0);
		assert_int_equal(s.t.force, FORCE_WAIT);
		sim_deliver(&s, &good);
		assert_int_equal(s.t.state.trace.nhops, 1);
		assert_int_equal(s.t.force, FORCE_SEND);
		sim_close(&s);
	}
}

/* Nobody can answer what has not left. */
static void
probe_that_has_not_left(void **state)
{
	static struct sim s;
	struct packet pkt;
	struct hop_desc h;
	struct sent *p;

	(void)state;
	for (int i = 0; i < 8; i++) {
		char options[40];

		snprintf(options, sizeof(options), "-P %s", methods[i / 2]);
		sim_open(&s, options, i & 1 ? ADDR_IPV4 : ADDR_IPV6, "1 D");
		p = sim_build(&s);
		h = sim_hop(&s, 1);
		sim_reply(&s, p, &h, &pkt);
		assert_int_equal(sim_deliver(&s, &pkt), 1);
		assert_int_equal(s.t.state.trace.nhops, 0);
		sim_leave(&s, p);
		assert_int_equal(sim_deliver(&s, &pkt), 1);
		assert_int_equal(s.t.state.trace.nhops, 1);
		sim_close(&s);
	}
}

static uint64_t
random_next(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Bytes of good replies changed at random, at random moments: the trace ends,
 * and its record is within bounds. */
static void
mutated_replies(void **state)
{
	uint64_t seed = 88172645463325252ULL;
	const struct warts_trace *tr;
	static struct sim s;
	struct packet pkt;
	char options[40];

	(void)state;
	for (int i = 0; i < 800; i++) {
		snprintf(
		    options, sizeof(options), "-P %s -Q", methods[i / 2 % 4]);
		sim_open(&s, options, i & 1 ? ADDR_IPV4 : ADDR_IPV6,
		    "1 2 3!p<0 4 5x2 6 * 8 9 D");
		while (s.t.force != FORCE_DONE) {
			sim_step(&s);
			for (int k = 0; k < 5 && s.nqueued > 0; k++) {
				pkt = s.queue[0];
				for (int n = 0; n < 1 + k; n++)
					pkt.b[random_next(&seed) % pkt.len] ^=
					    1u << random_next(&seed) % 8;
				sim_deliver(&s, &pkt);
			}
		}
		tr = sim_run(&s);
		for (unsigned int k = 0; k < tr->nhops; k++) {
			assert_in_range(tr->hops[k].probe_ttl, 1, 255);
			assert_in_range(tr->hops[k].attempt, 0, 1);
		}
		sim_close(&s);
	}
}

/* A million copies of a reply cannot fill the memory or the record. */
static void
flood_of_copies(void **state)
{
	const struct warts_trace *tr;
	static struct sim s;
	struct packet pkt;

	(void)state;
	sim_open(&s, "", ADDR_IPV4, "1 2 D");
	sim_step(&s);
	pkt = s.queue[0];
	sim_step(&s);
	sim_step(&s);
	for (int i = 0; i < 70000; i++)
		sim_deliver(&s, &pkt);
	assert_int_equal(s.t.force, FORCE_WAIT);
	tr = sim_run(&s);
	assert_in_range(tr->nhops, 12, 100);
	assert_int_equal(tr->hops[tr->nhops - 1].probe_ttl, 3);
	assert_int_equal(tr->stop_reason, WARTS_STOP_COMPLETED);
	sim_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(late_and_repeated),
	    cmocka_unit_test(late_reply_while_a_probe_waits),
	    cmocka_unit_test(udp_reply_goes_to_the_last_sent),
	    cmocka_unit_test(changed_numbers),
	    cmocka_unit_test(forgeries_are_not_heard),
	    cmocka_unit_test(probe_that_has_not_left),
	    cmocka_unit_test(mutated_replies),
	    cmocka_unit_test(flood_of_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
