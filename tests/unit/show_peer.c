/*
 * Debian's scamper tools as independent readers: thousands of made-up traces
 * with values of all kinds are written by us and read by them, and what they
 * print is what we print, to the byte.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/show/show.h"
#include "common/warts/record.h"
#include "common/xmalloc.h"
#include "tests/unit/peer.h"

#define TRACES 1500
#define HOPS_MAX 64

static struct addr
router(int family, uint32_t n)
{
	uint8_t v4[4] = {192, 0, 2, (uint8_t)n};
	uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, [15] = (uint8_t)n};

	return addr_make(family, family == ADDR_IPV4 ? v4 : v6);
}

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

static void
make_hop(struct warts_hop *h, const struct warts_trace *t)
{
	static const uint8_t tcp[] = {0x12, 0x52, 0x04, 0x14, 0x02, 0x00};

	h->addr = router(t->dst.family, 1 + below(6));
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
}

static void
make_head(struct warts_trace *t)
{
	int family = below(2) ? ADDR_IPV4 : ADDR_IPV6;

	if (below(9))
		t->src = router(family, 1 + below(9));
	t->dst = router(family, 1 + below(6));
	if (below(9) == 0)
		t->rtr = router(family, 1 + below(9));
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

static const struct warts_list list = {
    .id = 1, .user_id = 7, .name = "made up", .descr = "d", .monitor = "m"};
static const struct warts_cycle cycle = {
    .id = 1, .list = 1, .user_id = 3, .start = 1700000000};

/* Make traces with MAKE; WARTS gets the file, TEXT and JSON what we print. */
struct product {
	struct wbuf warts, text, json;
};

typedef void make_fn(struct warts_trace *, struct warts_hop *);

static void
produce(struct product *p, make_fn *make)
{
	struct show_context ctx = {SHOW_2021, &list, &cycle};
	struct warts_hop hops[HOPS_MAX];
	struct warts_trace t;

	seed = 1;
	wbuf_init(&p->warts);
	wbuf_init(&p->text);
	wbuf_init(&p->json);
	warts_list_encode(&p->warts, &list);
	warts_cycle_encode(&p->warts, WARTS_CYCLE_START, &cycle);
	show_json_cycle_start(&p->json, &ctx);
	for (int i = 0; i < TRACES; i++) {
		make(&t, hops);
		warts_trace_encode(&p->warts, &t);
		show_text_trace(&p->text, &t);
		show_json_trace(&p->json, &ctx, &t);
	}
}

static void
product_clear(struct product *p)
{
	wbuf_clear(&p->warts);
	wbuf_clear(&p->text);
	wbuf_clear(&p->json);
}

/* scamper's key for the next-hop MTU has a colon too many. */
static void
mend_key(struct wbuf *b)
{
	static const char wrong[] = "\"icmp_nhmtu:\"",
			  right[] = "\"icmp_nhmtu\"";
	struct wbuf out;

	wbuf_init(&out);
	for (size_t i = 0; i < b->len;) {
		if (b->len - i >= sizeof(wrong) - 1 &&
		    memcmp(b->p + i, wrong, sizeof(wrong) - 1) == 0) {
			wbuf_bytes(&out, right, sizeof(right) - 1);
			i += sizeof(wrong) - 1;
		} else {
			wbuf_u8(&out, b->p[i++]);
		}
	}
	wbuf_clear(b);
	*b = out;
}

static void
test_text_is_that_of_sc_warts2text(void **state)
{
	struct product p;
	struct wbuf peer;

	(void)state;
	produce(&p, make_trace);
	peer_reads("sc_warts2text", &p.warts, &peer);
	assert_same_lines(&p.text, &peer);
	product_clear(&p);
	wbuf_clear(&peer);
}

static void
test_json_is_that_of_sc_warts2json(void **state)
{
	struct product p;
	struct wbuf peer;

	(void)state;
	produce(&p, make_trace);
	peer_reads("sc_warts2json", &p.warts, &peer);
	mend_key(&peer);
	assert_same_lines(&p.json, &peer);
	product_clear(&p);
	wbuf_clear(&peer);
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
	struct warts_hop hops[HOPS_MAX];
	struct warts_trace t;
	unsigned int nhops = 0;
	struct product p;
	struct wbuf peer;

	(void)state;
	produce(&p, make_trace);
	seed = 1;
	for (int i = 0; i < TRACES; i++) {
		make_trace(&t, hops);
		nhops += t.nhops;
	}
	assert_true(nhops > 3 * TRACES);
	peer_reads("sc_wartsdump", &p.warts, &peer);
	assert_int_equal(lines_with(&peer, "list id 7, name made up"), 1);
	assert_int_equal(lines_with(&peer, "cycle start, list made up 7"), 1);
	assert_int_equal(lines_with(&peer, "traceroute "), TRACES);
	assert_int_equal(lines_with(&peer, "hop "), nhops);
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
	    .addr = router(ADDR_IPV4, from),
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
	t->src = router(ADDR_IPV4, 200);
	t->dst = router(ADDR_IPV4, 7);
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
test_path_mtu_text_is_that_of_sc_warts2text(void **state)
{
	struct product p;
	struct wbuf peer;

	(void)state;
	produce(&p, make_pmtud_trace);
	peer_reads("sc_warts2text", &p.warts, &peer);
	assert_same_lines(&p.text, &peer);
	product_clear(&p);
	wbuf_clear(&peer);
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
