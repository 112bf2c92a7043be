#include "common/segment.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/segment_accounts.h"
#include "common/segment_config.h"
#include "common/segment_dir.h"
#include "common/segment_file.h"
#include "common/segment_ids.h"
#include "common/segment_keep.h"
#include "common/segment_recover.h"
#include "common/warts/record.h"
#include "common/xmalloc.h"

#define QUOTA_NS NS_PER_SEC /* look at the spool's size so often */

struct segment_writer {
	struct segment_config cfg;
	struct segment_dir dir;
	int lock_fd, writer_fd;
	struct segment_file file; /* N.open; may be closed for want of space */
	uint64_t next_record; /* number */
	uint64_t durable; /* records of this process */
	struct segment_keep keep; /* the records behind file.synced */
	uint64_t answers; /* command that the next record answers */
	struct segment_ids ids;
	struct segment_accounts accounts;
	int64_t now_ns, opened_ns, synced_ns, quota_ns;
	int full; /* no space: nothing is taken */
	uint64_t used; /* of the quota: at the last look, and recorded since */
	int over_quota; /* nothing is taken until the next look */
	int suspect; /* to be told by the next tick */
	char reason[128];
};

static int
is_full(int err)
{
	return err == ENOSPC || err == EDQUOT || err == EFBIG;
}

static int
fail(struct segment_writer *w, const char *what)
{
	int saved = errno;

	snprintf(w->reason, sizeof(w->reason), "%s: %s", what, strerror(saved));
	errno = saved;
	return -1;
}

/* --- memory to file -------------------------------------------------------- */

/* What was written is durable: it need not be kept in memory. */
static int
take_sync(struct segment_writer *w)
{
	uint64_t before = w->file.synced.record;

	if (segment_file_synced(&w->file) == -1)
		return fail(w, w->file.what);
	segment_keep_synced(&w->keep);
	w->durable += w->file.synced.record - before;
	w->synced_ns = w->now_ns;
	return 0;
}

/* Make all that is in the file durable, however long it takes. */
static int
sync_file(struct segment_writer *w)
{
	segment_file_sync(&w->file);
	return take_sync(w);
}

/* Begin to.  A job that is done at once need not be looked for. */
static int
begin_sync(struct segment_writer *w)
{
	segment_file_sync(&w->file);
	if (!segment_file_is_syncing(&w->file) || syncer_is_done(&w->file.sync))
		return take_sync(w);
	return 0;
}

/* Write out what is in memory, with a batch mark. */
static int
flush(struct segment_writer *w)
{
	struct segment_batch b = {
	    .next_record = w->next_record,
	    .nlists = w->ids.ndef_lists,
	    .ncycles = w->ids.ndef_cycles,
	};

	assert(!segment_file_is_syncing(&w->file));
	segment_keep_batch(&w->keep, &b);
	if (b.len == 0)
		return 0;
	if (w->next_record > w->dir.limit &&
	    segment_dir_reserve_numbers(
		&w->dir, w->next_record + w->cfg.number_block) == -1)
		return fail(w, "state/numbers");
	if (w->accounts.changed) {
		b.accounts = w->accounts.p;
		b.naccounts = w->accounts.n;
	}
	if (segment_file_append(&w->file, &b) == -1)
		return fail(w, w->file.what);
	w->accounts.changed = 0;
	segment_keep_written(&w->keep);
	return 0;
}

static int
seal(struct segment_writer *w)
{
	if (segment_file_seal(&w->file, w->accounts.p, w->accounts.n) == -1)
		return fail(w, w->file.what);
	return 0;
}

static int
begun(struct segment_writer *w, int rc)
{
	if (rc == -1)
		return fail(w, w->file.what);
	w->opened_ns = w->synced_ns = w->now_ns;
	return 0;
}

/* Seal the file, all of which is synced, if it holds anything; begin the next
 * with what is in memory only. */
static int
split(struct segment_writer *w)
{
	if (!segment_file_has_content(&w->file))
		return 0;
	if (seal(w) == -1)
		return -1;
	if (w->keep.b.len > 0)
		segment_keep_again(&w->keep, &w->ids, &w->file.synced);
	else
		segment_ids_new_file(&w->ids);
	return begun(w, segment_file_begin_after(&w->file));
}

/* --- when the disk fails -------------------------------------------------- */

/*
 * No space.  The file was cut back to its last good mark; seal that with the
 * help of the reserve, so that the archive can take it and room is made, and
 * take nothing more until the rest is written.
 */
static int
on_full(struct segment_writer *w)
{
	w->full = 1;
	segment_dir_prune(&w->dir, segment_dir_bytes(w->dir.sent) / 2);
	if (w->file.fd == -1)
		return 0;
	if (sync_file(w) == -1)
		return -1;
	if (split(w) == -1 && !is_full(errno))
		return -1;
	return 0;
}

/*
 * A write or sync failed: nothing behind the last good sync is believed.  The
 * failed sync is not tried again, as the kernel may say yes without having
 * written; those records go to a new file.  If even the seal fails, N.open
 * stays, to be cut and sealed at the next start.
 */
static int
on_suspect(struct segment_writer *w)
{
	struct segment_file *f = &w->file;

	w->suspect = 1;
	if (f->fd == -1)
		return -1;
	segment_file_cut(f);
	segment_keep_cut(&w->keep);
	if (!segment_file_has_content(f)) {
		segment_file_discard(f);
	} else if (seal(w) == -1 &&
	    segment_dir_set_next(&w->dir, f->number + 1, f->synced.record,
		f->synced.record - 1) == -1)
		return fail(w, "state/next");
	segment_keep_again(&w->keep, &w->ids, &f->synced);
	return begun(w, segment_file_begin_after(f));
}

/* React to a failure that left errno. */
static void
react(struct segment_writer *w)
{
	if (is_full(errno) && on_full(w) == 0)
		return;
	if (on_suspect(w) == -1)
		w->full = 1;
}

/* Try to go on after a full disk: a file, what is in memory, the reserve. */
static void
try_again(struct segment_writer *w)
{
	if (w->file.fd == -1 && begun(w, segment_file_begin(&w->file)) == -1)
		return;
	if (flush(w) == -1 || sync_file(w) == -1) {
		react(w);
		return;
	}
	if (segment_dir_reserve(&w->dir) == -1)
		return;
	w->full = 0;
}

/* --- the upper half ------------------------------------------------------- */

static int
open_spool(struct segment_writer *w, const char **why)
{
	struct segment_recovered r;

	if (segment_dir_open(&w->dir, w->cfg.dir, 1, why) == -1)
		return -1;
	*why = "state/lock";
	w->lock_fd = segment_dir_lock_soon(&w->dir);
	if (w->lock_fd == -1)
		return -1;
	*why = "state/writer";
	w->writer_fd = segment_dir_writer(&w->dir);
	/* What was read without the lock may be old. */
	if (w->writer_fd == -1 || segment_dir_load(&w->dir, why) == -1 ||
	    segment_recover(&w->dir, &r, why) == -1)
		return -1;
	w->next_record = w->dir.next_record;
	*why = "state/reserve";
	if (segment_dir_reserve(&w->dir) == -1 && !is_full(errno))
		return -1;
	*why = "N.open";
	return begun(w, segment_file_begin(&w->file));
}

static void
writer_free(struct segment_writer *w)
{
	segment_ids_clear(&w->ids);
	segment_keep_clear(&w->keep);
	segment_file_clear(&w->file);
	segment_accounts_clear(&w->accounts);
	segment_dir_close(&w->dir);
	if (w->writer_fd != -1)
		close(w->writer_fd);
	if (w->lock_fd != -1)
		close(w->lock_fd);
	free(w);
}

struct segment_writer *
segment_open(const struct segment_config *cfg, int64_t now_ns, const char **why)
{
	struct segment_writer *w = xcalloc(1, sizeof(*w));
	int saved;

	w->cfg = *cfg;
	segment_config_defaults(&w->cfg);
	w->lock_fd = w->writer_fd = -1;
	w->now_ns = now_ns;
	wbuf_init(&w->keep.b);
	segment_file_init(&w->file, &w->dir);
	w->file.sync.by = cfg->syncer;
	segment_ids_init(&w->ids, cfg->monitor);
	if (open_spool(w, why) == 0)
		return w;
	saved = errno;
	writer_free(w);
	errno = saved;
	return NULL;
}

int
segment_cycle_begin(struct segment_writer *w, const struct segment_cycle *c)
{
	return segment_ids_begin(&w->ids, c);
}

int
segment_cycle_started(const struct segment_writer *w, int cycle)
{
	return w->ids.cycles[cycle]->started;
}

static void
note(struct segment_writer *w, int cycle, enum segment_event_kind kind,
    uint64_t number)
{
	const struct segment_ids_cycle *c = w->ids.cycles[cycle];
	struct segment_event e = {kind, c->list->user_id, c->user_id, number};

	segment_events_add(&w->keep.events, &e);
}

/* A record of CYCLE follows: have it defined, give its ids in this file. */
static void
use(struct segment_writer *w, int cycle, uint32_t *list, uint32_t *id)
{
	int started = segment_cycle_started(w, cycle);

	segment_ids_use(&w->ids, cycle, &w->keep.b, list, id);
	if (!started)
		note(w, cycle, SEGMENT_STARTED, 0);
}

int
segment_cycle_end(struct segment_writer *w, int cycle, uint32_t stop)
{
	struct warts_cycle_stop rec = {.stop = stop};
	uint32_t list;

	use(w, cycle, &list, &rec.id);
	warts_cycle_stop_encode(&w->keep.b, &rec);
	note(w, cycle, SEGMENT_STOPPED, 0);
	segment_ids_end(&w->ids, cycle);
	return 0;
}

void
segment_account(struct segment_writer *w, const struct segment_account *a)
{
	segment_accounts_put(&w->accounts, a);
}

/* By time or by size.  Also of small batches: a writer with frequent ticks
 * never sees a full one. */
static int
sync_due(const struct segment_writer *w)
{
	return w->now_ns - w->synced_ns >= w->cfg.sync_ns ||
	    w->file.written.len - w->file.synced.len >= w->cfg.sync_bytes;
}

/* Write what is in memory, and begin to sync if that is due.  While a sync is
 * under way it waits. */
static void
batch_out(struct segment_writer *w)
{
	if (segment_file_is_syncing(&w->file))
		return;
	if (flush(w) == -1 || (sync_due(w) && begin_sync(w) == -1))
		react(w);
}

/* More waits for the disk than should. */
static int
is_behind(const struct segment_writer *w)
{
	return segment_file_is_syncing(&w->file) &&
	    segment_keep_unwritten(&w->keep) >= w->cfg.wait_bytes;
}

static void
seal_if_due(struct segment_writer *w)
{
	if (w->file.fd != -1 && !w->full &&
	    (w->now_ns - w->opened_ns >= w->cfg.max_age_ns ||
		w->file.written.len >= w->cfg.max_bytes))
		segment_rotate(w, w->now_ns);
}

void
segment_answers(struct segment_writer *w, uint64_t number)
{
	w->answers = number;
}

/* LEN bytes more, or at a look all of them. */
static void
use_quota(struct segment_writer *w, uint64_t len)
{
	w->used += len;
	if (w->cfg.quota_bytes == 0 || w->used < w->cfg.quota_bytes)
		return;
	w->over_quota = 1;
	snprintf(w->reason, sizeof(w->reason), "quota of %llu bytes is used up",
	    (unsigned long long)w->cfg.quota_bytes);
}

int
segment_result(struct segment_writer *w, int cycle, uint16_t type, void *result)
{
	uint32_t list_id, cycle_id;
	size_t before;

	/* A seal by size comes before a record, not behind it: whoever is told
	 * of the seal must find that this record is his to give, or that it
	 * was taken, and not something in between. */
	seal_if_due(w);
	if (is_behind(w))
		snprintf(w->reason, sizeof(w->reason),
		    "%s: the disk is slow: %zu bytes of records wait for it",
		    w->file.name, segment_keep_unwritten(&w->keep));
	if (segment_is_full(w))
		return -1;
	use(w, cycle, &list_id, &cycle_id);
	before = w->keep.b.len;
	warts_result_encode(&w->keep.b, type, result, list_id, cycle_id);
	use_quota(w, w->keep.b.len - before);
	if (w->answers != 0)
		note(w, cycle, SEGMENT_FINISHED, w->answers);
	w->answers = 0;
	w->next_record++;
	if (segment_keep_unwritten(&w->keep) >= w->cfg.batch_bytes)
		batch_out(w);
	return 0;
}

static int
rotate(struct segment_writer *w)
{
	errno = ENOSPC;
	if (w->file.fd == -1 || flush(w) == -1 || sync_file(w) == -1)
		return -1;
	if (!segment_file_has_content(&w->file)) {
		w->opened_ns = w->now_ns;
		return 0;
	}
	if (w->cfg.sealing != NULL)
		w->cfg.sealing(w->cfg.arg);
	if (split(w) == -1)
		return -1;
	segment_accounts_sealed(&w->accounts);
	return 0;
}

int
segment_rotate(struct segment_writer *w, int64_t now_ns)
{
	struct timespec now[2];
	int rc, saved;

	segment_settle(w, now_ns);
	rc = rotate(w);
	saved = errno;
	if (rc == -1)
		react(w);
	/* In nanoseconds of our own: the kernel's stamp is as coarse as its
	 * tick, and two requests may come within one. */
	now[0].tv_sec = (time_t)(clock_wall_ns() / NS_PER_SEC);
	now[0].tv_nsec = (long)(clock_wall_ns() % NS_PER_SEC);
	now[1] = now[0];
	futimens(w->writer_fd, now);
	errno = saved;
	return rc;
}

/* What lies in the spool now; it gets less when segments are taken away. */
static void
check_quota(struct segment_writer *w)
{
	if (w->cfg.quota_bytes == 0 || w->now_ns - w->quota_ns < QUOTA_NS)
		return;
	w->quota_ns = w->now_ns;
	w->over_quota = 0;
	w->used = segment_dir_bytes(w->dir.spool);
	use_quota(w, segment_keep_unwritten(&w->keep));
}

enum segment_state
segment_tick(struct segment_writer *w, int64_t now_ns)
{
	int suspect;

	segment_poll(w, now_ns);
	w->now_ns = now_ns;
	if (w->full || w->file.fd == -1)
		try_again(w);
	if (!w->full && w->file.fd != -1)
		batch_out(w);
	seal_if_due(w);
	check_quota(w);
	suspect = w->suspect;
	w->suspect = 0;
	if (segment_is_full(w))
		return SEGMENT_FULL;
	return suspect ? SEGMENT_SUSPECT : SEGMENT_OK;
}

int
segment_poll(struct segment_writer *w, int64_t now_ns)
{
	if (!syncer_is_done(&w->file.sync))
		return 0;
	segment_settle(w, now_ns);
	if (!w->full && segment_keep_unwritten(&w->keep) >= w->cfg.batch_bytes)
		batch_out(w);
	return 1;
}

void
segment_settle(struct segment_writer *w, int64_t now_ns)
{
	w->now_ns = now_ns;
	if (segment_file_is_syncing(&w->file) && take_sync(w) == -1)
		react(w);
}

int
segment_is_syncing(const struct segment_writer *w)
{
	return segment_file_is_syncing(&w->file);
}

int
segment_is_full(const struct segment_writer *w)
{
	return w->full || w->over_quota || is_behind(w);
}

int
segment_sync(struct segment_writer *w, int64_t now_ns)
{
	int saved;

	segment_settle(w, now_ns);
	errno = ENOSPC;
	if (w->full || w->file.fd == -1)
		return -1;
	if (flush(w) == 0 && sync_file(w) == 0)
		return 0;
	saved = errno;
	react(w);
	errno = saved;
	return -1;
}

void
segment_position(
    const struct segment_writer *w, uint64_t *segment, uint64_t *record)
{
	*segment = w->file.number;
	*record = w->next_record;
}

uint64_t
segment_durable(const struct segment_writer *w)
{
	return w->durable;
}

const char *
segment_reason(const struct segment_writer *w)
{
	return w->reason;
}

int
segment_close(struct segment_writer *w, int64_t now_ns)
{
	int rc, saved;

	segment_settle(w, now_ns);
	errno = ENOSPC;
	if (w->file.fd == -1 || flush(w) == -1 || sync_file(w) == -1)
		rc = -1;
	else if (!segment_file_has_content(&w->file))
		rc = unlinkat(w->dir.spool, w->file.name, 0);
	else {
		if (w->cfg.sealing != NULL)
			w->cfg.sealing(w->cfg.arg);
		rc = seal(w);
	}
	saved = errno;
	writer_free(w);
	errno = saved;
	return rc;
}
