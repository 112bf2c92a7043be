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

#define VALUE_LEN 400
#define CELL_LEN 64
#define COLUMNS 11

struct row {
	char name[CMD_NAME_MAX];
	struct beat beat;
	struct repo_set set;
	const char *trouble; /* "ok" if there is none */
	int rank; /* the greater, the more troubled */
	uint64_t errors, fill, backlog;
	char cell[COLUMNS][CELL_LEN];
	char why[VALUE_LEN];
};

static int
is_behind(const struct row *r)
{
	return beat_number(&r->beat, "assign") <
	    r->set.version[SIGNED_ASSIGN] ||
	    beat_number(&r->beat, "stop") < r->set.version[SIGNED_STOP];
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

/* --- cells ----------------------------------------------------------------- */

/* What nobody has said is a dash, and not a nought. */
static void
put_value(const struct row *r, const char *key, char *out)
{
	beat_value(&r->beat, key, out, CELL_LEN);
	if (out[0] == '\0')
		strcpy(out, "-");
}

static int
has(const struct row *r, const char *key)
{
	char buf[2];

	return beat_value(&r->beat, key, buf, sizeof(buf))[0] != '\0';
}

static void
put_time(int64_t s, char *out)
{
	if (s < 120)
		snprintf(out, CELL_LEN, "%" PRId64 "s", s);
	else if (s < 7200)
		snprintf(out, CELL_LEN, "%" PRId64 "m", s / 60);
	else if (s < 172800)
		snprintf(out, CELL_LEN, "%" PRId64 "h", s / 3600);
	else
		snprintf(out, CELL_LEN, "%" PRId64 "d", s / 86400);
}

static void
put_age(const struct row *r, int64_t now_s, char *out)
{
	if (r->beat.at_s == 0)
		strcpy(out, "-");
	else
		put_time(now_s - r->beat.at_s, out);
}

static void
put_oldest(const struct row *r, char *out)
{
	if (has(r, "spool-oldest"))
		put_time((int64_t)beat_number(&r->beat, "spool-oldest"), out);
	else
		strcpy(out, "-");
}

/* Held and published, when they differ. */
static void
put_assign(const struct row *r, char *out)
{
	uint64_t want = r->set.version[SIGNED_ASSIGN];

	put_value(r, "assign", out);
	if (want != 0 && beat_number(&r->beat, "assign") != want)
		snprintf(out + strlen(out), CELL_LEN - strlen(out), "<%" PRIu64,
		    want);
}

/* Of what its lists have asked for in their cycles, how much is finished. */
static void
put_done(const struct row *r, char *out)
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
	/* Without the Prober's status nobody knows what is finished. */
	if (asked == 0 || !has(r, "backlog"))
		strcpy(out, "-");
	else
		snprintf(out, CELL_LEN, "%.0f%%",
		    100.0 * (double)done / (double)asked);
}

static void
put_spool(const struct row *r, char *out)
{
	static const char units[] = " KMGTPE";
	double v = (double)beat_number(&r->beat, "spool");
	size_t i = 0;

	for (; v >= 1000 && units[i + 1] != '\0'; i++)
		v /= 1024;
	if (!has(r, "spool"))
		strcpy(out, "-");
	else if (i == 0)
		snprintf(out, CELL_LEN, "%.0f", v);
	else
		snprintf(out, CELL_LEN, "%.*f%c", v < 10, v, units[i]);
}

static void
put_fill(const struct row *r, char *out)
{
	put_value(r, "spool-fill", out);
	if (strcmp(out, "-") != 0)
		snprintf(out, CELL_LEN, "%" PRIu64 "%%", r->fill);
}

/* In the order of the heads. */
static void
fill_cells(struct row *r, int64_t now_s)
{
	snprintf(r->cell[0], CELL_LEN, "%s", r->trouble);
	snprintf(r->cell[1], CELL_LEN, "%s", r->name);
	put_age(r, now_s, r->cell[2]);
	put_assign(r, r->cell[3]);
	put_value(r, "rate", r->cell[4]);
	put_done(r, r->cell[5]);
	put_value(r, "backlog", r->cell[6]);
	put_spool(r, r->cell[7]);
	put_fill(r, r->cell[8]);
	put_oldest(r, r->cell[9]);
	put_value(r, "errors", r->cell[10]);
}

/* --- reasons --------------------------------------------------------------- */

static void
why_late(struct row *r)
{
	snprintf(r->why, VALUE_LEN,
	    "heard of %s ago, expected each %" PRIu64 "s", r->cell[2],
	    beat_number(&r->beat, "period"));
}

static void
why_never(struct row *r)
{
	snprintf(r->why, VALUE_LEN, "has not checked in yet");
}

/* What it has not taken of what is published, into BUF; "" all. */
static char *
refused(const struct row *r, char buf[VALUE_LEN])
{
	char version[CELL_LEN], kind[CELL_LEN], number[CELL_LEN],
	    code[CELL_LEN];

	beat_value(&r->beat, "refused", buf, VALUE_LEN);
	/* KIND VERSION CODE TEXT: a word that it must know and does not. */
	if (sscanf(buf, "%63s %63s %63s", kind, number, code) != 3 ||
	    strcmp(code, "unknown") != 0)
		return buf;
	put_value(r, "software", version);
	snprintf(buf + strlen(buf), VALUE_LEN - strlen(buf),
	    ": its listmgr (%s) is too old for it", version);
	return buf;
}

static void
why_not_probing(struct row *r)
{
	char v[CELL_LEN], buf[VALUE_LEN];
	size_t n;

	beat_value(&r->beat, "probing", v, sizeof(v));
	refused(r, buf);
	if (strcmp(v, "deadman") == 0)
		snprintf(r->why, VALUE_LEN,
		    "dead-man timer: too long without a good check-in");
	else if (strcmp(v, "expired") == 0 &&
	    beat_number(&r->beat, "assign") == 0)
		snprintf(r->why, VALUE_LEN, "has no schedule yet");
	else if (strcmp(v, "expired") == 0)
		snprintf(r->why, VALUE_LEN, "its schedule has expired%s",
		    buf[0] == '\0' ? ": publish again" : "");
	else
		snprintf(r->why, VALUE_LEN, "probing: %s", v);
	n = strlen(r->why);
	if (buf[0] != '\0')
		snprintf(r->why + n, VALUE_LEN - n, ", and refused %s", buf);
}

static void
why_stopped(struct row *r)
{
	snprintf(r->why, VALUE_LEN, "by ctlpublish stop");
}

static void
why_refused(struct row *r)
{
	refused(r, r->why);
}

static void
why_list(struct row *r)
{
	beat_bad_why(&r->beat, r->why, VALUE_LEN);
}

static void
why_no_prober(struct row *r)
{
	beat_value(&r->beat, "prober", r->why, VALUE_LEN);
}

static void
why_errors(struct row *r)
{
	beat_value(&r->beat, "error", r->why, VALUE_LEN);
}

static void
why_spool(struct row *r)
{
	snprintf(r->why, VALUE_LEN, "is the archive fetching? oldest: %s",
	    r->cell[9]);
}

static void
why_behind(struct row *r)
{
	snprintf(r->why, VALUE_LEN, "has not fetched the newest yet");
}

/* The greatest trouble first. */
static const struct {
	const char *trouble;
	void (*why)(struct row *r);
} ranks[] = {
    {"late", why_late},
    {"never heard", why_never},
    {"not probing", why_not_probing},
    {"stopped", why_stopped},
    {"refused", why_refused},
    {"list held", why_list},
    {"no prober", why_no_prober},
    {"errors", why_errors},
    {"spool full", why_spool},
    {"behind", why_behind},
};

#define NRANKS (sizeof(ranks) / sizeof(ranks[0]))

/* Its rank and why it has it. */
static void
rank(struct row *r)
{
	for (size_t i = 0; i < NRANKS; i++) {
		if (strcmp(ranks[i].trouble, r->trouble) != 0)
			continue;
		r->rank = (int)(NRANKS - i);
		ranks[i].why(r);
	}
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
	r->trouble = trouble == NULL ? "ok" : trouble;
	r->errors = beat_number(&r->beat, "errors");
	r->fill = beat_number(&r->beat, "spool-fill");
	r->backlog = beat_number(&r->beat, "backlog");
	fill_cells(r, now_s);
	rank(r);
}

/* --- printing -------------------------------------------------------------- */

static const char *const heads[COLUMNS] = {"TROUBLE", "MONITOR", "HEARD",
    "ASSIGN", "RATE", "DONE", "BACKLOG", "SPOOL", "FILL", "OLDEST", "ERRORS"};

/* Words to the left, numbers to the right.  What a monitor says is shown, not
 * obeyed: lines are printable. */
static void
print_line(const int *width, const char *const *cell, const char *why)
{
	for (int i = 0; i < COLUMNS; i++)
		printf("%*s%s", i < 2 ? -width[i] : width[i], cell[i],
		    i < COLUMNS - 1 ? "  " : "");
	printf("%s%s\n", why[0] != '\0' ? "  " : "", why);
}

static void
print_rows(const struct row *rows, size_t n)
{
	const char *cells[COLUMNS];
	int width[COLUMNS], len;

	for (int k = 0; k < COLUMNS; k++) {
		width[k] = (int)strlen(heads[k]);
		for (size_t i = 0; i < n; i++) {
			len = (int)strlen(rows[i].cell[k]);
			width[k] = len > width[k] ? len : width[k];
		}
	}
	print_line(width, heads, "WHY");
	for (size_t i = 0; i < n; i++) {
		for (int k = 0; k < COLUMNS; k++)
			cells[k] = rows[i].cell[k];
		print_line(width, cells, rows[i].why);
	}
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
	print_rows(rows, n);
	for (size_t i = 0; i < n; i++)
		beat_free(&rows[i].beat);
	free(rows);
	if (beats != -1)
		close(beats);
	repo_close(&repo);
	if (fflush(stdout) == 0)
		return EXIT_DONE;
	log_warn("standard output: %s", strerror(errno));
	return EXIT_TEMPORARY;
}
