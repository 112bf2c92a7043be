/*
 * outfile: the files that results of sources go into, and scamper's commands
 * about them (contract: control.h).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "common/xmalloc.h"
#include "prober/control/control.h"

struct outfile *
outfile_find(const struct control *c, const char *name)
{
	struct outfile *of;

	TAILQ_FOREACH(of, &c->outfiles, link)
	{
		if (strcmp(of->name, name) == 0)
			return of;
	}
	return NULL;
}

static struct outfile *
add_outfile(struct control *c, const char *name, char *path, struct output *o)
{
	struct outfile *of = xcalloc(1, sizeof(*of));

	of->name = xstrdup(name);
	of->path = path;
	of->o = o;
	of->refs = 1;
	TAILQ_INSERT_TAIL(&c->outfiles, of, link);
	return of;
}

struct outfile *
outfile_new(
    struct control *c, const char *name, const char *path, struct output *o)
{
	return add_outfile(c, name, xstrdup(path), o);
}

struct outfile *
outfile_open(
    struct control *c, const char *name, const struct output_config *cfg)
{
	struct output_config own = *cfg;
	struct output *o;
	char *path = xstrdup(cfg->path);

	own.path = path; /* stays as long as the output does */
	o = output_try(&own);
	if (o != NULL)
		return add_outfile(c, name, path, o);
	free(path);
	return NULL;
}

unsigned int
outfile_users(const struct control *c, const struct outfile *of)
{
	unsigned int n = of->refs - 1;

	for (int i = 0; i < c->nruns; i++)
		n += c->runs[i] != NULL && c->runs[i]->o == of->o;
	return n;
}

static void
move_run(struct run *run, struct outfile *a, struct outfile *b)
{
	struct output *to = run->o == a->o ? b->o : a->o;

	if (run->o == a->o || run->o == b->o)
		route_into(run, to);
}

void
outfile_swap(struct control *c, struct outfile *a, struct outfile *b)
{
	struct output *o = a->o;
	char *path = a->path;

	for (int i = 0; i < c->nruns && a != b; i++) {
		if (c->runs[i] != NULL)
			move_run(c->runs[i], a, b);
	}
	a->o = b->o;
	a->path = b->path;
	b->o = o;
	b->path = path;
}

void
outfile_unref(struct control *c, struct outfile *of)
{
	if (--of->refs > 0)
		return;
	TAILQ_REMOVE(&c->outfiles, of, link);
	if (c->main == of)
		c->main = NULL;
	if (of->o != NULL && output_close(of->o, clock_mono_ns(), 1) == -1)
		log_warn("%s: %s", of->path, strerror(errno));
	free(of->name);
	free(of->path);
	free(of);
}

/* --- commands ---------------------------------------------------------------------------- */

enum { OPEN_NAME, OPEN_FILE, OPEN_MODE, OPEN_N };

/* In warts, as scamper's are whatever -O says, unless the file's name has it
 * otherwise. */
static void
open_as_asked(struct client *cl, const struct param *p)
{
	struct output_config cfg = *cl->control->cfg->out;

	cfg.path = p[OPEN_FILE].value;
	cfg.append = strcasecmp(p[OPEN_MODE].value, "append") == 0;
	cfg.format = NULL;
	cfg.otherwise = "warts";
	if (outfile_open(cl->control, p[OPEN_NAME].value, &cfg) == NULL)
		chan_printf(cl->chan, "ERR could not open '%.200s': %s",
		    cfg.path, strerror(errno));
	else
		chan_printf(cl->chan, "OK");
}

static void
do_open(struct client *cl, char *args)
{
	struct param p[OPEN_N + 1] = {
	    [OPEN_NAME] = {.key = "name"},
	    [OPEN_FILE] = {.key = "file"},
	    [OPEN_MODE] = {.key = "mode"},
	};
	const char *mode;

	if (param_get(p, args) != NULL || p[OPEN_NAME].value == NULL ||
	    p[OPEN_FILE].value == NULL || p[OPEN_MODE].value == NULL) {
		chan_printf(cl->chan,
		    "ERR usage: outfile open name <alias> file <path> mode "
		    "<truncate|append>");
		return;
	}
	mode = p[OPEN_MODE].value;
	if (strcasecmp(mode, "truncate") != 0 &&
	    strcasecmp(mode, "append") != 0)
		chan_printf(cl->chan, "ERR mode must be truncate or append");
	else if (outfile_find(cl->control, p[OPEN_NAME].value) != NULL)
		chan_printf(cl->chan, "ERR alias '%.200s' is in use",
		    p[OPEN_NAME].value);
	else
		open_as_asked(cl, p);
}

enum { SOCKET_NAME, SOCKET_TYPE, SOCKET_N };

static const struct {
	const char *word;
	enum output_kind kind;
} socket_types[] = {
    {"warts", OUTPUT_WARTS},
    {"json", OUTPUT_JSON},
    {"text", OUTPUT_TEXT},
};

#define NTYPES (sizeof(socket_types) / sizeof(socket_types[0]))

static void
add_socket(struct client *cl, const char *name, const char *type)
{
	size_t i = 0;

	while (i < NTYPES && strcasecmp(socket_types[i].word, type) != 0)
		i++;
	if (i == NTYPES) {
		chan_printf(cl->chan, "ERR type must be warts, json or text");
		return;
	}
	/* As scamper's list has such files. */
	outfile_new(
	    cl->control, name, "(null)", sink_new(cl, socket_types[i].kind));
	chan_printf(cl->chan, "OK");
}

static void
do_socket(struct client *cl, char *args)
{
	struct param p[SOCKET_N + 1] = {
	    [SOCKET_NAME] = {.key = "name"},
	    [SOCKET_TYPE] = {.key = "type"},
	};
	const char *wrong = param_get(p, args);
	const char *name = p[SOCKET_NAME].value;

	if (wrong != NULL)
		chan_printf(cl->chan,
		    "ERR outfile socket param '%.200s' failed", wrong);
	else if (name == NULL || p[SOCKET_TYPE].value == NULL)
		chan_printf(cl->chan,
		    "ERR usage: outfile socket name <alias> type <type>");
	else if (outfile_find(cl->control, name) != NULL)
		chan_printf(
		    cl->chan, "ERR outfile '%.200s' already exists", name);
	else
		add_socket(cl, name, p[SOCKET_TYPE].value);
}

/* With -O outcopy the first one is for those clients, too, that are to come. */
static int
is_in_use(const struct control *c, const struct outfile *of)
{
	return outfile_users(c, of) > 0 || (c->cfg->outcopy && of == c->main);
}

static void
do_close(struct client *cl, char *args)
{
	const char *name = manage_word(&args);
	struct outfile *of =
	    name != NULL ? outfile_find(cl->control, name) : NULL;

	if (name == NULL)
		chan_printf(cl->chan, "ERR usage: outfile close <alias>");
	else if (of == NULL)
		chan_printf(cl->chan, "ERR unknown outfile '%.200s'", name);
	else if (is_in_use(cl->control, of))
		chan_printf(cl->chan, "ERR could not drop outfile: refcnt %u",
		    1 + outfile_users(cl->control, of));
	else {
		outfile_unref(cl->control, of);
		chan_printf(cl->chan, "OK");
	}
}

static void
do_list(struct client *cl, char *args)
{
	const struct control *c = cl->control;
	const struct feed *f;
	struct outfile *of;

	(void)args;
	TAILQ_FOREACH(of, &c->outfiles, link)
	{
		chan_printf(cl->chan, "INFO '%s' file '%s' refcnt %u", of->name,
		    of->path, 1 + outfile_users(c, of));
	}
	/* Who has attached has his results, and counts as a file of its own. */
	TAILQ_FOREACH(f, &c->feeds, link)
	{
		if (f->file == NULL)
			chan_printf(cl->chan,
			    "INFO '%s' file '(null)' refcnt %u", f->name,
			    2 + f->nruns);
	}
	chan_printf(cl->chan, "OK");
}

static void
do_swap(struct client *cl, char *args)
{
	const char *name[2];
	struct outfile *of[2];

	for (int i = 0; i < 2; i++) {
		name[i] = manage_word(&args);
		if (name[i] == NULL) {
			chan_printf(cl->chan,
			    "ERR usage: outfile swap <alias 1> <alias 2>");
			return;
		}
		of[i] = outfile_find(cl->control, name[i]);
		if (of[i] == NULL) {
			chan_printf(
			    cl->chan, "ERR unknown outfile '%.200s'", name[i]);
			return;
		}
	}
	outfile_swap(cl->control, of[0], of[1]);
	chan_printf(cl->chan, "OK");
}

static const struct param_verb outfile_verbs[] = {
    {"close", do_close},
    {"list", do_list},
    {"open", do_open},
    {"socket", do_socket},
    {"swap", do_swap},
    {NULL, NULL},
};

void
outfile_command(struct client *cl, char *args)
{
	param_dispatch(
	    cl, outfile_verbs, args, "outfile [close | list | open | swap]");
}
