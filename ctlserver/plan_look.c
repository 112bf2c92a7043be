/*
 * plan_look: what a plan says, before anything is signed: is it good, as the
 * monitors will judge it, and what does it change?
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xmalloc.h"
#include "ctlserver/ctlpublish.h"

#define ENVELOPE_MAX 512 /* bytes of head and signature */

/* --- judging ----------------------------------------------------------------- */

static unsigned int
fault(const struct plan_text *t, const char *why)
{
	log_warn("%s%s%s: %s", signed_kind_name(t->head.kind),
	    t->head.monitor[0] == '\0' ? "" : " of ", t->head.monitor, why);
	return 1;
}

static unsigned int
check_size(const struct plan_text *t)
{
	if (strlen(t->body) + ENVELOPE_MAX <= SIGNED_TEXT_MAX)
		return 0;
	return fault(t, "is larger than the 256 KiB of a text");
}

unsigned int
plan_check(const struct plan *p)
{
	unsigned int faults = check_size(&p->release);
	struct signed_release r;
	struct signed_assign a;
	struct signed_fault f;

	if (signed_release_parse(&p->release.head, p->release.body, &r, &f) ==
	    -1)
		return faults + fault(&p->release, f.text);
	for (size_t i = 0; i < p->nassigns; i++) {
		faults += check_size(&p->assigns[i]);
		if (signed_assign_parse(&p->assigns[i].head, p->assigns[i].body,
			&r, &a, &f) == -1)
			faults += fault(&p->assigns[i], f.text);
		else
			signed_assign_clear(&a);
	}
	signed_release_clear(&r);
	return faults;
}

/* --- differences ------------------------------------------------------------- */

/* The lines of TEXT, cut in place; the caller frees the array. */
static char **
lines_of(char *text, size_t *n)
{
	char **lines = NULL, *line;

	*n = 0;
	for (line = strtok(text, "\n"); line != NULL;
	     line = strtok(NULL, "\n")) {
		lines = xreallocarray(lines, *n + 1, sizeof(*lines));
		lines[(*n)++] = line;
	}
	return lines;
}

/* Those of the NA lines A that are not among the NB lines B, behind SIGN. */
static void
print_missing(char sign, char **a, size_t na, char **b, size_t nb)
{
	size_t j;

	for (size_t i = 0; i < na; i++) {
		for (j = 0; j < nb && strcmp(a[i], b[j]) != 0; j++)
			;
		if (j == nb)
			printf("  %c %s\n", sign, a[i]);
	}
}

static void
print_diff(const char *old, const char *new)
{
	char *a = xstrdup(old == NULL ? "" : old), *b = xstrdup(new);
	size_t na, nb;
	char **la = lines_of(a, &na), **lb = lines_of(b, &nb);

	print_missing('-', la, na, lb, nb);
	print_missing('+', lb, nb, la, na);
	free(la);
	free(lb);
	free(a);
	free(b);
}

static int
print_text(const struct plan_text *t)
{
	int same = t->old != NULL && strcmp(t->old, t->body) == 0;

	if (t->kept && t->current == t->head.version)
		return 0;
	printf("%s%s: ", t->head.kind == SIGNED_ASSIGN ? t->head.monitor : "",
	    t->head.kind == SIGNED_ASSIGN ? "" : "release");
	if (t->current == 0)
		printf("version %" PRIu64 ", new", t->head.version);
	else
		printf("version %" PRIu64 " to %" PRIu64, t->current,
		    t->head.version);
	printf("%s\n", same ? ", signed anew" : "");
	print_diff(t->old, t->body);
	return 1;
}

static int
print_gone(const struct plan *p)
{
	size_t n, k;
	char **names = repo_names(p->repo->current, &n);
	int changes = 0;

	for (size_t i = 0; i < n && p->whole; i++) {
		for (k = 0; k < p->nassigns; k++) {
			if (strcmp(p->assigns[k].head.monitor, names[i]) == 0)
				break;
		}
		if (k < p->nassigns)
			continue;
		printf("%s: gets nothing any more; goes on until its assign "
		       "expires\n",
		    names[i]);
		changes = 1;
	}
	repo_names_free(names, n);
	return changes;
}

int
plan_print(const struct plan *p)
{
	int changes = print_text(&p->release);

	for (size_t i = 0; i < p->nassigns; i++)
		changes |= print_text(&p->assigns[i]);
	return changes | print_gone(p);
}
