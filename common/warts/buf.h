/*
 * warts/buf: primitive encodings of the warts format, both directions.
 *
 *	u8 u16 u32 u64   big-endian
 *	tv               u32 seconds, u32 microseconds
 *	str              bytes and a NUL
 *	addr             new:  size u8 | family u8 | size bytes
 *	                 seen: 00 | u32 number of an earlier one in this record
 *	saddr            size u8 | family u8 | size bytes, never numbered
 *	ifname           1 + number of the name in this record | str if new;
 *	                 00 | str: not remembered
 *
 * Writing goes to a growing buffer, so it cannot fail.  Reading is from a
 * bounded range and is sticky: after the first read beyond the end every read
 * gives 0 and `bad' holds the reason, so that a decoder checks once.
 *
 * The dictionary of addresses is that of one record.  It is emptied where a
 * record begins; the memory stays, so that a record costs no allocation.
 */
#ifndef COMMON_WARTS_BUF_H
#define COMMON_WARTS_BUF_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "common/addr.h"
#include "common/warts/warts.h"

/* --- writing ------------------------------------------------------------ */

struct wbuf_slot {
	const struct addr *addr; /* in the record being encoded */
	uint32_t generation; /* free unless the dictionary's */
	uint32_t index;
};

struct wbuf {
	uint8_t *p;
	size_t len, cap; /* bytes */
	/* Addresses written in this record: open addressing, linear probing,
	 * at most half full; nslots is 0 or a power of two. */
	struct wbuf_slot *slots;
	uint32_t nslots, naddrs, generation;
	const char **ifnames; /* names written in this record; NULL at first */
	uint8_t nifnames;
};

void wbuf_init(struct wbuf *b);
void wbuf_clear(struct wbuf *b);
void wbuf_reset(struct wbuf *b); /* len = 0, memory kept */

/* Make room for N more bytes at p + len: wbuf_grow() when there is none. */
void wbuf_grow(struct wbuf *b, size_t n);
static inline void
wbuf_room(struct wbuf *b, size_t n)
{
	if (b->cap - b->len < n)
		wbuf_grow(b, n);
}

/* Append a value, big-endian, or bytes as they are. */
void wbuf_u8(struct wbuf *b, uint8_t v);
void wbuf_u16(struct wbuf *b, uint16_t v);
void wbuf_u32(struct wbuf *b, uint32_t v);
void wbuf_u64(struct wbuf *b, uint64_t v);
void wbuf_bytes(struct wbuf *b, const void *p, size_t len);
void wbuf_str(struct wbuf *b, const char *s); /* with its NUL */
void wbuf_tv(struct wbuf *b, struct warts_tv tv);

/* A (family known) through the record's dictionary; it is kept by reference
 * until the record ends.  A pending record_begin is required. */
void wbuf_addr(struct wbuf *b, const struct addr *a);
void wbuf_saddr(struct wbuf *b, const struct addr *a);
/* An interface's name through the record's dictionary, kept by reference. */
void wbuf_ifname(struct wbuf *b, const char *name);

/* Values at P, where there is room; these return the byte behind. */
static inline uint8_t *
wbuf_put16(uint8_t *p, uint16_t v)
{
	v = htobe16(v);
	memcpy(p, &v, 2);
	return p + 2;
}

static inline uint8_t *
wbuf_put32(uint8_t *p, uint32_t v)
{
	v = htobe32(v);
	memcpy(p, &v, 4);
	return p + 4;
}

#define WBUF_ADDR_MAX 18 /* bytes of the longest */
/* The same as wbuf_addr at P, where there is room; returns the byte behind. */
uint8_t *wbuf_addr_at(struct wbuf *b, uint8_t *p, const struct addr *a);

/* Append formatted text, without a NUL: for the printers of records. */
void wbuf_printf(struct wbuf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Begin a record of TYPE; returns a token for wbuf_record_end, which fills in
 * the body length. */
size_t wbuf_record_begin(struct wbuf *b, uint16_t type);
void wbuf_record_end(struct wbuf *b, size_t token);

/* A place to come back to, for an encoder that has to try again. */
struct wbuf_mark {
	size_t len;
	uint32_t naddrs;
};
struct wbuf_mark wbuf_mark(const struct wbuf *b);
void wbuf_rewind(struct wbuf *b, struct wbuf_mark m);

/* --- reading ------------------------------------------------------------ */

struct rbuf {
	const uint8_t *p, *end;
	const char *bad; /* NULL, or the static reason of the first failure */
	/* Where the record's addresses are (at the family byte). */
	const uint8_t **dict;
	uint32_t ndict, capdict;
	const char **ifnames; /* in the body */
	uint8_t nifnames;
};

/* Read LEN bytes at BODY, with an empty dictionary. */
void rbuf_init(struct rbuf *r, const void *body, size_t len);
void rbuf_clear(struct rbuf *r);

/* End reading: all bytes must have been taken.  Frees what rbuf_init made;
 * returns 0, or -1 with the reason of the first failure in *WHY. */
int rbuf_finish(struct rbuf *r, const char **why);

/* Fail with a static REASON unless something failed before. */
void rbuf_fail(struct rbuf *r, const char *reason);
size_t rbuf_left(const struct rbuf *r); /* bytes; 0 after a failure */

/* Take a value, big-endian; 0 after a failure. */
uint8_t rbuf_u8(struct rbuf *r);
uint16_t rbuf_u16(struct rbuf *r);
uint32_t rbuf_u32(struct rbuf *r);
uint64_t rbuf_u64(struct rbuf *r);
struct warts_tv rbuf_tv(struct rbuf *r);
/* LEN bytes in place, or NULL. */
const uint8_t *rbuf_bytes(struct rbuf *r, size_t len);
/* A string in place, with its NUL within the range; NULL on failure. */
const char *rbuf_str(struct rbuf *r);
/* Addresses; family ADDR_NONE on failure. */
struct addr rbuf_addr(struct rbuf *r);
struct addr rbuf_saddr(struct rbuf *r);
/* The name of an interface, in place; NULL on failure. */
const char *rbuf_ifname(struct rbuf *r);

#endif
