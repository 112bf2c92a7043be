/*
 * cmd: probing commands, generator -> manager -> prober (docs/protocol.md).
 *
 *	begin LIST CYCLE [from=N] [name=...] [descr=...] [key=value ...]
 *	    probe TECHNIQUE OPTIONS...
 *	ip ADDRESS LIST CYCLE
 *	end LIST CYCLE
 *	exit [now]
 *
 * Parsing is strict: unknown verb, unknown key, missing argument, trailing
 * junk are errors with a reason; nothing is half-done.  Words are separated by
 * runs of blanks and tabs; "..." groups a word of `begin' before `probe', and
 * what follows `probe' is left as it is.
 *
 * Nearly all lines are `ip' lines: they are read in place, without a copy, a
 * clearing or a call to libc.
 */
#ifndef COMMON_CMD_H
#define COMMON_CMD_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

enum cmd_verb { CMD_BEGIN, CMD_IP, CMD_END, CMD_EXIT };

#define CMD_NAME_MAX 42 /* list name with its NUL: see scan_name() */
#define CMD_DESCR_MAX 256 /* with its NUL */

struct cmd {
	enum cmd_verb verb;
	uint32_t list; /* list number, 0..2^31-1 */
	uint32_t cycle; /* Unix time of the cycle's start, not 0 */
	struct addr addr; /* ip: the target */
	uint64_t from; /* begin: number of the first ip, from 1 */
	char name[CMD_NAME_MAX]; /* begin: "" if not given */
	char descr[CMD_DESCR_MAX]; /* begin: "" if not given */
	const char *probe; /* begin: TECHNIQUE OPTIONS..., within the line */
	int now; /* exit now */
};

/*
 * Parse LINE (without \n; changed in place for `begin' only).  Returns NULL
 * and sets OUT->verb and the fields of that verb (the others keep what they
 * had), or a static reason, with OUT undefined.  The ip form is the fast path:
 * tens of nanoseconds, no allocation.
 */
const char *cmd_parse(char *line, struct cmd *out);

/*
 * Print C in canonical form, with \n, to BUF of SIZE bytes (at least
 * LINE_MAX_COMMAND + 1).  Returns the length, or -1 if it would be longer than
 * LINE_MAX_COMMAND or a description has a quote in it, which no line can say.
 */
int cmd_format(const struct cmd *c, char *buf, size_t size);

#endif
