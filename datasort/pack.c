#include "datasort/datasort.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "common/atomicfile.h"
#include "common/fd.h"
#include "common/xmalloc.h"

#define CHUNK 65536 /* bytes */
#define GZIP_WRAP 16 /* for zlib: window bits plus this is gzip */

/* Where the bytes of a file go to or come from. */
struct sum {
	uint64_t bytes;
	uint32_t crc;
};

static void
sum_add(struct sum *s, const uint8_t *p, size_t len)
{
	s->crc = (uint32_t)crc32_z(s->crc, p, len);
	s->bytes += len;
}

static int
write_all(int fd, const uint8_t *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		p += n;
		len -= (size_t)n;
	}
	return 0;
}

static ssize_t
read_some(int fd, uint8_t *p)
{
	ssize_t n;

	do
		n = read(fd, p, CHUNK);
	while (n == -1 && errno == EINTR);
	return n;
}

/* --- into gzip ------------------------------------------------------------ */

/* Put what Z has in its input to OUT; all of it with FLUSH Z_FINISH. */
static int
deflate_out(z_stream *z, int flush, int out)
{
	uint8_t buf[CHUNK];

	do {
		z->next_out = buf;
		z->avail_out = sizeof(buf);
		if (deflate(z, flush) == Z_STREAM_ERROR) {
			errno = EIO;
			return -1;
		}
		if (write_all(out, buf, sizeof(buf) - z->avail_out) == -1)
			return -1;
	} while (z->avail_out == 0);
	return 0;
}

static int
deflate_file(z_stream *z, int in, int out, struct sum *sum)
{
	uint8_t buf[CHUNK];
	ssize_t n;

	do {
		n = read_some(in, buf);
		if (n == -1)
			return -1;
		sum_add(sum, buf, (size_t)n);
		z->next_in = buf;
		z->avail_in = (unsigned int)n;
		if (deflate_out(z, n == 0 ? Z_FINISH : Z_NO_FLUSH, out) == -1)
			return -1;
	} while (n > 0);
	return 0;
}

static int
compress_fd(int in, int out, struct sum *sum)
{
	z_stream z = {.zalloc = NULL};
	int rc;

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED,
		MAX_WBITS + GZIP_WRAP, MAX_MEM_LEVEL,
		Z_DEFAULT_STRATEGY) != Z_OK) {
		errno = ENOMEM;
		return -1;
	}
	rc = deflate_file(&z, in, out, sum);
	deflateEnd(&z);
	return rc;
}

/* --- out of gzip ---------------------------------------------------------- */

/* What Z has in its input, inflated, to OUT (-1: nowhere).  1 at the end of the
 * member, 0, -1. */
static int
inflate_out(z_stream *z, int out, struct sum *sum)
{
	uint8_t buf[CHUNK];
	int rc;

	do {
		z->next_out = buf;
		z->avail_out = sizeof(buf);
		rc = inflate(z, Z_NO_FLUSH);
		if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR) {
			errno = EBADMSG;
			return -1;
		}
		sum_add(sum, buf, sizeof(buf) - z->avail_out);
		if (out != -1 &&
		    write_all(out, buf, sizeof(buf) - z->avail_out) == -1)
			return -1;
	} while (z->avail_out == 0 && rc != Z_STREAM_END);
	return rc == Z_STREAM_END;
}

/* One member and nothing behind it. */
static int
inflate_file(z_stream *z, int in, int out, struct sum *sum)
{
	uint8_t buf[CHUNK];
	int ended = 0;
	ssize_t n;

	while ((n = read_some(in, buf)) > 0) {
		z->next_in = buf;
		z->avail_in = (unsigned int)n;
		if (!ended)
			ended = inflate_out(z, out, sum);
		if (ended == -1)
			return -1;
		if (z->avail_in > 0)
			break;
	}
	if (n == 0 && ended)
		return 0;
	if (n != -1)
		errno = EBADMSG;
	return -1;
}

static int
expand_fd(int in, int out, struct sum *sum)
{
	z_stream z = {.zalloc = NULL};
	int rc;

	if (inflateInit2(&z, MAX_WBITS + GZIP_WRAP) != Z_OK) {
		errno = ENOMEM;
		return -1;
	}
	rc = inflate_file(&z, in, out, sum);
	inflateEnd(&z);
	return rc;
}

/* Does OUT, read from its start, give what SUM says? */
static int
verify(int out, const struct sum *sum)
{
	struct sum back = {.bytes = 0};

	if (lseek(out, 0, SEEK_SET) == -1 || expand_fd(out, -1, &back) == -1)
		return -1;
	if (back.bytes == sum->bytes && back.crc == sum->crc)
		return 0;
	errno = EBADMSG;
	return -1;
}

/* --- the file of two names ------------------------------------------------ */

struct pack {
	int dir;
	const char *from;
	char to[ARCHIVE_PATH_MAX + 4], temp[ARCHIVE_PATH_MAX + 8];
	int in, out;
};

static int
transcribe(struct pack *p, int compress)
{
	struct sum sum = {.bytes = 0};

	if (compress) {
		if (compress_fd(p->in, p->out, &sum) == -1 ||
		    verify(p->out, &sum) == -1)
			return -1;
	} else if (expand_fd(p->in, p->out, &sum) == -1) {
		return -1;
	}
	if (fchmod(p->out, 0444) == -1)
		return -1;
	return fsync(p->out);
}

/* Write `to' from `from', by way of a temp; then remove `from'. */
static int
replace(struct pack *p, int compress)
{
	int rc, saved;

	p->in = openat(p->dir, p->from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (p->in == -1)
		return errno == ENOENT ? 0 : -1;
	snprintf(p->temp, sizeof(p->temp), "%s.tmp", p->to);
	unlinkat(p->dir, p->temp, 0);
	p->out = openat(p->dir, p->temp,
	    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	rc = p->out == -1 ? -1 : transcribe(p, compress);
	saved = errno;
	close(p->in);
	if (p->out != -1)
		close(p->out);
	if (rc == -1 && p->out != -1)
		unlinkat(p->dir, p->temp, 0);
	errno = saved;
	if (rc == -1 || atomicfile_rename(p->dir, p->temp, p->dir, p->to) == -1)
		return -1;
	return atomicfile_unlink(p->dir, p->from);
}

static int
pack(int root, const char *path, int compress)
{
	char gz[ARCHIVE_PATH_MAX + 4];
	struct pack p;
	const char *base;
	int rc;

	/* Before a directory is made for it. */
	snprintf(gz, sizeof(gz), "%s%s", path, compress ? "" : ".gz");
	rc = atomicfile_exists(root, gz);
	if (rc != 1)
		return rc;
	p.dir = archive_parent(root, path, &base);
	if (p.dir == -1)
		return -1;
	snprintf(gz, sizeof(gz), "%s.gz", base);
	p.from = compress ? base : gz;
	snprintf(p.to, sizeof(p.to), "%s", compress ? gz : base);
	rc = replace(&p, compress);
	fd_close(p.dir);
	return rc;
}

int
pack_file(int root, const char *path)
{
	return pack(root, path, 1);
}

int
pack_undo(int root, const char *path)
{
	return pack(root, path, 0);
}
