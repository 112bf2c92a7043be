/*
 * generator: one List Generator as the manager sees it: its process.  Its
 * stream is generator_read.c's, what it is told generator_tell.c's.
 *
 *	IDLE ──start──► RUNNING ──exit 0, 100, read out──► DONE
 *	  ▲               │ dies: comes again by child.h, its stream goes on
 *	  └──── gone ──── HALTING ◄── halt
 *
 * A process may die and the next one start while the manager still has the
 * first one's lines to read, because the Prober is slow.  The streams are read
 * one behind the other.
 *
 * It runs in a jail (child_jail.h): without network where we may say so, and
 * with -U as a user of its own in a directory of its own, whose owner is the
 * only record of which user that is.
 */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/child.h"
#include "common/log.h"
#include "common/segment_dir.h"
#include "common/xmalloc.h"
#include "listmgr/generator.h"

/* With a user of its own, where the schedule says nothing. */
#define OWN_MEMORY (UINT64_C(1) << 30)
#define OWN_PROCESSES 64
#define OWN_FILE_SIZE (UINT64_C(1) << 30)

static void
close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

/* --- the process ---------------------------------------------------------- */

static void
on_started(struct child *c, pid_t pid, int fd_in, int fd_out, void *arg)
{
	struct generator *g = arg;

	(void)c;
	g->started_ns = g->next_ns = g->host->now_ns;
	log_info("%s: started, process %d", g->who, (int)pid);
	if (g->state != GENERATOR_RUNNING) {
		close(fd_in);
		close(fd_out);
	} else if (g->fd_in == -1) {
		generator_detach(g);
		generator_attach(g, fd_in, fd_out);
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

void
generator_trouble(struct generator *g, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(g->trouble, sizeof(g->trouble), fmt, ap);
	va_end(ap);
	g->trouble_ns = g->host->now_ns;
}

int
generator_is_troubled(const struct generator *g)
{
	return g->trouble[0] != '\0' &&
	    (g->failed ||
		g->host->now_ns - g->trouble_ns < GENERATOR_TROUBLE_NS);
}

void
generator_note_death(struct generator *g, const char *how)
{
	g->deaths_ns[g->ndeaths++ % GENERATOR_DEATHS] = g->host->now_ns;
	generator_trouble(g, "%s", how);
}

/* Who does not read its standard input ends by SIGTERM, which is legal. */
static void
note_end(struct generator *g, int status, const char *how)
{
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) {
		log_warn("%s: does not obey stop: %s", g->who, how);
		generator_trouble(g, "does not obey stop: %s", how);
	} else {
		log_info("%s: %s", g->who, how);
	}
}

static void
on_ended(struct child *c, int status, int64_t restart_ns, void *arg)
{
	struct generator *g = arg;
	char how[64];

	(void)c;
	if (g->voice != NULL)
		voice_flush(g->voice);
	child_status(status, how, sizeof(how));
	g->dead = 1;
	g->dry = 0;
	if (g->state == GENERATOR_HALTING) {
		note_end(g, status, how);
		forget_child(g);
	} else if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DONE) {
		log_info("%s: done", g->who);
		forget_child(g);
	} else if (restart_ns == -1) {
		log_warn("%s: %s: not started again", g->who, how);
		generator_note_death(g, how);
		g->failed = 1;
		forget_child(g);
	} else {
		log_warn("%s: %s: started again in %.1f s", g->who, how,
		    (double)restart_ns / NS_PER_SEC);
		generator_note_death(g, how);
	}
}

void
generator_start(struct generator *g)
{
	static const struct child_ops ops = {on_started, on_ended};
	struct child_config cfg = {.argv = g->argv,
	    .env = g->env,
	    .dir = g->dir,
	    .jail = &g->jail,
	    .restart = 1};

	if (g->voice == NULL)
		g->voice = voice_new(g->host->base, g->who);
	cfg.fd_err = g->voice != NULL ? voice_fd(g->voice) : 0;
	g->state = GENERATOR_RUNNING;
	g->failed = 0;
	g->child = child_new(g->host->base, &cfg, &ops, g);
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
	generator_say(g, "stop\n");
	generator_detach(g);
	close_fd(&g->next_in);
	close_fd(&g->next_out);
	line_clear(&g->in);
	g->state = GENERATOR_HALTING;
	if (g->child == NULL) {
		g->state = GENERATOR_IDLE;
		return;
	}
	g->halt_timer = evtimer_new(g->host->base, on_halt_timer, g);
	if (g->halt_timer == NULL || event_add(g->halt_timer, &tv) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
}

/* --- words ---------------------------------------------------------------- */

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

/* --- users ---------------------------------------------------------------- */

/* The directory of generator NUMBER below DIR. */
static char *
own_dir(const char *dir, uint32_t number)
{
	return xasprintf("%s/list-%u", dir != NULL ? dir : ".", number);
}

/* Who owns the directory of the generator NAMEd so: its number of the users
 * from FIRST on, or SCHEDULE_LISTS_MAX. */
static uint32_t
owner_of(const char *dir, const char *name, uint32_t first)
{
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", dir != NULL ? dir : ".", name);
	if (strncmp(name, "list-", 5) != 0 || lstat(path, &st) == -1 ||
	    st.st_uid < first || st.st_uid - first >= SCHEDULE_LISTS_MAX)
		return SCHEDULE_LISTS_MAX;
	return st.st_uid - first;
}

/* The first user that no directory belongs to. */
static uint32_t
free_user(const char *dir, uint32_t first)
{
	static char taken[SCHEDULE_LISTS_MAX + 1];
	struct dirent *e;
	uint32_t i = 0;
	DIR *d = opendir(dir != NULL ? dir : ".");

	memset(taken, 0, sizeof(taken));
	while (d != NULL && (e = readdir(d)) != NULL)
		taken[owner_of(dir, e->d_name, first)] = 1;
	if (d != NULL)
		closedir(d);
	while (i < SCHEDULE_LISTS_MAX && taken[i])
		i++;
	return i;
}

/* A directory of its own for G, and maybe a user. */
static const char *
settle(struct generator *g)
{
	const struct generator_host *h = g->host;
	const char *name;
	uint32_t user;

	free(g->dir);
	g->dir = own_dir(h->dir, g->number);
	name = strrchr(g->dir, '/') + 1;
	if (h->first_uid != 0) {
		user = owner_of(h->dir, name, h->first_uid);
		if (user == SCHEDULE_LISTS_MAX)
			user = free_user(h->dir, h->first_uid);
		if (user == SCHEDULE_LISTS_MAX)
			return "no user is left for it";
		g->jail.uid = h->first_uid + user;
	}
	if (child_jail_dir(&g->jail, g->dir) == -1)
		return strerror(errno);
	return NULL;
}

/* --- making --------------------------------------------------------------- */

static void
set_jail(struct generator *g, const struct schedule_limits *l)
{
	g->jail.no_network = g->host->no_network;
	g->jail.memory = l->memory;
	g->jail.processes = l->processes;
	if (g->host->first_uid == 0)
		return;
	if (l->memory == 0)
		g->jail.memory = OWN_MEMORY;
	if (l->processes == 0)
		g->jail.processes = OWN_PROCESSES;
	g->jail.file_size = OWN_FILE_SIZE;
}

void
generator_limit(struct generator *g, const struct work *w)
{
	const struct schedule_limits *l = &w->list->limits;

	g->max_line = l->line != 0 ? l->line : LINE_MAX_COMMAND;
	g->in.max = g->max_line;
	g->max_targets = l->targets;
	g->quiet_s = l->quiet_s != 0 ? l->quiet_s : GENERATOR_QUIET_S;
	g->crowded_s = l->crowded_s;
	if (g->crowded_s == 0)
		g->crowded_s = g->jail.processes < GENERATOR_CROWD_MIN
		    ? SCHEDULE_NEVER
		    : GENERATOR_CROWDED_S;
	conduct_set_rate(&g->conduct, l->rate);
}

/* A program of the centre's is where it says, and its hash is what counts. */
static void
set_code(struct generator *g, const struct work *w)
{
	const struct schedule_file *code = NULL;
	char hex[2 * SCHEDULE_SHA_LEN + 1] = "";

	if (w->code != NULL)
		code = schedule_code_of(w->schedule, w->list);
	if (code != NULL) {
		free(g->argv[0]);
		g->argv[0] = xasprintf("%s/%s", w->code, code->name);
		if (code->on_change == SCHEDULE_RESTART)
			segment_dir_hex(hex, code->sha, sizeof(code->sha));
	}
	g->code = xstrdup(hex);
}

/* What a process of it is made of; nothing outside is touched. */
static struct generator *
describe(const struct generator_host *host, const struct work *w)
{
	const struct schedule_list *l = w->list;
	struct generator *g = xcalloc(1, sizeof(*g));

	g->host = host;
	g->number = l->number;
	strcpy(g->name, l->name);
	g->who = xasprintf("list %u (%s)", l->number, l->name);
	g->argv = copy_argv(l);
	set_code(g, w);
	g->env = make_env(l, host->monitor);
	set_jail(g, &l->limits);
	g->fd_in = g->fd_out = g->next_in = g->next_out = -1;
	return g;
}

struct generator *
generator_new(const struct generator_host *host, const struct work *w)
{
	struct generator *g = describe(host, w);
	const char *why;

	g->dir = host->dir != NULL ? xstrdup(host->dir) : NULL;
	conduct_init(&g->conduct, 0);
	generator_limit(g, w);
	if (!host->own_dirs)
		return g;
	why = settle(g);
	if (why != NULL) {
		log_warn("%s: %s: %s: not started", g->who, g->dir, why);
		generator_trouble(g, "no directory: %s", why);
		g->state = GENERATOR_DONE;
		g->failed = 1;
	}
	return g;
}

static int
same_words(char **a, char **b)
{
	for (; *a != NULL && *b != NULL; a++, b++) {
		if (strcmp(*a, *b) != 0)
			return 0;
	}
	return *a == *b;
}

int
generator_same(const struct generator *g, const struct work *w)
{
	struct generator *o = describe(g->host, w);
	int same = same_words(g->argv, o->argv) && same_words(g->env, o->env) &&
	    strcmp(g->code, o->code) == 0 && g->jail.memory == o->jail.memory &&
	    g->jail.processes == o->jail.processes;

	generator_free(o);
	return same;
}

void
generator_free(struct generator *g)
{
	if (g == NULL)
		return;
	forget_child(g);
	generator_detach(g);
	close_fd(&g->next_in);
	close_fd(&g->next_out);
	line_clear(&g->in);
	voice_free(g->voice);
	for (size_t i = 0; i < g->norders; i++)
		free(g->orders[i]);
	free(g->orders);
	free(g->told_due);
	free_words(g->argv);
	free_words(g->env);
	free(g->code);
	free(g->dir);
	free(g->who);
	free(g);
}
