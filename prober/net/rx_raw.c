/*
 * rx_raw: packets in by raw ICMP and ICMPv6 sockets, for systems without
 * AF_PACKET.  Slower; sees no UDP replies.  The kernel keeps the IPv6 header
 * from us: one is made from what it tells beside the packet, so that the
 * parser sees the same bytes either way.
 *
 * The rules are those of rx_packet.c.  The kernel keeps them all but one: of
 * ICMPv6 it would refuse a wrong checksum, of ICMP not.
 *
 * What a full socket has lost is asked of it (SO_MEMINFO): the count that comes
 * beside a packet (SO_RXQ_OVFL) says nothing of those lost after the last.
 */
#include <errno.h>
#include <linux/icmp.h>
#include <linux/sock_diag.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/xmalloc.h"
#include "prober/net/rx_ops.h"

#define RAW_BATCH 32
#define RAW_BYTES 2048
#define IPV6_HLEN 40
#define BLOCKS 512 /* as of the ring */
#define BLOCK_BYTES 8192

struct raw {
	struct rx rx; /* fd: an epoll set of both */
	int fd4, fd6;
	uint32_t lost4, lost6; /* seen so far */
	uint8_t bytes[RAW_BATCH][IPV6_HLEN + RAW_BYTES];
	char control[RAW_BATCH][256];
	struct sockaddr_in6 from[RAW_BATCH];
	struct iovec iov[RAW_BATCH];
	struct mmsghdr msgs[RAW_BATCH];
};

static int
open_one(int af, int proto, uint32_t blocks)
{
	int fd = socket(af, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, proto);
	int one = 1, size = (int)(blocks != 0 ? blocks : BLOCKS) * BLOCK_BYTES;
	int unchecked = -1;

	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (af == AF_INET6) {
		setsockopt(
		    fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, sizeof(one));
		setsockopt(
		    fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof(one));
		setsockopt(fd, IPPROTO_RAW, IPV6_CHECKSUM, &unchecked,
		    sizeof(unchecked));
	}
	return fd;
}

/* What the kernel says beside a packet. */
struct beside {
	int64_t rx_ns;
	int hop_limit, tclass;
};

static void
read_control(struct msghdr *m, struct beside *out)
{
	struct timespec ts;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level == SOL_SOCKET &&
		    c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&ts, CMSG_DATA(c), sizeof(ts));
			out->rx_ns = ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
		} else if (c->cmsg_level == IPPROTO_IPV6 &&
		    c->cmsg_type == IPV6_HOPLIMIT) {
			memcpy(&out->hop_limit, CMSG_DATA(c), sizeof(int));
		} else if (c->cmsg_level == IPPROTO_IPV6 &&
		    c->cmsg_type == IPV6_TCLASS) {
			memcpy(&out->tclass, CMSG_DATA(c), sizeof(int));
		}
	}
}

static void
make_ipv6_header(uint8_t *h, const struct sockaddr_in6 *from,
    const struct beside *b, size_t len)
{
	memset(h, 0, IPV6_HLEN);
	h[0] = (uint8_t)(0x60 | b->tclass >> 4);
	h[1] = (uint8_t)(b->tclass << 4);
	h[4] = (uint8_t)(len >> 8);
	h[5] = (uint8_t)len;
	h[6] = IPPROTO_ICMPV6;
	h[7] = (uint8_t)b->hop_limit;
	memcpy(h + 8, &from->sin6_addr, 16);
}

static void
hand_over(struct raw *r, int i, int v6, rx_cb cb, void *arg)
{
	struct beside b = {.rx_ns = 0};
	size_t len = r->msgs[i].msg_len;

	read_control(&r->msgs[i].msg_hdr, &b);
	if (b.rx_ns == 0)
		b.rx_ns = clock_wall_ns();
	if (!v6) {
		cb(arg, r->bytes[i] + IPV6_HLEN, len, b.rx_ns);
		return;
	}
	make_ipv6_header(r->bytes[i], &r->from[i], &b, len);
	cb(arg, r->bytes[i], IPV6_HLEN + len, b.rx_ns);
}

static int
poll_one(struct raw *r, int fd, rx_cb cb, void *arg)
{
	int n;

	for (int i = 0; i < RAW_BATCH; i++) {
		r->iov[i].iov_base = r->bytes[i] + IPV6_HLEN;
		r->iov[i].iov_len = RAW_BYTES;
		memset(&r->msgs[i], 0, sizeof(r->msgs[i]));
		r->msgs[i].msg_hdr.msg_name = &r->from[i];
		r->msgs[i].msg_hdr.msg_namelen = sizeof(r->from[i]);
		r->msgs[i].msg_hdr.msg_iov = &r->iov[i];
		r->msgs[i].msg_hdr.msg_iovlen = 1;
		r->msgs[i].msg_hdr.msg_control = r->control[i];
		r->msgs[i].msg_hdr.msg_controllen = sizeof(r->control[i]);
	}
	n = recvmmsg(fd, r->msgs, RAW_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		hand_over(r, i, fd == r->fd6, cb, arg);
	return n > 0 ? n : 0;
}

static int
raw_poll(struct rx *rx, int budget, rx_cb cb, void *arg)
{
	struct raw *r = (struct raw *)rx;
	int n = 0, got;

	do {
		got = poll_one(r, r->fd4, cb, arg);
		if (r->fd6 != -1)
			got += poll_one(r, r->fd6, cb, arg);
		n += got;
	} while (got > 0 && n < budget);
	return n;
}

/* Packets lost by FD since the last call; *SEEN is all of them, modulo 2^32. */
static uint32_t
lost(int fd, uint32_t *seen)
{
	uint32_t info[SK_MEMINFO_VARS] = {0}, before = *seen;
	socklen_t len = sizeof(info);

	if (fd == -1 ||
	    getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &len) == -1)
		return 0;
	*seen = info[SK_MEMINFO_DROPS];
	return *seen - before;
}

static uint64_t
raw_drops(struct rx *rx)
{
	struct raw *r = (struct raw *)rx;

	return (uint64_t)lost(r->fd4, &r->lost4) + lost(r->fd6, &r->lost6);
}

static void
raw_close(struct rx *rx)
{
	struct raw *r = (struct raw *)rx;

	if (r->fd4 != -1)
		close(r->fd4);
	if (r->fd6 != -1)
		close(r->fd6);
	if (rx->fd != -1)
		close(rx->fd);
	free(r);
}

static const struct rx_ops raw_ops = {raw_poll, raw_drops, raw_close};

static void
watch(int set, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN};

	if (fd != -1)
		epoll_ctl(set, EPOLL_CTL_ADD, fd, &ev);
}

struct rx *
rx_raw_open(uint32_t blocks)
{
	struct raw *r = xcalloc(1, sizeof(*r));

	r->rx.ops = &raw_ops;
	r->fd4 = open_one(AF_INET, IPPROTO_ICMP, blocks);
	r->fd6 = open_one(AF_INET6, IPPROTO_ICMPV6, blocks);
	r->rx.fd = epoll_create1(EPOLL_CLOEXEC);
	if (r->fd4 == -1 || r->rx.fd == -1) {
		raw_close(&r->rx);
		return NULL;
	}
	watch(r->rx.fd, r->fd4);
	watch(r->rx.fd, r->fd6);
	return &r->rx;
}
