/*
 * file: work from a file, -f: an address a line, or with -O cmdfile a whole
 * command a line, or with -O tsps an address and those that are to stamp.  A pipe is read as it fills, so that a list may be made while
 * it is probed.
 */
#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/line.h"
#include "common/log.h"
#include "common/xmalloc.h"
#include "prober/source/source.h"

#define BUF_BYTES (256 * 1024)
#define LINE_BYTES 4096 /* a command may carry a long payload */

struct file {
	struct source s;
	struct listcycle *lc;
	const char *path;
	int fd, eof;
	enum file_lines kind;
	struct line_buf lines;
	struct event *readable;
	struct command waiting; /* parsed, and the queue was full */
	int has_waiting;
	uint64_t number, bad;
};

static void
bad_line(struct file *f, const char *why, const char *what)
{
	f->bad++;
	log_warn("%s:%ju: %s%s%s", f->path, (uintmax_t)f->lines.number, why,
	    *what != '\0' ? ": " : "", what);
}

int
file_address(char *line, struct addr *dst)
{
	line[strcspn(line, " \t\r#")] = '\0';
	if (*line == '\0')
		return 0;
	return addr_scan(line, dst) == 0 ? 1 : -1;
}

/* 1: a command in f->waiting.  0: nothing on this line. */
static int
parse_address(struct file *f, char *line)
{
	int found = file_address(line, &f->waiting.dst);

	if (found == -1)
		bad_line(f, "not an address", line);
	if (found != 1)
		return 0;
	f->waiting.m = f->lc->m;
	f->waiting.m->refs++;
	return 1;
}

static int
parse_command(struct file *f, char *line)
{
	char why[256];

	line += strspn(line, " \t");
	if (*line == '\0' || *line == '#')
		return 0;
	f->waiting.m = technique_parse(line, &f->waiting.dst, why, sizeof(why));
	if (f->waiting.m == NULL) {
		bad_line(f, why, line);
		return 0;
	}
	return 1;
}

/* "192.0.2.9 192.0.2.1 192.0.2.2": a ping of the first word with the others as
 * prespecified stamps, whatever -c says, as scamper has it. */
static int
parse_stamps(struct file *f, char *line)
{
	char stamps[LINE_BYTES + 16] = "", command[LINE_BYTES + 64];
	char *save = NULL, *dst, *word;
	size_t n = 0;

	line[strcspn(line, "#")] = '\0';
	dst = strtok_r(line, " \t\r", &save);
	if (dst == NULL)
		return 0;
	while ((word = strtok_r(NULL, " \t\r", &save)) != NULL)
		n += (size_t)snprintf(stamps + n, sizeof(stamps) - n, "%s%s",
		    n == 0 ? "-T tsprespec=" : ",", word);
	snprintf(command, sizeof(command), "ping %s %s", stamps, dst);
	return parse_command(f, command);
}

static void
take_line(struct file *f, char *line)
{
	static int (*const parse[])(struct file *, char *) = {
	    [FILE_ADDRESSES] = parse_address,
	    [FILE_COMMANDS] = parse_command,
	    [FILE_STAMPS] = parse_stamps,
	};

	f->has_waiting = parse[f->kind](f, line);
	if (f->has_waiting) {
		f->waiting.lc = f->lc;
		f->waiting.number = ++f->number;
	}
}

/* Read a block.  0: nothing now, or the end. */
static int
read_block(struct file *f)
{
	struct pollfd pfd = {.fd = f->fd, .events = POLLIN};
	size_t room;
	char *p = line_space(&f->lines, &room), *rest;
	ssize_t n = -1;

	/* Standard input may be shared with others, who do not expect it to
	 * stop blocking: ask before reading. */
	if (f->readable != NULL && poll(&pfd, 1, 0) == 0)
		errno = EAGAIN;
	else
		n = read(f->fd, p, room);
	if (n > 0) {
		line_added(&f->lines, (size_t)n);
		return 1;
	}
	if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
		if (f->readable != NULL)
			event_add(f->readable, NULL);
		return 0;
	}
	if (n == -1)
		log_warn(
		    "%s: %s: reading no further", f->path, strerror(errno));
	f->eof = 1;
	/* The last line may lack its newline. */
	if (line_last(&f->lines, &rest) == LINE_CUT)
		take_line(f, rest);
	return f->has_waiting;
}

/* Get the next command into f->waiting. */
static int
next_command(struct file *f)
{
	enum line_result r;
	char *line;

	while (!f->has_waiting) {
		r = line_next(&f->lines, &line);
		if (r == LINE_OK)
			take_line(f, line);
		else if (r != LINE_MORE)
			bad_line(f, line_reason(r), "");
		else if (f->eof || !read_block(f))
			break;
	}
	return f->has_waiting;
}

static void
file_refill(struct source *s)
{
	struct file *f = (struct file *)s;

	while (next_command(f)) {
		if (admit_put(&s->e->admit, &f->waiting) == -1)
			return;
		f->has_waiting = 0;
	}
	if (f->eof)
		f->lc->ended = 1;
}

static int
file_more(const struct source *s)
{
	const struct file *f = (const struct file *)s;

	return !f->eof || f->has_waiting;
}

static void
file_tick(struct source *s)
{
	(void)s;
}

static void
file_free(struct source *s)
{
	struct file *f = (struct file *)s;

	if (f->bad > 0)
		log_warn(
		    "%s: %ju bad lines skipped", f->path, (uintmax_t)f->bad);
	if (f->has_waiting)
		technique_unref(f->waiting.m);
	if (f->readable != NULL)
		event_free(f->readable);
	if (f->fd != STDIN_FILENO)
		close(f->fd);
	line_clear(&f->lines);
	free(f);
}

static const struct source_ops file_ops = {
    .refill = file_refill,
    .more = file_more,
    .tick = file_tick,
    .free = file_free,
};

static void
on_readable(int fd, short what, void *arg)
{
	struct file *f = arg;

	(void)fd;
	(void)what;
	file_refill(&f->s);
	engine_kick(f->s.e);
}

/* How many lines will there be work on?  For the progress line only. */
static uint64_t
count_lines(int fd)
{
	char buf[65536];
	uint64_t n = 0;
	off_t at = 0;
	ssize_t got;
	int start = 1;

	while ((got = pread(fd, buf, sizeof(buf), at)) > 0) {
		for (ssize_t i = 0; i < got; i++) {
			if (start && buf[i] != '#' && buf[i] != '\n')
				n++;
			start = buf[i] == '\n';
		}
		at += got;
	}
	return n;
}

struct source *
file_new(struct engine *e, struct listcycle *lc, const char *path,
    enum file_lines lines)
{
	struct file *f = xcalloc(1, sizeof(*f));
	struct stat st;

	f->s.ops = &file_ops;
	f->s.e = e;
	f->lc = lc;
	f->kind = lines;
	f->path = strcmp(path, "-") == 0 ? "standard input" : path;
	f->fd = strcmp(path, "-") == 0
	    ? STDIN_FILENO
	    : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (f->fd == -1 || fstat(f->fd, &st) == -1)
		log_fatal(255, "%s: %s", path, strerror(errno));
	if (S_ISDIR(st.st_mode))
		log_fatal(255, "%s: is a directory", path);
	line_init(&f->lines, LINE_BYTES, BUF_BYTES);
	if (S_ISREG(st.st_mode)) {
		e->stats.total = count_lines(f->fd);
	} else {
		f->readable =
		    event_new(e->base, f->fd, EV_READ, on_readable, f);
	}
	return &f->s;
}
