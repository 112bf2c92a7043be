#include "dataserver/dataserver.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <zlib.h>

#include "common/chan.h"
#include "common/fd.h"
#include "common/log.h"

#define BLOCK (64u << 10) /* bytes behind one data line */
#define UNWRITTEN_MAX (1u << 20) /* bytes in one session */
#define RATE_S 30 /* between two looks at the rate */

static void
set_timer(struct bulk *b)
{
	static const struct timeval tv = {RATE_S, 0};

	if (event_add(b->timer, &tv) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
}

static void
on_timer(int fd, short what, void *arg)
{
	struct bulk *b = arg;
	uint64_t taken = b->queued - chan_pending(b->chan);

	(void)fd;
	(void)what;
	if (taken - b->taken < (uint64_t)BULK_RATE * RATE_S) {
		b->slow(b->arg);
		return;
	}
	b->taken = taken;
	set_timer(b);
}

void
bulk_init(struct bulk *b, struct event_base *base, struct chan *chan,
    void (*slow)(void *arg), void *arg)
{
	int zlib = b->zlib;

	memset(b, 0, sizeof(*b));
	b->zlib = zlib;
	b->chan = chan;
	b->fd = -1;
	b->slow = slow;
	b->arg = arg;
	b->timer = event_new(base, -1, 0, on_timer, b);
	if (b->timer == NULL)
		log_fatal(EXIT_TEMPORARY, "out of memory");
}

void
bulk_clear(struct bulk *b)
{
	event_free(b->timer);
	if (b->fd != -1)
		close(b->fd);
}

void
bulk_begin(struct bulk *b, int fd, const struct offer *f, uint64_t offset)
{
	b->active = 1;
	b->fd = fd;
	b->number = f->number;
	b->offset = offset;
	b->size = f->info.bytes;
	b->queued = chan_pending(b->chan);
	b->taken = 0;
	set_timer(b);
}

static void
end(struct bulk *b)
{
	b->active = 0;
	event_del(b->timer);
}

static void
close_file(struct bulk *b)
{
	fd_close(b->fd);
	b->fd = -1;
}

/* LEN bytes at BUF, smaller if that is possible and agreed. */
static void
put_block(struct bulk *b, const uint8_t *buf, unsigned int len)
{
	static uint8_t z[BLOCK];
	unsigned long crc = crc32(0, buf, len);
	uLongf zlen = sizeof(z);

	if (b->zlib &&
	    compress2(z, &zlen, buf, len, Z_DEFAULT_COMPRESSION) == Z_OK &&
	    zlen < len) {
		chan_printf(b->chan,
		    "zdata %" PRIu64 " %" PRIu64 " %u %08lx %lu", b->number,
		    b->offset, len, crc, zlen);
		chan_write(b->chan, z, zlen);
		return;
	}
	chan_printf(b->chan, "data %" PRIu64 " %" PRIu64 " %u %08lx", b->number,
	    b->offset, len, crc);
	chan_write(b->chan, buf, len);
}

static int
send_block(struct bulk *b)
{
	static uint8_t buf[BLOCK];
	uint64_t left = b->size - b->offset;
	size_t before = chan_pending(b->chan);
	ssize_t n;

	n = pread(
	    b->fd, buf, left < BLOCK ? (size_t)left : BLOCK, (off_t)b->offset);
	if (n <= 0) {
		/* It was longer when it was offered. */
		errno = n == 0 ? EIO : errno;
		return -1;
	}
	put_block(b, buf, (unsigned int)n);
	b->offset += (uint64_t)n;
	b->queued += chan_pending(b->chan) - before;
	return 0;
}

enum bulk_result
bulk_more(struct bulk *b)
{
	/* Drained: also the end has left. */
	if (b->fd == -1) {
		end(b);
		return BULK_DONE;
	}
	while (b->offset < b->size &&
	    chan_pending(b->chan) < UNWRITTEN_MAX - 2 * BLOCK) {
		if (send_block(b) == -1) {
			close_file(b);
			end(b);
			return BULK_ERROR;
		}
	}
	if (b->offset < b->size)
		return BULK_MORE;
	close_file(b);
	chan_printf(b->chan, "eof %" PRIu64, b->number);
	return BULK_MORE;
}
