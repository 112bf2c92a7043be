/*
 * output_xz: bytes as an xz file, for files that end in .warts.xz.
 */
#include <lzma.h>

#include "common/log.h"
#include "prober/output.h"

#define DICT_MIN (64u * 1024) /* bytes */

void
output_xz_member(struct wbuf *out, const uint8_t *p, size_t len)
{
	size_t most = lzma_stream_buffer_bound(len), used = 0;
	lzma_options_lzma lzma;
	lzma_filter filters[] = {
	    {.id = LZMA_FILTER_LZMA2, .options = &lzma},
	    {.id = LZMA_VLI_UNKNOWN},
	};
	lzma_ret rc;

	lzma_lzma_preset(&lzma, LZMA_PRESET_DEFAULT);
	/* More than there is to look back at would be memory for nothing, 94
	 * megabytes here and 9 for who reads it. */
	lzma.dict_size = len > DICT_MIN ? (uint32_t)len : DICT_MIN;
	wbuf_room(out, most);
	rc = lzma_stream_buffer_encode(filters, LZMA_CHECK_CRC64, NULL, p, len,
	    out->p + out->len, &used, most);
	if (rc != LZMA_OK)
		log_fatal(EXIT_TEMPORARY, "xz: error %d", (int)rc);
	out->len += used;
}
