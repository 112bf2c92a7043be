/*
 * prober: the map of the program, a section per file.  The other maps:
 * window.h, inbox.h, output.h, polite.h, checkpoint.h, options.h,
 * names.h, source/source.h, tech/technique.h, net/net.h.
 *
 *   sources ─► cmdqueue ───┐                      ┌─► tech/… ─► packet_build ─► tx
 *                          ├─► admit ─► window ───┤                 pacer
 *               hold ◄─────┘     ▲      ▲   ▲     └─► output ─► spool, files
 *                            listcycle  │   └─ timeout
 *                                       └─ packet_parse ◄─ rx
 *
 * Words.  A *command* asks for one address to be measured; a *task* is a
 * command in the Active Window.  Times named now_ns, due_ns are monotonic.
 */
#ifndef PROBER_H
#define PROBER_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/queue.h>

#include "common/addr.h"
#include "common/clock.h"
#include "common/refusal.h"
#include "prober/inbox.h"
#include "prober/net/net.h"
#include "prober/pacer.h"
#include "prober/stats.h"
#include "prober/tech/technique.h"
#include "prober/window.h"

struct event_base;
struct event;
struct prefixset;
struct polite;
struct listcycle;
struct output;
struct source;
struct engine;
struct checkpoint;
struct nameserver;

/* A command as it waits in the queue or on hold. */
struct command {
	struct addr dst;
	struct listcycle *lc;
	struct measurement *m; /* a reference, handed on with the command */
	uint64_t number; /* within the cycle, from 1 */
};

/* --- listcycle.c: the List-Cycle Table ------------------------------------- */

/*
 * One list in one cycle.  At all times
 *	accepted = recorded + sum(refused) + held + queued + active
 * where a task whose record waits for room on the disk counts as active.
 */
struct listcycle {
	TAILQ_ENTRY(listcycle) link;
	uint32_t list, cycle;
	struct measurement *m;
	uint64_t position; /* number of the next `ip' of its stream */
	uint64_t high; /* highest number accepted */
	uint64_t accepted, recorded, refused[REFUSED_N];
	uint64_t held, queued, active;
	int ended; /* `end' was read */
	int out; /* handle of the output */
	/* What is written down, what of that no crash would lose, and what of
	 * that the owner was told. */
	uint64_t logged, durable, acked; /* highest numbers */
	int logged_end, durable_end, acked_end;
	const void *owner; /* the client that sends it, or NULL */
	/* For the checkpoint: its definition; its place in the log; numbers
	 * above `high' that have their record since before a crash, and count
	 * as accepted and recorded. */
	char *name, *descr; /* descr may be NULL */
	uint32_t start, slot;
	uint64_t *ahead;
	size_t nahead;
};

TAILQ_HEAD(listcycle_table, listcycle);

/* A cycle that is over: kept until its owner was told and a later one of its
 * list is over.  An earlier one may be over after it, or at the same tick. */
struct listcycle_past {
	uint32_t list, cycle;
	uint64_t high, position;
	int logged, durable, acked; /* its end */
	const void *owner;
};

struct listcycle_history {
	struct listcycle_past *rows; /* n; few per list */
	size_t n;
};

/* The row, or NULL. */
struct listcycle *
listcycle_find(const struct listcycle_table *t, uint32_t list, uint32_t cycle);
/* A new row with reference M (taken over); NULL: commands bring their own. */
struct listcycle *listcycle_add(struct listcycle_table *t, uint32_t list,
    uint32_t cycle, struct measurement *m);
/* Non-zero when `end' may take effect: nothing queued, held or active. */
int listcycle_is_over(const struct listcycle *lc);
void listcycle_remove(struct listcycle_table *t, struct listcycle *lc);
/* "accepted=… recorded=… refused=… (…) held=… queued=… active=…" */
const char *listcycle_books(const struct listcycle *lc, char *buf, size_t n);
uint64_t listcycle_refused(const struct listcycle *lc);
/* Name, description (may be NULL; both copied) and start: for later starts. */
void listcycle_define(
    struct listcycle *lc, const char *name, const char *descr, uint32_t start);
/* Was number N, above lc->high, recorded before a crash? */
int listcycle_is_ahead(const struct listcycle *lc, uint64_t n);
void listcycle_add_ahead(struct listcycle *lc, uint64_t n);

/* LC is over: now it is in the history, and what is needless there is not. */
void
listcycle_to_history(struct listcycle_history *h, const struct listcycle *lc);
/* The row for these numbers, with nothing in it; or as it is, or NULL. */
struct listcycle_past *
listcycle_past_add(struct listcycle_history *h, uint32_t list, uint32_t cycle);
struct listcycle_past *listcycle_past_find(
    const struct listcycle_history *h, uint32_t list, uint32_t cycle);
void listcycle_history_clear(struct listcycle_history *h);
/* All that was accepted and ended up to now is written down.  What was when this
 * was said last is durable, and may be acknowledged. */
void listcycle_logged(struct listcycle_table *t, struct listcycle_history *h);
void listcycle_durable(struct listcycle_table *t, struct listcycle_history *h);

/* --- cmdqueue.c: the Command Queue --------------------------------------------- */

/* A bounded FIFO of commands.  Sources read no further while it is full. */
struct cmdqueue {
	struct command *ring;
	uint32_t size, head, count; /* size: a power of two */
	uint32_t limit; /* full when so many wait */
};

void cmdqueue_init(struct cmdqueue *q, uint32_t size); /* power of two */
void cmdqueue_clear(struct cmdqueue *q); /* drops references */
/* 0, or -1 when full. */
int cmdqueue_put(struct cmdqueue *q, const struct command *c);
/* The same, but never full: for what a process before this one accepted. */
void cmdqueue_restore(struct cmdqueue *q, const struct command *c);
/* Number I (from 0, the oldest) of those that wait. */
const struct command *cmdqueue_at(const struct cmdqueue *q, uint32_t i);
/* 0 and the oldest in *OUT, or -1 when empty. */
int cmdqueue_take(struct cmdqueue *q, struct command *out);

/* --- hold.c: the Hold List -------------------------------------------------------- */

#define HOLD_MAX (1u << 20) /* commands; the queue waits beyond that */

struct hold;

struct hold *hold_new(int64_t period_ns);
void hold_free(struct hold *h); /* drops references */
size_t hold_count(const struct hold *h); /* commands */
/* Is a command for A on hold? */
int hold_has(const struct hold *h, const struct addr *a);
/* Put C on hold until max(now, latest hold of its address) + period. */
void hold_add(struct hold *h, const struct command *c, int64_t now_ns);
/* The same until DUE, or until the latest of its address. */
void hold_until(struct hold *h, const struct command *c, int64_t due_ns);
/* Number I (from 0) of those on hold, in no order. */
const struct command *hold_at(const struct hold *h, size_t i);
/* When the first is due; INT64_MAX when there is none. */
int64_t hold_due(const struct hold *h);
/* Take the first if it is due: 0, else -1.  Equal times: first come. */
int hold_take(struct hold *h, int64_t now_ns, struct command *out);

/* --- admit.c: from commands to tasks ------------------------------------------------ */

struct admit {
	struct cmdqueue queue;
	struct hold *hold;
	struct window *window;
	struct link *link;
	struct prefixset *dnp; /* may be NULL */
	struct polite *polite; /* NULL: no limits but the rate */
	struct listcycle_table table;
	struct listcycle_history history;
	struct checkpoint *checkpoint; /* NULL: none is kept */
	int closed; /* `exit' came: nothing from the queue any more */
	/* The network is gone: no more before this; when it was gone last, as
	 * far as was asked; when that was asked; whether it was ever there. */
	int64_t pause_ns, gone_ns, asked_ns;
	int had_way;
	/* Commands that wait in queues of their sources' own (control): there
	 * is something to be had although the queue is empty. */
	int waiting;
	/* Refused since the engine set it to 0, that are to cost a credit. */
	uint32_t unstarted;
	/* C is to be refused.  Non-zero: the called has taken it over.  NULL:
	 * nobody wants to know. */
	int (*refused)(void *arg, const struct command *c, enum refusal why);
	void *refused_arg;
};

/* The next task, not started; NULL when there is none to be had now, or when one
 * was refused that costs a credit, see `unstarted'.  Looks at
 * the Hold List's first, then at the queue; refuses what must not be probed.
 * Looks at no more than *BUDGET commands, and counts it down. */
struct task *admit_next(struct admit *a, int64_t now_ns, uint32_t *budget);
/* When there may be something to admit: 0 now, INT64_MAX not until told. */
int64_t admit_due(const struct admit *a);
/* `exit': drop the queue, counted as refused. */
void admit_close(struct admit *a);
/* `exit now', a signal: take nothing more; the checkpoint has the queue, or it
 * is dropped as by admit_close(). */
void admit_stop(struct admit *a);
/* Accept a command into the queue: 0, or -1 when it is full. */
int admit_put(struct admit *a, const struct command *c);

/* --- engine.c: the loop turn ----------------------------------------------------------- */

#define ENGINE_BATCH 32 /* frames built before they are sent */

/* Frames built and not yet taken by the kernel: [first, count). */
struct batch {
	struct tx_frame frames[ENGINE_BATCH];
	struct {
		struct task *task;
		uint32_t id; /* of the probe, the technique's own */
	} owner[ENGINE_BATCH];
	uint8_t *bytes; /* PROBE_SIZE_MAX for each */
	uint8_t *large; /* a packet beyond that, or NULL */
	int first, count;
	int64_t retry_ns; /* no room in the kernel: not before */
};

struct engine {
	struct event_base *base;
	struct event *timer, *rx_event, *link_event;
	struct admit admit;
	struct window window;
	struct pacer pacer;
	struct link *link;
	struct tx *tx;
	struct rx *rx;
	struct output *out;
	struct polite *polite; /* NULL: none */
	struct nameserver *nameserver; /* who is asked for names */
	struct task *(*take)(struct window *w); /* the next to send for */
	struct stats stats;
	struct inbox inbox;
	struct batch batch;
	int64_t now_ns, tick_ns;
	int64_t looked_ns; /* when losses of the ring were looked for */
	int64_t lossy_from_ns, lossy_to_ns; /* when replies were lost last */
	/* That have been logged: */
	uint64_t told_drops, told_refused, told_waits, told_errors;
	int full; /* no room on the disk */
	int64_t told_full_ns; /* when that was logged */
	int disk_busy; /* it is to be looked at soon */
	int rx_watched; /* rx_event is added */
	int64_t looped_ns; /* when the loop saw to other things last */
	int64_t expired_ns, expire_rest_ns; /* last time; pause between times */
	int stopping; /* engine_stop() */
	struct source *source; /* where commands come from */
	uint32_t wanted; /* new tasks that this turn has credits for */
	const char *status; /* file for the books, or NULL */
};

/* --- expire.c: silence ------------------------------------------------------- */

/* The pacer is set: how often silence is concluded. */
void expire_start(struct engine *e);
/* When that is to be done next. */
int64_t expire_due(const struct engine *e);
/* Tell the tasks whose time is up, a bounded number: timeout, or again. */
void expire_run(struct engine *e);
/* Replies are being lost here. */
void expire_note_loss(struct engine *e);
/* Ask the kernel how many replies it had no room for. */
void expire_look_for_losses(struct engine *e);

/* --- finish.c: ends that no technique comes to -------------------------------- */

/* End task T now, as its client wishes: it has a record that says so. */
void finish_halted(struct task *t);
/* C (its reference taken over), which will not be probed, has a record too: as
 * halted, or with ERR (an errno) if that is not 0. */
void finish_unstarted(struct engine *e, const struct command *c, int err);
/* Put into REC, which its technique filled, the stop reason TRACE or PING. */
void finish_mark(struct technique_record *rec, enum warts_trace_stop trace,
    enum warts_ping_stop ping);

/* --- partial.c: results of what is still in progress --------------------------- */

/* T, of a measurement with `partial', has sent the probe with this id. */
void partial_sent(struct engine *e, struct task *t, uint32_t id);

/* --- transmit.c: probes out --------------------------------------------------------- */

/* Send CREDITS packets at most: those that were refused before, then new ones of
 * the tasks that wait longest. */
void transmit(struct engine *e, uint32_t credits);

/* --- engine.c goes on */

/* The caller has set base, link, tx, rx, out, the sources, and has made window,
 * pacer and admit.  The loop of `base' runs until all is done. */
void engine_start(struct engine *e);
/* End the cycles that are over now, and not at the next tick. */
void engine_end_cycles(struct engine *e);
/* Something changed from outside (new commands, exit): run a turn soon. */
void engine_kick(struct engine *e);
/* 1: nothing more from the queue, finish active and held.  2: drop all. */
void engine_stop(struct engine *e, int how);
void engine_clear(struct engine *e);

#endif
