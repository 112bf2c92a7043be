#include "common/segment_out.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/clock.h"

int
segment_out_is_full(int err)
{
	return err == ENOSPC || err == EDQUOT || err == EFBIG;
}

static int
fail(struct segment_writer *w, const char *what)
{
	int saved = errno;

	snprintf(w->reason, sizeof(w->reason), "%s: %s", what, strerror(saved));
	w->failed = saved;
	errno = saved;
	return -1;
}

void
segment_out_answer(struct segment_writer *w)
{
	int saved = errno;
	struct timespec now[2];

	/* In nanoseconds of our own: the kernel's stamp is as coarse as its
	 * tick, and two requests may come within one. */
	now[0].tv_sec = (time_t)(clock_wall_ns() / NS_PER_SEC);
	now[0].tv_nsec = (long)(clock_wall_ns() % NS_PER_SEC);
	now[1] = now[0];
	futimens(w->writer_fd, now);
	errno = saved;
}

/* --- what was achieved ---------------------------------------------------- */

static void
on_synced(struct segment_writer *w)
{
	segment_keep_synced(&w->keep);
	if (w->keep.out.len == 0)
		w->safe_bytes = w->out_bytes;
	w->safe_record = w->file.synced.record;
	w->synced_ns = w->now_ns;
}

static int
begun(struct segment_writer *w, int rc)
{
	w->number = w->file.number;
	if (rc == -1)
		return fail(w, w->file.what);
	w->opened_ns = w->synced_ns = w->now_ns;
	return 0;
}

int
segment_out_begin(struct segment_writer *w)
{
	w->first_record = w->safe_record = w->next_record = w->dir.next_record;
	w->given.next_record = w->next_record;
	return begun(w, segment_file_begin(&w->file));
}

static void
on_sealed(struct segment_writer *w)
{
	w->turning = 0;
	segment_accounts_sealed(&w->accounts, &w->said);
	if (w->cfg.sealed != NULL)
		w->cfg.sealed(w->cfg.arg);
}

/* All that was taken is to be written next. */
static void
give_out(struct segment_writer *w)
{
	w->out_bytes += w->keep.in.len;
	segment_keep_give(&w->keep);
	w->given.next_record = w->next_record;
	w->given.nlists = w->ids.ndef_lists;
	w->given.ncycles = w->ids.ndef_cycles;
}

/* The same; and put aside the definitions that it needs if it comes to a file of
 * its own. */
static void
give_out_last(struct segment_writer *w)
{
	const struct segment_point *at = &w->file.synced;

	give_out(w);
	wbuf_reset(&w->defs);
	segment_ids_replay(&w->ids, &w->defs, at->nlists, at->ncycles);
}

/* --- when the disk fails -------------------------------------------------- */

/* Make all that is in the file durable, here. */
static int
sync_here(struct segment_writer *w)
{
	if (segment_file_sync(&w->file) == -1)
		return fail(w, w->file.what);
	on_synced(w);
	return 0;
}

static int
seal_here(struct segment_writer *w)
{
	if (segment_file_seal(&w->file, w->accounts.p, w->accounts.n) == -1)
		return fail(w, w->file.what);
	return 0;
}

/* The file is done with: what is in memory begins the next.  If that is the old
 * part of a turn, the definitions it needs were put aside. */
static int
next_file(struct segment_writer *w)
{
	if (!w->turning)
		give_out_last(w);
	if (w->keep.out.len > 0) {
		segment_keep_again(&w->keep, &w->defs);
	} else {
		if (!w->turning)
			segment_ids_new_file(&w->ids);
		w->turning = 0;
	}
	wbuf_reset(&w->defs);
	return begun(w, segment_file_begin_after(&w->file));
}

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
	if (sync_here(w) == -1)
		return -1;
	if (!segment_file_has_content(&w->file))
		return 0;
	if (seal_here(w) == -1 || next_file(w) == -1)
		return segment_out_is_full(errno) ? 0 : -1;
	return 0;
}

/*
 * Nothing behind the last good sync is believed: the file ends there, and what
 * came behind it begins the next.  If even the seal fails, N.open stays, to be
 * cut and sealed at the next start; but then the counter must move.
 */
static int
end_file(struct segment_writer *w)
{
	struct segment_file *f = &w->file;
	int cut = segment_file_cut(f);

	if (!segment_file_has_content(f)) {
		segment_file_discard(f);
	} else if ((cut == -1 || seal_here(w) == -1) &&
	    segment_dir_set_next(&w->dir, f->number + 1, f->synced.record,
		f->synced.record - 1) == -1)
		return fail(w, "state/next");
	return next_file(w);
}

/*
 * A write or sync failed.  A failed sync is not tried again, as the kernel may
 * say yes without having written; those records go to a new file.
 */
static int
on_suspect(struct segment_writer *w)
{
	w->suspect = 1;
	return w->file.fd == -1 ? -1 : end_file(w);
}

/* React to a failure at STEP, that left errno. */
static void
react(struct segment_writer *w, enum segment_step step)
{
	int no_space = segment_out_is_full(errno);

	if (step == SEGMENT_BEGIN) {
		w->full = 1; /* to be tried again */
		w->suspect |= !no_space;
		return;
	}
	if (no_space && step != SEGMENT_SYNC && on_full(w) == 0)
		return;
	if (on_suspect(w) == -1 || no_space)
		w->full = 1;
}

/* After a failure: a file to go on with. */
static int
reopen(struct segment_writer *w)
{
	struct segment_file *f = &w->file;

	/* What is behind the end of a file is in no file. */
	if (f->fd != -1 && f->ends && end_file(w) == -1)
		return -1;
	if (f->fd == -1 && begun(w, segment_file_begin(f)) == -1)
		return -1;
	w->full = 0;
	return 0;
}

void
segment_out_try_again(struct segment_writer *w)
{
	if (reopen(w) == -1)
		return;
	if (segment_out_all(w) == -1 || segment_dir_reserve(&w->dir) == -1)
		w->full = 1;
}

/* --- jobs ----------------------------------------------------------------- */

/* What the job has done, before it failed at STEP, or all of it. */
static void
achieved(struct segment_writer *w, enum segment_step step)
{
	const struct segment_work *k = &w->file.work;

	if (step > SEGMENT_WRITE)
		segment_keep_written(&w->keep);
	else
		w->accounts.changed = 1;
	if (step > SEGMENT_SYNC && (k->sync || k->turn))
		on_synced(w);
	if (step > SEGMENT_SEAL && k->turn)
		on_sealed(w);
	if (step > SEGMENT_BEGIN && k->turn)
		begun(w, 0);
}

void
segment_out_take(struct segment_writer *w)
{
	struct segment_file *f = &w->file;
	int rc = segment_file_result(f), saved = errno;

	achieved(w, rc == 0 ? SEGMENT_DONE : f->step);
	if (f->work.turn)
		segment_out_answer(w);
	w->number = f->number;
	errno = saved;
	if (rc == -1) {
		fail(w, f->what);
		react(w, f->step);
	}
	/* There will be no turn for a while, but for the old file's. */
	if (w->full && w->rotate) {
		w->rotate = 0;
		segment_out_answer(w);
	}
}

/* Have what was given out written, and what else is asked for. */
static void
submit(struct segment_writer *w, int sync, int turn)
{
	struct segment_work k = {.batch = w->given, .sync = sync, .turn = turn};

	segment_keep_batch(&w->keep, &k.batch);
	segment_accounts_copy(&w->said, &w->accounts);
	if (k.batch.len > 0) {
		if (w->given.next_record > w->dir.limit)
			k.numbers = w->given.next_record + w->cfg.number_block;
		if (w->accounts.changed) {
			k.batch.accounts = w->said.p;
			k.batch.naccounts = w->said.n;
		}
		w->accounts.changed = 0;
	}
	k.accounts = w->said.p;
	k.naccounts = w->said.n;
	segment_file_give(&w->file, &k);
}

static int
turn_is_due(const struct segment_writer *w)
{
	return w->rotate || w->now_ns - w->opened_ns >= w->cfg.max_age_ns ||
	    w->file.written.len >= w->cfg.max_bytes;
}

/* By time or by size.  Also of small batches: a writer with frequent ticks
 * never sees a full one. */
static int
sync_is_due(const struct segment_writer *w)
{
	const struct segment_file *f = &w->file;

	return w->now_ns - w->synced_ns >= w->cfg.sync_ns ||
	    f->written.len - f->synced.len + segment_keep_unwritten(&w->keep) >=
	    w->cfg.sync_bytes;
}

/* What is in memory is the last of this file; all before it is durable. */
static void
begin_turn(struct segment_writer *w)
{
	give_out_last(w);
	segment_ids_new_file(&w->ids);
	w->turning = 1;
	w->rotate = w->hurry = 0;
}

/* An empty segment is not sealed. */
static void
no_turn(struct segment_writer *w)
{
	if (w->rotate)
		segment_out_answer(w);
	w->rotate = 0;
	w->opened_ns = w->now_ns;
}

/* Begin the next job, if there is anything for one. */
static int
next_job(struct segment_writer *w, int all)
{
	const struct segment_file *f = &w->file;
	size_t n = segment_keep_unwritten(&w->keep);
	int dirty = f->written.len != f->synced.len;
	int turn = turn_is_due(w), sync = turn || w->hurry;

	if (turn && !w->turning && n == 0 && !segment_file_has_content(f)) {
		no_turn(w);
		return 0;
	}
	if (turn && !w->turning && !dirty)
		begin_turn(w);
	if (w->turning) {
		submit(w, 1, 1);
		return 1;
	}
	if (n < w->cfg.batch_bytes && !all && !sync)
		return 0;
	sync |= sync_is_due(w);
	if (n == 0 && !(sync && dirty))
		return 0;
	w->hurry = 0;
	give_out(w);
	submit(w, sync, 0);
	return 1;
}

/* The file is open and free, and there is room. */
static int
is_ready(const struct segment_writer *w)
{
	return !segment_file_is_busy(&w->file) && !w->full && w->file.fd != -1;
}

int
segment_out_is_due(const struct segment_writer *w)
{
	return is_ready(w) &&
	    (segment_keep_unwritten(&w->keep) >= w->cfg.batch_bytes ||
		turn_is_due(w));
}

void
segment_out_go_on(struct segment_writer *w, int all)
{
	w->failed = 0;
	while (w->failed == 0 && is_ready(w) && next_job(w, all)) {
		all = 0;
		if (segment_file_is_done(&w->file))
			segment_out_take(w);
	}
}

int
segment_out_all(struct segment_writer *w)
{
	const struct segment_file *f = &w->file;

	for (;;) {
		w->failed = ENOSPC;
		if (w->full || f->fd == -1)
			break;
		w->failed = 0;
		if (!w->turning)
			give_out(w);
		if (!w->turning && w->keep.out.len == 0)
			return 0;
		submit(w, 1, w->turning);
		segment_out_take(w);
		if (w->failed != 0)
			break;
	}
	errno = w->failed;
	return -1;
}

int
segment_out_end(struct segment_writer *w)
{
	const struct segment_file *f = &w->file;

	/* There may be room now; a disk that has failed may do with another
	 * file. */
	if (reopen(w) == -1 ||
	    (segment_out_all(w) == -1 && segment_out_all(w) == -1))
		return -1;
	if (segment_file_has_content(f))
		return seal_here(w);
	return unlinkat(w->dir.spool, f->name, 0);
}
