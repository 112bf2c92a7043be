/*
 * iface: what the kernel says of an interface now (netdevice(7)).  Asked when
 * something is made or has gone wrong, not for packets.
 */
#include <net/if.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/sockaddr.h"
#include "prober/net/net.h"

static int
ask(const char *name, struct iface *out)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), rc = -1;
	struct ifreq ifr = {0};

	memset(out, 0, sizeof(*out));
	if (fd == -1)
		return -1;
	memcpy(ifr.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	if (ioctl(fd, SIOCGIFMTU, &ifr) == 0)
		out->mtu =
		    (uint16_t)(ifr.ifr_mtu < 65535 ? ifr.ifr_mtu : 65535);
	if (ioctl(fd, SIOCGIFFLAGS, &ifr) == 0) {
		out->loopback = (ifr.ifr_flags & IFF_LOOPBACK) != 0;
		out->has_arp = !(ifr.ifr_flags & (IFF_NOARP | IFF_POINTOPOINT));
		out->running = (ifr.ifr_flags & IFF_UP) != 0 &&
		    (ifr.ifr_flags & IFF_RUNNING) != 0;
		rc = 0;
	}
	close(fd);
	return rc;
}

int
iface_ask(int ifindex, struct iface *out)
{
	char name[IF_NAMESIZE];

	if (if_indextoname((unsigned int)ifindex, name) == NULL) {
		memset(out, 0, sizeof(*out));
		return -1;
	}
	return ask(name, out);
}

int
iface_any(void)
{
	struct if_nameindex *all = if_nameindex();
	struct iface i;
	int found = 0;

	for (struct if_nameindex *n = all; n && n->if_index && !found; n++)
		found = ask(n->if_name, &i) == 0 && i.running && !i.loopback;
	if (all != NULL)
		if_freenameindex(all);
	return found;
}

int
iface_has(const struct addr *a)
{
	union sockaddr_any sa;
	socklen_t len = sockaddr_make(&sa, a, 0);
	int fd = socket(sockaddr_family(a), SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int rc = bind(fd, &sa.sa, len);

	close(fd);
	return rc == 0;
}
