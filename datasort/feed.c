#include "datasort/datasort.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/crcline.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/xmalloc.h"
#include "datasort/feed.h"

/* --- into the plan -------------------------------------------------------- */

static const char *
feed_path(char *buf, const char *monitor)
{
	snprintf(buf, ARCHIVE_PATH_MAX, "state/%s/feed", monitor);
	return buf;
}

static int
add(struct archive_plan *p, const char *text, uint64_t *next)
{
	char path[ARCHIVE_PATH_MAX];

	return archive_line(p, feed_path(path, p->monitor),
	    crcline_printf("%" PRIu64 " %s", (*next)++, text));
}

static int
add_file(struct archive_plan *p, const char *verb,
    const struct archive_target *t, uint64_t *next)
{
	char text[ARCHIVE_PATH_MAX + 16];

	snprintf(text, sizeof(text), "%s %s", verb, t->path);
	return add(p, text, next);
}

int
feed_plan(struct archive_plan *p, uint64_t *next)
{
	const struct archive_target *t;
	size_t n = p->count;

	for (size_t i = 0; i < n; i++) {
		t = p->targets[i];
		if (!t->is_cycle || !archive_changes(t))
			continue;
		if (!t->exists && add_file(p, "created", t, next) == -1)
			return -1;
		if (t->closed && add_file(p, "changed", t, next) == -1)
			return -1;
		if (t->close && !t->closed &&
		    add_file(p, "closed", t, next) == -1)
			return -1;
	}
	return 0;
}

int
feed_complete(
    struct archive_plan *p, const struct table_row *row, uint64_t *next)
{
	const struct segment_account *a = &row->said, *b = &row->before;
	uint64_t refused = 0;
	char text[ARCHIVE_PATH_MAX];

	for (int i = 0; i < SEGMENT_REASONS; i++)
		refused += a->refused[i] + b->refused[i];
	snprintf(text, sizeof(text),
	    "complete %" PRIu32 " %" PRIu32 " %s stop=%" PRIu32
	    " asked=%ju archived=%ju refused=%ju",
	    row->list, row->cycle, p->monitor, row->stop,
	    (uintmax_t)(a->accepted + b->accepted), (uintmax_t)row->archived,
	    (uintmax_t)refused);
	return add(p, text, next);
}

uint64_t
feed_next(int root, const char *monitor)
{
	char path[ARCHIVE_PATH_MAX];
	uint64_t last = 0;
	int fd, rc;

	fd = openat(root, feed_path(path, monitor), O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? 1 : 0;
	rc = feed_last(fd, &last, NULL);
	fd_close(fd);
	return rc == -1 ? 0 : last + 1;
}

/* --- what is not public yet ----------------------------------------------- */

/* One line of the monitor's feed, taken apart. */
static int
scan_event(struct feed_event *e, char *line)
{
	char *space;

	if (crcline_check(line) != NULL)
		return -1;
	space = strchr(line, ' ');
	if (space == NULL)
		return -1;
	*space = '\0';
	e->verb = space + 1;
	e->rest = strchr(e->verb, ' ');
	if (e->rest == NULL || scan_u64(line, 1, UINT64_MAX, &e->number) == -1)
		return -1;
	e->verb_len = (size_t)(e->rest - e->verb);
	e->rest++;
	return 0;
}

static int
verb_is(const struct feed_event *e, const char *verb)
{
	return strlen(verb) == e->verb_len &&
	    strncmp(e->verb, verb, e->verb_len) == 0;
}

/* The file of event E as it is to be seen: compressed, linked; its path goes
 * to BUF. */
static int
show_file(struct feed *f, struct feed_event *e, char *buf)
{
	const char *forms[2];
	char gz[FEED_PATH_MAX];
	int plain, packed;

	if (f->compress && !verb_is(e, "created") &&
	    pack_file(f->root, e->rest) == -1)
		return -1;
	snprintf(gz, sizeof(gz), "%s.gz", e->rest);
	plain = atomicfile_exists(f->root, e->rest);
	packed = plain == 0 ? atomicfile_exists(f->root, gz) : 0;
	if (plain == -1 || packed == -1)
		return -1;
	forms[0] = packed ? gz : e->rest;
	forms[1] = packed ? e->rest : gz;
	if (feed_link(f->root, forms[0], forms[1]) == -1)
		return -1;
	snprintf(buf, FEED_PATH_MAX, "%s", forms[0]);
	e->rest = buf;
	return 0;
}

static int
show_event(struct feed *f, char *line)
{
	struct feed_event e;
	char path[FEED_PATH_MAX];

	if (scan_event(&e, line) == -1) {
		errno = EBADMSG;
		return -1;
	}
	if (verb_is(&e, "complete")) {
		feed_log_add(&f->logs[1], f->monitor, &e);
		return 0;
	}
	if (show_file(f, &e, path) == -1)
		return -1;
	feed_log_add(&f->logs[0], f->monitor, &e);
	return 0;
}

static int
show_events(struct feed *f, char *text)
{
	char *line, *save = NULL;

	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (show_event(f, line) == -1)
			return -1;
	}
	return 0;
}

/* The bytes of FD behind `offset', which moves; NULL with errno. */
static char *
read_behind(struct feed *f, int fd)
{
	struct stat st;
	char *text;
	size_t len;
	ssize_t n;

	if (fstat(fd, &st) == -1)
		return NULL;
	errno = EBADMSG;
	if ((uint64_t)st.st_size < f->offset)
		return NULL;
	len = (size_t)((uint64_t)st.st_size - f->offset);
	text = xmalloc(len + 1);
	n = pread(fd, text, len, (off_t)f->offset);
	if (n != (ssize_t)len) {
		free(text);
		errno = n == -1 ? errno : EIO;
		return NULL;
	}
	text[len] = '\0';
	f->offset += len;
	return text;
}

/* 1 when there was something new, 0, -1 with errno. */
static int
show_new(struct feed *f, int fd)
{
	uint64_t before = f->offset;
	char *text = read_behind(f, fd);
	int rc;

	if (text == NULL)
		return -1;
	rc = f->offset == before ? 0 : 1;
	if (rc == 1 && show_events(f, text) == -1)
		rc = -1;
	free(text);
	return rc;
}

static int
publish(struct feed *f)
{
	char path[ARCHIVE_PATH_MAX];
	int fd, rc;

	fd = openat(f->root, feed_path(path, f->monitor), O_RDONLY | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	rc = feed_state_read(f);
	/* It can be found again: what is public is not made so twice. */
	if (rc == -1 && errno == EBADMSG) {
		log_warn(
		    "state/%s/published: is damaged; made anew", f->monitor);
		f->offset = f->logs[0].length = f->logs[1].length = 0;
		rc = 0;
	}
	if (rc != -1)
		rc = show_new(f, fd);
	fd_close(fd);
	if (rc != 1)
		return rc;
	if (feed_log_write(f) == -1)
		return -1;
	return feed_state_write(f);
}

int
feed_publish(int root, const char *monitor, int compress)
{
	struct feed f = {
	    .root = root, .monitor = monitor, .compress = compress};
	int rc;

	f.logs[0].name = "feed/created.log";
	f.logs[1].name = "feed/completed.log";
	wbuf_init(&f.logs[0].add);
	wbuf_init(&f.logs[1].add);
	rc = publish(&f);
	if (rc == -1)
		log_warn("state/%s/feed: cannot be made public: %s", monitor,
		    strerror(errno));
	wbuf_clear(&f.logs[0].add);
	wbuf_clear(&f.logs[1].add);
	return rc;
}
