/*
 * xmalloc: never NULL, and a product that overflows dies instead of becoming a
 * small allocation.
 */
#include "tests/unit/test.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"

/* Under AddressSanitizer malloc would die by itself; here xmalloc shall. */
const char *__asan_default_options(void);
const char *
__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

struct product {
	size_t n, size;
};

static void
call_calloc(void *arg)
{
	const struct product *p = arg;

	free(xcalloc(p->n, p->size));
}

static void
call_reallocarray(void *arg)
{
	const struct product *p = arg;

	free(xreallocarray(NULL, p->n, p->size));
}

static void
call_malloc(void *arg)
{
	const struct product *p = arg;

	free(xmalloc(p->n));
}

static void
overflow_aborts(void **state)
{
	static struct product rows[] = {
	    {SIZE_MAX, 2}, {2, SIZE_MAX},
	    {SIZE_MAX / 2 + 1, 2}, /* wraps to 0 */
	    {(size_t)1 << 32, (size_t)1 << 32},
	    {SIZE_MAX / 8 + 2, 8}, /* wraps to 8 */
	};
	int status;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		status = dies(call_calloc, &rows[i]);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
		status = dies(call_reallocarray, &rows[i]);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGABRT);
	}
}

static void
too_much_aborts(void **state)
{
	struct product all = {SIZE_MAX / 2, 1};
	int status;

	(void)state;
	status = dies(call_malloc, &all);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
}

static void
nothing_is_something(void **state)
{
	void *p;

	(void)state;
	assert_non_null(p = xmalloc(0));
	free(p);
	assert_non_null(p = xcalloc(0, 8));
	free(p);
	assert_non_null(p = xcalloc(8, 0));
	free(p);
	assert_non_null(p = xreallocarray(NULL, 0, 0));
	assert_non_null(p = xreallocarray(p, 0, 4));
	free(p);
	assert_non_null(p = xmemdup(NULL, 0));
	free(p);
}

static void
copies(void **state)
{
	static const char zeros[64];
	char *s;

	(void)state;
	s = xcalloc(8, 8);
	assert_memory_equal(s, zeros, 64);
	strcpy(s, "kept");
	s = xreallocarray(s, 100000, 2);
	assert_string_equal(s, "kept");
	free(s);
	s = xstrdup("");
	assert_string_equal(s, "");
	free(s);
	s = xmemdup("a\0b", 3);
	assert_memory_equal(s, "a\0b", 3);
	free(s);
	s = xmalloc_large(5000000);
	memset(s, 1, 5000000);
	free(s);
	s = xasprintf("%s-%d", "list", 7);
	assert_string_equal(s, "list-7");
	free(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(overflow_aborts),
	    cmocka_unit_test(too_much_aborts),
	    cmocka_unit_test(nothing_is_something),
	    cmocka_unit_test(copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
