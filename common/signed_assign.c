#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/signed_own.h"

/* Is F, a file or code line, complete, and has nobody taken it back? */
static int
check_file(const struct schedule_file *file, const struct signed_release *r,
    struct signed_fault *f)
{
	if (!file->has_object)
		return signed_fail(f, SIGNED_CONTENT, file->line,
		    "%s has no sha256", file->name);
	if (file->size > SIGNED_OBJECT_MAX)
		return signed_fail(f, SIGNED_CONTENT, file->line,
		    "%s is larger than 1 GiB", file->name);
	if (signed_release_withdrawn(r, file->sha))
		return signed_fail(f, SIGNED_WITHDRAWN, file->line,
		    "%s was withdrawn by release %" PRIu64, file->name,
		    r->version);
	return 0;
}

static int
check_code(const struct schedule_file *code, const struct signed_release *r,
    struct signed_fault *f)
{
	const struct signed_code_entry *e;

	if (check_file(code, r, f) == -1)
		return -1;
	e = signed_release_code(r, code->name, code->sha);
	if (e == NULL)
		return signed_fail(f, SIGNED_CODE, code->line,
		    "code %s with this hash is not allowed by release %" PRIu64,
		    code->name, r->version);
	if (e->size != code->size)
		return signed_fail(f, SIGNED_CODE, code->line,
		    "code %s has another size in release %" PRIu64, code->name,
		    r->version);
	return 0;
}

static int
check_program(const struct schedule *s, const struct schedule_list *l,
    const struct signed_release *r, struct signed_fault *f)
{
	if (schedule_code_of(s, l) != NULL ||
	    signed_release_installed(r, l->argv[0]))
		return 0;
	return signed_fail(f, SIGNED_CODE, l->line,
	    "program %.64s is neither code nor installed in release %" PRIu64,
	    l->argv[0], r->version);
}

static int
check(const struct schedule *s, const struct signed_head *h,
    const struct signed_release *r, struct signed_fault *f)
{
	if (strcmp(s->monitor, h->monitor) != 0)
		return signed_fail(f, SIGNED_FOREIGN, 0,
		    "the schedule is for %s, the head for %s", s->monitor,
		    h->monitor);
	for (size_t i = 0; i < s->nfiles; i++) {
		if (check_file(&s->files[i], r, f) == -1)
			return -1;
	}
	for (size_t i = 0; i < s->ncodes; i++) {
		if (check_code(&s->codes[i], r, f) == -1)
			return -1;
	}
	for (size_t i = 0; i < s->nlists; i++) {
		if (check_program(s, &s->lists[i], r, f) == -1)
			return -1;
	}
	return 0;
}

int
signed_assign_parse(const struct signed_head *h, const char *body,
    const struct signed_release *r, struct signed_assign *out,
    struct signed_fault *f)
{
	struct signed_assign a = {.version = h->version,
	    .expires_s = h->expires_s,
	    .release = h->release};

	if (h->release != r->version)
		return signed_fail(f, SIGNED_MIXED, 1,
		    "builds on release %" PRIu64 ", and %" PRIu64 " is held",
		    h->release, r->version);
	f->code = SIGNED_OK;
	a.schedule =
	    schedule_parse("", body, SCHEDULE_CHECK_TEXT, signed_conf_error, f);
	if (a.schedule == NULL)
		return -1;
	if (check(a.schedule, h, r, f) == -1) {
		schedule_free(a.schedule);
		return -1;
	}
	*out = a;
	return 0;
}

void
signed_assign_clear(struct signed_assign *a)
{
	schedule_free(a->schedule);
	memset(a, 0, sizeof(*a));
}
