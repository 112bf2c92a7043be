/*
 * segment, whatever the disk answers: nothing is lost and nothing is there
 * twice.  The disk is made to fail by standing in front of pwritev, fdatasync
 * and unlinkat here.
 */
#include <sys/syscall.h>
#include <sys/uio.h>

#include "common/clock.h"
#include "tests/unit/lostpages.h"
#include "tests/unit/spool.h"

/* --- a disk that fails ----------------------------------------------------- */

static struct {
	/* Fail from this call on, counted down; -1 never. */
	int writes, syncs, unlinks;
	int err;
	size_t partial; /* bytes a failing write takes first */
	int failed; /* syncs that failed */
	int heals; /* the next one does not */
} broken = {.writes = -1, .syncs = -1, .unlinks = -1};

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
	int rc;

	if (!fails(&broken.syncs)) {
		rc = (int)syscall(SYS_fdatasync, fd);
		lostpages_synced(fd, rc == -1);
		return rc;
	}
	lostpages_synced(fd, 1);
	broken.failed++;
	if (broken.heals)
		broken.syncs = -1;
	errno = broken.err;
	return -1;
}

int
unlinkat(int dirfd, const char *path, int flags)
{
	if (!fails(&broken.unlinks))
		return (int)syscall(SYS_unlinkat, dirfd, path, flags);
	errno = broken.err;
	return -1;
}

static int
setup(void **state)
{
	broken.writes = broken.syncs = broken.unlinks = -1;
	return spool_setup(state);
}

/* --- the tests ------------------------------------------------------------- */

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
			spool_teardown(NULL);
			spool_setup(NULL);
		}
	}
}

/* The disk is full; when there is room again the writer ends, and nobody has
 * tried before. */
static void
test_full_to_the_end(void **state)
{
	struct segment_writer *w = open_writer(NULL);
	int c = begin_cycle(w, 1, 0);
	struct books b;

	(void)state;
	broken.err = ENOSPC;
	assert_int_equal(put_trace(w, c, 0), 0);
	assert_int_equal(segment_tick(w, 2), SEGMENT_OK);
	assert_int_equal(put_trace(w, c, 1), 0);
	broken.writes = 0;
	assert_int_equal(segment_tick(w, 2), SEGMENT_FULL);
	broken.writes = -1;
	assert_int_equal(segment_close(w, 3), 0);
	read_spool(&b);
	assert_books(&b, 2);
}

/* A sync fails with ERR, and what it should have made durable is gone: nothing
 * is lost, nothing is twice, and it is told.  HEALS: the next one says yes. */
static void
suspect_at(int n, int heals, int err)
{
	struct segment_config cfg = {.batch_bytes = 300, .sync_bytes = 1000};
	struct segment_writer *w = open_writer(&cfg);
	struct books b;
	int c = begin_cycle(w, 1, 0), c2 = begin_cycle(w, 2, 0), told = 0;
	uint32_t i = 0;

	broken.err = err;
	broken.syncs = n;
	broken.failed = 0;
	broken.heals = heals;
	for (int step = 0; i < 60 && step < 60; step++) {
		i += put_trace(w, i % 2 ? c : c2, i) == 0;
		told += segment_tick(w, 2) != SEGMENT_OK;
	}
	assert_true(i == 60 || err == ENOSPC);
	assert_true(broken.failed > 0);
	assert_true(told > 0);

	broken.syncs = -1;
	segment_tick(w, 3);
	assert_int_equal(segment_close(w, 4), 0);
	/* What could not be sealed then is now. */
	w = open_writer(NULL);
	assert_int_equal(segment_close(w, 5), 0);
	read_spool(&b);
	assert_books(&b, i);
}

static void
test_suspect(void **state)
{
	(void)state;
	for (int k = 0; k < 24; k++) {
		suspect_at(k / 4, k % 2, k % 4 < 2 ? EIO : ENOSPC);
		spool_teardown(NULL);
		spool_setup(NULL);
	}
}

/* Nothing can be written, synced or removed for a while, from the N-th write on:
 * what could not be removed is not in the way afterwards. */
static void
dead_at(int n)
{
	struct segment_config cfg = {.batch_bytes = 300};
	struct segment_writer *w = open_writer(&cfg);
	int c = begin_cycle(w, 1, 0);
	struct books b;
	uint32_t i = 0;

	broken.err = EIO;
	broken.writes = n;
	while (i < 40 && broken.writes != 0 && put_trace(w, c, i) == 0)
		i++;
	broken.syncs = broken.unlinks = 0;
	while (i < 40 && put_trace(w, c, i) == 0)
		i++;
	assert_int_equal(segment_tick(w, NS_PER_SEC), SEGMENT_FULL);
	broken.writes = broken.syncs = broken.unlinks = -1;
	segment_tick(w, 2 * NS_PER_SEC);
	assert_int_equal(segment_tick(w, 3 * NS_PER_SEC), SEGMENT_OK);
	for (; i < 50; i++)
		assert_int_equal(put_trace(w, c, i), 0);
	assert_int_equal(segment_close(w, 4 * NS_PER_SEC), 0);
	w = open_writer(NULL);
	assert_int_equal(segment_close(w, 5 * NS_PER_SEC), 0);
	read_spool(&b);
	assert_books(&b, 50);
}

static void
test_dead(void **state)
{
	(void)state;
	for (int n = 0; n < 8; n++) {
		dead_at(n);
		spool_teardown(NULL);
		spool_setup(NULL);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, spool_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_full),
	    T(test_full_to_the_end),
	    T(test_suspect),
	    T(test_dead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
