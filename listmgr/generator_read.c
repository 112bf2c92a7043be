/*
 * generator_read: the stream of a generator: from its pipe to the lines that
 * the merge takes.
 *
 *	pipe ──refill──► line_buf ──► judge ──► merge
 *	                                └─► refused: named once, counted, and
 *	                                    charged to its conduct
 *
 * A line is judged here: only what the Prober can take, of this generator's
 * own list and of the cycle it has begun, goes on.  One that is held (conduct.c)
 * is not read: its pipe fills up and it waits.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/log.h"
#include "listmgr/generator.h"

#define FRUITLESS 50 /* bad lines that a read for nothing counts for */

/* --- bad lines ------------------------------------------------------------ */

/* What costs N of the patience with it. */
static void
charge(struct generator *g, uint32_t n, const char *reason)
{
	int64_t hold_ns = conduct_bad(&g->conduct, n, g->host->now_ns);

	if (hold_ns == 0)
		return;
	log_warn("%s: held for %lld s: %s", g->who,
	    (long long)(hold_ns / NS_PER_SEC), reason);
	generator_trouble(g, "held: %s", reason);
}

/* REASON is static: its address tells the kind. */
static void
bad_line(struct generator *g, const char *reason)
{
	size_t i = 0;

	g->refused++;

	while (i < g->nbad && g->bad[i].reason != reason)
		i++;
	if (i == GENERATOR_KINDS_MAX)
		i--;
	if (i == g->nbad)
		g->bad[g->nbad++].reason = reason;
	if (g->bad[i].count++ == 0)
		log_warn("%s: line %llu: %s", g->who,
		    (unsigned long long)g->in.number, reason);
	charge(g, 1, reason);
}

void
generator_report(struct generator *g)
{
	for (size_t i = 0; i < g->nbad; i++) {
		if (g->bad[i].count > 1)
			log_warn("%s: %llu lines refused: %s", g->who,
			    (unsigned long long)g->bad[i].count,
			    g->bad[i].reason);
	}
	g->nbad = 0;
}

/* --- the stream ----------------------------------------------------------- */

static void
close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

static void
on_readable(int fd, short what, void *arg)
{
	struct generator *g = arg;

	(void)fd;
	(void)what;
	g->dry = 0;
}

void
generator_attach(struct generator *g, int fd_in, int fd_out)
{
	g->fd_in = fd_in;
	g->fd_out = fd_out;
	g->dry = g->dead = 0;
	g->closed_ns = 0;
	line_clear(&g->in);
	line_init(&g->in, g->max_line, GENERATOR_BUF_SIZE);
	g->readable = event_new(g->host->base, fd_in, EV_READ, on_readable, g);
	if (g->readable == NULL)
		log_fatal(EXIT_TEMPORARY, "cannot watch a generator");
	g->stream_ns = g->next_ns;
	generator_due_attached(g);
	/* What the process before it was owed means nothing to this one. */
	g->told = g->acked = g->sent;
	g->end_told = g->end_acked;
	/* Before it can begin what it does not know of. */
	generator_tell(g);
}

void
generator_detach(struct generator *g)
{
	if (g->readable != NULL)
		event_free(g->readable);
	g->readable = NULL;
	close_fd(&g->fd_in);
	close_fd(&g->fd_out);
}

/* The stream has ended.  Non-zero when another one follows. */
static int
stream_over(struct generator *g)
{
	enum line_result r;
	char *line;

	r = line_last(&g->in, &line);
	if (r != LINE_MORE)
		bad_line(g, line_reason(r));
	if (!g->dead) {
		/* It closed its output and still runs: acks may matter. */
		event_free(g->readable);
		g->readable = NULL;
		close_fd(&g->fd_in);
		g->closed_ns = g->host->now_ns;
		return 0;
	}
	generator_detach(g);
	if (g->next_in == -1)
		return 0;
	generator_attach(g, g->next_in, g->next_out);
	g->next_in = g->next_out = -1;
	return 1;
}

static void
wait_readable(struct generator *g)
{
	g->dry = 1;
	if (event_add(g->readable, NULL) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot watch a generator");
}

/* Read once; non-zero when there is more to look at. */
static int
refill(struct generator *g)
{
	size_t room;
	char *space;
	ssize_t n;

	if (g->fd_in == -1 || g->dry)
		return 0;
	generator_due_look(g);
	space = line_space(&g->in, &room);
	n = read(g->fd_in, space, room);
	if (n > 0) {
		line_added(&g->in, (size_t)n);
		g->nread += (uint64_t)n;
		return 1;
	}
	if (n == -1 && errno == EINTR)
		return 0;
	/* A dead process writes no more, even if its pipe is held open. */
	if (n == -1 && errno == EAGAIN && !g->dead) {
		wait_readable(g);
		return 0;
	}
	return stream_over(g);
}

int
generator_ready(const struct generator *g)
{
	return g->fd_in != -1 && !g->dry;
}

int64_t
generator_wait(struct generator *g)
{
	if (g->state != GENERATOR_RUNNING || g->fd_in == -1)
		return 0;
	return conduct_wait(&g->conduct, g->host->now_ns);
}

/* --- judging -------------------------------------------------------------- */

static const char *
judge_begin(struct generator *g, const struct cmd *c, struct merge_line *out)
{
	struct cmd end = {
	    .verb = CMD_END, .list = g->number, .cycle = g->cycle};
	int n = 0, more;

	/* A cycle that its generator forgot would stay open for ever. */
	if (g->open && g->cycle != c->cycle)
		n = cmd_format(&end, g->text, LINE_MAX_COMMAND);
	more = cmd_format(c, g->text + n, sizeof(g->text) - (size_t)n);
	if (more == -1)
		return "line too long in canonical form";
	bucket_take(&g->conduct.begins, 1, g->host->now_ns);
	generator_begins(g, c->cycle);
	g->cycle = c->cycle;
	g->open = 1;
	g->sent = g->acked = g->heard = g->told = c->from - 1;
	g->end_acked = g->end_told = 0;
	out->text = g->text;
	out->len = (size_t)(n + more);
	return NULL;
}

/* Where LINE, in the buffer, was in the stream. */
static uint64_t
place_of(const struct generator *g, const char *line)
{
	return g->nread - (g->in.end - (size_t)(line - g->in.buf));
}

/* Whether C may go on; NULL, or a static reason. */
static const char *
judge(struct generator *g, const struct cmd *c, struct merge_line *out)
{
	if (c->verb == CMD_EXIT)
		return "exit is not a generator's to say";
	if (c->list != g->number)
		return "the list number is another generator's";
	if (c->verb == CMD_BEGIN)
		return judge_begin(g, c, out);
	if (!g->open || c->cycle != g->cycle)
		return "no begin for this cycle";
	if (c->verb == CMD_END)
		g->open = 0;
	else if (g->max_targets != 0 && g->sent >= g->max_targets)
		return "more targets in a cycle than its schedule allows";
	else
		g->sent++;
	return NULL;
}

/* Put back the newline behind LINE that line_next took away, so that the line
 * is passed as it came. */
static void
restore(const struct generator *g, char *line, struct merge_line *out)
{
	size_t n = (size_t)(g->in.buf + g->in.start - line) - 1;

	if (n > 0 && line[n - 1] == '\0')
		n--; /* it was \r\n */
	line[n] = '\n';
	*out = (struct merge_line){line, n + 1};
}

/* One line from the buffer that the Prober can take. */
static enum merge_kind
next_line(struct generator *g, struct merge_line *out)
{
	enum line_result r;
	const char *reason;
	struct cmd c;
	char *line;

	if (g->in.buf == NULL)
		return MERGE_NONE; /* not started yet */
	while ((r = line_next(&g->in, &line)) != LINE_MORE) {
		reason = r == LINE_OK ? cmd_parse(line, &c) : line_reason(r);
		if (reason == NULL) {
			g->line_at = place_of(g, line);
			reason = judge(g, &c, out);
		}
		if (reason != NULL) {
			bad_line(g, reason);
			if (conduct_wait(&g->conduct, g->host->now_ns) > 0)
				return MERGE_NONE;
			continue;
		}
		if (c.verb != CMD_BEGIN)
			restore(g, line, out);
		g->valid_ns = g->host->now_ns;
		return c.verb == CMD_IP ? MERGE_IP : MERGE_FREE;
	}
	return MERGE_NONE;
}

/* Ended with exit 0 and without `end': nobody else will say it. */
static enum merge_kind
last_end(struct generator *g, struct merge_line *out)
{
	struct cmd end = {
	    .verb = CMD_END, .list = g->number, .cycle = g->cycle};

	out->text = g->text;
	out->len = (size_t)cmd_format(&end, g->text, sizeof(g->text));
	g->open = 0;
	return MERGE_FREE;
}

static enum merge_kind
given(struct generator *g, enum merge_kind kind)
{
	if (kind == MERGE_IP) {
		g->targets++;
		bucket_take(&g->conduct.targets, 1, g->host->now_ns);
	}
	return kind;
}

enum merge_kind
generator_next(void *arg, struct merge_line *out)
{
	struct generator *g = arg;
	enum merge_kind kind;

	if (g->state != GENERATOR_RUNNING || generator_wait(g) > 0)
		return MERGE_NONE;
	/* One look at the pipe in a call: endless garbage must not keep the
	 * others waiting. */
	if ((kind = next_line(g, out)) != MERGE_NONE)
		return given(g, kind);
	if (generator_wait(g) > 0)
		return MERGE_NONE;
	if (refill(g)) {
		if ((kind = next_line(g, out)) != MERGE_NONE)
			return given(g, kind);
		/* A read for nothing: of a line without an end, say. */
		if (g->in.skipping)
			charge(g, FRUITLESS, line_reason(LINE_TOO_LONG));
	}
	if (g->child != NULL || g->fd_in != -1)
		return MERGE_NONE;
	if (g->open && !g->failed)
		return last_end(g, out);
	g->state = GENERATOR_DONE;
	generator_report(g);
	return MERGE_NONE;
}
