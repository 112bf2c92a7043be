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
struct rx *rx_ring_open(uint16_t port);
struct rx *rx_raw_open(void);

#endif
