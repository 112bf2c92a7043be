#include "ctlserver/ctlserver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/chan.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/segment_dir.h"
#include "common/verbs.h"
#include "common/xmalloc.h"

#define CHECKINS_MAX 2048
#define PEER_MAX 4 /* of them, of one monitor */
#define BEAT_ALL_MAX (16u << 20) /* bytes of beats that are coming in */
#define HELLO_NS (5 * NS_PER_SEC)
#define IDLE_NS (130 * NS_PER_SEC)
#define LINE_NS (10 * NS_PER_SEC) /* from its first byte to its end */
#define POLL_MS 250 /* between two looks for changes */
#define WAIT_MAX_S 600
#define REFUSAL_LEN 200
#define FROM_LEN 56

struct checkin {
	struct control *ctl;
	struct checkin *next, **prev;
	struct chan *chan;
	struct tls_peer peer;
	char from[FROM_LEN];
	int greeted;
	struct view view; /* what was last said, and is served */
	struct beat_buf beat;
	struct body body;
	int64_t wait_ns; /* until then; 0: it does not wait */
};

static void
checkin_free(struct checkin *c)
{
	*c->prev = c->next;
	if (c->next != NULL)
		c->next->prev = c->prev;
	c->ctl->ncheckins--;
	c->ctl->beat_bytes -= c->beat.len;
	beat_clear(&c->beat);
	body_clear(&c->body);
	chan_free(c->chan);
	view_clear(&c->view);
	free(c->peer.name);
	free(c);
}

static void
give_up(struct checkin *c, const char *code, const char *text)
{
	log_info("%s: err %s %s", chan_peer(c->chan), code, text);
	c->wait_ns = 0;
	chan_printf(c->chan, "err %s %s", code, text);
	chan_resume(c->chan);
	chan_deadline(c->chan, IDLE_NS);
	chan_finish(c->chan);
}

static void
give_up_errno(struct checkin *c, const char *what)
{
	log_warn("%s: %s: %s", chan_peer(c->chan), what, strerror(errno));
	give_up(c, "internal", what);
}

static char *
versions(const struct checkin *c, char *buf, size_t size)
{
	const uint64_t *v = c->view.set.version;

	snprintf(buf, size,
	    "root=%" PRIu64 " stop=%" PRIu64 " release=%" PRIu64
	    " assign=%" PRIu64,
	    v[SIGNED_ROOT], v[SIGNED_STOP], v[SIGNED_RELEASE],
	    v[SIGNED_ASSIGN]);
	return buf;
}

static int
look(struct checkin *c)
{
	return view_load(&c->view, &c->ctl->repo, c->peer.name);
}

/* --- waiting --------------------------------------------------------------- */

static void
set_poll(struct control *ctl)
{
	static const struct timeval tv = {0, POLL_MS * 1000};

	if (event_add(ctl->poll, &tv) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
}

/* C waits; the repository may have changed. */
static void
look_for(struct checkin *c, int64_t now_ns, int changed)
{
	int news = changed ? look(c) : 0;
	char buf[128];

	if (news == -1) {
		give_up_errno(c, "what is published cannot be read");
		return;
	}
	if (news == 0 && now_ns < c->wait_ns)
		return;
	c->wait_ns = 0;
	chan_deadline(c->chan, IDLE_NS);
	if (news)
		chan_printf(
		    c->chan, "changed %s", versions(c, buf, sizeof(buf)));
	else
		chan_printf(c->chan, "same");
}

static void
on_poll(int fd, short what, void *arg)
{
	struct control *ctl = arg;
	uint64_t stamp = repo_stamp(&ctl->repo);
	int64_t now_ns = clock_mono_ns();
	struct checkin *c;
	int waiting = 0;

	(void)fd;
	(void)what;
	for (c = ctl->checkins; c != NULL; c = c->next) {
		if (c->wait_ns != 0)
			look_for(c, now_ns, stamp != ctl->stamp);
		waiting |= c->wait_ns != 0;
	}
	ctl->stamp = stamp;
	if (waiting)
		set_poll(ctl);
}

static const char *
do_wait(void *arg, char **words)
{
	struct checkin *c = arg;
	uint32_t s;

	if (scan_u32(words[1], 1, WAIT_MAX_S, &s) == -1)
		return "wait is 1..600 seconds";
	c->wait_ns = clock_mono_ns() + s * NS_PER_SEC;
	chan_deadline(c->chan, s * NS_PER_SEC + IDLE_NS);
	/* It may have changed since we last looked. */
	look_for(c, 0, 1);
	if (c->wait_ns != 0 && !event_pending(c->ctl->poll, EV_TIMEOUT, NULL))
		set_poll(c->ctl);
	return NULL;
}

/* --- get ------------------------------------------------------------------- */

static void
on_sent(void *arg)
{
	struct checkin *c = arg;

	chan_resume(c->chan);
}

/* Inside a body there is no place for words. */
static void
on_failed(void *arg, const char *why)
{
	struct checkin *c = arg;

	log_warn("%s: %s, closed", chan_peer(c->chan), why);
	checkin_free(c);
}

static const char *
none(struct checkin *c, int error)
{
	if (error != 0 && error != ENOENT) {
		errno = error;
		give_up_errno(c, "cannot be read here");
	} else
		chan_printf(c->chan, "none");
	return NULL;
}

static const char *
get_text(struct checkin *c, enum signed_kind kind, uint64_t version)
{
	struct signed_head h = {.kind = kind, .version = version};
	uint64_t size;
	int fd;

	snprintf(h.monitor, sizeof(h.monitor), "%s", c->peer.name);
	if (version == 0)
		return none(c, 0);
	fd = repo_text_open(&c->ctl->repo, &h, &size);
	if (fd == -1)
		return none(c, errno);
	chan_printf(c->chan, "text %s %" PRIu64 " %" PRIu64,
	    signed_kind_name(kind), version, size);
	chan_pause(c->chan);
	body_begin(&c->body, fd, 0, size);
	return NULL;
}

static const char *
get_object(struct checkin *c, char **words)
{
	const struct signed_object *o;
	uint8_t sha[SIGNED_SHA_LEN];
	uint64_t offset = 0;
	int fd;

	if (words[2] == NULL ||
	    segment_dir_unhex(words[2], sha, sizeof(sha)) == -1)
		return "bad hash";
	o = view_object(&c->view, sha);
	if (o == NULL)
		return none(c, 0);
	if (words[3] != NULL && scan_u64(words[3], 0, o->size, &offset) == -1)
		return "bad offset";
	fd = repo_object_open(&c->ctl->repo, o);
	if (fd == -1)
		return none(c, errno);
	chan_printf(c->chan, "object %s %" PRIu64 " %" PRIu64, words[2],
	    o->size, offset);
	chan_pause(c->chan);
	body_begin(&c->body, fd, offset, o->size);
	return NULL;
}

static const char *
do_get(void *arg, char **words)
{
	struct checkin *c = arg;
	int kind = signed_kind_scan(words[1]);
	uint64_t version;

	if (strcmp(words[1], "object") == 0)
		return get_object(c, words);
	if (kind == -1)
		return "no such kind of text";
	if (kind != SIGNED_ROOT) {
		if (words[2] != NULL)
			return "only a root is asked for by version";
		return get_text(
		    c, (enum signed_kind)kind, c->view.set.version[kind]);
	}
	if (words[2] == NULL || words[3] != NULL ||
	    scan_u64(words[2], 1, INT64_MAX, &version) == -1)
		return "bad version";
	/* One that is signed but not yet current is nobody's. */
	if (version > c->view.set.version[SIGNED_ROOT])
		version = 0;
	return get_text(c, SIGNED_ROOT, version);
}

/* --- heartbeats ------------------------------------------------------------ */

static const char *
do_beat(void *arg, char **words)
{
	struct checkin *c = arg;
	size_t before = c->beat.len;
	const char *why;

	if (c->ctl->beat_bytes + strlen(words[1]) > BEAT_ALL_MAX) {
		give_up(c, "busy", "too many heartbeats at once");
		return NULL;
	}
	why = beat_add(&c->beat, words[1]);
	c->ctl->beat_bytes += c->beat.len - before;
	return why;
}

static const char *
do_beat_end(void *arg, char **words)
{
	struct checkin *c = arg;
	int rc = beat_store(c->ctl->beats, c->peer.name, &c->beat, c->from,
	    clock_wall_ns() / NS_PER_SEC);

	(void)words;
	c->ctl->beat_bytes -= c->beat.len;
	beat_clear(&c->beat);
	if (rc == -1)
		give_up_errno(c, "the heartbeat cannot be kept in beats/");
	else
		chan_printf(c->chan, "ok");
	return NULL;
}

/* --- lines ----------------------------------------------------------------- */

static const char *
do_hello(void *arg, char **words)
{
	struct checkin *c = arg;
	char buf[128];

	if (strcmp(words[1], "listmgr") != 0)
		return "only listmgr is served here";
	view_clear(&c->view);
	if (look(c) == -1) {
		give_up_errno(c, "what is published cannot be read");
		return NULL;
	}
	c->greeted = 1;
	chan_deadline(c->chan, IDLE_NS);
	chan_printf(c->chan, "hello ctlserver %s time=%" PRId64 " %s", VERSION,
	    (int64_t)(clock_wall_ns() / NS_PER_SEC),
	    versions(c, buf, sizeof(buf)));
	return NULL;
}

static const char *
do_ping(void *arg, char **words)
{
	struct checkin *c = arg;

	(void)words;
	chan_printf(c->chan, "pong");
	return NULL;
}

static const char *
do_pong(void *arg, char **words)
{
	(void)arg;
	(void)words;
	return NULL;
}

static const char *
do_err(void *arg, char **words)
{
	struct checkin *c = arg;

	log_warn("%s: gives up: %.32s", chan_peer(c->chan), words[1]);
	chan_finish(c->chan);
	return NULL;
}

enum { STRANGER, KNOWN, WAITING };
#define FIRST (1u << STRANGER | 1u << KNOWN)
#define LATER (1u << KNOWN)
#define ALWAYS (1u << WAITING)

static const char *const not_now[] = {
    [STRANGER] = "no hello yet",
    [KNOWN] = "not now",
    [WAITING] = "not while waiting",
};

static const struct verbs_row rows[] = {
    {"hello", 3, VERBS_WORDS_MAX, 1, FIRST, do_hello},
    {"beat", 2, 2, 1, LATER, do_beat},
    {"beat-end", 1, 1, 0, LATER, do_beat_end},
    {"get", 2, 4, 0, LATER, do_get},
    {"wait", 2, 2, 0, LATER, do_wait},
    {"ping", 1, 1, 0, LATER | ALWAYS, do_ping},
    {"pong", 1, 1, 0, LATER | ALWAYS, do_pong},
    {"err", 2, 3, 1, FIRST | ALWAYS, do_err},
};

static const struct verbs verbs = {
    rows, sizeof(rows) / sizeof(rows[0]), not_now};

static unsigned int
state_of(const struct checkin *c)
{
	if (c->wait_ns != 0)
		return WAITING;
	return c->greeted ? KNOWN : STRANGER;
}

static void
on_line(struct chan *chan, char *line, void *arg)
{
	struct checkin *c = arg;
	const char *why = verbs_run(&verbs, line, state_of(c), c);

	(void)chan;
	if (why != NULL)
		give_up(c, "request", why);
}

static void
on_bad(struct chan *chan, uint64_t number, const char *why, void *arg)
{
	(void)chan;
	(void)number;
	give_up(arg, "syntax", why);
}

static void
on_closed(struct chan *chan, const char *why, void *arg)
{
	log_info("%s: %s", chan_peer(chan), why);
	checkin_free(arg);
}

static void
on_drained(struct chan *chan, void *arg)
{
	struct checkin *c = arg;

	(void)chan;
	if (c->body.fd != -1)
		body_more(&c->body);
}

static const struct chan_ops ops = {
    .line = on_line,
    .bad = on_bad,
    .closed = on_closed,
    .drained = on_drained,
};

/* --- coming and going ------------------------------------------------------ */

static unsigned int
checkins_of(const struct control *ctl, const struct tls_peer *peer)
{
	const struct checkin *c;
	unsigned int n = 0;

	for (c = ctl->checkins; c != NULL; c = c->next)
		n += tls_pin_equal(&c->peer.pin, &peer->pin);
	return n;
}

static void
join(struct checkin *c)
{
	struct control *ctl = c->ctl;

	c->next = ctl->checkins;
	c->prev = &ctl->checkins;
	if (c->next != NULL)
		c->next->prev = &c->next;
	ctl->checkins = c;
	ctl->ncheckins++;
}

int
checkin_new(struct control *ctl, int fd, struct chan_io *io,
    const struct tls_peer *peer, const char *from)
{
	struct chan_config cfg = {fd, fd, CTLSERVER_LINE_MAX, peer->name};
	struct checkin *c;

	if (ctl->ncheckins == CHECKINS_MAX ||
	    checkins_of(ctl, peer) == PEER_MAX)
		return -1;
	c = xcalloc(1, sizeof(*c));
	c->ctl = ctl;
	c->peer.name = xstrdup(peer->name);
	c->peer.pin = peer->pin;
	snprintf(c->from, sizeof(c->from), "%s", from);
	c->chan = chan_new_io(ctl->base, &cfg, io, &ops, c);
	c->body.chan = c->chan;
	c->body.done = on_sent;
	c->body.failed = on_failed;
	c->body.arg = c;
	body_init(&c->body, ctl->base);
	chan_deadline(c->chan, HELLO_NS);
	chan_line_deadline(c->chan, LINE_NS);
	join(c);
	return 0;
}

void
checkin_recheck(struct control *ctl)
{
	const struct tls_peer *p;
	struct checkin *c, *next;

	for (c = ctl->checkins; c != NULL; c = next) {
		next = c->next;
		p = tls_peers_find(&ctl->peers, &c->peer.pin);
		if (p != NULL && strcmp(p->name, c->peer.name) == 0)
			continue;
		log_warn("%s: no longer admitted, closed", c->peer.name);
		if (c->body.fd == -1 && chan_pending(c->chan) == 0) {
			give_up(c, "denied", "this key is no longer admitted");
			chan_deadline(c->chan, HELLO_NS);
		} else
			checkin_free(c);
	}
}

void
checkin_begin(struct control *ctl)
{
	ctl->poll = event_new(ctl->base, -1, 0, on_poll, ctl);
	if (ctl->poll == NULL)
		log_fatal(EXIT_TEMPORARY, "out of memory");
}

void
checkin_end(struct control *ctl)
{
	while (ctl->checkins != NULL)
		checkin_free(ctl->checkins);
	event_free(ctl->poll);
}
