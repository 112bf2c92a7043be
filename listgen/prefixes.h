/*
 * prefixes: the routed prefixes of a file as a compact table, and an address
 * of one of them.
 *
 *	1.0.0.0	24	13335		as in Route Views' pfx2as files; what follows
 *	1.0.4.0/22			the length (origins: 13335, 1_2, 1,2) is not
 *	2001:db8::	32	64496_64497	looked at
 *	# comment			plain or gzip
 *
 * Per family an array sorted by address, then length, 16 bytes an entry: a full
 * table of 1.2 million prefixes is 19 MB.
 *
 *	top                  len  parent
 *	10.0.0.0 ........     8     -      the first 64 bits; IPv4 in the upper 32
 *	10.1.0.0 ........    16     0      parent: the next shorter prefix around
 *	10.1.2.0 ........    24     1
 *
 * What is counted are *units*: a prefix, or with `split' each part of that
 * length of a shorter prefix.  When prefixes are split, those inside another
 * one are dropped, since their addresses are in its parts.
 *
 * Not taken: prefixes that no router would carry (shorter than /8 and /16), those
 * that are not the public Internet's (special.h; outside unicast space), IPv6
 * prefixes longer than /64.
 */
#ifndef LISTGEN_PREFIXES_H
#define LISTGEN_PREFIXES_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"

enum prefixes_family { PREFIXES_V4, PREFIXES_V6, PREFIXES_FAMILIES };

struct prefixes_config {
	uint8_t max_len[PREFIXES_FAMILIES]; /* longer ones are left out */
	uint8_t split[PREFIXES_FAMILIES]; /* 0: as they are */
	/* Leave out first and last addresses: in IPv4 what ends in all zeros or
	 * ones, in the last 8 bits or in those behind a longer prefix; in IPv6
	 * an interface id of zeros. */
	int inner;
	/* Take special-purpose prefixes as well; not outside unicast space. */
	int special;
};

struct prefixes;

struct prefixes_unit {
	uint64_t top; /* as in the table */
	uint8_t len;
	uint8_t family; /* enum prefixes_family */
	uint32_t entry; /* index of its prefix */
};

/* What came of reading a file. */
struct prefixes_count {
	uint64_t prefixes; /* different ones taken */
	uint64_t bad; /* lines */
	uint64_t longer; /* prefixes left out by max_len */
	uint64_t special; /* lines of prefixes left out because they are */
	uint64_t special_line; /* number of the first */
};

/* Called for each bad line, with its number and a static reason. */
typedef void (*prefixes_bad_cb)(void *arg, uint64_t line, const char *why);

/*
 * Load PATH ("-" is a file of that name).  NULL when it cannot be read to its
 * end, or has more units than an order can have; *WHY says why and is good
 * until the next call.
 */
struct prefixes *
prefixes_load(const char *path, const struct prefixes_config *cfg,
    prefixes_bad_cb bad, void *arg, const char **why);
void prefixes_free(struct prefixes *p);

/* What was counted while reading; never NULL. */
const struct prefixes_count *prefixes_counts(const struct prefixes *p);

/* How many units there are. */
uint64_t prefixes_units(const struct prefixes *p);

/* Unit I < prefixes_units(), in order of addresses, IPv4 first. */
void
prefixes_unit(const struct prefixes *p, uint64_t i, struct prefixes_unit *out);

/*
 * An address of U, chosen by the bits of RANDOM: 0, or -1 when the one
 * that they choose lies in a longer prefix of the table, or in special-purpose
 * space that U's prefix is around.
 */
int prefixes_draw(const struct prefixes *p, const struct prefixes_unit *u,
    const uint64_t random[2], struct addr *out);

#endif
