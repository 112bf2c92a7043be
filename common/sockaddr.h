/*
 * sockaddr: an address and a port as the kernel's calls take and give them.
 *
 *	struct addr, port ── sockaddr_make ──► union sockaddr_any, its length
 *	                  ◄── sockaddr_addr ──
 *
 * Ports are in host order.  Names are of no concern here, nor is who connects.
 */
#ifndef COMMON_SOCKADDR_H
#define COMMON_SOCKADDR_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "common/addr.h"

union sockaddr_any {
	struct sockaddr sa;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
};

/* AF_INET or AF_INET6 for A, which is an IPv4 or IPv6 address. */
int sockaddr_family(const struct addr *a);

/* Fill OUT, as far as its length goes, which is returned. */
socklen_t
sockaddr_make(union sockaddr_any *out, const struct addr *a, uint16_t port);

/* The address in SA; PORT may be NULL.  ADDR_NONE, and port 0, when it has
 * another family. */
struct addr sockaddr_addr(const union sockaddr_any *sa, uint16_t *port);

#endif
