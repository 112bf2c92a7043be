/*
 * special: address space that is not the public Internet's: the registries of
 * RFC 6890 (IPv4, IPv6), multicast, and what is reserved.
 *
 *	0/8 10/8 100.64/10 127/8 169.254/16 172.16/12 192.0.0/24 192.0.2/24
 *	192.88.99/24 192.168/16 198.18/15 198.51.100/24 203.0.113/24 224/3
 *	all outside of 2000::/3; in it 2001::/23, 2001:db8::/32, 2002::/16,
 *	3fff::/20
 *
 * As of 2025.  In them 192.0.0.9/32, 192.0.0.10/32, 2001:3::/32, 2001:4:112::/48,
 * 2001:20::/28 and 2001:30::/28 are globally reachable, and not special; the
 * blocks of AS112 and AMT in IPv4 are neither.
 */
#ifndef LISTGEN_SPECIAL_H
#define LISTGEN_SPECIAL_H

#include <stdint.h>

#include "listgen/prefixes.h"

/* Is all of the prefix special?  TOP: the first 64 bits of its address, IPv4 in the
 * upper 32; LEN: at most 32, 64. */
int special_is(enum prefixes_family f, uint64_t top, uint8_t len);

#endif
