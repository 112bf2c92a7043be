/*
 * datasort: file the records of complete segments in the archive.  This is the
 * map of the program.
 *
 *	incoming/MON/EPOCH/N.warts                       archive/LIST/MON/Y/M/D/
 *	      │                                                ▲  quarantine/
 *	      ▼                                                │  ledger
 *	  sorter.c: in number order ──► plan.c ──► journal.c ──► apply (archive.c)
 *
 * A plan is what some segments add to some targets, in memory.  It becomes
 * true in this order, and a kill anywhere leaves it undone or done:
 *
 *	journal		every target with its length, made durable
 *	apply		bytes appended, files and directories fsynced
 *	filed		the commit point: the number, replaced by rename
 *	remove		the incoming files, then the journal
 *
 * At start a journal whose segments are not filed is undone: targets are cut
 * to their former lengths.
 *
 * Everything is below one directory DIR, whose descriptor is `root':
 *
 *	archive/LIST/MON/YEAR/MONTH/DAY/LIST.MON.YYYYMMDD.CYCLE_NN.warts
 *	incoming/MON/EPOCH/N.warts	complete, to be filed
 *	incoming/MON/EPOCH/N.refused	the monitor keeps N in its bad/
 *	incoming/MON/EPOCH/N.damaged	became unreadable here
 *	quarantine/MON/EPOCH.N.warts	records of N without list, or unreadable
 *	state/MON/lock			one sorter per monitor
 *	state/MON/EPOCH/{ledger,filed,journal}
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
 * A file that the plan appends to.  A file of a closed cycle ends with its
 * cycle stop and is read-only; late records go in front of that stop.
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
};

struct archive_plan {
	int root;
	const char *monitor;
	struct archive_target **targets;
	size_t count;
	size_t bytes; /* of all that is to be added */
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

/* The target for records of cycle C that started at START (Unix time).  Made
 * with its list and cycle record if there is no such file.  NULL with errno. */
struct archive_target *archive_target(
    struct archive_plan *p, const struct archive_cycle *c, uint32_t start);

/* The target at PATH (below root), a plain file.  NULL with errno. */
struct archive_target *archive_plain(struct archive_plan *p, const char *path);

/* Cycle C ended at STOP: close all its files, those on disk and those of the
 * plan; if there is none, a file says that the cycle was.  0, or -1. */
int archive_end(
    struct archive_plan *p, const struct archive_cycle *c, uint32_t stop);

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

/* --- journal.c --------------------------------------------------------------
 *
 *	journal 1 FIRST LAST #check		segments of the plan
 *	absent PATH #check			a target that did not exist
 *	target PATH LENGTH STOP|- #check	one that did
 *	end COUNT #check
 */

/* Write the journal for segments FIRST..LAST.  STATE is state/MON/EPOCH.  0,
 * or -1 with errno. */
int journal_write(
    int state, const struct archive_plan *p, uint64_t first, uint64_t last);

/*
 * If there is a journal whose last segment is above FILED, undo it; remove it
 * in any case.  Returns 1 if it was undone, 0, or -1 with errno and a reason in
 * *WHY (EBADMSG: the journal itself is damaged).
 */
int journal_recover(int root, int state, uint64_t filed, const char **why);

/* The plan is done and synced: forget it.  0, or -1 with errno. */
int journal_remove(int state);

/* --- sorter.c and plan.c ----------------------------------------------------- */

/* One epoch of one monitor. */
struct sorter {
	int root;
	const char *monitor, *epoch; /* epoch in hex */
	int incoming, state; /* directories of the epoch */
	uint64_t filed;
};

/* plan.c: add segment NUMBER to the plan P.  1; 0 when it is not there (or was
 * found damaged and set aside); -1 with errno, and the plan is of no use. */
int plan_segment(struct sorter *s, struct archive_plan *p, uint64_t number);

/* Log WHAT about segment NUMBER. */
void sorter_warn(const struct sorter *s, uint64_t number, const char *suffix,
    const char *what);

/*
 * File everything that is complete for MONITOR.  Returns 0; -1 when something
 * is left to do (each reason was logged).
 */
int sorter_run(int root, const char *monitor);

#endif
