#include "common/show/show.h"

#include <stddef.h>
#include <string.h>

#include "common/show/more.h"
#include "common/warts/any.h"
#include "common/warts/codec.h"
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

static void
text_trace(struct wbuf *out, const struct show_context *ctx, const void *t)
{
	(void)ctx;
	show_text_trace(out, t);
}

static void
json_trace(struct wbuf *out, const struct show_context *ctx, const void *t)
{
	show_json_trace(out, ctx, t);
}

static void
text_ping(struct wbuf *out, const struct show_context *ctx, const void *p)
{
	show_text_ping(out, ctx->generation, p);
}

static void
json_ping(struct wbuf *out, const struct show_context *ctx, const void *p)
{
	show_json_ping(out, ctx, p);
}

/* By record type: its name; its printers, by enum show_format, NULL where
 * scamper has none; whether its JSON came after 2021. */
static const struct {
	const char *name;
	show_fn *show[2]; /* of the file's state */
	show_print_fn *print[2]; /* of measurements */
	int new_json;
} rows[] = {
    [WARTS_LIST] = {"list", {show_nothing, show_nothing}, {NULL, NULL}, 0},
    [WARTS_CYCLE_START] = {"cycle start", {show_nothing, json_start},
	{NULL, NULL}, 0},
    [WARTS_CYCLE_DEF] = {"cycle definition", {show_nothing, show_nothing},
	{NULL, NULL}, 0},
    [WARTS_CYCLE_STOP] = {"cycle stop", {show_nothing, json_stop}, {NULL, NULL},
	0},
    [WARTS_ADDR] = {"address", {show_nothing, show_nothing}, {NULL, NULL}, 0},
    [WARTS_TRACE] = {"trace", {NULL, NULL}, {text_trace, json_trace}, 0},
    [WARTS_PING] = {"ping", {NULL, NULL}, {text_ping, json_ping}, 0},
    [WARTS_TRACELB] = {"tracelb", {NULL, NULL},
	{show_text_tracelb, show_json_tracelb}, 0},
    [WARTS_DEALIAS] = {"dealias", {NULL, NULL},
	{show_text_dealias, show_json_dealias}, 0},
    [WARTS_NEIGHBOURDISC] = {"neighbourdisc", {NULL, NULL},
	{NULL, show_json_neighbourdisc}, 1},
    [WARTS_TBIT] = {"tbit", {NULL, NULL}, {show_text_tbit, show_json_tbit}, 0},
    [WARTS_STING] = {"sting", {NULL, NULL}, {show_text_sting, NULL}, 0},
    [WARTS_SNIFF] = {"sniff", {NULL, NULL}, {NULL, NULL}, 0},
    [WARTS_HOST] = {"host", {NULL, NULL}, {NULL, show_json_host}, 1},
    [WARTS_HTTP] = {"http", {NULL, NULL}, {NULL, NULL}, 0},
    [WARTS_UDPPROBE] = {"udpprobe", {NULL, NULL}, {NULL, show_json_udpprobe},
	1},
    [WARTS_OWAMP] = {"owamp", {NULL, NULL}, {NULL, show_json_owamp}, 1},
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

/* The printer of a measurement of TYPE, NULL if there is none. */
static show_print_fn *
printer(uint16_t type, enum show_format format, enum show_generation generation)
{
	if (type >= NROWS ||
	    (format == SHOW_JSON && rows[type].new_json &&
		generation != SHOW_2026))
		return NULL;
	return rows[type].print[format];
}

void
show_result(struct wbuf *out, enum show_format format,
    const struct show_context *ctx, uint16_t type, const void *result)
{
	show_print_fn *print = printer(type, format, ctx->generation);

	if (print != NULL)
		print(out, ctx, result);
}

/* Decode a measurement, find its addresses and print it. */
static int
show_measurement(struct show *s, struct wbuf *out,
    const struct warts_record *rec, const char **why)
{
	const struct warts_codec *c = warts_codec(rec->type);
	struct show_context ctx;
	struct warts_any any;
	int rc = 0;

	if (warts_decode(rec, &any, why) == -1)
		return -1;
	if (c->resolve != NULL && c->resolve(&s->state, &any) == -1) {
		*why = "address record missing";
		rc = -1;
	} else {
		ctx = context(s, *warts_list_of(rec->type, &any),
		    *warts_cycle_of(rec->type, &any));
		show_result(out, s->format, &ctx, rec->type, &any);
	}
	warts_clear(rec->type, &any);
	return rc;
}

enum show_result
show_record(struct show *s, struct wbuf *out, const struct warts_record *rec,
    const char **why)
{
	size_t before = out->len;
	show_fn *show = NULL;
	int ok;

	if (rec->type == WARTS_MARK)
		return SHOW_DONE;
	if (rec->type < NROWS)
		show = rows[rec->type].show[s->format];
	if (printer(rec->type, s->format, s->generation) != NULL)
		show = show_measurement;
	if (show == NULL)
		return SHOW_SKIPPED;
	ok = warts_state_feed(&s->state, rec, why) == 0;
	if (show(s, out, rec, why) == -1)
		ok = 0;
	if (!ok)
		return SHOW_DAMAGED;
	/* Not of every method there is something to print. */
	if (show == show_measurement && out->len == before)
		return SHOW_SKIPPED;
	return SHOW_DONE;
}
