/*
 * Every list, cycle, trace and ping record of every sample file is decoded and
 * encoded again to the same bytes; and whatever is cut off or flipped in
 * them, the decoders end with a reason or with a record that is stable.
 */
#include <sys/types.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/warts/reader.h"
#include "common/warts/record.h"
#include "common/xmalloc.h"

#define SAMPLES TESTS_DIR "/golden/warts"

/* Decode by type and encode again; -1 with *why when it does not decode. */
static int
list_again(struct wbuf *b, const uint8_t *p, size_t len, const char **why)
{
	struct warts_list l;

	if (warts_list_decode(p, len, &l, why) == -1)
		return -1;
	warts_list_encode(b, &l);
	return 0;
}

static int
start_again(struct wbuf *b, const uint8_t *p, size_t len, const char **why)
{
	struct warts_cycle c;

	if (warts_cycle_decode(p, len, &c, why) == -1)
		return -1;
	warts_cycle_encode(b, WARTS_CYCLE_START, &c);
	return 0;
}

static int
def_again(struct wbuf *b, const uint8_t *p, size_t len, const char **why)
{
	struct warts_cycle c;

	if (warts_cycle_decode(p, len, &c, why) == -1)
		return -1;
	warts_cycle_encode(b, WARTS_CYCLE_DEF, &c);
	return 0;
}

static int
stop_again(struct wbuf *b, const uint8_t *p, size_t len, const char **why)
{
	struct warts_cycle_stop s;

	if (warts_cycle_stop_decode(p, len, &s, why) == -1)
		return -1;
	warts_cycle_stop_encode(b, &s);
	return 0;
}

static int
trace_again(struct wbuf *b, const uint8_t *p, size_t len, const char **why)
{
	struct warts_trace t;

	if (warts_trace_decode(p, len, &t, why) == -1)
		return -1;
	warts_trace_encode(b, &t);
	warts_trace_clear(&t);
	return 0;
}

static int
ping_again(struct wbuf *b, const uint8_t *p, size_t len, const char **why)
{
	struct warts_ping t;

	if (warts_ping_decode(p, len, &t, why) == -1)
		return -1;
	warts_ping_encode(b, &t);
	warts_ping_clear(&t);
	return 0;
}

typedef int again_fn(struct wbuf *, const uint8_t *, size_t, const char **);

static again_fn *const again[] = {
    [WARTS_LIST] = list_again,
    [WARTS_CYCLE_START] = start_again,
    [WARTS_CYCLE_DEF] = def_again,
    [WARTS_CYCLE_STOP] = stop_again,
    [WARTS_TRACE] = trace_again,
    [WARTS_PING] = ping_again,
};

static again_fn *
again_of(uint16_t type)
{
	return type < sizeof(again) / sizeof(again[0]) ? again[type] : NULL;
}

/* Call FN with every record of every sample that we have a decoder for. */
typedef void visit_fn(const char *file, const struct warts_record *rec);

static void
visit_file(const char *name, visit_fn *fn, unsigned int *seen)
{
	char path[PATH_MAX];
	struct warts_reader *rd;
	struct warts_record rec;
	const char *why;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", SAMPLES, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_int_not_equal(fd, -1);
	rd = warts_reader_new(fd);
	while (warts_reader_next(rd, &rec, &why) == WARTS_READ_RECORD) {
		if (again_of(rec.type) == NULL)
			continue;
		fn(name, &rec);
		seen[rec.type]++;
	}
	warts_reader_free(rd);
}

static void
visit(visit_fn *fn)
{
	unsigned int seen[WARTS_PING + 1] = {0};
	DIR *d = opendir(SAMPLES);
	struct dirent *e;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (strstr(e->d_name, ".warts") != NULL)
			visit_file(e->d_name, fn, seen);
	}
	closedir(d);
	/* Nobody took the samples away. */
	assert_true(seen[WARTS_LIST] > 40);
	assert_true(seen[WARTS_CYCLE_START] > 40);
	assert_true(seen[WARTS_CYCLE_DEF] >= 2);
	assert_true(seen[WARTS_CYCLE_STOP] > 40);
	assert_true(seen[WARTS_TRACE] > 40);
	assert_true(seen[WARTS_PING] > 40);
}

/*
 * Records that cannot come out the same: made by hand to hold what no program
 * writes yet.  What a reader does not know it steps over, as it should.
 */
static const struct {
	const char *file;
	uint64_t offset;
	const char *what;
} newer[] = {
    {"handmade-legacy.warts", 0xc7, "a section of unknown kind 9"},
    {"handmade-legacy.warts", 0x1d2, "unknown fields in trace and hop"},
};

static int
is_newer(const char *file, uint64_t offset)
{
	for (size_t i = 0; i < sizeof(newer) / sizeof(newer[0]); i++) {
		if (strcmp(file, newer[i].file) == 0 &&
		    offset == newer[i].offset)
			return 1;
	}
	return 0;
}

static void
same_bytes(const char *file, const struct warts_record *rec)
{
	const char *why = NULL;
	struct wbuf b;

	wbuf_init(&b);
	if (again_of(rec->type)(&b, rec->body, rec->len, &why) == -1)
		fail_msg("%s at %ju: %s", file, (uintmax_t)rec->offset, why);
	if (is_newer(file, rec->offset))
		assert_true(b.len < rec->len + WARTS_HEADER_LEN);
	else if (b.len != rec->len + WARTS_HEADER_LEN ||
	    memcmp(b.p + WARTS_HEADER_LEN, rec->body, rec->len) != 0)
		fail_msg(
		    "%s at %ju: other bytes", file, (uintmax_t)rec->offset);
	wbuf_clear(&b);
}

static void
test_samples_encode_to_the_same_bytes(void **state)
{
	(void)state;
	visit(same_bytes);
}

/*
 * Decode P; if that works, what we make of it must decode and encode to the
 * same once more.  Returns 0 when P was refused.
 */
static int
stable(again_fn *fn, const uint8_t *p, size_t len)
{
	const char *why = NULL;
	struct wbuf a, b;
	int ok;

	wbuf_init(&a);
	wbuf_init(&b);
	ok = fn(&a, p, len, &why) == 0;
	if (ok) {
		assert_int_equal(fn(&b, a.p + WARTS_HEADER_LEN,
				     a.len - WARTS_HEADER_LEN, &why),
		    0);
		assert_int_equal(a.len, b.len);
		assert_memory_equal(a.p, b.p, a.len);
	} else {
		assert_non_null(why);
	}
	wbuf_clear(&a);
	wbuf_clear(&b);
	return ok;
}

/* Each prefix in memory of just its size, so that ASAN sees the end. */
static void
cut(const char *file, const struct warts_record *rec)
{
	for (size_t n = 0; n < rec->len; n++) {
		uint8_t *p = xmemdup(rec->body, n);

		if (stable(again_of(rec->type), p, n))
			fail_msg("%s at %ju cut to %zu is taken for whole",
			    file, (uintmax_t)rec->offset, n);
		free(p);
	}
}

static void
test_cut_records_are_refused(void **state)
{
	(void)state;
	visit(cut);
}

static void
flip(const char *file, const struct warts_record *rec)
{
	uint8_t *p = xmemdup(rec->body, rec->len);

	(void)file;
	for (size_t bit = 0; bit < 8 * (size_t)rec->len; bit++) {
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		stable(again_of(rec->type), p, rec->len);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(p);
}

static void
test_flipped_bits_do_no_harm(void **state)
{
	(void)state;
	visit(flip);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_samples_encode_to_the_same_bytes),
    cmocka_unit_test(test_cut_records_are_refused),
    cmocka_unit_test(test_flipped_bits_do_no_harm),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
