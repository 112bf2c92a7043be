/*
 * show/parts: pieces of JSON that records of several types have.
 *
 * What stands between the members inside of a piece is J's own separator unless
 * it is said; scamper's releases and types differ in it.
 */
#ifndef COMMON_SHOW_PARTS_H
#define COMMON_SHOW_PARTS_H

#include "common/show/json_out.h"
#include "common/warts/warts.h"

/* {"sec":1, "usec":2} with SEP between the two. */
void
parts_tv(struct json *j, const char *key, const char *sep, struct warts_tv t);
/* The same as "start", with the local time in words: "ftime". */
void parts_start(struct json *j, struct warts_tv t);
/* ICMP extensions as "icmpext", MPLS labels spelt out; nothing when there are
 * none. */
void parts_extensions(struct json *j, const struct warts_exts *x);

/* WORDS[V], or NULL when there is no such word: N words. */
static inline const char *
parts_word(const char *const *words, size_t n, uint32_t v)
{
	return v < n ? words[v] : NULL;
}
#define PARTS_WORD(words, v) \
	parts_word(words, sizeof(words) / sizeof((words)[0]), v)

/* From A to B in microseconds; 0 when B is before A or after 4,294 s. */
static inline uint32_t
parts_us(struct warts_tv a, struct warts_tv b)
{
	int64_t us = ((int64_t)b.sec - a.sec) * 1000000 + b.usec - a.usec;

	return us >= 0 && us <= UINT32_MAX ? (uint32_t)us : 0;
}

#endif
