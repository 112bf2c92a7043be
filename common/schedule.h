/*
 * schedule: the weighted schedule of a monitor (schedule(5)).
 *
 *	monitor NAME
 *	list NUMBER name=NAME weight=N [descr="..."] run PROGRAM ARGUMENT...
 *
 * Read by the List Manager, which runs it, and by the publisher, which checks
 * it for others.  A schedule is valid as a whole or not at all; every error of
 * a file is reported.  The canonical form parses again to the same schedule.
 */
#ifndef COMMON_SCHEDULE_H
#define COMMON_SCHEDULE_H

#include <stddef.h>
#include <stdint.h>

#include "common/cmd.h"
#include "common/conf.h"

#define SCHEDULE_WEIGHT_MAX 1000
#define SCHEDULE_LISTS_MAX 1000

struct schedule_list {
	uint32_t number;
	uint32_t weight; /* 1..SCHEDULE_WEIGHT_MAX */
	char name[CMD_NAME_MAX];
	char descr[CMD_DESCR_MAX]; /* "" if not given */
	char **argv; /* argc words and a NULL */
	int argc;
	int line; /* of the file */
};

struct schedule {
	char monitor[CMD_NAME_MAX];
	struct schedule_list *lists; /* nlists, in the order of the file */
	size_t nlists;
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

#endif
