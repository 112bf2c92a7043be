/*
 * trace_store: what was put into the log of a trace comes out of it again, each
 * field, whatever it is and wherever a block ends.  Beside the log a plain table
 * is kept; what happens is random, with the values that the log writes in a
 * shorter way and those around them more often than others.
 */
#include "tests/unit/trace_sim.h"

#define ROUNDS 400
#define STEPS_MAX 120
#define HOPS_MAX 600
#define WAIT_US 5000000 /* the default */

struct kept_probe {
	uint8_t ttl, attempt, replies;
	int left;
	uint64_t us;
};

struct kept_hop {
	unsigned int number;
	struct reply r;
	uint8_t ext[300];
};

struct table {
	struct kept_probe probes[STEPS_MAX];
	unsigned int nprobes;
	struct kept_hop hops[HOPS_MAX];
	unsigned int nhops;
	uint64_t us; /* the latest */
	uint64_t heard_us; /* when the latest reply came */
};

static uint32_t seed;

static uint32_t
rnd(uint32_t n)
{
	seed = seed * 1664525 + 1013904223;
	return (uint32_t)((uint64_t)seed * n >> 32);
}

/* A number of few bits, many, or at the edge of a byte. */
static uint64_t
some_bits(unsigned int bits)
{
	unsigned int n = rnd(bits + 1);
	uint64_t v = 1ULL << n;

	if (rnd(2))
		v = v - 1 + rnd(3);
	else
		v = ((uint64_t)rnd(UINT32_MAX) << 20 | rnd(1 << 20)) & (v - 1);
	return v & ((1ULL << bits) - 1);
}

static void
add_probe(struct task *t, struct table *tab)
{
	struct trace *tr = task_state(t);
	struct kept_probe *p = &tab->probes[tab->nprobes];

	memset(p, 0, sizeof(*p));
	p->ttl = (uint8_t)(tab->nprobes == 0 ? 1 : p[-1].ttl + 1);
	if (tab->nprobes > 0 && rnd(3) == 0 && p[-1].attempt < 20) {
		p->ttl = p[-1].ttl;
		p->attempt = p[-1].attempt + 1;
	} else if (rnd(10) == 0) {
		p->ttl = (uint8_t)(1 + rnd(255));
		p->attempt = (uint8_t)rnd(20);
	}
	trace_probe_add(t, tr, p->ttl, p->attempt);
	tab->nprobes++;
}

/* All leave in the order of their making; the last one may wait. */
static void
leave(struct task *t, struct table *tab)
{
	unsigned int i = 0;

	while (i < tab->nprobes && tab->probes[i].left)
		i++;
	if (i == tab->nprobes)
		return;
	if (rnd(3) == 0)
		tab->us += WAIT_US - 1 + some_bits(14); /* silence */
	else if (rnd(3) == 0 && tab->heard_us >= tab->us)
		tab->us = tab->heard_us + some_bits(14);
	else if (rnd(20) != 0)
		tab->us += some_bits(30);
	else if (tab->us > 5000)
		tab->us -= 5000; /* the clock was set back */
	tab->us &= (1ULL << 43) - 1;
	tab->probes[i].left = 1;
	tab->probes[i].us = tab->us;
	trace_probe_left(t, task_state(t), i, tab->us);
}

static void
make_reply(const struct task *t, struct kept_hop *h)
{
	static const uint16_t sizes[] = {
	    55, 56, 57, 71, 72, 73, 95, 96, 97, 107, 108, 109, 0, 65535};
	static const uint8_t toses[] = {0, 0, 1, 191, 192, 193, 255};
	int family = task_dst(t)->family;
	struct reply *r = &h->r;

	memset(r, 0, sizeof(*r));
	r->kind = REPLY_ICMP_ERROR;
	r->icmp_type = trace_time_exceeded(family);
	r->from = sim_router(family, (int)rnd(250));
	for (size_t i = 1; i < addr_len(family); i++)
		r->from.b[i] = (uint8_t)rnd(256);
	r->ttl = (uint8_t)rnd(256);
	r->ipid = (uint16_t)rnd(65536);
	r->size = sizes[rnd(LEN(sizes))];
	r->tos = toses[rnd(LEN(toses))];
	r->q_ttl = 1;
	r->q_len = trace_probe_size(task_conf(t), family);
	if (rnd(6) == 0) {
		r->q_len = (uint16_t)rnd(65536);
		r->q_tos = (uint8_t)rnd(256);
		r->icmp_code = (uint8_t)rnd(256);
		r->nhmtu = (uint16_t)rnd(65536);
	}
	if (rnd(10) == 0) {
		r->ext_len = (uint16_t)(1 + rnd(sizeof(h->ext)));
		r->ext = h->ext;
		for (size_t i = 0; i < r->ext_len; i++)
			h->ext[i] = (uint8_t)rnd(256);
	}
}

static void
reply(struct task *t, struct table *tab)
{
	struct trace *tr = task_state(t);
	unsigned int n =
	    tab->nprobes - 1 - (rnd(4) == 0 ? rnd(tab->nprobes) : 0);
	struct kept_hop *h = &tab->hops[tab->nhops];
	struct kept_probe *p = &tab->probes[n];
	const struct trace_hop *got;

	if (!p->left)
		return;
	make_reply(t, h);
	h->number = n;
	tab->heard_us = p->us + some_bits(32);
	h->r.rx_ns =
	    tr->start_ns + (int64_t)tab->heard_us * NS_PER_US + rnd(1000);
	got = trace_hop_add(t, tr, &h->r, trace_probe_get(t, tr, n), n);
	if (p->replies == REPLIES_MAX) {
		assert_null(got);
		return;
	}
	assert_int_equal(got->probe_ttl, p->ttl);
	p->replies++;
	tab->nhops++;
}

static void
same_hop(const struct trace_walk *w, const struct trace *tr,
    const struct kept_hop *k, const struct kept_probe *p)
{
	const struct trace_hop *h = &w->hop;
	const struct reply *r = &k->r;
	uint8_t ext[sizeof(k->ext)];

	assert_int_equal(w->number, k->number);
	assert_int_equal(w->probe_us, p->us);
	assert_int_equal(w->probe_attempt, p->attempt);
	assert_int_equal(h->probe_ttl, p->ttl);
	assert_int_equal(h->ttl, r->ttl);
	assert_int_equal(h->tos, r->tos);
	assert_int_equal(h->size, r->size);
	assert_int_equal(h->ipid, r->ipid);
	assert_int_equal(
	    h->rtt_us, (uint64_t)(r->rx_ns - tr->start_ns) / NS_PER_US - p->us);
	assert_memory_equal(h->addr, r->from.b, addr_len(r->from.family));
	if (w->odd != NULL) {
		assert_int_equal(w->odd->icmp_code, r->icmp_code);
		assert_int_equal(w->odd->q_len, r->q_len);
		assert_int_equal(w->odd->q_tos, r->q_tos);
		assert_int_equal(w->odd->nhmtu, r->nhmtu);
	} else {
		assert_int_equal(r->icmp_code, 0);
		assert_int_equal(r->nhmtu, 0);
	}
	assert_int_equal(trace_walk_ext(w, NULL), r->ext_len);
	if (r->ext_len > 0) {
		assert_int_equal(trace_walk_ext(w, ext), r->ext_len);
		assert_memory_equal(ext, k->ext, r->ext_len);
	}
}

static void
compare(struct task *t, const struct table *tab)
{
	const struct trace *tr = task_state(t);
	const struct trace_probe *p;
	struct trace_walk w;
	unsigned int n = 0;

	trace_walk_init(&w, t, tr);
	for (; trace_walk_next(&w); n++) {
		assert_in_range(n, 0, tab->nhops - 1);
		same_hop(
		    &w, tr, &tab->hops[n], &tab->probes[tab->hops[n].number]);
	}
	assert_int_equal(n, tab->nhops);
	for (n = 0; n < tab->nprobes; n++) {
		p = trace_probe_get(t, tr, n);
		assert_int_equal(p->ttl, tab->probes[n].ttl);
		assert_int_equal(p->attempt, tab->probes[n].attempt);
		assert_int_equal(p->left, tab->probes[n].left);
		if (p->left)
			assert_int_equal(trace_tx_us(p), tab->probes[n].us);
	}
}

static void
comes_out_as_it_went_in(void **state)
{
	static struct table tab;
	struct sim s;

	(void)state;
	for (unsigned int round = 0; round < ROUNDS; round++) {
		seed = round;
		memset(&tab, 0, sizeof(tab));
		sim_open(&s, "", round % 2 ? ADDR_IPV6 : ADDR_IPV4, "D");
		add_probe(&s.t, &tab);
		for (uint32_t n = rnd(4 * STEPS_MAX); n > 0; n--) {
			uint32_t what = rnd(8);

			if (what < 2 && tab.nprobes < STEPS_MAX)
				add_probe(&s.t, &tab);
			else if (what < 5)
				leave(&s.t, &tab);
			else if (tab.nhops < HOPS_MAX)
				reply(&s.t, &tab);
		}
		compare(&s.t, &tab);
		sim_close(&s);
	}
}

/* A reply as nearly all are, 149 ms after the probe that left at US. */
static void
usual_reply(struct task *t, struct trace *tr, unsigned int number, int64_t us)
{
	struct reply r = {
	    .kind = REPLY_ICMP_ERROR,
	    .icmp_type = 11,
	    .from = sim_router(ADDR_IPV4, (int)number),
	    .size = 56,
	    .tos = 192,
	    .q_ttl = 1,
	    .q_len = 44,
	    .rx_ns = tr->start_ns + (us + 149000) * NS_PER_US,
	};

	trace_hop_add(t, tr, &r, &tr->last, number);
}

/* What the Prober's memory is planned with (docs/performance.md): a hop that
 * answers takes 13 bytes, a probe that nobody answers 2, if the next leaves within
 * some milliseconds of the reply, or of the end of the wait. */
static void
is_short(void **state)
{
	const unsigned int hops = 18, silent = 3 * 15;
	struct trace *tr;
	struct sim s;
	int64_t us = 0;

	(void)state;
	sim_open(&s, "", ADDR_IPV4, "D");
	tr = task_state(&s.t);
	for (unsigned int i = 0; i < hops + silent; i++) {
		trace_probe_add(&s.t, tr, (uint8_t)(i + 1), 0);
		trace_probe_left(&s.t, tr, i, (uint64_t)us);
		if (i < hops)
			usual_reply(&s.t, tr, i, us);
		us += (i < hops ? 149000 : WAIT_US) + 3000;
	}
	assert_int_equal(s.t.nblocks * TECHNIQUE_BLOCK + tr->log_len,
	    hops * 13 + silent * 2 - 1); /* the first: a byte less */
	sim_close(&s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(comes_out_as_it_went_in),
	    cmocka_unit_test(is_short),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
