/*
 * rx: packets in.  Two back-ends with one contract (rx_ops.h): a ring shared
 * with the kernel, and raw ICMP sockets where there is no AF_PACKET.
 */
#include <stdlib.h>

#include "prober/net/rx_ops.h"

struct rx *
rx_open(int raw, uint16_t port, const char **why)
{
	struct rx *rx = raw ? NULL : rx_ring_open(port);

	if (rx == NULL)
		rx = rx_raw_open();
	if (rx == NULL)
		*why = "cannot open a packet or raw socket";
	return rx;
}

void
rx_close(struct rx *rx)
{
	if (rx != NULL)
		rx->ops->close(rx);
}

int
rx_fd(const struct rx *rx)
{
	return rx->fd;
}

int
rx_poll(struct rx *rx, int budget, rx_cb cb, void *arg)
{
	return rx->ops->poll(rx, budget, cb, arg);
}

uint64_t
rx_drops(struct rx *rx)
{
	return rx->ops->drops(rx);
}
