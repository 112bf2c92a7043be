#include "prober/output.h"

#include <unistd.h>

static void
name_host(struct output *o)
{
	if (gethostname(o->hostname, sizeof(o->hostname) - 1) == -1)
		o->hostname[0] = '\0';
}

struct output *
output_open(const struct output_config *cfg, int64_t now_ns)
{
	struct output *o = cfg->spool != NULL ? output_spool_open(cfg, now_ns)
					      : output_file_open(cfg);

	name_host(o);
	return o;
}

struct output *
output_try(const struct output_config *cfg)
{
	struct output *o = output_file_try(cfg);

	if (o != NULL)
		name_host(o);
	return o;
}

void
output_resume(struct output *o, struct admit *a)
{
	if (o->ops->resume != NULL)
		o->ops->resume(o, a);
}

int
output_cycle_begin(struct output *o, const struct output_cycle *c)
{
	return o->ops->cycle_begin(o, c);
}

void
output_cycle_end(struct output *o, int handle, uint32_t stop)
{
	o->ops->cycle_end(o, handle, stop);
}

int
output_record(struct output *o, int handle, struct technique_record *rec)
{
	return o->ops->record(o, handle, rec);
}

int
output_wants_partial(const struct output *o, int handle)
{
	return o->ops->wants_partial != NULL &&
	    o->ops->wants_partial(o, handle);
}

void
output_partial(struct output *o, int handle, struct technique_record *rec)
{
	o->ops->partial(o, handle, rec);
}

int
output_tick(struct output *o, int64_t now_ns)
{
	return o->ops->tick(o, now_ns);
}

int
output_poll(struct output *o, int64_t now_ns)
{
	return o->ops->poll != NULL ? o->ops->poll(o, now_ns) : 0;
}

int
output_settle(struct output *o, int64_t now_ns)
{
	return o->ops->settle != NULL ? o->ops->settle(o, now_ns) : -1;
}

int
output_rotate(struct output *o, int64_t now_ns)
{
	return o->ops->rotate(o, now_ns);
}

void
output_account(struct output *o, const struct listcycle *lc)
{
	if (o->ops->account != NULL)
		o->ops->account(o, lc);
}

int
output_close(struct output *o, int64_t now_ns, int hurry)
{
	return o->ops->close(o, now_ns, hurry);
}
