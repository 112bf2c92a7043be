/*
 * atomicfile: the old or the new content, also for a reader that looks all the
 * time while a writer is killed again and again; errors leave the old content;
 * locks exclude and go with their descriptor.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "common/atomicfile.h"
#include "tests/unit/tmpdir.h"

static char dir[128];
static int dirfd_;

static int
make_dir(void **state)
{
	(void)state;
	if (tmpdir_make(dir, sizeof(dir)) == -1)
		return -1;
	dirfd_ = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return dirfd_ == -1;
}

static int
remove_dir(void **state)
{
	(void)state;
	close(dirfd_);
	return tmpdir_remove(dir);
}

static void
holds(const char *path, const char *want)
{
	char *data;
	size_t len;

	assert_int_equal(atomicfile_read(dirfd_, path, 100, &data, &len), 0);
	assert_int_equal(len, strlen(want));
	assert_string_equal(data, want); /* so it is NUL-terminated */
	free(data);
}

static int
exists(const char *path)
{
	return faccessat(dirfd_, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
writes_and_replaces(void **state)
{
	struct stat st;
	char path[192];

	(void)state;
	assert_int_equal(atomicfile_write(dirfd_, "f", "one", 3, 0600), 0);
	holds("f", "one");
	assert_int_equal(fstatat(dirfd_, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	/* A temporary file left by one that was killed is no hindrance. */
	assert_int_equal(atomicfile_write(dirfd_, "f.tmp", "dead", 4, 0600), 0);
	assert_int_equal(atomicfile_write(dirfd_, "f", "", 0, 0600), 0);
	holds("f", "");
	assert_false(exists("f.tmp"));
	close(atomicfile_mkdir(dirfd_, "sub", 0700));
	assert_int_equal(atomicfile_write(dirfd_, "sub/f", "two", 3, 0600), 0);
	holds("sub/f", "two");
	snprintf(path, sizeof(path), "%s/f", dir);
	assert_int_equal(atomicfile_write(AT_FDCWD, path, "abs", 3, 0600), 0);
	holds("f", "abs");
}

/* Whatever fails, the old content stays and no temporary file. */
static void
failure_keeps_the_old(void **state)
{
	struct rlimit old, tiny = {.rlim_cur = 4};
	char name[5000];

	(void)state;
	assert_int_equal(atomicfile_write(dirfd_, "f", "old", 3, 0600), 0);
	/* No room: the write is short, then fails. */
	getrlimit(RLIMIT_FSIZE, &old);
	tiny.rlim_max = old.rlim_max;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &tiny), 0);
	assert_int_equal(atomicfile_write(dirfd_, "f", "longer", 6, 0600), -1);
	assert_int_equal(errno, EFBIG);
	setrlimit(RLIMIT_FSIZE, &old);
	holds("f", "old");
	assert_false(exists("f.tmp"));
	/* The temporary name is taken by a link to elsewhere. */
	assert_int_equal(symlinkat("g", dirfd_, "f.tmp"), 0);
	assert_int_equal(atomicfile_write(dirfd_, "f", "new", 3, 0600), -1);
	assert_false(exists("g"));
	holds("f", "old");

	assert_int_equal(atomicfile_write(dirfd_, "no/f", "x", 1, 0600), -1);
	assert_int_equal(errno, ENOENT);
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(atomicfile_write(dirfd_, name, "x", 1, 0600), -1);
	assert_int_equal(errno, ENAMETOOLONG);
	assert_int_equal(atomicfile_write(-1, "f", "x", 1, 0600), -1);
	assert_int_equal(errno, EBADF);
}

#define BIG 300000

static _Noreturn void
write_for_ever(void)
{
	static char data[BIG];

	for (char c = 'a';; c = c == 'z' ? 'a' : (char)(c + 1)) {
		memset(data, c, sizeof(data));
		atomicfile_write(dirfd_, "f", data, sizeof(data), 0600);
	}
}

static void
check_whole(void)
{
	char *data;
	size_t len;

	assert_int_equal(atomicfile_read(dirfd_, "f", BIG, &data, &len), 0);
	assert_int_equal(len, BIG);
	for (size_t k = 0; k < len; k++)
		assert_true(data[k] == data[0]);
	free(data);
}

static void
a_kill_tears_nothing(void **state)
{
	static char first[BIG];
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(
	    atomicfile_write(dirfd_, "f", first, sizeof(first), 0600), 0);
	for (int i = 0; i < 20; i++) {
		pid = fork();
		if (pid == 0)
			write_for_ever();
		for (int k = 0; k <= i % 5; k++)
			check_whole();
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		assert_int_equal(WTERMSIG(status), SIGKILL);
		check_whole();
	}
}

static void
reads_up_to_a_bound(void **state)
{
	static const size_t sizes[] = {
	    0, 1, 4094, 4095, 4096, 4097, 8191, 8192, 100000};
	static char data[100000];
	char *got = NULL;
	size_t len = 0;

	(void)state;
	memset(data, 'x', sizeof(data));
	for (size_t i = 0; i < LEN(sizes); i++) {
		assert_int_equal(
		    atomicfile_write(dirfd_, "f", data, sizes[i], 0600), 0);
		assert_int_equal(
		    atomicfile_read(dirfd_, "f", sizes[i], &got, &len), 0);
		assert_int_equal(len, sizes[i]);
		assert_memory_equal(got, data, len);
		assert_int_equal(got[len], '\0');
		free(got);
		if (sizes[i] == 0)
			continue;
		assert_int_equal(
		    atomicfile_read(dirfd_, "f", sizes[i] - 1, &got, &len), -1);
		assert_int_equal(errno, EFBIG);
	}
	assert_int_equal(atomicfile_read(dirfd_, "no", 9, &got, &len), -1);
	assert_int_equal(errno, ENOENT);
	assert_int_equal(atomicfile_read(dirfd_, ".", 9, &got, &len), -1);
	assert_int_equal(errno, EISDIR);
}

static void
renames_and_unlinks(void **state)
{
	int sub = atomicfile_mkdir(dirfd_, "sub", 0700);

	(void)state;
	assert_true(sub != -1);
	assert_int_equal(fcntl(sub, F_GETFD), FD_CLOEXEC);
	atomicfile_write(dirfd_, "f", "x", 1, 0600);
	assert_int_equal(atomicfile_rename(dirfd_, "f", sub, "g"), 0);
	assert_false(exists("f"));
	holds("sub/g", "x");
	assert_int_equal(atomicfile_rename(dirfd_, "sub/g", dirfd_, "g"), 0);
	assert_int_equal(atomicfile_rename(dirfd_, "g", dirfd_, "f"), 0);
	holds("f", "x");
	assert_int_equal(atomicfile_rename(dirfd_, "no", dirfd_, "f"), -1);
	assert_int_equal(errno, ENOENT);
	holds("f", "x");

	assert_int_equal(atomicfile_unlink(dirfd_, "f"), 0);
	assert_false(exists("f"));
	assert_int_equal(atomicfile_unlink(dirfd_, "f"), 0);
	assert_int_equal(atomicfile_unlink(dirfd_, "sub"), -1);
	assert_int_equal(atomicfile_syncdir(dirfd_), 0);
	assert_int_equal(atomicfile_syncdir(-1), -1);
	close(sub);
}

static void
mkdir_takes_what_is_there(void **state)
{
	int a = atomicfile_mkdir(dirfd_, "sub", 0700);
	int b = atomicfile_mkdir(dirfd_, "sub", 0700);

	(void)state;
	assert_true(a != -1 && b != -1);
	close(a);
	close(b);
	atomicfile_write(dirfd_, "f", "x", 1, 0600);
	assert_int_equal(atomicfile_mkdir(dirfd_, "f", 0700), -1);
	assert_int_equal(errno, ENOTDIR);
	assert_int_equal(atomicfile_mkdir(dirfd_, "no/sub", 0700), -1);
	assert_int_equal(errno, ENOENT);
}

static void
locks_exclude(void **state)
{
	int a = atomicfile_lock(dirfd_, "lock"), b;

	(void)state;
	assert_true(a != -1);
	assert_int_equal(fcntl(a, F_GETFD), FD_CLOEXEC);
	assert_int_equal(atomicfile_lock(dirfd_, "lock"), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	b = openat(dirfd_, "lock", O_RDWR | O_CLOEXEC);
	assert_int_equal(atomicfile_lock_fd(b), -1);
	assert_int_equal(errno, EWOULDBLOCK);
	assert_int_equal(atomicfile_lock_fd(a), 0); /* one's own */
	close(a);
	assert_int_equal(atomicfile_lock_fd(b), 0);
	close(b);
	assert_int_equal(atomicfile_lock(dirfd_, "no/lock"), -1);
	assert_int_equal(errno, ENOENT);
}

#define with_dir(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    with_dir(writes_and_replaces),
	    with_dir(failure_keeps_the_old),
	    with_dir(a_kill_tears_nothing),
	    with_dir(reads_up_to_a_bound),
	    with_dir(renames_and_unlinks),
	    with_dir(mkdir_takes_what_is_there),
	    with_dir(locks_exclude),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
