/*
 * link: how packets get to an address, asked of the kernel by rtnetlink(7):
 * interface, our source address, next hop and its link address.  Answers are
 * remembered by prefix (fib.h) until the kernel tells of a change.
 *
 * A path is made once per (interface, source, next hop) and lives as long as
 * the program, so tasks point at it.  Where the next hop's link address is not
 * known yet the path has none; the transmitter then uses a raw socket, which
 * makes the kernel resolve it, and the kernel's notice of the result fills it
 * in.  A notice that the neighbour is gone empties it again.
 *
 * When routes change a task in progress goes the new way from its next probe
 * on, as other traffic does, but keeps its source address, which its record
 * names and by which load balancers choose.
 *
 * Frames of packet sockets do not count as use of a neighbour, so the kernel
 * would never find out that one has moved: it lets the entry go stale.  When it
 * says so, one frame goes by raw socket; that is use, and the kernel asks.
 */
#include <errno.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/sockaddr.h"
#include "common/xmalloc.h"
#include "prober/net/fib.h"
#include "prober/net/net.h"
#include "prober/tech/technique.h"

#define BUCKETS 4096
#define NL_BUF 16384

struct path_node {
	struct path_node *next;
	struct link_path p;
};

struct link {
	int query_fd, event_fd;
	uint32_t seq;
	struct fib *fib; /* NULL: to be read anew */
	uint8_t epoch;
	struct path_node *buckets[BUCKETS];
};

/* What may change where packets go. */
#define ROUTE_GROUPS                                                     \
	(RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE | RTMGRP_LINK |           \
	    RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR | RTMGRP_IPV4_RULE | \
	    1u << (RTNLGRP_IPV6_RULE - 1) | 1u << (RTNLGRP_NEXTHOP - 1))

struct request {
	struct nlmsghdr nh;
	union {
		struct rtmsg rt;
		struct ndmsg nd;
	};
	uint8_t attrs[64];
};

/* --- netlink ------------------------------------------------------------------- */

static int
open_netlink(unsigned int groups, int flags)
{
	struct sockaddr_nl sa = {.nl_family = AF_NETLINK, .nl_groups = groups};
	struct timeval tv = {.tv_sec = 2};
	int fd =
	    socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE);

	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
add_attr(struct request *rq, uint16_t type, const void *p, size_t len)
{
	struct rtattr *rta =
	    (void *)((char *)rq + NLMSG_ALIGN(rq->nh.nlmsg_len));

	rta->rta_type = type;
	rta->rta_len = (uint16_t)RTA_LENGTH(len);
	memcpy(RTA_DATA(rta), p, len);
	rq->nh.nlmsg_len =
	    (uint32_t)(NLMSG_ALIGN(rq->nh.nlmsg_len) + RTA_SPACE(len));
}

/* Ask, and read the one answer into BUF.  NULL when the kernel refuses. */
static struct nlmsghdr *
ask(struct link *l, struct request *rq, char *buf)
{
	struct nlmsghdr *nh = (void *)buf;
	ssize_t n;

	rq->nh.nlmsg_flags |= NLM_F_REQUEST;
	rq->nh.nlmsg_seq = ++l->seq;
	if (send(l->query_fd, rq, rq->nh.nlmsg_len, 0) == -1)
		return NULL;
	do {
		n = recv(l->query_fd, buf, NL_BUF, 0);
		if (n == -1 && errno == EINTR)
			continue;
		if (n < 0 || !NLMSG_OK(nh, (size_t)n))
			return NULL;
	} while (nh->nlmsg_seq != l->seq);
	return nh->nlmsg_type == NLMSG_ERROR ? NULL : nh;
}

static struct addr
addr_of(int af, const struct rtattr *rta)
{
	struct addr none = {0};
	size_t len = RTA_PAYLOAD(rta);

	if (af == AF_INET && len >= 4)
		return addr_make(ADDR_IPV4, RTA_DATA(rta));
	if (af == AF_INET6 && len >= 16)
		return addr_make(ADDR_IPV6, RTA_DATA(rta));
	return none;
}

/* --- neighbours -------------------------------------------------------------------- */

#define NUD_USABLE                                                           \
	(NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE | NUD_PERMANENT | \
	    NUD_NOARP)

/* Take over what a neighbour message says about P. */
static void
learn(struct link_path *p, const struct nlmsghdr *nh)
{
	const struct ndmsg *nd = NLMSG_DATA(nh);
	const struct rtattr *rta =
	    (const void *)((const char *)nd + NLMSG_ALIGN(sizeof(*nd)));
	int len = (int)(nh->nlmsg_len - NLMSG_LENGTH(sizeof(*nd)));

	p->mac_len = 0;
	p->stale = (nd->ndm_state & NUD_STALE) != 0;
	if (nh->nlmsg_type != RTM_NEWNEIGH || !(nd->ndm_state & NUD_USABLE))
		return;
	for (; RTA_OK(rta, len); rta = RTA_NEXT(rta, len)) {
		if (rta->rta_type != NDA_LLADDR ||
		    RTA_PAYLOAD(rta) > sizeof(p->mac))
			continue;
		memcpy(p->mac, RTA_DATA(rta), RTA_PAYLOAD(rta));
		p->mac_len = (uint8_t)RTA_PAYLOAD(rta);
	}
}

static void
ask_neighbour(struct link *l, struct link_path *p)
{
	struct request rq = {0};
	char buf[NL_BUF];
	struct nlmsghdr *nh;

	rq.nh.nlmsg_len = NLMSG_LENGTH(sizeof(rq.nd));
	rq.nh.nlmsg_type = RTM_GETNEIGH;
	rq.nd.ndm_family = (uint8_t)sockaddr_family(&p->next_hop);
	rq.nd.ndm_ifindex = p->ifindex;
	add_attr(&rq, NDA_DST, p->next_hop.b, addr_len(p->next_hop.family));
	nh = ask(l, &rq, buf);
	if (nh != NULL)
		learn(p, nh);
}

/* --- paths -------------------------------------------------------------------------- */

static size_t
bucket(const struct addr *next_hop, int ifindex)
{
	return (addr_hash(next_hop) ^ (unsigned int)ifindex) % BUCKETS;
}

/* The interface's MTU, and whether it has link addresses. */
static void
ask_interface(struct link_path *p)
{
	struct iface i;

	p->raw_only = iface_ask(p->ifindex, &i) == -1 || i.loopback;
	p->mtu = i.mtu;
	if (!i.has_arp)
		memset(&p->next_hop, 0, sizeof(p->next_hop));
}

static struct link_path *
path_find(const struct link *l, int ifindex, const struct addr *src,
    const struct addr *next_hop)
{
	struct path_node *n = l->buckets[bucket(next_hop, ifindex)];

	for (; n != NULL; n = n->next) {
		if (n->p.ifindex == ifindex && addr_equal(&n->p.src, src) &&
		    addr_equal(&n->p.next_hop, next_hop))
			return &n->p;
	}
	return NULL;
}

/* The path for route R to DST.  Where the interface has no link addresses all
 * destinations share one, that without a next hop. */
static struct link_path *
path_of(struct link *l, const struct fib_route *r, const struct addr *dst)
{
	static const struct addr none;
	const struct addr *next_hop =
	    r->gateway.family != ADDR_NONE ? &r->gateway : dst;
	struct link_path *p;
	struct path_node *n;
	size_t i;

	p = path_find(l, r->ifindex, &r->src, &none);
	if (p == NULL)
		p = path_find(l, r->ifindex, &r->src, next_hop);
	if (p != NULL)
		return p;
	n = xcalloc(1, sizeof(*n));
	n->p.ifindex = r->ifindex;
	n->p.src = r->src;
	n->p.next_hop = *next_hop;
	ask_interface(&n->p);
	if (n->p.next_hop.family != ADDR_NONE)
		ask_neighbour(l, &n->p);
	i = bucket(&n->p.next_hop, n->p.ifindex);
	n->next = l->buckets[i];
	l->buckets[i] = n;
	return &n->p;
}

/* --- prefixes ------------------------------------------------------------------------- */

/* One route, or one rule with a destination, of a dump. */
static void
add_prefix(struct fib *f, const struct nlmsghdr *nh)
{
	const struct rtmsg *rt = NLMSG_DATA(nh);
	const struct rtattr *rta = RTM_RTA(rt);
	int len = (int)RTM_PAYLOAD(nh), several = 0;
	struct addr_prefix p = {.len = rt->rtm_dst_len};

	if (rt->rtm_flags & RTM_F_CLONED)
		return;
	for (; RTA_OK(rta, len); rta = RTA_NEXT(rta, len)) {
		if (rta->rta_type == RTA_DST)
			p.addr = addr_of(rt->rtm_family, rta);
		if (rta->rta_type == RTA_MULTIPATH ||
		    rta->rta_type == RTA_NH_ID)
			several = 1;
	}
	if (p.addr.family == ADDR_NONE)
		p.addr.family =
		    rt->rtm_family == AF_INET ? ADDR_IPV4 : ADDR_IPV6;
	/* A rule only says that its destinations may be routed differently. */
	fib_add(f, &p, nh->nlmsg_type == RTM_NEWRULE ? 0 : several ? 2 : 1);
}

/* All messages of one dump of TYPE.  Returns 0, or -1. */
static int
dump(struct link *l, uint16_t type, int af)
{
	struct request rq = {0};
	char buf[NL_BUF];
	struct nlmsghdr *nh;
	ssize_t n;

	rq.nh.nlmsg_len = NLMSG_LENGTH(sizeof(rq.rt));
	rq.nh.nlmsg_type = type;
	rq.nh.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	rq.nh.nlmsg_seq = ++l->seq;
	rq.rt.rtm_family = (uint8_t)af;
	if (send(l->query_fd, &rq, rq.nh.nlmsg_len, 0) == -1)
		return -1;
	while ((n = recv(l->query_fd, buf, sizeof(buf), 0)) > 0 ||
	    (n == -1 && errno == EINTR)) {
		for (nh = (void *)buf; n > 0 && NLMSG_OK(nh, (size_t)n);
		     nh = NLMSG_NEXT(nh, n)) {
			if (nh->nlmsg_seq != l->seq)
				continue;
			if (nh->nlmsg_type == NLMSG_DONE)
				return 0;
			if (nh->nlmsg_type == NLMSG_ERROR)
				return -1;
			add_prefix(l->fib, nh);
		}
	}
	return -1;
}

/* Rules and routes begin with the same header (struct fib_rule_hdr). */
static void
read_fib(struct link *l)
{
	static const int families[] = {AF_INET, AF_INET6};

	l->fib = fib_new();
	for (int i = 0; i < 2; i++) {
		dump(l, RTM_GETROUTE, families[i]);
		dump(l, RTM_GETRULE, families[i]);
	}
}

/* --- routes --------------------------------------------------------------------------- */

static const char *
read_route(const struct nlmsghdr *nh, struct fib_route *r)
{
	const struct rtmsg *rt = NLMSG_DATA(nh);
	const struct rtattr *rta = RTM_RTA(rt);
	int len = (int)RTM_PAYLOAD(nh);
	const struct rtvia *via;

	if (rt->rtm_type != RTN_UNICAST && rt->rtm_type != RTN_LOCAL)
		return "not a unicast destination";
	for (; RTA_OK(rta, len); rta = RTA_NEXT(rta, len)) {
		switch (rta->rta_type) {
		case RTA_OIF:
			memcpy(&r->ifindex, RTA_DATA(rta), sizeof(r->ifindex));
			break;
		case RTA_PREFSRC:
			r->src = addr_of(rt->rtm_family, rta);
			break;
		case RTA_GATEWAY:
			r->gateway = addr_of(rt->rtm_family, rta);
			break;
		case RTA_VIA: /* an IPv6 next hop for IPv4 */
			via = RTA_DATA(rta);
			if (via->rtvia_family == AF_INET6)
				r->gateway =
				    addr_make(ADDR_IPV6, via->rtvia_addr);
			break;
		}
	}
	if (r->ifindex == 0)
		return "route without an interface";
	return r->src.family == ADDR_NONE ? "no source address" : NULL;
}

/* Ask the kernel where DST is.  NULL, or a static reason. */
static const char *
ask_route(struct link *l, const struct addr *dst, struct fib_route *r)
{
	struct request rq = {0};
	char buf[NL_BUF];
	struct nlmsghdr *nh;

	rq.nh.nlmsg_len = NLMSG_LENGTH(sizeof(rq.rt));
	rq.nh.nlmsg_type = RTM_GETROUTE;
	rq.rt.rtm_family = (uint8_t)sockaddr_family(dst);
	rq.rt.rtm_dst_len = (uint8_t)(8 * addr_len(dst->family));
	add_attr(&rq, RTA_DST, dst->b, addr_len(dst->family));
	nh = ask(l, &rq, buf);
	return nh == NULL ? "no route" : read_route(nh, r);
}

/* The route to DST, remembered or asked for.  NULL, or a static reason. */
static const char *
find_route(struct link *l, const struct addr *dst, struct fib_route *r)
{
	struct fib_entry *e;
	const char *why;

	if (l->fib == NULL)
		read_fib(l);
	e = fib_find(l->fib, dst);
	if (e != NULL && e->known) {
		*r = e->route;
		return NULL;
	}
	why = ask_route(l, dst, r);
	if (why == NULL && e != NULL) {
		e->route = *r;
		e->known = 1;
	}
	return why;
}

struct link_path *
link_lookup(struct link *l, const struct addr *dst, const char **why)
{
	struct fib_route r = {0};

	*why = find_route(l, dst, &r);
	return *why == NULL ? path_of(l, &r, dst) : NULL;
}

struct link_path *
link_follow(struct link *l, struct link_path *old, const struct addr *dst)
{
	struct fib_route r = {0};

	if (find_route(l, dst, &r) != NULL)
		return old;
	r.src = old->src;
	return path_of(l, &r, dst);
}

struct link_path *
link_lookup_by(struct link *l, const struct addr *dst,
    const struct technique_route *by, const char **why)
{
	const struct addr *to = by->via.family != ADDR_NONE ? &by->via
	    : by->to.family != ADDR_NONE		    ? &by->to
							    : dst;
	struct fib_route r = {0};
	struct link_path *p;

	*why = "a router of another family";
	if (to->family != dst->family)
		return NULL;
	*why = "the source is not an address of this host";
	if (by->src.family != ADDR_NONE &&
	    (by->src.family != dst->family || !iface_has(&by->src)))
		return NULL;
	*why = ask_route(l, to, &r);
	if (*why != NULL)
		return NULL;
	*why = "the router is not next to this host";
	if (to == &by->via && r.gateway.family != ADDR_NONE)
		return NULL;
	if (by->src.family != ADDR_NONE)
		r.src = by->src;
	p = path_of(l, &r, to);
	p->via |= to == &by->via;
	return p;
}

uint8_t
link_epoch(const struct link *l)
{
	return l->epoch;
}

/* --- notices ---------------------------------------------------------------------------- */

static void
on_neighbour(struct link *l, const struct nlmsghdr *nh)
{
	const struct ndmsg *nd = NLMSG_DATA(nh);
	const struct rtattr *rta =
	    (const void *)((const char *)nd + NLMSG_ALIGN(sizeof(*nd)));
	int len = (int)(nh->nlmsg_len - NLMSG_LENGTH(sizeof(*nd)));
	struct addr a = {0};

	for (; RTA_OK(rta, len); rta = RTA_NEXT(rta, len)) {
		if (rta->rta_type == NDA_DST)
			a = addr_of(nd->ndm_family, rta);
	}
	if (a.family == ADDR_NONE)
		return;
	for (struct path_node *n = l->buckets[bucket(&a, nd->ndm_ifindex)];
	     n != NULL; n = n->next) {
		if (n->p.ifindex == nd->ndm_ifindex &&
		    addr_equal(&n->p.next_hop, &a))
			learn(&n->p, nh);
	}
}

static void
ask_mtu(struct link_path *p)
{
	struct iface i;

	if (iface_ask(p->ifindex, &i) == 0)
		p->mtu = i.mtu;
}

/* Paths by an interface that has changed have its MTU. */
static void
on_interface(struct link *l, const struct nlmsghdr *nh)
{
	const struct ifinfomsg *ii = NLMSG_DATA(nh);

	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct path_node *n = l->buckets[i]; n; n = n->next) {
			if (n->p.ifindex == ii->ifi_index)
				ask_mtu(&n->p);
		}
	}
}

static void
forget_routes(struct link *l)
{
	if (l->fib == NULL)
		return; /* nobody has looked since the last change */
	fib_free(l->fib);
	l->fib = NULL;
	l->epoch++;
}

/* Notices were lost: ask about every neighbour and MTU in use again. */
static void
ask_all(struct link *l)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct path_node *n = l->buckets[i]; n; n = n->next) {
			ask_mtu(&n->p);
			n->p.mac_len = 0;
			if (n->p.next_hop.family != ADDR_NONE)
				ask_neighbour(l, &n->p);
		}
	}
}

void
link_changed(struct link *l)
{
	char buf[NL_BUF];
	struct nlmsghdr *nh;
	ssize_t n;

	for (;;) {
		n = recv(l->event_fd, buf, sizeof(buf), MSG_DONTWAIT);
		if (n == -1 && errno == ENOBUFS) {
			forget_routes(l);
			ask_all(l);
			continue;
		}
		if (n <= 0)
			return;
		for (nh = (void *)buf; NLMSG_OK(nh, (size_t)n);
		     nh = NLMSG_NEXT(nh, n)) {
			if (nh->nlmsg_type == RTM_NEWNEIGH ||
			    nh->nlmsg_type == RTM_DELNEIGH) {
				on_neighbour(l, nh);
				continue;
			}
			if (nh->nlmsg_type == RTM_NEWLINK)
				on_interface(l, nh);
			forget_routes(l);
		}
	}
}

int
link_fd(const struct link *l)
{
	return l->event_fd;
}

struct link *
link_open(const char **why)
{
	struct link *l = xcalloc(1, sizeof(*l));

	l->query_fd = open_netlink(0, 0);
	l->event_fd = open_netlink(RTMGRP_NEIGH | ROUTE_GROUPS, SOCK_NONBLOCK);
	if (l->query_fd == -1 || l->event_fd == -1) {
		*why = "cannot open a routing socket";
		link_close(l);
		return NULL;
	}
	return l;
}

void
link_close(struct link *l)
{
	struct path_node *n;

	if (l == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while ((n = l->buckets[i]) != NULL) {
			l->buckets[i] = n->next;
			free(n);
		}
	}
	fib_free(l->fib);
	if (l->query_fd != -1)
		close(l->query_fd);
	if (l->event_fd != -1)
		close(l->event_fd);
	free(l);
}
