/*
 * syncer: what waits for the disk, in a second thread, so that who owns a file
 * need not stand still.
 *
 *	owner	submit ─► other things; done? ... done ─► result
 *	          │ jobs, in order                          ▲
 *	thread    └────────► work(arg) ─────────────────────┘
 *
 * A job is a function that is called once per submission: write, sync, rename,
 * as many calls as belong together.  Its state:
 *
 *	IDLE	its owner's; nothing of it is under way
 *	GIVEN	waits for its turn, or is being done.  Nobody but the thread
 *		touches the job, and what the work works on
 *	DONE	the work has returned; the owner has yet to take the result
 *
 *	submit: IDLE ─► GIVEN.  The thread: GIVEN ─► DONE.  result: waits while
 *	GIVEN; DONE ─► IDLE.
 *
 * What the work works on (a file, its directory, the bytes to be written) is the
 * thread's as a whole until the job is IDLE again: the owner neither changes it
 * nor reads what the work changes.  So a work is written as if there were no
 * thread, and what its result says is true of the file as it is.
 *
 * All else that both threads touch is the queue, below the mutex, and the state
 * of a job, which is atomic: what was written before it is seen after it.  A
 * work does not log, nor call what is not its own.  The thread takes no signal,
 * is started by the first job and ends with syncer_free().  Without one (no
 * syncer, or no thread to be had) submit does the work itself, and all else is
 * as above.
 */
#ifndef COMMON_SYNCER_H
#define COMMON_SYNCER_H

struct syncer;

enum syncer_state { SYNCER_IDLE, SYNCER_GIVEN, SYNCER_DONE };

/* 0, or -1 with errno. */
typedef int (*syncer_work)(void *arg);

/* To begin with all is zero. */
struct syncer_job {
	struct syncer *by; /* the owner sets it; NULL: done in submit */
	struct syncer_job *next;
	syncer_work work;
	void *arg;
	int err; /* errno, 0: none */
	_Atomic int state; /* enum syncer_state */
};

/* No thread yet. */
struct syncer *syncer_new(void);
/* No job of it is GIVEN. */
void syncer_free(struct syncer *s); /* NULL: nothing */

/* Have WORK called with ARG: J, which is IDLE and stays where it is, follows all
 * that were submitted before. */
void syncer_submit(struct syncer_job *j, syncer_work work, void *arg);

/* Was it submitted, and the result not taken? */
static inline int
syncer_is_busy(const struct syncer_job *j)
{
	return j->state != SYNCER_IDLE;
}

/* Is the result there? */
static inline int
syncer_is_done(const struct syncer_job *j)
{
	return j->state == SYNCER_DONE;
}

/* Take the result of J, which is busy, waiting for it if need be: 0, or -1 with
 * the errno of the work. */
int syncer_result(struct syncer_job *j);

#endif
