/*
 * generator: one List Generator: its process, its stream, what it is told, and
 * how it behaves.  Part of the map in listmgr.h.
 *
 *	generator.c		the process, its user and directory
 *	generator_read.c	from its pipe to lines that are judged
 *	generator_tell.c	acks and orders to its standard input
 *	generator_due.c		new cycles that it owes
 *	bucket.c		rates
 *	generator_watch.c	whether it hangs, or forks without end
 *	conduct.c		how much it may do, and how long it is held
 *	crowd.c			how many processes there are
 *	voice.c			its standard error
 */
#ifndef LISTMGR_GENERATOR_H
#define LISTMGR_GENERATOR_H

#include <stddef.h>
#include <stdint.h>

#include "common/child_jail.h"
#include "common/clock.h"
#include "common/cmd.h"
#include "common/line.h"
#include "common/schedule.h"
#include "listmgr/listmgr.h"

struct child;
struct event;
struct event_base;

/* --- bucket.c: pure ------------------------------------------------------- */

/* So much per second, and so much at once. */
struct bucket {
	uint32_t rate; /* per second; 0: no limit */
	uint32_t burst;
	int64_t level; /* x 1e9; below 0: overdrawn */
	int64_t last_ns; /* of LEVEL; 0: never used, full */
};

/* Set what may be changed at any time: N a second, BURST at once. */
void bucket_set(struct bucket *b, uint32_t rate, uint32_t burst);
/* Take N, which may overdraw it. */
void bucket_take(struct bucket *b, uint32_t n, int64_t now_ns);
/* Nanoseconds until there is one; 0: there is. */
int64_t bucket_wait(struct bucket *b, int64_t now_ns);

/* --- conduct.c: pure ------------------------------------------------------ */

/* How a generator behaves, and how long it is held for it. */
struct conduct {
	struct bucket targets; /* the rate of the schedule */
	struct bucket begins; /* each costs the Prober a cycle */
	struct bucket bad; /* lines refused */
	int64_t held_ns; /* not read until then; 0: never held */
	int64_t pause_ns; /* how long it was held last */
};

/* RATE targets a second, 0: no limit. */
void conduct_init(struct conduct *c, uint32_t rate);
void conduct_set_rate(struct conduct *c, uint32_t rate);
/* Non-zero while it is held for bad lines. */
int conduct_is_held(const struct conduct *c, int64_t now_ns);
/* Nanoseconds until its next line may be taken; 0: now. */
int64_t conduct_wait(struct conduct *c, int64_t now_ns);
/* It did what costs N of the patience with it.  Returns 0, or for how long it
 * is held now: 1 s, then twice the last, at most 60 s; a minute without a
 * hold forgets. */
int64_t conduct_bad(struct conduct *c, uint32_t n, int64_t now_ns);

/* Hold it, as above, for something else.  Returns for how long. */
int64_t conduct_hold(struct conduct *c, int64_t now_ns);
/* One more look, a second behind the last one, at what IS_SO or is not: has it
 * been so at LIMIT of them in a row?  SCHEDULE_NEVER: no.  *LOOKS counts. */
int conduct_looks(uint32_t *looks, int is_so, uint32_t limit);

/* --- crowd.c: processes of each user ---------------------------------------- */

/* Add to COUNTS[0..N) how many processes and threads the users FIRST... have now.
 * 0, or -1: /proc cannot be read. */
int crowd_count(uid_t first, uint32_t *counts, size_t n);

/* --- voice.c: the standard error of a generator --------------------------- */

struct voice;

/* Log what is said as of WHO (kept), a few lines a second; who says more waits
 * for its pipe.  NULL if there is no pipe to be had. */
struct voice *voice_new(struct event_base *base, const char *who);
void voice_free(struct voice *v);
/* Non-zero when it has said more than is logged. */
int voice_is_loud(const struct voice *v);
/* Log now what has been said, as far as the patience goes. */
void voice_flush(struct voice *v);
/* The end to give to a child. */
int voice_fd(const struct voice *v);

/* --- generator.c, generator_read.c, generator_tell.c ---------------------- */

#define GENERATOR_BUF_SIZE 65536 /* read ahead of one generator */
#define GENERATOR_KINDS_MAX 32 /* reasons that are counted apart */
#define GENERATOR_STOP_NS (2 * NS_PER_SEC) /* from `stop' to SIGTERM */
#define GENERATOR_KILL_NS (3 * NS_PER_SEC) /* from SIGTERM to SIGKILL */
#define GENERATOR_LINGER_NS (10 * NS_PER_SEC) /* without a standard output */
#define GENERATOR_DEATHS 5 /* remembered */
#define GENERATOR_TROUBLE_NS (600 * NS_PER_SEC) /* how long it is told */
/* Where the schedule says nothing. */
#define GENERATOR_QUIET_S 300
#define GENERATOR_CROWDED_S 30
#define GENERATOR_CROWD_MIN 16 /* fewer may be what it needs */

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

struct generator;

/* What all generators have in common. */
struct generator_host {
	struct event_base *base;
	const char *dir; /* working directory; NULL: ours */
	char monitor[CMD_NAME_MAX];
	uint32_t first_uid; /* users of their own from here on; 0: ours */
	int own_dirs; /* each has a directory of its own below DIR */
	int no_network;
	int64_t now_ns; /* of this turn */
	/* G begins another cycle than before; called before that is passed on.
	 * May be NULL. */
	void (*begun)(void *arg, const struct generator *g);
	void *begun_arg;
};

/* A list and what its generator is run with. */
struct work {
	const struct schedule_list *list;
	uint32_t weight; /* may be another schedule's than the rest */
	const struct schedule *schedule; /* files and code of the list */
	const char *code; /* where the schedule's code is; NULL: nowhere */
};

/* A new cycle that its process was told to begin, and has not.  Places are
 * bytes of its stream. */
struct generator_order {
	uint64_t said; /* bytes that it was told, with this */
	uint64_t told_at; /* written before that */
	uint64_t unread_at; /* written before it had read it, as far as known */
	int read; /* by now it has */
	uint32_t passed; /* cycles it began before that */
	int later; /* it was started when that was due already */
};

struct generator {
	const struct generator_host *host;
	uint32_t number;
	char name[CMD_NAME_MAX];
	char *who; /* "list N (NAME)" */
	char **argv, **env; /* own copies, NULL-terminated */
	char *dir; /* NULL: ours */
	char *code; /* hash of the centre's program, or "" */
	struct child_jail jail;
	uint32_t max_line;
	uint64_t max_targets; /* of a cycle; 0: any number */
	uint32_t quiet_s, crowded_s; /* SCHEDULE_NEVER: for ever */
	enum generator_state state;
	int removed; /* no longer in the schedule */
	int failed; /* exit 100 */
	struct child *child; /* NULL: no process, none will come */
	struct voice *voice;
	struct event *halt_timer;
	struct conduct conduct;

	/* The stream that is being read, and the one of the next process, if
	 * that was started before this one was read out. */
	int fd_in, fd_out; /* -1: none */
	int next_in, next_out;
	int64_t stream_ns, next_ns; /* started_ns of their processes; 0: none */
	uint64_t nread, said; /* bytes from and to the process we read */
	uint64_t line_at; /* where the line that is judged was, of NREAD */
	struct event *readable; /* armed while dry */
	int dry; /* the pipe was empty when we looked */
	int dead; /* the process of fd_in is gone */
	int64_t closed_ns; /* its end was read and it lives on; 0: no */
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

	char **orders; /* norders lines it is still to be told */
	size_t norders;

	/* New cycles that it owes: ntold orders that the process we read was
	 * given, and one that it was not.  A process that comes owes one. */
	uint32_t due;
	uint32_t untold; /* 0 or 1 */
	struct generator_order *told_due;
	size_t ntold;
	uint32_t after; /* only another cycle can pay; 0: not known which */
	uint32_t begun; /* the cycle that it began last, of any process */
	int64_t due_ns; /* started_ns when the last of them was asked for */

	/* For those who ask how it does. */
	uint64_t targets; /* merged, of all cycles */
	uint64_t refused; /* lines */
	int64_t started_ns; /* the last process; 0: none yet */
	int64_t valid_ns; /* when its last good line was merged; 0: none */
	int64_t deaths_ns[GENERATOR_DEATHS]; /* the latest, a ring */
	uint64_t ndeaths;
	char trouble[96]; /* the last; "" none */
	int64_t trouble_ns; /* and when that was */
	uint32_t quiet, crowded; /* looks in a row that found it so */
	int64_t stopped_ns; /* last stopped because of that; 0: never */
	int loud; /* that it says too much was told */
};

/* For W (copied); it is IDLE.  HOST is kept. */
struct generator *
generator_new(const struct generator_host *host, const struct work *w);
/* Kills the process if there is one. */
void generator_free(struct generator *g);

/* Non-zero when W would be run just as G is. */
int generator_same(const struct generator *g, const struct work *w);
/* Take from W what can be changed while it runs: rate, line. */
void generator_limit(struct generator *g, const struct work *w);

/* IDLE or DONE -> RUNNING. */
void generator_start(struct generator *g);

/* Send `stop', read no more, and see that it ends.  Becomes HALTING, then
 * IDLE; what was read and not merged is forgotten: it was not acked. */
void generator_halt(struct generator *g);

/* It has misbehaved: what the centre is told of it for a while. */
void generator_trouble(struct generator *g, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Non-zero when it has misbehaved of late. */
int generator_is_troubled(const struct generator *g);

/* The same, of a process that did not end by itself as it should: it counts as a
 * death. */
void generator_note_death(struct generator *g, const char *how);

/* --- generator_watch.c: what only time tells */

/* At each turn: one that has closed its output and lives on. */
void generator_look(struct generator *g);

/* Once a second: one that says nothing in an open cycle, one that says too much
 * on its standard error, and one that has COUNT processes; -1: nobody knows how
 * many.  What must be is stopped, and held. */
void generator_watch(struct generator *g, int64_t count);

/* --- generator_read.c: its stream */

/* A merge_next_cb. */
enum merge_kind generator_next(void *g, struct merge_line *out);

/* Whether reading could give something at once. */
int generator_ready(const struct generator *g);

/* Nanoseconds until it may be looked at again; 0: it may, or is not read. */
int64_t generator_wait(struct generator *g);

/* Read from FD_IN from now on, and speak to FD_OUT; both become G's. */
void generator_attach(struct generator *g, int fd_in, int fd_out);
void generator_detach(struct generator *g);

/* Say how many lines were refused, for those of which there were several, and
 * begin to count anew. */
void generator_report(struct generator *g);

/* --- generator_tell.c: what it is told */

/* N ip lines of CYCLE were accepted, and its end if END. */
void generator_acked(struct generator *g, uint32_t cycle, uint64_t n, int end);

/* Non-zero when there is something to tell. */
int generator_has_news(const struct generator *g);

/* Non-zero when all that was merged is accepted. */
int generator_is_taken(const struct generator *g);

/* The Prober is gone.  A generator that is done comes again if targets of it
 * were not accepted; if only its end was not, that is said again. */
void generator_lost(struct generator *g);

/* The N files NAMES of it have changed, and the greatest directive of them is
 * WHAT: do that. */
void generator_changed(struct generator *g, enum schedule_change what,
    const char *const *names, size_t n);

/* Tell it what is acked, unless it knows or its pipe is full, and what else it
 * is to be told.  Non-zero when there is something left to tell. */
int generator_tell(struct generator *g);

/* Say TEXT at once; -1 when its pipe is full. */
int generator_say(struct generator *g, const char *text);

/* --- generator_due.c: new cycles that it owes */

/*
 * It is to begin a new cycle, another than AFTER (0: it is not known which one it
 * is in).  The process that runs is told `new-cycle'; one that was started later
 * `new-cycle AFTER', which it passes over when it has begun a later one: so it is
 * done once, whoever has died when.
 */
void generator_due(struct generator *g, uint32_t after);
/* It owes none any more. */
void generator_due_none(struct generator *g);

/* Tell it, if there is something that its process was not told.  -1: its pipe is
 * full. */
int generator_due_tell(struct generator *g);
/* Another process is read, and heard, from now on. */
void generator_due_attached(struct generator *g);
/* See how far it has read what it was told: now and then, and before more of its
 * output is read. */
void generator_due_look(struct generator *g);

/* A cycle begins, on the line at g->line_at: is it what was due? */
void generator_begins(struct generator *g, uint32_t cycle);

#endif
