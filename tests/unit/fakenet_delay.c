/*
 * The wheel of delayed replies against a plain model: every packet comes out
 * whole, once, never early and at most a tick late.
 */
#include <string.h>

#include "common/clock.h"
#include "tests/fakenet/fakenet.h"
#include "tests/unit/test.h"

#define N 20000
#define LONG 3000

struct sent {
	int64_t due_ns;
	int seen;
};

/* Packet I holds its number and, if long, a pattern. */
static size_t
make(uint32_t i, uint8_t *pkt)
{
	size_t len = i % 7 == 0 ? LONG : 60;

	memset(pkt, (int)(i & 255), len);
	put32(pkt, i);
	return len;
}

static void
check(struct sent *sent, const uint8_t *pkt, size_t len, int64_t now_ns,
    int64_t slack_ns)
{
	uint8_t want[LONG];
	uint32_t i = get32(pkt);

	assert_true(i < N);
	assert_int_equal(len, make(i, want));
	assert_memory_equal(pkt, want, len);
	assert_false(sent[i].seen);
	sent[i].seen = 1;
	assert_true(now_ns >= sent[i].due_ns);
	assert_true(now_ns <= sent[i].due_ns + slack_ns);
}

/* Packets due up to two seconds ahead (four times around), while time goes on
 * from wake-up to wake-up. */
static void
test_model(void **state)
{
	static struct sent sent[N];
	int64_t now_ns = 77 * NS_PER_SEC + 12345, wake_ns;
	struct delay *d = delay_new(N, now_ns);
	uint8_t pkt[LONG];
	const uint8_t *p;
	uint32_t out = 0;
	size_t len;

	(void)state;
	memset(sent, 0, sizeof(sent));
	for (uint32_t i = 0; i < N || out < N;) {
		for (int k = 0; k < 50 && i < N; k++, i++) {
			sent[i].due_ns = now_ns +
			    (int64_t)(mix(i) % (uint64_t)(2 * NS_PER_SEC));
			len = make(i, pkt);
			assert_int_equal(
			    delay_add(d, sent[i].due_ns, pkt, len), 0);
		}
		wake_ns = delay_wake_ns(d);
		assert_true(wake_ns >= 0);
		if (wake_ns > now_ns)
			now_ns = wake_ns;
		while ((p = delay_next(d, now_ns, &len)) != NULL) {
			check(sent, p, len, now_ns, DELAY_TICK_NS);
			out++;
		}
	}
	assert_int_equal(delay_wake_ns(d), -1);
	delay_free(d);
}

/* A loop that was held up for longer than the wheel is around. */
static void
test_late_caller(void **state)
{
	static struct sent sent[N];
	int64_t now_ns = NS_PER_SEC;
	struct delay *d = delay_new(N, now_ns);
	uint8_t pkt[LONG];
	const uint8_t *p;
	int out = 0;
	size_t len;

	(void)state;
	memset(sent, 0, sizeof(sent));
	for (uint32_t i = 0; i < 1000; i++) {
		sent[i].due_ns = now_ns + (int64_t)i * NS_PER_MS;
		len = make(i, pkt);
		assert_int_equal(delay_add(d, sent[i].due_ns, pkt, len), 0);
	}
	now_ns += 10 * NS_PER_SEC;
	for (; (p = delay_next(d, now_ns, &len)) != NULL; out++)
		check(sent, p, len, now_ns, 10 * NS_PER_SEC);
	assert_int_equal(out, 1000);
	delay_free(d);
}

static void
test_order_and_full(void **state)
{
	struct delay *d = delay_new(3, 0);
	uint8_t pkt[LONG];
	const uint8_t *p;
	size_t len;

	(void)state;
	for (uint32_t i = 0; i < 3; i++)
		assert_int_equal(
		    delay_add(d, NS_PER_MS, pkt, make(7 * i + 1, pkt)), 0);
	assert_int_equal(delay_add(d, NS_PER_MS, pkt, 60), -1);
	assert_null(delay_next(d, NS_PER_MS / 2, &len));
	for (uint32_t i = 0; i < 3; i++) {
		p = delay_next(d, 2 * NS_PER_MS, &len);
		assert_non_null(p);
		assert_int_equal(get32(p), 7 * i + 1);
	}
	assert_null(delay_next(d, 2 * NS_PER_MS, &len));
	/* There is room again, also for what is overdue. */
	assert_int_equal(delay_add(d, NS_PER_MS, pkt, 60), 0);
	assert_non_null(delay_next(d, 3 * NS_PER_MS, &len));
	/* What waits is given back as well. */
	assert_int_equal(delay_add(d, NS_PER_SEC, pkt, LONG), 0);
	delay_free(d);
	delay_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_model),
	    cmocka_unit_test(test_late_caller),
	    cmocka_unit_test(test_order_and_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
