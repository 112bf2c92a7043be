/*
 * iface: what the kernel says of an interface now (netdevice(7)).  Asked when
 * something is made or has gone wrong, not for packets.
 */
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "prober/net/net.h"

static int
ask(struct ifreq *ifr, struct iface *out)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = -1;

	if (fd == -1)
		return -1;
	if (ioctl(fd, SIOCGIFMTU, ifr) == 0)
		out->mtu =
		    (uint16_t)(ifr->ifr_mtu < 65535 ? ifr->ifr_mtu : 65535);
	if (ioctl(fd, SIOCGIFFLAGS, ifr) == 0) {
		out->loopback = (ifr->ifr_flags & IFF_LOOPBACK) != 0;
		out->has_arp =
		    !(ifr->ifr_flags & (IFF_NOARP | IFF_POINTOPOINT));
		out->running = (ifr->ifr_flags & IFF_UP) != 0 &&
		    (ifr->ifr_flags & IFF_RUNNING) != 0;
		rc = 0;
	}
	close(fd);
	return rc;
}

int
iface_ask(int ifindex, struct iface *out)
{
	struct ifreq ifr = {0};

	memset(out, 0, sizeof(*out));
	if (if_indextoname((unsigned int)ifindex, ifr.ifr_name) == NULL)
		return -1;
	return ask(&ifr, out);
}

int
iface_any(void)
{
	struct if_nameindex *all = if_nameindex();
	struct iface i;
	int found = 0;

	for (struct if_nameindex *n = all; n && n->if_index && !found; n++)
		found = iface_ask((int)n->if_index, &i) == 0 && i.running &&
		    !i.loopback;
	if (all != NULL)
		if_freenameindex(all);
	return found;
}

int
iface_has(const struct addr *a)
{
	sa_family_t af = a->family == ADDR_IPV4 ? AF_INET : AF_INET6;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	} u = {.sa = {.sa_family = af}};
	int fd = socket(af, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc;

	if (a->family == ADDR_IPV4)
		memcpy(&u.in.sin_addr, a->b, 4);
	else
		memcpy(&u.in6.sin6_addr, a->b, 16);
	rc = bind(fd, &u.sa, sizeof(u));
	close(fd);
	return rc == 0;
}
