/*
 * fd: closing a descriptor on the way out of a function.
 *
 *	rc = work(fd);		errno says why it failed,
 *	fd_close(fd);		and still does
 *	return rc;
 *
 * It is for descriptors whose close cannot fail in a way that matters: of what
 * was read, or synced already.  Who must know of it calls close(2).
 */
#ifndef COMMON_FD_H
#define COMMON_FD_H

/* Close FD unless it is -1; errno stays what it was. */
void fd_close(int fd);

#endif
