/*
 * Every record of every sample file, of whatever type, is decoded and
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
#include "common/warts/any.h"
#include "common/warts/codec.h"
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

/* A measurement of any type. */
static int
measurement_again(
    struct wbuf *b, const struct warts_record *rec, const char **why)
{
	struct warts_any any;

	if (warts_decode(rec, &any, why) == -1)
		return -1;
	warts_encode(b, rec->type, &any);
	warts_clear(rec->type, &any);
	return 0;
}

static int
again(struct wbuf *b, const struct warts_record *rec, const char **why)
{
	switch (rec->type) {
	case WARTS_LIST:
		return list_again(b, rec->body, rec->len, why);
	case WARTS_CYCLE_START:
		return start_again(b, rec->body, rec->len, why);
	case WARTS_CYCLE_DEF:
		return def_again(b, rec->body, rec->len, why);
	case WARTS_CYCLE_STOP:
		return stop_again(b, rec->body, rec->len, why);
	default:
		return measurement_again(b, rec, why);
	}
}

static int
is_known(uint16_t type)
{
	return (type >= WARTS_LIST && type <= WARTS_CYCLE_STOP) ||
	    warts_codec(type) != NULL;
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
		if (!is_known(rec.type))
			continue;
		fn(name, &rec);
		seen[rec.type]++;
	}
	warts_reader_free(rd);
}

static void
visit(visit_fn *fn)
{
	unsigned int seen[WARTS_OWAMP + 1] = {0};
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
	for (int type = WARTS_TRACELB; type <= WARTS_OWAMP; type++)
		assert_true(seen[type] >=
		    (type == WARTS_SNIFF || type == WARTS_STING ? 1 : 2));
}

/*
 * Records that cannot come out the same: made by hand to hold what no program
 * writes yet, which a reader steps over, as it should; or what scamper 2021
 * writes wrongly, and which is put right.
 */
static const struct {
	const char *file;
	uint64_t offset;
	const char *what;
} newer[] = {
    {"handmade-legacy.warts", 0xc7, "a section of unknown kind 9"},
    {"handmade-legacy.warts", 0x1d2, "unknown fields in trace and hop"},
    {"quirk-neighbourdisc-d.warts", 65, "blocks of a wrong length"},
    {"quirk-neighbourdisc-d.warts", 166, "the same"},
    {"quirk-prefixscan-x-d.warts", 65, "a number with its bytes swapped"},
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
	if (again(&b, rec, &why) == -1)
		fail_msg("%s at %ju: %s", file, (uintmax_t)rec->offset, why);
	if (is_newer(file, rec->offset))
		assert_true(b.len <= rec->len + WARTS_HEADER_LEN);
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
stable(uint16_t type, const uint8_t *p, size_t len)
{
	struct warts_record rec = {
	    .type = type, .body = p, .len = (uint32_t)len};
	const char *why = NULL;
	struct wbuf a, b;
	int ok;

	wbuf_init(&a);
	wbuf_init(&b);
	ok = again(&a, &rec, &why) == 0;
	if (ok) {
		rec.body = a.p + WARTS_HEADER_LEN;
		rec.len = (uint32_t)a.len - WARTS_HEADER_LEN;
		assert_int_equal(again(&b, &rec, &why), 0);
		assert_int_equal(a.len, b.len);
		assert_memory_equal(a.p, b.p, a.len);
	} else {
		assert_non_null(why);
	}
	wbuf_clear(&a);
	wbuf_clear(&b);
	return ok;
}

/* The attributes at the end of an http record say nowhere how many they are. */
static int
may_be_cut(const struct warts_record *rec, size_t n)
{
	(void)n;
	return rec->type == WARTS_HTTP;
}

/* Each prefix in memory of just its size, so that ASAN sees the end. */
static void
cut(const char *file, const struct warts_record *rec)
{
	for (size_t n = 0; n < rec->len; n++) {
		uint8_t *p = xmemdup(rec->body, n);

		if (stable(rec->type, p, n) && !may_be_cut(rec, n))
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
		stable(rec->type, p, rec->len);
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
