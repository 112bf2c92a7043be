#include "dataserver/dataserver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <zlib.h>

#include "common/chan.h"
#include "common/clock.h"
#include "common/crcline.h"
#include "common/atomicfile.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/xmalloc.h"

#define SESSIONS_MAX 64
#define WORDS_MAX 8
#define BLOCK (64u << 10) /* bytes behind one data line */
#define UNWRITTEN_MAX (1u << 20) /* bytes in one session */
#define HELLO_NS (5 * NS_PER_SEC)
#define IDLE_NS (130 * NS_PER_SEC) /* two missed pings */
#define STALL_S 30 /* the peer takes nothing for so long */
#define REASON_MAX 200 /* bytes of a refusal */

struct session {
	struct server *srv;
	struct session *next, **prev;
	struct chan *chan;
	int greeted;
	int asking; /* a rotation */
	/* list: what is still to be listed */
	uint64_t *numbers;
	size_t nnumbers, at;
	uint64_t *bad;
	size_t nbad, bad_at;
	struct event *turn; /* the next segment of a list */
	/* get */
	int fd; /* -1: none */
	uint64_t number, offset, size;
	struct event *stall;
};

static void
session_free(struct session *s)
{
	if (s->asking)
		rotate_forget(s->srv->rotate, s);
	*s->prev = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	s->srv->nsessions--;
	event_free(s->turn);
	event_free(s->stall);
	free(s->numbers);
	free(s->bad);
	if (s->fd != -1)
		close(s->fd);
	chan_free(s->chan);
	free(s);
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
print_seg(struct session *s, const struct offer *f)
{
	char sha[2 * SEGMENT_SHA_LEN + 1];

	chan_printf(s->chan,
	    "seg %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s", f->number,
	    f->info.first, f->info.last, f->info.bytes,
	    segment_dir_hex(sha, f->info.sha, sizeof(f->info.sha)));
}

/* A segment in bad/: its hash is in N.why. */
static void
print_bad(struct session *s, uint64_t number)
{
	char name[SEGMENT_DIR_NAME], *text, *words[3];
	size_t len;

	segment_dir_name(name, number, ".why");
	if (atomicfile_read(s->srv->dir.bad, name, 4096, &text, &len) == -1)
		return;
	text[strcspn(text, "\n")] = '\0';
	if (crcline_check(text) == NULL) {
		words[0] = strtok(text, " ");
		words[1] = words[0] == NULL ? NULL : strtok(NULL, " ");
		if (words[1] != NULL)
			chan_printf(
			    s->chan, "bad %" PRIu64 " %s", number, words[1]);
	}
	free(text);
}

static void
go_soon(struct session *s)
{
	static const struct timeval now = {0, 0};

	if (event_add(s->turn, &now) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
}

/* One segment per turn of the loop: reading it takes time. */
static void
list_one(struct session *s)
{
	uint64_t n = s->numbers[s->at++];
	struct offer *f = offers_get(&s->srv->offers, n, 0);

	if (f != NULL)
		print_seg(s, f);
	else if (errno != ENOENT)
		log_warn("spool/%" PRIu64 ".warts: %s", n, strerror(errno));
}

static void
on_turn(int fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd;
	(void)what;
	if (s->bad_at < s->nbad)
		print_bad(s, s->bad[s->bad_at++]);
	else if (s->at < s->nnumbers)
		list_one(s);
	else {
		chan_printf(s->chan, "end");
		chan_resume(s->chan);
		return;
	}
	go_soon(s);
}

static size_t
numbers_from(int dirfd, uint64_t from, uint64_t **out)
{
	ssize_t n = segment_dir_list(dirfd, ".warts", out);
	size_t below = 0;

	if (n <= 0)
		return 0;
	while (below < (size_t)n && (*out)[below] < from)
		below++;
	memmove(*out, *out + below, ((size_t)n - below) * sizeof(**out));
	return (size_t)n - below;
}

static const char *
do_list(struct session *s, char **words)
{
	uint64_t from;

	if (scan_u64(words[1], 1, UINT64_MAX, &from) == -1)
		return "bad number";
	free(s->numbers);
	free(s->bad);
	s->at = s->bad_at = 0;
	s->nnumbers = numbers_from(s->srv->dir.spool, from, &s->numbers);
	s->nbad = numbers_from(s->srv->dir.bad, from, &s->bad);
	chan_pause(s->chan);
	go_soon(s);
	return NULL;
}

static const char *
do_resend(struct session *s, char **words)
{
	struct offer *f;
	uint64_t n;

	if (scan_u64(words[1], 1, UINT64_MAX, &n) == -1)
		return "bad number";
	f = offers_get(&s->srv->offers, n, 1);
	if (f == NULL)
		chan_printf(s->chan, "none");
	else
		print_seg(s, f);
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
do_rotate(struct session *s, char **words)
{
	(void)words;
	s->asking = 1;
	chan_pause(s->chan);
	rotate_ask(s->srv->rotate, on_rotated, s);
	return NULL;
}

/* --- get ------------------------------------------------------------------- */

static void
end_get(struct session *s)
{
	close(s->fd);
	s->fd = -1;
	event_del(s->stall);
}

static int
send_block(struct session *s)
{
	static uint8_t buf[BLOCK];
	uint64_t left = s->size - s->offset;
	ssize_t n;

	n = pread(
	    s->fd, buf, left < BLOCK ? (size_t)left : BLOCK, (off_t)s->offset);
	if (n <= 0) {
		/* It was longer when it was offered. */
		errno = n == 0 ? EIO : errno;
		return -1;
	}
	chan_printf(s->chan, "data %" PRIu64 " %" PRIu64 " %zd %08lx",
	    s->number, s->offset, n, crc32(0, buf, (unsigned int)n));
	chan_write(s->chan, buf, (size_t)n);
	s->offset += (uint64_t)n;
	return 0;
}

static void
send_more(struct session *s)
{
	static const struct timeval stall = {STALL_S, 0};

	event_add(s->stall, &stall);
	while (s->offset < s->size &&
	    chan_pending(s->chan) < UNWRITTEN_MAX - BLOCK) {
		if (send_block(s) == -1) {
			end_get(s);
			give_up_errno(s, "get", s->number);
			return;
		}
	}
	if (s->offset < s->size)
		return;
	end_get(s);
	chan_printf(s->chan, "eof %" PRIu64, s->number);
	chan_resume(s->chan);
}

static void
on_stall(int fd, short what, void *arg)
{
	struct session *s = arg;

	(void)fd;
	(void)what;
	log_warn("%s: takes nothing, closed", chan_peer(s->chan));
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
do_get(struct session *s, char **words)
{
	struct offer *f;
	const char *why = find_offer(s, words, &f);

	if (why != NULL)
		return why;
	if (f == NULL)
		return "no such segment";
	if (scan_u64(words[3], 0, f->info.bytes, &s->offset) == -1)
		return "bad offset";
	s->fd = offers_open(&s->srv->offers, f);
	if (s->fd == -1) {
		give_up_errno(s, "get", s->number);
		return NULL;
	}
	s->size = f->info.bytes;
	chan_pause(s->chan);
	send_more(s);
	return NULL;
}

static const char *
do_commit(struct session *s, char **words)
{
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
do_refuse(struct session *s, char **words)
{
	struct offer *f;
	const char *why = find_offer(s, words, &f);
	char reason[REASON_MAX] = "";
	size_t len = 0;

	if (why != NULL)
		return why;
	for (int i = 3; words[i] != NULL && len < sizeof(reason); i++)
		len += (size_t)snprintf(reason + len, sizeof(reason) - len,
		    "%s%s", i > 3 ? " " : "", words[i]);
	if (f != NULL && offers_refuse(&s->srv->offers, f, reason) == -1)
		give_up_errno(s, "refuse", s->number);
	else
		chan_printf(s->chan, "kept %" PRIu64, s->number);
	return NULL;
}

/* --- lines ----------------------------------------------------------------- */

static const char *
do_hello(struct session *s, char **words)
{
	char epoch[2 * SEGMENT_EPOCH_LEN + 1];
	const char *why;

	if (strcmp(words[1], "datacli") != 0)
		return "only datacli is served here";
	if (segment_dir_load(&s->srv->dir, &why) == -1) {
		give_up_errno(s, why, 0);
		return NULL;
	}
	s->greeted = 1;
	chan_deadline(s->chan, IDLE_NS);
	chan_printf(s->chan, "hello dataserver %s epoch=%s next=%" PRIu64,
	    VERSION, segment_dir_epoch(epoch, s->srv->dir.epoch),
	    s->srv->dir.next);
	return NULL;
}

static const char *
do_ping(struct session *s, char **words)
{
	(void)words;
	chan_printf(s->chan, "pong");
	return NULL;
}

static const char *
do_pong(struct session *s, char **words)
{
	(void)s;
	(void)words;
	return NULL;
}

#define ANY WORDS_MAX
static const struct {
	const char *name;
	int min, max; /* words, with the verb */
	const char *(*run)(struct session *s, char **words);
} verbs[] = {
    {"hello", 3, ANY, do_hello},
    {"rotate", 1, 1, do_rotate},
    {"list", 2, 2, do_list},
    {"get", 4, 4, do_get},
    {"commit", 3, 3, do_commit},
    {"refuse", 3, ANY, do_refuse},
    {"resend", 2, 2, do_resend},
    {"ping", 1, 1, do_ping},
    {"pong", 1, 1, do_pong},
};

/* The first ANY - 1 words one by one, the rest of the line as the last. */
static int
split(char *line, char **words)
{
	int n = 0;

	while (*line != '\0') {
		words[n++] = line;
		if (n == ANY)
			break;
		line += strcspn(line, " ");
		if (*line == ' ')
			*line++ = '\0';
		line += strspn(line, " ");
	}
	words[n] = NULL;
	return n;
}

static const char *
run(struct session *s, char *line)
{
	char *words[ANY + 1];
	int n = split(line, words);

	if (n == 0)
		return "empty line";
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(words[0], verbs[i].name) != 0)
			continue;
		if (n < verbs[i].min || n > verbs[i].max)
			return "wrong number of arguments";
		if (!s->greeted && verbs[i].run != do_hello)
			return "no hello yet";
		return verbs[i].run(s, words);
	}
	return "unknown verb";
}

static void
on_line(struct chan *c, char *line, void *arg)
{
	struct session *s = arg;
	const char *why = run(s, line);

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
	if (s->fd != -1)
		send_more(s);
}

static const struct chan_ops ops = {
    .line = on_line,
    .bad = on_bad,
    .closed = on_closed,
    .drained = on_drained,
};

void
session_new(struct server *srv, int fd, const char *peer)
{
	struct session *s;

	if (srv->nsessions == SESSIONS_MAX) {
		log_warn("%s: too many sessions, closed", peer);
		close(fd);
		return;
	}
	s = xcalloc(1, sizeof(*s));
	s->srv = srv;
	s->fd = -1;
	s->turn = event_new(srv->base, -1, 0, on_turn, s);
	s->stall = event_new(srv->base, -1, 0, on_stall, s);
	if (s->turn == NULL || s->stall == NULL)
		log_fatal(EXIT_TEMPORARY, "out of memory");
	s->chan = chan_new(srv->base,
	    &(struct chan_config){fd, fd, DATASERVER_LINE_MAX, peer}, &ops, s);
	chan_deadline(s->chan, HELLO_NS);
	s->next = srv->sessions;
	s->prev = &srv->sessions;
	if (s->next != NULL)
		s->next->prev = &s->next;
	srv->sessions = s;
	srv->nsessions++;
}

void
session_close_all(struct server *srv)
{
	while (srv->sessions != NULL)
		session_free(srv->sessions);
}
