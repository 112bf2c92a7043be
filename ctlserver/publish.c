#include "ctlserver/ctlpublish.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/xmalloc.h"

/* --- signing ------------------------------------------------------------------ */

static char *
print_text(const struct plan_text *t)
{
	const struct signed_head *h = &t->head;

	if (h->kind == SIGNED_ASSIGN)
		return xasprintf("signed assign %s %" PRIu64 " expires=%" PRId64
				 " release=%" PRIu64 "\n%s",
		    h->monitor, h->version, h->expires_s, h->release, t->body);
	return xasprintf("signed %s %" PRIu64 " expires=%" PRId64 "\n%s",
	    signed_kind_name(h->kind), h->version, h->expires_s, t->body);
}

static void
sign(struct plan_text *t, const struct keys_key *key)
{
	char *text = print_text(t);

	t->text.text = keys_sign(key, text);
	t->text.len = strlen(t->text.text);
	free(text);
}

/* Sign those of the N texts LIST that are not kept; the others are read. */
static int
sign_all(const struct plan *p, struct plan_text *list, size_t n, int keys)
{
	struct keys_key *key = NULL;
	const char *role, *why;
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++) {
		role = signed_kind_name(list[i].head.kind);
		if (list[i].kept) {
			rc = repo_text(p->repo, &list[i].head, &list[i].text);
			if (rc == -1)
				log_warn("%s: %s", role, strerror(errno));
			continue;
		}
		if (key == NULL)
			key = keys_role(keys, role, &why);
		if (key == NULL) {
			log_warn("%s/%s.key: %s", p->keys, role, why);
			rc = -1;
		} else
			sign(&list[i], key);
	}
	keys_free(key);
	return rc;
}

static int
sign_plan(struct plan *p)
{
	int keys = open(p->keys, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;

	if (keys == -1) {
		log_warn("%s: %s", p->keys, strerror(errno));
		return -1;
	}
	rc = sign_all(p, &p->release, 1, keys);
	if (rc == 0)
		rc = sign_all(p, p->assigns, p->nassigns, keys);
	close(keys);
	return rc;
}

/* --- the monitors' judgement --------------------------------------------------- */

static int
refused(const struct plan_text *t, const struct signed_fault *f)
{
	log_warn("%s%s%s %" PRIu64 " would be refused: %s",
	    signed_kind_name(t->head.kind),
	    t->head.monitor[0] == '\0' ? "" : " of ", t->head.monitor,
	    t->head.version, f->text);
	return -1;
}

/* Everything again, from the bytes that the monitors will get. */
static int
verify(const struct plan *p)
{
	struct signed_trust tr;
	struct signed_assign a;
	struct signed_fault f;
	int rc = publish_trust(p->repo, &tr);

	tr.now_s = p->now_s;
	if (rc == 0 && signed_take_release(&tr, &p->release.text, &f) == -1)
		rc = refused(&p->release, &f);
	for (size_t i = 0; i < p->nassigns && rc == 0; i++) {
		tr.monitor = p->assigns[i].head.monitor;
		memset(&tr.seen[SIGNED_ASSIGN], 0, sizeof(tr.seen[0]));
		rc = signed_take_assign(&tr, &p->assigns[i].text, &a, &f);
		if (rc == 0)
			signed_assign_clear(&a);
		else
			refused(&p->assigns[i], &f);
	}
	signed_trust_clear(&tr);
	return rc;
}

/* --- switching ----------------------------------------------------------------- */

static int
put_text(const struct plan *p, const struct plan_text *t)
{
	if (t->kept || repo_text_put(p->repo, &t->text) == 0)
		return 0;
	log_warn("published/texts: %s", strerror(errno));
	return -1;
}

static int
switch_one(const struct plan *p, const struct plan_text *t, int wait)
{
	const char *monitor = t->head.monitor;
	struct repo_set set = {{0}};
	int rc;

	set.version[SIGNED_RELEASE] = p->release.head.version;
	set.version[SIGNED_ASSIGN] = t->head.version;
	rc = repo_put(p->repo, monitor, wait, &set);
	/* What waited before this has been overtaken. */
	if (rc == 0 && !wait)
		rc = repo_forget(p->repo, monitor);
	if (rc == -1)
		log_warn("published/current/%s: %s", monitor, strerror(errno));
	return rc;
}

static int
is_planned(const struct plan *p, const char *monitor)
{
	for (size_t i = 0; i < p->nassigns; i++) {
		if (strcmp(p->assigns[i].head.monitor, monitor) == 0)
			return 1;
	}
	return 0;
}

/* Monitors that have gone get nothing any more. */
static int
drop_gone(const struct plan *p)
{
	size_t n;
	char **names = repo_names(p->repo->current, &n);
	int rc = 0;

	for (size_t i = 0; i < n && p->whole; i++) {
		if (is_planned(p, names[i]))
			continue;
		if (atomicfile_unlink(p->repo->current, names[i]) == -1 ||
		    repo_forget(p->repo, names[i]) == -1)
			rc = -1;
		else
			printf("%s: gets nothing any more\n", names[i]);
	}
	repo_names_free(names, n);
	return rc;
}

/* --- history ------------------------------------------------------------------- */

uint64_t
publish_last(const struct repo *repo)
{
	size_t n;
	char **names = repo_names(repo->history, &n);
	uint64_t v, last = 0;

	for (size_t i = 0; i < n; i++) {
		if (scan_u64(names[i], 1, INT64_MAX, &v) == 0 && v > last)
			last = v;
	}
	repo_names_free(names, n);
	return last;
}

/* The number under which P can be gone back to; 0 with errno. */
static uint64_t
remember(const struct plan *p, int canary)
{
	uint64_t number = publish_last(p->repo) + 1;
	char name[24], *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int rc;

	if (f == NULL)
		abort();
	fprintf(f, "at %" PRId64 " %s\nrelease %" PRIu64 "\n", p->now_s,
	    canary ? "canary" : "all", p->release.head.version);
	for (size_t i = 0; i < p->nassigns; i++)
		fprintf(f, "assign %s %" PRIu64 "\n",
		    p->assigns[i].head.monitor, p->assigns[i].head.version);
	fprintf(f, "by %s\n", p->what);
	if (fclose(f) != 0)
		abort();
	snprintf(name, sizeof(name), "%" PRIu64, number);
	rc = atomicfile_write(p->repo->history, name, text, len, 0644);
	free(text);
	return rc == -1 ? 0 : number;
}

static void
log_one(const struct repo *repo, uint64_t number)
{
	char name[24], when[40], *text, kind[16], *by;
	size_t len, assigns = 0;
	uint64_t release;
	int64_t at_s;
	struct tm tm;
	time_t t;

	snprintf(name, sizeof(name), "%" PRIu64, number);
	if (atomicfile_read(repo->history, name, 1u << 20, &text, &len) == -1)
		return;
	if (sscanf(text, "at %" SCNd64 " %15s\nrelease %" SCNu64, &at_s, kind,
		&release) == 3) {
		for (char *p = text; (p = strstr(p, "\nassign ")) != NULL; p++)
			assigns++;
		t = (time_t)at_s;
		strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ",
		    gmtime_r(&t, &tm));
		by = strstr(text, "\nby ");
		printf("%s  %s  release %" PRIu64 "  %zu monitor%s%s  %s", name,
		    when, release, assigns, assigns == 1 ? "" : "s",
		    strcmp(kind, "canary") == 0 ? "  canaries first" : "",
		    by != NULL ? by + 4 : "\n");
	}
	free(text);
}

void
publish_log(const struct repo *repo)
{
	uint64_t last = publish_last(repo);
	size_t n;
	char **names = repo_names(repo->waiting, &n);

	for (uint64_t i = 1; i <= last; i++)
		log_one(repo, i);
	for (size_t i = 0; i < n; i++)
		printf("%s%s", i == 0 ? "wait for promote: " : " ", names[i]);
	if (n > 0)
		printf("\n");
	repo_names_free(names, n);
}

/* --- all of it ----------------------------------------------------------------- */

static int
write_canaries(const struct plan *p)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int rc;

	if (f == NULL)
		abort();
	for (size_t i = 0; i < p->tree.ncanaries; i++)
		fprintf(f, "%s\n", p->tree.canaries[i]);
	if (fclose(f) != 0)
		abort();
	rc = atomicfile_write(p->repo->dir, "canaries", text, len, 0644);
	free(text);
	return rc;
}

static int
switch_all(const struct plan *p, int canary)
{
	const struct plan_text *t;
	int wait, rc = canary ? write_canaries(p) : 0;
	size_t switched = 0, waiting = 0;

	for (size_t i = 0; i < p->nassigns && rc == 0; i++) {
		t = &p->assigns[i];
		wait = canary && !tree_is_canary(&p->tree, t->head.monitor) &&
		    (!t->kept || t->current != t->head.version);
		rc = switch_one(p, t, wait);
		*(wait ? &waiting : &switched) += 1;
	}
	if (rc == 0)
		rc = drop_gone(p);
	if (rc == 0)
		rc = repo_touch(p->repo);
	if (rc == -1)
		return -1;
	printf("release %" PRIu64 ", %zu monitor%s", p->release.head.version,
	    switched, switched == 1 ? "" : "s");
	if (waiting > 0)
		printf(", %zu wait for promote", waiting);
	printf("\n");
	return 0;
}

int
publish_plan(struct plan *p, int canary)
{
	uint64_t number;
	int rc;

	if (plan_check(p) > 0 || sign_plan(p) == -1 || verify(p) == -1)
		return -1;
	rc = put_text(p, &p->release);
	for (size_t i = 0; i < p->nassigns && rc == 0; i++)
		rc = put_text(p, &p->assigns[i]);
	if (rc == -1)
		return -1;
	number = remember(p, canary);
	if (number == 0) {
		log_warn("published/history: %s", strerror(errno));
		return -1;
	}
	printf("publication %" PRIu64 ": ", number);
	return switch_all(p, canary);
}
