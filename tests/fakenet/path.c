/*
 * path: address -> path, by hashing alone.
 *
 * The router at hop h is drawn from a key made of the first bits of the
 * destination, few near the monitor and all 24 (IPv4) or 48 (IPv6) far from
 * it, so that paths are shared at first and fan out into a tree:
 *
 *	hop        1   2   3   4   5 ...            len-2  len-1   len
 *	IPv4 bits  0   0   4   8   8  10  12 ... 24   24     26    host
 *	IPv6 bits  0   0  16  20  24  28  32 ... 48   48     52    host
 *
 * A router is (family, hop, number); its addresses hold just that, so an
 * address can never be at two hops of a path, and a probe to a router's
 * address finds the router:
 *
 *	IPv4   pool/10        | hop:5 | router:15 | interface:2
 *	IPv6   pool/48 (..64) | hop:16 | ... | router:16 | interface:16
 *
 * A diamond begins behind a balancer at hop h and has `ways' branches of `len'
 * hops; the branches at one hop are routers base, base + 1, ...:
 *
 *	         +- base   - base'   -+
 *	router h +- base+1 - base'+1 -+ router h+len+1
 */
#include "tests/fakenet/fakenet.h"

#include <string.h>

enum tag {
	TAG_LENGTH = 1,
	TAG_ROUTER,
	TAG_LB,
	TAG_MTU,
	TAG_UNREACH,
	TAG_TRAITS,
	TAG_RTT,
	TAG_IFACE,
	TAG_HOST,
	TAG_BRANCH,
};

/* A hash of what is named by TAG, A and B under the seed. */
static uint64_t
draw(const struct settings *s, enum tag tag, uint64_t a, uint64_t b)
{
	return mix(mix(mix(s->seed + (uint64_t)tag) ^ a) ^ b);
}

/* Something at hop H of FAMILY, as draw() takes it. */
static uint64_t
place(int family, int h)
{
	return (uint64_t)h << 2 | (uint64_t)family;
}

static uint64_t
addr_top(const struct addr *a)
{
	return (uint64_t)get32(a->b) << 32 | get32(a->b + 4);
}

/* --- addresses ------------------------------------------------------------ */

int
path_unicast(const struct addr *a)
{
	static const struct addr zero;

	if (a->family == ADDR_IPV4)
		return a->b[0] != 0 && a->b[0] != 127 && a->b[0] < 224;
	if (a->b[0] == 0xff || (a->b[0] == 0xfe && (a->b[1] & 0xc0) == 0x80))
		return 0;
	/* :: and ::1 */
	return memcmp(a->b, zero.b, 15) != 0 || a->b[15] > 1;
}

struct addr
path_iface(const struct settings *s, int family, int h, uint32_t router_iface)
{
	struct addr a = family == ADDR_IPV4 ? s->pool4.addr : s->pool6.addr;

	if (family == ADDR_IPV4) {
		put32(a.b, get32(a.b) | (uint32_t)h << 17 | router_iface);
		return a;
	}
	put16(a.b + 6, (uint32_t)h);
	put16(a.b + 12, router_iface >> 2);
	put16(a.b + 14, (router_iface & 3) + 1);
	return a;
}

/* The hop and "router:15 interface:2" that A stands for; hop 0 if none. */
static int
iface_hop(
    const struct settings *s, const struct addr *a, uint32_t *router_iface)
{
	const struct addr_prefix *pool =
	    a->family == ADDR_IPV4 ? &s->pool4 : &s->pool6;
	struct addr back;
	int h;

	if (!addr_in_prefix(a, pool))
		return 0;
	if (a->family == ADDR_IPV4) {
		h = (int)(get32(a->b) >> 17) & HOPS_MAX;
		*router_iface = get32(a->b) & 0x1ffff;
	} else {
		h = get16(a->b + 6) & HOPS_MAX;
		*router_iface = (get16(a->b + 12) & (ROUTERS - 1u)) << 2 |
		    ((get16(a->b + 14) - 1u) & 3);
	}
	back = path_iface(s, a->family, h, *router_iface);
	return addr_equal(&back, a) ? h : 0;
}

/* --- a path --------------------------------------------------------------- */

/* The first bits of the destination that choose what is at hop H. */
static uint64_t
path_key(const struct path *p, int h)
{
	static const uint8_t bits4[] = {
	    0, 0, 0, 4, 8, 8, 10, 12, 14, 16, 18, 20, 22, 24};
	static const uint8_t bits6[] = {
	    0, 0, 0, 16, 20, 24, 28, 32, 36, 40, 44, 48, 48, 48};
	int v4 = p->dst.family == ADDR_IPV4;
	int bits = v4 ? 24 : 48;

	if (h < 3)
		return 0;
	if (h >= p->len - 1)
		bits += v4 ? 2 : 4;
	else if (h < p->len - 2 && h < (int)sizeof(bits4))
		bits = v4 ? bits4[h] : bits6[h];
	return p->top >> (64 - bits) << (64 - bits);
}

static uint64_t
path_draw(const struct path *p, enum tag tag, int h)
{
	return draw(p->set, tag, place(p->dst.family, h), path_key(p, h));
}

static const struct route *
find_route(const struct settings *s, const struct addr *dst)
{
	const struct route *best = NULL;

	for (int i = 0; i < s->nroutes; i++) {
		const struct route *r = &s->route[i];

		if (!addr_in_prefix(dst, &r->prefix))
			continue;
		if (best == NULL || r->prefix.len > best->prefix.len)
			best = r;
	}
	return best;
}

/* Does the destination's prefix end at a router that refuses? */
static void
draw_unreach(struct path *p, uint64_t prefix)
{
	uint64_t x = draw(p->set, TAG_UNREACH, p->dst.family, prefix);

	if (slice(x, 0) >= p->set->unreach_f || p->len < 3)
		return;
	p->unreach = (enum unreach)(UNREACH_NET + slice(x, 1) % 3);
	if (p->unreach == UNREACH_HOST)
		p->unreach_hop = p->len - 1;
	else
		p->unreach_hop = 2 + (int)(slice(x, 2) % (p->len - 2u));
}

static void
init_drawn(struct path *p)
{
	const struct settings *s = p->set;
	int bits = p->dst.family == ADDR_IPV4 ? 24 : 48;
	uint64_t prefix = p->top >> (64 - bits);
	uint64_t x = draw(s, TAG_LENGTH, p->dst.family, prefix);
	uint32_t span = (uint32_t)(s->hops_max - s->hops_min) + 1;

	/* The mean of two: middling lengths are commoner. */
	if (p->len == 0)
		p->len = s->hops_min +
		    (int)((slice(x, 0) % span + slice(x, 1) % span) / 2);
	if (p->route != NULL)
		return;
	x = draw(s, TAG_HOST, p->dst.family, addr_hash(&p->dst));
	p->host_silent = slice(x, 0) < s->silent_hosts_f;
	draw_unreach(p, prefix);
}

/* The destination is a router's address: the path ends there. */
static int
init_router(struct path *p)
{
	uint32_t router_iface;
	int h = iface_hop(p->set, &p->dst, &router_iface);
	struct traits t;

	if (h == 0)
		return -1;
	path_traits(p, h, (uint16_t)(router_iface >> 2), &t);
	if ((router_iface & 3) >= t.ifaces)
		return -1;
	p->is_router = 1;
	p->router = (uint16_t)(router_iface >> 2);
	p->len = h;
	p->host_silent = t.silent;
	return 0;
}

void
path_init(struct path *p, const struct settings *s, const struct addr *dst)
{
	memset(p, 0, sizeof(*p));
	p->set = s;
	p->dst = *dst;
	p->top = addr_top(dst);
	p->route = find_route(s, dst);
	if (p->route == NULL && init_router(p) == 0)
		return;
	if (p->route != NULL) {
		p->len = p->route->hops;
		p->unreach_hop = p->route->unreach_hop;
		p->unreach = p->route->unreach;
		p->host_silent = p->route->host_silent;
	}
	init_drawn(p);
}

int
path_end(const struct path *p)
{
	return p->unreach_hop != 0 ? p->unreach_hop : p->len;
}

/* --- walking -------------------------------------------------------------- */

struct diamond {
	int left; /* hops still inside */
	int ways, branch;
	enum lb_kind kind;
};

/* Does a diamond begin behind hop H?  Fills all but the branch. */
static int
draw_diamond(const struct path *p, int h, struct diamond *d)
{
	const struct settings *s = p->set;
	const struct route *r = p->route;
	uint64_t x;

	if (r != NULL) {
		*d = (struct diamond){r->lb_len, r->lb_ways, 0, r->lb};
		return r->lb_hop == h;
	}
	if (s->diamonds_f == 0)
		return 0;
	x = path_draw(p, TAG_LB, h);
	if (slice(x, 0) >= s->diamonds_f)
		return 0;
	d->ways = s->ways_min +
	    (int)(slice(x, 1) % (uint32_t)(s->ways_max - s->ways_min + 1));
	d->left = s->lb_len_min +
	    (int)(slice(x, 2) % (uint32_t)(s->lb_len_max - s->lb_len_min + 1));
	d->kind = LB_FLOW;
	if (slice(x, 3) < s->lb_dest_f)
		d->kind = LB_DEST;
	else if (slice(x, 3) < s->lb_dest_f + s->lb_packet_f)
		d->kind = LB_PACKET;
	return h + d->left < p->len;
}

/* The branch that the balancer ROUTER at hop H chooses for FLOW. */
static int
choose_branch(const struct path *p, int h, uint16_t router,
    const struct diamond *d, const struct flow *flow)
{
	uint64_t what;

	if (flow == NULL)
		return 0;
	what = flow->flow;
	if (d->kind == LB_DEST)
		what = flow->dest;
	else if (d->kind == LB_PACKET)
		what = flow->packet;
	/* Each balancer has a hash of its own. */
	what = draw(p->set, TAG_BRANCH,
	    place(p->dst.family, h) | (uint64_t)router << 16, what);
	return (int)((what >> 32) % (uint64_t)d->ways);
}

static void
draw_mtu(const struct path *p, int h, struct path_hop *hop)
{
	const struct settings *s = p->set;
	const struct route *r = p->route;
	uint64_t x;

	if (r != NULL && r->mtu_hop == h) {
		hop->mtu = r->mtu;
		hop->ptb = (uint8_t)r->ptb;
	}
	if (r != NULL || s->mtu_f == 0)
		return;
	x = path_draw(p, TAG_MTU, h);
	if (slice(x, 0) >= s->mtu_f)
		return;
	hop->mtu = s->mtu[slice(x, 1) % (uint32_t)s->nmtu];
	if (slice(x, 2) < s->ptb_silent_f)
		hop->ptb = PTB_SILENT;
	else if (slice(x, 2) < s->ptb_silent_f + s->ptb_zero_f &&
	    p->dst.family == ADDR_IPV4)
		hop->ptb = PTB_ZERO;
}

/* Round-trip time of the link that leads to X at hop H: 1/4 to 7/4 of the
 * mean. */
static int64_t
link_rtt_ns(const struct path *p, int h, uint64_t x)
{
	int64_t mean = p->set->rtt_hop_ns;

	if (mean == 0)
		return 0;
	x = draw(p->set, TAG_RTT, place(p->dst.family, h), x);
	return mean / 256 * (64 + (int64_t)(x % 385));
}

/* Fill in hop H, which is a router; D is the diamond it may be in. */
static void
walk_router(
    const struct path *p, int h, struct path_hop *hop, struct diamond *d)
{
	hop->base = (uint16_t)(path_draw(p, TAG_ROUTER, h) % ROUTERS);
	hop->ways = 1;
	if (d->left > 0) {
		d->left--;
		hop->ways = (uint8_t)d->ways;
		hop->branch = (uint8_t)d->branch;
		hop->lb = (uint8_t)d->kind;
	}
	hop->router = (uint16_t)((hop->base + hop->branch) % ROUTERS);
	draw_mtu(p, h, hop);
}

void
path_walk(const struct path *p, int upto, const struct flow *flow,
    struct path_hop *hops)
{
	struct diamond d = {0, 1, 0, LB_NONE};
	int64_t rtt_ns = 0;

	for (int h = 1; h <= upto; h++) {
		struct path_hop *hop = &hops[h];

		memset(hop, 0, sizeof(*hop));
		hop->prev = h > 1 ? hops[h - 1].base : 0;
		hop->ways = 1;
		if (h == p->len) {
			hop->base = hop->router = p->router;
			rtt_ns += link_rtt_ns(p, h, addr_hash(&p->dst));
			hop->rtt_ns = rtt_ns;
			break;
		}
		walk_router(p, h, hop, &d);
		rtt_ns += link_rtt_ns(p, h, hop->router);
		hop->rtt_ns = rtt_ns;
		if (hop->ways > 1)
			continue;
		d.left = 0;
		if (draw_diamond(p, h, &d)) {
			hop->diverges = 1;
			d.branch = choose_branch(p, h, hop->router, &d, flow);
		} else {
			d.left = 0;
		}
	}
}

/* --- routers -------------------------------------------------------------- */

void
path_traits(const struct path *p, int h, uint16_t router, struct traits *t)
{
	const struct settings *s = p->set;
	uint64_t x = draw(s, TAG_TRAITS, place(p->dst.family, h), router);
	uint64_t y = mix(x), z = mix(y);
	int mpls = slice(x, 1) < s->mpls_f;

	memset(t, 0, sizeof(*t));
	t->silent = slice(x, 0) < s->silent_routers_f;
	t->limited = slice(x, 2) < s->limited_f;
	t->ipid = IPID_SHARED;
	if (slice(x, 3) < s->ipid_zero_f)
		t->ipid = IPID_ZERO;
	else if (slice(x, 3) < s->ipid_zero_f + s->ipid_random_f)
		t->ipid = IPID_RANDOM;
	t->ifaces = (uint8_t)(1 + slice(y, 0) % (uint32_t)s->ifaces);
	t->ttl = slice(y, 1) % 4 == 0 ? 64 : 255;
	t->quote_long = slice(y, 2) < s->quote_long_f;
	t->mercator = slice(y, 3) < s->mercator_f;
	if (p->route != NULL) {
		t->silent = p->route->silent >> h & 1;
		mpls = (int)(p->route->mpls >> h & 1);
	}
	if (!mpls)
		return;
	t->nlabels = (uint8_t)(1 + slice(z, 0) % (LABELS_MAX - 1));
	for (int i = 0; i < t->nlabels; i++) {
		z = mix(z);
		t->label[i] = (16 + (uint32_t)(z % 1000000)) << 12 |
		    (slice(z, 3) & 7) << 9 | 1;
	}
	t->label[t->nlabels - 1] |= 1 << 8;
}

struct addr
path_addr(
    const struct path *p, int h, const struct path_hop *hop, uint16_t router)
{
	struct traits t;
	uint64_t x;

	if (h == p->len)
		return p->dst;
	if (p->set->ifaces == 1)
		return path_iface(
		    p->set, p->dst.family, h, (uint32_t)router << 2);
	/* The interface towards the monitor: the same for all branches. */
	path_traits(p, h, router, &t);
	x = draw(p->set, TAG_IFACE, place(p->dst.family, h),
	    (uint64_t)hop->prev << 16 | router);
	return path_iface(p->set, p->dst.family, h,
	    (uint32_t)router << 2 | (uint32_t)(x % t.ifaces));
}

/* --- flows ---------------------------------------------------------------- */

struct flow
path_flow(const struct settings *s, const struct flow_key *k)
{
	struct flow f = {.dest = mix2(addr_hash(k->src), addr_hash(k->dst))};
	uint64_t rest = (uint64_t)k->proto << 32 | k->first4;

	if (s->flow_label)
		rest ^= (uint64_t)k->label << 40;
	f.flow = mix2(f.dest, rest);
	return f;
}
