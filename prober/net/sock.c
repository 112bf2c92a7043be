#include <errno.h>
#include <linux/filter.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/sockaddr.h"
#include "prober/net/net.h"

/* Let nothing into the socket's queue: it only holds the port. */
static int
drop_all(int fd)
{
	struct sock_filter code = BPF_STMT(BPF_RET | BPF_K, 0);
	struct sock_fprog prog = {.len = 1, .filter = &code};

	return setsockopt(
	    fd, SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

static int
hold(int family, uint16_t port)
{
	struct addr any = {.family = (uint8_t)family};
	union sockaddr_any sa;
	socklen_t len = sockaddr_make(&sa, &any, port);
	int fd = socket(sockaddr_family(&any),
	    SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1;

	if (fd == -1)
		return errno == EAFNOSUPPORT ? 0 : -1;
	if (family == ADDR_IPV6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (drop_all(fd) == 0 && bind(fd, &sa.sa, len) == 0)
		return 0; /* stays open for as long as the process lives */
	fd_close(fd);
	return -1;
}

int
sock_hold_port(uint16_t port)
{
	if (hold(ADDR_IPV4, port) == -1)
		return -1;
	return hold(ADDR_IPV6, port);
}
