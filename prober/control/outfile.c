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
outfile_open(struct control *c, const char *name, const char *path, int append)
{
	struct output_config cfg = *c->cfg->out;
	struct output *o;
	char *kept = xstrdup(path);

	cfg.path = kept; /* stays as long as the output does */
	cfg.append = append;
	o = output_try(&cfg);
	if (o != NULL)
		return add_outfile(c, name, kept, o);
	free(kept);
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
	if (of->o != NULL && output_close(of->o, clock_mono_ns(), 1) == -1)
		log_warn("%s: %s", of->path, strerror(errno));
	free(of->name);
	free(of->path);
	free(of);
}

/* --- commands ---------------------------------------------------------------------------- */

enum { OPEN_NAME, OPEN_FILE, OPEN_MODE, OPEN_N };

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
	else if (outfile_open(cl->control, p[OPEN_NAME].value,
		     p[OPEN_FILE].value,
		     strcasecmp(mode, "append") == 0) == NULL)
		chan_printf(cl->chan, "ERR could not open '%.200s': %s",
		    p[OPEN_FILE].value, strerror(errno));
	else
		chan_printf(cl->chan, "OK");
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
	else if (outfile_users(cl->control, of) > 0 ||
	    of == TAILQ_FIRST(&cl->control->outfiles))
		chan_printf(cl->chan, "ERR outfile '%.200s' is in use", name);
	else {
		outfile_unref(cl->control, of);
		chan_printf(cl->chan, "OK");
	}
}

static void
do_list(struct client *cl, char *args)
{
	struct outfile *of;

	(void)args;
	TAILQ_FOREACH(of, &cl->control->outfiles, link)
	chan_printf(cl->chan, "INFO '%s' file '%s' refcnt %u", of->name,
	    of->path, of->refs);
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
