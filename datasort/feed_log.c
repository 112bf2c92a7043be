#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/clock.h"
#include "common/crcline.h"
#include "common/fd.h"
#include "common/scan.h"
#include "common/xmalloc.h"
#include "datasort/feed.h"

#define TAIL_BYTES 4096 /* longer than two lines */
#define STATE_MAX 4096 /* bytes */
#define LOCK_PAUSE_NS (5 * NS_PER_MS)
#define LOCK_TRIES 6000 /* half a minute: each writer needs milliseconds */
#define NUMBER_WIDTH 20 /* digits */

/* --- a file of numbered lines --------------------------------------------- */

/* The last whole line of TEXT.  Its start, and *END behind its newline; NULL
 * if there is none. */
static char *
last_line(char *text, size_t len, size_t *end)
{
	char *p;

	while (len > 0 && text[len - 1] != '\n')
		len--;
	*end = len;
	if (len == 0)
		return NULL;
	text[len - 1] = '\0';
	p = strrchr(text, '\n');
	return p == NULL ? text : p + 1;
}

int
feed_last(int fd, uint64_t *last, uint64_t *end)
{
	char text[TAIL_BYTES + 1], *line;
	struct stat st;
	off_t from;
	ssize_t n;
	size_t at;

	*last = 0;
	if (fstat(fd, &st) == -1)
		return -1;
	from = st.st_size > TAIL_BYTES ? st.st_size - TAIL_BYTES : 0;
	n = pread(fd, text, TAIL_BYTES, from);
	if (n == -1)
		return -1;
	text[n] = '\0';
	line = last_line(text, (size_t)n, &at);
	if (end != NULL)
		*end = (uint64_t)from + at;
	if (line == NULL && from == 0)
		return 0;
	errno = EBADMSG;
	if (line == NULL || crcline_check(line) != NULL)
		return -1;
	line[strcspn(line, " ")] = '\0';
	return scan_u64(line, 1, UINT64_MAX, last);
}

/* --- how far -------------------------------------------------------------- */

static const char *
state_path(const struct feed *f, char *buf)
{
	snprintf(buf, ARCHIVE_PATH_MAX, "state/%s/published", f->monitor);
	return buf;
}

int
feed_state_read(struct feed *f)
{
	char path[ARCHIVE_PATH_MAX], *text, *words[4];
	size_t len;
	int rc = -1;

	if (atomicfile_read(
		f->root, state_path(f, path), STATE_MAX, &text, &len) == -1)
		return errno == ENOENT ? 0 : -1;
	text[strcspn(text, "\n")] = '\0';
	if (crcline_check(text) == NULL && scan_words(text, words, 4) == 4 &&
	    scan_u64(words[1], 0, INT64_MAX, &f->offset) == 0 &&
	    scan_u64(words[2], 0, INT64_MAX, &f->logs[0].length) == 0 &&
	    scan_u64(words[3], 0, INT64_MAX, &f->logs[1].length) == 0)
		rc = 0;
	free(text);
	if (rc == -1)
		errno = EBADMSG;
	return rc;
}

int
feed_state_write(struct feed *f)
{
	char path[ARCHIVE_PATH_MAX];
	char *line =
	    crcline_printf("published %" PRIu64 " %" PRIu64 " %" PRIu64,
		f->offset, f->logs[0].length, f->logs[1].length);
	int rc = atomicfile_write(
	    f->root, state_path(f, path), line, strlen(line), 0644);

	free(line);
	return rc;
}

/* --- the logs ------------------------------------------------------------- */

void
feed_log_add(
    struct feed_log *l, const char *monitor, const struct feed_event *e)
{
	wbuf_printf(&l->add, "%0*" PRIu64 " %.*s %s id=%s:%" PRIu64,
	    NUMBER_WIDTH, e->number, (int)e->verb_len, e->verb, e->rest,
	    monitor, e->number);
	wbuf_u8(&l->add, '\0');
}

/* The highest number of MONITOR's in TEXT, lines of a log. */
static uint64_t
highest(char *text, const char *monitor)
{
	char *line, *save = NULL, want[64], *id;
	uint64_t n, top = 0;

	snprintf(want, sizeof(want), " id=%s:", monitor);
	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (crcline_check(line) != NULL)
			continue;
		id = strstr(line, want);
		if (id != NULL &&
		    scan_u64(id + strlen(want), 1, UINT64_MAX, &n) == 0 &&
		    n > top)
			top = n;
	}
	return top;
}

/* Number of the last line of ours that is in the log already.  0 or -1. */
static int
find_ours(const struct feed *f, const struct feed_log *l, int fd, uint64_t end,
    uint64_t *top)
{
	uint64_t from = l->length < end ? l->length : end;
	size_t len = (size_t)(end - from);
	char *text = xmalloc(len + 1);
	ssize_t n = pread(fd, text, len, (off_t)from);

	*top = 0;
	if (n == (ssize_t)len) {
		text[len] = '\0';
		*top = highest(text, f->monitor);
	}
	free(text);
	return n == (ssize_t)len ? 0 : -1;
}

/* The lines that are to be added and have a number above TOP, as they go to the
 * file behind its line SEQ. */
static void
make_lines(
    const struct feed_log *l, uint64_t top, uint64_t seq, struct wbuf *out)
{
	const char *p = (const char *)l->add.p;
	const char *end = p + l->add.len;
	int64_t now_s = clock_wall_ns() / NS_PER_SEC;
	char *line;

	for (; p < end; p += strlen(p) + 1) {
		if (strtoull(p, NULL, 10) <= top)
			continue;
		line = crcline_printf("%" PRIu64 " %" PRId64 " %s", ++seq,
		    now_s, p + NUMBER_WIDTH + 1);
		wbuf_bytes(out, line, strlen(line));
		free(line);
	}
}

static int
append(struct feed_log *l, int fd, uint64_t end, const struct wbuf *lines)
{
	/* What a kill left behind the last whole line. */
	if (ftruncate(fd, (off_t)end) == -1 ||
	    atomicfile_pwrite(fd, lines->p, lines->len, (off_t)end) == -1)
		return -1;
	l->length = end + lines->len;
	return fsync(fd);
}

static int
write_log(const struct feed *f, struct feed_log *l, int fd)
{
	uint64_t seq, end, top;
	struct wbuf lines;
	int rc;

	if (feed_last(fd, &seq, &end) == -1 ||
	    find_ours(f, l, fd, end, &top) == -1)
		return -1;
	wbuf_init(&lines);
	make_lines(l, top, seq, &lines);
	rc = append(l, fd, end, &lines);
	wbuf_clear(&lines);
	return rc;
}

static int
update_log(const struct feed *f, struct feed_log *l)
{
	const char *base;
	int dir, fd, rc;

	if (l->add.len == 0)
		return 0;
	dir = archive_parent(f->root, l->name, &base);
	if (dir == -1)
		return -1;
	fd = openat(dir, base, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	rc = fd == -1 ? -1 : write_log(f, l, fd);
	if (rc == 0)
		rc = atomicfile_syncdir(dir);
	fd_close(fd);
	fd_close(dir);
	return rc;
}

/* Wait for the lock: other sorters append, and are soon done. */
static int
take_lock(int root)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	int dir = atomicfile_mkdir(root, "feed", 0755), lock = -1;

	for (int i = 0; dir != -1 && i < LOCK_TRIES; i++) {
		lock = atomicfile_lock(dir, "lock");
		if (lock != -1 || errno != EWOULDBLOCK)
			break;
		nanosleep(&pause, NULL);
	}
	fd_close(dir);
	return lock;
}

int
feed_log_write(struct feed *f)
{
	int lock = take_lock(f->root), rc = 0;

	if (lock == -1)
		return -1;
	for (size_t i = 0; i < FEED_LOGS && rc == 0; i++)
		rc = update_log(f, &f->logs[i]);
	fd_close(lock);
	return rc;
}
