/*
 * tun: the device.  IFF_NO_PI: each read is one IP packet from its first byte
 * on, each write likewise.  The kernel computes all checksums before it hands
 * a packet to a TUN device without offloads.
 */
#include "tests/fakenet/fakenet.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

int
tun_open(const char *name)
{
	struct ifreq ifr;
	int fd, save;

	memset(&ifr, 0, sizeof(ifr));
	if (strlen(name) >= sizeof(ifr.ifr_name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	strcpy(ifr.ifr_name, name);
	ifr.ifr_flags = IFF_TUN | IFF_NO_PI;
	fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1)
		return -1;
	if (ioctl(fd, TUNSETIFF, &ifr) == -1) {
		save = errno;
		close(fd);
		errno = save;
		return -1;
	}
	return fd;
}
