/*
 * log: one line per event with the tag, levels, exit codes; errno survives.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

static FILE *caught;
static int real_stderr;
static char text[8192];

static int
catch_stderr(void **state)
{
	(void)state;
	fflush(stderr);
	real_stderr = dup(STDERR_FILENO);
	caught = tmpfile();
	return caught == NULL ||
	    dup2(fileno(caught), STDERR_FILENO) != STDERR_FILENO;
}

static int
release_stderr(void **state)
{
	(void)state;
	fflush(stderr);
	dup2(real_stderr, STDERR_FILENO);
	close(real_stderr);
	return fclose(caught);
}

/* What was logged so far. */
static const char *
logged(void)
{
	ssize_t n = pread(fileno(caught), text, sizeof(text) - 1, 0);

	assert_true(n >= 0);
	text[n] = '\0';
	return text;
}

static void
shows_what_was_asked(void **state)
{
	static const char want[] = "t: warn 0\n"
				   "t: info 1\nt: warn 1\n"
				   "t: debug 2\nt: info 2\nt: warn 2\n";
	static const size_t lengths[] = {10, 30, 61};

	(void)state;
	for (int v = 0; v < 3; v++) {
		log_init("t", 0, v);
		log_debug("debug %d", v);
		log_info("info %d", v);
		log_warn("warn %d", v);
		assert_int_equal(strlen(logged()), lengths[v]);
		assert_memory_equal(text, want, lengths[v]);
	}
}

static void
errno_survives(void **state)
{
	(void)state;
	for (int use_syslog = 0; use_syslog < 2; use_syslog++) {
		log_init("t", use_syslog, 2);
		errno = EXDEV;
		log_debug("%s", strerror(errno));
		assert_int_equal(errno, EXDEV);
		log_info("x");
		assert_int_equal(errno, EXDEV);
		log_warn("%s", "");
		assert_int_equal(errno, EXDEV);
	}
	/* ... and when the line cannot be written. */
	log_init("t", 0, 0);
	close(STDERR_FILENO);
	errno = EXDEV;
	log_warn("into nowhere");
	assert_int_equal(errno, EXDEV);
	assert_int_equal(dup2(fileno(caught), STDERR_FILENO), STDERR_FILENO);
}

static void
one_event_is_one_line(void **state)
{
	char *huge = malloc(100000);

	(void)state;
	log_init("t", 0, 0);
	log_warn("from the peer: %s", "a\nforged: line\r\033[2J\x7f.\xc3\xa9");
	assert_string_equal(
	    logged(), "t: from the peer: a?forged: line??[2J?.\xc3\xa9\n");
	memset(huge, 'x', 99999);
	huge[99999] = '\0';
	log_warn("%s", huge);
	free(huge);
	logged();
	assert_true(strlen(text) > 1000);
	assert_int_equal(text[strlen(text) - 1], '\n');
}

static void
call_fatal(void *arg)
{
	log_fatal(*(int *)arg, "x");
}

static void
fatal_exits_with_the_code(void **state)
{
	static int rows[] = {EXIT_DONE, EXIT_PERMANENT, EXIT_TEMPORARY};
	int status;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		status = dies(call_fatal, &rows[i]);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), rows[i]);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(
		shows_what_was_asked, catch_stderr, release_stderr),
	    cmocka_unit_test_setup_teardown(
		errno_survives, catch_stderr, release_stderr),
	    cmocka_unit_test_setup_teardown(
		one_event_is_one_line, catch_stderr, release_stderr),
	    cmocka_unit_test(fatal_exits_with_the_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
