#include "common/schedule.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/scan.h"
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
	int monitor; /* there was such a line */
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

/* SEEN has a bit for each key that was there. */
static void
do_key(struct reading *r, struct schedule_list *l, const char *word,
    unsigned int *seen)
{
	const char *value;

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
	int err;

	if (n == 0 || words[0][0] == '\0') {
		complain(r, "no program behind run");
		return;
	}
	l->argc = n;
	l->argv = xcalloc((size_t)n + 1, sizeof(*l->argv));
	for (int i = 0; i < n; i++)
		l->argv[i] = xstrdup(words[i]);
	if (r->check != SCHEDULE_CHECK_PROGRAMS)
		return;
	err = cannot_find(words[0]);
	if (err == EACCES)
		complain(r, "program %s is not executable", words[0]);
	else if (err == ENOENT)
		complain(r, "program %s not found", words[0]);
	else if (err != 0)
		complain(r, "program %s: %s", words[0], strerror(err));
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

static const struct conf_key schedule_keys[] = {
    {"monitor", 1, 1, 1, set_monitor, "monitor NAME"},
    {"list", 1, -1, 0, set_list,
	"list NUMBER name=NAME weight=N [descr=\"...\"] run PROGRAM "
	"ARGUMENT..."},
    {0},
};

/* --- the whole ------------------------------------------------------------ */

/* ERRORS are those that conf counted; frees and returns NULL on any. */
static struct schedule *
finish(struct reading *r, int errors)
{
	r->line = 0;
	if (!r->monitor && (r->s->nlists > 0 || errors == 0))
		complain(r, "monitor NAME missing");
	if (errors + r->errors == 0 && r->s->nlists == 0)
		complain(r, "no list");
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
	free(s);
}

/* KEY (or nothing) and WORD as one word of a line: in quotes only where it
 * must be, so that no line becomes longer than it came. */
static void
print_word(FILE *f, const char *key, const char *word)
{
	int bare = *key == '\0' && (*word == '\0' || *word == '#');
	int quote = bare || word[strcspn(word, " \t")] != '\0';

	fprintf(f, quote ? " %s\"%s\"" : " %s%s", key, word);
}

char *
schedule_print(const struct schedule *s)
{
	const struct schedule_list *l;
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		abort();
	fprintf(f, "monitor %s\n", s->monitor);
	for (l = s->lists; l < s->lists + s->nlists; l++) {
		fprintf(f, "list %u name=%s weight=%u", l->number, l->name,
		    l->weight);
		if (l->descr[0] != '\0')
			print_word(f, "descr=", l->descr);
		fprintf(f, " run");
		for (int i = 0; i < l->argc; i++)
			print_word(f, "", l->argv[i]);
		putc('\n', f);
	}
	if (fclose(f) != 0)
		abort();
	return text;
}

const struct schedule_list *
schedule_find(const struct schedule *s, uint32_t number)
{
	for (size_t i = 0; i < s->nlists; i++) {
		if (s->lists[i].number == number)
			return &s->lists[i];
	}
	return NULL;
}
