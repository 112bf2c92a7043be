#include "common/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/child_jail.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/xmalloc.h"

#define BACKOFF_MIN_NS (1 * NS_PER_SEC)
#define BACKOFF_MAX_NS (60 * NS_PER_SEC)

enum child_state {
	WAITING, /* timer: start */
	RUNNING, /* timer: SIGKILL, if it was asked to end */
	STOPPED, /* timer: tell that no restart comes, if that is owed */
};

struct child {
	struct child_config cfg;
	const struct child_ops *ops;
	void *arg;
	struct event *timer;
	struct event *sigchld;
	enum child_state state;
	pid_t pid; /* and process group */
	int status; /* of the last run */
	int stopping;
	int64_t started_ns;
	int64_t backoff_ns; /* the next pause */
};

static void
set_timer(struct child *c, int64_t ns)
{
	struct timeval tv = {
	    .tv_sec = ns / NS_PER_SEC, .tv_usec = ns % NS_PER_SEC / NS_PER_US};

	if (event_add(c->timer, &tv) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
}

/* --- in the child, between fork and exec */

/* Handlers are reset by exec, but a signal ignored here stays ignored there;
 * and none of our handlers may run in the child before exec: libevent's would
 * write into the parent's socket pair. */
static void
reset_signals(void)
{
	sigset_t none;

	for (int s = 1; s < NSIG; s++)
		signal(s, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* A missing or unusable program will not appear by itself. */
static int
exec_exit_code(int err)
{
	switch (err) {
	case EAGAIN:
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EIO:
	case ETXTBSY:
		return EXIT_TEMPORARY;
	default:
		return EXIT_PERMANENT;
	}
}

static _Noreturn void
fail(const char *what)
{
	int err = errno;

	/* Of a script it is what its first line names that is not there. */
	if (err == ENOENT && access(what, X_OK) == 0)
		log_warn("%s: its interpreter: %s", what, strerror(err));
	else
		log_warn("%s: %s", what, strerror(err));
	_exit(exec_exit_code(err));
}

static _Noreturn void
run(const struct child_config *cfg, int in, int out)
{
	const char *what;

	setpgid(0, 0);
	reset_signals();
	if (cfg->dir != NULL && chdir(cfg->dir) == -1)
		fail(cfg->dir);
	what = cfg->jail != NULL ? child_jail_enter(cfg->jail) : NULL;
	if (what != NULL)
		fail(what);
	if (dup2(in, STDIN_FILENO) == -1 || dup2(out, STDOUT_FILENO) == -1)
		fail("dup2");
	if (cfg->fd_err > STDERR_FILENO &&
	    dup2(cfg->fd_err, STDERR_FILENO) == -1)
		fail("dup2");
	for (char *const *e = cfg->env; e != NULL && *e != NULL; e++)
		putenv(*e);
	execvp(cfg->argv[0], cfg->argv);
	fail(cfg->argv[0]);
}

/* --- starting */

/* Both ends above 2, so that dup2 in the child never meets its own source. */
static int
pipe_above(int fds[2])
{
	int low[2];

	if (pipe2(low, O_CLOEXEC) == -1)
		return -1;
	fds[0] = fcntl(low[0], F_DUPFD_CLOEXEC, 3);
	fds[1] = fcntl(low[1], F_DUPFD_CLOEXEC, 3);
	close(low[0]);
	close(low[1]);
	if (fds[0] != -1 && fds[1] != -1)
		return 0;
	if (fds[0] != -1)
		close(fds[0]);
	if (fds[1] != -1)
		close(fds[1]);
	return -1;
}

static void
close_pair(int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

/* Fork with all signals blocked in the child until it has reset them. */
static pid_t
start_process(const struct child_config *cfg, int in, int out)
{
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = fork();
	if (pid == 0)
		run(cfg, in, out);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (pid > 0)
		setpgid(pid, pid); /* whoever comes first */
	return pid;
}

static void ended(struct child *c, int status);

static int
start_with_pipes(struct child *c, int to[2], int from[2])
{
	if (pipe_above(to) == -1)
		return -1;
	if (pipe_above(from) == -1) {
		close_pair(to);
		return -1;
	}
	c->pid = start_process(&c->cfg, to[0], from[1]);
	if (c->pid == -1) {
		close_pair(to);
		close_pair(from);
		return -1;
	}
	close(to[0]);
	close(from[1]);
	fcntl(to[1], F_SETFL, O_NONBLOCK);
	fcntl(from[0], F_SETFL, O_NONBLOCK);
	return 0;
}

static void
start(struct child *c)
{
	int to[2], from[2];

	/* One that outlived a manager that was killed must not meet this one. */
	if (c->cfg.jail != NULL)
		child_jail_sweep(c->cfg.jail);
	c->started_ns = clock_mono_ns();
	if (start_with_pipes(c, to, from) == -1) {
		log_warn(
		    "cannot start %s: %s", c->cfg.argv[0], strerror(errno));
		ended(c, W_EXITCODE(EXIT_TEMPORARY, 0));
		return;
	}
	c->state = RUNNING;
	c->ops->started(c, c->pid, from[0], to[1], c->arg);
}

/* --- ending */

static int
is_restarted(const struct child *c, int status)
{
	if (!c->cfg.restart || c->stopping)
		return 0;
	return !(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_PERMANENT);
}

/* The callback may free C: nothing is touched behind it. */
static void
ended(struct child *c, int status)
{
	int64_t pause_ns = -1;

	event_del(c->timer);
	c->status = status;
	c->state = STOPPED;
	if (is_restarted(c, status)) {
		if (clock_mono_ns() - c->started_ns >= CHILD_HEALTHY_NS)
			c->backoff_ns = c->cfg.backoff_min_ns;
		pause_ns = c->backoff_ns;
		c->backoff_ns *= 2;
		if (c->backoff_ns > c->cfg.backoff_max_ns)
			c->backoff_ns = c->cfg.backoff_max_ns;
		c->state = WAITING;
		set_timer(c, pause_ns);
	}
	c->ops->ended(c, status, pause_ns, c->arg);
}

/* What is left of the group goes with its leader; done while the leader is a
 * zombie, since its number cannot mean another group as long. */
static void
reap(struct child *c, int *status)
{
	kill(-c->pid, SIGKILL);
	while (waitpid(c->pid, status, 0) == -1 && errno == EINTR)
		continue;
	if (c->cfg.jail != NULL)
		child_jail_sweep(c->cfg.jail);
}

static void
on_sigchld(int signo, short what, void *arg)
{
	struct child *c = arg;
	siginfo_t info = {0};
	int status = 0;

	(void)signo;
	(void)what;
	if (c->state != RUNNING)
		return;
	if (waitid(P_PID, (id_t)c->pid, &info, WEXITED | WNOHANG | WNOWAIT) ==
		-1 ||
	    info.si_pid == 0)
		return;
	reap(c, &status);
	ended(c, status);
}

static void
on_timer(int fd, short what, void *arg)
{
	struct child *c = arg;

	(void)fd;
	(void)what;
	switch (c->state) {
	case WAITING:
		start(c);
		break;
	case RUNNING:
		kill(-c->pid, SIGKILL);
		break;
	case STOPPED:
		c->ops->ended(c, c->status, -1, c->arg);
		break;
	}
}

/* --- the interface */

struct child *
child_new(struct event_base *base, const struct child_config *cfg,
    const struct child_ops *ops, void *arg)
{
	struct child *c = xcalloc(1, sizeof(*c));

	c->cfg = *cfg;
	if (c->cfg.backoff_min_ns == 0)
		c->cfg.backoff_min_ns = BACKOFF_MIN_NS;
	if (c->cfg.backoff_max_ns == 0)
		c->cfg.backoff_max_ns = BACKOFF_MAX_NS;
	c->backoff_ns = c->cfg.backoff_min_ns;
	c->ops = ops;
	c->arg = arg;
	c->timer = evtimer_new(base, on_timer, c);
	c->sigchld = evsignal_new(base, SIGCHLD, on_sigchld, c);
	/* Before the first fork: no end is missed. */
	if (c->timer == NULL || c->sigchld == NULL ||
	    event_add(c->sigchld, NULL) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot watch for children");
	set_timer(c, 0);
	return c;
}

void
child_stop(struct child *c, int64_t grace_ns)
{
	if (c->stopping)
		return;
	c->stopping = 1;
	switch (c->state) {
	case WAITING:
		c->state = STOPPED;
		set_timer(c, 0);
		break;
	case RUNNING:
		kill(-c->pid, SIGTERM);
		set_timer(c, grace_ns);
		break;
	case STOPPED:
		break;
	}
}

void
child_free(struct child *c)
{
	int status;

	if (c == NULL)
		return;
	event_free(c->timer);
	event_free(c->sigchld);
	if (c->state == RUNNING)
		reap(c, &status);
	free(c);
}

const char *
child_status(int status, char *buf, size_t size)
{
	if (WIFEXITED(status))
		snprintf(buf, size, "exit %d", WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		snprintf(buf, size, "killed by signal %d", WTERMSIG(status));
	else
		snprintf(buf, size, "wait status %#x", (unsigned int)status);
	return buf;
}
