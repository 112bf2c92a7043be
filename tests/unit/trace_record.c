/*
 * trace: the record: every field of it, times, extensions, order.
 */
#include "tests/unit/trace_sim.h"

static const struct {
	const char *options;
	struct warts_trace want; /* of IPv4 */
} traces[] = {
    {"",
	{.method = WARTS_TRACE_UDP_PARIS,
	    .attempts = 2,
	    .sport = 50000,
	    .dport = 33435,
	    .first_ttl = 1,
	    .wait_s = 5,
	    .loops = 1,
	    .gap_limit = 5,
	    .gap_action = 1}},
    {"-P icmp-paris -T -Q -q 3 -f 2 -g 9 -G 2 -m 33 -l 7 -t 12 -w 4 "
     "-W 5 -U 4294967295",
	{.method = WARTS_TRACE_ICMP_PARIS,
	    .flags = WARTS_TRACE_ALLATTEMPTS | WARTS_TRACE_IGNORETTLDST |
		WARTS_TRACE_ICMPCSUM,
	    .attempts = 3,
	    .hop_limit = 33,
	    .sport = 50000,
	    .dport = 0, /* the default checksum */
	    .first_ttl = 2,
	    .tos = 12,
	    .wait_s = 4,
	    .wait_probe_cs = 5,
	    .loops = 7,
	    .gap_limit = 9,
	    .gap_action = 2,
	    .user_id = 4294967295}},
    {"-P udp -d 7",
	{.method = WARTS_TRACE_UDP,
	    .attempts = 2,
	    .sport = 50000,
	    .dport = 7,
	    .first_ttl = 1,
	    .wait_s = 5,
	    .loops = 1,
	    .gap_limit = 5,
	    .gap_action = 1}},
    {"-P icmp",
	{.method = WARTS_TRACE_ICMP,
	    .attempts = 2,
	    .sport = 50000,
	    .dport = 33435,
	    .first_ttl = 1,
	    .wait_s = 5,
	    .loops = 1,
	    .gap_limit = 5,
	    .gap_action = 1}},
};

static void
fields_of_the_trace(void **state)
{
	static struct sim s;

	(void)state;
	for (size_t i = 0; i < LEN(traces) * 2; i++) {
		const struct warts_trace *w = &traces[i / 2].want, *tr;
		int family = i & 1 ? ADDR_IPV4 : ADDR_IPV6;

		row_is(traces[i / 2].options);
		sim_open(&s, traces[i / 2].options, family, "1 2 D");
		tr = sim_run(&s);
		assert_int_equal(tr->list, 0);
		assert_int_equal(tr->cycle, 0);
		assert_true(addr_equal(&tr->src, &s.t.src));
		assert_true(addr_equal(&tr->dst, &s.t.dst));
		assert_int_equal(tr->rtr.family, ADDR_NONE);
		assert_int_equal(tr->start.sec, START_NS / NS_PER_SEC);
		assert_int_equal(tr->start.usec, 999999);
		assert_int_equal(tr->flags, w->flags);
		assert_int_equal(tr->attempts, w->attempts);
		assert_int_equal(tr->hop_limit, w->hop_limit);
		assert_int_equal(tr->method, w->method);
		assert_int_equal(tr->probe_size, family == ADDR_IPV4 ? 44 : 60);
		assert_int_equal(tr->sport, w->sport);
		assert_int_equal(tr->dport,
		    w->dport != 0 ? w->dport : technique_default_port());
		assert_int_equal(tr->first_ttl, w->first_ttl);
		assert_int_equal(tr->tos, w->tos);
		assert_int_equal(tr->wait_s, w->wait_s);
		assert_int_equal(tr->wait_probe_cs, w->wait_probe_cs);
		assert_int_equal(tr->loops, w->loops);
		assert_int_equal(tr->loop_action, 0);
		assert_int_equal(tr->gap_limit, w->gap_limit);
		assert_int_equal(tr->gap_action, w->gap_action);
		assert_true(tr->user_id == w->user_id);
		assert_int_equal(tr->squeries, 1);
		assert_int_equal(tr->confidence, 0);
		assert_null(tr->lastditch);
		assert_null(tr->pmtud);
		assert_null(tr->dtree);
		assert_int_equal(tr->has, 0);
		sim_close(&s);
	}
}

static void
fields_of_a_hop(void **state)
{
	static struct sim s;

	(void)state;
	for (int v4 = 0; v4 <= 1; v4++) {
		const struct warts_trace *tr;
		const struct warts_hop *h;

		sim_open(
		    &s, "-t 8", v4 ? ADDR_IPV4 : ADDR_IPV6, "1@1234 2?1 D");
		tr = sim_run(&s);
		assert_int_equal(tr->nhops, 3);
		h = &tr->hops[0];
		assert_int_equal(h->addr.family, v4 ? ADDR_IPV4 : ADDR_IPV6);
		assert_int_equal(h->reply_ttl, FORWARD_TTL);
		assert_int_equal(
		    h->flags, WARTS_HOP_REPLYTTL | WARTS_HOP_DLRXTS);
		assert_int_equal(h->rtt_us, 1234000);
		assert_int_equal(h->icmp_type, v4 ? 11 : 3);
		assert_int_equal(h->icmp_code, 0);
		assert_int_equal(h->probe_size, v4 ? 44 : 60);
		assert_int_equal(h->reply_size, v4 ? 56 : 108);
		assert_int_equal(h->reply_ipid, v4 ? 0x7777 : 0);
		assert_int_equal(h->reply_tos, 0xc0);
		assert_int_equal(h->q_len, v4 ? 44 : 60);
		assert_int_equal(h->q_ttl, 1);
		assert_int_equal(h->q_tos, 8);
		assert_int_equal(h->nhmtu, 0);
		assert_int_equal(h->exts.count, 0);
		assert_int_equal(h->has, 0);
		assert_int_equal(h->tx.sec, START_NS / NS_PER_SEC);
		assert_int_equal(h->tx.usec, 999999);
		/* The second attempt: 1.234 s, 5 s later; a second turns. */
		h = &tr->hops[1];
		assert_int_equal(h->attempt, 1);
		assert_int_equal(h->rtt_us, 2000);
		assert_int_equal(h->tx.sec, START_NS / NS_PER_SEC + 7);
		assert_int_equal(h->tx.usec, 233999);
		h = &tr->hops[2];
		assert_int_equal(h->icmp_type, v4 ? 3 : 1);
		assert_int_equal(h->icmp_code, v4 ? 3 : 4);
		assert_int_equal(h->tx.usec, 235999);
		sim_close(&s);
	}
}

/* Probes of one task may be hours apart when the rate is low and the window
 * wide: times do not turn over. */
static void
times_of_a_long_trace(void **state)
{
	const struct warts_trace *tr;
	int64_t since_us;
	static struct sim s;

	(void)state;
	sim_open(&s, "", ADDR_IPV4, "1 2 3 D");
	for (int i = 0; i < 3; i++) {
		s.t.now_ns += 5000 * NS_PER_SEC;
		sim_step(&s); /* leaves */
		sim_step(&s); /* the reply */
	}
	tr = sim_run(&s);
	assert_int_equal(tr->nhops, 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(tr->hops[i].rtt_us, 1000 * (i + 1));
		since_us = (tr->hops[i].tx.sec - tr->start.sec) * 1000000LL +
		    tr->hops[i].tx.usec - tr->start.usec;
		assert_int_equal(since_us,
		    5000000000LL * (i < 3 ? i + 1 : 3) + i * (i + 1) * 500);
	}
	sim_close(&s);
}

/* A reply stamped before its probe: no time is below zero, and a clock that
 * was set back does not turn into years. */
static void
clock_that_goes_back(void **state)
{
	const struct warts_trace *tr;
	static struct sim s;
	struct packet pkt;

	(void)state;
	sim_open(&s, "", ADDR_IPV4, "1 2 D");
	sim_step(&s);
	pkt = s.queue[0];
	s.nqueued = 0;
	s.t.now_ns -= NS_PER_US;
	sim_deliver(&s, &pkt);
	s.t.now_ns -= 3600 * NS_PER_SEC;
	tr = sim_run(&s);
	assert_int_equal(tr->nhops, 3);
	assert_int_equal(tr->hops[0].rtt_us, 0);
	assert_int_equal(tr->hops[1].tx.sec, tr->start.sec);
	assert_int_equal(tr->hops[1].rtt_us, 0);
	sim_close(&s);
}

/* --- extensions ----------------------------------------------------------------- */

static size_t
object(uint8_t *at, unsigned int class_num, unsigned int type, size_t len,
    uint8_t fill)
{
	sim_set16(at, (unsigned int)(len + 4));
	at[2] = (uint8_t)class_num;
	at[3] = (uint8_t)type;
	memset(at + 4, fill, len);
	return len + 4;
}

static void
extension_objects(void **state)
{
	static const struct {
		const char *name;
		size_t sizes[4], n; /* of objects */
		size_t junk; /* bytes behind them that are none */
		unsigned int found;
	} rows[] = {
	    {"one label", {4}, 1, 0, 1},
	    {"three labels and an interface", {12, 32}, 2, 0, 2},
	    {"larger than a block, twice", {250}, 1, 0, 1},
	    {"many", {4, 100, 101, 102}, 4, 0, 4},
	    {"an object without data", {0, 4}, 2, 0, 2},
	    {"cut in an object", {4}, 1, 4, 1},
	    {"nothing but junk", {0}, 0, 8, 0},
	};
	uint8_t ext[500], data[300];
	static struct sim s;

	(void)state;
	for (size_t i = 0; i < LEN(rows) * 2; i++) {
		size_t row = i / 2, len = 4;
		const struct warts_trace *tr;

		row_is(rows[row].name);
		memcpy(ext, "\x20\0\0\0", 4);
		for (size_t k = 0; k < rows[row].n; k++)
			len += object(ext + len, (unsigned int)(1 + k), 1,
			    rows[row].sizes[k], (uint8_t)(0xa0 + k));
		memset(ext + len, 0xff, rows[row].junk);
		sim_open(&s, "", i & 1 ? ADDR_IPV4 : ADDR_IPV6, "1 2 D");
		s.ext = ext;
		s.ext_len = len + rows[row].junk;
		tr = sim_run(&s);
		assert_int_equal(tr->nhops, 3);
		for (unsigned int h = 0; h < 3; h++) {
			const struct warts_hop *hop = &tr->hops[h];

			assert_int_equal(hop->exts.count, rows[row].found);
			for (unsigned int k = 0; k < hop->exts.count; k++) {
				size_t n = rows[row].sizes[k];

				assert_int_equal(
				    hop->exts.ext[k].class_num, 1 + k);
				assert_int_equal(
				    hop->exts.ext[k].class_type, 1);
				assert_int_equal(hop->exts.ext[k].len, n);
				memset(data, (int)(0xa0 + k), n);
				assert_memory_equal(
				    hop->exts.ext[k].data, data, n);
			}
		}
		sim_close(&s);
	}
}

/* Only hops that had one get one. */
static void
next_hop_mtu(void **state)
{
	static struct sim s;

	(void)state;
	for (int v4 = 0; v4 <= 1; v4++) {
		const struct warts_trace *tr;

		sim_open(&s, "-Q", v4 ? ADDR_IPV4 : ADDR_IPV6, "1 2 3!b D");
		s.ext = (const uint8_t *)"\x20\0\0\0\0\x08\1\1\0\x01\x01\x01";
		s.ext_len = 12;
		tr = sim_run(&s);
		assert_int_equal(tr->nhops, 6);
		for (unsigned int i = 0; i < 6; i++) {
			assert_int_equal(tr->hops[i].nhmtu, i >= 4 ? 1400 : 0);
			/* ICMPv6's has no room for a length field. */
			assert_int_equal(
			    tr->hops[i].exts.count, i >= 4 && !v4 ? 0 : 1);
		}
		sim_close(&s);
	}
}

/* --- order ------------------------------------------------------------------------ */

/* Hops are in order of ttl, attempt, arrival, however they came. */
static void
order_of_hops(void **state)
{
	static const struct {
		const char *options, *path, *hops;
	} rows[] = {
	    {"-q 2 -w 1", "1 2@2500 3@2500x2 4?1 5?1 D",
		"1.0=1 2.0=2 2.1=2 3.0=3 3.0=3 3.1=3 3.1=3 4.1=4 5.1=5 6.0=D"},
	    {"-q 3 -w 1 -g 9", "1@6500<1 2@4200 3@100?2 4?2 D",
		"1.0=1 2.0=2 2.1=2 2.2=2 3.2=3 4.2=4 5.0=D"},
	    {"-Q -q 3 -w 1", "1@2500 2@1300 3@1300 4@400 D",
		"1.0=1 1.1=1 1.2=1 2.0=2 2.1=2 2.2=2 3.0=3 3.1=3 3.2=3 "
		"4.0=4 4.1=4 4.2=4 5.0=D 5.1=D 5.2=D"},
	};
	const struct warts_trace *tr;
	static struct sim s;
	char text[400];

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].path);
		sim_open(&s, rows[i].options, ADDR_IPV4, rows[i].path);
		tr = sim_run(&s);
		assert_string_equal(
		    sim_show(tr->hops, tr->nhops, text, sizeof(text)),
		    rows[i].hops);
		sim_close(&s);
	}
}

/* The largest trace there is: every chain of blocks at its longest. */
static void
largest_trace(void **state)
{
	const struct warts_trace *tr;
	static struct sim s;

	(void)state;
	sim_open(&s, "-Q -q 20 -l 0", ADDR_IPV6, "1");
	tr = sim_run(&s);
	assert_int_equal(tr->probe_count, 5100);
	assert_int_equal(tr->nhops, 5100);
	assert_int_equal(tr->stop_reason, WARTS_STOP_HOPLIMIT);
	for (unsigned int i = 0; i < 5100; i++) {
		assert_int_equal(tr->hops[i].probe_ttl, 1 + i / 20);
		assert_int_equal(tr->hops[i].attempt, i % 20);
	}
	sim_close(&s);
}

/* Each hop's name is asked for when it is heard of, whatever phase that is in;
 * the record has them, and it waits for the last one. */
static void
names_of_hops(void **state)
{
	static const struct {
		const char *options, *path, *names;
	} rows[] = {
	    {"-O ptr", "1 2 3 D", "n1 n2 n3 n250"},
	    {"-O ptr -Q -q 2", "1 * 3 D", "n1 n1 n3 n3 n250 n250"},
	    {"-O ptr -O back -m 3", "1 2 3", "n1 n2 n3"},
	    {"-O ptr -f 2 -Z x", "1 2 3 D", "n1 n2 n3 n250"},
	    {"-O ptr -g 2 -G 2 -q 1", "1 * *", "n1"},
	    {"", "1 2 D", "- - -"},
	};
	const struct warts_trace *tr;
	static struct sim s;
	char text[100];
	size_t len;

	(void)state;
	for (size_t i = 0; i < 2 * LEN(rows); i++) {
		sim_open(&s, rows[i / 2].options, i % 2 ? ADDR_IPV6 : ADDR_IPV4,
		    rows[i / 2].path);
		tr = sim_run(&s);
		len = 0;
		for (int k = 0; k < tr->nhops; k++)
			len += (size_t)snprintf(text + len, sizeof(text) - len,
			    "%s%s", k != 0 ? " " : "",
			    tr->hops[k].name != NULL ? tr->hops[k].name : "-");
		assert_string_equal(text, rows[i / 2].names);
		assert_int_equal(!(tr->flags & WARTS_TRACE_PTR), *text == '-');
		assert_false(s.t.m->tech->names(&s.t));
		s.t.pending = 1;
		assert_int_equal(!s.t.m->tech->names(&s.t), *text == '-');
		sim_close(&s);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields_of_the_trace),
	    cmocka_unit_test(fields_of_a_hop),
	    cmocka_unit_test(times_of_a_long_trace),
	    cmocka_unit_test(clock_that_goes_back),
	    cmocka_unit_test(extension_objects),
	    cmocka_unit_test(next_hop_mtu),
	    cmocka_unit_test(order_of_hops),
	    cmocka_unit_test(largest_trace),
	    cmocka_unit_test(names_of_hops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
