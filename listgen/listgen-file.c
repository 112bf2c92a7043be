/*
 * listgen-file: the addresses of a file, in their order, minus what must not
 * be probed; one cycle or for ever.
 *
 *	192.0.2.1            the first word of a line is the target
 *	2001:db8::1  www     what follows it is the reader's
 *	# a comment
 *
 * A line that begins otherwise is named, counted and skipped.  The first
 * reading of a list names them, so that a list that is repeated for years
 * does not fill the log.  Commands, cycles and the position are gen.c's.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/line.h"
#include "common/log.h"
#include "common/xmalloc.h"
#include "listgen/genopts.h"

#define LINE_MAX_LIST 4096
#define READ_SIZE (256 * 1024)
#define NAMED_MAX 100 /* bad lines named in one reading */

struct list {
	struct genopts opt;
	char *path; /* of what is being read */
	int fd;
	struct line_buf in;
	int eof;
	int quiet; /* this list was read before: do not name bad lines */
	char named[GEN_IDENTITY_MAX]; /* identity when they were named */
	uint64_t good, bad, excluded; /* in this reading */
};

/* --- reading -------------------------------------------------------------- */

static void
bad_line(struct list *l, const char *why)
{
	l->bad++;
	if (l->quiet || l->bad > NAMED_MAX)
		return;
	log_warn("%s:%llu: %s", l->path, (unsigned long long)l->in.number, why);
	if (l->bad == NAMED_MAX)
		log_warn("%s: more bad lines are only counted", l->path);
}

/* The target in LINE, as its length and *TEXT; 0: none here. */
static size_t
target(struct list *l, enum line_result r, char *line, const char **text)
{
	const char *end;
	struct addr a;

	if (r == LINE_TOO_LONG) {
		bad_line(l, line_reason(r));
		return 0;
	}
	line += strspn(line, " \t\r");
	if (*line == '\0' || *line == '#')
		return 0;
	end = addr_scan_word(line, &a);
	if (end == NULL) {
		bad_line(l,
		    r == LINE_BAD_BYTE ? line_reason(r)
				       : "not an IPv4 or IPv6 address");
		return 0;
	}
	if (exclude_match(&l->opt.exclude, &a)) {
		l->excluded++;
		return 0;
	}
	l->good++;
	*text = line;
	return (size_t)(end - line);
}

static void
read_more(struct list *l)
{
	size_t room;
	char *space = line_space(&l->in, &room);
	ssize_t n = read(l->fd, space, room);

	if (n == -1)
		log_warn("%s: %s", l->path, strerror(errno));
	if (n > 0)
		line_added(&l->in, (size_t)n);
	else
		l->eof = 1;
}

/* A line, or LINE_MORE at the end; a last line may lack its newline. */
static enum line_result
read_line(struct list *l, char **line)
{
	enum line_result r;

	while ((r = line_next(&l->in, line)) == LINE_MORE && !l->eof)
		read_more(l);
	if (r == LINE_MORE && (r = line_last(&l->in, line)) == LINE_CUT)
		(*line)[strcspn(*line, "\r")] = '\0';
	return r;
}

static void
summary(struct list *l)
{
	int bad = l->bad > 0 || l->good == 0;
	void (*say)(const char *, ...) = bad && !l->quiet ? log_warn : log_info;

	say("%s: %llu addresses, %llu left out by do-not-probe, "
	    "%llu bad lines skipped",
	    l->path, (unsigned long long)l->good,
	    (unsigned long long)l->excluded, (unsigned long long)l->bad);
}

static size_t
list_next(void *arg, const char **text)
{
	struct list *l = arg;
	enum line_result r;
	char *line;
	size_t n;

	while ((r = read_line(l, &line)) != LINE_MORE) {
		if ((n = target(l, r, line, text)) != 0)
			return n;
	}
	summary(l);
	return 0;
}

/* --- opening -------------------------------------------------------------- */

static int
open_list(struct list *l, const char *file)
{
	if (l->fd != -1)
		close(l->fd);
	free(l->path);
	l->path = xstrdup(file);
	l->fd = open(file, O_RDONLY | O_CLOEXEC);
	if (l->fd == -1)
		log_warn("%s: %s", file, strerror(errno));
	line_clear(&l->in);
	line_init(&l->in, LINE_MAX_LIST, READ_SIZE);
	l->eof = 0;
	l->good = l->bad = l->excluded = 0;
	return l->fd == -1 ? -1 : 0;
}

static int
list_rewind(void *arg, const struct gen_start *at, char id[GEN_IDENTITY_MAX])
{
	struct list *l = arg;
	const char *file = at->file;
	struct stat st;

	id[0] = '\0';
	if (open_list(l, file) == -1)
		return -1;
	if (fstat(l->fd, &st) == -1 || S_ISDIR(st.st_mode)) {
		log_warn("%s: not a file", file);
		return -1;
	}
	gen_identify(&st, id);
	if (exclude_load(&l->opt.exclude, id) == -1)
		return -1;
	l->quiet = strcmp(id, l->named) == 0;
	strcpy(l->named, id);
	return 0;
}

/* --- options -------------------------------------------------------------- */

static const struct prog_opt options[] = {GENOPTS_ROWS, {0}};

int
main(int argc, char **argv)
{
	static const struct prog_usage usage = {"listgen-file",
	    "[options] FILE",
	    "emit probing commands for the addresses of a "
	    "file",
	    EXIT_PERMANENT};
	static const struct gen_source source = {list_rewind, list_next};
	struct list l = {.fd = -1};
	int first = genopts_parse(&usage, options, argc, argv, &l.opt);
	int code;

	if (argc - first != 1)
		log_fatal(EXIT_PERMANENT, "exactly one FILE is needed");
	l.opt.cfg.file = argv[first];
	code = gen_run(&l.opt.cfg, &source, &l);
	exclude_clear(&l.opt.exclude);
	line_clear(&l.in);
	free(l.path);
	return code;
}
