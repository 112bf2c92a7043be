/*
 * output_bz2: bytes as a bzip2 file, for files that end in .warts.bz2.
 */
#include <bzlib.h>

#include "common/log.h"
#include "prober/output.h"

#define BLOCK_100KB 9 /* as bzip2(1) */

void
output_bz2_member(struct wbuf *out, const uint8_t *p, size_t len)
{
	/* What the library promises (manual, 3.5.1). */
	unsigned int most = (unsigned int)(len + len / 100 + 600);
	int rc;

	wbuf_room(out, most);
	rc = BZ2_bzBuffToBuffCompress((char *)out->p + out->len, &most,
	    (char *)(uintptr_t)p, (unsigned int)len, BLOCK_100KB, 0, 0);
	if (rc != BZ_OK)
		log_fatal(EXIT_TEMPORARY, "bzip2: error %d", rc);
	out->len += most;
}
