#include "datasort/datasort.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/crcline.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/segment_dir.h"

/* One commit costs some ten fsyncs, whatever its size: many small segments
 * share one. */
#define PLAN_BYTES (64u << 20)
#define PLAN_SEGMENTS 256
#define STATE_MAX 4096 /* bytes of `filed' and of a refusal */

void
sorter_warn(const struct sorter *s, uint64_t number, const char *suffix,
    const char *what)
{
	log_warn("incoming/%s/%s/%" PRIu64 "%s: %s", s->monitor, s->epoch,
	    number, suffix, what);
}

/* --- commit --------------------------------------------------------------- */

static int
write_filed(struct sorter *s, uint64_t number)
{
	char *line = crcline_printf("filed %" PRIu64, number);
	int rc = atomicfile_write(s->state, "filed", line, strlen(line), 0644);

	free(line);
	return rc;
}

static int
read_filed(struct sorter *s)
{
	char *text, *words[2];
	size_t len;
	int rc = 0;

	s->filed = 0;
	if (atomicfile_read(s->state, "filed", STATE_MAX, &text, &len) == -1)
		return errno == ENOENT ? 0 : -1;
	text[strcspn(text, "\n")] = '\0';
	if (crcline_check(text) != NULL || scan_words(text, words, 2) != 2 ||
	    scan_u64(words[1], 1, UINT64_MAX, &s->filed) == -1) {
		errno = EBADMSG;
		rc = -1;
	}
	free(text);
	return rc;
}

/* Remove what is filed, up to LAST. */
static int
remove_filed(struct sorter *s, uint64_t last)
{
	static const char *const suffixes[] = {".warts", ".refused"};
	char name[SEGMENT_DIR_NAME];
	uint64_t *list;
	ssize_t n;

	for (size_t k = 0; k < 2; k++) {
		n = segment_dir_list(s->incoming, suffixes[k], &list);
		for (ssize_t i = 0; i < n && list[i] <= last; i++)
			unlinkat(s->incoming,
			    segment_dir_name(name, list[i], suffixes[k]), 0);
		free(list);
	}
	return atomicfile_syncdir(s->incoming);
}

static int
commit(struct sorter *s, struct archive_plan *p, uint64_t last)
{
	const char *why;
	int saved;

	if (journal_write(s->state, p, s->filed + 1, last) == -1)
		return -1;
	if (archive_apply(p) == -1 || write_filed(s, last) == -1) {
		saved = errno;
		/* Where even this fails the next start does it. */
		if (read_filed(s) == 0)
			journal_recover(s->root, s->state, s->filed, &why);
		errno = saved;
		return -1;
	}
	s->filed = last;
	if (remove_filed(s, last) == -1)
		return -1;
	return journal_remove(s->state);
}

/* --- an epoch ------------------------------------------------------------- */

/* Plan and commit as many segments as one commit takes, at most MAX.  Returns
 * how many, or -1 (logged). */
static int
file_some(struct sorter *s, int max)
{
	struct archive_plan p;
	uint64_t n = s->filed + 1;
	int count = 0, rc;

	archive_plan_init(&p, s->root, s->monitor);
	do {
		rc = plan_segment(s, &p, n);
		if (rc == 1) {
			n++;
			count++;
		}
	} while (rc == 1 && count < max && p.bytes < PLAN_BYTES);
	if (rc == -1)
		sorter_warn(s, n, ".warts", strerror(errno));
	if (rc != -1 && count > 0 && commit(s, &p, n - 1) == -1) {
		sorter_warn(s, n - 1, ".warts", strerror(errno));
		count = rc = -1;
	}
	archive_plan_clear(&p);
	/* The segment that failed is in the plan in part: make one without. */
	if (rc == -1 && count > 0)
		return file_some(s, count);
	return rc == -1 ? -1 : count;
}

/* Say which number keeps complete segments waiting.  0 if none does. */
static int
check_missing(struct sorter *s)
{
	uint64_t *list;
	ssize_t n = segment_dir_list(s->incoming, ".warts", &list);

	free(list);
	if (n <= 0)
		return 0;
	log_warn("incoming/%s/%s: segment %" PRIu64
		 " is missing, %zd later ones wait for it",
	    s->monitor, s->epoch, s->filed + 1, n);
	return -1;
}

static int
recover(struct sorter *s)
{
	const char *why = "cannot be read";

	if (read_filed(s) == -1) {
		log_warn("state/%s/%s/filed: %s", s->monitor, s->epoch,
		    strerror(errno));
		return -1;
	}
	if (journal_recover(s->root, s->state, s->filed, &why) == -1 ||
	    remove_filed(s, s->filed) == -1) {
		log_warn("state/%s/%s/journal: %s: %s", s->monitor, s->epoch,
		    why, strerror(errno));
		return -1;
	}
	return 0;
}

static int
sort_epoch(struct sorter *s)
{
	int n;

	if (recover(s) == -1)
		return -1;
	while ((n = file_some(s, PLAN_SEGMENTS)) > 0)
		continue;
	return n == -1 ? -1 : check_missing(s);
}

/* --- a monitor ------------------------------------------------------------ */

static int
open_sub(int dir, const char *a, const char *b)
{
	int mid, sub, saved;

	mid = atomicfile_mkdir(dir, a, 0755);
	if (mid == -1)
		return -1;
	sub = atomicfile_mkdir(mid, b, 0755);
	saved = errno;
	close(mid);
	errno = saved;
	return sub;
}

static int
run_epoch(
    int root, const char *monitor, int incoming, int state, const char *epoch)
{
	struct sorter s = {.root = root, .monitor = monitor, .epoch = epoch};
	int rc = -1;

	s.incoming = openat(
	    incoming, epoch, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	s.state = atomicfile_mkdir(state, epoch, 0755);
	if (s.incoming == -1 || s.state == -1)
		log_warn("incoming/%s/%s: %s", monitor, epoch, strerror(errno));
	else
		rc = sort_epoch(&s);
	if (s.incoming != -1)
		close(s.incoming);
	if (s.state != -1)
		close(s.state);
	return rc;
}

static int
run_epochs(int root, const char *monitor, int incoming, int state)
{
	uint8_t epoch[SEGMENT_EPOCH_LEN];
	struct dirent *e;
	DIR *dir = fdopendir(dup(incoming));
	int rc = 0;

	if (dir == NULL)
		return -1;
	while ((e = readdir(dir)) != NULL) {
		if (segment_dir_unhex(e->d_name, epoch, sizeof(epoch)) == 0 &&
		    run_epoch(root, monitor, incoming, state, e->d_name) == -1)
			rc = -1;
	}
	closedir(dir);
	return rc;
}

int
sorter_run(int root, const char *monitor)
{
	int incoming, state, lock = -1, rc = -1;

	incoming = open_sub(root, "incoming", monitor);
	state = open_sub(root, "state", monitor);
	if (incoming != -1 && state != -1)
		lock = atomicfile_lock(state, "lock");
	if (lock == -1)
		log_warn("state/%s/lock: %s", monitor,
		    errno == EWOULDBLOCK ? "another sorter is at work"
					 : strerror(errno));
	else
		rc = run_epochs(root, monitor, incoming, state);
	if (lock != -1)
		close(lock);
	if (incoming != -1)
		close(incoming);
	if (state != -1)
		close(state);
	return rc;
}
