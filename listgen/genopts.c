#include "listgen/genopts.h"

#include <stdint.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/scan.h"

const char *
genopts_probe(void *ctx, const char *arg)
{
	((struct genopts *)ctx)->cfg.probe = arg;
	return NULL;
}

const char *
genopts_descr(void *ctx, const char *arg)
{
	((struct genopts *)ctx)->cfg.descr = arg;
	return NULL;
}

const char *
genopts_name(void *ctx, const char *arg)
{
	((struct genopts *)ctx)->cfg.name = arg;
	return scan_name(arg) == 0 ? NULL : "not a list name";
}

const char *
genopts_list(void *ctx, const char *arg)
{
	struct genopts *o = ctx;

	return scan_u32(arg, 0, INT32_MAX, &o->cfg.list) == 0
	    ? NULL
	    : "not a list number";
}

const char *
genopts_state(void *ctx, const char *arg)
{
	((struct genopts *)ctx)->cfg.state = arg;
	return NULL;
}

const char *
genopts_exclude(void *ctx, const char *arg)
{
	return exclude_add(&((struct genopts *)ctx)->exclude, arg);
}

const char *
genopts_repeat(void *ctx, const char *arg)
{
	(void)arg;
	((struct genopts *)ctx)->cfg.repeat = 1;
	return NULL;
}

const char *
genopts_interval(void *ctx, const char *arg)
{
	struct genopts *o = ctx;

	if (scan_duration(arg, NS_PER_SEC, &o->cfg.interval_ns) == -1 ||
	    o->cfg.interval_ns < NS_PER_SEC)
		return "not a duration of at least one second";
	return NULL;
}

const char *
genopts_verbose(void *ctx, const char *arg)
{
	(void)arg;
	((struct genopts *)ctx)->verbose++;
	return NULL;
}

int
genopts_parse(const struct prog_usage *usage, const struct prog_opt *table,
    int argc, char **argv, struct genopts *o)
{
	const char *why = gen_defaults(&o->cfg);
	int first;

	log_init(usage->name, 0, 0);
	if (why != NULL)
		log_fatal(EXIT_PERMANENT, "%s", why);
	first = prog_options(usage, table, argc, argv, o);
	log_init(usage->name, 0, o->verbose);
	return first;
}
