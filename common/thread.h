/*
 * thread: start a helper thread, one that no signal finds.
 *
 * The programs are single threaded; what a second thread may do is one narrow
 * thing each (segment_hash, syncer), and signals are for the first.  This is
 * the start only: who starts a thread has its queue, and ends and joins it.
 */
#ifndef COMMON_THREAD_H
#define COMMON_THREAD_H

#include <pthread.h>

/* Start run(ARG) as thread T, all signals blocked; the caller's mask is as it
 * was.  -1: there is no thread to be had, and T is nothing. */
int thread_start(pthread_t *t, void *(*run)(void *), void *arg);

#endif
