#include "common/child_jail.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define NICE 10

static int
limit(int what, uint64_t n)
{
	struct rlimit l = {n, n};

	return setrlimit((__rlimit_resource_t)what, &l);
}

static int
set_limits(const struct child_jail *j)
{
	if (limit(RLIMIT_CORE, 0) == -1)
		return -1;
	if (j->memory != 0 && limit(RLIMIT_AS, j->memory) == -1)
		return -1;
	if (j->file_size != 0 && limit(RLIMIT_FSIZE, j->file_size) == -1)
		return -1;
	if (j->processes != 0 && j->uid != 0 &&
	    limit(RLIMIT_NPROC, j->processes) == -1)
		return -1;
	return 0;
}

static int
become(uid_t uid)
{
	gid_t gid = uid;

	if (setgroups(0, NULL) == -1 || setresgid(gid, gid, gid) == -1 ||
	    setresuid(uid, uid, uid) == -1)
		return -1;
	return 0;
}

/* Memory that we need is not to be had by killing us.  Where that cannot be
 * said it is as before. */
static void
offer_to_oom_killer(void)
{
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd == -1)
		return;
	if (write(fd, "1000", 4) == -1)
		errno = 0;
	close(fd);
}

static int
clean_environment(void)
{
	static const char *const kept[] = {"PATH", "TZ"};
	char *values[2], cwd[PATH_MAX];

	for (int i = 0; i < 2; i++)
		values[i] = getenv(kept[i]);
	clearenv();
	for (int i = 0; i < 2; i++) {
		if (values[i] != NULL && setenv(kept[i], values[i], 1) == -1)
			return -1;
	}
	if (setenv("LANG", "C", 1) == -1 || getcwd(cwd, sizeof(cwd)) == NULL)
		return -1;
	return setenv("HOME", cwd, 1);
}

const char *
child_jail_enter(const struct child_jail *j)
{
	offer_to_oom_killer();
	if (setpriority(PRIO_PROCESS, 0, NICE) == -1)
		return "setpriority";
	if (j->no_network && unshare(CLONE_NEWNET) == -1)
		return "no network";
	if (set_limits(j) == -1)
		return "setrlimit";
	if (j->uid != 0 && become(j->uid) == -1)
		return "setuid";
	umask(022);
	if (clean_environment() == -1)
		return "environment";
	return NULL;
}

/*
 * kill(-1) goes to all that its caller may signal, in one go, and to none that
 * is born meanwhile: fork(2) fails while a signal is pending.  So the one that
 * calls it is made a process of that user, and of nothing else.
 */
void
child_jail_sweep(const struct child_jail *j)
{
	pid_t pid;

	if (j->uid == 0)
		return;
	pid = fork();
	if (pid == 0) {
		if (become(j->uid) == 0)
			kill(-1, SIGKILL);
		_exit(0);
	}
	while (pid != -1 && waitpid(pid, NULL, 0) == -1 && errno == EINTR)
		continue;
}

int
child_jail_dir(const struct child_jail *j, const char *path)
{
	int fd, rc;

	if (mkdir(path, 0700) == -1 && errno != EEXIST)
		return -1;
	/* What it put there itself must not lead us elsewhere. */
	fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return -1;
	rc = j->uid != 0 ? fchown(fd, j->uid, j->uid) : 0;
	close(fd);
	return rc;
}
