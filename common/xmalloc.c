#include "common/xmalloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define LARGE_PAGE (2u << 20) /* bytes */

static _Noreturn void
die(size_t size)
{
	fprintf(stderr, "out of memory asking for %zu bytes\n", size);
	abort();
}

void *
xmalloc(size_t size)
{
	void *p = malloc(size != 0 ? size : 1);

	if (p == NULL)
		die(size);
	return p;
}

void *
xcalloc(size_t n, size_t size)
{
	void *p = calloc(n != 0 ? n : 1, size != 0 ? size : 1);

	if (p == NULL)
		die(n);
	return p;
}

void *
xreallocarray(void *p, size_t n, size_t size)
{
	void *q = reallocarray(p, n != 0 ? n : 1, size != 0 ? size : 1);

	if (q == NULL)
		die(n);
	return q;
}

void *
xaligned(size_t align, size_t size)
{
	void *p;

	if (posix_memalign(&p, align, size) != 0)
		die(size);
	return p;
}

void *
xmalloc_large(size_t size)
{
	void *p = xaligned(LARGE_PAGE, size);

	/* Only advice: small pages will do. */
	madvise(p, size / LARGE_PAGE * LARGE_PAGE, MADV_HUGEPAGE);
	return p;
}

char *
xstrdup(const char *s)
{
	return xmemdup(s, strlen(s) + 1);
}

void *
xmemdup(const void *p, size_t len)
{
	void *q = xmalloc(len);

	if (len != 0)
		memcpy(q, p, len);
	return q;
}

char *
xvasprintf(const char *fmt, va_list ap)
{
	char *s;

	if (vasprintf(&s, fmt, ap) < 0)
		die(0);
	return s;
}

char *
xasprintf(const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	s = xvasprintf(fmt, ap);
	va_end(ap);
	return s;
}
