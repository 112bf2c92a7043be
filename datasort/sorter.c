#include "datasort/datasort.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/clock.h"
#include "common/crcline.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/schedule.h"
#include "common/segment_dir.h"

/* One commit costs some ten fsyncs, whatever its size: many small segments
 * share one. */
#define PLAN_BYTES (64u << 20)
#define PLAN_SEGMENTS 256
#define LIST_MAX (1u << 30) /* bytes of a ledger */

void
sorter_warn(const struct sorter *s, uint64_t number, const char *suffix,
    const char *what)
{
	log_warn("incoming/%s/%s/%" PRIu64 "%s: %s", s->monitor, s->epoch,
	    number, suffix, what);
}

/* --- commit --------------------------------------------------------------- */

/* Remove what is filed, up to LAST: segments and refusals (2), also notes of
 * conflicts (3), if they were in the plan. */
static int
remove_filed(struct sorter *s, uint64_t last, size_t kinds)
{
	static const char *const suffixes[] = {
	    ".warts", ".refused", ".conflict"};
	char name[SEGMENT_DIR_NAME];
	uint64_t *list;
	ssize_t n;

	for (size_t k = 0; k < kinds; k++) {
		n = segment_dir_list(s->incoming, suffixes[k], &list);
		for (ssize_t i = 0; i < n && list[i] <= last; i++)
			unlinkat(s->incoming,
			    segment_dir_name(name, list[i], suffixes[k]), 0);
		free(list);
	}
	return atomicfile_syncdir(s->incoming);
}

/* What is on disk, whatever a failed write did to it. */
static int
read_table(struct sorter *s)
{
	table_clear(&s->table);
	return table_read(s->state, &s->table);
}

static int
commit(struct plan *p)
{
	struct sorter *s = p->s;
	const char *why;
	int saved;

	p->table.commit = s->table.commit + 1;
	if (journal_write(s->state, &p->files, p->table.commit) == -1)
		return -1;
	if (archive_apply(&p->files) == -1 ||
	    table_write(s->state, &p->table) == -1) {
		saved = errno;
		/* Where even this fails the next start does it. */
		if (read_table(s) == 0)
			journal_recover(
			    s->cfg->root, s->state, s->table.commit, &why);
		errno = saved;
		return -1;
	}
	table_clear(&s->table);
	table_copy(&s->table, &p->table);
	s->feed = p->feed;
	if (remove_filed(s, s->table.filed, 3) == -1)
		return -1;
	return journal_remove(s->state);
}

/* --- an epoch ------------------------------------------------------------- */

/* As many segments as one commit takes.  How many, or -1 (logged); then what
 * is in the plan is still good. */
static int
plan_some(struct plan *p)
{
	uint64_t n = p->s->table.filed + 1;
	int count = 0, rc;

	do {
		rc = plan_segment(p, n);
		if (rc == 0)
			rc = plan_refused(p, n);
		if (rc == 1) {
			n++;
			count++;
		}
	} while (
	    rc == 1 && count < PLAN_SEGMENTS && p->files.bytes < PLAN_BYTES);
	if (rc == -1)
		sorter_warn(p->s, n, ".warts", strerror(errno));
	return rc == -1 ? -1 : count;
}

/* What is not in segments; how much, or -1 with errno. */
static int
plan_rest(struct plan *p, int64_t now_s)
{
	int conflicts = plan_conflicts(p), due = plan_due(p, now_s);

	if (conflicts == -1 || due == -1 || plan_finish(p, now_s) == -1)
		return -1;
	return conflicts + due;
}

/* Plan and commit.  Returns how much was done, 0 when there is no more to do,
 * -1 (logged) when something cannot be. */
static int
file_some(struct sorter *s)
{
	struct plan p = {.s = s};
	int segments, rest;

	archive_plan_init(&p.files, s->cfg->root, s->monitor);
	table_copy(&p.table, &s->table);
	segments = plan_some(&p);
	rest = plan_rest(&p, clock_wall_ns() / NS_PER_SEC);
	if (rest == -1 ||
	    ((rest > 0 || p.table.filed != s->table.filed) &&
		commit(&p) == -1)) {
		sorter_warn(s, p.table.filed, ".warts", strerror(errno));
		rest = -1;
	}
	archive_plan_clear(&p.files);
	table_clear(&p.table);
	return segments == -1 || rest == -1 ? -1 : segments + rest;
}

/* Say which number keeps complete segments waiting.  0 if none does. */
static int
check_missing(struct sorter *s)
{
	uint64_t *list;
	ssize_t n = segment_dir_list(s->incoming, ".warts", &list);

	free(list);
	if (n <= 0)
		return 0;
	log_warn("incoming/%s/%s: segment %" PRIu64
		 " is missing, %zd later ones wait for it",
	    s->monitor, s->epoch, s->table.filed + 1, n);
	return -1;
}

/* Nothing is added to a list that cannot be believed: who relies on it must
 * hear of the damage now and not in a year. */
static int
check_lists(struct sorter *s)
{
	static const char *const names[] = {"ledger", TABLE_LOG};

	for (size_t i = 0; i < 2; i++) {
		if (crcline_file(s->state, names[i], LIST_MAX) == 0)
			continue;
		log_warn("state/%s/%s/%s: %s", s->monitor, s->epoch, names[i],
		    strerror(errno));
		return -1;
	}
	return 0;
}

static int
recover(struct sorter *s)
{
	const char *why = "cannot be read";

	/* A predecessor may have been killed between the rename of `filed' and
	 * the sync that makes it last: nothing that follows from it may reach
	 * the disk before it does. */
	if (atomicfile_syncdir(s->state) == -1 || read_table(s) == -1) {
		log_warn("state/%s/%s/filed: %s", s->monitor, s->epoch,
		    strerror(errno));
		return -1;
	}
	if (journal_recover(s->cfg->root, s->state, s->table.commit, &why) ==
		-1 ||
	    remove_filed(s, s->table.filed, 2) == -1) {
		log_warn("state/%s/%s/journal: %s: %s", s->monitor, s->epoch,
		    why, strerror(errno));
		return -1;
	}
	return check_lists(s);
}

static int
sort_epoch(struct sorter *s)
{
	int n;

	s->feed = feed_next(s->cfg->root, s->monitor);
	if (s->feed == 0) {
		log_warn("state/%s/feed: %s", s->monitor, strerror(errno));
		return -1;
	}
	if (read_table(s) == -1)
		return -1;
	while ((n = file_some(s)) > 0)
		continue;
	return n == -1 ? -1 : check_missing(s);
}

/* --- a monitor ------------------------------------------------------------ */

struct monitor {
	const struct sorter_config *cfg;
	const char *name;
	int incoming, state, lock; /* directories; -1: not open */
	struct schedule *schedule;
};

static int
open_sub(int dir, const char *a, const char *b)
{
	int mid, sub;

	mid = atomicfile_mkdir(dir, a, 0755);
	if (mid == -1)
		return -1;
	sub = atomicfile_mkdir(mid, b, 0755);
	fd_close(mid);
	return sub;
}

static int
run_epoch(struct monitor *m, const char *epoch, int (*step)(struct sorter *s))
{
	struct sorter s = {.cfg = m->cfg,
	    .monitor = m->name,
	    .epoch = epoch,
	    .schedule = m->schedule};
	int rc = -1;

	s.incoming = openat(m->incoming, epoch,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	s.state = atomicfile_mkdir(m->state, epoch, 0755);
	if (s.incoming == -1 || s.state == -1)
		log_warn("incoming/%s/%s: %s", m->name, epoch, strerror(errno));
	else
		rc = step(&s);
	table_clear(&s.table);
	if (s.incoming != -1)
		close(s.incoming);
	if (s.state != -1)
		close(s.state);
	return rc;
}

static int
run_epochs(struct monitor *m, int (*step)(struct sorter *s))
{
	uint8_t epoch[SEGMENT_EPOCH_LEN];
	struct dirent *e;
	DIR *dir = fdopendir(
	    openat(m->incoming, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int rc = 0;

	if (dir == NULL)
		return -1;
	while ((e = readdir(dir)) != NULL) {
		if (segment_dir_unhex(e->d_name, epoch, sizeof(epoch)) == 0 &&
		    run_epoch(m, e->d_name, step) == -1)
			rc = -1;
	}
	closedir(dir);
	return rc;
}

/* 0, or -1 (logged): there should be a schedule, and there is none. */
static int
load_schedule(struct monitor *m)
{
	char path[ARCHIVE_PATH_MAX * 4];

	if (m->cfg->schedules == NULL)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", m->cfg->schedules, m->name);
	m->schedule =
	    schedule_load(path, SCHEDULE_CHECK_TEXT, conf_log_error, NULL);
	return m->schedule == NULL ? -1 : 0;
}

/* With the lock. */
static int
run(struct monitor *m)
{
	int rc;

	/* Epochs append to the same files: before that, whatever any of them
	 * has left half done must be undone, or it would cut off the others'
	 * later work. */
	if (run_epochs(m, recover) == -1)
		return -1;
	rc = load_schedule(m);
	if (rc == 0)
		rc = run_epochs(m, sort_epoch);
	if (feed_publish(m->cfg->root, m->name, m->cfg->compress) == -1)
		rc = -1;
	return rc;
}

static void
close_monitor(struct monitor *m)
{
	schedule_free(m->schedule);
	if (m->lock != -1)
		close(m->lock);
	if (m->incoming != -1)
		close(m->incoming);
	if (m->state != -1)
		close(m->state);
}

int
sorter_run(const struct sorter_config *cfg, const char *monitor)
{
	struct monitor m = {.cfg = cfg, .name = monitor, .lock = -1};
	int rc = -1;

	m.incoming = open_sub(cfg->root, "incoming", monitor);
	m.state = open_sub(cfg->root, "state", monitor);
	if (m.incoming != -1 && m.state != -1)
		m.lock = atomicfile_lock(m.state, "lock");
	if (m.lock == -1)
		log_warn("state/%s/lock: %s", monitor,
		    errno == EWOULDBLOCK ? "another sorter is at work"
					 : strerror(errno));
	else
		rc = run(&m);
	close_monitor(&m);
	return rc;
}
