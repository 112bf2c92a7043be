/*
 * atomicfile: files that are either the old or the new content, whatever is
 * killed when, and lock files.  The only caller of rename(2).
 *
 *	state/epoch.tmp   new content, fsynced
 *	state/epoch       rename: from here on the new content, for everyone
 *	state/            fsynced: ... and after a power cut
 *
 * One writer per file is assumed (the owner of its lock); a PATH.tmp left
 * behind by a killed writer is overwritten by the next.
 *
 * All paths are relative to a directory descriptor (or AT_FDCWD).  Functions
 * return 0, or -1 with errno.
 */
#ifndef COMMON_ATOMICFILE_H
#define COMMON_ATOMICFILE_H

#include <stddef.h>
#include <sys/types.h>

/* Replace PATH by LEN bytes at DATA: PATH.tmp, fsync, rename, fsync of the
 * directory.  MODE as for open(2). */
int atomicfile_write(
    int dirfd, const char *path, const void *data, size_t len, mode_t mode);

/* The same for a file that is only looked at, such as a status: readers see the
 * old or the new content, but nothing is made durable. */
int atomicfile_show(
    int dirfd, const char *path, const void *data, size_t len, mode_t mode);

/* Read all of PATH, at most MAX bytes; *DATA (NUL-terminated beyond *LEN) is
 * the caller's to free.  EFBIG if it is longer. */
int atomicfile_read(
    int dirfd, const char *path, size_t max, char **data, size_t *len);

/* The same from an open descriptor (standard input), up to its end. */
int atomicfile_read_fd(int fd, size_t max, char **data, size_t *len);

/* rename(2) from one name to another and fsync of both directories. */
int atomicfile_rename(int olddir, const char *from, int newdir, const char *to);

/* pwrite(2) until all LEN bytes are written or it fails; no fsync. */
int atomicfile_pwrite(int fd, const void *data, size_t len, off_t offset);

/* Is there such a file?  1, 0; or -1 with errno: nobody knows, which is not the
 * same as no. */
int atomicfile_exists(int dirfd, const char *path);

/* unlink(2) and fsync of the directory; ENOENT is success. */
int atomicfile_unlink(int dirfd, const char *path);

/* fsync the directory itself. */
int atomicfile_syncdir(int dirfd);

/* Make directory PATH (one level) unless it is there; returns a descriptor of
 * it (O_DIRECTORY|O_CLOEXEC), or -1.  The parent is fsynced when it is made. */
int atomicfile_mkdir(int dirfd, const char *path, mode_t mode);

/* Open (O_CREAT) and write-lock PATH with an open-file-description lock, that
 * vanishes when the descriptor is closed.  -1 with EWOULDBLOCK if another has
 * it. */
int atomicfile_lock(int dirfd, const char *path);

/* Lock an open descriptor likewise. */
int atomicfile_lock_fd(int fd);

#endif
