#include "common/syncer.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "common/thread.h"
#include "common/xmalloc.h"

struct syncer {
	int may_start, started; /* a thread */
	pthread_t thread;
	pthread_mutex_t mutex; /* over all that follows */
	pthread_cond_t more, done;
	struct syncer_job *first, **last; /* not yet begun */
	int stop;
};

static void
do_work(struct syncer_job *j)
{
	j->err = j->work(j->arg) == -1 ? errno : 0;
	j->state = SYNCER_DONE;
}

/* --- the thread ----------------------------------------------------------- */

/* The next job, taken out of the queue; NULL: no more will come. */
static struct syncer_job *
next_job(struct syncer *s)
{
	struct syncer_job *j;

	while (s->first == NULL && !s->stop)
		pthread_cond_wait(&s->more, &s->mutex);
	j = s->first;
	if (j != NULL)
		s->first = j->next;
	if (s->first == NULL)
		s->last = &s->first;
	return j;
}

static void *
run(void *arg)
{
	struct syncer *s = arg;
	struct syncer_job *j;

	pthread_mutex_lock(&s->mutex);
	while ((j = next_job(s)) != NULL) {
		pthread_mutex_unlock(&s->mutex);
		/* From the end of this on J is its owner's. */
		do_work(j);
		pthread_mutex_lock(&s->mutex);
		pthread_cond_signal(&s->done);
	}
	pthread_mutex_unlock(&s->mutex);
	return NULL;
}

/* --- the owner ------------------------------------------------------------ */

struct syncer *
syncer_new(void)
{
	struct syncer *s = xcalloc(1, sizeof(*s));

	s->may_start = 1;
	s->last = &s->first;
	if (pthread_mutex_init(&s->mutex, NULL) != 0 ||
	    pthread_cond_init(&s->more, NULL) != 0 ||
	    pthread_cond_init(&s->done, NULL) != 0)
		abort();
	return s;
}

void
syncer_free(struct syncer *s)
{
	if (s == NULL)
		return;
	if (s->started) {
		pthread_mutex_lock(&s->mutex);
		s->stop = 1;
		pthread_cond_signal(&s->more);
		pthread_mutex_unlock(&s->mutex);
		pthread_join(s->thread, NULL);
	}
	pthread_cond_destroy(&s->done);
	pthread_cond_destroy(&s->more);
	pthread_mutex_destroy(&s->mutex);
	free(s);
}

void
syncer_submit(struct syncer_job *j, syncer_work work, void *arg)
{
	struct syncer *s = j->by;

	assert(j->state == SYNCER_IDLE);
	j->work = work;
	j->arg = arg;
	j->next = NULL;
	if (s != NULL && s->may_start) {
		s->may_start = 0;
		s->started = thread_start(&s->thread, run, s) == 0;
	}
	if (s == NULL || !s->started) {
		do_work(j);
		return;
	}
	j->state = SYNCER_GIVEN;
	pthread_mutex_lock(&s->mutex);
	*s->last = j;
	s->last = &j->next;
	pthread_cond_signal(&s->more);
	pthread_mutex_unlock(&s->mutex);
}

int
syncer_result(struct syncer_job *j)
{
	struct syncer *s = j->by;

	assert(j->state != SYNCER_IDLE);
	if (j->state != SYNCER_DONE) {
		pthread_mutex_lock(&s->mutex);
		while (j->state != SYNCER_DONE)
			pthread_cond_wait(&s->done, &s->mutex);
		pthread_mutex_unlock(&s->mutex);
	}
	j->state = SYNCER_IDLE;
	errno = j->err;
	return j->err == 0 ? 0 : -1;
}
