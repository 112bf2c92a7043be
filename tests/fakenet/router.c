/*
 * router: what routers remember between packets.  One slot per possible
 * router, found by its number; pages are touched when a router is.
 *
 * The counter of a router moves by one for each packet it sends, and by itself
 * as if it sent packets to others: IP-ID = start + sent + velocity * time.
 */
#include "tests/fakenet/fakenet.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/xmalloc.h"

#define NROUTERS (2u * 32 * ROUTERS)
#define NHOSTS 65536u /* counters that all hosts share by hash */

struct slot {
	uint32_t sent;
	uint32_t used; /* the bucket has been filled once */
	int64_t credit_ns; /* a token costs 1 s / rate */
	int64_t last_ns;
};

struct routers {
	const struct settings *set;
	uint64_t random;
	struct slot *slot; /* NROUTERS */
	uint16_t *host; /* NHOSTS */
};

struct routers *
routers_new(const struct settings *s)
{
	struct routers *r = xcalloc(1, sizeof(*r));

	r->set = s;
	r->random = mix(s->seed);
	r->slot = xcalloc(NROUTERS, sizeof(*r->slot));
	r->host = xcalloc(NHOSTS, sizeof(*r->host));
	return r;
}

void
routers_free(struct routers *r)
{
	if (r == NULL)
		return;
	free(r->slot);
	free(r->host);
	free(r);
}

uint32_t
routers_index(int family, int h, uint16_t router)
{
	uint32_t v6 = family == ADDR_IPV6;

	return (v6 << 5 | ((uint32_t)h & 31)) << ROUTER_BITS |
	    (router & (ROUTERS - 1));
}

uint64_t
routers_random(struct routers *r)
{
	return mix(r->random++);
}

int
routers_allow(struct routers *r, uint32_t index, int64_t now_ns)
{
	struct slot *s = &r->slot[index];
	int64_t token_ns = NS_PER_SEC / r->set->limit_rate;
	int64_t full_ns = token_ns * r->set->limit_burst;

	if (s->used) {
		s->credit_ns += now_ns - s->last_ns;
		if (s->credit_ns > full_ns)
			s->credit_ns = full_ns;
	} else {
		s->used = 1;
		s->credit_ns = full_ns;
	}
	s->last_ns = now_ns;
	if (s->credit_ns < token_ns)
		return 0;
	s->credit_ns -= token_ns;
	return 1;
}

/* What a counter named X shows at NOW_NS after SENT packets of its own. */
static uint16_t
counter(const struct routers *r, uint64_t x, uint32_t sent, int64_t now_ns)
{
	uint64_t velocity = slice(x, 1) * (uint64_t)r->set->ipid_rate >> 16;

	/* In microseconds: the product stays within 64 bits. */
	return (uint16_t)(slice(x, 0) + sent +
	    velocity * (uint64_t)(now_ns / NS_PER_US) / 1000000);
}

uint16_t
routers_ipid(
    struct routers *r, uint32_t index, enum ipid_kind kind, int64_t now_ns)
{
	if (kind == IPID_ZERO)
		return 0;
	if (kind == IPID_RANDOM)
		return (uint16_t)routers_random(r);
	return counter(
	    r, mix2(r->set->seed, index), ++r->slot[index].sent, now_ns);
}

uint16_t
routers_host_ipid(struct routers *r, const struct addr *host, int64_t now_ns)
{
	uint64_t x = mix2(r->set->seed, addr_hash(host));

	return counter(r, x, ++r->host[x % NHOSTS], now_ns);
}
