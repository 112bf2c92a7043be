/*
 * The weighted schedule: each error has its reason and its line, all errors of
 * a file are said, and the canonical form parses to the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/schedule.h"

struct said {
	char text[4096];
	int n;
};

static void
say(void *arg, const char *file, int line, const char *reason)
{
	struct said *s = arg;
	size_t n = strlen(s->text);

	snprintf(s->text + n, sizeof(s->text) - n, "%s:%d: %s\n", file, line,
	    reason);
	s->n++;
}

#define GOOD "list 1 name=a weight=1 run /bin/cat\n"
#define SHA "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define NAME41 "abcdefghijklmnopqrstuvwxyz0123456789_.-ab"

/* BEHIND stands behind "monitor m"; all that must be said about it. */
static void
check_error(const char *behind, const char *want)
{
	struct said said = {0};
	char text[2048];

	snprintf(text, sizeof(text), "monitor m\n%s", behind);
	assert_null(
	    schedule_parse("f", text, SCHEDULE_CHECK_PROGRAMS, say, &said));
	assert_string_equal(said.text, want);
}

static void
test_errors(void **state)
{
	static const char *const rows[][2] = {
	    {"lists 1\n" GOOD, "f:2: unknown key \"lists\"\n"},
	    {"monitor n\n" GOOD, "f:2: monitor: given already on line 1\n"},
	    {"list x name=a weight=1 run /bin/cat",
		"f:2: list number \"x\" is not 0..2147483647\n"},
	    {"list 2147483648 name=a weight=1 run /bin/cat",
		"f:2: list number \"2147483648\" is not 0..2147483647\n"},
	    {GOOD "list 1 name=b weight=1 run /bin/cat",
		"f:3: list 1 is there already, on line 2\n"},
	    {GOOD "list 2 name=a weight=1 run /bin/cat",
		"f:3: list name a is there already, on line 2\n"},
	    {"list 1 name=A weight=1 run /bin/cat",
		"f:2: list name \"A\" is not [a-z0-9][a-z0-9_.-]{0,40}\n"},
	    {"list 1 name=" NAME41 "c weight=1 run /bin/cat",
		"f:2: list name \"" NAME41
		"c\" is not [a-z0-9][a-z0-9_.-]{0,40}\n"},
	    {"list 1 weight=1 run /bin/cat", "f:2: name= missing\n"},
	    {"list 1 name=a run /bin/cat", "f:2: weight= missing\n"},
	    {"list 1 name=a weight=0 run /bin/cat",
		"f:2: weight \"0\" is not a number 1..1000\n"},
	    {"list 1 name=a weight=1001 run /bin/cat",
		"f:2: weight \"1001\" is not a number 1..1000\n"},
	    {"list 1 name=a weight=1.5 run /bin/cat",
		"f:2: weight \"1.5\" is not a number 1..1000\n"},
	    {"list 1 name=a weight=1 weight=2 run /bin/cat",
		"f:2: weight is there twice\n"},
	    {"list 1 name=a weight=1 colour=red run /bin/cat",
		"f:2: unknown key \"colour\" of a list\n"},
	    {"list 1 name=a weight=1 /bin/cat",
		"f:2: \"/bin/cat\": expected key=value or run\n"
		"f:2: run PROGRAM missing\n"},
	    {"list 1 name=a weight=1", "f:2: run PROGRAM missing\n"},
	    {"list 1 name=a weight=1 run", "f:2: no program behind run\n"},
	    {"list 1 name=a weight=1 run \"\"", "f:2: no program behind run\n"},
	    {"list 1 name=a weight=1 run no-such-program-anywhere",
		"f:2: program no-such-program-anywhere not found\n"},
	    {"list 1 name=a weight=1 run /nowhere/program",
		"f:2: program /nowhere/program not found\n"},
	    {"list 1 name=a weight=1 run /etc/passwd",
		"f:2: program /etc/passwd is not executable\n"},
	    {"list 1 name=a weight=1 run /etc",
		"f:2: program /etc is not executable\n"},
	    {"list 1 name=a weight=1 descr=\"open run /bin/cat",
		"f:2: too many words, or a quote is left open\n"},
	    {"list 1 name=a weight=1 run /bin/cat \x01",
		"f:2: byte outside printable ASCII\n"},
	    {"", "f:0: no list\n"},
	    {"list 1 name=a weight=1 rate=0 run /bin/cat",
		"f:2: rate \"0\" is not a number 1..100000000\n"},
	    {"list 1 name=a weight=1 line=63 run /bin/cat",
		"f:2: line \"63\" is not a number 64..1024\n"},
	    {"list 1 name=a weight=1 line=1025 run /bin/cat",
		"f:2: line \"1025\" is not a number 64..1024\n"},
	    {"list 1 name=a weight=1 processes=0 run /bin/cat",
		"f:2: processes \"0\" is not a number 1..30000\n"},
	    {"list 1 name=a weight=1 memory=1000K run /bin/cat",
		"f:2: memory \"1000K\" is not a size 1M..1024G\n"},
	    {"list 1 name=a weight=1 memory=1025G run /bin/cat",
		"f:2: memory \"1025G\" is not a size 1M..1024G\n"},
	    {"list 1 name=a weight=1 memory=64MB run /bin/cat",
		"f:2: memory \"64MB\" is not a size 1M..1024G\n"},
	    {"list 1 name=a weight=1 memory=K run /bin/cat",
		"f:2: memory \"K\" is not a size 1M..1024G\n"},
	    {"list 1 name=a weight=1 memory= run /bin/cat",
		"f:2: memory \"\" is not a size 1M..1024G\n"},
	    {"list 1 name=a weight=1 targets=0 run /bin/cat",
		"f:2: targets \"0\" is not a number from 1\n"},
	    {"list 1 name=a weight=1 quiet=0 run /bin/cat",
		"f:2: quiet \"0\" is not a time 1s..30d, or never\n"},
	    {"list 1 name=a weight=1 quiet=31d run /bin/cat",
		"f:2: quiet \"31d\" is not a time 1s..30d, or never\n"},
	    {"list 1 name=a weight=1 crowded=1500ms run /bin/cat",
		"f:2: crowded \"1500ms\" is not a time 1s..30d, or never\n"},
	    {"list 1 name=a weight=1 quiet=1 quiet=2 run /bin/cat",
		"f:2: quiet is there twice\n"},
	    /* All of one line and of all lines. */
	    {"list y name=B weight=z\nwhat\n" GOOD "list 1 name=a weight=2\n",
		"f:2: list number \"y\" is not 0..2147483647\n"
		"f:2: list name \"B\" is not [a-z0-9][a-z0-9_.-]{0,40}\n"
		"f:2: weight \"z\" is not a number 1..1000\n"
		"f:2: run PROGRAM missing\n"
		"f:3: unknown key \"what\"\n"
		"f:5: list 1 is there already, on line 4\n"
		"f:5: list name a is there already, on line 4\n"
		"f:5: run PROGRAM missing\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_error(rows[i][0], rows[i][1]);
}

static void
test_files(void **state)
{
	static const char *const rows[][2] = {
	    {GOOD "file 2 x on-change=update", "f:3: there is no list 2\n"},
	    {GOOD "file -1 x on-change=update",
		"f:3: list number \"-1\" is not 0..2147483647\n"},
	    {GOOD "file 1 x", "f:3: on-change= missing\n"},
	    {GOOD "file 1",
		"f:3: file: too few arguments (usage: file LIST NAME "
		"on-change=DIRECTIVE)\n"},
	    {GOOD "file 1 ../x on-change=update",
		"f:3: file name \"../x\" is not [a-z0-9][a-z0-9_.-]{0,40}\n"},
	    {GOOD "file 1 a..b on-change=update",
		"f:3: file name \"a..b\" is not [a-z0-9][a-z0-9_.-]{0,40}\n"},
	    {GOOD "file 1 x on-change=now",
		"f:3: on-change \"now\" is not none, update, new-cycle or "
		"restart\n"},
	    {GOOD "file 1 x on-change=none on-change=none",
		"f:3: on-change is there twice\n"},
	    {GOOD "file 1 x on-change=none mode=644",
		"f:3: unknown key \"mode\" of a file\n"},
	    {GOOD "file 1 x now",
		"f:3: \"now\": expected key=value\n"
		"f:3: on-change= missing\n"},
	    {GOOD "file 1 x on-change=none\nfile 1 x on-change=none",
		"f:4: x is there already, on line 3\n"},
	    {GOOD "file 1 x on-change=none size=3",
		"f:3: sha256= and size= are given together\n"},
	    {GOOD "file 1 x on-change=none size=-3 sha256=12",
		"f:3: size \"-3\" is not a number of bytes\n"
		"f:3: sha256 is not 64 lower-case hex digits\n"},
	    {GOOD "code x on-change=update",
		"f:3: on-change of code is none or restart\n"},
	    {GOOD "code /bin/sh",
		"f:3: file name \"/bin/sh\" is not "
		"[a-z0-9][a-z0-9_.-]{0,40}\n"},
	    {GOOD "idle", "f:0: idle, and there are lists\n"},
	    {GOOD "code x\ncode x", "f:4: x is there already, on line 3\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_error(rows[i][0], rows[i][1]);
}

static void
test_whole_file(void **state)
{
	struct said said = {0};
	char text[3000];

	(void)state;
	assert_null(
	    schedule_parse("f", GOOD, SCHEDULE_CHECK_PROGRAMS, say, &said));
	assert_string_equal(said.text, "f:0: monitor NAME missing\n");

	memset(&said, 0, sizeof(said));
	assert_null(
	    schedule_parse("f", "list 1\n", SCHEDULE_CHECK_TEXT, say, &said));
	assert_string_equal(said.text,
	    "f:1: name= missing\nf:1: weight= missing\n"
	    "f:1: run PROGRAM missing\nf:0: monitor NAME missing\n");

	memset(&said, 0, sizeof(said));
	assert_null(schedule_parse(
	    "f", "monitor\nmonitor A\n", SCHEDULE_CHECK_TEXT, say, &said));
	assert_string_equal(said.text,
	    "f:1: monitor: too few arguments (usage: monitor NAME)\n"
	    "f:2: monitor name is not [a-z0-9][a-z0-9_.-]{0,40}\n");

	memset(&said, 0, sizeof(said));
	snprintf(text, sizeof(text), "monitor m\n" GOOD "%*s\n", 1100, "x");
	assert_null(schedule_parse("f", text, SCHEDULE_CHECK_TEXT, say, &said));
	assert_string_equal(said.text, "f:3: line too long\n");

	memset(&said, 0, sizeof(said));
	assert_null(schedule_load(
	    "/nowhere/schedule", SCHEDULE_CHECK_TEXT, say, &said));
	assert_string_equal(
	    said.text, "/nowhere/schedule:0: No such file or directory\n");
}

/* A publisher checks for hosts that it is not. */
static void
test_without_programs(void **state)
{
	static const char text[] = "monitor m\n"
				   "list 1 name=a weight=1 run nowhere/x\n";
	struct said said = {0};
	struct schedule *s;
	char *out;

	(void)state;
	s = schedule_parse(
	    "f", "idle\nmonitor m\n", SCHEDULE_CHECK_TEXT, say, &said);
	assert_non_null(s);
	assert_int_equal(s->nlists, 0);
	out = schedule_print(s);
	assert_string_equal(out, "monitor m\nidle\n");
	free(out);
	schedule_free(s);
	s = schedule_parse("f", text, SCHEDULE_CHECK_TEXT, say, &said);
	assert_non_null(s);
	assert_int_equal(said.n, 0);
	schedule_free(s);
}

static void
test_canonical(void **state)
{
	static const char text[] =
	    "# for tests\n"
	    "list 7  weight=3 name=a.b-c descr=\"two words\" run /bin/cat -n "
	    "\"a file\" \"\" \"#no\" a#b=c run # comment\n"
	    "\n"
	    "monitor mon-1.x\n"
	    "file 0 targets on-change=new-cycle # before its list\n"
	    "code cat size=12 sha256=" SHA "\n"
	    "list 0 processes=30 name=z line=0100 weight=1000 descr=#1 "
	    "memory=2048K rate=9 run cat\n"
	    "file 7 x.txt sha256=" SHA " size=0 on-change=update\n"
	    "code other on-change=none\n"
	    "list 5 name=m weight=1 quiet=90 targets=9 crowded=never "
	    "memory=1025K run cat\n";
	static const char want[] =
	    "monitor mon-1.x\n"
	    "list 7 name=a.b-c weight=3 descr=\"two words\" run /bin/cat -n "
	    "\"a file\" \"\" \"#no\" a#b=c run\n"
	    "list 0 name=z weight=1000 descr=#1 rate=9 line=100 memory=2M "
	    "processes=30 run cat\n"
	    "list 5 name=m weight=1 memory=1025K crowded=never targets=9 "
	    "quiet=90s run cat\n"
	    "file 0 targets on-change=new-cycle\n"
	    "file 7 x.txt on-change=update sha256=" SHA " size=0\n"
	    "code cat on-change=restart sha256=" SHA " size=12\n"
	    "code other on-change=none\n";
	struct said said = {0};
	struct schedule *s, *again;
	char *out, *out2;

	(void)state;
	s = schedule_parse("f", text, SCHEDULE_CHECK_PROGRAMS, say, &said);
	assert_string_equal(said.text, "");
	assert_non_null(s);
	assert_int_equal(s->nlists, 3);
	assert_true(s->lists[1].limits.memory == 2 << 20);
	assert_int_equal(s->lists[2].limits.quiet_s, 90);
	assert_int_equal(s->lists[2].limits.crowded_s, SCHEDULE_NEVER);
	assert_int_equal(s->lists[0].argc, 7);
	assert_null(s->lists[0].argv[7]);
	assert_int_equal(s->lists[1].weight, 1000);
	assert_ptr_equal(schedule_find(s, 0), &s->lists[1]);
	assert_null(schedule_find(s, 1));
	assert_ptr_equal(schedule_code_of(s, &s->lists[1]), &s->codes[0]);
	assert_null(schedule_code_of(s, &s->lists[0]));
	assert_int_equal(s->nfiles, 2);
	assert_int_equal(s->files[1].sha[31], 0x1f);
	assert_false(s->files[0].has_object);
	out = schedule_print(s);
	assert_string_equal(out, want);
	again = schedule_parse("f", out, SCHEDULE_CHECK_TEXT, say, &said);
	assert_non_null(again);
	out2 = schedule_print(again);
	assert_string_equal(out2, want);
	free(out);
	free(out2);
	schedule_free(s);
	schedule_free(again);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_errors),
	    cmocka_unit_test(test_files),
	    cmocka_unit_test(test_whole_file),
	    cmocka_unit_test(test_without_programs),
	    cmocka_unit_test(test_canonical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
