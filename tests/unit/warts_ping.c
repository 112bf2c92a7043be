/*
 * A ping of our own is written as scamper 2026 writes it: its samples are read,
 * what is known of the presence of fields is forgotten, and the same bytes
 * must come out.  And the fields whose absence means something.
 */
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "common/warts/reader.h"
#include "common/warts/record.h"

#define NEWER TESTS_DIR "/golden/warts/ping-*-n.warts"

static void
as_our_own(const char *file, const struct warts_record *rec)
{
	const char *why = NULL;
	struct warts_ping p;
	struct wbuf b;

	assert_int_equal(warts_ping_decode(rec->body, rec->len, &p, &why), 0);
	p.has = 0;
	for (int i = 0; i < p.nreplies; i++)
		p.replies[i].has = 0;
	wbuf_init(&b);
	warts_ping_encode(&b, &p);
	if (b.len != rec->len + WARTS_HEADER_LEN ||
	    memcmp(b.p + WARTS_HEADER_LEN, rec->body, rec->len) != 0)
		fail_msg(
		    "%s at %ju: other bytes", file, (uintmax_t)rec->offset);
	wbuf_clear(&b);
	warts_ping_clear(&p);
}

static int
visit_file(const char *file)
{
	struct warts_reader *rd;
	struct warts_record rec;
	const char *why;
	int fd, n = 0;

	fd = open(file, O_RDONLY | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	rd = warts_reader_new(fd);
	while (warts_reader_next(rd, &rec, &why) == WARTS_READ_RECORD) {
		if (rec.type != WARTS_PING)
			continue;
		as_our_own(file, &rec);
		n++;
	}
	warts_reader_free(rd);
	return n;
}

static void
test_fields_are_chosen_as_scamper_does(void **state)
{
	glob_t g;
	int n = 0;

	(void)state;
	assert_int_equal(glob(NEWER, 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++)
		n += visit_file(g.gl_pathv[i]);
	globfree(&g);
	assert_true(n >= 15);
}

/* One reply with everything that no sample has. */
static void
test_all_fields_come_back(void **state)
{
	struct addr hop[2] = {addr_make(ADDR_IPV4, "\xc0\0\2\1"),
	    addr_make(ADDR_IPV4, "\xc0\0\2\2")};
	uint32_t stamp_ms[2] = {1, 86399999};
	struct warts_ping_reply r[2] = {
	    {.addr = hop[1],
		.protocol = 1,
		.ifname = "eth0",
		.rr = {2, hop},
		.ts = {2, 2, stamp_ms, hop}},
	    {.addr = hop[1],
		.protocol = 1,
		.ifname = "eth0",
		.probe = 1,
		.icmp_ts = {1, 2, 3},
		.has_icmp_ts = 1,
		.ts = {2, 0, stamp_ms, NULL}},
	};
	struct warts_ping p = {.dst = hop[1],
			      .ping_sent = 2,
			      .nreplies = 2,
			      .replies = r,
			      .wait_s = 1,
			      .timeout_s = 3,
			      .timeout_us = 500000,
			      .tsps = {2, hop},
			      .errmsg = "no route"},
			  q;
	const char *why = NULL;
	struct wbuf b;

	(void)state;
	wbuf_init(&b);
	warts_ping_encode(&b, &p);
	assert_int_equal(warts_ping_decode(b.p + WARTS_HEADER_LEN,
			     (uint32_t)b.len - WARTS_HEADER_LEN, &q, &why),
	    0);
	assert_string_equal(q.replies[1].ifname, "eth0");
	assert_int_equal(q.replies[0].rr.count, 2);
	assert_true(addr_equal(&q.replies[0].rr.addr[0], &hop[0]));
	assert_int_equal(q.replies[0].ts.stamp_ms[1], 86399999);
	assert_int_equal(q.replies[1].ts.addr_count, 0);
	assert_int_equal(q.replies[1].icmp_ts[2], 3);
	assert_int_equal(q.timeout_s, 3);
	assert_int_equal(q.timeout_us, 500000);
	assert_true(addr_equal(&q.tsps.addr[1], &hop[1]));
	assert_string_equal(q.errmsg, "no route");
	warts_ping_clear(&q);
	wbuf_clear(&b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_fields_are_chosen_as_scamper_does),
    cmocka_unit_test(test_all_fields_come_back),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
