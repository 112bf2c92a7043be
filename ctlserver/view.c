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

static void
ignore_error(void *arg, const char *file, int line, const char *reason)
{
	(void)arg;
	(void)file;
	(void)line;
	(void)reason;
}

/* Whether the text is good is the monitor's to judge; here it only says what may
 * be asked for. */
int
view_read(struct view *v, const struct signed_text *t)
{
	struct schedule *s = NULL;
	struct signed_head h;
	struct signed_fault f;
	int rc = 0;
	char *body = signed_open(t, SIGNED_ASSIGN, NULL, &h, &f);

	if (body != NULL)
		s = schedule_parse(
		    "", body, SCHEDULE_CHECK_TEXT, ignore_error, NULL);
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
		if (view_read(v, &t) == -1)
			log_warn("%s: assign %" PRIu64
				 " is damaged: its files are not served",
			    monitor, h.version);
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
