/*
 * crowd: how many processes and threads the users of generators have, as the
 * kernel counts them against their limit.
 *
 * One pass over /proc for all users: who owns /proc/PID is the process's user, and
 * its task/ has a folder, and so a link, for each thread.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "listmgr/generator.h"

static uint32_t
threads(int proc, const char *pid)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "%.16s/task", pid);
	/* One that is gone meanwhile, or that is only to be buried. */
	if (fstatat(proc, path, &st, 0) == -1 || st.st_nlink < 3)
		return 1;
	return (uint32_t)st.st_nlink - 2;
}

int
crowd_count(uid_t first, uint32_t *counts, size_t n)
{
	DIR *d = opendir("/proc");
	struct dirent *e;
	struct stat st;

	if (d == NULL)
		return -1;
	while ((e = readdir(d)) != NULL) {
		if (!isdigit((unsigned char)e->d_name[0]) ||
		    fstatat(dirfd(d), e->d_name, &st, 0) == -1 ||
		    st.st_uid < first || st.st_uid - first >= n)
			continue;
		counts[st.st_uid - first] += threads(dirfd(d), e->d_name);
	}
	closedir(d);
	return 0;
}
