#include "common/conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/xmalloc.h"

/* One reading of one file. */
struct run {
	const char *file; /* for messages */
	conf_line_cb each;
	void *ctx;
	conf_error_cb cb;
	void *arg;
	int errors;
};

/* Behind a conf_line_cb: the table and what was seen of it. */
struct keys {
	const struct conf_key *table;
	int *first_line; /* per key: where it came first, or 0 */
	void *ctx;
	char reason[256];
};

void
conf_log_error(void *arg, const char *file, int line, const char *reason)
{
	(void)arg;
	if (line == 0)
		log_warn("%s: %s", file, reason);
	else
		log_warn("%s:%d: %s", file, line, reason);
}

static void
error(struct run *run, int line, const char *reason)
{
	run->errors++;
	run->cb(run->arg, run->file, line, reason);
}

/* Cut a comment: a # outside "..." that begins a word. */
static void
cut_comment(char *s)
{
	int quoted = 0, begins = 1;

	for (; *s != '\0'; s++) {
		if (*s == '"')
			quoted = !quoted;
		if (*s == '#' && begins && !quoted) {
			*s = '\0';
			return;
		}
		begins = *s == ' ' || *s == '\t';
	}
}

static int
printable(const char *s)
{
	for (; *s != '\0'; s++) {
		if ((*s < ' ' || *s > '~') && *s != '\t')
			return 0;
	}
	return 1;
}

/* LINE without its \n, LEN bytes and a NUL behind them. */
static const char *
do_line(struct run *run, char *line, size_t len, int number)
{
	char *words[CONF_WORDS_MAX];
	int n;

	if (len >= CONF_LINE_MAX)
		return "line too long";
	if (memchr(line, '\0', len) != NULL)
		return "NUL byte";
	if (len > 0 && line[len - 1] == '\r')
		line[len - 1] = '\0';
	/* A comment may hold any name in any alphabet. */
	cut_comment(line);
	if (!printable(line))
		return "byte outside printable ASCII";
	n = scan_words(line, words, CONF_WORDS_MAX);
	if (n == -1)
		return "too many words, or a quote is left open";
	return n == 0 ? NULL : run->each(run->ctx, words, n, number);
}

static void
do_text(struct run *run, char *text, size_t len)
{
	char *end = text + len, *nl;
	const char *reason;
	int number = 1;

	for (; text < end; text = nl + 1, number++) {
		nl = memchr(text, '\n', (size_t)(end - text));
		if (nl == NULL)
			nl = end;
		*nl = '\0';
		reason = do_line(run, text, (size_t)(nl - text), number);
		if (reason != NULL)
			error(run, number, reason);
	}
}

int
conf_parse_lines(const struct conf_text *t, conf_line_cb each, void *ctx,
    conf_error_cb cb, void *arg)
{
	struct run run = {t->name, each, ctx, cb, arg, 0};
	char *copy = xmalloc(t->len + 1);

	memcpy(copy, t->text, t->len);
	copy[t->len] = '\0';
	do_text(&run, copy, t->len);
	free(copy);
	return run.errors;
}

int
conf_load_lines(
    const char *path, conf_line_cb each, void *ctx, conf_error_cb cb, void *arg)
{
	int std = strcmp(path, "-") == 0, rc;
	struct run run = {std ? "standard input" : path, each, ctx, cb, arg, 0};
	char *text;
	size_t len;

	if (std)
		rc = atomicfile_read_fd(
		    STDIN_FILENO, CONF_FILE_MAX, &text, &len);
	else
		rc =
		    atomicfile_read(AT_FDCWD, path, CONF_FILE_MAX, &text, &len);
	if (rc == -1) {
		error(&run, 0, strerror(errno));
		return run.errors;
	}
	do_text(&run, text, len);
	free(text);
	return run.errors;
}

static const struct conf_key *
find_key(const struct conf_key *table, const char *name)
{
	for (; table->name != NULL; table++) {
		if (strcmp(table->name, name) == 0)
			return table;
	}
	return NULL;
}

/* The line's words against its row of the table. */
static const char *
do_key(void *arg, char **words, int nwords, int line)
{
	struct keys *k = arg;
	const struct conf_key *key = find_key(k->table, words[0]);
	int *first;

	if (key == NULL) {
		snprintf(k->reason, sizeof(k->reason), "unknown key \"%.64s\"",
		    words[0]);
		return k->reason;
	}
	if (nwords - 1 < key->min || (key->max >= 0 && nwords - 1 > key->max)) {
		snprintf(k->reason, sizeof(k->reason),
		    "%s: too %s arguments (usage: %s)", key->name,
		    nwords - 1 < key->min ? "few" : "many",
		    key->usage != NULL ? key->usage : key->name);
		return k->reason;
	}
	first = &k->first_line[key - k->table];
	if (key->once && *first != 0) {
		snprintf(k->reason, sizeof(k->reason),
		    "%s: given already on line %d", key->name, *first);
		return k->reason;
	}
	*first = line;
	return key->set(k->ctx, words, nwords, line);
}

static void
keys_init(struct keys *k, const struct conf_key *table, void *ctx)
{
	size_t n = 0;

	while (table[n].name != NULL)
		n++;
	k->table = table;
	k->first_line = xcalloc(n, sizeof(*k->first_line));
	k->ctx = ctx;
}

int
conf_load(const char *path, const struct conf_key *table, void *ctx,
    conf_error_cb cb, void *arg)
{
	struct keys k;
	int errors;

	keys_init(&k, table, ctx);
	errors = conf_load_lines(path, do_key, &k, cb, arg);
	free(k.first_line);
	return errors;
}

int
conf_parse(const struct conf_text *t, const struct conf_key *table, void *ctx,
    conf_error_cb cb, void *arg)
{
	struct keys k;
	int errors;

	keys_init(&k, table, ctx);
	errors = conf_parse_lines(t, do_key, &k, cb, arg);
	free(k.first_line);
	return errors;
}
