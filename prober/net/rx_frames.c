/*
 * rx_frames: the ring for low rates, TPACKET_V2.  A slot per packet, handed
 * over at once: a reply can be looked at, or wake us, as soon as it is there.
 */
#include <linux/if_packet.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/xmalloc.h"
#include "prober/net/rx_ops.h"

#define FRAME_BYTES 2048
#define BLOCK_BYTES (64 * 1024)
#define FRAMES_PER_BLOCK (BLOCK_BYTES / FRAME_BYTES)
#define BLOCKS 32 /* 1,024 packets: a fifth of a second at 5,000 a second */
#define FRAMES (FRAMES_PER_BLOCK * BLOCKS)

struct frames {
	struct rx rx;
	uint8_t *map;
	unsigned int next;
	struct rx_packet_seen seen;
};

static int
set_ring(struct frames *f)
{
	struct tpacket_req req = {
	    .tp_block_size = BLOCK_BYTES,
	    .tp_block_nr = BLOCKS,
	    .tp_frame_size = FRAME_BYTES,
	    .tp_frame_nr = FRAMES,
	};

	if (setsockopt(
		f->rx.fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)) == -1)
		return -1;
	f->map = mmap(NULL, (size_t)BLOCK_BYTES * BLOCKS,
	    PROT_READ | PROT_WRITE, MAP_SHARED, f->rx.fd, 0);
	return f->map == MAP_FAILED ? -1 : 0;
}

static int
frames_poll(struct rx *rx, int budget, rx_cb cb, void *arg)
{
	struct frames *f = (struct frames *)rx;
	struct tpacket2_hdr *h;
	const uint8_t *pkt;
	int64_t rx_ns;
	int n;

	for (n = 0; n < budget; n++) {
		h = (void *)(f->map + (size_t)f->next * FRAME_BYTES);
		if (!(__atomic_load_n(&h->tp_status, __ATOMIC_ACQUIRE) &
			TP_STATUS_USER))
			break;
		pkt = (const uint8_t *)h + h->tp_net;
		rx_ns = h->tp_sec * NS_PER_SEC + h->tp_nsec;
		if (rx_packet_is_ours(&f->seen, pkt, h->tp_snaplen, rx_ns))
			cb(arg, pkt, h->tp_snaplen, rx_ns);
		__atomic_store_n(
		    &h->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
		f->next = (f->next + 1) % FRAMES;
	}
	return n;
}

static uint64_t
frames_drops(struct rx *rx)
{
	return rx_packet_drops(rx->fd);
}

static void
frames_close(struct rx *rx)
{
	struct frames *f = (struct frames *)rx;

	if (f->map != NULL && f->map != MAP_FAILED)
		munmap(f->map, (size_t)BLOCK_BYTES * BLOCKS);
	close(rx->fd);
	free(f);
}

static const struct rx_ops frames_ops = {
    frames_poll, frames_drops, frames_close};

struct rx *
rx_frames_open(uint16_t port)
{
	struct frames *f = xcalloc(1, sizeof(*f));

	f->rx.ops = &frames_ops;
	f->rx.fd = rx_packet_open(port, TPACKET_V2);
	if (f->rx.fd == -1) {
		free(f);
		return NULL;
	}
	if (set_ring(f) == -1 || rx_packet_listen(f->rx.fd) == -1) {
		frames_close(&f->rx);
		return NULL;
	}
	return &f->rx;
}
