#include "common/prog.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/atomicfile.h"
#include "common/log.h"
#include "common/xmalloc.h"

/* --- options */

/* Values of long options without a letter: above all letters. */
#define VALUE_ROW 0x100
#define VALUE_HELP 0x10000
#define VALUE_VERSION 0x10001

#define HELP_COLUMN 26

/* The table as getopt_long(3) wants it. */
struct getopt_table {
	char *letters;
	struct option *names;
};

static int
is_end(const struct prog_opt *o)
{
	return o->letter == 0 && o->name == NULL;
}

static void
make_getopt(struct getopt_table *g, const struct prog_opt *table)
{
	size_t n = 0, i, nletters = 0, nnames = 0;

	while (!is_end(&table[n]))
		n++;
	g->letters = xcalloc(2 * n + 2, 1);
	g->names = xcalloc(n + 3, sizeof(*g->names));
	/* ':' first: tell a missing argument from an unknown option. */
	g->letters[nletters++] = ':';
	for (i = 0; i < n; i++) {
		if (table[i].letter != 0) {
			g->letters[nletters++] = table[i].letter;
			if (table[i].arg != NULL)
				g->letters[nletters++] = ':';
		}
		if (table[i].name != NULL)
			g->names[nnames++] = (struct option){table[i].name,
			    table[i].arg != NULL, NULL, VALUE_ROW + (int)i};
	}
	g->names[nnames++] = (struct option){"help", 0, NULL, VALUE_HELP};
	g->names[nnames++] = (struct option){"version", 0, NULL, VALUE_VERSION};
}

static void
option_column(const struct prog_opt *o, char *buf, size_t size)
{
	char letter[3] = {
	    o->letter != 0 ? '-' : ' ', o->letter != 0 ? o->letter : ' ', '\0'};
	const char *name = o->name != NULL ? o->name : "";
	const char *gap = o->letter != 0 ? ", --" : "  --";

	snprintf(buf, size, "  %s%s%s%s%s", letter, *name != '\0' ? gap : "",
	    name, o->arg != NULL ? " " : "", o->arg != NULL ? o->arg : "");
}

static void
print_option(FILE *fp, const struct prog_opt *o)
{
	char left[80];

	option_column(o, left, sizeof(left));
	if (strlen(left) < HELP_COLUMN)
		fprintf(fp, "%-*s%s\n", HELP_COLUMN, left, o->help);
	else
		fprintf(fp, "%s\n%*s%s\n", left, HELP_COLUMN, "", o->help);
}

void
prog_print_usage(
    const struct prog_usage *usage, const struct prog_opt *table, int help)
{
	static const struct prog_opt added[] = {
	    {0, "help", NULL, "print this and exit", NULL},
	    {0, "version", NULL, "print the version and exit", NULL},
	};
	FILE *fp = help ? stdout : stderr;

	fprintf(fp, "usage: %s %s\n%s\n\n", usage->name, usage->synopsis,
	    usage->purpose);
	for (; !is_end(table); table++)
		print_option(fp, table);
	print_option(fp, &added[0]);
	print_option(fp, &added[1]);
}

static _Noreturn void
usage_error(
    const struct prog_usage *usage, const char *what, const char *reason)
{
	fprintf(stderr, "%s: option %s: %s\n", usage->name, what, reason);
	fprintf(stderr, "usage: %s %s\n", usage->name, usage->synopsis);
	fprintf(stderr, "Try '%s --help' for the options.\n", usage->name);
	exit(usage->exit_code);
}

static _Noreturn void
finish_output(void)
{
	if (fflush(stdout) == EOF)
		exit(EXIT_TEMPORARY);
	exit(EXIT_DONE);
}

/* How the option that getopt returned V for was written on the command line:
 * for a complaint. */
static const char *
option_spelling(int v, char **argv, char buf[3])
{
	if (v > 0 && v < VALUE_ROW) {
		snprintf(buf, 3, "-%c", v);
		return buf;
	}
	return argv[optind - 1];
}

static const struct prog_opt *
find_row(const struct prog_opt *table, int v)
{
	if (v >= VALUE_ROW)
		return &table[v - VALUE_ROW];
	while (table->letter != v)
		table++;
	return table;
}

static void
one_option(const struct prog_usage *usage, const struct prog_opt *table, int v,
    char **argv, void *ctx)
{
	const struct prog_opt *row;
	const char *reason;
	char buf[80], letter[3];

	if (v == VALUE_HELP) {
		prog_print_usage(usage, table, 1);
		finish_output();
	}
	if (v == VALUE_VERSION) {
		printf("%s %s\n", usage->name, VERSION);
		finish_output();
	}
	if (v == '?' || v == ':')
		usage_error(usage,
		    option_spelling(
			optopt < VALUE_ROW ? optopt : 0, argv, letter),
		    v == ':' ? "needs an argument"
			     : "unknown, ambiguous, or takes no argument");
	row = find_row(table, v);
	reason = row->set(ctx, row->arg != NULL ? optarg : NULL);
	if (reason == NULL)
		return;
	option_column(row, buf, sizeof(buf));
	usage_error(usage, buf + strspn(buf, " "), reason);
}

/* A socket or file that got the number of a closed standard stream would be
 * read or printed into.  Open, but the wrong way, so that its use is an error. */
static void
fill_standard_fds(void)
{
	static const int flags[] = {O_WRONLY, O_RDONLY, O_RDONLY};

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) == -1 &&
		    open("/dev/null", flags[fd]) != fd)
			_exit(EXIT_TEMPORARY);
	}
}

int
prog_options(const struct prog_usage *usage, const struct prog_opt *table,
    int argc, char **argv, void *ctx)
{
	/* static: not lost to leak checkers when an option exits */
	static struct getopt_table g;
	int v;

	fill_standard_fds();
	make_getopt(&g, table);
	opterr = 0;
	optind = 0; /* glibc: begin anew, also for a second call */
	while ((v = getopt_long(argc, argv, g.letters, g.names, NULL)) != -1)
		one_option(usage, table, v, argv, ctx);
	free(g.letters);
	free(g.names);
	return optind;
}

/* --- the loop */

struct event_base *
prog_base(void)
{
	struct event_base *base = event_base_new();

	if (base == NULL)
		log_fatal(EXIT_TEMPORARY, "cannot make an event base");
	signal(SIGPIPE, SIG_IGN);
	return base;
}

struct event *
prog_signal(struct event_base *base, int signo, void (*cb)(int, short, void *),
    void *arg)
{
	struct event *ev = evsignal_new(base, signo, cb, arg);

	if (ev == NULL || event_add(ev, NULL) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot watch for signal %d", signo);
	return ev;
}

int
prog_exit_code(int error)
{
	static const int passing[] = {ENOSPC, EDQUOT, EIO, EINTR, EAGAIN,
	    ENOMEM, EMFILE, ENFILE, EBUSY, ETIMEDOUT, ESTALE, EADDRNOTAVAIL,
	    EADDRINUSE};

	for (size_t i = 0; i < sizeof(passing) / sizeof(passing[0]); i++) {
		if (error == passing[i])
			return EXIT_TEMPORARY;
	}
	return EXIT_PERMANENT;
}

struct serving {
	struct event_base *base;
	void (*hup)(void *arg);
	void *arg;
	int stopped;
};

static void
on_stop(int signo, short what, void *arg)
{
	struct serving *s = arg;

	(void)signo;
	(void)what;
	s->stopped = 1;
	event_base_loopbreak(s->base);
}

static void
on_hup(int signo, short what, void *arg)
{
	struct serving *s = arg;

	(void)signo;
	(void)what;
	s->hup(s->arg);
}

int
prog_serve(struct event_base *base, void (*hup)(void *arg), void *arg)
{
	struct serving s = {base, hup, arg, 0};
	struct event *signals[] = {
	    prog_signal(base, SIGTERM, on_stop, &s),
	    prog_signal(base, SIGINT, on_stop, &s),
	    prog_signal(base, SIGHUP, on_hup, &s),
	};

	prog_ready();
	event_base_dispatch(base);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		event_free(signals[i]);
	return s.stopped;
}

/* --- daemon */

/* The write end of the pipe to the waiting parent; -1 in the foreground. */
static int ready_fd = -1;

/* The parent: 0 when a byte comes, else the child's own exit code. */
static _Noreturn void
wait_for_child(int fd, pid_t pid)
{
	char byte;
	ssize_t n;
	int status;

	do
		n = read(fd, &byte, 1);
	while (n == -1 && errno == EINTR);
	if (n == 1)
		_exit(EXIT_DONE);
	if (waitpid(pid, &status, 0) == pid && WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	_exit(EXIT_TEMPORARY);
}

static int
null_to(int fd, int flags)
{
	int null = open("/dev/null", flags | O_CLOEXEC), rc;

	if (null == -1)
		return -1;
	rc = dup2(null, fd);
	if (null != fd)
		close(null);
	return rc == -1 ? -1 : 0;
}

void
prog_daemon(void)
{
	int fds[2];
	pid_t pid;

	fflush(NULL);
	if (pipe2(fds, O_CLOEXEC) == -1 || (pid = fork()) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot go to the background: %s",
		    strerror(errno));
	if (pid != 0) {
		close(fds[1]);
		wait_for_child(fds[0], pid);
	}
	close(fds[0]);
	ready_fd = fds[1];
	if (setsid() == -1 || null_to(STDIN_FILENO, O_RDONLY) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot go to the background: %s",
		    strerror(errno));
}

void
prog_ready(void)
{
	if (ready_fd == -1)
		return;
	/* A log file given by redirection stays; a terminal is let go of. */
	if (isatty(STDOUT_FILENO))
		null_to(STDOUT_FILENO, O_WRONLY);
	if (isatty(STDERR_FILENO))
		null_to(STDERR_FILENO, O_WRONLY);
	while (write(ready_fd, "", 1) == -1 && errno == EINTR)
		continue;
	close(ready_fd);
	ready_fd = -1;
}

int
prog_pidfile(const char *path)
{
	char buf[32];
	int n = snprintf(buf, sizeof(buf), "%ld\n", (long)getpid());

	return atomicfile_write(AT_FDCWD, path, buf, (size_t)n, 0644);
}

/* --- privileges */

/* Permitted and effective capabilities become CAPS; nothing is inherited. */
static int
set_caps(unsigned long long caps)
{
	struct __user_cap_header_struct h = {
	    .version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {
	    {.effective = (uint32_t)caps, .permitted = (uint32_t)caps},
	    {.effective = (uint32_t)(caps >> 32),
		.permitted = (uint32_t)(caps >> 32)}};

	return (int)syscall(SYS_capset, &h, d);
}

const char *
prog_drop(const char *user, unsigned long long keep)
{
	const struct passwd *pw = getpwnam(user);

	if (pw == NULL)
		return "no such user";
	if (geteuid() != 0)
		return geteuid() == pw->pw_uid ? NULL
					       : "only root can become a user";
	if (keep != 0 && prctl(PR_SET_KEEPCAPS, 1L) == -1)
		return "cannot keep capabilities over setuid";
	if (setgroups(1, &pw->pw_gid) == -1)
		return "setgroups failed";
	if (setgid(pw->pw_gid) == -1)
		return "setgid failed";
	if (setuid(pw->pw_uid) == -1)
		return "setuid failed";
	if (set_caps(keep) == -1)
		return "cannot set capabilities";
	prctl(PR_SET_KEEPCAPS, 0L);
	if (pw->pw_uid != 0 && setuid(0) == 0)
		return "privileges could be taken back";
	return NULL;
}
