/*
 * The merge: 3:1 is 3:1 exactly, a silent source delays nobody, free lines
 * keep their place, and where a batch ends changes nothing.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "listmgr/listmgr.h"

#define TURNS 3
#define SOURCES 3

/* A source that has READY[t] lines for its turn t, and its full weight after
 * the turns that are given. */
struct source {
	char name;
	uint32_t weight;
	uint32_t ready[TURNS];
	uint32_t turn, given;
	char text[4];
};

static enum merge_kind
next(void *arg, struct merge_line *out)
{
	struct source *s = arg;

	if (s->turn == TURNS)
		return MERGE_NONE;
	if (s->given == s->ready[s->turn]) {
		s->turn++;
		s->given = 0;
		return MERGE_NONE;
	}
	/* A full turn ends without a question for more. */
	if (++s->given == s->weight) {
		s->turn++;
		s->given = 0;
	}
	snprintf(s->text, sizeof(s->text), "%c\n", s->name);
	*out = (struct merge_line){s->text, 2};
	return MERGE_IP;
}

/* All of SOURCES through a merge in batches of SIZE; letters to OUT. */
static void
run(struct source *s, size_t size, char *out)
{
	static char buf[MERGE_LINE_MAX + 64];
	struct merge m;
	size_t n;

	merge_init(&m, next);
	for (int i = 0; i < SOURCES; i++) {
		s[i].turn = s[i].given = 0;
		merge_add(&m, &s[i], s[i].weight);
	}
	while (s[0].turn < TURNS || s[1].turn < TURNS || s[2].turn < TURNS) {
		n = merge_fill(&m, buf, size);
		assert_true(n <= size);
		for (size_t k = 0; k < n; k += 2)
			*out++ = buf[k];
	}
	*out = '\0';
	merge_clear(&m);
}

/* What the architecture says: in each round each source what it has, at most
 * its weight. */
static void
expect(const struct source *s, char *out)
{
	for (int t = 0; t < TURNS; t++) {
		for (int i = 0; i < SOURCES; i++) {
			for (uint32_t k = 0; k < s[i].ready[t]; k++)
				*out++ = s[i].name;
		}
	}
	*out = '\0';
}

/* Every readiness of three sources in three rounds: 24^3 runs. */
static void
test_all_readiness(void **state)
{
	struct source s[SOURCES] = {
	    {.name = 'A', .weight = 3},
	    {.name = 'B', .weight = 1},
	    {.name = 'C', .weight = 2},
	};
	char want[64], got[64];

	(void)state;
	for (unsigned int n = 0; n < 24 * 24 * 24; n++) {
		unsigned int rest = n;

		for (int t = 0; t < TURNS; t++) {
			for (int i = 0; i < SOURCES; i++) {
				s[i].ready[t] = rest % (s[i].weight + 1);
				rest /= s[i].weight + 1;
			}
		}
		expect(s, want);
		run(s, MERGE_LINE_MAX + 64, got);
		assert_string_equal(got, want);
		/* A batch of one line: interrupted everywhere. */
		run(s, MERGE_LINE_MAX + 1, got);
		assert_string_equal(got, want);
	}
}

/* --- sources from a text: upper case costs, lower case is free ------------ */

struct script {
	const char *text;
	char line[4];
};

static enum merge_kind
script_next(void *arg, struct merge_line *out)
{
	struct script *s = arg;
	char c = *s->text;

	if (c == '\0')
		return MERGE_NONE;
	s->text++;
	if (c == ' ')
		return MERGE_NONE; /* nothing at this moment */
	snprintf(s->line, sizeof(s->line), "%c\n", c);
	*out = (struct merge_line){s->line, 2};
	return c >= 'a' ? MERGE_FREE : MERGE_IP;
}

static void
fill(struct merge *m, char *letters)
{
	char buf[MERGE_LINE_MAX + 4096];
	size_t n = merge_fill(m, buf, sizeof(buf));

	for (size_t k = 0; k < n; k += 2)
		*letters++ = buf[k];
	*letters = '\0';
}

static void
test_free_lines(void **state)
{
	struct script a = {.text = "bAAAeAAe"}, x = {.text = "fXXXg"};
	struct script hog = {.text = "zzzzzzzzzzzzzzzzzzzzzzzz"};
	struct script y = {.text = "YYYY"};
	char got[256];
	struct merge m;

	(void)state;
	merge_init(&m, script_next);
	merge_add(&m, &a, 3);
	merge_add(&m, &x, 1);
	fill(&m, got);
	assert_string_equal(got, "bAAAfXeAAeXXg");
	merge_clear(&m);

	/* 16 free ones, then each costs. */
	merge_init(&m, script_next);
	merge_add(&m, &hog, 1);
	merge_add(&m, &y, 1);
	fill(&m, got);
	assert_string_equal(got, "zzzzzzzzzzzzzzzzzYzzzzzzzYYY");
	merge_clear(&m);
}

/* No more than there is room for; the round goes on where it was. */
static void
test_left(void **state)
{
	struct script a = {.text = "bAAAAAAe"}, x = {.text = "fXXXg"};
	char got[256];
	struct merge m;

	(void)state;
	merge_init(&m, script_next);
	merge_add(&m, &a, 3);
	merge_add(&m, &x, 1);
	m.left = 2;
	fill(&m, got);
	assert_string_equal(got, "bAA");
	assert_int_equal(m.left, 0);
	fill(&m, got);
	assert_string_equal(got, "");
	m.left = 4;
	fill(&m, got);
	assert_string_equal(got, "AfXAA");
	m.left = 100;
	fill(&m, got);
	assert_string_equal(got, "AXeXg");
	assert_int_equal(m.left, 97);
	merge_clear(&m);
}

static void
test_changes(void **state)
{
	struct script a = {.text = "AAAAAAAA  AAAA"},
		      x = {.text = "XXX XXXXXX"};
	struct script k = {.text = "KKKKKKKK"};
	char got[256];
	struct merge m;

	(void)state;
	merge_init(&m, script_next);
	fill(&m, got);
	assert_string_equal(got, "");
	merge_add(&m, &a, 3);
	merge_add(&m, &x, 1);
	/* Both are silent at the same moment: the batch ends there. */
	fill(&m, got);
	assert_string_equal(got, "AAAXAAAXAAX");
	merge_set_weight(&m, &a, 1);
	merge_set_weight(&m, &x, 2);
	merge_add(&m, &k, 1);
	fill(&m, got);
	assert_true(strstr(got, "AXXKAXXK") != NULL);
	merge_remove(&m, &k);
	merge_remove(&m, &a);
	x.text = "XX";
	fill(&m, got);
	assert_string_equal(got, "XX");
	merge_remove(&m, &x);
	fill(&m, got);
	assert_string_equal(got, "");
	merge_clear(&m);
}

/* Removing any source at any point leaves the others in their order. */
static void
test_remove(void **state)
{
	char got[256];
	struct merge m;

	(void)state;
	for (int at = 0; at < 6; at++) {
		for (int gone = 0; gone < 3; gone++) {
			struct script s[3] = {{.text = "AAAAAAAA"},
			    {.text = "BBBBBBBB"}, {.text = "CCCCCCCC"}};
			char buf[MERGE_LINE_MAX + 1];
			char left[3][3] = {"BC", "AC", "AB"};

			merge_init(&m, script_next);
			for (int i = 0; i < 3; i++)
				merge_add(&m, &s[i], 1);
			for (int i = 0; i < at; i++)
				assert_int_equal(
				    merge_fill(&m, buf, sizeof(buf)), 2);
			merge_remove(&m, &s[gone]);
			fill(&m, got);
			for (int i = 1; i < 8; i++)
				assert_int_not_equal(got[i], got[i - 1]);
			assert_true(strchr(left[gone], got[0]) != NULL);
			merge_clear(&m);
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_all_readiness),
	    cmocka_unit_test(test_free_lines),
	    cmocka_unit_test(test_left),
	    cmocka_unit_test(test_changes),
	    cmocka_unit_test(test_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
