#include "tests/fault/killat.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"

#define EXIT_NOT_HERE 125

#ifdef __x86_64__

enum action { KILL, FAIL, SHORTEN, SKIP };

static struct {
	const char *dir, *calls, *out;
	unsigned long n, seed;
	enum action action;
	int err; /* FAIL */
	int lasts; /* ... and all later ones */
	int64_t lasts_ns; /* ... for so long; 0: to the end */
	int power;
} opts = {.calls = "change"};

static pid_t pid;
static unsigned long count;
static int64_t first_ns; /* when the first of those that last was struck */
static char hit[PATH_MAX + 64] = "- -";
/* Behind the next exit from a call. */
static const struct calls_row *syncing;
static int fail_at_exit, restore_at_exit;
static struct user_regs_struct before;

static _Noreturn void
die(const char *what)
{
	perror(what);
	exit(EXIT_NOT_HERE);
}

/* --- which call is it ------------------------------------------------------ */

static int
in_dir(const char *path)
{
	size_t len = strlen(opts.dir);

	return strncmp(path, opts.dir, len) == 0 &&
	    (path[len] == '/' || path[len] == '\0');
}

/* What FD of the command leads to. */
static void
link_of(int fd, char *buf, size_t size)
{
	char name[64];
	ssize_t n;

	if (fd == AT_FDCWD)
		snprintf(name, sizeof(name), "/proc/%d/cwd", pid);
	else
		snprintf(name, sizeof(name), "/proc/%d/fd/%d", pid, fd);
	n = readlink(name, buf, size - 1);
	buf[n > 0 ? n : 0] = '\0';
}

static int
is_stream(int fd)
{
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), copy, type = 0;
	socklen_t len = sizeof(type);

	copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	if (copy != -1) {
		getsockopt(copy, SOL_SOCKET, SO_TYPE, &type, &len);
		close(copy);
	}
	close(pidfd);
	return type == SOCK_STREAM;
}

static void
string_at(unsigned long long address, char *buf, size_t size)
{
	struct iovec local = {buf, size - 1};
	struct iovec remote = {(void *)(uintptr_t)address, size - 1};
	ssize_t n;

	/* A string may lie at the end of what can be read. */
	do {
		n = process_vm_readv(pid, &local, 1, &remote, 1, 0);
		local.iov_len = remote.iov_len /= 2;
	} while (n == -1 && local.iov_len > 0);
	buf[n > 0 ? n : 0] = '\0';
}

/* The path that the call is about. */
static void
path_of(const struct calls_row *c, const struct user_regs_struct *r, char *buf,
    size_t size)
{
	char name[512];
	size_t len;
	int at = c->where == CALLS_AT1;

	link_of((int)(at ? r->rsi : r->rdi), buf, size);
	if (c->where == CALLS_FD)
		return;
	string_at(at ? r->rdx : r->rsi, name, sizeof(name));
	len = strlen(buf);
	if (name[0] == '/')
		snprintf(buf, size, "%s", name);
	else if (name[0] != '\0' && strcmp(name, ".") != 0)
		snprintf(buf + len, size - len, "/%s", name);
}

static int
is_ours(const struct calls_row *c, int fd, const char *path)
{
	if (c->where == CALLS_FD && strncmp(path, "socket:", 7) == 0)
		return is_stream(fd);
	return in_dir(path);
}

static int
in_list(const char *name)
{
	const char *p = strstr(opts.calls, name);
	size_t len = strlen(name);

	for (; p != NULL; p = strstr(p + 1, name)) {
		if ((p == opts.calls || p[-1] == ',') &&
		    (p[len] == ',' || p[len] == '\0'))
			return 1;
	}
	return 0;
}

static int
is_wanted(const struct calls_row *c, const struct user_regs_struct *r)
{
	int opens = c->nr == SYS_openat && (r->rdx & (O_CREAT | O_TRUNC));

	if (strcmp(opts.calls, "change") == 0)
		return opens || (c->flags & CALLS_CHANGE) != 0;
	return strcmp(opts.calls, "all") == 0 || in_list(c->name);
}

/* Can the call fail like that? */
static int
can_fail(const struct calls_row *c, const struct user_regs_struct *r,
    const char *path)
{
	int is_socket = strncmp(path, "socket:", 7) == 0;

	switch (opts.action) {
	case KILL:
	case SKIP:
		return 1;
	case SHORTEN:
		return (c->flags & CALLS_SHORT) != 0;
	case FAIL:
		break;
	}
	if (opts.err == EINTR)
		return (c->flags & CALLS_EINTR) != 0;
	if (is_socket)
		return 0;
	if (opts.err == EIO)
		return (c->flags & CALLS_EIO) != 0;
	if (c->nr == SYS_openat && !(r->rdx & O_CREAT))
		return 0;
	return (c->flags & CALLS_ENOSPC) != 0;
}

/* --- the strike ------------------------------------------------------------ */

static void
set_regs(const struct user_regs_struct *r)
{
	if (ptrace(PTRACE_SETREGS, pid, NULL, r) == -1)
		die("PTRACE_SETREGS");
}

/* The call is not made, and says RESULT. */
static void
answer(struct user_regs_struct *r, long long result)
{
	r->orig_rax = (unsigned long long)-1;
	r->rax = (unsigned long long)result;
	set_regs(r);
}

/* The bytes that a call of `write' and its kin would write. */
static long long
bytes_of(const struct calls_row *c, const struct user_regs_struct *r)
{
	struct iovec iov[16], local = {iov, sizeof(iov)}, remote;
	long long sum = 0;
	size_t n = r->rdx < 16 ? r->rdx : 16;

	if (!(c->flags & CALLS_WRITE))
		return 0;
	if (c->nr == SYS_write || c->nr == SYS_pwrite64)
		return (long long)r->rdx;
	local.iov_len = n * sizeof(iov[0]);
	remote = (struct iovec){(void *)(uintptr_t)r->rsi, local.iov_len};
	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) == -1)
		return 0;
	for (size_t i = 0; i < n; i++)
		sum += (long long)iov[i].iov_len;
	return sum;
}

/* Half of the bytes; of several buffers, half of the first that has any. */
static void
shorten(const struct calls_row *c, struct user_regs_struct *r)
{
	struct iovec iov = {NULL, 0}, local = {&iov, sizeof(iov)};
	struct iovec remote = {(void *)(uintptr_t)r->rsi, sizeof(iov)};

	before = *r;
	restore_at_exit = 1;
	if (c->nr == SYS_writev || c->nr == SYS_pwritev) {
		while (iov.iov_len == 0 &&
		    process_vm_readv(pid, &local, 1, &remote, 1, 0) > 0)
			remote.iov_base = (struct iovec *)remote.iov_base + 1;
		r->orig_rax = c->nr == SYS_writev ? SYS_write : SYS_pwrite64;
		r->rsi = (uintptr_t)iov.iov_base;
		r->rdx = iov.iov_len;
	}
	r->rdx = (r->rdx + 1) / 2;
	set_regs(r);
}

static void
report(void)
{
	FILE *f;

	if (opts.out == NULL)
		return;
	f = fopen(opts.out, "we");
	if (f == NULL || fprintf(f, "%lu %s\n", count, hit) < 0 ||
	    fclose(f) == EOF)
		die(opts.out);
}

static _Noreturn void
kill_it(struct user_regs_struct *r)
{
	int status;

	answer(r, -EINTR);
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status))
		continue;
	if (opts.power)
		power_cut((unsigned int)opts.seed);
	report();
	exit(128 + SIGKILL);
}

static void
strike(const struct calls_row *c, struct user_regs_struct *r, const char *path)
{
	snprintf(hit, sizeof(hit), "%s %s", c->name, path);
	switch (opts.action) {
	case KILL:
		kill_it(r);
	case FAIL:
		/* Linux closes whatever it says. */
		if (c->nr == SYS_close)
			fail_at_exit = 1;
		else
			answer(r, -opts.err);
		break;
	case SHORTEN:
		shorten(c, r);
		break;
	case SKIP:
		answer(r, bytes_of(c, r));
		break;
	}
}

/* --- the command ----------------------------------------------------------- */

/* Is this call, which counts, struck? */
static int
is_struck(void)
{
	if (count == opts.n) {
		first_ns = clock_mono_ns();
		return 1;
	}
	return opts.lasts && opts.n != 0 && count > opts.n &&
	    (opts.lasts_ns == 0 || clock_mono_ns() - first_ns < opts.lasts_ns);
}

/* At a call of the table.  How to go on. */
static enum __ptrace_request
on_call(void)
{
	struct user_regs_struct r;
	const struct calls_row *c;
	char path[PATH_MAX];
	int struck = 0;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &r) == -1)
		die("PTRACE_GETREGS");
	c = calls_find((long)r.orig_rax);
	if (c == NULL)
		return PTRACE_CONT;
	path_of(c, &r, path, sizeof(path));
	if (!is_ours(c, (int)r.rdi, path))
		return PTRACE_CONT;
	if (is_wanted(c, &r) && can_fail(c, &r, path) &&
	    (opts.action != SHORTEN || bytes_of(c, &r) > 1)) {
		count++;
		struck = is_struck();
		if (struck)
			strike(c, &r, path);
	}
	syncing = opts.power && !struck && (c->flags & CALLS_SYNC) ? c : NULL;
	return syncing != NULL || fail_at_exit || restore_at_exit
	    ? PTRACE_SYSCALL
	    : PTRACE_CONT;
}

static void
on_exit_from_call(void)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &r) == -1)
		die("PTRACE_GETREGS");
	if (syncing != NULL && r.rax == 0)
		power_synced(pid, (int)r.rdi);
	if (restore_at_exit) {
		r.rsi = before.rsi;
		r.rdx = before.rdx;
		set_regs(&r);
	}
	if (fail_at_exit) {
		r.rax = (unsigned long long)-opts.err;
		set_regs(&r);
	}
	syncing = NULL;
	restore_at_exit = fail_at_exit = 0;
}

static void
filter_calls(void)
{
	struct sock_filter f[80];
	struct sock_fprog prog = {.filter = f};
	size_t n = 0;

	f[n++] = (struct sock_filter)BPF_STMT(
	    BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < calls_count; i++)
		f[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
		    (unsigned int)calls_table[i].nr,
		    (unsigned char)(calls_count - i), 0);
	f[n++] =
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	f[n++] =
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	prog.len = (unsigned short)n;
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == 0)
		return;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == -1)
		die("seccomp");
}

static _Noreturn void
become(char **argv)
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) == -1)
		die("PTRACE_TRACEME");
	raise(SIGSTOP);
	filter_calls();
	execvp(argv[0], argv);
	die(argv[0]);
}

/* What stopped it, and how it goes on. */
static void
go_on(int status)
{
	enum __ptrace_request how = PTRACE_CONT;
	int sig = WSTOPSIG(status);

	if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
		how = on_call();
	else if (sig == (SIGTRAP | 0x80))
		on_exit_from_call();
	if ((sig & 0x7f) == SIGTRAP)
		sig = 0;
	if (ptrace(how, pid, NULL, (void *)(intptr_t)sig) == -1 &&
	    errno != ESRCH)
		die("ptrace");
}

/* A thread or child of it: it is not struck, but stops at the filter too. */
static void
let_go_on(pid_t other, int status)
{
	int sig = WSTOPSIG(status) & 0x7f;

	if (!WIFSTOPPED(status))
		return;
	if (sig == SIGTRAP || sig == SIGSTOP)
		sig = 0;
	ptrace(PTRACE_CONT, other, NULL, (void *)(intptr_t)sig);
}

static void
pass_on(int signo)
{
	kill(pid, signo);
}

static int
trace(void)
{
	int status;
	pid_t who;

	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return EXIT_NOT_HERE;
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL,
		(void *)(intptr_t)(PTRACE_O_TRACESECCOMP |
		    PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL |
		    PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK |
		    PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE)) == -1)
		die("PTRACE_SETOPTIONS");
	signal(SIGTERM, pass_on);
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	for (;;) {
		who = waitpid(-1, &status, __WALL);
		if (who == -1 && errno != EINTR)
			die("waitpid");
		if (who == pid && !WIFSTOPPED(status))
			break;
		if (who == pid)
			go_on(status);
		else if (who != -1)
			let_go_on(who, status);
	}
	report();
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* --- options --------------------------------------------------------------- */

static const struct {
	const char *name;
	enum action action;
	int err;
} actions[] = {
    {"kill", KILL, 0},
    {"short", SHORTEN, 0},
    {"skip", SKIP, 0},
    {"ENOSPC", FAIL, ENOSPC},
    {"EIO", FAIL, EIO},
    {"EINTR", FAIL, EINTR},
};

static void
set_action(const char *name)
{
	size_t len = strcspn(name, "+");

	opts.lasts = name[len] == '+';
	if (opts.lasts)
		opts.lasts_ns = strtol(name + len + 1, NULL, 10) * NS_PER_MS;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strlen(actions[i].name) == len &&
		    strncmp(actions[i].name, name, len) == 0) {
			opts.action = actions[i].action;
			opts.err = actions[i].err;
			return;
		}
	}
	fprintf(stderr, "killat: no action %s\n", name);
	exit(EXIT_NOT_HERE);
}

static void
set_option(int c)
{
	switch (c) {
	case 'a':
		set_action(optarg);
		break;
	case 'c':
		opts.calls = optarg;
		break;
	case 'd':
		opts.dir = optarg;
		break;
	case 'n':
		opts.n = strtoul(optarg, NULL, 10);
		break;
	case 'o':
		opts.out = optarg;
		break;
	case 'p':
		opts.power = 1;
		opts.seed = strtoul(optarg, NULL, 10);
		break;
	default:
		exit(EXIT_NOT_HERE);
	}
}

int
main(int argc, char **argv)
{
	char dir[PATH_MAX];
	int c;

	while ((c = getopt(argc, argv, "+a:c:d:n:o:p:")) != -1)
		set_option(c);
	if (opts.dir == NULL || optind == argc ||
	    realpath(opts.dir, dir) == NULL) {
		fprintf(stderr,
		    "usage: killat -d DIR [-n N] [-a ACTION] "
		    "[-c CALLS] [-p SEED] [-o FILE] COMMAND...\n");
		return EXIT_NOT_HERE;
	}
	opts.dir = dir;
	if (opts.power)
		power_begin(dir);
	pid = fork();
	if (pid == -1)
		die("fork");
	if (pid == 0)
		become(argv + optind);
	return trace();
}

#else

int
main(void)
{
	fprintf(stderr, "killat: not on this machine\n");
	return EXIT_NOT_HERE;
}

#endif
