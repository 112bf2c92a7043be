/*
 * prog: the option table as users see it, signals in the loop, a daemon's exit
 * codes, and that dropped privileges are gone.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <event2/event.h>

#include "common/log.h"
#include "common/prog.h"

/* --- options */

struct options {
	char seen[256];
};

static const char *
note(void *ctx, const char *name, const char *arg)
{
	struct options *o = ctx;
	size_t n = strlen(o->seen);

	snprintf(o->seen + n, sizeof(o->seen) - n, "%s=%s ", name,
	    arg != NULL ? arg : "-");
	return NULL;
}

static const char *
set_v(void *ctx, const char *arg)
{
	return note(ctx, "v", arg);
}

static const char *
set_rate(void *ctx, const char *arg)
{
	if (strcmp(arg, "0") == 0)
		return "not a rate";
	return note(ctx, "rate", arg);
}

static const char *
set_long(void *ctx, const char *arg)
{
	return note(ctx, "long", arg);
}

static const char *
set_flag(void *ctx, const char *arg)
{
	return note(ctx, "flag", arg);
}

static const char *
set_short(void *ctx, const char *arg)
{
	return note(ctx, "short", arg);
}

static const struct prog_opt table[] = {
    {'v', "verbose", NULL, "say more", set_v},
    {'p', "rate", "PPS", "packets per second", set_rate},
    {0, "long-name-that-needs-a-line", "X", "its help", set_long},
    {0, "flag", NULL, "a flag", set_flag},
    {'s', NULL, "Y", "short only", set_short},
    {0},
};

static const struct prog_usage usage = {
    "t", "[options] FILE", "Does nothing.", 64};

#define ARGS_MAX 8

struct call {
	const char *argv[ARGS_MAX];
	int out_fd;
};

static void
call_options(void *arg)
{
	const struct call *call = arg;
	struct options o = {""};
	char *argv[ARGS_MAX + 1] = {"t"};
	int argc = 1, first;

	while (call->argv[argc - 1] != NULL) {
		argv[argc] = (char *)call->argv[argc - 1];
		argc++;
	}
	dup2(call->out_fd, STDOUT_FILENO);
	dup2(call->out_fd, STDERR_FILENO);
	first = prog_options(&usage, table, argc, argv, &o);
	printf("%s|", o.seen);
	for (int i = first; i < argc; i++)
		printf(" %s", argv[i]);
	fflush(stdout);
}

/* Exit code of prog_options and, in BUF, what was printed. */
static int
try_options(const struct call *row, char *buf, size_t size)
{
	struct call call = *row;
	FILE *fp = tmpfile();
	int status;
	ssize_t n;

	assert_non_null(fp);
	call.out_fd = fileno(fp);
	status = dies(call_options, &call);
	assert_true(WIFEXITED(status));
	n = pread(fileno(fp), buf, size - 1, 0);
	buf[n > 0 ? n : 0] = '\0';
	fclose(fp);
	return WEXITSTATUS(status);
}

static void
options(void **state)
{
	static const struct {
		struct call call;
		int code;
		const char *out; /* the beginning */
	} rows[] = {
	    {{{0}, 0}, 0, "|"},
	    {{{"f"}, 0}, 0, "| f"},
	    {{{"-v", "f"}, 0}, 0, "v=- | f"},
	    {{{"f", "-v", "g"}, 0}, 0, "v=- | f g"},
	    {{{"-vvp", "5", "f"}, 0}, 0, "v=- v=- rate=5 | f"},
	    {{{"-p5"}, 0}, 0, "rate=5 |"},
	    {{{"--rate", "5"}, 0}, 0, "rate=5 |"},
	    {{{"--rate=5"}, 0}, 0, "rate=5 |"},
	    {{{"--rat=5", "--verb"}, 0}, 0, "rate=5 v=- |"},
	    {{{"--flag", "--long-name-that-needs-a-line", "-x"}, 0}, 0,
		"flag=- long=-x |"},
	    {{{"-s", "y"}, 0}, 0, "short=y |"},
	    {{{"-v", "--", "-v"}, 0}, 0, "v=- | -v"},
	    {{{"-"}, 0}, 0, "| -"},
	    {{{"-x"}, 0}, 64, "t: option -x: unknown"},
	    {{{"-vx"}, 0}, 64, "t: option -x: unknown"},
	    {{{"-p"}, 0}, 64, "t: option -p: needs an argument"},
	    {{{"--rate"}, 0}, 64, "t: option --rate: needs an argument"},
	    {{{"--no"}, 0}, 64, "t: option --no: unknown"},
	    {{{"--flag=1"}, 0}, 64, "t: option --flag=1: unknown"},
	    {{{"-p", "0"}, 0}, 64, "t: option -p, --rate PPS: not a rate"},
	    {{{"--version"}, 0}, 0, "t " VERSION "\n"},
	    {{{"--help", "-x"}, 0}, 0,
		"usage: t [options] FILE\nDoes nothing.\n\n"
		"  -v, --verbose           say more\n"
		"  -p, --rate PPS          packets per second\n"
		"      --long-name-that-needs-a-line X\n"
		"                          its help\n"
		"      --flag              a flag\n"
		"  -s Y                    short only\n"
		"      --help              print this and exit\n"
		"      --version           print the version and exit\n"},
	};
	char buf[2048];

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].out);
		assert_int_equal(
		    try_options(&rows[i].call, buf, sizeof(buf)), rows[i].code);
		buf[strlen(rows[i].out)] = '\0';
		assert_string_equal(buf, rows[i].out);
	}
}

static void
an_error_says_how_to_get_help(void **state)
{
	static const struct call call = {{"-x"}, 0};
	char buf[2048];

	(void)state;
	try_options(&call, buf, sizeof(buf));
	assert_non_null(strstr(buf, "usage: t [options] FILE\n"));
	assert_non_null(strstr(buf, "Try 't --help'"));
}

/* --- the loop */

static void
on_signal(int signo, short what, void *arg)
{
	(void)what;
	*(int *)arg = signo;
}

static void
close_and_parse(void *arg)
{
	char *argv[] = {"t", NULL};
	struct options o = {""};
	int fd = *(int *)arg;
	char c = 0;

	close(fd);
	prog_options(&usage, table, 1, argv, &o);
	if (open("/dev/null", O_RDWR) <= STDERR_FILENO)
		_exit(1);
	if (fd == STDIN_FILENO ? read(fd, &c, 1) != -1 : write(fd, &c, 1) != -1)
		_exit(2);
	_exit(errno == EBADF ? 0 : 3);
}

static void
closed_streams_are_nobody_elses(void **state)
{
	static const char *const names[] = {"input", "output", "error"};
	int status;

	(void)state;
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		row_is(names[fd]);
		status = dies(close_and_parse, &fd);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

static void
signals_come_in_the_loop(void **state)
{
	struct event_base *base = prog_base();
	struct event *ev;
	int seen = 0, fds[2];

	(void)state;
	ev = prog_signal(base, SIGUSR1, on_signal, &seen);
	raise(SIGUSR1);
	assert_int_equal(seen, 0);
	event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(seen, SIGUSR1);
	event_free(ev);
	event_base_free(base);
	/* SIGPIPE does not kill. */
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);
	assert_int_equal(write(fds[1], "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	close(fds[1]);
}

static void
codes_of_errors(void **state)
{
	(void)state;
	assert_int_equal(prog_exit_code(ENOSPC), EXIT_TEMPORARY);
	assert_int_equal(prog_exit_code(EIO), EXIT_TEMPORARY);
	assert_int_equal(prog_exit_code(EMFILE), EXIT_TEMPORARY);
	assert_int_equal(prog_exit_code(ENOENT), EXIT_PERMANENT);
	assert_int_equal(prog_exit_code(EACCES), EXIT_PERMANENT);
	assert_int_equal(prog_exit_code(ENOTDIR), EXIT_PERMANENT);
}

static int hups;

static void
on_hup(void *arg)
{
	assert_ptr_equal(arg, &hups);
	/* The second one sees the first before it: the loop went on. */
	raise(hups++ == 0 ? SIGHUP : SIGTERM);
}

static void
break_loop(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	event_base_loopbreak(arg);
}

static void
raise_hup(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	(void)arg;
	raise(SIGHUP);
}

static void
serves_until_stopped(void **state)
{
	static const struct timeval now = {0, 0};
	struct event_base *base = prog_base();

	(void)state;
	event_base_once(base, -1, EV_TIMEOUT, break_loop, base, &now);
	assert_int_equal(prog_serve(base, on_hup, &hups), 0);
	assert_int_equal(hups, 0);
	event_base_once(base, -1, EV_TIMEOUT, raise_hup, NULL, &now);
	assert_true(prog_serve(base, on_hup, &hups));
	assert_int_equal(hups, 2);
	event_base_free(base);
}

/* --- daemon */

enum how { READY, EXITS, KILLED, FATAL };

struct daemon {
	enum how how;
	int fd; /* the daemon writes here that it lives on */
};

static void
become_daemon(void *arg)
{
	const struct daemon *d = arg;
	char byte = 'x';

	prog_daemon();
	switch (d->how) {
	case READY:
		prog_ready();
		prog_ready(); /* harmless */
		if (getsid(0) == getpid() && read(STDIN_FILENO, &byte, 1) == 0)
			byte = 'd';
		(void)!write(d->fd, &byte, 1);
		_exit(3);
	case EXITS:
		_exit(EXIT_PERMANENT);
	case KILLED:
		raise(SIGKILL);
		break;
	case FATAL:
		log_fatal(EXIT_TEMPORARY, "no network");
	}
}

static void
the_parent_tells_how_it_went(void **state)
{
	static const struct {
		enum how how;
		int code;
	} rows[] = {{READY, EXIT_DONE}, {EXITS, EXIT_PERMANENT},
	    {KILLED, EXIT_TEMPORARY}, {FATAL, EXIT_TEMPORARY}};
	int fds[2], status;
	char byte;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		struct daemon d = {.how = rows[i].how};

		assert_int_equal(pipe(fds), 0);
		d.fd = fds[1];
		status = dies(become_daemon, &d);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), rows[i].code);
		close(fds[1]);
		assert_int_equal(read(fds[0], &byte, 1), rows[i].how == READY);
		if (rows[i].how == READY)
			assert_int_equal(byte, 'd');
		close(fds[0]);
	}
	prog_ready(); /* in the foreground: nothing */
}

static void
pidfile(void **state)
{
	char dir[] = "/tmp/prog.XXXXXX", path[64], want[32], got[32] = "";
	mode_t old = umask(022);
	struct stat st;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/pid", dir);
	assert_int_equal(prog_pidfile(path), 0);
	umask(old);
	fd = open(path, O_RDONLY);
	assert_true(read(fd, got, sizeof(got) - 1) > 0);
	assert_int_equal(fstat(fd, &st), 0);
	close(fd);
	assert_int_equal(st.st_mode & 07777, 0644);
	snprintf(want, sizeof(want), "%ld\n", (long)getpid());
	assert_string_equal(got, want);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
	assert_int_equal(prog_pidfile(path), -1);
	assert_int_equal(errno, ENOENT);
}

/* --- privileges */

static int
has_cap(int cap, const char *set)
{
	char line[256], *end;
	unsigned long long mask = 0;
	FILE *fp = fopen("/proc/self/status", "r");

	while (fp != NULL && fgets(line, sizeof(line), fp) != NULL) {
		if (strncmp(line, set, strlen(set)) == 0)
			mask = strtoull(line + strlen(set) + 1, &end, 16);
	}
	if (fp != NULL)
		fclose(fp);
	return mask >> cap & 1;
}

/* Exit code: 0 all as promised, else the step that was not. */
static void
drop_and_look(void *arg)
{
	unsigned long long keep = *(unsigned long long *)arg;
	const struct passwd *pw = getpwnam("nobody");
	gid_t groups[8];

	if (pw == NULL)
		_exit(2);
	if (prog_drop("nobody", keep) != NULL)
		_exit(3);
	if (getuid() != pw->pw_uid || geteuid() != pw->pw_uid ||
	    getgid() != pw->pw_gid || getegid() != pw->pw_gid)
		_exit(4);
	if (getgroups(8, groups) != 1 || groups[0] != pw->pw_gid)
		_exit(5);
	if (setuid(0) == 0 || seteuid(0) == 0 || setgid(0) == 0)
		_exit(6);
	if (has_cap(CAP_NET_RAW, "CapEff:") != (keep != 0) ||
	    has_cap(CAP_NET_RAW, "CapPrm:") != (keep != 0))
		_exit(7);
	if (has_cap(CAP_DAC_OVERRIDE, "CapPrm:") ||
	    has_cap(CAP_SETUID, "CapPrm:") || has_cap(CAP_NET_RAW, "CapInh:"))
		_exit(8);
	/* Again, as the user it already is. */
	if (prog_drop("nobody", 0) != NULL || prog_drop("root", 0) == NULL)
		_exit(9);
}

static void
privileges_are_gone(void **state)
{
	static unsigned long long rows[] = {0, 1ULL << CAP_NET_RAW};

	(void)state;
	assert_string_equal(prog_drop("no such user", 0), "no such user");
	if (geteuid() != 0)
		skip(); /* only root has any to drop; tests/run says so */
	for (size_t i = 0; i < LEN(rows); i++)
		assert_int_equal(WEXITSTATUS(dies(drop_and_look, &rows[i])), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(options),
	    cmocka_unit_test(an_error_says_how_to_get_help),
	    cmocka_unit_test(closed_streams_are_nobody_elses),
	    cmocka_unit_test(signals_come_in_the_loop),
	    cmocka_unit_test(serves_until_stopped),
	    cmocka_unit_test(codes_of_errors),
	    cmocka_unit_test(the_parent_tells_how_it_went),
	    cmocka_unit_test(pidfile),
	    cmocka_unit_test(privileges_are_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
