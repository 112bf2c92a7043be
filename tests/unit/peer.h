/*
 * peer: another program as the judge of what we write: made-up values, that
 * program's output, and the comparison of the two line by line.
 *
 *	make_fn ─► product: warts ─► scamper's tool ─► what it prints
 *	                    text, json: what we print    ╰─ the same bytes?
 */
#ifndef TESTS_UNIT_PEER_H
#define TESTS_UNIT_PEER_H

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

static uint64_t seed;

/* A number below N, the same in every run (a linear congruence). */
static inline uint32_t
below(uint32_t n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 33) % n;
}

/* An address of a family, by number. */
static inline struct addr
peer_addr(int family, uint32_t n)
{
	uint8_t v4[4] = {192, 0, 2, (uint8_t)n};
	uint8_t v6[16] = {0x20, 1, 0xd, 0xb8, [15] = (uint8_t)n};

	return addr_make(family, family == ADDR_IPV4 ? v4 : v6);
}

static const struct warts_list peer_list = {
    .id = 1, .user_id = 7, .name = "made up", .descr = "d", .monitor = "m"};
static const struct warts_cycle peer_cycle = {
    .id = 1, .list = 1, .user_id = 3, .start = 1700000000};
static const struct show_context peer_context = {
    SHOW_2021, &peer_list, &peer_cycle};

/* Made-up records: a warts file, and what we print of it. */
struct product {
	struct wbuf warts, text, json;
};

/* Append one more record, of list and cycle 1. */
typedef void make_fn(struct product *);

/* A file of N records by MAKE, the same in every run. */
static inline void
product_make(struct product *p, make_fn *make, int n)
{
	seed = 1;
	wbuf_init(&p->warts);
	wbuf_init(&p->text);
	wbuf_init(&p->json);
	warts_list_encode(&p->warts, &peer_list);
	warts_cycle_encode(&p->warts, WARTS_CYCLE_START, &peer_cycle);
	show_json_cycle_start(&p->json, &peer_context);
	while (n-- > 0)
		make(p);
}

static inline void
product_clear(struct product *p)
{
	wbuf_clear(&p->warts);
	wbuf_clear(&p->text);
	wbuf_clear(&p->json);
}

/* What TOOL prints of the file, its standard error with it. */
static inline void
peer_reads(const char *tool, const struct wbuf *warts, struct wbuf *out)
{
	char path[] = "/tmp/peer.XXXXXX", command[256], buf[65536];
	int fd = mkstemp(path);
	size_t n;
	FILE *f;

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, warts->p, warts->len), warts->len);
	close(fd);
	wbuf_init(out);
	snprintf(command, sizeof(command), "%s %s 2>&1", tool, path);
	f = popen(command, "r");
	assert_non_null(f);
	while ((n = fread(buf, 1, sizeof(buf), f)) != 0)
		wbuf_bytes(out, buf, n);
	unlink(path);
	assert_int_equal(pclose(f), 0);
}

/* Where two lines differ first is what a reader of the failure wants. */
static inline void
fail_lines(const char *a, const char *b)
{
	size_t same = 0, from;

	while (a[same] == b[same])
		same++;
	from = same > 200 ? same - 200 : 0;
	fail_msg("\nours: ...%.300s\npeer: ...%.300s", a + from, b + from);
}

static inline void
assert_same_lines(struct wbuf *mine, struct wbuf *peer)
{
	char *a, *b;

	wbuf_u8(mine, 0);
	wbuf_u8(peer, 0);
	a = (char *)mine->p;
	b = (char *)peer->p;
	while (*a != '\0' || *b != '\0') {
		size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");

		if (n != m || memcmp(a, b, n) != 0)
			fail_lines(a, b);
		a += n + (a[n] == '\n');
		b += m + (b[m] == '\n');
	}
}

/* Replace WRONG, where the peer is at fault, by RIGHT, which is not longer. */
static inline void
mend(struct wbuf *b, const char *wrong, const char *right)
{
	size_t n = strlen(wrong), m = strlen(right), to = 0;

	for (size_t i = 0; i < b->len;) {
		if (b->len - i >= n && memcmp(b->p + i, wrong, n) == 0) {
			memcpy(b->p + to, right, m);
			to += m;
			i += n;
		} else {
			b->p[to++] = b->p[i++];
		}
	}
	b->len = to;
}

/* What we print of N records by MAKE is what scamper's tool prints of them,
 * after MEND (may be NULL) put right what is wrong there. */
static inline void
assert_peer_agrees(enum show_format format, make_fn *make, int n,
    void (*mend_all)(struct wbuf *))
{
	struct product p;
	struct wbuf peer;

	product_make(&p, make, n);
	peer_reads(format == SHOW_TEXT ? "sc_warts2text" : "sc_warts2json",
	    &p.warts, &peer);
	if (mend_all != NULL)
		mend_all(&peer);
	assert_same_lines(format == SHOW_TEXT ? &p.text : &p.json, &peer);
	product_clear(&p);
	wbuf_clear(&peer);
}

/* --- both tools, for a type of record that needs no more ----------------------- */

struct peer_subject {
	make_fn *make;
	int n;
	void (*mend_json)(struct wbuf *);
};

static inline void
text_is_that_of_sc_warts2text(void **state)
{
	const struct peer_subject *s = *state;

	assert_peer_agrees(SHOW_TEXT, s->make, s->n, NULL);
}

static inline void
json_is_that_of_sc_warts2json(void **state)
{
	const struct peer_subject *s = *state;

	assert_peer_agrees(SHOW_JSON, s->make, s->n, s->mend_json);
}

/* A test program's main(): N records by MAKE, text, and JSON after MEND_JSON. */
static inline int
peer_main(make_fn *make, int n, void (*mend_json)(struct wbuf *))
{
	struct peer_subject s = {make, n, mend_json};
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_prestate(text_is_that_of_sc_warts2text, &s),
	    cmocka_unit_test_prestate(json_is_that_of_sc_warts2json, &s),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
