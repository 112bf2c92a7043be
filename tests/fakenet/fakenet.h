/*
 * fakenet: an Internet in a program.  It reads the packets that the kernel
 * routes into a TUN device and answers each as the routers and hosts of the
 * Internet would, so that probers can be tested and measured without sending
 * a packet to anyone.
 *
 *	          +--------- one network namespace ----------+
 *	 prober ->| kernel -> tun0 -> fakenet -> tun0 -> kernel |-> prober
 *	          +------------------------------------------+
 *
 * Nothing is stored about the simulated Internet: everything there is to know
 * about a destination (its path, who is silent, which links are small) is
 * computed from the settings and the address by hashing.  What changes while
 * packets flow is little: IP-ID counters, token buckets, the replies on their
 * way, and the random numbers for loss and jitter.
 *
 * This file is the map of the program, by file (packet.h goes with it):
 *
 *	settings.c  what can be set, one row per key
 *	path.c      address -> path: routers, diamonds, MTUs, the ending
 *	packet.c    bytes -> what kind of probe this is; checksums
 *	router.c    what routers remember: IP-ID counters, token buckets
 *	reply.c     probe -> reply: the decision
 *	answer.c    the bytes of a reply
 *	delay.c     replies that are due later
 *	truth.c     prints what path.c knows
 *	tun.c       the device
 *	fakenet.c   options, the loop
 *
 * All but the last two are pure: no clock, no device, no global state.
 * Packets are network order; all struct fields are host order unless they end
 * in _be.  Fractions are in 1/65536 (FRAC_ONE is certain), field names _f.
 * Hops are counted from 1, the first router behind the TUN device: hop h is
 * where a packet that was read with TTL h expires.
 */
#ifndef FAKENET_H
#define FAKENET_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/addr.h"
#include "common/conf.h"
#include "tests/fakenet/packet.h"

#define FRAC_ONE 65536u
#define HOPS_MAX 31 /* of a path, with its destination */
#define WAYS_MAX 32 /* of a diamond */
#define ROUTES_MAX 64
#define PORTS_MAX 16
#define MTUS_MAX 8
#define LABELS_MAX 4
#define ROUTER_BITS 15 /* routers per hop and family: 2^15 */
#define ROUTERS (1u << ROUTER_BITS)
#define IFACES_MAX 4 /* addresses of a router */

enum lb_kind {
	LB_NONE,
	LB_FLOW, /* addresses, protocol, first 4 transport bytes */
	LB_DEST, /* addresses */
	LB_PACKET, /* a coin for each packet */
};

enum unreach { UNREACH_NONE, UNREACH_NET, UNREACH_HOST, UNREACH_ADMIN };

/* How a router tells of a packet too big for its next link. */
enum ptb_kind {
	PTB_TELL,
	PTB_ZERO, /* next-hop MTU 0 */
	PTB_SILENT,
	PTB_SAY, /* another one than it is */
};

/* --- mix: hashing --------------------------------------------------------- */

/* A well mixed 64-bit value from X (the finalizer of splitmix64). */
static inline uint64_t
mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15ULL;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static inline uint64_t
mix2(uint64_t a, uint64_t b)
{
	return mix(mix(a) ^ b);
}

/* The I-th (0..3) 16-bit slice of a hash; compare with a fraction. */
static inline uint32_t
slice(uint64_t h, int i)
{
	return (uint32_t)(h >> (16 * i)) & 0xffff;
}

/* --- settings.c ----------------------------------------------------------- */

/* A prefix whose path is given instead of drawn. */
struct route {
	struct addr_prefix prefix;
	int hops; /* with the destination; 0: drawn */
	uint32_t silent; /* bit h: the router at hop h is silent */
	uint32_t mpls; /* bit h: the router at hop h shows labels */
	int unreach_hop; /* 0: none */
	enum unreach unreach;
	int mtu_hop; /* the link behind this hop is small; 0: none */
	uint16_t mtu;
	uint16_t say; /* the next-hop MTU told, for PTB_SAY */
	enum ptb_kind ptb;
	int loop_hop; /* sends back to the hop before; 0: none */
	int lb_hop; /* the balancer; 0: none */
	int lb_ways, lb_len;
	enum lb_kind lb;
	int host_silent;
	int twice; /* each reply of the destination comes twice */
	int nat; /* the last router speaks with the destination's address */
};

struct settings {
	uint64_t seed;
	int hops_min, hops_max;
	struct addr_prefix pool4, pool6; /* the routers' addresses */
	int64_t rtt_hop_ns, jitter_ns;
	uint32_t probe_loss_f, reply_loss_f;
	uint32_t silent_routers_f, silent_hosts_f;
	uint32_t diamonds_f, lb_dest_f, lb_packet_f;
	int ways_min, ways_max, lb_len_min, lb_len_max;
	int flow_label; /* balancers hash the IPv6 flow label too */
	uint32_t limited_f;
	uint32_t limit_rate, limit_burst; /* ICMP errors per second; at once */
	int ifaces;
	uint32_t ipid_zero_f, ipid_random_f;
	uint32_t ipid_rate; /* ids per second a counter moves by itself */
	uint32_t mercator_f; /* routers that answer UDP from interface 0 */
	uint32_t mpls_f;
	uint32_t quote4, quote6; /* bytes quoted behind the IP header */
	uint32_t quote_long_f; /* routers that quote all that fits */
	uint32_t unreach_f;
	uint32_t mtu_f, ptb_silent_f, ptb_zero_f;
	int nmtu;
	uint16_t mtu[MTUS_MAX];
	int nports;
	uint16_t port[PORTS_MAX]; /* open TCP ports of every host */
	int nroutes;
	struct route route[ROUTES_MAX];
};

/* The table of keys, for conf_load(); the context is a struct settings. */
extern const struct conf_key settings_keys[];

/* Everything at its default: paths of 5..30 hops and nothing else. */
void settings_init(struct settings *s);

/* Apply one "key argument ..." line (changed in place).  NULL, or a reason. */
const char *settings_line(struct settings *s, char *line);

/* Check what one key alone cannot see.  NULL, or a reason. */
const char *settings_check(const struct settings *s);

/* --- path.c --------------------------------------------------------------- */

/* Everything that balancers look at. */
struct flow {
	uint64_t flow; /* hash of addresses, protocol, 4 bytes [, label] */
	uint64_t dest; /* hash of the addresses */
	uint64_t packet; /* random, for per-packet balancers */
};

/* What path_flow() needs of a packet. */
struct flow_key {
	const struct addr *src, *dst;
	uint8_t proto; /* IP protocol or last IPv6 next header */
	uint32_t first4; /* ports, or ICMP type, code, checksum */
	uint32_t label; /* IPv6 flow label */
};

struct path {
	const struct settings *set;
	const struct route *route; /* NULL: drawn */
	struct addr dst;
	uint64_t top; /* the first 64 bits of the address, IPv4 in front */
	int len; /* hops with the destination */
	int unreach_hop; /* the router that refuses; 0: none */
	enum unreach unreach;
	int host_silent;
	int is_router; /* the destination is a router's interface */
	uint16_t router; /* then: which, at hop len */
};

/* A hop as one flow sees it. */
struct path_hop {
	uint16_t base; /* the router of branch 0; branch b is base + b */
	uint16_t router; /* the one on this flow's branch */
	uint16_t prev; /* branch 0's router one hop before */
	uint8_t ways; /* branches here: 1 outside a diamond */
	uint8_t branch;
	uint8_t lb; /* enum lb_kind of the diamond */
	uint8_t diverges; /* this router is the balancer */
	uint8_t ptb; /* enum ptb_kind, if mtu is not 0 */
	uint16_t mtu; /* of the link behind; 0: not small */
	int64_t rtt_ns; /* from the monitor to here and back */
};

/* What a router is like. */
struct traits {
	uint8_t silent; /* never sends ICMP errors */
	uint8_t limited; /* its ICMP errors are rate-limited */
	uint8_t ttl; /* initial TTL of its packets */
	uint8_t ifaces;
	uint8_t quote_long;
	uint8_t mercator;
	uint8_t ipid; /* enum ipid_kind */
	uint8_t nlabels; /* MPLS stack it shows, topmost first */
	uint32_t label[LABELS_MAX]; /* as on the wire: label, exp, S, TTL */
};

/* The path that packets with K take. */
struct flow path_flow(const struct settings *s, const struct flow_key *k);

/* Non-zero if A can be a destination: unicast and not local to a link. */
int path_unicast(const struct addr *a);

/* The path to DST, which is unicast.  S must outlive P. */
void
path_init(struct path *p, const struct settings *s, const struct addr *dst);

/* The last hop a packet can reach: the refusing router or the destination. */
int path_end(const struct path *p);

/* Fill HOPS[1..upto], upto <= path_end(), as FLOW goes (NULL: branch 0). */
void path_walk(const struct path *p, int upto, const struct flow *flow,
    struct path_hop *hops);

/* The address that router ROUTER shows at hop H. */
struct addr path_addr(
    const struct path *p, int h, const struct path_hop *hop, uint16_t router);

/* What router ROUTER at hop H of this path is like. */
void
path_traits(const struct path *p, int h, uint16_t router, struct traits *t);

/* The address of interface IFACE of a router of FAMILY. */
struct addr
path_iface(const struct settings *s, int family, int h, uint32_t router_iface);

/* --- router.c ------------------------------------------------------------- */

/* SHARED: one counter for all interfaces. */
enum ipid_kind { IPID_SHARED, IPID_ZERO, IPID_RANDOM };

struct routers; /* what all routers and hosts remember */

struct routers *routers_new(const struct settings *s);
void routers_free(struct routers *r);

/* Which router: its number among all of both families. */
uint32_t routers_index(int family, int h, uint16_t router);

/* May router INDEX send an ICMP error at NOW_NS?  Takes the token. */
int routers_allow(struct routers *r, uint32_t index, int64_t now_ns);

/* The next IP-ID of router INDEX, whose kind is KIND. */
uint16_t routers_ipid(
    struct routers *r, uint32_t index, enum ipid_kind kind, int64_t now_ns);

/* The next IP-ID of a host. */
uint16_t
routers_host_ipid(struct routers *r, const struct addr *host, int64_t now_ns);

/* The next random number. */
uint64_t routers_random(struct routers *r);

/* --- reply.c -------------------------------------------------------------- */

/* One row per counter: name, what it counts. */
#define REPLY_COUNTERS(X)                                                 \
	X(probes, "packets read")                                         \
	X(replies, "packets given out")                                   \
	X(silent, "probes that reached a silent router or host")          \
	X(limited, "ICMP errors withheld by a rate limit")                \
	X(lost, "probes or replies lost on the way")                      \
	X(ignored, "not for the simulated Internet, or never answered")   \
	X(malformed, "packets that are not IP as it should be")           \
	X(badsum, "dropped by the destination: wrong transport checksum") \
	X(toobig, "probes dropped at a small link")                       \
	X(overflow, "replies dropped: too many on their way")             \
	X(write_errors, "replies the device refused")

struct counters {
#define X(name, help) uint64_t name;
	REPLY_COUNTERS(X)
#undef X
};

struct reply {
	const struct settings *set;
	struct routers *routers;
	struct counters n;
	int64_t due_ns; /* of the last reply */
	int again; /* it comes once more */
};

/*
 * Answer the packet of LEN bytes at PKT, read at NOW_NS.  Returns the length
 * of the reply written to OUT (PACKET_MAX bytes), due at r->due_ns >= NOW_NS;
 * or 0 if there is none, and a counter says why.
 */
size_t reply_make(struct reply *r, const uint8_t *pkt, size_t len,
    int64_t now_ns, uint8_t *out);

/* Print all counters as "name value" lines. */
void reply_print(const struct counters *n, FILE *fp);

/* --- delay.c -------------------------------------------------------------- */

struct delay;

#define DELAY_TICK_NS 65536

/* At most MAX packets wait at a time; the wheel stands at NOW_NS. */
struct delay *delay_new(uint32_t max, int64_t now_ns);
void delay_free(struct delay *d);

/* Keep a copy of LEN bytes until DUE_NS.  0, or -1 when full. */
int delay_add(struct delay *d, int64_t due_ns, const uint8_t *pkt, size_t len);

/* The next packet due at NOW_NS, or NULL; good until the next call.  Never
 * early, at most a tick late; in order of ticks, then of delay_add(). */
const uint8_t *delay_next(struct delay *d, int64_t now_ns, size_t *len);

/* When to call delay_next() again; -1: nothing waits. */
int64_t delay_wake_ns(const struct delay *d);

/* --- truth.c -------------------------------------------------------------- */

struct truth {
	const struct settings *set;
	FILE *out;
	int gap; /* silent hops in a row that end a trace */
};

/*
 * Print the truth for one request, "DST" or "DST SRC FLOW" (changed in
 * place); FLOW is proto,sport,dport or icmp,checksum, as the manual says.
 * NULL, or a static reason, with nothing printed.
 */
const char *truth_line(const struct truth *t, char *line);

/* --- tun.c ---------------------------------------------------------------- */

/* Open (creating it if need be) TUN device NAME.  The descriptor, which does
 * not block, or -1 with errno. */
int tun_open(const char *name);

#endif
