#include "datacli/datacli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "common/scan.h"
#include "common/segment_dir.h"
#include "common/xmalloc.h"

#define BLOCK_MAX (1u << 20) /* bytes behind a data line */
#define ZBLOCK_MAX (64u << 10) /* ... and of one that comes compressed */

void
block_init(struct block *b, struct incoming *in)
{
	memset(b, 0, sizeof(*b));
	b->in = in;
}

void
block_clear(struct block *b)
{
	free(b->z);
	b->z = NULL;
}

static const char *
begin(struct block *b, char **words, uint64_t max)
{
	uint64_t number, offset, len;
	uint8_t crc[4];

	if (scan_u64(words[1], 1, UINT64_MAX, &number) == -1 ||
	    scan_u64(words[2], 0, UINT64_MAX, &offset) == -1 ||
	    scan_u64(words[3], 1, max, &len) == -1 ||
	    segment_dir_unhex(words[4], crc, sizeof(crc)) == -1)
		return "bad answer to get";
	if (number != b->in->part.number || offset != b->in->size ||
	    len > b->in->part.bytes - offset)
		return "data that was not asked for";
	b->start = offset;
	b->len = (size_t)len;
	b->left = len;
	b->z_len = b->z_got = 0;
	b->want_crc = (uint32_t)crc[0] << 24 | (uint32_t)crc[1] << 16 |
	    (uint32_t)crc[2] << 8 | crc[3];
	b->crc = (uint32_t)crc32(0, NULL, 0);
	return NULL;
}

const char *
block_begin(struct block *b, char **words, int n)
{
	const char *why;
	uint64_t z_len;

	if (n == 5 && strcmp(words[0], "data") == 0)
		return begin(b, words, BLOCK_MAX);
	if (n != 6 || strcmp(words[0], "zdata") != 0 ||
	    scan_u64(words[5], 1, ZBLOCK_MAX, &z_len) == -1)
		return "bad answer to get";
	why = begin(b, words, ZBLOCK_MAX);
	if (why != NULL)
		return why;
	if (b->z == NULL)
		b->z = xmalloc(ZBLOCK_MAX);
	b->z_len = (size_t)z_len;
	b->left = z_len;
	return NULL;
}

static enum block_result
inflated(struct block *b)
{
	static uint8_t buf[ZBLOCK_MAX];
	uLongf len = sizeof(buf);

	if (uncompress(buf, &len, b->z, b->z_len) != Z_OK || len != b->len ||
	    crc32(0, buf, (unsigned int)len) != b->want_crc)
		return BLOCK_BAD;
	return incoming_write(b->in, buf, len) == -1 ? BLOCK_ERROR : BLOCK_OK;
}

enum block_result
block_data(struct block *b, const void *p, size_t len)
{
	b->left -= len;
	if (b->z_len > 0) {
		memcpy(b->z + b->z_got, p, len);
		b->z_got += len;
		return b->left > 0 ? BLOCK_OK : inflated(b);
	}
	b->crc = (uint32_t)crc32(b->crc, p, (unsigned int)len);
	if (incoming_write(b->in, p, len) == -1)
		return BLOCK_ERROR;
	if (b->left > 0 || b->crc == b->want_crc)
		return BLOCK_OK;
	return incoming_cut(b->in, b->start) == -1 ? BLOCK_ERROR : BLOCK_BAD;
}
