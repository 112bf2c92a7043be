#include "common/thread.h"

#include <signal.h>
#include <stddef.h>

int
thread_start(pthread_t *t, void *(*run)(void *), void *arg)
{
	sigset_t all, old;
	int err;

	/* The mask is inherited: there is no moment in which one is taken. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	err = pthread_create(t, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return err == 0 ? 0 : -1;
}
