/*
 * verbs: which lines are taken, with which words, in which state.
 */
#include <string.h>

#include "tests/unit/test.h"

#include "common/verbs.h"

enum { NEW, KNOWN, WAITING };

static char told[200];

/* What it was told: each word in brackets. */
static const char *
take(void *arg, char **words)
{
	size_t n = 0;

	assert_ptr_equal(arg, told);
	for (int i = 0; words[i] != NULL; i++)
		n += (size_t)snprintf(
		    told + n, sizeof(told) - n, "[%s]", words[i]);
	return NULL;
}

static const char *
refuse(void *arg, char **words)
{
	(void)arg;
	(void)words;
	return "it fails";
}

#define IN(state) (1u << (state))
static const struct verbs_row rows[] = {
    {"hello", 3, VERBS_WORDS_MAX, 1, IN(NEW) | IN(KNOWN), take},
    {"get", 2, 4, 0, IN(KNOWN), take},
    {"ping", 1, 1, 0, IN(KNOWN) | IN(WAITING), take},
    {"beat", 2, 2, 1, IN(KNOWN), take},
    {"fail", 1, 1, 0, IN(KNOWN), refuse},
};
static const char *const not_now[] = {
    "no hello yet", "not again", "not while waiting"};
static const struct verbs verbs = {rows, LEN(rows), not_now};

static void
test_lines(void **state)
{
	static const struct {
		const char *line;
		unsigned int state;
		const char *words, *why; /* one of them */
	} lines[] = {
	    {"ping", KNOWN, "[ping]", NULL},
	    {"ping ", KNOWN, "[ping]", NULL},
	    {"ping x", KNOWN, NULL, "wrong number of arguments"},
	    {"pin", KNOWN, NULL, "unknown verb"},
	    {"pingx", KNOWN, NULL, "unknown verb"},
	    {" ping", KNOWN, NULL, "unknown verb"},
	    {"", KNOWN, NULL, "empty line"},
	    {" ", KNOWN, NULL, "unknown verb"},
	    {"get", KNOWN, NULL, "wrong number of arguments"},
	    {"get a", KNOWN, "[get][a]", NULL},
	    {"get  a   b c", KNOWN, "[get][a][b][c]", NULL},
	    {"get a b c d", KNOWN, NULL, "wrong number of arguments"},
	    {"beat", KNOWN, NULL, "wrong number of arguments"},
	    {"beat ", KNOWN, NULL, "wrong number of arguments"},
	    {"beat a=b  c d", KNOWN, "[beat][a=b  c d]", NULL},
	    {"hello a 1", NEW, "[hello][a][1]", NULL},
	    {"hello a 1 2 3 4 5 6 7 8", NEW, "[hello][a][1][2][3][4][5][6 7 8]",
		NULL},
	    {"hello a", NEW, NULL, "wrong number of arguments"},
	    {"ping", NEW, NULL, "no hello yet"},
	    {"unknown", NEW, NULL, "unknown verb"},
	    {"ping", WAITING, "[ping]", NULL},
	    {"get a", WAITING, NULL, "not while waiting"},
	    {"hello a 1", WAITING, NULL, "not while waiting"},
	    {"fail", KNOWN, NULL, "it fails"},
	};
	const char *why;
	char line[80];

	(void)state;
	for (size_t i = 0; i < LEN(lines); i++) {
		row_is(lines[i].line);
		snprintf(line, sizeof(line), "%s", lines[i].line);
		told[0] = '\0';
		why = verbs_run(&verbs, line, lines[i].state, told);
		assert_string_equal(
		    told, lines[i].words != NULL ? lines[i].words : "");
		if (lines[i].why == NULL)
			assert_null(why);
		else
			assert_string_equal(why, lines[i].why);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
