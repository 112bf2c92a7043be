/*
 * tx: frames out, a batch per system call.
 *
 *	packet	AF_PACKET, cooked: the kernel puts the link header before our
 *		packet, past its queueing discipline.  The fast way; needs the
 *		next hop's link address, or an interface that has none.
 *	raw	SOCK_RAW with our own IP header, through the kernel's routing:
 *		for loopback, for a next hop not resolved yet (the kernel then
 *		resolves it), and when asked for.
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

#include "common/xmalloc.h"
#include "prober/net/net.h"

#define TX_BATCH 64
#define TX_BUF_BYTES (4 * 1024 * 1024)

_Static_assert(sizeof(((struct link_path *)0)->mac) ==
	sizeof(((struct sockaddr_ll *)0)->sll_addr),
    "a link address is copied whole");

enum tx_way { WAY_PACKET, WAY_RAW4, WAY_RAW6, WAYS };

struct tx {
	int fds[WAYS];
	int raw; /* raw sockets only */
	struct mmsghdr msgs[TX_BATCH];
	struct iovec iovs[TX_BATCH];
	union {
		struct sockaddr sa;
		struct sockaddr_ll ll;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} names[TX_BATCH];
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

	/* What is the same for every frame; the rest is zero. */
	for (int i = 0; i < TX_BATCH; i++) {
		tx->msgs[i].msg_hdr.msg_iov = &tx->iovs[i];
		tx->msgs[i].msg_hdr.msg_iovlen = 1;
	}
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

static void
name_packet(struct tx *tx, int i, const struct tx_frame *f)
{
	struct sockaddr_ll *ll = &tx->names[i].ll;

	tx->msgs[i].msg_hdr.msg_name = ll;
	tx->msgs[i].msg_hdr.msg_namelen = sizeof(*ll);
	memset(ll, 0, sizeof(*ll));
	ll->sll_family = AF_PACKET;
	ll->sll_protocol =
	    htons(f->family == ADDR_IPV4 ? ETH_P_IP : ETH_P_IPV6);
	ll->sll_ifindex = f->path->ifindex;
	ll->sll_halen = f->path->mac_len;
	memcpy(ll->sll_addr, f->path->mac, sizeof(ll->sll_addr));
}

/* The kernel routes by this name, whatever address is in our header. */
static void
name_raw(struct tx *tx, int i, const struct tx_frame *f)
{
	struct sockaddr_in *in = &tx->names[i].in;
	struct sockaddr_in6 *in6 = &tx->names[i].in6;
	const struct addr *next_hop = &f->path->next_hop;
	const uint8_t *first4 = f->packet + 16, *first6 = f->packet + 24;
	int via = f->path->via && next_hop->family == f->family;

	tx->msgs[i].msg_hdr.msg_name = &tx->names[i];
	memset(&tx->names[i], 0, sizeof(tx->names[i]));
	if (via) {
		first4 = next_hop->b;
		first6 = next_hop->b;
	}
	if (f->family == ADDR_IPV4) {
		in->sin_family = AF_INET;
		memcpy(&in->sin_addr, first4, 4);
		tx->msgs[i].msg_hdr.msg_namelen = sizeof(*in);
	} else {
		in6->sin6_family = AF_INET6;
		memcpy(&in6->sin6_addr, first6, 16);
		tx->msgs[i].msg_hdr.msg_namelen = sizeof(*in6);
	}
}

/* Does frame F leave exactly as the one before it?  Nearly always. */
static int
goes_along(const struct tx_frame *f)
{
	return f->path == f[-1].path && f->family == f[-1].family;
}

static void
name_again(struct tx *tx, int i)
{
	tx->msgs[i].msg_hdr.msg_name = tx->msgs[i - 1].msg_hdr.msg_name;
	tx->msgs[i].msg_hdr.msg_namelen = tx->msgs[i - 1].msg_hdr.msg_namelen;
}

/* Send a run of frames that go the same way. */
static int
send_run(struct tx *tx, const struct tx_frame *f, int n, enum tx_way way)
{
	for (int i = 0; i < n; i++) {
		tx->iovs[i].iov_base = (void *)(uintptr_t)f[i].packet;
		tx->iovs[i].iov_len = f[i].len;
		if (way != WAY_PACKET)
			name_raw(tx, i, &f[i]);
		else if (i == 0 || !goes_along(&f[i]))
			name_packet(tx, i, &f[i]);
		else
			name_again(tx, i);
	}
	if (tx->fds[way] == -1) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	return sendmmsg(tx->fds[way], tx->msgs, (unsigned int)n, 0);
}

int
tx_send(struct tx *tx, const struct tx_frame *frames, int n)
{
	int done = 0, run, sent, stale;
	enum tx_way way;

	while (done < n) {
		way = way_of(tx, &frames[done]);
		for (run = 1; run < TX_BATCH && done + run < n; run++) {
			if (way_of(tx, &frames[done + run]) != way)
				break;
		}
		stale = way != WAY_PACKET && frames[done].path->stale;
		if (stale) {
			run = 1;
			frames[done].path->stale = 0;
		}
		sent = send_run(tx, frames + done, run, way);
		if (sent == -1 && stale)
			continue; /* by the way it would have gone anyway */
		if (sent == -1)
			return done > 0 ? done : -1;
		done += sent;
		if (sent < run)
			return done;
	}
	return done;
}
