/*
 * child: start a program with pipes, reap it, restart it with back-off.
 *
 *	      child_new            it runs             it ends
 *	WAITING ------> (loop) ---> RUNNING ----------> ended: restart_ns -1
 *	   ^              started      |                   (no restart)
 *	   +---------------------------+ ended: restart_ns >= 0
 *
 * A child is a process group of its own: what is left of the group when its
 * leader ends is killed, and with a user of its own (child_jail.h) also what has
 * left the group.  It starts with default signals and none blocked, and
 * with no descriptor but 0, 1 and 2, because ours are all CLOEXEC.
 *
 * A program that cannot be run ends with exit 100 (it is not there, it may not
 * be run) or 111 (no memory, no process), with a line on standard error.
 */
#ifndef COMMON_CHILD_H
#define COMMON_CHILD_H

#include <stdint.h>
#include <sys/types.h>

struct event_base;
struct child;

struct child_jail;

struct child_config {
	char *const *argv; /* argv[0] is looked up in PATH; kept, not copied */
	char *const *env; /* NAME=VALUE to add, ends with NULL; may be NULL */
	const char *dir; /* working directory, or NULL */
	const struct child_jail *jail; /* kept; NULL: it may do what we may */
	int fd_err; /* what becomes its standard error; 0: ours. Kept */
	int restart; /* restart when it ends (not after exit 100) */
	int64_t backoff_min_ns; /* first pause before a restart; 0: 1 s */
	int64_t backoff_max_ns; /* doubles up to this; 0: 60 s */
};

struct child_ops {
	/* It runs: FD_IN reads its stdout, FD_OUT writes its stdin (both
	 * non-blocking, CLOEXEC, now the callee's). */
	void (*started)(
	    struct child *c, pid_t pid, int fd_in, int fd_out, void *arg);
	/* It ended.  STATUS as of waitpid(2); RESTART_NS is the pause before
	 * the next start, -1 if it is not restarted. */
	void (*ended)(
	    struct child *c, int status, int64_t restart_ns, void *arg);
};

/* Starts at once (callback from within the loop).  Uses SIGCHLD of BASE, which
 * libevent gives to one base at a time.  CFG and OPS: the struct of CFG is
 * copied, what it points to and OPS are kept.  Callbacks may free the child. */
struct child *child_new(struct event_base *base, const struct child_config *cfg,
    const struct child_ops *ops, void *arg);

/* Ask it to end: SIGTERM to its process group now, SIGKILL after GRACE_NS; no
 * restart. `ended' is still called, from the loop, also when it was waiting
 * for its next start (then with the status of its last run). */
void child_stop(struct child *c, int64_t grace_ns);

/* Forget it; if it still runs its process group is killed with SIGKILL
 * and waited for.  NULL is fine. */
void child_free(struct child *c);

/* A process that ran this long resets the back-off. */
#define CHILD_HEALTHY_NS (60LL * 1000000000LL)

/* Human reading of a wait status: "exit 1", "killed by signal 9". */
const char *child_status(int status, char *buf, size_t size);

#endif
