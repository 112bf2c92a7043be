#include "common/segment_recover.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/segment_mark.h"
#include "common/segment_read.h"

struct job {
	struct segment_dir *d;
	struct segment_recovered *out;
	uint64_t number;
	char name[SEGMENT_DIR_NAME]; /* N.open */
	int fd;
	struct segment_info info;
	const char *why;
};

/* First record number of segment N, wherever it lies; 0 if it is nowhere. */
static uint64_t
first_of(struct segment_dir *d, uint64_t n)
{
	const struct {
		int dirfd;
		const char *suffix;
	} places[] = {{d->spool, ".open"}, {d->spool, ".warts"},
	    {d->sent, ".warts"}, {d->bad, ".warts"}};
	char name[SEGMENT_DIR_NAME];
	struct segment_info info;
	int fd, rc;

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		segment_dir_name(name, n, places[i].suffix);
		fd = openat(places[i].dirfd, name, O_RDONLY | O_CLOEXEC);
		if (fd == -1)
			continue;
		rc = segment_read_head(fd, &info);
		close(fd);
		if (rc == 0)
			return info.first;
	}
	return n == d->next ? d->next_record : 0;
}

/* Append mark M at the end of the good part, which then includes it. */
static int
append_mark(struct job *j, struct segment_mark *m)
{
	struct wbuf b;
	int rc;

	memcpy(m->epoch, j->d->epoch, sizeof(m->epoch));
	m->segment = j->number;
	m->wall_ns = clock_wall_ns();
	m->mono_ns = clock_mono_ns();
	wbuf_init(&b);
	segment_mark_encode(&b, m, 0);
	rc = atomicfile_pwrite(j->fd, b.p, b.len, (off_t)j->info.good);
	if (rc == -1 && errno == ENOSPC && segment_dir_unreserve(j->d))
		rc = atomicfile_pwrite(j->fd, b.p, b.len, (off_t)j->info.good);
	if (rc == 0)
		j->info.good += b.len;
	wbuf_clear(&b);
	return rc;
}

/* A segment that must exist, but of which nothing is left: a new head. */
static int
write_head(struct job *j)
{
	struct segment_mark m = {.kind = SEGMENT_MARK_HEAD};
	uint64_t bound = first_of(j->d, j->number + 1);

	memcpy(m.boot, j->d->boot, sizeof(m.boot));
	m.first = bound != 0 ? bound : j->d->next_record;
	if (append_mark(j, &m) == -1)
		return -1;
	/* The hash that the tail needs is that of the new bytes. */
	segment_read(j->fd, NULL, &j->info, &j->why);
	return 0;
}

/* Cut behind the last good mark, and a tail. */
static int
cut_and_tail(struct job *j)
{
	struct segment_mark m = {.kind = SEGMENT_MARK_TAIL};

	if (ftruncate(j->fd, (off_t)j->info.good) == -1)
		return -1;
	if (j->info.good == 0 && write_head(j) == -1)
		return -1;
	m.first = j->info.last + 1;
	m.seg_first = j->info.first;
	m.seg_last = j->info.last;
	memcpy(m.sha, j->info.good_sha, sizeof(m.sha));
	return append_mark(j, &m);
}

/*
 * A torn segment of another boot: numbers up to the reserved end may have been
 * given to records that are gone.
 */
static int
has_gap(const struct job *j)
{
	const struct segment_dir *d = j->d;

	return !j->info.sealed && j->number == d->next && d->limit_other_boot &&
	    d->limit > d->next_record;
}

/* N is done with RECORD as the next number, unless there is a gap: move the
 * counter, which makes the gap known in the same step. */
static int
move_counter(struct job *j, uint64_t next, uint64_t record, int gap)
{
	struct segment_dir *d = j->d;
	uint64_t jump = record;

	if (gap && d->limit > record)
		jump = d->limit;
	j->out->gap |= jump != record;
	return segment_dir_set_next(d, next, jump, record - 1);
}

static int
seal(struct job *j, int gap)
{
	char to[SEGMENT_DIR_NAME];
	struct segment_dir *d = j->d;

	if (!j->info.sealed && cut_and_tail(j) == -1)
		return -1;
	if (fsync(j->fd) == -1)
		return -1;
	if (j->number >= d->next &&
	    move_counter(j, j->number + 1, j->info.last + 1, gap) == -1)
		return -1;
	j->out->sealed++;
	return atomicfile_rename(d->spool, j->name, d->spool,
	    segment_dir_name(to, j->number, ".warts"));
}

/* Nothing in it and its number never offered: the number is used again.  A
 * gap found before (last_record) stays as it is. */
static int
drop(struct job *j, int gap)
{
	struct segment_dir *d = j->d;

	if (gap &&
	    segment_dir_set_next(d, d->next, d->limit, d->last_record) == -1)
		return -1;
	j->out->gap |= gap;
	j->out->empty++;
	return atomicfile_unlink(d->spool, j->name);
}

static int
recover_one(struct job *j)
{
	struct segment_read_opts opts = {
	    .bound = first_of(j->d, j->number + 1)};
	int gap;

	segment_dir_name(j->name, j->number, ".open");
	j->fd = openat(j->d->spool, j->name, O_RDWR | O_CLOEXEC);
	if (j->fd == -1)
		return errno == ENOENT ? 0 : -1;
	/* Our own lock on state/lock says that nobody writes; this one says it
	 * of writers that keep to the older half of the rule. */
	if (atomicfile_lock_fd(j->fd) == -1)
		return -1;
	segment_read(j->fd, &opts, &j->info, &j->why);
	if (errno != 0)
		return -1;
	if (j->info.good > 0 &&
	    (j->info.number != j->number ||
		memcmp(j->info.epoch, j->d->epoch, SEGMENT_EPOCH_LEN) != 0)) {
		j->why = "is a segment of another spool or number";
		errno = EBADMSG;
		return -1;
	}
	/* A batch and its mark are one write: this is a rare kill in the middle
	 * of it, a power cut, or damage. */
	if (j->info.bytes > j->info.good)
		log_warn("spool/%s: %s (at byte %" PRIu64 " of %" PRIu64
			 "); cut off behind byte %" PRIu64,
		    j->name, j->why, j->info.stopped, j->info.bytes,
		    j->info.good);
	gap = has_gap(j);
	if (!j->info.content && j->number >= j->d->next)
		return drop(j, gap);
	return seal(j, gap);
}

int
segment_recover(
    struct segment_dir *d, struct segment_recovered *out, const char **why)
{
	uint64_t *list;
	ssize_t n;
	int rc = 0, saved = 0;

	memset(out, 0, sizeof(*out));
	/* A predecessor may have been killed between the rename of state/next
	 * and the sync that makes it last: if the segment's rename lasted and
	 * that did not, its number would be used again. */
	*why = "state";
	if (atomicfile_syncdir(d->state) == -1)
		return -1;
	*why = "spool";
	n = segment_dir_list(d->spool, ".open", &list);
	if (n == -1)
		return -1;
	for (ssize_t i = 0; i < n && rc == 0; i++) {
		struct job j = {.d = d, .out = out, .number = list[i]};

		j.why = "cannot be recovered";
		j.fd = -1;
		rc = recover_one(&j);
		saved = errno;
		if (j.fd != -1)
			close(j.fd);
		*why = j.why;
	}
	free(list);
	errno = saved;
	return rc;
}
