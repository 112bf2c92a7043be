#include "ctlserver/ctlpublish.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/segment_dir.h"
#include "common/xmalloc.h"

#define DAY_S 86400
#define RELEASE_LIFE_S (365LL * DAY_S)
#define ASSIGN_LIFE_S (30LL * DAY_S)
#define KEEP_CODE 4 /* hashes of one program that stay allowed */
#define HISTORY_MAX (1u << 20) /* bytes of one publication's list */

/* --- texts that are there ---------------------------------------------------- */

char *
plan_body(const struct signed_text *t)
{
	const char *begin = memchr(t->text, '\n', t->len), *end;
	size_t len = t->len;

	/* A stored text ends with its signature line. */
	if (begin == NULL)
		return xstrdup("");
	begin++;
	for (end = t->text + len - 1; end > begin && end[-1] != '\n'; end--)
		;
	return xasprintf("%.*s", (int)(end - begin), begin);
}

/* The text of kind and monitor of H with VERSION: its body, and its head in *H;
 * NULL when there is none. */
static char *
stored(const struct repo *repo, struct signed_head *h, uint64_t version)
{
	struct signed_head which = *h, got;
	struct signed_text t;
	struct signed_fault f;
	char *body = NULL, name[REPO_TEXT_NAME];

	which.version = version;
	if (version == 0 || repo_text(repo, &which, &t) == -1)
		return NULL;
	if (signed_peek(&t, &got, &f) == 0) {
		*h = got;
		body = plan_body(&t);
	} else
		log_warn("published/texts/%s: %s", repo_text_name(name, &which),
		    f.text);
	free((char *)t.text);
	return body;
}

/* T has its kind, monitor, release, body and current version: is the text stored
 * last as good, or which version comes next?  One that would be valid for longer
 * than the operator says now is not; an eighth is for a clock that was set back. */
static void
settle(struct plan *p, struct plan_text *t, int64_t life_s, int may_renew)
{
	struct signed_head last = t->head, old = t->head;
	uint64_t number =
	    repo_text_last(p->repo, t->head.kind, t->head.monitor);
	char *body = stored(p->repo, &last, number);
	int64_t left_s = last.expires_s - p->now_s;

	t->old = stored(p->repo, &old, t->current);
	t->kept = body != NULL && strcmp(body, t->body) == 0 &&
	    last.release == t->head.release && left_s > 0 &&
	    signed_keys_have(&p->root.role[t->head.kind], &last.signer) &&
	    ((left_s > life_s / 2 && left_s <= life_s + life_s / 8) ||
		!may_renew);
	free(body);
	if (t->kept)
		t->head = last;
	else {
		t->head.version = number + 1;
		t->head.expires_s = p->now_s + life_s;
	}
}

/* --- the release ------------------------------------------------------------- */

static void
print_code(FILE *f, const char *name, const struct signed_object *o)
{
	char hex[2 * SIGNED_SHA_LEN + 1];

	fprintf(f, "code %s %s %" PRIu64 "\n", name,
	    segment_dir_hex(hex, o->sha, SIGNED_SHA_LEN), o->size);
}

/* The release stored last, all zeros if there is none. */
static void
last_release(const struct plan *p, struct signed_release *out)
{
	struct signed_head h = {.kind = SIGNED_RELEASE};
	struct signed_fault f;
	char *body =
	    stored(p->repo, &h, repo_text_last(p->repo, SIGNED_RELEASE, ""));

	memset(out, 0, sizeof(*out));
	if (body != NULL && signed_release_parse(&h, body, out, &f) == -1)
		log_warn("release %" PRIu64 ": %s", h.version, f.text);
	free(body);
}

/* Was this code printed: is it one of N of the tree? */
static int
is_new(struct signed_code_entry *codes, size_t n, const char *name,
    const uint8_t *sha)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(codes[i].name, name) == 0 &&
		    memcmp(codes[i].sha, sha, SIGNED_SHA_LEN) == 0)
			return 0;
	}
	return 1;
}

static size_t
count_name(const struct signed_code_entry *codes, size_t n, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < n; i++)
		count += strcmp(codes[i].name, name) == 0;
	return count;
}

static void
add_code(struct signed_code_entry **codes, size_t *n, const char *name,
    const struct signed_object *o)
{
	struct signed_code_entry *e;

	if (!is_new(*codes, *n, name, o->sha))
		return;
	*codes = xreallocarray(*codes, *n + 1, sizeof(**codes));
	e = &(*codes)[(*n)++];
	snprintf(e->name, sizeof(e->name), "%s", name);
	memcpy(e->sha, o->sha, sizeof(e->sha));
	e->size = o->size;
}

static int
by_name(const void *a, const void *b)
{
	const struct signed_code_entry *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* What the tree runs, and what ran before, so that a rollback needs no key. */
static void
print_codes(FILE *f, const struct tree *t, const struct signed_release *last)
{
	struct signed_code_entry *codes = NULL;
	struct signed_object o;
	const struct schedule *s;
	size_t n = 0;

	for (size_t m = 0; m < t->nmonitors; m++) {
		s = t->monitors[m].schedule;
		for (size_t i = 0; i < s->ncodes; i++) {
			memcpy(o.sha, s->codes[i].sha, sizeof(o.sha));
			o.size = s->codes[i].size;
			add_code(&codes, &n, s->codes[i].name, &o);
		}
	}
	if (n > 0)
		qsort(codes, n, sizeof(*codes), by_name);
	for (size_t i = 0; i < last->ncode; i++) {
		memcpy(o.sha, last->code[i].sha, sizeof(o.sha));
		o.size = last->code[i].size;
		if (count_name(codes, n, last->code[i].name) < KEEP_CODE &&
		    !signed_release_withdrawn(&t->parsed, o.sha))
			add_code(&codes, &n, last->code[i].name, &o);
	}
	for (size_t i = 0; i < n; i++) {
		memcpy(o.sha, codes[i].sha, sizeof(o.sha));
		o.size = codes[i].size;
		print_code(f, codes[i].name, &o);
	}
	free(codes);
}

/* A hash once withdrawn stays so. */
static void
print_withdrawn(
    FILE *f, const struct tree *t, const struct signed_release *last)
{
	char hex[2 * SIGNED_SHA_LEN + 1];

	for (size_t i = 0; i < last->nwithdrawn; i++) {
		if (!signed_release_withdrawn(&t->parsed, last->withdrawn[i]))
			fprintf(f, "withdrawn %s\n",
			    segment_dir_hex(
				hex, last->withdrawn[i], SIGNED_SHA_LEN));
	}
}

static void
settle_release(struct plan *p, char *body)
{
	char path[PATH_MAX], all[PATH_MAX];
	int64_t life_s = p->tree.release_life_s;

	snprintf(path, sizeof(path), "%s/release.key", p->keys);
	snprintf(all, sizeof(all), "%s/all.key", p->keys);
	p->release.head.kind = SIGNED_RELEASE;
	p->release.body = body;
	p->release.current = repo_text_last(p->repo, SIGNED_RELEASE, "");
	settle(p, &p->release, life_s == 0 ? RELEASE_LIFE_S : life_s,
	    access(path, R_OK) == 0 || access(all, R_OK) == 0);
}

static char *
release_body(const struct plan *p)
{
	struct signed_release last;
	char *body = NULL;
	size_t len;
	FILE *f = open_memstream(&body, &len);

	if (f == NULL)
		abort();
	last_release(p, &last);
	fputs(p->tree.rules, f);
	print_codes(f, &p->tree, &last);
	print_withdrawn(f, &p->tree, &last);
	signed_release_clear(&last);
	if (fclose(f) != 0)
		abort();
	return body;
}

/* --- assigns ----------------------------------------------------------------- */

static int
add_assign(struct plan *p, const char *monitor, char *body)
{
	struct plan_text t = {.body = body};
	int64_t life_s = p->tree.assign_life_s;
	struct repo_set set;

	if (repo_get(p->repo, monitor, 0, &set) == -1) {
		log_warn("published/current/%s: %s", monitor, strerror(errno));
		free(body);
		return -1;
	}
	t.head.kind = SIGNED_ASSIGN;
	t.head.release = p->release.head.version;
	snprintf(t.head.monitor, sizeof(t.head.monitor), "%s", monitor);
	t.current = set.version[SIGNED_ASSIGN];
	settle(p, &t, life_s == 0 ? ASSIGN_LIFE_S : life_s, 1);
	p->assigns =
	    xreallocarray(p->assigns, p->nassigns + 1, sizeof(*p->assigns));
	p->assigns[p->nassigns++] = t;
	return 0;
}

static int
begin(struct plan *p, struct repo *repo)
{
	struct signed_trust tr;
	int rc = publish_trust(repo, &tr);

	p->repo = repo;
	p->now_s = clock_wall_ns() / NS_PER_SEC;
	p->root = tr.root;
	signed_trust_clear(&tr);
	return rc;
}

int
plan_tree(struct plan *p, struct repo *repo, int store)
{
	struct signed_release last;
	unsigned int errors;

	if (begin(p, repo) == -1)
		return -1;
	p->whole = 1;
	last_release(p, &last);
	errors = tree_load(&p->tree, store ? repo : NULL, &last);
	signed_release_clear(&last);
	if (errors > 0) {
		log_warn("%u error%s", errors, errors == 1 ? "" : "s");
		return -1;
	}
	settle_release(p, release_body(p));
	for (size_t i = 0; i < p->tree.nmonitors; i++) {
		if (add_assign(p, p->tree.monitors[i].name,
			schedule_print(p->tree.monitors[i].schedule)) == -1)
			return -1;
	}
	return 0;
}

/* The release stored last, as it is. */
static int
same_release(struct plan *p)
{
	struct signed_head h = {.kind = SIGNED_RELEASE};
	char *body =
	    stored(p->repo, &h, repo_text_last(p->repo, SIGNED_RELEASE, ""));

	if (body == NULL) {
		log_warn("nothing has been published yet");
		return -1;
	}
	settle_release(p, body);
	return 0;
}

static int
add_stored(struct plan *p, const char *monitor, uint64_t version)
{
	struct signed_head h = {.kind = SIGNED_ASSIGN};
	char *body;

	snprintf(h.monitor, sizeof(h.monitor), "%s", monitor);
	body = stored(p->repo, &h, version);
	if (body != NULL)
		return add_assign(p, monitor, body);
	log_warn("%s: assign %" PRIu64 " is no longer there", monitor, version);
	return -1;
}

int
plan_history(struct plan *p, struct repo *repo, uint64_t number)
{
	char name[24], *text, *line, *words[4];
	size_t len;
	uint64_t v;
	int rc;

	if (begin(p, repo) == -1)
		return -1;
	tree_settings(&p->tree);
	if (same_release(p) == -1)
		return -1;
	snprintf(name, sizeof(name), "%" PRIu64, number);
	if (atomicfile_read(repo->history, name, HISTORY_MAX, &text, &len) ==
	    -1) {
		log_warn("publication %s: %s", name, strerror(errno));
		return -1;
	}
	rc = 0;
	for (line = strtok(text, "\n"); line != NULL && rc == 0;
	     line = strtok(NULL, "\n")) {
		if (scan_words(line, words, 4) == 3 &&
		    strcmp(words[0], "assign") == 0 &&
		    scan_u64(words[2], 1, INT64_MAX, &v) == 0)
			rc = add_stored(p, words[1], v);
	}
	free(text);
	return rc;
}

/* --- without an object ------------------------------------------------------- */

static void
drop_list(struct schedule *s, size_t at)
{
	uint32_t number = s->lists[at].number;
	size_t kept = 0;

	for (size_t i = 0; i < s->nfiles; i++) {
		if (s->files[i].list != number)
			s->files[kept++] = s->files[i];
	}
	s->nfiles = kept;
	for (int k = 0; k < s->lists[at].argc; k++)
		free(s->lists[at].argv[k]);
	free(s->lists[at].argv);
	memmove(&s->lists[at], &s->lists[at + 1],
	    (s->nlists - at - 1) * sizeof(*s->lists));
	s->nlists--;
}

static void
drop_code(struct schedule *s, size_t at)
{
	for (size_t i = s->nlists; i-- > 0;) {
		if (schedule_code_of(s, &s->lists[i]) != &s->codes[at])
			continue;
		printf("%s: list %u (%s) is taken out\n", s->monitor,
		    s->lists[i].number, s->lists[i].name);
		drop_list(s, i);
	}
	memmove(&s->codes[at], &s->codes[at + 1],
	    (s->ncodes - at - 1) * sizeof(*s->codes));
	s->ncodes--;
}

/* Non-zero when something of S was it. */
static int
drop_object(struct schedule *s, const uint8_t *sha)
{
	size_t kept = 0, ncodes = s->ncodes, nfiles = s->nfiles;

	for (size_t i = s->ncodes; i-- > 0;) {
		if (memcmp(s->codes[i].sha, sha, SIGNED_SHA_LEN) == 0)
			drop_code(s, i);
	}
	for (size_t i = 0; i < s->nfiles; i++) {
		if (memcmp(s->files[i].sha, sha, SIGNED_SHA_LEN) != 0)
			s->files[kept++] = s->files[i];
		else
			printf("%s: file %s of list %u is taken out\n",
			    s->monitor, s->files[i].name, s->files[i].list);
	}
	s->nfiles = kept;
	return s->ncodes != ncodes || s->nfiles != nfiles;
}

/* 0, or 1: MONITOR had it; -1. */
static int
add_without(struct plan *p, const char *monitor, const uint8_t *sha)
{
	struct signed_head h = {.kind = SIGNED_ASSIGN};
	struct repo_set set;
	struct schedule *s = NULL;
	char *body = NULL;
	int rc, had;

	snprintf(h.monitor, sizeof(h.monitor), "%s", monitor);
	if (repo_get(p->repo, monitor, 0, &set) == 0)
		body = stored(p->repo, &h, set.version[SIGNED_ASSIGN]);
	if (body != NULL)
		s = schedule_parse(
		    monitor, body, SCHEDULE_CHECK_TEXT, conf_log_error, NULL);
	free(body);
	if (s == NULL) {
		log_warn("%s: what it has now cannot be read", monitor);
		return -1;
	}
	had = drop_object(s, sha);
	rc = add_assign(p, monitor, schedule_print(s));
	schedule_free(s);
	return rc == 0 ? had : rc;
}

/* The body of the last release, SHA withdrawn. */
static char *
withdrawing_body(const struct plan *p, const uint8_t *sha)
{
	struct signed_head h = {.kind = SIGNED_RELEASE};
	char hex[2 * SIGNED_SHA_LEN + 1], *old, *body = NULL, *line;
	size_t len;
	FILE *f = open_memstream(&body, &len);

	if (f == NULL)
		abort();
	segment_dir_hex(hex, sha, SIGNED_SHA_LEN);
	old = stored(p->repo, &h, repo_text_last(p->repo, SIGNED_RELEASE, ""));
	for (line = old == NULL ? NULL : strtok(old, "\n"); line != NULL;
	     line = strtok(NULL, "\n")) {
		if (strstr(line, hex) == NULL)
			fprintf(f, "%s\n", line);
	}
	fprintf(f, "withdrawn %s\n", hex);
	free(old);
	if (fclose(f) != 0)
		abort();
	return body;
}

int
plan_without(struct plan *p, struct repo *repo, const uint8_t *sha)
{
	char **names;
	size_t n;
	int rc = 0, had = 0;

	if (begin(p, repo) == -1)
		return -1;
	tree_settings(&p->tree);
	settle_release(p, withdrawing_body(p, sha));
	names = repo_names(repo->current, &n);
	for (size_t i = 0; i < n && rc != -1; i++) {
		rc = add_without(p, names[i], sha);
		had |= rc == 1;
	}
	repo_names_free(names, n);
	if (rc != -1 && !had)
		printf("no schedule that is published now has it\n");
	return rc == -1 ? -1 : 0;
}

/* --- the plan ---------------------------------------------------------------- */

static void
text_clear(struct plan_text *t)
{
	free(t->body);
	free(t->old);
	free((char *)t->text.text);
}

void
plan_clear(struct plan *p)
{
	tree_clear(&p->tree);
	text_clear(&p->release);
	for (size_t i = 0; i < p->nassigns; i++)
		text_clear(&p->assigns[i]);
	free(p->assigns);
}
