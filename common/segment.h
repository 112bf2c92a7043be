/*
 * segment: numbered spool files of whole warts records (segment(5)); here the
 * writer.  Reading is segment_read.h, recovery segment_recover.h, the layout
 * of a mark segment_mark.h, the directory and its state segment_dir.h.
 *
 * A segment is plain warts that any reader can read as it lies in the spool.
 * Marks (record type WARTS_MARK) carry what warts lacks: epoch, segment and
 * record numbers, a CRC-32 of the bytes since the previous mark, and in the
 * tail a SHA-256 of everything before it.
 *
 *	segment:  head [resume] { list|cycle|trace|... batch }* tail
 *
 * Records are gathered in memory and appended in batches, each with its mark
 * in one writev(2).  Bytes stay in memory until they are known durable: when
 * the disk fails below them, the file ends at its last good sync and they
 * begin the next one.
 *
 * With a syncer the writer does not stand still while the disk works.  It is
 *
 *	idle	a batch that is full is given out to be written, synced when that
 *		is due, and the file sealed when that is
 *	busy	with that: records wait in memory, `wait_bytes' of them at most,
 *		then none is taken.  segment_poll() finds the end of it and goes
 *		on
 *	full	no space: none is taken; each tick tries, and waits for it
 *
 * segment_settle(), segment_sync() and segment_close() wait for what is under
 * way; what is done after the disk has failed is waited for, too.
 *
 * Seal, in this order: tail mark, fsync(N.open); state/next = N+1 (temp,
 * fsync, rename, fsync dir); rename; fsync(spool); open N+1.open and lock it,
 * then let go of the old lock.  The counter moves before the rename: the other
 * order can give one number to two different contents.
 *
 * Each batch mark also says which commands its records answer, and which cycles
 * begin and end in it: what the Prober's checkpoint needs after a crash, when
 * records are durable that it did not yet know of.
 *
 * Not here: the checkpoint itself, and what becomes of sealed segments.
 */
#ifndef COMMON_SEGMENT_H
#define COMMON_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "common/warts/warts.h"

struct segment_writer;
struct syncer;

#define SEGMENT_EPOCH_LEN 16
#define SEGMENT_SHA_LEN 32
#define SEGMENT_REASONS 8 /* kinds of refusal that an account tells apart */

/*
 * What became of the addresses of one cycle:
 * accepted = recorded + sum of refused + held + queued + active.
 * The reasons are numbers that the Prober gives a meaning.
 */
struct segment_account {
	uint32_t list, cycle; /* the user's numbers */
	uint64_t accepted, recorded, held, queued, active;
	uint64_t refused[SEGMENT_REASONS];
};

/* What happened to a cycle in the records of a batch. */
enum segment_event_kind {
	SEGMENT_FINISHED, /* a record answers command `number' */
	SEGMENT_STARTED, /* its cycle start record */
	SEGMENT_STOPPED, /* its cycle stop record */
};

struct segment_event {
	enum segment_event_kind kind;
	uint32_t list, cycle; /* the user's numbers */
	uint64_t number; /* SEGMENT_FINISHED */
};

struct segment_config {
	const char *dir; /* spool directory, holds spool/ state/ ... */
	const char *monitor; /* list records' monitor name, may be NULL */
	uint64_t max_bytes; /* seal at this size; 0: 64 MiB */
	int64_t max_age_ns; /* seal at this age; 0: one hour */
	int64_t sync_ns; /* fdatasync at least so often; 0: 5 s */
	uint64_t sync_bytes; /* ... and after so many bytes; 0: 1 MiB */
	size_t batch_bytes; /* write out a batch at this size; 0: 256 KiB */
	uint64_t quota_bytes; /* of records, unsent, at most; 0: no limit */
	uint64_t number_block; /* record numbers reserved at once; 0: 2^20 */
	struct syncer *syncer; /* outlives the writer; NULL: wait for all */
	size_t wait_bytes; /* may wait for the disk; 0: 8 MiB */
	/* Called when a segment was sealed on request, by size or by age.  May
	 * be NULL. */
	void (*sealed)(void *arg);
	void *arg;
};

/*
 * Open the spool (made if absent), take its lock, recover a torn N.open left
 * by a killed predecessor (cut at the last good mark, sealed), open the next
 * segment.  NOW is monotonic.  Returns NULL with errno and a reason in *WHY
 * (EWOULDBLOCK: another Prober has it).  From here on the process may get
 * SIGUSR1 (segment_rotate is wanted), so its handler must be there before.
 */
struct segment_writer *segment_open(
    const struct segment_config *cfg, int64_t now_ns, const char **why);

/*
 * Define a cycle (and with it its list) for later records; returns a handle
 * >= 0.  Each segment gets the list and cycle records it uses, by itself: a
 * cycle start in the segment where the cycle began, a cycle definition after.
 * All strings are copied.  RESUMED: the cycle began before this process.
 */
struct segment_cycle {
	uint32_t list_id; /* user's number of the list */
	const char *name; /* list name */
	const char *descr; /* or NULL */
	uint32_t cycle_id; /* user's number of the cycle: Unix time */
	uint32_t start; /* Unix time */
	const char *hostname; /* or NULL */
	int resumed;
};
int
segment_cycle_begin(struct segment_writer *w, const struct segment_cycle *c);

/* Non-zero when the start record of CYCLE was taken (or it was resumed). */
int segment_cycle_started(const struct segment_writer *w, int cycle);

/* Write the cycle stop record (behind the cycle's start, if nothing was
 * recorded) and forget the handle.  Never refused: 0. */
int segment_cycle_end(struct segment_writer *w, int cycle, uint32_t stop);

/* The present account of a cycle, for the next batch mark.  Replaces what was
 * said before.  To be called before segment_cycle_end with the final sums. */
void segment_account(struct segment_writer *w, const struct segment_account *a);

/* The record taken next answers command NUMBER of its cycle (0: of none). */
void segment_answers(struct segment_writer *w, uint64_t number);

/*
 * Append RESULT, the struct of a measurement of TYPE (WARTS_TRACE, WARTS_PING).
 * Its list and cycle are overwritten with the file-local
 * ids of CYCLE (so it is not const).  The record is in memory until the next
 * flush.  Returns 0, or -1 when the writer is stopped by a full disk, or by one
 * that is too slow (nothing was taken; call again when segment_is_full() is 0).
 */
int segment_result(
    struct segment_writer *w, int cycle, uint16_t type, void *result);
/* The same for a trace. */
static inline int
segment_trace(struct segment_writer *w, int cycle, struct warts_trace *t)
{
	return segment_result(w, cycle, WARTS_TRACE, t);
}

/* Seal and start the next segment (SIGUSR1): begin to, with a syncer.  An empty
 * segment (no record) is not sealed.  Either way the asker can see when it was
 * done (the time of state/writer moves).  Returns 0, or -1 with errno. */
int segment_rotate(struct segment_writer *w, int64_t now_ns);

/* To be called at least once a second: flush, sync, seal by age, retry after
 * a full disk.  Returns the state. */
enum segment_state {
	SEGMENT_OK,
	SEGMENT_FULL, /* no space, or slow: admit nothing until OK again */
	SEGMENT_SUSPECT, /* an I/O error made us start a new segment */
};
enum segment_state segment_tick(struct segment_writer *w, int64_t now_ns);

/* With a syncer, to be called as often as can be while segment_is_busy(): goes
 * on when what is under way has ended.  Non-zero when it has. */
int segment_poll(struct segment_writer *w, int64_t now_ns);
/* Wait for that; then nothing is under way. */
void segment_settle(struct segment_writer *w, int64_t now_ns);
/* Non-zero while something is under way. */
int segment_is_busy(const struct segment_writer *w);
/* Non-zero while no record would be taken. */
int segment_is_full(const struct segment_writer *w);

/* Non-zero while the disk has no space: what was taken is not written. */
int segment_lacks_space(const struct segment_writer *w);

/* Make all that was taken durable, waiting for it.  0, or -1 with errno: not all of it is. */
int segment_sync(struct segment_writer *w, int64_t now_ns);

/* Begin to do so, or as soon as what is under way has ended. */
void segment_hurry(struct segment_writer *w, int64_t now_ns);

/* How much was taken so far, in a unit of its own; later, is it durable? */
uint64_t segment_taken(const struct segment_writer *w);
int segment_is_durable(const struct segment_writer *w, uint64_t taken);

/* The segment that the record taken next will be in, or one before it; and the
 * number of that record. */
void segment_position(
    const struct segment_writer *w, uint64_t *segment, uint64_t *record);

/* Records of this process that are known durable. */
uint64_t segment_durable(const struct segment_writer *w);

/* Why the writer is not SEGMENT_OK, or was not when it last was not: file and
 * reason, for a log line.  Good until the next call. */
const char *segment_reason(const struct segment_writer *w);

/* Seal, release, free.  Returns 0, or -1 with errno if the seal failed (the
 * next start will recover it). */
int segment_close(struct segment_writer *w, int64_t now_ns);

#endif
