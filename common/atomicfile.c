#include "common/atomicfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/xmalloc.h"

static int
close_keep_errno(int fd)
{
	int saved = errno, rc = close(fd);

	if (rc == 0)
		errno = saved;
	return rc;
}

/* The directory PATH lies in, as a path relative to the same descriptor. */
static int
parent_of(const char *path, char buf[PATH_MAX])
{
	const char *slash = strrchr(path, '/');
	size_t n = slash == NULL ? 0 : (size_t)(slash - path);

	if (n >= PATH_MAX) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (slash == NULL)
		memcpy(buf, ".", 2);
	else if (n == 0)
		memcpy(buf, "/", 2);
	else {
		memcpy(buf, path, n);
		buf[n] = '\0';
	}
	return 0;
}

static int
sync_at(int dirfd, const char *dir)
{
	int fd, rc;

	/* A descriptor of our own: DIRFD may be AT_FDCWD or O_PATH. */
	fd = openat(dirfd, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	rc = fsync(fd);
	if (close_keep_errno(fd) == -1)
		rc = -1;
	return rc;
}

static int
sync_parent(int dirfd, const char *path)
{
	char dir[PATH_MAX];

	if (parent_of(path, dir) == -1)
		return -1;
	return sync_at(dirfd, dir);
}

int
atomicfile_syncdir(int dirfd)
{
	return sync_at(dirfd, ".");
}

int
atomicfile_pwrite(int fd, const void *data, size_t len, off_t offset)
{
	const char *p = data;
	ssize_t n;

	while (len > 0) {
		n = pwrite(fd, p, len, offset);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		p += n;
		len -= (size_t)n;
		offset += n;
	}
	return 0;
}

struct content {
	const void *data;
	size_t len;
	mode_t mode;
	int durable; /* fsync it and its directory */
};

static int
write_new(int dirfd, const char *path, const struct content *c)
{
	int fd, rc;

	fd = openat(dirfd, path,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, c->mode);
	if (fd == -1)
		return -1;
	rc = atomicfile_pwrite(fd, c->data, c->len, 0);
	if (rc == 0 && c->durable)
		rc = fsync(fd);
	if (close_keep_errno(fd) == -1)
		rc = -1;
	return rc;
}

static int
replace(int dirfd, const char *path, const struct content *c)
{
	char tmp[PATH_MAX];
	int n, saved;

	n = snprintf(tmp, sizeof(tmp), "%s.tmp", path);
	if (n < 0 || (size_t)n >= sizeof(tmp)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (write_new(dirfd, tmp, c) == -1 ||
	    renameat(dirfd, tmp, dirfd, path) == -1) {
		saved = errno;
		unlinkat(dirfd, tmp, 0);
		errno = saved;
		return -1;
	}
	return c->durable ? sync_parent(dirfd, path) : 0;
}

int
atomicfile_write(
    int dirfd, const char *path, const void *data, size_t len, mode_t mode)
{
	struct content c = {data, len, mode, 1};

	return replace(dirfd, path, &c);
}

int
atomicfile_show(
    int dirfd, const char *path, const void *data, size_t len, mode_t mode)
{
	struct content c = {data, len, mode, 0};

	return replace(dirfd, path, &c);
}

int
atomicfile_read_fd(int fd, size_t max, char **data, size_t *len)
{
	size_t cap = 4096, used = 0;
	char *buf = xmalloc(cap);
	ssize_t n;

	while ((n = read(fd, buf + used, cap - used - 1)) != 0) {
		if (n == -1 && errno == EINTR)
			continue;
		if (n > 0 && (size_t)n > max - used) {
			errno = EFBIG;
			n = -1;
		}
		if (n == -1) {
			free(buf);
			return -1;
		}
		used += (size_t)n;
		if (cap - used < 2)
			buf = xreallocarray(buf, cap *= 2, 1);
	}
	buf[used] = '\0';
	*data = buf;
	*len = used;
	return 0;
}

int
atomicfile_read(
    int dirfd, const char *path, size_t max, char **data, size_t *len)
{
	int fd, rc;

	fd = openat(dirfd, path, O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	rc = atomicfile_read_fd(fd, max, data, len);
	close_keep_errno(fd);
	return rc;
}

int
atomicfile_rename(int olddir, const char *from, int newdir, const char *to)
{
	char a[PATH_MAX], b[PATH_MAX];

	if (parent_of(from, a) == -1 || parent_of(to, b) == -1)
		return -1;
	if (renameat(olddir, from, newdir, to) == -1)
		return -1;
	/* The new name first: two names are better than none. */
	if (sync_at(newdir, b) == -1)
		return -1;
	if (olddir == newdir && strcmp(a, b) == 0)
		return 0;
	return sync_at(olddir, a);
}

int
atomicfile_exists(int dirfd, const char *path)
{
	if (faccessat(dirfd, path, F_OK, 0) == 0)
		return 1;
	return errno == ENOENT ? 0 : -1;
}

int
atomicfile_unlink(int dirfd, const char *path)
{
	if (unlinkat(dirfd, path, 0) == -1)
		return errno == ENOENT ? 0 : -1;
	return sync_parent(dirfd, path);
}

int
atomicfile_mkdir(int dirfd, const char *path, mode_t mode)
{
	if (mkdirat(dirfd, path, mode) == 0) {
		if (sync_parent(dirfd, path) == -1)
			return -1;
	} else if (errno != EEXIST)
		return -1;
	return openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
atomicfile_lock_fd(int fd)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(fd, F_OFD_SETLK, &fl) == -1) {
		if (errno == EACCES)
			errno = EWOULDBLOCK;
		return -1;
	}
	return 0;
}

int
atomicfile_lock(int dirfd, const char *path)
{
	int fd;

	fd = openat(
	    dirfd, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	if (atomicfile_lock_fd(fd) == -1) {
		close_keep_errno(fd);
		return -1;
	}
	return fd;
}
