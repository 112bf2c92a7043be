/*
 * warts/buf: primitive encodings of the warts format, both directions.
 *
 * Writing goes to a growing buffer, so it cannot fail.  Reading is from a
 * bounded range and is sticky: after the first read beyond the end every read
 * gives 0 and `bad' holds the reason, so that a decoder checks once.
 */
#ifndef COMMON_WARTS_BUF_H
#define COMMON_WARTS_BUF_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/warts/warts.h"

/* --- writing ------------------------------------------------------------ */

struct wbuf {
	uint8_t *p;
	size_t len, cap; /* bytes */
};

void wbuf_init(struct wbuf *b);
void wbuf_clear(struct wbuf *b);
void wbuf_reset(struct wbuf *b); /* len = 0, memory kept */

void wbuf_u8(struct wbuf *b, uint8_t v);
void wbuf_u16(struct wbuf *b, uint16_t v);
void wbuf_u32(struct wbuf *b, uint32_t v);
void wbuf_u64(struct wbuf *b, uint64_t v);
void wbuf_bytes(struct wbuf *b, const void *p, size_t len);
void wbuf_str(struct wbuf *b, const char *s); /* with its NUL */
void wbuf_tv(struct wbuf *b, struct warts_tv tv);

/* Begin a record of TYPE; returns a token for wbuf_record_end, which fills in
 * the body length. */
size_t wbuf_record_begin(struct wbuf *b, uint16_t type);
void wbuf_record_end(struct wbuf *b, size_t token);

#endif
