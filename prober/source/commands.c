/*
 * commands: probing commands (docs/protocol.md) from standard input or from
 * clients of a local socket, usually the List Manager.
 *
 * Back-pressure: while the queue is full, or the checkpoint behind, no line is
 * taken and nothing is read; what a client has sent waits in its buffer and then
 * in its pipe.
 *
 * What a command does to its list and cycle is sender.c's.
 *
 * A client of a socket is told `ack LIST CYCLE N [end]' when the number of the
 * last `ip' of that pair that is durably accepted has changed, or its `end' is,
 * about once a second; and `room N' when it may send N `ip' lines in all (room.c).
 */
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
#include "prober/checkpoint.h"
#include "prober/source/source.h"

#define BUF_BYTES (256 * 1024)
#define ACK_BYTES 64

struct client {
	struct sender sender; /* first: what cycles know as their owner */
	TAILQ_ENTRY(client) link;
	struct commands *cs;
	int fd;
	struct event *readable;
	struct line_buf lines;
	int eof;
	int plain; /* a file or /dev/null: always readable, unknown to epoll */
	uint64_t bad;
	struct room_client room;
	char unsent[ACK_BYTES]; /* rest of an ack that was written in part */
	size_t nunsent;
};

struct commands {
	struct source s;
	int listen_fd;
	struct event *acceptable;
	TAILQ_HEAD(, client) clients;
	unsigned int nclients; /* so far, for names */
	struct room room;
	uint64_t put; /* commands put in the queue here */
	const char *path; /* of the socket */
};

/* --- one line ------------------------------------------------------------------- */

static void
bad_line(struct client *cl, const char *why)
{
	cl->bad++;
	log_warn(
	    "%s:%ju: %s", cl->sender.name, (uintmax_t)cl->lines.number, why);
}

static void
take_line(struct client *cl, char *line)
{
	struct cmd c;
	const char *why;

	/* Before it is cut, and whatever becomes of it: it had room. */
	cl->room.taken += strncmp(line, "ip", 2) == 0;
	why = cmd_parse(line, &c);
	if (why == NULL)
		why = sender_obey(&cl->sender, &c);
	if (why != NULL)
		bad_line(cl, why);
}

/* --- lines back -------------------------------------------------------------------------- */

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

static void
say_room(struct client *cl)
{
	struct commands *cs = cl->cs;
	uint64_t n;

	if (cs->listen_fd == -1)
		return;
	n = room_of(&cs->room, &cl->room, cs->s.e->admit.queue.count);
	if (n == 0 || flush_ack(cl) == -1)
		return;
	cl->nunsent = (size_t)snprintf(
	    cl->unsent, sizeof(cl->unsent), "room %ju\n", (uintmax_t)n);
	cl->room.told = n;
	flush_ack(cl);
}

/* --- clients ---------------------------------------------------------------------- */

static void
client_free(struct client *cl)
{
	sender_gone(&cl->sender);
	TAILQ_REMOVE(&cl->cs->clients, cl, link);
	if (cl->bad > 0)
		log_warn(
		    "%s: %ju bad lines", cl->sender.name, (uintmax_t)cl->bad);
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
	return !a->closed && a->queue.count < a->queue.limit &&
	    (a->checkpoint == NULL || !checkpoint_is_behind(a->checkpoint));
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
		log_warn("%s: %s: reading no further", cl->sender.name,
		    strerror(errno));
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
	cl->sender.e = cs->s.e;
	cl->sender.put = &cs->put;
	snprintf(cl->sender.name, sizeof(cl->sender.name), "%s", name);
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
	say_room(client_new(cs, client, name));
}

/* --- acknowledgements --------------------------------------------------------------- */

/* Say it, or -1: not now.  That is not lost, a later one says as much. */
static int
say_ack(const void *owner, uint32_t list, uint32_t cycle, uint64_t n, int end)
{
	struct client *cl = (struct client *)(uintptr_t)owner;

	if (cl == NULL || cl->cs->listen_fd == -1 || flush_ack(cl) == -1)
		return -1;
	cl->nunsent = (size_t)snprintf(cl->unsent, sizeof(cl->unsent),
	    "ack %u %u %ju%s\n", list, cycle, (uintmax_t)n, end ? " end" : "");
	flush_ack(cl);
	return 0;
}

static void
ack(struct listcycle *lc)
{
	if (lc->acked == lc->durable && lc->acked_end == lc->durable_end)
		return;
	if (say_ack(lc->owner, lc->list, lc->cycle, lc->durable,
		lc->durable_end) == -1)
		return;
	lc->acked = lc->durable;
	lc->acked_end = lc->durable_end;
}

static void
ack_past(struct listcycle_past *p)
{
	if (p->acked || !p->durable)
		return;
	if (say_ack(p->owner, p->list, p->cycle, p->high, 1) == 0)
		p->acked = 1;
}

/* --- the source ------------------------------------------------------------------------- */

static void
commands_refill(struct source *s)
{
	struct commands *cs = (struct commands *)s;
	struct client *cl;

	TAILQ_FOREACH(cl, &cs->clients, link)
	{
		say_room(cl);
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
commands_durable(struct source *s)
{
	struct admit *a = &s->e->admit;
	struct listcycle *lc;

	commands_refill(s); /* who waited for a begin */
	TAILQ_FOREACH(lc, &a->table, link)
	ack(lc);
	for (size_t i = 0; i < a->history.n; i++)
		ack_past(&a->history.rows[i]);
}

static void
commands_tick(struct source *s)
{
	struct commands *cs = (struct commands *)s;
	struct admit *a = &s->e->admit;

	room_tick(&cs->room, cs->put, a->queue.count);
	if (a->checkpoint == NULL) {
		listcycle_logged(&a->table, &a->history);
		listcycle_durable(&a->table, &a->history);
	}
	/* Also what could not be said when it became durable. */
	commands_durable(s);
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
    .refill = commands_refill,
    .more = commands_more,
    .tick = commands_tick,
    .free = commands_free,
    .durable = commands_durable,
};

struct source *
commands_new(struct engine *e, const char *address)
{
	struct commands *cs = xcalloc(1, sizeof(*cs));
	const char *why;

	cs->s.ops = &commands_ops;
	cs->s.e = e;
	cs->listen_fd = -1;
	room_init(&cs->room);
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
