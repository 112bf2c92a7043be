/*
 * polite: what may be sent at most, whatever the commands ask for: in all, to
 * one address, to one prefix; never to a floor of prefixes; and nothing at all
 * when told to stop, or when nobody has said for too long that it may go on.
 * The command line says what is allowed, a file of limits can only lower it.
 *
 *	polite.c		budgets: who may send when
 *	polite_limits.c		the file of limits, dead-man, stop
 *
 * Where it takes hold, and nowhere else:
 *
 *	queue ─► admit ─────────► ready ─► polite_take ─► frame
 *	          │    ▲            ▲          │ over its budget
 *	          ▼    │ due        │ due      ▼
 *	          Hold List         └──── TASK_POLITE, heap by due time
 *
 * A task over its budget waits beside the window's lists, so that it takes no
 * credit from others; when a prefix has a second's worth of packets waiting, its
 * next commands go to the Hold List instead of the window.  While stopped
 * nothing is admitted and nothing sent; replies and silence are still noted, so
 * that nothing is lost.
 *
 * A budget of R packets/s is a packet each 1/R seconds, of which POLITE_SLACK_NS
 * may be made good: in any W seconds no more than R * (W + slack) + 1.
 */
#ifndef PROBER_POLITE_H
#define PROBER_POLITE_H

#include <stdint.h>

#include "common/addr.h"
#include "common/clock.h"

struct engine;
struct task;
struct window;
struct polite;

#define POLITE_SLACK_NS (10 * NS_PER_MS)
#define POLITE_AHEAD_NS NS_PER_SEC /* waiting for a prefix: then hold */
#define POLITE_PPS_MAX 10000000

/* 0: no limit. */
struct polite_rates {
	uint32_t pps; /* in all, packets/s */
	uint32_t address_pps, prefix_pps; /* to one address, to one prefix */
	int64_t dead_man_ns; /* limits older than this: stop */
};

struct polite_config {
	struct polite_rates rates; /* of the command line */
	uint8_t prefix_len[2]; /* of an IPv4 and an IPv6 prefix, from 1 on */
	const char *limits; /* path of the file, NULL: none */
	const char *stop_file; /* while it exists: stop; NULL: none */
	const char *floor; /* file of prefixes never probed, NULL: none */
};

/* CFG's strings are borrowed.  NULL when the files of limits or of the floor
 * cannot be used, which has been logged. */
struct polite *polite_new(const struct polite_config *cfg, int64_t wall_ns);
void polite_free(struct polite *p);

/*
 * Look at the files: about once a second, and when told to.  A file that cannot
 * be used leaves what is in force, and is reported once.  Non-zero
 * when something has changed; that sending stops or goes on is logged.
 */
int polite_look(struct polite *p, int64_t wall_ns);

/* NULL: go on.  Else why nothing may be sent.  P may be NULL: no limits. */
const char *polite_stopped(const struct polite *p);

/* Packets/s in all, 0: no limit. */
uint32_t polite_pps(const struct polite *p);

/* Must A never be probed? */
int polite_refuses(const struct polite *p, const struct addr *a);

/* May a new task for A begin?  0, or when to ask again. */
int64_t polite_admit(struct polite *p, const struct addr *a, int64_t now_ns);

/* May a packet go to A now?  0, and it is counted; or when to ask again. */
int64_t polite_claim(struct polite *p, const struct addr *a, int64_t now_ns);

/* As window_take_ready(), for a task whose packet may go now; W->polite is
 * set.  Those before it that must wait are put aside, and those to a prefix that
 * has come to the floor since they began have failed (EACCES). */
struct task *polite_take(struct window *w);

/* Those put aside whose time has come are ready again. */
void polite_wake(struct polite *p, int64_t now_ns);

/* When the next one's time comes; INT64_MAX if none waits.  P may be NULL. */
int64_t polite_due(const struct polite *p);

/* For the engine's turn: of CREDITS packets, what may be sent now. */
uint32_t polite_credits(struct engine *e, uint32_t credits);

/* The same, about once a second and when told to: look, and set the rate. */
void polite_tick(struct engine *e);

#endif
