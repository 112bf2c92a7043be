/*
 * prune: publications that are too old to be gone back to, and what nothing needs
 * any more.
 *
 *	needed: texts	those of the publications that are kept, those that are
 *			current or wait, the last of each kind and monitor (the
 *			next takes the number behind it), all roots and stops
 *		objects	those that a text that is kept names
 *
 * A monitor that began to fetch a publication may go on with it for a while, so
 * one is kept for an hour behind the next one, whatever its number.  Whatever is
 * not understood stays, and everything that it could have named.  Killed in the
 * middle: the next one does the rest.
 */
#include <inttypes.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/segment_dir.h"
#include "common/xmalloc.h"
#include "ctlserver/ctlpublish.h"

#define FETCHING_S 3600
#define HISTORY_BYTES (1u << 20) /* of one publication's list */

struct set {
	char **names; /* n; owned */
	size_t n;
};

static void
set_add(struct set *s, const char *name)
{
	s->names = xreallocarray(s->names, s->n + 1, sizeof(*s->names));
	s->names[s->n++] = xstrdup(name);
}

static int
compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
set_sort(struct set *s)
{
	if (s->n > 0)
		qsort(s->names, s->n, sizeof(*s->names), compare);
}

static int
set_has(const struct set *s, const char *name)
{
	return s->n > 0 &&
	    bsearch(&name, s->names, s->n, sizeof(*s->names), compare) != NULL;
}

static void
need_text(struct set *texts, enum signed_kind kind, const char *monitor,
    uint64_t version)
{
	struct signed_head h = {.kind = kind, .version = version};
	char name[REPO_TEXT_NAME];

	snprintf(h.monitor, sizeof(h.monitor), "%s", monitor);
	set_add(texts, repo_text_name(name, &h));
}

/* --- publications ----------------------------------------------------------- */

/* What publication NAME needs; when it was, or -1: it cannot be read. */
static int64_t
read_history(const struct repo *r, const char *name, struct set *texts)
{
	char *text, *line, *words[4];
	int64_t at_s = -1;
	uint64_t v;
	size_t len;
	int n, is_assign;

	if (atomicfile_read(r->history, name, HISTORY_BYTES, &text, &len) == -1)
		return -1;
	for (line = strtok(text, "\n"); line != NULL;
	     line = strtok(NULL, "\n")) {
		n = scan_words(line, words, 4);
		is_assign = n == 3 && strcmp(words[0], "assign") == 0;
		if (n < 2 ||
		    scan_u64(words[is_assign ? 2 : 1], 0, INT64_MAX, &v) == -1)
			continue;
		if (strcmp(words[0], "at") == 0)
			at_s = (int64_t)v;
		else if (strcmp(words[0], "release") == 0)
			need_text(texts, SIGNED_RELEASE, "", v);
		else if (is_assign)
			need_text(texts, SIGNED_ASSIGN, words[1], v);
	}
	free(text);
	return at_s;
}

/* The oldest go; *TEXTS: what the others need.  0, or -1: one is damaged. */
static int
prune_history(const struct repo *r, const struct prune *p, struct set *texts)
{
	struct set unused = {NULL, 0};
	uint64_t last = publish_last(r);
	char name[24];
	int64_t next_s = p->now_s, at_s;
	int rc = 0;

	for (uint64_t i = last; i > 0; i--) {
		snprintf(name, sizeof(name), "%" PRIu64, i);
		if (last - i < p->keep || p->now_s - next_s < FETCHING_S)
			at_s = read_history(r, name, texts);
		else if (faccessat(r->history, name, F_OK, 0) == -1)
			break; /* and all before it */
		else if ((at_s = read_history(r, name, &unused)) != -1)
			rc |= atomicfile_unlink(r->history, name);
		if (at_s == -1 && faccessat(r->history, name, F_OK, 0) == 0)
			rc = -1;
		if (at_s != -1)
			next_s = at_s;
	}
	repo_names_free(unused.names, unused.n);
	return rc;
}

/* --- what is needed ---------------------------------------------------------- */

static int
need_pointers(const struct repo *r, int waiting, struct set *texts)
{
	struct repo_set set;
	size_t n;
	char **names = repo_names(waiting ? r->waiting : r->current, &n);
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = repo_get(r, names[i], waiting, &set);
		need_text(
		    texts, SIGNED_RELEASE, "", set.version[SIGNED_RELEASE]);
		need_text(
		    texts, SIGNED_ASSIGN, names[i], set.version[SIGNED_ASSIGN]);
	}
	repo_names_free(names, n);
	return rc;
}

/* NAME of a text into what it is: 0, or -1: it is no assign and no release. */
static int
head_of(const char *name, struct signed_head *h)
{
	const char *dot = strrchr(name, '.'), *begin;

	memset(h, 0, sizeof(*h));
	if (dot == NULL || scan_u64(dot + 1, 1, INT64_MAX, &h->version) == -1)
		return -1;
	if (strncmp(name, "release.", 8) == 0 && name + 7 == dot) {
		h->kind = SIGNED_RELEASE;
		return 0;
	}
	begin = name + 7;
	if (strncmp(name, "assign.", 7) != 0 || dot <= begin ||
	    dot - begin >= (ptrdiff_t)sizeof(h->monitor))
		return -1;
	h->kind = SIGNED_ASSIGN;
	memcpy(h->monitor, begin, (size_t)(dot - begin));
	return 0;
}

/* The objects of the assign of H. */
static int
need_objects(
    const struct repo *r, const struct signed_head *h, struct set *objects)
{
	char hex[2 * SIGNED_SHA_LEN + 1];
	struct view v = {.nobjects = 0};
	struct signed_fault f;
	struct signed_text t;
	int rc = -1;

	if (repo_text(r, h, &t) == 0) {
		rc = view_read(&v, &t, &f);
		free((char *)t.text);
	}
	for (size_t i = 0; i < v.nobjects; i++)
		set_add(objects,
		    segment_dir_hex(hex, v.objects[i].sha, SIGNED_SHA_LEN));
	view_clear(&v);
	return rc;
}

/* --- all ---------------------------------------------------------------------- */

/* Texts that are not NEEDED go; *OBJECTS: what the others name. */
static int
prune_texts(const struct repo *r, const struct set *needed, struct set *objects)
{
	struct signed_head h;
	size_t n;
	char **names = repo_files(r->texts, &n);
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		if (head_of(names[i], &h) == -1)
			continue;
		if (!set_has(needed, names[i]) &&
		    h.version != repo_text_last(r, h.kind, h.monitor))
			rc = atomicfile_unlink(r->texts, names[i]);
		else if (h.kind == SIGNED_ASSIGN)
			rc = need_objects(r, &h, objects);
	}
	repo_names_free(names, n);
	return rc;
}

static int
prune_objects(const struct repo *r, const struct set *needed)
{
	size_t n;
	char **names = repo_files(r->objects, &n);
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		if (!set_has(needed, names[i]))
			rc = atomicfile_unlink(r->objects, names[i]);
	}
	repo_names_free(names, n);
	return rc;
}

void
prune(const struct repo *r, const struct prune *p)
{
	struct set texts = {NULL, 0}, objects = {NULL, 0};
	int rc = prune_history(r, p, &texts);

	if (rc == 0)
		rc = need_pointers(r, 0, &texts);
	if (rc == 0)
		rc = need_pointers(r, 1, &texts);
	set_sort(&texts);
	if (rc == 0)
		rc = prune_texts(r, &texts, &objects);
	set_sort(&objects);
	if (rc == 0)
		rc = prune_objects(r, &objects);
	if (rc != 0)
		log_warn(
		    "published: something in it is damaged: what is old is "
		    "not removed");
	repo_names_free(texts.names, texts.n);
	repo_names_free(objects.names, objects.n);
}
