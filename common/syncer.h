/*
 * syncer: fdatasync(2) in a second thread, so that who writes a file need not
 * stand still while the disk works.
 *
 *	owner	write ─► submit ─► other things; done? ... done ─► result
 *	                   │ jobs, in order                          ▲
 *	thread             └────────► fdatasync(fd) ─────────────────┘
 *
 * A job is one sync of one file:
 *
 *	IDLE	its owner's; no sync of the file is under way
 *	GIVEN	waits for its turn, or is being done.  Nobody but the thread
 *		touches the job; the descriptor stays open
 *	DONE	fdatasync(2) has returned; the owner has yet to take the result
 *
 *	submit: IDLE ─► GIVEN.  The thread: GIVEN ─► DONE.  result: waits while
 *	GIVEN; DONE ─► IDLE.
 *
 * Who owns a job writes nothing to the file, nor cuts, seals, renames or closes
 * it, until the job is IDLE again.  So what a result of 0 has made durable is
 * the file as it is, to its last byte, and nobody has to remember what it was
 * when the sync began; and after -1 all is as after a failed fdatasync(2) of
 * one's own: the descriptor is not synced again and believed.  (A write(2)
 * beside a sync would not be quick either: the kernel often has it wait.)
 *
 * All that both threads touch is the queue, below the mutex, and the state of
 * a job, which is atomic: what was written before it is seen after it.  The
 * thread calls nothing but fdatasync(2) and waits, takes no signal, is started
 * by the first job and ends with syncer_free().  Without one (no syncer, or no
 * thread to be had) submit syncs by itself, and all else is as above.
 */
#ifndef COMMON_SYNCER_H
#define COMMON_SYNCER_H

struct syncer;

enum syncer_state { SYNCER_IDLE, SYNCER_GIVEN, SYNCER_DONE };

/* To begin with all is zero. */
struct syncer_job {
	struct syncer *by; /* the owner sets it; NULL: synced in submit */
	struct syncer_job *next;
	int fd, err; /* errno, 0: none */
	_Atomic int state; /* enum syncer_state */
};

/* No thread yet. */
struct syncer *syncer_new(void);
/* No job of it is GIVEN. */
void syncer_free(struct syncer *s); /* NULL: nothing */

/* Sync FD: J, which is IDLE and stays where it is, follows all that were
 * submitted before. */
void syncer_submit(struct syncer_job *j, int fd);

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
 * the errno of fdatasync(2). */
int syncer_result(struct syncer_job *j);

#endif
