/*
 * clock: the only reader of clocks.  A program reads the time once per turn
 * of its loop and passes it down, so that everything below can be tested with
 * a clock of the test's own.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>

#define NS_PER_SEC 1000000000LL
#define NS_PER_MS 1000000LL
#define NS_PER_US 1000LL

/* CLOCK_MONOTONIC in nanoseconds: for durations and deadlines. */
int64_t clock_mono_ns(void);

/* CLOCK_REALTIME in nanoseconds since 1970-01-01 UTC: for records. */
int64_t clock_wall_ns(void);

#endif
