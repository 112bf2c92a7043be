#include "prober/checkpoint.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xmalloc.h"

int
checkpoint_init(struct checkpoint *cp, const char *spool, const char **why)
{
	memset(cp, 0, sizeof(*cp));
	wbuf_init(&cp->log);
	if (segment_dir_open(&cp->dir, spool, 0, why) == -1)
		return -1;
	framelog_init(&cp->file, cp->dir.state, CHECKPOINT_FILE);
	return 0;
}

void
checkpoint_clear(struct checkpoint *cp)
{
	framelog_clear(&cp->file);
	segment_dir_close(&cp->dir);
	wbuf_clear(&cp->log);
}

/* --- items ------------------------------------------------------------------ */

static void
put_cycle(struct checkpoint *cp, struct wbuf *b, struct listcycle *lc)
{
	uint8_t flags = 0;

	if (segment_cycle_started(cp->w, lc->out))
		flags |= CHECKPOINT_STARTED;
	if (lc->ended)
		flags |= CHECKPOINT_ENDS;
	if (lc->descr != NULL)
		flags |= CHECKPOINT_DESCR;
	lc->slot = cp->slots++;
	wbuf_u8(b, CHECKPOINT_CYCLE);
	wbuf_u32(b, lc->list);
	wbuf_u32(b, lc->cycle);
	wbuf_u32(b, lc->start);
	wbuf_u8(b, flags);
	wbuf_u64(b, lc->high);
	wbuf_u64(b, lc->accepted);
	wbuf_u64(b, lc->recorded);
	wbuf_u8(b, REFUSED_N);
	for (int i = 0; i < REFUSED_N; i++)
		wbuf_u64(b, lc->refused[i]);
	wbuf_str(b, lc->name);
	wbuf_str(b, lc->descr != NULL ? lc->descr : "");
	wbuf_str(b, lc->m->text);
}

static void
put_slot(struct wbuf *b, enum checkpoint_item item, uint32_t slot, uint64_t n)
{
	wbuf_u8(b, (uint8_t)item);
	wbuf_u32(b, slot);
	wbuf_u64(b, n);
}

/* Address A, number N of SLOT, in a run of ITEM. */
static void
put_address(struct checkpoint *cp, struct wbuf *b, enum checkpoint_item item,
    const struct command *c)
{
	uint32_t slot = c->lc->slot;

	if (cp->run_next != c->number || cp->run_slot != slot)
		put_slot(b, item, slot, c->number);
	cp->run_slot = slot;
	cp->run_next = c->number + 1;
	if (c->dst.family == ADDR_IPV4) {
		wbuf_u8(b, CHECKPOINT_ADDR4);
		wbuf_bytes(b, c->dst.b, 4);
	} else {
		wbuf_u8(b, CHECKPOINT_ADDR6);
		wbuf_bytes(b, c->dst.b, 16);
	}
}

void
checkpoint_accepted(struct checkpoint *cp, const struct command *c)
{
	put_address(cp, &cp->log, CHECKPOINT_ACCEPTED, c);
}

/* An item that is not an address ends the run. */
static void
end_run(struct checkpoint *cp)
{
	cp->run_next = 0;
}

void
checkpoint_refused(
    struct checkpoint *cp, const struct command *c, enum refusal why)
{
	end_run(cp);
	put_slot(&cp->log, CHECKPOINT_REFUSED, c->lc->slot, c->number);
	wbuf_u8(&cp->log, (uint8_t)why);
}

void
checkpoint_ended(struct checkpoint *cp, const struct listcycle *lc)
{
	end_run(cp);
	wbuf_u8(&cp->log, CHECKPOINT_ENDED);
	wbuf_u32(&cp->log, lc->slot);
}

void
checkpoint_passed(struct checkpoint *cp, const struct listcycle *lc)
{
	end_run(cp);
	put_slot(&cp->log, CHECKPOINT_HIGH, lc->slot, lc->high);
}

/* --- snapshot ----------------------------------------------------------------- */

struct snapshot {
	struct checkpoint *cp;
	struct wbuf b;
};

static void
put_cycles(struct snapshot *s)
{
	struct admit *a = s->cp->admit;
	struct listcycle *lc;

	TAILQ_FOREACH(lc, &a->table, link)
	{
		put_cycle(s->cp, &s->b, lc);
		for (size_t i = 0; i < lc->nahead; i++) {
			if (lc->ahead[i] > lc->high)
				put_slot(&s->b, CHECKPOINT_AHEAD, lc->slot,
				    lc->ahead[i]);
		}
	}
	for (size_t i = 0; i < a->history.n; i++) {
		wbuf_u8(&s->b, CHECKPOINT_PAST);
		wbuf_u32(&s->b, a->history.rows[i].list);
		wbuf_u32(&s->b, a->history.rows[i].cycle);
		wbuf_u64(&s->b, a->history.rows[i].high);
	}
}

static void
put_unfinished(struct snapshot *s, const struct command *c)
{
	put_address(s->cp, &s->b, CHECKPOINT_UNFINISHED, c);
}

static void
put_task(void *arg, const struct task *t)
{
	struct command c = {.dst = t->dst, .lc = t->lc, .number = t->number};

	put_unfinished(arg, &c);
}

/* In the order in which they are to be probed again. */
static void
put_commands(struct snapshot *s)
{
	const struct admit *a = s->cp->admit;

	window_each(a->window, put_task, s);
	for (size_t i = 0; i < hold_count(a->hold); i++)
		put_unfinished(s, hold_at(a->hold, i));
	for (uint32_t i = 0; i < a->queue.count; i++)
		put_unfinished(s, cmdqueue_at(&a->queue, i));
}

/* The log is in the file, or not needed any more. */
static void
log_is_written(struct checkpoint *cp)
{
	wbuf_reset(&cp->log);
	end_run(cp);
}

static int
replace_file(struct checkpoint *cp, const struct wbuf *b)
{
	char text[FRAMELOG_LINE_MAX], boot[2 * SEGMENT_DIR_BOOT_LEN + 1];
	uint64_t segment, record;

	segment_position(cp->w, &segment, &record);
	snprintf(text, sizeof(text), "checkpoint %d %s %" PRIu64 " %" PRIu64,
	    CHECKPOINT_VERSION,
	    segment_dir_hex(boot, cp->dir.boot, sizeof(cp->dir.boot)), segment,
	    record);
	return framelog_replace(&cp->file, text, b->p, b->len);
}

/* Say it when it begins to fail, and when it works again. */
static int
result(struct checkpoint *cp, int rc)
{
	if (rc == -1 && !cp->failing)
		log_warn("state/%s: %s: acknowledging nothing until it can be "
			 "written",
		    CHECKPOINT_FILE, strerror(errno));
	if (rc == 0 && cp->failing)
		log_warn("state/%s: is written again", CHECKPOINT_FILE);
	cp->failing = rc == -1;
	if (rc == 0)
		listcycle_durable(&cp->admit->table, &cp->admit->history);
	return rc;
}

/* Wait for the sync that is under way, if any. */
static void
settle(struct checkpoint *cp)
{
	if (framelog_is_syncing(&cp->file))
		result(cp, framelog_synced(&cp->file));
}

int
checkpoint_poll(struct checkpoint *cp)
{
	return framelog_has_synced(&cp->file) &&
	    result(cp, framelog_synced(&cp->file)) == 0;
}

int
checkpoint_snapshot(struct checkpoint *cp)
{
	struct snapshot s = {.cp = cp};
	int rc;

	settle(cp);
	wbuf_init(&s.b);
	cp->slots = 0;
	end_run(cp);
	put_cycles(&s);
	put_commands(&s);
	rc = replace_file(cp, &s.b);
	/* The new slots are those of the new file.  If it could not be
	 * written, nothing is appended to the old one any more. */
	log_is_written(cp);
	cp->snapshot_bytes = s.b.len;
	wbuf_clear(&s.b);
	if (rc == 0)
		listcycle_logged(&cp->admit->table, &cp->admit->history);
	return result(cp, rc);
}

/* --- the log -------------------------------------------------------------------- */

/* Write the log to the file, no sync of which is under way; then one is, unless
 * it is done at once. */
static void
append(struct checkpoint *cp)
{
	if (cp->log.len > 0 &&
	    framelog_append(&cp->file, cp->log.p, cp->log.len) == -1) {
		result(cp, -1);
		return;
	}
	log_is_written(cp);
	listcycle_logged(&cp->admit->table, &cp->admit->history);
	if (!framelog_is_syncing(&cp->file))
		result(cp, 0); /* there was nothing to write */
	else
		checkpoint_poll(cp);
}

static int
log_is_long(const struct checkpoint *cp)
{
	return cp->file.bytes >
	    CHECKPOINT_LOG_BYTES + CHECKPOINT_LOG_FACTOR * cp->snapshot_bytes;
}

void
checkpoint_tick(struct checkpoint *cp, int64_t now_ns)
{
	if (cp->log.len >= CHECKPOINT_WAIT_BYTES)
		settle(cp);
	checkpoint_poll(cp);
	if (framelog_is_syncing(&cp->file))
		return; /* the log can wait */
	if (cp->file.fd != -1 && !log_is_long(cp)) {
		append(cp);
		return;
	}
	if (segment_sync(cp->w, now_ns) == 0)
		checkpoint_snapshot(cp);
	else if (cp->file.fd != -1)
		append(cp);
}

void
checkpoint_flush(struct checkpoint *cp, int64_t now_ns)
{
	settle(cp);
	checkpoint_tick(cp, now_ns);
	settle(cp);
}

void
checkpoint_began(struct checkpoint *cp, struct listcycle *lc)
{
	end_run(cp);
	put_cycle(cp, &cp->log, lc);
	/* Its records may become durable before the next tick. */
	settle(cp);
	if (cp->file.fd != -1)
		append(cp);
	settle(cp);
}
