/* What lists, cycles and address records say of later ones. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/warts/reader.h"
#include "common/warts/record.h"
#include "common/warts/state.h"

/* Feed the one record in B; NULL or the reason. */
static const char *
feed(struct warts_state *st, struct wbuf *b)
{
	struct warts_record rec = {
	    .type = (uint16_t)(b->p[2] << 8 | b->p[3]),
	    .len = (uint32_t)(b->len - WARTS_HEADER_LEN),
	    .body = b->p + WARTS_HEADER_LEN,
	};
	const char *why = NULL;
	int rc = warts_state_feed(st, &rec, &why);

	assert_int_equal(rc, why == NULL ? 0 : -1);
	/* Nothing may point into the record afterwards. */
	memset(b->p, 'x', b->len);
	wbuf_reset(b);
	return why;
}

static const char *
feed_list(struct warts_state *st, struct wbuf *b, uint32_t id, const char *name)
{
	struct warts_list l = {.id = id, .user_id = id * 10, .name = name};

	warts_list_encode(b, &l);
	return feed(st, b);
}

static const char *
feed_cycle(struct warts_state *st, struct wbuf *b, uint32_t id, uint32_t list)
{
	struct warts_cycle c = {.id = id, .list = list, .hostname = "h"};

	warts_cycle_encode(b, id % 2 ? WARTS_CYCLE_START : WARTS_CYCLE_DEF, &c);
	return feed(st, b);
}

static const char *
feed_stop(struct warts_state *st, struct wbuf *b, uint32_t id)
{
	struct warts_cycle_stop s = {.id = id, .stop = 9};

	warts_cycle_stop_encode(b, &s);
	return feed(st, b);
}

static void
test_in_order(void **state)
{
	struct warts_state st = {0};
	struct wbuf b;

	(void)state;
	wbuf_init(&b);
	assert_null(warts_state_list(&st, 1));
	assert_null(feed_list(&st, &b, 1, "one"));
	assert_null(feed_list(&st, &b, 2, "two"));
	for (uint32_t i = 1; i <= 40; i++)
		assert_null(feed_cycle(&st, &b, i, 1 + i % 2));
	assert_null(feed_stop(&st, &b, 40));
	assert_string_equal(warts_state_list(&st, 2)->name, "two");
	assert_int_equal(warts_state_list(&st, 2)->user_id, 20);
	assert_int_equal(warts_state_cycle(&st, 39)->list, 2);
	assert_string_equal(warts_state_cycle(&st, 7)->hostname, "h");
	assert_null(warts_state_list(&st, 0));
	assert_null(warts_state_list(&st, 3));
	assert_null(warts_state_cycle(&st, 41));
	warts_state_clear(&st);
	wbuf_clear(&b);
}

static void
test_out_of_turn_is_told_and_counts(void **state)
{
	struct warts_state st = {0};
	struct wbuf b;

	(void)state;
	wbuf_init(&b);
	assert_null(feed_list(&st, &b, 1, "one"));
	assert_non_null(feed_list(&st, &b, 3, "three"));
	assert_string_equal(warts_state_list(&st, 3)->name, "three");
	assert_null(warts_state_list(&st, 2));
	assert_null(feed_list(&st, &b, 4, "four"));
	assert_non_null(feed_list(&st, &b, 3, "again"));
	assert_string_equal(warts_state_list(&st, 3)->name, "three");

	assert_non_null(feed_cycle(&st, &b, 2, 1));
	assert_non_null(warts_state_cycle(&st, 2));
	assert_non_null(feed_cycle(&st, &b, 3, 2)); /* of no known list */
	assert_non_null(warts_state_cycle(&st, 3));
	assert_non_null(feed_cycle(&st, &b, 3, 1));
	assert_non_null(feed_stop(&st, &b, 1));
	warts_state_clear(&st);
	wbuf_clear(&b);
}

static void
test_files_joined_with_cat(void **state)
{
	struct warts_state st = {0};
	struct wbuf b;

	(void)state;
	wbuf_init(&b);
	assert_null(feed_list(&st, &b, 1, "old"));
	assert_null(feed_list(&st, &b, 2, "old two"));
	assert_null(feed_cycle(&st, &b, 1, 1));
	assert_string_equal(feed_list(&st, &b, 1, "new"),
	    "list 1 again: files joined end to end");
	assert_string_equal(warts_state_list(&st, 1)->name, "new");
	assert_null(warts_state_list(&st, 2));
	assert_null(feed_cycle(&st, &b, 1, 1));
	warts_state_clear(&st);
	wbuf_clear(&b);
}

/* The hand-made file of the old kind: addresses are records of their own. */
static void
test_addresses_of_old_files(void **state)
{
	static const char *const hops[] = {
	    "192.0.2.2", "192.0.2.6", "198.51.100.10"};
	struct warts_state st = {0};
	struct warts_reader *rd;
	struct warts_record rec;
	struct warts_trace t;
	char a[ADDR_STRLEN];
	const char *why = NULL;
	int fd, traces = 0;

	(void)state;
	fd = open(TESTS_DIR "/golden/warts/handmade-legacy.warts",
	    O_RDONLY | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	rd = warts_reader_new(fd);
	while (warts_reader_next(rd, &rec, &why) == WARTS_READ_RECORD) {
		assert_int_equal(warts_state_feed(&st, &rec, &why), 0);
		if (rec.type != WARTS_TRACE || traces++ != 0)
			continue;
		assert_int_equal(
		    warts_trace_decode(rec.body, rec.len, &t, &why), 0);
		assert_int_equal(t.dst.family, ADDR_NONE);
		assert_int_equal(warts_state_resolve(&st, &t), 0);
		assert_string_equal(addr_str(&t.src, a), "192.0.2.1");
		assert_string_equal(addr_str(&t.dst, a), "198.51.100.10");
		for (int i = 0; i < 3; i++)
			assert_string_equal(
			    addr_str(&t.hops[i].addr, a), hops[i]);
		assert_string_equal(
		    addr_str(&t.pmtud->hops[0].addr, a), hops[2]);
		assert_int_equal(t.pmtud->version, 1);
		warts_trace_clear(&t);
		/* Without the address records it cannot be done. */
		warts_state_clear(&st);
		assert_int_equal(
		    warts_trace_decode(rec.body, rec.len, &t, &why), 0);
		assert_int_equal(warts_state_resolve(&st, &t), -1);
		warts_trace_clear(&t);
		break;
	}
	assert_int_equal(traces, 1);
	warts_reader_free(rd);
	warts_state_clear(&st);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_in_order),
    cmocka_unit_test(test_out_of_turn_is_told_and_counts),
    cmocka_unit_test(test_files_joined_with_cat),
    cmocka_unit_test(test_addresses_of_old_files),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
