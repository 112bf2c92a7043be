#include "common/schedule.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/line.h"
#include "common/scan.h"
#include "common/schedule_own.h"
#include "common/segment_dir.h"
#include "common/xmalloc.h"

/* One reading: what is built, and where its errors go. */
struct reading {
	struct schedule *s;
	const char *file;
	enum schedule_check check;
	conf_error_cb cb;
	void *arg;
	int line; /* being read */
	int errors; /* besides those that conf counts */
	int monitor, idle; /* there was such a line */
};

/* A line may have several errors: all are said at once. */
static void __attribute__((format(printf, 2, 3)))
complain(struct reading *r, const char *fmt, ...)
{
	char reason[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(reason, sizeof(reason), fmt, ap);
	va_end(ap);
	r->errors++;
	r->cb(r->arg, r->file, r->line, reason);
}

static const char *
set_monitor(void *ctx, char **words, int nwords, int line)
{
	struct reading *r = ctx;

	(void)nwords;
	(void)line;
	r->monitor = 1;
	if (scan_name(words[1]) == -1)
		return "monitor name is not [a-z0-9][a-z0-9_.-]{0,40}";
	strcpy(r->s->monitor, words[1]);
	return NULL;
}

/* --- the keys of a list --------------------------------------------------- */

static void
key_name(struct reading *r, struct schedule_list *l, const char *value)
{
	if (scan_name(value) == -1)
		complain(r, "list name \"%s\" is not [a-z0-9][a-z0-9_.-]{0,40}",
		    value);
	else
		strcpy(l->name, value);
}

static void
key_weight(struct reading *r, struct schedule_list *l, const char *value)
{
	if (scan_u32(value, 1, SCHEDULE_WEIGHT_MAX, &l->weight) == -1)
		complain(r, "weight \"%s\" is not a number 1..%d", value,
		    SCHEDULE_WEIGHT_MAX);
}

static void
key_descr(struct reading *r, struct schedule_list *l, const char *value)
{
	if (strlen(value) >= sizeof(l->descr))
		complain(r, "description is longer than %zu bytes",
		    sizeof(l->descr) - 1);
	else
		strcpy(l->descr, value);
}

static const struct list_key {
	const char *name;
	int required;
	void (*set)(
	    struct reading *r, struct schedule_list *l, const char *value);
} list_keys[] = {
    {"name", 1, key_name},
    {"weight", 1, key_weight},
    {"descr", 0, key_descr},
};

#define NKEYS (sizeof(list_keys) / sizeof(list_keys[0]))

/* Non-zero when WORD is a key that limits its generator. */
static int
do_limit(struct reading *r, struct schedule_list *l, const char *word,
    unsigned int *seen)
{
	const struct schedule_limit_key *k = schedule_limit_keys;
	unsigned int bit = 1u << NKEYS;
	const char *value = NULL;

	for (; k->name != NULL; k++, bit <<= 1) {
		value = scan_keyvalue(word, k->name);
		if (value != NULL)
			break;
	}
	if (value == NULL)
		return 0;
	if (*seen & bit)
		complain(r, "%s is there twice", k->name);
	*seen |= bit;
	if (k->set(&l->limits, value) == -1)
		complain(r, "%s \"%s\" is not %s", k->name, value, k->want);
	return 1;
}

/* SEEN has a bit for each key that was there. */
static void
do_key(struct reading *r, struct schedule_list *l, const char *word,
    unsigned int *seen)
{
	const char *value;

	if (do_limit(r, l, word, seen))
		return;

	for (size_t i = 0; i < NKEYS; i++) {
		value = scan_keyvalue(word, list_keys[i].name);
		if (value == NULL)
			continue;
		if (*seen & 1u << i)
			complain(r, "%s is there twice", list_keys[i].name);
		*seen |= 1u << i;
		list_keys[i].set(r, l, value);
		return;
	}
	if (strchr(word, '=') != NULL)
		complain(r, "unknown key \"%.*s\" of a list",
		    (int)strcspn(word, "="), word);
	else
		complain(r, "\"%s\": expected key=value or run", word);
}

/* --- the program ---------------------------------------------------------- */

/* 0 when PATH is a file that we may execute, else errno. */
static int
cannot_run(const char *path)
{
	struct stat st;

	if (stat(path, &st) == -1)
		return errno;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return access(path, X_OK) == -1 ? errno : 0;
}

/* As execvp(3) looks it up: the best error of all places. */
static int
cannot_find(const char *program)
{
	const char *path = getenv("PATH");
	char file[4096];
	int n, err, worst = ENOENT;

	if (strchr(program, '/') != NULL)
		return cannot_run(program);
	for (; path != NULL; path = *path == ':' ? path + 1 : NULL) {
		n = (int)strcspn(path, ":");
		snprintf(file, sizeof(file), "%.*s%s%s", n, path,
		    n > 0 ? "/" : "", program);
		err = cannot_run(file);
		if (err == 0)
			return 0;
		if (err == EACCES)
			worst = err;
		path += n;
	}
	return worst;
}

static void
set_run(struct reading *r, struct schedule_list *l, char **words, int n)
{
	if (n == 0 || words[0][0] == '\0') {
		complain(r, "no program behind run");
		return;
	}
	l->argc = n;
	l->argv = xcalloc((size_t)n + 1, sizeof(*l->argv));
	for (int i = 0; i < n; i++)
		l->argv[i] = xstrdup(words[i]);
}

/* --- a list --------------------------------------------------------------- */

static void
set_number(struct reading *r, struct schedule_list *l, const char *word)
{
	const struct schedule_list *other;

	if (scan_u32(word, 0, INT32_MAX, &l->number) == -1) {
		complain(r, "list number \"%s\" is not 0..%d", word, INT32_MAX);
		l->number = UINT32_MAX;
		return;
	}
	other = schedule_find(r->s, l->number);
	if (other != NULL)
		complain(r, "list %u is there already, on line %d", l->number,
		    other->line);
}

static void
check_name(struct reading *r, const struct schedule_list *l)
{
	const struct schedule_list *other;

	for (size_t i = 0; i < r->s->nlists; i++) {
		other = &r->s->lists[i];
		if (l->name[0] == '\0' || strcmp(other->name, l->name) != 0)
			continue;
		complain(r, "list name %s is there already, on line %d",
		    l->name, other->line);
		return;
	}
}

static const char *
set_list(void *ctx, char **words, int nwords, int line)
{
	struct schedule_list l = {.line = line};
	struct reading *r = ctx;
	unsigned int seen = 0;
	int i;

	r->line = line;
	if (r->s->nlists == SCHEDULE_LISTS_MAX)
		return "more than 1000 lists";
	set_number(r, &l, words[1]);
	for (i = 2; i < nwords && strcmp(words[i], "run") != 0; i++)
		do_key(r, &l, words[i], &seen);
	for (size_t k = 0; k < NKEYS; k++) {
		if (list_keys[k].required && !(seen & 1u << k))
			complain(r, "%s= missing", list_keys[k].name);
	}
	check_name(r, &l);
	if (i == nwords)
		complain(r, "run PROGRAM missing");
	else
		set_run(r, &l, words + i + 1, nwords - i - 1);
	/* Kept also when wrong, so that what refers to it is judged. */
	r->s->lists =
	    xreallocarray(r->s->lists, r->s->nlists + 1, sizeof(*r->s->lists));
	r->s->lists[r->s->nlists++] = l;
	return NULL;
}

/* --- files and code ------------------------------------------------------- */

static void
key_change(struct reading *r, struct schedule_file *f, const char *value)
{
	enum schedule_change c;

	for (c = SCHEDULE_NONE; c <= SCHEDULE_RESTART; c++) {
		if (strcmp(value, schedule_change_name(c)) == 0) {
			f->on_change = c;
			return;
		}
	}
	complain(r,
	    "on-change \"%s\" is not none, update, new-cycle or restart",
	    value);
}

static void
key_sha(struct reading *r, struct schedule_file *f, const char *value)
{
	if (segment_dir_unhex(value, f->sha, sizeof(f->sha)) == -1)
		complain(r, "sha256 is not 64 lower-case hex digits");
	f->has_object = 1;
}

static void
key_size(struct reading *r, struct schedule_file *f, const char *value)
{
	if (scan_u64(value, 0, INT64_MAX, &f->size) == -1)
		complain(r, "size \"%s\" is not a number of bytes", value);
}

enum { FILE_CHANGE = 1 << 0, FILE_SHA = 1 << 1, FILE_SIZE = 1 << 2 };

static const struct {
	const char *name;
	void (*set)(
	    struct reading *r, struct schedule_file *f, const char *value);
} file_keys[] = {
    {"on-change", key_change},
    {"sha256", key_sha},
    {"size", key_size},
};

#define NFILEKEYS (sizeof(file_keys) / sizeof(file_keys[0]))

static void
do_file_key(struct reading *r, struct schedule_file *f, const char *word,
    unsigned int *seen)
{
	const char *value;

	for (size_t i = 0; i < NFILEKEYS; i++) {
		value = scan_keyvalue(word, file_keys[i].name);
		if (value == NULL)
			continue;
		if (*seen & 1u << i)
			complain(r, "%s is there twice", file_keys[i].name);
		*seen |= 1u << i;
		file_keys[i].set(r, f, value);
		return;
	}
	if (strchr(word, '=') != NULL)
		complain(r, "unknown key \"%.*s\" of a file",
		    (int)strcspn(word, "="), word);
	else
		complain(r, "\"%s\": expected key=value", word);
}

/* NAME and the keys behind it, N words.  The keys that were there. */
static unsigned int
set_file_words(struct reading *r, struct schedule_file *f, char **words, int n)
{
	unsigned int seen = 0;

	if (scan_name(words[0]) == -1)
		complain(r, "file name \"%s\" is not [a-z0-9][a-z0-9_.-]{0,40}",
		    words[0]);
	else
		strcpy(f->name, words[0]);
	for (int i = 1; i < n; i++)
		do_file_key(r, f, words[i], &seen);
	if (!(seen & FILE_SHA) != !(seen & FILE_SIZE))
		complain(r, "sha256= and size= are given together");
	return seen;
}

static void
append_file(struct reading *r, struct schedule_file **list, size_t *n,
    const struct schedule_file *f)
{
	for (size_t i = 0; i < *n; i++) {
		if (f->name[0] == '\0' || (*list)[i].list != f->list ||
		    strcmp((*list)[i].name, f->name) != 0)
			continue;
		complain(r, "%s is there already, on line %d", f->name,
		    (*list)[i].line);
		break;
	}
	*list = xreallocarray(*list, *n + 1, sizeof(**list));
	(*list)[(*n)++] = *f;
}

static const char *
set_file(void *ctx, char **words, int nwords, int line)
{
	struct schedule_file f = {.line = line};
	struct reading *r = ctx;
	unsigned int seen;

	r->line = line;
	if (r->s->nfiles == SCHEDULE_FILES_MAX)
		return "more than 4000 files";
	if (scan_u32(words[1], 0, INT32_MAX, &f.list) == -1) {
		complain(
		    r, "list number \"%s\" is not 0..%d", words[1], INT32_MAX);
		f.list = UINT32_MAX;
	}
	seen = set_file_words(r, &f, words + 2, nwords - 2);
	if (!(seen & FILE_CHANGE))
		complain(r, "on-change= missing");
	append_file(r, &r->s->files, &r->s->nfiles, &f);
	return NULL;
}

static const char *
set_code(void *ctx, char **words, int nwords, int line)
{
	struct schedule_file f = {.on_change = SCHEDULE_RESTART, .line = line};
	struct reading *r = ctx;

	r->line = line;
	if (r->s->ncodes == SCHEDULE_CODES_MAX)
		return "more than 1000 lines of code";
	set_file_words(r, &f, words + 1, nwords - 1);
	if (f.on_change != SCHEDULE_RESTART && f.on_change != SCHEDULE_NONE)
		complain(r, "on-change of code is none or restart");
	append_file(r, &r->s->codes, &r->s->ncodes, &f);
	return NULL;
}

/* What code lines do not bring must be on this host. */
static void
check_programs(struct reading *r)
{
	const struct schedule_list *l;
	int err;

	for (l = r->s->lists; l < r->s->lists + r->s->nlists; l++) {
		r->line = l->line;
		if (l->argc == 0 || schedule_code_of(r->s, l) != NULL)
			continue;
		err = cannot_find(l->argv[0]);
		if (err == EACCES)
			complain(r, "program %s is not executable", l->argv[0]);
		else if (err == ENOENT)
			complain(r, "program %s not found", l->argv[0]);
		else if (err != 0)
			complain(
			    r, "program %s: %s", l->argv[0], strerror(err));
	}
}

/* A file may be named before its list. */
static void
check_files(struct reading *r)
{
	const struct schedule_file *f;

	for (f = r->s->files; f < r->s->files + r->s->nfiles; f++) {
		r->line = f->line;
		if (f->list != UINT32_MAX &&
		    schedule_find(r->s, f->list) == NULL)
			complain(r, "there is no list %u", f->list);
	}
}

static const char *
set_idle(void *ctx, char **words, int nwords, int line)
{
	struct reading *r = ctx;

	(void)words;
	(void)nwords;
	(void)line;
	r->idle = 1;
	return NULL;
}

static const struct conf_key schedule_keys[] = {
    {"monitor", 1, 1, 1, set_monitor, "monitor NAME"},
    {"list", 1, -1, 0, set_list,
	"list NUMBER name=NAME weight=N [descr=\"...\"] run PROGRAM "
	"ARGUMENT..."},
    {"file", 2, -1, 0, set_file, "file LIST NAME on-change=DIRECTIVE"},
    {"code", 1, -1, 0, set_code, "code NAME [on-change=DIRECTIVE]"},
    {"idle", 0, 0, 1, set_idle, "idle"},
    {0},
};

/* --- the whole ------------------------------------------------------------ */

/* ERRORS are those that conf counted; frees and returns NULL on any. */
static struct schedule *
finish(struct reading *r, int errors)
{
	check_files(r);
	if (r->check == SCHEDULE_CHECK_PROGRAMS)
		check_programs(r);
	r->line = 0;
	if (!r->monitor && (r->s->nlists > 0 || errors == 0))
		complain(r, "monitor NAME missing");
	if (errors + r->errors == 0 && r->s->nlists == 0 && !r->idle)
		complain(r, "no list");
	if (r->s->nlists > 0 && r->idle)
		complain(r, "idle, and there are lists");
	if (errors + r->errors == 0)
		return r->s;
	schedule_free(r->s);
	return NULL;
}

struct schedule *
schedule_load(
    const char *path, enum schedule_check check, conf_error_cb cb, void *arg)
{
	struct reading r = {.s = xcalloc(1, sizeof(struct schedule)),
	    .file = strcmp(path, "-") == 0 ? "standard input" : path,
	    .check = check,
	    .cb = cb,
	    .arg = arg};

	return finish(&r, conf_load(path, schedule_keys, &r, cb, arg));
}

struct schedule *
schedule_parse(const char *name, const char *text, enum schedule_check check,
    conf_error_cb cb, void *arg)
{
	struct conf_text t = {name, text, strlen(text)};
	struct reading r = {.s = xcalloc(1, sizeof(struct schedule)),
	    .file = name,
	    .check = check,
	    .cb = cb,
	    .arg = arg};

	return finish(&r, conf_parse(&t, schedule_keys, &r, cb, arg));
}

void
schedule_free(struct schedule *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->nlists; i++) {
		for (int k = 0; k < s->lists[i].argc; k++)
			free(s->lists[i].argv[k]);
		free(s->lists[i].argv);
	}
	free(s->lists);
	free(s->files);
	free(s->codes);
	free(s);
}

const struct schedule_list *
schedule_find(const struct schedule *s, uint32_t number)
{
	for (size_t i = 0; i < s->nlists; i++)
		if (s->lists[i].number == number)
			return &s->lists[i];
	return NULL;
}

const struct schedule_file *
schedule_code_of(const struct schedule *s, const struct schedule_list *l)
{
	for (size_t i = 0; i < s->ncodes; i++)
		if (strcmp(s->codes[i].name, l->argv[0]) == 0)
			return &s->codes[i];
	return NULL;
}
