#include "datasort/datasort.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/crcline.h"
#include "common/ledger.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/segment_dir.h"
#include "common/segment_read.h"
#include "common/xmalloc.h"

#define REFUSED_MAX 4096 /* bytes of N.refused */

/* A segment on its way into the plan. */
struct segment {
	struct sorter *s;
	struct archive_plan *p;
	uint64_t number;
	struct warts_list *lists; /* by id - 1; strings are copies */
	size_t nlists;
	struct warts_cycle *cycles;
	size_t ncycles;
	struct wbuf raw; /* scratch */
	uint64_t quarantined;
	const char *why; /* of the first that went to quarantine */
	int failed; /* errno of what the disk refused */
};

/* The bytes of a record that has no place in the archive. */
static void
quarantine(struct segment *g, const struct warts_record *r, const char *why)
{
	char path[ARCHIVE_PATH_MAX];
	struct archive_target *t;
	size_t token, before;

	snprintf(path, sizeof(path), "quarantine/%s/%s.%" PRIu64 ".warts",
	    g->s->monitor, g->s->epoch, g->number);
	t = archive_plain(g->p, path);
	if (t == NULL) {
		g->failed = errno;
		return;
	}
	before = t->add.len;
	token = wbuf_record_begin(&t->add, r->type);
	wbuf_bytes(&t->add, r->body, r->len);
	wbuf_record_end(&t->add, token);
	g->p->bytes += t->add.len - before;
	if (g->quarantined++ == 0)
		g->why = why;
}

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
	g->lists = xreallocarray(g->lists, g->nlists + 1, sizeof(l));
	g->lists[g->nlists++] = l;
	return NULL;
}

static const char *
on_cycle(struct segment *g, const struct warts_record *r)
{
	struct warts_cycle c;
	const char *why;

	if (warts_cycle_decode(r->body, r->len, &c, &why) == -1)
		return why;
	if (c.id != g->ncycles + 1)
		return "cycle id is not the next one";
	if (c.list == 0 || c.list > g->nlists)
		return "cycle of a list that is not in the segment";
	c.hostname = copy(c.hostname);
	g->cycles = xreallocarray(g->cycles, g->ncycles + 1, sizeof(c));
	g->cycles[g->ncycles++] = c;
	return NULL;
}

/* Cycle ID of the segment; NULL if it has no such. */
static const char *
find_cycle(struct segment *g, uint32_t id, struct archive_cycle *out)
{
	if (id == 0 || id > g->ncycles)
		return "cycle is not in the segment";
	out->cycle = &g->cycles[id - 1];
	out->list = &g->lists[out->cycle->list - 1];
	return NULL;
}

static const char *
on_stop(struct segment *g, const struct warts_record *r)
{
	struct warts_cycle_stop stop;
	struct archive_cycle c;
	const char *why;

	if (warts_cycle_stop_decode(r->body, r->len, &stop, &why) == -1)
		return why;
	why = find_cycle(g, stop.id, &c);
	if (why != NULL)
		return why;
	if (archive_end(g->p, &c, stop.stop) == -1)
		g->failed = errno;
	return NULL;
}

/* Can a reader decode it?  Types we cannot decode are taken as they are. */
static const char *
check_body(const struct warts_record *r)
{
	struct warts_trace t;
	const char *why;

	if (r->type != WARTS_TRACE)
		return NULL;
	if (warts_trace_decode(r->body, r->len, &t, &why) == -1)
		return why;
	warts_trace_clear(&t);
	return NULL;
}

static const char *
on_measurement(struct segment *g, const struct warts_record *r)
{
	struct archive_target *t;
	struct archive_cycle c;
	struct warts_tv start;
	uint32_t list, cycle;
	const char *why;
	size_t before;

	if (warts_ids(r, &list, &cycle, &why) == -1 ||
	    warts_start_time(r, &start, &why) == -1)
		return why;
	why = find_cycle(g, cycle, &c);
	if (why == NULL && c.list->id != list)
		why = "list and cycle do not belong together";
	if (why == NULL)
		why = check_body(r);
	if (why != NULL)
		return why;
	t = archive_target(g->p, &c, start.sec);
	if (t == NULL) {
		g->failed = errno;
		return NULL;
	}
	before = t->add.len;
	if (warts_renumber(&t->add, r, 1, 1, &why) == -1)
		return why;
	g->p->bytes += t->add.len - before;
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
	while (kinds[i].type != 0 && kinds[i].type != type)
		i++;
	why = kinds[i].take(g, &r);
	if (why != NULL)
		quarantine(g, &r, why);
}

static void
segment_clear(struct segment *g)
{
	for (size_t i = 0; i < g->nlists; i++) {
		free((char *)g->lists[i].name);
		free((char *)g->lists[i].descr);
		free((char *)g->lists[i].monitor);
	}
	for (size_t i = 0; i < g->ncycles; i++)
		free((char *)g->cycles[i].hostname);
	free(g->lists);
	free(g->cycles);
}

static int
write_ledger(
    struct sorter *s, struct archive_plan *p, const struct ledger_entry *e)
{
	char path[ARCHIVE_PATH_MAX], *line = ledger_format(e);
	struct archive_target *t;

	snprintf(
	    path, sizeof(path), "state/%s/%s/ledger", s->monitor, s->epoch);
	t = archive_plain(p, path);
	if (t != NULL)
		wbuf_bytes(&t->add, line, strlen(line));
	free(line);
	return t == NULL ? -1 : 0;
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

/* Is it whole, of this epoch and number?  1, 0 if not (it is set aside), -1
 * with errno if it cannot be read. */
static int
is_good(struct sorter *s, int fd, uint64_t number, struct segment_info *info)
{
	char epoch[2 * SEGMENT_EPOCH_LEN + 1];
	const char *why = NULL;

	if (segment_read(fd, NULL, info, &why) == -1 && errno != 0)
		return -1;
	if (info->sealed &&
	    (info->number != number ||
		strcmp(segment_dir_epoch(epoch, info->epoch), s->epoch) != 0))
		why = "is a segment of another number or epoch";
	if (why == NULL)
		return 1;
	set_aside(s, number, info, why);
	return 0;
}

static int
plan_records(struct segment *g, int fd, const struct segment_info *info)
{
	struct segment_read_opts opts = {.record = on_record, .arg = g};
	struct ledger_entry e = {
	    .number = g->number,
	    .outcome = info->marks == 2 ? LEDGER_VOID : LEDGER_FILED,
	    .first = info->first,
	    .last = info->last,
	    .bytes = info->bytes,
	    .resumed = info->resumed,
	    .resume_last = info->resume_last,
	};
	struct segment_info again;
	const char *why;

	memcpy(e.sha, info->sha, sizeof(e.sha));
	/* What was proven a moment ago must be what is read now. */
	if (segment_read(fd, &opts, &again, &why) == -1 ||
	    memcmp(again.sha, info->sha, sizeof(again.sha)) != 0) {
		errno = EIO;
		return -1;
	}
	if (g->failed != 0) {
		errno = g->failed;
		return -1;
	}
	if (g->quarantined > 0)
		log_warn("incoming/%s/%s/%" PRIu64 ".warts: %" PRIu64
			 " records to quarantine, the first: %s",
		    g->s->monitor, g->s->epoch, g->number, g->quarantined,
		    g->why);
	e.quarantined = g->quarantined;
	return write_ledger(g->s, g->p, &e);
}

/* N.refused: "refused SHA-256 #check". */
static int
plan_refused(struct sorter *s, struct archive_plan *p, uint64_t number)
{
	struct ledger_entry e = {.number = number, .outcome = LEDGER_REFUSED};
	char name[SEGMENT_DIR_NAME], *text, *words[2];
	size_t len;
	int rc = 0;

	segment_dir_name(name, number, ".refused");
	if (atomicfile_read(s->incoming, name, REFUSED_MAX, &text, &len) == -1)
		return errno == ENOENT ? 0 : -1;
	text[strcspn(text, "\n")] = '\0';
	if (crcline_check(text) == NULL && scan_words(text, words, 2) == 2 &&
	    segment_dir_unhex(words[1], e.sha, sizeof(e.sha)) == 0)
		rc = write_ledger(s, p, &e) == -1 ? -1 : 1;
	else
		sorter_warn(s, number, ".refused", "is damaged");
	free(text);
	return rc;
}

int
plan_segment(struct sorter *s, struct archive_plan *p, uint64_t number)
{
	struct segment g = {.s = s, .p = p, .number = number};
	char name[SEGMENT_DIR_NAME];
	struct segment_info info;
	int fd, rc, saved;

	segment_dir_name(name, number, ".warts");
	fd = openat(s->incoming, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? plan_refused(s, p, number) : -1;
	rc = is_good(s, fd, number, &info);
	if (rc == 1 && plan_records(&g, fd, &info) == -1)
		rc = -1;
	saved = errno;
	segment_clear(&g);
	close(fd);
	errno = saved;
	return rc;
}
