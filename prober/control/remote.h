/*
 * remote: what remote.c is made of.
 *
 *	remotes.c	which controllers there are; `remote add' and the like
 *	remote.c	one of them
 *	channels.c	the clients behind it
 *	dial.c		a connection to it
 *	resolve.c	a name's addresses, asked for by a process of its own
 *	frame.c		the frames of the connection, as bytes
 *
 * A frame:
 *
 *	0      4        8      10
 *	| seq  | channel | len  | len bytes |		big-endian
 *
 * Channel 0 carries messages, the first byte is the kind.  Frames that matter
 * are numbered from 0 in each direction and acknowledged; the others (in
 * parentheses) carry the number of the next.
 *
 *	(0) hello	8, magic of 8 bytes, length, monitor's name with NUL
 *	(1) welcome	length, our address as they see it, with NUL
 *	 2  open	channel u32
 *	 3  close	channel u32
 *	(4) alive
 *	(5) ack		number u32: this one is here
 *	(6) resume	8, magic, number expected, first not acked, next: u32 each
 *	(7) reject	what is to be resumed is not known
 *	(8) accept	number u32: expected next
 *
 * Every other channel is a stream of bytes: a client that has attached.
 */
#ifndef PROBER_CONTROL_REMOTE_H
#define PROBER_CONTROL_REMOTE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/warts/buf.h"

/* --- frame.c ----------------------------------------------------------------- */

#define FRAME_HEADER 10 /* bytes */
#define FRAME_BODY_MAX 65535
#define FRAME_MAGIC 8

enum frame_kind {
	FRAME_HELLO = 0,
	FRAME_WELCOME = 1,
	FRAME_OPEN = 2,
	FRAME_CLOSE = 3,
	FRAME_ALIVE = 4,
	FRAME_ACK = 5,
	FRAME_RESUME = 6,
	FRAME_REJECT = 7,
	FRAME_ACCEPT = 8,
};

struct frame {
	uint32_t seq, channel;
	uint16_t len;
	const uint8_t *body; /* len bytes */
};

/* The header at P into F; its body is for the caller to find. */
void frame_header(const uint8_t *p, struct frame *f);
/* Append F to OUT. */
void frame_write(struct wbuf *out, const struct frame *f);
/* The kind of a message on channel 0; -1: none, or too short for its kind. */
int frame_kind(const struct frame *f);
/* The number in a message of the kinds that have one at byte 1. */
uint32_t frame_number(const struct frame *f);
/* Append the body of a message: a kind with a number, hello, resume. */
void frame_put_number(struct wbuf *b, enum frame_kind kind, uint32_t number);
void frame_put_hello(struct wbuf *b, const uint8_t *magic, const char *monitor);
void frame_put_resume(
    struct wbuf *b, const uint8_t *magic, const uint32_t numbers[3]);
/* The text of a welcome into BUF: 0, or -1 when it is not one. */
int frame_welcome(const struct frame *f, char *buf, size_t size);

/* Frames that were said and are not acknowledged, the oldest first. */
struct frame_said {
	TAILQ_ENTRY(frame_said) link;
	struct frame f;
	uint8_t body[];
};

struct frame_queue {
	TAILQ_HEAD(, frame_said) list;
	size_t bytes; /* of all bodies */
};

/* Add F, with a copy of its body. */
void frame_queue_add(struct frame_queue *q, const struct frame *f);
/* Those before number BEHIND are there: forget them. */
void frame_queue_forget(struct frame_queue *q, uint32_t behind);

/* --- resolve.c -------------------------------------------------------------------- */

struct event_base;
struct resolve;

/* "NAME:PORT", "IP:PORT" or "[IP6]:PORT" into *HOST and *PORT, which are the
 * caller's to free.  0, or -1. */
int resolve_split(const char *address, char **host, char **port);

/* Ask for the address of HOST; DONE is called once from the loop, with a text
 * like 192.0.2.1 or 2001:db8::1, or with NULL when there is none. */
struct resolve *resolve_new(struct event_base *base, const char *host,
    void (*done)(void *arg, const char *address), void *arg);
/* Give up: DONE is not called. */
void resolve_free(struct resolve *r);

/* --- dial.c ----------------------------------------------------------------------- */

struct chan_io;
struct dial;
struct tls;

struct dial_config {
	struct event_base *base;
	const char *host, *port; /* copied */
	struct tls *tls; /* NULL: none; stays */
	/* Once: a connection (without TLS it may still be being made) that is
	 * the caller's, and IO for its bytes or NULL; or FD -1 and WHY not. */
	void (*done)(void *arg, int fd, struct chan_io *io, const char *why);
	void *arg;
};

/* Find the address, connect, speak TLS.  NULL: DONE has been called already. */
struct dial *dial_new(const struct dial_config *cfg);
/* Give up: DONE is not called.  Not after it was. */
void dial_free(struct dial *d);

/* --- channels.c ------------------------------------------------------------------- */

struct control;
struct channel;

/* Say, numbered, LEN bytes of a channel, or with 0 a message. */
typedef void (*channels_say)(
    void *arg, uint32_t channel, const uint8_t *body, size_t len);

struct channels {
	struct control *control;
	channels_say say;
	void *arg;
	TAILQ_HEAD(, channel) list;
};

/* None so far; SAY is called with ARG. */
void channels_init(
    struct channels *cs, struct control *c, channels_say say, void *arg);
/* Take nothing more of what clients say, or go on. */
void channels_pause(struct channels *cs, int pause);
/* A new one: a client NAME_ID that has attached.  NULL, or what is wrong. */
const char *channels_open(struct channels *cs, uint32_t id, const char *name);
/* LEN bytes for a client, if it is there still. */
void
channels_write(struct channels *cs, uint32_t id, const void *p, size_t len);
/* They closed it: its client goes. */
void channels_close(struct channels *cs, uint32_t id);
/* All clients go; nobody is told. */
void channels_clear(struct channels *cs);
/* What all of them have said is said, and that they end. */
void channels_end(struct channels *cs);

/* --- remote.c --------------------------------------------------------------------- */

struct remote;

/* Dial ADDRESS, "NAME:PORT", and again whenever the connection is lost; each
 * channel of it becomes a client that has attached.  TLS (NULL: none) is taken
 * over.  NULL, with TLS the caller's: that is no address. */
struct remote *
remote_new(struct control *c, const char *address, struct tls *tls);
/* From the next connection on TLS (taken over); one that is not there yet is
 * tried again at once. */
void remote_set_tls(struct remote *r, struct tls *tls);
/* Its clients go; once that is acknowledged, or after some seconds, comes
 * remotes_left(). */
void remote_leave(struct remote *r);
/* Pass on what its clients have said, for a moment at most, and hang up. */
void remote_free(struct remote *r);
const char *remote_address(const struct remote *r);
/* Our name there, or NULL while there is no connection. */
const char *remote_alias(const struct remote *r);

#endif
