/*
 * generator_due: the new cycles that a generator owes, and which of those that
 * it begins has paid one.
 *
 * It does not say why it begins a cycle: it may have been asked to, or the time
 * had come.  What it wrote before it has read the order cannot be the answer,
 * and how far it has read, and written, is what the kernel knows of the two pipes:
 *
 *	its output	... begin A | ... begin B ... | ... begin C
 *			            told_at           unread_at
 *	the order		    written           still in the pipe when we
 *						      looked last
 *
 * A is of before, C is the answer.  B may be of one that reads its files and then
 * writes, and pays nothing, but the next one does: one that does not read orders
 * has read its files for that one since the change.  Still the answer is taken
 * for B's like, or B's like for the answer, when it was written between our last
 * look and its reading; a look is at each read of its output and once a second.
 *
 * A process that was started since has read the files as they are: any cycle that
 * it begins pays for everything.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "common/xmalloc.h"
#include "listmgr/generator.h"

/* Bytes in the pipe FD, of which either end will do; they outlive a process that
 * should have read them. */
static uint64_t
in_pipe(int fd)
{
	int n;

	return fd != -1 && ioctl(fd, FIONREAD, &n) == 0 ? (uint64_t)n : 0;
}

void
generator_due_look(struct generator *g)
{
	struct generator_order *o;
	uint64_t at, unread;

	if (g->ntold == 0 || g->fd_out == -1)
		return;
	/* In this order: what was written when it had not read it. */
	at = g->nread + in_pipe(g->fd_in);
	unread = in_pipe(g->fd_out);
	for (o = g->told_due; o < g->told_due + g->ntold; o++) {
		if (unread > g->said - o->said)
			o->unread_at = at;
		else
			o->read = 1;
	}
}

/* --- owing ---------------------------------------------------------------- */

void
generator_due(struct generator *g, uint32_t after)
{
	/* What nobody could be told of yet is one. */
	if (g->due > 0 && g->untold)
		return;
	if (g->due++ == 0)
		g->after = after;
	g->untold = 1;
	g->due_ns = g->started_ns;
}

void
generator_due_none(struct generator *g)
{
	g->due = g->untold = 0;
	g->ntold = 0;
}

/* The process that we read was started since. */
static int
is_later(const struct generator *g)
{
	return g->stream_ns > g->due_ns;
}

void
generator_due_attached(struct generator *g)
{
	g->nread = g->said = 0;
	g->ntold = 0;
	if (g->due > 0)
		g->due = g->untold = 1;
}

int
generator_due_tell(struct generator *g)
{
	struct generator_order o = {.told_at = g->nread + in_pipe(g->fd_in)};
	char line[32] = "new-cycle\n";

	if (g->untold == 0)
		return 0;
	o.later = is_later(g) && g->after != 0;
	if (o.later)
		snprintf(line, sizeof(line), "new-cycle %u\n", g->after);
	if (generator_say(g, line) == -1)
		return -1;
	o.said = g->said;
	g->told_due =
	    xreallocarray(g->told_due, g->ntold + 1, sizeof(*g->told_due));
	g->told_due[g->ntold++] = o;
	g->untold = 0;
	generator_due_look(g);
	return 0;
}

/* --- paying --------------------------------------------------------------- */

/* How many of those it owes the cycle pays that it begins now. */
static uint32_t
paid(struct generator *g)
{
	struct generator_order *o = g->told_due;

	if (g->ntold == 0)
		return is_later(g) && g->after != 0 ? g->due : 0;
	if (o->later)
		return 1;
	generator_due_look(g);
	if (g->line_at < o->told_at)
		return 0;
	if (o->read && g->line_at >= o->unread_at)
		return 1;
	return ++o->passed >= 2;
}

static void
pay(struct generator *g, uint32_t n)
{
	g->due -= n;
	if (g->due == 0) {
		generator_due_none(g);
	} else if (n > 0) {
		g->ntold--;
		memmove(g->told_due, g->told_due + 1,
		    g->ntold * sizeof(*g->told_due));
	}
}

void
generator_begins(struct generator *g, uint32_t cycle)
{
	int news = cycle != g->begun;

	g->begun = cycle;
	if (g->due > 0 && cycle != g->after) {
		pay(g, paid(g));
		g->after = cycle;
		news = 1;
	}
	if (news && g->host->begun != NULL)
		g->host->begun(g->host->begun_arg, g);
}
