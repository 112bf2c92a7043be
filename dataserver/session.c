#include "dataserver/dataserver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/chan.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/verbs.h"
#include "common/xmalloc.h"

#define SESSIONS_MAX 64
#define PEER_MAX 8 /* of them, of one peer */
#define HELLO_NS (5 * NS_PER_SEC)
#define LINE_NS (10 * NS_PER_SEC) /* from its first byte to its end */
#define POLL_S 60 /* if the client does not say */
#define POLL_MAX_S 86400
#define REASON_MAX 200 /* bytes of a refusal */

struct session {
	struct server *srv;
	struct session *next, **prev;
	struct chan *chan;
	int greeted;
	int asking; /* a rotation */
	struct listing listing;
	uint64_t number; /* of the segment that the line names */
	struct bulk bulk;
	/* who it is, with TLS */
	struct tls_peer peer; /* name NULL: plain */
	unsigned int poll_s; /* the client wants to be dialled again then */
	void (*ended)(void *arg, unsigned int poll_s); /* NULL: nobody asks */
	void *ended_arg;
};

static void
session_free(struct session *s)
{
	void (*ended)(void *, unsigned int) = s->ended;
	void *arg = s->ended_arg;
	unsigned int poll_s = s->greeted ? s->poll_s : 0;

	if (s->asking)
		rotate_forget(s->srv->rotate, s);
	*s->prev = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	s->srv->nsessions--;
	listing_clear(&s->listing);
	bulk_clear(&s->bulk);
	chan_free(s->chan);
	free(s->peer.name);
	free(s);
	if (ended != NULL)
		ended(arg, poll_s);
}

static void
give_up(struct session *s, const char *code, const char *text)
{
	log_info("%s: err %s %s", chan_peer(s->chan), code, text);
	chan_printf(s->chan, "err %s %s", code, text);
	chan_resume(s->chan);
	chan_finish(s->chan);
}

static void
give_up_errno(struct session *s, const char *what, uint64_t number)
{
	log_warn("%s %" PRIu64 ": %s", what, number, strerror(errno));
	give_up(s, errno == EWOULDBLOCK ? "busy" : "internal", strerror(errno));
}

/* --- list ------------------------------------------------------------------ */

static void
on_listed(void *arg)
{
	struct session *s = arg;

	chan_printf(s->chan, "end");
	chan_resume(s->chan);
}

static const char *
do_list(void *arg, char **words)
{
	struct session *s = arg;
	uint64_t from;

	if (scan_u64(words[1], 1, UINT64_MAX, &from) == -1)
		return "bad number";
	chan_pause(s->chan);
	listing_begin(&s->listing, from);
	return NULL;
}

static const char *
do_resend(void *arg, char **words)
{
	struct session *s = arg;
	struct offer *f;
	uint64_t n;

	if (scan_u64(words[1], 1, UINT64_MAX, &n) == -1)
		return "bad number";
	/* A list is read while segments get their names, and may miss one. */
	f = offers_get(&s->srv->offers, n, 0);
	if (f == NULL && errno == ENOENT)
		f = offers_get(&s->srv->offers, n, 1);
	if (f == NULL)
		chan_printf(s->chan, "none");
	else
		listing_print(&s->listing, f);
	return NULL;
}

/* --- rotate ---------------------------------------------------------------- */

static void
on_rotated(void *arg, enum rotate_result result)
{
	struct session *s = arg;

	s->asking = 0;
	if (result == ROTATE_OK)
		chan_printf(s->chan, "ok %" PRIu64, s->srv->dir.next - 1);
	else
		chan_printf(s->chan, result == ROTATE_NONE ? "none" : "busy");
	chan_resume(s->chan);
}

static const char *
do_rotate(void *arg, char **words)
{
	struct session *s = arg;

	(void)words;
	s->asking = 1;
	chan_pause(s->chan);
	rotate_ask(s->srv->rotate, on_rotated, s);
	return NULL;
}

/* --- get ------------------------------------------------------------------- */

static void
send_more(struct session *s)
{
	switch (bulk_more(&s->bulk)) {
	case BULK_ERROR:
		give_up_errno(s, "get", s->bulk.number);
		break;
	case BULK_DONE:
		chan_resume(s->chan);
		break;
	case BULK_MORE:
		break;
	}
}

static void
on_slow(void *arg)
{
	struct session *s = arg;

	log_warn("%s: takes less than %d bytes/s, closed", chan_peer(s->chan),
	    BULK_RATE);
	session_free(s);
}

/* "N SHA" of a line; NULL and the offer, or a reason.  *F is NULL without a
 * reason when there is no such segment. */
static const char *
find_offer(struct session *s, char **words, struct offer **f)
{
	uint8_t sha[SEGMENT_SHA_LEN];

	*f = NULL;
	if (scan_u64(words[1], 1, UINT64_MAX, &s->number) == -1)
		return "bad number";
	if (segment_dir_unhex(words[2], sha, sizeof(sha)) == -1)
		return "bad hash";
	*f = offers_get(&s->srv->offers, s->number, 0);
	if (*f == NULL)
		*f = offers_get(&s->srv->offers, s->number, 1);
	if (*f != NULL && memcmp((*f)->info.sha, sha, sizeof(sha)) != 0)
		return "segment has another hash";
	return NULL;
}

static const char *
do_get(void *arg, char **words)
{
	struct session *s = arg;
	struct offer *f;
	const char *why = find_offer(s, words, &f);
	uint64_t offset;
	int fd;

	if (why != NULL)
		return why;
	if (f == NULL)
		return "no such segment";
	if (scan_u64(words[3], 0, f->info.bytes, &offset) == -1)
		return "bad offset";
	fd = offers_open(&s->srv->offers, f);
	if (fd == -1) {
		give_up_errno(s, "get", s->number);
		return NULL;
	}
	chan_pause(s->chan);
	bulk_begin(&s->bulk, fd, f, offset);
	send_more(s);
	return NULL;
}

static const char *
do_commit(void *arg, char **words)
{
	struct session *s = arg;
	struct offer *f;
	const char *why = find_offer(s, words, &f);

	if (why != NULL)
		return why;
	if (f != NULL && offers_commit(&s->srv->offers, f) == -1)
		give_up_errno(s, "commit", s->number);
	else
		chan_printf(s->chan, "gone %" PRIu64, s->number);
	return NULL;
}

static const char *
do_refuse(void *arg, char **words)
{
	struct session *s = arg;
	struct offer *f;
	const char *why = find_offer(s, words, &f);
	char reason[REASON_MAX];

	if (why != NULL)
		return why;
	snprintf(
	    reason, sizeof(reason), "%s", words[3] != NULL ? words[3] : "");
	if (f != NULL && offers_refuse(&s->srv->offers, f, reason) == -1)
		give_up_errno(s, "refuse", s->number);
	else
		chan_printf(s->chan, "kept %" PRIu64, s->number);
	return NULL;
}

/* --- lines ----------------------------------------------------------------- */

static void
hello_keys(struct session *s, char **words)
{
	const char *v;
	uint32_t poll_s;

	for (int i = 3; words[i] != NULL; i++) {
		v = scan_keyvalue(words[i], "zlib");
		if (v != NULL && strcmp(v, "1") == 0)
			s->bulk.zlib = 1;
		v = scan_keyvalue(words[i], "poll");
		if (v != NULL && scan_u32(v, 1, POLL_MAX_S, &poll_s) == 0)
			s->poll_s = poll_s;
	}
}

static const char *
do_hello(void *arg, char **words)
{
	struct session *s = arg;
	char epoch[2 * SEGMENT_EPOCH_LEN + 1];
	const char *why;

	if (strcmp(words[1], "datacli") != 0)
		return "only datacli is served here";
	if (segment_dir_load(&s->srv->dir, &why) == -1) {
		give_up_errno(s, why, 0);
		return NULL;
	}
	hello_keys(s, words);
	s->greeted = 1;
	chan_deadline(s->chan, s->srv->idle_ns);
	chan_printf(s->chan, "hello dataserver %s epoch=%s next=%" PRIu64 "%s",
	    VERSION, segment_dir_epoch(epoch, s->srv->dir.epoch),
	    s->srv->dir.next, s->bulk.zlib ? " zlib=1" : "");
	return NULL;
}

/* The other side could not take us; "busy" is no trouble, only later. */
static const char *
do_err(void *arg, char **words)
{
	struct session *s = arg;
	const char *text = words[2] != NULL ? words[2] : "";

	if (strcmp(words[1], "busy") == 0)
		log_info("%s: is put off: %s", chan_peer(s->chan), text);
	else
		log_warn("%s: is refused there: %s", chan_peer(s->chan), text);
	chan_finish(s->chan);
	return NULL;
}

static const char *
do_ping(void *arg, char **words)
{
	struct session *s = arg;

	(void)words;
	chan_printf(s->chan, "pong");
	return NULL;
}

static const char *
do_pong(void *arg, char **words)
{
	(void)arg;
	(void)words;
	return NULL;
}

enum { STRANGER, KNOWN };
#define FIRST (1u << STRANGER | 1u << KNOWN)
#define LATER (1u << KNOWN)

static const char *const not_now[] = {
    [STRANGER] = "no hello yet", [KNOWN] = "not any more"};

static const struct verbs_row rows[] = {
    {"hello", 3, VERBS_WORDS_MAX, 1, FIRST, do_hello},
    {"rotate", 1, 1, 0, LATER, do_rotate},
    {"list", 2, 2, 0, LATER, do_list},
    {"get", 4, 4, 0, LATER, do_get},
    {"commit", 3, 3, 0, LATER, do_commit},
    {"refuse", 3, 4, 1, LATER, do_refuse},
    {"resend", 2, 2, 0, LATER, do_resend},
    {"err", 2, 3, 1, FIRST, do_err},
    {"ping", 1, 1, 0, LATER, do_ping},
    {"pong", 1, 1, 0, LATER, do_pong},
};

static const struct verbs verbs = {
    rows, sizeof(rows) / sizeof(rows[0]), not_now};

static void
on_line(struct chan *c, char *line, void *arg)
{
	struct session *s = arg;
	const char *why =
	    verbs_run(&verbs, line, s->greeted ? KNOWN : STRANGER, s);

	(void)c;
	if (why != NULL)
		give_up(s, "request", why);
}

static void
on_bad(struct chan *c, uint64_t number, const char *why, void *arg)
{
	(void)c;
	(void)number;
	give_up(arg, "syntax", why);
}

static void
on_closed(struct chan *c, const char *why, void *arg)
{
	log_info("%s: %s", chan_peer(c), why);
	session_free(arg);
}

static void
on_drained(struct chan *c, void *arg)
{
	struct session *s = arg;

	(void)c;
	if (s->bulk.active)
		send_more(s);
}

static const struct chan_ops ops = {
    .line = on_line,
    .bad = on_bad,
    .closed = on_closed,
    .drained = on_drained,
};

static unsigned int
sessions_of(const struct server *srv, const struct tls_peer *peer)
{
	const struct session *s;
	unsigned int n = 0;

	for (s = srv->sessions; s != NULL; s = s->next)
		n += s->peer.name != NULL &&
		    tls_pin_equal(&s->peer.pin, &peer->pin);
	return n;
}

static void
join(struct session *s)
{
	struct server *srv = s->srv;

	s->next = srv->sessions;
	s->prev = &srv->sessions;
	if (s->next != NULL)
		s->next->prev = &s->next;
	srv->sessions = s;
	srv->nsessions++;
}

int
session_new(struct server *srv, const struct session_config *cfg)
{
	static unsigned int count;
	struct session *s;
	char peer[80];

	if (srv->nsessions == SESSIONS_MAX ||
	    (cfg->peer != NULL && sessions_of(srv, cfg->peer) == PEER_MAX))
		return -1;
	s = xcalloc(1, sizeof(*s));
	s->srv = srv;
	s->poll_s = POLL_S;
	s->ended = cfg->ended;
	s->ended_arg = cfg->arg;
	if (cfg->peer != NULL) {
		s->peer.name = xstrdup(cfg->peer->name);
		s->peer.pin = cfg->peer->pin;
	}
	snprintf(peer, sizeof(peer), "session %u of %s", ++count,
	    cfg->peer != NULL ? cfg->peer->name : "this host");
	s->chan = chan_new_io(srv->base,
	    &(struct chan_config){cfg->fd, cfg->fd, DATASERVER_LINE_MAX, peer},
	    cfg->io, &ops, s);
	listing_init(&s->listing, srv, s->chan, on_listed, s);
	bulk_init(&s->bulk, srv->base, s->chan, on_slow, s);
	chan_deadline(s->chan, HELLO_NS);
	chan_line_deadline(s->chan, LINE_NS);
	join(s);
	return 0;
}

void
session_recheck(struct server *srv)
{
	const struct tls_peer *p;
	struct session *s, *next;

	for (s = srv->sessions; s != NULL; s = next) {
		next = s->next;
		if (s->peer.name == NULL)
			continue;
		p = tls_peers_find(&srv->peers, &s->peer.pin);
		if (p != NULL && strcmp(p->name, s->peer.name) == 0)
			continue;
		log_warn("%s: no longer admitted, closed", chan_peer(s->chan));
		/* Inside a block there is no place for words. */
		if (!s->bulk.active && chan_pending(s->chan) == 0) {
			give_up(s, "denied", "this key is no longer admitted");
			chan_deadline(s->chan, HELLO_NS);
		} else
			session_free(s);
	}
}

void
session_close_all(struct server *srv)
{
	while (srv->sessions != NULL)
		session_free(srv->sessions);
}
