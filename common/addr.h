/*
 * addr: an IPv4, IPv6 or link-layer address, and a prefix.
 *
 * `family' holds the numbers of the warts format (4 bytes, 16, 6, 8), so that
 * an address goes to a record as it is.  Bytes beyond the family's length are
 * zero: two addresses are equal when their 17 bytes are.
 *
 * What is done some times per packet is inline.
 */
#ifndef COMMON_ADDR_H
#define COMMON_ADDR_H

#include <endian.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum addr_family {
	ADDR_NONE = 0,
	ADDR_IPV4 = 1,
	ADDR_IPV6 = 2,
	ADDR_MAC = 3,
	ADDR_FIREWIRE = 4,
};

#define ADDR_STRLEN 46 /* longest printed form, with its NUL */

struct addr {
	uint8_t family; /* enum addr_family */
	uint8_t b[16]; /* network order */
};

struct addr_prefix {
	struct addr addr; /* bits beyond len are zero */
	uint8_t len; /* 0..32 or 0..128 */
};

/* Bytes an address of FAMILY has; 0 for an unknown family. */
static inline size_t
addr_len(int family)
{
	static const uint8_t len[] = {0, 4, 16, 6, 8};

	if (family < 0 || family >= (int)sizeof(len))
		return 0;
	return len[family];
}

/* An address of FAMILY (known) from its bytes in network order. */
static inline struct addr
addr_make(int family, const void *bytes)
{
	struct addr a = {.family = (uint8_t)family};

	if (family == ADDR_IPV4)
		memcpy(a.b, bytes, 4);
	else if (family == ADDR_IPV6)
		memcpy(a.b, bytes, 16);
	else
		memcpy(a.b, bytes, addr_len(family));
	return a;
}

/*
 * Scan all of S as a numeric IPv4 or IPv6 address (no zone, no name).
 * Returns 0, or -1 with OUT untouched.
 */
int addr_scan(const char *s, struct addr *out);

/*
 * The same for the word S begins with, which ends at a blank, a tab or the
 * NUL.  Returns what is behind the word, or NULL with OUT untouched.  IPv4 is
 * read in place, in some nanoseconds: for lines that come by the million.
 */
const char *addr_scan_word(const char *s, struct addr *out);

/*
 * Scan all of S as ADDRESS or ADDRESS/LEN.  Without /LEN the prefix holds the
 * one address.  Returns NULL, or a static reason ("bits set beyond /24", ...).
 */
const char *addr_prefix_scan(const char *s, struct addr_prefix *out);

/* Print to BUF, which has at least ADDR_STRLEN bytes; returns BUF.
 * A MAC is six hex pairs with colons; ADDR_NONE is "-". */
const char *addr_str(const struct addr *a, char *buf);
/* The same; returns the length, without the NUL.  In some nanoseconds. */
size_t addr_print(const struct addr *a, char *buf);

/* Total order: by family, then by bytes.  <0, 0, >0 as memcmp(3). */
int addr_cmp(const struct addr *a, const struct addr *b);

/* Non-zero when equal. */
static inline int
addr_equal(const struct addr *a, const struct addr *b)
{
	uint64_t v[4];

	memcpy(v, a->b, 16);
	memcpy(v + 2, b->b, 16);
	return a->family == b->family && ((v[0] ^ v[2]) | (v[1] ^ v[3])) == 0;
}

/* A 32-bit hash for small tables: mixed well enough, in a few instructions. */
static inline uint32_t
addr_hash_quick(const struct addr *a)
{
	uint64_t w[2];

	memcpy(w, a->b, sizeof(w));
	w[0] ^= w[1] * 0xbf58476d1ce4e5b9ULL >> 32;
	w[0] ^= w[0] >> 32;
	return (uint32_t)(w[0] * 0x9e3779b97f4a7c15ULL >> 32);
}

/* The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a full mix. */
static inline uint64_t
addr_mix(uint64_t x)
{
	x ^= x >> 30;
	x *= 0xbf58476d1ce4e5b9ULL;
	x ^= x >> 27;
	x *= 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* A 64-bit hash, well mixed in all bits, the same on every host. */
static inline uint64_t
addr_hash(const struct addr *a)
{
	uint64_t w[2];

	memcpy(w, a->b, sizeof(w));
	w[0] = le64toh(w[0]);
	w[1] = le64toh(w[1]);
	if (w[1] == 0)
		return addr_mix(w[0] + a->family);
	return addr_mix(addr_mix(w[0] + a->family) ^ w[1]);
}

/* Non-zero when A lies in P (same family and equal leading bits). */
int addr_in_prefix(const struct addr *a, const struct addr_prefix *p);

#endif
