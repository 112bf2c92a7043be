/*
 * chan_sock: addresses that are none, TCP, and unix sockets of the living and
 * the dead.
 */
#include "tests/unit/chan_user.h"

#include <sys/stat.h>

static void
bad_addresses_are_named(void **state)
{
	static const struct {
		const char *in, *why;
	} rows[] = {
	    {"", "neither"},
	    {"localhost", "neither"},
	    {"localhost:80", "not an IP"},
	    {":80", "not an IP"},
	    {"127.0.0.1:", "not a port"},
	    {"127.0.0.1:65536", "not a port"},
	    {"127.0.0.1:http", "not a port"},
	    {"::1:80", "brackets"},
	    {"[::1]", "brackets"},
	    {"[]:80", "not an IP"},
	    {"]:80", "not an IP"},
	    {"[:80", "not an IP"},
	    {"[::1]:x", "not a port"},
	};
	char path[300];
	const char *why;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].in);
		why = "";
		assert_int_equal(chan_listen(rows[i].in, &why), -1);
		assert_int_equal(errno, EINVAL);
		assert_non_null(strstr(why, rows[i].why));
		assert_int_equal(chan_connect(rows[i].in, &why), -1);
	}
	memset(path, '/', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(chan_listen(path, &why), -1);
	assert_non_null(strstr(why, "too long"));
}

/* A line from one end to the other. */
static void
talk(int server, int client)
{
	struct user u = {0};
	int fd = -1;

	assert_true(server != -1);
	assert_true(client != -1);
	assert_int_equal(fcntl(server, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fcntl(client, F_GETFD), FD_CLOEXEC);
	assert_true(fcntl(server, F_GETFL) & O_NONBLOCK);
	u.c = make(client, client, "server", &u);
	while ((fd = accept(server, NULL, NULL)) == -1)
		assert_int_equal(errno, EAGAIN);
	say(fd, "hello\n");
	event_base_loop(base, EVLOOP_ONCE);
	assert_string_equal(u.seen, "line(hello) ");
	done(&u, fd);
}

static void
listens_and_connects_over_tcp(void **state)
{
	const char *why = NULL;
	char address[32];
	int server = -1, again;

	(void)state;
	for (int port = 20000 + getpid() % 10000; server == -1; port++) {
		snprintf(address, sizeof(address), "127.0.0.1:%d", port);
		server = chan_listen(address, &why);
		assert_true(server != -1 || errno == EADDRINUSE);
	}
	again = chan_listen(address, &why);
	assert_int_equal(again, -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_string_equal(why, "cannot bind");
	talk(server, chan_connect(address, &why));
	close(server);
}

static void
replaces_a_stale_socket_only(void **state)
{
	char dir[] = "/tmp/chan.XXXXXX", path[64], file[64];
	const char *why = NULL;
	int a, b;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	snprintf(file, sizeof(file), "%s/f", dir);
	assert_int_equal(chan_connect(path, &why), -1);
	assert_int_equal(errno, ENOENT);
	a = chan_listen(path, &why);
	talk(a, chan_connect(path, &why));
	/* Alive: not to be taken. */
	assert_int_equal(chan_listen(path, &why), -1);
	assert_int_equal(errno, EADDRINUSE);
	close(a);
	/* Dead: to be replaced. */
	b = chan_listen(path, &why);
	talk(b, chan_connect(path, &why));
	close(b);
	/* A file is not a socket. */
	close(open(file, O_WRONLY | O_CREAT, 0600));
	assert_int_equal(chan_listen(file, &why), -1);
	assert_int_equal(errno, EADDRINUSE);
	assert_int_equal(access(file, F_OK), 0);
	unlink(path);
	unlink(file);
	assert_int_equal(rmdir(dir), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    with_base(bad_addresses_are_named),
	    with_base(listens_and_connects_over_tcp),
	    with_base(replaces_a_stale_socket_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
