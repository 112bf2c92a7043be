/*
 * output_gz: bytes as a gzip file (RFC 1952), for files that end in .warts.gz.
 */
#include <zlib.h>

#include "common/log.h"
#include "prober/output.h"

#define GZIP_WINDOW (15 + 16) /* 32 kB, with a header of gzip */
#define MEMORY_LEVEL 8

void
output_gz_member(struct wbuf *out, const uint8_t *p, size_t len)
{
	z_stream z = {
	    .next_in = (uint8_t *)(uintptr_t)p, .avail_in = (uInt)len};
	size_t most;

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW,
		MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		log_fatal(EXIT_TEMPORARY, "out of memory");
	most = deflateBound(&z, (uLong)len);
	wbuf_room(out, most);
	z.next_out = out->p + out->len;
	z.avail_out = (uInt)most;
	if (deflate(&z, Z_FINISH) != Z_STREAM_END)
		log_fatal(EXIT_TEMPORARY, "gzip: not all fits in");
	out->len += z.total_out;
	deflateEnd(&z);
}
