/*
 * output_form: records as bytes, in a stream of them (contract: output.h): what
 * files and connections of clients have in common.
 *
 * Each cycle that begins has a list of its own in warts: its number there is
 * the handle and one.
 */
#include <stdlib.h>
#include <string.h>

#include "common/show/show.h"
#include "common/warts/record.h"
#include "common/xmalloc.h"
#include "prober/output.h"

struct output_form_cycle {
	struct warts_list list;
	struct warts_cycle cycle;
};

static struct show_context
context_of(const struct output_form *f, int handle)
{
	struct show_context ctx = {
	    .generation = f->generation,
	    .list = &f->cycles[handle].list,
	    .cycle = &f->cycles[handle].cycle,
	};

	return ctx;
}

int
output_form_begin(struct output_form *f, const struct output_cycle *c,
    const char *hostname, struct wbuf *out)
{
	int handle = f->ncycles++;
	struct output_form_cycle *fc;
	struct show_context ctx;

	f->cycles =
	    xreallocarray(f->cycles, (size_t)f->ncycles, sizeof(*f->cycles));
	fc = &f->cycles[handle];
	memset(fc, 0, sizeof(*fc));
	fc->list.id = fc->cycle.list = f->lists_before + (uint32_t)f->ncycles;
	fc->cycle.id = f->cycles_before + (uint32_t)f->ncycles;
	fc->list.user_id = c->list;
	fc->list.name = xstrdup(c->name);
	fc->list.descr = c->descr != NULL ? xstrdup(c->descr) : NULL;
	fc->list.monitor = f->monitor;
	fc->cycle.user_id = c->cycle;
	fc->cycle.start = c->start;
	fc->cycle.hostname = *hostname != '\0' ? hostname : NULL;
	ctx = context_of(f, handle);
	if (f->kind == OUTPUT_JSON)
		show_json_cycle_start(out, &ctx);
	if (f->kind == OUTPUT_WARTS) {
		warts_list_encode(out, &fc->list);
		warts_cycle_encode(out, WARTS_CYCLE_START, &fc->cycle);
	}
	return handle;
}

void
output_form_end(
    const struct output_form *f, int handle, uint32_t stop, struct wbuf *out)
{
	struct warts_cycle_stop s = {f->cycles[handle].cycle.id, stop};
	struct show_context ctx = context_of(f, handle);

	if (f->kind == OUTPUT_JSON)
		show_json_cycle_stop(out, &ctx, stop);
	if (f->kind == OUTPUT_WARTS)
		warts_cycle_stop_encode(out, &s);
}

void
output_form_record(const struct output_form *f, int handle,
    struct technique_record *rec, struct wbuf *out)
{
	struct show_context ctx = context_of(f, handle);

	if (f->kind == OUTPUT_WARTS)
		warts_result_encode(out, rec->type, &rec->trace,
		    f->cycles[handle].list.id, f->cycles[handle].cycle.id);
	else
		show_result(out, f->kind == OUTPUT_JSON ? SHOW_JSON : SHOW_TEXT,
		    &ctx, rec->type, &rec->trace);
}

void
output_form_clear(struct output_form *f)
{
	for (int i = 0; i < f->ncycles; i++) {
		free((void *)(uintptr_t)f->cycles[i].list.name);
		free((void *)(uintptr_t)f->cycles[i].list.descr);
	}
	free(f->cycles);
}
