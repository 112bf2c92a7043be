/*
 * conf: every error of a file is reported with its line, and only errors; the
 * table's promises (number of words, once) are kept.
 */
#include "tests/unit/test.h"

#include <stdlib.h>
#include <string.h>

#include "common/conf.h"

/* What the callbacks saw, one line each. */
struct seen {
	char text[4096];
};

static void
put(struct seen *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void
put(struct seen *s, const char *fmt, ...)
{
	size_t n = strlen(s->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(s->text + n, sizeof(s->text) - n, fmt, ap);
	va_end(ap);
}

static const char *
set_any(void *ctx, char **words, int nwords, int line)
{
	put(ctx, "%d", line);
	for (int i = 0; i < nwords; i++)
		put(ctx, " <%s>", words[i]);
	put(ctx, "\n");
	return NULL;
}

static const char *
set_never(void *ctx, char **words, int nwords, int line)
{
	(void)ctx;
	(void)words;
	(void)nwords;
	(void)line;
	return "not today";
}

static void
on_error(void *arg, const char *file, int line, const char *reason)
{
	put(arg, "%s:%d: %s\n", file, line, reason);
}

static const struct conf_key table[] = {
    {"any", 0, -1, 0, set_any, "any WORD..."},
    {"two", 2, 2, 0, set_any, "two A B"},
    {"once", 1, 1, 1, set_any, "once A"},
    {"never", 0, 0, 0, set_never, NULL},
    {0},
};

static int
parse(const char *text, size_t len, struct seen *s)
{
	struct conf_text t = {"f", text, len};

	return conf_parse(&t, table, s, on_error, s);
}

static void
lines(void **state)
{
	static const struct {
		const char *in;
		int errors;
		const char *seen;
	} rows[] = {
	    {"", 0, ""},
	    {"\n\n  \t\n", 0, ""},
	    {"any", 0, "1 <any>\n"},
	    {"any\r\n", 0, "1 <any>\n"},
	    {"# any\n any x # y\n", 0, "2 <any> <x>\n"},
	    {"any a#b \"# c\" #d", 0, "1 <any> <a#b> <# c>\n"},
	    {"any # K\xc3\xa4se", 0, "1 <any>\n"},
	    {"any K\xc3\xa4se", 1, "f:1: byte outside printable ASCII\n"},
	    {"any \"a b\" k=\"c d\"", 0, "1 <any> <a b> <k=c d>\n"},
	    {"any \"a\nany b", 1,
		"f:1: too many words, or a quote is left open\n2 <any> <b>\n"},
	    {"two a b\n", 0, "1 <two> <a> <b>\n"},
	    {"two a\n", 1, "f:1: two: too few arguments (usage: two A B)\n"},
	    {"two a b c\n", 1,
		"f:1: two: too many arguments (usage: two A B)\n"},
	    {"once a\n\nonce b\nonce c\n", 2,
		"1 <once> <a>\nf:3: once: given already on line 1\n"
		"f:4: once: given already on line 1\n"},
	    {"once\nonce a\n", 1,
		"f:1: once: too few arguments (usage: once A)\n"
		"2 <once> <a>\n"},
	    {"never\n", 1, "f:1: not today\n"},
	    {"never x\n", 1, "f:1: never: too many arguments (usage: never)\n"},
	    {"An y\nany\n", 1, "f:1: unknown key \"An\"\n2 <any>\n"},
	    {"\"\" x", 1, "f:1: unknown key \"\"\n"},
	};
	struct seen s;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].in);
		s.text[0] = '\0';
		assert_int_equal(
		    parse(rows[i].in, strlen(rows[i].in), &s), rows[i].errors);
		assert_string_equal(s.text, rows[i].seen);
	}
}

static void
bounds(void **state)
{
	char text[3 * CONF_LINE_MAX];
	struct seen s = {0};

	(void)state;
	/* The longest line, one that is longer by a byte, a NUL. */
	memset(text, ' ', sizeof(text));
	memcpy(text, "any", 3);
	text[CONF_LINE_MAX - 1] = '\n';
	assert_int_equal(parse(text, CONF_LINE_MAX, &s), 0);
	text[CONF_LINE_MAX - 1] = ' ';
	text[CONF_LINE_MAX] = '\n';
	assert_int_equal(parse(text, CONF_LINE_MAX + 1, &s), 1);
	assert_int_equal(parse("any\0x\n", 6, &s), 1);
	assert_string_equal(
	    s.text, "1 <any>\nf:1: line too long\nf:1: NUL byte\n");
	/* 64 words and 65. */
	for (int i = 0; i < CONF_WORDS_MAX; i++)
		memcpy(text + 4 * i, "any ", 4);
	s.text[0] = '\0';
	assert_int_equal(parse(text, 4 * CONF_WORDS_MAX, &s), 0);
	memcpy(text + 4 * CONF_WORDS_MAX, "any ", 4);
	assert_int_equal(parse(text, 4 * CONF_WORDS_MAX + 4, &s), 1);
}

static void
loads_files(void **state)
{
	char path[] = "/tmp/conf.XXXXXX";
	int fd = mkstemp(path), in[2], saved;
	struct seen s = {0};

	(void)state;
	assert_int_equal(write(fd, "any x\n", 6), 6);
	close(fd);
	assert_int_equal(conf_load(path, table, &s, on_error, &s), 0);
	unlink(path);
	assert_int_equal(
	    conf_load("/nonexistent/x", table, &s, on_error, &s), 1);
	assert_int_equal(conf_load("/", table, &s, on_error, &s), 1);

	assert_int_equal(pipe(in), 0);
	assert_int_equal(write(in[1], "nope\n", 5), 5);
	close(in[1]);
	saved = dup(STDIN_FILENO);
	dup2(in[0], STDIN_FILENO);
	close(in[0]);
	assert_int_equal(conf_load("-", table, &s, on_error, &s), 1);
	dup2(saved, STDIN_FILENO);
	close(saved);
	assert_string_equal(s.text,
	    "1 <any> <x>\n"
	    "/nonexistent/x:0: No such file or directory\n"
	    "/:0: Is a directory\n"
	    "standard input:1: unknown key \"nope\"\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines),
	    cmocka_unit_test(bounds),
	    cmocka_unit_test(loads_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
