/*
 * watch: files that an operator edits on the spot, and the directive that each
 * change of one means (schedule(5), file).  Files of the centre are sync.c's.
 *
 *	look ──► stat as before? ──yes──► nothing
 *	           │ no
 *	           ▼
 *	        stat as at the last look? ──no──► it is being written: next time
 *	           │ yes: at rest
 *	           ▼
 *	        SHA-256 as before? ──yes──► written, not changed
 *	           │ no
 *	           ▼
 *	        tell its generator, once, and know it by this hash
 *
 * A change is a change of content between two moments of rest.  So an editor
 * that writes in pieces, or two that write at once, are one change; a file that
 * is touched, or gone for a moment, is none.  The times of a file are too coarse
 * to be trusted by themselves: hence the second look.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/signed.h"
#include "common/xmalloc.h"
#include "listmgr/roster.h"

struct watched {
	uint32_t list;
	char name[CMD_NAME_MAX];
	enum schedule_change on_change;
	struct signed_object object; /* what the generator knows */
	struct stat known; /* when it was hashed */
	struct stat last; /* at the last look */
	int changed; /* in this look */
};

struct watch {
	struct roster *roster;
	struct watched *files; /* n, those of a list side by side */
	size_t n;
};

struct watch *
watch_new(struct roster *r)
{
	struct watch *w = xcalloc(1, sizeof(*w));

	w->roster = r;
	return w;
}

void
watch_free(struct watch *w)
{
	if (w == NULL)
		return;
	free(w->files);
	free(w);
}

/* --- looking at one ------------------------------------------------------- */

static int
same_stat(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
	    a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	    a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int
open_watched(const struct watch *w, const struct watched *f)
{
	struct generator *g = roster_find(w->roster, f->list);
	const char *dir = w->roster->host.dir;
	char *path;
	int fd;

	if (g != NULL && g->dir != NULL)
		dir = g->dir;
	path = xasprintf("%s/%s", dir != NULL ? dir : ".", f->name);
	fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	free(path);
	return fd;
}

/* Hash FD; non-zero when it is not what it was. */
static int
compare(struct watched *f, int fd, const struct stat *st)
{
	struct signed_object now;
	struct stat after;
	int differs;

	if (!S_ISREG(st->st_mode) || signed_object_make(fd, &now) == -1)
		return 0;
	/* Written while we read: the hash is of neither. */
	if (fstat(fd, &after) == -1 || !same_stat(st, &after))
		return 0;
	differs = memcmp(now.sha, f->object.sha, SIGNED_SHA_LEN) != 0;
	f->object = now;
	f->known = *st;
	return differs;
}

static int
look(const struct watch *w, struct watched *f)
{
	int fd = open_watched(w, f), changed = 0;
	struct stat st;

	if (fd == -1)
		return 0;
	if (fstat(fd, &st) == 0) {
		if (same_stat(&st, &f->last) && !same_stat(&st, &f->known))
			changed = compare(f, fd, &st);
		f->last = st;
	}
	close(fd);
	return changed;
}

/* It is known as it is now, at rest or not, because its generator is going to
 * read it like that; `known' stays empty, so that it is hashed again.  A file
 * that is not there is known as one that no file is like. */
static void
take(const struct watch *w, struct watched *f)
{
	int fd = open_watched(w, f);

	if (fd == -1)
		return;
	if (signed_object_make(fd, &f->object) == -1)
		memset(&f->object, 0, sizeof(f->object));
	close(fd);
}

/* --- all of a list -------------------------------------------------------- */

/* Tell the generator of FILES[0..N) what has changed. */
static void
tell(const struct watch *w, const struct watched *files, size_t n)
{
	struct generator *g = roster_find(w->roster, files[0].list);
	enum schedule_change what = SCHEDULE_NONE;
	const char **names = xcalloc(n, sizeof(*names));
	size_t nnames = 0;

	for (size_t i = 0; i < n; i++) {
		if (!files[i].changed || files[i].on_change == SCHEDULE_NONE)
			continue;
		names[nnames++] = files[i].name;
		if (files[i].on_change > what)
			what = files[i].on_change;
	}
	if (g != NULL && nnames > 0)
		generator_changed(g, what, names, nnames);
	free(names);
}

void
watch_look(struct watch *w)
{
	struct watched *f, *of, *end;
	int changed;

	if (w == NULL)
		return;
	end = w->files + w->n;
	for (f = w->files; f < end;) {
		changed = 0;
		for (of = f; f < end && f->list == of->list; f++)
			changed |= f->changed = look(w, f);
		if (changed)
			tell(w, of, (size_t)(f - of));
	}
}

/* --- which ---------------------------------------------------------------- */

static int
by_list(const void *a, const void *b)
{
	const struct watched *x = a, *y = b;

	return x->list != y->list ? (x->list > y->list) - (x->list < y->list)
				  : strcmp(x->name, y->name);
}

void
watch_set(struct watch *w, const struct schedule *s)
{
	struct watched *files = xcalloc(s->nfiles + 1, sizeof(*files)), *old;

	for (size_t i = 0; i < s->nfiles; i++) {
		files[i].list = s->files[i].list;
		strcpy(files[i].name, s->files[i].name);
		old = w->n == 0
		    ? NULL
		    : bsearch(&files[i], w->files, w->n, sizeof(*old), by_list);
		if (old != NULL)
			files[i] = *old;
		else
			take(w, &files[i]);
		files[i].on_change = s->files[i].on_change;
	}
	qsort(files, s->nfiles, sizeof(*files), by_list);
	free(w->files);
	w->files = files;
	w->n = s->nfiles;
}
