/*
 * The reader: files, pipes and gzip give the same records; damage costs the
 * damaged record and no other.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "common/warts/reader.h"
#include "common/warts/record.h"
#include "common/xmalloc.h"

#define RECORDS 9

/* Records of different sizes; stop I is recognised by its time I. */
static size_t
make_file(struct wbuf *b, size_t offset[RECORDS + 1])
{
	static const char filler[] = "0123456789012345678901234567890123456789";

	wbuf_reset(b);
	for (uint32_t i = 0; i < RECORDS; i++) {
		size_t token;

		offset[i] = b->len;
		token = wbuf_record_begin(b, WARTS_CYCLE_STOP);
		wbuf_u32(b, i);
		wbuf_bytes(b, filler, 3 * i + 1);
		wbuf_record_end(b, token);
	}
	offset[RECORDS] = b->len;
	return b->len;
}

static int
file_of(const void *p, size_t len)
{
	int fd = memfd_create("warts", MFD_CLOEXEC);

	assert_int_not_equal(fd, -1);
	assert_int_equal(write(fd, p, len), len);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	return fd;
}

/* What a reader of FD gives: a letter per event, and which records. */
struct story {
	char events[64]; /* r record, d damage, e error */
	int got[RECORDS];
	uint64_t damaged; /* bytes */
	uint64_t first_damage; /* offset */
};

static struct story
read_all(int fd)
{
	struct warts_reader *rd = warts_reader_new(fd);
	struct story s = {.first_damage = UINT64_MAX};
	struct warts_record rec;
	const char *why = NULL;
	enum warts_read rc;
	size_t n = 0;

	while ((rc = warts_reader_next(rd, &rec, &why)) != WARTS_READ_EOF) {
		assert_true(n < sizeof(s.events) - 1);
		s.events[n++] = rc == WARTS_READ_RECORD ? 'r'
		    : rc == WARTS_READ_DAMAGE		? 'd'
							: 'e';
		if (rc == WARTS_READ_RECORD && rec.len >= 4 &&
		    rec.body[3] < RECORDS)
			s.got[rec.body[3]]++;
		/* Who knows the contents sees a wrong length. */
		if (rc == WARTS_READ_RECORD &&
		    (rec.len < 4 || rec.len != 3u * rec.body[3] + 5))
			warts_reader_doubt(rd);
		if (rc == WARTS_READ_DAMAGE) {
			assert_non_null(why);
			s.damaged += rec.len;
			if (rec.offset < s.first_damage)
				s.first_damage = rec.offset;
		}
	}
	/* The end stays the end. */
	assert_int_equal(warts_reader_next(rd, &rec, &why), WARTS_READ_EOF);
	warts_reader_free(rd);
	return s;
}

static void
assert_all(const struct story *s)
{
	assert_string_equal(s->events, "rrrrrrrrr");
	for (int i = 0; i < RECORDS; i++)
		assert_int_equal(s->got[i], 1);
}

static void
test_whole_file(void **state)
{
	size_t offset[RECORDS + 1];
	struct warts_reader *rd;
	struct warts_record rec;
	struct story s;
	const char *why;
	struct wbuf b;

	(void)state;
	wbuf_init(&b);
	make_file(&b, offset);
	s = read_all(file_of(b.p, b.len));
	assert_all(&s);
	rd = warts_reader_new(file_of(b.p, b.len));
	for (size_t i = 0; i < RECORDS; i++) {
		assert_int_equal(
		    warts_reader_next(rd, &rec, &why), WARTS_READ_RECORD);
		assert_int_equal(rec.offset, offset[i]);
		assert_int_equal(rec.len, 4 + 3 * i + 1);
	}
	warts_reader_free(rd);
	s = read_all(file_of("", 0));
	assert_string_equal(s.events, "");
	wbuf_clear(&b);
}

/* A pipe that gives a byte at a time, and does not block. */
static void
test_pipe_byte_by_byte(void **state)
{
	size_t offset[RECORDS + 1];
	struct wbuf b;
	struct story s;
	int fd[2];
	pid_t pid;

	(void)state;
	wbuf_init(&b);
	make_file(&b, offset);
	assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
	assert_int_not_equal(fcntl(fd[0], F_SETFL, O_NONBLOCK), -1);
	pid = fork();
	if (pid == 0) {
		for (size_t i = 0; i < b.len; i++) {
			if (write(fd[1], b.p + i, 1) != 1)
				_exit(1);
		}
		_exit(0);
	}
	close(fd[1]);
	s = read_all(fd[0]);
	assert_all(&s);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	wbuf_clear(&b);
}

/* Append the gzip form of LEN bytes at P to OUT. */
static void
gzip_append(struct wbuf *out, const void *p, size_t len)
{
	z_stream z = {0};

	assert_int_equal(
	    deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	wbuf_room(out, deflateBound(&z, len));
	z.next_in = (unsigned char *)(uintptr_t)p;
	z.avail_in = (unsigned int)len;
	z.next_out = out->p + out->len;
	z.avail_out = (unsigned int)(out->cap - out->len);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->len += z.total_out;
	deflateEnd(&z);
}

static void
test_gzip_of_one_and_of_many_members(void **state)
{
	size_t offset[RECORDS + 1];
	struct wbuf b, z;
	struct story s;

	(void)state;
	wbuf_init(&b);
	wbuf_init(&z);
	make_file(&b, offset);
	gzip_append(&z, b.p, b.len);
	s = read_all(file_of(z.p, z.len));
	assert_all(&s);
	/* Members that end inside records, one of them empty. */
	wbuf_reset(&z);
	gzip_append(&z, b.p, 21);
	gzip_append(&z, b.p, 0);
	gzip_append(&z, b.p + 21, 100);
	gzip_append(&z, b.p + 121, b.len - 121);
	s = read_all(file_of(z.p, z.len));
	assert_all(&s);
	wbuf_clear(&b);
	wbuf_clear(&z);
}

static void
test_broken_gzip_gives_what_is_in_front(void **state)
{
	size_t offset[RECORDS + 1], one;
	struct wbuf b, z;
	struct story s;

	(void)state;
	wbuf_init(&b);
	wbuf_init(&z);
	make_file(&b, offset);
	gzip_append(&z, b.p, offset[5]);
	one = z.len;
	gzip_append(&z, b.p + offset[5], b.len - offset[5]);
	/* The second member's trailer is missing, then all but its head. */
	s = read_all(file_of(z.p, z.len - 1));
	assert_string_equal(s.events, "rrrrrrrrre");
	s = read_all(file_of(z.p, one + 10));
	assert_string_equal(s.events, "rrrrre");
	/* Its checksum is wrong; rubbish behind. */
	z.p[z.len - 5] ^= 1;
	s = read_all(file_of(z.p, z.len));
	assert_int_equal(s.events[strlen(s.events) - 1], 'e');
	assert_memory_equal(s.events, "rrrrr", 5);
	z.p[z.len - 5] ^= 1;
	wbuf_u32(&z, 0xdeadbeef);
	s = read_all(file_of(z.p, z.len));
	assert_string_equal(s.events, "rrrrrrrrre");
	wbuf_clear(&b);
	wbuf_clear(&z);
}

static void
test_other_compressions_are_named(void **state)
{
	static const unsigned char xz[] = {0xfd, '7', 'z', 'X', 'Z', 0, 1, 2};
	struct story s;

	(void)state;
	s = read_all(file_of("BZh91AY&SY", 10));
	assert_string_equal(s.events, "e");
	s = read_all(file_of(xz, sizeof(xz)));
	assert_string_equal(s.events, "e");
}

/* A file cut at any place: the whole records, and one report unless the cut
 * is between two. */
static void
test_torn_tail(void **state)
{
	size_t offset[RECORDS + 1], whole = 0;
	struct wbuf b;

	(void)state;
	wbuf_init(&b);
	make_file(&b, offset);
	for (size_t n = 0; n < b.len; n++) {
		struct story s = read_all(file_of(b.p, n));
		int torn = n != offset[whole];

		if (n == offset[whole + 1]) {
			whole++;
			torn = 0;
		}
		assert_int_equal(strlen(s.events), whole + (size_t)torn);
		for (size_t i = 0; i < whole; i++)
			assert_int_equal(s.got[i], 1);
		assert_int_equal(s.damaged, n - offset[whole]);
		if (torn)
			assert_int_equal(s.first_damage, offset[whole]);
	}
	wbuf_clear(&b);
}

/*
 * Any bit of any header flipped: the other records are all there.  (A flipped
 * type is another type, or one not known, but the record is whole.)
 */
static void
test_flipped_header_costs_one_record(void **state)
{
	size_t offset[RECORDS + 1];
	struct wbuf b;

	(void)state;
	wbuf_init(&b);
	make_file(&b, offset);
	for (size_t rec = 0; rec < RECORDS; rec++) {
		for (size_t bit = 0; bit < 64; bit++) {
			uint8_t *p = &b.p[offset[rec] + bit / 8];
			struct story s;

			*p ^= (uint8_t)(1 << bit % 8);
			s = read_all(file_of(b.p, b.len));
			*p ^= (uint8_t)(1 << bit % 8);
			for (size_t i = 0; i < RECORDS; i++) {
				if (i != rec && s.got[i] != 1)
					fail_msg("record %zu lost to bit %zu "
						 "of record %zu (%s)",
					    i, bit, rec, s.events);
			}
			/* All of the magic is noticed. */
			if (bit / 8 < 2)
				assert_ptr_equal(
				    strchr(s.events, 'd'), &s.events[rec]);
		}
	}
	wbuf_clear(&b);
}

/* Rubbish in front, between and behind, more than is buffered. */
static void
test_rubbish_is_stepped_over(void **state)
{
	size_t offset[RECORDS + 1], n = 300000;
	struct wbuf b, c;
	uint32_t x = 1;
	struct story s;

	(void)state;
	wbuf_init(&b);
	wbuf_init(&c);
	make_file(&b, offset);
	for (int part = 0; part < 3; part++) {
		for (size_t i = 0; i < n; i++)
			wbuf_u8(
			    &c, (uint8_t)((x = x * 1103515245 + 12345) >> 16));
		if (part == 0)
			wbuf_bytes(&c, b.p, offset[4]);
		if (part == 1)
			wbuf_bytes(&c, b.p + offset[4], b.len - offset[4]);
	}
	s = read_all(file_of(c.p, c.len));
	assert_string_equal(s.events, "drrrrdrrrrrd");
	assert_int_equal(s.first_damage, 0);
	assert_int_equal(s.damaged, 3 * n);
	wbuf_clear(&b);
	wbuf_clear(&c);
}

static void
test_a_directory_cannot_be_read(void **state)
{
	int fd = open("/", O_RDONLY | O_CLOEXEC);
	struct story s;

	(void)state;
	assert_int_not_equal(fd, -1);
	s = read_all(fd);
	assert_string_equal(s.events, "e");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_whole_file),
    cmocka_unit_test(test_pipe_byte_by_byte),
    cmocka_unit_test(test_gzip_of_one_and_of_many_members),
    cmocka_unit_test(test_broken_gzip_gives_what_is_in_front),
    cmocka_unit_test(test_other_compressions_are_named),
    cmocka_unit_test(test_torn_tail),
    cmocka_unit_test(test_flipped_header_costs_one_record),
    cmocka_unit_test(test_rubbish_is_stepped_over),
    cmocka_unit_test(test_a_directory_cannot_be_read),
};

int
main(void)
{
	return cmocka_run_group_tests(tests, NULL, NULL);
}
