#include "ctlserver/ctlpublish.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/segment_dir.h"
#include "common/xmalloc.h"
#include "ctlserver/include.h"

#define DAY_S 86400
#define RELEASE_LIFE_S (365LL * DAY_S)
#define ASSIGN_LIFE_S (30LL * DAY_S)
#define REASON_LEN 512

/* A conf_error_cb: counted and logged, once. */
static void
on_error(void *arg, const char *file, int line, const char *reason)
{
	struct tree *t = arg;
	char *text = xasprintf("%s:%d: %s", file, line, reason);

	for (size_t i = 0; i < t->nsaid; i++) {
		if (strcmp(t->said[i], text) == 0) {
			free(text);
			return;
		}
	}
	t->said = xreallocarray(t->said, t->nsaid + 1, sizeof(*t->said));
	t->said[t->nsaid++] = text;
	t->errors++;
	conf_log_error(NULL, file, line, reason);
}

static void __attribute__((format(printf, 4, 5)))
complain(struct tree *t, const char *file, int line, const char *fmt, ...)
{
	char reason[REASON_LEN];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	on_error(t, file, line, reason);
}

/* --- release: rules, canaries, lives ------------------------------------------ */

static void
add_rule(struct tree *t, const char *line)
{
	char *rules = xasprintf("%s%s\n", t->rules, line);

	free(t->rules);
	t->rules = rules;
}

/* Is there a line of KEY and NAME already?  Prefixes may be, and are many. */
static int
is_there(const struct tree *t, const char *key, const char *name)
{
	size_t k = strlen(key), n = strlen(name);
	const char *p = t->rules;

	for (; strcmp(key, "dnp") != 0 && *p != '\0'; p = strchr(p, '\n') + 1) {
		if (strncmp(p, key, k) == 0 && p[k] == ' ' &&
		    strncmp(p + k + 1, name, n) == 0 &&
		    (p[k + 1 + n] == ' ' || p[k + 1 + n] == '\n'))
			return 1;
	}
	return 0;
}

/* A line that goes into the text: judged alone as it will be there. */
static const char *
set_rule(void *ctx, char **words, int nwords, int line)
{
	static struct signed_fault f;
	struct signed_head h = {.kind = SIGNED_RELEASE, .version = 1};
	struct tree *t = ctx;
	struct signed_release r;
	char text[CONF_LINE_MAX];
	size_t len = 0;

	(void)line;
	for (int i = 0; i < nwords; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
		    i > 0 ? " " : "", words[i]);
	if (signed_release_parse(&h, text, &r, &f) == -1)
		return f.text;
	signed_release_clear(&r);
	if (is_there(t, words[0], words[1])) {
		snprintf(f.text, sizeof(f.text), "%s %s is there already",
		    words[0], words[1]);
		return f.text;
	}
	add_rule(t, text);
	return NULL;
}

static const char *
set_canary(void *ctx, char **words, int nwords, int line)
{
	struct tree *t = ctx;

	(void)line;
	for (int i = 1; i < nwords; i++) {
		if (scan_name(words[i]) == -1)
			return "monitor name is not [a-z0-9][a-z0-9_.-]{0,40}";
		t->canaries = xreallocarray(
		    t->canaries, t->ncanaries + 1, sizeof(*t->canaries));
		strcpy(t->canaries[t->ncanaries++], words[i]);
	}
	return NULL;
}

static const char *
set_life(void *ctx, char **words, int nwords, int line)
{
	struct tree *t = ctx;
	const char *v;
	int64_t ns;

	(void)line;
	for (int i = 1; i < nwords; i++) {
		v = strchr(words[i], '=');
		if (v == NULL || scan_duration(v + 1, NS_PER_SEC, &ns) == -1 ||
		    ns < 60 * NS_PER_SEC)
			return "expected release=TIME or assign=TIME, at "
			       "least 60s";
		if (scan_keyvalue(words[i], "release") != NULL)
			t->release_life_s = ns / NS_PER_SEC;
		else if (scan_keyvalue(words[i], "assign") != NULL)
			t->assign_life_s = ns / NS_PER_SEC;
		else
			return "only release= and assign= have a life";
	}
	return NULL;
}

static const char *
set_prefix(void *ctx, char **words, int nwords, int line)
{
	static char dnp[] = "dnp";
	char *rule[] = {dnp, words[0]};

	return nwords == 1 ? set_rule(ctx, rule, 2, line)
			   : "expected one prefix";
}

static const char *
set_dnp_file(void *ctx, char **words, int nwords, int line)
{
	static char why[PATH_MAX + 80];

	(void)nwords;
	(void)line;
	if (access(words[1], R_OK) == -1) {
		snprintf(why, sizeof(why), "%s: %s", words[1], strerror(errno));
		return why;
	}
	conf_load_lines(words[1], set_prefix, ctx, on_error, ctx);
	return NULL;
}

static const struct conf_key release_keys[] = {
    {"installed", 1, 1, 0, set_rule, "installed PROGRAM"},
    {"caps", 1, -1, 0, set_rule,
	"caps MONITOR|* [rate=N] [address-rate=N] [prefix-rate=N] "
	"[deadman=TIME]"},
    {"dnp", 1, 1, 0, set_rule, "dnp PREFIX"},
    {"dnp-file", 1, 1, 0, set_dnp_file, "dnp-file FILE"},
    {"withdrawn", 1, 1, 0, set_rule, "withdrawn SHA256"},
    {"canary", 1, -1, 0, set_canary, "canary MONITOR ..."},
    {"life", 1, 2, 1, set_life, "life [release=TIME] [assign=TIME]"},
    {0},
};

static void
load_release(struct tree *t)
{
	struct signed_head h = {.kind = SIGNED_RELEASE, .version = 1};
	struct signed_fault f;

	conf_load("release", release_keys, t, on_error, t);
	/* What only all lines together show: something is there twice. */
	if (signed_release_parse(&h, t->rules, &t->parsed, &f) == -1)
		complain(t, "release", 0, "%s", f.text);
}

static void
pass_over(void *arg, const char *file, int line, const char *reason)
{
	(void)arg;
	(void)file;
	(void)line;
	(void)reason;
}

void
tree_settings(struct tree *t)
{
	static const struct conf_key keys[] = {
	    {"canary", 1, -1, 0, set_canary, NULL},
	    {"life", 1, 2, 1, set_life, NULL},
	    {0},
	};

	t->release_life_s = RELEASE_LIFE_S;
	t->assign_life_s = ASSIGN_LIFE_S;
	conf_load("release", keys, t, pass_over, NULL);
}

/* --- files ----------------------------------------------------------------- */

static const struct tree_object *
look_at(struct tree *t, const char *path)
{
	struct tree_object o = {.path = NULL};
	int fd, rc;

	for (size_t i = 0; i < t->nobjects; i++) {
		if (strcmp(t->objects[i].path, path) == 0)
			return &t->objects[i];
	}
	fd = open(path, O_RDONLY | O_CLOEXEC);
	rc = fd == -1	       ? -1
	    : t->store == NULL ? signed_object_make(fd, &o.object)
			       : repo_object_put(t->store, fd, &o.object);
	o.error = rc == -1 ? errno : 0;
	if (fd != -1)
		close(fd);
	o.path = xstrdup(path);
	t->objects =
	    xreallocarray(t->objects, t->nobjects + 1, sizeof(*t->objects));
	t->objects[t->nobjects] = o;
	return &t->objects[t->nobjects++];
}

/* F, of the schedule INC, is what lies at PATH. */
static void
fill_in(struct tree *t, const struct include *inc, struct schedule_file *f,
    const char *path)
{
	const struct tree_object *o = look_at(t, path);
	struct include_line at = include_where(inc, f->line);

	if (f->has_object)
		complain(t, at.file, at.line,
		    "sha256= and size= are written by ctlpublish");
	else if (o->error != 0)
		complain(
		    t, at.file, at.line, "%s: %s", path, strerror(o->error));
	memcpy(f->sha, o->object.sha, sizeof(f->sha));
	f->size = o->object.size;
	f->has_object = 1;
}

static void
check_withdrawn(struct tree *t, const struct include *inc,
    const struct schedule_file *f, const char *path)
{
	struct include_line at = include_where(inc, f->line);

	if (signed_release_withdrawn(&t->parsed, f->sha))
		complain(
		    t, at.file, at.line, "%s was withdrawn, see release", path);
	else if (t->last != NULL && signed_release_withdrawn(t->last, f->sha))
		complain(t, at.file, at.line,
		    "%s was withdrawn by ctlpublish withdraw: make it another "
		    "one, or take out what runs it",
		    path);
}

static void
fill_files(struct tree *t, const struct include *inc, const char *monitor,
    struct schedule *s)
{
	char own[PATH_MAX], path[PATH_MAX];

	for (size_t i = 0; i < s->nfiles; i++) {
		snprintf(
		    own, sizeof(own), "files/%s/%s", monitor, s->files[i].name);
		snprintf(path, sizeof(path), "files/%s", s->files[i].name);
		fill_in(
		    t, inc, &s->files[i], access(own, F_OK) == 0 ? own : path);
		check_withdrawn(
		    t, inc, &s->files[i], access(own, F_OK) == 0 ? own : path);
	}
	for (size_t i = 0; i < s->ncodes; i++) {
		snprintf(path, sizeof(path), "code/%s", s->codes[i].name);
		fill_in(t, inc, &s->codes[i], path);
		check_withdrawn(t, inc, &s->codes[i], path);
	}
}

/* --- monitors --------------------------------------------------------------- */

static void
check_programs(
    struct tree *t, const struct include *inc, const struct schedule *s)
{
	const struct schedule_list *l;
	struct include_line at;

	for (l = s->lists; l < s->lists + s->nlists; l++) {
		at = include_where(inc, l->line);
		if (schedule_code_of(s, l) == NULL &&
		    !signed_release_installed(&t->parsed, l->argv[0]))
			complain(t, at.file, at.line,
			    "program %s has no code line here and is not "
			    "installed in release",
			    l->argv[0]);
	}
}

static void
load_monitor(struct tree *t, const char *name)
{
	struct tree_monitor m = {.schedule = NULL};
	struct include inc;
	char file[PATH_MAX];

	snprintf(m.name, sizeof(m.name), "%s", name);
	snprintf(file, sizeof(file), "monitors/%s", name);
	if (include_load(&inc, file, on_error, t) == 0)
		m.schedule = schedule_parse(
		    file, inc.text, SCHEDULE_CHECK_TEXT, include_error, &inc);
	if (m.schedule != NULL) {
		if (strcmp(m.schedule->monitor, name) != 0)
			complain(t, file, 0,
			    "the file is called %s, but its monitor is %s",
			    name, m.schedule->monitor);
		fill_files(t, &inc, name, m.schedule);
		check_programs(t, &inc, m.schedule);
	}
	include_clear(&inc);
	t->monitors =
	    xreallocarray(t->monitors, t->nmonitors + 1, sizeof(*t->monitors));
	t->monitors[t->nmonitors++] = m;
}

static void
load_monitors(struct tree *t)
{
	int dir = open("monitors", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char **names;
	size_t n;

	if (dir == -1) {
		complain(t, "monitors", 0, "%s", strerror(errno));
		return;
	}
	names = repo_names(dir, &n);
	for (size_t i = 0; i < n; i++)
		load_monitor(t, names[i]);
	repo_names_free(names, n);
	close(dir);
}

static int
has_monitor(const struct tree *t, const char *name)
{
	for (size_t i = 0; i < t->nmonitors; i++) {
		if (strcmp(t->monitors[i].name, name) == 0)
			return 1;
	}
	return 0;
}

/* A name in release that no monitor has is most likely misspelt. */
static void
check_names(struct tree *t)
{
	for (size_t i = 0; i < t->ncanaries; i++) {
		if (!has_monitor(t, t->canaries[i]))
			complain(t, "release", 0, "canary %s: no such monitor",
			    t->canaries[i]);
	}
	for (size_t i = 0; i < t->parsed.ncaps; i++) {
		if (strcmp(t->parsed.caps[i].monitor, "*") != 0 &&
		    !has_monitor(t, t->parsed.caps[i].monitor))
			complain(t, "release", 0, "caps %s: no such monitor",
			    t->parsed.caps[i].monitor);
	}
}

/* --- the whole ------------------------------------------------------------- */

unsigned int
tree_load(
    struct tree *t, const struct repo *store, const struct signed_release *last)
{
	memset(t, 0, sizeof(*t));
	t->store = store;
	t->last = last;
	t->rules = xstrdup("");
	t->release_life_s = RELEASE_LIFE_S;
	t->assign_life_s = ASSIGN_LIFE_S;
	load_release(t);
	load_monitors(t);
	check_names(t);
	t->last = NULL;
	return t->errors;
}

void
tree_clear(struct tree *t)
{
	for (size_t i = 0; i < t->nmonitors; i++)
		schedule_free(t->monitors[i].schedule);
	for (size_t i = 0; i < t->nobjects; i++)
		free(t->objects[i].path);
	free(t->monitors);
	free(t->objects);
	free(t->rules);
	free(t->canaries);
	for (size_t i = 0; i < t->nsaid; i++)
		free(t->said[i]);
	free(t->said);
	signed_release_clear(&t->parsed);
	memset(t, 0, sizeof(*t));
}

int
tree_is_canary(const struct tree *t, const char *monitor)
{
	for (size_t i = 0; i < t->ncanaries; i++) {
		if (strcmp(t->canaries[i], monitor) == 0)
			return 1;
	}
	return 0;
}
