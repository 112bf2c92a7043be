/*
 * Debian's scamper tools as independent readers of tbit and sting records:
 * made-up ones of all types are written by us and read by them, and what they
 * print is what we print, to the byte.
 *
 * Where Debian is at fault and ours is right: frag_df is always 0 there.
 */
#include "common/show/more.h"
#include "common/warts/codec.h"
#include "common/warts/sting.h"
#include "common/warts/tbit.h"
#include "tests/unit/peer.h"

#define RECORDS 1000
#define PACKETS 8
#define BYTES_MAX 120

static struct warts_packet packets[PACKETS];
static uint8_t bytes[PACKETS][BYTES_MAX];

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

/* The options of a TCP header: one of those whose printing is known. */
static size_t
make_options(uint8_t *p)
{
	static const uint8_t option[][20] = {
	    {2, 4, 5, 0xb4},
	    {3, 3, 7, 0},
	    {1, 1, 4, 2},
	    {4, 2, 3, 3, 9, 0},
	    {254, 12, 0xf9, 0x89, 1, 2, 3, 4, 5, 6, 7, 8},
	    {8, 10, 0, 0, 0, 5, 0, 0, 0, 9, 1, 1},
	    {1, 1, 5, 10, 0, 0, 0, 1, 0, 0, 0, 2},
	    {34, 6, 1, 2, 3, 4, 30, 4, 1, 2, 0, 0},
	    {1, 1, 5, 18, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 12},
	};
	uint32_t i = below(10);

	if (i == 9)
		return 0;
	memcpy(p, option[i], 20);
	return i < 3 ? 4 : i == 3 ? 8 : i == 8 ? 20 : 12;
}

/* Bytes of a TCP packet; returns how many there are. */
static uint16_t
make_tcp(uint8_t *p, int family)
{
	size_t ip = family == ADDR_IPV4 ? 20 : 40, options;
	uint32_t data = below(2) ? below(20) : 0;
	uint16_t len;

	memset(p, 0, BYTES_MAX);
	options = make_options(p + ip + 20);
	len = (uint16_t)(ip + 20 + options + data);
	if (family == ADDR_IPV4) {
		p[0] = 0x45;
		p[1] = (uint8_t)below(4);
		put16(p + 2, len);
		put16(p + 4, below(65536));
		put16(p + 6, below(2) * 0x4000);
		p[8] = (uint8_t)below(256);
		p[9] = 6;
	} else {
		p[0] = 0x60;
		p[1] = (uint8_t)(below(4) << 4);
		put16(p + 4, len - 40u);
		p[6] = 6;
		p[7] = (uint8_t)below(256);
	}
	put16(p + ip + 4, below(65536));
	put16(p + ip + 6, below(65536));
	put16(p + ip + 8, below(65536));
	put16(p + ip + 10, below(65536));
	p[ip + 12] = (uint8_t)((20 + options) / 4 << 4);
	p[ip + 13] = (uint8_t)below(256);
	put16(p + ip + 14, below(65536));
	return len;
}

/* A SYN and its answer first, as every connection has. */
static uint32_t
make_packets(int family, int sting)
{
	size_t flags = (family == ADDR_IPV4 ? 20 : 40) + 13;
	uint32_t n = 2 + below(PACKETS - 1);

	for (uint32_t i = 0; i < n; i++) {
		struct warts_packet *p = &packets[i];

		memset(p, 0, sizeof(*p));
		p->what = (uint8_t)(1 + (i < 2 ? i : below(2)));
		p->tv =
		    (struct warts_tv){1700000001 + below(9), below(1000000)};
		p->data.len = make_tcp(bytes[i], family);
		p->data.data = bytes[i];
		if (i == 0)
			bytes[i][flags] = 0x02;
		else if (i == 1)
			bytes[i][flags] = 0x12;
		else
			bytes[i][flags] &= 0xfd;
		if (sting && i > 2)
			p->what |= (uint8_t)(below(4) << 2);
	}
	return n;
}

static void
make_test(struct warts_tbit *t, int family)
{
	struct warts_tbit_test *d = &t->test;

	t->has_test = t->type != WARTS_TBIT_ECN &&
	    t->type != WARTS_TBIT_SACK_RCVR && t->type != WARTS_TBIT_ABC;
	d->mtu = (uint16_t)below(1500);
	d->ptb_attempts = (uint8_t)below(9);
	d->pmtud_options = (uint8_t)below(2);
	if (below(2))
		d->ptb_src = peer_addr(family, 9);
	d->null_options = (uint16_t)below(0x80);
	d->null_results = (uint16_t)below(8);
	d->blind_offset = (int32_t)below(2000) - 1000;
	d->blind_attempts = (uint8_t)below(9);
}

static void
make_tbit(struct product *p)
{
	static const uint16_t results[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 20,
	    21, 22, 23, 24, 25, 26, 30, 31, 32, 33, 34, 35, 40, 41, 50, 51, 52,
	    53, 54, 60, 61, 70, 71, 72, 80, 81, 82, 83, 84};
	int family = below(2) ? ADDR_IPV4 : ADDR_IPV6;
	struct warts_tbit t;

	memset(&t, 0, sizeof(t));
	t.list = t.cycle = 1;
	t.user_id = below(2) ? below(0x7fffffff) : 0;
	t.src = peer_addr(family, 1);
	t.dst = peer_addr(family, 2);
	t.sport = (uint16_t)below(65536);
	t.dport = (uint16_t)below(65536);
	t.start = (struct warts_tv){1700000000, below(1000000)};
	t.result = results[below(sizeof(results) / sizeof(results[0]))];
	t.type = (uint8_t)(1 + below(10));
	if (t.type == WARTS_TBIT_ICW)
		t.type = WARTS_TBIT_ECN;
	t.client_mss = (uint16_t)below(1500);
	t.server_mss = (uint16_t)below(1500);
	t.wscale = (uint8_t)below(3);
	t.options = below(4);
	t.ttl = (uint8_t)below(256);
	if (below(3) == 0)
		t.cookie = (struct warts_bytes){4, bytes[0]};
	make_test(&t, family);
	t.app = below(2) ? WARTS_TBIT_HTTP : below(2) ? WARTS_TBIT_BGP : 0;
	t.has_app = t.app != 0;
	t.appdata.http_host = "h.example";
	t.appdata.http_file = "/f";
	t.appdata.http_type = (uint8_t)below(2);
	t.appdata.bgp_as = below(70000);
	t.npackets = make_packets(family, 0);
	t.packets = packets;
	warts_encode(&p->warts, WARTS_TBIT, &t);
	show_text_tbit(&p->text, &peer_context, &t);
	show_json_tbit(&p->json, &peer_context, &t);
}

static void
make_sting(struct product *p)
{
	struct warts_sting s;

	memset(&s, 0, sizeof(s));
	s.list = s.cycle = 1;
	s.src = peer_addr(ADDR_IPV4, 1);
	s.dst = peer_addr(ADDR_IPV4, 2);
	s.sport = (uint16_t)below(65536);
	s.dport = (uint16_t)below(65536);
	s.count = (uint16_t)below(65536);
	s.mean_ms = (uint16_t)below(65536);
	s.dataack_count = (uint16_t)below(65536);
	s.hole_count = (uint16_t)below(4);
	s.start = (struct warts_tv){1700000000, 0};
	s.npackets = make_packets(ADDR_IPV4, 1);
	s.packets = packets;
	warts_encode(&p->warts, WARTS_STING, &s);
	show_text_sting(&p->text, &peer_context, &s);
}

static void
test_tbit_text_is_that_of_sc_warts2text(void **state)
{
	(void)state;
	assert_peer_agrees(SHOW_TEXT, make_tbit, RECORDS, NULL);
}

static void
mend_tbit(struct wbuf *peer)
{
	mend(peer, "}, {", "},{");
	mend(peer, "\"tcp_hlen\": ", "\"tcp_hlen\":");
}

/* Ours with a DF that is never there, as Debian's. */
static void
make_tbit_without_df(struct product *p)
{
	make_tbit(p);
	mend(&p->json, "\"frag_df\":1", "\"frag_df\":0");
}

static void
test_tbit_json_is_that_of_sc_warts2json(void **state)
{
	(void)state;
	assert_peer_agrees(
	    SHOW_JSON, make_tbit_without_df, RECORDS / 4, mend_tbit);
}

static void
test_sting_text_is_that_of_sc_warts2text(void **state)
{
	(void)state;
	assert_peer_agrees(SHOW_TEXT, make_sting, RECORDS, NULL);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_tbit_text_is_that_of_sc_warts2text),
    cmocka_unit_test(test_tbit_json_is_that_of_sc_warts2json),
    cmocka_unit_test(test_sting_text_is_that_of_sc_warts2text),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
