/*
 * beat: the heartbeat: what an operator at the centre wants to know of this
 * monitor, from what the manager knows and from the Prober's status file.
 *
 *	beat assign=17
 *	beat list.1=team-1 1788998400 51200 51100 ok
 *	beat-end
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/chan.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/segment_dir.h"
#include "listmgr/sync.h"

#define STATUS_MAX (4u << 20)
#define TROUBLES_MAX 50 /* lines: the centre takes 1,100 in all */

/* --- the Prober's status -------------------------------------------------- */

/* The number behind " KEY=" in LINE, or 0. */
static uint64_t
number(const char *line, const char *key)
{
	size_t len = strlen(key);
	const char *p = line;

	for (; (p = strstr(p, key)) != NULL; p += len) {
		if ((p == line || p[-1] == ' ' || p[-1] == '\n') &&
		    p[len] == '=')
			return strtoull(p + len + 1, NULL, 10);
	}
	return 0;
}

/* The status file, and its own time; the caller frees.  NULL: none. */
static char *
read_status(const char *path, int64_t *at_ns)
{
	int fd = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	char *text = NULL;
	struct stat st;
	size_t len;

	if (fd == -1)
		return NULL;
	/* It is replaced and never written to: the time is that of the text. */
	if (fstat(fd, &st) == -1 ||
	    atomicfile_read_fd(fd, STATUS_MAX, &text, &len) == -1)
		text = NULL;
	else
		*at_ns = st.st_mtim.tv_sec * NS_PER_SEC + st.st_mtim.tv_nsec;
	close(fd);
	return text;
}

/* Each line of TEXT that begins with "list=", cut; *P moves on.  NULL: over. */
static char *
next_books(char **p)
{
	char *line;

	while (*p != NULL && **p != '\0') {
		line = strsep(p, "\n");
		if (strncmp(line, "list=", 5) == 0)
			return line;
	}
	return NULL;
}

struct books {
	uint64_t backlog;
	uint64_t finished[SCHEDULE_LISTS_MAX]; /* by the roster's place */
};

static void
read_books(const struct beat_config *b, char *text, struct books *out)
{
	const struct generator *g;
	char *line;

	while ((line = next_books(&text)) != NULL) {
		out->backlog += number(line, "held") + number(line, "queued") +
		    number(line, "active");
		for (size_t i = 0; i < b->roster->n; i++) {
			g = b->roster->list[i];
			if (g->number == number(line, "list") &&
			    g->cycle == number(line, "cycle") &&
			    i < SCHEDULE_LISTS_MAX)
				out->finished[i] = number(line, "recorded") +
				    number(line, "refused");
		}
	}
}

/* --- lines ---------------------------------------------------------------- */

static void
write_versions(const struct beat_config *b, struct chan *chan)
{
	const struct signed_trust *tr = &b->store->trust;
	const struct store_gen *g = b->store->current;

	chan_printf(chan, "beat root=%" PRIu64, tr->root.version);
	chan_printf(chan, "beat stop=%" PRIu64, tr->stop.version);
	chan_printf(chan, "beat release=%" PRIu64, tr->release.version);
	chan_printf(
	    chan, "beat assign=%" PRIu64, g != NULL ? g->assign.version : 0);
	chan_printf(chan, "beat probing=%s", limits_word(b->limits->state));
	chan_printf(
	    chan, "beat period=%lld", b->settings->period_ns / NS_PER_SEC);
	chan_printf(chan, "beat software=%s", VERSION);
}

static void
write_troubles(const struct beat_config *b, struct chan *chan)
{
	struct beat_news *n = b->news;

	if (n->refused[0] != '\0')
		chan_printf(chan, "beat refused=%s", n->refused);
	chan_printf(chan, "beat errors=%" PRIu64, n->errors);
	if (n->error[0] != '\0')
		chan_printf(chan, "beat error=%s", n->error);
	n->errors = 0;
	chan_printf(chan, "beat uptime=%lld",
	    (b->roster->host.now_ns - n->start_ns) / NS_PER_SEC);
}

static void
write_rate(const struct beat_config *b, struct chan *chan, uint64_t sent,
    int64_t at_ns)
{
	int64_t now_ns = b->roster->host.now_ns, per_s;

	rate_saw(&b->news->rate, sent, at_ns, now_ns);
	per_s = rate_per_s(&b->news->rate, now_ns);
	if (per_s != -1)
		chan_printf(chan, "beat rate=%" PRId64, per_s);
}

/* TEXT: its status; NULL: it cannot be read, errno. */
static void
write_prober(const struct beat_config *b, struct chan *chan, const char *text)
{
	const char *path = b->settings->status;
	struct beat_news *n = b->news;
	char why[200] = "no new status";
	int64_t s;

	if (text == NULL)
		snprintf(why, sizeof(why), "%s", strerror(errno));
	s = rate_silent_s(&n->rate, n->start_ns, b->roster->host.now_ns);
	if (path != NULL && s > 0)
		chan_printf(chan,
		    "beat prober=%s: %s for %" PRId64 " s: does it run?", path,
		    why, s);
	if (path != NULL && s > 0 && !n->silent)
		log_warn("%s: %s for %" PRId64 " s: does the Prober run?", path,
		    why, s);
	n->silent = path != NULL && s > 0;
}

/* When the oldest segment that the archive does not have was closed; 0: there is
 * none. */
static int64_t
oldest_s(int dir)
{
	uint64_t *numbers = NULL;
	struct stat st;
	char name[32];
	int64_t at_s = 0;

	if (segment_dir_list(dir, ".warts", &numbers) > 0) {
		snprintf(name, sizeof(name), "%" PRIu64 ".warts", numbers[0]);
		if (fstatat(dir, name, &st, 0) == 0)
			at_s = st.st_mtime;
	}
	free(numbers);
	return at_s;
}

/* What is there may grow to the quota, and to where the disk is full. */
static uint64_t
fill_percent(const struct settings *s, int dir, uint64_t bytes)
{
	uint64_t most = s->quota;
	struct statvfs fs;

	if (fstatvfs(dir, &fs) == 0 &&
	    (most == 0 || bytes + fs.f_bavail * fs.f_frsize < most))
		most = bytes + fs.f_bavail * fs.f_frsize;
	return most <= bytes ? 100
			     : (uint64_t)(100.0 * (double)bytes / (double)most);
}

static void
write_segments(const struct beat_config *b, struct chan *chan, int dir)
{
	uint64_t bytes = segment_dir_bytes(dir);
	int64_t at_s = oldest_s(dir), now_s = clock_wall_ns() / NS_PER_SEC;

	chan_printf(chan, "beat spool=%" PRIu64, bytes);
	chan_printf(chan, "beat spool-fill=%" PRIu64,
	    fill_percent(b->settings, dir, bytes));
	if (at_s != 0)
		chan_printf(chan, "beat spool-oldest=%" PRId64,
		    now_s > at_s ? now_s - at_s : 0);
}

static void
write_spool(const struct beat_config *b, struct chan *chan)
{
	int dir = -1, fd = -1;

	if (b->settings->spool != NULL)
		dir = open(
		    b->settings->spool, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir != -1)
		fd = openat(dir, "spool", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd != -1) {
		write_segments(b, chan, fd);
		close(fd);
	}
	if (dir != -1)
		close(dir);
}

static const char *
state_word(const struct beat_config *b, struct generator *g)
{
	if (place_is_back(b->place, g->number))
		return "rolled-back";
	if (g->state == GENERATOR_DONE && !g->failed)
		return "ended";
	if (g->failed || conduct_is_held(&g->conduct, b->roster->host.now_ns))
		return "held";
	return generator_is_troubled(g) ? "troubled" : "ok";
}

static void
write_lists(
    const struct beat_config *b, struct chan *chan, const struct books *books)
{
	struct generator *g;
	int ntroubles = 0;

	for (size_t i = 0; i < b->roster->n; i++) {
		g = b->roster->list[i];
		if (g->removed)
			continue;
		chan_printf(chan,
		    "beat list.%u=%s %u %" PRIu64 " %" PRIu64 " %s", g->number,
		    g->name, g->cycle, g->heard,
		    i < SCHEDULE_LISTS_MAX ? books->finished[i] : 0,
		    state_word(b, g));
		if ((generator_is_troubled(g) ||
			place_is_back(b->place, g->number)) &&
		    g->trouble[0] != '\0' && ntroubles++ < TROUBLES_MAX)
			chan_printf(
			    chan, "beat trouble.%u=%s", g->number, g->trouble);
	}
}

void
beat_write(const struct beat_config *b, struct chan *chan)
{
	static struct books books;
	int64_t at_ns = 0;
	char *text = read_status(b->settings->status, &at_ns);
	int saved = errno;

	memset(&books, 0, sizeof(books));
	write_versions(b, chan);
	write_troubles(b, chan);
	if (text != NULL) {
		write_rate(b, chan, number(text, "sent"), at_ns);
		read_books(b, text, &books);
		chan_printf(chan, "beat backlog=%" PRIu64, books.backlog);
	}
	errno = saved;
	write_prober(b, chan, text);
	free(text);
	write_spool(b, chan);
	write_lists(b, chan, &books);
	chan_printf(chan, "beat-end");
}
