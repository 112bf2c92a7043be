#include "common/warts/input.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/warts/unpack.h"
#include "common/xmalloc.h"

#define RAW_BYTES 65536

struct warts_input {
	int fd;
	int known; /* what kind it is */
	const struct unpack_kind *kind; /* NULL: as it is */
	void *member; /* its decoder; NULL: between two members */
	const uint8_t *next; /* raw bytes not used yet */
	size_t avail;
	int raw_eof;
	const char *error; /* said again by every later call */
	uint8_t raw[RAW_BYTES];
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
	if (in->member != NULL)
		in->kind->end(in->member);
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

	if (in->avail >= want || in->raw_eof || in->error != NULL)
		return;
	if (in->avail != 0)
		memmove(in->raw, in->next, in->avail);
	in->next = in->raw;
	while (in->avail < want && !in->raw_eof) {
		got = read_wait(
		    in->fd, in->raw + in->avail, sizeof(in->raw) - in->avail);
		if (got == -1) {
			in->error = strerror(errno);
			in->raw_eof = 1;
		} else if (got == 0) {
			in->raw_eof = 1;
		} else {
			in->avail += (size_t)got;
		}
	}
}

static void
kind_find(struct warts_input *in)
{
	raw_fill(in, UNPACK_MAGIC_MAX);
	in->kind = unpack_kind_of(in->next, in->avail);
	in->known = 1;
}

static size_t
plain_read(struct warts_input *in, void *buf, size_t n)
{
	raw_fill(in, 1);
	if (n > in->avail)
		n = in->avail;
	if (n == 0)
		return 0;
	memcpy(buf, in->next, n);
	in->next += n;
	in->avail -= n;
	return n;
}

/* Between two members.  Returns 0 at the end of the last one. */
static int
member_begin(struct warts_input *in)
{
	raw_fill(in, UNPACK_MAGIC_MAX);
	if (in->avail == 0)
		return 0;
	if (unpack_kind_of(in->next, in->avail) != in->kind) {
		/* Too short to be told from the beginning of one. */
		in->error = in->avail < in->kind->magic_len ? in->kind->cut
							    : in->kind->behind;
		return 0;
	}
	in->member = in->kind->begin();
	if (in->member == NULL)
		in->error = "no memory to unpack it";
	return in->member != NULL;
}

static size_t
packed_read(struct warts_input *in, void *buf, size_t n)
{
	struct unpack_io io = {.out = buf, .out_len = n};
	enum unpack_result r;

	while (io.out_len == n) {
		if (in->member == NULL && !member_begin(in))
			break;
		raw_fill(in, 1);
		if (in->avail == 0) {
			if (in->error == NULL)
				in->error = in->kind->cut;
			break;
		}
		io.in = in->next;
		io.in_len = in->avail;
		r = in->kind->step(in->member, &io);
		in->next = io.in;
		in->avail = io.in_len;
		if (r == UNPACK_END) {
			in->kind->end(in->member);
			in->member = NULL;
		} else if (r == UNPACK_DAMAGED) {
			in->error = in->kind->damaged;
			break;
		}
	}
	return n - io.out_len;
}

ssize_t
warts_input_read(struct warts_input *in, void *buf, size_t n, const char **why)
{
	size_t got = 0;

	if (!in->known)
		kind_find(in);
	if (in->error == NULL)
		got = in->kind != NULL ? packed_read(in, buf, n)
				       : plain_read(in, buf, n);
	if (got != 0)
		return (ssize_t)got;
	if (in->error == NULL)
		return 0;
	*why = in->error;
	return -1;
}
