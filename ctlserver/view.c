#include "ctlserver/ctlserver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/xmalloc.h"

static void
add_objects(struct view *v, const struct schedule_file *files, size_t n)
{
	struct signed_object *o;

	v->objects =
	    xreallocarray(v->objects, v->nobjects + n + 1, sizeof(*v->objects));
	for (size_t i = 0; i < n; i++) {
		if (!files[i].has_object)
			continue;
		o = &v->objects[v->nobjects++];
		memcpy(o->sha, files[i].sha, SIGNED_SHA_LEN);
		o->size = files[i].size;
	}
}

/* A conf_error_cb: the first one, to a fault. */
static void
keep_error(void *arg, const char *file, int line, const char *reason)
{
	struct signed_fault *f = arg;

	(void)file;
	if (f->text[0] != '\0')
		return;
	f->line = line;
	snprintf(f->text, sizeof(f->text), "%s", reason);
}

/* Whether the text is good is the monitor's to judge; here it only says what may
 * be asked for. */
int
view_read(struct view *v, const struct signed_text *t, struct signed_fault *f)
{
	struct schedule *s = NULL;
	struct signed_head h;
	int rc = 0;
	char *body;

	memset(f, 0, sizeof(*f));
	body = signed_open(t, SIGNED_ASSIGN, NULL, &h, f);
	if (body != NULL)
		s = schedule_parse(
		    "", body, SCHEDULE_CHECK_TEXT, keep_error, f);
	if (s != NULL) {
		add_objects(v, s->files, s->nfiles);
		add_objects(v, s->codes, s->ncodes);
	} else
		rc = -1;
	schedule_free(s);
	free(body);
	return rc;
}

int
view_load(struct view *v, const struct repo *repo, const char *monitor)
{
	struct signed_head h = {.kind = SIGNED_ASSIGN};
	struct signed_fault f;
	struct signed_text t;
	struct repo_set set;

	if (repo_get(repo, monitor, 0, &set) == -1)
		return -1;
	if (memcmp(&set, &v->set, sizeof(set)) == 0)
		return 0;
	v->set = set;
	v->nobjects = 0;
	h.version = set.version[SIGNED_ASSIGN];
	snprintf(h.monitor, sizeof(h.monitor), "%s", monitor);
	if (h.version == 0)
		return 1;
	if (repo_text(repo, &h, &t) == -1)
		log_warn("%s: assign %" PRIu64 ": %s", monitor, h.version,
		    strerror(errno));
	else {
		if (view_read(v, &t, &f) == -1)
			log_warn("%s: assign %" PRIu64 ": line %d: %s: its "
				 "files are not served%s",
			    monitor, h.version, f.line, f.text,
			    strncmp(f.text, "unknown key", 11) == 0
				? "; is this ctlserver older than ctlpublish?"
				: "");
		free((char *)t.text);
	}
	return 1;
}

const struct signed_object *
view_object(const struct view *v, const uint8_t *sha)
{
	for (size_t i = 0; i < v->nobjects; i++) {
		if (memcmp(v->objects[i].sha, sha, SIGNED_SHA_LEN) == 0)
			return &v->objects[i];
	}
	return NULL;
}

void
view_clear(struct view *v)
{
	free(v->objects);
	memset(v, 0, sizeof(*v));
}
