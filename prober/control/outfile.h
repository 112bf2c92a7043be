/*
 * outfile: where results of sources go that are not clients: a file, the first of
 * which is that of -o, or the connection of a client; and what the commands of
 * the control socket have in common.
 *
 *	source ──► outfile ──► file			outfile open
 *	           (a name)  └► sink: a connection	outfile socket
 *	                ▲ ▲
 *	                └─┴── outfile swap: what is behind two names
 */
#ifndef PROBER_OUTFILE_H
#define PROBER_OUTFILE_H

#include <stdint.h>
#include <sys/queue.h>

#include "prober/output.h"

struct control;
struct client;

/* --- outfile.c ------------------------------------------------------------------ */

struct outfile {
	TAILQ_ENTRY(outfile) link;
	char *name, *path;
	struct output *o; /* a file, or a sink */
	unsigned int refs; /* feeds, and 1 of its own */
};

TAILQ_HEAD(outfile_list, outfile);

/* The output file of that name, or NULL. */
struct outfile *outfile_find(const struct control *c, const char *name);
/* Add an output file, CFG (copied).  NULL and errno when it cannot be opened. */
struct outfile *outfile_open(
    struct control *c, const char *name, const struct output_config *cfg);
/* The same for an output that is there: O is taken over. */
struct outfile *outfile_new(
    struct control *c, const char *name, const char *path, struct output *o);
/* A and B change places: what comes from now on goes where the other went. */
void outfile_swap(struct control *c, struct outfile *a, struct outfile *b);
/* Sources that use OF, and cycles that are written to it. */
unsigned int outfile_users(const struct control *c, const struct outfile *of);
/* One reference less; closed when it was the last. */
void outfile_unref(struct control *c, struct outfile *of);
/* What is behind `outfile'. */
void outfile_command(struct client *cl, char *args);

/* --- sink.c --------------------------------------------------------------------- */

TAILQ_HEAD(sink_list, sink);

/* An output that is CL's connection: records as KIND has them, between the lines
 * and not announced by any. */
struct output *sink_new(struct client *cl, enum output_kind kind);
/* May more be written to O?  Not while much waits for a client to read it; what
 * nobody is there for is lost, and a file takes all. */
int sink_takes(const struct output *o);
/* CL goes: what is written to its sinks from now on is lost.  Those that no
 * source uses go as well. */
void sink_leave(struct client *cl);

/* --- param.c --------------------------------------------------------------------- */

/* A row for a word and what is done for it; a table ends with NULL. */
struct param_verb {
	const char *word;
	void (*obey)(struct client *cl, char *args);
};

/* Obey the row for the first word of ARGS; with none, or one that is not
 * known, say USAGE or what is wrong with it. */
void param_dispatch(struct client *cl, const struct param_verb *table,
    char *args, const char *usage);

struct param {
	const char *key;
	char *value; /* NULL: not given */
};

/* KEY VALUE pairs of ARGS into TABLE, which ends with NULL.  NULL, or the word
 * that is wrong. */
const char *param_get(struct param *table, char *args);
/* A number from MIN, or IF_NONE where VALUE is NULL; 0, or -1. */
int
param_number(const char *value, uint32_t min, uint32_t if_none, uint32_t *out);
/* `on' or `off', else (VALUE is NULL) OUT stays; 0, or -1. */
int param_switch(const char *value, int *out);

#endif
