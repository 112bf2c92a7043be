#include "dataserver/dataserver.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/log.h"
#include "common/segment_recover.h"
#include "common/xmalloc.h"

#define TRIES 3
#define TRY_S 2

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
	int inotify_fd;
	struct event *ev_state, *timer;
	struct waiter *waiters;
	int tries; /* so far; 0: idle */
	uint64_t next; /* state/next at the start */
	struct timespec stamp; /* of state/writer before the signal */
};

static void
set_timer(struct rotate *r, long s)
{
	const struct timeval tv = {.tv_sec = s};

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
stamp_of(struct rotate *r, struct timespec *out)
{
	struct stat st;

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
	if (stamp_of(r, &r->stamp) == 0 && segment_dir_holder(r->d) == pid &&
	    syscall(SYS_pidfd_send_signal, fd, SIGUSR1, NULL, 0) == -1)
		log_warn("cannot signal the prober, process %ld: %s", (long)pid,
		    strerror(errno));
	close(fd);
}

static void
try_once(struct rotate *r)
{
	pid_t pid;

	if (r->tries == TRIES) {
		log_warn("the prober does not answer SIGUSR1");
		finish(r, ROTATE_BUSY);
		return;
	}
	r->tries++;
	set_timer(r, TRY_S);
	pid = segment_dir_holder(r->d);
	if (pid != 0)
		signal_holder(r, pid);
	else
		seal_for_the_dead(r);
}

static void
on_timer(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	try_once(arg);
}

static void
on_state(int fd, short what, void *arg)
{
	struct rotate *r = arg;
	struct timespec now;
	char buf[4096];

	(void)what;
	while (read(fd, buf, sizeof(buf)) > 0)
		continue;
	if (r->tries == 0 || stamp_of(r, &now) == -1)
		return;
	if (now.tv_sec != r->stamp.tv_sec || now.tv_nsec != r->stamp.tv_nsec)
		finish(r, result_of(r));
}

struct rotate *
rotate_new(struct event_base *base, struct segment_dir *d, const char *dir)
{
	struct rotate *r = xcalloc(1, sizeof(*r));
	char *state = xasprintf("%s/state", dir);

	r->d = d;
	r->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (r->inotify_fd == -1 ||
	    inotify_add_watch(r->inotify_fd, state, IN_ATTRIB) == -1)
		log_fatal(EXIT_TEMPORARY, "%s: cannot be watched: %s", state,
		    strerror(errno));
	free(state);
	r->timer = event_new(base, -1, 0, on_timer, r);
	r->ev_state =
	    event_new(base, r->inotify_fd, EV_READ | EV_PERSIST, on_state, r);
	if (r->timer == NULL || r->ev_state == NULL ||
	    event_add(r->ev_state, NULL) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot watch a descriptor");
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
	event_free(r->ev_state);
	close(r->inotify_fd);
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
