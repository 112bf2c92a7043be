#include "listgen/special.h"

#include <stddef.h>

#define V4(a, b, c, d)                                                     \
	((uint64_t)(a) << 56 | (uint64_t)(b) << 48 | (uint64_t)(c) << 40 | \
	    (uint64_t)(d) << 32)
#define V6(a, b, c) \
	((uint64_t)(a) << 48 | (uint64_t)(b) << 32 | (uint64_t)(c) << 16)

struct block {
	uint64_t top;
	uint8_t len;
	uint8_t special;
};

/* The last that has it all counts: exceptions are behind what they are in. */
static const struct block v4[] = {
    {V4(0, 0, 0, 0), 8, 1}, /* this network, RFC 791 */
    {V4(10, 0, 0, 0), 8, 1}, /* private, RFC 1918 */
    {V4(100, 64, 0, 0), 10, 1}, /* shared, RFC 6598 */
    {V4(127, 0, 0, 0), 8, 1}, /* loopback, RFC 1122 */
    {V4(169, 254, 0, 0), 16, 1}, /* link local, RFC 3927 */
    {V4(172, 16, 0, 0), 12, 1}, /* private */
    {V4(192, 0, 0, 0), 24, 1}, /* protocol assignments, RFC 6890 */
    {V4(192, 0, 0, 9), 32, 0}, /* port control anycast, RFC 7723 */
    {V4(192, 0, 0, 10), 32, 0}, /* TURN anycast, RFC 8155 */
    {V4(192, 0, 2, 0), 24, 1}, /* documentation, RFC 5737 */
    {V4(192, 88, 99, 0), 24, 1}, /* 6to4 relays of old, RFC 7526 */
    {V4(192, 168, 0, 0), 16, 1}, /* private */
    {V4(198, 18, 0, 0), 15, 1}, /* benchmarks, RFC 2544 */
    {V4(198, 51, 100, 0), 24, 1}, /* documentation */
    {V4(203, 0, 113, 0), 24, 1}, /* documentation */
    {V4(224, 0, 0, 0), 3, 1}, /* multicast, reserved, broadcast */
};

static const struct block v6[] = {
    {V6(0, 0, 0), 0, 1}, {V6(0x2000, 0, 0), 3, 0}, /* unicast, RFC 4291 */
    {V6(0x2001, 0, 0), 23, 1}, /* protocol assignments, RFC 2928: Teredo ... */
    {V6(0x2001, 3, 0), 32, 0}, /* AMT, RFC 7450 */
    {V6(0x2001, 4, 0x112), 48, 0}, /* AS112, RFC 7535 */
    {V6(0x2001, 0x20, 0), 28, 0}, /* ORCHIDv2, RFC 7343 */
    {V6(0x2001, 0x30, 0), 28, 0}, /* drones, RFC 9374 */
    {V6(0x2001, 0xdb8, 0), 32, 1}, /* documentation, RFC 3849 */
    {V6(0x2002, 0, 0), 16, 1}, /* 6to4, RFC 3056 */
    {V6(0x3fff, 0, 0), 20, 1}, /* documentation, RFC 9637 */
};

static const struct {
	const struct block *blocks;
	size_t n;
} families[] = {
    [PREFIXES_V4] = {v4, sizeof(v4) / sizeof(v4[0])},
    [PREFIXES_V6] = {v6, sizeof(v6) / sizeof(v6[0])},
};

int
special_is(enum prefixes_family f, uint64_t top, uint8_t len)
{
	const struct block *b = families[f].blocks, *end = b + families[f].n;
	int special = 0;

	for (; b < end; b++) {
		if (b->len <= len &&
		    (b->len == 0 || (top ^ b->top) >> (64 - b->len) == 0))
			special = b->special;
	}
	return special;
}
