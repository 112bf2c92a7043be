#include "tests/fault/killat.h"

#include <sys/syscall.h>

#define ANY (CALLS_EIO | CALLS_EINTR)
#define WR (CALLS_CHANGE | CALLS_WRITE | CALLS_ENOSPC | CALLS_SHORT | ANY)
#define MAKE (CALLS_CHANGE | CALLS_ENOSPC | CALLS_EIO)
#define SYNC (CALLS_CHANGE | CALLS_SYNC | CALLS_ENOSPC | ANY)

const struct calls_row calls_table[] = {
    {SYS_openat, "openat", CALLS_AT, CALLS_ENOSPC | ANY},
    {SYS_close, "close", CALLS_FD, CALLS_ENOSPC | ANY},
    {SYS_read, "read", CALLS_FD, ANY},
    {SYS_readv, "readv", CALLS_FD, ANY},
    {SYS_pread64, "pread64", CALLS_FD, ANY},
    {SYS_recvfrom, "recvfrom", CALLS_FD, CALLS_EINTR},
    {SYS_recvmsg, "recvmsg", CALLS_FD, CALLS_EINTR},
    {SYS_write, "write", CALLS_FD, WR},
    {SYS_writev, "writev", CALLS_FD, WR},
    {SYS_pwrite64, "pwrite64", CALLS_FD, WR},
    {SYS_pwritev, "pwritev", CALLS_FD, WR},
    {SYS_sendto, "sendto", CALLS_FD, CALLS_CHANGE | CALLS_EINTR},
    {SYS_sendmsg, "sendmsg", CALLS_FD, CALLS_CHANGE | CALLS_EINTR},
    {SYS_shutdown, "shutdown", CALLS_FD, CALLS_CHANGE},
    {SYS_connect, "connect", CALLS_FD, CALLS_CHANGE},
    {SYS_accept4, "accept4", CALLS_FD, CALLS_CHANGE},
    {SYS_fsync, "fsync", CALLS_FD, SYNC},
    {SYS_fdatasync, "fdatasync", CALLS_FD, SYNC},
    {SYS_ftruncate, "ftruncate", CALLS_FD, CALLS_CHANGE | ANY},
    {SYS_fallocate, "fallocate", CALLS_FD, MAKE | CALLS_EINTR},
    {SYS_fchmod, "fchmod", CALLS_FD, CALLS_CHANGE | CALLS_EIO},
    {SYS_fchmodat, "fchmodat", CALLS_AT, CALLS_CHANGE | CALLS_EIO},
    {SYS_fcntl, "fcntl", CALLS_FD, 0},
    {SYS_lseek, "lseek", CALLS_FD, 0},
    {SYS_getdents64, "getdents64", CALLS_FD, CALLS_EIO},
    {SYS_newfstatat, "newfstatat", CALLS_AT, CALLS_EIO},
    {SYS_fstatfs, "fstatfs", CALLS_FD, ANY},
    {SYS_faccessat, "faccessat", CALLS_AT, CALLS_EIO},
    {SYS_faccessat2, "faccessat2", CALLS_AT, CALLS_EIO},
    {SYS_readlinkat, "readlinkat", CALLS_AT, CALLS_EIO},
    {SYS_utimensat, "utimensat", CALLS_AT, CALLS_CHANGE | CALLS_EIO},
    {SYS_mkdirat, "mkdirat", CALLS_AT, MAKE},
    {SYS_unlinkat, "unlinkat", CALLS_AT, CALLS_CHANGE | CALLS_EIO},
    {SYS_renameat, "renameat", CALLS_AT, MAKE},
    {SYS_renameat2, "renameat2", CALLS_AT, MAKE},
    {SYS_linkat, "linkat", CALLS_AT, MAKE},
    {SYS_symlinkat, "symlinkat", CALLS_AT1, MAKE},
};

const size_t calls_count = sizeof(calls_table) / sizeof(calls_table[0]);

const struct calls_row *
calls_find(long nr)
{
	for (size_t i = 0; i < calls_count; i++) {
		if (calls_table[i].nr == nr)
			return &calls_table[i];
	}
	return NULL;
}
