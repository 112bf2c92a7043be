#include "common/segment_read.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "common/segment_hash.h"
#include "common/segment_mark.h"
#include "common/xmalloc.h"

#define CHUNK (256u << 10) /* bytes read at once */
#define BLOCKS 4

/* Bytes of the file.  While one is parsed others may still be hashed. */
struct block {
	uint8_t *p;
	size_t cap;
	uint64_t piece; /* of the hash: the last that lies in it */
};

struct scan {
	int fd;
	const struct segment_read_opts *opts;
	struct segment_info *info;
	struct block blocks[BLOCKS];
	unsigned int at; /* the block whose bytes are `buf' */
	uint8_t *buf;
	size_t hashed, start, end, cap; /* of the bytes in buf */
	uint64_t offset; /* in the file, of buf + start */
	int eof;
	struct segment_hash *sha; /* of the bytes before buf + hashed */
	uint32_t crc; /* from the previous mark to buf + hashed */
	uint64_t next; /* number of the next record */
	uint64_t mark_next; /* ... at the previous mark */
	const char *why;
	int failed; /* errno of a read: what follows is not what the file holds */
};

int
segment_read_numbered(uint16_t type)
{
	return type >= WARTS_TRACE && type != WARTS_MARK;
}

/* Both sums up to `start'.  Not per record: of some 50 bytes at a time they
 * would cost four times as much. */
static void
hash_taken(struct scan *s)
{
	const uint8_t *p = s->buf + s->hashed;
	size_t len = s->start - s->hashed;

	if (!s->opts->tail_only)
		s->crc = (uint32_t)crc32_z(s->crc, p, len);
	s->blocks[s->at].piece = segment_hash_add(s->sha, p, len);
	s->hashed = s->start;
}

/* Go on in the next block, with room for WANT bytes; what is behind start
 * moves there. */
static void
make_room(struct scan *s, size_t want)
{
	const uint8_t *rest = s->buf + s->start;
	struct block *b;

	hash_taken(s);
	s->at = (s->at + 1) % BLOCKS;
	b = &s->blocks[s->at];
	segment_hash_wait(s->sha, b->piece);
	if (b->cap < want) {
		b->cap = want + CHUNK;
		b->p = xreallocarray(b->p, b->cap, 1);
	}
	s->end -= s->start;
	memcpy(b->p, rest, s->end);
	s->start = s->hashed = 0;
	s->buf = b->p;
	s->cap = b->cap;
}

/* Have LEN bytes in the buffer.  0; -1 with why when there are not so many. */
static int
need(struct scan *s, size_t len)
{
	ssize_t n;

	while (s->end - s->start < len && !s->eof) {
		if (s->cap - s->start < len || s->end == s->cap)
			make_room(s, len);
		n = pread(s->fd, s->buf + s->end, s->cap - s->end,
		    (off_t)(s->offset + s->end - s->start));
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1) {
			s->failed = errno;
			s->why = "read error";
			return -1;
		}
		s->eof = n == 0;
		s->end += (size_t)n;
	}
	if (s->end - s->start >= len)
		return 0;
	s->why = s->end == s->start ? "ends without a tail mark"
				    : "ends inside a record";
	return -1;
}

static void
take(struct scan *s, size_t len)
{
	s->start += len;
	s->offset += len;
}

static const char *
check_head(struct scan *s, const struct segment_mark *m)
{
	struct segment_info *info = s->info;

	if (m->kind != SEGMENT_MARK_HEAD)
		return "does not begin with a head mark";
	if (m->count != 0)
		return "head mark with records";
	memcpy(info->epoch, m->epoch, sizeof(info->epoch));
	memcpy(info->boot, m->boot, sizeof(info->boot));
	info->number = m->segment;
	info->first = m->first;
	s->next = s->mark_next = m->first;
	return NULL;
}

static const char *
check_tail(struct scan *s, const struct segment_mark *m)
{
	uint8_t sha[SEGMENT_SHA_LEN];

	segment_hash_sum(s->sha, sha);
	if (memcmp(sha, m->sha, sizeof(sha)) != 0)
		return "SHA-256 in the tail does not match";
	if (m->seg_first != s->info->first || m->seg_last != s->next - 1)
		return "record numbers in the tail do not match";
	return NULL;
}

/* A mark behind the head, compared with what came before it. */
static const char *
check_mark(struct scan *s, const struct segment_mark *m)
{
	struct segment_info *info = s->info;

	if (m->kind == SEGMENT_MARK_HEAD)
		return "second head mark";
	if (memcmp(m->epoch, info->epoch, sizeof(info->epoch)) != 0)
		return "mark of another epoch";
	if (m->segment != info->number)
		return "mark of another segment";
	if (m->first != s->mark_next || m->count != s->next - s->mark_next)
		return "record numbers do not match";
	if (s->opts->bound != 0 && s->next > s->opts->bound)
		return "was cut here; the rest is in the next segment";
	if (m->kind == SEGMENT_MARK_RESUME) {
		if (info->content || m->resume_last >= m->first)
			return "misplaced resume mark";
		info->resumed = 1;
		info->resume_last = m->resume_last;
	}
	if (m->kind == SEGMENT_MARK_TAIL)
		return check_tail(s, m);
	return NULL;
}

/* The CRC-32 of mark M, LEN bytes at P. */
static int
check_crc(
    struct scan *s, const struct segment_mark *m, const uint8_t *p, size_t len)
{
	uint32_t crc = s->crc;

	if (s->opts->tail_only) {
		if (m->kind != SEGMENT_MARK_TAIL)
			return 0;
		/* The SHA-256 does not cover the tail itself: its CRC does. */
		s->why = "records between the last mark and the tail";
		if (s->offset != s->info->good)
			return -1;
		crc = 0;
	}
	s->why = "CRC-32 does not match";
	crc = (uint32_t)crc32(crc, p, (unsigned int)(len - 4));
	return crc ==
		segment_mark_crc(p + WARTS_HEADER_LEN, len - WARTS_HEADER_LEN)
	    ? 0
	    : -1;
}

/* The mark of LEN bytes at the start of the buffer.  Consumes it if good. */
static int
read_mark(struct scan *s, size_t len)
{
	const uint8_t *p = s->buf + s->start, *body = p + WARTS_HEADER_LEN;
	uint32_t body_len = (uint32_t)(len - WARTS_HEADER_LEN);
	struct segment_info *info = s->info;
	struct segment_mark m;

	if (segment_mark_decode(body, body_len, &m, &s->why) == -1)
		return -1;
	if (!s->opts->tail_only || m.kind == SEGMENT_MARK_TAIL)
		hash_taken(s);
	if (check_crc(s, &m, p, len) == -1)
		return -1;
	s->why = info->marks == 0 ? check_head(s, &m) : check_mark(s, &m);
	if (s->why != NULL)
		return -1;
	if (s->opts->mark != NULL)
		s->opts->mark(s->opts->arg, body, body_len);
	take(s, len);
	if (!s->opts->tail_only)
		hash_taken(s);
	s->crc = 0;
	s->mark_next = s->next;
	info->content = info->marks > 0;
	info->marks++;
	info->good = s->offset;
	info->last = s->next - 1;
	if (!s->opts->tail_only)
		segment_hash_sum(s->sha, info->good_sha);
	info->sealed = m.kind == SEGMENT_MARK_TAIL;
	return 0;
}

static int
read_record(struct scan *s, uint16_t type, size_t len)
{
	const uint8_t *p = s->buf + s->start;
	uint64_t number = 0;

	if (s->info->marks == 0) {
		s->why = "does not begin with a head mark";
		return -1;
	}
	if (segment_read_numbered(type))
		number = s->next++;
	if (s->opts->record != NULL)
		s->opts->record(s->opts->arg, type, p + WARTS_HEADER_LEN,
		    (uint32_t)(len - WARTS_HEADER_LEN), number);
	take(s, len);
	return 0;
}

/* One record, mark or not.  -1 at the end, good or bad. */
static int
step(struct scan *s)
{
	const uint8_t *p;
	uint16_t type;
	uint32_t len;

	if (need(s, WARTS_HEADER_LEN) == -1)
		return -1;
	if (s->info->sealed) {
		s->why = "bytes behind the tail mark";
		return -1;
	}
	p = s->buf + s->start;
	type = (uint16_t)(p[2] << 8 | p[3]);
	len = (uint32_t)p[4] << 24 | (uint32_t)p[5] << 16 |
	    (uint32_t)p[6] << 8 | p[7];
	if ((p[0] << 8 | p[1]) != WARTS_MAGIC || type == 0 || len == 0 ||
	    len > WARTS_BODY_MAX) {
		s->why = "no record header where one should be";
		return -1;
	}
	if (need(s, WARTS_HEADER_LEN + (size_t)len) == -1)
		return -1;
	if (type == WARTS_MARK)
		return read_mark(s, WARTS_HEADER_LEN + (size_t)len);
	return read_record(s, type, WARTS_HEADER_LEN + (size_t)len);
}

/* Hash what is left.  0, or -1 on a read error. */
static int
hash_rest(struct scan *s)
{
	const char *why = s->why;

	while (s->failed == 0) {
		take(s, s->end - s->start);
		if (need(s, 1) == -1)
			break;
	}
	if (s->failed != 0)
		return -1;
	s->why = why;
	return 0;
}

static void
scan_init(struct scan *s, int fd, const struct segment_read_opts *opts,
    struct segment_info *info)
{
	static const struct segment_read_opts none;

	memset(s, 0, sizeof(*s));
	memset(info, 0, sizeof(*info));
	s->fd = fd;
	s->opts = opts != NULL ? opts : &none;
	s->info = info;
	s->cap = s->blocks[0].cap = CHUNK;
	s->buf = s->blocks[0].p = xmalloc(CHUNK);
	s->sha = segment_hash_new(s->opts->tail_only);
}

static void
scan_clear(struct scan *s)
{
	segment_hash_free(s->sha);
	for (int i = 0; i < BLOCKS; i++)
		free(s->blocks[i].p);
}

int
segment_read(int fd, const struct segment_read_opts *opts,
    struct segment_info *info, const char **why)
{
	struct scan s;
	int rc, saved;

	scan_init(&s, fd, opts, info);
	errno = 0;
	do {
		info->stopped = s.offset;
	} while (step(&s) == 0);
	rc = hash_rest(&s);
	saved = s.failed;
	info->bytes = s.offset;
	hash_taken(&s);
	segment_hash_sum(s.sha, info->sha);
	info->sealed = info->sealed && rc == 0 && info->good == info->bytes;
	if (!info->sealed)
		*why = s.why;
	scan_clear(&s);
	errno = saved;
	return info->sealed ? 0 : -1;
}

int
segment_read_head(int fd, struct segment_info *info)
{
	static const struct segment_read_opts none;
	struct scan s;
	int rc;

	scan_init(&s, fd, &none, info);
	rc = step(&s);
	scan_clear(&s);
	return rc;
}
