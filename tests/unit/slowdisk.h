/*
 * slowdisk: stands in front of fdatasync(2).  While it is held back, each call
 * waits for slowdisk_let(), which says what comes of it; who waits is counted.
 * Include it in one file of a test.
 */
#ifndef TESTS_UNIT_SLOWDISK_H
#define TESTS_UNIT_SLOWDISK_H

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t moved;
	int held; /* calls wait */
	int calls, let; /* that came, that may go */
	int err; /* of the one that goes next; 0: it is done */
	int fds[64]; /* of the first calls */
	pthread_t thread; /* of the last one */
	sigset_t blocked; /* in it */
} slowdisk = {
    .mutex = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};

int
fdatasync(int fd)
{
	int number, err;

	pthread_mutex_lock(&slowdisk.mutex);
	number = slowdisk.calls++;
	if (number < 64)
		slowdisk.fds[number] = fd;
	slowdisk.thread = pthread_self();
	pthread_sigmask(SIG_BLOCK, NULL, &slowdisk.blocked);
	pthread_cond_broadcast(&slowdisk.moved);
	while (slowdisk.held && number >= slowdisk.let)
		pthread_cond_wait(&slowdisk.moved, &slowdisk.mutex);
	err = slowdisk.err;
	slowdisk.err = 0;
	pthread_mutex_unlock(&slowdisk.mutex);
	if (err == 0)
		return (int)syscall(SYS_fdatasync, fd);
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
