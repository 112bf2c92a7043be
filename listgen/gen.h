/*
 * gen: what every List Generator in C has in common (listgen(7)): it emits
 * begin, ip and end, obeys the line commands on standard input and keeps the
 * position.  Where the targets come from is the generator's own: struct
 * gen_source.
 *
 *	    next()            64 KiB           whole lines, <= PIPE_BUF each
 *	source ──► ip A L C ──► out buffer ──► poll, write ──► stdout
 *	                                        │
 *	stdin: ack N [end], update FILE, new-cycle, stop ──► position ──► state file
 *
 * The position is the number of targets of the cycle that were accepted: by
 * the acks when somebody acks, else by what standard output took.  It is
 * stored (position.h) at most once a second and at the end; a restart continues
 * the same cycle with from=accepted+1.
 *
 * Invariants.  A write is whole lines and waits for room first, so that a
 * generator never blocks where a command could not reach it, and never leaves
 * a cut line behind.  A cycle begins only when all of the one before it, with
 * its end, is accepted: an ack does not say of which cycle it speaks.
 */
#ifndef LISTGEN_GEN_H
#define LISTGEN_GEN_H

#include <stddef.h>
#include <stdint.h>

#define GEN_IDENTITY_MAX 512 /* with its NUL */

struct stat;

/* What a cycle is made of. */
struct gen_start {
	const char *file; /* the command line's, or an update's */
	uint32_t cycle; /* its id */
	int more; /* it is open since before a restart */
};

struct gen_source {
	/*
	 * Go to the first target of the cycle AT and say in ID what this list
	 * is: another text when its content or selection may have changed.
	 * With at->more ID has at entry what it was then, else it is of no
	 * meaning.  0, or -1 with the reason logged.
	 */
	int (*rewind)(
	    void *arg, const struct gen_start *at, char id[GEN_IDENTITY_MAX]);
	/*
	 * The next target as text in *TEXT, without NUL, good until the next
	 * call.  Returns its length, or 0 at the end of the list.
	 */
	size_t (*next)(void *arg, const char **text);
};

struct gen_config {
	uint32_t list;
	const char *name; /* "": none */
	const char *descr; /* "": none */
	const char *probe; /* TECHNIQUE OPTIONS... */
	const char *state; /* path of the state file, NULL: none */
	const char *file; /* given to rewind() */
	int repeat; /* cycle after cycle, not only one */
	int64_t interval_ns; /* between the starts of two cycles */
	/* A cycle's id is the last multiple of the interval since 1970, so that
	 * generators on different machines have the same; or, if there was such
	 * a cycle, one more than the last. */
	int aligned;
	int managed; /* a List Manager runs us: acks will come */
};

/* Fill in defaults: list, name and description from the environment of a
 * List Manager, else list 1.  NULL, or a static reason. */
const char *gen_defaults(struct gen_config *cfg);

/*
 * Emit cycles from SRC until done, told to stop, or nobody reads any more.
 * Returns the exit code; what went wrong is logged.
 */
int
gen_run(const struct gen_config *cfg, const struct gen_source *src, void *arg);

/* For a source's rewind(): append to ID what tells one content of the file ST
 * from another. */
void gen_identify(const struct stat *st, char id[GEN_IDENTITY_MAX]);

#endif
