/*
 * schedule: the weighted schedule of a monitor (schedule(5)).
 *
 *	monitor NAME
 *	list NUMBER name=NAME weight=N [descr="..."] [LIMIT...]
 *	    run PROGRAM ARGUMENT...
 *	file LIST NAME on-change=DIRECTIVE [sha256=HASH size=BYTES]
 *	code NAME [on-change=DIRECTIVE] [sha256=HASH size=BYTES]
 *	idle		there is no list, on purpose
 *
 * Read by the List Manager, which runs it, and by the publisher, which checks
 * it for others and puts the hashes in.  It is also the body of the text that
 * assigns a monitor its work (signed.h).  A schedule is valid as a whole or not
 * at all; every error of a file is reported.  The canonical form parses again
 * to the same schedule.
 */
#ifndef COMMON_SCHEDULE_H
#define COMMON_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "common/cmd.h"
#include "common/conf.h"

#define SCHEDULE_WEIGHT_MAX 1000
#define SCHEDULE_LISTS_MAX 1000
#define SCHEDULE_FILES_MAX 4000
#define SCHEDULE_CODES_MAX 1000
#define SCHEDULE_SHA_LEN 32

/* What the generator is told when a file or a program has changed.  Of several
 * changes at once the greatest is done, once. */
enum schedule_change {
	SCHEDULE_NONE, /* nothing: it looks by itself, or at its next start */
	SCHEDULE_UPDATE, /* `update FILE' */
	SCHEDULE_NEW_CYCLE, /* `new-cycle', after `update FILE' */
	SCHEDULE_RESTART, /* it is stopped and started again */
};

/* The word of it. */
const char *schedule_change_name(enum schedule_change change);

#define SCHEDULE_LINE_MIN 64 /* bytes */
#define SCHEDULE_MEMORY_MIN (1u << 20) /* bytes */
#define SCHEDULE_NEVER UINT32_MAX /* a time */

/* What a generator may do; 0 where nothing is said. */
struct schedule_limits {
	uint32_t rate; /* targets per second */
	uint32_t line; /* bytes of a line with its \n */
	uint32_t processes;
	uint32_t crowded_s; /* at the limit of processes; SCHEDULE_NEVER */
	uint32_t quiet_s; /* silence in an open cycle; SCHEDULE_NEVER */
	uint64_t memory; /* bytes, of each process */
	uint64_t targets; /* of a cycle */
};

struct schedule_list {
	uint32_t number;
	uint32_t weight; /* 1..SCHEDULE_WEIGHT_MAX */
	char name[CMD_NAME_MAX];
	char descr[CMD_DESCR_MAX]; /* "" if not given */
	struct schedule_limits limits;
	char **argv; /* argc words and a NULL */
	int argc;
	int line; /* of the file */
};

/* A file in the folder of a list's generator, or a program in that of all. */
struct schedule_file {
	uint32_t list; /* file: number of a list that is there; code: 0 */
	char name[CMD_NAME_MAX]; /* of the file, in no other folder */
	enum schedule_change on_change; /* code: NONE or RESTART */
	int has_object; /* sha and size are given */
	uint8_t sha[SCHEDULE_SHA_LEN]; /* SHA-256 */
	uint64_t size; /* bytes */
	int line; /* of the file */
};

struct schedule {
	char monitor[CMD_NAME_MAX];
	struct schedule_list *lists; /* nlists, in the order of the file */
	size_t nlists; /* 0: idle */
	struct schedule_file *files; /* nfiles, as they come */
	size_t nfiles;
	struct schedule_file *codes; /* ncodes, as they come */
	size_t ncodes;
};

/* Whether the programs must be there and executable on this host. */
enum schedule_check { SCHEDULE_CHECK_TEXT, SCHEDULE_CHECK_PROGRAMS };

/* Read PATH ("-": standard input).  NULL if there was any error, each given
 * to CB; else the caller's, for schedule_free(). */
struct schedule *schedule_load(
    const char *path, enum schedule_check check, conf_error_cb cb, void *arg);

/* The same from memory; NAME stands for the file in messages. */
struct schedule *schedule_parse(const char *name, const char *text,
    enum schedule_check check, conf_error_cb cb, void *arg);

void schedule_free(struct schedule *s);

/* The canonical form, allocated.  It parses again. */
char *schedule_print(const struct schedule *s);

/* The list of that number, or NULL. */
const struct schedule_list *
schedule_find(const struct schedule *s, uint32_t number);

/* The code line that list L runs, or NULL: a program of the host's own. */
const struct schedule_file *
schedule_code_of(const struct schedule *s, const struct schedule_list *l);

#endif
