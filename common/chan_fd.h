/*
 * chan_fd: the descriptors below a channel, and the bytes through them: those
 * of a socket or pipe as they are, or through a chan_io.  For chan.c alone.
 */
#ifndef COMMON_CHAN_FD_H
#define COMMON_CHAN_FD_H

#include <stddef.h>
#include <sys/types.h>

struct chan_io;
struct evbuffer;

/* epoll refuses regular files and some devices (/dev/null), which never make
 * anyone wait: non-zero for those. */
int chan_fd_is_always_ready(int fd);

/* Make FD non-blocking and close-on-exec.  Returns its former flags.  Standard
 * input and output may be shared with the shell, which does not expect them to
 * stay non-blocking: chan_fd_disown() gives them their FLAGS back.  It closes
 * FD. */
int chan_fd_own(int fd);
void chan_fd_disown(int fd, int flags);

/* As read(2), through IO if there is one. */
ssize_t chan_fd_get(struct chan_io *io, int fd, void *p, size_t len);

/* Of OUT, as much as goes without waiting; what went is taken off.  Bytes, or
 * -1 when none. */
ssize_t chan_fd_put(struct chan_io *io, int fd, struct evbuffer *out);

/* What the -1 of the two means, by errno or IO: NULL for "later". */
const char *chan_fd_error(const struct chan_io *io);

#endif
