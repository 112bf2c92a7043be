/*
 * sync_talk: a session with the Control Server, from hello to wait.
 *
 *	HELLO ──► ANSWER ◄──► BODY      as long as something is wanted
 *	            │ nothing more
 *	            ▼
 *	          BEATEN ──ok──► WAITED ──same──► BEATEN
 *	                            └──changed──► ANSWER
 *
 * The server may say only what is expected.  Anything else ends the session:
 * who breaks the protocol in one place is not to be believed in another.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/atomicfile.h"
#include "common/chan.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/segment_dir.h"
#include "common/xmalloc.h"
#include "listmgr/sync_own.h"

#define LINE_MAX_SYNC 1024
#define LINE_NS (10 * NS_PER_SEC)
#define ANSWER_NS (30 * NS_PER_SEC)
#define BODY_SLICE_S 30 /* so often a body must have come on */
#define BODY_RATE 1024 /* bytes per second */

static void
refuse(struct sync *s, const char *what, const struct signed_fault *f)
{
	char line[24] = "", old[sizeof(s->news.refused)];

	if (f->line != 0)
		snprintf(line, sizeof(line), "line %d: ", f->line);
	strcpy(old, s->news.refused);
	snprintf(s->news.refused, sizeof(s->news.refused), "%s %s %s%s", what,
	    signed_code_word(f->code), line, f->text);
	if (strcmp(old, s->news.refused) == 0)
		return;
	s->news.errors++;
	log_warn("%s: refused: %s", sync_server(s)->address, s->news.refused);
}

/* --- the round ------------------------------------------------------------ */

static void
expect(struct sync *s, enum sync_expect what, int64_t deadline_ns)
{
	s->expect = what;
	chan_deadline(s->chan, deadline_ns);
}

static void
beat(struct sync *s)
{
	struct beat_config b = {s->cfg.roster, s->cfg.place, s->cfg.store,
	    s->cfg.settings, &s->limits, &s->news};

	beat_write(&b, s->chan);
	expect(s, BEATEN, ANSWER_NS);
}

/* All that the server has was taken, or is what we have. */
static void
note_good(struct sync *s)
{
	s->news.refused[0] = '\0';
	s->news.error[0] = '\0';
	s->said[0] = '\0';
	s->backoff_ns = 0;
	s->checked_s = clock_wall_ns() / NS_PER_SEC;
	if (s->checked_s - s->stored_s < 30 && s->checked_s >= s->stored_s)
		return;
	if (store_set_checked(s->cfg.store, s->checked_s) == 0)
		s->stored_s = s->checked_s;
}

static void
end_round(struct sync *s)
{
	int switched = sync_fetch_switch(&s->fetch);

	if (switched == -1) {
		sync_give_up(s, strerror(errno));
		return;
	}
	if (switched == 1)
		log_info("generation %s", s->cfg.store->current->name);
	/* A release alone may have withdrawn what runs. */
	if (switched == 1 || s->fetch.judged[SIGNED_RELEASE] != 0)
		s->cfg.ops->switched(s->cfg.arg);
	if (switched == 1)
		store_prune(s->cfg.store);
	if (!s->fetch.refused)
		note_good(s);
	sync_look(s);
	beat(s);
}

static void
ask(struct sync *s)
{
	char hex[2 * SIGNED_SHA_LEN + 1];
	const struct sync_want *w = &s->want;

	if (sync_fetch_next(&s->fetch, &s->want) == -1) {
		sync_give_up(s, strerror(errno));
		return;
	}
	if (w->what == WANT_NOTHING) {
		end_round(s);
		return;
	}
	if (w->what == WANT_OBJECT)
		chan_printf(s->chan, "get object %s %" PRIu64,
		    segment_dir_hex(hex, w->object.sha, SIGNED_SHA_LEN),
		    w->have);
	else if (w->kind == SIGNED_ROOT)
		chan_printf(s->chan, "get root %" PRIu64, w->version);
	else
		chan_printf(s->chan, "get %s", signed_kind_name(w->kind));
	expect(s, ANSWER, ANSWER_NS);
}

/* --- bodies --------------------------------------------------------------- */

/* What is wanted, for a message. */
static const char *
wanted(const struct sync *s, char buf[120])
{
	char hex[2 * SIGNED_SHA_LEN + 1];

	if (s->want.what == WANT_OBJECT)
		snprintf(buf, 120, "object %s",
		    segment_dir_hex(hex, s->want.object.sha, SIGNED_SHA_LEN));
	else
		snprintf(buf, 120, "%s %" PRIu64,
		    signed_kind_name(s->want.kind), s->want.version);
	return buf;
}

/* It is refused, and this round with it. */
static void
refuse_wanted(struct sync *s, const struct signed_fault *f)
{
	char what[120];

	refuse(s, wanted(s, what), f);
	s->fetch.refused = 1;
}

static void
body_done(struct sync *s)
{
	struct signed_text t = {s->body, s->body_len};
	struct signed_fault f = {0};
	int rc;

	if (s->want.what == WANT_TEXT) {
		rc = sync_fetch_text(&s->fetch, &s->want, &t, &f);
	} else {
		close(s->fd);
		s->fd = -1;
		rc = store_finish(s->cfg.store, &s->want.object, &f);
	}
	if (rc == -1)
		refuse_wanted(s, &f);
	sync_talk_drop(s);
	/* A disk that fails is no fault of the text: once more, and soon. */
	if (rc == -1 && f.code == SIGNED_IO)
		sync_give_up(s, f.text);
	else
		ask(s);
}

void
sync_talk_slow(int fd, short what, void *arg)
{
	struct sync *s = arg;

	(void)fd;
	(void)what;
	if (s->got - s->slow_got < BODY_SLICE_S * BODY_RATE) {
		sync_give_up(s, "too slow");
		return;
	}
	s->slow_got = s->got;
	sync_set_timer(s->slow, BODY_SLICE_S * NS_PER_SEC);
}

static void
expect_body(struct sync *s, uint64_t from, uint64_t size)
{
	s->got = s->slow_got = from;
	s->size = size;
	expect(s, BODY, ANSWER_NS);
	if (from == size) {
		body_done(s);
		return;
	}
	sync_set_timer(s->slow, BODY_SLICE_S * NS_PER_SEC);
	chan_expect(s->chan, size - from);
}

static void
on_data(struct chan *c, const void *p, size_t len, void *arg)
{
	struct sync *s = arg;

	(void)c;
	if (s->body != NULL)
		memcpy(s->body + s->got, p, len);
	else if (atomicfile_pwrite(s->fd, p, len, (off_t)s->got) == -1) {
		sync_give_up(s, strerror(errno));
		return;
	}
	s->got += len;
	if (s->got == s->size)
		body_done(s);
}

/* --- lines ---------------------------------------------------------------- */

/* root=N stop=N release=N assign=N, among words that we do not know. */
static const char *
scan_versions(char **words, int n, struct sync_versions *out)
{
	const char *value;
	int seen = 0;

	memset(out, 0, sizeof(*out));
	for (int i = 0; i < n; i++) {
		for (int k = 0; k < SIGNED_KINDS; k++) {
			value = scan_keyvalue(
			    words[i], signed_kind_name((enum signed_kind)k));
			if (value == NULL)
				continue;
			if (seen & 1 << k ||
			    scan_u64(value, 0, INT64_MAX, &out->v[k]) == -1)
				return "a version is not a number, or is there "
				       "twice";
			seen |= 1 << k;
		}
	}
	return seen == (1 << SIGNED_KINDS) - 1 ? NULL : "a version is missing";
}

static const char *
do_hello(struct sync *s, char **words, int n)
{
	struct sync_versions v;
	const char *why;

	if (s->expect != HELLO)
		return "hello is not expected";
	if (n < 3 || strcmp(words[1], "ctlserver") != 0)
		return "is not a control server";
	why = scan_versions(words + 3, n - 3, &v);
	if (why != NULL)
		return why;
	sync_fetch_begin(&s->fetch, &v);
	ask(s);
	return NULL;
}

static const char *
do_text(struct sync *s, char **words, int n)
{
	struct signed_fault f = {.code = SIGNED_OVERSIZED};
	uint64_t version, size;

	if (s->expect != ANSWER || s->want.what != WANT_TEXT)
		return "text is not expected";
	if (n != 4 || strcmp(words[1], signed_kind_name(s->want.kind)) != 0 ||
	    scan_u64(words[2], 1, INT64_MAX, &version) == -1 ||
	    scan_u64(words[3], 0, INT64_MAX, &size) == -1)
		return "is not the text that was asked for";
	if (version != s->want.version)
		return "is not the version that was asked for";
	if (size > SIGNED_TEXT_MAX) {
		snprintf(f.text, sizeof(f.text), "%" PRIu64 " bytes", size);
		refuse_wanted(s, &f);
		return "sends what is too long to be read";
	}
	s->body = xmalloc(size + 1);
	s->body_len = size;
	expect_body(s, 0, size);
	return NULL;
}

static const char *
do_object(struct sync *s, char **words, int n)
{
	struct signed_fault f = {.code = SIGNED_SIZE};
	uint8_t sha[SIGNED_SHA_LEN];
	uint64_t size, offset;

	if (s->expect != ANSWER || s->want.what != WANT_OBJECT)
		return "object is not expected";
	if (n != 4 || segment_dir_unhex(words[1], sha, sizeof(sha)) == -1 ||
	    scan_u64(words[2], 0, INT64_MAX, &size) == -1 ||
	    scan_u64(words[3], 0, INT64_MAX, &offset) == -1 ||
	    memcmp(sha, s->want.object.sha, sizeof(sha)) != 0 ||
	    offset != s->want.have)
		return "is not the object that was asked for";
	if (size != s->want.object.size) {
		snprintf(f.text, sizeof(f.text),
		    "has %" PRIu64 " bytes, not %" PRIu64, size,
		    s->want.object.size);
		refuse_wanted(s, &f);
		return "sends an object of another size";
	}
	s->fd = store_part(s->cfg.store, &s->want.object, offset);
	if (s->fd == -1)
		return strerror(errno);
	expect_body(s, offset, size);
	return NULL;
}

static const char *
do_none(struct sync *s, char **words, int n)
{
	struct signed_fault f = {.code = SIGNED_MISSING};

	(void)words;
	if (s->expect != ANSWER || n != 1)
		return "none is not expected";
	/* A server may have forgotten the first roots. */
	if (s->want.what == WANT_TEXT && s->want.kind == SIGNED_ROOT &&
	    s->want.version != s->fetch.server.v[SIGNED_ROOT] &&
	    s->cfg.store->trust.root.version == 0) {
		s->fetch.judged[SIGNED_ROOT] = s->want.version;
		ask(s);
		return NULL;
	}
	snprintf(f.text, sizeof(f.text), "the server does not have it");
	refuse_wanted(s, &f);
	ask(s);
	return NULL;
}

static const char *
do_ok(struct sync *s, char **words, int n)
{
	int64_t ns = sync_jitter(s->cfg.settings->period_ns);

	(void)words;
	if (s->expect != BEATEN || n != 1)
		return "ok is not expected";
	if (ns < NS_PER_SEC)
		ns = NS_PER_SEC;
	chan_printf(s->chan, "wait %lld", (long long)(ns / NS_PER_SEC));
	expect(s, WAITED, ns + ANSWER_NS);
	return NULL;
}

static const char *
do_same(struct sync *s, char **words, int n)
{
	(void)words;
	if (s->expect != WAITED || n != 1)
		return "same is not expected";
	if (!s->fetch.refused)
		note_good(s);
	beat(s);
	return NULL;
}

static const char *
do_changed(struct sync *s, char **words, int n)
{
	struct sync_versions v;
	const char *why;

	if (s->expect != WAITED)
		return "changed is not expected";
	why = scan_versions(words + 1, n - 1, &v);
	if (why != NULL)
		return why;
	sync_fetch_begin(&s->fetch, &v);
	ask(s);
	return NULL;
}

static const struct {
	const char *name;
	const char *(*run)(struct sync *s, char **words, int n);
} verbs[] = {
    {"hello", do_hello},
    {"text", do_text},
    {"object", do_object},
    {"none", do_none},
    {"ok", do_ok},
    {"same", do_same},
    {"changed", do_changed},
};

static void
on_line(struct chan *c, char *line, void *arg)
{
	struct sync *s = arg;
	const char *why = "says what is not in the protocol";
	char *words[16];
	int n;

	(void)c;
	if (strncmp(line, "err ", 4) == 0) {
		sync_give_up(s, line);
		return;
	}
	n = scan_words(line, words, 16);
	for (size_t i = 0; n > 0 && i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(words[0], verbs[i].name) == 0) {
			why = verbs[i].run(s, words, n);
			break;
		}
	}
	if (why != NULL)
		sync_give_up(s, why);
}

static void
on_bad(struct chan *c, uint64_t number, const char *why, void *arg)
{
	(void)c;
	(void)number;
	sync_give_up(arg, why);
}

static void
on_closed(struct chan *c, const char *why, void *arg)
{
	(void)c;
	sync_give_up(arg, why);
}

void
sync_talk_drop(struct sync *s)
{
	free(s->body);
	s->body = NULL;
	if (s->fd != -1)
		close(s->fd);
	s->fd = -1;
	event_del(s->slow);
}

void
sync_talk(struct sync *s, int fd, struct tls_conn *conn)
{
	static const struct chan_ops ops = {.line = on_line,
	    .data = on_data,
	    .bad = on_bad,
	    .closed = on_closed};
	struct chan_config cfg = {
	    fd, fd, LINE_MAX_SYNC, sync_server(s)->address};

	s->chan = chan_new_io(s->cfg.base, &cfg, &conn->io, &ops, s);
	chan_line_deadline(s->chan, LINE_NS);
	chan_printf(s->chan, "hello listmgr %s", VERSION);
	expect(s, HELLO, ANSWER_NS);
}
