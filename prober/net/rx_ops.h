/*
 * rx_ops: what a back-end of rx supplies.
 */
#ifndef PROBER_RX_OPS_H
#define PROBER_RX_OPS_H

#include "prober/net/net.h"

struct rx_ops {
	int (*poll)(struct rx *rx, int budget, rx_cb cb, void *arg);
	uint64_t (*drops)(struct rx *rx);
	void (*close)(struct rx *rx); /* frees RX */
};

/* The head of every back-end's struct. */
struct rx {
	const struct rx_ops *ops;
	int fd; /* to wait on */
};

/* Each returns NULL with errno when the system has no such thing. */
struct rx *rx_ring_open(const struct rx_config *cfg);
struct rx *rx_frames_open(uint16_t port);
struct rx *rx_raw_open(const struct rx_config *cfg);

/* --- rx_packet.c, for the rings ---------------------------------------------- */

/* A packet socket for ring VERSION that hears nothing yet and will only see
 * replies, UDP ones to PORT.  -1 with errno. */
int rx_packet_open(uint16_t port, int version);
/* The packets seen last, so that a copy is known. */
#define RX_PACKET_SEEN_BITS 8
struct rx_packet_seen {
	uint64_t marks[1u << RX_PACKET_SEEN_BITS];
};
/* Would the IP stack of this host take PKT, LEN bytes from the IP header on, that
 * the filter has let through, and is it here for the first time?  Non-zero: yes;
 * it is remembered in S. */
int rx_packet_is_ours(
    struct rx_packet_seen *s, const uint8_t *pkt, size_t len, int64_t rx_ns);
/* Hear all interfaces from now on.  0, or -1 with errno. */
int rx_packet_listen(int fd);
/* Packets lost for want of room since the last call. */
uint64_t rx_packet_drops(int fd);

#endif
