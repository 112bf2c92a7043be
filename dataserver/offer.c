#include "dataserver/dataserver.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/crcline.h"
#include "common/fd.h"
#include "common/log.h"
#include "common/xmalloc.h"

#define REFUSALS 2 /* then it goes to bad/ */

void
offers_init(struct offers *o, struct segment_dir *d, uint64_t keep_bytes)
{
	memset(o, 0, sizeof(*o));
	o->d = d;
	o->keep_bytes = keep_bytes;
}

void
offers_clear(struct offers *o)
{
	for (size_t i = 0; i < o->count; i++)
		free(o->list[i]);
	free(o->list);
	memset(o, 0, sizeof(*o));
}

/* Index of the first whose number is not below NUMBER. */
static size_t
lower_bound(const struct offers *o, uint64_t number)
{
	size_t lo = 0, hi = o->count, mid;

	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		if (o->list[mid]->number < number)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct offer *
find(const struct offers *o, uint64_t number)
{
	size_t i = lower_bound(o, number);

	if (i < o->count && o->list[i]->number == number)
		return o->list[i];
	return NULL;
}

static struct offer *
insert(struct offers *o, const struct offer *like)
{
	size_t i = lower_bound(o, like->number);
	struct offer *f = xmemdup(like, sizeof(*like));

	o->list = xreallocarray(o->list, o->count + 1, sizeof(*o->list));
	memmove(
	    &o->list[i + 1], &o->list[i], (o->count - i) * sizeof(*o->list));
	o->list[i] = f;
	o->count++;
	return f;
}

static void
drop(struct offers *o, struct offer *f)
{
	size_t i = lower_bound(o, f->number);

	o->count--;
	memmove(
	    &o->list[i], &o->list[i + 1], (o->count - i) * sizeof(*o->list));
	free(f);
}

static int
dir_of(const struct offers *o, int sent)
{
	return sent ? o->d->sent : o->d->spool;
}

/* Open for writing, because that is what a write lock takes. */
static int
open_segment(const struct offers *o, uint64_t number, int sent)
{
	char name[SEGMENT_DIR_NAME];

	segment_dir_name(name, number, ".warts");
	return openat(dir_of(o, sent), name, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
}

static int
read_segment(struct offers *o, int fd, struct offer *f)
{
	const char *why;

	if (fsync(fd) == -1 || atomicfile_syncdir(dir_of(o, f->in_sent)) == -1)
		return -1;
	if (segment_read(fd, NULL, &f->info, &why) == 0)
		return 0;
	if (errno != 0)
		return -1;
	log_warn("%s/%" PRIu64 ".warts: %s (at byte %" PRIu64 " of %" PRIu64
		 ")",
	    f->in_sent ? "sent" : "spool", f->number, why, f->info.stopped,
	    f->info.bytes);
	return 0;
}

struct offer *
offers_get(struct offers *o, uint64_t number, int sent)
{
	struct offer *f = find(o, number), like = {.number = number};
	int fd, rc;

	if (f != NULL && f->in_sent == sent)
		return f;
	fd = open_segment(o, number, sent);
	if (fd == -1)
		return NULL;
	like.in_sent = sent;
	rc = read_segment(o, fd, &like);
	fd_close(fd);
	if (rc == -1)
		return NULL;
	if (f != NULL)
		drop(o, f);
	return insert(o, &like);
}

int
offers_open(struct offers *o, const struct offer *f)
{
	int fd = open_segment(o, f->number, f->in_sent);

	if (fd != -1 && atomicfile_lock_fd(fd) == -1) {
		fd_close(fd);
		return -1;
	}
	return fd;
}

int
offers_commit(struct offers *o, struct offer *f)
{
	char name[SEGMENT_DIR_NAME];

	segment_dir_name(name, f->number, ".warts");
	if (!f->in_sent &&
	    atomicfile_rename(o->d->spool, name, o->d->sent, name) == -1)
		return -1;
	drop(o, f);
	segment_dir_prune(o->d, o->keep_bytes);
	return 0;
}

int
offers_refuse(struct offers *o, struct offer *f, const char *why)
{
	char name[SEGMENT_DIR_NAME], sha[2 * SEGMENT_SHA_LEN + 1], *line;
	uint64_t number = f->number;
	int rc;

	log_warn(
	    "segment %" PRIu64 " is refused by the archive: %s", number, why);
	if (f->in_sent || ++f->refused < REFUSALS)
		return 0;
	segment_dir_hex(sha, f->info.sha, sizeof(f->info.sha));
	line = crcline_printf("refused %s %s", sha, why);
	rc = atomicfile_write(o->d->bad, segment_dir_name(name, number, ".why"),
	    line, strlen(line), 0644);
	free(line);
	segment_dir_name(name, number, ".warts");
	if (rc == -1 ||
	    atomicfile_rename(o->d->spool, name, o->d->bad, name) == -1)
		return -1;
	log_warn("segment %" PRIu64 " is kept in bad/", number);
	drop(o, f);
	return 0;
}
