#include "common/show/show.h"

#include <stddef.h>
#include <string.h>

#include "common/warts/record.h"

/* Print a record whose state has been taken note of; 0 or -1 with *WHY. */
typedef int show_fn(struct show *s, struct wbuf *out,
    const struct warts_record *rec, const char **why);

static struct show_context
context(const struct show *s, uint32_t list, uint32_t cycle)
{
	struct show_context ctx = {.generation = s->generation};

	ctx.cycle = warts_state_cycle(&s->state, cycle);
	if (list == 0 && ctx.cycle != NULL)
		list = ctx.cycle->list;
	ctx.list = warts_state_list(&s->state, list);
	return ctx;
}

/* What the state tells of the file is not printed by itself. */
static int
show_nothing(struct show *s, struct wbuf *out, const struct warts_record *rec,
    const char **why)
{
	(void)s;
	(void)out;
	(void)rec;
	(void)why;
	return 0;
}

static int
json_start(struct show *s, struct wbuf *out, const struct warts_record *rec,
    const char **why)
{
	struct show_context ctx;
	struct warts_cycle c;

	if (warts_cycle_decode(rec->body, rec->len, &c, why) == -1)
		return -1;
	ctx = context(s, c.list, c.id);
	ctx.cycle = &c;
	show_json_cycle_start(out, &ctx);
	return 0;
}

static int
json_stop(struct show *s, struct wbuf *out, const struct warts_record *rec,
    const char **why)
{
	struct warts_cycle_stop stop;
	struct show_context ctx;

	if (warts_cycle_stop_decode(rec->body, rec->len, &stop, why) == -1)
		return -1;
	ctx = context(s, 0, stop.id);
	show_json_cycle_stop(out, &ctx, stop.stop);
	return 0;
}

/* Decode a trace and find its addresses; to be cleared unless -1. */
static int
trace_decode(struct show *s, const struct warts_record *rec,
    struct warts_trace *t, const char **why)
{
	if (warts_trace_decode(rec->body, rec->len, t, why) == -1)
		return -1;
	if (warts_state_resolve(&s->state, t) == 0)
		return 0;
	*why = "address record missing";
	warts_trace_clear(t);
	return -1;
}

static int
json_trace(struct show *s, struct wbuf *out, const struct warts_record *rec,
    const char **why)
{
	struct show_context ctx;
	struct warts_trace t;

	if (trace_decode(s, rec, &t, why) == -1)
		return -1;
	ctx = context(s, t.list, t.cycle);
	show_json_trace(out, &ctx, &t);
	warts_trace_clear(&t);
	return 0;
}

static int
text_trace(struct show *s, struct wbuf *out, const struct warts_record *rec,
    const char **why)
{
	struct warts_trace t;

	if (trace_decode(s, rec, &t, why) == -1)
		return -1;
	show_text_trace(out, &t);
	warts_trace_clear(&t);
	return 0;
}

static int
ping_decode(struct show *s, const struct warts_record *rec,
    struct warts_ping *p, const char **why)
{
	if (warts_ping_decode(rec->body, rec->len, p, why) == -1)
		return -1;
	if (warts_state_resolve_ping(&s->state, p) == 0)
		return 0;
	*why = "address record missing";
	warts_ping_clear(p);
	return -1;
}

static int
json_ping(struct show *s, struct wbuf *out, const struct warts_record *rec,
    const char **why)
{
	struct show_context ctx;
	struct warts_ping p;

	if (ping_decode(s, rec, &p, why) == -1)
		return -1;
	ctx = context(s, p.list, p.cycle);
	show_json_ping(out, &ctx, &p);
	warts_ping_clear(&p);
	return 0;
}

static int
text_ping(struct show *s, struct wbuf *out, const struct warts_record *rec,
    const char **why)
{
	struct warts_ping p;

	if (ping_decode(s, rec, &p, why) == -1)
		return -1;
	show_text_ping(out, s->generation, &p);
	warts_ping_clear(&p);
	return 0;
}

void
show_result(struct wbuf *out, enum show_format format,
    const struct show_context *ctx, uint16_t type, const void *result)
{
	if (type == WARTS_PING && format == SHOW_JSON)
		show_json_ping(out, ctx, result);
	else if (type == WARTS_PING)
		show_text_ping(out, ctx->generation, result);
	else if (format == SHOW_JSON)
		show_json_trace(out, ctx, result);
	else
		show_text_trace(out, result);
}

/* By record type: its name; its printers, NULL while there are none. */
static const struct {
	const char *name;
	show_fn *show[2]; /* by enum show_format */
} rows[] = {
    [WARTS_LIST] = {"list", {show_nothing, show_nothing}},
    [WARTS_CYCLE_START] = {"cycle start", {show_nothing, json_start}},
    [WARTS_CYCLE_DEF] = {"cycle definition", {show_nothing, show_nothing}},
    [WARTS_CYCLE_STOP] = {"cycle stop", {show_nothing, json_stop}},
    [WARTS_ADDR] = {"address", {show_nothing, show_nothing}},
    [WARTS_TRACE] = {"trace", {text_trace, json_trace}},
    [WARTS_PING] = {"ping", {text_ping, json_ping}},
    [WARTS_TRACELB] = {"tracelb", {NULL, NULL}},
    [WARTS_DEALIAS] = {"dealias", {NULL, NULL}},
    [WARTS_NEIGHBOURDISC] = {"neighbourdisc", {NULL, NULL}},
    [WARTS_TBIT] = {"tbit", {NULL, NULL}},
    [WARTS_STING] = {"sting", {NULL, NULL}},
    [WARTS_SNIFF] = {"sniff", {NULL, NULL}},
    [WARTS_HOST] = {"host", {NULL, NULL}},
    [WARTS_HTTP] = {"http", {NULL, NULL}},
    [WARTS_UDPPROBE] = {"udpprobe", {NULL, NULL}},
    [WARTS_OWAMP] = {"owamp", {NULL, NULL}},
};

#define NROWS (sizeof(rows) / sizeof(rows[0]))

const char *
show_type_name(uint16_t type)
{
	if (type == WARTS_MARK)
		return "mark";
	return type < NROWS ? rows[type].name : NULL;
}

void
show_types_add(struct show_types *t, uint16_t type)
{
	size_t i = 0;

	while (i < SHOW_TYPES && t->count[i].n != 0 && t->count[i].type < type)
		i++;
	if (i < SHOW_TYPES && t->count[i].n != 0 && t->count[i].type == type) {
		t->count[i].n++;
		return;
	}
	if (i == SHOW_TYPES || t->count[SHOW_TYPES - 1].n != 0) {
		t->other++;
		return;
	}
	memmove(&t->count[i + 1], &t->count[i],
	    (SHOW_TYPES - 1 - i) * sizeof(t->count[0]));
	t->count[i].type = type;
	t->count[i].n = 1;
}

uint64_t
show_types_sum(const struct show_types *t)
{
	uint64_t sum = t->other;

	for (size_t i = 0; i < SHOW_TYPES; i++)
		sum += t->count[i].n;
	return sum;
}

void
show_types_print(const struct show_types *t, struct wbuf *out)
{
	const char *sep = "";

	for (size_t i = 0; i < SHOW_TYPES && t->count[i].n != 0; i++) {
		const char *name = show_type_name(t->count[i].type);

		wbuf_printf(out, "%s%ju ", sep, (uintmax_t)t->count[i].n);
		if (name != NULL)
			wbuf_printf(out, "%s", name);
		else
			wbuf_printf(out, "of type 0x%04x", t->count[i].type);
		sep = ", ";
	}
	if (t->other != 0)
		wbuf_printf(out, "%s%ju of others", sep, (uintmax_t)t->other);
}

enum show_result
show_record(struct show *s, struct wbuf *out, const struct warts_record *rec,
    const char **why)
{
	int ok;

	if (rec->type == WARTS_MARK)
		return SHOW_DONE;
	if (rec->type >= NROWS || rows[rec->type].show[s->format] == NULL)
		return SHOW_SKIPPED;
	ok = warts_state_feed(&s->state, rec, why) == 0;
	if (rows[rec->type].show[s->format](s, out, rec, why) == -1)
		ok = 0;
	return ok ? SHOW_DONE : SHOW_DAMAGED;
}
