/*
 * datacli: wiring: the configuration, when each monitor is asked, and the
 * sorter behind it.  The map is datacli.h.
 *
 *	                 ┌── poll time, or back-off with jitter ──┐
 *	                 ▼                                        │
 *	each monitor:  pass (fetch.c) ──► sorter, if there is work ┘
 *
 * With -1 each monitor has one pass and one run of the sorter.
 */
#include "datacli/datacli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/atomicfile.h"
#include "common/chan.h"
#include "common/child.h"
#include "common/clock.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/prog.h"
#include "common/scan.h"
#include "common/xmalloc.h"

#define POLL_NS (60 * NS_PER_SEC)
#define SORT_NS (3600 * NS_PER_SEC) /* at least so often */
#define BACKOFF_MIN_NS (1 * NS_PER_SEC)
#define BACKOFF_MAX_NS (300 * NS_PER_SEC)

struct monitor {
	char *name, *address;
	int64_t poll_ns;
	int64_t backoff_ns; /* 0: the last pass went well */
	struct fetch *fetch; /* a pass is under way */
	struct event *timer;
	struct child *sorter;
	char *argv[5];
	int unsorted; /* there may be something to sort */
	int64_t sorted_ns; /* when a sorter was started; monotonic */
	int failed; /* with -1: the pass or the sorter */
	struct monitor *next;
};

static struct {
	const char *dir;
	int once, check, verbose, daemon;
	char *sorter;
	struct monitor *monitors;
	struct event_base *base;
	int root;
} cli = {.root = -1};

/* --- options and configuration --------------------------------------------- */

static const char *
set_dir(void *ctx, const char *arg)
{
	(void)ctx;
	cli.dir = arg;
	return NULL;
}

static const char *
set_once(void *ctx, const char *arg)
{
	(void)ctx;
	(void)arg;
	cli.once = 1;
	return NULL;
}

static const char *
set_check(void *ctx, const char *arg)
{
	(void)ctx;
	(void)arg;
	cli.check = 1;
	return NULL;
}

static const char *
set_verbose(void *ctx, const char *arg)
{
	(void)ctx;
	(void)arg;
	cli.verbose++;
	return NULL;
}

static const char *
set_daemon(void *ctx, const char *arg)
{
	(void)ctx;
	(void)arg;
	cli.daemon = 1;
	return NULL;
}

static const struct prog_opt table[] = {
    {'d', "dir", "DIR", "directory of the central host (required)", set_dir},
    {'1', "once", NULL, "one pass over all monitors, then exit", set_once},
    {'n', "check", NULL, "only check the configuration", set_check},
    {'D', "daemon", NULL, "go to the background, log to syslog", set_daemon},
    {'v', "verbose", NULL, "say more; twice: even more", set_verbose},
    {0, NULL, NULL, NULL, NULL},
};

static const struct prog_usage usage = {
    .name = "datacli",
    .synopsis = "-d DIR [-1Dnv] CONFIG",
    .purpose = "Fetch the segments of all monitors and have them sorted.",
    .exit_code = EXIT_PERMANENT,
};

static const char *
conf_monitor(void *ctx, char **words, int nwords, int line)
{
	struct monitor *m, **end = &cli.monitors;
	int64_t poll_ns = POLL_NS;
	const char *v;

	(void)ctx;
	(void)line;
	if (scan_name(words[1]) == -1)
		return "is not a name ([a-z0-9][a-z0-9_.-]*)";
	for (int i = 3; i < nwords; i++) {
		v = scan_keyvalue(words[i], "poll");
		if (v == NULL)
			return "unknown key (only poll=)";
		if (scan_duration(v, NS_PER_SEC, &poll_ns) == -1 ||
		    poll_ns <= 0)
			return "poll= is not a duration";
	}
	for (; *end != NULL; end = &(*end)->next) {
		if (strcmp((*end)->name, words[1]) == 0)
			return "monitor is there twice";
	}
	m = xcalloc(1, sizeof(*m));
	m->name = xstrdup(words[1]);
	m->address = xstrdup(words[2]);
	m->poll_ns = poll_ns;
	m->unsorted = 1;
	*end = m;
	return NULL;
}

static const char *
conf_sorter(void *ctx, char **words, int nwords, int line)
{
	(void)ctx;
	(void)nwords;
	(void)line;
	cli.sorter = xstrdup(words[1]);
	return NULL;
}

static const struct conf_key keys[] = {
    {"monitor", 2, 3, 0, conf_monitor, "monitor NAME ADDRESS [poll=60s]"},
    {"sorter", 1, 1, 1, conf_sorter, "sorter PROGRAM"},
    {NULL, 0, 0, 0, NULL, NULL},
};

/* --- one monitor ----------------------------------------------------------- */

/* With -1 the program ends when nobody does anything any more. */
static void
check_end(void)
{
	const struct monitor *m;

	if (!cli.once)
		return;
	for (m = cli.monitors; m != NULL; m = m->next) {
		if (m->fetch != NULL || m->sorter != NULL)
			return;
	}
	event_base_loopbreak(cli.base);
}

/* NS, a quarter more or less, so that monitors do not come all at once. */
static int64_t
jitter(int64_t ns)
{
	uint32_t r = 0;

	if (getrandom(&r, sizeof(r), 0) == -1)
		return ns;
	return ns - ns / 4 + (int64_t)((double)ns / 2 * r / UINT32_MAX);
}

static void
wait_then_pass(struct monitor *m, int64_t ns)
{
	struct timeval tv;

	ns = jitter(ns);
	tv.tv_sec = ns / NS_PER_SEC;
	tv.tv_usec = ns % NS_PER_SEC / NS_PER_US;
	if (event_add(m->timer, &tv) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
}

static void
on_sorter_started(struct child *c, pid_t pid, int in, int out, void *arg)
{
	(void)c;
	(void)pid;
	(void)arg;
	close(in);
	close(out);
}

static void start_sorter(struct monitor *m);

static void
on_sorter_ended(struct child *c, int status, int64_t restart_ns, void *arg)
{
	struct monitor *m = arg;
	char buf[64];

	(void)restart_ns;
	child_free(c);
	m->sorter = NULL;
	if (status != 0) {
		/* Again after the next pass. */
		log_warn("%s: sorter: %s", m->name,
		    child_status(status, buf, sizeof(buf)));
		m->failed = 1;
		m->unsorted = 1;
	} else if (m->unsorted)
		start_sorter(m);
	check_end();
}

static const struct child_ops sorter_ops = {
    .started = on_sorter_started,
    .ended = on_sorter_ended,
};

static void
start_sorter(struct monitor *m)
{
	struct child_config cfg = {.argv = m->argv};

	if (m->sorter != NULL)
		return;
	m->unsorted = 0;
	m->sorted_ns = clock_mono_ns();
	m->argv[0] = cli.sorter;
	m->argv[1] = (char *)"-d";
	m->argv[2] = (char *)cli.dir;
	m->argv[3] = m->name;
	m->sorter = child_new(cli.base, &cfg, &sorter_ops, m);
}

static void
on_pass_done(void *arg, const char *why, unsigned int fetched)
{
	struct monitor *m = arg;

	m->fetch = NULL;
	if (fetched > 0)
		m->unsorted = 1;
	if (why == NULL)
		m->backoff_ns = 0;
	else if (m->backoff_ns == 0)
		m->backoff_ns = BACKOFF_MIN_NS;
	else if (m->backoff_ns < BACKOFF_MAX_NS)
		m->backoff_ns *= 2;
	m->failed = m->failed || why != NULL;
	/* Files are closed by time too. */
	if (m->unsorted || clock_mono_ns() - m->sorted_ns >= SORT_NS)
		start_sorter(m);
	if (!cli.once)
		wait_then_pass(
		    m, m->backoff_ns != 0 ? m->backoff_ns : m->poll_ns);
	check_end();
}

static void
begin_pass(struct monitor *m)
{
	struct fetch_config cfg = {
	    .base = cli.base,
	    .root = cli.root,
	    .monitor = m->name,
	    .address = m->address,
	    .done = on_pass_done,
	    .arg = m,
	};

	m->fetch = fetch_new(&cfg);
}

static void
on_timer(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	begin_pass(arg);
}

/* --- the program ----------------------------------------------------------- */

static void
on_stop(int signo, short what, void *arg)
{
	struct monitor *m;

	(void)signo;
	(void)what;
	(void)arg;
	for (m = cli.monitors; m != NULL; m = m->next)
		m->failed = 1;
	event_base_loopbreak(cli.base);
}

static void
free_monitor(struct monitor *m)
{
	fetch_free(m->fetch);
	child_free(m->sorter);
	if (m->timer != NULL)
		event_free(m->timer);
	free(m->name);
	free(m->address);
	free(m);
}

static int
run(void)
{
	struct event *term, *intr;
	struct monitor *m;
	int failed = 0;

	cli.base = prog_base();
	term = prog_signal(cli.base, SIGTERM, on_stop, NULL);
	intr = prog_signal(cli.base, SIGINT, on_stop, NULL);
	for (m = cli.monitors; m != NULL; m = m->next) {
		m->timer = event_new(cli.base, -1, 0, on_timer, m);
		if (m->timer == NULL)
			log_fatal(EXIT_TEMPORARY, "out of memory");
		begin_pass(m);
	}
	prog_ready();
	event_base_dispatch(cli.base);
	event_free(term);
	event_free(intr);
	while ((m = cli.monitors) != NULL) {
		failed |= m->failed;
		cli.monitors = m->next;
		free_monitor(m);
	}
	event_base_free(cli.base);
	return cli.once && failed ? EXIT_TEMPORARY : EXIT_DONE;
}

int
main(int argc, char **argv)
{
	int first, errors, lock, rc;

	log_init("datacli", 0, 0);
	first = prog_options(&usage, table, argc, argv, NULL);
	if (first != argc - 1 || (cli.dir == NULL && !cli.check))
		log_fatal(EXIT_PERMANENT, "-d DIR and one CONFIG are needed");
	errors = conf_load(argv[first], keys, NULL, conf_log_error, NULL);
	if (errors == 0 && cli.monitors == NULL)
		log_fatal(EXIT_PERMANENT, "%s: no monitor", argv[first]);
	if (errors > 0)
		return EXIT_PERMANENT;
	if (cli.check)
		return EXIT_DONE;
	if (cli.sorter == NULL)
		cli.sorter = xstrdup("datasort");
	if (cli.daemon)
		prog_daemon();
	log_init("datacli", cli.daemon, cli.verbose);
	cli.root = atomicfile_mkdir(AT_FDCWD, cli.dir, 0755);
	if (cli.root == -1)
		log_fatal(EXIT_PERMANENT, "%s: %s", cli.dir, strerror(errno));
	lock = atomicfile_lock(cli.root, "datacli.lock");
	if (lock == -1)
		log_fatal(EXIT_TEMPORARY, "%s/datacli.lock: %s", cli.dir,
		    errno == EWOULDBLOCK ? "another data client is at work"
					 : strerror(errno));
	rc = run();
	close(lock);
	close(cli.root);
	free(cli.sorter);
	return rc;
}
