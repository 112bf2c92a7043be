#include "listmgr/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/crcline.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/segment_dir.h"
#include "common/xmalloc.h"
#include "listmgr/store_own.h"

#define LOCK_NS 1000000000
#define LOCK_TRIES 20

/* --- opening -------------------------------------------------------------- */

/* Nothing in the store leads out of it, whatever somebody may have put there;
 * names are made of numbers and hashes, so this is the second lock. */
int
store_openat(const struct store *st, const char *path, int flags)
{
	struct open_how how = {
	    .flags = (uint64_t)(flags | O_CLOEXEC),
	    .mode = flags & O_CREAT ? 0644 : 0,
	    .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
	};

	return (int)syscall(SYS_openat2, st->dir, path, &how, sizeof(how));
}

static const char *const folders[] = {"text", "object", "gen", "place"};

/* A child that a list manager was just about to start when it was killed has the
 * lock until its exec: whoever comes next waits for that.  The lock; or -1. */
static int
take_lock(int dir)
{
	const struct timespec pause = {.tv_nsec = LOCK_NS / LOCK_TRIES};
	int fd = atomicfile_lock(dir, "lock");

	for (int i = 1; i < LOCK_TRIES; i++) {
		if (fd != -1 || errno != EWOULDBLOCK)
			break;
		nanosleep(&pause, NULL);
		fd = atomicfile_lock(dir, "lock");
	}
	return fd;
}

int
store_open(struct store *st, const char *path, const char *name,
    const struct signed_key *anchor)
{
	int fd;

	memset(st, 0, sizeof(*st));
	st->lock = -1;
	signed_trust_init(&st->trust, name, anchor);
	st->dir = atomicfile_mkdir(AT_FDCWD, path, 0755);
	if (st->dir == -1)
		return -1;
	st->lock = take_lock(st->dir);
	if (st->lock == -1)
		return -1;
	st->path = realpath(path, NULL);
	if (st->path == NULL)
		return -1;
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		fd = atomicfile_mkdir(st->dir, folders[i], 0755);
		if (fd == -1)
			return -1;
		close(fd);
	}
	return signed_seen_load(&st->trust, st->dir, "seen");
}

static void
free_gen(struct store_gen *g)
{
	signed_assign_clear(&g->assign);
	free(g);
}

void
store_close(struct store *st)
{
	struct store_gen *g;

	while ((g = st->gens) != NULL) {
		st->gens = g->next;
		free_gen(g);
	}
	for (int k = 0; k < SIGNED_KINDS; k++)
		free((char *)st->owed[k].text);
	signed_trust_clear(&st->trust);
	if (st->lock != -1)
		close(st->lock);
	if (st->dir != -1)
		close(st->dir);
	free(st->path);
}

/* --- texts ---------------------------------------------------------------- */

static const char *
text_path(const uint8_t *sha, char buf[STORE_PATH])
{
	char hex[2 * SIGNED_SHA_LEN + 1];

	snprintf(buf, STORE_PATH, "text/%s",
	    segment_dir_hex(hex, sha, SIGNED_SHA_LEN));
	return buf;
}

int
store_keep(struct store *st, const struct signed_text *t)
{
	uint8_t sha[SIGNED_SHA_LEN];
	char path[STORE_PATH];

	signed_sha(t->text, t->len, sha);
	if (atomicfile_write(
		st->dir, text_path(sha, path), t->text, t->len, 0644) == -1)
		return -1;
	return signed_seen_save(&st->trust, st->dir, "seen");
}

int
store_keep_or_owe(
    struct store *st, enum signed_kind kind, const struct signed_text *t)
{
	struct signed_text *owed = &st->owed[kind];
	int saved;

	if (store_keep(st, t) == 0)
		return 0;
	saved = errno;
	free((char *)owed->text);
	owed->text = xmemdup(t->text, t->len);
	owed->len = t->len;
	errno = saved;
	return -1;
}

int
store_keep_owed(struct store *st, enum signed_kind kind)
{
	struct signed_text *owed = &st->owed[kind];

	if (owed->text == NULL)
		return 0;
	if (store_keep(st, owed) == -1)
		return -1;
	free((char *)owed->text);
	owed->text = NULL;
	return 1;
}

/* The text PATH; the caller frees t->text.  0, or -1 with F. */
static int
read_text(const struct store *st, const char *path, struct signed_text *t,
    struct signed_fault *f)
{
	int fd = store_openat(st, path, O_RDONLY), rc = -1;
	char *text;

	if (fd != -1)
		rc = atomicfile_read_fd(fd, SIGNED_TEXT_MAX, &text, &t->len);
	if (rc == 0)
		t->text = text;
	else {
		f->code = SIGNED_IO;
		f->line = 0;
		snprintf(f->text, sizeof(f->text), "%s", strerror(errno));
	}
	if (fd != -1)
		close(fd);
	return rc;
}

static int (*const take[SIGNED_KINDS])(struct signed_trust *tr,
    const struct signed_text *t, struct signed_fault *f) = {
    [SIGNED_ROOT] = signed_take_root,
    [SIGNED_STOP] = signed_take_stop,
    [SIGNED_RELEASE] = signed_take_release,
};

int
store_text(const struct store *st, enum signed_kind kind, struct signed_text *t)
{
	struct signed_fault f;
	char path[STORE_PATH];

	return read_text(st, text_path(st->trust.seen[kind].sha, path), t, &f);
}

int64_t
store_checked(const struct store *st)
{
	char *line;
	uint64_t s = 0;
	size_t len;

	if (atomicfile_read(st->dir, "checked", 64, &line, &len) == -1)
		return 0;
	line[strcspn(line, "\n")] = '\0';
	if (crcline_check(line) != NULL ||
	    scan_u64(line, 0, INT64_MAX, &s) == -1)
		s = 0;
	free(line);
	return (int64_t)s;
}

int
store_set_checked(struct store *st, int64_t now_s)
{
	char *line = crcline_printf("%" PRId64, now_s);
	int rc = atomicfile_write(st->dir, "checked", line, strlen(line), 0644);

	free(line);
	return rc;
}

/* Take the text that `seen' names. */
static void
load_text(struct store *st, enum signed_kind kind)
{
	const struct signed_seen *seen = &st->trust.seen[kind];
	struct signed_fault f = {0};
	struct signed_text t;
	char path[STORE_PATH];
	int rc;

	if (seen->version == 0)
		return;
	rc = read_text(st, text_path(seen->sha, path), &t, &f);
	if (rc == 0) {
		rc = take[kind](&st->trust, &t, &f);
		free((char *)t.text);
	}
	if (rc == -1)
		log_warn("%s/%s: %s: %s: not used", st->path, path,
		    signed_kind_name(kind), f.text);
}

/* --- generations ---------------------------------------------------------- */

/* Take the two texts of generation G as if nothing had been seen of them: they
 * hold until others have replaced them.  0, or -1 with F. */
static int
take_gen(struct store *st, struct store_gen *g, struct signed_fault *f)
{
	struct signed_trust tr = st->trust;
	struct signed_text t;
	char path[STORE_PATH];
	int rc;

	memset(&tr.release, 0, sizeof(tr.release));
	memset(&tr.seen[SIGNED_RELEASE], 0, sizeof(tr.seen[0]));
	memset(&tr.seen[SIGNED_ASSIGN], 0, sizeof(tr.seen[0]));
	snprintf(path, sizeof(path), "gen/%s/release", g->name);
	if (read_text(st, path, &t, f) == -1)
		return -1;
	rc = signed_take_release(&tr, &t, f);
	free((char *)t.text);
	if (rc == -1)
		return -1;
	snprintf(path, sizeof(path), "gen/%s/assign", g->name);
	rc = read_text(st, path, &t, f);
	if (rc == 0) {
		rc = signed_take_assign(&tr, &t, &g->assign, f);
		free((char *)t.text);
	}
	g->expires_s = tr.release.expires_s;
	if (rc == 0 && g->assign.expires_s < g->expires_s)
		g->expires_s = g->assign.expires_s;
	signed_release_clear(&tr.release);
	return rc;
}

static int
check_object(
    struct store *st, const struct schedule_file *s, struct signed_fault *f)
{
	struct signed_object o = {.size = s->size};
	char path[STORE_PATH];
	int fd, rc;

	memcpy(o.sha, s->sha, sizeof(o.sha));
	fd = store_openat(st, store_object_path(o.sha, path), O_RDONLY);
	if (fd == -1) {
		f->code = SIGNED_IO;
		snprintf(f->text, sizeof(f->text), "%s: %s", s->name,
		    strerror(errno));
		return -1;
	}
	rc = signed_object_check(fd, &o, f);
	close(fd);
	/* It has a name that it does not deserve. */
	if (rc == -1 && f->code != SIGNED_IO)
		atomicfile_unlink(st->dir, path);
	return rc;
}

static int
check_objects(
    struct store *st, const struct schedule *s, struct signed_fault *f)
{
	for (size_t i = 0; i < s->nfiles + s->ncodes; i++) {
		if (check_object(st,
			i < s->nfiles ? &s->files[i] : &s->codes[i - s->nfiles],
			f) == -1)
			return -1;
	}
	return 0;
}

struct store_gen *
store_gen(
    struct store *st, const char *name, int64_t now_s, struct signed_fault *f)
{
	struct store_gen *g;

	for (g = st->gens; g != NULL; g = g->next) {
		if (strcmp(g->name, name) == 0)
			return g;
	}
	g = xcalloc(1, sizeof(*g));
	snprintf(g->name, sizeof(g->name), "%s", name);
	st->trust.now_s = now_s;
	if (take_gen(st, g, f) == -1 ||
	    check_objects(st, g->assign.schedule, f) == -1) {
		free_gen(g);
		return NULL;
	}
	g->next = st->gens;
	st->gens = g;
	return g;
}

void
store_load(struct store *st, int64_t now_s)
{
	struct signed_fault f = {0};
	char name[STORE_NAME_MAX];

	st->trust.now_s = now_s;
	load_text(st, SIGNED_ROOT);
	load_text(st, SIGNED_STOP);
	load_text(st, SIGNED_RELEASE);
	if (store_link(st, "current", name) == -1)
		return;
	st->current = store_gen(st, name, now_s, &f);
	if (st->current == NULL)
		log_warn("%s/gen/%s: %s: line %d: %s: not used", st->path, name,
		    signed_code_word(f.code), f.line, f.text);
}

/* --- links ---------------------------------------------------------------- */

/* A link of ours ends in the name of a generation, and only that is used. */
int
store_link(const struct store *st, const char *path, char name[STORE_NAME_MAX])
{
	char target[STORE_PATH], *slash;
	ssize_t n = readlinkat(st->dir, path, target, sizeof(target) - 1);

	if (n == -1)
		return -1;
	target[n] = '\0';
	slash = strrchr(target, '/');
	if (slash == NULL || strlen(slash + 1) >= STORE_NAME_MAX ||
	    scan_name(slash + 1) == -1)
		return -1;
	strcpy(name, slash + 1);
	return 0;
}

int
store_set_link(const struct store *st, const char *path, const char *target)
{
	char tmp[STORE_PATH];

	snprintf(tmp, sizeof(tmp), "%s.tmp", path);
	if (unlinkat(st->dir, tmp, 0) == -1 && errno != ENOENT)
		return -1;
	if (symlinkat(target, st->dir, tmp) == -1)
		return -1;
	return atomicfile_rename(st->dir, tmp, st->dir, path);
}

static void
place_path(uint32_t list, enum store_place which, char buf[STORE_PATH])
{
	static const char *const names[] = {"gen", "old", "bad"};

	snprintf(buf, STORE_PATH, "place/%u.%s", list, names[which]);
}

int
store_placed(struct store *st, uint32_t list, enum store_place which,
    char name[STORE_NAME_MAX])
{
	char path[STORE_PATH];

	place_path(list, which, path);
	return store_link(st, path, name);
}

int
store_put(struct store *st, uint32_t list, enum store_place which,
    const struct store_gen *g)
{
	char path[STORE_PATH], target[STORE_PATH];

	place_path(list, which, path);
	if (g == NULL)
		return atomicfile_unlink(st->dir, path);
	snprintf(target, sizeof(target), "../gen/%s", g->name);
	return store_set_link(st, path, target);
}

/* --- switching ------------------------------------------------------------ */

static int
write_at(int dirfd, const char *name, const struct signed_text *t)
{
	return atomicfile_write(dirfd, name, t->text, t->len, 0644);
}

/* Links to the objects of the files of LIST, or the code. */
static int
link_files(int dirfd, const char *up, const struct schedule_file *files,
    size_t n, int64_t list)
{
	char target[STORE_PATH], object[STORE_PATH];

	for (size_t i = 0; i < n; i++) {
		if (list != -1 && files[i].list != list)
			continue;
		snprintf(target, sizeof(target), "%s%s", up,
		    store_object_path(files[i].sha, object));
		if (symlinkat(target, dirfd, files[i].name) == -1)
			return -1;
	}
	return fsync(dirfd);
}

/* The folder PATH of DIRFD, with its links. */
static int
build_folder(
    int dirfd, const char *path, const struct schedule *s, int64_t list)
{
	int fd, rc;

	if (mkdirat(dirfd, path, 0755) == -1)
		return -1;
	fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if (list == -1)
		rc = link_files(fd, "../../../", s->codes, s->ncodes, -1);
	else
		rc = link_files(fd, "../../../../", s->files, s->nfiles, list);
	close(fd);
	return rc;
}

static int
build(int dirfd, const struct signed_assign *a, const struct signed_text *t,
    const struct signed_text *r)
{
	const struct schedule *s = a->schedule;
	char path[STORE_PATH];

	if (write_at(dirfd, "assign", t) == -1 ||
	    write_at(dirfd, "release", r) == -1 ||
	    build_folder(dirfd, "code", s, -1) == -1 ||
	    mkdirat(dirfd, "file", 0755) == -1)
		return -1;
	for (size_t i = 0; i < s->nlists; i++) {
		snprintf(path, sizeof(path), "file/%u", s->lists[i].number);
		if (build_folder(dirfd, path, s, s->lists[i].number) == -1)
			return -1;
	}
	return atomicfile_syncdir(dirfd);
}

/* gen/NAME, whole and durable. */
static int
make_gen(struct store *st, const struct store_gen *g,
    const struct signed_text *t, const struct signed_text *r)
{
	char tmp[STORE_PATH], path[STORE_PATH];
	int fd, rc;

	snprintf(path, sizeof(path), "gen/%s", g->name);
	snprintf(tmp, sizeof(tmp), "gen/%s.tmp", g->name);
	/* Left by a kill behind this: it is whole, and of the same name. */
	if (faccessat(st->dir, path, F_OK, 0) == 0)
		return 0;
	store_remove(st, tmp);
	fd = atomicfile_mkdir(st->dir, tmp, 0755);
	if (fd == -1)
		return -1;
	rc = build(fd, &g->assign, t, r);
	close(fd);
	if (rc == -1)
		return -1;
	return atomicfile_rename(st->dir, tmp, st->dir, path);
}

/* G, or the one of that name that is there already, and then G is gone. */
static struct store_gen *
known(struct store *st, struct store_gen *g)
{
	struct store_gen *o = st->gens;

	while (o != NULL && strcmp(o->name, g->name) != 0)
		o = o->next;
	if (o != NULL) {
		free_gen(g);
		return o;
	}
	g->next = st->gens;
	st->gens = g;
	return g;
}

struct store_gen *
store_switch(struct store *st, struct signed_assign *a,
    const struct signed_text *t, const struct signed_text *r)
{
	struct store_gen *g = xcalloc(1, sizeof(*g));
	uint8_t sha[SIGNED_SHA_LEN];
	char hex[2 * SIGNED_SHA_LEN + 1], path[STORE_PATH];

	signed_sha(t->text, t->len, sha);
	snprintf(g->name, sizeof(g->name), "%" PRIu64 ".%" PRIu64 ".%.8s",
	    a->version, a->release, segment_dir_hex(hex, sha, sizeof(sha)));
	g->assign = *a;
	g->expires_s = st->trust.release.expires_s;
	if (a->expires_s < g->expires_s)
		g->expires_s = a->expires_s;
	snprintf(path, sizeof(path), "gen/%s", g->name);
	if (make_gen(st, g, t, r) == -1 || store_keep(st, t) == -1 ||
	    store_set_link(st, "current", path) == -1) {
		free(g);
		return NULL;
	}
	memset(a, 0, sizeof(*a));
	st->current = known(st, g);
	return st->current;
}
