#include "common/crcline.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/atomicfile.h"
#include "common/xmalloc.h"

static unsigned long
crc_of(const char *s, size_t len)
{
	return crc32(0, (const unsigned char *)s, (unsigned int)len);
}

char *
crcline_make(const char *text)
{
	return xasprintf("%s #%08lx\n", text, crc_of(text, strlen(text)));
}

char *
crcline_printf(const char *fmt, ...)
{
	va_list ap;
	char *text, *line;

	va_start(ap, fmt);
	text = xvasprintf(fmt, ap);
	va_end(ap);
	line = crcline_make(text);
	free(text);
	return line;
}

const char *
crcline_check(char *line)
{
	size_t len = strlen(line);
	char want[CRCLINE_EXTRA];

	if (len < CRCLINE_EXTRA - 1)
		return "has no check word";
	len -= CRCLINE_EXTRA - 1;
	snprintf(want, sizeof(want), " #%08lx", crc_of(line, len));
	if (strncmp(line + len, " #", 2) != 0)
		return "has no check word";
	if (strcmp(line + len, want) != 0)
		return "does not match its check word";
	line[len] = '\0';
	return NULL;
}

int
crcline_file(int dirfd, const char *path, size_t max)
{
	char *text, *line, *end;
	size_t len;
	int rc = 0;

	if (atomicfile_read(dirfd, path, max, &text, &len) == -1)
		return errno == ENOENT ? 0 : -1;
	for (line = text; rc == 0 && line < text + len; line = end + 1) {
		end = memchr(line, '\n', (size_t)(text + len - line));
		if (end == NULL)
			break;
		*end = '\0';
		if (strlen(line) != (size_t)(end - line) ||
		    crcline_check(line) != NULL)
			rc = -1;
	}
	/* What is behind the last newline is no line. */
	if (rc == 0 && line < text + len)
		rc = -1;
	free(text);
	if (rc == -1)
		errno = EBADMSG;
	return rc;
}
