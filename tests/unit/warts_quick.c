/*
 * warts/trace_quick: what it takes the decoder takes, and both find the same;
 * for every sample trace, with every byte changed in several ways and cut off
 * everywhere.  And it takes what is common: else it were of no use.
 */
#include <fcntl.h>
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/warts/reader.h"
#include "common/warts/record.h"
#include "common/warts/trace_quick.h"
#include "common/xmalloc.h"

#define BODY_MAX 4096 /* of those that are spoiled: it takes time */

static struct warts_quick quick;
static unsigned long asked, taken;

/* Non-zero when the quick one takes it; then it must be right. */
static int
compare(const uint8_t *body, size_t len)
{
	struct warts_quick_trace q;
	struct warts_trace t;
	const char *why = NULL;

	if (!warts_trace_quick(&quick, body, len, &q))
		return 0;
	assert_int_equal(warts_trace_decode(body, len, &t, &why), 0);
	assert_int_equal(q.list, t.list);
	assert_int_equal(q.cycle, t.cycle);
	assert_int_equal(q.start_s, t.start.sec);
	warts_trace_clear(&t);
	return 1;
}

/* On the heap, so that a sanitizer sees every byte beyond the end. */
static void
compare_copy(const uint8_t *body, size_t len)
{
	uint8_t *copy = xmalloc(len + (len == 0));

	memcpy(copy, body, len);
	compare(copy, len);
	free(copy);
}

static void
spoil(const uint8_t *body, size_t len)
{
	static const uint8_t with[] = {0x01, 0x10, 0x80, 0xff};
	uint8_t *copy;

	if (len > BODY_MAX)
		return;
	copy = xmemdup(body, len);
	for (size_t i = 0; i < len; i++) {
		for (size_t k = 0; k < sizeof(with); k++) {
			copy[i] ^= with[k];
			compare(copy, len);
			copy[i] ^= with[k];
		}
	}
	free(copy);
	for (size_t cut = 0; cut < len; cut++)
		compare_copy(body, cut);
}

static void
on_file(const char *path)
{
	struct warts_reader *rd;
	struct warts_record rec;
	enum warts_read what;
	const char *why;
	int fd = open(path, O_RDONLY);

	assert_int_not_equal(fd, -1);
	rd = warts_reader_new(fd);
	while ((what = warts_reader_next(rd, &rec, &why)) != WARTS_READ_EOF) {
		if (what != WARTS_READ_RECORD || rec.type != WARTS_TRACE)
			continue;
		asked++;
		taken += compare(rec.body, rec.len) != 0;
		spoil(rec.body, rec.len);
	}
	warts_reader_free(rd);
}

static void
test_samples(void **state)
{
	glob_t g;

	(void)state;
	assert_int_equal(
	    glob(TESTS_DIR "/golden/warts/*.warts", 0, NULL, &g), 0);
	for (size_t i = 0; i < g.gl_pathc; i++)
		on_file(g.gl_pathv[i]);
	globfree(&g);
	assert_true(asked > 10);
}

/* What the Prober writes is known at once. */
static void
test_ours(void **state)
{
	const uint8_t four[4] = {192, 0, 2, 1};
	struct warts_hop hops[20];
	struct warts_trace t = {
	    .list = 7,
	    .cycle = 9,
	    .start = {1700000000, 5},
	    .src = addr_make(ADDR_IPV4, four),
	    .dst = addr_make(ADDR_IPV4, four),
	    .attempts = 1,
	    .first_ttl = 1,
	    .squeries = 1,
	    .hop_count = 20,
	    .nhops = 20,
	    .hops = hops,
	};
	struct wbuf b;

	(void)state;
	for (uint8_t i = 0; i < 20; i++) {
		const uint8_t a[4] = {10, 0, 0, i & 3};

		hops[i] = (struct warts_hop){.addr = addr_make(ADDR_IPV4, a),
		    .probe_ttl = (uint8_t)(i + 1),
		    .icmp_type = i < 19 ? 11 : 0,
		    .reply_ipid = i & 1};
	}
	wbuf_init(&b);
	warts_trace_encode(&b, &t);
	assert_int_equal(
	    compare(b.p + WARTS_HEADER_LEN, b.len - WARTS_HEADER_LEN), 1);
	spoil(b.p + WARTS_HEADER_LEN, b.len - WARTS_HEADER_LEN);
	wbuf_clear(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_samples),
	    cmocka_unit_test(test_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
