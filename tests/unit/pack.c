/*
 * pack: there and back to the byte; one member; whatever a kill left behind;
 * a damaged file is not unpacked.
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
#include <unistd.h>

#include <cmocka.h>

#include "datasort/datasort.h"

#define FILE_PATH "archive/1/f.warts"

static char top[128];
static int root;

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
	strcpy(top, "/tmp/pack-test-XXXXXX");
	if (mkdtemp(top) == NULL)
		return -1;
	root = open(top, O_RDONLY | O_DIRECTORY);
	return mkdirat(root, "archive", 0755) == -1 ||
	    mkdirat(root, "archive/1", 0755) == -1;
}

static int
teardown(void **state)
{
	(void)state;
	close(root);
	return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void
put(const char *path, const void *p, size_t len)
{
	int fd;

	unlinkat(root, path, 0);
	fd = openat(root, path, O_WRONLY | O_CREAT | O_EXCL, 0644);
	assert_int_equal(write(fd, p, len), (ssize_t)len);
	close(fd);
}

static size_t
get(const char *path, void *p, size_t max)
{
	int fd = openat(root, path, O_RDONLY);
	ssize_t n;

	if (fd == -1)
		return SIZE_MAX;
	n = read(fd, p, max);
	close(fd);
	return (size_t)n;
}

static void
test_there_and_back(void **state)
{
	static const size_t lengths[] = {0, 1, 100, 65535, 65536, 300000};
	static uint8_t data[300000], back[300001];
	struct stat st;

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * i >> 7);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		put(FILE_PATH, data, lengths[i]);
		assert_int_equal(pack_file(root, FILE_PATH), 0);
		assert_int_equal(get(FILE_PATH, back, 1), SIZE_MAX);
		assert_int_equal(fstatat(root, FILE_PATH ".gz", &st, 0), 0);
		assert_int_equal(st.st_mode & 0777, 0444);
		/* Done already: nothing. */
		assert_int_equal(pack_file(root, FILE_PATH), 0);
		assert_int_equal(pack_undo(root, FILE_PATH), 0);
		assert_int_equal(get(FILE_PATH ".gz", back, 1), SIZE_MAX);
		assert_int_equal(
		    get(FILE_PATH, back, sizeof(back)), lengths[i]);
		assert_memory_equal(data, back, lengths[i]);
		assert_int_equal(pack_undo(root, FILE_PATH), 0);
	}
}

static void
test_leftovers(void **state)
{
	uint8_t back[100];

	(void)state;
	/* Both, and a temp: the plain one is meant. */
	put(FILE_PATH, "new", 3);
	put(FILE_PATH ".gz", "old", 3);
	put(FILE_PATH ".gz.tmp", "torn", 4);
	assert_int_equal(pack_file(root, FILE_PATH), 0);
	put(FILE_PATH ".tmp", "torn", 4);
	assert_int_equal(pack_undo(root, FILE_PATH), 0);
	assert_int_equal(get(FILE_PATH, back, 100), 3);
	assert_memory_equal(back, "new", 3);
	/* Of a file that is not there no directory is made. */
	assert_int_equal(pack_undo(root, "archive/2/f.warts"), 0);
	assert_int_equal(faccessat(root, "archive/2", F_OK, 0), -1);
}

static void
test_damage(void **state)
{
	uint8_t gz[1000], bad[1001];
	size_t len;

	(void)state;
	put(FILE_PATH, "some text, some text", 20);
	assert_int_equal(pack_file(root, FILE_PATH), 0);
	len = get(FILE_PATH ".gz", gz, sizeof(gz));
	for (size_t cut = 0; cut < len; cut++) {
		put(FILE_PATH ".gz", gz, cut);
		assert_int_equal(pack_undo(root, FILE_PATH), -1);
		assert_int_equal(errno, EBADMSG);
		assert_int_equal(get(FILE_PATH, bad, 1), SIZE_MAX);
	}
	memcpy(bad, gz, len);
	bad[len] = 0;
	put(FILE_PATH ".gz", bad, len + 1);
	assert_int_equal(pack_undo(root, FILE_PATH), -1);
	/* From the compressed bytes on, with their CRC. */
	for (size_t i = 10; i < len; i++) {
		memcpy(bad, gz, len);
		bad[i] ^= 0x10;
		put(FILE_PATH ".gz", bad, len);
		assert_int_equal(pack_undo(root, FILE_PATH), -1);
	}
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    T(test_there_and_back),
	    T(test_leftovers),
	    T(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
