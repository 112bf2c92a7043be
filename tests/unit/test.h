/*
 * test: what every unit test includes: cmocka with the headers it wants before
 * it, the length of a table, and a way to see a function die.
 *
 * A unit test links the modules and runs without root, network or files of the
 * system; rows of a table say what they are for, so that a failure names one:
 *
 *	static const struct {
 *		const char *in;
 *		int rc;
 *	} rows[] = {...};
 *
 *	for (size_t i = 0; i < LEN(rows); i++) {
 *		row_is(rows[i].in);
 *		assert_int_equal(f(rows[i].in), rows[i].rc);
 *	}
 */
#ifndef TESTS_UNIT_TEST_H
#define TESTS_UNIT_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define LEN(array) (sizeof(array) / sizeof((array)[0]))

/* Name the row that is tried now; printed only if the test fails, because
 * ctest shows output of failed tests only. */
#define row_is(name) print_message("row: %s\n", name)

/* Run F(ARG) in a child without standard error; its wait status. */
static inline int
dies(void (*f)(void *), void *arg)
{
	int status = 0;
	pid_t pid;

	fflush(NULL); /* or the child prints it too */
	pid = fork();
	if (pid == 0) {
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(99);
		f(arg);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

#endif
