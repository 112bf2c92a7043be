/*
 * voice: what a generator says on its standard error, in our log.
 *
 *	generator ──pipe──► "list 7 (name): says: TEXT"
 *
 * One pipe for all processes of a generator, one behind the other.  It is read
 * only so fast as we are willing to log: who says more waits in its write(2),
 * and nobody else does.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/line.h"
#include "common/log.h"
#include "common/xmalloc.h"
#include "listmgr/generator.h"

#define LINES_PER_S 5
#define LINES_BURST 50
#define CHUNK 1024 /* bytes read at once */

struct voice {
	const char *who;
	int in, out;
	struct event *readable, *later;
	struct line_buf lines;
	struct bucket bucket;
	int said; /* that it says too much */
};

static void
wait_readable(struct voice *v)
{
	if (event_add(v->readable, NULL) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot watch a generator");
}

static void
wait_for_room(struct voice *v, int64_t ns)
{
	struct timeval tv = {
	    .tv_sec = ns / NS_PER_SEC, .tv_usec = ns % NS_PER_SEC / NS_PER_US};

	if (!v->said)
		log_warn("%s: says more on its standard error than is logged "
			 "at once: it waits",
		    v->who);
	v->said = 1;
	if (event_add(v->later, &tv) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot set a timer");
}

static void
log_lines(struct voice *v, int64_t now_ns)
{
	enum line_result r;
	char *line;

	while ((r = line_next(&v->lines, &line)) != LINE_MORE) {
		bucket_take(&v->bucket, 1, now_ns);
		if (r == LINE_TOO_LONG)
			log_warn("%s: says: a %s", v->who, line_reason(r));
		else if (*line != '\0')
			log_warn("%s: says: %s", v->who, line);
	}
}

/* Non-zero when there was something. */
static int
hear(struct voice *v, int64_t now_ns)
{
	size_t room;
	char *space = line_space(&v->lines, &room);
	ssize_t n = read(v->in, space, room < CHUNK ? room : CHUNK);

	if (n <= 0)
		return 0;
	line_added(&v->lines, (size_t)n);
	log_lines(v, now_ns);
	/* Bytes cost too, also without a newline. */
	if (n == CHUNK)
		bucket_take(&v->bucket, 1, now_ns);
	return 1;
}

void
voice_flush(struct voice *v)
{
	int64_t now_ns = clock_mono_ns();

	while (bucket_wait(&v->bucket, now_ns) == 0 && hear(v, now_ns))
		continue;
}

static void
on_readable(int fd, short what, void *arg)
{
	struct voice *v = arg;
	int64_t now_ns = clock_mono_ns(), wait_ns;

	(void)fd;
	(void)what;
	hear(v, now_ns);
	wait_ns = bucket_wait(&v->bucket, now_ns);
	if (wait_ns > 0)
		wait_for_room(v, wait_ns + NS_PER_SEC);
	else
		wait_readable(v);
}

static void
on_later(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	wait_readable(arg);
}

struct voice *
voice_new(struct event_base *base, const char *who)
{
	struct voice *v;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) == -1)
		return NULL;
	/* Not the other end: it is the generator's, and is to block. */
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	v = xcalloc(1, sizeof(*v));
	v->who = who;
	v->in = fds[0];
	v->out = fds[1];
	line_init(&v->lines, LINE_MAX_COMMAND, 4 * LINE_MAX_COMMAND);
	bucket_set(&v->bucket, LINES_PER_S, LINES_BURST);
	v->readable = event_new(base, v->in, EV_READ, on_readable, v);
	v->later = evtimer_new(base, on_later, v);
	if (v->readable == NULL || v->later == NULL)
		log_fatal(EXIT_TEMPORARY, "cannot watch a generator");
	wait_readable(v);
	return v;
}

void
voice_free(struct voice *v)
{
	if (v == NULL)
		return;
	voice_flush(v);
	event_free(v->readable);
	event_free(v->later);
	line_clear(&v->lines);
	close(v->in);
	close(v->out);
	free(v);
}

int
voice_is_loud(const struct voice *v)
{
	return v->said;
}

int
voice_fd(const struct voice *v)
{
	return v->out;
}
