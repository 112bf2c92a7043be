#include <errno.h>
#include <linux/filter.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

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
hold(const struct sockaddr *sa, socklen_t len)
{
	int fd =
	    socket(sa->sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int one = 1, saved;

	if (fd == -1)
		return errno == EAFNOSUPPORT ? 0 : -1;
	if (sa->sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one));
	if (drop_all(fd) == 0 && bind(fd, sa, len) == 0)
		return 0; /* stays open for as long as the process lives */
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
sock_hold_port(uint16_t port)
{
	struct sockaddr_in in = {
	    .sin_family = AF_INET, .sin_port = htons(port)};
	struct sockaddr_in6 in6 = {
	    .sin6_family = AF_INET6, .sin6_port = htons(port)};

	if (hold((const struct sockaddr *)&in, sizeof(in)) == -1)
		return -1;
	return hold((const struct sockaddr *)&in6, sizeof(in6));
}
