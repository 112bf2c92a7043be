/*
 * net: routes, transmitting and receiving, as the engine sees them.
 *
 *	link.c	route and neighbour of an address, by netlink
 *	iface.c	what an interface is
 *	tx.c	frames out: AF_PACKET, or raw sockets where there is no link
 *	rx.c	packets in: a ring shared with the kernel, or raw sockets
 *	sock.c	sockets that hold our port
 */
#ifndef PROBER_NET_H
#define PROBER_NET_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

/* --- link.c ------------------------------------------------------------------ */

struct link;

/* How packets get to some destinations.  Owned by the link, never moved. */
struct link_path {
	int ifindex;
	struct addr src; /* our address */
	struct addr
	    next_hop; /* ADDR_NONE: no link addresses on this interface */
	uint16_t mtu;
	uint8_t mac_len; /* 0 with next_hop: not resolved (yet) */
	uint8_t mac[8];
	uint8_t raw_only; /* loopback: by raw socket */
	uint8_t via; /* of link_lookup_by: raw sockets must name the next hop */
	uint8_t stale; /* not confirmed lately: the next frame goes by raw
			* socket, which makes the kernel ask */
};

/* NULL and a static reason in *WHY when netlink is not to be had. */
struct link *link_open(const char **why);
void link_close(struct link *l);
/* The path to DST, or NULL and a static reason. */
struct link_path *
link_lookup(struct link *l, const struct addr *dst, const char **why);
struct technique_route;
/* The same, leaving as R says. */
struct link_path *link_lookup_by(struct link *l, const struct addr *dst,
    const struct technique_route *r, const char **why);
/* Another number after each change of routes (it comes round again). */
uint8_t link_epoch(const struct link *l);
/* The path that DST has now with the source address of OLD, its path so far;
 * OLD if there is no other. */
struct link_path *
link_follow(struct link *l, struct link_path *old, const struct addr *dst);
/* Readable when routes or neighbours changed: call link_changed(). */
int link_fd(const struct link *l);
void link_changed(struct link *l);

/* --- iface.c -------------------------------------------------------------------- */

struct iface {
	uint16_t mtu; /* bytes, 65535 if more */
	uint8_t loopback;
	uint8_t has_arp; /* neighbours have link addresses */
	uint8_t running; /* up, and so is its carrier */
};

/* What interface IFINDEX is now: 0, or -1 with zeros if there is none. */
int iface_ask(int ifindex, struct iface *out);
/* Is there an interface that is running, other than loopback?  Boolean. */
int iface_any(void);
/* Is A an address of this host?  Boolean. */
int iface_has(const struct addr *a);

/* --- tx.c ---------------------------------------------------------------------- */

struct tx;

struct tx_frame {
	struct link_path *path;
	const uint8_t *packet; /* from the IP header on */
	uint16_t len;
	uint8_t family;
	int64_t tx_ns; /* out: wall clock, right before it was handed over */
};

/* RAW non-zero: by raw sockets only.  NULL and a reason. */
struct tx *tx_open(int raw, const char **why);
void tx_close(struct tx *tx);
/*
 * Send FRAMES[0..N) in order, and note in each when it left.  Returns how many
 * were accepted (>= 1), or -1 with errno about the first.  Never retries, never
 * logs.
 */
int tx_send(struct tx *tx, struct tx_frame *frames, int n);

/* --- rx.c ---------------------------------------------------------------------- */

struct rx;

/* PKT: LEN bytes from the IP header on; RX_NS wall clock of arrival. */
typedef void (*rx_cb)(void *arg, const uint8_t *pkt, size_t len, int64_t rx_ns);

struct rx_config {
	uint32_t pps; /* probes per second to expect replies to; 0: no limit */
	uint16_t port; /* UDP to it is let through */
	uint32_t blocks; /* of the ring for high rates or, each 8 kB, of the
			  * queue of a raw socket; 0: 512 */
	int raw; /* by raw sockets */
};

/* NULL and a static reason. */
struct rx *rx_open(const struct rx_config *cfg, const char **why);
void rx_close(struct rx *rx);
/* A descriptor that is readable when there is something to poll for. */
int rx_fd(const struct rx *rx);
/* Hand at most about BUDGET packets to CB.  The number handed. */
int rx_poll(struct rx *rx, int budget, rx_cb cb, void *arg);
/* Packets that the kernel dropped for want of room, since the last call. */
uint64_t rx_drops(struct rx *rx);

/* --- sock.c ---------------------------------------------------------------------- */

/*
 * Hold UDP PORT in both families, so that the kernel neither gives it to
 * another program nor answers replies to it with port unreachable.  What
 * arrives is dropped.  Returns 0, or -1 + errno when the port is taken.
 */
int sock_hold_port(uint16_t port);

#endif
