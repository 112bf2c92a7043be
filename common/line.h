/*
 * line: bytes in, complete bounded lines out.  No fd, no clock: the caller
 * reads into the buffer's free space and takes lines out.
 *
 * A line ends in \n.  Lines longer than the limit, and lines with a byte
 * outside printable ASCII, come out as errors in their place, and reading goes
 * on behind them: one bad line costs one line.
 */
#ifndef COMMON_LINE_H
#define COMMON_LINE_H

#include <stddef.h>
#include <stdint.h>

#define LINE_MAX_COMMAND 1024 /* bytes of a probing command with its \n */

struct line_buf {
	char *buf;
	size_t size; /* bytes allocated */
	size_t max; /* longest line with its \n */
	size_t start; /* first unread byte */
	size_t end; /* behind the last byte */
	uint64_t number; /* of the line given out last, from 1 */
	int skipping; /* inside an overlong line */
};

enum line_result {
	LINE_OK, /* a line */
	LINE_MORE, /* no complete line: read more */
	LINE_TOO_LONG, /* this line was over the limit and is dropped */
	LINE_BAD_BYTE, /* this line has a byte outside printable ASCII or TAB */
	LINE_CUT, /* from line_last only: input ended inside this line */
};

/* Lines of at most MAX bytes; SIZE bytes of buffer, SIZE >= 2 * MAX. */
void line_init(struct line_buf *lb, size_t max, size_t size);
void line_clear(struct line_buf *lb);

/* Where to read to, and how many bytes at most (at least MAX after all lines
 * were taken).  The pointer is good until the next line_ call. */
char *line_space(struct line_buf *lb, size_t *room);

/* LEN bytes were read into line_space(). */
void line_added(struct line_buf *lb, size_t len);

/*
 * The next line, NUL-terminated, without its \n (and \r before it), in *LINE;
 * it lives in the buffer until the next line_space().  Also set for
 * LINE_BAD_BYTE, for the message.
 */
enum line_result line_next(struct line_buf *lb, char **line);

/* At end of input: LINE_CUT with what is left of an unfinished line in *LINE,
 * or LINE_MORE when there is nothing.  Call after line_next said LINE_MORE. */
enum line_result line_last(struct line_buf *lb, char **line);

/* At most MAX unread bytes as they are, *P pointing into the buffer until the
 * next line_space(): for a body between lines.  Returns how many. */
size_t line_take(struct line_buf *lb, size_t max, char **p);

/* A static reason for a result other than LINE_OK. */
const char *line_reason(enum line_result r);

#endif
