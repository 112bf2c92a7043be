/*
 * framelog: frames come back as they were written, every flipped bit is found,
 * and a file cut at any byte gives the whole frames before the cut.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "common/atomicfile.h"
#include "prober/framelog.h"

#define NAME "log"

static char dir[128];
static int dirfd;

struct seen {
	char text[4096];
	int sure;
};

static const char *
on_line(void *arg, char *text, int *sure)
{
	struct seen *s = arg;

	strcpy(s->text, text);
	*sure = s->sure;
	return NULL;
}

static const char *
on_frame(void *arg, const uint8_t *body, size_t len)
{
	struct seen *s = arg;

	strcat(s->text, "|");
	strncat(s->text, (const char *)body, len);
	return NULL;
}

static int
read_back(struct seen *s, int sure, size_t *torn)
{
	const struct framelog_reader r = {on_line, on_frame, s};
	const char *why = NULL;
	int rc;

	s->text[0] = '\0';
	s->sure = sure;
	rc = framelog_read(dirfd, NAME, &r, torn, &why);
	assert_true((rc == -1) == (why != NULL));
	return rc;
}

static int
setup(void **state)
{
	(void)state;
	strcpy(dir, "/tmp/framelog-test-XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	dirfd = open(dir, O_RDONLY | O_DIRECTORY);
	return dirfd == -1 ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	unlinkat(dirfd, NAME, 0);
	close(dirfd);
	return rmdir(dir);
}

/* "head 1|first|second|third" */
static void
write_log(struct framelog *f)
{
	framelog_init(f, dirfd, NAME);
	framelog_replace(f, "head 0", "old", 3);
	assert_int_equal(framelog_result(f), 0);
	framelog_replace(f, "head 1", "first", 5);
	assert_int_equal(framelog_result(f), 0);
	assert_int_equal(framelog_append(f, "second", 6), 0);
	assert_int_equal(framelog_result(f), 0);
	assert_int_equal(framelog_append(f, "third", 5), 0);
	assert_int_equal(framelog_result(f), 0);
}

static void
round_trip(void **state)
{
	struct framelog f;
	struct seen s;
	size_t torn;

	(void)state;
	write_log(&f);
	framelog_clear(&f);
	assert_int_equal(read_back(&s, 1, &torn), 0);
	assert_string_equal(s.text, "head 1|first|second|third");
	assert_int_equal(torn, 0);
	/* Nothing is appended to what was not replaced by this process. */
	framelog_init(&f, dirfd, NAME);
	assert_int_equal(framelog_append(&f, "x", 1), -1);
	framelog_clear(&f);
}

static void
no_file(void **state)
{
	struct seen s;
	size_t torn;

	(void)state;
	assert_int_equal(read_back(&s, 1, &torn), -1);
	assert_int_equal(errno, ENOENT);
}

static char *
load(size_t *len)
{
	char *data;

	assert_int_equal(atomicfile_read(dirfd, NAME, 4096, &data, len), 0);
	return data;
}

static void
store(const char *data, size_t len)
{
	assert_int_equal(atomicfile_write(dirfd, NAME, data, len, 0600), 0);
}

static void
every_bit(void **state)
{
	struct framelog f;
	struct seen s;
	size_t len, torn;
	char *data;

	(void)state;
	write_log(&f);
	framelog_clear(&f);
	data = load(&len);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		data[bit / 8] ^= (char)(1 << bit % 8);
		store(data, len);
		assert_int_equal(read_back(&s, 1, &torn), -1);
		/* After a power cut the last frame may be anything, the frames
		 * before it may not. */
		if (read_back(&s, 0, &torn) == 0)
			assert_string_equal(s.text, "head 1|first|second");
		data[bit / 8] ^= (char)(1 << bit % 8);
	}
	free(data);
}

static void
every_cut(void **state)
{
	static const char *const prefix[] = {
	    "head 1|first", "head 1|first|second", "head 1|first|second|third"};
	const size_t first_len = 6 + 11 + 16 + 5, second = 16 + 6, third = 21;
	struct framelog f;
	struct seen s;
	size_t len, torn, whole;
	char *data;

	(void)state;
	write_log(&f);
	framelog_clear(&f);
	data = load(&len);
	assert_int_equal(len, first_len + second + third);
	for (size_t cut = 0; cut <= len; cut++) {
		store(data, cut);
		/* The first frame came by rename: it cannot be torn. */
		if (cut < first_len) {
			assert_int_equal(read_back(&s, 1, &torn), -1);
			assert_int_equal(read_back(&s, 0, &torn), -1);
			continue;
		}
		whole = (cut >= first_len + second) +
		    (cut >= first_len + second + third);
		for (int sure = 0; sure < 2; sure++) {
			assert_int_equal(read_back(&s, sure, &torn), 0);
			assert_string_equal(s.text, prefix[whole]);
			assert_int_equal(torn,
			    cut - first_len - (whole > 0 ? second : 0) -
				(whole > 1 ? third : 0));
		}
	}
	free(data);
}

/* A power cut leaves garbage of any length; in the same boot that is damage. */
static void
garbage(void **state)
{
	struct framelog f;
	struct seen s;
	size_t len, torn;
	char *data, more[256];

	(void)state;
	write_log(&f);
	framelog_clear(&f);
	data = load(&len);
	memcpy(more, data, len);
	for (size_t n = 1; n < 60; n++) {
		memset(more + len, 0, n);
		store(more, len + n);
		assert_int_equal(read_back(&s, 0, &torn), 0);
		assert_string_equal(s.text, "head 1|first|second|third");
		assert_int_equal(torn, n);
		if (n >= 12)
			assert_int_equal(read_back(&s, 1, &torn), -1);
	}
	free(data);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(round_trip, setup, teardown),
	    cmocka_unit_test_setup_teardown(no_file, setup, teardown),
	    cmocka_unit_test_setup_teardown(every_bit, setup, teardown),
	    cmocka_unit_test_setup_teardown(every_cut, setup, teardown),
	    cmocka_unit_test_setup_teardown(garbage, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
