#include "ctlserver/ctlserver.h"

#include <dirent.h>
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
#include "common/scan.h"
#include "common/segment_dir.h"
#include "common/xmalloc.h"

#define POINTER_MAX 256 /* bytes of a pointer file */
#define PIECE 65536 /* bytes copied at once */

/* --- directories ----------------------------------------------------------- */

static int
open_dir(int at, const char *name, int make)
{
	if (make)
		return atomicfile_mkdir(at, name, 0755);
	return openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
repo_open(struct repo *r, const char *dir, int make)
{
	r->dir = r->objects = r->texts = -1;
	r->current = r->waiting = r->history = -1;
	r->root = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (r->root == -1 ||
	    (r->dir = open_dir(r->root, "published", make)) == -1 ||
	    (r->objects = open_dir(r->dir, "objects", make)) == -1 ||
	    (r->texts = open_dir(r->dir, "texts", make)) == -1 ||
	    (r->current = open_dir(r->dir, "current", make)) == -1 ||
	    (r->waiting = open_dir(r->dir, "waiting", make)) == -1 ||
	    (r->history = open_dir(r->dir, "history", make)) == -1) {
		repo_close(r);
		return -1;
	}
	return 0;
}

void
repo_close(struct repo *r)
{
	int fds[] = {r->root, r->dir, r->objects, r->texts, r->current,
	    r->waiting, r->history};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		fd_close(fds[i]);
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What a killed writer may have left. */
static int
is_temporary(const char *name)
{
	size_t n = strlen(name);

	return n > 4 && strcmp(name + n - 4, ".tmp") == 0;
}

static int
is_name(const char *name)
{
	return scan_name(name) == 0 && !is_temporary(name);
}

static int
is_file(const char *name)
{
	return name[0] != '.' && !is_temporary(name);
}

static char **
list_dir(int dir, int (*is_one)(const char *name), size_t *n)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	struct dirent *e;
	char **names = NULL;

	*n = 0;
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (!is_one(e->d_name))
			continue;
		names = xreallocarray(names, *n + 1, sizeof(*names));
		names[(*n)++] = xstrdup(e->d_name);
	}
	if (d != NULL)
		closedir(d);
	if (*n > 0)
		qsort(names, *n, sizeof(*names), by_text);
	return names;
}

char **
repo_names(int dir, size_t *n)
{
	return list_dir(dir, is_name, n);
}

char **
repo_files(int dir, size_t *n)
{
	return list_dir(dir, is_file, n);
}

void
repo_names_free(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

/* --- pointers -------------------------------------------------------------- */

/* "KIND N KIND N" of the file NAME, two kinds. */
static int
read_pointer(int dir, const char *name, struct repo_set *set)
{
	char *line, *words[5];
	size_t len;
	int kind, n = -1;

	if (atomicfile_read(dir, name, POINTER_MAX, &line, &len) == -1)
		return errno == ENOENT ? 0 : -1;
	if (len > 0 && line[len - 1] == '\n') {
		line[len - 1] = '\0';
		if (strlen(line) == len - 1 && crcline_check(line) == NULL)
			n = scan_words(line, words, 5);
	}
	for (int i = 0; n == 4 && i < n; i += 2) {
		kind = signed_kind_scan(words[i]);
		if (kind == -1 ||
		    scan_u64(words[i + 1], 0, INT64_MAX, &set->version[kind]) ==
			-1)
			n = -1;
	}
	free(line);
	if (n == 4)
		return 0;
	errno = EBADMSG;
	return -1;
}

static int
write_pointer(int dir, const char *name, const struct repo_set *set,
    const enum signed_kind kinds[2])
{
	char *line = crcline_printf("%s %" PRIu64 " %s %" PRIu64,
	    signed_kind_name(kinds[0]), set->version[kinds[0]],
	    signed_kind_name(kinds[1]), set->version[kinds[1]]);
	int rc = atomicfile_write(dir, name, line, strlen(line), 0644);
	int saved = errno;

	free(line);
	errno = saved;
	return rc;
}

int
repo_get(const struct repo *r, const char *monitor, int waiting,
    struct repo_set *out)
{
	struct repo_set set = {{0}};

	if (read_pointer(r->dir, "common", &set) == -1 ||
	    read_pointer(waiting ? r->waiting : r->current, monitor, &set) ==
		-1)
		return -1;
	*out = set;
	return 0;
}

int
repo_put(const struct repo *r, const char *monitor, int waiting,
    const struct repo_set *set)
{
	static const enum signed_kind kinds[] = {SIGNED_RELEASE, SIGNED_ASSIGN};

	return write_pointer(
	    waiting ? r->waiting : r->current, monitor, set, kinds);
}

int
repo_put_common(const struct repo *r, const struct repo_set *set)
{
	static const enum signed_kind kinds[] = {SIGNED_ROOT, SIGNED_STOP};

	return write_pointer(r->dir, "common", set, kinds);
}

int
repo_promote(const struct repo *r, const char *monitor)
{
	return atomicfile_rename(r->waiting, monitor, r->current, monitor);
}

int
repo_forget(const struct repo *r, const char *monitor)
{
	return atomicfile_unlink(r->waiting, monitor);
}

int
repo_touch(const struct repo *r)
{
	return atomicfile_write(r->dir, "changed", "\n", 1, 0644);
}

uint64_t
repo_stamp(const struct repo *r)
{
	struct stat st;

	if (fstatat(r->dir, "changed", &st, 0) == -1)
		return 0;
	/* A new file each time: another inode, or a later time. */
	return ((uint64_t)st.st_ino << 40) ^
	    ((uint64_t)st.st_ctim.tv_sec * 1000000000u +
		(uint64_t)st.st_ctim.tv_nsec);
}

/* --- texts ----------------------------------------------------------------- */

char *
repo_text_name(char buf[REPO_TEXT_NAME], const struct signed_head *h)
{
	int assign = h->kind == SIGNED_ASSIGN;

	snprintf(buf, REPO_TEXT_NAME, "%s%s%s.%" PRIu64,
	    signed_kind_name(h->kind), assign ? "." : "",
	    assign ? h->monitor : "", h->version);
	return buf;
}

int
repo_text(const struct repo *r, const struct signed_head *which,
    struct signed_text *t)
{
	char name[REPO_TEXT_NAME], *text;

	if (atomicfile_read(r->texts, repo_text_name(name, which),
		SIGNED_TEXT_MAX, &text, &t->len) == -1)
		return -1;
	t->text = text;
	return 0;
}

int
repo_text_open(
    const struct repo *r, const struct signed_head *which, uint64_t *size)
{
	char name[REPO_TEXT_NAME];
	struct stat st;
	int fd =
	    openat(r->texts, repo_text_name(name, which), O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == 0 && st.st_size <= SIGNED_TEXT_MAX) {
		*size = (uint64_t)st.st_size;
		return fd;
	}
	close(fd);
	errno = EFBIG;
	return -1;
}

int
repo_text_put(const struct repo *r, const struct signed_text *t)
{
	char name[REPO_TEXT_NAME];
	struct signed_fault f;
	struct signed_head h;

	if (signed_peek(t, &h, &f) == -1) {
		errno = EINVAL;
		return -1;
	}
	return atomicfile_write(
	    r->texts, repo_text_name(name, &h), t->text, t->len, 0644);
}

uint64_t
repo_text_last(const struct repo *r, enum signed_kind kind, const char *monitor)
{
	struct signed_head h = {.kind = kind};
	char name[REPO_TEXT_NAME], **names;
	uint64_t v, last = 0;
	size_t n, len;

	snprintf(h.monitor, sizeof(h.monitor), "%s", monitor);
	len = strlen(repo_text_name(name, &h)) - 1; /* without the 0 */
	names = repo_files(r->texts, &n);
	for (size_t i = 0; i < n; i++) {
		if (strncmp(names[i], name, len) == 0 &&
		    scan_u64(names[i] + len, 1, INT64_MAX, &v) == 0 && v > last)
			last = v;
	}
	repo_names_free(names, n);
	return last;
}

/* --- objects --------------------------------------------------------------- */

int
repo_object_open(const struct repo *r, const struct signed_object *o)
{
	char hex[2 * SIGNED_SHA_LEN + 1];
	struct stat st;
	int fd;

	segment_dir_hex(hex, o->sha, SIGNED_SHA_LEN);
	fd = openat(r->objects, hex, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (uint64_t)st.st_size == o->size)
		return fd;
	close(fd);
	errno = ENOENT;
	return -1;
}

static int
copy(int from, int to, uint64_t size)
{
	static char buf[PIECE];
	uint64_t at = 0;
	ssize_t n;

	while (at < size) {
		n = pread(from, buf, sizeof(buf), (off_t)at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EAGAIN;
		if (n <= 0 ||
		    atomicfile_pwrite(to, buf, (size_t)n, (off_t)at) == -1)
			return -1;
		at += (uint64_t)n;
	}
	return fsync(to);
}

/* What is copied may change meanwhile: the copy is looked at as well. */
static int
store(const struct repo *r, int fd, int tmp, const struct signed_object *o)
{
	char hex[2 * SIGNED_SHA_LEN + 1];
	struct signed_fault f;

	if (copy(fd, tmp, o->size) == -1)
		return -1;
	if (signed_object_check(tmp, o, &f) == -1) {
		errno = EAGAIN;
		return -1;
	}
	segment_dir_hex(hex, o->sha, SIGNED_SHA_LEN);
	return atomicfile_rename(r->objects, "new.tmp", r->objects, hex);
}

int
repo_object_put(const struct repo *r, int fd, struct signed_object *o)
{
	int tmp, rc;

	if (signed_object_make(fd, o) == -1)
		return -1;
	tmp = repo_object_open(r, o);
	if (tmp != -1)
		return close(tmp);
	tmp = openat(r->objects, "new.tmp",
	    O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (tmp == -1)
		return -1;
	rc = store(r, fd, tmp, o);
	fd_close(tmp);
	return rc;
}
