/*
 * genopts: the options that all List Generators in C have.  A program's own
 * context begins with a struct genopts; its option table begins with
 * GENOPTS_ROWS.
 *
 *	struct list { struct genopts opt; ... };
 *	static const struct prog_opt options[] = {GENOPTS_ROWS, {own}, {0}};
 */
#ifndef LISTGEN_GENOPTS_H
#define LISTGEN_GENOPTS_H

#include "common/prog.h"
#include "listgen/exclude.h"
#include "listgen/gen.h"

struct genopts {
	struct gen_config cfg;
	struct exclude exclude;
	int verbose;
};

/* Each is the function of a row; CTX begins with a struct genopts. */
const char *genopts_probe(void *ctx, const char *arg);
const char *genopts_descr(void *ctx, const char *arg);
const char *genopts_interval(void *ctx, const char *arg);
const char *genopts_list(void *ctx, const char *arg);
const char *genopts_name(void *ctx, const char *arg);
const char *genopts_repeat(void *ctx, const char *arg);
const char *genopts_state(void *ctx, const char *arg);
const char *genopts_verbose(void *ctx, const char *arg);
const char *genopts_exclude(void *ctx, const char *arg);

/* clang-format off */
#define GENOPTS_ROWS \
    {'c', "command", "PROBE", "how to probe, default \"trace\"", \
	genopts_probe}, \
    {'d', "descr", "TEXT", "description of the list", genopts_descr}, \
    {'i', "interval", "TIME", \
	"between the starts of two cycles, default 1s", genopts_interval}, \
    {'l', "list", "NUMBER", "list number, default $SCAMPER_LIST or 1", \
	genopts_list}, \
    {'n', "name", "NAME", "list name, default $SCAMPER_LIST_NAME", \
	genopts_name}, \
    {'r', "repeat", NULL, "cycle after cycle, for ever", genopts_repeat}, \
    {'s', "state", "FILE", "keep the position here, continue from it", \
	genopts_state}, \
    {'v', "verbose", NULL, "say more; twice: still more", genopts_verbose}, \
    {'x', "exclude", "FILE", "leave out the prefixes in FILE; repeatable", \
	genopts_exclude}
/* clang-format on */

/*
 * Fill in O (which CTX begins with): defaults, environment, then the command
 * line through TABLE, as prog_options() does.  Logging is set up.  Returns the
 * index of the first operand; what is wrong ends the program (100).
 */
int genopts_parse(const struct prog_usage *usage, const struct prog_opt *table,
    int argc, char **argv, struct genopts *o);

#endif
