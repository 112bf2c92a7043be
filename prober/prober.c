/*
 * prober: wiring.  Opens everything, starts the engine, waits for its end.
 */
#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/prefixset.h"
#include "common/prog.h"
#include "prober/config.h"
#include "prober/names.h"
#include "prober/options.h"
#include "prober/source/source.h"

#define QUEUE_COMMANDS 65536
#define LARGE_PAGES_PPS 5000 /* above, 4 MB of memory are worth it */

struct prober {
	struct options opt;
	struct engine e;
	struct listcycle *lc; /* one-shot: the one that all belongs to */
	struct event *signals[4];
};

/* --- signals ----------------------------------------------------------------- */

static void
on_stop(int signo, short what, void *arg)
{
	struct prober *p = arg;

	(void)signo;
	(void)what;
	if (p->e.stopping == 2)
		_exit(EXIT_TEMPORARY); /* asked twice */
	engine_stop(&p->e, 2);
}

static void
on_rotate(int signo, short what, void *arg)
{
	struct prober *p = arg;

	(void)signo;
	(void)what;
	if (output_rotate(p->e.out, clock_mono_ns()) == -1)
		log_warn("cannot seal the segment: %s", strerror(errno));
}

/* All the files of -O dnp=, or NULL: errors, which were logged. */
static struct prefixset *
load_dnp(const struct options *o)
{
	struct prefixset *dnp = prefixset_new();

	for (int i = 0; i < o->ndnp; i++) {
		if (prefixset_add_file(dnp, o->dnp[i], conf_log_error, NULL) ==
		    0)
			continue;
		prefixset_free(dnp);
		return NULL;
	}
	return dnp;
}

static void
reload_dnp(struct prober *p)
{
	struct prefixset *dnp = load_dnp(&p->opt);

	if (dnp == NULL) {
		log_warn("errors in a do-not-probe list: keeping the old one");
		return;
	}
	prefixset_free(p->e.admit.dnp);
	p->e.admit.dnp = dnp;
	log_info("do-not-probe: %zu prefixes", prefixset_count(dnp));
}

static void
on_reload(int signo, short what, void *arg)
{
	struct prober *p = arg;

	(void)signo;
	(void)what;
	polite_tick(&p->e);
	nameserver_reload(p->e.nameserver);
	engine_kick(&p->e);
	if (p->opt.config != NULL && config_load(p->opt.config) == -1)
		log_warn(
		    "%s: errors: what it said before stays", p->opt.config);
	if (options_has_clients(&p->opt))
		control_reload(p->e.source);
	if (p->opt.ndnp > 0)
		reload_dnp(p);
}

static void
catch_signals(struct prober *p)
{
	struct event_base *base = p->e.base;

	p->signals[0] = prog_signal(base, SIGINT, on_stop, p);
	p->signals[1] = prog_signal(base, SIGTERM, on_stop, p);
	p->signals[2] = prog_signal(base, SIGUSR1, on_rotate, p);
	p->signals[3] = prog_signal(base, SIGHUP, on_reload, p);
}

/* --- opening ------------------------------------------------------------------- */

static void
open_network(struct prober *p)
{
	struct engine *e = &p->e;
	uint16_t port = technique_default_port();
	struct rx_config rx = {
	    .pps = p->opt.pps,
	    .port = port,
	    .blocks = p->opt.ring_blocks,
	    .raw = p->opt.raw,
	};
	const char *why;

	e->link = link_open(&why);
	if (e->link == NULL)
		log_fatal(EXIT_TEMPORARY, "%s: %s", why, strerror(errno));
	e->tx = tx_open(p->opt.raw, &why);
	if (e->tx == NULL)
		log_fatal(EXIT_PERMANENT, "%s: %s (root is needed)", why,
		    strerror(errno));
	e->rx = rx_open(&rx, &why);
	if (e->rx == NULL)
		log_fatal(EXIT_PERMANENT, "%s: %s (root is needed)", why,
		    strerror(errno));
	if (sock_hold_port(port) == -1)
		log_warn("UDP port %u is in use by another program: its "
			 "replies may be mistaken for ours",
		    port);
}

static void
open_limits(struct prober *p)
{
	const struct polite_config *c = &p->opt.polite;

	if (c->limits == NULL && c->stop_file == NULL && c->floor == NULL &&
	    c->rates.address_pps == 0 && c->rates.prefix_pps == 0)
		return;
	p->e.polite = polite_new(c, clock_wall_ns());
	if (p->e.polite == NULL)
		log_fatal(EXIT_TEMPORARY,
		    "the files of limits, or of the floor, cannot be used");
	pacer_init(&p->e.pacer, polite_pps(p->e.polite));
}

static void
open_engine(struct prober *p)
{
	struct engine *e = &p->e;
	struct options *o = &p->opt;

	window_init(&e->window, o->window);
	e->window.large_pages = o->pps == 0 || o->pps > LARGE_PAGES_PPS;
	pacer_init(&e->pacer, o->pps);
	open_limits(p);
	cmdqueue_init(&e->admit.queue, QUEUE_COMMANDS);
	e->admit.hold = hold_new(o->hold_ns);
	e->admit.window = &e->window;
	e->admit.link = e->link;
	TAILQ_INIT(&e->admit.table);
	if (o->ndnp > 0) {
		e->admit.dnp = load_dnp(o);
		if (e->admit.dnp == NULL)
			log_fatal(
			    EXIT_PERMANENT, "errors in a do-not-probe list");
	}
	if (o->config != NULL && config_load(o->config) == -1)
		log_fatal(EXIT_PERMANENT, "%s: errors", o->config);
	e->status = o->status;
	e->nameserver = nameserver_new(e, o->control.nameserver);
}

/* One-shot: all work belongs to one list in one cycle. */
static void
make_cycle(struct prober *p)
{
	struct options *o = &p->opt;
	char why[256];
	/* Whole commands bring their own. */
	int whole = o->command_words || (o->file && o->lines != FILE_ADDRESSES);
	struct measurement *m = (whole ? technique_parse_old : technique_parse)(
	    o->command, NULL, why, sizeof(why));

	if (m == NULL)
		log_fatal(255, "-c \"%s\": %s", o->command, why);
	p->lc = listcycle_add(&p->e.admit.table, o->list, o->cycle, m);
}

static void
open_source(struct prober *p, char **operands, int n)
{
	struct options *o = &p->opt;
	struct engine *e = &p->e;

	if (o->commands != NULL) {
		e->source = commands_new(e, o->commands);
		return;
	}
	if (options_has_clients(o)) {
		e->source = control_new(e, &o->control);
		return;
	}
	make_cycle(p);
	if (o->file)
		e->source = file_new(e, p->lc, operands[0], o->lines);
	else
		e->source = shell_new(e, p->lc, operands, n, o->command_words);
	e->stats.progress = isatty(STDERR_FILENO) &&
	    (o->out.spool != NULL || strcmp(o->out.path, "-") != 0 ||
		!isatty(STDOUT_FILENO));
}

/* After the source: what cannot work must not empty the file of results. */
static void
open_output(struct prober *p)
{
	struct options *o = &p->opt;
	struct output_cycle oc = {
	    .list = o->list,
	    .cycle = o->cycle,
	    .name = o->list_name,
	    .descr = o->list_name,
	    .start = (uint32_t)(clock_wall_ns() / NS_PER_SEC),
	};

	if (options_has_clients(o)) {
		p->e.out = control_output(p->e.source);
		return;
	}
	p->e.out = output_open(&o->out, clock_mono_ns());
	if (o->commands != NULL)
		output_resume(p->e.out, &p->e.admit);
	if (p->lc != NULL)
		p->lc->out = output_cycle_begin(p->e.out, &oc);
}

/* A timer of microseconds: at low rates every packet has a slot of its own. */
static struct event_base *
make_base(void)
{
	struct event_config *cfg = event_config_new();
	struct event_base *base;

	event_config_set_flag(cfg, EVENT_BASE_FLAG_PRECISE_TIMER);
	base = event_base_new_with_config(cfg);
	event_config_free(cfg);
	if (base == NULL)
		log_fatal(EXIT_TEMPORARY, "cannot make an event base");
	signal(SIGPIPE, SIG_IGN);
	return base;
}

static void
become_user(const char *user)
{
	const char *why = user != NULL ? prog_drop(user, 0) : NULL;

	if (why != NULL)
		log_fatal(EXIT_PERMANENT, "-u %s: %s", user, why);
}

/* --- closing ---------------------------------------------------------------------- */

/* What was not finished is not in the output: say so.  With a checkpoint the
 * next start goes on with it, and that is as it should be. */
static void
tell_unfinished(const struct engine *e)
{
	void (*say)(const char *, ...) =
	    e->admit.checkpoint != NULL ? log_info : log_warn;
	const struct listcycle *lc;
	char books[256];

	TAILQ_FOREACH(lc, &e->admit.table, link)
	{
		say("list %u cycle %u not ended: %s", lc->list, lc->cycle,
		    listcycle_books(lc, books, sizeof(books)));
	}
}

static void
end_at_once(int signo)
{
	(void)signo;
	_exit(EXIT_TEMPORARY);
}

/* The loop is over; who asks again means it. */
static void
uncatch_signals(struct prober *p)
{
	for (size_t i = 0; i < 4; i++)
		event_free(p->signals[i]);
	signal(SIGINT, end_at_once);
	signal(SIGTERM, end_at_once);
	signal(SIGUSR1, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
}

static int
close_all(struct prober *p)
{
	struct engine *e = &p->e;
	int64_t now_ns = clock_mono_ns();
	int rc;

	uncatch_signals(p);
	stats_progress_end(&e->stats);
	tell_unfinished(e);
	/* A one-shot cycle is over when the program is. */
	if (p->lc != NULL && TAILQ_FIRST(&e->admit.table) == p->lc)
		output_cycle_end(e->out, p->lc->out,
		    (uint32_t)(clock_wall_ns() / NS_PER_SEC));
	if (e->status != NULL)
		stats_write(&e->stats, &e->admit.table, e->status);
	rc = output_close(e->out, now_ns, e->stopping == 2);
	if (rc == -1)
		log_warn("the output could not be closed properly: %s",
		    strerror(errno));
	e->source->ops->free(e->source);
	listcycle_history_clear(&e->admit.history);
	nameserver_free(e->nameserver);
	engine_clear(e);
	event_base_free(e->base);
	return rc == -1 ? EXIT_TEMPORARY : EXIT_DONE;
}

int
main(int argc, char **argv)
{
	static struct prober p;
	int first = options_parse(&p.opt, argc, argv);

	if (p.opt.daemon)
		prog_daemon();
	/* Why it cannot start is for who started it. */
	log_init("prober", 0, p.opt.verbose);
	if (p.opt.planetlab)
		log_warn(
		    "-O planetlab: there are no safe raw sockets any more: "
		    "the usual ones are used");
	p.e.base = make_base();
	open_network(&p);
	open_engine(&p);
	if (p.opt.pidfile != NULL && prog_pidfile(p.opt.pidfile) == -1)
		log_fatal(
		    EXIT_TEMPORARY, "%s: %s", p.opt.pidfile, strerror(errno));
	become_user(p.opt.user);
	open_source(&p, argv + first, argc - first);
	/* Who holds a spool may be asked to seal it at once. */
	catch_signals(&p);
	open_output(&p);
	engine_start(&p.e);
	if (p.opt.daemon) {
		log_init("prober", 1, p.opt.verbose);
		prog_ready();
	}
	event_base_dispatch(p.e.base);
	return close_all(&p);
}
