/*
 * rx_packet: a packet socket that sees replies and nothing else, for the two
 * kinds of ring.
 *
 * The socket is cooked (SOCK_DGRAM), so that packets start at the IP header on
 * any kind of interface.  A filter keeps out what cannot be a reply.
 */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "prober/net/rx_ops.h"

#define ACCEPT 0x800 /* bytes to keep of a packet */

/* Where the filter has what; jumps are counted from the following instruction. */
enum {
	IPV4 = 6,
	UDP4 = 13,
	TCP4 = 15,
	ICMP4 = 21,
	IPV6 = 28,
	UDP6 = 33,
	TCP6 = 35,
	ICMP6 = 41,
	FRAG6 = 45,
	ACCEPTED = 47,
	REFUSED = 48,
};

#define LOAD(size, mode, k) BPF_STMT(BPF_LD | (size) | (mode), k)
#define JUMP(at, op, k, yes, no) \
	BPF_JUMP(BPF_JMP | (op) | BPF_K, k, (yes) - (at)-1, (no) - (at)-1)

/* TCP's SYN with ACK, and RST: what a probe is answered with. */
#define SYN_ACK 0x12
#define RST 0x04

static const struct sock_filter code[] = {
    /* 0: not to another host */
    LOAD(BPF_W, BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
    JUMP(1, BPF_JEQ, PACKET_OTHERHOST, REFUSED, 2),
    /* 2: version */
    LOAD(BPF_B, BPF_ABS, 0),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
    JUMP(4, BPF_JEQ, 0x60, IPV6, 5),
    JUMP(5, BPF_JEQ, 0x40, IPV4, REFUSED),
    /* IPV4: not a later fragment; protocol */
    LOAD(BPF_H, BPF_ABS, 6),
    JUMP(7, BPF_JSET, 0x1fff, REFUSED, 8),
    BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
    LOAD(BPF_B, BPF_ABS, 9),
    JUMP(10, BPF_JEQ, 1, ICMP4, 11),
    JUMP(11, BPF_JEQ, 6, TCP4, 12),
    JUMP(12, BPF_JEQ, 17, UDP4, REFUSED),
    /* UDP4: to our port */
    LOAD(BPF_H, BPF_IND, 2),
    JUMP(14, BPF_JEQ, 0 /* port */, ACCEPTED, REFUSED),
    /* TCP4: to our port, or an answer to a probe from another */
    LOAD(BPF_H, BPF_IND, 2),
    JUMP(16, BPF_JEQ, 0 /* port */, ACCEPTED, 17),
    LOAD(BPF_B, BPF_IND, 13),
    JUMP(18, BPF_JSET, RST, ACCEPTED, 19),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN_ACK),
    JUMP(20, BPF_JEQ, SYN_ACK, ACCEPTED, REFUSED),
    /* ICMP4: echo and timestamp reply, errors */
    LOAD(BPF_B, BPF_IND, 0),
    JUMP(22, BPF_JEQ, 0, ACCEPTED, 23),
    JUMP(23, BPF_JEQ, 3, ACCEPTED, 24),
    JUMP(24, BPF_JEQ, 4, ACCEPTED, 25),
    JUMP(25, BPF_JEQ, 11, ACCEPTED, 26),
    JUMP(26, BPF_JEQ, 12, ACCEPTED, 27),
    JUMP(27, BPF_JEQ, 14, ACCEPTED, REFUSED),
    /* IPV6: next header */
    LOAD(BPF_B, BPF_ABS, 6),
    JUMP(29, BPF_JEQ, 58, ICMP6, 30),
    JUMP(30, BPF_JEQ, 6, TCP6, 31),
    JUMP(31, BPF_JEQ, 17, UDP6, 32),
    JUMP(32, BPF_JEQ, 44, FRAG6, REFUSED),
    /* UDP6, TCP6: as above */
    LOAD(BPF_H, BPF_ABS, 42),
    JUMP(34, BPF_JEQ, 0 /* port */, ACCEPTED, REFUSED),
    LOAD(BPF_H, BPF_ABS, 42),
    JUMP(36, BPF_JEQ, 0 /* port */, ACCEPTED, 37),
    LOAD(BPF_B, BPF_ABS, 53),
    JUMP(38, BPF_JSET, RST, ACCEPTED, 39),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN_ACK),
    JUMP(40, BPF_JEQ, SYN_ACK, ACCEPTED, REFUSED),
    /* ICMP6: echo reply, errors 1..4 */
    LOAD(BPF_B, BPF_ABS, 40),
    JUMP(42, BPF_JEQ, 129, ACCEPTED, 43),
    JUMP(43, BPF_JGT, 4, REFUSED, 44),
    JUMP(44, BPF_JGE, 1, ACCEPTED, REFUSED),
    /* FRAG6: the first one */
    LOAD(BPF_H, BPF_ABS, 42),
    JUMP(46, BPF_JSET, 0xfff8, REFUSED, ACCEPTED),
    BPF_STMT(BPF_RET | BPF_K, ACCEPT),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

#define CODE_LEN (sizeof(code) / sizeof(code[0]))
_Static_assert(CODE_LEN == REFUSED + 1, "the places of the filter");

static const uint8_t port_at[] = {
    UDP4 + 1, TCP4 + 1, UDP6 + 1, TCP6 + 1}; /* jumps that compare it */

static int
attach_filter(int fd, uint16_t port)
{
	struct sock_filter mine[CODE_LEN];
	struct sock_fprog prog = {.len = CODE_LEN, .filter = mine};

	memcpy(mine, code, sizeof(mine));
	for (size_t i = 0; i < sizeof(port_at); i++)
		mine[port_at[i]].k = port;
	return setsockopt(
	    fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

int
rx_packet_open(uint16_t port, int version)
{
	int one = 1;
	/* Protocol 0: deaf until the filter and the ring are in place. */
	int fd =
	    socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd == -1)
		return -1;
	/* An old kernel shows us our own probes as well; they quote nothing
	 * and are not taken for replies. */
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	/* Stamped as a packet comes from the device, not when the kernel has
	 * brought it up to the ring, which may be on another CPU and later. */
	setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof(one));
	if (attach_filter(fd, port) == 0 &&
	    setsockopt(
		fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)) == 0)
		return fd;
	close(fd);
	return -1;
}

int
rx_packet_listen(int fd)
{
	struct sockaddr_ll all = {
	    .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};

	return bind(fd, (struct sockaddr *)&all, sizeof(all));
}

uint64_t
rx_packet_drops(int fd)
{
	struct tpacket_stats_v3 st;
	socklen_t len = sizeof(st);

	/* Reading resets the kernel's count. */
	if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) == -1)
		return 0;
	return st.tp_drops;
}
