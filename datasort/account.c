#include "datasort/datasort.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/ledger.h"
#include "common/refusal.h"
#include "common/scan.h"
#include "common/segment_dir.h"
#include "common/xmalloc.h"

/* What became of the addresses of one cycle, on one monitor or on all. */
struct account {
	uint64_t asked, recorded, archived, quarantined, dropped;
	uint64_t held, queued, active;
	uint64_t refused[SEGMENT_REASONS];
	int silent; /* some Prober has not said anything */
	int going_on; /* some cycle has not ended */
	int64_t said_ns; /* the oldest last word */
};

struct report {
	int root;
	uint32_t list, cycle;
	struct wbuf *out, notes;
	const char *monitor, *epoch; /* at hand */
	struct table_row row; /* of that epoch */
	struct account sum;
	unsigned int monitors;
	const char *failed; /* a static reason */
};

/* 12,345 */
static void
print_number(struct wbuf *b, uint64_t n)
{
	char digits[24];
	int len = snprintf(digits, sizeof(digits), "%" PRIu64, n);

	for (int i = 0; i < len; i++) {
		if (i > 0 && (len - i) % 3 == 0)
			wbuf_u8(b, ',');
		wbuf_u8(b, (uint8_t)digits[i]);
	}
}

static void
print_time(struct wbuf *b, int64_t s)
{
	time_t t = (time_t)s;
	char text[40];
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S UTC", &tm);
	wbuf_printf(b, "%s", text);
}

/* --- sums ----------------------------------------------------------------- */

static void
add_said(struct account *a, const struct segment_account *s)
{
	a->asked += s->accepted;
	a->recorded += s->recorded;
	for (int i = 0; i < SEGMENT_REASONS; i++)
		a->refused[i] += s->refused[i];
}

static void
add_row(struct account *a, const struct table_row *r)
{
	add_said(a, &r->said);
	add_said(a, &r->before);
	a->archived += r->archived;
	a->quarantined += r->quarantined;
	a->held += r->said.held;
	a->queued += r->said.queued;
	a->active += r->said.active;
	a->dropped += r->before.active;
	a->silent |= r->said_ns == 0;
	a->going_on |= r->stop == 0;
	if (a->said_ns == 0 || (r->said_ns != 0 && r->said_ns < a->said_ns))
		a->said_ns = r->said_ns;
}

static void
add_account(struct account *a, const struct account *b)
{
	a->asked += b->asked;
	a->recorded += b->recorded;
	a->archived += b->archived;
	a->quarantined += b->quarantined;
	a->dropped += b->dropped;
	a->held += b->held;
	a->queued += b->queued;
	a->active += b->active;
	for (int i = 0; i < SEGMENT_REASONS; i++)
		a->refused[i] += b->refused[i];
	a->silent |= b->silent;
	a->going_on |= b->going_on;
}

static uint64_t
refused_sum(const struct account *a)
{
	uint64_t n = 0;

	for (int i = 0; i < SEGMENT_REASONS; i++)
		n += a->refused[i];
	return n;
}

/* --- a line --------------------------------------------------------------- */

static void
print_reasons(struct wbuf *b, const struct account *a)
{
	const char *before = " (";

	for (unsigned int i = 0; i < SEGMENT_REASONS; i++) {
		if (a->refused[i] == 0)
			continue;
		wbuf_printf(b, "%s%s ", before, refusal_name(i));
		print_number(b, a->refused[i]);
		before = ", ";
	}
	if (before[0] == ',')
		wbuf_printf(b, ")");
}

/* " + N WHAT", if there are any. */
static uint64_t
print_part(struct wbuf *b, uint64_t n, const char *what)
{
	if (n == 0)
		return 0;
	wbuf_printf(b, " + ");
	print_number(b, n);
	wbuf_printf(b, " %s", what);
	return n;
}

/*
 * "WHO: 12,345 asked = 12,301 archived + 44 refused (...) + ...".  What does
 * not add up is said as well: recorded, but not in the archive is lost (the
 * notes say where); more than was asked for is an error of somebody.
 */
static void
print_line(struct wbuf *b, const char *who, const struct account *a)
{
	uint64_t found, refused = refused_sum(a);

	wbuf_printf(b, "%s: ", who);
	if (a->silent && a->asked == 0) {
		print_number(b, a->archived);
		wbuf_printf(b, " archived; the prober said nothing yet\n");
		return;
	}
	print_number(b, a->asked);
	wbuf_printf(b, " asked = ");
	print_number(b, a->archived);
	wbuf_printf(b, " archived");
	found = a->archived + refused;
	if (print_part(b, refused, "refused") > 0)
		print_reasons(b, a);
	found += print_part(b, a->quarantined, "in quarantine");
	found += print_part(b, a->queued, "queued");
	found += print_part(b, a->held, "held");
	found += print_part(b, a->active, "active");
	found += print_part(b, a->dropped, "dropped");
	if (found < a->asked)
		print_part(b, a->asked - found, "missing");
	if (found > a->asked) {
		wbuf_printf(b, " - ");
		print_number(b, found - a->asked);
		wbuf_printf(b, " too many");
	}
	wbuf_printf(b, "\n");
}

static int
is_whole(const struct account *a)
{
	return !a->silent && !a->going_on &&
	    a->asked == a->archived + refused_sum(a);
}

/* --- what is missing ------------------------------------------------------ */

static void
note(struct report *r, const char *what, uint64_t first, uint64_t last)
{
	wbuf_printf(&r->notes, "  %s: ", r->monitor);
	wbuf_printf(&r->notes, what, first, last);
	wbuf_printf(&r->notes, "\n");
}

/* A line of the ledger that may tell why records are not there.  What was lost
 * behind the last segment of the cycle may have been part of it, unless that
 * has ended. */
static int
on_ledger(void *arg, const struct ledger_entry *e)
{
	struct report *r = arg;

	if (e->number < r->row.first_segment ||
	    (r->row.stop != 0 && e->number > r->row.last_segment))
		return 0;
	if (e->outcome == LEDGER_REFUSED)
		note(r, "segment %ju was refused: it is in the monitor's bad/",
		    e->number, 0);
	if (e->outcome == LEDGER_CONFLICT)
		note(r, "segment %ju was offered with other contents",
		    e->number, 0);
	if (e->resumed)
		note(r, "records %ju to %ju may be lost: the machine stopped",
		    e->resume_last + 1, e->first - 1);
	return 0;
}

/* Segments that are here and not yet filed, and the one they wait for. */
static void
note_waiting(struct report *r, uint64_t filed)
{
	char path[ARCHIVE_PATH_MAX];
	uint64_t *list = NULL;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "incoming/%s/%s", r->monitor, r->epoch);
	fd = openat(r->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return;
	n = segment_dir_list(fd, ".warts", &list);
	if (n > 0 && list[0] == filed + 1)
		note(r, "%ju segments are not filed yet, from %ju on",
		    (uint64_t)n, list[0]);
	else if (n > 0)
		note(r, "segment %ju is missing, %ju later ones wait for it",
		    filed + 1, (uint64_t)n);
	free(list);
	close(fd);
}

static void
note_missing(struct report *r, uint64_t filed)
{
	char path[ARCHIVE_PATH_MAX];

	snprintf(
	    path, sizeof(path), "state/%s/%s/ledger", r->monitor, r->epoch);
	if (ledger_each(r->root, path, on_ledger, r) == -1)
		r->failed = "a ledger cannot be read";
	note_waiting(r, filed);
	if (r->row.stop == 0 && r->row.said_ns != 0) {
		wbuf_printf(
		    &r->notes, "  %s: has not ended; as of ", r->monitor);
		print_time(&r->notes, r->row.said_ns / NS_PER_SEC);
		wbuf_printf(&r->notes, "\n");
	}
}

/* --- epochs and monitors -------------------------------------------------- */

/* The row of the cycle in this epoch: 1, 0, or -1. */
static int
find_row(struct report *r, int state, uint64_t *filed)
{
	const struct table_row *live;
	struct table t;
	int rc = 1;

	if (table_read(state, &t) == -1)
		return -1;
	*filed = t.filed;
	/* Here first: what leaves the table is in the log before. */
	live = table_find(&t, r->list, r->cycle);
	if (live != NULL) {
		r->row = *live;
	} else {
		rc = table_past(state, r->list, r->cycle, &r->row);
		if (rc == 1)
			free(r->row.open);
	}
	r->row.open = NULL;
	table_clear(&t);
	return rc;
}

static int
on_epoch(struct report *r, int monitor, struct account *a)
{
	uint64_t filed;
	struct account one;
	int state, rc;

	state = openat(
	    monitor, r->epoch, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (state == -1)
		return 0;
	rc = find_row(r, state, &filed);
	close(state);
	if (rc == -1)
		r->failed = "the state of an epoch is damaged";
	if (rc != 1)
		return 0;
	memset(&one, 0, sizeof(one));
	add_row(&one, &r->row);
	add_row(a, &r->row);
	if (!is_whole(&one))
		note_missing(r, filed);
	return 1;
}

/* Names in directory FD that PICK wants, sorted; free()d by the caller. */
static int
names_in(int fd, int (*pick)(const struct dirent *), struct dirent ***out)
{
	return scandirat(fd, ".", out, pick, alphasort);
}

static int
is_name(const struct dirent *e)
{
	return scan_name(e->d_name) == 0;
}

static int
is_epoch(const struct dirent *e)
{
	uint8_t epoch[SEGMENT_EPOCH_LEN];

	return segment_dir_unhex(e->d_name, epoch, sizeof(epoch)) == 0;
}

static void
on_monitor(struct report *r, int states)
{
	struct account a = {.asked = 0};
	struct dirent **names = NULL;
	int fd, n, found = 0;

	fd = openat(states, r->monitor,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return;
	n = names_in(fd, is_epoch, &names);
	for (int i = 0; i < n; i++) {
		r->epoch = names[i]->d_name;
		found += on_epoch(r, fd, &a);
		free(names[i]);
	}
	free(names);
	close(fd);
	if (found == 0)
		return;
	print_line(r->out, r->monitor, &a);
	add_account(&r->sum, &a);
	r->monitors++;
}

/* All monitors: 0, or -1 when there is no archive. */
static int
on_monitors(struct report *r)
{
	struct dirent **names = NULL;
	int fd, n;

	fd = openat(r->root, "state", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	n = names_in(fd, is_name, &names);
	for (int i = 0; i < n; i++) {
		r->monitor = names[i]->d_name;
		on_monitor(r, fd);
		free(names[i]);
	}
	free(names);
	close(fd);
	return 0;
}

int
account_print(
    int root, uint32_t list, uint32_t cycle, struct wbuf *out, const char **why)
{
	struct report r = {
	    .root = root, .list = list, .cycle = cycle, .out = out};
	int rc;

	wbuf_init(&r.notes);
	wbuf_printf(out, "list %" PRIu32 " cycle %" PRIu32 " (", list, cycle);
	print_time(out, cycle);
	wbuf_printf(out, ")\n");
	if (on_monitors(&r) == -1)
		r.failed = "there is no archive here";
	else if (r.monitors == 0 && r.failed == NULL)
		r.failed = "no monitor knows this cycle";
	if (r.monitors > 1)
		print_line(out, "sum", &r.sum);
	if (r.notes.len > 0)
		wbuf_bytes(out, r.notes.p, r.notes.len);
	wbuf_clear(&r.notes);
	*why = r.failed;
	if (r.failed != NULL)
		return -1;
	rc = is_whole(&r.sum) ? 0 : 1;
	return rc;
}
