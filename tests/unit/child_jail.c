/*
 * child_jail: what a child sees and may do inside.  Users and the network take
 * root; tests/net/listmgr-misbehave has the rest of them.
 */
#include "tests/unit/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/child_jail.h"

#define UID 1999999999 /* nobody's */

/* What SCRIPT prints in the jail J. */
static const char *
said(const struct child_jail *j, const char *script)
{
	static char buf[4096];
	size_t got = 0;
	ssize_t n;
	int fds[2];
	pid_t pid;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	if (pid == 0) {
		if (chdir("/usr") == -1 || child_jail_enter(j) != NULL)
			_exit(9);
		dup2(fds[1], STDOUT_FILENO);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(8);
	}
	close(fds[1]);
	while ((n = read(fds[0], buf + got, sizeof(buf) - 1 - got)) > 0)
		got += (size_t)n;
	buf[got] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return buf;
}

static void
environment(void **state)
{
	struct child_jail j = {0};

	(void)state;
	setenv("SECRET", "1", 1);
	setenv("PATH", "/usr/bin:/bin", 1);
	unsetenv("TZ");
	assert_string_equal(said(&j, "env | grep -v '^_=' | sort"),
	    "HOME=/usr\nLANG=C\nPATH=/usr/bin:/bin\nPWD=/usr\n");
}

static void
limits(void **state)
{
	struct child_jail j = {
	    .memory = 64 << 20, .file_size = 1 << 20, .processes = 7};

	(void)state;
	assert_string_equal(said(&j, "ulimit -v; ulimit -f; ulimit -c; nice"),
	    "65536\n2048\n0\n10\n");
	/* Without a user of its own it would count all processes of ours. */
	assert_string_equal(
	    said(&j, "[ \"$(ulimit -p)\" = 7 ] || echo no"), "no\n");
}

static void
user_and_network(void **state)
{
	struct child_jail j = {.uid = UID, .no_network = 1, .processes = 7};

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_string_equal(said(&j, "id -u; id -g; id -G; ulimit -p"),
	    "1999999999\n1999999999\n1999999999\n7\n");
	assert_string_equal(
	    said(&j, "tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' '"),
	    "lo\n");
}

/* Also what has gone into a session of its own. */
static void
sweep(void **state)
{
	struct child_jail j = {.uid = UID - 1};
	int fds[2];
	char c;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(pipe(fds), 0);
	said(&j,
	    "setsid sh -c 'exec >/dev/null; trap \"\" TERM; while :; do "
	    "sleep 1000; done' &");
	close(fds[1]);
	child_jail_sweep(&j);
	/* It held the other end. */
	assert_int_equal(read(fds[0], &c, 1), 0);
	close(fds[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(environment),
	    cmocka_unit_test(limits),
	    cmocka_unit_test(user_and_network),
	    cmocka_unit_test(sweep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
