/*
 * sources: the commands of scamper's daemon about sources, and the events that
 * observers are told.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/scan.h"
#include "common/xmalloc.h"
#include "prober/control/control.h"

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
	if (param_number(p[ADD_LIST].value, 0, 0, &a->feed.list_id) == -1)
		return "invalid list_id";
	if (param_number(p[ADD_CYCLE].value, 0, 1, &a->feed.cycle_id) == -1)
		return "invalid cycle_id";
	if (param_number(p[ADD_PRIORITY].value, 0, 1, &a->feed.priority) == -1)
		return "invalid priority";
	if (param_number(p[ADD_CYCLES].value, 0, 1, &a->file.cycles) == -1)
		return "invalid cycles";
	if (param_switch(p[ADD_AUTORELOAD].value, &a->file.reload) == -1)
		return "autoreload must be on or off";
	if (p[ADD_OUTFILE].value != NULL)
		a->outfile = outfile_find(c, p[ADD_OUTFILE].value);
	else
		a->outfile = c->main;
	if (a->outfile == NULL && p[ADD_OUTFILE].value == NULL)
		return "required parameter 'outfile' missing";
	if (c->shutdown == SHUTDOWN_FLUSH)
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
	const char *why = param_get(p, args);
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
	if (round_find(cl->control, p[ADD_NAME].value) != NULL) {
		chan_printf(cl->chan, "ERR source '%.200s' already exists",
		    p[ADD_NAME].value);
		return;
	}
	why = check_add(cl->control, p, &a);
	if (why != NULL)
		chan_printf(cl->chan, "ERR %s", why);
	else if (a.outfile == NULL)
		chan_printf(cl->chan, "ERR unknown outfile '%.200s'",
		    p[ADD_OUTFILE].value);
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

/* As scamper tells it: what belongs to the file apart. */
static void
tell_update(const struct feed *f, const struct param *p, int reload)
{
	char autoreload[32] = "", cycles[32] = "";

	if (p[UPDATE_PRIORITY].value != NULL)
		sources_event(f->control, "source update '%s' priority %u",
		    f->name, f->priority);
	if (reload != -1)
		snprintf(
		    autoreload, sizeof(autoreload), " autoreload %d", reload);
	if (p[UPDATE_CYCLES].value != NULL)
		snprintf(cycles, sizeof(cycles), " cycles %.16s",
		    p[UPDATE_CYCLES].value);
	if (*autoreload != '\0' || *cycles != '\0')
		sources_event(f->control, "source update '%s'%s%s", f->name,
		    autoreload, cycles);
}

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
	why = param_get(p, args);
	if (why == NULL &&
	    param_number(p[UPDATE_PRIORITY].value, 0, f->priority, &priority) ==
		-1)
		why = "priority";
	if (why == NULL &&
	    param_number(p[UPDATE_CYCLES].value, 0, 0, &cycles) == -1)
		why = "cycles";
	if (why == NULL &&
	    param_switch(p[UPDATE_AUTORELOAD].value, &reload) == -1)
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
	tell_update(f, p, reload);
	control_kick(cl->control);
}

/* What is left of the file belongs to the next cycle. */
static void
source_cycle(struct client *cl, char *args)
{
	const char *name = manage_word(&args);
	struct feed *f = name != NULL ? round_find(cl->control, name) : NULL;

	if (name == NULL) {
		chan_printf(cl->chan,
		    "ERR missing required parameter for source cycle");
		return;
	}
	if (f == NULL) {
		chan_printf(cl->chan, "ERR no source '%.200s'", name);
		return;
	}
	if (f->file == NULL || f->closed) {
		chan_printf(
		    cl->chan, "ERR could not cycle source '%.200s'", name);
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
		chan_printf(cl->chan,
		    "ERR missing required parameter for source delete");
		return;
	}
	if (f == NULL) {
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
	if (f->closed)
		return; /* all of it has begun */
	jobs_flush(cl->control, f->run, REFUSED_EXIT);
	round_close(f);
}

static const struct param_verb source_verbs[] = {
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
	param_dispatch(cl, source_verbs, args,
	    "source [add | cycle | delete | list | update]");
}
