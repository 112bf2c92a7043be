/*
 * files: a feed whose commands come from a file of addresses, in one cycle or
 * in many.  The file is read as commands are wanted, and again for each cycle;
 * unless it is to be reloaded, a later cycle reads what the first one opened,
 * also when the name is another file's by then.  No cycle begins before all
 * addresses of the one before have: a short file would have thousands of them
 * at once, each waiting for an address that is being probed.
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
#include "prober/control/control.h"

#define LINE_BYTES 1024
#define BUF_BYTES 65536

struct file_feed {
	char *path;
	int fd;
	struct line_buf lines;
	struct measurement *m;
	int64_t cycles; /* still to come, with this one; 0: without end */
	int reload, eof;
	uint64_t found; /* addresses in this cycle */
};

static int
open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd == -1 || fstat(fd, &st) == -1)
		return fd;
	if (S_ISREG(st.st_mode))
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}

int
files_open(struct feed *f, const struct file_feed_config *cfg, char *why,
    size_t why_size)
{
	struct file_feed *ff;
	struct measurement *m =
	    technique_parse(cfg->command, NULL, why, why_size);
	int fd;

	if (m == NULL)
		return -1;
	fd = open_file(cfg->path);
	if (fd == -1) {
		snprintf(why, why_size, "%s: %s", cfg->path, strerror(errno));
		technique_unref(m);
		return -1;
	}
	ff = xcalloc(1, sizeof(*ff));
	ff->path = xstrdup(cfg->path);
	ff->fd = fd;
	ff->m = m;
	ff->cycles = cfg->cycles;
	ff->reload = cfg->reload;
	line_init(&ff->lines, LINE_BYTES, BUF_BYTES);
	f->file = ff;
	return 0;
}

void
files_free(struct file_feed *ff)
{
	if (ff == NULL)
		return;
	close(ff->fd);
	line_clear(&ff->lines);
	technique_unref(ff->m);
	free(ff->path);
	free(ff);
}

static void
take_line(struct feed *f, char *line)
{
	struct file_feed *ff = f->file;
	struct addr dst;
	int found = file_address(line, &dst);

	if (found == -1)
		log_warn("%s:%ju: not an address: %s", ff->path,
		    (uintmax_t)ff->lines.number, line);
	if (found != 1)
		return;
	ff->m->refs++;
	ff->found++;
	jobs_new(f->run, &dst, ff->m);
}

static void
read_block(struct feed *f)
{
	struct file_feed *ff = f->file;
	size_t room;
	char *p = line_space(&ff->lines, &room), *rest;
	ssize_t n = read(ff->fd, p, room);

	if (n > 0) {
		line_added(&ff->lines, (size_t)n);
		return;
	}
	if (n == -1 && errno == EINTR)
		return;
	if (n == -1)
		log_warn("%s: %s", ff->path, strerror(errno));
	ff->eof = 1;
	if (line_last(&ff->lines, &rest) == LINE_CUT)
		take_line(f, rest);
}

/* The file from its beginning.  0, or -1: it is not there any more. */
static int
rewind_file(struct file_feed *ff)
{
	int fd = ff->reload ? open_file(ff->path) : ff->fd;

	if (fd == -1) {
		log_warn("%s: %s: its last cycle was that", ff->path,
		    strerror(errno));
		return -1;
	}
	if (fd != ff->fd)
		close(ff->fd);
	ff->fd = fd;
	line_clear(&ff->lines);
	line_init(&ff->lines, LINE_BYTES, BUF_BYTES);
	ff->eof = 0;
	/* An empty file would be gone through again and again. */
	if (ff->found == 0)
		return -1;
	ff->found = 0;
	return lseek(fd, 0, SEEK_SET) == -1 ? -1 : 0;
}

static void
next_cycle(struct feed *f)
{
	struct file_feed *ff = f->file;

	if (technique_is_disabled(ff->m->tech)) {
		log_warn("%s: %s was disabled: its last cycle was that",
		    ff->path, ff->m->tech->name);
		ff->cycles = 1;
	}
	if (ff->cycles == 1 || rewind_file(ff) == -1) {
		round_close(f);
		return;
	}
	if (ff->cycles > 0)
		ff->cycles--;
	round_end(f);
	f->cycle_id++;
	round_begin(f);
}

void
files_refill(struct feed *f)
{
	struct file_feed *ff = f->file;
	enum line_result r;
	char *line;

	while (!f->closed && TAILQ_EMPTY(&f->queue)) {
		r = line_next(&ff->lines, &line);
		if (r == LINE_OK)
			take_line(f, line);
		else if (r != LINE_MORE)
			log_warn("%s:%ju: %s", ff->path,
			    (uintmax_t)ff->lines.number, line_reason(r));
		else if (!ff->eof)
			read_block(f);
		else if (f->waiting > 0)
			return; /* some wait for their addresses */
		else
			next_cycle(f);
	}
}

void
files_update(struct feed *f, int64_t cycles, int reload)
{
	if (cycles >= 0)
		f->file->cycles = cycles;
	if (reload >= 0)
		f->file->reload = reload;
}

const char *
files_describe(const struct feed *f, char *buf, size_t size)
{
	const struct file_feed *ff = f->file;

	snprintf(buf, size, " file '%s' cycles %jd autoreload %s", ff->path,
	    (intmax_t)ff->cycles, ff->reload ? "on" : "off");
	return buf;
}
