/*
 * scan: strict scanners.  Each takes a whole token, up to its NUL, or fails;
 * there is no partial success, no leading blank, no sign, no hex, no octal.
 * All return 0, or -1 with the output untouched.
 */
#ifndef COMMON_SCAN_H
#define COMMON_SCAN_H

#include <stddef.h>
#include <stdint.h>

/* A decimal number MIN..MAX. */
int scan_u32(const char *s, uint32_t min, uint32_t max, uint32_t *out);
int scan_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out);

/*
 * A duration in nanoseconds: a decimal number with an optional fraction and
 * an optional unit of ns, us, ms, s, m, h or d.  Without a unit UNIT_NS is
 * meant.  "1.5s", "250ms", "2".
 */
int scan_duration(const char *s, int64_t unit_ns, int64_t *out_ns);

/*
 * A name that may become a file name: [a-z0-9][a-z0-9_.-]{0,40}, without
 * "..".  Nothing is copied.
 */
int scan_name(const char *s);

/*
 * If WORD is KEY=VALUE, returns the value (within WORD), else NULL.
 */
const char *scan_keyvalue(const char *word, const char *key);

/*
 * Cut the next word off *P in place, as scan_words() does, and move *P behind
 * it.  1 with *WORD set; 0 when only blanks were left; -1 when a quote is left
 * open.  For lines whose rest is not made of words.
 */
int scan_word(char **p, char **word);

/*
 * Split LINE in place at runs of blanks and tabs into at most MAX words.
 * "..." groups a word with blanks (the quotes are removed, no escapes).
 * Returns the number of words, or -1 when there are more than MAX or a quote
 * is left open.
 */
int scan_words(char *line, char **words, int max);

#endif
