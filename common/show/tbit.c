/*
 * show/tbit: tests of TCP implementations as text and JSON (contract: more.h).
 *
 *	tbit from A to B
 *	 server-mss N, result: WORD
 *	 app: http, url: URL
 *	 [  0.023] TX SYN             44  seq = 0:0              e61b DF
 *
 * A line per packet: when, flags, length, sequence and acknowledgement number
 * since the first ones and the bytes of data, IP-ID, DF (if there are data) and
 * ECN.  In JSON frag_df is as it was sent; scamper 2021 has always 0 there.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "common/show/more.h"
#include "common/show/parts.h"
#include "common/show/tbit_packet.h"
#include "common/warts/tbit.h"

/* --- words ------------------------------------------------------------------ */

static const char *
type_word(uint8_t type)
{
	static const char *const words[] = {
	    [WARTS_TBIT_PMTUD] = "pmtud",
	    [WARTS_TBIT_ECN] = "ecn",
	    [WARTS_TBIT_NULL] = "null",
	    [WARTS_TBIT_SACK_RCVR] = "sack-rcvr",
	    [WARTS_TBIT_ICW] = "icw",
	    [WARTS_TBIT_ABC] = "abc",
	    [WARTS_TBIT_BLIND_DATA] = "blind-data",
	    [WARTS_TBIT_BLIND_RST] = "blind-rst",
	    [WARTS_TBIT_BLIND_SYN] = "blind-syn",
	    [WARTS_TBIT_BLIND_FIN] = "blind-fin",
	};

	return PARTS_WORD(words, type);
}

static const char *
result_word(uint16_t result)
{
	static const char *const words[] = {
	    [0] = "none",
	    [1] = "tcp-noconn",
	    [2] = "tcp-rst",
	    [3] = "tcp-error",
	    [4] = "sys-error",
	    [5] = "aborted",
	    [6] = "tcp-noconn-rst",
	    [7] = "halted",
	    [8] = "tcp-badopt",
	    [9] = "tcp-fin",
	    [10] = "tcp-zerowin",
	    [20] = "pmtud-noack",
	    [21] = "pmtud-nodata",
	    [22] = "pmtud-toosmall",
	    [23] = "pmtud-nodf",
	    [24] = "pmtud-fail",
	    [25] = "pmtud-success",
	    [26] = "pmtud-cleardf",
	    [30] = "ecn-success",
	    [31] = "ecn-incapable",
	    [32] = "ecn-badsynack",
	    [33] = "ecn-noece",
	    [34] = "ecn-noack",
	    [35] = "ecn-nodata",
	    [40] = "null-success",
	    [41] = "null-nodata",
	    [50] = "sack-incapable",
	    [51] = "sack-rcvr-success",
	    [52] = "sack-rcvr-shifted",
	    [53] = "sack-rcvr-timeout",
	    [54] = "sack-rcvr-nosack",
	    [60] = "icw-success",
	    [61] = "icw-tooshort",
	    [70] = "abc-success",
	    [71] = "abc-tooshort",
	    [72] = "abc-badicw",
	    [80] = "blind-accepted",
	    [81] = "blind-challenge",
	    [82] = "blind-ignored",
	    [83] = "blind-rst",
	    [84] = "blind-synnew",
	};

	return PARTS_WORD(words, result);
}

/* The first sequence numbers of both sides, as far as they are known. */
struct isns {
	int has_client, has_server;
	uint32_t client, server;
};

/* Learn from P, which was sent (or received). */
static void
isns_learn(struct isns *isns, const struct tbit_packet *p, int sent)
{
	if (!p->is_tcp || !(p->tcp_flags & TBIT_SYN))
		return;
	if (sent && !isns->has_client) {
		isns->has_client = 1;
		isns->client = p->seq;
	} else if (!sent && p->tcp_flags & TBIT_ACK && !isns->has_server) {
		isns->has_server = 1;
		isns->server = p->seq;
	}
}

static struct isns
isns_find(const struct warts_tbit *t)
{
	struct isns isns = {0, 0, 0, 0};

	for (uint32_t i = 0; i < t->npackets; i++) {
		struct tbit_packet p = tbit_packet(&t->packets[i]);

		isns_learn(&isns, &p, t->packets[i].what == WARTS_TBIT_TX);
	}
	return isns;
}

/* P's numbers since the first, as far as those were known when it came. */
static void
relative(struct tbit_packet *p, struct isns *isns, int sent)
{
	isns_learn(isns, p, sent);
	p->seq -= sent ? isns->client : isns->server;
	p->ack -= sent ? isns->server : isns->client;
}

static void
url_print(struct wbuf *out, const struct warts_tbit_app_block *app)
{
	wbuf_printf(out, "%s://%s%s", app->http_type == 1 ? "https" : "http",
	    app->http_host != NULL ? app->http_host : "",
	    app->http_file != NULL ? app->http_file : "");
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

/* The SACK option (RFC 2018) in P's options: returns its blocks, *N bytes. */
static const uint8_t *
sack_find(const struct tbit_packet *p, size_t *n)
{
	const uint8_t *o = p->options;
	size_t left = p->optlen;

	*n = 0;
	while (left != 0 && o[0] != 0) {
		size_t len = o[0] == 1 ? 1 : left > 1 ? o[1] : 0;

		if (len == 0 || len > left || (o[0] != 1 && len < 2))
			return NULL;
		if (o[0] == 5) {
			*n = len - 2;
			return o + 2;
		}
		o += len;
		left -= len;
	}
	return NULL;
}

/* --- text ------------------------------------------------------------------- */

static void
text_flags(struct wbuf *out, uint8_t flags)
{
	static const struct {
		uint8_t flag;
		const char *word;
	} words[] = {{TBIT_SYN, "SYN"}, {TBIT_ACK, "ACK"}, {TBIT_FIN, "FIN"},
	    {TBIT_RST, "RST"}, {TBIT_ECE, "ECE"}, {TBIT_CWR, "CWR"}};
	char buf[32] = "";
	size_t len = 0;

	/* Only that of a SYN is worth a word. */
	if (!(flags & TBIT_SYN))
		flags &= (uint8_t)~TBIT_ACK;
	if (flags & TBIT_FIN)
		flags &= (uint8_t)~TBIT_RST;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!(flags & words[i].flag))
			continue;
		len += (size_t)snprintf(buf + len, sizeof(buf) - len, "%s%s",
		    len == 0 ? "" : "/", words[i].word);
	}
	wbuf_printf(out, "%-13s", buf);
}

/* Sequence number, acknowledgement, data, and blocks since ISN; with a NUL. */
static void
text_numbers(struct wbuf *out, const struct tbit_packet *p, uint32_t isn)
{
	size_t n;
	const uint8_t *block = sack_find(p, &n);

	wbuf_printf(out, "%u:%u", p->seq, p->ack);
	if (p->datalen != 0)
		wbuf_printf(out, "(%u)", p->datalen);
	for (const char *sep = " {"; n >= 8; block += 8, n -= 8, sep = ",")
		wbuf_printf(out, "%s%u:%u%s", sep, get32(block) - isn,
		    get32(block + 4) - isn, n < 16 ? "}" : "");
	wbuf_u8(out, 0);
}

static void
text_packet(struct wbuf *out, const struct warts_tbit *t,
    const struct warts_packet *packet, struct isns *isns)
{
	struct tbit_packet p = tbit_packet(packet);
	int sent = packet->what == WARTS_TBIT_TX;
	uint32_t us = parts_us(t->start, packet->tv);
	struct wbuf numbers;

	wbuf_printf(out, " [%3u.%03u] %s ", us / 1000000, us / 1000 % 1000,
	    sent ? "TX" : "RX");
	if (p.is_too_big) {
		wbuf_printf(out, "%-13s %4u  mtu = %u\n", "PTB", p.len, p.mtu);
		return;
	}
	if (!p.is_tcp) {
		wbuf_printf(out, "%-13s %4u\n", "", packet->data.len);
		return;
	}
	relative(&p, isns, sent);
	text_flags(out, p.tcp_flags);
	wbuf_init(&numbers);
	text_numbers(&numbers, &p, sent ? isns->server : isns->client);
	wbuf_printf(out, " %4u  seq = %-16s", p.len, (const char *)numbers.p);
	wbuf_clear(&numbers);
	if (p.has_frag)
		wbuf_printf(out, " %04x", p.frag_id);
	if (p.frag_df && p.datalen != 0)
		wbuf_printf(out, " DF");
	if (p.ecn != 0)
		wbuf_printf(out, p.ecn == 3 ? " CE" : " ECT");
	wbuf_printf(out, "\n");
}

void
show_text_tbit(
    struct wbuf *out, const struct show_context *ctx, const void *record)
{
	const struct warts_tbit *t = record;
	struct isns isns = {0, 0, 0, 0};
	char a[ADDR_STRLEN], b[ADDR_STRLEN], number[16];
	const char *word = result_word(t->result);

	(void)ctx;
	snprintf(number, sizeof(number), "%u", t->result);
	wbuf_printf(out, "tbit from %s to %s\n server-mss %u, result: %s\n",
	    addr_str(&t->src, a), addr_str(&t->dst, b), t->server_mss,
	    word != NULL ? word : number);
	if (t->app == WARTS_TBIT_HTTP && t->has_app) {
		wbuf_printf(out, " app: http, url: ");
		url_print(out, &t->appdata);
		wbuf_printf(out, "\n");
	}
	for (uint32_t i = 0; i < t->npackets; i++)
		text_packet(out, t, &t->packets[i], &isns);
}

/* --- JSON ------------------------------------------------------------------- */

/* Options that have a name are shown. */
static int
is_known(uint8_t kind, size_t len, int is_cookie)
{
	return (kind == 3 && len == 3) || kind == 4 || kind == 5 ||
	    (kind == 8 && len == 10) || kind == 34 || is_cookie;
}

static void
sack_blocks(struct json *j, const uint8_t *p, size_t n, uint32_t isn)
{
	json_open(j, "blocks", '[');
	for (; n >= 8; p += 8, n -= 8) {
		json_open(j, NULL, '{');
		json_u32(j, "left", get32(p) - isn);
		json_u32(j, "right", get32(p + 4) - isn);
		json_close(j, '}');
	}
	json_close(j, ']');
}

/* An option of LEN bytes at P, its kind and length included (RFC 9293, 7323,
 * 2018, 7413); blocks are since ISN. */
static void
option_object(struct json *j, const uint8_t *p, size_t len, uint32_t isn)
{
	uint8_t kind = p[0];
	int is_cookie = kind == 254 && len >= 4 && p[2] == 0xf9 && p[3] == 0x89;

	if (!is_known(kind, len, is_cookie))
		return;
	json_open(j, NULL, '{');
	if (kind == 3) {
		json_str(j, "kind", "wscale");
		json_u32(j, "shift", p[2]);
	} else if (kind == 4) {
		json_str(j, "kind", "sack-ok");
	} else if (kind == 5) {
		json_str(j, "kind", "sack");
		sack_blocks(j, p + 2, len - 2, isn);
	} else if (kind == 34 || is_cookie) {
		size_t head = is_cookie ? 4 : 2;

		json_str(j, "kind", is_cookie ? "fo-exp" : "fo");
		json_hex(j, "cookie", p + head, len - head);
	} else if (kind == 8) {
		json_str(j, "kind", "ts");
		json_u32(j, "val", get32(p + 2));
		json_u32(j, "ecr", get32(p + 6));
	}
	json_close(j, '}');
}

static void
options_array(struct json *j, const uint8_t *p, size_t n, uint32_t isn)
{
	json_open(j, "tcp_options", '[');
	while (n != 0 && p[0] != 0) {
		if (p[0] == 1) {
			json_open(j, NULL, '{');
			json_str(j, "kind", "nop");
			json_close(j, '}');
			p++;
			n--;
			continue;
		}
		if (n < 2 || p[1] < 2 || p[1] > n)
			break;
		option_object(j, p, p[1], isn);
		n -= p[1];
		p += p[1];
	}
	if (n != 0 && p[0] == 0) {
		json_open(j, NULL, '{');
		json_str(j, "kind", "eol");
		json_close(j, '}');
	}
	json_close(j, ']');
}

static void
tcp_members(struct json *j, const struct tbit_packet *p, uint32_t isn)
{
	static const struct json_word flags[] = {{TBIT_FIN, "fin"},
	    {TBIT_SYN, "syn"}, {TBIT_RST, "rst"}, {TBIT_PSH, "psh"},
	    {TBIT_ACK, "ack"}, {TBIT_URG, "urg"}, {TBIT_ECE, "ece"},
	    {TBIT_CWR, "cwr"}, {0, NULL}};

	json_u32(j, "tcp_hlen", p->tcp_hlen);
	if (p->tcp_flags != 0) {
		json_words(j, "tcp_flags", p->tcp_flags, flags);
	} else {
		json_open(j, "tcp_flags", '[');
		json_close(j, ']');
	}
	options_array(j, p->options, p->optlen, isn);
	json_u32(j, "tcp_seq", p->seq);
	if (p->tcp_flags & TBIT_ACK)
		json_u32(j, "tcp_ack", p->ack);
	json_u32(j, "tcp_datalen", p->datalen);
	json_u32(j, "tcp_win", p->win);
}

static void
packet_object(struct json *j, const struct warts_tbit *t,
    const struct warts_packet *packet, struct isns *isns)
{
	struct tbit_packet p = tbit_packet(packet);
	int sent = packet->what == WARTS_TBIT_TX;
	uint32_t us = parts_us(t->start, packet->tv);

	json_open(j, NULL, '{');
	json_str(j, "dir", sent ? "tx" : "rx");
	json_u32(j, "tv_sec", us / 1000000);
	json_u32(j, "tv_usec", us % 1000000);
	json_u32(j, "len", packet->data.len);
	if (p.version != 0) {
		json_u32(j, "ip_hlen", p.ip_hlen);
		json_u32(j, "ip_ecn", p.ecn);
		json_u32(j, "ip_ttl", p.ttl);
	}
	if (p.has_frag) {
		json_u32(j, "frag_id", p.frag_id);
		json_u32(j, "frag_off", p.frag_off);
		json_u32(j, "frag_mf", p.frag_mf);
		if (p.version == 4)
			json_u32(j, "frag_df", p.frag_df);
	}
	if (p.is_tcp) {
		relative(&p, isns, sent);
		tcp_members(j, &p, sent ? isns->server : isns->client);
	}
	json_close(j, '}');
}

/* Words of FLAGS as an array, which may be empty. */
static void
words_array(struct json *j, const char *key, uint32_t flags,
    const struct json_word *words)
{
	size_t before = j->out->len;

	json_words(j, key, flags, words);
	if (j->out->len != before)
		return;
	json_open(j, key, '[');
	json_close(j, ']');
}

static void
test_members(struct json *j, const struct warts_tbit *t)
{
	static const struct json_word pmtud[] = {{1, "blackhole"}, {0, NULL}};
	static const struct json_word null[] = {{0x01, "tcpts"},
	    {0x02, "ipts-syn"}, {0x04, "iprr-syn"}, {0x08, "ipqs-syn"},
	    {0x10, "sack"}, {0x20, "fo"}, {0x40, "fo-exp"}, {0, NULL}};
	static const struct json_word results[] = {
	    {0x01, "tcpts-ok"}, {0x02, "sack-ok"}, {0x04, "fo-ok"}, {0, NULL}};
	const struct warts_tbit_test *d = &t->test;

	if (t->type == WARTS_TBIT_PMTUD) {
		json_u32(j, "mtu", d->mtu);
		json_u32(j, "ptb_retx", d->ptb_attempts);
		if (d->ptb_src.family != ADDR_NONE)
			json_addr(j, "ptbsrc", &d->ptb_src);
		words_array(j, "pmtud_options", d->pmtud_options, pmtud);
	} else if (t->type == WARTS_TBIT_NULL) {
		words_array(j, "null_options", d->null_options, null);
		words_array(j, "null_results", d->null_results, results);
	} else if (t->type >= WARTS_TBIT_BLIND_DATA &&
	    t->type <= WARTS_TBIT_BLIND_FIN) {
		json_i32(j, "blind_off", d->blind_offset);
		json_u32(j, "blind_retx", d->blind_attempts);
	}
}

static void
app_members(struct json *j, const struct warts_tbit *t)
{
	struct wbuf url;

	if (t->app == WARTS_TBIT_HTTP) {
		wbuf_init(&url);
		url_print(&url, &t->appdata);
		wbuf_u8(&url, 0);
		json_str(j, "app", "http");
		json_str(j, "http_url", (const char *)url.p);
		wbuf_clear(&url);
	} else if (t->app == WARTS_TBIT_BGP) {
		json_str(j, "app", "bgp");
		json_u32(j, "bgp_asn", t->appdata.bgp_as);
	}
}

static void
head(struct json *j, const struct warts_tbit *t)
{
	static const struct json_word options[] = {
	    {WARTS_TBIT_TCPTS, "tcpts"}, {WARTS_TBIT_SACK, "sack"}, {0, NULL}};

	json_str(j, "type", "tbit");
	json_word_or_number(j, "tbit_type", type_word(t->type), t->type);
	json_u32(j, "userid", t->user_id);
	json_addr(j, "src", &t->src);
	json_addr(j, "dst", &t->dst);
	json_u32(j, "sport", t->sport);
	json_u32(j, "dport", t->dport);
	parts_tv(j, "start", ",", t->start);
	json_u32(j, "client_mss", t->client_mss);
	json_u32(j, "server_mss", t->server_mss);
	json_u32(j, "ttl", t->ttl);
	json_word_or_number(j, "result", result_word(t->result), t->result);
	if (j->newer && t->errmsg != NULL)
		json_str(j, "errmsg", t->errmsg);
	json_words(j, "options", t->options, options);
	if (t->wscale != 0)
		json_u32(j, "wscale", t->wscale);
	if (t->cookie.len != 0)
		json_hex(j, "fo_cookie", t->cookie.data, t->cookie.len);
}

void
show_json_tbit(
    struct wbuf *out, const struct show_context *ctx, const void *record)
{
	const struct warts_tbit *t = record;
	struct isns isns = isns_find(t), seen = {0, 0, 0, 0};
	struct json j = {
	    .out = out, .sep = ", ", .newer = ctx->generation == SHOW_2026};

	json_open(&j, NULL, '{');
	head(&j, t);
	if (isns.has_client)
		json_u32(&j, "client_isn", isns.client);
	if (isns.has_server)
		json_u32(&j, "server_isn", isns.server);
	test_members(&j, t);
	app_members(&j, t);
	json_open(&j, "pkts", '[');
	for (uint32_t i = 0; i < t->npackets; i++)
		packet_object(&j, t, &t->packets[i], &seen);
	json_close(&j, ']');
	json_close(&j, '}');
	wbuf_u8(out, '\n');
}
