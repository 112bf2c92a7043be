#include "datasort/datasort.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/fd.h"
#include "common/ledger.h"
#include "common/log.h"
#include "common/schedule.h"
#include "common/segment_dir.h"
#include "common/segment_mark.h"
#include "common/segment_read.h"
#include "common/warts/trace_quick.h"
#include "common/xmalloc.h"

/* A cycle of the segment, and where its last record went: the next one most
 * often goes there too. */
struct seg_cycle {
	struct warts_cycle c; /* strings are copies */
	size_t row; /* in the table, SIZE_MAX: not looked for */
	struct archive_target *target;
	uint32_t from, to; /* start times that go to `target' */
};

/* A segment on its way into the plan. */
struct segment {
	struct plan *p;
	uint64_t number;
	struct warts_list *lists; /* by id - 1; strings are copies */
	size_t nlists;
	struct seg_cycle *cycles; /* by id - 1 */
	size_t ncycles;
	int quarantine; /* something went there: so do definitions */
	uint64_t quarantined; /* numbered records */
	const char *why; /* of the first */
	int failed; /* errno of what the disk refused */
	struct warts_quick quick;
};

static const char foreign[] = "list is not in the monitor's schedule";

static int
is_foreign(const struct plan *p, uint32_t list)
{
	return p->s->schedule != NULL &&
	    schedule_find(p->s->schedule, list) == NULL;
}

/* --- rows ----------------------------------------------------------------- */

struct table_row *
plan_row(struct plan *p, uint32_t list, uint32_t cycle)
{
	struct table_row *row = table_find(&p->table, list, cycle), past;
	int rc;

	if (row != NULL)
		return row;
	rc = table_past(p->s->state, list, cycle, &past);
	if (rc == -1)
		return NULL;
	past.list = list;
	past.cycle = cycle;
	row = table_add(&p->table, &past);
	free(past.open);
	return row;
}

/* The row of the cycle, which segment G speaks of.  NULL when the disk failed.
 */
static struct table_row *
row_of(struct segment *g, uint32_t list, uint32_t cycle)
{
	struct table_row *row = plan_row(g->p, list, cycle);

	if (row == NULL) {
		g->failed = errno;
		return NULL;
	}
	if (row->first_segment == 0)
		row->first_segment = g->number;
	row->last_segment = g->number;
	return row;
}

static struct table_row *
cycle_row(struct segment *g, struct seg_cycle *c)
{
	struct table_row *row;

	if (c->row != SIZE_MAX)
		return &g->p->table.rows[c->row];
	row = row_of(g, g->lists[c->c.list - 1].user_id, c->c.user_id);
	if (row != NULL)
		c->row = (size_t)(row - g->p->table.rows);
	return row;
}

/* --- quarantine ----------------------------------------------------------- */

static struct archive_target *
quarantine_target(struct segment *g)
{
	const struct sorter *s = g->p->s;
	char path[ARCHIVE_PATH_MAX];
	struct archive_target *t;

	snprintf(path, sizeof(path), "quarantine/%s/%s.%" PRIu64 ".warts",
	    s->monitor, s->epoch, g->number);
	t = archive_plain(&g->p->files, path);
	if (t == NULL)
		g->failed = errno;
	return t;
}

static void
copy_record(struct wbuf *b, const struct warts_record *r)
{
	size_t token = wbuf_record_begin(b, r->type);

	wbuf_bytes(b, r->body, r->len);
	wbuf_record_end(b, token);
}

/* What the segment defined so far, so that a reader knows the ids. */
static void
define_all(struct segment *g, struct wbuf *b)
{
	if (g->quarantine)
		return;
	g->quarantine = 1;
	for (size_t i = 0; i < g->nlists; i++)
		warts_list_encode(b, &g->lists[i]);
	for (size_t i = 0; i < g->ncycles; i++)
		warts_cycle_encode(b, WARTS_CYCLE_DEF, &g->cycles[i].c);
}

/* The bytes of a record that has no place in the archive. */
static void
quarantine(struct segment *g, const struct warts_record *r, const char *why)
{
	struct archive_target *t = quarantine_target(g);
	size_t before;

	if (t == NULL)
		return;
	before = t->add.len;
	define_all(g, &t->add);
	copy_record(&t->add, r);
	g->p->files.bytes += t->add.len - before;
	if (g->why == NULL)
		g->why = why;
	g->quarantined += segment_read_numbered(r->type) != 0;
}

/* A definition behind the first record in quarantine. */
static void
define_there(struct segment *g, const struct warts_record *r)
{
	struct archive_target *t;

	if (g->quarantine && (t = quarantine_target(g)) != NULL)
		copy_record(&t->add, r);
}

/* --- records -------------------------------------------------------------- */

static char *
copy(const char *s)
{
	return s == NULL ? NULL : xstrdup(s);
}

static const char *
on_list(struct segment *g, const struct warts_record *r)
{
	struct warts_list l;
	const char *why;

	if (warts_list_decode(r->body, r->len, &l, &why) == -1)
		return why;
	if (l.id != g->nlists + 1)
		return "list id is not the next one";
	l.name = copy(l.name);
	l.descr = copy(l.descr);
	l.monitor = copy(l.monitor);
	define_there(g, r);
	g->lists = xreallocarray(g->lists, g->nlists + 1, sizeof(l));
	g->lists[g->nlists++] = l;
	return NULL;
}

static const char *
on_cycle(struct segment *g, const struct warts_record *r)
{
	struct seg_cycle c = {.row = SIZE_MAX};
	const char *why;

	if (warts_cycle_decode(r->body, r->len, &c.c, &why) == -1)
		return why;
	if (c.c.id != g->ncycles + 1)
		return "cycle id is not the next one";
	if (c.c.list == 0 || c.c.list > g->nlists)
		return "cycle of a list that is not in the segment";
	c.c.hostname = copy(c.c.hostname);
	define_there(g, r);
	g->cycles = xreallocarray(g->cycles, g->ncycles + 1, sizeof(c));
	g->cycles[g->ncycles++] = c;
	return NULL;
}

/* Cycle ID of the segment; a reason if it has no such, or must not have. */
static const char *
find_cycle(struct segment *g, uint32_t id, struct seg_cycle **c,
    struct archive_cycle *out)
{
	if (id == 0 || id > g->ncycles)
		return "cycle is not in the segment";
	*c = &g->cycles[id - 1];
	out->cycle = &(*c)->c;
	out->list = &g->lists[out->cycle->list - 1];
	return is_foreign(g->p, out->list->user_id) ? foreign : NULL;
}

static const char *
on_stop(struct segment *g, const struct warts_record *r)
{
	struct warts_cycle_stop stop;
	struct archive_cycle both;
	struct table_row *row;
	struct seg_cycle *c;
	const char *why;

	if (warts_cycle_stop_decode(r->body, r->len, &stop, &why) == -1)
		return why;
	why = find_cycle(g, stop.id, &c, &both);
	if (why != NULL)
		return why;
	row = cycle_row(g, c);
	if (row == NULL)
		return NULL;
	row->ended_now |= row->stop == 0;
	/* 0 stands for a cycle that goes on. */
	row->stop = stop.stop != 0 ? stop.stop : 1;
	if (archive_end(&g->p->files, &both, row->stop) == -1)
		g->failed = errno;
	return NULL;
}

/* What a sorter must know of a measurement, and whether a reader can decode it.
 * Types that we cannot decode are taken as they are. */
static const char *
find_place(struct segment *g, const struct warts_record *r,
    struct warts_quick_trace *out)
{
	struct warts_trace t;
	struct warts_tv start;
	const char *why;

	if (r->type != WARTS_TRACE) {
		if (warts_ids(r, &out->list, &out->cycle, &why) == -1 ||
		    warts_start_time(r, &start, &why) == -1)
			return why;
		out->start_s = start.sec;
		return NULL;
	}
	if (warts_trace_quick(&g->quick, r->body, r->len, out))
		return NULL;
	if (warts_trace_decode(r->body, r->len, &t, &why) == -1)
		return why;
	out->list = t.list;
	out->cycle = t.cycle;
	out->start_s = t.start.sec;
	warts_trace_clear(&t);
	return NULL;
}

/* The target of cycle C for a record of START, NULL when the disk failed. */
static struct archive_target *
find_target(struct segment *g, struct seg_cycle *c,
    const struct archive_cycle *both, uint32_t start)
{
	if (c->target != NULL && start >= c->from && start < c->to)
		return c->target;
	c->target = archive_target(&g->p->files, both, start);
	if (c->target == NULL) {
		g->failed = errno;
		return NULL;
	}
	c->to = archive_window_end(c->c.user_id, c->target->window);
	c->from = c->target->window == 0 ? 0 : c->to - ARCHIVE_WINDOW_S;
	return c->target;
}

static const char *
on_measurement(struct segment *g, const struct warts_record *r)
{
	struct archive_target *t;
	struct archive_cycle both;
	struct table_row *row;
	struct seg_cycle *c;
	struct warts_quick_trace at;
	const char *why = find_place(g, r, &at);
	size_t before;

	if (why == NULL)
		why = find_cycle(g, at.cycle, &c, &both);
	if (why == NULL && both.list->id != at.list)
		why = "list and cycle do not belong together";
	if (why != NULL)
		return why;
	row = cycle_row(g, c);
	t = row == NULL ? NULL : find_target(g, c, &both, at.start_s);
	if (t == NULL)
		return NULL;
	before = t->add.len;
	if (warts_renumber(&t->add, r, 1, 1, &why) == -1) {
		row->quarantined++;
		return why;
	}
	row->archived++;
	g->p->files.bytes += t->add.len - before;
	return NULL;
}

static void
on_record(void *arg, uint16_t type, const uint8_t *body, uint32_t len,
    uint64_t number)
{
	static const struct {
		uint16_t type;
		const char *(*take)(
		    struct segment *g, const struct warts_record *r);
	} kinds[] = {
	    {WARTS_LIST, on_list},
	    {WARTS_CYCLE_START, on_cycle},
	    {WARTS_CYCLE_DEF, on_cycle},
	    {WARTS_CYCLE_STOP, on_stop},
	    {0, on_measurement},
	};
	struct segment *g = arg;
	struct warts_record r = {.type = type, .len = len, .body = body};
	const char *why;
	size_t i = 0;

	(void)number;
	if (g->failed != 0)
		return;
	while (kinds[i].type != 0 && kinds[i].type != type)
		i++;
	why = kinds[i].take(g, &r);
	if (why != NULL)
		quarantine(g, &r, why);
}

/* What the Prober says of its cycles. */
static void
on_mark(void *arg, const uint8_t *body, uint32_t len)
{
	struct segment *g = arg;
	struct segment_account a;
	struct segment_mark m;
	struct table_row *row;
	const char *why;

	if (g->failed != 0 || segment_mark_decode(body, len, &m, &why) == -1)
		return;
	for (uint16_t i = 0; segment_mark_account(body, len, i, &a) == 0; i++) {
		if (is_foreign(g->p, a.list))
			continue;
		row = row_of(g, a.list, a.cycle);
		if (row != NULL)
			table_say(row, &a, m.wall_ns);
	}
}

/* --- a segment ------------------------------------------------------------ */

static void
segment_clear(struct segment *g)
{
	for (size_t i = 0; i < g->nlists; i++) {
		free((char *)g->lists[i].name);
		free((char *)g->lists[i].descr);
		free((char *)g->lists[i].monitor);
	}
	for (size_t i = 0; i < g->ncycles; i++)
		free((char *)g->cycles[i].c.hostname);
	free(g->lists);
	free(g->cycles);
}

/* Became unreadable after it was committed: the client asks the monitor for
 * it once more (it keeps what it sent for a while). */
static void
set_aside(struct sorter *s, uint64_t number, const struct segment_info *info,
    const char *why)
{
	char from[SEGMENT_DIR_NAME], to[SEGMENT_DIR_NAME], text[200];

	snprintf(text, sizeof(text),
	    "%s (at byte %" PRIu64 " of %" PRIu64 "); set aside as %s", why,
	    info->stopped, info->bytes,
	    segment_dir_name(to, number, ".damaged"));
	sorter_warn(s, number, ".warts", text);
	if (atomicfile_rename(s->incoming,
		segment_dir_name(from, number, ".warts"), s->incoming,
		to) == -1)
		sorter_warn(s, number, ".warts", strerror(errno));
}

static int
write_ledger(const struct segment *g, const struct segment_info *info)
{
	const struct sorter *s = g->p->s;
	struct ledger_entry e = {
	    .number = g->number,
	    .outcome = info->marks == 2 ? LEDGER_VOID : LEDGER_FILED,
	    .first = info->first,
	    .last = info->last,
	    .bytes = info->bytes,
	    .quarantined = g->quarantined,
	    .resumed = info->resumed,
	    .resume_last = info->resume_last,
	};
	char path[ARCHIVE_PATH_MAX];

	memcpy(e.sha, info->sha, sizeof(e.sha));
	snprintf(
	    path, sizeof(path), "state/%s/%s/ledger", s->monitor, s->epoch);
	return archive_line(&g->p->files, path, ledger_format(&e));
}

/*
 * One pass: records go into the plan while they are read, and what is in the
 * plan is what was hashed.  Only at the end is it known whether the segment is
 * whole, of this epoch and number; if not, the caller takes all of it out of
 * the plan again.  1, 0 (set aside), -1 with errno; 2 when TAIL_ONLY did not
 * suffice (segment_read.h).
 */
static int
read_segment(struct segment *g, int fd, int tail_only)
{
	struct segment_read_opts opts = {.tail_only = tail_only,
	    .record = on_record,
	    .mark = on_mark,
	    .arg = g};
	char epoch[2 * SEGMENT_EPOCH_LEN + 1];
	struct sorter *s = g->p->s;
	struct segment_info info;
	const char *why = NULL;

	if (segment_read(fd, &opts, &info, &why) == -1 && errno != 0)
		return -1;
	/* Where it is damaged; or it is only of an uncommon form. */
	if (why != NULL && opts.tail_only)
		return 2;
	if (info.sealed &&
	    (info.number != g->number ||
		strcmp(segment_dir_epoch(epoch, info.epoch), s->epoch) != 0))
		why = "is a segment of another number or epoch";
	if (why != NULL) {
		set_aside(s, g->number, &info, why);
		return 0;
	}
	if (g->failed != 0) {
		errno = g->failed;
		return -1;
	}
	if (g->why != NULL)
		log_warn("incoming/%s/%s/%" PRIu64 ".warts: %" PRIu64
			 " records to quarantine, the first: %s",
		    s->monitor, s->epoch, g->number, g->quarantined, g->why);
	return write_ledger(g, &info) == -1 ? -1 : 1;
}

/* Take segment G as it is read, or not at all.  As read_segment(). */
static int
try_segment(struct segment *g, int fd, int tail_only)
{
	struct plan *p = g->p;
	struct table before;
	int rc, saved;

	archive_mark(&p->files);
	table_copy(&before, &p->table);
	rc = read_segment(g, fd, tail_only);
	saved = errno;
	if (rc == 1) {
		table_clear(&before);
		p->table.filed = g->number;
	} else {
		archive_rewind(&p->files);
		table_clear(&p->table);
		p->table = before;
	}
	segment_clear(g);
	errno = saved;
	return rc;
}

int
plan_segment(struct plan *p, uint64_t number)
{
	char name[SEGMENT_DIR_NAME];
	struct segment *g;
	int fd, rc = 2, saved;

	segment_dir_name(name, number, ".warts");
	fd = openat(p->s->incoming, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	for (int tail_only = 1; rc == 2; tail_only = 0) {
		g = xcalloc(1, sizeof(*g));
		g->p = p;
		g->number = number;
		rc = try_segment(g, fd, tail_only);
		saved = errno;
		free(g);
		errno = saved;
	}
	fd_close(fd);
	return rc;
}
