/*
 * spool: a spool in a temporary directory, for the tests of common/segment*.c:
 * a writer, traces 0, 1, 2, ... that say their number in user_id, and what all
 * segments together hold.  Use spool_setup and spool_teardown with each test.
 */
#ifndef TESTS_UNIT_SPOOL_H
#define TESTS_UNIT_SPOOL_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/segment.h"
#include "common/segment_dir.h"
#include "common/segment_read.h"
#include "common/warts/record.h"
#include "tests/unit/test.h"
#include "tests/unit/tmpdir.h"

#define CYCLE_TIME 1700000000u

static char spool[64];

static inline int
spool_setup(void **state)
{
	(void)state;
	return tmpdir_make(spool, sizeof(spool));
}

static inline int
spool_teardown(void **state)
{
	(void)state;
	return tmpdir_remove(spool);
}

static inline struct segment_writer *
open_writer(const struct segment_config *more)
{
	struct segment_config cfg = {0};
	struct segment_writer *w;
	const char *why = "";

	if (more != NULL)
		cfg = *more;
	cfg.dir = spool;
	cfg.monitor = "mon";
	w = segment_open(&cfg, 1, &why);
	if (w == NULL)
		fail_msg("segment_open: %s: %s", why, strerror(errno));
	return w;
}

static inline int
begin_cycle(struct segment_writer *w, uint32_t list, int resumed)
{
	struct segment_cycle c = {
	    .list_id = list,
	    .name = "list",
	    .cycle_id = CYCLE_TIME,
	    .start = CYCLE_TIME,
	    .hostname = "host",
	    .resumed = resumed,
	};

	return segment_cycle_begin(w, &c);
}

/* A trace that says I in its user id. */
static inline int
put_trace(struct segment_writer *w, int cycle, uint32_t i)
{
	static const uint8_t dst[4] = {192, 0, 2, 1};
	struct warts_trace t = {
	    .dst = addr_make(ADDR_IPV4, dst),
	    .src = addr_make(ADDR_IPV4, dst),
	    .start = {CYCLE_TIME + i, 0},
	    .user_id = i,
	    .attempts = 1,
	    .method = WARTS_TRACE_ICMP_PARIS,
	    .first_ttl = 1,
	    .squeries = 1,
	};

	return segment_trace(w, cycle, &t);
}

/* What all segments of the spool hold, in order. */
struct books {
	uint32_t ids[4096];
	uint64_t numbers[4096];
	size_t n;
	size_t starts, defs, stops, lists, segments;
};

static inline void
count_record(void *arg, uint16_t type, const uint8_t *body, uint32_t len,
    uint64_t number)
{
	struct books *b = arg;
	struct warts_trace t;
	const char *why;

	b->lists += type == WARTS_LIST;
	b->starts += type == WARTS_CYCLE_START;
	b->defs += type == WARTS_CYCLE_DEF;
	b->stops += type == WARTS_CYCLE_STOP;
	if (type != WARTS_TRACE)
		return;
	assert_int_equal(warts_trace_decode(body, len, &t, &why), 0);
	assert_true(b->n < 4096);
	b->ids[b->n] = t.user_id;
	b->numbers[b->n++] = number;
	warts_trace_clear(&t);
}

static inline void
read_file(const char *name, struct books *b, struct segment_info *info)
{
	struct segment_read_opts opts = {.record = count_record, .arg = b};
	char path[160];
	const char *why = "";
	int fd;

	snprintf(path, sizeof(path), "%s/spool/%s", spool, name);
	fd = open(path, O_RDONLY);
	assert_true(fd != -1);
	if (segment_read(fd, &opts, info, &why) != 0)
		fail_msg("%s: %s at %llu", name, why,
		    (unsigned long long)info->stopped);
	close(fd);
}

static inline void
read_spool(struct books *b)
{
	struct segment_dir d;
	struct segment_info info;
	const char *why;
	char name[SEGMENT_DIR_NAME];
	uint64_t *list, want = 1;
	ssize_t n;

	memset(b, 0, sizeof(*b));
	assert_int_equal(segment_dir_open(&d, spool, 0, &why), 0);
	assert_int_equal(segment_dir_list(d.spool, ".open", &list), 0);
	free(list);
	n = segment_dir_list(d.spool, ".warts", &list);
	for (ssize_t i = 0; i < n; i++) {
		assert_int_equal(list[i], i + 1);
		read_file(segment_dir_name(name, list[i], ".warts"), b, &info);
		if (!info.resumed)
			assert_int_equal(info.first, want);
		want = info.last + 1;
		b->segments++;
	}
	assert_int_equal(d.next, (uint64_t)n + 1);
	assert_int_equal(d.next_record, want);
	free(list);
	segment_dir_close(&d);
}

/* N traces 0..N-1, each once, in order, numbered without a gap from 1. */
static inline void
assert_books(const struct books *b, size_t n)
{
	assert_int_equal(b->n, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(b->ids[i], i);
		assert_int_equal(b->numbers[i], i + 1);
	}
}

#endif
