/*
 * channels: the clients that come through one controller (contract: remote.h).
 * Each is served as any other, at the other end of a pair of sockets.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/xmalloc.h"
#include "prober/control/control.h"
#include "prober/control/remote.h"

#define PIECE 8192 /* bytes of a stream in a frame */

struct channel {
	TAILQ_ENTRY(channel) link;
	struct channels *all;
	uint32_t id;
	struct chan *chan; /* our end of the pair, */
	int fd; /* which this is */
};

void
channels_init(
    struct channels *cs, struct control *c, channels_say say, void *arg)
{
	cs->control = c;
	cs->say = say;
	cs->arg = arg;
	TAILQ_INIT(&cs->list);
}

void
channels_pause(struct channels *cs, int pause)
{
	struct channel *ch;

	TAILQ_FOREACH(ch, &cs->list, link)
	{
		if (pause)
			chan_pause(ch->chan);
		else
			chan_resume(ch->chan);
	}
}

static void
free_channel(struct channel *ch)
{
	TAILQ_REMOVE(&ch->all->list, ch, link);
	chan_free(ch->chan);
	free(ch);
}

/* --- what its client says -------------------------------------------------------- */

static void
on_bytes(struct chan *c, const void *p, size_t len, void *arg)
{
	struct channel *ch = arg;
	size_t n;

	(void)c;
	for (; len > 0; p = (const uint8_t *)p + n, len -= n) {
		n = len < PIECE ? len : PIECE;
		ch->all->say(ch->all->arg, ch->id, p, n);
	}
}

/* Our client has ended. */
static void
end_channel(struct channel *ch)
{
	struct channels *cs = ch->all;
	struct wbuf b;

	wbuf_init(&b);
	frame_put_number(&b, FRAME_CLOSE, ch->id);
	free_channel(ch);
	cs->say(cs->arg, 0, b.p, b.len);
	wbuf_clear(&b);
}

static void
on_closed(struct chan *c, const char *why, void *arg)
{
	(void)c;
	(void)why;
	end_channel(arg);
}

/* All that comes is one body without end. */
static const struct chan_ops ops = {
    .data = on_bytes,
    .closed = on_closed,
};

/* --- what the controller says ------------------------------------------------------ */

static struct channel *
find(const struct channels *cs, uint32_t id)
{
	struct channel *ch;

	TAILQ_FOREACH(ch, &cs->list, link)
	{
		if (ch->id == id)
			return ch;
	}
	return NULL;
}

const char *
channels_open(struct channels *cs, uint32_t id, const char *name)
{
	struct channel *ch;
	char full[300];
	int fds[2];
	struct chan_config cfg = {.max_line = PIECE, .peer = "channel"};

	if (id == 0 || find(cs, id) != NULL)
		return "opens a channel that is open";
	if (cs->control->nclients >= CLIENTS_MAX)
		return "opens too many channels";
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		fds) == -1)
		return strerror(errno);
	ch = xcalloc(1, sizeof(*ch));
	ch->all = cs;
	ch->id = id;
	cfg.fd_in = cfg.fd_out = ch->fd = fds[0];
	ch->chan = chan_new(cs->control->e->base, &cfg, &ops, ch);
	chan_expect(ch->chan, UINT64_MAX);
	TAILQ_INSERT_TAIL(&cs->list, ch, link);
	snprintf(full, sizeof(full), "%s_%u", name, id - 1);
	client_new(cs->control, fds[1], full, 1);
	return NULL;
}

void
channels_write(struct channels *cs, uint32_t id, const void *p, size_t len)
{
	struct channel *ch = find(cs, id);

	if (ch != NULL)
		chan_write(ch->chan, p, len);
}

void
channels_close(struct channels *cs, uint32_t id)
{
	struct channel *ch = find(cs, id);

	if (ch != NULL)
		free_channel(ch);
}

/* --- the end ------------------------------------------------------------------------- */

void
channels_clear(struct channels *cs)
{
	struct channel *ch;

	while ((ch = TAILQ_FIRST(&cs->list)) != NULL)
		free_channel(ch);
}

void
channels_end(struct channels *cs)
{
	struct channel *ch;
	char buf[PIECE];
	ssize_t n;

	while ((ch = TAILQ_FIRST(&cs->list)) != NULL) {
		while ((n = read(ch->fd, buf, sizeof(buf))) > 0)
			on_bytes(ch->chan, buf, (size_t)n, ch);
		end_channel(ch);
	}
}
