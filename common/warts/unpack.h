/*
 * warts/unpack: bytes out of one member of a compressed file: gzip (RFC 1952),
 * bzip2, xz.  A file is members one behind the other, whoever made it; what is
 * behind the end of a member is not looked at.
 */
#ifndef COMMON_WARTS_UNPACK_H
#define COMMON_WARTS_UNPACK_H

#include <stddef.h>
#include <stdint.h>

#define UNPACK_MAGIC_MAX 6 /* bytes by which a kind is known */

/* What is there, and room for what comes out; both advance. */
struct unpack_io {
	const uint8_t *in;
	size_t in_len;
	uint8_t *out;
	size_t out_len;
};

enum unpack_result { UNPACK_MORE, UNPACK_END, UNPACK_DAMAGED };

struct unpack_kind {
	const char *magic;
	size_t magic_len;
	/* Reasons: the data end early; they are wrong; others follow. */
	const char *cut, *damaged, *behind;
	/* The decoder's state of one member; NULL: no memory. */
	void *(*begin)(void);
	/* Turn some of IO's bytes into others.  At the end of the member the
	 * rest is left. */
	enum unpack_result (*step)(void *state, struct unpack_io *io);
	void (*end)(void *state);
};

/* The kind of data that begins with the LEN bytes at P; NULL: not packed. */
const struct unpack_kind *unpack_kind_of(const uint8_t *p, size_t len);

#endif
