/*
 * warts/reader: records from a file or pipe, gzip too.  Bad input is reported,
 * never fatal: after a damaged record the reader searches for the next place
 * where a record header makes sense and goes on from there.
 */
#ifndef COMMON_WARTS_READER_H
#define COMMON_WARTS_READER_H

#include <stddef.h>
#include <stdint.h>

struct warts_reader;

struct warts_record {
	uint16_t type; /* enum warts_type, or one not known */
	uint32_t len; /* of body */
	const uint8_t *body; /* good until the next call */
	uint64_t offset; /* of the record's header in the (plain) stream */
};

enum warts_read {
	WARTS_READ_RECORD,
	WARTS_READ_EOF,
	WARTS_READ_DAMAGE, /* bytes from r.offset were skipped; read on */
	WARTS_READ_ERROR, /* the file cannot be read on (errno-like reason) */
};

/* Read from FD, which the reader owns and closes. */
struct warts_reader *warts_reader_new(int fd);
void warts_reader_free(struct warts_reader *rd);

/*
 * The next record.  For WARTS_READ_DAMAGE, *OUT has the offset of the damage
 * and its length in bytes in `len'; for DAMAGE and ERROR *WHY is a reason.
 */
enum warts_read warts_reader_next(
    struct warts_reader *rd, struct warts_record *out, const char **why);

#endif
