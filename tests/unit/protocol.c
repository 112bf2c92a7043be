/*
 * The examples of docs/protocol.md are true: each line of a block marked
 * "commands accepted" is parsed, printed and parsed again; each line of
 * "commands refused" is refused with the reason behind its "=>".
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/cmd.h"
#include "common/line.h"

static void
check_accepted(char *line)
{
	char out[LINE_MAX_COMMAND + 1], again[LINE_MAX_COMMAND + 1];
	const char *why;
	struct cmd c;
	int n;

	why = cmd_parse(line, &c);
	if (why != NULL)
		fail_msg("%s: %s", line, why);
	n = cmd_format(&c, out, sizeof(out));
	assert_true(n > 0);
	memcpy(again, out, (size_t)n + 1);
	again[n - 1] = '\0';
	assert_null(cmd_parse(again, &c));
	assert_int_equal(cmd_format(&c, again, sizeof(again)), n);
	assert_string_equal(again, out);
}

static void
check_refused(char *line)
{
	char *arrow = strstr(line, "=> ");
	const char *why;
	struct cmd c;

	assert_non_null(arrow);
	*arrow = '\0';
	why = cmd_parse(line, &c);
	if (why == NULL)
		fail_msg("accepted: %s", line);
	assert_string_equal(why, arrow + 3);
}

static struct kind {
	const char *fence;
	void (*check)(char *line);
	int n; /* lines that were checked */
} kinds[] = {
    {"```commands accepted", check_accepted, 0},
    {"```commands refused", check_refused, 0},
};

/* The kind of block that FENCE opens, or NULL. */
static struct kind *
find_kind(const char *fence)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(fence, kinds[i].fence) == 0)
			return &kinds[i];
	}
	return NULL;
}

static void
test_examples(void **state)
{
	FILE *f = fopen(TESTS_DIR "/../docs/protocol.md", "r");
	struct kind *kind = NULL;
	char line[2048];

	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "```", 3) == 0) {
			kind = find_kind(line);
		} else if (kind != NULL) {
			kind->check(line);
			kind->n++;
		}
	}
	fclose(f);
	/* A fence that was renamed would leave nothing to check. */
	assert_true(kinds[0].n >= 9);
	assert_true(kinds[1].n >= 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_examples),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
