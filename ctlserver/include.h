/*
 * include: the schedule of a monitor, put together of the operator's files.
 *
 *	monitors/ams-nl		monitor ams-nl		the monitor's own
 *				include team
 *	groups/team		list 1 ...		for all who include it
 *
 * A line `include NAME' stands for the lines of groups/NAME, which may include
 * others.  What is published has no such line: a monitor gets one text.  For each
 * line of the whole it is known where it comes from, so that an error is reported
 * where it can be mended.
 */
#ifndef CTLSERVER_INCLUDE_H
#define CTLSERVER_INCLUDE_H

#include <stddef.h>
#include <stdio.h>

#include "common/conf.h"

struct include_line {
	const char *file;
	int line; /* from 1; 0: of the file as a whole */
};

struct include {
	char *text; /* all of it, without an include */
	struct include_line *lines; /* nlines: where each comes from */
	size_t nlines;
	char **files; /* nfiles, all names of the above */
	size_t nfiles;
	int errors;
	FILE *out;
	conf_error_cb cb;
	void *arg;
};

/* Put together the file PATH.  0, or -1: there were errors, each given to CB.  For
 * include_clear() also then. */
int include_load(
    struct include *inc, const char *path, conf_error_cb cb, void *arg);
void include_clear(struct include *inc);

/* Where LINE of the text comes from. */
struct include_line include_where(const struct include *inc, int line);

/* A conf_error_cb for who reads the text, with ARG the struct include: gives the
 * error to its CB, where it belongs. */
void include_error(void *arg, const char *file, int line, const char *reason);

#endif
