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
	wbuf_init(&cp->snapshot.b);
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
	wbuf_clear(&cp->snapshot.b);
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

static void
put_cycles(struct checkpoint *cp)
{
	struct admit *a = cp->admit;
	struct listcycle *lc;

	TAILQ_FOREACH(lc, &a->table, link)
	{
		put_cycle(cp, &cp->snapshot.b, lc);
		for (size_t i = 0; i < lc->nahead; i++) {
			if (lc->ahead[i] > lc->high)
				put_slot(&cp->snapshot.b, CHECKPOINT_AHEAD,
				    lc->slot, lc->ahead[i]);
		}
	}
	for (size_t i = 0; i < a->history.n; i++) {
		wbuf_u8(&cp->snapshot.b, CHECKPOINT_PAST);
		wbuf_u32(&cp->snapshot.b, a->history.rows[i].list);
		wbuf_u32(&cp->snapshot.b, a->history.rows[i].cycle);
		wbuf_u64(&cp->snapshot.b, a->history.rows[i].high);
	}
}

static void
put_unfinished(struct checkpoint *cp, const struct command *c)
{
	put_address(cp, &cp->snapshot.b, CHECKPOINT_UNFINISHED, c);
}

static void
put_task(void *arg, const struct task *t)
{
	struct command c = {.dst = t->dst, .lc = t->lc, .number = t->number};

	put_unfinished(arg, &c);
}

/* In the order in which they are to be probed again. */
static void
put_commands(struct checkpoint *cp)
{
	const struct admit *a = cp->admit;

	window_each(a->window, put_task, cp);
	for (size_t i = 0; i < hold_count(a->hold); i++)
		put_unfinished(cp, hold_at(a->hold, i));
	for (uint32_t i = 0; i < a->queue.count; i++)
		put_unfinished(cp, cmdqueue_at(&a->queue, i));
}

/* All that the log says is in the file, or in a snapshot: what comes of that
 * comes of it. */
static void
is_said(struct checkpoint *cp)
{
	wbuf_reset(&cp->log);
	end_run(cp);
	listcycle_logged(&cp->admit->table, &cp->admit->history);
	if (cp->begin == CHECKPOINT_LOGGED)
		cp->begin = CHECKPOINT_GIVEN;
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
	if (cp->begin == CHECKPOINT_GIVEN)
		cp->begin = rc == 0 ? CHECKPOINT_NO_BEGIN : CHECKPOINT_LOGGED;
	if (rc == 0)
		listcycle_durable(&cp->admit->table, &cp->admit->history);
	return rc;
}

/* The result of the job under way. */
static int
take_result(struct checkpoint *cp)
{
	int rc = framelog_result(&cp->file);

	if (cp->snapshot.taken) {
		cp->snapshot.taken = 0;
		wbuf_clear(&cp->snapshot.b);
	}
	return result(cp, rc);
}

/* Wait for the job under way, if any. */
static void
settle(struct checkpoint *cp)
{
	if (checkpoint_is_busy(cp))
		take_result(cp);
}

/* What there is now, in memory; no job is under way.  The new slots are those of
 * the new file: if it cannot be written, nothing is appended to the old one any
 * more. */
static void
take_snapshot(struct checkpoint *cp)
{
	char boot[2 * SEGMENT_DIR_BOOT_LEN + 1];
	uint64_t segment, record;

	segment_position(cp->w, &segment, &record);
	snprintf(cp->snapshot.text, sizeof(cp->snapshot.text),
	    "checkpoint %d %s %" PRIu64 " %" PRIu64, CHECKPOINT_VERSION,
	    segment_dir_hex(boot, cp->dir.boot, sizeof(cp->dir.boot)), segment,
	    record);
	cp->snapshot.behind = segment_taken(cp->w);
	wbuf_reset(&cp->snapshot.b);
	cp->slots = 0;
	end_run(cp);
	put_cycles(cp);
	put_commands(cp);
	cp->snapshot_bytes = cp->snapshot.b.len;
	cp->snapshot.taken = 1;
	cp->wanted = 0;
	is_said(cp);
}

static void
write_snapshot(struct checkpoint *cp)
{
	framelog_replace(
	    &cp->file, cp->snapshot.text, cp->snapshot.b.p, cp->snapshot.b.len);
}

int
checkpoint_snapshot(struct checkpoint *cp)
{
	settle(cp);
	take_snapshot(cp);
	write_snapshot(cp);
	return take_result(cp);
}

void
checkpoint_want(struct checkpoint *cp)
{
	cp->wanted = 1;
}

/* --- the log -------------------------------------------------------------------- */

/* Write the log to the file; no job is under way, and then one is. */
static void
append(struct checkpoint *cp)
{
	if (cp->log.len == 0) {
		result(cp, 0);
		return;
	}
	if (framelog_append(&cp->file, cp->log.p, cp->log.len) == -1)
		result(cp, -1);
	else
		is_said(cp);
}

static int
log_is_long(const struct checkpoint *cp)
{
	return cp->file.bytes >
	    CHECKPOINT_LOG_BYTES + CHECKPOINT_LOG_FACTOR * cp->snapshot_bytes;
}

/* Begin what cannot wait for the next tick, if anything can be begun. */
static void
go_on(struct checkpoint *cp)
{
	if (checkpoint_is_busy(cp))
		return;
	if (cp->snapshot.taken) {
		if (segment_is_durable(cp->w, cp->snapshot.behind))
			write_snapshot(cp);
	} else if (cp->begin == CHECKPOINT_LOGGED && cp->file.fd != -1) {
		append(cp);
	}
}

int
checkpoint_poll(struct checkpoint *cp)
{
	int rc = 0;

	/* Without a thread all that is begun has ended. */
	for (;;) {
		if (framelog_is_done(&cp->file))
			rc |= take_result(cp) == 0;
		go_on(cp);
		if (!framelog_is_done(&cp->file))
			return rc;
	}
}

int
checkpoint_is_behind(const struct checkpoint *cp)
{
	return cp->begin != CHECKPOINT_NO_BEGIN ||
	    cp->log.len >= CHECKPOINT_WAIT_BYTES;
}

void
checkpoint_tick(struct checkpoint *cp, int64_t now_ns)
{
	checkpoint_poll(cp);
	if (checkpoint_is_busy(cp) || cp->snapshot.taken)
		return; /* the log can wait */
	if ((cp->file.fd == -1 || cp->wanted || log_is_long(cp)) &&
	    !segment_lacks_space(cp->w)) {
		take_snapshot(cp);
		segment_hurry(cp->w, now_ns);
	} else if (cp->file.fd != -1) {
		append(cp);
	}
	checkpoint_poll(cp);
}

void
checkpoint_flush(struct checkpoint *cp)
{
	settle(cp);
	if (cp->file.fd != -1 && !cp->snapshot.taken)
		append(cp);
	settle(cp);
}

void
checkpoint_began(struct checkpoint *cp, struct listcycle *lc)
{
	end_run(cp);
	put_cycle(cp, &cp->log, lc);
	cp->begin = CHECKPOINT_LOGGED;
	checkpoint_poll(cp);
}
