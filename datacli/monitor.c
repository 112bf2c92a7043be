#include "datacli/datacli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/child.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/xmalloc.h"

#define BACKOFF_MIN_NS (1 * NS_PER_SEC)
#define BACKOFF_MAX_NS (300 * NS_PER_SEC)
/* At once; and of those that dial as many more: when all come together, at
 * start, neither kind keeps the other out. */
#define PASSES_MAX 128
#define SORTERS_MAX 16 /* at once */
#define SORT_NS (3600 * NS_PER_SEC) /* a sorter runs at least so often */
#define NO_PLACE_NS (NS_PER_SEC / 4) /* then it is tried again */
#define ONCE_WAIT_NS (60 * NS_PER_SEC) /* with -1, for one that dials */
#define MISSED 3 /* polls that one that dials may miss in silence */

struct monitor {
	struct central *central;
	struct settings_monitor conf;
	int64_t backoff_ns; /* 0: the last pass went well */
	struct fetch *fetch; /* a pass is under way */
	struct event *timer;
	struct child *sorter;
	char *argv[5];
	int unsorted; /* there may be something to sort */
	int awaited; /* with -1: its pass has not begun yet */
	int64_t sorted_ns; /* when a sorter was started; monotonic */
	int failed; /* with -1: the pass or the sorter */
	char *said; /* the trouble that was logged last; NULL: all is well */
	struct monitor *next;
};

/* With -1 the program ends when nobody does anything any more. */
static void
check_end(struct central *c)
{
	const struct monitor *m;

	if (!c->once)
		return;
	for (m = c->monitors; m != NULL; m = m->next) {
		if (m->fetch != NULL || m->sorter != NULL || m->awaited ||
		    (m->unsorted && !m->failed))
			return;
	}
	event_base_loopbreak(c->base);
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
set_timer(struct monitor *m, int64_t ns)
{
	struct timeval tv;

	tv.tv_sec = ns / NS_PER_SEC;
	tv.tv_usec = ns % NS_PER_SEC / NS_PER_US;
	if (event_add(m->timer, &tv) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
}

/* --- the sorter ------------------------------------------------------------ */

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

/* A place is free: for those behind M in the list first, so that all have
 * their turn. */
static void
start_waiting_sorter(struct central *c, struct monitor *m)
{
	struct monitor *w;

	for (w = m->next; w != NULL; w = w->next) {
		if (w->unsorted && !w->failed)
			start_sorter(w);
	}
	for (w = c->monitors; w != m; w = w->next) {
		if (w->unsorted && !w->failed)
			start_sorter(w);
	}
}

static void
on_sorter_ended(struct child *c, int status, int64_t restart_ns, void *arg)
{
	struct monitor *m = arg;
	char buf[64];

	(void)restart_ns;
	child_free(c);
	m->sorter = NULL;
	m->central->nsorters--;
	if (status != 0) {
		/* Again after the next pass. */
		log_warn("%s: sorter: %s", m->conf.name,
		    child_status(status, buf, sizeof(buf)));
		m->failed = 1;
		m->unsorted = 1;
	}
	start_waiting_sorter(m->central, m);
	if (status == 0 && m->unsorted)
		start_sorter(m);
	check_end(m->central);
}

static const struct child_ops sorter_ops = {
    .started = on_sorter_started,
    .ended = on_sorter_ended,
};

static void
start_sorter(struct monitor *m)
{
	struct central *c = m->central;
	struct child_config cfg = {.argv = m->argv};

	if (m->sorter != NULL || c->nsorters == SORTERS_MAX)
		return;
	m->unsorted = 0;
	m->argv[0] = c->sorter;
	m->argv[1] = (char *)"-d";
	m->argv[2] = (char *)c->dir;
	m->argv[3] = m->conf.name;
	c->nsorters++;
	m->sorted_ns = clock_mono_ns();
	m->sorter = child_new(c->base, &cfg, &sorter_ops, m);
}

/* --- passes ---------------------------------------------------------------- */

static void
wait_for_next(struct monitor *m)
{
	if (m->central->once)
		return;
	if (m->conf.address == NULL)
		set_timer(m, MISSED * m->conf.poll_ns);
	else
		set_timer(m,
		    jitter(
			m->backoff_ns != 0 ? m->backoff_ns : m->conf.poll_ns));
}

/* A trouble that lasts is logged once. */
static void
say(struct monitor *m, const char *why)
{
	if (why != NULL && (m->said == NULL || strcmp(m->said, why) != 0))
		log_warn("%s: %s", m->conf.name, why);
	free(m->said);
	m->said = why == NULL ? NULL : xstrdup(why);
}

static unsigned int *
passes_like(struct monitor *m)
{
	struct central *c = m->central;

	return m->conf.address != NULL ? &c->ndialled : &c->ncalls;
}

static void
on_pass_done(void *arg, const char *why, unsigned int fetched)
{
	struct monitor *m = arg;

	m->fetch = NULL;
	--*passes_like(m);
	say(m, why);
	if (fetched > 0)
		m->unsorted = 1;
	if (why == NULL)
		m->backoff_ns = 0;
	else if (m->backoff_ns == 0)
		m->backoff_ns = BACKOFF_MIN_NS;
	else if (m->backoff_ns < BACKOFF_MAX_NS / 2)
		m->backoff_ns *= 2;
	else
		m->backoff_ns = BACKOFF_MAX_NS;
	/* What failed before may go well now. */
	m->failed = m->central->once && (m->failed || why != NULL);
	/* Files are closed by time too. */
	if (m->unsorted || clock_mono_ns() - m->sorted_ns >= SORT_NS)
		start_sorter(m);
	wait_for_next(m);
	check_end(m->central);
}

static void
begin_pass(struct monitor *m, int fd, struct tls_conn *conn)
{
	struct central *c = m->central;
	struct fetch_config cfg = {
	    .base = c->base,
	    .root = c->root,
	    .monitor = m->conf.name,
	    .address = m->conf.address,
	    .tls = m->conf.has_pin ? c->tls : NULL,
	    .pin = &m->conf.pin,
	    .fd = fd,
	    .conn = conn,
	    .poll_s = (unsigned int)(m->conf.poll_ns / NS_PER_SEC),
	    .timeout_ns = c->timeout_ns,
	    .done = on_pass_done,
	    .arg = m,
	};

	event_del(m->timer);
	m->awaited = 0;
	++*passes_like(m);
	m->fetch = fetch_new(&cfg);
}

static void
on_timer(int fd, short what, void *arg)
{
	struct monitor *m = arg;

	(void)fd;
	(void)what;
	if (m->conf.address == NULL) {
		log_warn("%s: has not called", m->conf.name);
		m->failed = m->central->once;
		m->awaited = 0;
		check_end(m->central);
	} else if (*passes_like(m) >= PASSES_MAX)
		set_timer(m, jitter(NO_PLACE_NS));
	else
		begin_pass(m, -1, NULL);
}

int
monitor_take(struct monitor *m, int fd, struct tls_conn *conn)
{
	if (m->fetch != NULL || *passes_like(m) >= PASSES_MAX)
		return -1;
	begin_pass(m, fd, conn);
	return 0;
}

/* --- the list -------------------------------------------------------------- */

struct monitor *
monitor_new(struct central *c, const struct settings_monitor *conf)
{
	struct monitor *m = xcalloc(1, sizeof(*m)), **end = &c->monitors;

	m->central = c;
	m->conf = *conf;
	m->conf.name = xstrdup(conf->name);
	m->conf.address = conf->address == NULL ? NULL : xstrdup(conf->address);
	m->unsorted = 1;
	m->timer = event_new(c->base, -1, 0, on_timer, m);
	if (m->timer == NULL)
		log_fatal(EXIT_TEMPORARY, "out of memory");
	while (*end != NULL)
		end = &(*end)->next;
	*end = m;
	m->awaited = c->once;
	if (m->conf.address != NULL)
		set_timer(m, 0);
	else
		set_timer(m, c->once ? ONCE_WAIT_NS : MISSED * m->conf.poll_ns);
	/* What a killed predecessor left is not to wait for a call. */
	if (m->conf.address == NULL)
		start_sorter(m);
	return m;
}

int
monitor_free(struct monitor *m)
{
	struct central *c = m->central;
	struct monitor **p = &c->monitors;
	int failed = m->failed;

	while (*p != m)
		p = &(*p)->next;
	*p = m->next;
	*passes_like(m) -= m->fetch != NULL;
	c->nsorters -= m->sorter != NULL;
	fetch_free(m->fetch);
	child_free(m->sorter);
	event_free(m->timer);
	settings_monitor_clear(&m->conf);
	free(m->said);
	free(m);
	return failed;
}

struct monitor *
monitor_by_pin(const struct central *c, const struct tls_pin *pin)
{
	struct monitor *m;

	for (m = c->monitors; m != NULL; m = m->next) {
		if (m->conf.address == NULL && tls_pin_equal(&m->conf.pin, pin))
			return m;
	}
	return NULL;
}

static int
is_there(const struct central *c, const struct settings_monitor *conf)
{
	const struct monitor *m;

	for (m = c->monitors; m != NULL; m = m->next) {
		if (strcmp(m->conf.name, conf->name) == 0)
			return 1;
	}
	return 0;
}

void
monitor_reload(struct central *c, const struct settings *s)
{
	const struct settings_monitor *conf;
	struct monitor *m, *next;

	c->timeout_ns = s->timeout_ns;
	for (m = c->monitors; m != NULL; m = next) {
		next = m->next;
		conf = settings_find(s, &m->conf);
		if (conf != NULL) {
			m->conf.poll_ns = conf->poll_ns;
			continue;
		}
		log_warn("%s: was removed or changed%s", m->conf.name,
		    m->fetch != NULL ? ", its session is closed" : "");
		monitor_free(m);
	}
	for (size_t i = 0; i < s->count; i++) {
		if (!is_there(c, &s->list[i]))
			monitor_new(c, &s->list[i]);
	}
}
