/*
 * datasort: file the records of complete segments in the archive.  This is the
 * map of the program.
 *
 *	incoming/MON/EPOCH/N.warts                  archive/LIST/MON/Y/M/D/
 *	      │                                           ▲  quarantine/
 *	      ▼                                           │  ledger, account, feed
 *	  sorter.c: in number order ──► plan.c ──► journal.c ──► archive.c
 *	      │                            │
 *	      ▼                            └── table.c: accounts, open files
 *	  feed.c: gzip (pack.c), by-cycle/, feed/ logs
 *
 * A plan is what some segments add to some targets, in memory.  It becomes
 * true in this order, and a kill anywhere leaves it undone or done:
 *
 *	journal		every target with its length, made durable
 *	apply		bytes appended, files and directories fsynced
 *	filed		the commit point: the table, replaced by rename
 *	remove		the incoming files, then the journal
 *
 * At start a journal whose commit is not in the table is undone: targets are
 * cut to their former lengths.  Epochs of a monitor share targets, so that the
 * journals of all of them are looked at before anything is sorted.
 *
 * What others see besides the archive's files follows from what is committed,
 * and can be done again after a kill: state/MON/feed is a target like others;
 * each of its lines is then turned into a compressed file, a link, and a line
 * of the feed (feed.c).
 *
 * Everything is below one directory DIR, whose descriptor is `root':
 *
 *	archive/LIST/MON/YEAR/MONTH/DAY/LIST.MON.YYYYMMDD.CYCLE_NN.warts[.gz]
 *	by-cycle/LIST/CYCLE/		links to them
 *	feed/{created,completed}.log	numbered lines, for who follows the archive
 *	incoming/MON/EPOCH/N.warts	complete, to be filed
 *	incoming/MON/EPOCH/N.refused	the monitor keeps N in its bad/
 *	incoming/MON/EPOCH/N.conflict	it offered another N than was filed
 *	incoming/MON/EPOCH/N.damaged	became unreadable here
 *	quarantine/MON/EPOCH.N.warts	records of N that have no place
 *	state/MON/lock			one sorter per monitor
 *	state/MON/{feed,published}	what became of files; how far it is public
 *	state/MON/EPOCH/{ledger,account,filed,journal}
 */
#ifndef DATASORT_H
#define DATASORT_H

#include <stddef.h>
#include <stdint.h>

#include "common/segment.h"
#include "common/warts/buf.h"
#include "common/warts/record.h"

/* --- archive.c: targets, and what is to be added to them -------------------- */

#define ARCHIVE_PATH_MAX 256 /* bytes of a target's path */
#define ARCHIVE_WINDOW_S 86400 /* seconds of a cycle in one file */
/* A cycle stop record: header, id, time, empty block. */
#define ARCHIVE_STOP_LEN (WARTS_HEADER_LEN + 9)

/*
 * A file that the plan appends to.  A closed file ends with its cycle stop and
 * is read-only; late records go in front of that stop.
 */
struct archive_target {
	char path[ARCHIVE_PATH_MAX]; /* below root */
	int is_cycle; /* list, cycle, window are meant */
	uint32_t list, cycle; /* the user's numbers */
	uint32_t window;
	int exists;
	uint64_t length; /* at present, if it exists */
	int closed; /* at present; `stop' is its last record */
	uint8_t stop[ARCHIVE_STOP_LEN];
	int close; /* to be closed, at stop_time */
	uint32_t stop_time;
	struct wbuf add; /* bytes to append */
	/* At archive_mark(). */
	size_t mark_len;
	int mark_close;
};

struct archive_plan {
	int root;
	const char *monitor;
	struct archive_target **targets;
	size_t count;
	size_t bytes; /* of all that is to be added */
	size_t mark_count, mark_bytes; /* at archive_mark() */
};

/* One cycle as a segment knows it.  Strings live as long as the segment's
 * tables. */
struct archive_cycle {
	const struct warts_list *list;
	const struct warts_cycle *cycle;
};

/* A plan of nothing, for the archive ROOT and records of MONITOR (kept). */
void archive_plan_init(struct archive_plan *p, int root, const char *monitor);
void archive_plan_clear(struct archive_plan *p);

/* Remember the plan as it is; make it again what it was then. */
void archive_mark(struct archive_plan *p);
void archive_rewind(struct archive_plan *p);

/* The target for records of cycle C that started at START (Unix time).  Made
 * with its list and cycle record if there is no such file.  NULL with errno. */
struct archive_target *archive_target(
    struct archive_plan *p, const struct archive_cycle *c, uint32_t start);

/* The target at PATH (below root), a plain file.  NULL with errno. */
struct archive_target *archive_plain(struct archive_plan *p, const char *path);

/* Append LINE, which is freed, to the plain file at PATH.  0, or -1. */
int archive_line(struct archive_plan *p, const char *path, char *line);

/* Cycle C ended at STOP: close all its files, those on disk and those of the
 * plan; if there is none, a file says that the cycle was.  0, or -1. */
int archive_end(
    struct archive_plan *p, const struct archive_cycle *c, uint32_t stop);

/* Close the file of WINDOW, if there is one, at the window's end.  0, or -1. */
int archive_close(
    struct archive_plan *p, uint32_t list, uint32_t cycle, uint32_t window);

/* End of WINDOW of CYCLE, Unix time (at most what a record can say). */
uint32_t archive_window_end(uint32_t cycle, uint32_t window);

/* Will applying the plan change this target? */
int archive_changes(const struct archive_target *t);

/* Append everything, durably.  0, or -1 with errno: to be undone. */
int archive_apply(struct archive_plan *p);

/*
 * Make the file at PATH what it was: absent (EXISTS 0), or LENGTH bytes long,
 * ending in STOP (if not NULL, and then read-only).  0, or -1 with errno.
 */
int archive_undo(int root, const char *path, int exists, uint64_t length,
    const uint8_t *stop);

/* The directory that PATH (below ROOT) lies in, made as far as it is missing;
 * *BASE is the last part of PATH.  -1 with errno. */
int archive_parent(int root, const char *path, const char **base);

/* --- pack.c ----------------------------------------------------------------
 *
 * A closed file is PATH, or PATH.gz with the same content; where both are there
 * (a kill), PATH is meant.
 */

/* Make PATH.gz of PATH: one member, read back and compared, mode 0444, by
 * rename; then remove PATH.  Nothing to do if there is no PATH.  0, or -1. */
int pack_file(int root, const char *path);

/* The way back, if there is no PATH but PATH.gz.  0, or -1 with errno. */
int pack_undo(int root, const char *path);

/* --- table.c: what is committed ---------------------------------------------
 *
 *	filed N #check			the last segment filed
 *	commit K #check			commits so far
 *	cycle LIST CYCLE key=... #check	each cycle that is not over
 *	end ROWS #check
 *
 * A row that is over moves to the file TABLE_LOG, whose last line about a cycle
 * counts; a late record brings it back.
 */

#define TABLE_LOG "account"
#define TABLE_NUMBERS 5 /* accepted, recorded, held, queued, active */

struct table_row {
	uint32_t list, cycle;
	uint64_t first_segment, last_segment; /* that speak of it */
	uint64_t archived, quarantined; /* records */
	uint32_t stop; /* Unix time of its end, 0: not yet */
	int64_t said_ns; /* wall time of `said', 0: nothing was said */
	struct segment_account said; /* by the Prober, last */
	/* Sum of what Probers had said that then began anew; `active' are the
	 * addresses that they dropped. */
	struct segment_account before;
	uint32_t *open; /* windows whose file is not closed */
	size_t nopen;
	int ended_now; /* by the plan it is in; not written */
};

struct table {
	uint64_t filed, commit;
	struct table_row *rows;
	size_t n;
};

/* STATE is state/MON/EPOCH.  Absent: empty.  0, or -1 with errno (EBADMSG: it
 * is damaged, *T is empty). */
int table_read(int state, struct table *t);
int table_write(int state, const struct table *t);
void table_copy(struct table *to, const struct table *from);
void table_clear(struct table *t);

/* The row, or NULL.  Good until the next table_add or table_drop. */
struct table_row *
table_find(const struct table *t, uint32_t list, uint32_t cycle);
/* A copy of ROW in the table. */
struct table_row *table_add(struct table *t, const struct table_row *row);
void table_drop(struct table *t, struct table_row *row);

/* Look for the cycle in TABLE_LOG.  1 with *ROW (row->open is the caller's to
 * free), 0, -1 with errno. */
int table_past(int state, uint32_t list, uint32_t cycle, struct table_row *row);

/* Window WINDOW has an open file, or not. */
void table_window(struct table_row *row, uint32_t window, int open);

/* The Prober said A at WALL_NS. */
void table_say(
    struct table_row *row, const struct segment_account *a, int64_t wall_ns);

/* The row as a line, with its newline; the caller frees. */
char *table_row_line(const struct table_row *row);

/* --- journal.c --------------------------------------------------------------
 *
 *	journal 2 COMMIT #check			the commit it is for
 *	absent PATH #check			a target that did not exist
 *	target PATH LENGTH STOP|- #check	one that did
 *	end COUNT #check
 */

/* Write the journal of P for COMMIT.  STATE is state/MON/EPOCH.  0, or -1 with
 * errno. */
int journal_write(int state, const struct archive_plan *p, uint64_t commit);

/*
 * If there is a journal for a commit above COMMIT, the last that was made, undo
 * it; remove it in any case.  Returns 1 if it was undone, 0, or -1 with errno
 * and a reason in *WHY (EBADMSG: the journal itself is damaged).
 */
int journal_recover(int root, int state, uint64_t commit, const char **why);

/* The plan is done and synced: forget it.  0, or -1 with errno. */
int journal_remove(int state);

/* --- feed.c -----------------------------------------------------------------
 *
 *	state/MON/feed		K created|closed|changed PATH #check
 *				K complete LIST CYCLE MON key=... #check
 *	feed/NAME.log		SEQ TIME VERB ... id=MON:K #check
 */

/* Put into plan P what it does to files, numbered from *NEXT on, which moves. */
int feed_plan(struct archive_plan *p, uint64_t *next);
/* Put into plan P that the cycle of ROW is complete. */
int feed_complete(
    struct archive_plan *p, const struct table_row *row, uint64_t *next);

/* The number of the next line of MONITOR's feed.  0 with errno. */
uint64_t feed_next(int root, const char *monitor);

/* Make public what is in MONITOR's feed and is not yet.  COMPRESS: closed files
 * first.  0, or -1 (logged). */
int feed_publish(int root, const char *monitor, int compress);

/* --- sorter.c and plan.c ----------------------------------------------------- */

struct sorter_config {
	int root;
	int64_t grace_s; /* a window's file is closed so long after its end */
	int compress; /* closed files become .gz */
	const char *schedules; /* directory of schedules by monitor, or NULL */
};

/* One epoch of one monitor. */
struct sorter {
	const struct sorter_config *cfg;
	const char *monitor, *epoch; /* epoch in hex */
	const struct schedule *schedule; /* NULL: all lists are taken */
	int incoming, state; /* directories of the epoch */
	struct table table; /* as it is committed */
	uint64_t feed; /* number of the feed's next line */
};

/* What is to be committed next. */
struct plan {
	struct sorter *s;
	struct archive_plan files;
	struct table table; /* as it will be */
	uint64_t feed; /* likewise */
};

/* plan.c: add segment NUMBER to the plan P.  1; 0 when it is not there (or was
 * found damaged and set aside); -1 with errno.  Then P is as it was. */
int plan_segment(struct plan *p, uint64_t number);

/* plan_notes.c: lines of the ledger for what is no segment: NUMBER is refused
 * (1; 0 if it is not; -1), and conflicts of numbers that are filed (how many,
 * -1). */
int plan_refused(struct plan *p, uint64_t number);
int plan_conflicts(struct plan *p);

/* The row of a cycle, brought back or made.  NULL with errno. */
struct table_row *plan_row(struct plan *p, uint32_t list, uint32_t cycle);

/* plan_close.c: close the files whose window is over by the grace time at NOW_S
 * (Unix time).  How many, or -1. */
int plan_due(struct plan *p, int64_t now_s);
/* All that follows from what was added: files of ended cycles are closed, rows
 * that are over leave, the feed.  0 or -1. */
int plan_finish(struct plan *p, int64_t now_s);

/* Log WHAT about segment NUMBER. */
void sorter_warn(const struct sorter *s, uint64_t number, const char *suffix,
    const char *what);

/*
 * File everything that is complete for MONITOR.  Returns 0; -1 when something
 * is left to do (each reason was logged).
 */
int sorter_run(const struct sorter_config *cfg, const char *monitor);

/* --- account.c: for wartsview ------------------------------------------------ */

/* Print to OUT what became of the addresses of a cycle, per monitor and in sum.
 * 0 when all are accounted for, 1 when something is missing (and named), -1
 * with a static reason in *WHY: no such cycle, no archive. */
int account_print(int root, uint32_t list, uint32_t cycle, struct wbuf *out,
    const char **why);

#endif
