#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/log.h"
#include "common/prefixset.h"
#include "common/scan.h"
#include "common/xmalloc.h"
#include "prober/polite_own.h"

/* --- the file ------------------------------------------------------------------ */

static const char *
set_rate(void *ctx, char **words, int nwords, int line)
{
	struct polite_limits *l = ctx;
	uint32_t *to = &l->rates.pps;

	(void)nwords;
	(void)line;
	if (strcmp(words[0], "address-rate") == 0)
		to = &l->rates.address_pps;
	else if (strcmp(words[0], "prefix-rate") == 0)
		to = &l->rates.prefix_pps;
	return scan_u32(words[1], 0, POLITE_PPS_MAX, to) == 0
	    ? NULL
	    : "not a number of packets per second";
}

static const char *
set_dead_man(void *ctx, char **words, int nwords, int line)
{
	struct polite_limits *l = ctx;

	(void)nwords;
	(void)line;
	if (scan_duration(words[1], NS_PER_SEC, &l->rates.dead_man_ns) == -1 ||
	    l->rates.dead_man_ns < NS_PER_SEC)
		return "not a duration of at least one second";
	return NULL;
}

static const char *
set_floor(void *ctx, char **words, int nwords, int line)
{
	struct polite_limits *l = ctx;
	struct addr_prefix prefix;
	const char *why = addr_prefix_scan(words[1], &prefix);

	(void)nwords;
	(void)line;
	if (why == NULL)
		prefixset_add(l->floor, &prefix);
	return why;
}

static const char *
set_probing(void *ctx, char **words, int nwords, int line)
{
	struct polite_limits *l = ctx;

	(void)nwords;
	(void)line;
	l->stop = strcmp(words[1], "stop") == 0;
	return l->stop || strcmp(words[1], "go") == 0 ? NULL
						      : "probing is go or stop";
}

static const char *
set_until(void *ctx, char **words, int nwords, int line)
{
	struct polite_limits *l = ctx;

	(void)nwords;
	(void)line;
	return scan_u64(words[1], 0, INT64_MAX / NS_PER_SEC, &l->until_s) == 0
	    ? NULL
	    : "not a Unix time";
}

static const struct conf_key keys[] = {
    {"rate", 1, 1, 1, set_rate, "rate PACKETS-PER-SECOND"},
    {"address-rate", 1, 1, 1, set_rate, "address-rate PACKETS-PER-SECOND"},
    {"prefix-rate", 1, 1, 1, set_rate, "prefix-rate PACKETS-PER-SECOND"},
    {"dead-man", 1, 1, 1, set_dead_man, "dead-man TIME"},
    {"do-not-probe", 1, 1, 0, set_floor, "do-not-probe PREFIX"},
    {"probing", 1, 1, 1, set_probing, "probing go|stop"},
    {"until", 1, 1, 1, set_until, "until UNIX-TIME"},
    {0},
};

/* The lower one of two limits, where 0 is none. */
static uint32_t
lower(uint32_t a, uint32_t b)
{
	if (a == 0 || b == 0)
		return a + b;
	return a < b ? a : b;
}

static void
put_in_force(struct polite *p)
{
	const struct polite_rates *a = &p->cfg.rates, *b = &p->limits.rates;

	p->rates.pps = lower(a->pps, b->pps);
	p->rates.address_pps = lower(a->address_pps, b->address_pps);
	p->rates.prefix_pps = lower(a->prefix_pps, b->prefix_pps);
	p->rates.dead_man_ns = a->dead_man_ns;
	if (b->dead_man_ns != 0 &&
	    (a->dead_man_ns == 0 || b->dead_man_ns < a->dead_man_ns))
		p->rates.dead_man_ns = b->dead_man_ns;
}

static int64_t
modified_ns(const struct stat *st)
{
	return st->st_mtim.tv_sec * NS_PER_SEC + st->st_mtim.tv_nsec;
}

/* Read the file, whose ST was taken before.  0, or -1: what was in force is. */
static int
read_limits(struct polite *p, const struct stat *st)
{
	struct polite_limits l = {.floor = prefixset_new()};

	if (conf_load(p->cfg.limits, keys, &l, conf_log_error, NULL) != 0) {
		prefixset_free(l.floor);
		return -1;
	}
	prefixset_free(p->limits.floor);
	p->limits = l;
	p->floor_is_new = 1;
	p->alive_ns = modified_ns(st);
	put_in_force(p);
	log_info("%s: %u packets/s, %u to an address, %u to a prefix "
		 "(0: no limit), %zu prefixes not to be probed",
	    p->cfg.limits, p->rates.pps, p->rates.address_pps,
	    p->rates.prefix_pps, prefixset_count(l.floor));
	return 0;
}

static int
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_size == b->st_size && modified_ns(a) == modified_ns(b);
}

/* Has the file at PATH changed since SEEN?  1 with SEEN as it is now, 0, or -1:
 * it cannot be seen.  KNOWN: something was read from it before. */
static int
has_changed(const char *path, struct stat *seen, int known)
{
	struct stat st = {0};

	if (stat(path, &st) == -1) {
		if (seen->st_ino != 0 || !known)
			log_warn("%s: %s", path, strerror(errno));
		memset(seen, 0, sizeof(*seen));
		return -1;
	}
	if (same_file(&st, seen))
		return 0;
	*seen = st;
	return 1;
}

/* 1: it was read anew, 0: it is what it was, -1: it cannot be used. */
static int
look_at_limits(struct polite *p)
{
	int changed = 0;

	if (p->cfg.limits != NULL)
		changed = has_changed(
		    p->cfg.limits, &p->seen, p->limits.floor != NULL);
	if (changed == 1 && read_limits(p, &p->seen) == -1)
		return -1;
	return changed;
}

/* The same for the floor. */
static int
look_at_floor(struct polite *p)
{
	struct prefixset *ps;
	int changed = 0;

	if (p->cfg.floor != NULL)
		changed =
		    has_changed(p->cfg.floor, &p->floor_seen, p->floor != NULL);
	if (changed != 1)
		return changed;
	ps = prefixset_load(p->cfg.floor, conf_log_error, NULL);
	if (ps == NULL)
		return -1;
	prefixset_free(p->floor);
	p->floor = ps;
	p->floor_is_new = 1;
	log_info("%s: %zu prefixes", p->cfg.floor, prefixset_count(ps));
	return 1;
}

/* --- stop ------------------------------------------------------------------------ */

/* Too long ago; a time that is as far in the future says nothing either. */
static int
is_dead(const struct polite *p, int64_t wall_ns)
{
	int64_t age_ns = wall_ns - p->alive_ns;

	if (p->rates.dead_man_ns == 0)
		return 0;
	return age_ns > p->rates.dead_man_ns || -age_ns > p->rates.dead_man_ns;
}

static const char *
reason(const struct polite *p, int64_t wall_ns)
{
	struct stat st;

	if (p->limits.stop)
		return "the limits say stop";
	if (p->cfg.stop_file != NULL &&
	    (lstat(p->cfg.stop_file, &st) == 0 || errno != ENOENT))
		return "the stop file is there";
	if (p->limits.until_s != 0 &&
	    wall_ns / NS_PER_SEC >= (int64_t)p->limits.until_s)
		return "the time that the limits allow is over";
	if (is_dead(p, wall_ns))
		return "the limits have not been refreshed in time";
	return NULL;
}

int
polite_look(struct polite *p, int64_t wall_ns)
{
	int changed = look_at_limits(p) == 1;
	const char *why = reason(p, wall_ns);

	changed |= look_at_floor(p) == 1;
	if (why == p->stopped)
		return changed;
	p->stopped = why;
	if (why != NULL)
		log_warn("sending nothing: %s", why);
	else
		log_warn("sending again");
	return 1;
}

/* --- making ------------------------------------------------------------------------- */

struct polite *
polite_new(const struct polite_config *cfg, int64_t wall_ns)
{
	struct polite *p = xcalloc(1, sizeof(*p));

	p->cfg = *cfg;
	put_in_force(p);
	if (look_at_limits(p) == -1 || look_at_floor(p) == -1) {
		polite_free(p);
		return NULL;
	}
	polite_look(p, wall_ns);
	return p;
}

void
polite_free(struct polite *p)
{
	if (p == NULL)
		return;
	prefixset_free(p->limits.floor);
	prefixset_free(p->floor);
	free(p->slots);
	free(p->heap);
	free(p);
}
