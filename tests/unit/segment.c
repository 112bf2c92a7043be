/*
 * segment: what a writer puts into a spool is there, whole and once, whichever
 * byte the writer was killed at and whatever the disk answered.  The disk is
 * made to fail by standing in front of pwritev, fdatasync and fsync here.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/segment.h"
#include "common/segment_dir.h"
#include "common/segment_mark.h"
#include "common/segment_read.h"
#include "common/segment_recover.h"
#include "common/warts/record.h"
#include "common/xmalloc.h"

/* --- a disk that fails ----------------------------------------------------- */

static struct {
	int writes, syncs; /* fail from this call on, counted down; -1 never */
	int err;
	size_t partial; /* bytes a failing write takes first */
} broken = {-1, -1, 0, 0};

static int
fails(int *countdown)
{
	if (*countdown < 0)
		return 0;
	if (*countdown > 0) {
		--*countdown;
		return 0;
	}
	return 1;
}

ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
	struct iovec first = iov[0];

	if (!fails(&broken.writes))
		return syscall(SYS_pwritev, fd, iov, n, offset, 0);
	if (broken.partial > 0 && first.iov_len >= broken.partial) {
		first.iov_len = broken.partial;
		broken.partial = 0;
		return syscall(SYS_pwritev, fd, &first, 1, offset, 0);
	}
	errno = broken.err;
	return -1;
}

int
fdatasync(int fd)
{
	if (!fails(&broken.syncs))
		return (int)syscall(SYS_fdatasync, fd);
	errno = broken.err;
	return -1;
}

/* --- a spool in a temporary directory -------------------------------------- */

#define CYCLE_TIME 1700000000u

static char spool[64];

static int
remove_one(const char *path, const struct stat *st, int flag, struct FTW *f)
{
	(void)st, (void)flag, (void)f;
	return remove(path);
}

static int
setup(void **state)
{
	(void)state;
	strcpy(spool, "/tmp/segment-test-XXXXXX");
	broken.writes = broken.syncs = -1;
	return mkdtemp(spool) == NULL ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	broken.writes = broken.syncs = -1;
	return nftw(spool, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct segment_writer *
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

static int
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
static int
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

static void
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

static void
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

static void
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
static void
assert_books(const struct books *b, size_t n)
{
	assert_int_equal(b->n, n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(b->ids[i], i);
		assert_int_equal(b->numbers[i], i + 1);
	}
}

/* --- the tests ------------------------------------------------------------- */

static void
test_round_trip(void **state)
{
	struct segment_writer *w = open_writer(NULL);
	struct books b;
	int c = begin_cycle(w, 7, 0);

	(void)state;
	for (uint32_t i = 0; i < 30; i++) {
		assert_int_equal(put_trace(w, c, i), 0);
		if (i % 10 == 9)
			assert_int_equal(segment_rotate(w, 2), 0);
	}
	assert_int_equal(segment_records(w), 30);
	assert_int_equal(segment_durable(w), 30);
	/* An empty one is not sealed. */
	assert_int_equal(segment_rotate(w, 2), 0);
	assert_int_equal(segment_cycle_end(w, c, CYCLE_TIME + 60), 0);
	assert_int_equal(segment_close(w, 3), 0);
	read_spool(&b);
	assert_books(&b, 30);
	assert_int_equal(b.segments, 4);
	assert_int_equal(b.starts, 1);
	assert_int_equal(b.defs, 3);
	assert_int_equal(b.lists, 4);
	assert_int_equal(b.stops, 1);
}

static void
test_restart_goes_on(void **state)
{
	struct segment_writer *w = open_writer(NULL);
	struct books b;
	int c = begin_cycle(w, 1, 0);

	(void)state;
	put_trace(w, c, 0);
	assert_int_equal(segment_close(w, 2), 0);
	w = open_writer(NULL);
	c = begin_cycle(w, 1, 1);
	put_trace(w, c, 1);
	assert_int_equal(segment_close(w, 2), 0);
	read_spool(&b);
	assert_books(&b, 2);
	assert_int_equal(b.starts, 1);
	assert_int_equal(b.defs, 1);
}

static void
test_one_writer(void **state)
{
	struct segment_writer *w = open_writer(NULL);
	struct segment_dir d;
	const char *why;

	(void)state;
	assert_int_equal(segment_dir_open(&d, spool, 0, &why), 0);
	assert_int_equal(segment_dir_lock(&d), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	segment_dir_close(&d);
	assert_int_equal(segment_close(w, 2), 0);
}

/* A seal by age and by size. */
static void
test_seal_by_itself(void **state)
{
	struct segment_config cfg = {
	    .max_bytes = 4096, .batch_bytes = 512, .max_age_ns = NS_PER_SEC};
	struct segment_writer *w = open_writer(&cfg);
	struct books b;
	int c = begin_cycle(w, 1, 0);

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		put_trace(w, c, i);
	assert_int_equal(segment_tick(w, NS_PER_SEC / 2), SEGMENT_OK);
	assert_int_equal(segment_tick(w, 2 * NS_PER_SEC), SEGMENT_OK);
	assert_int_equal(segment_durable(w), 100);
	assert_int_equal(segment_close(w, 3 * NS_PER_SEC), 0);
	read_spool(&b);
	assert_books(&b, 100);
	assert_true(b.segments >= 2);
}

static uint8_t *
read_bytes(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = xmalloc(1 << 20);

	assert_non_null(f);
	*len = fread(p, 1, 1 << 20, f);
	fclose(f);
	return p;
}

static void
write_bytes(const char *path, const uint8_t *p, size_t len)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(p, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

/* A small segment with several batches, sealed; its bytes. */
static uint8_t *
small_segment(size_t *len)
{
	struct segment_config cfg = {.batch_bytes = 200};
	struct segment_writer *w = open_writer(&cfg);
	char path[128];
	int c = begin_cycle(w, 1, 0);

	for (uint32_t i = 0; i < 6; i++)
		put_trace(w, c, i);
	assert_int_equal(segment_close(w, 2), 0);
	snprintf(path, sizeof(path), "%s/spool/1.warts", spool);
	return read_bytes(path, len);
}

static void
test_every_bit(void **state)
{
	struct segment_info info;
	size_t len;
	uint8_t *p = small_segment(&len);
	char path[128];
	const char *why = NULL;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/flipped", spool);
	write_bytes(path, p, len);
	fd = open(path, O_RDWR);
	assert_int_equal(segment_read(fd, NULL, &info, &why), 0);
	assert_int_equal(info.bytes, len);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		uint8_t byte = p[bit / 8] ^ (uint8_t)(1 << bit % 8);

		assert_int_equal(pwrite(fd, &byte, 1, (off_t)(bit / 8)), 1);
		if (segment_read(fd, NULL, &info, &why) != -1)
			fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
		assert_true(info.good <= bit / 8);
		pwrite(fd, &p[bit / 8], 1, (off_t)(bit / 8));
	}
	assert_int_equal(segment_read(fd, NULL, &info, &why), 0);
	close(fd);
	free(p);
}

/* Bytes behind the tail are not part of a good segment. */
static void
test_trailing(void **state)
{
	struct segment_info info;
	size_t len;
	uint8_t *p = small_segment(&len);
	char path[128];
	const char *why = NULL;
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/long", spool);
	memcpy(p + len, p, 20);
	for (size_t more = 1; more <= 20; more++) {
		write_bytes(path, p, len + more);
		fd = open(path, O_RDONLY);
		assert_int_equal(segment_read(fd, NULL, &info, &why), -1);
		assert_int_equal(info.good, len);
		close(fd);
	}
	free(p);
}

/* The writer is killed when the file has LEN of its bytes: what was behind a
 * good mark is there, and numbering goes on behind it. */
static void
torn_at(const uint8_t *p, size_t len)
{
	struct segment_writer *w;
	struct books b;
	char path[128];
	size_t before;
	int c;

	snprintf(path, sizeof(path), "%s/spool/1.open", spool);
	write_bytes(path, p, len);
	w = open_writer(NULL);
	c = begin_cycle(w, 1, 1);
	before = segment_records(w);
	assert_int_equal(before, 0);
	put_trace(w, c, 99);
	assert_int_equal(segment_close(w, 2), 0);
	read_spool(&b);
	assert_true(b.n >= 1);
	assert_int_equal(b.ids[b.n - 1], 99);
	b.ids[b.n - 1] = (uint32_t)b.n - 1;
	assert_books(&b, b.n);
}

static void
test_torn_everywhere(void **state)
{
	size_t len;
	uint8_t *p = small_segment(&len);
	char cmd[400];

	for (size_t cut = 0; cut <= len; cut++) {
		/* A spool as it was: state of before, but the same epoch. */
		snprintf(cmd, sizeof(cmd),
		    "rm -f %s/spool/* %s/state/next %s/state/lock", spool,
		    spool, spool);
		assert_int_equal(system(cmd), 0);
		struct segment_dir d = {.state = -1};

		snprintf(cmd, sizeof(cmd), "%s/state", spool);
		d.state = open(cmd, O_RDONLY | O_DIRECTORY);
		assert_int_equal(segment_dir_set_next(&d, 1, 1, 0), 0);
		close(d.state);
		torn_at(p, cut);
	}
	free(p);
	(void)state;
}

static void
set_state(uint64_t limit, uint8_t boot)
{
	struct segment_dir d;
	const char *why;

	assert_int_equal(segment_dir_open(&d, spool, 0, &why), 0);
	memset(d.boot, boot, sizeof(d.boot));
	assert_int_equal(segment_dir_reserve_numbers(&d, limit), 0);
	assert_int_equal(segment_dir_set_next(&d, 1, 1, 0), 0);
	segment_dir_close(&d);
}

/* Torn in another boot: numbers jump to the end of the block, and the next
 * segment says behind which one.  A second crash does not forget it. */
static void
test_other_boot(void **state)
{
	struct segment_info info;
	struct segment_dir d;
	struct segment_recovered r;
	struct books b = {.n = 0};
	const char *why;
	size_t len;
	uint8_t *p = small_segment(&len);
	char path[128];
	int lock;

	(void)state;
	snprintf(path, sizeof(path), "%s/spool/1.warts", spool);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/spool/1.open", spool);
	write_bytes(path, p, len - 1);
	set_state(1000, 0x5a);
	assert_int_equal(segment_dir_open(&d, spool, 0, &why), 0);
	lock = segment_dir_lock(&d);
	assert_int_equal(segment_recover(&d, &r, &why), 0);
	assert_true(r.gap);
	assert_int_equal(r.sealed, 1);
	close(lock);
	segment_dir_close(&d);

	struct segment_writer *w = open_writer(NULL);
	put_trace(w, begin_cycle(w, 1, 1), 77);
	assert_int_equal(segment_close(w, 2), 0);
	read_file("2.warts", &b, &info);
	assert_true(info.resumed);
	assert_int_equal(info.resume_last, 6);
	assert_int_equal(info.first, 1000);
	assert_int_equal(b.numbers[0], 1000);
	free(p);
}

static void
test_damaged_state(void **state)
{
	struct segment_config cfg = {.dir = spool};
	size_t len;
	uint8_t *p = small_segment(&len);
	char path[128];
	const char *why = NULL;

	(void)state;
	free(p);
	snprintf(path, sizeof(path), "%s/state/next", spool);
	p = read_bytes(path, &len);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		write_bytes(path, p, len);
		assert_null(segment_open(&cfg, 1, &why));
		assert_int_equal(errno, EBADMSG);
		assert_string_equal(why, "next");
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	free(p);
}

/* The disk is full for a while, at the N-th write. */
static void
full_at(int n, size_t partial)
{
	struct segment_config cfg = {.batch_bytes = 300};
	struct segment_writer *w = open_writer(&cfg);
	struct books b;
	int c = begin_cycle(w, 1, 0);
	uint32_t i = 0;

	broken.err = ENOSPC;
	broken.writes = n;
	broken.partial = partial;
	while (i < 40 && put_trace(w, c, i) == 0)
		i++;
	if (i < 40) {
		assert_int_equal(segment_tick(w, NS_PER_SEC), SEGMENT_FULL);
		assert_int_equal(segment_rotate(w, NS_PER_SEC), -1);
		assert_int_equal(put_trace(w, c, i), -1);
		assert_non_null(strstr(segment_reason(w), "No space left"));
	}
	broken.writes = -1;
	assert_int_equal(segment_tick(w, 2 * NS_PER_SEC), SEGMENT_OK);
	for (; i < 50; i++)
		assert_int_equal(put_trace(w, c, i), 0);
	assert_int_equal(segment_close(w, 3 * NS_PER_SEC), 0);
	read_spool(&b);
	assert_books(&b, 50);
}

static void
test_full(void **state)
{
	(void)state;
	for (int n = 0; n < 16; n++) {
		for (size_t partial = 0; partial < 200; partial += 99) {
			full_at(n, partial);
			teardown(NULL);
			setup(NULL);
		}
	}
}

/* A sync fails: nothing is lost, nothing is twice, and it is told. */
static void
suspect_at(int n, int heals)
{
	struct segment_config cfg = {.batch_bytes = 300, .sync_bytes = 1000};
	struct segment_writer *w = open_writer(&cfg);
	struct books b;
	int c = begin_cycle(w, 1, 0), c2 = begin_cycle(w, 2, 0), told = 0;

	broken.err = EIO;
	broken.syncs = n;
	for (uint32_t i = 0; i < 60; i++) {
		assert_int_equal(put_trace(w, i % 2 ? c : c2, i), 0);
		if (broken.syncs == 0 && heals)
			broken.syncs = -1;
		told += segment_tick(w, 2) == SEGMENT_SUSPECT;
	}
	(void)told;
	broken.syncs = -1;
	segment_tick(w, 3);
	assert_int_equal(segment_close(w, 4), 0);
	/* What could not be sealed then is now. */
	w = open_writer(NULL);
	assert_int_equal(segment_close(w, 5), 0);
	read_spool(&b);
	assert_books(&b, 60);
}

static void
test_suspect(void **state)
{
	(void)state;
	for (int n = 0; n < 6; n++) {
		for (int heals = 0; heals < 2; heals++) {
			suspect_at(n, heals);
			teardown(NULL);
			setup(NULL);
		}
	}
}

static void
test_quota(void **state)
{
	struct segment_config cfg = {.quota_bytes = 2000, .batch_bytes = 200};
	struct segment_writer *w = open_writer(&cfg);
	char path[128];
	int c = begin_cycle(w, 1, 0);

	(void)state;
	for (uint32_t i = 0; i < 40; i++)
		put_trace(w, c, i);
	assert_int_equal(segment_rotate(w, 2), 0);
	assert_int_equal(segment_tick(w, 3 * NS_PER_SEC), SEGMENT_FULL);
	assert_int_equal(put_trace(w, c, 40), -1);
	assert_non_null(strstr(segment_reason(w), "quota"));
	snprintf(path, sizeof(path), "%s/spool/1.warts", spool);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(segment_tick(w, 5 * NS_PER_SEC), SEGMENT_OK);
	assert_int_equal(put_trace(w, c, 40), 0);
	assert_int_equal(segment_close(w, 6 * NS_PER_SEC), 0);
}

static void
keep_mark(void *arg, const uint8_t *body, uint32_t len)
{
	struct segment_account *a = arg;

	segment_mark_account(body, len, 0, &a[0]);
	segment_mark_account(body, len, 1, &a[1]);
}

static void
test_account(void **state)
{
	struct segment_account a = {.list = 1,
	    .cycle = 2,
	    .accepted = 30,
	    .recorded = 10,
	    .held = 1,
	    .queued = 2,
	    .active = 3,
	    .refused = {0, 5, 0, 0, 0, 0, 0, 9}};
	struct segment_account b = a, got[2];
	struct segment_read_opts opts = {.mark = keep_mark, .arg = got};
	struct segment_writer *w = open_writer(NULL);
	struct segment_info info;
	const char *why;
	char path[128];
	int fd;

	(void)state;
	b.list = 9;
	put_trace(w, begin_cycle(w, 1, 0), 0);
	segment_account(w, &b);
	segment_account(w, &a);
	b.accepted = 31;
	segment_account(w, &b);
	assert_int_equal(segment_close(w, 2), 0);
	snprintf(path, sizeof(path), "%s/spool/1.warts", spool);
	fd = open(path, O_RDONLY);
	assert_int_equal(segment_read(fd, &opts, &info, &why), 0);
	close(fd);
	assert_memory_equal(&got[0], &b, sizeof(b));
	assert_memory_equal(&got[1], &a, sizeof(a));
}

/* A cycle in which nothing was recorded still leaves start and stop. */
static void
test_empty_cycle(void **state)
{
	struct segment_writer *w = open_writer(NULL);
	struct books b;

	(void)state;
	segment_cycle_end(w, begin_cycle(w, 1, 0), CYCLE_TIME);
	assert_int_equal(segment_close(w, 2), 0);
	read_spool(&b);
	assert_int_equal(b.starts, 1);
	assert_int_equal(b.stops, 1);
	assert_int_equal(b.segments, 1);
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_round_trip),
	    T(test_restart_goes_on),
	    T(test_one_writer),
	    T(test_seal_by_itself),
	    T(test_every_bit),
	    T(test_trailing),
	    T(test_torn_everywhere),
	    T(test_other_boot),
	    T(test_damaged_state),
	    T(test_full),
	    T(test_suspect),
	    T(test_quota),
	    T(test_account),
	    T(test_empty_cycle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
