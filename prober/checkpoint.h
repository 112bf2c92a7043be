/*
 * checkpoint: what is needed, beside the segments, to continue every cycle
 * after a stop, a crash or a reboot; state/checkpoint of the spool.
 *
 * Who knows what.  That a command is finished is said by the record, in the mark
 * of its batch (segment.h), and nowhere else.  That it was accepted or refused,
 * that a cycle began or was ended, is said here:
 *
 *	checkpoint 1 BOOT SEGMENT RECORD #crc		(framelog.h)
 *	frame	snapshot: everything, as of the moment before RECORD
 *	frame	what was accepted, refused, begun and ended since; one a second
 *	...
 *
 * A snapshot is taken at the start, behind every seal, at the end, and when the
 * log has grown, and written when all records that were taken before it are
 * durable.  Reading it back:
 *
 *	unfinished = snapshot + accepted - refused - records from RECORD on,
 *
 * the latter found in segments SEGMENT and up.  So a batch of records and a
 * frame of the log may become durable in any order, and either may be lost
 * without the other in a power cut:
 *
 *	in the log, no record	it is probed (again): one record
 *	record, not in the log	`ahead': its sender will say it again, and it
 *				is not probed
 *
 * All of it is made durable beside the loop (common/syncer.h):
 *
 *	idle	a tick, or a begin, writes the log as a frame; what it says is
 *		`logged' (listcycle.c), and not more.  Or a tick takes a snapshot
 *	taken	of which the log that grows is the continuation: it waits for
 *		records, then the file is replaced
 *	busy	the log grows; nothing is written.  checkpoint_poll() finds the
 *		end: what was logged is durable
 *	closed	the sync or a write failed: nothing is acknowledged until a
 *		snapshot, of some later tick, has replaced the file
 *
 * A record must not be durable before its cycle: until a begin is, no command is
 * taken (checkpoint_is_behind()), nor while too much of the log waits.
 *
 * Only what is durable here is acknowledged: `ack N' promises that the first N
 * are never needed again.  A full disk delays acks and loses nothing.
 *
 * Items of a frame (numbers big-endian, strings with NUL; a slot is the place
 * of a cycle among all cycle items of the file, from 0):
 *
 *	1 cycle		4 list, 4 cycle, 4 start, 1 flags (1 started, 2 ended,
 *			4 with a description), 8 high, 8 accepted, 8 recorded,
 *			1 count and 8 each: refused; name, description, probe
 *	2 accepted	4 slot, 8 number of the address that follows; the next
 *			addresses are the next numbers
 *	3 unfinished	likewise; they count as accepted already
 *	4, 6 address	4 or 16 bytes
 *	7 refused	4 slot, 8 number, 1 reason
 *	8 ended		4 slot
 *	9 past		4 list, 4 cycle, 8 high: a cycle that is over
 *	10 ahead	4 slot, 8 number
 *	11 high		4 slot, 8 number: passed over, it was ahead
 *
 * checkpoint.c keeps the file (no technique, no output in it); its reading is
 * checkpoint_read.c, checkpoint_restore.c makes table and queue of it.
 */
#ifndef PROBER_CHECKPOINT_H
#define PROBER_CHECKPOINT_H

#include "common/segment.h"
#include "common/segment_dir.h"
#include "common/warts/buf.h"
#include "prober/framelog.h"
#include "prober/prober.h"

enum checkpoint_item {
	CHECKPOINT_CYCLE = 1,
	CHECKPOINT_ACCEPTED = 2,
	CHECKPOINT_UNFINISHED = 3,
	CHECKPOINT_ADDR4 = 4,
	CHECKPOINT_ADDR6 = 6,
	CHECKPOINT_REFUSED = 7,
	CHECKPOINT_ENDED = 8,
	CHECKPOINT_PAST = 9,
	CHECKPOINT_AHEAD = 10,
	CHECKPOINT_HIGH = 11,
};

#define CHECKPOINT_FILE "checkpoint"
#define CHECKPOINT_VERSION 1
#define CHECKPOINT_STARTED 1
#define CHECKPOINT_ENDS 2
#define CHECKPOINT_DESCR 4
/* A snapshot is due when the log is so long beside the last one. */
#define CHECKPOINT_LOG_BYTES (1u << 20)
#define CHECKPOINT_LOG_FACTOR 4
/* When so much of it waits for the disk no command is taken. */
#define CHECKPOINT_WAIT_BYTES (16u << 20)

/* Where the last begin is, that is not durable. */
enum checkpoint_begin {
	CHECKPOINT_NO_BEGIN,
	CHECKPOINT_LOGGED, /* in the log, or nowhere */
	CHECKPOINT_GIVEN, /* in what the job under way, or the snapshot, says */
};

struct checkpoint {
	struct segment_dir dir;
	struct segment_writer *w;
	struct admit *admit;
	struct framelog file;
	uint64_t snapshot_bytes;
	struct wbuf log; /* not yet in the file */
	uint32_t slots; /* cycles in the file and in the log */
	/* The run of addresses that the end of `log' is in: its slot and its
	 * next number; 0: none. */
	uint32_t run_slot;
	uint64_t run_next;
	/* A snapshot that was taken and is not written. */
	struct {
		int taken;
		struct wbuf b;
		char text[FRAMELOG_LINE_MAX];
		uint64_t behind; /* these records (segment_taken()) */
	} snapshot;
	int wanted; /* a snapshot */
	enum checkpoint_begin begin;
	int failing; /* was said */
};

/* --- checkpoint.c --------------------------------------------------------- */

/* A begin: LC is defined.  The checkpoint is behind until it is durable. */
void checkpoint_began(struct checkpoint *cp, struct listcycle *lc);
/* Must commands wait? */
int checkpoint_is_behind(const struct checkpoint *cp);
/* C has been accepted, with the next higher number; refused; LC has its end.
 * In memory until the next tick. */
void checkpoint_accepted(struct checkpoint *cp, const struct command *c);
void checkpoint_refused(
    struct checkpoint *cp, const struct command *c, enum refusal why);
void checkpoint_ended(struct checkpoint *cp, const struct listcycle *lc);
/* Number lc->high was passed over: it is one of lc->ahead. */
void checkpoint_passed(struct checkpoint *cp, const struct listcycle *lc);

/* At least once a second: begin to make durable what there is. */
void checkpoint_tick(struct checkpoint *cp, int64_t now_ns);
/* At the end: the log at least, if a snapshot cannot be written. */
void checkpoint_flush(struct checkpoint *cp);
/* As often as can be while it, or the segment, is busy.  Non-zero when
 * something has ended and more may be acknowledged. */
int checkpoint_poll(struct checkpoint *cp);
static inline int
checkpoint_is_busy(const struct checkpoint *cp)
{
	return framelog_is_busy(&cp->file);
}

/* A segment was sealed: take a snapshot at the next tick, so that what is before
 * it is not needed. */
void checkpoint_want(struct checkpoint *cp);
/* All records taken so far are durable: a new file, waiting for it.  0, or -1
 * (logged). */
int checkpoint_snapshot(struct checkpoint *cp);

/* CP is the caller's to fill in for w and admit; -1 with errno and *WHY. */
int checkpoint_init(struct checkpoint *cp, const char *spool, const char **why);
void checkpoint_clear(struct checkpoint *cp);

/* --- checkpoint_read.c: the file and the segments behind it, as they are ---- */

struct checkpoint_row {
	uint32_t list, cycle, start;
	int started, ended, over; /* over: its stop record is written */
	uint64_t high, accepted, recorded, refused[REFUSED_N];
	char *name, *descr, *probe; /* descr may be NULL */
	uint64_t *ahead;
	size_t nahead;
};

struct checkpoint_pending {
	uint64_t number;
	uint32_t row;
	int finished;
	struct addr addr;
};

struct checkpoint_past {
	uint32_t list, cycle;
	uint64_t high;
};

struct checkpoint_state {
	uint8_t boot[SEGMENT_DIR_BOOT_LEN]; /* set by the caller: this boot */
	uint64_t segment, record; /* of the snapshot */
	struct checkpoint_row *rows; /* by slot */
	size_t nrows;
	struct checkpoint_pending *pending; /* in order of the queue */
	size_t npending, pending_cap;
	uint32_t *index; /* of pending, by row and number; 0: free */
	size_t index_size;
	struct checkpoint_past *past;
	size_t npast;
	size_t torn; /* bytes passed over at the end of the file */
	uint64_t missing; /* a segment that should be there, or 0 */
	/* while reading a frame */
	uint32_t run_row;
	uint64_t run_next;
	int run_new, in_run;
};

/*
 * Read the checkpoint in D and what the segments from it on say.  1 with S, to
 * be cleared; 0 when there is none; -1 with errno and *WHY (EBADMSG: damaged).
 */
int checkpoint_read(
    struct segment_dir *d, struct checkpoint_state *s, const char **why);
void checkpoint_state_clear(struct checkpoint_state *s);

/* Apply a frame: NULL or a reason.  Then what a mark says. */
const char *
checkpoint_apply(struct checkpoint_state *s, const uint8_t *body, size_t len);
void checkpoint_apply_event(
    struct checkpoint_state *s, const struct segment_event *e);

/* --- checkpoint_restore.c --------------------------------------------------- */

/*
 * Continue what the process before this one left in SPOOL: its cycles are in
 * A's table and begun in O, its unfinished commands are the first of A's queue.
 * From here on A has a checkpoint.  Dies when the file is damaged.  Its
 * file.job.by is the caller's to set.
 */
struct checkpoint *checkpoint_open(const char *spool, struct segment_writer *w,
    struct admit *a, struct output *o);
void checkpoint_close(struct checkpoint *cp);

#endif
