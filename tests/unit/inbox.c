/*
 * inbox: every reply is handled once, in the order of arrival, with its own
 * task, extensions and time, whatever became of the packet meanwhile; with few
 * tasks in the window and with many.
 */
#include "tests/unit/test.h"

#include <string.h>

#include "prober/prober.h"

enum { PACKETS = 3000, EXT_LONG = 200 };

/* What packet N is, and what was seen of it. */
struct expect {
	uint32_t target;
	size_t ext_len;
};

static struct expect expects[PACKETS];
static int handled;
static struct window window;

static struct addr
addr_n(uint32_t n)
{
	uint8_t b[4] = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};

	return addr_make(ADDR_IPV4, b);
}

static void
on_reply(void *arg, struct task *t, const struct reply *r)
{
	const struct expect *x = &expects[handled];
	struct addr target = addr_n(x->target);

	assert_ptr_equal(arg, &window);
	assert_true(addr_equal(&r->target, &target));
	assert_int_equal(r->rx_ns, 1000 + handled);
	assert_ptr_equal(t, window_find(&window, &target));
	/* One in eight is nobody's. */
	assert_true((t == NULL) == (x->target % 8 == 0));
	assert_int_equal(r->ext_len, x->ext_len);
	for (size_t i = 0; i < x->ext_len; i++)
		assert_int_equal(r->ext[i], (uint8_t)(handled + (int)i));
	handled++;
}

/* Time exceeded for a probe to TARGET, with EXT_LEN bytes of objects. */
static size_t
make_packet(uint8_t *p, int n, const struct expect *x)
{
	size_t len = 20 + 8 + 128 + (x->ext_len > 0 ? 4 + x->ext_len : 0);
	struct addr target = addr_n(x->target);
	uint8_t *icmp = p + 20, *quote = icmp + 8, *ext = quote + 128;

	memset(p, 0, len);
	p[0] = 0x45;
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
	p[9] = 1;
	icmp[0] = 11;
	icmp[5] = 32;
	quote[0] = 0x45;
	quote[9] = 17;
	memcpy(quote + 16, target.b, 4);
	if (x->ext_len > 0)
		ext[0] = 0x20;
	for (size_t i = 0; i < x->ext_len; i++)
		ext[4 + i] = (uint8_t)(n + (int)i);
	return len;
}

static void
run(uint32_t tasks)
{
	static const struct technique fake = {.name = "fake"};
	static struct measurement m = {.tech = &fake, .refs = 1 << 20};
	static struct inbox in;
	static const size_t lens[] = {0, 0, 8, INBOX_EXT, 0, EXT_LONG, 0};
	uint8_t packet[600];

	memset(&in, 0, sizeof(in));
	window_init(&window, 0);
	for (uint32_t i = 0; i < tasks; i++) {
		struct command c = {.dst = addr_n(i), .m = &m};

		if (i % 8 != 0)
			window_add(&window, &c, NULL);
	}
	in.w = &window;
	in.handle = on_reply;
	in.arg = &window;
	handled = 0;
	for (int n = 0; n < PACKETS; n++) {
		size_t len;

		expects[n].target = (uint32_t)n * 7919 % tasks;
		expects[n].ext_len = lens[(n / 50) % (int)LEN(lens)];
		len = make_packet(packet, n, &expects[n]);
		inbox_packet(&in, packet, len, 1000 + n);
		memset(packet, 0xee, sizeof(packet));
		inbox_packet(&in, packet, len, 1); /* not a reply */
		assert_in_range(n + 1 - handled, 0, INBOX_REPLIES - 1);
	}
	inbox_flush(&in);
	assert_int_equal(handled, PACKETS);
	inbox_flush(&in);
	assert_int_equal(handled, PACKETS);
	window_clear(&window);
}

static void
in_order_with_few_and_many_tasks(void **state)
{
	(void)state;
	run(100);
	run(20000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(in_order_with_few_and_many_tasks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
