/*
 * listgen-rerun: destinations of an earlier cycle in the archive again, those
 * first whose path has changed, that were not reached, or that are new.
 *
 *	DIR/by-cycle/LIST/CYCLE/LIST.MON.DATE.CYCLE_NN.warts[.gz]
 *
 * is what the archive's sorter makes; a file that is closed is read-only, and
 * a cycle whose files are all closed is complete.  The files are read in the
 * order of their names; so the targets of two cycles are the same each time.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/log.h"
#include "common/scan.h"
#include "common/warts/reader.h"
#include "common/warts/record.h"
#include "common/warts/state.h"
#include "common/xmalloc.h"
#include "listgen/genopts.h"
#include "listgen/permute.h"
#include "listgen/rerun.h"

#define MAX_DEFAULT 5000000
#define MAX_MOST 100000000
#define NAME_BYTES 256

struct again {
	struct genopts opt;
	uint32_t list; /* whose archive */
	int list_given;
	uint32_t asked_now, asked_before; /* cycles; 0: to be found */
	const char *monitor; /* only its files, NULL: all */
	struct rerun_order order;
	uint32_t max;
	struct rerun *found;
	uint32_t now, before; /* the cycles; before 0: none */
	uint64_t traces, excluded;
	char text[ADDR_STRLEN];
};

typedef void (*trace_cb)(
    struct rerun *r, const char *name, const struct warts_trace *t);

/* --- the archive -------------------------------------------------------------- */

static void
cycle_path(
    const struct again *g, const char *dir, uint32_t cycle, char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/by-cycle/%u/%u", dir, g->list, cycle);
}

static int
is_visible(const struct dirent *d)
{
	return d->d_name[0] != '.';
}

/* The monitor in LIST.MON.DATE.CYCLE_NN.warts: 0, or -1 if it is no such name.
 * A monitor's name may have dots and underscores. */
static int
monitor_of(const char *name, char out[NAME_BYTES])
{
	const char *first = strchr(name, '.'), *end = strrchr(name, '_');

	for (int dots = 0; end != NULL && dots < 2; dots++) {
		do
			end--;
		while (end > name && *end != '.');
		if (end == name)
			return -1;
	}
	if (first == NULL || end == NULL || end <= first + 1 ||
	    end - first > NAME_BYTES)
		return -1;
	snprintf(out, NAME_BYTES, "%.*s", (int)(end - first - 1), first + 1);
	return 0;
}

/* Is it a file of the archive that we want? */
static int
is_wanted(const struct again *g, const char *name, char monitor[NAME_BYTES])
{
	if (strstr(name, ".warts") == NULL || monitor_of(name, monitor) == -1)
		return 0;
	return g->monitor == NULL || strcmp(g->monitor, monitor) == 0;
}

/* Does CYCLE have files, all of them closed? */
static int
is_complete(const struct again *g, const char *dir, uint32_t cycle)
{
	char path[PATH_MAX], file[PATH_MAX + NAME_BYTES], monitor[NAME_BYTES];
	int n, files = 0, open = 0;
	struct dirent **list;
	struct stat st;

	cycle_path(g, dir, cycle, path);
	n = scandir(path, &list, is_visible, alphasort);
	for (int i = 0; i < n; i++) {
		if (is_wanted(g, list[i]->d_name, monitor)) {
			files++;
			snprintf(
			    file, sizeof(file), "%s/%s", path, list[i]->d_name);
			open += stat(file, &st) == -1 || st.st_mode & 0222;
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return files > 0 && open == 0;
}

/* The last complete cycle before LIMIT, or 0; *NOPEN: those that are not. */
static uint32_t
last_complete(
    const struct again *g, const char *dir, uint32_t limit, int *nopen)
{
	char path[PATH_MAX];
	struct dirent **list;
	uint32_t cycle, best = 0;
	int n;

	snprintf(path, sizeof(path), "%s/by-cycle/%u", dir, g->list);
	n = scandir(path, &list, is_visible, alphasort);
	if (n == -1)
		log_warn("%s: %s", path, strerror(errno));
	*nopen = 0;
	for (int i = 0; i < n; i++) {
		if (scan_u32(list[i]->d_name, 1, UINT32_MAX, &cycle) == 0 &&
		    cycle > best && cycle < limit) {
			if (is_complete(g, dir, cycle))
				best = cycle;
			else
				++*nopen;
		}
		free(list[i]);
	}
	if (n >= 0)
		free(list);
	return best;
}

/* Which two cycles; those that the open one of ours was begun with go on. */
static int
choose_cycles(struct again *g, const struct gen_start *at, const char *was)
{
	const char *said = at->more ? strstr(was, "cycles=") : NULL;
	int nopen;

	if (said != NULL &&
	    sscanf(said, "cycles=%u,%u", &g->now, &g->before) == 2)
		return 0;
	g->now = g->asked_now != 0
	    ? g->asked_now
	    : last_complete(g, at->file, UINT32_MAX, &nopen);
	if (g->now == 0) {
		log_warn("%s: no complete cycle of list %u%s", at->file,
		    g->list,
		    nopen > 0 ? ", only such as are still being filed: -C "
				"takes one of them"
			      : "");
		return -1;
	}
	g->before = g->asked_before != 0
	    ? g->asked_before
	    : last_complete(g, at->file, g->now, &nopen);
	if (g->before == 0)
		log_warn("list %u: no complete cycle before %u to compare "
			 "with: all of its destinations are new",
		    g->list, g->now);
	return 0;
}

/* --- records -------------------------------------------------------------------- */

static void
take_trace(struct again *g, const struct warts_record *rec,
    const struct warts_state *st, const char *monitor, trace_cb cb)
{
	struct warts_trace t;
	const char *why;

	if (warts_trace_decode(rec->body, rec->len, &t, &why) == -1) {
		log_warn("a trace cannot be decoded: %s", why);
		return;
	}
	if (warts_state_resolve(st, &t) == 0 && t.dst.family != ADDR_NONE) {
		cb(g->found, monitor, &t);
		g->traces++;
	}
	warts_trace_clear(&t);
}

static int
read_file(struct again *g, const char *path, const char *monitor, trace_cb cb)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct warts_state st = {0};
	struct warts_reader *rd;
	struct warts_record rec;
	enum warts_read got;
	const char *why;

	if (fd == -1) {
		log_warn("%s: %s", path, strerror(errno));
		return -1;
	}
	rd = warts_reader_new(fd);
	while ((got = warts_reader_next(rd, &rec, &why)) != WARTS_READ_EOF &&
	    got != WARTS_READ_ERROR) {
		if (got == WARTS_READ_DAMAGE) {
			log_warn("%s: at byte %llu: %s", path,
			    (unsigned long long)rec.offset, why);
			continue;
		}
		warts_state_feed(&st, &rec, &why);
		if (rec.type == WARTS_TRACE)
			take_trace(g, &rec, &st, monitor, cb);
	}
	if (got == WARTS_READ_ERROR)
		log_warn("%s: %s", path, why);
	warts_state_clear(&st);
	warts_reader_free(rd);
	return got == WARTS_READ_ERROR ? -1 : 0;
}

/* Read all files of CYCLE.  0, or -1 when one cannot be read. */
static int
read_cycle(struct again *g, const char *dir, uint32_t cycle, trace_cb cb)
{
	char path[PATH_MAX], file[PATH_MAX + NAME_BYTES], monitor[NAME_BYTES];
	struct dirent **list;
	int n, rc = 0;

	cycle_path(g, dir, cycle, path);
	n = scandir(path, &list, is_visible, alphasort);
	if (n == -1) {
		log_warn("%s: %s", path, strerror(errno));
		return -1;
	}
	for (int i = 0; i < n; i++) {
		snprintf(file, sizeof(file), "%s/%s", path, list[i]->d_name);
		if (rc == 0 && is_wanted(g, list[i]->d_name, monitor))
			rc = read_file(g, file, monitor, cb);
		free(list[i]);
	}
	free(list);
	return rc;
}

/* --- the source ------------------------------------------------------------------ */

/* How many targets, and a hash of them all: has the archive changed? */
static void
identify(struct again *g, char id[GEN_IDENTITY_MAX])
{
	const struct addr *a;
	uint64_t n = 0, sum = 0, of[RERUN_CLASSES] = {0};

	rerun_rewind(g->found, &g->order);
	while ((a = rerun_next(g->found)) != NULL) {
		sum = permute_mix(sum, addr_hash(a));
		of[rerun_class_of_last(g->found)]++;
		n++;
	}
	snprintf(id, GEN_IDENTITY_MAX,
	    "list=%u cycles=%u,%u targets=%llu sum=%016llx", g->list, g->now,
	    g->before, (unsigned long long)n, (unsigned long long)sum);
	log_info("list %u: cycle %u beside %u: %llu traces, %llu targets",
	    g->list, g->now, g->before, (unsigned long long)g->traces,
	    (unsigned long long)n);
	for (int i = 0; i < g->order.n; i++)
		log_info("%llu %s", (unsigned long long)of[g->order.classes[i]],
		    rerun_class_name(g->order.classes[i]));
}

static int
again_rewind(void *arg, const struct gen_start *at, char id[GEN_IDENTITY_MAX])
{
	struct again *g = arg;

	if (choose_cycles(g, at, id) == -1)
		return -1;
	rerun_free(g->found);
	g->found = rerun_new(g->max);
	g->traces = g->excluded = 0;
	if (g->before != 0 &&
	    read_cycle(g, at->file, g->before, rerun_before) == -1)
		return -1;
	if (read_cycle(g, at->file, g->now, rerun_now) == -1)
		return -1;
	if (rerun_dropped(g->found) > 0)
		log_warn("cycles %u, %u: more than %u destinations: %llu "
			 "traces passed over",
		    g->now, g->before, g->max,
		    (unsigned long long)rerun_dropped(g->found));
	identify(g, id);
	if (exclude_load(&g->opt.exclude, id) == -1)
		return -1;
	rerun_rewind(g->found, &g->order);
	return 0;
}

static size_t
again_next(void *arg, const char **text)
{
	struct again *g = arg;
	const struct addr *a;

	while ((a = rerun_next(g->found)) != NULL) {
		if (exclude_match(&g->opt.exclude, a)) {
			g->excluded++;
			continue;
		}
		*text = addr_str(a, g->text);
		return strlen(g->text);
	}
	log_info(
	    "%llu left out by do-not-probe", (unsigned long long)g->excluded);
	return 0;
}

/* --- options ----------------------------------------------------------------------- */

static const char *
opt_archived(void *ctx, const char *arg)
{
	struct again *g = ctx;

	g->list_given = 1;
	return scan_u32(arg, 0, INT32_MAX, &g->list) == 0 ? NULL
							  : "not a list number";
}

static const char *
set_cycle(const char *arg, uint32_t *cycle)
{
	return scan_u32(arg, 1, UINT32_MAX, cycle) == 0 ? NULL : "not a cycle";
}

static const char *
opt_cycle(void *ctx, const char *arg)
{
	return set_cycle(arg, &((struct again *)ctx)->asked_now);
}

static const char *
opt_before(void *ctx, const char *arg)
{
	return set_cycle(arg, &((struct again *)ctx)->asked_before);
}

static const char *
opt_monitor(void *ctx, const char *arg)
{
	((struct again *)ctx)->monitor = arg;
	return scan_name(arg) == 0 ? NULL : "not a monitor's name";
}

static const char *
opt_max(void *ctx, const char *arg)
{
	return scan_u32(arg, 1, MAX_MOST, &((struct again *)ctx)->max) == 0
	    ? NULL
	    : "not a number of destinations";
}

static const char *
opt_order(void *ctx, const char *arg)
{
	return rerun_order_scan(arg, &((struct again *)ctx)->order);
}

static const struct prog_opt options[] = {
    GENOPTS_ROWS,
    {'a', "archived", "NUMBER", "the list in the archive", opt_archived},
    {'B', "before", "CYCLE",
	"to compare with, default: the complete one before", opt_before},
    {'C', "cycle", "CYCLE", "to look at, default: the last complete one",
	opt_cycle},
    {'M', "monitor", "NAME", "look at this monitor's files only", opt_monitor},
    {'N', "max", "NUMBER", "of destinations in memory (5000000)", opt_max},
    {'o', "order", "CLASS,...",
	"which in which order (changed,unreachable,new); rest: the others",
	opt_order},
    {0},
};

int
main(int argc, char **argv)
{
	static const struct prog_usage usage = {"listgen-rerun",
	    "[options] -a NUMBER DIR",
	    "emit probing commands for addresses of an archived cycle",
	    EXIT_PERMANENT};
	static const struct gen_source source = {again_rewind, again_next};
	static struct again g = {.max = MAX_DEFAULT,
	    .order = {{RERUN_CHANGED, RERUN_UNREACHABLE, RERUN_NEW}, 3}};
	int first = genopts_parse(&usage, options, argc, argv, &g.opt);
	int code;

	if (argc - first != 1)
		log_fatal(EXIT_PERMANENT, "exactly one DIR is needed");
	if (!g.list_given)
		log_fatal(EXIT_PERMANENT, "-a says which list to look at");
	if (g.asked_before != 0 && g.asked_before == g.asked_now)
		log_fatal(EXIT_PERMANENT, "a cycle beside itself");
	g.opt.cfg.file = argv[first];
	code = gen_run(&g.opt.cfg, &source, &g);
	exclude_clear(&g.opt.exclude);
	rerun_free(g.found);
	return code;
}
