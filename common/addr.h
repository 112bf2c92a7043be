/*
 * addr: an IPv4, IPv6 or link-layer address, and a prefix.
 *
 * `family' holds the numbers of the warts format (4 bytes, 16, 6, 8), so that
 * an address goes to a record as it is.  Bytes beyond the family's length are
 * zero: two addresses are equal when their 17 bytes are.
 */
#ifndef COMMON_ADDR_H
#define COMMON_ADDR_H

#include <stddef.h>
#include <stdint.h>

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
size_t addr_len(int family);

/* An address of FAMILY (known) from its bytes in network order. */
struct addr addr_make(int family, const void *bytes);

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
int addr_equal(const struct addr *a, const struct addr *b);

/* A 64-bit hash, well mixed in all bits, the same on every host. */
uint64_t addr_hash(const struct addr *a);

/* Non-zero when A lies in P (same family and equal leading bits). */
int addr_in_prefix(const struct addr *a, const struct addr_prefix *p);

#endif
