/*
 * listmgr: runs the List Generators of a schedule, merges their streams by
 * weight and feeds the Prober.  Wiring, options and the loop; listmgr.h is the
 * map.
 *
 * A turn follows the events of each pass of the loop:
 *
 *	acks of what the Prober took ─► start what may start ─► next batch
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/log.h"
#include "common/prog.h"
#include "common/xmalloc.h"
#include "listmgr/listmgr.h"

#define TELL_NS (50 * NS_PER_MS) /* between two acks to a generator */

struct listmgr {
	const char *path; /* of the schedule */
	const char *prober; /* socket, NULL: standard output */
	const char *dir; /* the generators' working directory */
	const char *user;
	const char *pidfile;
	int check, daemon, verbose, say_exit;

	struct event_base *base;
	struct event *tell_timer;
	struct merge merge;
	struct generator **generators; /* n; those that halt are among them */
	size_t n;
	struct feed *feed;
	int up; /* the Prober is there */
	int stopping;
	int over; /* the feed is closed */
	int code; /* to exit with */
};

/* --- generators ----------------------------------------------------------- */

static void
add_generator(
    struct listmgr *m, const struct schedule_list *l, const char *monitor)
{
	struct generator *g = generator_new(m->base, l, monitor, m->dir);

	m->generators =
	    xreallocarray(m->generators, m->n + 1, sizeof(struct generator *));
	m->generators[m->n++] = g;
	merge_add(&m->merge, g, l->weight);
}

static void
remove_generator(struct listmgr *m, size_t i)
{
	generator_report(m->generators[i]);
	generator_free(m->generators[i]);
	memmove(&m->generators[i], &m->generators[i + 1],
	    (m->n - i - 1) * sizeof(struct generator *));
	m->n--;
}

/* The one in service with this list number, or NULL. */
static struct generator *
find_generator(const struct listmgr *m, uint32_t number)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->generators[i]->number == number &&
		    !m->generators[i]->removed)
			return m->generators[i];
	}
	return NULL;
}

/* Its predecessor of the same number still runs, maybe with the same state
 * file: it goes first. */
static int
has_predecessor(const struct listmgr *m, const struct generator *g)
{
	for (size_t i = 0; i < m->n; i++) {
		if (m->generators[i] != g &&
		    m->generators[i]->number == g->number)
			return 1;
	}
	return 0;
}

static void
halt_all(struct listmgr *m)
{
	for (size_t i = 0; i < m->n; i++)
		generator_halt(m->generators[i]);
}

/* --- the schedule --------------------------------------------------------- */

/* Take LIST of the new schedule: a new generator, or a weight. */
static void
apply_list(
    struct listmgr *m, const struct schedule_list *l, const struct schedule *s)
{
	struct generator *g = find_generator(m, l->number);

	if (g == NULL) {
		add_generator(m, l, s->monitor);
		return;
	}
	merge_set_weight(&m->merge, g, l->weight);
	log_info("list %u (%s): weight %u", g->number, g->name, l->weight);
}

static int
same_run(const struct generator *g, const struct schedule_list *l,
    const char *monitor)
{
	struct generator *other = generator_new(NULL, l, monitor, NULL);
	char **a, **b;
	int same = 1;

	for (a = g->argv, b = other->argv; same && (*a || *b); a++, b++)
		same = *a != NULL && *b != NULL && strcmp(*a, *b) == 0;
	for (a = g->env, b = other->env; same && *a; a++, b++)
		same = strcmp(*a, *b) == 0;
	generator_free(other);
	return same;
}

static void
apply_schedule(struct listmgr *m, const struct schedule *s)
{
	const struct schedule_list *l;
	struct generator *g;

	for (size_t i = 0; i < m->n; i++) {
		g = m->generators[i];
		l = schedule_find(s, g->number);
		if (g->removed || (l != NULL && same_run(g, l, s->monitor)))
			continue;
		log_info("list %u (%s): no longer in the schedule", g->number,
		    g->name);
		g->removed = 1;
		merge_remove(&m->merge, g);
		generator_halt(g);
	}
	for (l = s->lists; l < s->lists + s->nlists; l++)
		apply_list(m, l, s);
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
	s = schedule_load(
	    m->path, SCHEDULE_CHECK_PROGRAMS, conf_log_error, NULL);
	if (s == NULL) {
		log_warn("%s: keeping the schedule that runs", m->path);
		return;
	}
	apply_schedule(m, s);
	schedule_free(s);
}

static int
check_schedule(const struct listmgr *m)
{
	struct schedule *s = schedule_load(
	    m->path, SCHEDULE_CHECK_PROGRAMS, conf_log_error, NULL);
	char *text;

	if (s == NULL)
		return EXIT_PERMANENT;
	text = schedule_print(s);
	fputs(text, stdout);
	free(text);
	schedule_free(s);
	return fflush(stdout) == 0 ? EXIT_DONE : EXIT_TEMPORARY;
}

/* --- stopping ------------------------------------------------------------- */

static void
stop(struct listmgr *m, int code)
{
	if (code > m->code)
		m->code = code;
	m->stopping = 1;
	halt_all(m);
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
		for (size_t i = 0; i < m->n; i++)
			generator_free(m->generators[i]);
		m->n = 0;
		return;
	}
	stop(m, EXIT_DONE);
	if (m->say_exit)
		feed_exit(m->feed);
	feed_finish(m->feed);
}

/* --- the Prober ----------------------------------------------------------- */

static void
on_up(void *arg)
{
	struct listmgr *m = arg;

	m->up = 1;
}

/* What it had not accepted is said again by whoever said it. */
static void
on_down(void *arg)
{
	struct listmgr *m = arg;

	m->up = 0;
	for (size_t i = 0; i < m->n; i++)
		generator_lost(m->generators[i]);
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
	for (size_t i = 0; i < m->n; i++)
		more |= generator_tell(m->generators[i]);
	if (more)
		arm_tell(m);
}

static void
on_ack(void *arg, const struct feed_ack *a)
{
	struct listmgr *m = arg;
	struct generator *g = find_generator(m, a->list);

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

	for (size_t i = 0; i < m->n; i++) {
		g = m->generators[i];
		generator_acked(g, g->cycle, g->sent, !g->open);
		news |= generator_has_news(g);
	}
	if (news)
		arm_tell(m);
}

static void
start_idle(struct listmgr *m)
{
	struct generator *g;

	for (size_t i = m->n; i-- > 0;) {
		g = m->generators[i];
		if (g->state != GENERATOR_IDLE && !g->removed)
			continue;
		if (g->removed && g->child == NULL)
			remove_generator(m, i);
		else if (!g->removed && m->up && !m->stopping &&
		    !has_predecessor(m, g))
			generator_start(g);
	}
}

static int
count_state(const struct listmgr *m, enum generator_state state)
{
	int n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += m->generators[i]->state == state;
	return n;
}

/* All generators have ended and all of theirs is given away. */
static void
finish_if_done(struct listmgr *m)
{
	if (m->stopping || count_state(m, GENERATOR_DONE) != (int)m->n)
		return;
	/* A Prober that dies now would lose what it did not acknowledge. */
	for (size_t i = 0; i < m->n && !feed_acks_itself(m->feed); i++) {
		if (!generator_is_taken(m->generators[i]))
			return;
	}
	for (size_t i = 0; i < m->n; i++) {
		if (m->generators[i]->failed)
			m->code = EXIT_PERMANENT;
	}
	m->stopping = 1;
	feed_finish(m->feed);
}

/* One pass; returns how the loop may wait for the next one. */
static int
turn(struct listmgr *m)
{
	static char batch[FEED_BATCH];
	size_t len;

	start_idle(m);
	if (m->stopping || !feed_room(m->feed))
		return EVLOOP_ONCE;
	if (feed_acks_itself(m->feed))
		ack_taken(m);
	len = merge_fill(&m->merge, batch, sizeof(batch));
	if (len > 0) {
		feed_write(m->feed, batch, len);
		return EVLOOP_ONCE;
	}
	finish_if_done(m);
	/* Somebody has more behind a buffer full of garbage. */
	for (size_t i = 0; i < m->n; i++) {
		if (generator_ready(m->generators[i]))
			return EVLOOP_NONBLOCK;
	}
	return EVLOOP_ONCE;
}

static void
loop(struct listmgr *m)
{
	int how;

	for (;;) {
		how = turn(m);
		if (m->over && count_state(m, GENERATOR_HALTING) == 0)
			return;
		event_base_loop(m->base, how);
	}
}

/* --- options and main ----------------------------------------------------- */

static const char *
opt_check(void *ctx, const char *arg)
{
	(void)arg;
	((struct listmgr *)ctx)->check = 1;
	return NULL;
}

static const char *
opt_prober(void *ctx, const char *arg)
{
	((struct listmgr *)ctx)->prober = arg;
	return NULL;
}

static const char *
opt_dir(void *ctx, const char *arg)
{
	((struct listmgr *)ctx)->dir = arg;
	return access(arg, X_OK) == 0 ? NULL : "no such directory";
}

static const char *
opt_user(void *ctx, const char *arg)
{
	((struct listmgr *)ctx)->user = arg;
	return NULL;
}

static const char *
opt_pidfile(void *ctx, const char *arg)
{
	((struct listmgr *)ctx)->pidfile = arg;
	return NULL;
}

static const char *
opt_daemon(void *ctx, const char *arg)
{
	(void)arg;
	((struct listmgr *)ctx)->daemon = 1;
	return NULL;
}

static const char *
opt_exit(void *ctx, const char *arg)
{
	(void)arg;
	((struct listmgr *)ctx)->say_exit = 1;
	return NULL;
}

static const char *
opt_verbose(void *ctx, const char *arg)
{
	(void)arg;
	((struct listmgr *)ctx)->verbose++;
	return NULL;
}

static const struct prog_opt options[] = {
    {'D', "daemon", NULL, "run in the background, log to syslog; needs -p",
	opt_daemon},
    {'d', "directory", "DIR", "the generators' working directory", opt_dir},
    {'n', "check", NULL, "check the schedule, print its canonical form",
	opt_check},
    {'p', "prober", "SOCKET",
	"the Prober's socket: path or ip:port; default "
	"standard output",
	opt_prober},
    {'P', "pidfile", "FILE", "write the process id here", opt_pidfile},
    {'u', "user", "NAME", "become this user", opt_user},
    {'v', "verbose", NULL, "say more; twice: still more", opt_verbose},
    {'x', "exit", NULL, "when stopped, tell the Prober to exit", opt_exit},
    {0},
};

/* A generator may be a relative path: it is looked up where it runs. */
static void
enter(struct listmgr *m)
{
	const char *why;

	if (m->daemon && m->prober == NULL)
		log_fatal(EXIT_PERMANENT, "-D needs -p");
	if (m->daemon)
		prog_daemon();
	log_init("listmgr", m->daemon, m->verbose);
	if (m->pidfile != NULL && prog_pidfile(m->pidfile) == -1)
		log_fatal(EXIT_TEMPORARY, "%s: cannot be written", m->pidfile);
	why = m->user != NULL ? prog_drop(m->user, 0) : NULL;
	if (why != NULL)
		log_fatal(EXIT_PERMANENT, "user %s: %s", m->user, why);
}

static int
run(struct listmgr *m, const struct schedule *s)
{
	static const struct feed_ops ops = {on_up, on_down, on_ack, on_over};
	struct event *signals[3];

	m->base = prog_base();
	signals[0] = prog_signal(m->base, SIGTERM, on_term, m);
	signals[1] = prog_signal(m->base, SIGINT, on_term, m);
	signals[2] = prog_signal(m->base, SIGHUP, on_hup, m);
	m->tell_timer = evtimer_new(m->base, on_tell, m);
	if (m->tell_timer == NULL)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
	merge_init(&m->merge, generator_next);
	apply_schedule(m, s);
	m->feed = feed_new(m->base, m->prober, &ops, m);
	if (m->daemon)
		prog_ready();
	loop(m);
	feed_free(m->feed);
	while (m->n > 0)
		remove_generator(m, m->n - 1);
	free(m->generators);
	merge_clear(&m->merge);
	for (int i = 0; i < 3; i++)
		event_free(signals[i]);
	event_free(m->tell_timer);
	event_base_free(m->base);
	return m->code;
}

int
main(int argc, char **argv)
{
	static const struct prog_usage usage = {"listmgr", "[options] SCHEDULE",
	    "run list generators and feed the Prober", EXIT_PERMANENT};
	struct listmgr m = {0};
	struct schedule *s;
	int first, code;

	log_init("listmgr", 0, 0);
	first = prog_options(&usage, options, argc, argv, &m);
	log_init("listmgr", 0, m.verbose);
	if (argc - first != 1)
		log_fatal(EXIT_PERMANENT, "exactly one SCHEDULE is needed");
	m.path = argv[first];
	if (m.check)
		return check_schedule(&m);
	s = schedule_load(
	    m.path, SCHEDULE_CHECK_PROGRAMS, conf_log_error, NULL);
	if (s == NULL)
		log_fatal(EXIT_PERMANENT, "%s: not usable", m.path);
	enter(&m);
	code = run(&m, s);
	schedule_free(s);
	return code;
}
