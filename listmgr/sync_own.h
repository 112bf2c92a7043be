/*
 * sync_own: what sync.c and sync_talk.c share, and nobody else sees.
 */
#ifndef LISTMGR_SYNC_OWN_H
#define LISTMGR_SYNC_OWN_H

#include "listmgr/sync.h"

struct event;

/* What the server has to say next. */
enum sync_expect { HELLO, ANSWER, BODY, BEATEN, WAITED };

struct sync {
	struct sync_config cfg;
	size_t server; /* whose turn it is */
	int64_t backoff_ns; /* 0: the last session was good */
	struct event *timer; /* connect */
	struct event *slow; /* BODY_SLICE_S */
	struct tls_shake *shake;
	struct chan *chan;
	enum sync_expect expect;
	struct sync_fetch fetch;
	struct sync_want want;
	char *body; /* of a text; NULL: of an object */
	size_t body_len;
	int fd; /* of an object's part; -1: none */
	uint64_t got, size; /* of the body */
	uint64_t slow_got; /* when `slow' looked last */
	int64_t checked_s; /* Unix time of the last good check-in */
	int64_t stored_s; /* ... as it is stored */
	struct limits limits;
	int failed[2]; /* errno of the Prober's files, for limits_write() */
	struct beat_news news;
	char said[300]; /* the trouble logged last */
	int broken; /* the disk refused: this session is over */
};

/* NS, a quarter more or less: monitors do not come all at once. */
int64_t sync_jitter(int64_t ns);
/* Set E to come in NS nanoseconds. */
void sync_set_timer(struct event *e, int64_t ns);
/* The server whose turn it is. */
const struct settings_server *sync_server(const struct sync *s);

/* This session is over because of WHY (NULL: it was said): on to the next
 * server; behind the last a pause, longer each time.  The channel is gone. */
void sync_give_up(struct sync *s, const char *why);

/* Talk to the server on FD and CONN, which become ours. */
void sync_talk(struct sync *s, int fd, struct tls_conn *conn);
/* Forget the body that is coming. */
void sync_talk_drop(struct sync *s);
/* The callback of s->slow. */
void sync_talk_slow(int fd, short what, void *arg);

#endif
