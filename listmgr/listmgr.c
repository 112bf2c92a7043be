/*
 * listmgr: runs the List Generators of a schedule, merges their streams by
 * weight and feeds the Prober.  Wiring, options and the loop; listmgr.h is the
 * map.
 *
 * A turn follows the events of each pass of the loop:
 *
 *	acks of what the Prober took ─► start what may start ─► next batch
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/log.h"
#include "common/prog.h"
#include "common/tls.h"
#include "common/xmalloc.h"
#include "listmgr/centre.h"
#include "listmgr/listmgr.h"
#include "listmgr/options.h"
#include "listmgr/roster.h"

#define WAKE_MIN_NS (5 * NS_PER_MS)
#define TELL_NS (50 * NS_PER_MS) /* between two acks to a generator */

struct listmgr {
	struct options opt;

	struct roster roster;
	struct schedule *schedule; /* that runs */
	struct watch *watch; /* NULL: the files are the centre's */
	struct centre *with; /* the centre; NULL: none */
	int off; /* the centre lets nobody probe */
	struct event_base *base;
	struct event *tell_timer;
	struct event *wake_timer; /* somebody held may go on */
	struct event *tick_timer; /* once a second */
	struct feed *feed;
	int up; /* the Prober is there */
	int stopping;
	int over; /* the feed is closed */
	int code; /* to exit with */
};

/* --- the schedule --------------------------------------------------------- */

static void
apply_schedule(struct listmgr *m, struct schedule *s)
{
	roster_run(&m->roster, s);
	watch_set(m->watch, s);
	schedule_free(m->schedule);
	m->schedule = s;
}

static void
on_hup(int signo, short what, void *arg)
{
	struct listmgr *m = arg;
	struct schedule *s;

	(void)signo;
	(void)what;
	if (m->stopping)
		return;
	if (m->with != NULL) {
		centre_now(m->with);
		return;
	}
	s = schedule_load(
	    m->opt.path, SCHEDULE_CHECK_PROGRAMS, conf_log_error, NULL);
	if (s == NULL)
		log_warn("%s: keeping the schedule that runs", m->opt.path);
	else
		apply_schedule(m, s);
}

static int
check_schedule(const struct listmgr *m)
{
	struct schedule *s = schedule_load(
	    m->opt.path, SCHEDULE_CHECK_PROGRAMS, conf_log_error, NULL);
	char *text;

	if (s == NULL)
		return EXIT_PERMANENT;
	text = schedule_print(s);
	fputs(text, stdout);
	free(text);
	schedule_free(s);
	if (fflush(stdout) == 0)
		return EXIT_DONE;
	log_warn("standard output: %s", strerror(errno));
	return EXIT_TEMPORARY;
}

/* --- stopping ------------------------------------------------------------- */

static void
stop(struct listmgr *m, int code)
{
	if (code > m->code)
		m->code = code;
	m->stopping = 1;
	roster_halt(&m->roster);
}

static void
on_term(int signo, short what, void *arg)
{
	struct listmgr *m = arg;

	(void)what;
	if (m->stopping) {
		log_warn("signal %d again: ending at once", signo);
		m->code = EXIT_TEMPORARY;
		event_base_loopbreak(m->base);
		m->over = 1;
		roster_clear(&m->roster);
		return;
	}
	stop(m, EXIT_DONE);
	if (m->opt.say_exit)
		feed_exit(m->feed);
	feed_finish(m->feed);
}

/* --- the Prober ----------------------------------------------------------- */

static void
on_up(void *arg)
{
	struct listmgr *m = arg;

	m->up = 1;
	if (m->with != NULL)
		feed_signal(m->feed, SIGHUP);
}

/* What it had not accepted is said again by whoever said it. */
static void
on_down(void *arg)
{
	struct listmgr *m = arg;

	m->up = 0;
	for (size_t i = 0; i < m->roster.n; i++)
		generator_lost(m->roster.list[i]);
}

static void
arm_tell(struct listmgr *m)
{
	struct timeval tv = {0, TELL_NS / NS_PER_US};

	if (!event_pending(m->tell_timer, EV_TIMEOUT, NULL) &&
	    event_add(m->tell_timer, &tv) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
}

static void
on_tell(int fd, short what, void *arg)
{
	struct listmgr *m = arg;
	int more = 0;

	(void)fd;
	(void)what;
	for (size_t i = 0; i < m->roster.n; i++)
		more |= generator_tell(m->roster.list[i]);
	if (more)
		arm_tell(m);
}

static void
on_ack(void *arg, const struct feed_ack *a)
{
	struct listmgr *m = arg;
	struct generator *g = roster_find(&m->roster, a->list);

	if (g == NULL)
		return;
	generator_acked(g, a->cycle, a->n, a->end);
	if (generator_has_news(g))
		arm_tell(m);
}

static void
on_over(void *arg, int code)
{
	struct listmgr *m = arg;

	m->over = 1;
	stop(m, code);
}

/* --- the turn ------------------------------------------------------------- */

/* The last batch is taken, and so all that was merged. */
static void
ack_taken(struct listmgr *m)
{
	struct generator *g;
	int news = 0;

	for (size_t i = 0; i < m->roster.n; i++) {
		g = m->roster.list[i];
		generator_acked(g, g->cycle, g->sent, !g->open);
		news |= generator_has_news(g);
	}
	if (news)
		arm_tell(m);
}

/* All generators have ended and all of theirs is given away. */
static void
finish_if_done(struct listmgr *m)
{
	if (m->stopping || m->with != NULL ||
	    roster_count(&m->roster, GENERATOR_DONE) != m->roster.n)
		return;
	/* A Prober that dies now would lose what it did not acknowledge. */
	for (size_t i = 0; i < m->roster.n && !feed_acks_itself(m->feed); i++) {
		if (!generator_is_taken(m->roster.list[i]))
			return;
	}
	for (size_t i = 0; i < m->roster.n; i++) {
		if (m->roster.list[i]->failed)
			m->code = EXIT_PERMANENT;
	}
	m->stopping = 1;
	feed_finish(m->feed);
}

/* Somebody is held, or has a rate to keep: come back when it may go on. */
static void
arm_wake(struct listmgr *m)
{
	int64_t least_ns = 0, ns;
	struct timeval tv;

	for (size_t i = 0; i < m->roster.n; i++) {
		ns = generator_wait(m->roster.list[i]);
		if (ns > 0 && (least_ns == 0 || ns < least_ns))
			least_ns = ns;
	}
	if (least_ns == 0)
		return;
	if (least_ns < WAKE_MIN_NS)
		least_ns = WAKE_MIN_NS;
	tv.tv_sec = least_ns / NS_PER_SEC;
	tv.tv_usec = least_ns % NS_PER_SEC / NS_PER_US;
	if (event_add(m->wake_timer, &tv) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
}

static void
on_tick(int fd, short what, void *arg)
{
	struct listmgr *m = arg;

	(void)fd;
	(void)what;
	if (m->stopping)
		return;
	roster_watch(&m->roster, clock_mono_ns());
	watch_look(m->watch);
	centre_look(m->with);
	arm_tell(m); /* one started since may have orders to hear */
}

/* --- the centre ----------------------------------------------------------- */

static void
on_probing(void *arg, int on)
{
	struct listmgr *m = arg;

	m->off = !on;
	if (m->off)
		roster_halt(&m->roster);
}

static void
on_news(void *arg)
{
	arm_tell(arg);
}

/* One that is not connected reads its files when it starts, or we tell it when
 * we are. */
static void
on_tell_prober(void *arg)
{
	struct listmgr *m = arg;

	if (m->feed != NULL)
		feed_signal(m->feed, SIGHUP);
}

static void
follow_centre(struct listmgr *m)
{
	static const struct centre_ops ops = {
	    on_probing, on_news, on_tell_prober};

	m->off = 1;
	m->roster.host.own_dirs = 1;
	m->with = centre_new(&(struct centre_config){
	    m->opt.centre, m->base, &m->roster, &ops, m});
}

/* A turn follows, that is all. */
static void
on_wake(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
}

/* One pass; returns how the loop may wait for the next one. */
static int
turn(struct listmgr *m)
{
	static char batch[FEED_BATCH];
	struct merge *merge = &m->roster.merge;
	uint64_t room;
	size_t len;

	m->roster.host.now_ns = clock_mono_ns();
	roster_tend(&m->roster, m->up && !m->stopping && !m->off);
	room = feed_room(m->feed);
	if (m->stopping || room == 0)
		return EVLOOP_ONCE;
	if (feed_acks_itself(m->feed))
		ack_taken(m);
	merge->left = room;
	len = merge_fill(merge, batch, sizeof(batch));
	if (len > 0) {
		feed_write(m->feed, batch, len, room - merge->left);
		return EVLOOP_ONCE;
	}
	finish_if_done(m);
	/* Somebody has more behind a buffer full of garbage. */
	for (size_t i = 0; i < m->roster.n; i++) {
		if (generator_ready(m->roster.list[i]) &&
		    generator_wait(m->roster.list[i]) == 0)
			return EVLOOP_NONBLOCK;
	}
	arm_wake(m);
	return EVLOOP_ONCE;
}

static void
loop(struct listmgr *m)
{
	int how;

	for (;;) {
		how = turn(m);
		if (m->over && roster_count(&m->roster, GENERATOR_HALTING) == 0)
			return;
		event_base_loop(m->base, how);
	}
}

/* --- main ------------------------------------------------------------------ */

/* A generator may be a relative path: it is looked up where it runs. */
static void
enter(struct listmgr *m)
{
	const char *why;

	if (m->opt.daemon)
		prog_daemon();
	log_init("listmgr", m->opt.daemon, m->opt.verbose);
	if (m->opt.pidfile != NULL && prog_pidfile(m->opt.pidfile) == -1)
		log_fatal(
		    EXIT_TEMPORARY, "%s: %s", m->opt.pidfile, strerror(errno));
	why = m->opt.user != NULL ? prog_drop(m->opt.user, 0) : NULL;
	if (why != NULL)
		log_fatal(EXIT_PERMANENT, "user %s: %s", m->opt.user, why);
}

static int
run(struct listmgr *m, struct schedule *s)
{
	static const struct feed_ops ops = {on_up, on_down, on_ack, on_over};
	const struct timeval second = {1, 0};
	struct event *signals[3];

	m->base = prog_base();
	roster_init(&m->roster, m->base);
	m->roster.host.dir = m->opt.dir;
	m->roster.host.first_uid = m->opt.first_uid;
	m->roster.host.own_dirs = m->opt.first_uid != 0;
	m->roster.host.no_network = !m->opt.network && geteuid() == 0;
	signals[0] = prog_signal(m->base, SIGTERM, on_term, m);
	signals[1] = prog_signal(m->base, SIGINT, on_term, m);
	signals[2] = prog_signal(m->base, SIGHUP, on_hup, m);
	m->tell_timer = evtimer_new(m->base, on_tell, m);
	m->wake_timer = evtimer_new(m->base, on_wake, m);
	m->tick_timer = event_new(m->base, -1, EV_PERSIST, on_tick, m);
	if (m->tell_timer == NULL || m->wake_timer == NULL ||
	    m->tick_timer == NULL || event_add(m->tick_timer, &second) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
	if (s != NULL) {
		m->watch = watch_new(&m->roster);
		apply_schedule(m, s);
	} else {
		follow_centre(m);
	}
	m->feed = feed_new(m->base, m->opt.prober, &ops, m);
	if (m->opt.daemon)
		prog_ready();
	loop(m);
	feed_free(m->feed);
	roster_clear(&m->roster);
	watch_free(m->watch);
	centre_free(m->with);
	schedule_free(m->schedule);
	for (int i = 0; i < 3; i++)
		event_free(signals[i]);
	event_free(m->tell_timer);
	event_free(m->wake_timer);
	event_free(m->tick_timer);
	event_base_free(m->base);
	return m->code;
}

static struct schedule *
load_schedule(const struct listmgr *m)
{
	struct schedule *s = schedule_load(
	    m->opt.path, SCHEDULE_CHECK_PROGRAMS, conf_log_error, NULL);

	if (s == NULL)
		log_fatal(EXIT_PERMANENT, "%s: not usable", m->opt.path);
	return s;
}

int
main(int argc, char **argv)
{
	struct listmgr m = {0};
	struct schedule *s = NULL;

	log_init("listmgr", 0, 0);
	options_parse(&m.opt, argc, argv);
	log_init("listmgr", 0, m.opt.verbose);
	if (m.opt.make_key != NULL)
		return tls_make_key(m.opt.make_key);
	if (m.opt.check)
		return m.opt.centre != NULL ? centre_check(m.opt.centre)
					    : check_schedule(&m);
	if (m.opt.centre == NULL)
		s = load_schedule(&m);
	enter(&m);
	return run(&m, s);
}
