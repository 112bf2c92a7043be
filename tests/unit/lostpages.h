/*
 * lostpages: what a disk does that fails a sync.  The kernel says so once and
 * takes the pages for clean all the same: what was written since the last good
 * sync of the file is gone, and the next sync says yes.  Here those bytes become
 * zeros.
 */
#ifndef TESTS_UNIT_LOSTPAGES_H
#define TESTS_UNIT_LOSTPAGES_H

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	pthread_mutex_t mutex;
	ino_t inode[256];
	off_t safe[256]; /* bytes that a sync has said yes to */
} lostpages = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* A sync of FD, a file or directory, has said yes, or with FAILED no. */
static inline void
lostpages_synced(int fd, int failed)
{
	static const char zeros[4096];
	struct stat st;
	size_t i;

	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode))
		return;
	pthread_mutex_lock(&lostpages.mutex);
	i = st.st_ino % 256;
	if (lostpages.inode[i] != st.st_ino)
		lostpages.safe[i] = 0;
	lostpages.inode[i] = st.st_ino;
	if (!failed)
		lostpages.safe[i] = st.st_size;
	for (off_t at = lostpages.safe[i]; failed && at < st.st_size;) {
		off_t left = st.st_size - at;

		at += pwrite(
		    fd, zeros, left < 4096 ? (size_t)left : sizeof(zeros), at);
	}
	pthread_mutex_unlock(&lostpages.mutex);
}

#endif
