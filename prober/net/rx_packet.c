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

/* Jump targets are counted from the following instruction. */
static const struct sock_filter code[] = {
    /* 0: not to another host */
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OTHERHOST, 28, 0),
    /* 2: version */
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x60, 15, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x40, 0, 24),
    /* 6: IPv4: not a later fragment; protocol */
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 6),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x1fff, 22, 0),
    BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 9),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 3, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 18),
    /* 12: UDP to our port */
    BPF_STMT(BPF_LD | BPF_H | BPF_IND, 2),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0 /* port */, 15, 16),
    /* 14: ICMP types */
    BPF_STMT(BPF_LD | BPF_B | BPF_IND, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 13, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 3, 12, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 4, 11, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 11, 10, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 12, 9, 10),
    /* 20: IPv6: next header */
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 6),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 58, 3, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 7),
    /* 23: UDP to our port */
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 42),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0 /* port */, 4, 5),
    /* 25: ICMPv6 types: echo reply, errors 1..4 */
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 40),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 129, 2, 0),
    BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, 4, 2, 0),
    BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 1, 0, 1),
    /* 29, 30 */
    BPF_STMT(BPF_RET | BPF_K, ACCEPT),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

#define CODE_LEN (sizeof(code) / sizeof(code[0]))
#define PORT_AT_IPV4 13
#define PORT_AT_IPV6 24

static int
attach_filter(int fd, uint16_t port)
{
	struct sock_filter mine[CODE_LEN];
	struct sock_fprog prog = {.len = CODE_LEN, .filter = mine};

	memcpy(mine, code, sizeof(mine));
	mine[PORT_AT_IPV4].k = port;
	mine[PORT_AT_IPV6].k = port;
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
