/*
 * show/json_out: JSON text, written in one pass (RFC 8259).
 *
 * The caller says what opens and closes; the commas are put here.  SEP is what
 * stands between two members of an object: scamper's releases differ in the
 * blank.  Between elements of an array there is never one.
 *
 *	json_open(j, NULL, '{'); json_u32(j, "sec", 1); json_close(j, '}');
 *
 * A key of NULL is for elements of an array.  Strings are escaped; a byte
 * that is not part of valid UTF-8 is taken for Latin-1.
 */
#ifndef COMMON_SHOW_JSON_OUT_H
#define COMMON_SHOW_JSON_OUT_H

#include <stdint.h>

#include "common/addr.h"
#include "common/warts/buf.h"

struct json {
	struct wbuf *out;
	const char *sep; /* "," or ", " */
	int some; /* the innermost thing open has a member */
	int newer; /* what is printed is as of 2026: for the caller's use */
};

/* Append to the object or array that is open: KEY NULL in an array.  BRACKET is
 * { or [, and to close } or ]. */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);
void json_u32(struct json *j, const char *key, uint32_t v);
void json_i32(struct json *j, const char *key, int32_t v);
/* PART of WHOLE, which is not 0, as a fraction with two decimals. */
void json_share(struct json *j, const char *key, uint32_t part, uint32_t whole);
/* V thousandths with three decimals. */
void json_milli(struct json *j, const char *key, uint32_t v);
void json_str(struct json *j, const char *key, const char *s);
void json_addr(struct json *j, const char *key, const struct addr *a);
/* WORD, or as a string the number V when there is no word for it, since it is
 * newer than this program (NULL). */
void json_word_or_number(
    struct json *j, const char *key, const char *word, uint32_t v);
/* LEN bytes as a string of lower-case hexadecimal digits. */
void
json_hex(struct json *j, const char *key, const uint8_t *bytes, size_t len);

/* What a bit is called. */
struct json_word {
	uint32_t flag;
	const char *word; /* NULL ends a table */
};

/* An array of the words of FLAGS in the table's order; nothing when there are
 * none. */
void json_words(struct json *j, const char *key, uint32_t flags,
    const struct json_word *table);

#endif
