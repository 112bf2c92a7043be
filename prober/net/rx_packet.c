/*
 * rx_packet: a packet socket that sees replies and nothing else, for the two
 * kinds of ring.
 *
 * The socket is cooked (SOCK_DGRAM), so that packets start at the IP header on
 * any kind of interface.  A filter keeps out what cannot be a reply.
 *
 * A packet socket sees what the IP stack of this host would not take, and some
 * of it more than once.  What is passed on is what the stack would take, once:
 *
 *	to another link address			no
 *	not of type IPv4 or IPv6, whatever	no: LLC, ARP, and an inner tag that
 *	its bytes look like			is still there (the kernel takes the
 *						outer one away)
 *	tagged, for a VLAN (802.1Q, 802.1ad)	no: if the VLAN is ours the packet
 *						comes again, untagged, on its own
 *						interface
 *	tagged, with a priority only (VLAN 0)	yes: the interface's own
 *	again on an upper interface		no: a bridge's, bond's or macvlan's
 *						copy of what its port has shown
 *	with a wrong IPv4 header checksum	no: its addresses may be wrong
 *	with another wrong checksum		yes: that of a local peer is not made
 *						yet when it is to be left to the card,
 *						and routers and NATs that get it wrong
 *						are there all the same.  A reply is
 *						known by what it quotes.
 *
 * What the kernel merges on its way in (GRO) is data of one TCP connection and, if
 * asked for, UDP of one flow; never ICMP, and no SYN or RST.
 *
 * A copy is known by its time stamp: the kernel makes one when the packet comes
 * in, in nanoseconds, and it stays with the packet on its way up.
 */
#include <arpa/inet.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "prober/net/packet_build.h"
#include "prober/net/rx_ops.h"

#define ACCEPT 0x800 /* bytes to keep of a packet */
#define IPV4_HLEN 20
#define VLAN_ID 0xfff /* of a tag; the rest is priority */

/* Where the filter has what; jumps are counted from the following instruction. */
enum {
	TYPE = 6,
	VERSION6 = 9,
	VERSION4 = 12,
	IPV4 = 15,
	UDP4 = 22,
	TCP4 = 24,
	ICMP4 = 30,
	IPV6 = 37,
	UDP6 = 42,
	TCP6 = 44,
	ICMP6 = 50,
	FRAG6 = 54,
	ACCEPTED = 56,
	REFUSED = 57,
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
    /* 2: of no VLAN, or of the one that is none */
    LOAD(BPF_W, BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG_PRESENT)),
    JUMP(3, BPF_JEQ, 0, TYPE, 4),
    LOAD(BPF_W, BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG)),
    JUMP(5, BPF_JSET, VLAN_ID, REFUSED, TYPE),
    /* TYPE */
    LOAD(BPF_W, BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
    JUMP(7, BPF_JEQ, ETH_P_IPV6, VERSION6, 8),
    JUMP(8, BPF_JEQ, ETH_P_IP, VERSION4, REFUSED),
    /* VERSION6 */
    LOAD(BPF_B, BPF_ABS, 0),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
    JUMP(11, BPF_JEQ, 0x60, IPV6, REFUSED),
    /* VERSION4 */
    LOAD(BPF_B, BPF_ABS, 0),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0),
    JUMP(14, BPF_JEQ, 0x40, IPV4, REFUSED),
    /* IPV4: not a later fragment; protocol */
    LOAD(BPF_H, BPF_ABS, 6),
    JUMP(16, BPF_JSET, 0x1fff, REFUSED, 17),
    BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
    LOAD(BPF_B, BPF_ABS, 9),
    JUMP(19, BPF_JEQ, 1, ICMP4, 20),
    JUMP(20, BPF_JEQ, 6, TCP4, 21),
    JUMP(21, BPF_JEQ, 17, UDP4, REFUSED),
    /* UDP4: to our port */
    LOAD(BPF_H, BPF_IND, 2),
    JUMP(23, BPF_JEQ, 0 /* port */, ACCEPTED, REFUSED),
    /* TCP4: to our port, or an answer to a probe from another */
    LOAD(BPF_H, BPF_IND, 2),
    JUMP(25, BPF_JEQ, 0 /* port */, ACCEPTED, 26),
    LOAD(BPF_B, BPF_IND, 13),
    JUMP(27, BPF_JSET, RST, ACCEPTED, 28),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN_ACK),
    JUMP(29, BPF_JEQ, SYN_ACK, ACCEPTED, REFUSED),
    /* ICMP4: echo and timestamp reply, errors */
    LOAD(BPF_B, BPF_IND, 0),
    JUMP(31, BPF_JEQ, 0, ACCEPTED, 32),
    JUMP(32, BPF_JEQ, 3, ACCEPTED, 33),
    JUMP(33, BPF_JEQ, 4, ACCEPTED, 34),
    JUMP(34, BPF_JEQ, 11, ACCEPTED, 35),
    JUMP(35, BPF_JEQ, 12, ACCEPTED, 36),
    JUMP(36, BPF_JEQ, 14, ACCEPTED, REFUSED),
    /* IPV6: next header */
    LOAD(BPF_B, BPF_ABS, 6),
    JUMP(38, BPF_JEQ, 58, ICMP6, 39),
    JUMP(39, BPF_JEQ, 6, TCP6, 40),
    JUMP(40, BPF_JEQ, 17, UDP6, 41),
    JUMP(41, BPF_JEQ, 44, FRAG6, REFUSED),
    /* UDP6, TCP6: as above */
    LOAD(BPF_H, BPF_ABS, 42),
    JUMP(43, BPF_JEQ, 0 /* port */, ACCEPTED, REFUSED),
    LOAD(BPF_H, BPF_ABS, 42),
    JUMP(45, BPF_JEQ, 0 /* port */, ACCEPTED, 46),
    LOAD(BPF_B, BPF_ABS, 53),
    JUMP(47, BPF_JSET, RST, ACCEPTED, 48),
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SYN_ACK),
    JUMP(49, BPF_JEQ, SYN_ACK, ACCEPTED, REFUSED),
    /* ICMP6: echo reply, errors 1..4 */
    LOAD(BPF_B, BPF_ABS, 40),
    JUMP(51, BPF_JEQ, 129, ACCEPTED, 52),
    JUMP(52, BPF_JGT, 4, REFUSED, 53),
    JUMP(53, BPF_JGE, 1, ACCEPTED, REFUSED),
    /* FRAG6: the first one */
    LOAD(BPF_H, BPF_ABS, 42),
    JUMP(55, BPF_JSET, 0xfff8, REFUSED, ACCEPTED),
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

/* Is the checksum of this IPv4 header right?  Options are rare. */
static inline int
header_is_right(const uint8_t *pkt, size_t len)
{
	size_t hlen = (size_t)(pkt[0] & 15) * 4;
	uint32_t w[5];

	if (hlen != IPV4_HLEN)
		return hlen > IPV4_HLEN && hlen <= len &&
		    packet_csum(packet_sum(pkt, hlen, 0)) == 0;
	memcpy(w, pkt, sizeof(w));
	return packet_csum((uint64_t)w[0] + w[1] + w[2] + w[3] + w[4]) == 0;
}

int
rx_packet_is_ours(
    struct rx_packet_seen *s, const uint8_t *pkt, size_t len, int64_t rx_ns)
{
	uint64_t w[3], mark, *seen;

	if (len < IPV4_HLEN + 8)
		return 0; /* of nothing that is a reply */
	if (pkt[0] >> 4 == 4 && !header_is_right(pkt, len))
		return 0;
	/* Another number for another packet, or the same at another time.  Of
	 * IPv4 these are the header, and the checksum of an ICMP message. */
	memcpy(w, pkt, sizeof(w));
	mark = ((uint64_t)rx_ns ^ w[0]) * 0x9e3779b97f4a7c15ULL;
	mark = (mark ^ w[1] ^ (w[2] << 7 | w[2] >> 57)) * 0x9e3779b97f4a7c15ULL;
	seen = &s->marks[mark >> (64 - RX_PACKET_SEEN_BITS)];
	if (*seen == mark)
		return 0;
	*seen = mark;
	return 1;
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
