/*
 * commands: probing commands (docs/protocol.md) from standard input or from
 * clients of a local socket, usually the List Manager.
 *
 * Back-pressure: while the queue is full no line is taken and nothing is read;
 * what a client has sent waits in its buffer and then in its pipe.
 *
 * A client of a socket is told `ack LIST CYCLE N' when the number of the last
 * accepted `ip' of that pair has changed, at most about once a second.
 */
#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/chan.h"
#include "common/cmd.h"
#include "common/line.h"
#include "common/log.h"
#include "common/xmalloc.h"
#include "prober/output.h"
#include "prober/source/source.h"

#define BUF_BYTES (256 * 1024)
#define ACK_BYTES 64

struct client {
	TAILQ_ENTRY(client) link;
	struct commands *cs;
	char name[32]; /* for messages */
	int fd;
	struct event *readable;
	struct line_buf lines;
	int eof;
	int plain; /* a file or /dev/null: always readable, unknown to epoll */
	uint64_t bad;
	char unsent[ACK_BYTES]; /* rest of an ack that was written in part */
	size_t nunsent;
};

struct commands {
	struct source s;
	int listen_fd;
	struct event *acceptable;
	TAILQ_HEAD(, client) clients;
	unsigned int nclients; /* so far, for names */
	const char *path; /* of the socket */
};

/* --- one command ----------------------------------------------------------------- */

static const char *
do_begin(struct client *cl, const struct cmd *c)
{
	struct engine *e = cl->cs->s.e;
	struct listcycle *lc =
	    listcycle_find(&e->admit.table, c->list, c->cycle);
	struct output_cycle oc = {
	    .list = c->list,
	    .cycle = c->cycle,
	    .name = c->name,
	    .descr = *c->descr != '\0' ? c->descr : NULL,
	    .start = c->cycle,
	    .resumed = c->from > 1,
	};
	static char why[256];
	struct measurement *m;
	char number[16];

	m = technique_parse(c->probe, NULL, why, sizeof(why));
	if (m == NULL)
		return why;
	if (lc == NULL) {
		snprintf(number, sizeof(number), "%u", c->list);
		if (*oc.name == '\0')
			oc.name = number;
		lc = listcycle_add(&e->admit.table, c->list, c->cycle, m);
		lc->high = c->from - 1;
		lc->out = output_cycle_begin(e->out, &oc);
	} else {
		technique_unref(m); /* it goes on as it began */
	}
	lc->position = c->from;
	lc->owner = cl;
	return NULL;
}

static const char *
do_ip(struct client *cl, const struct cmd *c)
{
	struct engine *e = cl->cs->s.e;
	struct listcycle *lc =
	    listcycle_find(&e->admit.table, c->list, c->cycle);
	struct command new = {.dst = c->addr, .lc = lc};
	int rc;

	if (lc == NULL)
		return "no begin for this list and cycle";
	if (lc->ended)
		return "this list and cycle has ended";
	new.number = lc->position++;
	if (new.number <= lc->high)
		return NULL; /* accepted before a restart */
	lc->high = new.number;
	new.m = lc->m;
	new.m->refs++;
	rc = admit_put(&e->admit, &new);
	assert(rc == 0); /* take_lines() has seen that there is room */
	return NULL;
}

static const char *
do_end(struct client *cl, const struct cmd *c)
{
	struct listcycle *lc =
	    listcycle_find(&cl->cs->s.e->admit.table, c->list, c->cycle);

	if (lc == NULL)
		return "no begin for this list and cycle";
	lc->ended = 1;
	return NULL;
}

static const char *
do_exit(struct client *cl, const struct cmd *c)
{
	engine_stop(cl->cs->s.e, c->now ? 2 : 1);
	return NULL;
}

static const char *(*const verbs[])(struct client *, const struct cmd *) = {
    [CMD_BEGIN] = do_begin,
    [CMD_IP] = do_ip,
    [CMD_END] = do_end,
    [CMD_EXIT] = do_exit,
};

static void
bad_line(struct client *cl, const char *why)
{
	cl->bad++;
	log_warn("%s:%ju: %s", cl->name, (uintmax_t)cl->lines.number, why);
}

static void
take_line(struct client *cl, char *line)
{
	struct cmd c;
	const char *why = cmd_parse(line, &c);

	if (why == NULL)
		why = verbs[c.verb](cl, &c);
	if (why != NULL)
		bad_line(cl, why);
}

/* --- clients ---------------------------------------------------------------------- */

static void
client_free(struct client *cl)
{
	struct listcycle *lc;

	TAILQ_FOREACH(lc, &cl->cs->s.e->admit.table, link)
	{
		if (lc->owner == cl)
			lc->owner = NULL;
	}
	TAILQ_REMOVE(&cl->cs->clients, cl, link);
	if (cl->bad > 0)
		log_warn("%s: %ju bad lines", cl->name, (uintmax_t)cl->bad);
	event_free(cl->readable);
	line_clear(&cl->lines);
	if (cl->fd != STDIN_FILENO)
		close(cl->fd);
	free(cl);
}

/* Is there room for one command more?  After `exit' nothing is read. */
static int
has_room(const struct admit *a)
{
	return !a->closed && a->queue.count < a->queue.size;
}

/* Take lines until the queue is full (0) or the buffer is empty (1). */
static int
take_lines(struct client *cl)
{
	struct engine *e = cl->cs->s.e;
	enum line_result r;
	char *line;

	while (has_room(&e->admit)) {
		r = line_next(&cl->lines, &line);
		if (r == LINE_MORE)
			return 1;
		if (r == LINE_OK)
			take_line(cl, line);
		else
			bad_line(cl, line_reason(r));
	}
	return 0;
}

static void
at_eof(struct client *cl)
{
	char *rest;

	cl->eof = 1;
	if (line_last(&cl->lines, &rest) == LINE_CUT)
		bad_line(cl, line_reason(LINE_CUT));
	if (cl->cs->listen_fd != -1)
		client_free(cl);
}

/* Read what is there: 1, or 0 when there is nothing now, or ever (CL may be
 * gone then).  Once per event, so that standard input, which may be shared with
 * others, need not be made non-blocking. */
static int
read_some(struct client *cl)
{
	size_t room;
	char *p = line_space(&cl->lines, &room);
	ssize_t n = read(cl->fd, p, room);

	if (n > 0) {
		line_added(&cl->lines, (size_t)n);
		return 1;
	}
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n == -1)
		log_warn(
		    "%s: %s: reading no further", cl->name, strerror(errno));
	event_del(cl->readable);
	at_eof(cl);
	return 0;
}

static void
on_readable(int fd, short what, void *arg)
{
	struct client *cl = arg;
	struct engine *e = cl->cs->s.e;

	(void)fd;
	(void)what;
	if (read_some(cl) && take_lines(cl) == 0)
		event_del(cl->readable); /* until refill */
	engine_kick(e);
}

static struct client *
client_new(struct commands *cs, int fd, const char *name)
{
	struct client *cl = xcalloc(1, sizeof(*cl));
	struct stat st;

	cl->cs = cs;
	cl->fd = fd;
	snprintf(cl->name, sizeof(cl->name), "%s", name);
	line_init(&cl->lines, LINE_MAX_COMMAND, BUF_BYTES);
	cl->readable =
	    event_new(cs->s.e->base, fd, EV_READ | EV_PERSIST, on_readable, cl);
	cl->plain = fstat(fd, &st) == 0 && !S_ISFIFO(st.st_mode) &&
	    !S_ISSOCK(st.st_mode) && !isatty(fd);
	if (!cl->plain)
		event_add(cl->readable, NULL);
	TAILQ_INSERT_TAIL(&cs->clients, cl, link);
	return cl;
}

static void
on_accept(int fd, short what, void *arg)
{
	struct commands *cs = arg;
	char name[32];
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)what;
	if (client == -1)
		return;
	snprintf(name, sizeof(name), "client %u", ++cs->nclients);
	client_new(cs, client, name);
}

/* --- acknowledgements --------------------------------------------------------------- */

/* Write what is unsent; -1 while some of it stays. */
static int
flush_ack(struct client *cl)
{
	ssize_t n;

	if (cl->nunsent == 0)
		return 0;
	n = send(cl->fd, cl->unsent, cl->nunsent, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n <= 0)
		return -1;
	cl->nunsent -= (size_t)n;
	memmove(cl->unsent, cl->unsent + n, cl->nunsent);
	return cl->nunsent == 0 ? 0 : -1;
}

/* An ack not sent now is not lost: a later one says more. */
static void
ack(struct listcycle *lc)
{
	struct client *cl = (struct client *)(uintptr_t)lc->owner;
	int n;

	if (cl == NULL || cl->cs->listen_fd == -1 || lc->acked == lc->high ||
	    flush_ack(cl) == -1)
		return;
	n = snprintf(cl->unsent, sizeof(cl->unsent), "ack %u %u %ju\n",
	    lc->list, lc->cycle, (uintmax_t)lc->high);
	cl->nunsent = (size_t)n;
	lc->acked = lc->high;
	flush_ack(cl);
}

/* --- the source ------------------------------------------------------------------------- */

static void
commands_refill(struct source *s)
{
	struct commands *cs = (struct commands *)s;
	struct client *cl;

	TAILQ_FOREACH(cl, &cs->clients, link)
	{
		if (cl->eof || event_pending(cl->readable, EV_READ, NULL))
			continue;
		do {
			if (take_lines(cl) == 0)
				return;
		} while (cl->plain && read_some(cl));
		if (!cl->plain)
			event_add(cl->readable, NULL);
	}
}

static int
commands_more(const struct source *s)
{
	const struct commands *cs = (const struct commands *)s;
	const struct client *cl = TAILQ_FIRST(&cs->clients);

	return cs->listen_fd != -1 || !cl->eof;
}

static void
commands_tick(struct source *s)
{
	struct listcycle *lc;

	TAILQ_FOREACH(lc, &s->e->admit.table, link)
	ack(lc);
}

static void
commands_free(struct source *s)
{
	struct commands *cs = (struct commands *)s;
	struct client *cl;

	while ((cl = TAILQ_FIRST(&cs->clients)) != NULL)
		client_free(cl);
	if (cs->acceptable != NULL)
		event_free(cs->acceptable);
	if (cs->listen_fd != -1) {
		close(cs->listen_fd);
		unlink(cs->path);
	}
	free(cs);
}

static const struct source_ops commands_ops = {
    commands_refill, commands_more, commands_tick, commands_free};

struct source *
commands_new(struct engine *e, const char *address)
{
	struct commands *cs = xcalloc(1, sizeof(*cs));
	const char *why;

	cs->s.ops = &commands_ops;
	cs->s.e = e;
	cs->listen_fd = -1;
	TAILQ_INIT(&cs->clients);
	if (strcmp(address, "-") == 0) {
		client_new(cs, STDIN_FILENO, "standard input");
		return &cs->s;
	}
	if (strchr(address, '/') == NULL)
		log_fatal(255,
		    "--commands %s: not the path of a socket (one "
		    "with a / in it)",
		    address);
	cs->path = address;
	cs->listen_fd = chan_listen(address, &why);
	if (cs->listen_fd == -1)
		log_fatal(EXIT_TEMPORARY, "--commands %s: %s: %s", address, why,
		    strerror(errno));
	cs->acceptable = event_new(
	    e->base, cs->listen_fd, EV_READ | EV_PERSIST, on_accept, cs);
	event_add(cs->acceptable, NULL);
	return &cs->s;
}
