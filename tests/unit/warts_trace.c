/*
 * Traces of our own: a plain struct is written as scamper 2026 would write
 * it, and what does not fit is refused or cut as the contract says.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/warts/reader.h"
#include "common/warts/record.h"
#include "common/xmalloc.h"
#include "tests/unit/addr_of.h"

#define SAMPLES TESTS_DIR "/golden/warts/"

/* The trace of the format's worked example, filled in by hand. */
static void
worked_example(struct warts_trace *t, struct warts_hop hops[2])
{
	*t = (struct warts_trace){
	    .list = 1,
	    .cycle = 1,
	    .src = addr_of("192.0.2.1"),
	    .dst = addr_of("192.0.2.10"),
	    .start = {1795279675, 258165},
	    .stop_reason = WARTS_STOP_COMPLETED,
	    .flags = WARTS_TRACE_ICMPCSUM,
	    .attempts = 2,
	    .method = WARTS_TRACE_ICMP_PARIS,
	    .probe_size = 44,
	    .sport = 33823,
	    .dport = 0x841f,
	    .first_ttl = 1,
	    .wait_s = 5,
	    .loops = 1,
	    .hop_count = 2,
	    .gap_limit = 5,
	    .gap_action = 1,
	    .probe_count = 2,
	    .squeries = 1,
	    .nhops = 2,
	    .hops = hops,
	};
	hops[0] = (struct warts_hop){
	    .addr = addr_of("192.0.2.2"),
	    .probe_ttl = 1,
	    .reply_ttl = 64,
	    .flags = WARTS_HOP_SOCKRXTS | WARTS_HOP_REPLYTTL,
	    .rtt_us = 531,
	    .icmp_type = 11,
	    .probe_size = 44,
	    .reply_size = 72,
	    .reply_ipid = 20327,
	    .reply_tos = 0xc0,
	    .q_len = 44,
	    .q_ttl = 1,
	    .tx = {1795279675, 258831},
	};
	hops[1] = (struct warts_hop){
	    .addr = addr_of("192.0.2.10"),
	    .probe_ttl = 2,
	    .reply_ttl = 63,
	    .flags = WARTS_HOP_SOCKRXTS | WARTS_HOP_REPLYTTL,
	    .rtt_us = 230,
	    .probe_size = 44,
	    .reply_size = 44,
	    .reply_ipid = 15493,
	    .tx = {1795279675, 306409},
	};
}

static void
test_worked_example_byte_for_byte(void **state)
{
	struct warts_hop hops[2];
	struct warts_trace t;
	uint8_t file[333];
	struct wbuf b;
	FILE *f;

	(void)state;
	f = fopen(SAMPLES "worked-example.warts", "r");
	assert_non_null(f);
	assert_int_equal(fread(file, 1, sizeof(file), f), sizeof(file));
	fclose(f);
	worked_example(&t, hops);
	wbuf_init(&b);
	warts_trace_encode(&b, &t);
	assert_int_equal(b.len, 0xdd - 0x4e);
	assert_memory_equal(b.p, file + 0x4e, b.len);
	wbuf_clear(&b);
}

static void
forget_hops(struct warts_hop *h, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h[i].has = 0;
}

/* Make of a decoded trace one of our own. */
static void
forget_presence(struct warts_trace *t)
{
	t->has = 0;
	forget_hops(t->hops, t->nhops);
	if (t->lastditch != NULL)
		forget_hops(t->lastditch->hops, t->lastditch->hop_count);
	if (t->dtree != NULL)
		t->dtree->has = 0;
	if (t->pmtud == NULL)
		return;
	t->pmtud->has = 0;
	forget_hops(t->pmtud->hops, t->pmtud->hop_count);
	for (int i = 0; i < t->pmtud->note_count; i++)
		t->pmtud->notes[i].has = 0;
}

static unsigned int
encode_as_ours(const char *file)
{
	char path[512];
	struct warts_reader *rd;
	struct warts_record rec;
	struct warts_trace t;
	unsigned int n = 0;
	const char *why;
	struct wbuf b;
	int fd;

	snprintf(path, sizeof(path), SAMPLES "%s", file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	rd = warts_reader_new(fd);
	wbuf_init(&b);
	while (warts_reader_next(rd, &rec, &why) == WARTS_READ_RECORD) {
		if (rec.type != WARTS_TRACE)
			continue;
		assert_int_equal(
		    warts_trace_decode(rec.body, rec.len, &t, &why), 0);
		forget_presence(&t);
		wbuf_reset(&b);
		warts_trace_encode(&b, &t);
		if (b.len - WARTS_HEADER_LEN != rec.len ||
		    memcmp(b.p + WARTS_HEADER_LEN, rec.body, rec.len) != 0)
			fail_msg("%s at %ju: other bytes", file,
			    (uintmax_t)rec.offset);
		warts_trace_clear(&t);
		n++;
	}
	warts_reader_free(rd);
	wbuf_clear(&b);
	return n;
}

/*
 * All traces that scamper 2026 wrote come out the same when only their values
 * are known and not which fields were there.  (trace-dtree-d is by 2021, whose
 * IPv4 traces with a source are the same: for want of one with doubletree.)
 */
static void
test_plain_structs_are_written_as_2026_does(void **state)
{
	static const char *const files[] = {"list-cycle-n.warts",
	    "trace-lastditch-nohops-n.warts", "trace-options-n.warts",
	    "trace-pmtud-n.warts", "trace-pmtud-odd-n.warts",
	    "trace-unreach-n.warts", "trace-v4-methods-n.warts",
	    "trace-v6-methods-n.warts", "trace-dtree-d.warts"};
	unsigned int n = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		n += encode_as_ours(files[i]);
	assert_int_equal(n, 1 + 1 + 6 + 1 + 1 + 4 + 3 + 3 + 3);
}

/* Encode, decode and give back; to be cleared.  B keeps the bytes. */
static void
there_and_back(
    struct wbuf *b, const struct warts_trace *t, struct warts_trace *out)
{
	const char *why = NULL;

	wbuf_reset(b);
	warts_trace_encode(b, t);
	if (warts_trace_decode(b->p + WARTS_HEADER_LEN,
		b->len - WARTS_HEADER_LEN, out, &why) == -1)
		fail_msg("%s", why);
}

static void
test_optional_fields(void **state)
{
	struct warts_hop hops[2];
	struct warts_trace t, got;
	struct wbuf b;

	(void)state;
	wbuf_init(&b);
	worked_example(&t, hops);
	t.flags = WARTS_TRACE_PTR | WARTS_TRACE_BACK | WARTS_TRACE_DL;
	t.rtr = addr_of("192.0.2.2");
	t.user_id = 0xfffffffe;
	t.offset = 8190;
	t.squeries = 255;
	t.stop_ttl = 7;
	t.errmsg = "it went wrong";
	hops[0].name = "r.example";
	hops[0].q_ttl = 3;
	hops[0].q_len = 28;
	hops[0].q_tos = 0x10;
	there_and_back(&b, &t, &got);
	assert_int_equal(got.flags, t.flags);
	assert_true(addr_equal(&got.rtr, &t.rtr));
	assert_true(got.user_id == t.user_id);
	assert_int_equal(got.offset, 8190);
	assert_int_equal(got.squeries, 255);
	assert_int_equal(got.stop_ttl, 7);
	assert_string_equal(got.errmsg, "it went wrong");
	assert_string_equal(got.hops[0].name, "r.example");
	assert_int_equal(got.hops[0].q_ttl, 3);
	assert_int_equal(got.hops[0].q_len, 28);
	assert_int_equal(got.hops[0].q_tos, 0x10);
	warts_trace_clear(&got);

	/* No source, no hop: still whole. */
	memset(&t.src, 0, sizeof(t.src));
	t.nhops = 0;
	there_and_back(&b, &t, &got);
	assert_int_equal(got.src.family, ADDR_NONE);
	assert_int_equal(got.nhops, 0);
	warts_trace_clear(&got);
	wbuf_clear(&b);
}

/* scamper loses a quote of just the trace's probe size in a hop whose probe
 * was larger; ours is read back as it was, by the same reading rule. */
static void
test_quoted_length_is_never_lost(void **state)
{
	struct warts_hop hops[2];
	struct warts_trace t, got;
	struct wbuf b;

	(void)state;
	wbuf_init(&b);
	worked_example(&t, hops);
	hops[0].probe_size = 1500;
	hops[0].q_len = t.probe_size;
	there_and_back(&b, &t, &got);
	assert_int_equal(got.hops[0].q_len, t.probe_size);
	warts_trace_clear(&got);
	hops[0].q_len = 1500;
	there_and_back(&b, &t, &got);
	assert_int_equal(got.hops[0].q_len, 1500);
	warts_trace_clear(&got);
	wbuf_clear(&b);
}

/* 300 replies of 300 routers to large probes do not fit 4,095 bytes. */
static void
test_sections_of_ours_never_overflow(void **state)
{
	struct warts_pmtud_note notes[2] = {
	    {.type = WARTS_NOTE_PTB, .nhmtu = 1400, .has_hop = 1, .hop = 0},
	    {.type = WARTS_NOTE_PTB, .nhmtu = 1300, .has_hop = 1, .hop = 299}};
	struct warts_hop hops[2], big[300];
	struct warts_pmtud p = {.path_mtu = 1300,
	    .hop_count = 300,
	    .hops = big,
	    .note_count = 2,
	    .notes = notes};
	struct warts_lastditch l = {.hop_count = 300, .hops = big};
	struct warts_dtree d = {.first_ttl = 3};
	struct warts_trace t, got;
	struct wbuf b;

	(void)state;
	wbuf_init(&b);
	worked_example(&t, hops);
	for (uint32_t i = 0; i < 300; i++) {
		big[i] = hops[0];
		big[i].addr.b[2] = (uint8_t)(i >> 8);
		big[i].addr.b[3] = (uint8_t)i;
	}
	t.pmtud = &p;
	t.lastditch = &l;
	t.dtree = &d;
	there_and_back(&b, &t, &got);
	assert_non_null(got.pmtud);
	assert_in_range(got.pmtud->hop_count, 90, 110);
	assert_int_equal(got.pmtud->path_mtu, 1300);
	assert_int_equal(got.pmtud->version, 2);
	/* The note about a hop that was left out has lost it. */
	assert_int_equal(got.pmtud->note_count, 2);
	assert_int_equal(got.pmtud->notes[0].has_hop, 1);
	assert_int_equal(got.pmtud->notes[1].has_hop, 0);
	assert_int_equal(got.pmtud->notes[1].nhmtu, 1300);
	assert_non_null(got.lastditch);
	assert_in_range(got.lastditch->hop_count, 90, 140);
	assert_true(addr_equal(&got.lastditch->hops[5].addr, &big[5].addr));
	assert_int_equal(got.dtree->first_ttl, 3);
	warts_trace_clear(&got);
	wbuf_clear(&b);
}

/* scamper's own overflow: the length spills into the kind.  The true length
 * may need a kind of 1, of 3 (which is doubletree's), or more. */
static void
test_overlong_section_of_scamper_is_read(void **state)
{
	static const struct {
		size_t nhops;
		unsigned int kind;
	} rows[] = {{150, 1}, {250, 3}, {390, 3}, {450, 5}};
	struct warts_hop hops[2], big[450];
	struct warts_pmtud p = {.hops = big, .version = 2};
	struct warts_trace t, got;
	struct wbuf b, again;

	(void)state;
	wbuf_init(&b);
	wbuf_init(&again);
	worked_example(&t, hops);
	t.pmtud = &p;
	p.has = WARTS_HAS | 1u << 4; /* as read: kept whole when written */
	for (uint32_t i = 0; i < 450; i++) {
		big[i] = hops[0];
		big[i].addr.b[2] = (uint8_t)(i >> 8);
		big[i].addr.b[3] = (uint8_t)i;
	}
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		p.hop_count = (uint16_t)rows[i].nhops;
		there_and_back(&b, &t, &got);
		assert_int_equal(b.p[0xdd - 0x4e - 2] >> 4, rows[i].kind);
		assert_non_null(got.pmtud);
		assert_null(got.dtree);
		assert_int_equal(got.pmtud->hop_count, rows[i].nhops);
		wbuf_reset(&again);
		warts_trace_encode(&again, &got);
		assert_int_equal(b.len, again.len);
		assert_memory_equal(b.p, again.p, b.len);
		warts_trace_clear(&got);
	}
	wbuf_clear(&b);
	wbuf_clear(&again);
}

/* What scamper's readers refuse, ours does. */
static void
test_nonsense_is_refused(void **state)
{
	struct warts_hop hops[2];
	struct warts_trace t, got;
	const char *why;
	struct wbuf b;

	(void)state;
	wbuf_init(&b);
	worked_example(&t, hops);
	warts_trace_encode(&b, &t);
	/* Hop count below the last ttl, above 255; ttl 0; hops swapped. */
	b.p[0x7d - 0x4e] = 1;
	assert_int_equal(
	    warts_trace_decode(b.p + 8, b.len - 8, &got, &why), -1);
	b.p[0x7c - 0x4e] = 1;
	b.p[0x7d - 0x4e] = 2;
	assert_int_equal(
	    warts_trace_decode(b.p + 8, b.len - 8, &got, &why), -1);
	b.p[0x7c - 0x4e] = 0;
	assert_int_equal(warts_trace_decode(b.p + 8, b.len - 8, &got, &why), 0);
	warts_trace_clear(&got);
	b.p[0x98 - 0x4e] = 0;
	assert_int_equal(
	    warts_trace_decode(b.p + 8, b.len - 8, &got, &why), -1);
	assert_string_equal(why, "hop without the TTL of its probe");
	b.p[0x98 - 0x4e] = 3;
	b.p[0x7d - 0x4e] = 3;
	assert_int_equal(
	    warts_trace_decode(b.p + 8, b.len - 8, &got, &why), -1);
	assert_string_equal(why, "hops out of order");
	assert_null(got.hops);
	wbuf_clear(&b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_worked_example_byte_for_byte),
    cmocka_unit_test(test_plain_structs_are_written_as_2026_does),
    cmocka_unit_test(test_optional_fields),
    cmocka_unit_test(test_quoted_length_is_never_lost),
    cmocka_unit_test(test_sections_of_ours_never_overflow),
    cmocka_unit_test(test_overlong_section_of_scamper_is_read),
    cmocka_unit_test(test_nonsense_is_refused),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
