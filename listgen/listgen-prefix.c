/*
 * listgen-prefix: one random address of each routed prefix and cycle, in an
 * order that keeps neighbours far apart in time.
 *
 *	place in the order ── permute ──► unit of the table ── hash ──► address
 *
 * All of it is a function of the key, the cycle and the prefixes: nothing is
 * drawn and nothing remembered.  After a kill the same targets have the same
 * numbers again.
 *
 * In a team everybody walks through the same order and gives out its own
 * units.  What a dead member has left comes behind them, in a pass of its own,
 * so that the numbers of what came before stay what they are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/xmalloc.h"
#include "listgen/genopts.h"
#include "listgen/permute.h"
#include "listgen/prefixes.h"
#include "listgen/team.h"

#define NAMED_MAX 100 /* bad lines named in one reading */
/* Random addresses tried until one is neither in a longer prefix nor left
 * out.  One of ten would do for a prefix that is 90 % covered 99.9 % of the
 * time. */
#define DRAWS_MAX 64

struct walk {
	struct genopts opt;
	struct prefixes_config cfg;
	struct team team;
	const char *key_text;
	struct prefixes *table;
	struct permute order;
	uint64_t key; /* of this cycle */
	uint64_t place; /* the next one */
	/* Team: who lives in this cycle; whose units this pass is about. */
	uint32_t cycle;
	struct team_set living, rest;
	int take; /* pass: index of the take, -1: our own */
	uint64_t skip; /* units of the member that it has done itself */
	char *path; /* of what was read last */
	uint64_t named; /* bad lines */
	int quiet; /* this file was read before */
	int said; /* that special prefixes are left out */
	char read[GEN_IDENTITY_MAX]; /* identity of what was read last */
	uint64_t good, left_out; /* in this cycle */
	char text[ADDR_STRLEN];
};

/* --- a unit's address ----------------------------------------------------- */

static uint64_t
unit_key(const struct walk *w, const struct prefixes_unit *u)
{
	uint64_t key = permute_mix(w->key, u->top);

	return permute_mix(key, (uint64_t)u->family << 8 | u->len);
}

static int
draw(const struct walk *w, const struct prefixes_unit *u, uint64_t key,
    struct addr *a)
{
	uint64_t random[2];

	for (uint64_t i = 0; i < DRAWS_MAX; i++) {
		random[0] = permute_mix(key, 1000 + 2 * i);
		random[1] = permute_mix(key, 1001 + 2 * i);
		if (prefixes_draw(w->table, u, random, a) == 0 &&
		    !exclude_match(&w->opt.exclude, a))
			return 0;
	}
	return -1;
}

/* Is the unit with KEY ours in this pass? */
static int
is_ours(const struct walk *w, uint64_t key)
{
	const struct team *t = &w->team;

	if (t->n == 0)
		return 1;
	if (w->take == -1)
		return team_owner(t, &w->living, key) == t->self;
	return team_owner(t, &w->living, key) == t->takes[w->take].member;
}

/* In a pass about another's units: has it done this one, or is it a third
 * one's to take? */
static int
is_others(struct walk *w, uint64_t key)
{
	if (w->take == -1)
		return 0;
	if (w->skip > 0) {
		w->skip--;
		return 1;
	}
	return team_owner(&w->team, &w->rest, key) != w->team.self;
}

/* The target at the next place: 1 with it in *A, 0 if none is there. */
static int
step(struct walk *w, struct addr *a)
{
	struct prefixes_unit u;
	uint64_t key;

	prefixes_unit(w->table, permute_at(&w->order, w->place++), &u);
	key = unit_key(w, &u);
	if (!is_ours(w, key))
		return 0;
	if (draw(w, &u, key, a) == -1) {
		w->left_out++;
		return 0;
	}
	return !is_others(w, key);
}

/* Begin the pass about the next share to be taken over.  0: there is none. */
static int
next_pass(struct walk *w)
{
	const struct team_take *k;

	while (++w->take < w->team.ntakes) {
		k = &w->team.takes[w->take];
		if (k->cycle != w->cycle)
			continue;
		/* A later take changes nothing for those before it. */
		team_without(&w->rest, k->member);
		w->skip = k->number;
		w->place = 0;
		return 1;
	}
	return 0;
}

/* --- text ------------------------------------------------------------------- */

static char *
put_octet(char *s, uint8_t v)
{
	if (v >= 100)
		*s++ = (char)('0' + v / 100);
	if (v >= 10)
		*s++ = (char)('0' + v / 10 % 10);
	*s++ = (char)('0' + v % 10);
	return s;
}

static size_t
print(const struct addr *a, char *buf)
{
	char *s = buf;

	if (a->family != ADDR_IPV4)
		return strlen(addr_str(a, buf));
	for (int i = 0; i < 4; i++) {
		if (i > 0)
			*s++ = '.';
		s = put_octet(s, a->b[i]);
	}
	return (size_t)(s - buf);
}

static size_t
walk_next(void *arg, const char **text)
{
	struct walk *w = arg;
	struct addr a;

	do {
		while (w->place < w->order.n) {
			if (!step(w, &a))
				continue;
			w->good++;
			*text = w->text;
			return print(&a, w->text);
		}
	} while (next_pass(w));
	log_info("%s: cycle %u: %llu targets, %llu prefixes without one",
	    w->path, w->cycle, (unsigned long long)w->good,
	    (unsigned long long)w->left_out);
	return 0;
}

/* --- a cycle ------------------------------------------------------------------ */

static void
bad_line(void *arg, uint64_t line, const char *why)
{
	struct walk *w = arg;

	if (w->quiet || ++w->named > NAMED_MAX)
		return;
	log_warn("%s:%llu: %s", w->path, (unsigned long long)line, why);
	if (w->named == NAMED_MAX)
		log_warn("%s: more bad lines are only counted", w->path);
}

/* Real tables have some in them: once is enough. */
static void
say_special(struct walk *w, const char *file, const struct prefixes_count *c)
{
	if (c->special > 0 && !w->said)
		log_warn("%s: %llu special-purpose prefixes left out, the "
			 "first on line %llu; -S keeps them",
		    file, (unsigned long long)c->special,
		    (unsigned long long)c->special_line);
	else if (c->special > 0)
		log_info("%s: %llu special-purpose prefixes left out", file,
		    (unsigned long long)c->special);
	w->said |= c->special > 0;
}

static int
load(struct walk *w, const char *file)
{
	void (*say)(const char *, ...) = log_info;
	const struct prefixes_count *c;
	struct prefixes *table;
	const char *why;

	free(w->path);
	w->path = xstrdup(file);
	w->named = 0;
	table = prefixes_load(file, &w->cfg, bad_line, w, &why);
	if (table == NULL) {
		log_warn("%s: %s", file, why);
		return -1;
	}
	prefixes_free(w->table);
	w->table = table;
	c = prefixes_counts(table);
	say_special(w, file, c);
	if ((c->bad > 0 || c->prefixes == 0) && !w->quiet)
		say = log_warn;
	say("%s: %llu prefixes, %llu longer ones left out, %llu bad lines "
	    "skipped",
	    file, (unsigned long long)c->prefixes,
	    (unsigned long long)c->longer, (unsigned long long)c->bad);
	return 0;
}

/* Read the table unless it is the one that we have. */
static int
load_changed(struct walk *w, const char *file, char id[GEN_IDENTITY_MAX])
{
	struct stat st;

	if (stat(file, &st) == 0)
		gen_identify(&st, id);
	w->quiet = strcmp(id, w->read) == 0;
	if (w->table != NULL && w->quiet && strcmp(file, w->path) == 0)
		return 0;
	if (load(w, file) == -1)
		return -1;
	strcpy(w->read, id);
	return 0;
}

/* The members of the cycle that goes on are those it was begun with. */
static void
choose_members(struct walk *w, const struct gen_start *at, const char *was)
{
	const char *hex = at->more ? strstr(was, "members=") : NULL;

	team_set_at(&w->team, at->cycle, &w->living);
	if (hex != NULL && team_from_hex(hex + 8, &w->living) == -1)
		log_warn("the state's members cannot be read");
	if (w->team.n != 0 && !team_has(&w->living, w->team.self))
		log_warn("cycle %u: this member, %u, has no share", at->cycle,
		    w->team.self);
}

/* What the numbers of a cycle depend on besides the contents of files. */
static void
identify_options(const struct walk *w, char id[GEN_IDENTITY_MAX])
{
	char hex[TEAM_HEX_LEN];
	size_t n = strlen(id);

	snprintf(id + n, GEN_IDENTITY_MAX - n,
	    " key=%016llx max=%u,%u split=%u,%u inner=%d",
	    (unsigned long long)w->key, w->cfg.max_len[0], w->cfg.max_len[1],
	    w->cfg.split[0], w->cfg.split[1], w->cfg.inner);
	n = strlen(id);
	if (prefixes_counts(w->table)->special > 0)
		snprintf(id + n, GEN_IDENTITY_MAX - n, " special=0");
	if (w->team.n == 0)
		return;
	team_to_hex(&w->living, hex);
	n = strlen(id);
	snprintf(id + n, GEN_IDENTITY_MAX - n, " team=%u/%u members=%s",
	    w->team.self, w->team.n, hex);
}

static uint64_t
cycle_key(const struct walk *w, uint32_t cycle)
{
	uint64_t key = w->opt.cfg.list;

	if (w->key_text != NULL) {
		key = strlen(w->key_text);
		for (const char *s = w->key_text; *s != '\0'; s++)
			key = permute_mix(key, (unsigned char)*s);
	}
	return permute_mix(key, cycle);
}

static int
walk_rewind(void *arg, const struct gen_start *at, char id[GEN_IDENTITY_MAX])
{
	struct walk *w = arg;

	choose_members(w, at, id);
	id[0] = '\0';
	if (load_changed(w, at->file, id) == -1 ||
	    exclude_load(&w->opt.exclude, id) == -1)
		return -1;
	w->cycle = at->cycle;
	w->key = cycle_key(w, at->cycle);
	identify_options(w, id);
	permute_init(&w->order, prefixes_units(w->table), w->key);
	w->place = w->good = w->left_out = 0;
	w->rest = w->living;
	w->take = -1;
	w->skip = 0;
	return 0;
}

/* --- options ---------------------------------------------------------------- */

/* "24" or "24,48": a length for each family, at least LEAST. */
static const char *
lengths(const char *arg, uint8_t out[PREFIXES_FAMILIES], uint32_t least)
{
	const char *comma = strchr(arg, ',');
	char v4[8] = "";
	uint32_t len[PREFIXES_FAMILIES] = {out[0], out[1]};
	size_t n = comma != NULL ? (size_t)(comma - arg) : strlen(arg);

	if (n >= sizeof(v4))
		return "not a prefix length";
	memcpy(v4, arg, n);
	if (scan_u32(v4, least, 32, &len[PREFIXES_V4]) == -1)
		return "not an IPv4 prefix length";
	if (comma != NULL &&
	    scan_u32(comma + 1, least, 64, &len[PREFIXES_V6]) == -1)
		return "not an IPv6 prefix length up to 64";
	out[PREFIXES_V4] = (uint8_t)len[PREFIXES_V4];
	out[PREFIXES_V6] = (uint8_t)len[PREFIXES_V6];
	return NULL;
}

static const char *
opt_max(void *ctx, const char *arg)
{
	return lengths(arg, ((struct walk *)ctx)->cfg.max_len, 0);
}

static const char *
opt_split(void *ctx, const char *arg)
{
	return lengths(arg, ((struct walk *)ctx)->cfg.split, 8);
}

static const char *
opt_inner(void *ctx, const char *arg)
{
	(void)arg;
	((struct walk *)ctx)->cfg.inner = 1;
	return NULL;
}

static const char *
opt_special(void *ctx, const char *arg)
{
	(void)arg;
	((struct walk *)ctx)->cfg.special = 1;
	return NULL;
}

static const char *
opt_key(void *ctx, const char *arg)
{
	((struct walk *)ctx)->key_text = arg;
	return NULL;
}

static const char *
opt_share(void *ctx, const char *arg)
{
	return team_parse_share(&((struct walk *)ctx)->team, arg);
}

static const char *
opt_members(void *ctx, const char *arg)
{
	return team_parse_members(&((struct walk *)ctx)->team, arg);
}

static const char *
opt_take(void *ctx, const char *arg)
{
	return team_parse_take(&((struct walk *)ctx)->team, arg);
}

static const struct prog_opt options[] = {
    GENOPTS_ROWS,
    {'b', "split", "LEN[,LEN6]",
	"an address of each part of this length of a shorter prefix",
	opt_split},
    {'e', "no-edges", NULL, "no first and last addresses", opt_inner},
    {'k', "key", "TEXT", "other addresses, another order; default: the list",
	opt_key},
    {'M', "max", "LEN[,LEN6]", "leave out longer prefixes (32,64)", opt_max},
    {'m', "members", "I,K,...[@CYCLE]",
	"members that live (from CYCLE on); repeatable", opt_members},
    {'S', "special", NULL,
	"special-purpose prefixes too: private, shared, documentation ...",
	opt_special},
    {'t', "team", "I/N", "only the share of member I of a team of N",
	opt_share},
    {'T', "take", "CYCLE:I:NUMBER",
	"take over what member I left behind its NUMBERth target; repeatable",
	opt_take},
    {0},
};

static void
check(const struct walk *w)
{
	const char *why = team_check(&w->team);
	int64_t interval_ns = w->opt.cfg.interval_ns;

	if (why == NULL && w->team.n != 0 &&
	    (interval_ns == NS_PER_SEC || interval_ns % NS_PER_SEC != 0))
		why = "a team needs an interval of whole seconds, -i: its "
		      "cycles begin at multiples of it";
	if (why != NULL)
		log_fatal(EXIT_PERMANENT, "%s", why);
}

int
main(int argc, char **argv)
{
	static const struct prog_usage usage = {"listgen-prefix",
	    "[options] FILE",
	    "emit probing commands for an address of each routed prefix",
	    EXIT_PERMANENT};
	static const struct gen_source source = {walk_rewind, walk_next};
	static struct walk w = {.cfg.max_len = {32, 64}};
	int first = genopts_parse(&usage, options, argc, argv, &w.opt);
	int code;

	if (argc - first != 1)
		log_fatal(EXIT_PERMANENT, "exactly one FILE is needed");
	check(&w);
	w.opt.cfg.file = argv[first];
	w.opt.cfg.aligned = w.team.n != 0;
	code = gen_run(&w.opt.cfg, &source, &w);
	exclude_clear(&w.opt.exclude);
	prefixes_free(w.table);
	free(w.path);
	return code;
}
