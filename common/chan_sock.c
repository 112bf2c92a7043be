/*
 * chan_sock: the stream sockets that channels run on.  Names are scanned, never
 * looked up: no program of ours waits for a name server.
 */
#include "common/chan.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/scan.h"
#include "common/sockaddr.h"

static const char *
unix_address(const char *path, union sockaddr_any *out, socklen_t *len)
{
	if (strlen(path) >= sizeof(out->un.sun_path))
		return "socket path too long";
	out->un.sun_family = AF_UNIX;
	memcpy(out->un.sun_path, path, strlen(path) + 1);
	*len = sizeof(out->un);
	return NULL;
}

/* HOST (N bytes, without brackets) and PORT. */
static const char *
inet_address(const char *host, size_t n, const char *port,
    union sockaddr_any *out, socklen_t *len)
{
	char buf[ADDR_STRLEN];
	struct addr a;
	uint32_t p;

	if (n >= sizeof(buf))
		return "not an IP address";
	memcpy(buf, host, n);
	buf[n] = '\0';
	if (addr_scan(buf, &a) == -1)
		return "not an IP address";
	if (scan_u32(port, 0, 65535, &p) == -1)
		return "not a port number";
	*len = sockaddr_make(out, &a, (uint16_t)p);
	return NULL;
}

static const char *
scan_address(const char *s, union sockaddr_any *out, socklen_t *len)
{
	const char *colon = strrchr(s, ':');

	memset(out, 0, sizeof(*out));
	if (strchr(s, '/') != NULL)
		return unix_address(s, out, len);
	if (colon == NULL)
		return "neither a path with a slash nor IP:PORT";
	if (*s == '[' && colon > s && colon[-1] == ']')
		return inet_address(
		    s + 1, (size_t)(colon - s) - 2, colon + 1, out, len);
	if (memchr(s, ':', (size_t)(colon - s)) != NULL)
		return "an IPv6 address needs brackets: [IP6]:PORT";
	return inet_address(s, (size_t)(colon - s), colon + 1, out, len);
}

/* A socket for ADDRESS, or -1 with errno and *WHY. */
static int
new_socket(const char *address, union sockaddr_any *sa, socklen_t *len,
    const char **why)
{
	int fd, on = 1;

	*why = scan_address(address, sa, len);
	if (*why != NULL) {
		errno = EINVAL;
		return -1;
	}
	*why = "cannot make a socket";
	fd = socket(
	    sa->sa.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1 || sa->sa.sa_family == AF_UNIX)
		return fd;
	/* Lines are answers: none waits for another to share its packet. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (sa->sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	return fd;
}

static int
fail_socket(int fd, const char **why, const char *reason)
{
	fd_close(fd);
	*why = reason;
	return -1;
}

/* Is PATH a socket that its listener left behind when it died? */
static int
is_stale(const union sockaddr_any *sa, socklen_t len)
{
	struct stat st;
	int fd, refused;

	if (lstat(sa->un.sun_path, &st) == -1 || !S_ISSOCK(st.st_mode))
		return 0;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd == -1)
		return 0;
	refused = connect(fd, &sa->sa, len) == -1 && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

int
chan_listen(const char *address, const char **why)
{
	union sockaddr_any sa;
	socklen_t len;
	int fd, rc;

	fd = new_socket(address, &sa, &len, why);
	if (fd == -1)
		return -1;
	rc = bind(fd, &sa.sa, len);
	if (rc == -1 && errno == EADDRINUSE && sa.sa.sa_family == AF_UNIX) {
		if (is_stale(&sa, len) && unlink(sa.un.sun_path) == 0)
			rc = bind(fd, &sa.sa, len);
		else
			errno = EADDRINUSE;
	}
	if (rc == -1)
		return fail_socket(fd, why, "cannot bind");
	if (listen(fd, SOMAXCONN) == -1)
		return fail_socket(fd, why, "cannot listen");
	return fd;
}

int
chan_connect(const char *address, const char **why)
{
	union sockaddr_any sa;
	socklen_t len;
	int fd;

	fd = new_socket(address, &sa, &len, why);
	if (fd == -1)
		return -1;
	if (connect(fd, &sa.sa, len) == -1 && errno != EINPROGRESS)
		return fail_socket(fd, why, "cannot connect");
	return fd;
}

const char *
chan_check(const char *address)
{
	union sockaddr_any sa;
	socklen_t len;

	return scan_address(address, &sa, &len);
}

int
chan_is_local(const char *address)
{
	union sockaddr_any sa;
	socklen_t len;

	if (scan_address(address, &sa, &len) != NULL)
		return 0;
	if (sa.sa.sa_family == AF_INET)
		return ntohl(sa.in.sin_addr.s_addr) >> 24 == 127;
	if (sa.sa.sa_family == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&sa.in6.sin6_addr);
	return 1;
}

void
chan_refuse(int fd, struct chan_io *io, const char *line)
{
	char unread[4096];
	int pieces = 16; /* of one who goes on and on */

	if (io != NULL)
		io->write(io, line, strlen(line));
	else
		send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);
	if (io != NULL)
		io->close(io);
	/* Closing with unread bytes would take the words away from the peer. */
	shutdown(fd, SHUT_WR);
	while (
	    pieces-- > 0 && recv(fd, unread, sizeof(unread), MSG_DONTWAIT) > 0)
		continue;
	close(fd);
}
