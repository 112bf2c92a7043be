/*
 * tx: frames out, with the time at which each left.
 *
 *	packet	AF_PACKET, cooked: the kernel puts the link header before our
 *		packet, past its queueing discipline.  The fast way; needs the
 *		next hop's link address, or an interface that has none.
 *	raw	SOCK_RAW with our own IP header, through the kernel's routing:
 *		for loopback, for a next hop not resolved yet (the kernel then
 *		resolves it), and when asked for.
 *
 * A system call per frame, so that each has a time of its own, right before:
 * a round-trip time may come out too long by what the kernel takes to send one
 * packet, 1 to 10 us, but never shorter than light allows.  With sendmmsg()
 * those behind were stamped too early by all that went before them; a table of
 * messages to fill and to read costs nearly what entering the kernel costs.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/sockaddr.h"
#include "common/xmalloc.h"
#include "prober/net/net.h"

#define TX_BUF_BYTES (4 * 1024 * 1024)

_Static_assert(sizeof(((struct link_path *)0)->mac) ==
	sizeof(((struct sockaddr_ll *)0)->sll_addr),
    "a link address is copied whole");

enum tx_way { WAY_PACKET, WAY_RAW4, WAY_RAW6, WAYS };

struct tx {
	int fds[WAYS];
	int raw; /* raw sockets only */
};

union tx_name {
	struct sockaddr sa;
	struct sockaddr_ll ll;
	union sockaddr_any inet;
};

static int
open_packet(void)
{
	int fd =
	    socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;

	if (fd != -1)
		setsockopt(
		    fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof(one));
	return fd;
}

static int
open_raw(int af)
{
	/* IPPROTO_RAW implies that we write the IP header (raw(7)). */
	int fd =
	    socket(af, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_RAW);
	int one = 1, probe4 = IP_PMTUDISC_PROBE, probe6 = IPV6_PMTUDISC_PROBE;

	/* Without RECVERR the kernel does not tell of a full queue (ip(7)).
	 * What it has learned of path MTUs is not to stop a probe. */
	if (af == AF_INET) {
		setsockopt(fd, IPPROTO_IP, IP_RECVERR, &one, sizeof(one));
		setsockopt(
		    fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe4, sizeof(probe4));
	} else {
		setsockopt(fd, IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one));
		setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &probe6,
		    sizeof(probe6));
	}
	return fd;
}

struct tx *
tx_open(int raw, const char **why)
{
	struct tx *tx = xcalloc(1, sizeof(*tx));
	int size = TX_BUF_BYTES;

	tx->raw = raw;
	tx->fds[WAY_PACKET] = raw ? -1 : open_packet();
	if (tx->fds[WAY_PACKET] == -1)
		tx->raw = 1;
	tx->fds[WAY_RAW4] = open_raw(AF_INET);
	tx->fds[WAY_RAW6] = open_raw(AF_INET6);
	for (int i = 0; i < WAYS; i++) {
		if (tx->fds[i] != -1)
			setsockopt(tx->fds[i], SOL_SOCKET, SO_SNDBUFFORCE,
			    &size, sizeof(size));
	}
	if (tx->fds[WAY_RAW4] == -1) {
		*why = "cannot open a raw socket";
		tx_close(tx);
		return NULL;
	}
	return tx;
}

void
tx_close(struct tx *tx)
{
	if (tx == NULL)
		return;
	for (int i = 0; i < WAYS; i++) {
		if (tx->fds[i] != -1)
			close(tx->fds[i]);
	}
	free(tx);
}

static enum tx_way
way_of(const struct tx *tx, const struct tx_frame *f)
{
	const struct link_path *p = f->path;

	if (!tx->raw && !p->raw_only && !p->stale &&
	    (p->mac_len > 0 || p->next_hop.family == ADDR_NONE))
		return WAY_PACKET;
	return f->family == ADDR_IPV4 ? WAY_RAW4 : WAY_RAW6;
}

/* The name that takes F to its next hop; its length. */
static socklen_t
name_packet(struct sockaddr_ll *ll, const struct tx_frame *f)
{
	memset(ll, 0, sizeof(*ll));
	ll->sll_family = AF_PACKET;
	ll->sll_protocol =
	    htons(f->family == ADDR_IPV4 ? ETH_P_IP : ETH_P_IPV6);
	ll->sll_ifindex = f->path->ifindex;
	ll->sll_halen = f->path->mac_len;
	memcpy(ll->sll_addr, f->path->mac, sizeof(ll->sll_addr));
	return sizeof(*ll);
}

/* The kernel routes by this name, whatever address is in our header. */
static socklen_t
name_raw(union sockaddr_any *name, const struct tx_frame *f)
{
	const struct addr *next_hop = &f->path->next_hop;
	struct addr dst;

	if (f->path->via && next_hop->family == f->family)
		return sockaddr_make(name, next_hop, 0);
	dst = addr_make(
	    f->family, f->packet + (f->family == ADDR_IPV4 ? 16 : 24));
	return sockaddr_make(name, &dst, 0);
}

/* Does frame F leave exactly as the one before it?  Nearly always. */
static int
goes_along(const struct tx_frame *f)
{
	return f->path == f[-1].path && f->family == f[-1].family;
}

int
tx_send(struct tx *tx, struct tx_frame *frames, int n)
{
	enum tx_way way = WAYS, before;
	union tx_name name;
	socklen_t len = 0;
	int i = 0, stale;

	while (i < n) {
		struct tx_frame *f = &frames[i];

		before = way;
		way = way_of(tx, f);
		stale = way != WAY_PACKET && f->path->stale;
		if (way != WAY_PACKET) {
			len = name_raw(&name.inet, f);
			f->path->stale = 0;
		} else if (before != way || !goes_along(f)) {
			len = name_packet(&name.ll, f);
		}
		f->tx_ns = clock_wall_ns();
		if (sendto(tx->fds[way], f->packet, f->len, 0, &name.sa, len) !=
		    -1) {
			i++;
		} else if (!stale) {
			if (tx->fds[way] == -1)
				errno = EAFNOSUPPORT;
			return i > 0 ? i : -1;
		} /* else again, by the way it would have gone anyway */
	}
	return n;
}
