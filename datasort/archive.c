#include "datasort/datasort.h"

#include <dirent.h>
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
#include "common/fd.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/xmalloc.h"

/* In a file there is one list and one cycle, and this is their id. */
#define ID 1

void
archive_plan_init(struct archive_plan *p, int root, const char *monitor)
{
	memset(p, 0, sizeof(*p));
	p->root = root;
	p->monitor = monitor;
}

static void
target_free(struct archive_target *t)
{
	wbuf_clear(&t->add);
	free(t);
}

void
archive_plan_clear(struct archive_plan *p)
{
	for (size_t i = 0; i < p->count; i++)
		target_free(p->targets[i]);
	free(p->targets);
	memset(p, 0, sizeof(*p));
}

void
archive_mark(struct archive_plan *p)
{
	p->mark_count = p->count;
	p->mark_bytes = p->bytes;
	for (size_t i = 0; i < p->count; i++) {
		p->targets[i]->mark_len = p->targets[i]->add.len;
		p->targets[i]->mark_close = p->targets[i]->close;
	}
}

void
archive_rewind(struct archive_plan *p)
{
	while (p->count > p->mark_count)
		target_free(p->targets[--p->count]);
	p->bytes = p->mark_bytes;
	for (size_t i = 0; i < p->count; i++) {
		p->targets[i]->add.len = p->targets[i]->mark_len;
		p->targets[i]->close = p->targets[i]->mark_close;
	}
}

/* --- names ---------------------------------------------------------------- */

/* The directory of a cycle, by the date of its start, and the first part of
 * its files' names. */
static void
cycle_names(const struct archive_plan *p, uint32_t list, uint32_t cycle,
    char *dir, char *stem)
{
	time_t t = cycle;
	struct tm tm;

	gmtime_r(&t, &tm);
	snprintf(dir, ARCHIVE_PATH_MAX, "archive/%" PRIu32 "/%s/%04d/%02d/%02d",
	    list, p->monitor, tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
	snprintf(stem, ARCHIVE_PATH_MAX,
	    "%" PRIu32 ".%s.%04d%02d%02d.%" PRIu32 "_", list, p->monitor,
	    tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, cycle);
}

/* Window of a record that started at START.  Before the cycle's start is
 * possible where the clock was set back; it belongs to the first file. */
static uint32_t
window_of(uint32_t cycle, uint32_t start)
{
	return start < cycle ? 0 : (start - cycle) / ARCHIVE_WINDOW_S;
}

/* --- targets -------------------------------------------------------------- */

static void
encode_stop(uint8_t out[ARCHIVE_STOP_LEN], uint32_t stop_time)
{
	struct warts_cycle_stop s = {.id = ID, .stop = stop_time};
	struct wbuf b;

	wbuf_init(&b);
	warts_cycle_stop_encode(&b, &s);
	memcpy(out, b.p, ARCHIVE_STOP_LEN);
	wbuf_clear(&b);
}

/* Is what the file ends with the stop of a closed cycle? */
static int
look_at_end(struct archive_target *t, int fd)
{
	uint8_t want[ARCHIVE_STOP_LEN], *got = t->stop;

	if (t->length < ARCHIVE_STOP_LEN)
		return 0;
	if (pread(fd, got, ARCHIVE_STOP_LEN,
		(off_t)(t->length - ARCHIVE_STOP_LEN)) != ARCHIVE_STOP_LEN)
		return -1;
	encode_stop(want, 0);
	/* All but the time, which is behind header and id. */
	t->closed = memcmp(got, want, WARTS_HEADER_LEN + 4) == 0 &&
	    got[ARCHIVE_STOP_LEN - 1] == 0;
	return 0;
}

static int
look(int root, struct archive_target *t)
{
	struct stat st;
	int fd, rc = 0;

	fd = openat(root, t->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1 && errno == ENOENT && t->is_cycle) {
		if (pack_undo(root, t->path) == -1) {
			/* Not the segment's fault, which the caller names. */
			if (errno == EBADMSG)
				log_warn("%s.gz: is damaged: nothing can be "
					 "added to it",
				    t->path);
			return -1;
		}
		fd = openat(root, t->path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	if (fstat(fd, &st) == -1)
		rc = -1;
	t->exists = 1;
	t->length = (uint64_t)st.st_size;
	if (rc == 0 && t->is_cycle && (st.st_mode & 0222) == 0)
		rc = look_at_end(t, fd);
	close(fd);
	return rc;
}

static struct archive_target *
add_target(struct archive_plan *p, const struct archive_target *like)
{
	struct archive_target *t = xmemdup(like, sizeof(*like));
	int saved;

	wbuf_init(&t->add);
	if (look(p->root, t) == -1) {
		saved = errno;
		free(t);
		errno = saved;
		return NULL;
	}
	p->targets =
	    xreallocarray(p->targets, p->count + 1, sizeof(*p->targets));
	p->targets[p->count++] = t;
	return t;
}

struct archive_target *
archive_plain(struct archive_plan *p, const char *path)
{
	struct archive_target like = {.is_cycle = 0};

	for (size_t i = 0; i < p->count; i++) {
		if (strcmp(p->targets[i]->path, path) == 0)
			return p->targets[i];
	}
	snprintf(like.path, sizeof(like.path), "%s", path);
	return add_target(p, &like);
}

int
archive_line(struct archive_plan *p, const char *path, char *line)
{
	struct archive_target *t = archive_plain(p, path);

	if (t != NULL)
		wbuf_bytes(&t->add, line, strlen(line));
	free(line);
	return t == NULL ? -1 : 0;
}

static struct archive_target *
find(struct archive_plan *p, uint32_t list, uint32_t cycle, uint32_t window)
{
	struct archive_target *t;

	/* From the end: most records go where the last one went. */
	for (size_t i = p->count; i > 0; i--) {
		t = p->targets[i - 1];
		if (t->is_cycle && t->cycle == cycle && t->list == list &&
		    t->window == window)
			return t;
	}
	return NULL;
}

/* List and cycle record at the head of a new file. */
static void
write_head(const struct archive_plan *p, struct archive_target *t,
    const struct archive_cycle *c)
{
	struct warts_list l = *c->list;
	struct warts_cycle y = *c->cycle;

	l.id = y.id = y.list = ID;
	if (l.monitor == NULL)
		l.monitor = p->monitor;
	warts_list_encode(&t->add, &l);
	warts_cycle_encode(
	    &t->add, t->window == 0 ? WARTS_CYCLE_START : WARTS_CYCLE_DEF, &y);
}

/* The target of a window, whether there is such a file or not. */
static struct archive_target *
named_target(
    struct archive_plan *p, uint32_t list, uint32_t cycle, uint32_t window)
{
	struct archive_target *t, like = {.is_cycle = 1};
	char dir[ARCHIVE_PATH_MAX], stem[ARCHIVE_PATH_MAX];
	int n;

	t = find(p, list, cycle, window);
	if (t != NULL)
		return t;
	like.list = list;
	like.cycle = cycle;
	like.window = window;
	cycle_names(p, list, cycle, dir, stem);
	n = snprintf(like.path, sizeof(like.path), "%s/%s%02" PRIu32 ".warts",
	    dir, stem, window);
	if (n >= (int)sizeof(like.path)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return add_target(p, &like);
}

/* The same, with its head if there is no such file yet. */
static struct archive_target *
cycle_target(
    struct archive_plan *p, const struct archive_cycle *c, uint32_t window)
{
	struct archive_target *t;

	t = named_target(p, c->list->user_id, c->cycle->user_id, window);
	if (t != NULL && !t->exists && t->add.len == 0)
		write_head(p, t, c);
	return t;
}

struct archive_target *
archive_target(
    struct archive_plan *p, const struct archive_cycle *c, uint32_t start)
{
	return cycle_target(p, c, window_of(c->cycle->user_id, start));
}

/* The window in NAME, if it is STEM, digits and ".warts"; else -1. */
static int64_t
window_in(const char *name, const char *stem)
{
	size_t len = strlen(stem);
	char digits[16];
	const char *dot = strrchr(name, '.');
	uint32_t w;

	if (strncmp(name, stem, len) != 0 || dot == NULL ||
	    strcmp(dot, ".warts") != 0 || dot < name + len ||
	    (size_t)(dot - name) - len >= sizeof(digits))
		return -1;
	memcpy(digits, name + len, (size_t)(dot - name) - len);
	digits[(size_t)(dot - name) - len] = '\0';
	return scan_u32(digits, 0, UINT32_MAX, &w) == -1 ? -1 : (int64_t)w;
}

/* Have all files of cycle C that are on disk among the targets. */
static int
take_files(struct archive_plan *p, const struct archive_cycle *c)
{
	char path[ARCHIVE_PATH_MAX], stem[ARCHIVE_PATH_MAX];
	struct dirent *e;
	int64_t window;
	int fd, rc = 0;
	DIR *dir;

	cycle_names(p, c->list->user_id, c->cycle->user_id, path, stem);
	fd = openat(p->root, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	dir = fdopendir(fd);
	if (dir == NULL) {
		close(fd);
		return -1;
	}
	while (rc == 0 && (e = readdir(dir)) != NULL) {
		window = window_in(e->d_name, stem);
		if (window != -1 &&
		    cycle_target(p, c, (uint32_t)window) == NULL)
			rc = -1;
	}
	closedir(dir);
	return rc;
}

int
archive_end(
    struct archive_plan *p, const struct archive_cycle *c, uint32_t stop)
{
	struct archive_target *t;
	int any = 0;

	if (take_files(p, c) == -1)
		return -1;
	for (size_t i = 0; i <= p->count; i++) {
		if (i == p->count && !any && cycle_target(p, c, 0) == NULL)
			return -1;
		if (i == p->count)
			break;
		t = p->targets[i];
		if (!t->is_cycle || t->list != c->list->user_id ||
		    t->cycle != c->cycle->user_id)
			continue;
		any = t->close = 1;
		t->stop_time = stop;
	}
	return 0;
}

uint32_t
archive_window_end(uint32_t cycle, uint32_t window)
{
	uint64_t end = cycle + (window + 1ULL) * ARCHIVE_WINDOW_S;

	return end > UINT32_MAX ? UINT32_MAX : (uint32_t)end;
}

int
archive_close(
    struct archive_plan *p, uint32_t list, uint32_t cycle, uint32_t window)
{
	struct archive_target *t = named_target(p, list, cycle, window);

	if (t == NULL)
		return -1;
	if (!t->exists && t->add.len == 0)
		return 0; /* somebody took it away */
	t->close = 1;
	t->stop_time = archive_window_end(cycle, window);
	return 0;
}

/* --- making it so --------------------------------------------------------- */

int
archive_changes(const struct archive_target *t)
{
	return t->add.len > 0 || (t->close && !t->closed);
}

int
archive_parent(int root, const char *path, const char **base)
{
	char part[ARCHIVE_PATH_MAX];
	const char *slash;
	int dir, next;

	dir = openat(root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	while (dir != -1 && (slash = strchr(path, '/')) != NULL) {
		memcpy(part, path, (size_t)(slash - path));
		part[slash - path] = '\0';
		next = atomicfile_mkdir(dir, part, 0755);
		close(dir);
		dir = next;
		path = slash + 1;
	}
	*base = path;
	return dir;
}

static int
write_target(const struct archive_target *t, int fd)
{
	uint64_t at = t->exists ? t->length : 0;
	uint8_t stop[ARCHIVE_STOP_LEN];

	if (t->closed) {
		at -= ARCHIVE_STOP_LEN;
		if (ftruncate(fd, (off_t)at) == -1)
			return -1;
	}
	if (atomicfile_pwrite(fd, t->add.p, t->add.len, (off_t)at) == -1)
		return -1;
	at += t->add.len;
	if (t->closed)
		memcpy(stop, t->stop, sizeof(stop));
	else
		encode_stop(stop, t->stop_time);
	if ((t->closed || t->close) &&
	    atomicfile_pwrite(fd, stop, sizeof(stop), (off_t)at) == -1)
		return -1;
	if ((t->closed || t->close) && fchmod(fd, 0444) == -1)
		return -1;
	return fsync(fd);
}

/* Open for writing also what is read-only; nobody but us writes here. */
static int
open_target(int dir, const char *base, int exists)
{
	if (!exists)
		return openat(dir, base,
		    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fchmodat(dir, base, 0644, 0) == -1)
		return -1;
	return openat(dir, base, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
}

static int
apply_one(struct archive_plan *p, const struct archive_target *t)
{
	const char *base;
	int dir, fd, rc = -1;

	dir = archive_parent(p->root, t->path, &base);
	if (dir == -1)
		return -1;
	fd = open_target(dir, base, t->exists);
	if (fd != -1)
		rc = write_target(t, fd);
	if (rc == 0 && !t->exists)
		rc = atomicfile_syncdir(dir);
	fd_close(fd);
	fd_close(dir);
	return rc;
}

int
archive_apply(struct archive_plan *p)
{
	for (size_t i = 0; i < p->count; i++) {
		if (archive_changes(p->targets[i]) &&
		    apply_one(p, p->targets[i]) == -1)
			return -1;
	}
	return 0;
}

int
archive_undo(int root, const char *path, int exists, uint64_t length,
    const uint8_t *stop)
{
	struct stat st;
	int fd, rc;

	if (!exists)
		return atomicfile_unlink(root, path);
	fd = open_target(root, path, 1);
	if (fd == -1)
		return -1;
	if (stop != NULL)
		length -= ARCHIVE_STOP_LEN;
	rc = fstat(fd, &st);
	/* Shorter than we left it: that was not us, and cannot be undone. */
	if (rc == 0 && (uint64_t)st.st_size < length) {
		errno = EBADMSG;
		rc = -1;
	}
	if (rc == 0)
		rc = ftruncate(fd, (off_t)length);
	if (rc == 0 && stop != NULL &&
	    (atomicfile_pwrite(fd, stop, ARCHIVE_STOP_LEN, (off_t)length) ==
		    -1 ||
		fchmod(fd, 0444) == -1))
		rc = -1;
	if (rc == 0)
		rc = fsync(fd);
	close(fd);
	return rc;
}
