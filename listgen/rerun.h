/*
 * rerun: which destinations of a cycle of traces are worth another look, seen
 * beside the cycle before it.
 *
 *	before: (monitor, destination) ──► hash of the path     a hash table
 *	now:    destination, classes     in order of appearance  an array
 *
 * Classes, of which a destination may have several; it is given out once, in
 * the first of those asked for that it has:
 *
 *	changed		other routers on the path than before: at a distance
 *			where one answered, another did, or none
 *	unreachable	the trace did not reach the destination
 *	new		the cycle before has no trace to it from this monitor
 *	rest		none of these
 *
 * A silent hop is no router, and the destination's own answer does not belong
 * to the path.  Paths are compared by 64-bit hashes.  About 60 bytes are kept
 * for a destination, and no more than a maximum of them.
 */
#ifndef LISTGEN_RERUN_H
#define LISTGEN_RERUN_H

#include <stddef.h>
#include <stdint.h>

#include "common/warts/warts.h"

enum rerun_class {
	RERUN_CHANGED,
	RERUN_UNREACHABLE,
	RERUN_NEW,
	RERUN_REST,
	RERUN_CLASSES,
};

/* The classes that are given out, in this order. */
struct rerun_order {
	uint8_t classes[RERUN_CLASSES]; /* enum rerun_class, n of them */
	int n;
};

struct rerun;

/* At most MAX destinations of each cycle. */
struct rerun *rerun_new(uint32_t max);
void rerun_free(struct rerun *r);

/* A trace of the cycle before, or of the one looked at, by the monitor of that
 * NAME; all of the former come first. */
void
rerun_before(struct rerun *r, const char *name, const struct warts_trace *t);
void rerun_now(struct rerun *r, const char *name, const struct warts_trace *t);

/* Traces that were passed over since the maximum was reached. */
uint64_t rerun_dropped(const struct rerun *r);

/* Begin with the first destination of ORDER, which is copied. */
void rerun_rewind(struct rerun *r, const struct rerun_order *order);

/* The next destination; NULL at the end. */
const struct addr *rerun_next(struct rerun *r);

/* The class for which the last one was given out, and the word of a class. */
enum rerun_class rerun_class_of_last(const struct rerun *r);
const char *rerun_class_name(enum rerun_class class);

/* "changed,new": NULL with *OUT, or a static reason. */
const char *rerun_order_scan(const char *text, struct rerun_order *out);

#endif
