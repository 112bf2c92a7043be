#include "prober/framelog.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zlib.h>

#include "common/atomicfile.h"
#include "common/crcline.h"
#include "common/fd.h"
#include "common/xmalloc.h"

#define FRAME_MAGIC "frme"
#define HEAD_LEN 12
#define CRC_LEN 4
#define FILE_MAX (1u << 30) /* bytes; queue, window and hold need far less */

static void
put_u32(uint8_t *p, uint32_t v)
{
	for (int i = 3; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

static uint32_t
get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

static uint32_t
crc_of(const void *p, size_t len)
{
	return (uint32_t)crc32_z(crc32_z(0, NULL, 0), p, len);
}

/* --- writing -------------------------------------------------------------- */

void
framelog_init(struct framelog *f, int dirfd, const char *name)
{
	memset(f, 0, sizeof(*f));
	f->dirfd = dirfd;
	f->fd = -1;
	f->name = name;
}

static void
close_file(struct framelog *f)
{
	fd_close(f->fd);
	f->fd = -1;
}

void
framelog_clear(struct framelog *f)
{
	if (framelog_is_busy(f))
		framelog_result(f);
	close_file(f);
}

/* The frame of BODY to P, which has room; its length. */
static size_t
make_frame(uint8_t *p, const void *body, size_t len)
{
	memcpy(p, FRAME_MAGIC, 4);
	put_u32(p + 4, (uint32_t)len);
	put_u32(p + 8, crc_of(p, 8));
	if (len > 0)
		memcpy(p + HEAD_LEN, body, len);
	put_u32(p + HEAD_LEN + len, crc_of(body, len));
	return HEAD_LEN + len + CRC_LEN;
}

/* The new file instead of the old one. */
static int
do_replace(void *arg)
{
	struct framelog *f = arg;
	size_t n = strlen(f->line), total = n + HEAD_LEN + f->len + CRC_LEN;
	uint8_t *all = xmalloc(total);
	int rc;

	memcpy(all, f->line, n);
	make_frame(all + n, f->body, f->len);
	rc = atomicfile_write(f->dirfd, f->name, all, total, 0644);
	free(all);
	if (rc == -1)
		return -1;
	f->bytes = total;
	f->new_fd = openat(f->dirfd, f->name, O_WRONLY | O_CLOEXEC);
	return f->new_fd == -1 ? -1 : 0;
}

void
framelog_replace(
    struct framelog *f, const char *text, const void *body, size_t len)
{
	f->line = crcline_make(text);
	f->body = body;
	f->len = len;
	f->new_fd = -1;
	syncer_submit(&f->job, do_replace, f);
}

static int
do_sync(void *arg)
{
	const struct framelog *f = arg;

	return fdatasync(f->fd);
}

static int
is_full(int err)
{
	return err == ENOSPC || err == EDQUOT;
}

/* Is it for want of space, and the file as it was before? */
static int
only_full(struct framelog *f)
{
	return is_full(errno) && ftruncate(f->fd, (off_t)f->bytes) == 0;
}

int
framelog_append(struct framelog *f, const void *body, size_t len)
{
	uint8_t *frame;
	size_t n;
	int rc;

	assert(!framelog_is_busy(f));
	if (f->fd == -1) {
		errno = EBADF;
		return -1;
	}
	frame = xmalloc(HEAD_LEN + len + CRC_LEN);
	n = make_frame(frame, body, len);
	rc = atomicfile_pwrite(f->fd, frame, n, (off_t)f->bytes);
	free(frame);
	if (rc == -1 && only_full(f)) {
		errno = ENOSPC;
		return -1;
	}
	if (rc == -1) {
		close_file(f);
		if (is_full(errno))
			errno = EIO;
		return -1;
	}
	f->bytes += n;
	syncer_submit(&f->job, do_sync, f);
	return 0;
}

int
framelog_result(struct framelog *f)
{
	int rc = syncer_result(&f->job), replaced = f->line != NULL;

	/* A sync that failed once may say yes the next time without having
	 * written: the file is not to be trusted any more.  The file of the old
	 * descriptor may be gone from the directory, even after a failure: that
	 * may have been the sync behind the rename. */
	if (rc == -1 || replaced)
		close_file(f);
	if (rc == 0 && replaced)
		f->fd = f->new_fd;
	free(f->line);
	f->line = NULL;
	return rc;
}

/* --- reading -------------------------------------------------------------- */

struct place {
	const uint8_t *p;
	size_t len; /* left */
};

/* The frame at AT: its body's length, or -1 with a reason; *WHOLE: all bytes
 * that it says it has are there. */
static ssize_t
look(const struct place *at, int *whole, const char **why)
{
	size_t len;

	*whole = 0;
	*why = "ends inside a frame";
	if (at->len < HEAD_LEN)
		return -1;
	*whole = 1;
	*why = "no frame where one should be";
	if (memcmp(at->p, FRAME_MAGIC, 4) != 0 ||
	    get_u32(at->p + 8) != crc_of(at->p, 8))
		return -1;
	len = get_u32(at->p + 4);
	*whole = at->len - HEAD_LEN >= len + CRC_LEN;
	*why = "ends inside a frame";
	if (!*whole)
		return -1;
	*why = "CRC-32 of a frame does not match";
	if (get_u32(at->p + HEAD_LEN + len) != crc_of(at->p + HEAD_LEN, len))
		return -1;
	return (ssize_t)len;
}

/* After a power cut: is what is not good at AT the last frame, torn?  Not if a
 * good one follows, for that was written when this one was durable. */
static int
is_last(struct place at)
{
	const char *why;
	int whole;

	while (at.len > HEAD_LEN) {
		at.p++;
		at.len--;
		if (look(&at, &whole, &why) != -1)
			return 0;
	}
	return 1;
}

static const char *
read_frames(
    struct place at, const struct framelog_reader *r, int sure, size_t *torn)
{
	const char *why = NULL;
	int first = 1, whole;
	ssize_t n;

	for (; at.len > 0; first = 0) {
		n = look(&at, &whole, &why);
		if (n == -1 && !first && (sure ? !whole : is_last(at))) {
			*torn = at.len;
			return NULL;
		}
		if (n == -1)
			return why;
		why = r->frame(r->arg, at.p + HEAD_LEN, (size_t)n);
		if (why != NULL)
			return why;
		at.p += HEAD_LEN + (size_t)n + CRC_LEN;
		at.len -= HEAD_LEN + (size_t)n + CRC_LEN;
	}
	return first ? "has no frame" : NULL;
}

static const char *
read_all(char *data, size_t len, const struct framelog_reader *r, size_t *torn)
{
	char *nl = memchr(data, '\n', len);
	const char *why;
	struct place at;
	int sure = 1;

	if (nl == NULL || nl - data > FRAMELOG_LINE_MAX)
		return "has no first line";
	*nl = '\0';
	if (strlen(data) != (size_t)(nl - data))
		return "has no first line";
	why = crcline_check(data);
	if (why == NULL)
		why = r->line(r->arg, data, &sure);
	if (why != NULL)
		return why;
	at.p = (const uint8_t *)nl + 1;
	at.len = len - (size_t)(nl + 1 - data);
	return read_frames(at, r, sure, torn);
}

int
framelog_read(int dirfd, const char *name, const struct framelog_reader *r,
    size_t *torn, const char **why)
{
	char *data;
	size_t len;

	*why = "cannot be read";
	*torn = 0;
	if (atomicfile_read(dirfd, name, FILE_MAX, &data, &len) == -1)
		return -1;
	*why = read_all(data, len, r, torn);
	free(data);
	errno = EBADMSG;
	return *why == NULL ? 0 : -1;
}
