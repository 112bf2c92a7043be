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
#include "common/segment_config.h"
#include "common/segment_out.h"
#include "common/segment_recover.h"
#include "common/warts/record.h"
#include "common/xmalloc.h"

#define QUOTA_NS NS_PER_SEC /* look at the spool's size so often */

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
	*why = "state/reserve";
	if (segment_dir_reserve(&w->dir) == -1 && !segment_out_is_full(errno))
		return -1;
	*why = "N.open";
	return segment_out_begin(w);
}

static void
writer_free(struct segment_writer *w)
{
	segment_ids_clear(&w->ids);
	segment_keep_clear(&w->keep);
	segment_file_clear(&w->file);
	segment_accounts_clear(&w->accounts);
	segment_accounts_clear(&w->said);
	wbuf_clear(&w->defs);
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
	segment_keep_init(&w->keep);
	wbuf_init(&w->defs);
	segment_file_init(&w->file, &w->dir);
	w->file.job.by = cfg->syncer;
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

	segment_events_add(&w->keep.in_events, &e);
}

/* A record of CYCLE follows: have it defined, give its ids in this file. */
static void
use(struct segment_writer *w, int cycle, uint32_t *list, uint32_t *id)
{
	int started = segment_cycle_started(w, cycle);

	segment_ids_use(&w->ids, cycle, &w->keep.in, list, id);
	if (!started)
		note(w, cycle, SEGMENT_STARTED, 0);
}

int
segment_cycle_end(struct segment_writer *w, int cycle, uint32_t stop)
{
	struct warts_cycle_stop rec = {.stop = stop};
	uint32_t list;

	use(w, cycle, &list, &rec.id);
	warts_cycle_stop_encode(&w->keep.in, &rec);
	note(w, cycle, SEGMENT_STOPPED, 0);
	segment_ids_end(&w->ids, cycle);
	return 0;
}

void
segment_account(struct segment_writer *w, const struct segment_account *a)
{
	segment_accounts_put(&w->accounts, a);
}

/* More waits for the disk than should. */
static int
is_behind(const struct segment_writer *w)
{
	return (segment_file_is_busy(&w->file) || w->turning) &&
	    w->keep.in.len >= w->cfg.wait_bytes;
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

	if (is_behind(w))
		snprintf(w->reason, sizeof(w->reason),
		    "%ju.open: the disk is slow: %zu bytes of records wait for "
		    "it",
		    (uintmax_t)w->number, w->keep.in.len);
	if (segment_is_full(w))
		return -1;
	use(w, cycle, &list_id, &cycle_id);
	before = w->keep.in.len;
	warts_result_encode(&w->keep.in, type, result, list_id, cycle_id);
	use_quota(w, w->keep.in.len - before);
	if (w->answers != 0)
		note(w, cycle, SEGMENT_FINISHED, w->answers);
	w->answers = 0;
	w->next_record++;
	if (segment_out_is_due(w))
		segment_out_go_on(w, 0);
	return 0;
}

int
segment_rotate(struct segment_writer *w, int64_t now_ns)
{
	segment_poll(w, now_ns);
	w->now_ns = now_ns;
	if (!segment_file_is_busy(&w->file) && (w->full || w->file.fd == -1)) {
		segment_out_answer(w);
		errno = ENOSPC;
		return -1;
	}
	w->rotate = 1;
	segment_out_go_on(w, 0);
	errno = w->failed;
	return w->failed == 0 ? 0 : -1;
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
	if (!segment_file_is_busy(&w->file)) {
		if (w->full || w->file.fd == -1)
			segment_out_try_again(w);
		segment_out_go_on(w, 1);
	}
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
	if (!segment_file_is_done(&w->file))
		return 0;
	w->failed = 0;
	segment_settle(w, now_ns);
	/* A disk that fails is tried once a second, not at once. */
	if (w->failed == 0)
		segment_out_go_on(w, 0);
	return 1;
}

void
segment_settle(struct segment_writer *w, int64_t now_ns)
{
	w->now_ns = now_ns;
	if (segment_file_is_busy(&w->file))
		segment_out_take(w);
}

int
segment_is_busy(const struct segment_writer *w)
{
	return segment_file_is_busy(&w->file);
}

int
segment_is_full(const struct segment_writer *w)
{
	return w->full || w->over_quota || is_behind(w);
}

int
segment_lacks_space(const struct segment_writer *w)
{
	return w->full;
}

int
segment_sync(struct segment_writer *w, int64_t now_ns)
{
	segment_settle(w, now_ns);
	return segment_out_all(w);
}

void
segment_hurry(struct segment_writer *w, int64_t now_ns)
{
	w->now_ns = now_ns;
	w->hurry = 1;
	segment_out_go_on(w, 0);
}

void
segment_position(
    const struct segment_writer *w, uint64_t *segment, uint64_t *record)
{
	*segment = w->number;
	*record = w->next_record;
}

uint64_t
segment_durable(const struct segment_writer *w)
{
	return w->safe_record - w->first_record;
}

uint64_t
segment_taken(const struct segment_writer *w)
{
	return w->out_bytes + w->keep.in.len;
}

int
segment_is_durable(const struct segment_writer *w, uint64_t taken)
{
	return w->safe_bytes >= taken;
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
	rc = segment_out_end(w);
	saved = errno;
	writer_free(w);
	errno = saved;
	return rc;
}
