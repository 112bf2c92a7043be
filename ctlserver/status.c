#include "ctlserver/ctlserver.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/xmalloc.h"

#define VALUE_LEN 200
#define CELL_LEN 32

struct row {
	char name[CMD_NAME_MAX];
	struct beat beat;
	struct repo_set set;
	char trouble[CELL_LEN]; /* "ok" if there is none */
	int rank; /* the greater, the more troubled */
	uint64_t errors, fill, backlog;
};

/* The greatest trouble first. */
static const char *const ranks[] = {"late", "never heard", "not probing",
    "stopped", "refused", "list held", "errors", "spool full", "behind"};

#define NRANKS (sizeof(ranks) / sizeof(ranks[0]))

static int
rank_of(const char *trouble)
{
	for (size_t i = 0; i < NRANKS; i++) {
		if (strcmp(ranks[i], trouble) == 0)
			return (int)(NRANKS - i);
	}
	return 0;
}

static int
is_behind(const struct row *r)
{
	return beat_number(&r->beat, "assign") <
	    r->set.version[SIGNED_ASSIGN] ||
	    beat_number(&r->beat, "stop") < r->set.version[SIGNED_STOP];
}

static void
fill_row(struct row *r, const struct repo *repo, int beats, int64_t now_s)
{
	const char *trouble;

	beat_load(beats, r->name, &r->beat);
	if (repo_get(repo, r->name, 0, &r->set) == -1)
		log_warn("published/current/%s: %s", r->name, strerror(errno));
	trouble = beat_trouble(&r->beat, now_s);
	if (trouble == NULL && is_behind(r))
		trouble = "behind";
	snprintf(r->trouble, sizeof(r->trouble), "%s",
	    trouble == NULL ? "ok" : trouble);
	r->rank = rank_of(r->trouble);
	r->errors = beat_number(&r->beat, "errors");
	r->fill = beat_number(&r->beat, "spool-fill");
	r->backlog = beat_number(&r->beat, "backlog");
}

static int
cmp(uint64_t a, uint64_t b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

static int
by_trouble(const void *a, const void *b)
{
	const struct row *r = a, *q = b;

	if (r->rank != q->rank)
		return q->rank - r->rank;
	if (r->errors != q->errors)
		return cmp(r->errors, q->errors);
	if (r->fill != q->fill)
		return cmp(r->fill, q->fill);
	if (r->backlog != q->backlog)
		return cmp(r->backlog, q->backlog);
	return strcmp(r->name, q->name);
}

/* --- printing -------------------------------------------------------------- */

static const char *
print_time(int64_t s, char *buf)
{
	if (s < 120)
		snprintf(buf, CELL_LEN, "%" PRId64 "s", s);
	else if (s < 7200)
		snprintf(buf, CELL_LEN, "%" PRId64 "m", s / 60);
	else if (s < 172800)
		snprintf(buf, CELL_LEN, "%" PRId64 "h", s / 3600);
	else
		snprintf(buf, CELL_LEN, "%" PRId64 "d", s / 86400);
	return buf;
}

static const char *
print_age(const struct row *r, int64_t now_s, char *buf)
{
	return r->beat.at_s == 0 ? "-" : print_time(now_s - r->beat.at_s, buf);
}

static const char *
print_oldest(const struct row *r, char *buf)
{
	beat_value(&r->beat, "spool-oldest", buf, CELL_LEN);
	return buf[0] == '\0'
	    ? "-"
	    : print_time((int64_t)beat_number(&r->beat, "spool-oldest"), buf);
}

/* Of what its lists have asked for in their cycles, how much is finished. */
static const char *
print_done(const struct row *r, char *buf)
{
	uint64_t asked = 0, done = 0, n, f;
	const char *p = r->beat.text;

	for (; p != NULL && *p != '\0'; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (sscanf(p, "list.%*u=%*s %*u %" SCNu64 " %" SCNu64, &n,
			&f) != 2 ||
		    f > n)
			continue;
		asked += n;
		done += f;
	}
	if (asked == 0)
		return "-";
	snprintf(buf, CELL_LEN, "%.0f%%", 100.0 * (double)done / (double)asked);
	return buf;
}

static const char *
print_bytes(uint64_t bytes, char *buf)
{
	static const char units[] = " KMGTPE";
	size_t i = 0;
	double v = (double)bytes;

	for (; v >= 1000 && units[i + 1] != '\0'; i++)
		v /= 1024;
	if (i == 0)
		snprintf(buf, CELL_LEN, "%.0f", v);
	else
		snprintf(buf, CELL_LEN, "%.*f%c", v < 10, v, units[i]);
	return buf;
}

/* KEY as it was said, or - . */
static const char *
print_value(const struct row *r, const char *key, char *buf, size_t size)
{
	beat_value(&r->beat, key, buf, size);
	return buf[0] == '\0' ? "-" : buf;
}

/* Held and published, when they differ. */
static const char *
print_assign(const struct row *r, char *buf)
{
	uint64_t have = beat_number(&r->beat, "assign");
	uint64_t want = r->set.version[SIGNED_ASSIGN];

	if (have == want)
		snprintf(buf, CELL_LEN, "%" PRIu64, have);
	else
		snprintf(buf, CELL_LEN, "%" PRIu64 "<%" PRIu64, have, want);
	return buf;
}

static void
print_row(const struct row *r, int64_t now_s)
{
	char age[CELL_LEN], assign[CELL_LEN], spool[CELL_LEN];
	char rate[CELL_LEN], backlog[CELL_LEN], said[VALUE_LEN];
	char done[CELL_LEN], oldest[CELL_LEN];

	beat_value(&r->beat, "refused", said, sizeof(said));
	if (said[0] == '\0')
		beat_value(&r->beat, "error", said, sizeof(said));
	/* What a monitor says is shown, not obeyed: lines are printable. */
	printf("%-11s %-16s %5s %9s %8s %5s %9s %6s %4" PRIu64
	       "%% %6s %6" PRIu64 "%s%s\n",
	    r->trouble, r->name, print_age(r, now_s, age),
	    print_assign(r, assign), print_value(r, "rate", rate, CELL_LEN),
	    print_done(r, done), print_value(r, "backlog", backlog, CELL_LEN),
	    print_bytes(beat_number(&r->beat, "spool"), spool), r->fill,
	    print_oldest(r, oldest), r->errors, said[0] == '\0' ? "" : "  ",
	    said);
}

/* --- all ------------------------------------------------------------------- */

static int
has_row(const struct row *rows, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(rows[i].name, name) == 0)
			return 1;
	}
	return 0;
}

static void
add_rows(struct row **rows, size_t *n, int dir)
{
	size_t count;
	char **names = repo_names(dir, &count);

	for (size_t i = 0; i < count; i++) {
		if (has_row(*rows, *n, names[i]))
			continue;
		*rows = xreallocarray(*rows, *n + 1, sizeof(**rows));
		memset(&(*rows)[*n], 0, sizeof(**rows));
		snprintf((*rows)[(*n)++].name, CMD_NAME_MAX, "%s", names[i]);
	}
	repo_names_free(names, count);
}

int
status_print(const char *dir)
{
	int64_t now_s = clock_wall_ns() / NS_PER_SEC;
	struct row *rows = NULL;
	struct repo repo;
	size_t n = 0;
	int beats;

	if (repo_open(&repo, dir, 0) == -1) {
		log_warn("%s/published: %s", dir, strerror(errno));
		return EXIT_PERMANENT;
	}
	beats = openat(repo.root, "beats", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	add_rows(&rows, &n, repo.current);
	if (beats != -1)
		add_rows(&rows, &n, beats);
	for (size_t i = 0; i < n; i++)
		fill_row(&rows[i], &repo, beats, now_s);
	if (n > 0)
		qsort(rows, n, sizeof(*rows), by_trouble);
	printf("%-11s %-16s %5s %9s %8s %5s %9s %6s %5s %6s %6s\n", "TROUBLE",
	    "MONITOR", "HEARD", "ASSIGN", "RATE", "DONE", "BACKLOG", "SPOOL",
	    "FILL", "OLDEST", "ERRORS");
	for (size_t i = 0; i < n; i++) {
		print_row(&rows[i], now_s);
		beat_free(&rows[i].beat);
	}
	free(rows);
	if (beats != -1)
		close(beats);
	repo_close(&repo);
	return fflush(stdout) == 0 ? EXIT_DONE : EXIT_TEMPORARY;
}
