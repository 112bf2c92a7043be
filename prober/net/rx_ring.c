/*
 * rx_ring: a TPACKET_V3 ring (packet_mmap in the kernel's documentation).  The
 * kernel fills blocks with packets and hands a block over when it is full, or
 * RETIRE_MS after its first packet; we walk it and hand it back.  No system
 * call per packet, nor per block.
 *
 * The socket is cooked (SOCK_DGRAM), so that packets start at the IP header on
 * any kind of interface.  A filter keeps out what cannot be a reply.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/xmalloc.h"
#include "prober/net/rx_ops.h"

#define BLOCK_BYTES (256 * 1024)
#define BLOCKS 64
#define FRAME_BYTES 2048
#define RETIRE_MS 4

struct ring {
	struct rx rx;
	uint8_t *map;
	unsigned int block; /* next to look at */
	/* inside a block that was not finished for want of budget: */
	struct tpacket3_hdr *next;
	uint32_t left;
};

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

static int
set_ring(struct ring *r)
{
	struct tpacket_req3 req = {
	    .tp_block_size = BLOCK_BYTES,
	    .tp_block_nr = BLOCKS,
	    .tp_frame_size = FRAME_BYTES,
	    .tp_frame_nr = BLOCK_BYTES / FRAME_BYTES * BLOCKS,
	    .tp_retire_blk_tov = RETIRE_MS,
	};
	int version = TPACKET_V3, one = 1, fd = r->rx.fd;

	if (setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version,
		sizeof(version)) == -1)
		return -1;
	/* An old kernel shows us our own probes as well; they quote nothing
	 * and are not taken for replies. */
	setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one));
	if (setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) == -1)
		return -1;
	r->map = mmap(NULL, (size_t)BLOCK_BYTES * BLOCKS,
	    PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return r->map == MAP_FAILED ? -1 : 0;
}

static struct tpacket_block_desc *
block_at(const struct ring *r, unsigned int i)
{
	return (void *)(r->map + (size_t)i * BLOCK_BYTES);
}

/* Begin the next block if the kernel has handed it over. */
static int
enter_block(struct ring *r)
{
	struct tpacket_block_desc *b = block_at(r, r->block);
	uint32_t status =
	    __atomic_load_n(&b->hdr.bh1.block_status, __ATOMIC_ACQUIRE);

	if (!(status & TP_STATUS_USER))
		return -1;
	r->left = b->hdr.bh1.num_pkts;
	r->next = (void *)((uint8_t *)b + b->hdr.bh1.offset_to_first_pkt);
	return 0;
}

static void
leave_block(struct ring *r)
{
	struct tpacket_block_desc *b = block_at(r, r->block);

	__atomic_store_n(
	    &b->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	r->block = (r->block + 1) % BLOCKS;
	r->next = NULL;
}

static int
ring_poll(struct rx *rx, int budget, rx_cb cb, void *arg)
{
	struct ring *r = (struct ring *)rx;
	struct tpacket3_hdr *h;
	int n = 0;

	while (n < budget) {
		if (r->next == NULL && enter_block(r) == -1)
			break;
		for (; r->left > 0 && n < budget; r->left--, n++) {
			h = r->next;
			r->next = (void *)((uint8_t *)h + h->tp_next_offset);
			cb(arg, (uint8_t *)h + h->tp_net, h->tp_snaplen,
			    h->tp_sec * NS_PER_SEC + h->tp_nsec);
		}
		if (r->left == 0)
			leave_block(r);
	}
	return n;
}

static uint64_t
ring_drops(struct rx *rx)
{
	struct tpacket_stats_v3 st;
	socklen_t len = sizeof(st);

	/* Reading resets the kernel's count. */
	if (getsockopt(rx->fd, SOL_PACKET, PACKET_STATISTICS, &st, &len) == -1)
		return 0;
	return st.tp_drops;
}

static void
ring_close(struct rx *rx)
{
	struct ring *r = (struct ring *)rx;

	if (r->map != NULL && r->map != MAP_FAILED)
		munmap(r->map, (size_t)BLOCK_BYTES * BLOCKS);
	close(rx->fd);
	free(r);
}

static const struct rx_ops ring_ops = {ring_poll, ring_drops, ring_close};

struct rx *
rx_ring_open(uint16_t port)
{
	struct ring *r = xcalloc(1, sizeof(*r));
	struct sockaddr_ll all = {
	    .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};

	r->rx.ops = &ring_ops;
	/* Protocol 0: deaf until the filter and the ring are in place. */
	r->rx.fd =
	    socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (r->rx.fd == -1) {
		free(r);
		return NULL;
	}
	if (attach_filter(r->rx.fd, port) == -1 || set_ring(r) == -1 ||
	    bind(r->rx.fd, (struct sockaddr *)&all, sizeof(all)) == -1) {
		ring_close(&r->rx);
		return NULL;
	}
	return &r->rx;
}
