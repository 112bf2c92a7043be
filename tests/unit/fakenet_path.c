/*
 * Paths: their lengths, what they share, what is on them; and that each comes
 * out the same whichever way it is asked for.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fakenet/fakenet.h"
#include "tests/unit/addr_of.h"
#include "tests/unit/test.h"

#define PATHS 3000

static struct settings
settings(const char *const *lines)
{
	struct settings s;
	char buf[200];

	settings_init(&s);
	for (; *lines != NULL; lines++) {
		strcpy(buf, *lines);
		assert_null(settings_line(&s, buf));
	}
	assert_null(settings_check(&s));
	return s;
}

/* The N-th destination of a family. */
static struct addr
nth(int family, uint32_t n)
{
	struct addr a = {.family = (uint8_t)family};

	put32(a.b, (uint32_t)mix(n));
	a.b[0] = family == ADDR_IPV4 ? (uint8_t)(1 + a.b[0] % 99) : 0x24;
	if (family == ADDR_IPV6)
		put32(a.b + 12, n);
	return a;
}

/* The router addresses of a path as a flow sees them. */
static int
walk(const struct settings *s, const struct addr *dst, const struct flow *f,
    struct addr *out)
{
	struct path p;
	struct path_hop hops[HOPS_MAX + 1];

	path_init(&p, s, dst);
	path_walk(&p, path_end(&p), f, hops);
	for (int h = 1; h <= path_end(&p); h++)
		out[h] = path_addr(&p, h, &hops[h], hops[h].router);
	return path_end(&p);
}

static void
test_lengths(void **state)
{
	static const char *const lines[] = {"hops 5 30", NULL};
	struct settings s = settings(lines);
	int seen[HOPS_MAX + 1] = {0};
	struct path p;

	(void)state;
	for (uint32_t n = 0; n < PATHS; n++) {
		struct addr a = nth(n % 2 ? ADDR_IPV4 : ADDR_IPV6, n);

		path_init(&p, &s, &a);
		assert_in_range(p.len, 5, 30);
		seen[p.len]++;
	}
	for (int len = 6; len < 30; len++)
		assert_true(seen[len] > 0);
	assert_true(seen[17] > 3 * seen[6]);
}

static void
test_tree(void **state)
{
	static const char *const lines[] = {"hops 12 12", "diamonds 0.2", NULL};
	struct settings s = settings(lines);
	struct addr a[HOPS_MAX + 1], b[HOPS_MAX + 1], c[HOPS_MAX + 1];
	struct addr dst = addr_of("9.8.7.1"), same = addr_of("9.8.7.200");
	struct addr other = addr_of("9.8.200.1");

	(void)state;
	walk(&s, &dst, NULL, a);
	walk(&s, &same, NULL, b);
	walk(&s, &other, NULL, c);
	/* One prefix: all but the last router and the host. */
	for (int h = 1; h <= 10; h++)
		assert_true(addr_equal(&a[h], &b[h]));
	assert_false(addr_equal(&a[11], &b[11]));
	assert_true(addr_equal(&a[12], &dst));
	/* Another: the first hops, then never again. */
	for (int h = 1; h <= 8; h++)
		assert_true(addr_equal(&a[h], &c[h]));
	for (int h = 10; h <= 12; h++)
		assert_false(addr_equal(&a[h], &c[h]));
}

/* No address twice on a path, and each leads back to its router. */
static void
test_router_addresses(void **state)
{
	static const char *const lines[] = {
	    "diamonds 0.3", "interfaces 4", NULL};
	struct settings s = settings(lines);
	struct addr a[HOPS_MAX + 1];
	struct path p;
	int len;

	(void)state;
	for (uint32_t n = 0; n < PATHS; n++) {
		struct addr dst = nth(n % 2 ? ADDR_IPV4 : ADDR_IPV6, n);

		len = walk(&s, &dst, NULL, a);
		for (int h = 1; h < len; h++) {
			path_init(&p, &s, &a[h]);
			assert_true(p.is_router);
			assert_int_equal(p.len, h);
			for (int i = 1; i < h; i++)
				assert_false(addr_equal(&a[i], &a[h]));
		}
	}
}

/* A walk that ends early shows the same hops as a whole one. */
static void
test_prefix_of_walk(void **state)
{
	static const char *const lines[] = {
	    "diamonds 0.3", "rtt-hop 1ms", "mtu 0.1", NULL};
	struct settings s = settings(lines);
	struct path_hop all[HOPS_MAX + 1], some[HOPS_MAX + 1];
	struct path p;

	(void)state;
	for (uint32_t n = 0; n < 300; n++) {
		struct addr dst = nth(ADDR_IPV4, n);
		struct flow f = {mix(n), mix(n + 1), mix(n + 2)};

		path_init(&p, &s, &dst);
		path_walk(&p, p.len, &f, all);
		for (int h = 1; h <= p.len; h++) {
			path_walk(&p, h, &f, some);
			assert_memory_equal(&some[h], &all[h], sizeof(all[h]));
			assert_true(
			    all[h].rtt_ns > all[h - (h > 1)].rtt_ns || h == 1);
		}
	}
}

struct census {
	int routers, diamonds, silent, mpls, limited, zero, random, small;
	int unreach, hosts, ways[WAYS_MAX + 1];
};

static void
count_path(struct census *c, const struct settings *s, const struct addr *dst)
{
	struct path_hop hop[HOPS_MAX + 1];
	struct path p;
	struct traits t;

	path_init(&p, s, dst);
	path_walk(&p, p.len, NULL, hop);
	c->hosts += p.host_silent;
	c->unreach += p.unreach_hop != 0;
	assert_true(p.unreach_hop < p.len);
	/* Far from the monitor, where paths are not shared. */
	for (int h = 14; h < p.len; h++) {
		path_traits(&p, h, hop[h].router, &t);
		c->routers++;
		c->silent += t.silent;
		c->mpls += t.nlabels > 0;
		c->limited += t.limited;
		c->zero += t.ipid == IPID_ZERO;
		c->random += t.ipid == IPID_RANDOM;
		c->small += hop[h].mtu != 0;
		c->diamonds += hop[h].diverges;
		if (hop[h].diverges)
			c->ways[hop[h + 1].ways]++;
	}
}

static void
assert_near(int n, int of, double fraction)
{
	assert_true(n > of * fraction * 0.7);
	assert_true(n < of * fraction * 1.3);
}

/* Fractions are what was asked for. */
static void
test_fractions(void **state)
{
	static const char *const lines[] = {"silent-routers 10%",
	    "silent-hosts 20%", "mpls 5%", "rate-limit 30% 10", "ipid-zero 25%",
	    "ipid-random 10%", "mtu 4% 1400 1480", "unreach 10%",
	    "diamonds 10%", "ways 2 5", "hops 25 30", NULL};
	struct settings s = settings(lines);
	struct census c = {.routers = 0};

	(void)state;
	for (uint32_t n = 0; n < PATHS; n++) {
		struct addr dst = nth(n % 2 ? ADDR_IPV4 : ADDR_IPV6, n);

		count_path(&c, &s, &dst);
	}
	assert_near(c.silent, c.routers, 0.10);
	assert_near(c.mpls, c.routers, 0.05);
	assert_near(c.limited, c.routers, 0.30);
	assert_near(c.zero, c.routers, 0.25);
	assert_near(c.random, c.routers, 0.10);
	assert_near(c.small, c.routers, 0.04);
	assert_near(c.hosts, PATHS, 0.20);
	assert_near(c.unreach, PATHS, 0.10);
	for (int w = 2; w <= 5; w++)
		assert_near(c.ways[w], c.diamonds, 0.25);
}

/* The ways that flows with first bytes 0..999 take behind a balancer. */
static void
count_ways(const struct settings *s, const char *to, int vary_dst, int *ways)
{
	struct addr src = addr_of("192.0.2.1"), dst = addr_of(to);
	struct path_hop hop[HOPS_MAX + 1];
	struct path p;

	for (uint32_t i = 0; i < 1000; i++) {
		struct flow_key k = {&src, &dst, 17, vary_dst ? 7 : i, 0};
		struct flow f;

		if (vary_dst)
			put16(dst.b + 2, i);
		f = path_flow(s, &k);
		path_init(&p, s, &dst);
		path_walk(&p, 5, &f, hop);
		assert_int_equal(hop[4].branch, hop[5].branch);
		assert_int_equal(
		    hop[5].router, (hop[5].base + hop[5].branch) % ROUTERS);
		ways[hop[4].branch]++;
	}
}

static void
test_balancers(void **state)
{
	static const char *const lines[] = {"route 9.1.0.0/16 hops=9 lb=4@3+2",
	    "route 9.2.0.0/16 hops=9 lb=4@3+2,dest", NULL};
	struct settings s = settings(lines);
	int flow[WAYS_MAX] = {0}, dest[WAYS_MAX] = {0}, one[WAYS_MAX] = {0};

	(void)state;
	count_ways(&s, "9.1.1.1", 0, flow);
	count_ways(&s, "9.2.1.1", 1, dest);
	for (int i = 0; i < 4; i++) {
		assert_near(flow[i], 1000, 0.25);
		assert_near(dest[i], 1000, 0.25);
	}
	/* Per destination: ports make no difference. */
	count_ways(&s, "9.2.1.1", 0, one);
	assert_true(one[0] == 1000 || one[1] == 1000 || one[2] == 1000 ||
	    one[3] == 1000);
}

static void
test_flow_label(void **state)
{
	static const char *const yes[] = {"flow-label yes", NULL};
	static const char *const no[] = {"flow-label no", NULL};
	struct settings with = settings(yes), without = settings(no);
	struct addr src = addr_of("2001:db8::1"),
		    dst = addr_of("2001:db8:1::1");
	struct flow_key a = {&src, &dst, 17, 1, 1}, b = {&src, &dst, 17, 1, 2};

	(void)state;
	assert_int_not_equal(
	    path_flow(&with, &a).flow, path_flow(&with, &b).flow);
	assert_int_equal(
	    path_flow(&without, &a).flow, path_flow(&without, &b).flow);
}

static void
test_route(void **state)
{
	static const char *const lines[] = {"silent-routers 50%", "mpls 50%",
	    "route 9.0.0.0/8 hops=5",
	    "route 9.9.9.0/24 hops=9 silent=2,4 mpls=3 mtu=1400@5,silent "
	    "unreach=host@7 host=silent",
	    NULL};
	struct settings s = settings(lines);
	struct addr near = addr_of("9.9.9.9"), far = addr_of("9.9.8.9");
	struct path_hop hop[HOPS_MAX + 1];
	struct traits t;
	struct path p;

	(void)state;
	path_init(&p, &s, &far);
	assert_int_equal(p.len, 5);
	path_init(&p, &s, &near);
	assert_int_equal(p.len, 9);
	assert_int_equal(path_end(&p), 7);
	assert_int_equal(p.unreach, UNREACH_HOST);
	assert_true(p.host_silent);
	path_walk(&p, 7, NULL, hop);
	for (int h = 1; h <= 7; h++) {
		path_traits(&p, h, hop[h].router, &t);
		assert_int_equal(t.silent, h == 2 || h == 4);
		assert_int_equal(t.nlabels > 0, h == 3);
		assert_int_equal(hop[h].mtu, h == 5 ? 1400 : 0);
	}
	assert_int_equal(hop[5].ptb, PTB_SILENT);
}

static void
test_unicast(void **state)
{
	static const struct {
		const char *a;
		int yes;
	} t[] = {{"1.2.3.4", 1}, {"0.1.2.3", 0}, {"127.0.0.1", 0},
	    {"223.255.255.255", 1}, {"224.0.0.1", 0}, {"255.255.255.255", 0},
	    {"2001:db8::1", 1}, {"::", 0}, {"::1", 0}, {"::2", 1},
	    {"fe80::1", 0}, {"febf::1", 0}, {"fec0::1", 1}, {"ff02::1", 0}};

	(void)state;
	for (size_t i = 0; i < LEN(t); i++) {
		struct addr a = addr_of(t[i].a);

		assert_int_equal(path_unicast(&a), t[i].yes);
	}
}

static void
test_seed(void **state)
{
	static const char *const one[] = {"seed 1", NULL};
	static const char *const two[] = {"seed 2", NULL};
	struct settings s1 = settings(one), s2 = settings(two);
	struct addr a[HOPS_MAX + 1], b[HOPS_MAX + 1], dst = addr_of("9.8.7.6");

	(void)state;
	walk(&s1, &dst, NULL, a);
	walk(&s2, &dst, NULL, b);
	assert_false(addr_equal(&a[1], &b[1]));
	assert_false(addr_equal(&a[2], &b[2]));
}

/* --- settings ------------------------------------------------------------- */

static void
test_bad_settings(void **state)
{
	static const char *const bad[] = {"", "frogs 3", "hops", "hops 1",
	    "hops 9 8", "hops 5 32", "hops 5 x", "seed -1", "silent-routers 2",
	    "silent-routers 101%", "silent-routers .", "silent-routers 1e-3",
	    "silent-routers 0.1x", "rtt-hop 2s", "rtt-hop x",
	    "pool 10.0.0.0/12", "pool 10.0.0.1/8", "pool 2001:db8::/65",
	    "ways 1", "ways 2 33", "flow-label maybe", "rate-limit 0.1",
	    "rate-limit 0.1 0", "mtu 0.1 1000", "open-ports 0",
	    "open-ports 70000", "interfaces 5", "route 9.9.9.0/24",
	    "route 9.9.9.9/24 hops=9", "route 9.9.9.0/24 frog=9",
	    "route 9.9.9.0/24 hops", "route 9.9.9.0/24 hops=1",
	    "route 9.9.9.0/24 silent=0", "route 9.9.9.0/24 silent=32",
	    "route 9.9.9.0/24 mtu=1400", "route 9.9.9.0/24 mtu=1400@5,loud",
	    "route 9.9.9.0/24 lb=1@2", "route 9.9.9.0/24 lb=2",
	    "route 9.9.9.0/24 lb=2@2+x", "route 9.9.9.0/24 unreach=net",
	    "route 9.9.9.0/24 unreach=x@2", "route 9.9.9.0/24 host=down"};
	struct settings s;
	char line[200];

	(void)state;
	settings_init(&s);
	for (size_t i = 0; i < LEN(bad); i++) {
		strcpy(line, bad[i]);
		if (settings_line(&s, line) == NULL)
			fail_msg("accepted: %s", bad[i]);
	}
}

static void
test_inconsistent_settings(void **state)
{
	static const char *const bad[] = {
	    "route 9.9.9.0/24 hops=5 unreach=net@5",
	    "route 9.9.9.0/24 hops=5 mtu=1400@5",
	    "route 9.9.9.0/24 hops=5 lb=2@3+2", "route 9.9.9.0/24 lb=2@4+1"};
	struct settings s;
	char line[200];

	(void)state;
	for (size_t i = 0; i < LEN(bad); i++) {
		settings_init(&s);
		strcpy(line, bad[i]);
		assert_null(settings_line(&s, line));
		assert_non_null(settings_check(&s));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_tree),
	    cmocka_unit_test(test_router_addresses),
	    cmocka_unit_test(test_prefix_of_walk),
	    cmocka_unit_test(test_fractions),
	    cmocka_unit_test(test_balancers),
	    cmocka_unit_test(test_flow_label),
	    cmocka_unit_test(test_route),
	    cmocka_unit_test(test_unicast),
	    cmocka_unit_test(test_seed),
	    cmocka_unit_test(test_bad_settings),
	    cmocka_unit_test(test_inconsistent_settings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
