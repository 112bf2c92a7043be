/*
 * listmgr: the List Manager, private map.
 *
 *	generator ──pipe──► generator.c ─┐ generator_next(): pulled, a line
 *	generator ──pipe──► generator.c ─┤ at a time, already judged
 *	                                 └─► merge.c ──► feed.c ──► Prober
 *	generator ◄─ ack N ─ generator.c ◄──────────────── acks ◄──┘
 *
 * Everything is pulled by the feed: when the Prober took the last batch, the
 * merge fills the next one from the generators' buffers, and a generator's
 * pipe is read only when its buffer is empty.  So there is no queue that could
 * grow: per generator one buffer, one batch for the Prober, and a slow Prober
 * stops the generators by their pipes.  A Prober on a socket says how many
 * targets it wants (`room'): what was merged is on its way in the order of the
 * weights of then, so little is.
 *
 * One batch is outstanding at a time.  When it is taken, all that was merged
 * so far is taken; with standard output that is the ack.
 */
#ifndef LISTMGR_LISTMGR_H
#define LISTMGR_LISTMGR_H

#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/line.h"
#include "common/schedule.h"

struct generator;
struct work;
struct event_base;

/* --- merge.c: pure -------------------------------------------------------- */

/* The most one call of merge_next_cb gives: an end that was owed and a begin. */
#define MERGE_LINE_MAX (2 * LINE_MAX_COMMAND)
/* Lines of a turn that cost nothing; behind them all cost, so that a
 * generator that writes only begin and end cannot keep the turn. */
#define MERGE_FREE_MAX 16

enum merge_kind {
	MERGE_NONE, /* nothing is ready */
	MERGE_IP, /* costs one of the weight */
	MERGE_FREE, /* begin or end: keeps its place, costs nothing */
};

struct merge_line {
	const char *text; /* with its \n; good until the next call */
	size_t len;
};

/* Take the next line of SOURCE. */
typedef enum merge_kind (*merge_next_cb)(void *source, struct merge_line *out);

struct merge_source {
	void *source;
	uint32_t weight; /* of the ip lines of a round; read at each turn */
};

struct merge {
	struct merge_source *sources; /* n */
	size_t n;
	size_t at; /* whose turn it is */
	uint32_t credit; /* ip lines left in this turn */
	uint32_t free; /* free lines given in this turn */
	int begun; /* credit is valid */
	uint64_t left; /* ip lines that may be given; at first without end */
	merge_next_cb next;
};

/* Sources with their weights; NEXT is asked for each line.  SOURCE is not owned. */
void merge_init(struct merge *m, merge_next_cb next);
void merge_clear(struct merge *m);
void merge_add(struct merge *m, void *source, uint32_t weight);
/* SOURCE must be there. */
void merge_remove(struct merge *m, void *source);
void merge_set_weight(struct merge *m, void *source, uint32_t weight);

/*
 * Fill BUF with whole lines, round by round, until less than MERGE_LINE_MAX
 * of SIZE bytes are left, no source has anything ready, or m->left ip lines, which
 * it counts down, were given.  A round may be interrupted anywhere; the next call
 * goes on where it was.  Returns bytes.
 */
size_t merge_fill(struct merge *m, char *buf, size_t size);

/* --- feed.c: the way to the Prober ---------------------------------------- */

#define FEED_BATCH 16384 /* bytes given to the kernel at once */
#define FEED_FINISH_NS (30 * NS_PER_SEC) /* patience with a stuck Prober */

struct feed;

struct feed_ack {
	uint32_t list, cycle;
	uint64_t n; /* ip lines */
	int end; /* and the end */
};

struct feed_ops {
	/* Connected, or standard output is there. */
	void (*up)(void *arg);
	/* The connection is lost and will be tried again. */
	void (*down)(void *arg);
	/* The Prober accepted A. */
	void (*ack)(void *arg, const struct feed_ack *a);
	/* All is over: after feed_finish(), or standard output has no reader.
	 * CODE to exit with; what went wrong is logged. */
	void (*over)(void *arg, int code);
};

/* ADDRESS as of chan_connect(); NULL: standard output. */
struct feed *feed_new(struct event_base *base, const char *address,
    const struct feed_ops *ops, void *arg);
void feed_free(struct feed *f);

/* How many targets the next batch may have; UINT64_MAX: any number.  0: it is not
 * up, has not taken everything, or has no room. */
uint64_t feed_room(const struct feed *f);
/* Non-zero when nobody else tells what was accepted. */
int feed_acks_itself(const struct feed *f);
/* The next batch, with IPS targets. */
void feed_write(struct feed *f, const char *buf, size_t len, uint64_t ips);

/* Send SIGNO to the Prober, if it is connected by a unix-domain socket. */
void feed_signal(const struct feed *f, int signo);

/* Tell the Prober to finish what it measures and to refuse what is queued. */
void feed_exit(struct feed *f);

/* No more: write what is left, close, ops->over. */
void feed_finish(struct feed *f);

#endif
