/*
 * store_object: the files of the store by their hash: how they arrive, and when
 * they and generations go.
 *
 *	object/SHA.part ──all bytes──► read back, hashed ──► fsync ──► object/SHA
 *	                                     └─ not it: removed
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/segment_dir.h"
#include "common/xmalloc.h"
#include "listmgr/store_own.h"

const char *
store_object_path(const uint8_t *sha, char buf[STORE_PATH])
{
	char hex[2 * SIGNED_SHA_LEN + 1];

	snprintf(buf, STORE_PATH, "object/%s",
	    segment_dir_hex(hex, sha, SIGNED_SHA_LEN));
	return buf;
}

static const char *
part_path(const uint8_t *sha, char buf[STORE_PATH])
{
	char hex[2 * SIGNED_SHA_LEN + 1];

	snprintf(buf, STORE_PATH, "object/%s.part",
	    segment_dir_hex(hex, sha, SIGNED_SHA_LEN));
	return buf;
}

int
store_look(struct store *st, const struct signed_object *o, uint64_t *have)
{
	char path[STORE_PATH];
	struct stat s;

	*have = 0;
	if (fstatat(st->dir, store_object_path(o->sha, path), &s,
		AT_SYMLINK_NOFOLLOW) == 0)
		return 1;
	if (errno != ENOENT)
		return -1;
	if (fstatat(st->dir, part_path(o->sha, path), &s,
		AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(s.st_mode) && (uint64_t)s.st_size < o->size)
		*have = (uint64_t)s.st_size;
	return 0;
}

int
store_part(struct store *st, const struct signed_object *o, uint64_t have)
{
	char path[STORE_PATH];
	int fd;

	part_path(o->sha, path);
	/* One that was whole when something broke may not be written to. */
	if (have == 0 && unlinkat(st->dir, path, 0) == -1 && errno != ENOENT)
		return -1;
	fd = store_openat(st, path, O_RDWR | O_CREAT | O_NOFOLLOW);
	if (fd == -1)
		return -1;
	if (ftruncate(fd, (off_t)have) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
io_fault(struct signed_fault *f)
{
	f->code = SIGNED_IO;
	f->line = 0;
	snprintf(f->text, sizeof(f->text), "%s", strerror(errno));
	return -1;
}

int
store_finish(
    struct store *st, const struct signed_object *o, struct signed_fault *f)
{
	char part[STORE_PATH], path[STORE_PATH];
	int fd, rc;

	fd = store_openat(st, part_path(o->sha, part), O_RDONLY);
	if (fd == -1)
		return io_fault(f);
	rc = signed_object_check(fd, o, f);
	/* A program must be executable, and a file may be. */
	if (rc == 0 && (fchmod(fd, 0555) == -1 || fsync(fd) == -1))
		rc = io_fault(f);
	close(fd);
	if (rc == 0 &&
	    atomicfile_rename(
		st->dir, part, st->dir, store_object_path(o->sha, path)) == -1)
		rc = io_fault(f);
	if (rc == -1)
		atomicfile_unlink(st->dir, part);
	return rc;
}

/* --- removing ------------------------------------------------------------- */

static int
is_dot(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* All that is in the directory FD, which is closed; two levels are below it. */
static void
empty(int fd, int depth)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;
	int sub;

	if (d == NULL) {
		close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		if (is_dot(e->d_name) ||
		    unlinkat(dirfd(d), e->d_name, 0) == 0 || depth == 0)
			continue;
		sub = openat(dirfd(d), e->d_name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub != -1)
			empty(sub, depth - 1);
		unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
	}
	closedir(d);
}

void
store_remove(const struct store *st, const char *path)
{
	int fd = store_openat(st, path, O_RDONLY | O_DIRECTORY);

	if (fd != -1)
		empty(fd, 2);
	unlinkat(st->dir, path, AT_REMOVEDIR);
}

/* A set of words, small. */
struct words {
	char **list;
	size_t n;
	int failed; /* not all of them are here */
};

static void
words_add(struct words *w, const char *s)
{
	w->list = xreallocarray(w->list, w->n + 1, sizeof(*w->list));
	w->list[w->n++] = xstrdup(s);
}

static int
by_word(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static int
words_have(const struct words *w, const char *s)
{
	return w->n > 0 &&
	    bsearch(&s, w->list, w->n, sizeof(*w->list), by_word) != NULL;
}

static void
words_free(struct words *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->list[i]);
	free(w->list);
}

/* The names in the folder PATH of the store. */
static struct words
names_in(const struct store *st, const char *path)
{
	int fd = store_openat(st, path, O_RDONLY | O_DIRECTORY);
	DIR *d = fd == -1 ? NULL : fdopendir(fd);
	struct words w = {0};
	struct dirent *e;

	errno = 0;
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (!is_dot(e->d_name))
			words_add(&w, e->d_name);
		errno = 0;
	}
	w.failed = d == NULL || errno != 0;
	if (d != NULL)
		closedir(d);
	return w;
}

static void
add_linked(struct words *w, const struct store *st, const char *path)
{
	char name[STORE_NAME_MAX];

	errno = 0;
	if (store_link(st, path, name) == 0)
		words_add(w, name);
	else if (errno != 0 && errno != ENOENT && errno != EINVAL)
		w->failed = 1; /* it is there, and may name one */
}

/* Generations that something names. */
static struct words
used_gens(struct store *st)
{
	struct words used = {0}, places = names_in(st, "place");
	char path[STORE_PATH];

	used.failed = places.failed;
	add_linked(&used, st, "current");
	for (size_t i = 0; i < places.n; i++) {
		snprintf(path, sizeof(path), "place/%s", places.list[i]);
		add_linked(&used, st, path);
	}
	words_free(&places);
	qsort(used.list, used.n, sizeof(*used.list), by_word);
	return used;
}

static void
prune_gens(struct store *st, const struct words *used)
{
	struct words gens = names_in(st, "gen");
	char path[STORE_PATH];

	for (size_t i = 0; i < gens.n; i++) {
		if (words_have(used, gens.list[i]))
			continue;
		snprintf(path, sizeof(path), "gen/%s", gens.list[i]);
		store_remove(st, path);
	}
	words_free(&gens);
}

static void
add_objects(struct words *w, const struct schedule_file *files, size_t n)
{
	char hex[2 * SIGNED_SHA_LEN + 1];

	for (size_t i = 0; i < n; i++)
		words_add(
		    w, segment_dir_hex(hex, files[i].sha, SIGNED_SHA_LEN));
}

/* Objects of no generation in memory go, and with them what arrived in part for
 * one that was given up. */
static void
prune_objects(struct store *st)
{
	struct words used = {0}, objects = names_in(st, "object");
	char path[STORE_PATH];
	struct store_gen *g;

	for (g = st->gens; g != NULL; g = g->next) {
		add_objects(&used, g->assign.schedule->files,
		    g->assign.schedule->nfiles);
		add_objects(&used, g->assign.schedule->codes,
		    g->assign.schedule->ncodes);
	}
	qsort(used.list, used.n, sizeof(*used.list), by_word);
	for (size_t i = 0; i < objects.n; i++) {
		if (words_have(&used, objects.list[i]))
			continue;
		snprintf(path, sizeof(path), "object/%s", objects.list[i]);
		unlinkat(st->dir, path, 0);
	}
	words_free(&used);
	words_free(&objects);
}

static void
prune_texts(struct store *st)
{
	struct words used = {0}, texts = names_in(st, "text");
	char path[STORE_PATH], hex[2 * SIGNED_SHA_LEN + 1];

	for (int k = 0; k < SIGNED_KINDS; k++)
		words_add(&used,
		    segment_dir_hex(
			hex, st->trust.seen[k].sha, SIGNED_SHA_LEN));
	qsort(used.list, used.n, sizeof(*used.list), by_word);
	for (size_t i = 0; i < texts.n; i++) {
		if (words_have(&used, texts.list[i]))
			continue;
		snprintf(path, sizeof(path), "text/%s", texts.list[i]);
		unlinkat(st->dir, path, 0);
	}
	words_free(&used);
	words_free(&texts);
}

/* Generations that went from disk and are not current go from memory. */
static void
forget_gens(struct store *st, const struct words *used)
{
	struct store_gen **p = &st->gens, *g;

	while ((g = *p) != NULL) {
		if (g == st->current || words_have(used, g->name)) {
			p = &g->next;
			continue;
		}
		*p = g->next;
		signed_assign_clear(&g->assign);
		free(g);
	}
}

void
store_prune(struct store *st)
{
	struct words used = used_gens(st);

	/* What a failing disk does not show may be in use. */
	if (!used.failed) {
		prune_gens(st, &used);
		forget_gens(st, &used);
		prune_objects(st);
		prune_texts(st);
	}
	words_free(&used);
}
