/*
 * slowdisk: stands in front of what waits for a disk: fdatasync(2), fsync(2) and
 * renameat(2).  While it is held back, each call of another thread than the
 * first waits for slowdisk_let(), which says what comes of it; who waits is
 * counted.  A sync that fails loses what it should have made durable
 * (lostpages.h).  Include it in one file of a test.
 */
#ifndef TESTS_UNIT_SLOWDISK_H
#define TESTS_UNIT_SLOWDISK_H

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/unit/lostpages.h"

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t moved;
	int held; /* calls wait */
	const char *only; /* these count, and no others; NULL: all do */
	int calls, let; /* that came, that may go */
	int err; /* of the one that goes next; 0: it is done */
	int fds[64]; /* of the last calls */
	char names[64][12];
	pthread_t thread; /* of the last one */
	sigset_t blocked; /* in it */
} slowdisk = {
    .mutex = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

static inline int
slowdisk_is_held(int number)
{
	return slowdisk.held && number >= slowdisk.let &&
	    syscall(SYS_gettid) != getpid();
}

/* Wait until the call may go; 0, or the errno it ends with. */
static inline int
slowdisk_wait(const char *name, int fd)
{
	int number, err;

	if (slowdisk.only != NULL && strcmp(slowdisk.only, name) != 0)
		return 0;
	pthread_mutex_lock(&slowdisk.mutex);
	number = slowdisk.calls++;
	slowdisk.fds[number % 64] = fd;
	snprintf(slowdisk.names[number % 64], 12, "%s", name);
	slowdisk.thread = pthread_self();
	pthread_sigmask(SIG_BLOCK, NULL, &slowdisk.blocked);
	pthread_cond_broadcast(&slowdisk.moved);
	while (slowdisk_is_held(number))
		pthread_cond_wait(&slowdisk.moved, &slowdisk.mutex);
	err = slowdisk.err;
	slowdisk.err = 0;
	pthread_mutex_unlock(&slowdisk.mutex);
	return err;
}

static inline int
slowdisk_sync(const char *name, long nr, int fd)
{
	int rc, err = slowdisk_wait(name, fd);

	rc = err != 0 ? -1 : (int)syscall(nr, fd);
	lostpages_synced(fd, rc == -1);
	if (err != 0)
		errno = err;
	return rc;
}

int
fdatasync(int fd)
{
	return slowdisk_sync("fdatasync", SYS_fdatasync, fd);
}

int
fsync(int fd)
{
	return slowdisk_sync("fsync", SYS_fsync, fd);
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	int err = slowdisk_wait("rename", from_dir);

	if (err == 0)
		return (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
	errno = err;
	return -1;
}

/* From here on calls are held back, or not any more. */
static inline void
slowdisk_hold(int on)
{
	pthread_mutex_lock(&slowdisk.mutex);
	slowdisk.held = on;
	slowdisk.let = slowdisk.calls;
	pthread_cond_broadcast(&slowdisk.moved);
	pthread_mutex_unlock(&slowdisk.mutex);
}

/* Return when the N-th call, from 1, has come. */
static inline void
slowdisk_await(int n)
{
	pthread_mutex_lock(&slowdisk.mutex);
	while (slowdisk.calls < n)
		pthread_cond_wait(&slowdisk.moved, &slowdisk.mutex);
	pthread_mutex_unlock(&slowdisk.mutex);
}

/* What was said of the next one does not hold any more. */
static inline void
slowdisk_heal(void)
{
	pthread_mutex_lock(&slowdisk.mutex);
	slowdisk.err = 0;
	pthread_mutex_unlock(&slowdisk.mutex);
}

/* The next one ends, with ERR. */
static inline void
slowdisk_let(int err)
{
	pthread_mutex_lock(&slowdisk.mutex);
	slowdisk.err = err;
	slowdisk.let++;
	pthread_cond_broadcast(&slowdisk.moved);
	pthread_mutex_unlock(&slowdisk.mutex);
}

#endif
