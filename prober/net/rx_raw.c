/*
 * rx_raw: packets in by raw sockets, one for each protocol that a reply may be
 * of, for systems without AF_PACKET.  Slower.  The kernel keeps the IPv6 header
 * from us: one is made from what it tells beside the packet, so that the
 * parser sees the same bytes either way.
 *
 * The rules are those of rx_packet.c.  The kernel keeps them all but one: of
 * ICMPv6 it would refuse a wrong checksum, of ICMP not.  (Of TCP and UDP by IPv6
 * it does refuse, and counts it as lost.)  Of TCP and UDP it has all that comes to
 * this host: a filter lets through what may be an answer, that to our port, and
 * of TCP also SYN with ACK and RST to any.
 *
 * What a full socket has lost is asked of it (SO_MEMINFO): the count that comes
 * beside a packet (SO_RXQ_OVFL) says nothing of those lost after the last.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/fd.h"
#include "common/xmalloc.h"
#include "prober/net/rx_ops.h"

#define RAW_BATCH 32
#define RAW_BYTES 2048
#define IPV6_HLEN 40
#define BLOCKS 512 /* as of the ring */
#define BLOCK_BYTES 8192

/* TCP's SYN with ACK, and RST: what a probe is answered with. */
#define SYN_ACK 0x12
#define RST 0x04

static const struct kind {
	int af, proto;
} kinds[] = {
    {AF_INET, IPPROTO_ICMP}, /* which must be there */
    {AF_INET6, IPPROTO_ICMPV6},
    {AF_INET, IPPROTO_TCP},
    {AF_INET6, IPPROTO_TCP},
    {AF_INET, IPPROTO_UDP},
    {AF_INET6, IPPROTO_UDP},
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

struct raw {
	struct rx rx; /* fd: an epoll set of all */
	int fds[KINDS]; /* -1: none */
	uint32_t lost[KINDS]; /* seen so far */
	uint8_t bytes[RAW_BATCH][IPV6_HLEN + RAW_BYTES];
	char control[RAW_BATCH][256];
	struct sockaddr_in6 from[RAW_BATCH];
	struct iovec iov[RAW_BATCH];
	struct mmsghdr msgs[RAW_BATCH];
};

static int
is_icmp(const struct kind *k)
{
	return k->proto == IPPROTO_ICMP || k->proto == IPPROTO_ICMPV6;
}

/* For TCP and UDP.  Their header is behind IPv4's; of IPv6 the filter is not shown
 * the one before it. */
static int
attach_filter(int fd, const struct kind *k, uint16_t port)
{
	struct sock_filter code[] = {
	    k->af == AF_INET
		? (struct sock_filter)BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0)
		: (struct sock_filter)BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 0),
	    BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, port, 5, 0),
	    BPF_STMT(BPF_JMP | BPF_JA, k->proto == IPPROTO_TCP ? 0 : 5),
	    BPF_STMT(BPF_LD | BPF_B | BPF_IND, 13),
	    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, RST, 2, 0),
	    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN_ACK),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYN_ACK, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, RAW_BYTES),
	    BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog prog = {
	    .len = sizeof(code) / sizeof(code[0]), .filter = code};

	return setsockopt(
	    fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

static int
open_one(const struct kind *k, const struct rx_config *cfg)
{
	int fd =
	    socket(k->af, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, k->proto);
	int blocks = (int)(cfg->blocks != 0 ? cfg->blocks : BLOCKS);
	int one = 1, size = blocks * BLOCK_BYTES;
	int unchecked = -1;

	if (fd == -1)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (k->af == AF_INET6) {
		setsockopt(
		    fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, sizeof(one));
		setsockopt(
		    fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof(one));
		setsockopt(fd, IPPROTO_RAW, IPV6_CHECKSUM, &unchecked,
		    sizeof(unchecked));
	}
	if (!is_icmp(k) && attach_filter(fd, k, cfg->port) == -1) {
		close(fd);
		return -1;
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
    const struct beside *b, int proto, size_t len)
{
	memset(h, 0, IPV6_HLEN);
	h[0] = (uint8_t)(0x60 | b->tclass >> 4);
	h[1] = (uint8_t)(b->tclass << 4);
	h[4] = (uint8_t)(len >> 8);
	h[5] = (uint8_t)len;
	h[6] = (uint8_t)proto;
	h[7] = (uint8_t)b->hop_limit;
	memcpy(h + 8, &from->sin6_addr, 16);
}

static void
hand_over(struct raw *r, int i, const struct kind *k, rx_cb cb, void *arg)
{
	struct beside b = {.rx_ns = 0};
	size_t len = r->msgs[i].msg_len;

	read_control(&r->msgs[i].msg_hdr, &b);
	if (b.rx_ns == 0)
		b.rx_ns = clock_wall_ns();
	if (k->af == AF_INET) {
		cb(arg, r->bytes[i] + IPV6_HLEN, len, b.rx_ns);
		return;
	}
	make_ipv6_header(r->bytes[i], &r->from[i], &b, k->proto, len);
	cb(arg, r->bytes[i], IPV6_HLEN + len, b.rx_ns);
}

static int
poll_one(struct raw *r, size_t kind, rx_cb cb, void *arg)
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
	n = recvmmsg(r->fds[kind], r->msgs, RAW_BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < n; i++)
		hand_over(r, i, &kinds[kind], cb, arg);
	return n > 0 ? n : 0;
}

static int
raw_poll(struct rx *rx, int budget, rx_cb cb, void *arg)
{
	struct raw *r = (struct raw *)rx;
	struct epoll_event ready[KINDS];
	int n = 0, got, nready;

	do {
		got = 0;
		nready = epoll_wait(rx->fd, ready, KINDS, 0);
		for (int i = 0; i < nready; i++)
			got += poll_one(r, ready[i].data.u32, cb, arg);
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

	uint64_t sum = 0;

	for (size_t i = 0; i < KINDS; i++)
		sum += lost(r->fds[i], &r->lost[i]);
	return sum;
}

static void
raw_close(struct rx *rx)
{
	struct raw *r = (struct raw *)rx;

	for (size_t i = 0; i < KINDS; i++)
		fd_close(r->fds[i]);
	fd_close(rx->fd);
	free(r);
}

static const struct rx_ops raw_ops = {raw_poll, raw_drops, raw_close};

struct rx *
rx_raw_open(const struct rx_config *cfg)
{
	struct raw *r = xcalloc(1, sizeof(*r));
	struct epoll_event ev = {.events = EPOLLIN};

	r->rx.ops = &raw_ops;
	r->rx.fd = epoll_create1(EPOLL_CLOEXEC);
	for (size_t i = 0; i < KINDS; i++) {
		r->fds[i] = open_one(&kinds[i], cfg);
		ev.data.u32 = (uint32_t)i;
		if (r->fds[i] != -1)
			epoll_ctl(r->rx.fd, EPOLL_CTL_ADD, r->fds[i], &ev);
	}
	if (r->fds[0] == -1 || r->rx.fd == -1) {
		raw_close(&r->rx);
		return NULL;
	}
	return &r->rx;
}
