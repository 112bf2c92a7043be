#include "common/chan_fd.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <event2/buffer.h>

#include "common/chan.h"

/* Given to a chan_io in one turn, so that others have theirs. */
#define WRITE_BYTES 262144
#define WRITE_PIECE 16384 /* a TLS record */

int
chan_fd_is_always_ready(int fd)
{
	struct epoll_event e = {.events = EPOLLIN};
	int ep = epoll_create1(EPOLL_CLOEXEC), refused;

	if (ep == -1)
		return 0;
	refused = epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e) == -1 && errno == EPERM;
	close(ep);
	return refused;
}

int
chan_fd_own(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	return flags;
}

void
chan_fd_disown(int fd, int flags)
{
	if (fd <= STDERR_FILENO)
		fcntl(fd, F_SETFL, flags);
	close(fd);
}

ssize_t
chan_fd_get(struct chan_io *io, int fd, void *p, size_t len)
{
	if (io != NULL)
		return io->read(io, p, len);
	return read(fd, p, len);
}

static ssize_t
put_through_io(struct chan_io *io, struct evbuffer *out)
{
	struct evbuffer_iovec v;
	ssize_t n, sum = 0;

	while (sum < WRITE_BYTES &&
	    evbuffer_peek(out, WRITE_PIECE, NULL, &v, 1) > 0) {
		n = io->write(io, v.iov_base,
		    v.iov_len < WRITE_PIECE ? v.iov_len : WRITE_PIECE);
		if (n == -1)
			return sum > 0 ? sum : -1;
		evbuffer_drain(out, (size_t)n);
		sum += n;
	}
	return sum;
}

ssize_t
chan_fd_put(struct chan_io *io, int fd, struct evbuffer *out)
{
	if (io != NULL)
		return put_through_io(io, out);
	return evbuffer_write(out, fd);
}

const char *
chan_fd_error(const struct chan_io *io)
{
	if (io != NULL && io->why != NULL)
		return io->why;
	return errno == EAGAIN || errno == EINTR ? NULL : strerror(errno);
}
