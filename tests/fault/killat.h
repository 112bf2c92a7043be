/*
 * killat: run a command, and strike at one of its system calls.  This is the
 * map of the program.
 *
 *	killat.c   options; the command under ptrace(2); what a strike does
 *	calls.c    the calls that count, and what each can fail with
 *	place.c    which file a call is about
 *	tracees.c  the threads of the command
 *	power.c    what of a directory would be left if the power failed now
 *
 *	killat -d DIR [-n N] [-a ACTION] [-c CALLS] [-p SEED] [-o FILE]
 *	       [-w SLOW] COMMAND...
 *
 * Counted are calls on files in DIR and on stream sockets, of all threads of the
 * command, but not of its children.  A seccomp(2) filter
 * stops the command at those in the table only, so that it is not much slower
 * than without.  -n 0 (the default) only counts; FILE is told
 *
 *	COUNT NAME PATH		of the call that was struck, - - if none was
 *
 * so that whoever enumerates knows when N is behind the last.
 *
 *	kill		SIGKILL in place of the call
 *	ENOSPC ...	the call does nothing and fails with that (EIO, EINTR;
 *			close(2) does close)
 *	ENOSPC+ ...	and so do all later ones
 *	ENOSPC+MS ...	... for so many milliseconds
 *	short		a write of more than one byte takes half of them
 *	skip		the call does nothing and says that it has
 *
 *	all		every call of the table
 *	change		what another can see: of files, directories, peers
 *	NAME,...	these calls
 *
 * With an error as the action those calls count that can fail with it.  With -p
 * the kill is a power cut: DIR is then what was synced (power.h).
 *
 * With -w the disk is slow: each fdatasync(2) in DIR begins, and counts, only
 * after so many milliseconds, or when the file of that name (it has a / in it)
 * is gone.  The thread waits for it, and only that.
 *
 * The exit status is that of the command, 137 if it was killed; 125 if there is
 * no such thing here.  x86-64 only: there calls can be changed in place.
 */
#ifndef KILLAT_H
#define KILLAT_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

/* --- calls.c ---------------------------------------------------------------- */

enum calls_where {
	CALLS_FD, /* argument 0 */
	CALLS_AT, /* 0: directory, 1: path */
	CALLS_AT1, /* 1: directory, 2: path */
};

/* What a call does, and can fail with. */
enum {
	CALLS_CHANGE = 1, /* what others see */
	CALLS_SYNC = 2, /* makes durable */
	CALLS_WRITE = 4, /* returns how much */
	CALLS_ENOSPC = 8,
	CALLS_EIO = 16,
	CALLS_EINTR = 32,
	CALLS_SHORT = 64,
};

struct calls_row {
	long nr;
	const char *name;
	enum calls_where where;
	unsigned int flags;
};

extern const struct calls_row calls_table[];
extern const size_t calls_count;

/* The row of call NR, or NULL. */
const struct calls_row *calls_find(long nr);

/* --- place.c: which file is it? ---------------------------------------------- */

/* The path that call C of process PID, with these registers, is about. */
void place_of(pid_t pid, const struct calls_row *c,
    const struct user_regs_struct *r, char path[PATH_MAX]);
/* Is that, of a call on FD or a path, in DIR or a stream socket? */
int place_is_ours(pid_t pid, const struct calls_row *c, int fd,
    const char *path, const char *dir);

/* --- tracees.c --------------------------------------------------------------- */

struct tracee {
	pid_t tid, process;
	/* Behind the next exit from a call. */
	const struct calls_row *syncing;
	int fail_at_exit, restore_at_exit;
	struct user_regs_struct before;
	/* Since then it stands at a call that the disk takes its time over; 0:
	 * it does not. */
	int64_t held_ns;
	int let_go; /* the call was held and is not any more */
};

/* That of TID, which is stopped. */
struct tracee *tracees_get(pid_t tid);
/* TID has ended. */
void tracees_gone(pid_t tid);
/* Number I, from 0, of those that are held; NULL: there are not so many. */
struct tracee *tracees_held(size_t i);

/* --- power.c ---------------------------------------------------------------- */

/* All that is below DIR now is durable. */
void power_begin(const char *dir);

/* FD of process PID has been synced. */
void power_synced(pid_t pid, int fd);

/*
 * Make DIR what a power cut leaves.  SEED 0: what was synced and nothing more.
 * Otherwise of each change that was not, by chance, it or what was before it; of
 * a file's bytes also a part of them.  A rename is done or not done: no file
 * that had a durable name and still has one is without any.
 */
void power_cut(unsigned int seed);

#endif
