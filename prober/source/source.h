/*
 * source: where work comes from.
 *
 *	shell.c		addresses or commands on the command line
 *	file.c		the same from a file
 *	commands.c	probing commands from a pipe or a local socket
 */
#ifndef PROBER_SOURCE_H
#define PROBER_SOURCE_H

#include "prober/prober.h"

/* shell.c: addresses or commands of the command line; file.c: of a file. */
struct source;

struct source_ops {
	/* Put commands until the queue is full or there are no more. */
	void (*refill)(struct source *s, struct admit *a);
	int (*more)(const struct source *s);
	void (*free)(struct source *s);
};

struct source {
	const struct source_ops *ops;
};

/* Each of WORDS is an address measured by M (whole == 0), or a whole command.
 * Dies (255) at a word that is neither. */
struct source *shell_new(struct listcycle *lc, struct measurement *m,
    char **words, int nwords, int whole);
/* The same from the lines of PATH ("-": standard input). */
struct source *file_new(struct engine *e, struct listcycle *lc,
    struct measurement *m, const char *path, int whole);

/* commands.c: probing commands from standard input ("-") or from clients of a
 * local socket.  Dies when it cannot listen. */
struct commands;

struct commands *commands_new(struct engine *e, const char *address);
void commands_free(struct commands *c);
/* Will standard input bring more?  A socket always may. */
int commands_more(const struct commands *c);
/* Send what is to be acknowledged; read on where the queue has room. */
void commands_refill(struct commands *c);

#endif
