/*
 * xmalloc: allocate or die.  Memory that cannot be had is an error of the
 * environment; there is nothing useful a caller could do about it, so these
 * print one line and abort, and never return NULL.
 */
#ifndef COMMON_XMALLOC_H
#define COMMON_XMALLOC_H

#include <stdarg.h>
#include <stddef.h>

/* SIZE bytes, uninitialised.  The caller frees with free(3). */
void *xmalloc(size_t size);

/* N objects of SIZE bytes, zeroed; the product is checked for overflow. */
void *xcalloc(size_t n, size_t size);

/* SIZE bytes at a multiple of ALIGN (a power of two), uninitialised. */
void *xaligned(size_t align, size_t size);

/* Resize P to N objects of SIZE bytes; the product is checked. */
void *xreallocarray(void *p, size_t n, size_t size);

/* SIZE bytes, many MiB, to be filled from the front: in large pages where the
 * system has them, since the first touch of a page costs as much as filling it
 * does.  What is never touched costs no memory. */
void *xmalloc_large(size_t size);

/* A copy of S, which must not be NULL. */
char *xstrdup(const char *s);

/* A copy of LEN bytes at P. */
void *xmemdup(const void *p, size_t len);

/* A formatted string, as asprintf(3). */
char *xasprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
char *
xvasprintf(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

#endif
