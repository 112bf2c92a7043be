#include "common/warts/unpack.h"

#include <bzlib.h>
#include <limits.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/xmalloc.h"

#define GZIP_ONLY (15 + 16) /* window bits as inflateInit2 wants them */
#define XZ_MEMORY (256u << 20) /* bytes; more than any level of xz(1) wants */

/* As the libraries count. */
static unsigned int
narrow(size_t n)
{
	return n > UINT_MAX ? UINT_MAX : (unsigned int)n;
}

/* What a library has used up and put out. */
static void
advance(struct unpack_io *io, size_t in, size_t out)
{
	io->in += in;
	io->in_len -= in;
	io->out += out;
	io->out_len -= out;
}

/* --- gzip ------------------------------------------------------------------- */

static void *
gzip_begin(void)
{
	z_stream *z = xcalloc(1, sizeof(*z));

	if (inflateInit2(z, GZIP_ONLY) == Z_OK)
		return z;
	free(z);
	return NULL;
}

static enum unpack_result
gzip_step(void *state, struct unpack_io *io)
{
	z_stream *z = state;
	unsigned int in = narrow(io->in_len), out = narrow(io->out_len);
	int rc;

	z->next_in = (uint8_t *)(uintptr_t)io->in;
	z->avail_in = in;
	z->next_out = io->out;
	z->avail_out = out;
	rc = inflate(z, Z_NO_FLUSH);
	advance(io, in - z->avail_in, out - z->avail_out);
	if (rc == Z_STREAM_END)
		return UNPACK_END;
	return rc == Z_OK ? UNPACK_MORE : UNPACK_DAMAGED;
}

static void
gzip_end(void *state)
{
	inflateEnd(state);
	free(state);
}

/* --- bzip2 ------------------------------------------------------------------ */

static void *
bzip2_begin(void)
{
	bz_stream *z = xcalloc(1, sizeof(*z));

	if (BZ2_bzDecompressInit(z, 0, 0) == BZ_OK)
		return z;
	free(z);
	return NULL;
}

static enum unpack_result
bzip2_step(void *state, struct unpack_io *io)
{
	bz_stream *z = state;
	unsigned int in = narrow(io->in_len), out = narrow(io->out_len);
	int rc;

	z->next_in = (char *)(uintptr_t)io->in;
	z->avail_in = in;
	z->next_out = (char *)io->out;
	z->avail_out = out;
	rc = BZ2_bzDecompress(z);
	advance(io, in - z->avail_in, out - z->avail_out);
	if (rc == BZ_STREAM_END)
		return UNPACK_END;
	return rc == BZ_OK ? UNPACK_MORE : UNPACK_DAMAGED;
}

static void
bzip2_end(void *state)
{
	BZ2_bzDecompressEnd(state);
	free(state);
}

/* --- xz --------------------------------------------------------------------- */

static void *
xz_begin(void)
{
	static const lzma_stream fresh = LZMA_STREAM_INIT;
	lzma_stream *z = xcalloc(1, sizeof(*z));

	*z = fresh;
	if (lzma_stream_decoder(z, XZ_MEMORY, 0) == LZMA_OK)
		return z;
	free(z);
	return NULL;
}

static enum unpack_result
xz_step(void *state, struct unpack_io *io)
{
	lzma_stream *z = state;
	size_t in = io->in_len, out = io->out_len;
	lzma_ret rc;

	z->next_in = io->in;
	z->avail_in = in;
	z->next_out = io->out;
	z->avail_out = out;
	rc = lzma_code(z, LZMA_RUN);
	advance(io, in - z->avail_in, out - z->avail_out);
	if (rc == LZMA_STREAM_END)
		return UNPACK_END;
	return rc == LZMA_OK ? UNPACK_MORE : UNPACK_DAMAGED;
}

static void
xz_end(void *state)
{
	lzma_end(state);
	free(state);
}

/* --- the table -------------------------------------------------------------- */

#define REASONS(name)                                                         \
	.cut = name " data is cut short", .damaged = name " data is damaged", \
	.behind = "bytes behind the end of the " name " data"

static const struct unpack_kind kinds[] = {
    {
	.magic = "\x1f\x8b",
	.magic_len = 2,
	REASONS("gzip"),
	.begin = gzip_begin,
	.step = gzip_step,
	.end = gzip_end,
    },
    {
	.magic = "BZh",
	.magic_len = 3,
	REASONS("bzip2"),
	.begin = bzip2_begin,
	.step = bzip2_step,
	.end = bzip2_end,
    },
    {
	.magic = "\xfd"
		 "7zXZ",
	.magic_len = 6, /* with its NUL */
	REASONS("xz"),
	.begin = xz_begin,
	.step = xz_step,
	.end = xz_end,
    },
};

const struct unpack_kind *
unpack_kind_of(const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (len >= kinds[i].magic_len &&
		    memcmp(p, kinds[i].magic, kinds[i].magic_len) == 0)
			return &kinds[i];
	}
	return NULL;
}
