/*
 * No input, however broken, is read beyond its end (the sanitizer watches), and
 * whatever is answered is answered with a well-formed packet.
 */
#include "tests/unit/fakenet_probe.h"

/* --- broken input --------------------------------------------------------- */

static const char *const hostile[] = {"diamonds 0.3", "mpls 0.5",
    "mtu 0.3 1280 1400", "unreach 0.2", "interfaces 4", "quote-long 0.5",
    "open-ports 80", "per-packet 0.5", "rate-limit 0.2 1000", NULL};

static struct pkt
sample(uint32_t n)
{
	const char *dst = both[n % 2];
	uint8_t ttl = (uint8_t)(n >> 1 & 31);

	switch (n % 5) {
	case 0:
		return udp(dst, ttl, 16);
	case 1:
		return echo(dst, ttl, n % 1400);
	case 2:
		return tcp(dst, n & 64 ? 80 : 81, (uint8_t)(n >> 7), n);
	case 3:
		return with_extensions(ttl, 0);
	default:
		return udp(dst, ttl, n % 1400);
	}
}

static void
test_truncated(void **state)
{
	struct rig g;

	(void)state;
	rig_init(&g, hostile);
	for (uint32_t n = 0; n < 200; n++) {
		struct pkt p = sample(n);

		for (size_t len = p.len < 150 ? p.len : 150; len-- > 0;) {
			p.len = len;
			assert_false(ask(&g, &p));
		}
	}
	rig_clear(&g);
}

/* Bits flipped and lengths cut, the header's checksum made right again so
 * that it gets through. */
static void
test_mutated(void **state)
{
	uint64_t x = 1;
	struct rig g;

	(void)state;
	rig_init(&g, hostile);
	for (uint32_t n = 0; n < 200000; n++) {
		struct pkt p = sample(n);
		int flips = 1 + (int)(n % 4);

		while (flips-- > 0) {
			x = mix(x);
			p.b[x % (p.len < 80 ? p.len : 80)] ^=
			    (uint8_t)(1 << (x >> 40 & 7));
		}
		if (n % 3 == 0)
			p.len -= x % 30 % p.len;
		if (p.b[0] >> 4 == 4 && (p.b[0] & 15) == 5)
			set_ip_sum(&p);
		p.v6 = p.b[0] >> 4 == 6;
		ask(&g, &p);
	}
	assert_true(g.reply.n.replies > 20000);
	assert_true(g.reply.n.malformed > 10000);
	rig_clear(&g);
}

static void
test_garbage(void **state)
{
	uint64_t x = 7;
	struct rig g;

	(void)state;
	rig_init(&g, hostile);
	for (uint32_t n = 0; n < 100000; n++) {
		struct pkt p = {.len = n % 100};

		for (size_t i = 0; i < p.len; i++)
			p.b[i] = (uint8_t)(x = mix(x));
		if (p.len > 0)
			p.b[0] = n & 1 ? 0x45 : 0x60;
		p.v6 = p.b[0] >> 4 == 6;
		ask(&g, &p);
	}
	assert_int_equal(g.reply.n.probes, 100000);
	rig_clear(&g);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_mutated),
	    cmocka_unit_test(test_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
