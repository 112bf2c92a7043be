/*
 * crcline: lines of state text that notice damage.
 *
 *	next 12 34567 #9ab3c01d
 *
 * The last word is # and the CRC-32 (zlib's, eight lower-case hex digits) of
 * every byte before the blank in front of it.  A file that was replaced by
 * rename is whole whatever was killed; this finds what the disk itself did to
 * it afterwards, so that a flipped digit is never believed.
 */
#ifndef COMMON_CRCLINE_H
#define COMMON_CRCLINE_H

#include <stddef.h>

/* " #", eight digits and the newline. */
#define CRCLINE_EXTRA 11

/* TEXT with the check word and a newline behind it; the caller frees.  TEXT
 * has no newline. */
char *crcline_make(const char *text);

/* The same from a format. */
char *
crcline_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * Take the check word off LINE (NUL-terminated, without its newline) in place.
 * Returns NULL, or a static reason when it is missing or does not match.
 */
const char *crcline_check(char *line);

/* Is every line of file PATH whole?  0, also when there is no such file; or -1
 * with errno (EBADMSG: one is not; EFBIG: more than MAX bytes). */
int crcline_file(int dirfd, const char *path, size_t max);

#endif
