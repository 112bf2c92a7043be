/*
 * warts/reader: records from a file or pipe, packed too.  Bad input is reported,
 * never fatal: after a damaged record the reader searches for the next place
 * where a record header makes sense and goes on from there.
 *
 * A header makes sense when it has the magic, a type that is known (or our
 * private one), a length 1..WARTS_BODY_MAX, and when the magic of another
 * record, or the end of the file, follows the body.  At a place where a record
 * is due, the magic, any type but 0 and the length are enough.
 *
 *	|rec A|rec B: length flipped to be too long|rec C|rec D|re...
 *	       `------ read as one record B ------------'^ no magic here
 *
 * The damage is then found only behind B, which was given away already; so the
 * search starts again inside of B, and C and D are not lost.
 */
#ifndef COMMON_WARTS_READER_H
#define COMMON_WARTS_READER_H

#include <stddef.h>
#include <stdint.h>

#include "common/warts/warts.h"

struct warts_reader;

enum warts_read {
	WARTS_READ_RECORD,
	WARTS_READ_EOF,
	WARTS_READ_DAMAGE, /* bytes from out.offset were skipped; read on */
	WARTS_READ_ERROR, /* the file cannot be read on */
};

/* Read from FD, which the reader owns and closes. */
struct warts_reader *warts_reader_new(int fd);
void warts_reader_free(struct warts_reader *rd);

/*
 * The next record; its body is good until the next call.  For
 * WARTS_READ_DAMAGE, *OUT has the offset of the damage and its length in bytes
 * in `len' (at most UINT32_MAX); a record cut short by the end of the file is
 * damage too.  For DAMAGE and ERROR *WHY is a reason that lives as long as RD.
 * After EOF or ERROR every further call returns EOF.
 */
enum warts_read warts_reader_next(
    struct warts_reader *rd, struct warts_record *out, const char **why);

/*
 * The record just given makes no sense to the caller.  If its length is what
 * is wrong with it, it may have swallowed others to the byte: the next call
 * looks for records inside of it first.
 */
void warts_reader_doubt(struct warts_reader *rd);

#endif
