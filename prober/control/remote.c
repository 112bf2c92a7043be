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
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/tls.h"
#include "common/xmalloc.h"
#include "prober/control/control.h"

#define LOOK_NS NS_PER_SEC
#define ALIVE_NS (30 * NS_PER_SEC) /* say something at least so often */
#define SILENCE_NS (60 * NS_PER_SEC) /* a peer silent for so long is gone */
#define PAUSE_MIN_NS NS_PER_SEC
#define PAUSE_MAX_NS (60 * NS_PER_SEC)
#define LAST_WORDS_NS (300 * NS_PER_MS)
#define QUIET_MS 50
#define LEAVING_LOOKS 3 /* has all been acknowledged? */
#define PIECE 8192 /* bytes read at a time */
#define UNACKED_MAX (4 * 1024 * 1024) /* bytes; no more is read beyond this */

enum state {
	DOWN,
	DIALLING,
	GREETED, /* hello or resume is said, and not answered */
	UP,
};

struct remote {
	struct control *control;
	int leaving; /* looks still to come */
	char *address, *host, *port;
	struct tls *tls; /* NULL: none */
	enum state state;
	struct dial *dial;
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
	struct channels channels;
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

/* One that is numbered, and kept until it is acknowledged. */
static void
say_numbered(void *arg, uint32_t channel, const uint8_t *body, size_t len)
{
	struct remote *r = arg;
	struct frame f = {r->next++, channel, (uint16_t)len, body};

	frame_queue_add(&r->unacked, &f);
	if (r->state == UP)
		say_frame(r, &f);
	if (r->unacked.bytes >= UNACKED_MAX)
		channels_pause(&r->channels, 1);
}

/* All before number BEHIND are there. */
static void
forget_acked(struct remote *r, uint32_t behind)
{
	frame_queue_forget(&r->unacked, behind);
	if (r->unacked.bytes < UNACKED_MAX / 2)
		channels_pause(&r->channels, 0);
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
	if (f->seq != r->expected && (int32_t)(f->seq - r->expected) > 0)
		return "leaves a frame out";
	ack(r, f->seq);
	if (f->seq != r->expected)
		return NULL; /* said again */
	r->expected++;
	if (f->channel != 0)
		channels_write(&r->channels, f->channel, f->body, f->len);
	else if (f->body[0] == FRAME_OPEN && !r->leaving)
		return channels_open(&r->channels, frame_number(f), r->name);
	else if (f->body[0] == FRAME_CLOSE)
		channels_close(&r->channels, frame_number(f));
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
	channels_clear(&r->channels);
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

/* All that comes is bodies: a header, what it announces, the next header. */
static const struct chan_ops ops = {
    .data = on_data,
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
on_dialled(void *arg, int fd, struct chan_io *io, const char *why)
{
	struct remote *r = arg;

	r->dial = NULL;
	if (fd == -1)
		go_down(r, why);
	else
		greet(r, fd, io);
}

static void
dial(struct remote *r)
{
	struct dial_config cfg = {
	    .base = r->control->e->base,
	    .tls = r->tls,
	    .host = r->host,
	    .port = r->port,
	    .done = on_dialled,
	    .arg = r,
	};

	r->state = DIALLING;
	r->dial = dial_new(&cfg);
}

static void
on_look(int fd, short what, void *arg)
{
	struct remote *r = arg;
	int64_t now_ns = clock_mono_ns();

	(void)fd;
	(void)what;
	if (r->leaving > 0 && (--r->leaving == 0 || r->unacked.bytes == 0))
		remotes_left(r->control, r);
	else if (r->state == DOWN && now_ns >= r->due_ns)
		dial(r);
	else if (r->chan != NULL && now_ns - r->heard_ns > SILENCE_NS)
		go_down(r, "silent for a minute");
	else if (r->state == UP && now_ns - r->said_ns > ALIVE_NS) {
		wbuf_u8(&r->message, FRAME_ALIVE);
		say_message(r);
	}
}

/* --- making ---------------------------------------------------------------------------------- */

struct remote *
remote_new(struct control *c, const char *address, struct tls *tls)
{
	static const struct timeval look = {LOOK_NS / NS_PER_SEC, 0};
	struct remote *r;
	char *host, *port;

	if (resolve_split(address, &host, &port) == -1)
		return NULL;
	r = xcalloc(1, sizeof(*r));
	r->control = c;
	r->address = xstrdup(address);
	r->host = host;
	r->port = port;
	r->tls = tls;
	r->pause_ns = PAUSE_MIN_NS;
	TAILQ_INIT(&r->unacked.list);
	channels_init(&r->channels, c, say_numbered, r);
	wbuf_init(&r->out);
	wbuf_init(&r->message);
	r->look = event_new(c->e->base, -1, EV_PERSIST, on_look, r);
	event_add(r->look, &look);
	dial(r);
	return r;
}

void
remote_set_tls(struct remote *r, struct tls *tls)
{
	dial_free(r->dial);
	r->dial = NULL;
	tls_free(r->tls);
	r->tls = tls;
	r->pause_ns = PAUSE_MIN_NS;
	if (r->state == DIALLING || r->state == DOWN)
		dial(r);
}

/* Last words.  An sc_remoted that cannot say that it has them may crash: what
 * it says is waited for, though not listened to. */
static void
await_quiet(struct remote *r)
{
	struct pollfd pfd = {.fd = r->fd, .events = POLLIN};
	int64_t end_ns = clock_mono_ns() + LAST_WORDS_NS;
	int ms = LAST_WORDS_NS / NS_PER_MS;
	char buf[PIECE];

	chan_flush(r->chan, ms);
	while (r->unacked.bytes > 0 && clock_mono_ns() < end_ns &&
	    poll(&pfd, 1, ms) == 1 && read(r->fd, buf, sizeof(buf)) > 0)
		ms = QUIET_MS;
}

void
remote_leave(struct remote *r)
{
	channels_end(&r->channels);
	r->leaving = LEAVING_LOOKS;
}

void
remote_free(struct remote *r)
{
	if (r == NULL)
		return;
	channels_end(&r->channels);
	if (r->chan != NULL)
		await_quiet(r);
	forget_acked(r, r->next);
	dial_free(r->dial);
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
remote_address(const struct remote *r)
{
	return r->address;
}

const char *
remote_alias(const struct remote *r)
{
	return r->state == UP ? r->name : NULL;
}
