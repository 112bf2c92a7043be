#include "ctlserver/ctlserver.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/chan.h"
#include "common/log.h"

#define PIECE (32u << 10) /* bytes read at once */
#define UNWRITTEN_MAX (128u << 10) /* bytes in one session */
#define RATE 1024 /* bytes/s that a peer must take */
#define RATE_S 30 /* between two looks at the rate */

static void
set_timer(struct body *b)
{
	static const struct timeval tv = {RATE_S, 0};

	if (event_add(b->timer, &tv) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
}

static void
on_timer(int fd, short what, void *arg)
{
	struct body *b = arg;
	uint64_t taken = b->queued - chan_pending(b->chan);

	(void)fd;
	(void)what;
	if (taken - b->taken < (uint64_t)RATE * RATE_S) {
		b->failed(b->arg, "takes less than 1024 bytes/s");
		return;
	}
	b->taken = taken;
	set_timer(b);
}

void
body_init(struct body *b, struct event_base *base)
{
	b->fd = -1;
	b->timer = event_new(base, -1, 0, on_timer, b);
	if (b->timer == NULL)
		log_fatal(EXIT_TEMPORARY, "out of memory");
}

void
body_clear(struct body *b)
{
	event_free(b->timer);
	if (b->fd != -1)
		close(b->fd);
}

void
body_begin(struct body *b, int fd, uint64_t offset, uint64_t size)
{
	b->fd = fd;
	b->offset = offset;
	b->size = size;
	b->queued = chan_pending(b->chan);
	b->taken = 0;
	set_timer(b);
	body_more(b);
}

static void
end(struct body *b)
{
	event_del(b->timer);
	close(b->fd);
	b->fd = -1;
}

void
body_more(struct body *b)
{
	static char buf[PIECE];
	uint64_t left;
	ssize_t n;

	while (b->offset < b->size && chan_pending(b->chan) < UNWRITTEN_MAX) {
		left = b->size - b->offset;
		n = pread(b->fd, buf, left < PIECE ? (size_t)left : PIECE,
		    (off_t)b->offset);
		if (n <= 0) {
			n = n == 0 ? EIO : errno;
			end(b);
			b->failed(b->arg, strerror((int)n));
			return;
		}
		chan_write(b->chan, buf, (size_t)n);
		b->offset += (uint64_t)n;
		b->queued += (uint64_t)n;
	}
	if (b->offset < b->size || chan_pending(b->chan) > 0)
		return;
	end(b);
	b->done(b->arg);
}
