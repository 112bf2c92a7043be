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
 * stops the generators by their pipes.
 *
 * One batch is outstanding at a time.  When it is taken, all that was merged
 * so far is taken; with standard output that is the ack.
 */
#ifndef LISTMGR_LISTMGR_H
#define LISTMGR_LISTMGR_H

#include <stddef.h>
#include <stdint.h>

#include "common/clock.h"
#include "common/cmd.h"
#include "common/line.h"
#include "common/schedule.h"

struct child;
struct event;
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
 * of SIZE bytes are left or no source has anything ready.  A round may be
 * interrupted anywhere; the next call goes on where it was.  Returns bytes.
 */
size_t merge_fill(struct merge *m, char *buf, size_t size);

/* --- generator.c ---------------------------------------------------------- */

#define GENERATOR_BUF_SIZE 65536 /* read ahead of one generator */
#define GENERATOR_KINDS_MAX 32 /* reasons that are counted apart */
#define GENERATOR_STOP_NS (2 * NS_PER_SEC) /* from `stop' to SIGTERM */
#define GENERATOR_KILL_NS (3 * NS_PER_SEC) /* from SIGTERM to SIGKILL */

enum generator_state {
	GENERATOR_IDLE, /* may be started */
	GENERATOR_RUNNING, /* runs, waits for its restart, or is read out */
	GENERATOR_HALTING, /* told to stop, not yet gone */
	GENERATOR_DONE, /* ended for good and read out */
};

struct generator_kind {
	const char *reason;
	uint64_t count;
};

struct generator {
	struct event_base *base;
	uint32_t number;
	char name[CMD_NAME_MAX];
	char **argv, **env; /* own copies, NULL-terminated */
	const char *dir;
	enum generator_state state;
	int removed; /* no longer in the schedule */
	int failed; /* exit 100 */
	struct child *child; /* NULL: no process, none will come */
	struct event *halt_timer;

	/* The stream that is being read, and the one of the next process, if
	 * that was started before this one was read out. */
	int fd_in, fd_out; /* -1: none */
	int next_in, next_out;
	struct event *readable; /* armed while dry */
	int dry; /* the pipe was empty when we looked */
	int dead; /* the process of fd_in is gone */
	struct line_buf in;
	char text[MERGE_LINE_MAX]; /* a line that is not passed as it came */

	/* The position of what was merged, and what is known of it. */
	uint32_t cycle; /* begun last, 0: none */
	int open; /* ... and not ended */
	uint64_t sent; /* number of the last ip merged */
	uint64_t acked;
	uint64_t heard; /* by the Prober, may be ahead of `sent' */
	uint64_t told; /* the ack sent last */
	int end_acked, end_told; /* the same of the end */
	struct generator_kind bad[GENERATOR_KINDS_MAX];
	size_t nbad;
};

/* For one list of the schedule (copied); it is IDLE.  DIR is kept. */
struct generator *generator_new(struct event_base *base,
    const struct schedule_list *l, const char *monitor, const char *dir);
/* Kills the process if there is one. */
void generator_free(struct generator *g);

/* IDLE or DONE -> RUNNING. */
void generator_start(struct generator *g);

/* Send `stop', read no more, and see that it ends.  Becomes HALTING, then
 * IDLE; what was read and not merged is forgotten: it was not acked. */
void generator_halt(struct generator *g);

/* A merge_next_cb. */
enum merge_kind generator_next(void *g, struct merge_line *out);

/* Whether reading could give something at once. */
int generator_ready(const struct generator *g);

/* N ip lines of CYCLE were accepted, and its end if END. */
void generator_acked(struct generator *g, uint32_t cycle, uint64_t n, int end);

/* Non-zero when there is something to tell. */
int generator_has_news(const struct generator *g);

/* Non-zero when all that was merged is accepted. */
int generator_is_taken(const struct generator *g);

/* The Prober is gone.  A generator that is done comes again if targets of it
 * were not accepted; if only its end was not, that is said again. */
void generator_lost(struct generator *g);

/* Tell it what is acked, unless it knows or its pipe is full.  Non-zero when
 * there is something left to tell. */
int generator_tell(struct generator *g);

/* Say how many lines were refused, for those of which there were several, and
 * begin to count anew. */
void generator_report(struct generator *g);

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

/* Non-zero when it is up and took everything: write the next batch. */
int feed_room(const struct feed *f);
/* Non-zero when nobody else tells what was accepted. */
int feed_acks_itself(const struct feed *f);
void feed_write(struct feed *f, const char *buf, size_t len);

/* Tell the Prober to finish what it measures and to refuse what is queued. */
void feed_exit(struct feed *f);

/* No more: write what is left, close, ops->over. */
void feed_finish(struct feed *f);

#endif
