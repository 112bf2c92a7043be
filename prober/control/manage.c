/*
 * manage: what a client may say that has not attached: ask for settings and
 * change them, end the program.  The answers are scamper's, word for word where
 * somebody may look at them.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/scan.h"
#include "common/xmalloc.h"
#include "prober/control/control.h"
#include "prober/names.h"
#include "prober/tech/stopset.h"

#define WINDOW_MAX 65535

struct verb {
	const char *word;
	void (*obey)(struct client *cl, char *args);
};

char *
manage_word(char **args)
{
	char *word;

	return scan_word(args, &word) == 1 ? word : NULL;
}

/* The row of TABLE, which ends with NULL, for WORD; or NULL. */
static const struct verb *
find_verb(const struct verb *table, const char *word)
{
	for (; table->word != NULL; table++) {
		if (strcasecmp(table->word, word) == 0)
			return table;
	}
	return NULL;
}

/* Cut the verb off *LINE, which begins with it or a blank; *LINE goes behind
 * the blanks that follow. */
static char *
cut_verb(char **line)
{
	char *verb = *line, *end = verb + strcspn(verb, " ");

	*line = end + strspn(end, " ");
	*end = '\0';
	return verb;
}

/* --- get ------------------------------------------------------------------------ */

static void
get_pps(struct client *cl, char *args)
{
	(void)args;
	chan_printf(
	    cl->chan, "OK pps %ju", (uintmax_t)cl->control->e->pacer.asked);
}

static void
get_window(struct client *cl, char *args)
{
	const struct window *w = &cl->control->e->window;

	(void)args;
	chan_printf(cl->chan, "OK window %u/%u", w->count, w->max);
}

static void
get_version(struct client *cl, char *args)
{
	(void)args;
	chan_printf(cl->chan, "OK version %s", VERSION);
}

static void
get_pid(struct client *cl, char *args)
{
	(void)args;
	chan_printf(cl->chan, "OK pid %ld", (long)getpid());
}

static void
get_monitorname(struct client *cl, char *args)
{
	const char *name = cl->control->monitor;

	(void)args;
	if (name != NULL)
		chan_printf(cl->chan, "OK monitorname %s", name);
	else
		chan_printf(cl->chan, "OK null monitorname");
}

static void
get_nameserver(struct client *cl, char *args)
{
	const char *ns = nameserver_text(cl->control->e->nameserver);

	(void)args;
	if (ns != NULL)
		chan_printf(cl->chan, "OK nameserver %s", ns);
	else
		chan_printf(cl->chan, "OK null nameserver");
}

static void
get_command(struct client *cl, char *args)
{
	(void)args;
	chan_printf(cl->chan, "OK command %s", cl->control->command);
}

static const struct verb getters[] = {
    {"command", get_command},
    {"monitorname", get_monitorname},
    {"nameserver", get_nameserver},
    {"pid", get_pid},
    {"pps", get_pps},
    {"version", get_version},
    {"window", get_window},
    {NULL, NULL},
};

static void
do_get(struct client *cl, char *args)
{
	const struct verb *v = find_verb(getters, args);

	if (*args == '\0')
		chan_printf(cl->chan,
		    "ERR usage: get [command | monitorname | pid | pps | "
		    "version | window]");
	else if (v == NULL)
		chan_printf(
		    cl->chan, "ERR unhandled get command '%.200s'", args);
	else
		v->obey(cl, NULL);
}

/* --- set ---------------------------------------------------------------------------- */

/* The first word of ARGS as a number MIN..MAX of NAME; 0, or -1 and said. */
static int
set_number(
    struct client *cl, const char *name, char *args, uint32_t min, uint32_t max)
{
	char *end;
	long v = strtol(args, &end, 10);

	if (*args == '\0') {
		chan_printf(cl->chan, "ERR set %s requires argument", name);
		return -1;
	}
	if (end == args || (*end != '\0' && *end != ' ')) {
		chan_printf(
		    cl->chan, "ERR set %s argument is not an integer", name);
		return -1;
	}
	if (v < (long)min || v > (long)max) {
		chan_printf(cl->chan, "ERR %s: %ld out of range (%u, %u)", name,
		    v, min, max);
		return -1;
	}
	chan_printf(cl->chan, "OK %s %ld", name, v);
	return (int)v;
}

/* A rate that files of limits may lower is theirs. */
static void
set_pps(struct client *cl, char *args)
{
	struct control *c = cl->control;
	uint32_t max = cl->generation == SHOW_2026 ? CONTROL_PPS_MAX_2026
						   : CONTROL_PPS_MAX;
	int v;

	if (c->e->polite != NULL) {
		chan_printf(cl->chan, "ERR pps: limits are in force");
		return;
	}
	v = set_number(
	    cl, "pps", args, 1, max > c->cfg->pps ? max : c->cfg->pps);
	if (v == -1)
		return;
	pacer_init(&c->e->pacer, (uint32_t)v);
	control_kick(c);
}

static void
set_window(struct client *cl, char *args)
{
	int v = set_number(cl, "window", args, 0, WINDOW_MAX);

	if (v == -1)
		return;
	cl->control->e->window.max = (uint32_t)v;
	control_kick(cl->control);
}

static void
set_monitorname(struct client *cl, char *args)
{
	struct control *c = cl->control;

	free(c->monitor);
	c->monitor = *args != '\0' ? xstrdup(args) : NULL;
	chan_printf(cl->chan, "OK");
}

static void
set_nameserver(struct client *cl, char *args)
{
	int rc = nameserver_set(cl->control->e->nameserver, args);

	chan_printf(cl->chan, rc == 0 ? "OK" : "ERR could not set nameserver");
}

/* For files whose `source add' does not say a command of their own. */
static void
set_command(struct client *cl, char *args)
{
	struct control *c = cl->control;
	char why[256];
	struct measurement *m = technique_parse(args, NULL, why, sizeof(why));

	if (m == NULL) {
		chan_printf(cl->chan, "ERR %s", why);
		return;
	}
	technique_unref(m);
	free(c->command);
	c->command = xstrdup(args);
	chan_printf(cl->chan, "OK");
}

static const struct verb setters[] = {
    {"command", set_command},
    {"monitorname", set_monitorname},
    {"nameserver", set_nameserver},
    {"pps", set_pps},
    {"window", set_window},
    {NULL, NULL},
};

static void
do_set(struct client *cl, char *args)
{
	char *word = cut_verb(&args);
	const struct verb *v = find_verb(setters, word);

	if (*word == '\0')
		chan_printf(cl->chan,
		    "ERR usage: set [command | monitorname | pps | window]");
	else if (v == NULL)
		chan_printf(
		    cl->chan, "ERR unhandled set command '%.200s'", word);
	else
		v->obey(cl, args);
}

/* --- the end --------------------------------------------------------------------------- */

static void
shutdown_cancel(struct client *cl, char *args)
{
	(void)args;
	control_shutdown(cl->control, SHUTDOWN_NONE);
	chan_printf(cl->chan, "OK");
}

static void
shutdown_done(struct client *cl, char *args)
{
	(void)args;
	chan_printf(cl->chan, "OK");
	control_shutdown(cl->control, SHUTDOWN_DONE);
}

static void
shutdown_flush(struct client *cl, char *args)
{
	(void)args;
	chan_printf(cl->chan, "OK");
	control_shutdown(cl->control, SHUTDOWN_FLUSH);
}

static void
shutdown_now(struct client *cl, char *args)
{
	(void)args;
	chan_printf(cl->chan, "OK");
	engine_stop(cl->control->e, 2);
}

static const struct verb shutdowns[] = {
    {"cancel", shutdown_cancel},
    {"done", shutdown_done},
    {"flush", shutdown_flush},
    {"now", shutdown_now},
    {NULL, NULL},
};

static void
do_shutdown(struct client *cl, char *args)
{
	char *word = cut_verb(&args);
	const struct verb *v = find_verb(shutdowns, word);

	if (*word == '\0')
		chan_printf(
		    cl->chan, "ERR usage: [cancel | done | flush | now]");
	else if (v == NULL)
		chan_printf(cl->chan, "ERR unhandled command '%.200s'", word);
	else
		v->obey(cl, NULL);
}

/* --- the rest ----------------------------------------------------------------------------- */

static void
do_help(struct client *cl, char *args)
{
	(void)args;
	chan_printf(cl->chan,
	    "ERR commands: attach exit get lss-clear observe outfile remote "
	    "set shutdown source");
}

static void
do_lss_clear(struct client *cl, char *args)
{
	if (*args == '\0')
		chan_printf(cl->chan, "ERR usage: lss-clear [lss-name]");
	else if (stopset_clear(args) == 0)
		chan_printf(cl->chan, "OK lss-clear %.200s", args);
	else
		chan_printf(cl->chan, "ERR lss-clear %.200s failed", args);
}

static const struct verb verbs[] = {
    {"get", do_get},
    {"help", do_help},
    {"lss-clear", do_lss_clear},
    {"observe", sources_observe},
    {"outfile", outfile_command},
    {"remote", remotes_command},
    {"set", do_set},
    {"shutdown", do_shutdown},
    {"source", sources_source},
    {NULL, NULL},
};

void
manage_line(struct client *cl, char *line)
{
	char *word = cut_verb(&line);
	const struct verb *v = find_verb(verbs, word);

	if (v == NULL)
		chan_printf(cl->chan, "ERR unhandled command '%.200s'", word);
	else
		v->obey(cl, line);
}
