/*
 * show/summary: what is in a set of warts files, on one screen.
 *
 *	files         2
 *	records       7: 2 list, 2 cycle start, 2 trace, 1 ping
 *	damage        none
 *	time          2026-11-21 16:47:55 to 2026-11-21 16:50:53 UTC
 *	monitors      mon.example.net
 *	lists         demo (7)
 *	cycles        demo (7) cycle 3: 2026-11-21 16:47:55 to ... UTC
 *	traces        2: 2 COMPLETED
 *	methods       1 icmp-echo-paris, 1 udp-paris
 *	destinations  2: 1 IPv4, 1 IPv6
 *	hops          4 replies from 3 addresses
 *
 * Lists and cycles that several files define are counted once; a list is
 * known by its number, name and monitor, a cycle by its list and number.
 */
#ifndef COMMON_SHOW_SUMMARY_H
#define COMMON_SHOW_SUMMARY_H

#include <stdint.h>

#include "common/show/show.h"

struct summary;

struct summary *summary_new(void);
void summary_free(struct summary *s);

/* A file begins. */
void summary_file(struct summary *s);

/*
 * Count REC and what it says.  ST has taken note of it (warts_state_feed).
 * Returns 0, or -1 with a static reason in *WHY when it is damaged.
 */
int summary_record(struct summary *s, const struct warts_state *st,
    const struct warts_record *rec, const char **why);

/* Something was damaged, and BYTES (may be 0) were skipped. */
void summary_damage(struct summary *s, uint64_t bytes);

/* Append the screen to OUT. */
void summary_print(struct summary *s, struct wbuf *out);

#endif
