/*
 * generator_tell: what a generator is told on its standard input: the acks,
 * and the orders of the schedule's watches.
 *
 * Nothing waits for it.  A pipe that is full is tried again later; of the acks
 * only the last counts, and of equal orders one is kept.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/xmalloc.h"
#include "listmgr/generator.h"

/* --- acks ----------------------------------------------------------------- */

void
generator_acked(struct generator *g, uint32_t cycle, uint64_t n, int end)
{
	if (cycle == 0 || cycle != g->cycle)
		return;
	/* A Prober that has it from before a crash knows more than was sent
	 * since, and does not say it again. */
	if (n > g->heard)
		g->heard = n;
	if (end && !g->open)
		g->end_acked = 1;
}

/* What is acknowledged of what was sent. */
static void
update_acked(struct generator *g)
{
	uint64_t n = g->heard < g->sent ? g->heard : g->sent;

	if (n > g->acked)
		g->acked = n;
}

int
generator_has_news(const struct generator *g)
{
	uint64_t n = g->heard < g->sent ? g->heard : g->sent;

	return g->told < n || g->end_told != g->end_acked;
}

int
generator_is_taken(const struct generator *g)
{
	return g->heard >= g->sent &&
	    (g->cycle == 0 || g->open || g->end_acked);
}

/* A line is less than PIPE_BUF: the pipe takes it whole or not at all. */
int
generator_say(struct generator *g, const char *text)
{
	if (g->fd_out == -1)
		return 0;
	if (write(g->fd_out, text, strlen(text)) != -1) {
		g->said += strlen(text);
		return 0;
	}
	if (errno == EAGAIN)
		return -1;
	generator_due_look(g);
	close(g->fd_out);
	g->fd_out = -1;
	return 0;
}

/* Tell it LINE (with its \n, copied) as soon as it can be told; the same line
 * is not kept twice. */
static void
order(struct generator *g, const char *line)
{
	for (size_t i = 0; i < g->norders; i++) {
		if (strcmp(g->orders[i], line) == 0)
			return;
	}
	g->orders =
	    xreallocarray(g->orders, g->norders + 1, sizeof(*g->orders));
	g->orders[g->norders++] = xstrdup(line);
}

/* A process that is started anew reads its files anew. */
static void
forget_updates(struct generator *g)
{
	while (g->norders > 0)
		free(g->orders[--g->norders]);
}

/* --- orders --------------------------------------------------------------- */

/* Those that its pipe takes.  -1: there are more. */
static int
tell_orders(struct generator *g)
{
	size_t n = 0;
	int rc = 0;

	/* No process, or one that is read later: the next one is to hear it. */
	if (g->state != GENERATOR_RUNNING || g->dead || g->stream_ns == 0)
		return 0;
	while (n < g->norders && (rc = generator_say(g, g->orders[n])) == 0)
		free(g->orders[n++]);
	g->norders -= n;
	if (n > 0)
		memmove(
		    g->orders, g->orders + n, g->norders * sizeof(*g->orders));
	return rc == 0 ? generator_due_tell(g) : rc;
}

void
generator_changed(struct generator *g, enum schedule_change what,
    const char *const *names, size_t n)
{
	char *line;

	if (what != SCHEDULE_NONE)
		log_info("%s: %s: %s", g->who, n > 0 ? names[0] : "a file",
		    schedule_change_name(what));
	if (what == SCHEDULE_NEW_CYCLE)
		generator_due(g, g->begun);
	/* One that has ended cannot be told, but can begin again. */
	if (g->state == GENERATOR_DONE && what >= SCHEDULE_NEW_CYCLE) {
		g->state = GENERATOR_IDLE;
		return;
	}
	if (what == SCHEDULE_RESTART) {
		forget_updates(g);
		generator_halt(g);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		line = xasprintf("update %s\n", names[i]);
		order(g, line);
		free(line);
	}
	/* Now: the next change must not find this one untold. */
	tell_orders(g);
}

int
generator_tell(struct generator *g)
{
	char text[40];
	int more = tell_orders(g);

	generator_due_look(g);
	if (!generator_has_news(g))
		return more != 0;
	update_acked(g);
	snprintf(text, sizeof(text), "ack %llu%s\n",
	    (unsigned long long)g->acked, g->end_acked ? " end" : "");
	if (generator_say(g, text) == -1)
		return 1;
	g->told = g->acked;
	g->end_told = g->end_acked;
	return more != 0;
}

void
generator_lost(struct generator *g)
{
	update_acked(g);
	if (g->state != GENERATOR_DONE) {
		generator_halt(g);
		return;
	}
	if (g->acked < g->sent) {
		g->state = GENERATOR_IDLE;
	} else if (!g->end_acked && g->cycle != 0) {
		/* Without a process or a stream: last_end() is all it has. */
		g->open = 1;
		g->state = GENERATOR_RUNNING;
	}
}
