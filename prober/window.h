/*
 * window: the Active Window (window.c) and the deadlines of the tasks in it
 * (timeout.c).
 *
 * A task is in at most one fifo: of those that want a credit, of a class of
 * deadlines, of those that are done.
 */
#ifndef PROBER_WINDOW_H
#define PROBER_WINDOW_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/addr.h"
#include "prober/fifo.h"
#include "prober/net/net.h"
#include "prober/pool.h"
#include "prober/tech/technique.h"

struct command;
struct listcycle;

/* --- a task ------------------------------------------------------------------ */

enum task_where {
	TASK_IDLE, /* between two calls of its technique */
	TASK_READY, /* in window.ready: wants a credit */
	TASK_SENDING, /* its frame waits in the transmit queue */
	TASK_WAITING, /* in a timeout class */
	TASK_POLITE, /* in polite's heap: its budget is used up until due_ns */
	TASK_PUT_OFF, /* in a timeout class: its frame could not leave */
	/* From here on its measurement is over: */
	TASK_DONE, /* in window.done: its record is to be written */
	TASK_NAMING, /* in window.naming: its record waits for names */
};

struct polite;
struct names;
struct naming;

/* With the state of a trace these are three cache lines. */
struct task {
	struct window *win;
	struct measurement *m;
	struct listcycle *lc;
	struct link_path *path;
	uint32_t id; /* in window.tasks */
	uint32_t block; /* the latest of its blocks, in window.blocks, or 0 */
	uint64_t number; /* of its command */
	union {
		int64_t due_ns; /* TASK_WAITING, TASK_POLITE, TASK_PUT_OFF */
		struct naming *naming; /* TASK_NAMING */
	};
	uint32_t at; /* in the fifo that `where' names */
	struct addr dst;
	uint8_t where; /* enum task_where */
	uint8_t timeout : 5; /* index of the class */
	uint8_t put_offs : 3; /* times in a row that it could not leave */
	uint8_t epoch : 7; /* of the routes when its path was looked up */
	uint8_t halted : 1; /* ended by who asked for it */
	max_align_t state[];
};

_Static_assert(sizeof(struct task) == 80, "three cache lines with 112 bytes");

/* --- timeout.c: deadlines as FIFOs of equal duration --------------------------- */

#define TIMEOUT_CLASSES 32

struct timeout {
	const struct pool *tasks;
	struct {
		int64_t ns;
		int64_t last_ns; /* latest deadline given out */
		struct fifo fifo;
	} classes[TIMEOUT_CLASSES];
	int n;
};

/* TASKS: those that may be added, by their ids. */
void timeout_init(struct timeout *to, const struct pool *tasks);
void timeout_clear(struct timeout *to);
/* T is due at NOW + WAIT (rounded up to a class when there are too many). */
void timeout_add(
    struct timeout *to, struct task *t, int64_t now_ns, int64_t wait_ns);
void timeout_remove(struct timeout *to, struct task *t);
/* How long T, which is in a class, waits in all. */
int64_t timeout_ns(const struct timeout *to, const struct task *t);
/* The earliest deadline; INT64_MAX when there is none. */
int64_t timeout_due(const struct timeout *to);
/* A task whose deadline has come, removed; NULL if none. */
struct task *timeout_pop(struct timeout *to, int64_t now_ns);

/* --- window.c: the index and the memory -------------------------------------- */

/* Of the index: a task, and the low bits of its address's hash. */
struct window_slot {
	uint32_t hash;
	uint32_t id; /* 0: free */
};

struct window {
	struct window_slot *slots; /* open addressing, keyed by address */
	uint32_t nslots, count;
	uint32_t max; /* tasks at a time, 0: no limit */
	struct pool tasks;
	struct pool blocks; /* a technique's extra memory */
	struct fifo ready, done;
	struct timeout timeout;
	int64_t now_ns; /* of this turn */
	struct polite *polite; /* NULL: no budgets */
	/* Of naming.c: names (NULL: there are none to be had), who waits. */
	struct names *names;
	TAILQ_HEAD(, naming) naming;
	int large_pages; /* for few tasks as well, where speed matters more */
};

void window_init(struct window *w, uint32_t max); /* MAX tasks */
void window_clear(struct window *w);
int window_full(const struct window *w); /* boolean */
/* The task that probes DST, or NULL. */
struct task *window_find(const struct window *w, const struct addr *dst);
/* The same in steps, for many addresses at a time, so that their cache misses
 * overlap: 1 where DST would be in the index; returns the hash for 2 and 3. */
uint32_t window_prefetch(const struct window *w, const struct addr *dst);
/* 2 the task; NULL when DST is not in the window. */
struct task *window_prefetch_hash(const struct window *w, uint32_t hash);
/* 3 find it. */
struct task *
window_find_hash(const struct window *w, const struct addr *dst, uint32_t hash);
/* T will be wanted soon. */
void window_prefetch_task(const struct task *t);
/* A new task for C (its reference taken over), not yet started. */
struct task *
window_add(struct window *w, const struct command *c, struct link_path *path);
/* Call CB for each task. */
void window_each(const struct window *w,
    void (*cb)(void *arg, const struct task *t), void *arg);
/* Forget T, which is in no list. */
void window_remove(struct window *w, struct task *t);
/* The task that waits longest for a credit, removed from the list; or NULL. */
struct task *window_take_ready(struct window *w);
/* The next N that will be taken: fetch them. */
void window_prefetch_ready(const struct window *w, uint32_t n);
/* How many wait for a credit. */
uint32_t window_ready(const struct window *w);
/* The task that is done first and stays in the list; NULL if none. */
struct task *window_first_done(const struct window *w);
/* T, which is done, has its record: forget it. */
void window_end(struct window *w, struct task *t);
/* Free what technique_scratch() gave since the last call. */
void window_scratch_reset(void);

#endif
