/*
 * schedule_own: what the files of schedule share, and nobody else needs.
 *
 *	schedule.c		lines, lists, files, code
 *	schedule_limits.c	the keys of a list that limit its generator
 *	schedule_print.c	the canonical form
 */
#ifndef COMMON_SCHEDULE_OWN_H
#define COMMON_SCHEDULE_OWN_H

#include <stdio.h>

#include "common/schedule.h"

struct schedule_limit_key {
	const char *name;
	/* 0, or -1: VALUE is not what is wanted. */
	int (*set)(struct schedule_limits *l, const char *value);
	const char *want; /* "a number 1..9" */
};

/* Ends with a row without a name. */
extern const struct schedule_limit_key schedule_limit_keys[];

/* Those of L that were said, each with a blank before it. */
void schedule_limits_print(FILE *f, const struct schedule_limits *l);

#endif
