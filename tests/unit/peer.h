/*
 * peer: another program as the judge of what we write: made-up values, that
 * program's output, and the comparison of the two line by line.
 */
#ifndef TESTS_UNIT_PEER_H
#define TESTS_UNIT_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/warts/buf.h"

static uint64_t seed;

/* A number below N, the same in every run (a linear congruence). */
static inline uint32_t
below(uint32_t n)
{
	seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(seed >> 33) % n;
}

/* What TOOL prints of the file, its standard error with it. */
static inline void
peer_reads(const char *tool, const struct wbuf *warts, struct wbuf *out)
{
	char path[] = "/tmp/peer.XXXXXX", command[256], buf[65536];
	int fd = mkstemp(path);
	size_t n;
	FILE *f;

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, warts->p, warts->len), warts->len);
	close(fd);
	wbuf_init(out);
	snprintf(command, sizeof(command), "%s %s 2>&1", tool, path);
	f = popen(command, "r");
	assert_non_null(f);
	while ((n = fread(buf, 1, sizeof(buf), f)) != 0)
		wbuf_bytes(out, buf, n);
	unlink(path);
	assert_int_equal(pclose(f), 0);
}

/* Where two lines differ first is what a reader of the failure wants. */
static inline void
fail_lines(const char *a, const char *b)
{
	size_t same = 0, from;

	while (a[same] == b[same])
		same++;
	from = same > 200 ? same - 200 : 0;
	fail_msg("\nours: ...%.300s\npeer: ...%.300s", a + from, b + from);
}

static inline void
assert_same_lines(struct wbuf *mine, struct wbuf *peer)
{
	char *a, *b;

	wbuf_u8(mine, 0);
	wbuf_u8(peer, 0);
	a = (char *)mine->p;
	b = (char *)peer->p;
	while (*a != '\0' || *b != '\0') {
		size_t n = strcspn(a, "\n"), m = strcspn(b, "\n");

		if (n != m || memcmp(a, b, n) != 0)
			fail_lines(a, b);
		a += n + (a[n] == '\n');
		b += m + (b[m] == '\n');
	}
}

#endif
