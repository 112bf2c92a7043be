/*
 * uu: bytes as printable lines, as scamper's control protocol has them (the
 * encoding of uuencode(1), with a back quote where a blank would be).
 *
 *	length, 45 or less | 4 characters for each 3 bytes | \n
 *	`\n
 */
#include "prober/control/control.h"

#define UU_LINE 45

static uint8_t
character(unsigned int six_bits)
{
	return six_bits == 0 ? '`' : (uint8_t)(' ' + six_bits);
}

/* One line of N bytes, 1 to UU_LINE. */
static void
encode_line(struct wbuf *out, const uint8_t *p, size_t n)
{
	uint32_t three;

	wbuf_u8(out, character((unsigned int)n));
	for (size_t i = 0; i < n; i += 3) {
		three = (uint32_t)p[i] << 16;
		if (i + 1 < n)
			three |= (uint32_t)p[i + 1] << 8;
		if (i + 2 < n)
			three |= p[i + 2];
		for (int shift = 18; shift >= 0; shift -= 6)
			wbuf_u8(out, character(three >> shift & 0x3f));
	}
	wbuf_u8(out, '\n');
}

void
uu_encode(struct wbuf *out, const uint8_t *p, size_t len)
{
	size_t n;

	for (; len > 0; p += n, len -= n) {
		n = len < UU_LINE ? len : UU_LINE;
		encode_line(out, p, n);
	}
	wbuf_bytes(out, "`\n", 2);
}
