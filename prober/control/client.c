/*
 * client: a connection of the control protocol.
 *
 *	fresh ──────► manage.c: get, set, source, ...
 *	  │ attach
 *	  ▼
 *	attached: commands, halt N, done  ──► OK id-N, MORE, DATA
 *	  │ done
 *	  ▼
 *	results of what was asked, cycle stop, end of file
 *
 * DATA counts the bytes behind its line; of a record in warts they are uuencoded,
 * JSON and text are as they are.  Clients of 2021 accept nothing behind the
 * number, those of 2026 want to know whose it is.
 *
 * MORE asks for one command.  It is said when the last one waiting was taken,
 * and not after ERR: the client still has the permission it used.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/line.h"
#include "common/log.h"
#include "common/prefixset.h"
#include "common/scan.h"
#include "common/warts/record.h"
#include "common/xmalloc.h"
#include "prober/control/control.h"
#include "prober/polite.h"

#define PRIORITY_MAX 100000

static int
is_2026(const struct client *cl)
{
	return cl->generation == SHOW_2026;
}

/* --- results out ------------------------------------------------------------- */

static struct show_context
context_of(const struct client *cl, const struct run *run)
{
	struct show_context ctx = {
	    .generation = cl->generation,
	    .list = &run->list,
	    .cycle = &run->cycle,
	};

	return ctx;
}

/* c->body as DATA; ID 0: of no task.  WORD is said behind the id. */
static void
say_data_word(struct client *cl, uint64_t id, const char *word)
{
	struct control *c = cl->control;
	const struct wbuf *b = &c->body;

	if (cl->format == CLIENT_WARTS) {
		wbuf_reset(&c->text);
		uu_encode(&c->text, b->p, b->len);
		b = &c->text;
	}
	if (id != 0 && is_2026(cl))
		chan_printf(
		    cl->chan, "DATA %zu id-%ju%s", b->len, (uintmax_t)id, word);
	else
		chan_printf(cl->chan, "DATA %zu", b->len);
	chan_write(cl->chan, b->p, b->len);
}

static void
say_data(struct client *cl, uint64_t id)
{
	say_data_word(cl, id, "");
}

void
client_begin(struct client *cl, struct run *run)
{
	struct wbuf *b = &cl->control->body;
	struct show_context ctx = context_of(cl, run);

	cl->run = run;
	wbuf_reset(b);
	if (cl->format == SHOW_JSON) {
		show_json_cycle_start(b, &ctx);
		say_data(cl, 0);
	}
	if (cl->format != CLIENT_WARTS)
		return;
	warts_list_encode(b, &run->list);
	say_data(cl, 0);
	wbuf_reset(b);
	warts_cycle_encode(b, WARTS_CYCLE_START, &run->cycle);
	say_data(cl, 0);
}

/* REC into c->body. */
static void
make_body(
    const struct client *cl, struct run *run, struct technique_record *rec)
{
	struct wbuf *b = &cl->control->body;
	struct show_context ctx = context_of(cl, run);

	wbuf_reset(b);
	if (cl->format == CLIENT_WARTS)
		warts_result_encode(
		    b, rec->type, &rec->trace, run->list.id, run->cycle.id);
	else
		show_result(b, (enum show_format)cl->format, &ctx, rec->type,
		    &rec->trace);
}

void
client_result(struct client *cl, struct run *run, struct technique_record *rec)
{
	if (cl->silent) {
		run->feed->lost++;
		return;
	}
	make_body(cl, run, rec);
	say_data(cl, rec->number);
}

int
client_wants_partial(const struct client *cl)
{
	return is_2026(cl) && !cl->silent && client_takes(cl);
}

void
client_partial(struct client *cl, struct run *run, struct technique_record *rec)
{
	make_body(cl, run, rec);
	say_data_word(cl, rec->number, " inprog");
}

void
client_end(struct client *cl, struct run *run, uint32_t stop)
{
	struct warts_cycle_stop s = {run->cycle.id, stop};
	struct wbuf *b = &cl->control->body;
	struct show_context ctx = context_of(cl, run);

	wbuf_reset(b);
	if (cl->format == CLIENT_WARTS)
		warts_cycle_stop_encode(b, &s);
	else if (cl->format == SHOW_JSON)
		show_json_cycle_stop(b, &ctx, stop);
	if (b->len > 0)
		say_data(cl, 0);
	cl->feed->client = NULL;
	cl->feed = NULL;
	cl->run = NULL;
	cl->leaving = 1;
	chan_finish(cl->chan);
}

void
client_more(struct client *cl)
{
	if (!cl->done)
		chan_printf(cl->chan, "MORE");
}

int
client_takes(const struct client *cl)
{
	return chan_pending(cl->chan) < CLIENT_UNREAD;
}

void
client_resume(struct client *cl)
{
	chan_resume(cl->chan);
}

/* --- attach --------------------------------------------------------------------- */

struct attach {
	struct feed_config feed;
	int format;
	enum show_generation generation;
};

static const char *
attach_format(struct attach *a, const char *v)
{
	if (strcasecmp(v, "warts") == 0)
		a->format = CLIENT_WARTS;
	else if (strcasecmp(v, "json") == 0)
		a->format = SHOW_JSON;
	else if (strcasecmp(v, "text") == 0)
		a->format = SHOW_TEXT;
	else
		return "format must be warts or json";
	return NULL;
}

static const char *
attach_priority(struct attach *a, const char *v)
{
	return scan_u32(v, 1, PRIORITY_MAX, &a->feed.priority) == 0
	    ? NULL
	    : "invalid priority";
}

static const char *
attach_list_id(struct attach *a, const char *v)
{
	return scan_u32(v, 0, INT32_MAX, &a->feed.list_id) == 0
	    ? NULL
	    : "invalid list_id";
}

static const char *
attach_cycle_id(struct attach *a, const char *v)
{
	return scan_u32(v, 0, INT32_MAX, &a->feed.cycle_id) == 0
	    ? NULL
	    : "invalid cycle_id";
}

static const char *
attach_name(struct attach *a, const char *v)
{
	a->feed.name = v;
	return *v != '\0' ? NULL : "invalid name";
}

static const char *
attach_descr(struct attach *a, const char *v)
{
	a->feed.descr = v;
	return NULL;
}

static const char *
attach_monitor(struct attach *a, const char *v)
{
	a->feed.monitor = v;
	return NULL;
}

/* Which of scamper's releases the client is of.  Not in scamper. */
static const char *
attach_generation(struct attach *a, const char *v)
{
	uint32_t year;

	if (scan_u32(v, 2021, 2026, &year) == -1 ||
	    (year != SHOW_2021 && year != SHOW_2026))
		return "generation must be 2021 or 2026";
	a->generation = (enum show_generation)year;
	return NULL;
}

static const struct {
	const char *key;
	const char *(*set)(struct attach *a, const char *v);
} attach_keys[] = {
    {"format", attach_format},
    {"priority", attach_priority},
    {"list_id", attach_list_id},
    {"cycle_id", attach_cycle_id},
    {"name", attach_name},
    {"descr", attach_descr},
    {"monitor", attach_monitor},
    {"generation", attach_generation},
};

#define NKEYS (sizeof(attach_keys) / sizeof(attach_keys[0]))

/* One pair of ARGS; 0, or -1 and ERR said. */
static int
attach_pair(struct client *cl, struct attach *a, const char *key, char **args)
{
	const char *v, *why = NULL;
	size_t i = 0;

	while (i < NKEYS && strcasecmp(attach_keys[i].key, key) != 0)
		i++;
	v = i < NKEYS ? manage_word(args) : NULL;
	if (v == NULL) {
		chan_printf(
		    cl->chan, "ERR command attach param '%s' failed", key);
		return -1;
	}
	why = attach_keys[i].set(a, v);
	if (why != NULL)
		chan_printf(cl->chan, "ERR %s", why);
	return why == NULL ? 0 : -1;
}

static void
begin_feed(struct client *cl, const struct attach *a)
{
	struct control *c = cl->control;
	char buf[512];

	cl->format = a->format;
	cl->generation = a->generation;
	cl->feed = round_add(c, &a->feed);
	cl->feed->client = cl;
	sources_event(
	    c, "source add %s", sources_describe(cl->feed, buf, sizeof(buf)));
	client_more(cl);
	round_begin(cl->feed);
}

static void
attach(struct client *cl, char *args)
{
	struct attach a = {
	    .feed = {.name = cl->name, .cycle_id = 1, .priority = 1},
	    .format = CLIENT_WARTS,
	    .generation = cl->generation,
	};
	const char *key;

	if (cl->control->shutdown == SHUTDOWN_FLUSH) {
		chan_printf(cl->chan, "ERR shutting down");
		return;
	}
	while ((key = manage_word(&args)) != NULL) {
		if (attach_pair(cl, &a, key, &args) == -1)
			return;
	}
	chan_printf(cl->chan, "OK");
	begin_feed(cl, &a);
}

/* --- lines in -------------------------------------------------------------------- */

static void
refuse(struct client *cl, const char *why)
{
	if (is_2026(cl))
		chan_printf(cl->chan, "ERR command not accepted: %s", why);
	else
		chan_printf(cl->chan, "ERR command not accepted");
}

/* The number of `halt N', 0 if there is no such number, -1 if LINE is none. */
static int64_t
halt_number(const char *line)
{
	uint32_t id;

	if (strncasecmp(line, "halt ", 5) != 0)
		return -1;
	return scan_u32(line + 5, 1, UINT32_MAX, &id) == 0 ? (int64_t)id : 0;
}

static void
halt(struct client *cl, int64_t id)
{
	struct job *j;

	if (id == 0) {
		chan_printf(cl->chan, "ERR usage: halt [id]");
		return;
	}
	j = jobs_find(cl->run, (uint64_t)id);
	if (j == NULL || j->halt) {
		chan_printf(cl->chan, "ERR no task id-%jd", (intmax_t)id);
		return;
	}
	chan_printf(cl->chan, "OK halted %jd", (intmax_t)id);
	jobs_halt(cl->control, j);
}

static int
must_not_be_probed(const struct control *c, const struct addr *dst)
{
	const struct admit *a = &c->e->admit;

	return (a->dnp != NULL && prefixset_match(a->dnp, dst, NULL)) ||
	    (a->polite != NULL && polite_refuses(a->polite, dst));
}

static void
command(struct client *cl, const char *line)
{
	struct addr dst;
	char why[256];
	struct measurement *m = technique_parse(line, &dst, why, sizeof(why));
	struct job *j;

	if (m != NULL && must_not_be_probed(cl->control, &dst)) {
		technique_unref(m);
		m = NULL;
		snprintf(why, sizeof(why), "the address must not be probed");
	}
	if (m == NULL) {
		refuse(cl, why);
		return;
	}
	j = jobs_new(cl->run, &dst, m);
	chan_printf(cl->chan, "OK id-%ju", (uintmax_t)j->id);
	if (cl->feed->waiting >= JOBS_MAX)
		chan_pause(cl->chan);
	control_kick(cl->control);
}

static void
done(struct client *cl)
{
	cl->done = 1;
	chan_printf(cl->chan, "OK");
	chan_resume(cl->chan);
	round_close(cl->feed);
}

static void
attached_line(struct client *cl, const char *line)
{
	int64_t id = halt_number(line);

	if (id != -1)
		halt(cl, id);
	else if (cl->done)
		refuse(cl, "done was said");
	else if (strcasecmp(line, "done") == 0)
		done(cl);
	else
		command(cl, line);
}

/* Say why, and go once that is said; what it asked for is dropped. */
static void
turn_out(struct client *cl, const char *why)
{
	struct feed *f = cl->feed;

	chan_printf(cl->chan, "ERR %s", why);
	if (f == NULL) {
		cl->leaving = 1;
		chan_finish(cl->chan);
		return;
	}
	cl->done = cl->silent = 1;
	jobs_drop(cl->control, cl->run, REFUSED_GONE);
	round_close(f);
}

static void
on_line(struct chan *ch, char *line, void *arg)
{
	struct client *cl = arg;
	size_t n;

	(void)ch;
	if (*line == '\0' || cl->leaving)
		return;
	/* The tab is a bad byte here, as it is in scamper. */
	if (strchr(line, '\t') != NULL) {
		turn_out(cl, "invalid character in line");
		return;
	}
	n = strlen(line);
	while (n > 0 && line[n - 1] == ' ')
		line[--n] = '\0';
	if (cl->done && cl->silent)
		return;
	if (cl->feed != NULL)
		attached_line(cl, line);
	else if (strcasecmp(line, "exit") == 0 ||
	    strncasecmp(line, "exit ", 5) == 0)
		chan_finish(cl->chan);
	else if (strcasecmp(line, "attach") == 0)
		attach(cl, line + n);
	else if (strncasecmp(line, "attach ", 7) == 0)
		attach(cl, line + 7);
	else
		manage_line(cl, line);
}

static void
on_bad(struct chan *ch, uint64_t number, const char *why, void *arg)
{
	struct client *cl = arg;

	(void)number;
	if (cl->leaving)
		return;
	if (strcmp(why, line_reason(LINE_TOO_LONG)) == 0)
		chan_printf(ch, "ERR %s", why);
	else if (strcmp(why, line_reason(LINE_BAD_BYTE)) == 0)
		turn_out(cl, "invalid character in line");
}

/* --- coming and going ----------------------------------------------------------------- */

/* What it asked for goes with it. */
static void
leave_feed(struct client *cl)
{
	struct feed *f = cl->feed;
	uint64_t dropped;

	if (f == NULL)
		return;
	cl->feed = NULL;
	f->client = NULL;
	dropped = jobs_drop(cl->control, cl->run, REFUSED_GONE);
	if (dropped > 0)
		log_info("%s went away: %ju commands dropped", cl->name,
		    (uintmax_t)dropped);
	round_close(f);
}

void
client_free(struct client *cl, int ms)
{
	struct control *c = cl->control;

	chan_flush(cl->chan, ms);
	leave_feed(cl);
	sink_leave(cl);
	TAILQ_REMOVE(&c->clients, cl, link);
	c->nclients--;
	chan_free(cl->chan);
	free(cl->name);
	free(cl);
	control_kick(c);
}

static void
on_closed(struct chan *ch, const char *why, void *arg)
{
	struct client *cl = arg;

	(void)ch;
	log_debug("%s: %s", cl->name, why);
	client_free(cl, 0);
}

/* It has read: its measurements go on. */
static void
on_drained(struct chan *ch, void *arg)
{
	struct client *cl = arg;

	(void)ch;
	control_kick(cl->control);
}

static const struct chan_ops ops = {
    .line = on_line,
    .bad = on_bad,
    .closed = on_closed,
    .drained = on_drained,
};

struct client *
client_new(struct control *c, int fd, const char *name, int attached)
{
	struct chan_config cfg = {fd, fd, CLIENT_LINE, name};
	struct client *cl = xcalloc(1, sizeof(*cl));
	struct attach a = {
	    .feed = {.name = name, .cycle_id = 1, .priority = 1},
	    .format = CLIENT_WARTS,
	    .generation = (enum show_generation)c->cfg->generation,
	};

	cl->control = c;
	cl->name = xstrdup(name);
	cl->generation = a.generation;
	TAILQ_INIT(&cl->sinks);
	cl->chan = chan_new(c->e->base, &cfg, &ops, cl);
	TAILQ_INSERT_TAIL(&c->clients, cl, link);
	c->nclients++;
	if (attached)
		begin_feed(cl, &a);
	return cl;
}
