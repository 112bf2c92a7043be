/*
 * sockaddr: what is made of an address is what the kernel wants, to the byte,
 * and the way back; another family is no address.
 */
#include "tests/unit/test.h"

#include <arpa/inet.h>
#include <string.h>

#include "common/sockaddr.h"

static void
there_and_back(void **state)
{
	static const struct {
		const char *text;
		int family;
		socklen_t len;
	} rows[] = {
	    {"192.0.2.1", AF_INET, sizeof(struct sockaddr_in)},
	    {"0.0.0.0", AF_INET, sizeof(struct sockaddr_in)},
	    {"2001:db8::17", AF_INET6, sizeof(struct sockaddr_in6)},
	    {"::", AF_INET6, sizeof(struct sockaddr_in6)},
	};
	union sockaddr_any sa;
	char text[ADDR_STRLEN];
	struct addr a, back;
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].text);
		assert_int_equal(addr_scan(rows[i].text, &a), 0);
		memset(&sa, 0xff, sizeof(sa));
		assert_int_equal(sockaddr_make(&sa, &a, 443), rows[i].len);
		assert_int_equal(sa.sa.sa_family, rows[i].family);
		assert_int_equal(sockaddr_family(&a), rows[i].family);
		assert_string_equal(
		    inet_ntop(rows[i].family,
			rows[i].family == AF_INET ? (void *)&sa.in.sin_addr
						  : (void *)&sa.in6.sin6_addr,
			text, sizeof(text)),
		    rows[i].text);
		back = sockaddr_addr(&sa, &port);
		assert_memory_equal(&back, &a, sizeof(a));
		assert_int_equal(port, 443);
		back = sockaddr_addr(&sa, NULL);
		assert_true(addr_equal(&back, &a));
	}
}

/* Port first, high byte first; nothing is left as it was. */
static void
every_byte_is_set(void **state)
{
	static const uint8_t tail4[14] = {1, 2, 192, 0, 2, 1};
	static const uint8_t tail6[26] = {
	    1, 2, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, [21] = 0x17};
	union sockaddr_any sa;
	struct addr a;

	(void)state;
	memset(&sa, 0xff, sizeof(sa));
	addr_scan("192.0.2.1", &a);
	assert_int_equal(sockaddr_make(&sa, &a, 0x102), 2 + sizeof(tail4));
	assert_memory_equal(sa.sa.sa_data, tail4, sizeof(tail4));
	memset(&sa, 0xff, sizeof(sa));
	addr_scan("2001:db8::17", &a);
	assert_int_equal(sockaddr_make(&sa, &a, 0x102), 2 + sizeof(tail6));
	assert_memory_equal((uint8_t *)&sa + 2, tail6, sizeof(tail6));
}

static void
another_family_is_no_address(void **state)
{
	union sockaddr_any sa = {
	    .un = {.sun_family = AF_UNIX, .sun_path = "/run/x"}};
	struct addr a, none = {.family = ADDR_NONE};
	uint16_t port = 7;

	(void)state;
	a = sockaddr_addr(&sa, &port);
	assert_memory_equal(&a, &none, sizeof(a));
	assert_int_equal(port, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(there_and_back),
	    cmocka_unit_test(every_byte_is_set),
	    cmocka_unit_test(another_family_is_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
