/*
 * rx_ring: the ring for high rates, TPACKET_V3 (packet_mmap in the kernel's
 * documentation).  The kernel packs packets into blocks and hands a block over
 * when it is full, or some milliseconds after its first packet; we walk it and
 * hand it back.  No system call per packet, nor per block, and no wake-up per
 * packet; but a reply waits until its block is handed over.
 */
#include <linux/if_packet.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/xmalloc.h"
#include "prober/net/rx_ops.h"

/*
 * A block that is not full is handed over after RETIRE_MS all the same: what
 * the ring holds while we are not running is a matter of the number of blocks
 * at low rates, two seconds, and of their size at high ones.
 */
#define RETIRE_MS 7
#define BLOCKS 512
#define BLOCK_BYTES_MIN 8192
#define BLOCK_BYTES_MAX 32768
#define PACKET_BYTES 160 /* of a reply in a block, about */
#define FRAME_BYTES 2048

struct ring {
	struct rx rx;
	uint8_t *map;
	unsigned int blocks, block_bytes;
	unsigned int block; /* next to look at */
	/* inside a block that was not finished for want of budget: */
	struct tpacket3_hdr *next;
	uint32_t left;
	struct rx_packet_seen seen;
};

/* Bytes of a block that are fetched before they are looked at: another processor
 * has written them. */
#define AHEAD_BYTES 512
#define LINE_BYTES 64

/* Room for the replies of two retire times. */
static unsigned int
block_bytes_for(uint32_t pps)
{
	uint64_t want = (uint64_t)pps * PACKET_BYTES * 2 * RETIRE_MS / 1000;
	unsigned int bytes = BLOCK_BYTES_MIN;

	while (bytes < want && bytes < BLOCK_BYTES_MAX)
		bytes *= 2;
	return pps == 0 ? BLOCK_BYTES_MAX : bytes;
}

static int
set_ring(struct ring *r)
{
	struct tpacket_req3 req = {
	    .tp_block_size = r->block_bytes,
	    .tp_block_nr = r->blocks,
	    .tp_frame_size = FRAME_BYTES,
	    .tp_frame_nr = r->block_bytes / FRAME_BYTES * r->blocks,
	    .tp_retire_blk_tov = RETIRE_MS,
	};

	if (setsockopt(
		r->rx.fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) == -1)
		return -1;
	r->map = mmap(NULL, (size_t)r->block_bytes * r->blocks,
	    PROT_READ | PROT_WRITE, MAP_SHARED, r->rx.fd, 0);
	return r->map == MAP_FAILED ? -1 : 0;
}

static struct tpacket_block_desc *
block_at(const struct ring *r, unsigned int i)
{
	return (void *)(r->map + (size_t)i * r->block_bytes);
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
	for (int i = 0; i < AHEAD_BYTES; i += LINE_BYTES)
		__builtin_prefetch((uint8_t *)r->next + i);
	return 0;
}

/* The lines of a packet that begins some packets behind H. */
static inline void
fetch_ahead(const struct tpacket3_hdr *h)
{
	const uint8_t *p = (const uint8_t *)h + AHEAD_BYTES;

	__builtin_prefetch(p);
	__builtin_prefetch(p + LINE_BYTES);
	__builtin_prefetch(p + 2 * LINE_BYTES);
}

static void
leave_block(struct ring *r)
{
	struct tpacket_block_desc *b = block_at(r, r->block);

	__atomic_store_n(
	    &b->hdr.bh1.block_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	r->block = (r->block + 1) % r->blocks;
	r->next = NULL;
}

static int
ring_poll(struct rx *rx, int budget, rx_cb cb, void *arg)
{
	struct ring *r = (struct ring *)rx;
	struct tpacket3_hdr *h;
	const uint8_t *pkt;
	int64_t rx_ns;
	int n = 0;

	while (n < budget) {
		if (r->next == NULL && enter_block(r) == -1)
			break;
		for (; r->left > 0 && n < budget; r->left--, n++) {
			h = r->next;
			fetch_ahead(h);
			r->next = (void *)((uint8_t *)h + h->tp_next_offset);
			pkt = (const uint8_t *)h + h->tp_net;
			rx_ns = h->tp_sec * NS_PER_SEC + h->tp_nsec;
			if (rx_packet_is_ours(
				&r->seen, pkt, h->tp_snaplen, rx_ns))
				cb(arg, pkt, h->tp_snaplen, rx_ns);
		}
		if (r->left == 0)
			leave_block(r);
	}
	return n;
}

static uint64_t
ring_drops(struct rx *rx)
{
	return rx_packet_drops(rx->fd);
}

static void
ring_close(struct rx *rx)
{
	struct ring *r = (struct ring *)rx;

	if (r->map != NULL && r->map != MAP_FAILED)
		munmap(r->map, (size_t)r->block_bytes * r->blocks);
	close(rx->fd);
	free(r);
}

static const struct rx_ops ring_ops = {ring_poll, ring_drops, ring_close};

struct rx *
rx_ring_open(const struct rx_config *cfg)
{
	struct ring *r = xcalloc(1, sizeof(*r));

	r->rx.ops = &ring_ops;
	r->blocks = cfg->blocks != 0 ? cfg->blocks : BLOCKS;
	r->block_bytes = block_bytes_for(cfg->pps);
	r->rx.fd = rx_packet_open(cfg->port, TPACKET_V3);
	if (r->rx.fd == -1) {
		free(r);
		return NULL;
	}
	if (set_ring(r) == -1 || rx_packet_listen(r->rx.fd) == -1) {
		ring_close(&r->rx);
		return NULL;
	}
	return &r->rx;
}
