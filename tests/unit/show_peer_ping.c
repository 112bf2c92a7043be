/*
 * Debian's scamper tools as independent readers of pings: thousands of made-up
 * ones with values of all kinds are written by us and read by them, and what
 * they print is what we print, to the byte.
 */
#include "tests/unit/peer.h"

#define PINGS 1500
#define REPLIES_MAX 64

/* sc_warts2json reads beyond some of the options that it prints; those of the
 * samples (tests/golden/wartsview.test) have to do for it. */
static int with_options;

/* An IP option of the reply: none, record route, or timestamps, as many as
 * fit in the option (RFC 791). */
static void
make_option(struct warts_ping_reply *r)
{
	static struct addr route[9];
	static uint32_t stamps[9];
	uint8_t n = (uint8_t)(1 + below(9));

	for (uint8_t i = 0; i < 9; i++) {
		route[i] = peer_addr(ADDR_IPV4, i);
		stamps[i] = below(86400000);
	}
	if (below(4) == 0)
		r->rr = (struct warts_addrs){n, route};
	else if (below(4) == 0)
		r->ts = (struct warts_stamps){n, 0, stamps, NULL};
	else if (below(4) == 0)
		r->ts = (struct warts_stamps){n % 5, n % 5, stamps, route};
}

static void
make_message(struct warts_ping_reply *r, const struct warts_ping *p)
{
	static const uint8_t tcp[] = {0x12, 0x52, 0x04, 0x14};
	int v4 = p->dst.family == ADDR_IPV4;

	r->protocol = v4 ? 1 : 58;
	if (!warts_ping_is_icmp(p->method) && below(2))
		r->protocol = 6;
	r->tcp_flags = tcp[below(sizeof(tcp))];
	r->icmp_type = (uint8_t)below(below(2) ? 20 : 256);
	r->icmp_code = (uint8_t)below(20);
	if (r->icmp_type == 14 && v4 && p->method == WARTS_PING_ICMP_TIME) {
		r->has_icmp_ts = 1;
		for (int i = 0; i < 3; i++)
			r->icmp_ts[i] = below(86400000);
	}
}

static void
make_reply(struct warts_ping_reply *r, const struct warts_ping *p)
{
	r->addr = below(5) ? p->dst : peer_addr(p->dst.family, 1 + below(6));
	r->flags = WARTS_REPLY_TTL | WARTS_REPLY_IPID | WARTS_REPLY_PROBEIPID;
	r->reply_ttl = (uint8_t)below(256);
	r->reply_size = (uint16_t)below(1500);
	r->rtt_us = below(3) ? below(100000) : below(0x7fffffff) * 2;
	r->reply_ipid = (uint16_t)below(65536);
	r->probe_ipid = (uint16_t)below(65536);
	if (p->dst.family == ADDR_IPV6)
		r->flags = WARTS_REPLY_TTL | (below(2) ? WARTS_REPLY_IPID : 0);
	r->reply_fragid = below(0x7fffffff) * 2;
	r->tx = (struct warts_tv){1700000000 + below(1000), below(1000000)};
	make_message(r, p);
	if (p->dst.family == ADDR_IPV4 && with_options)
		make_option(r);
}

static void
make_head(struct warts_ping *p)
{
	static const uint8_t data[] = {0, 0x11, 0xa2, 0xff};
	static struct addr asked[4];
	int family = below(2) ? ADDR_IPV4 : ADDR_IPV6;

	p->list = p->cycle = 1;
	p->src = peer_addr(family, 100);
	p->dst = peer_addr(family, 1 + below(6));
	if (below(10) == 0)
		p->rtr = peer_addr(family, 9);
	p->start = (struct warts_tv){1700000000 + below(1000), below(1000000)};
	p->stop_reason = (uint8_t)below(4);
	p->data_len = (uint16_t)below(sizeof(data));
	p->data = data;
	p->probe_size = (uint16_t)below(1500);
	p->wait_s = (uint8_t)below(20);
	p->wait_us = below(2) ? below(1000000) : 0;
	p->timeout_s = (uint8_t)below(256);
	p->ttl = (uint8_t)below(256);
	p->method = (uint8_t)below(WARTS_PING_TCP_RST + 1);
	p->sport = (uint16_t)below(65536);
	p->dport = (uint16_t)below(65536);
	p->user_id = below(2) ? below(0x7fffffff) * 2 : 0;
	p->flags = below(3) ? 0 : below(0x100);
	p->icmp_sum = (uint16_t)below(65536);
	p->tos = (uint8_t)below(256);
	p->tcp_seq = below(0x7fffffff) * 2;
	p->tcp_ack = below(0x7fffffff) * 2;
	for (uint8_t i = 0; i < 4; i++)
		asked[i] = peer_addr(ADDR_IPV4, i);
	if (family == ADDR_IPV4 && with_options && below(6) == 0)
		p->tsps = (struct warts_addrs){(uint8_t)(1 + below(4)), asked};
}

static void
make_ping(struct warts_ping *p, struct warts_ping_reply *replies)
{
	memset(p, 0, sizeof(*p));
	memset(replies, 0, REPLIES_MAX * sizeof(*replies));
	make_head(p);
	p->replies = replies;
	p->ping_sent = (uint16_t)(1 + below(12));
	for (uint16_t probe = 0; probe < p->ping_sent; probe++) {
		for (uint32_t n = below(3); n > 0; n--) {
			struct warts_ping_reply *r = &replies[p->nreplies++];

			make_reply(r, p);
			r->probe = probe;
		}
	}
}

static void
make(struct product *p)
{
	struct warts_ping_reply replies[REPLIES_MAX];
	struct warts_ping ping;

	make_ping(&ping, replies);
	warts_ping_encode(&p->warts, &ping);
	show_text_ping(&p->text, SHOW_2021, &ping);
	show_json_ping(&p->json, &peer_context, &ping);
}

static void
test_text_is_that_of_sc_warts2text(void **state)
{
	(void)state;
	with_options = 1;
	assert_peer_agrees(SHOW_TEXT, make, PINGS, NULL);
}

/* scamper has a blank in `"icmp_csum": ', which is not ours. */
static void
mend_blank(struct wbuf *peer)
{
	mend(peer, "\"icmp_csum\": ", "\"icmp_csum\":");
}

static void
test_json_is_that_of_sc_warts2json(void **state)
{
	(void)state;
	with_options = 0;
	assert_peer_agrees(SHOW_JSON, make, PINGS, mend_blank);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_text_is_that_of_sc_warts2text),
    cmocka_unit_test(test_json_is_that_of_sc_warts2json),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
