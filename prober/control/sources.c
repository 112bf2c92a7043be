/*
 * sources: the commands of scamper's daemon about sources and output files, and
 * the events that observers are told.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/scan.h"
#include "common/xmalloc.h"
#include "prober/control/control.h"

struct verb {
	const char *word;
	void (*obey)(struct client *cl, char *args);
};

/* Obey the row for the first word of ARGS; with none, or one that is not
 * known, say USAGE or what is WRONG with it. */
static void
dispatch(
    struct client *cl, const struct verb *table, char *args, const char *usage)
{
	char *word = manage_word(&args);

	if (word == NULL) {
		chan_printf(cl->chan, "ERR usage: %s", usage);
		return;
	}
	while (table->word != NULL && strcasecmp(table->word, word) != 0)
		table++;
	if (table->word != NULL)
		table->obey(cl, args);
	else
		chan_printf(cl->chan, "ERR unhandled%s command '%.200s'",
		    *usage == 'o' ? " outfile" : "", word);
}

/* --- parameters ------------------------------------------------------------------ */

struct param {
	const char *key;
	char *value; /* NULL: not given */
};

/* KEY VALUE pairs of ARGS into TABLE, which ends with NULL.  NULL, or the word
 * that is wrong. */
static const char *
get_params(struct param *table, char *args)
{
	struct param *p;
	char *key;

	while ((key = manage_word(&args)) != NULL) {
		for (p = table; p->key != NULL; p++) {
			if (strcasecmp(p->key, key) == 0)
				break;
		}
		if (p->key == NULL)
			return key;
		p->value = manage_word(&args);
		if (p->value == NULL)
			return key;
	}
	return NULL;
}

/* A number, or IF_NONE where VALUE is NULL; 0, or -1. */
static int
number(const char *value, uint32_t min, uint32_t if_none, uint32_t *out)
{
	*out = if_none;
	return value == NULL ? 0 : scan_u32(value, min, INT32_MAX, out);
}

static int
on_or_off(const char *value, int *out)
{
	if (value != NULL && strcasecmp(value, "on") == 0)
		*out = 1;
	else if (value != NULL && strcasecmp(value, "off") == 0)
		*out = 0;
	else if (value != NULL)
		return -1;
	return 0;
}

/* --- what is told -------------------------------------------------------------------- */

const char *
sources_describe(const struct feed *f, char *buf, size_t size)
{
	char file[400] = "", descr[300] = "";

	if (f->descr != NULL)
		snprintf(descr, sizeof(descr), " descr '%s'", f->descr);
	if (f->file != NULL)
		files_describe(f, file, sizeof(file));
	snprintf(buf, size,
	    "name '%s'%s list_id %u cycle_id %u priority %u outfile '%s' "
	    "type '%s'%s",
	    f->name, descr, f->list_id, f->cycle_id, f->priority,
	    f->outfile != NULL ? f->outfile->name : f->name,
	    f->file != NULL ? "file" : "control", file);
	return buf;
}

void
sources_event(struct control *c, const char *fmt, ...)
{
	struct client *cl;
	char text[1200];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	TAILQ_FOREACH(cl, &c->clients, link)
	{
		/* One that does not read misses events. */
		if (cl->observer && client_takes(cl))
			chan_printf(cl->chan, "EVENT %jd %s",
			    (intmax_t)(clock_wall_ns() / NS_PER_SEC), text);
	}
}

void
sources_observe(struct client *cl, char *args)
{
	char *word = manage_word(&args);

	if (word == NULL || strcasecmp(word, "sources") != 0) {
		chan_printf(cl->chan, "ERR usage: observe [sources]");
		return;
	}
	cl->observer = 1;
	chan_printf(cl->chan, "OK");
}

/* --- source add ------------------------------------------------------------------------ */

enum {
	ADD_NAME,
	ADD_FILE,
	ADD_OUTFILE,
	ADD_DESCR,
	ADD_COMMAND,
	ADD_LIST,
	ADD_CYCLE,
	ADD_PRIORITY,
	ADD_CYCLES,
	ADD_AUTORELOAD,
	ADD_N
};

struct add {
	struct feed_config feed;
	struct file_feed_config file;
	struct outfile *outfile;
};

/* NULL, or a reason in BUF or static. */
static const char *
check_add(struct control *c, const struct param *p, struct add *a)
{
	if (number(p[ADD_LIST].value, 0, 0, &a->feed.list_id) == -1)
		return "invalid list_id";
	if (number(p[ADD_CYCLE].value, 0, 1, &a->feed.cycle_id) == -1)
		return "invalid cycle_id";
	if (number(p[ADD_PRIORITY].value, 0, 1, &a->feed.priority) == -1)
		return "invalid priority";
	if (number(p[ADD_CYCLES].value, 0, 1, &a->file.cycles) == -1)
		return "invalid cycles";
	if (on_or_off(p[ADD_AUTORELOAD].value, &a->file.reload) == -1)
		return "autoreload must be on or off";
	if (p[ADD_OUTFILE].value != NULL)
		a->outfile = route_outfile(c, p[ADD_OUTFILE].value);
	else
		a->outfile = TAILQ_FIRST(&c->outfiles);
	if (a->outfile == NULL)
		return "unknown outfile";
	if (round_find(c, p[ADD_NAME].value) != NULL)
		return "a source of that name exists";
	if (c->shutdown != SHUTDOWN_NONE)
		return "shutting down";
	return NULL;
}

static void
add_feed(struct client *cl, const struct add *a)
{
	struct control *c = cl->control;
	struct feed *f = round_add(c, &a->feed);
	char buf[900];

	f->outfile = a->outfile;
	f->outfile->refs++;
	if (files_open(f, &a->file, buf, sizeof(buf)) == -1) {
		chan_printf(cl->chan, "ERR %.600s", buf);
		round_close(f);
		return;
	}
	chan_printf(cl->chan, "OK source added");
	sources_event(
	    c, "source add %s", sources_describe(f, buf, sizeof(buf)));
	round_begin(f);
	control_kick(c);
}

static void
source_add(struct client *cl, char *args)
{
	struct param p[ADD_N + 1] = {
	    [ADD_NAME] = {.key = "name"},
	    [ADD_FILE] = {.key = "file"},
	    [ADD_OUTFILE] = {.key = "outfile"},
	    [ADD_DESCR] = {.key = "descr"},
	    [ADD_COMMAND] = {.key = "command"},
	    [ADD_LIST] = {.key = "list_id"},
	    [ADD_CYCLE] = {.key = "cycle_id"},
	    [ADD_PRIORITY] = {.key = "priority"},
	    [ADD_CYCLES] = {.key = "cycles"},
	    [ADD_AUTORELOAD] = {.key = "autoreload"},
	};
	const char *why = get_params(p, args);
	struct add a = {
	    .feed = {.name = p[ADD_NAME].value, .descr = p[ADD_DESCR].value},
	    .file = {.path = p[ADD_FILE].value,
		.command = p[ADD_COMMAND].value != NULL ? p[ADD_COMMAND].value
							: cl->control->command},
	};

	if (why != NULL) {
		chan_printf(
		    cl->chan, "ERR source add param '%.200s' failed", why);
		return;
	}
	for (int i = ADD_NAME; i <= ADD_FILE; i++) {
		if (p[i].value == NULL) {
			chan_printf(cl->chan,
			    "ERR required parameter '%s' missing", p[i].key);
			return;
		}
	}
	why = check_add(cl->control, p, &a);
	if (why != NULL)
		chan_printf(cl->chan, "ERR %s", why);
	else
		add_feed(cl, &a);
}

/* --- source list, update, cycle, delete ---------------------------------------------------- */

static void
source_list(struct client *cl, char *args)
{
	struct control *c = cl->control;
	const char *name = manage_word(&args);
	struct feed *f;
	char buf[900];

	if (name != NULL && round_find(c, name) == NULL) {
		chan_printf(cl->chan, "ERR no source '%.200s'", name);
		return;
	}
	TAILQ_FOREACH(f, &c->feeds, link)
	{
		if (name == NULL || strcmp(f->name, name) == 0)
			chan_printf(cl->chan, "INFO %s",
			    sources_describe(f, buf, sizeof(buf)));
	}
	chan_printf(cl->chan, "OK");
}

enum { UPDATE_PRIORITY, UPDATE_CYCLES, UPDATE_AUTORELOAD, UPDATE_N };

static void
source_update(struct client *cl, char *args)
{
	struct param p[UPDATE_N + 1] = {
	    [UPDATE_PRIORITY] = {.key = "priority"},
	    [UPDATE_CYCLES] = {.key = "cycles"},
	    [UPDATE_AUTORELOAD] = {.key = "autoreload"},
	};
	const char *name = manage_word(&args), *why;
	uint32_t priority, cycles;
	struct feed *f;
	int reload = -1;

	if (name == NULL) {
		chan_printf(cl->chan, "ERR missing name parameter");
		return;
	}
	f = round_find(cl->control, name);
	if (f == NULL) {
		chan_printf(cl->chan, "ERR no such source '%.200s'", name);
		return;
	}
	why = get_params(p, args);
	if (why == NULL &&
	    number(p[UPDATE_PRIORITY].value, 0, f->priority, &priority) == -1)
		why = "priority";
	if (why == NULL && number(p[UPDATE_CYCLES].value, 0, 0, &cycles) == -1)
		why = "cycles";
	if (why == NULL && on_or_off(p[UPDATE_AUTORELOAD].value, &reload) == -1)
		why = "autoreload";
	if (why == NULL && f->file == NULL &&
	    (p[UPDATE_CYCLES].value != NULL || reload != -1))
		why = "cycles";
	if (why != NULL) {
		chan_printf(
		    cl->chan, "ERR source update param '%.200s' failed", why);
		return;
	}
	f->priority = f->left = priority;
	if (f->file != NULL)
		files_update(f,
		    p[UPDATE_CYCLES].value != NULL ? (int64_t)cycles : -1,
		    reload);
	chan_printf(cl->chan, "OK");
	sources_event(cl->control, "source update '%s' priority %u", f->name,
	    f->priority);
	control_kick(cl->control);
}

/* What is left of the file belongs to the next cycle. */
static void
source_cycle(struct client *cl, char *args)
{
	const char *name = manage_word(&args);
	struct feed *f = name != NULL ? round_find(cl->control, name) : NULL;

	if (name == NULL) {
		chan_printf(cl->chan, "ERR usage: source cycle <name>");
		return;
	}
	if (f == NULL || f->file == NULL || f->closed) {
		chan_printf(cl->chan, "ERR no source '%.200s'", name);
		return;
	}
	chan_printf(cl->chan, "OK");
	round_end(f);
	f->cycle_id++;
	round_begin(f);
}

/* What it has in progress is finished and recorded. */
static void
source_delete(struct client *cl, char *args)
{
	const char *name = manage_word(&args);
	struct feed *f = name != NULL ? round_find(cl->control, name) : NULL;

	if (name == NULL) {
		chan_printf(cl->chan, "ERR usage: source delete <name>");
		return;
	}
	if (f == NULL || f->closed) {
		chan_printf(cl->chan, "ERR unknown source '%.200s'", name);
		return;
	}
	if (f->file == NULL) {
		chan_printf(cl->chan,
		    "ERR '%.200s' is a client: it ends when that goes", name);
		return;
	}
	chan_printf(cl->chan, "OK");
	sources_event(cl->control, "source delete '%s'", f->name);
	jobs_flush(cl->control, f->run, REFUSED_EXIT);
	round_close(f);
}

static const struct verb source_verbs[] = {
    {"add", source_add},
    {"cycle", source_cycle},
    {"delete", source_delete},
    {"list", source_list},
    {"update", source_update},
    {NULL, NULL},
};

void
sources_source(struct client *cl, char *args)
{
	dispatch(cl, source_verbs, args,
	    "source [add | cycle | delete | list | update]");
}

/* --- outfile ---------------------------------------------------------------------------- */

enum { OPEN_NAME, OPEN_FILE, OPEN_MODE, OPEN_N };

static void
outfile_open(struct client *cl, char *args)
{
	struct param p[OPEN_N + 1] = {
	    [OPEN_NAME] = {.key = "name"},
	    [OPEN_FILE] = {.key = "file"},
	    [OPEN_MODE] = {.key = "mode"},
	};
	const char *mode;

	if (get_params(p, args) != NULL || p[OPEN_NAME].value == NULL ||
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
	else if (route_outfile(cl->control, p[OPEN_NAME].value) != NULL)
		chan_printf(cl->chan, "ERR alias '%.200s' is in use",
		    p[OPEN_NAME].value);
	else if (route_outfile_open(cl->control, p[OPEN_NAME].value,
		     p[OPEN_FILE].value,
		     strcasecmp(mode, "append") == 0) == NULL)
		chan_printf(cl->chan, "ERR could not open '%.200s': %s",
		    p[OPEN_FILE].value, strerror(errno));
	else
		chan_printf(cl->chan, "OK");
}

static void
outfile_close(struct client *cl, char *args)
{
	const char *name = manage_word(&args);
	struct outfile *of =
	    name != NULL ? route_outfile(cl->control, name) : NULL;

	if (name == NULL)
		chan_printf(cl->chan, "ERR usage: outfile close <alias>");
	else if (of == NULL)
		chan_printf(cl->chan, "ERR unknown outfile '%.200s'", name);
	else if (of->refs > 1 || of == TAILQ_FIRST(&cl->control->outfiles))
		chan_printf(cl->chan, "ERR outfile '%.200s' is in use", name);
	else {
		route_outfile_unref(cl->control, of);
		chan_printf(cl->chan, "OK");
	}
}

static void
outfile_list(struct client *cl, char *args)
{
	struct outfile *of;

	(void)args;
	TAILQ_FOREACH(of, &cl->control->outfiles, link)
	chan_printf(cl->chan, "INFO '%s' file '%s' refcnt %u", of->name,
	    of->path, of->refs);
	chan_printf(cl->chan, "OK");
}

static void
outfile_swap(struct client *cl, char *args)
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
		of[i] = route_outfile(cl->control, name[i]);
		if (of[i] == NULL) {
			chan_printf(
			    cl->chan, "ERR unknown outfile '%.200s'", name[i]);
			return;
		}
	}
	route_swap(cl->control, of[0], of[1]);
	chan_printf(cl->chan, "OK");
}

static const struct verb outfile_verbs[] = {
    {"close", outfile_close},
    {"list", outfile_list},
    {"open", outfile_open},
    {"swap", outfile_swap},
    {NULL, NULL},
};

void
sources_outfile(struct client *cl, char *args)
{
	dispatch(
	    cl, outfile_verbs, args, "outfile [close | list | open | swap]");
}
