#include "common/warts/input.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "common/xmalloc.h"

#define RAW_BYTES 65536
#define GZIP_ONLY (15 + 16) /* window bits as inflateInit2 wants them */

enum kind { KIND_UNKNOWN, KIND_PLAIN, KIND_GZIP };

struct warts_input {
	int fd;
	enum kind kind;
	z_stream z; /* next_in, avail_in are used for plain data too */
	int in_member; /* gzip: between a header and its trailer */
	int raw_eof;
	const char *error; /* said again by every later call */
	unsigned char raw[RAW_BYTES];
};

struct warts_input *
warts_input_new(int fd)
{
	struct warts_input *in = xmalloc(sizeof(*in));

	memset(in, 0, offsetof(struct warts_input, raw));
	in->fd = fd;
	return in;
}

void
warts_input_free(struct warts_input *in)
{
	if (in == NULL)
		return;
	if (in->kind == KIND_GZIP)
		inflateEnd(&in->z);
	close(in->fd);
	free(in);
}

/* read(2), waiting for data if the descriptor does not. */
static ssize_t
read_wait(int fd, void *buf, size_t n)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	ssize_t got;

	while ((got = read(fd, buf, n)) == -1) {
		if (errno == EAGAIN)
			poll(&p, 1, -1);
		else if (errno != EINTR)
			break;
	}
	return got;
}

/* Have at least WANT raw bytes unless the file ends first. */
static void
raw_fill(struct warts_input *in, size_t want)
{
	ssize_t got;

	if (in->z.avail_in >= want || in->raw_eof || in->error != NULL)
		return;
	if (in->z.avail_in != 0)
		memmove(in->raw, in->z.next_in, in->z.avail_in);
	in->z.next_in = in->raw;
	while (in->z.avail_in < want && !in->raw_eof) {
		got = read_wait(in->fd, in->raw + in->z.avail_in,
		    sizeof(in->raw) - in->z.avail_in);
		if (got == -1) {
			in->error = strerror(errno);
			in->raw_eof = 1;
		} else if (got == 0) {
			in->raw_eof = 1;
		} else {
			in->z.avail_in += (unsigned int)got;
		}
	}
}

static int
raw_is_gzip(const struct warts_input *in)
{
	return in->z.avail_in >= 2 && in->z.next_in[0] == 0x1f &&
	    in->z.next_in[1] == 0x8b;
}

/* A compressor that we do not undo, or NULL. */
static const char *
raw_is_foreign(const struct warts_input *in)
{
	static const unsigned char xz[6] = {0xfd, '7', 'z', 'X', 'Z', 0};

	if (in->z.avail_in >= 3 && memcmp(in->z.next_in, "BZh", 3) == 0)
		return "compressed with bzip2: read it through bzcat";
	if (in->z.avail_in >= 6 && memcmp(in->z.next_in, xz, sizeof(xz)) == 0)
		return "compressed with xz: read it through xzcat";
	return NULL;
}

static void
kind_find(struct warts_input *in)
{
	raw_fill(in, 6);
	in->kind = KIND_PLAIN;
	if (in->error == NULL)
		in->error = raw_is_foreign(in);
	if (!raw_is_gzip(in))
		return;
	if (inflateInit2(&in->z, GZIP_ONLY) != Z_OK) {
		in->error = "zlib cannot be used";
		return;
	}
	in->kind = KIND_GZIP;
	in->in_member = 1;
}

static size_t
plain_read(struct warts_input *in, void *buf, size_t n)
{
	raw_fill(in, 1);
	if (n > in->z.avail_in)
		n = in->z.avail_in;
	if (n == 0)
		return 0;
	memcpy(buf, in->z.next_in, n);
	in->z.next_in += n;
	in->z.avail_in -= (unsigned int)n;
	return n;
}

/* Between two members.  Returns 0 at the end of the last one. */
static int
member_begin(struct warts_input *in)
{
	raw_fill(in, 2);
	if (in->z.avail_in == 0)
		return 0;
	if (!raw_is_gzip(in)) {
		in->error = "bytes behind the end of the gzip data";
		return 0;
	}
	in->in_member = inflateReset(&in->z) == Z_OK;
	return in->in_member;
}

static size_t
gzip_read(struct warts_input *in, void *buf, size_t n)
{
	int rc;

	in->z.next_out = buf;
	in->z.avail_out = n > UINT_MAX ? UINT_MAX : (unsigned int)n;
	while ((size_t)(in->z.next_out - (unsigned char *)buf) == 0) {
		if (!in->in_member && !member_begin(in))
			break;
		raw_fill(in, 1);
		if (in->z.avail_in == 0) {
			if (in->error == NULL)
				in->error = "gzip data is cut short";
			break;
		}
		rc = inflate(&in->z, Z_NO_FLUSH);
		if (rc == Z_STREAM_END) {
			in->in_member = 0;
		} else if (rc != Z_OK) {
			in->error = "gzip data is damaged";
			break;
		}
	}
	return (size_t)(in->z.next_out - (unsigned char *)buf);
}

ssize_t
warts_input_read(struct warts_input *in, void *buf, size_t n, const char **why)
{
	size_t got = 0;

	if (in->kind == KIND_UNKNOWN)
		kind_find(in);
	if (in->error == NULL)
		got = in->kind == KIND_GZIP ? gzip_read(in, buf, n)
					    : plain_read(in, buf, n);
	if (got != 0)
		return (ssize_t)got;
	if (in->error == NULL)
		return 0;
	*why = in->error;
	return -1;
}
