/*
 * control: listening sockets, and what the engine sees of it all: a source of
 * commands that never ends by itself, and an output.
 *
 * The engine asks for as many commands as it has credits for, so a command
 * leaves its feed's queue when it is about to be probed and not before: what
 * waits keeps its turn, can be halted, and MORE comes in step with the probing.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/sockaddr.h"
#include "common/xmalloc.h"
#include "prober/control/control.h"

#define EXIT_USAGE 255 /* as scamper */
#define LAST_WORDS_NS (500 * NS_PER_MS) /* for all clients together */

static struct control *
control_of(struct source *s)
{
	return (struct control *)(void *)s;
}

/* --- the engine's source -------------------------------------------------------- */

/* Is ADDR in the engine: in progress, on hold, or in the queue, which is as
 * short as what is wanted now?  What the engine had to put on hold would have
 * left its feed's queue, and a file of few addresses would begin one cycle
 * after the other. */
static int
is_busy(const struct engine *e, const struct addr *addr)
{
	if (window_find(&e->window, addr) != NULL ||
	    hold_has(e->admit.hold, addr))
		return 1;
	for (uint32_t i = 0; i < e->admit.queue.count; i++) {
		if (addr_equal(&cmdqueue_at(&e->admit.queue, i)->dst, addr))
			return 1;
	}
	return 0;
}

static void
control_refill(struct source *s)
{
	struct control *c = control_of(s);
	struct engine *e = c->e;
	uint32_t want = e->wanted;
	struct command cmd;
	struct job *j;

	if (e->window.max != 0 && want > e->window.max - e->window.count)
		want = e->window.max - e->window.count;
	while (e->admit.queue.count < want && (j = round_take(c)) != NULL) {
		if (is_busy(e, &j->dst)) {
			jobs_block(c, j);
			continue;
		}
		jobs_give(j, &cmd);
		if (cmdqueue_put(&e->admit.queue, &cmd) == -1)
			log_fatal(EXIT_TEMPORARY, "the queue is too short");
	}
	e->admit.waiting = round_waiting(c);
}

static int
is_quiet(const struct control *c)
{
	const struct client *cl;

	TAILQ_FOREACH(cl, &c->clients, link)
	{
		if (chan_pending(cl->chan) > 0)
			return 0;
	}
	return TAILQ_EMPTY(&c->feeds);
}

static int
control_more(const struct source *s)
{
	const struct control *c = (const struct control *)(const void *)s;

	return c->shutdown == SHUTDOWN_NONE || !is_quiet(c);
}

static void
control_tick(struct source *s)
{
	struct control *c = control_of(s);

	c->e->admit.waiting = round_waiting(c);
}

static struct job *
job_of(struct control *c, const struct listcycle *lc, uint64_t number)
{
	return jobs_find(c->runs[lc->out], number);
}

/* It was halted, or its client went, while it waited in the engine. */
static void
control_started(struct source *s, struct task *t)
{
	if (job_of(control_of(s), t->lc, t->number)->halt)
		finish_halted(t);
}

/* The client is told by a record; what must not be probed is halted. */
static int
control_refused(void *arg, const struct command *cmd, enum refusal why)
{
	struct control *c = arg;

	if (why == REFUSED_EXIT) {
		jobs_end(job_of(c, cmd->lc, cmd->number));
		return 0;
	}
	finish_unstarted(c->e, cmd, why == REFUSED_NOROUTE ? ENETUNREACH : 0);
	return 1;
}

static void
free_runs(struct control *c)
{
	struct job *j;
	struct run *run;

	for (int i = 0; i < c->nruns; i++) {
		run = c->runs[i];
		if (run == NULL)
			continue;
		for (uint64_t id = run->jobs.first; id < run->jobs.next; id++) {
			j = jobs_find(run, id);
			if (j != NULL)
				jobs_end(j);
		}
		run->lc->ended = 1;
		run->feed->run = NULL;
		run->feed->closed = 1;
		round_run_over(run);
	}
	free(c->runs);
}

static void
control_free(struct source *s)
{
	struct control *c = control_of(s);
	int64_t until_ns = clock_mono_ns() + LAST_WORDS_NS, left_ns;
	struct client *cl;
	struct outfile *of;

	/* Whoever is still there and reads gets what is finished. */
	while ((cl = TAILQ_FIRST(&c->clients)) != NULL) {
		if (cl->feed != NULL)
			cl->feed->client = NULL;
		cl->feed = NULL;
		left_ns = until_ns - clock_mono_ns();
		client_free(cl, left_ns > 0 ? (int)(left_ns / NS_PER_MS) : 0);
	}
	remotes_clear(c);
	for (int i = 0; i < 2; i++) {
		if (c->listeners[i].fd == -1)
			continue;
		event_free(c->listeners[i].event);
		close(c->listeners[i].fd);
		if (c->listeners[i].path != NULL)
			unlink(c->listeners[i].path);
	}
	free_runs(c);
	while ((of = TAILQ_FIRST(&c->outfiles)) != NULL)
		outfile_unref(c, of);
	event_free(c->soon);
	wbuf_clear(&c->body);
	wbuf_clear(&c->text);
	free(c->command);
	free(c->monitor);
	free(c);
}

static const struct source_ops control_ops = {
    .refill = control_refill,
    .more = control_more,
    .tick = control_tick,
    .started = control_started,
    .free = control_free,
};

/* --- turns of its own ------------------------------------------------------------- */

static void
on_soon(int fd, short what, void *arg)
{
	struct control *c = arg;

	(void)fd;
	(void)what;
	engine_end_cycles(c->e);
	c->e->admit.waiting = round_waiting(c);
	engine_kick(c->e);
}

void
control_kick(struct control *c)
{
	static const struct timeval now = {0, 0};

	event_add(c->soon, &now);
}

void
control_shutdown(struct control *c, enum control_shutdown how)
{
	struct feed *f, *next;

	c->shutdown = how;
	if (how == SHUTDOWN_FLUSH) {
		for (f = TAILQ_FIRST(&c->feeds); f != NULL; f = next) {
			next = TAILQ_NEXT(f, link);
			if (f->run != NULL)
				jobs_flush(c, f->run, REFUSED_EXIT);
			round_close(f);
		}
	}
	control_kick(c);
}

/* --- sockets ------------------------------------------------------------------------ */

static void
peer_name(struct control_listener *l, int fd, char *buf, size_t size)
{
	union sockaddr_any peer;
	socklen_t len = sizeof(peer);
	char text[ADDR_STRLEN];
	struct addr a;
	uint16_t port;

	memset(&peer, 0, sizeof(peer));
	if (l->path != NULL || getpeername(fd, &peer.sa, &len) == -1) {
		snprintf(buf, size, "%s:%u", l->path != NULL ? l->path : "?",
		    l->control->named++);
		return;
	}
	a = sockaddr_addr(&peer, &port);
	snprintf(buf, size, a.family == ADDR_IPV6 ? "%s.%u" : "%s:%u",
	    addr_str(&a, text), port);
}

static void
on_accept(int fd, short what, void *arg)
{
	struct control_listener *l = arg;
	struct control *c = l->control;
	int conn = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	char name[256];

	(void)what;
	if (conn == -1)
		return;
	if (c->nclients >= CLIENTS_MAX) {
		chan_refuse(conn, NULL, "ERR too many clients\n");
		return;
	}
	peer_name(l, conn, name, sizeof(name));
	client_new(c, conn, name, 0);
}

static void
listen_on(struct control *c, int i, const char *address, const char *path)
{
	struct control_listener *l = &c->listeners[i];
	const char *why;

	l->control = c;
	l->path = path;
	l->fd = -1;
	if (address == NULL)
		return;
	l->fd = chan_listen(address, &why);
	if (l->fd == -1)
		log_fatal(
		    EXIT_USAGE, "%s: %s: %s", address, why, strerror(errno));
	l->event =
	    event_new(c->e->base, l->fd, EV_READ | EV_PERSIST, on_accept, l);
	event_add(l->event, NULL);
}

/* --- making ---------------------------------------------------------------------------- */

struct source *
control_new(struct engine *e, const struct control_config *cfg)
{
	struct control *c = xcalloc(1, sizeof(*c));

	c->source.ops = &control_ops;
	c->source.e = c->e = e;
	c->cfg = cfg;
	c->command = xstrdup(cfg->command);
	c->monitor = cfg->monitor != NULL ? xstrdup(cfg->monitor) : NULL;
	TAILQ_INIT(&c->clients);
	TAILQ_INIT(&c->feeds);
	TAILQ_INIT(&c->outfiles);
	TAILQ_INIT(&c->again);
	for (int i = 0; i < JOBS_BUCKETS; i++)
		TAILQ_INIT(&c->blocked[i]);
	wbuf_init(&c->body);
	wbuf_init(&c->text);
	c->soon = event_new(e->base, -1, 0, on_soon, c);
	listen_on(c, 0, cfg->port, NULL);
	listen_on(c, 1, cfg->path, cfg->path);
	remotes_init(c);
	e->admit.refused = control_refused;
	e->admit.refused_arg = c;
	return &c->source;
}

void
control_reload(struct source *s)
{
	remotes_reload(control_of(s));
}

struct output *
control_output(struct source *s)
{
	struct control *c = control_of(s);
	const char *path = c->cfg->out->path;

	route_init(c);
	c->main = outfile_open(c, path, c->cfg->out);
	if (c->main == NULL)
		log_fatal(EXIT_USAGE, "%s: %s", path, strerror(errno));
	return &c->output;
}
