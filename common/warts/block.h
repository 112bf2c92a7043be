/*
 * warts/block: parameter blocks, both directions, from one table per struct.
 *
 *	block:  flag bytes | length u16 | fields in increasing number
 *
 *	flag byte    01  02  04  08  10  20  40    80
 *	1st           1   2   3   4   5   6   7    another flag byte follows
 *	2nd           8   9  10  11  12  13  14    ...
 *
 * A block whose first flag byte is 00 has no length: that byte is all.  The
 * length lets a reader step over fields newer than itself; nothing known is
 * lost, because everything behind an unknown field has a higher number.
 *
 * A table says for each field number how it is encoded and where in the struct
 * its value is.  Presence is a mask: bit N is field N.  Bit 0 (WARTS_HAS) is
 * not a field: it tells a mask that was read from `0, decide yourself'.
 *
 * Strict where scamper is lax: fields must fill the block's length exactly,
 * unless there are unknown ones.
 */
#ifndef COMMON_WARTS_BLOCK_H
#define COMMON_WARTS_BLOCK_H

#include <stddef.h>
#include <stdint.h>

#include "common/warts/arena.h"
#include "common/warts/buf.h"

enum warts_enc {
	WENC_NONE, /* not known: ends the reading of a block */
	WENC_U8, /* uint8_t */
	WENC_U16, /* uint16_t */
	WENC_U32, /* uint32_t */
	WENC_LOW8, /* one byte: the low bits of an uint32_t */
	WENC_PAIR, /* two uint8_t side by side: ICMP type, code */
	WENC_TV, /* struct warts_tv */
	WENC_ADDR, /* struct addr, through the dictionary */
	WENC_SADDR, /* struct addr, always spelt out */
	WENC_STR, /* const char *, not NULL when present */
	WENC_BYTES, /* struct warts_bytes whose len was an earlier field */
	WENC_EXTS, /* struct warts_exts, count not 0 */
	WENC_ADDRS, /* struct warts_addrs: a count, then as WENC_ADDR */
	WENC_STAMPS, /* struct warts_stamps */
	WENC_U32X3, /* uint32_t[3] */
	WENC_IFNAME, /* const char *, through a dictionary, not NULL */
};

struct warts_bytes {
	uint16_t len;
	const uint8_t *data; /* in the body */
};

struct warts_field {
	uint8_t enc; /* enum warts_enc */
	uint16_t offset; /* in the struct */
};

/* field[1] .. field[n]; n is below 63, the bits of a mask. */
struct warts_fields {
	const struct warts_field *field;
	int n;
};

/* The mask's bit of field N. */
#define WARTS_BIT(n) (1ULL << (n))

/*
 * Read a block into OBJ; fields that are absent are left as they are.
 * Extensions are allocated from *ARENA (may be NULL if T has none).  Returns
 * the mask of what was there with WARTS_HAS; failures are in R->bad.
 */
uint64_t warts_block_read(struct rbuf *r, const struct warts_fields *t,
    void *obj, struct warts_arena **arena);

/*
 * Write a block with the fields of OBJ that HAS names.  Fewer than 65,536
 * bytes of field data: long strings are the caller's to refuse (asserted).
 */
void warts_block_write(struct wbuf *b, const struct warts_fields *t,
    const void *obj, uint64_t has);

#endif
