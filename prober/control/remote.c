/*
 * remote: a Prober that cannot be connected to, behind a NAT, dials its
 * controller (scamper's sc_remoted) and is driven from there.  The bytes are
 * described in remote.h.
 *
 *	sc_attach ─► sc_remoted ═ one connection ═► channel ─ socket pair ─► client
 *
 * What was said and not acknowledged is kept: when the connection breaks, it is
 * dialled again with growing pauses, both sides say how far they came, and go
 * on.  The clients do not notice.  If the controller does not know us any more,
 * its clients are gone, and it begins anew.
 */
#include "prober/control/remote.h"

#include <errno.h>
#include <event2/event.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "common/log.h"
#include "common/tls.h"
#include "common/xmalloc.h"
#include "prober/control/control.h"

#define LOOK_NS NS_PER_SEC
#define ALIVE_NS (30 * NS_PER_SEC) /* say something at least so often */
#define SILENCE_NS (60 * NS_PER_SEC) /* a peer silent for so long is gone */
#define PAUSE_MIN_NS NS_PER_SEC
#define PAUSE_MAX_NS (60 * NS_PER_SEC)
#define SHAKE_NS (20 * NS_PER_SEC)
#define PIECE 8192 /* bytes of a stream in a frame */
#define UNACKED_MAX (4 * 1024 * 1024) /* bytes; no more is read beyond this */

enum state {
	DOWN,
	DIALLING,
	GREETED, /* hello or resume is said, and not answered */
	UP,
};

struct channel {
	TAILQ_ENTRY(channel) link;
	struct remote *remote;
	uint32_t id;
	struct chan *chan; /* our end of the pair */
};

struct remote {
	struct control *control;
	char *address, *host, *port;
	struct tls *tls; /* NULL: none */
	enum state state;
	struct resolve *resolve;
	struct tls_shake *shake;
	struct chan *chan;
	int fd; /* of chan, which owns it */
	struct event *look;
	int64_t due_ns, pause_ns; /* DOWN: when to dial, and the next pause */
	int64_t heard_ns, said_ns;
	uint8_t magic[FRAME_MAGIC];
	int known; /* the controller has welcomed this magic */
	char name[256]; /* ours, by the controller */
	uint32_t expected, next; /* numbers of frames */
	struct frame_queue unacked;
	TAILQ_HEAD(, channel) channels;
	struct frame in;
	uint8_t header[FRAME_HEADER], body[FRAME_BODY_MAX];
	size_t have; /* bytes of header and body that are here */
	struct wbuf out, message;
};

/* --- frames out ----------------------------------------------------------------- */

static void
say_frame(struct remote *r, const struct frame *f)
{
	if (r->chan == NULL)
		return;
	wbuf_reset(&r->out);
	frame_write(&r->out, f);
	chan_write(r->chan, r->out.p, r->out.len);
	r->said_ns = clock_mono_ns();
}

/* What is in r->message, without a number of its own. */
static void
say_message(struct remote *r)
{
	struct frame f = {r->next, 0, (uint16_t)r->message.len, r->message.p};

	say_frame(r, &f);
	wbuf_reset(&r->message);
}

static void
set_pause(struct remote *r, int pause)
{
	struct channel *ch;

	TAILQ_FOREACH(ch, &r->channels, link)
	{
		if (pause)
			chan_pause(ch->chan);
		else
			chan_resume(ch->chan);
	}
}

/* One that is numbered, and kept until it is acknowledged. */
static void
say_numbered(
    struct remote *r, uint32_t channel, const uint8_t *body, size_t len)
{
	struct frame f = {r->next++, channel, (uint16_t)len, body};

	frame_queue_add(&r->unacked, &f);
	if (r->state == UP)
		say_frame(r, &f);
	if (r->unacked.bytes >= UNACKED_MAX)
		set_pause(r, 1);
}

/* All before number BEHIND are there. */
static void
forget_acked(struct remote *r, uint32_t behind)
{
	frame_queue_forget(&r->unacked, behind);
	if (r->unacked.bytes < UNACKED_MAX / 2)
		set_pause(r, 0);
}

/* --- channels --------------------------------------------------------------------- */

static void
channel_free(struct channel *ch)
{
	TAILQ_REMOVE(&ch->remote->channels, ch, link);
	chan_free(ch->chan);
	free(ch);
}

static void
on_bytes(struct chan *c, const void *p, size_t len, void *arg)
{
	struct channel *ch = arg;
	size_t n;

	(void)c;
	for (; len > 0; p = (const uint8_t *)p + n, len -= n) {
		n = len < PIECE ? len : PIECE;
		say_numbered(ch->remote, ch->id, p, n);
	}
}

/* Our client has ended. */
static void
on_channel_closed(struct chan *c, const char *why, void *arg)
{
	struct channel *ch = arg;
	struct remote *r = ch->remote;

	(void)c;
	(void)why;
	wbuf_reset(&r->message);
	frame_put_number(&r->message, FRAME_CLOSE, ch->id);
	say_numbered(r, 0, r->message.p, r->message.len);
	wbuf_reset(&r->message);
	channel_free(ch);
}

/* Not called: all that comes is a body. */
static void
on_channel_line(struct chan *c, char *line, void *arg)
{
	(void)c;
	(void)line;
	(void)arg;
}

static void
on_channel_bad(struct chan *c, uint64_t number, const char *why, void *arg)
{
	(void)c;
	(void)number;
	(void)why;
	(void)arg;
}

static const struct chan_ops channel_ops = {
    .line = on_channel_line,
    .data = on_bytes,
    .bad = on_channel_bad,
    .closed = on_channel_closed,
};

static struct channel *
find_channel(struct remote *r, uint32_t id)
{
	struct channel *ch;

	TAILQ_FOREACH(ch, &r->channels, link)
	{
		if (ch->id == id)
			return ch;
	}
	return NULL;
}

static const char *
open_channel(struct remote *r, uint32_t id)
{
	struct channel *ch;
	char name[300];
	int fds[2];
	struct chan_config cfg = {.max_line = PIECE, .peer = "channel"};

	if (id == 0 || find_channel(r, id) != NULL)
		return "opens a channel that is open";
	if (r->control->nclients >= CLIENTS_MAX)
		return "opens too many channels";
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		fds) == -1)
		return strerror(errno);
	ch = xcalloc(1, sizeof(*ch));
	ch->remote = r;
	ch->id = id;
	cfg.fd_in = cfg.fd_out = fds[0];
	ch->chan = chan_new(r->control->e->base, &cfg, &channel_ops, ch);
	chan_expect(ch->chan, UINT64_MAX);
	TAILQ_INSERT_TAIL(&r->channels, ch, link);
	snprintf(name, sizeof(name), "%s_%u", r->name, id - 1);
	client_new(r->control, fds[1], name, 1);
	return NULL;
}

static void
close_channels(struct remote *r)
{
	struct channel *ch;

	while ((ch = TAILQ_FIRST(&r->channels)) != NULL)
		channel_free(ch);
}

/* --- frames in ------------------------------------------------------------------------ */

static void
ack(struct remote *r, uint32_t seq)
{
	frame_put_number(&r->message, FRAME_ACK, seq);
	say_message(r);
}

/* A numbered frame.  NULL, or what is wrong. */
static const char *
take_numbered(struct remote *r, const struct frame *f)
{
	struct channel *ch;

	if (f->seq != r->expected && (int32_t)(f->seq - r->expected) > 0)
		return "leaves a frame out";
	ack(r, f->seq);
	if (f->seq != r->expected)
		return NULL; /* said again */
	r->expected++;
	if (f->channel != 0) {
		ch = find_channel(r, f->channel);
		if (ch != NULL)
			chan_write(ch->chan, f->body, f->len);
		return NULL;
	}
	if (f->body[0] == FRAME_OPEN)
		return open_channel(r, frame_number(f));
	ch = find_channel(r, frame_number(f));
	if (ch != NULL)
		channel_free(ch);
	return NULL;
}

static void
come_up(struct remote *r)
{
	struct frame_said *u;

	r->state = UP;
	r->known = 1;
	r->pause_ns = PAUSE_MIN_NS;
	log_info("%s: connected, as %s", r->address, r->name);
	TAILQ_FOREACH(u, &r->unacked.list, link)
	say_frame(r, &u->f);
}

/* The next connection begins anew. */
static const char *
begin_anew(struct remote *r)
{
	r->known = 0;
	close_channels(r);
	forget_acked(r, r->next);
	return "does not know us any more: beginning anew";
}

static const char *
take_message(struct remote *r, const struct frame *f)
{
	switch (frame_kind(f)) {
	case FRAME_WELCOME:
		if (frame_welcome(f, r->name, sizeof(r->name)) == -1)
			return "has a welcome that is none";
		come_up(r);
		return NULL;
	case FRAME_OPEN:
	case FRAME_CLOSE:
		return take_numbered(r, f);
	case FRAME_ALIVE:
		return NULL;
	case FRAME_ACK:
		forget_acked(r, frame_number(f) + 1);
		return NULL;
	case FRAME_REJECT:
		return begin_anew(r);
	case FRAME_ACCEPT:
		forget_acked(r, frame_number(f));
		come_up(r);
		return NULL;
	default:
		return "sends a message that is not known";
	}
}

static void
go_down(struct remote *r, const char *why)
{
	uint32_t random;

	chan_free(r->chan);
	r->chan = NULL;
	r->state = DOWN;
	if (getrandom(&random, sizeof(random), 0) == -1)
		random = 0;
	/* Not all monitors at the same moment. */
	r->due_ns = clock_mono_ns() + r->pause_ns / 2 +
	    (int64_t)(random % 1000) * (r->pause_ns / 1000);
	r->pause_ns *= 2;
	if (r->pause_ns > PAUSE_MAX_NS)
		r->pause_ns = PAUSE_MAX_NS;
	log_warn("%s: %s: dialling again in %.1f s", r->address, why,
	    (double)(r->due_ns - clock_mono_ns()) / NS_PER_SEC);
}

static void
take_frame(struct remote *r)
{
	const char *why;
	int on = 1;

	/* sc_remoted's Nagle holds the next command until this is acknowledged,
	 * for which the kernel would take its 40 ms. */
	setsockopt(r->fd, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof(on));
	r->heard_ns = clock_mono_ns();
	r->in.body = r->body;
	why = r->in.channel != 0 ? take_numbered(r, &r->in)
				 : take_message(r, &r->in);
	if (why != NULL)
		go_down(r, why);
}

static void
on_data(struct chan *c, const void *p, size_t len, void *arg)
{
	struct remote *r = arg;

	if (r->have < FRAME_HEADER) {
		memcpy(r->header + r->have, p, len);
		r->have += len;
		if (r->have < FRAME_HEADER)
			return;
		frame_header(r->header, &r->in);
		if (r->in.len > 0) {
			chan_expect(c, r->in.len);
			return;
		}
	} else {
		memcpy(r->body + r->have - FRAME_HEADER, p, len);
		r->have += len;
	}
	if (r->have < FRAME_HEADER + (size_t)r->in.len)
		return;
	r->have = 0;
	chan_expect(c, FRAME_HEADER);
	take_frame(r);
}

static void
on_closed(struct chan *c, const char *why, void *arg)
{
	(void)c;
	go_down(arg, why);
}

static const struct chan_ops ops = {
    .line = on_channel_line,
    .data = on_data,
    .bad = on_channel_bad,
    .closed = on_closed,
};

/* --- dialling ----------------------------------------------------------------------------- */

static void
begin_hello(struct remote *r)
{
	if (getrandom(r->magic, sizeof(r->magic), 0) == -1)
		log_fatal(EXIT_TEMPORARY, "no random numbers");
	r->expected = r->next = 0;
	frame_put_hello(&r->message, r->magic, r->control->monitor);
	say_message(r);
}

static void
begin_resume(struct remote *r)
{
	const struct frame_said *first = TAILQ_FIRST(&r->unacked.list);
	uint32_t numbers[3] = {
	    r->expected, first != NULL ? first->f.seq : r->next, r->next};
	struct frame f = {0};

	frame_put_resume(&r->message, r->magic, numbers);
	f.len = (uint16_t)r->message.len;
	f.body = r->message.p;
	say_frame(r, &f);
	wbuf_reset(&r->message);
}

/* There is a connection, or for one without TLS it is being made. */
static void
greet(struct remote *r, int fd, struct chan_io *io)
{
	struct chan_config cfg = {fd, fd, PIECE, r->address};

	r->chan = chan_new_io(r->control->e->base, &cfg, io, &ops, r);
	r->fd = fd;
	r->have = 0;
	chan_expect(r->chan, FRAME_HEADER);
	r->heard_ns = r->said_ns = clock_mono_ns();
	r->state = GREETED;
	if (r->known)
		begin_resume(r);
	else
		begin_hello(r);
}

static void
on_shaken(void *arg, int fd, struct tls_conn *conn, const char *why)
{
	struct remote *r = arg;

	r->shake = NULL;
	if (conn == NULL)
		go_down(r, why);
	else
		greet(r, fd, &conn->io);
}

static void
on_resolved(void *arg, const char *ip)
{
	struct remote *r = arg;
	struct tls_shake_config cfg = {
	    .base = r->control->e->base,
	    .tls = r->tls,
	    .host = r->host,
	    .deadline_ns = SHAKE_NS,
	    .done = on_shaken,
	    .arg = r,
	};
	char where[128];
	const char *why = "no address has that name";

	r->resolve = NULL;
	cfg.fd = -1;
	if (ip != NULL) {
		snprintf(where, sizeof(where),
		    strchr(ip, ':') != NULL ? "[%s]:%s" : "%s:%s", ip, r->port);
		cfg.fd = chan_connect(where, &why);
	}
	if (cfg.fd == -1)
		go_down(r, why);
	else if (r->tls != NULL)
		r->shake = tls_shake_new(&cfg);
	else
		greet(r, cfg.fd, NULL);
}

static void
dial(struct remote *r)
{
	struct addr a;

	r->state = DIALLING;
	if (addr_scan(r->host, &a) == 0)
		on_resolved(r, r->host);
	else
		r->resolve =
		    resolve_new(r->control->e->base, r->host, on_resolved, r);
}

static void
on_look(int fd, short what, void *arg)
{
	struct remote *r = arg;
	int64_t now_ns = clock_mono_ns();

	(void)fd;
	(void)what;
	if (r->state == DOWN && now_ns >= r->due_ns)
		dial(r);
	else if (r->chan != NULL && now_ns - r->heard_ns > SILENCE_NS)
		go_down(r, "silent for a minute");
	else if (r->state == UP && now_ns - r->said_ns > ALIVE_NS) {
		wbuf_u8(&r->message, FRAME_ALIVE);
		say_message(r);
	}
}

/* --- making ---------------------------------------------------------------------------------- */

static struct tls *
make_tls(const struct remote *r, const struct control_config *cfg)
{
	const char *why;
	struct tls *t;
	struct addr a;

	if (cfg->tls == 0 || (cfg->tls == 1 && addr_scan(r->host, &a) == 0))
		return NULL;
	t = tls_new_ca(cfg->ca, &why);
	if (t == NULL)
		log_fatal(EXIT_PERMANENT, "%s: %s",
		    cfg->ca != NULL ? cfg->ca : "TLS", why);
	return t;
}

struct remote *
remote_new(
    struct control *c, const char *address, const struct control_config *cfg)
{
	static const struct timeval look = {LOOK_NS / NS_PER_SEC, 0};
	struct remote *r = xcalloc(1, sizeof(*r));

	if (resolve_split(address, &r->host, &r->port) == -1)
		log_fatal(255, "-R %s: not a name and a port", address);
	r->control = c;
	r->address = xstrdup(address);
	r->tls = make_tls(r, cfg);
	r->pause_ns = PAUSE_MIN_NS;
	TAILQ_INIT(&r->unacked.list);
	TAILQ_INIT(&r->channels);
	wbuf_init(&r->out);
	wbuf_init(&r->message);
	r->look = event_new(c->e->base, -1, EV_PERSIST, on_look, r);
	event_add(r->look, &look);
	dial(r);
	return r;
}

void
remote_free(struct remote *r)
{
	if (r == NULL)
		return;
	close_channels(r);
	forget_acked(r, r->next);
	resolve_free(r->resolve);
	tls_shake_free(r->shake);
	if (r->chan != NULL)
		chan_flush(r->chan, 200);
	chan_free(r->chan);
	event_free(r->look);
	tls_free(r->tls);
	wbuf_clear(&r->out);
	wbuf_clear(&r->message);
	free(r->address);
	free(r->host);
	free(r->port);
	free(r);
}

const char *
remote_describe(const struct remote *r)
{
	return r->address;
}
