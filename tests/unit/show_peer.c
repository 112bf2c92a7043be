/*
 * Debian's scamper tools as independent readers: thousands of made-up traces
 * with values of all kinds are written by us and read by them, and what they
 * print is what we print, to the byte.
 */
#include "common/warts/trace_hop.h"
#include "tests/unit/peer.h"

#define TRACES 1500
#define HOPS_MAX 64

/* A time exceeded, an echo reply, an unreachable or whatever else. */
static void
make_icmp(struct warts_hop *h)
{
	int v4 = h->addr.family == ADDR_IPV4;

	switch (below(4)) {
	case 0:
		h->icmp_type = v4 ? 3 : 1;
		h->icmp_code = (uint8_t)below(20);
		break;
	case 1:
		h->icmp_type = v4 ? 0 : 129;
		break;
	case 2:
		h->icmp_type = v4 ? 11 : 3;
		h->icmp_code = (uint8_t)below(2);
		break;
	default:
		h->icmp_type = (uint8_t)below(below(2) ? 20 : 256);
		h->icmp_code = (uint8_t)below(20);
	}
}

/* Up to three extension objects (RFC 4884): label stacks (RFC 4950), what is
 * said of interfaces (RFC 5837), and whatever else. */
static void
make_extensions(struct warts_hop *h)
{
	static const uint8_t data[16] = {
	    0x12, 0x34, 0x5b, 9, 0xff, 0xff, 0xf1, 255, 1, 2, 3, 4, 5, 6, 7, 8};
	static struct warts_ext ext[TRACES][3];
	static unsigned int used;

	h->exts.ext = ext[used++ % TRACES];
	h->exts.count = (uint16_t)(1 + below(3));
	for (int i = 0; i < h->exts.count; i++) {
		struct warts_ext *e = &h->exts.ext[i];

		e->class_num = (uint8_t)(1 + below(3));
		e->class_type = (uint8_t)(1 + below(2));
		e->len = (uint16_t)(4 * below(5));
		e->data = data;
	}
}

static void
make_hop(struct warts_hop *h, const struct warts_trace *t)
{
	static const uint8_t tcp[] = {0x12, 0x52, 0x04, 0x14, 0x02, 0x00};

	h->addr = peer_addr(t->dst.family, 1 + below(6));
	h->rtt_us = below(3) ? below(100000) : below(0x7fffffff) * 2;
	/* UDP replies are left out: sc_warts2text prints stray bytes there. */
	h->flags = below(2) ? 0x11 : (uint8_t)below(64);
	h->reply_ttl = (uint8_t)below(256);
	h->probe_size = t->probe_size;
	h->reply_size = (uint16_t)below(1500);
	h->reply_tos = (uint8_t)below(256);
	if (h->addr.family == ADDR_IPV4)
		h->reply_ipid = (uint16_t)below(65536);
	make_icmp(h);
	h->tcp_flags = below(2) ? tcp[below(6)] : (uint8_t)below(256);
	h->q_ttl = below(2) ? 1 : (uint8_t)below(256);
	h->q_len = (uint16_t)(below(2) ? h->probe_size : below(1500));
	h->q_tos = (uint8_t)below(256);
	h->nhmtu = (uint16_t)below(1500);
	if (below(3))
		h->tx =
		    (struct warts_tv){1700000000 + below(99), below(999999)};
	if (below(5) == 0)
		h->name = "host.example";
	if (warts_hop_is_icmp(h) && below(5) == 0)
		make_extensions(h);
}

static void
make_head(struct warts_trace *t)
{
	int family = below(2) ? ADDR_IPV4 : ADDR_IPV6;

	if (below(9))
		t->src = peer_addr(family, 1 + below(9));
	t->dst = peer_addr(family, 1 + below(6));
	if (below(9) == 0)
		t->rtr = peer_addr(family, 1 + below(9));
	t->start = (struct warts_tv){1700000000, below(1000000)};
	t->stop_reason = (uint8_t)below(10);
	t->stop_data = (uint8_t)below(256);
	t->flags = below(3) ? below(4) * 0x10 : below(2048) & ~2u;
	t->attempts = (uint8_t)below(6);
	t->hop_limit = (uint8_t)below(256);
	t->method = (uint8_t)(1 + below(6));
	t->probe_size = (uint16_t)below(1500);
	t->sport = (uint16_t)below(65536);
	t->dport = (uint16_t)below(65536);
	t->first_ttl = (uint8_t)below(5);
	t->tos = (uint8_t)below(256);
	t->wait_s = (uint8_t)below(20);
	t->gap_limit = (uint8_t)below(256);
	t->gap_action = (uint8_t)(1 + below(2));
	t->probe_count = (uint16_t)below(999);
	t->wait_probe_cs = (uint8_t)below(256);
	t->user_id = below(3) ? 0 : below(0x7fffffff);
	t->squeries = (uint8_t)below(4);
}

/* Up to three replies at each ttl to 7, often none; HOPS is T's. */
static void
make_trace(struct warts_trace *t, struct warts_hop *hops)
{
	memset(t, 0, sizeof(*t));
	memset(hops, 0, HOPS_MAX * sizeof(*hops));
	t->list = t->cycle = 1;
	t->hops = hops;
	make_head(t);
	for (uint8_t ttl = 1; ttl < 8; ttl++) {
		uint8_t attempt = 0;

		if (below(4) == 0)
			continue;
		for (uint32_t n = below(4); n > 0; n--) {
			struct warts_hop *h = &hops[t->nhops++];

			make_hop(h, t);
			h->probe_ttl = ttl;
			h->attempt = attempt;
			attempt += (uint8_t)below(3);
			t->hop_count = ttl;
		}
	}
	if (below(2))
		t->hop_count += (uint16_t)below(4);
}

/* What neither text nor JSON shows, and must not be disturbed by: hops of the
 * last ditch, where doubletree stopped, why a trace failed. */
static void
make_rest(struct warts_trace *t)
{
	static struct warts_hop ditch_hops[3];
	static struct warts_lastditch ditch;
	static struct warts_dtree dtree;

	ditch = (struct warts_lastditch){(uint16_t)below(4), ditch_hops};
	for (int i = 0; i < ditch.hop_count; i++) {
		memset(&ditch_hops[i], 0, sizeof(ditch_hops[i]));
		make_hop(&ditch_hops[i], t);
		ditch_hops[i].probe_ttl = 255;
		ditch_hops[i].attempt = (uint8_t)i;
	}
	dtree = (struct warts_dtree){.first_ttl = (uint8_t)below(256),
	    .flags = (uint8_t)below(2),
	    .lss_name = below(2) ? "lss" : NULL};
	if (below(2))
		dtree.lss_stop = peer_addr(t->dst.family, 1 + below(9));
	if (below(2))
		dtree.gss_stop = peer_addr(t->dst.family, 1 + below(9));
	/* Without hops Debian's readers do not look for anything behind. */
	if (below(2) && t->nhops != 0)
		t->lastditch = &ditch;
	if (below(2) && t->nhops != 0)
		t->dtree = &dtree;
	if (below(9) == 0)
		t->errmsg = "no route";
}

static void
append(struct product *p, const struct warts_trace *t)
{
	warts_trace_encode(&p->warts, t);
	show_text_trace(&p->text, t);
	show_json_trace(&p->json, &peer_context, t);
}

static unsigned int hops_made;

static void
make(struct product *p)
{
	struct warts_hop hops[HOPS_MAX];
	struct warts_trace t;

	make_trace(&t, hops);
	make_rest(&t);
	hops_made += t.nhops;
	if (t.lastditch != NULL)
		hops_made += t.lastditch->hop_count;
	append(p, &t);
}

/* scamper's key for the next-hop MTU has a colon too many. */
static void
mend_key(struct wbuf *b)
{
	mend(b, "\"icmp_nhmtu:\"", "\"icmp_nhmtu\"");
}

static void
test_text_is_that_of_sc_warts2text(void **state)
{
	(void)state;
	assert_peer_agrees(SHOW_TEXT, make, TRACES, NULL);
}

static void
test_json_is_that_of_sc_warts2json(void **state)
{
	(void)state;
	assert_peer_agrees(SHOW_JSON, make, TRACES, mend_key);
}

/* Lines of B that begin with WORD. */
static unsigned int
lines_with(const struct wbuf *b, const char *word)
{
	size_t n = strlen(word);
	unsigned int count = 0;

	for (size_t i = 0; i + n <= b->len; i++) {
		if ((i == 0 || b->p[i - 1] == '\n') &&
		    memcmp(b->p + i, word, n) == 0)
			count++;
	}
	return count;
}

/* sc_wartsdump shows all hops, of sections too, and complains of nothing. */
static void
test_dump_shows_every_trace_and_hop(void **state)
{
	struct product p;
	struct wbuf peer;

	(void)state;
	hops_made = 0;
	product_make(&p, make, TRACES);
	assert_true(hops_made > 3 * TRACES);
	peer_reads("sc_wartsdump", &p.warts, &peer);
	assert_int_equal(lines_with(&peer, "list id 7, name made up"), 1);
	assert_int_equal(lines_with(&peer, "cycle start, list made up 7"), 1);
	assert_int_equal(lines_with(&peer, "traceroute "), TRACES);
	assert_int_equal(lines_with(&peer, "hop "), hops_made);
	assert_int_equal(lines_with(&peer, "off 0x"), 0);
	product_clear(&p);
	wbuf_clear(&peer);
}

/* --- path MTU discovery ----------------------------------------------------- */

static struct warts_pmtud pmtud;
static struct warts_pmtud_note notes[8];
static struct warts_hop large[16];

/* A reply to a probe of SIZE bytes sent with TTL; LEFT of it in the quote. */
static struct warts_hop
large_reply(uint32_t from, uint8_t ttl, uint8_t left, uint16_t size)
{
	struct warts_hop h = {
	    .addr = peer_addr(ADDR_IPV4, from),
	    .probe_ttl = ttl,
	    .flags = 0x11,
	    .icmp_type = ttl == 255 ? 3 : 11,
	    .icmp_code = ttl == 255 ? 4 : 0,
	    .probe_size = size,
	    .q_ttl = left,
	    .q_len = size,
	};

	return h;
}

/* The note that at distance AT the MTU goes from *MTU down. */
static void
make_note(uint32_t at, uint16_t *mtu)
{
	struct warts_pmtud_note *n = &notes[pmtud.note_count++];
	struct warts_hop *h = &large[pmtud.hop_count];
	uint16_t next = (uint16_t)(*mtu - 40 - below(30));

	n->type = (uint8_t)(at == 0 ? WARTS_NOTE_SILENCE : 1 + below(3));
	n->nhmtu = next;
	n->hop = pmtud.hop_count;
	n->has_hop = at != 0;
	if (n->type == WARTS_NOTE_SILENCE && at != 0)
		*h = large_reply(at, (uint8_t)at, 1, *mtu);
	else if (at != 0)
		/* From the address seen in the trace, or another of it. */
		*h = large_reply(
		    below(2) ? at : 100 + at, 255, (uint8_t)(256 - at), *mtu);
	h->nhmtu = n->type == WARTS_NOTE_PTB ? next
	    : below(2)			     ? 0
					     : (uint16_t)(*mtu + below(9));
	pmtud.hop_count += n->has_hop;
	*mtu = next;
}

/* Seven routers, some silent or answering twice; up to four narrowings. */
static void
make_pmtud_trace(struct warts_trace *t, struct warts_hop *hops)
{
	uint16_t mtu = 1500;

	make_trace(t, hops);
	memset(hops, 0, HOPS_MAX * sizeof(*hops));
	t->nhops = 0;
	t->src = peer_addr(ADDR_IPV4, 200);
	t->dst = peer_addr(ADDR_IPV4, 7);
	t->flags = WARTS_TRACE_PMTUD;
	t->hop_count = 7;
	for (uint8_t ttl = 1; ttl <= 7; ttl++) {
		if (ttl < 7 && below(5) == 0)
			continue;
		for (uint32_t n = 1 + below(2); n > 0; n--) {
			struct warts_hop *h = &hops[t->nhops++];

			*h = large_reply(ttl, ttl, 1, t->probe_size);
			h->icmp_type = ttl == 7 ? 3 : 11;
			h->icmp_code = ttl == 7 ? 3 : 0;
		}
	}
	memset(notes, 0, sizeof(notes));
	pmtud =
	    (struct warts_pmtud){.if_mtu = 1500, .hops = large, .notes = notes};
	for (uint32_t at = below(3); at <= 6 && pmtud.note_count < 4;
	     at += 1 + below(3))
		make_note(at, &mtu);
	/* The way out is known to be narrower when silence began there. */
	if (pmtud.note_count != 0 && !notes[0].has_hop && below(2))
		pmtud.out_mtu = notes[0].nhmtu;
	pmtud.path_mtu = mtu;
	large[pmtud.hop_count] = large_reply(7, 255, 249, mtu);
	large[pmtud.hop_count++].icmp_code = 3;
	t->pmtud = &pmtud;
}

static void
make_with_path_mtu(struct product *p)
{
	struct warts_hop hops[HOPS_MAX];
	struct warts_trace t;

	make_pmtud_trace(&t, hops);
	append(p, &t);
}

static void
test_path_mtu_text_is_that_of_sc_warts2text(void **state)
{
	(void)state;
	assert_peer_agrees(SHOW_TEXT, make_with_path_mtu, TRACES, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_text_is_that_of_sc_warts2text),
    cmocka_unit_test(test_json_is_that_of_sc_warts2json),
    cmocka_unit_test(test_dump_shows_every_trace_and_hop),
    cmocka_unit_test(test_path_mtu_text_is_that_of_sc_warts2text),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
