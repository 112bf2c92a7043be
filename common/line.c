#include "common/line.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"

void
line_init(struct line_buf *lb, size_t max, size_t size)
{
	assert(size >= 2 * max);
	memset(lb, 0, sizeof(*lb));
	lb->buf = xmalloc(size + 1);
	lb->size = size;
	lb->max = max;
}

void
line_clear(struct line_buf *lb)
{
	free(lb->buf);
	memset(lb, 0, sizeof(*lb));
}

char *
line_space(struct line_buf *lb, size_t *room)
{
	size_t len = lb->end - lb->start;

	if (lb->start > 0 && lb->size - lb->end < lb->max) {
		memmove(lb->buf, lb->buf + lb->start, len);
		lb->start = 0;
		lb->end = len;
	}
	*room = lb->size - lb->end;
	return lb->buf + lb->end;
}

void
line_added(struct line_buf *lb, size_t len)
{
	assert(len <= lb->size - lb->end);
	lb->end += len;
}

static int
printable(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if ((s[i] < ' ' || s[i] > '~') && s[i] != '\t')
			return 0;
	}
	return 1;
}

/* Without a newline in sight: is what we hold too long already? */
static enum line_result
no_newline(struct line_buf *lb)
{
	if (lb->end - lb->start >= lb->max || lb->skipping) {
		lb->skipping = 1;
		lb->start = lb->end = 0;
	}
	return LINE_MORE;
}

enum line_result
line_next(struct line_buf *lb, char **line)
{
	char *s = lb->buf + lb->start, *nl;
	size_t len;

	nl = memchr(s, '\n', lb->end - lb->start);
	if (nl == NULL)
		return no_newline(lb);
	len = (size_t)(nl - s);
	lb->start += len + 1;
	lb->number++;
	if (lb->skipping || len + 1 > lb->max) {
		lb->skipping = 0;
		return LINE_TOO_LONG;
	}
	if (len > 0 && s[len - 1] == '\r')
		len--;
	*line = s;
	if (!printable(s, len)) {
		s[len] = '\0';
		return LINE_BAD_BYTE;
	}
	s[len] = '\0';
	return LINE_OK;
}

enum line_result
line_last(struct line_buf *lb, char **line)
{
	if (!lb->skipping && lb->start == lb->end)
		return LINE_MORE;
	lb->number++;
	lb->buf[lb->end] = '\0';
	*line = lb->skipping ? "" : lb->buf + lb->start;
	lb->start = lb->end = 0;
	lb->skipping = 0;
	return LINE_CUT;
}

size_t
line_take(struct line_buf *lb, size_t max, char **p)
{
	size_t n = lb->end - lb->start;

	if (n > max)
		n = max;
	*p = lb->buf + lb->start;
	lb->start += n;
	return n;
}

const char *
line_reason(enum line_result r)
{
	static const char *const reason[] = {
	    [LINE_OK] = "no error",
	    [LINE_MORE] = "no complete line",
	    [LINE_TOO_LONG] = "line too long",
	    [LINE_BAD_BYTE] = "byte outside printable ASCII",
	    [LINE_CUT] = "input ends inside this line",
	};

	return reason[r];
}
