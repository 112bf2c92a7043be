#include "common/warts/reader.h"

#include <stdlib.h>
#include <string.h>

#include "common/warts/input.h"
#include "common/xmalloc.h"

#define READ_BYTES 65536

/*
 *	buf:  0 ........ last ........ pos ........... len ...... cap
 *	      gone soon  last record   the next one    bytes read
 */
struct warts_reader {
	struct warts_input *in;
	uint8_t *buf;
	size_t last, pos, len, cap;
	uint64_t base; /* offset of buf[0] in the stream */
	int eof; /* the input has no more */
	int done; /* the caller has been told */
	int doubt; /* the last record may hold others */
	const char *error; /* why the input ended, NULL if it just did */
};

struct header {
	uint16_t magic, type;
	uint32_t len;
};

struct warts_reader *
warts_reader_new(int fd)
{
	struct warts_reader *rd = xcalloc(1, sizeof(*rd));

	rd->in = warts_input_new(fd);
	return rd;
}

void
warts_reader_free(struct warts_reader *rd)
{
	if (rd == NULL)
		return;
	warts_input_free(rd->in);
	free(rd->buf);
	free(rd);
}

/* Forget what lies before the last record, once it is most of the buffer: so
 * no byte is moved more than about once. */
static void
forget(struct warts_reader *rd)
{
	size_t n = rd->last;

	if (n < READ_BYTES || n < rd->len - n)
		return;
	memmove(rd->buf, rd->buf + n, rd->len - n);
	rd->len -= n;
	rd->pos -= n;
	rd->last = 0;
	rd->base += n;
}

/* Have N bytes from AT on; 0 if the input ends before. */
static int
have(struct warts_reader *rd, size_t at, size_t n)
{
	ssize_t got;

	while (rd->len - at < n && !rd->eof) {
		if (rd->cap - rd->len < READ_BYTES) {
			rd->cap = rd->cap * 2 + 2 * READ_BYTES;
			rd->buf = xreallocarray(rd->buf, rd->cap, 1);
		}
		got = warts_input_read(
		    rd->in, rd->buf + rd->len, READ_BYTES, &rd->error);
		if (got > 0)
			rd->len += (size_t)got;
		else
			rd->eof = 1;
	}
	return rd->len - at >= n;
}

static struct header
header_at(const struct warts_reader *rd, size_t at)
{
	const uint8_t *p = rd->buf + at;

	return (struct header){
	    .magic = (uint16_t)(p[0] << 8 | p[1]),
	    .type = (uint16_t)(p[2] << 8 | p[3]),
	    .len = (uint32_t)p[4] << 24 | (uint32_t)p[5] << 16 |
		(uint32_t)p[6] << 8 | p[7],
	};
}

/* What is wrong with a header where one is due, or NULL. */
static const char *
header_bad(struct header h)
{
	if (h.magic != WARTS_MAGIC)
		return "not a warts record";
	if (h.type == 0)
		return "record of type 0";
	if (h.len == 0)
		return "record of length 0";
	if (h.len > WARTS_BODY_MAX)
		return "record too long to be one";
	return NULL;
}

/* Does a record begin at AT, judging by what is there and what follows? */
static int
plausible(struct warts_reader *rd, size_t at)
{
	struct header h;
	size_t next;

	if (!have(rd, at, WARTS_HEADER_LEN))
		return 0;
	h = header_at(rd, at);
	if (header_bad(h) != NULL ||
	    (h.type > WARTS_OWAMP && h.type != WARTS_MARK))
		return 0;
	next = at + WARTS_HEADER_LEN + h.len;
	if (!have(rd, at, WARTS_HEADER_LEN + h.len))
		return 0;
	if (have(rd, next, 2))
		return rd->buf[next] == WARTS_MAGIC >> 8 &&
		    rd->buf[next + 1] == (WARTS_MAGIC & 0xff);
	return rd->len == next;
}

/* The next byte from AT on that could begin the magic, or the last byte. */
static size_t
candidate(const struct warts_reader *rd, size_t at)
{
	const uint8_t *p;

	p = memchr(rd->buf + at, WARTS_MAGIC >> 8, rd->len - at);
	return p != NULL ? (size_t)(p - rd->buf) : rd->len - 1;
}

/* The first place inside the last record where another begins, or pos. */
static size_t
search_inside(struct warts_reader *rd)
{
	for (size_t at = rd->last + 1; at < rd->pos; at++) {
		at = candidate(rd, at);
		if (at < rd->pos && plausible(rd, at))
			return at;
	}
	return rd->pos;
}

/* Move pos to the first place behind it where a record begins, or the end. */
static void
search_behind(struct warts_reader *rd)
{
	do {
		rd->last = ++rd->pos;
		forget(rd);
		if (!have(rd, rd->pos, 1))
			return;
		rd->last = rd->pos = candidate(rd, rd->pos);
	} while (!plausible(rd, rd->pos));
}

/*
 * Something is wrong at pos.  Look inside the last record first: when it
 * swallowed others, the damage is its length.
 */
static enum warts_read
resync(struct warts_reader *rd, struct warts_record *out)
{
	uint64_t len;
	size_t at = search_inside(rd);

	out->offset = rd->base + (at < rd->pos ? rd->last : rd->pos);
	if (at < rd->pos)
		rd->pos = at;
	else
		search_behind(rd);
	rd->last = rd->pos;
	len = rd->base + rd->pos - out->offset;
	out->len = len > UINT32_MAX ? UINT32_MAX : (uint32_t)len;
	return WARTS_READ_DAMAGE;
}

/* The input has ended at a record's beginning. */
static enum warts_read
finish(struct warts_reader *rd, const char **why)
{
	int told = rd->done;

	rd->done = 1;
	if (told || rd->error == NULL)
		return WARTS_READ_EOF;
	*why = rd->error;
	return WARTS_READ_ERROR;
}

enum warts_read
warts_reader_next(
    struct warts_reader *rd, struct warts_record *out, const char **why)
{
	struct header h;

	memset(out, 0, sizeof(*out));
	if (rd->doubt)
		rd->pos = search_inside(rd);
	rd->doubt = 0;
	forget(rd);
	if (!have(rd, rd->pos, 1))
		return finish(rd, why);
	if (!have(rd, rd->pos, WARTS_HEADER_LEN)) {
		*why = "file ends within a record's header";
		return resync(rd, out);
	}
	h = header_at(rd, rd->pos);
	if ((*why = header_bad(h)) != NULL)
		return resync(rd, out);
	if (!have(rd, rd->pos, WARTS_HEADER_LEN + h.len)) {
		*why = "file ends within a record";
		return resync(rd, out);
	}
	out->type = h.type;
	out->len = h.len;
	out->body = rd->buf + rd->pos + WARTS_HEADER_LEN;
	out->offset = rd->base + rd->pos;
	rd->last = rd->pos;
	rd->pos += WARTS_HEADER_LEN + h.len;
	return WARTS_READ_RECORD;
}

void
warts_reader_doubt(struct warts_reader *rd)
{
	rd->doubt = rd->last < rd->pos;
}
