#include "tests/fault/killat.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef __x86_64__

static int
is_in(const char *dir, const char *path)
{
	size_t len = strlen(dir);

	return strncmp(path, dir, len) == 0 &&
	    (path[len] == '/' || path[len] == '\0');
}

/* What FD of PID leads to. */
static void
link_of(pid_t pid, int fd, char *buf)
{
	char name[64];
	ssize_t n;

	if (fd == AT_FDCWD)
		snprintf(name, sizeof(name), "/proc/%d/cwd", pid);
	else
		snprintf(name, sizeof(name), "/proc/%d/fd/%d", pid, fd);
	n = readlink(name, buf, PATH_MAX - 1);
	buf[n > 0 ? n : 0] = '\0';
}

static int
is_stream(pid_t pid, int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), copy, type = 0;
	socklen_t len = sizeof(type);

	copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (copy != -1) {
		getsockopt(copy, SOL_SOCKET, SO_TYPE, &type, &len);
		close(copy);
	}
	close(pidfd);
	return type == SOCK_STREAM;
}

static void
string_at(pid_t pid, unsigned long long address, char *buf, size_t size)
{
	struct iovec local = {buf, size - 1};
	struct iovec remote = {(void *)(uintptr_t)address, size - 1};
	ssize_t n;

	/* A string may lie at the end of what can be read. */
	do {
		n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
		local.iov_len = remote.iov_len /= 2;
	} while (n == -1 && local.iov_len > 0);
	buf[n > 0 ? n : 0] = '\0';
}

void
place_of(pid_t pid, const struct calls_row *c, const struct user_regs_struct *r,
    char path[PATH_MAX])
{
	int second = c->where == CALLS_AT1;
	char name[512];
	size_t len;

	link_of(pid, (int)(second ? r->rsi : r->rdi), path);
	if (c->where == CALLS_FD)
		return;
	string_at(pid, second ? r->rdx : r->rsi, name, sizeof(name));
	len = strlen(path);
	if (name[0] == '/')
		snprintf(path, PATH_MAX, "%s", name);
	else if (name[0] != '\0' && strcmp(name, ".") != 0)
		snprintf(path + len, PATH_MAX - len, "/%s", name);
}

int
place_is_ours(pid_t pid, const struct calls_row *c, int fd, const char *path,
    const char *dir)
{
	if (c->where == CALLS_FD && strncmp(path, "socket:", 7) == 0)
		return is_stream(pid, fd);
	return is_in(dir, path);
}

#endif
