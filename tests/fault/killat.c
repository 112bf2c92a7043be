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
#include <time.h>
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
	const char *slow_file;
	int64_t slow_ns; /* of the disk, if there is no such file */
} opts = {.calls = "change"};

static pid_t pid;
static unsigned long count;
static int64_t first_ns; /* when the first of those that last was struck */
static char hit[PATH_MAX + 64] = "- -";
static struct tracee *at; /* the thread that is stopped */

static _Noreturn void
die(const char *what)
{
	perror(what);
	exit(EXIT_NOT_HERE);
}

/* --- which call is it ------------------------------------------------------ */

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
	if (ptrace(PTRACE_SETREGS, at->tid, NULL, r) == -1)
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

	at->before = *r;
	at->restore_at_exit = 1;
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
	/* It has ended when all its threads were waited for. */
	while (waitpid(-1, &status, __WALL) != pid || !WIFSIGNALED(status))
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
			at->fail_at_exit = 1;
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

/* Is the disk not yet so far? */
static int
is_slow(void)
{
	if (at->let_go)
		return 0;
	if (opts.slow_file != NULL)
		return access(opts.slow_file, F_OK) == 0;
	return opts.slow_ns > 0 &&
	    (at->held_ns == 0 || clock_mono_ns() - at->held_ns < opts.slow_ns);
}

/* At a call of the table.  How to go on; 0: it is held. */
static int
on_call(void)
{
	struct user_regs_struct r;
	const struct calls_row *c;
	char path[PATH_MAX];
	int struck = 0;

	if (ptrace(PTRACE_GETREGS, at->tid, NULL, &r) == -1) {
		if (errno == ESRCH)
			return PTRACE_CONT; /* it was held, and is dead */
		die("PTRACE_GETREGS");
	}
	c = calls_find((long)r.orig_rax);
	if (c == NULL)
		return PTRACE_CONT;
	place_of(pid, c, &r, path);
	if (!place_is_ours(pid, c, (int)r.rdi, path, opts.dir))
		return PTRACE_CONT;
	if (c->nr == SYS_fdatasync && is_slow()) {
		at->held_ns = clock_mono_ns();
		return 0;
	}
	at->let_go = 0;
	if (is_wanted(c, &r) && can_fail(c, &r, path) &&
	    (opts.action != SHORTEN || bytes_of(c, &r) > 1)) {
		count++;
		struck = is_struck();
		if (struck)
			strike(c, &r, path);
	}
	at->syncing =
	    opts.power && !struck && (c->flags & CALLS_SYNC) ? c : NULL;
	return at->syncing != NULL || at->fail_at_exit || at->restore_at_exit
	    ? PTRACE_SYSCALL
	    : PTRACE_CONT;
}

static void
on_exit_from_call(void)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, at->tid, NULL, &r) == -1)
		die("PTRACE_GETREGS");
	if (at->syncing != NULL && r.rax == 0)
		power_synced(pid, (int)r.rdi);
	if (at->restore_at_exit) {
		r.rsi = at->before.rsi;
		r.rdx = at->before.rdx;
		set_regs(&r);
	}
	if (at->fail_at_exit) {
		r.rax = (unsigned long long)-opts.err;
		set_regs(&r);
	}
	at->syncing = NULL;
	at->restore_at_exit = at->fail_at_exit = 0;
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

/* What stopped the thread, and how it goes on. */
static void
go_on(int status)
{
	int how = PTRACE_CONT, sig = WSTOPSIG(status);

	if (status >> 8 == (SIGTRAP | PTRACE_EVENT_SECCOMP << 8))
		how = on_call();
	else if (sig == (SIGTRAP | 0x80))
		on_exit_from_call();
	if (how == 0)
		return;
	/* A new thread begins with a SIGSTOP. */
	if ((sig & 0x7f) == SIGTRAP || (sig == SIGSTOP && at->tid != pid))
		sig = 0;
	if (ptrace((enum __ptrace_request)how, at->tid, NULL,
		(void *)(intptr_t)sig) == -1 &&
	    errno != ESRCH)
		die("ptrace");
}

/* A child of it: it is not struck, but stops at the filter too. */
static void
let_go_on(pid_t other, int status)
{
	int sig = WSTOPSIG(status) & 0x7f;

	if (sig == SIGTRAP || sig == SIGSTOP)
		sig = 0;
	ptrace(PTRACE_CONT, other, NULL, (void *)(intptr_t)sig);
}

/* Those over which the disk has taken its time make their call. */
static void
release(void)
{
	struct tracee *held;

	for (size_t i = 0; (held = tracees_held(i)) != NULL;) {
		at = held;
		if (is_slow()) {
			i++;
			continue;
		}
		at->held_ns = 0;
		at->let_go = 1;
		go_on(SIGTRAP << 8 | PTRACE_EVENT_SECCOMP << 16 | 0x7f);
	}
}

/* Who has stopped or ended. */
static pid_t
next(int *status)
{
	const struct timespec a_moment = {0, 500000};
	pid_t who;

	for (;;) {
		release();
		who = waitpid(-1, status,
		    tracees_held(0) != NULL ? __WALL | WNOHANG : __WALL);
		if (who > 0)
			return who;
		if (who == -1 && errno != EINTR)
			die("waitpid");
		if (who == 0)
			nanosleep(&a_moment, NULL);
	}
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
	while ((who = next(&status)) != pid || WIFSTOPPED(status)) {
		if (!WIFSTOPPED(status)) {
			tracees_gone(who);
			continue;
		}
		at = tracees_get(who);
		if (at->process == pid)
			go_on(status);
		else
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
set_slow(const char *how)
{
	if (strchr(how, '/') != NULL)
		opts.slow_file = how;
	else
		opts.slow_ns = strtol(how, NULL, 10) * NS_PER_MS;
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
	case 'w':
		set_slow(optarg);
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

	while ((c = getopt(argc, argv, "+a:c:d:n:o:p:w:")) != -1)
		set_option(c);
	if (opts.dir == NULL || optind == argc ||
	    realpath(opts.dir, dir) == NULL) {
		fprintf(stderr,
		    "usage: killat -d DIR [-n N] [-a ACTION] "
		    "[-c CALLS] [-p SEED] [-o FILE] [-w SLOW] COMMAND...\n");
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
