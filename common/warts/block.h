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
 * Which fields a record of our own gets is a column of the table too: always,
 * or when there is something to say; what depends on more than the field
 * itself is for the encoder of the type to decide.
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
	WENC_LOW16, /* two bytes: the low bits of an uint32_t */
	WENC_U16X2, /* two uint16_t side by side: ports */
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
	WENC_OWN, /* from here on: what one type alone has, see warts_fields */
};

/* When a record of our own has a field. */
enum warts_when {
	WHEN_TOLD, /* the type's encoder decides; or it is obsolete */
	WHEN_ALWAYS,
	WHEN_SET, /* not 0, NULL, ADDR_NONE or empty */
};

struct warts_field {
	uint8_t enc; /* enum warts_enc */
	uint16_t offset; /* in the struct */
	uint8_t when; /* enum warts_when */
};

/*
 * field[1] .. field[n]; n is below 63, the bits of a mask.  The rest is for
 * warts_block_get() and its like only.
 */
struct warts_fields {
	const struct warts_field *field;
	int n;
	uint16_t size; /* of the struct */
	uint16_t has; /* where in it is `uint64_t has' */
	uint8_t min; /* bytes of the shortest such block, of an array */
	/* Encodings from WENC_OWN on.  A value begins with an uint16_t that is
	 * not 0 when it is set. */
	void (*read)(struct rbuf *, int enc, void *v, struct warts_arena **);
	void (*write)(struct wbuf *, int enc, const void *v);
};

/* A row: MEMBER of TYPE, encoded as ENC, there WHEN. */
#define WARTS_ROW(type, e, member, w)                                        \
	{                                                                    \
		.enc = e, .offset = offsetof(type, member), .when = WHEN_##w \
	}

/* A table for TYPE, whose fields are the array F, shortest MIN bytes. */
#define WARTS_TABLE(f, type, least)                                            \
	{                                                                      \
		.field = f, .n = (int)(sizeof(f) / sizeof((f)[0])) - 1,        \
		.size = sizeof(type), .has = offsetof(type, has), .min = least \
	}
/* The same with encodings of its own. */
#define WARTS_TABLE_OWN(f, type, least, r, w)                           \
	{                                                               \
		.field = f, .n = (int)(sizeof(f) / sizeof((f)[0])) - 1, \
		.size = sizeof(type), .has = offsetof(type, has),       \
		.min = least, .read = r, .write = w                     \
	}

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

/* The fields of OBJ that are due by the table alone. */
uint64_t warts_block_due(const struct warts_fields *t, const void *obj);

/* Read a block into OBJ and note in it what it had. */
void warts_block_get(struct rbuf *r, const struct warts_fields *t, void *obj,
    struct warts_arena **arena);

/* Write OBJ with the fields it had when it was read; those of one of our own
 * are DUE. */
void warts_block_put(struct wbuf *b, const struct warts_fields *t,
    const void *obj, uint64_t due);

/* Room for N objects of a table, zeroed; NULL if N is 0 or when the bytes left
 * cannot hold so many (then R->bad is set). */
void *warts_block_room(struct rbuf *r, const struct warts_fields *t, size_t n,
    struct warts_arena **arena);

/* N blocks beside each other, as above. */
void *warts_blocks_get(struct rbuf *r, const struct warts_fields *t, size_t n,
    struct warts_arena **arena);
/* ... of which each has what is due by the table. */
void warts_blocks_put(
    struct wbuf *b, const struct warts_fields *t, const void *objs, size_t n);

/* FIELD's bit if YES. */
static inline uint64_t
warts_bit_if(int yes, int field)
{
	return yes ? WARTS_BIT(field) : 0;
}

#endif
