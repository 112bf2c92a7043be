/*
 * trace_rare: what few traces want (conf->rare), at the places of a trace's
 * course where it makes a difference:
 *
 *	start ─┬─► FIRST ──┐             ┌─► BACK ──┐
 *	       ├───────────┴─► TRACE ──┐ │          ├─► done
 *	       └─► FLIGHT ─────────────┴─┴─► PMTUD ─┘
 *
 *	trace_rare.c		which of these has its turn; confidence; back
 *	trace_flight.c		several hops in flight
 *	trace_doubletree.c	doubletree
 *	trace_pmtud.c		path MTU discovery
 *
 * Their state is not in the task, as it is large: struct trace_more and what it
 * points to are memory of technique_extra().
 */
#ifndef PROBER_TRACE_RARE_H
#define PROBER_TRACE_RARE_H

#include "prober/tech/trace.h"

/* The compiler is to keep it out of the way of the others. */
#define RARE __attribute__((cold, noinline))

/* What a trace with conf->rare is at. */
enum trace_phase {
	PHASE_TRACE, /* one hop after the other, as all the others */
	PHASE_FIRST, /* doubletree: where to begin */
	PHASE_BACK, /* doubletree: toward here */
	PHASE_FLIGHT, /* several hops in flight */
	PHASE_PMTUD,
};

struct trace_more {
	uint8_t phase; /* enum trace_phase */
	uint8_t first_ttl; /* the lowest that was probed */
	uint8_t hop_count; /* doubletree: the last ttl, while it goes back */
	uint8_t back_heard; /* doubletree: the ttl at hand has answered */
	uint8_t stop_ttl; /* in flight: whose reply ended it, or 0 */
	uint16_t first_probe; /* replies to earlier ones are not kept */
	struct addr lss_stop, gss_stop;
	struct stopset *lss; /* local stop set, or NULL */
	struct trace_flight *flight;
	struct trace_pmtud *pmtud;
};

/* Take up struct trace_more, and begin; it is NOW. */
RARE void trace_rare_start(struct task *t, struct trace *tr, int64_t now_ns);
/* Probe PR, made for the hop at hand, as the phase wants it. */
RARE void trace_rare_probe(struct task *t, struct trace *tr, struct probe *pr);
/* Each of these returns non-zero when that was all there is to do. */
RARE int trace_rare_sent(struct task *t, struct trace *tr, unsigned int number);
RARE int trace_rare_timeout(struct task *t, struct trace *tr);
/* R answers probe NUMBER; it is not kept yet. */
RARE int trace_rare_takes(struct task *t, struct trace *tr,
    const struct reply *r, unsigned int number);
/* R answers a probe of the hop at hand, and is kept. */
RARE int
trace_rare_reply(struct task *t, struct trace *tr, const struct reply *r);
/* All attempts at the hop at hand are over; it is NOW. */
RARE int trace_rare_next_ttl(struct task *t, struct trace *tr, int64_t now_ns);
/* The trace is over, for a reason that is in TR. */
RARE int trace_rare_finish(struct task *t, struct trace *tr);
/* How many probes the hop at hand gets for conf->confidence. */
RARE unsigned int
trace_rare_attempts(const struct task *t, const struct trace *tr);
/* Has TTL a reply? */
int
trace_rare_replied(const struct task *t, const struct trace *tr, uint8_t ttl);

/* --- trace_doubletree.c ----------------------------------------------------- */

/* Look for the ttl to begin at. */
void trace_dtree_start(struct task *t, struct trace *tr);
/* As trace_rare_reply(). */
int trace_dtree_reply(struct task *t, struct trace *tr, const struct reply *r);
/* Non-zero: now the way back is probed. */
int trace_dtree_back(struct task *t, struct trace *tr, int64_t now_ns);
/* One step back, or the end; it is NOW. */
void trace_dtree_step(struct task *t, struct trace *tr, int64_t now_ns);
/* Does R say that the ttl to begin at, the one at hand, is too far? */
int trace_dtree_too_far(
    const struct task *t, const struct trace *tr, const struct reply *r);
/* It is: begin nearer. */
void trace_dtree_nearer(struct task *t, struct trace *tr, int64_t now_ns);

/* --- trace_flight.c ---------------------------------------------------------- */

/* The first probes; it is NOW. */
void trace_flight_start(struct task *t, struct trace *tr, int64_t now_ns);
/* Make PR one for the ttl that is next, and say which attempt it is. */
void trace_flight_probe(struct task *t, struct trace *tr, struct probe *pr);
/* Probe NUMBER has left. */
void trace_flight_sent(struct task *t, struct trace *tr, unsigned int number);
/* The first of those in flight, or several, are given up. */
void trace_flight_timeout(struct task *t, struct trace *tr);
/* R, kept as H, answers a probe. */
void trace_flight_reply(struct task *t, struct trace *tr, const struct reply *r,
    const struct trace_hop *h);

/* --- trace_pmtud.c ----------------------------------------------------------- */

/* The trace reached something: how large may packets be? */
void trace_pmtud_start(struct task *t, struct trace *tr);
/* Make PR one of the size at hand. */
void trace_pmtud_probe(struct task *t, struct trace *tr, struct probe *pr);
/* The probe at hand was not answered. */
void trace_pmtud_timeout(struct task *t, struct trace *tr);
/* As trace_rare_takes(). */
int trace_pmtud_reply(struct task *t, struct trace *tr, const struct reply *r,
    unsigned int number);
/* The part of the record; NULL if there is none. */
struct warts_pmtud *trace_pmtud_record(const struct trace *tr);

#endif
