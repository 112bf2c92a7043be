/*
 * stats: what happened, for the terminal and for a file.
 */
#ifndef PROBER_STATS_H
#define PROBER_STATS_H

#include <stdint.h>

struct listcycle;
struct listcycle_table;

#define STATS_ENDED 16
#define STATS_LINE 256

struct stats {
	uint64_t sent, received, unmatched, recorded;
	uint64_t tx_refused, tx_errors, tx_waits; /* frames */
	int tx_error; /* the last errno among tx_errors */
	uint64_t ring_drops;
	uint64_t polite_waits; /* packets that waited for their budget */
	int stopped; /* nothing may be sent now */
	uint64_t no_room; /* times that the disk had records wait */
	uint64_t names_left; /* that were not asked for: too many */
	uint64_t turns;
	uint64_t cycles_ended;
	char ended[STATS_ENDED]
		  [STATS_LINE]; /* books of the last ones, a ring */
	int64_t start_ns, shown_ns;
	uint64_t shown_sent;
	int progress; /* show a line on the terminal */
	uint64_t total; /* addresses asked, 0 if not known */
};

/* "done/total, packets/s, time left" on standard error, at most twice a
 * second; nothing unless s->progress. */
void stats_progress(struct stats *s, int64_t now_ns);
/* LC has ended: keep its final books for stats_write(). */
void stats_ended(struct stats *s, const struct listcycle *lc);
/* Wipe the line out. */
void stats_progress_end(struct stats *s);
/* All counters, the books, and those of the last cycles that ended, to PATH,
 * replaced atomically. */
void stats_write(
    const struct stats *s, const struct listcycle_table *t, const char *path);

#endif
