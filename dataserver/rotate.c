#include "dataserver/dataserver.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/log.h"
#include "common/segment_recover.h"
#include "common/xmalloc.h"

#define TRIES 3
#define TRY_MS 2000
#define LOOK_MS 2 /* the first look; then twice as long each time */
#define LOOK_MAX_MS 50

struct waiter {
	void (*done)(void *arg, enum rotate_result result);
	void *arg;
	struct waiter *next;
};

/*
 * The holder answers a signal by sealing (state/next moves), and in any case
 * by stamping state/writer: that is how "nothing to seal" is told from "does
 * not answer".  Both are seen by a watch on state/.
 */
struct rotate {
	struct segment_dir *d;
	struct event *timer;
	struct waiter *waiters;
	int tries; /* so far; 0: idle */
	long look_ms, left_ms; /* to the next look; of this try */
	uint64_t next; /* state/next at the start */
	struct timespec stamp; /* of state/writer before the signal */
};

static void
set_timer(struct rotate *r)
{
	const struct timeval tv = {.tv_usec = r->look_ms * 1000};

	if (event_add(r->timer, &tv) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
}

static void
finish(struct rotate *r, enum rotate_result result)
{
	struct waiter *w;

	event_del(r->timer);
	r->tries = 0;
	while ((w = r->waiters) != NULL) {
		r->waiters = w->next;
		w->done(w->arg, result);
		free(w);
	}
}

static int
load(struct rotate *r)
{
	const char *why;

	if (segment_dir_load(r->d, &why) == 0)
		return 0;
	log_warn("state/%s: %s", why, strerror(errno));
	return -1;
}

/* What has become of state/next since the request. */
static enum rotate_result
result_of(struct rotate *r)
{
	if (load(r) == -1)
		return ROTATE_BUSY;
	return r->d->next != r->next ? ROTATE_OK : ROTATE_NONE;
}

static int
stamp_of(const struct rotate *r, struct timespec *out)
{
	struct stat st;

	memset(out, 0, sizeof(*out));
	if (fstatat(r->d->state, "writer", &st, 0) == -1)
		return -1;
	*out = st.st_mtim;
	return 0;
}

/* Nobody writes: seal what a dead writer left, as its successor would. */
static void
seal_for_the_dead(struct rotate *r)
{
	struct segment_recovered rec = {.sealed = 0};
	const char *why = "state/lock";
	int lock = segment_dir_lock(r->d), rc;

	/* Somebody is just starting, and will do it. */
	if (lock == -1 && errno == EWOULDBLOCK)
		return;
	rc = lock == -1 || load(r) == -1 ? -1
					 : segment_recover(r->d, &rec, &why);
	if (rc == -1)
		log_warn("cannot seal what a dead writer left: %s: %s", why,
		    strerror(errno));
	if (lock != -1)
		close(lock);
	finish(r,
	    rc == -1		 ? ROTATE_BUSY
		: rec.sealed > 0 ? ROTATE_OK
				 : ROTATE_NONE);
}

/*
 * Signal the holder and nobody else.  The pidfd is of whatever process had
 * that number when it was taken; if the lock then still names that number, the
 * process is the holder, or it is dead and the signal goes nowhere.
 */
static void
signal_holder(struct rotate *r, pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd == -1)
		return;
	if (segment_dir_holder(r->d) == pid &&
	    syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0) == -1)
		log_warn("cannot signal the prober, process %ld: %s", (long)pid,
		    strerror(errno));
	close(fd);
}

static void
try_once(struct rotate *r)
{
	int has_stamp;
	pid_t pid;

	if (r->tries == TRIES) {
		log_warn("the prober does not answer SIGUSR1");
		finish(r, ROTATE_BUSY);
		return;
	}
	r->tries++;
	r->look_ms = LOOK_MS;
	r->left_ms = TRY_MS;
	set_timer(r);
	has_stamp = stamp_of(r, &r->stamp) == 0;
	pid = segment_dir_holder(r->d);
	if (pid == 0)
		seal_for_the_dead(r);
	else if (has_stamp)
		signal_holder(r, pid);
}

static void
on_timer(int fd, short what, void *arg)
{
	struct rotate *r = arg;
	struct timespec now;

	(void)fd;
	(void)what;
	if (stamp_of(r, &now) == 0 &&
	    (now.tv_sec != r->stamp.tv_sec ||
		now.tv_nsec != r->stamp.tv_nsec)) {
		finish(r, result_of(r));
		return;
	}
	r->left_ms -= r->look_ms;
	if (r->left_ms <= 0) {
		try_once(r);
		return;
	}
	r->look_ms =
	    2 * r->look_ms < LOOK_MAX_MS ? 2 * r->look_ms : LOOK_MAX_MS;
	set_timer(r);
}

struct rotate *
rotate_new(struct event_base *base, struct segment_dir *d)
{
	struct rotate *r = xcalloc(1, sizeof(*r));

	r->d = d;
	r->timer = event_new(base, -1, 0, on_timer, r);
	if (r->timer == NULL)
		log_fatal(EXIT_TEMPORARY, "out of memory");
	return r;
}

void
rotate_free(struct rotate *r)
{
	struct waiter *w;

	while ((w = r->waiters) != NULL) {
		r->waiters = w->next;
		free(w);
	}
	event_free(r->timer);
	free(r);
}

void
rotate_ask(struct rotate *r, void (*done)(void *arg, enum rotate_result result),
    void *arg)
{
	struct waiter *w = xcalloc(1, sizeof(*w));

	w->done = done;
	w->arg = arg;
	w->next = r->waiters;
	r->waiters = w;
	if (r->tries > 0)
		return;
	if (load(r) == -1) {
		finish(r, ROTATE_BUSY);
		return;
	}
	r->next = r->d->next;
	try_once(r);
}

void
rotate_forget(struct rotate *r, void *arg)
{
	struct waiter **p = &r->waiters, *w;

	while ((w = *p) != NULL) {
		if (w->arg == arg) {
			*p = w->next;
			free(w);
		} else
			p = &w->next;
	}
}
