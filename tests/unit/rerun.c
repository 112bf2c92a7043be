/*
 * rerun: what makes a path another one; a destination is given out once; the
 * tables grow and stop at their maximum.
 */
#include "tests/unit/test.h"

#include <string.h>

#include "listgen/rerun.h"
#include "tests/unit/addr_of.h"

#define HOPS_MAX 8

static const struct rerun_order all = {
    {RERUN_CHANGED, RERUN_UNREACHABLE, RERUN_NEW, RERUN_REST}, 4};

/* A trace to DST over HOPS, "a - b": one for each ttl, - for none, + for a
 * second answer at the same ttl. */
static void
tell(struct rerun *r,
    void (*cb)(struct rerun *, const char *, const struct warts_trace *),
    const char *dst, const char *hops_text)
{
	struct warts_hop hops[HOPS_MAX] = {0};
	struct warts_trace t = {.dst = addr_of(dst),
	    .stop_reason = WARTS_STOP_COMPLETED,
	    .hops = hops};
	char buf[200], *word, *next = buf;
	uint8_t ttl = 0;

	strcpy(buf, hops_text);
	while ((word = strsep(&next, " ")) != NULL) {
		if (*word == '+')
			word++;
		else
			ttl++;
		if (strcmp(word, "-") == 0)
			continue;
		hops[t.nhops].probe_ttl = ttl;
		hops[t.nhops++].addr = addr_of(word);
	}
	cb(r, "mon", &t);
}

static void
paths(void **state)
{
	static const struct {
		const char *name, *before, *now;
		int changed;
	} rows[] = {
	    {"the same", "1.0.0.1 1.0.0.2", "1.0.0.1 1.0.0.2", 0},
	    {"another router", "1.0.0.1 1.0.0.2", "1.0.0.1 1.0.0.3", 1},
	    {"the other way round", "1.0.0.1 1.0.0.2", "1.0.0.2 1.0.0.1", 1},
	    {"one more", "1.0.0.1", "1.0.0.1 1.0.0.2", 1},
	    {"farther", "1.0.0.1 1.0.0.2", "1.0.0.1 - 1.0.0.2", 1},
	    {"silent now", "1.0.0.1 1.0.0.2", "1.0.0.1 -", 1},
	    {"silence at the end", "1.0.0.1", "1.0.0.1 - - -", 0},
	    {"the destination too", "1.0.0.1", "1.0.0.1 9.9.9.9", 0},
	    {"a second answer", "1.0.0.1 1.0.0.2", "1.0.0.1 +1.0.0.7 1.0.0.2",
		0},
	    {"the other family", "::1.0.0.1", "1.0.0.1", 1},
	};
	const struct rerun_order changed = {{RERUN_CHANGED}, 1};
	struct rerun *r;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].name);
		r = rerun_new(10);
		tell(r, rerun_before, "9.9.9.9", rows[i].before);
		tell(r, rerun_now, "9.9.9.9", rows[i].now);
		rerun_rewind(r, &changed);
		assert_int_equal(rerun_next(r) != NULL, rows[i].changed);
		assert_null(rerun_next(r));
		rerun_free(r);
	}
}

static struct addr
numbered(uint32_t i)
{
	return addr_make(ADDR_IPV4, &i);
}

/* N destinations before and 2 N now, of which every third changed; each comes
 * out once, however often it was told. */
static void
many(void **state)
{
	enum { N = 50000 };
	struct warts_hop hop = {.probe_ttl = 1};
	struct warts_trace t = {
	    .stop_reason = WARTS_STOP_COMPLETED, .hops = &hop, .nhops = 1};
	struct rerun *r = rerun_new(2 * N);
	uint32_t classes[3] = {0}, n = 0;

	(void)state;
	for (uint32_t i = 0; i < 2 * N; i++) {
		t.dst = numbered(i);
		hop.addr = numbered(7);
		if (i < N)
			rerun_before(r, "mon", &t);
	}
	for (uint32_t i = 0; i < 4 * N; i++) {
		t.dst = numbered(i % (2 * N));
		hop.addr = numbered(i % (2 * N) % 3 == 0 ? 8 : 7);
		rerun_now(r, "mon", &t);
	}
	rerun_rewind(r, &all);
	for (const struct addr *a; (a = rerun_next(r)) != NULL; n++) {
		uint32_t i;

		memcpy(&i, a->b, 4);
		classes[i >= N ? 1 : i % 3 == 0 ? 0 : 2]++;
		/* In this order. */
		if (n < (N + 2) / 3)
			assert_true(i < N && i % 3 == 0);
		else if (n < (N + 2) / 3 + N)
			assert_true(i >= N);
	}
	assert_int_equal(classes[0], (N + 2) / 3);
	assert_int_equal(classes[1], N);
	assert_int_equal(classes[2], N - (N + 2) / 3);
	assert_int_equal(rerun_dropped(r), 0);
	t.dst = numbered(2 * N);
	rerun_now(r, "mon", &t);
	assert_int_equal(rerun_dropped(r), 1);
	rerun_free(r);
}

static void
orders(void **state)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
	    {"changed", NULL},
	    {"rest,new,unreachable,changed", NULL},
	    {"", "a class is changed, unreachable, new or rest"},
	    {"changed,", "a class is changed, unreachable, new or rest"},
	    {"Changed", "a class is changed, unreachable, new or rest"},
	    {"new,new", "a class is there twice"},
	};
	struct rerun_order o;
	const char *why;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].text);
		why = rerun_order_scan(rows[i].text, &o);
		if (rows[i].why == NULL)
			assert_null(why);
		else
			assert_string_equal(why, rows[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(paths),
	    cmocka_unit_test(many),
	    cmocka_unit_test(orders),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
