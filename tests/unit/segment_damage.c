/*
 * segment, when bytes are missing or wrong: no reader believes a damaged
 * segment, whichever bit it is; whichever byte the writer was killed at, what
 * was behind a good mark is there and numbering goes on behind it.
 */
#include "common/segment_recover.h"
#include "common/xmalloc.h"
#include "tests/unit/spool.h"

#define FILE_MAX (4u << 20) /* bytes */

static uint8_t *
read_bytes(const char *path, size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = xmalloc(FILE_MAX);

	assert_non_null(f);
	*len = fread(p, 1, FILE_MAX, f);
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

/* A segment of COUNT traces, sealed; its bytes. */
static uint8_t *
make_segment(uint32_t count, size_t batch_bytes, size_t *len)
{
	struct segment_config cfg = {.batch_bytes = batch_bytes};
	struct segment_writer *w = open_writer(&cfg);
	char path[128];
	int c = begin_cycle(w, 1, 0);

	for (uint32_t i = 0; i < count; i++)
		put_trace(w, c, i);
	assert_int_equal(segment_close(w, 2), 0);
	snprintf(path, sizeof(path), "%s/spool/1.warts", spool);
	return read_bytes(path, len);
}

/* A small one with several batches. */
static uint8_t *
small_segment(size_t *len)
{
	return make_segment(6, 200, len);
}

static void
test_every_bit(void **state)
{
	static const struct segment_read_opts tail_only = {.tail_only = 1};
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
	assert_int_equal(segment_read(fd, &tail_only, &info, &why), 0);
	assert_int_equal(info.bytes, len);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		uint8_t byte = p[bit / 8] ^ (uint8_t)(1 << bit % 8);

		assert_int_equal(pwrite(fd, &byte, 1, (off_t)(bit / 8)), 1);
		if (segment_read(fd, &tail_only, &info, &why) != -1)
			fail_msg("by the tail: bit %zu of byte %zu", bit % 8,
			    bit / 8);
		if (segment_read(fd, NULL, &info, &why) != -1)
			fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
		assert_true(info.good <= bit / 8);
		pwrite(fd, &p[bit / 8], 1, (off_t)(bit / 8));
	}
	assert_int_equal(segment_read(fd, NULL, &info, &why), 0);
	close(fd);
	free(p);
}

/* One of many blocks, most of which a second thread hashes: wherever a bit is
 * wrong, and wherever the file ends too early. */
static void
test_large(void **state)
{
	static const struct segment_read_opts tail_only = {.tail_only = 1};
	struct segment_info info;
	size_t len, step;
	uint8_t *p = make_segment(30000, 0, &len), byte;
	char path[128];
	const char *why = NULL;
	int fd;

	(void)state;
	assert_true(len > 5 * (256u << 10) && len < FILE_MAX);
	snprintf(path, sizeof(path), "%s/flipped", spool);
	write_bytes(path, p, len);
	fd = open(path, O_RDWR);
	step = len / 60;
	for (size_t at = 0; at < len; at += step) {
		assert_int_equal(segment_read(fd, &tail_only, &info, &why), 0);
		byte = p[at] ^ 0x10;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)at), 1);
		assert_int_equal(segment_read(fd, &tail_only, &info, &why), -1);
		assert_int_equal(pwrite(fd, &p[at], 1, (off_t)at), 1);
	}
	for (size_t cut = len - 1; cut > step; cut -= step) {
		assert_int_equal(ftruncate(fd, (off_t)cut), 0);
		assert_int_equal(segment_read(fd, &tail_only, &info, &why), -1);
	}
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
	int c;

	snprintf(path, sizeof(path), "%s/spool/1.open", spool);
	write_bytes(path, p, len);
	w = open_writer(NULL);
	c = begin_cycle(w, 1, 1);
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

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, spool_setup, spool_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_every_bit),
	    T(test_large),
	    T(test_trailing),
	    T(test_torn_everywhere),
	    T(test_other_boot),
	    T(test_damaged_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
