/* The primitives of the warts format, and the dictionary of addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/warts/buf.h"

static struct addr
numbered(uint32_t n)
{
	uint8_t b[4] = {(uint8_t)(n >> 24), (uint8_t)(n >> 16),
	    (uint8_t)(n >> 8), (uint8_t)n};

	return addr_make(ADDR_IPV4, b);
}

static void
test_primitives_both_ways(void **state)
{
	static const uint8_t want[] = {0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07,
	    0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 'h', 'i', 0, 0, 0,
	    0, 1, 0, 0x0f, 0x42, 0x3f};
	struct warts_tv tv = {1, 999999};
	struct wbuf b;
	struct rbuf r;
	const char *why;

	(void)state;
	wbuf_init(&b);
	wbuf_u8(&b, 0x01);
	wbuf_u16(&b, 0x0203);
	wbuf_u32(&b, 0x04050607);
	wbuf_u64(&b, 0x08090a0b0c0d0e0f);
	wbuf_str(&b, "hi");
	wbuf_tv(&b, tv);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.p, want, sizeof(want));

	rbuf_init(&r, b.p, b.len);
	assert_int_equal(rbuf_u8(&r), 0x01);
	assert_int_equal(rbuf_u16(&r), 0x0203);
	assert_int_equal(rbuf_u32(&r), 0x04050607);
	assert_true(rbuf_u64(&r) == 0x08090a0b0c0d0e0f);
	assert_string_equal(rbuf_str(&r), "hi");
	tv = rbuf_tv(&r);
	assert_int_equal(tv.sec, 1);
	assert_int_equal(tv.usec, 999999);
	assert_int_equal(rbuf_finish(&r, &why), 0);
	wbuf_clear(&b);
}

static void
test_reading_beyond_the_end_sticks(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3};
	const char *why = NULL;
	struct rbuf r;

	(void)state;
	rbuf_init(&r, bytes, sizeof(bytes));
	assert_int_equal(rbuf_u16(&r), 0x0102);
	assert_int_equal(rbuf_u16(&r), 0);
	assert_non_null(r.bad);
	/* One byte was left, but nothing is read after a failure. */
	assert_int_equal(rbuf_u8(&r), 0);
	assert_null(rbuf_str(&r));
	assert_int_equal(rbuf_finish(&r, &why), -1);
	assert_string_equal(why, "field runs beyond its end");

	rbuf_init(&r, bytes, sizeof(bytes));
	assert_int_equal(rbuf_u16(&r), 0x0102);
	assert_int_equal(rbuf_finish(&r, &why), -1);
	assert_string_equal(why, "bytes behind the end of the record");

	rbuf_init(&r, "no nul", 6);
	assert_null(rbuf_str(&r));
	assert_int_equal(rbuf_finish(&r, &why), -1);
	assert_string_equal(why, "string without an end");
}

/* The layout of section 4.2: size, family, bytes; then 00 and a number. */
static void
test_address_layout(void **state)
{
	static const uint8_t want[] = {4, 1, 192, 0, 2, 1, /* 0 */
	    6, 3, 2, 0, 0, 0, 0, 9, /* 1 */
	    0, 0, 0, 0, 0, /* 0 again */
	    4, 1, 192, 0, 2, 1, /* not through the dictionary */
	    0, 0, 0, 0, 1};
	static const uint8_t ip[] = {192, 0, 2, 1}, mac[] = {2, 0, 0, 0, 0, 9};
	struct addr a = addr_make(ADDR_IPV4, ip), got;
	struct addr m = addr_make(ADDR_MAC, mac);
	struct wbuf b;
	struct rbuf r;

	(void)state;
	wbuf_init(&b);
	wbuf_record_begin(&b, WARTS_TRACE);
	wbuf_reset(&b);
	wbuf_addr(&b, &a);
	wbuf_addr(&b, &m);
	wbuf_addr(&b, &a);
	wbuf_saddr(&b, &a);
	wbuf_addr(&b, &m);
	assert_int_equal(b.len, sizeof(want));
	assert_memory_equal(b.p, want, sizeof(want));

	rbuf_init(&r, b.p, b.len);
	got = rbuf_addr(&r);
	assert_true(addr_equal(&got, &a));
	got = rbuf_addr(&r);
	assert_true(addr_equal(&got, &m));
	got = rbuf_addr(&r);
	assert_true(addr_equal(&got, &a));
	got = rbuf_saddr(&r);
	assert_true(addr_equal(&got, &a));
	got = rbuf_addr(&r);
	assert_true(addr_equal(&got, &m));
	assert_null(r.bad);
	rbuf_clear(&r);
	wbuf_clear(&b);
}

static void
test_bad_addresses_are_refused(void **state)
{
	static const struct {
		uint8_t bytes[8];
		size_t len;
	} bad[] = {
	    {{0, 0, 0, 0, 0}, 5}, /* nothing defined yet */
	    {{4, 0, 1, 2, 3, 4}, 6}, /* family 0 */
	    {{4, 5, 1, 2, 3, 4}, 6}, /* family 5 */
	    {{4, 2, 1, 2, 3, 4}, 6}, /* IPv6 of 4 bytes */
	    {{3, 1, 1, 2, 3}, 5}, /* IPv4 of 3 bytes */
	    {{4, 1, 1, 2, 3}, 5}, /* cut */
	    {{0, 0, 0, 0}, 4}, /* cut */
	    {{0}, 0},
	};
	struct rbuf r;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		rbuf_init(&r, bad[i].bytes, bad[i].len);
		assert_int_equal(rbuf_addr(&r).family, ADDR_NONE);
		assert_non_null(r.bad);
		rbuf_clear(&r);
		rbuf_init(&r, bad[i].bytes, bad[i].len);
		assert_int_equal(rbuf_saddr(&r).family, ADDR_NONE);
		assert_non_null(r.bad);
		rbuf_clear(&r);
	}
}

#define MANY 5000

/* Each address is defined once and then named by its number, however many;
 * and the next record begins with none. */
static void
test_dictionary_grows_and_ends_with_its_record(void **state)
{
	static struct addr a[MANY];
	struct wbuf b;
	struct rbuf r;
	size_t token, once;

	(void)state;
	wbuf_init(&b);
	for (uint32_t i = 0; i < MANY; i++)
		a[i] = numbered(i * 2654435761u);
	for (int record = 0; record < 3; record++) {
		wbuf_reset(&b);
		token = wbuf_record_begin(&b, WARTS_TRACE);
		for (size_t i = 0; i < MANY; i++)
			wbuf_addr(&b, &a[i]);
		once = b.len;
		assert_int_equal(once, WARTS_HEADER_LEN + 6 * MANY);
		for (size_t i = 0; i < MANY; i++)
			wbuf_addr(&b, &a[i]);
		assert_int_equal(b.len, once + 5 * MANY);
		wbuf_record_end(&b, token);
		rbuf_init(&r, b.p + WARTS_HEADER_LEN, b.len - WARTS_HEADER_LEN);
		for (size_t i = 0; i < 2 * MANY; i++) {
			struct addr got = rbuf_addr(&r);

			assert_true(addr_equal(&got, &a[i % MANY]));
		}
		rbuf_clear(&r);
	}
	wbuf_clear(&b);
}

static void
test_rewind_takes_addresses_back(void **state)
{
	struct addr a[100];
	struct wbuf_mark m;
	struct wbuf b;
	size_t len;

	(void)state;
	wbuf_init(&b);
	wbuf_record_begin(&b, WARTS_TRACE);
	for (uint32_t i = 0; i < 100; i++)
		a[i] = numbered(i + 1);
	for (int i = 0; i < 40; i++)
		wbuf_addr(&b, &a[i]);
	m = wbuf_mark(&b);
	for (int i = 0; i < 100; i++)
		wbuf_addr(&b, &a[i]);
	wbuf_rewind(&b, m);
	len = b.len;
	wbuf_addr(&b, &a[39]);
	assert_int_equal(b.len, len + 5); /* still known */
	wbuf_addr(&b, &a[99]);
	assert_int_equal(b.len, len + 5 + 6); /* new again ... */
	wbuf_addr(&b, &a[99]);
	assert_int_equal(b.p[b.len - 1], 40); /* ... with the next number */
	wbuf_clear(&b);
}

static void
test_printf_of_any_length(void **state)
{
	char big[10000];
	struct wbuf b;

	(void)state;
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	wbuf_init(&b);
	wbuf_printf(&b, "%d,", 42);
	wbuf_printf(&b, "%s", big);
	wbuf_printf(&b, "%s", "");
	assert_int_equal(b.len, 3 + sizeof(big) - 1);
	assert_memory_equal(b.p, "42,xxx", 6);
	assert_int_equal(b.p[b.len - 1], 'x');
	wbuf_clear(&b);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_primitives_both_ways),
    cmocka_unit_test(test_reading_beyond_the_end_sticks),
    cmocka_unit_test(test_address_layout),
    cmocka_unit_test(test_bad_addresses_are_refused),
    cmocka_unit_test(test_dictionary_grows_and_ends_with_its_record),
    cmocka_unit_test(test_rewind_takes_addresses_back),
    cmocka_unit_test(test_printf_of_any_length),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
