/*
 * generator: one List Generator as the manager sees it: its process, its
 * stream of lines, its position.
 *
 *	IDLE ──start──► RUNNING ──exit 0, 100, read out──► DONE
 *	  ▲               │ dies: comes again by child.h, its stream goes on
 *	  └──── gone ──── HALTING ◄── halt
 *
 * A process may die and the next one start while the manager still has the
 * first one's lines to read, because the Prober is slow.  The streams are read
 * one behind the other.
 *
 * A line is judged here: only what the Prober can take, of this generator's
 * own list and of the cycle it has begun, goes on.  Each kind of bad line is
 * named once and counted.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/child.h"
#include "common/log.h"
#include "common/xmalloc.h"
#include "listmgr/listmgr.h"

/* --- bad lines ------------------------------------------------------------ */

/* REASON is static: its address tells the kind. */
static void
bad_line(struct generator *g, const char *reason)
{
	size_t i = 0;

	while (i < g->nbad && g->bad[i].reason != reason)
		i++;
	if (i == GENERATOR_KINDS_MAX)
		i--;
	if (i == g->nbad)
		g->bad[g->nbad++].reason = reason;
	if (g->bad[i].count++ == 0)
		log_warn("list %u (%s): line %llu: %s", g->number, g->name,
		    (unsigned long long)g->in.number, reason);
}

void
generator_report(struct generator *g)
{
	for (size_t i = 0; i < g->nbad; i++) {
		if (g->bad[i].count > 1)
			log_warn("list %u (%s): %llu lines refused: %s",
			    g->number, g->name,
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

static void
attach(struct generator *g, int fd_in, int fd_out)
{
	g->fd_in = fd_in;
	g->fd_out = fd_out;
	g->dry = g->dead = 0;
	line_clear(&g->in);
	line_init(&g->in, LINE_MAX_COMMAND, GENERATOR_BUF_SIZE);
	g->readable = event_new(g->base, fd_in, EV_READ, on_readable, g);
	if (g->readable == NULL)
		log_fatal(EXIT_TEMPORARY, "cannot watch a generator");
	/* What the process before it was owed means nothing to this one. */
	g->told = g->acked = g->sent;
	g->end_told = g->end_acked;
}

static void
detach(struct generator *g)
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
		return 0;
	}
	detach(g);
	if (g->next_in == -1)
		return 0;
	attach(g, g->next_in, g->next_out);
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
	space = line_space(&g->in, &room);
	n = read(g->fd_in, space, room);
	if (n > 0) {
		line_added(&g->in, (size_t)n);
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
	g->cycle = c->cycle;
	g->open = 1;
	g->sent = g->acked = g->heard = g->told = c->from - 1;
	g->end_acked = g->end_told = 0;
	out->text = g->text;
	out->len = (size_t)(n + more);
	return NULL;
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
		if (reason == NULL)
			reason = judge(g, &c, out);
		if (reason != NULL) {
			bad_line(g, reason);
			continue;
		}
		if (c.verb != CMD_BEGIN)
			restore(g, line, out);
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

enum merge_kind
generator_next(void *arg, struct merge_line *out)
{
	struct generator *g = arg;
	enum merge_kind kind;

	if (g->state != GENERATOR_RUNNING)
		return MERGE_NONE;
	/* One look at the pipe in a call: endless garbage must not keep the
	 * others waiting. */
	if ((kind = next_line(g, out)) != MERGE_NONE)
		return kind;
	if (refill(g) && (kind = next_line(g, out)) != MERGE_NONE)
		return kind;
	if (g->child != NULL || g->fd_in != -1)
		return MERGE_NONE;
	if (g->open && !g->failed)
		return last_end(g, out);
	g->state = GENERATOR_DONE;
	generator_report(g);
	return MERGE_NONE;
}

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
static int
say(struct generator *g, const char *text)
{
	if (g->fd_out == -1)
		return 0;
	if (write(g->fd_out, text, strlen(text)) != -1)
		return 0;
	if (errno == EAGAIN)
		return -1;
	close_fd(&g->fd_out);
	return 0;
}

int
generator_tell(struct generator *g)
{
	char text[40];

	if (!generator_has_news(g))
		return 0;
	update_acked(g);
	snprintf(text, sizeof(text), "ack %llu%s\n",
	    (unsigned long long)g->acked, g->end_acked ? " end" : "");
	if (say(g, text) == -1)
		return 1;
	g->told = g->acked;
	g->end_told = g->end_acked;
	return 0;
}

/* --- the process ---------------------------------------------------------- */

static void
on_started(struct child *c, pid_t pid, int fd_in, int fd_out, void *arg)
{
	struct generator *g = arg;

	(void)c;
	log_info(
	    "list %u (%s): started, process %d", g->number, g->name, (int)pid);
	if (g->state != GENERATOR_RUNNING) {
		close(fd_in);
		close(fd_out);
	} else if (g->fd_in == -1) {
		detach(g);
		attach(g, fd_in, fd_out);
	} else {
		close_fd(&g->next_in);
		close_fd(&g->next_out);
		g->next_in = fd_in;
		g->next_out = fd_out;
	}
}

static void
forget_child(struct generator *g)
{
	child_free(g->child);
	g->child = NULL;
	if (g->halt_timer != NULL)
		event_free(g->halt_timer);
	g->halt_timer = NULL;
	if (g->state == GENERATOR_HALTING)
		g->state = GENERATOR_IDLE;
}

static void
on_ended(struct child *c, int status, int64_t restart_ns, void *arg)
{
	struct generator *g = arg;
	char how[64];

	(void)c;
	child_status(status, how, sizeof(how));
	g->dead = 1;
	g->dry = 0;
	if (g->state == GENERATOR_HALTING) {
		log_info("list %u (%s): %s", g->number, g->name, how);
		forget_child(g);
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DONE) {
		log_info("list %u (%s): done", g->number, g->name);
		forget_child(g);
	} else if (restart_ns == -1) {
		log_warn("list %u (%s): %s: not started again", g->number,
		    g->name, how);
		g->failed = 1;
		forget_child(g);
	} else {
		log_warn("list %u (%s): %s: started again in %.1f s", g->number,
		    g->name, how, (double)restart_ns / NS_PER_SEC);
	}
}

void
generator_start(struct generator *g)
{
	static const struct child_ops ops = {on_started, on_ended};
	struct child_config cfg = {
	    .argv = g->argv, .env = g->env, .dir = g->dir, .restart = 1};

	g->state = GENERATOR_RUNNING;
	g->failed = 0;
	g->child = child_new(g->base, &cfg, &ops, g);
}

static void
on_halt_timer(int fd, short what, void *arg)
{
	struct generator *g = arg;

	(void)fd;
	(void)what;
	child_stop(g->child, GENERATOR_KILL_NS);
}

void
generator_halt(struct generator *g)
{
	struct timeval tv = {GENERATOR_STOP_NS / NS_PER_SEC, 0};

	if (g->state != GENERATOR_RUNNING)
		return;
	generator_tell(g);
	say(g, "stop\n");
	detach(g);
	close_fd(&g->next_in);
	close_fd(&g->next_out);
	line_clear(&g->in);
	g->state = GENERATOR_HALTING;
	if (g->child == NULL) {
		g->state = GENERATOR_IDLE;
		return;
	}
	g->halt_timer = evtimer_new(g->base, on_halt_timer, g);
	if (g->halt_timer == NULL || event_add(g->halt_timer, &tv) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
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

/* --- making --------------------------------------------------------------- */

static char **
copy_argv(const struct schedule_list *l)
{
	char **argv = xcalloc((size_t)l->argc + 1, sizeof(*argv));

	for (int i = 0; i < l->argc; i++)
		argv[i] = xstrdup(l->argv[i]);
	return argv;
}

static char **
make_env(const struct schedule_list *l, const char *monitor)
{
	char **env = xcalloc(5, sizeof(*env));

	env[0] = xasprintf("SCAMPER_LIST=%u", l->number);
	env[1] = xasprintf("SCAMPER_LIST_NAME=%s", l->name);
	env[2] = xasprintf("SCAMPER_LIST_DESCR=%s", l->descr);
	env[3] = xasprintf("SCAMPER_MONITOR=%s", monitor);
	return env;
}

static void
free_words(char **words)
{
	for (char **w = words; *w != NULL; w++)
		free(*w);
	free(words);
}

struct generator *
generator_new(struct event_base *base, const struct schedule_list *l,
    const char *monitor, const char *dir)
{
	struct generator *g = xcalloc(1, sizeof(*g));

	g->base = base;
	g->number = l->number;
	strcpy(g->name, l->name);
	g->argv = copy_argv(l);
	g->env = make_env(l, monitor);
	g->dir = dir;
	g->fd_in = g->fd_out = g->next_in = g->next_out = -1;
	return g;
}

void
generator_free(struct generator *g)
{
	if (g == NULL)
		return;
	forget_child(g);
	detach(g);
	close_fd(&g->next_in);
	close_fd(&g->next_out);
	line_clear(&g->in);
	free_words(g->argv);
	free_words(g->env);
	free(g);
}
