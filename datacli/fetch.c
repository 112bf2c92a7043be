#include "datacli/datacli.h"

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
#include "common/xmalloc.h"

#define WORDS_MAX 16
#define LINE_NS (10 * NS_PER_SEC) /* from its first byte to its end */
#define HANDSHAKE_NS (15 * NS_PER_SEC) /* with the connection */
#define RATE_BYTES 1024 /* per second, at least, of a segment */
#define RATE_S 30 /* between two looks at that */
#define SEGMENT_MAX (1ull << 30) /* bytes; the Prober seals at 64 MiB */
#define OFFERS_MAX 65536 /* in one pass; the rest is for the next */
#define LIST_MAX (2 * OFFERS_MAX) /* lines */
#define REASON_MAX 600
#define GAPS_MAX 1000 /* missing numbers asked for in one pass */

struct fetch {
	struct fetch_config cfg;
	struct chan *chan;
	struct event *fail_soon; /* a pass that cannot begin ends in the loop */
	char unreachable[REASON_MAX]; /* why it cannot */
	struct incoming in;
	int has_in;
	struct offer *offers; /* of the list, then of resends */
	size_t noffers, at; /* at: the one in work */
	uint64_t next; /* first number not filed */
	uint64_t ask; /* next number to look at for a gap */
	uint64_t *gaps; /* asked for with resend */
	size_t ngaps, gap_at;
	const char *(*expect)(struct fetch *f, char **words, int n);
	size_t nlisted; /* lines of the list */
	struct block block; /* that is coming in */
	struct tls_shake *shake;
	struct event *rate; /* while a segment comes in */
	uint64_t came, came_before; /* bytes; at the last look */
	unsigned int fetched;
	int restarted; /* the segment in work, from 0, after a resume */
	int trouble; /* something was logged that is to be done again */
};

static const char *next_offer(struct fetch *f);
static const char *get(struct fetch *f);

static void
finish(struct fetch *f, const char *why)
{
	void (*done)(void *, const char *, unsigned int) = f->cfg.done;
	void *arg = f->cfg.arg;
	unsigned int fetched = f->fetched;
	char text[REASON_MAX];

	if (why == NULL && f->trouble)
		why = "not everything could be fetched";
	/* It may be F's. */
	if (why != NULL)
		snprintf(text, sizeof(text), "%s", why);
	fetch_free(f);
	done(arg, why == NULL ? NULL : text, fetched);
}

static const char *
warn_errno(struct fetch *f, uint64_t number)
{
	log_warn("incoming/%s/%s/%" PRIu64 ": %s", f->cfg.monitor, f->in.hex,
	    number, strerror(errno));
	return errno == ENOSPC ? "no space; the monitor keeps the rest"
			       : "cannot store";
}

/* --- gaps: numbers that are neither here nor offered ------------------------- */

static const char *on_resend(struct fetch *f, char **words, int n);

static const char *
ask_gap(struct fetch *f)
{
	if (f->gap_at < f->ngaps) {
		f->expect = on_resend;
		chan_printf(f->chan, "resend %" PRIu64, f->gaps[f->gap_at]);
		return NULL;
	}
	f->at = 0;
	return next_offer(f);
}

static int
is_offered(const struct fetch *f, uint64_t number)
{
	size_t lo = 0, hi = f->noffers, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (f->offers[mid].number == number)
			return 1;
		if (f->offers[mid].number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return 0;
}

/* END: number of the segment that is open on the monitor. */
static void
find_gaps(struct fetch *f, uint64_t end)
{
	if (f->noffers == OFFERS_MAX)
		end = f->offers[OFFERS_MAX - 1].number;
	for (uint64_t n = f->next; n < end && f->ngaps < GAPS_MAX; n++) {
		if (is_offered(f, n) || incoming_has(&f->in, n))
			continue;
		f->gaps =
		    xreallocarray(f->gaps, f->ngaps + 1, sizeof(*f->gaps));
		f->gaps[f->ngaps++] = n;
	}
}

/* --- the list ---------------------------------------------------------------- */

static const char *
scan_offer(struct fetch *f, char **words, int n)
{
	struct offer o;

	if (n < 6 || scan_u64(words[1], 1, UINT64_MAX, &o.number) == -1 ||
	    scan_u64(words[2], 0, UINT64_MAX, &o.first) == -1 ||
	    scan_u64(words[3], 0, UINT64_MAX, &o.last) == -1 ||
	    scan_u64(words[4], 1, INT64_MAX, &o.bytes) == -1 ||
	    segment_dir_unhex(words[5], o.sha, sizeof(o.sha)) == -1)
		return "bad answer to list";
	if (f->expect == on_resend && o.number != f->gaps[f->gap_at])
		return "bad answer to resend";
	if (f->expect != on_resend && f->noffers > 0 &&
	    o.number <= f->offers[f->noffers - 1].number)
		return "a list that is not in order";
	if (f->expect != on_resend && f->noffers == OFFERS_MAX)
		return NULL;
	f->offers =
	    xreallocarray(f->offers, f->noffers + 1, sizeof(*f->offers));
	f->offers[f->noffers++] = o;
	return NULL;
}

static const char *
scan_bad(struct fetch *f, char **words, int n)
{
	uint8_t sha[SEGMENT_SHA_LEN];
	uint64_t number;

	if (n < 3 || scan_u64(words[1], 1, UINT64_MAX, &number) == -1 ||
	    segment_dir_unhex(words[2], sha, sizeof(sha)) == -1)
		return "bad answer to list";
	if (incoming_refused(&f->in, number, sha) == -1)
		return warn_errno(f, number);
	return NULL;
}

static const char *
on_resend(struct fetch *f, char **words, int n)
{
	const char *why;

	if (strcmp(words[0], "seg") == 0) {
		why = scan_offer(f, words, n);
		if (why != NULL)
			return why;
	} else if (strcmp(words[0], "none") == 0) {
		log_warn("%s: segment %" PRIu64
			 " is missing here and on the monitor",
		    f->cfg.monitor, f->gaps[f->gap_at]);
		f->trouble = 1;
	} else
		return "bad answer to resend";
	f->gap_at++;
	return ask_gap(f);
}

static const char *
on_list(struct fetch *f, char **words, int n)
{
	if (f->nlisted++ == LIST_MAX)
		return "a list without end";
	if (strcmp(words[0], "seg") == 0)
		return scan_offer(f, words, n);
	if (strcmp(words[0], "bad") == 0)
		return scan_bad(f, words, n);
	if (strcmp(words[0], "end") != 0)
		return "bad answer to list";
	find_gaps(f, f->ask);
	return ask_gap(f);
}

/* --- one offer --------------------------------------------------------------- */

static const char *
on_gone(struct fetch *f, char **words, int n)
{
	(void)n;
	if (strcmp(words[0], "gone") != 0)
		return "bad answer to commit";
	f->at++;
	return next_offer(f);
}

static void
name_offer(struct fetch *f, const char *verb, const char *more)
{
	const struct offer *o = &f->offers[f->at];
	char sha[2 * SEGMENT_SHA_LEN + 1];

	chan_printf(f->chan, "%s %" PRIu64 " %s%s", verb, o->number,
	    segment_dir_hex(sha, o->sha, sizeof(o->sha)), more);
}

static const char *
commit(struct fetch *f)
{
	f->expect = on_gone;
	name_offer(f, "commit", "");
	return NULL;
}

static const char *
on_kept(struct fetch *f, char **words, int n)
{
	(void)n;
	if (strcmp(words[0], "kept") != 0)
		return "bad answer to refuse";
	f->at++;
	return next_offer(f);
}

static const char *
refuse(struct fetch *f, const char *why)
{
	char more[160];

	log_warn("%s: segment %" PRIu64 " is refused: %s", f->cfg.monitor,
	    f->offers[f->at].number, why);
	f->trouble = 1;
	snprintf(more, sizeof(more), " %s", why);
	f->expect = on_kept;
	name_offer(f, "refuse", more);
	return NULL;
}

static const char *
on_eof(struct fetch *f)
{
	uint64_t number = f->offers[f->at].number;
	int resumed = f->in.resumed, rc;
	const char *why;

	rc = incoming_finish(&f->in, &why);
	if (rc == -1)
		return warn_errno(f, number);
	if (rc == 1) {
		f->fetched++;
		log_info(
		    "%s: segment %" PRIu64 " fetched", f->cfg.monitor, number);
		return commit(f);
	}
	if (resumed && !f->restarted) {
		log_info("%s: segment %" PRIu64 ": %s; once more from 0",
		    f->cfg.monitor, number, why);
		f->restarted = 1;
		return get(f);
	}
	return refuse(f, why);
}

static const char *
on_get(struct fetch *f, char **words, int n)
{
	const char *why;

	if (strcmp(words[0], "eof") == 0) {
		event_del(f->rate);
		return on_eof(f);
	}
	why = block_begin(&f->block, words, n);
	if (why == NULL)
		chan_expect(f->chan, f->block.left);
	return why;
}

static void
set_rate_timer(struct fetch *f)
{
	static const struct timeval tv = {RATE_S, 0};

	f->came_before = f->came;
	if (event_add(f->rate, &tv) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
}

static void
on_rate(int fd, short what, void *arg)
{
	struct fetch *f = arg;

	(void)fd;
	(void)what;
	if (f->came - f->came_before < RATE_BYTES * RATE_S)
		finish(f, "sends less than 1024 bytes/s");
	else
		set_rate_timer(f);
}

static const char *
get(struct fetch *f)
{
	const struct offer *o = &f->offers[f->at];
	char more[32];

	if (incoming_begin(&f->in, o) == -1)
		return warn_errno(f, o->number);
	snprintf(more, sizeof(more), " %" PRIu64, f->in.size);
	f->expect = on_get;
	set_rate_timer(f);
	name_offer(f, "get", more);
	return NULL;
}

static const char *
next_offer(struct fetch *f)
{
	const struct offer *o;

	for (; f->at < f->noffers; f->at++) {
		o = &f->offers[f->at];
		f->restarted = 0;
		switch (incoming_look(&f->in, o)) {
		case INCOMING_NEED:
			return o->bytes > SEGMENT_MAX
			    ? refuse(f, "is larger than 1 GiB")
			    : get(f);
		case INCOMING_HAVE:
			return commit(f);
		case INCOMING_ERROR:
			return warn_errno(f, o->number);
		case INCOMING_CONFLICT:
			log_warn("%s: segment %" PRIu64
				 " is here with another SHA-256; both are "
				 "kept, look at them",
			    f->cfg.monitor, o->number);
			f->trouble = 1;
			if (incoming_conflict(&f->in, o) == -1)
				return warn_errno(f, o->number);
			break;
		}
	}
	chan_finish(f->chan);
	f->expect = NULL;
	return NULL;
}

/* --- the beginning ------------------------------------------------------------ */

static const char *
on_rotate(struct fetch *f, char **words, int n)
{
	if (strcmp(words[0], "busy") == 0)
		log_warn("%s: the prober does not let go of its segment",
		    f->cfg.monitor);
	else if (strcmp(words[0], "none") != 0 &&
	    (n != 2 || strcmp(words[0], "ok") != 0 ||
		scan_u64(words[1], 1, UINT64_MAX - 1, &f->ask) == -1))
		return "bad answer to rotate";
	/* Every number up to that of the answer is sealed. */
	if (strcmp(words[0], "ok") == 0)
		f->ask++;
	f->next = incoming_next(&f->in);
	if (f->next == 0)
		return warn_errno(f, 0);
	f->expect = on_list;
	/* From the first: one that is filed here but was never committed is
	 * still there. */
	chan_printf(f->chan, "list 1");
	return NULL;
}

static const char *
on_hello(struct fetch *f, char **words, int n)
{
	uint8_t epoch[SEGMENT_EPOCH_LEN];
	const char *hex = NULL, *next = NULL;

	for (int i = 3; i < n; i++) {
		if (scan_keyvalue(words[i], "epoch") != NULL)
			hex = scan_keyvalue(words[i], "epoch");
		if (scan_keyvalue(words[i], "next") != NULL)
			next = scan_keyvalue(words[i], "next");
	}
	if (n < 3 || strcmp(words[0], "hello") != 0 ||
	    strcmp(words[1], "dataserver") != 0 || hex == NULL ||
	    next == NULL ||
	    segment_dir_unhex(hex, epoch, sizeof(epoch)) == -1 ||
	    scan_u64(next, 1, UINT64_MAX, &f->ask) == -1)
		return "is not a data server";
	if (incoming_open(&f->in, f->cfg.root, f->cfg.monitor, epoch) == -1)
		return strerror(errno);
	f->has_in = 1;
	f->expect = on_rotate;
	chan_printf(f->chan, "rotate");
	return NULL;
}

/* --- callbacks ----------------------------------------------------------------- */

static void
on_line(struct chan *c, char *line, void *arg)
{
	struct fetch *f = arg;
	char *words[WORDS_MAX], refused[DATACLI_LINE_MAX + 40];
	const char *why;
	int n;

	(void)c;
	if (strncmp(line, "err ", 4) == 0) {
		snprintf(refused, sizeof(refused), "data server: %s", line + 4);
		finish(f, refused);
		return;
	}
	n = scan_words(line, words, WORDS_MAX);
	if (n == 1 && strcmp(words[0], "ping") == 0) {
		chan_printf(f->chan, "pong");
		return;
	}
	why = n < 1 || f->expect == NULL ? "unexpected answer"
					 : f->expect(f, words, n);
	if (why != NULL)
		finish(f, why);
}

static void
on_data(struct chan *c, const void *p, size_t len, void *arg)
{
	struct fetch *f = arg;

	(void)c;
	f->came += len;
	switch (block_data(&f->block, p, len)) {
	case BLOCK_OK:
		break;
	case BLOCK_BAD:
		finish(f, "bytes were changed on the way");
		break;
	case BLOCK_ERROR:
		finish(f, warn_errno(f, f->in.part.number));
		break;
	}
}

static void
on_bad(struct chan *c, uint64_t number, const char *why, void *arg)
{
	(void)c;
	(void)number;
	finish(arg, why);
}

static void
on_closed(struct chan *c, const char *why, void *arg)
{
	(void)c;
	finish(arg, strcmp(why, "done") == 0 ? NULL : why);
}

static void
on_fail_soon(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	struct fetch *f = arg;

	finish(f, f->unreachable);
}

static const struct chan_ops ops = {
    .line = on_line,
    .data = on_data,
    .bad = on_bad,
    .closed = on_closed,
};

/* --- the connection ------------------------------------------------------------ */

static void
greet(struct fetch *f, int fd, struct chan_io *io)
{
	f->chan = chan_new_io(f->cfg.base,
	    &(struct chan_config){fd, fd, DATACLI_LINE_MAX, f->cfg.monitor}, io,
	    &ops, f);
	chan_deadline(f->chan, f->cfg.timeout_ns);
	chan_line_deadline(f->chan, LINE_NS);
	chan_printf(f->chan, "hello datacli %s zlib=1 poll=%u", VERSION,
	    f->cfg.poll_s > 0 ? f->cfg.poll_s : 1);
}

static void
on_shaken(void *arg, int fd, struct tls_conn *conn, const char *why)
{
	struct fetch *f = arg;
	char pin[TLS_PIN_STRLEN], text[TLS_PIN_STRLEN + 80];

	f->shake = NULL;
	if (conn == NULL) {
		finish(f, why);
	} else if (conn->has_pin && tls_pin_equal(&conn->pin, f->cfg.pin)) {
		greet(f, fd, &conn->io);
	} else {
		chan_refuse(fd, &conn->io,
		    "err denied your key is not the one that is pinned here\n");
		snprintf(text, sizeof(text),
		    "its key is %s, which is not the one of the configuration",
		    tls_pin_str(&conn->pin, pin));
		finish(f, text);
	}
}

static void
dial(struct fetch *f)
{
	static const struct timeval now = {0, 0};
	const struct fetch_config *cfg = &f->cfg;
	const char *why = NULL;
	int fd = chan_connect(cfg->address, &why);

	if (fd == -1) {
		snprintf(f->unreachable, sizeof(f->unreachable), "%s: %s: %s",
		    cfg->address, why, strerror(errno));
		event_add(f->fail_soon, &now);
	} else if (cfg->tls == NULL) {
		greet(f, fd, NULL);
	} else {
		f->shake = tls_shake_new(&(struct tls_shake_config){
		    .base = cfg->base,
		    .tls = cfg->tls,
		    .fd = fd,
		    .deadline_ns = cfg->timeout_ns < HANDSHAKE_NS
			? cfg->timeout_ns
			: HANDSHAKE_NS,
		    .done = on_shaken,
		    .arg = f,
		});
	}
}

struct fetch *
fetch_new(const struct fetch_config *cfg)
{
	struct fetch *f = xcalloc(1, sizeof(*f));

	f->cfg = *cfg;
	f->expect = on_hello;
	block_init(&f->block, &f->in);
	f->fail_soon = event_new(cfg->base, -1, 0, on_fail_soon, f);
	f->rate = event_new(cfg->base, -1, 0, on_rate, f);
	if (f->fail_soon == NULL || f->rate == NULL)
		log_fatal(EXIT_TEMPORARY, "out of memory");
	if (cfg->fd != -1)
		greet(f, cfg->fd, &cfg->conn->io);
	else
		dial(f);
	return f;
}

void
fetch_free(struct fetch *f)
{
	if (f == NULL)
		return;
	if (f->has_in)
		incoming_close(&f->in);
	event_free(f->fail_soon);
	event_free(f->rate);
	tls_shake_free(f->shake);
	chan_free(f->chan);
	block_clear(&f->block);
	free(f->offers);
	free(f->gaps);
	free(f);
}
