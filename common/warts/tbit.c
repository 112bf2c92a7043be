#include "common/warts/tbit.h"

#include "common/warts/codec.h"

#define SECTION_TEST 1
#define SECTION_APP 2
#define TTL_DEFAULT 255

enum { WENC_COOKIE = WENC_OWN };

#define HEAD(e, member, w) WARTS_ROW(struct warts_tbit, e, member, w)
#define TEST(e, member) WARTS_ROW(struct warts_tbit_test, e, member, SET)
#define APP(e, member) WARTS_ROW(struct warts_tbit_app_block, e, member, SET)

static const struct warts_field head_field[] = {
    [1] = HEAD(WENC_U32, list, SET),
    [2] = HEAD(WENC_U32, cycle, SET),
    [3] = HEAD(WENC_U32, user_id, SET),
    [4] = HEAD(WENC_ADDR, src, SET),
    [5] = HEAD(WENC_ADDR, dst, SET),
    [6] = HEAD(WENC_U16, sport, ALWAYS),
    [7] = HEAD(WENC_U16, dport, ALWAYS),
    [8] = HEAD(WENC_TV, start, ALWAYS),
    [9] = HEAD(WENC_U16, result, ALWAYS),
    [10] = HEAD(WENC_U8, type, ALWAYS),
    [11] = HEAD(WENC_U8, app, ALWAYS),
    [12] = HEAD(WENC_U16, client_mss, ALWAYS),
    [13] = HEAD(WENC_U16, server_mss, ALWAYS),
    [14] = HEAD(WENC_U8, syn_attempts, ALWAYS),
    [15] = HEAD(WENC_U8, data_attempts, ALWAYS),
    [16] = HEAD(WENC_LOW16, npackets, TOLD),
    [17] = HEAD(WENC_U32, npackets, ALWAYS),
    [18] = HEAD(WENC_COOKIE, cookie, SET),
    [19] = HEAD(WENC_U8, wscale, SET),
    [20] = HEAD(WENC_U32, options, SET),
    [21] = HEAD(WENC_U8, ttl, TOLD),
    [22] = HEAD(WENC_STR, errmsg, SET),
};

static void
cookie_read(struct rbuf *r, int enc, void *v, struct warts_arena **arena)
{
	struct warts_bytes *cookie = v;

	(void)enc;
	(void)arena;
	cookie->len = rbuf_u8(r);
	cookie->data = rbuf_bytes(r, cookie->len);
}

static void
cookie_write(struct wbuf *b, int enc, const void *v)
{
	const struct warts_bytes *cookie = v;

	(void)enc;
	wbuf_u8(b, (uint8_t)cookie->len);
	wbuf_bytes(b, cookie->data, cookie->len);
}

static const struct warts_fields head_table = WARTS_TABLE_OWN(
    head_field, struct warts_tbit, 1, cookie_read, cookie_write);

static const struct warts_field pmtud_field[] = {
    [1] = TEST(WENC_U16, mtu),
    [2] = TEST(WENC_U8, ptb_attempts),
    [3] = TEST(WENC_U8, pmtud_options),
    [4] = TEST(WENC_ADDR, ptb_src),
};
static const struct warts_field null_field[] = {
    [1] = TEST(WENC_U16, null_options),
    [2] = TEST(WENC_U16, null_results),
};
static const struct warts_field icw_field[] = {
    [1] = TEST(WENC_U32, icw_start),
};
static const struct warts_field blind_field[] = {
    [1] = TEST(WENC_U32, blind_offset),
    [2] = TEST(WENC_U8, blind_attempts),
};
static const struct warts_field http_field[] = {
    [1] = APP(WENC_STR, http_host),
    [2] = APP(WENC_STR, http_file),
    [3] = APP(WENC_U8, http_type),
};
static const struct warts_field bgp_field[] = {
    [1] = APP(WENC_U32, bgp_as),
};
/* A section of a type that has none is stepped over. */
static const struct warts_field no_field[1];

#define TABLE(f) WARTS_TABLE(f, struct warts_tbit_test, 1)
static const struct warts_fields tests[] = {
    [0] = TABLE(no_field),
    [WARTS_TBIT_PMTUD] = TABLE(pmtud_field),
    [WARTS_TBIT_ECN] = TABLE(no_field),
    [WARTS_TBIT_NULL] = TABLE(null_field),
    [WARTS_TBIT_SACK_RCVR] = TABLE(no_field),
    [WARTS_TBIT_ICW] = TABLE(icw_field),
    [WARTS_TBIT_ABC] = TABLE(no_field),
    [WARTS_TBIT_BLIND_DATA] = TABLE(blind_field),
    [WARTS_TBIT_BLIND_RST] = TABLE(blind_field),
    [WARTS_TBIT_BLIND_SYN] = TABLE(blind_field),
    [WARTS_TBIT_BLIND_FIN] = TABLE(blind_field),
};

#define APPTABLE(f) WARTS_TABLE(f, struct warts_tbit_app_block, 1)
static const struct warts_fields apps[] = {
    [WARTS_TBIT_NONE] = APPTABLE(no_field),
    [WARTS_TBIT_HTTP] = APPTABLE(http_field),
    [WARTS_TBIT_SMTP] = APPTABLE(no_field),
    [WARTS_TBIT_DNS] = APPTABLE(no_field),
    [WARTS_TBIT_FTP] = APPTABLE(no_field),
    [WARTS_TBIT_BGP] = APPTABLE(bgp_field),
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static const struct warts_fields *
test_table(const struct warts_tbit *t)
{
	return &tests[t->type < COUNT(tests) ? t->type : 0];
}

static const struct warts_fields *
app_table(const struct warts_tbit *t)
{
	return &apps[t->app < COUNT(apps) ? t->app : WARTS_TBIT_NONE];
}

/* --- writing ------------------------------------------------------------ */

static void
section_write(struct wbuf *b, uint16_t kind, const struct warts_fields *t,
    const void *obj)
{
	size_t at;

	wbuf_u16(b, kind);
	at = b->len;
	wbuf_u32(b, 0);
	warts_blocks_put(b, t, obj, 1);
	wbuf_put32(b->p + at, (uint32_t)(b->len - at - 4));
}

static void
write_body(struct wbuf *b, const void *record)
{
	const struct warts_tbit *t = record;

	warts_block_put(b, &head_table, t,
	    warts_block_due(&head_table, t) |
		warts_bit_if(t->ttl != TTL_DEFAULT, 21));
	warts_blocks_put(b, &warts_packet_table, t->packets, t->npackets);
	if (t->has_test)
		section_write(b, SECTION_TEST, test_table(t), &t->test);
	if (t->has_app)
		section_write(b, SECTION_APP, app_table(t), &t->appdata);
	wbuf_u16(b, 0);
}

/* --- reading ------------------------------------------------------------ */

/* Read the contents of a section, LEN bytes, into OBJ by table T. */
static void
section_read(
    struct rbuf *r, size_t len, const struct warts_fields *t, void *obj)
{
	const uint8_t *end = r->end;

	if (len > rbuf_left(r)) {
		rbuf_fail(r, "section runs beyond the record");
		return;
	}
	r->end = r->p + len;
	warts_block_get(r, t, obj, NULL);
	if (r->bad == NULL && r->p != r->end)
		rbuf_fail(r, "section is longer than its block");
	r->end = end;
}

static void
sections_read(struct rbuf *r, struct warts_tbit *t)
{
	unsigned int kind;
	size_t len;

	while ((kind = rbuf_u16(r)) != 0) {
		len = rbuf_u32(r);
		if (kind == SECTION_TEST && !t->has_test) {
			t->has_test = 1;
			section_read(r, len, test_table(t), &t->test);
		} else if (kind == SECTION_APP && !t->has_app) {
			t->has_app = 1;
			section_read(r, len, app_table(t), &t->appdata);
		} else {
			rbuf_bytes(r, len);
		}
	}
}

static void
read_body(struct rbuf *r, void *record)
{
	struct warts_tbit *t = record;

	t->ttl = TTL_DEFAULT;
	warts_block_get(r, &head_table, t, &t->arena);
	if (t->src.family == ADDR_NONE || t->dst.family == ADDR_NONE)
		rbuf_fail(r, "tbit without its addresses");
	t->packets =
	    warts_packet_read(r, &warts_packet_table, t->npackets, &t->arena);
	sections_read(r, t);
}

const struct warts_codec warts_tbit_codec =
    WARTS_CODEC(struct warts_tbit, write_body, read_body, NULL);
