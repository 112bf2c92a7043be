/*
 * sink: an output file that is a client's connection, by `outfile socket': the
 * results of the sources that use it come there as they are, between the answers
 * to what the client says.
 *
 * The client may go before the sources do.  Then they go on, and what they find
 * is lost and counted, until `outfile swap' gives them another file.  A client
 * that does not read holds up its sources alone (round.c).
 */
#include <stdlib.h>

#include "common/log.h"
#include "common/xmalloc.h"
#include "prober/control/control.h"

struct sink {
	struct output o;
	TAILQ_ENTRY(sink) link; /* of its client's */
	struct client *client; /* NULL: has gone */
	struct output_form form;
	uint64_t lost; /* records that nobody was there for */
};

/* What has been made, in the client's control->body, as its next bytes. */
static void
say(struct sink *s)
{
	struct wbuf *b = &s->client->control->body;

	chan_write(s->client->chan, b->p, b->len);
}

static struct wbuf *
fresh_body(struct sink *s)
{
	struct wbuf *b = &s->client->control->body;

	wbuf_reset(b);
	return b;
}

static int
sink_cycle_begin(struct output *o, const struct output_cycle *c)
{
	struct sink *s = (struct sink *)o;
	struct wbuf nowhere;
	int handle;

	if (s->client != NULL) {
		handle =
		    output_form_begin(&s->form, c, o->hostname, fresh_body(s));
		say(s);
		return handle;
	}
	wbuf_init(&nowhere);
	handle = output_form_begin(&s->form, c, o->hostname, &nowhere);
	wbuf_clear(&nowhere);
	return handle;
}

static void
sink_cycle_end(struct output *o, int handle, uint32_t stop)
{
	struct sink *s = (struct sink *)o;

	if (s->client == NULL)
		return;
	output_form_end(&s->form, handle, stop, fresh_body(s));
	say(s);
}

static int
sink_record(struct output *o, int handle, struct technique_record *rec)
{
	struct sink *s = (struct sink *)o;

	if (s->client == NULL) {
		s->lost++;
		return 0;
	}
	output_form_record(&s->form, handle, rec, fresh_body(s));
	say(s);
	return 0;
}

static int
sink_tick(struct output *o, int64_t now_ns)
{
	(void)o;
	(void)now_ns;
	return 0;
}

static int
sink_close(struct output *o, int64_t now_ns, int hurry)
{
	struct sink *s = (struct sink *)o;

	(void)now_ns;
	(void)hurry;
	if (s->client != NULL)
		TAILQ_REMOVE(&s->client->sinks, s, link);
	if (s->lost > 0)
		log_warn("%ju results are lost: the client that took them went",
		    (uintmax_t)s->lost);
	output_form_clear(&s->form);
	free(s);
	return 0;
}

static const struct output_ops sink_ops = {
    .cycle_begin = sink_cycle_begin,
    .cycle_end = sink_cycle_end,
    .record = sink_record,
    .tick = sink_tick,
    .rotate = sink_tick,
    .close = sink_close,
};

struct output *
sink_new(struct client *cl, enum output_kind kind)
{
	struct sink *s = xcalloc(1, sizeof(*s));
	const struct control *c = cl->control;

	s->o.ops = &sink_ops;
	snprintf(
	    s->o.hostname, sizeof(s->o.hostname), "%s", c->output.hostname);
	s->client = cl;
	s->form.kind = kind;
	s->form.generation = cl->generation;
	s->form.monitor = c->cfg->monitor;
	TAILQ_INSERT_TAIL(&cl->sinks, s, link);
	return &s->o;
}

int
sink_takes(const struct output *o)
{
	const struct sink *s = (const struct sink *)(const void *)o;

	return o->ops != &sink_ops || s->client == NULL ||
	    client_takes(s->client);
}

/* S has nobody any more: the output file that it is goes, or waits for its
 * sources. */
static void
orphan(struct control *c, struct sink *s)
{
	struct outfile *of;

	s->client = NULL;
	TAILQ_FOREACH(of, &c->outfiles, link)
	{
		if (of->o == &s->o)
			break;
	}
	if (of == NULL)
		return;
	/* By a swap it may be the one of -o, which stays. */
	if (of != c->main && outfile_users(c, of) == 0)
		outfile_unref(c, of);
	else
		log_warn("outfile %s: its client went: results for it are lost "
			 "from now on",
		    of->name);
}

void
sink_leave(struct client *cl)
{
	struct sink *s;

	while ((s = TAILQ_FIRST(&cl->sinks)) != NULL) {
		TAILQ_REMOVE(&cl->sinks, s, link);
		orphan(cl->control, s);
	}
}
