/*
 * rx: packets in.  Three back-ends with one contract (rx_ops.h): a ring with a
 * slot per packet, for a quick reaction at low rates; a ring of blocks, for
 * high rates; and raw sockets where there is no AF_PACKET.
 */
#include <stdlib.h>

#include "prober/net/rx_ops.h"

/* Above this rate a reply may wait for its block. */
#define BLOCKS_PPS 5000

struct rx *
rx_open(const struct rx_config *cfg, const char **why)
{
	struct rx *rx = NULL;

	if (!cfg->raw && (cfg->pps == 0 || cfg->pps > BLOCKS_PPS))
		rx = rx_ring_open(cfg);
	else if (!cfg->raw)
		rx = rx_frames_open(cfg->port);
	if (rx == NULL)
		rx = rx_raw_open(cfg);
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
