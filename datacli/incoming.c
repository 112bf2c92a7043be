#include "datacli/datacli.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/crcline.h"
#include "common/fd.h"
#include "common/ledger.h"
#include "common/scan.h"
#include "common/segment_dir.h"
#include "common/segment_read.h"
#include "common/xmalloc.h"

#define PATH_LEN 256
#define FILED_MAX (64u << 20) /* the sorter keeps its accounts in it */

static int
open_below(int dir, const char *name)
{
	int fd = atomicfile_mkdir(dir, name, 0755);

	fd_close(dir);
	return fd;
}

int
incoming_open(struct incoming *in, int root, const char *monitor,
    const uint8_t epoch[SEGMENT_EPOCH_LEN])
{
	memset(in, 0, sizeof(*in));
	in->root = root;
	in->fd = -1;
	memcpy(in->epoch, epoch, sizeof(in->epoch));
	segment_dir_epoch(in->hex, epoch);
	in->monitor = xstrdup(monitor);
	in->dir = atomicfile_mkdir(root, "incoming", 0755);
	if (in->dir != -1)
		in->dir = open_below(in->dir, monitor);
	if (in->dir != -1)
		in->dir = open_below(in->dir, in->hex);
	return in->dir == -1 ? -1 : 0;
}

void
incoming_close(struct incoming *in)
{
	incoming_stop(in);
	if (in->dir != -1)
		close(in->dir);
	in->dir = -1;
	free(in->monitor);
	in->monitor = NULL;
}

/* --- what is here ---------------------------------------------------------- */

static const char *
state_path(const struct incoming *in, char *buf, const char *name)
{
	snprintf(buf, PATH_LEN, "state/%s/%s/%s", in->monitor, in->hex, name);
	return buf;
}

uint64_t
incoming_next(struct incoming *in)
{
	char path[PATH_LEN], *text, *words[2];
	uint64_t filed = 0;
	size_t len;

	if (atomicfile_read(in->root, state_path(in, path, "filed"), FILED_MAX,
		&text, &len) == -1)
		return errno == ENOENT ? 1 : 0;
	text[strcspn(text, "\n")] = '\0';
	if (crcline_check(text) != NULL || scan_words(text, words, 2) != 2 ||
	    scan_u64(words[1], 1, UINT64_MAX - 1, &filed) == -1) {
		free(text);
		errno = EBADMSG;
		return 0;
	}
	free(text);
	return filed + 1;
}

static enum incoming_look
compare(const uint8_t *sha, const struct offer *o)
{
	return memcmp(sha, o->sha, SEGMENT_SHA_LEN) == 0 ? INCOMING_HAVE
							 : INCOMING_CONFLICT;
}

static enum incoming_look
look_filed(struct incoming *in, const struct offer *o)
{
	char path[PATH_LEN];
	struct ledger_entry e;
	uint64_t next;
	int rc;

	/* N.warts was not there a moment ago, and `filed' moves before that is
	 * removed: above it means never filed. */
	next = incoming_next(in);
	if (next == 0)
		return INCOMING_ERROR;
	if (o->number >= next)
		return INCOMING_NEED;
	rc = ledger_find(
	    in->root, state_path(in, path, "ledger"), o->number, &e);
	if (rc == -1)
		return INCOMING_ERROR;
	/* Filed, and yet not in the ledger: somebody changed it. */
	return rc == 0 ? INCOMING_CONFLICT : compare(e.sha, o);
}

enum incoming_look
incoming_look(struct incoming *in, const struct offer *o)
{
	char name[SEGMENT_DIR_NAME];
	struct segment_info info;
	const char *why;
	int fd, rc;

	/* First here, then the ledger: the sorter goes the same way, so that a
	 * segment that it files just now is seen in one of the two. */
	segment_dir_name(name, o->number, ".warts");
	fd = openat(in->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? look_filed(in, o) : INCOMING_ERROR;
	rc = segment_read(fd, NULL, &info, &why);
	close(fd);
	if (rc == -1 && errno != 0)
		return INCOMING_ERROR;
	/* Its rename may be that of a predecessor which was killed before it
	 * could make it last; the commit must not be first. */
	if (atomicfile_syncdir(in->dir) == -1)
		return INCOMING_ERROR;
	return compare(info.sha, o);
}

int
incoming_has(struct incoming *in, uint64_t number)
{
	static const char *const suffixes[] = {".warts", ".refused"};
	char name[SEGMENT_DIR_NAME];

	for (size_t i = 0; i < 2; i++) {
		segment_dir_name(name, number, suffixes[i]);
		/* Where it cannot be seen it is not asked for either. */
		if (atomicfile_exists(in->dir, name) != 0)
			return 1;
	}
	return 0;
}

/* --- the part -------------------------------------------------------------- */

static int
has_room(struct incoming *in, uint64_t bytes)
{
	struct statvfs fs;

	if (fstatvfs(in->dir, &fs) == -1)
		return -1;
	if ((uint64_t)fs.f_bavail * fs.f_frsize >= 2 * bytes)
		return 0;
	errno = ENOSPC;
	return -1;
}

int
incoming_begin(struct incoming *in, const struct offer *o)
{
	char name[SEGMENT_DIR_NAME];
	struct stat st;

	if (has_room(in, o->bytes) == -1)
		return -1;
	segment_dir_name(name, o->number, ".part");
	in->fd = openat(
	    in->dir, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (in->fd == -1)
		return -1;
	if (fstat(in->fd, &st) == -1)
		return -1;
	in->part = *o;
	in->size = (uint64_t)st.st_size;
	if (in->size > o->bytes)
		return incoming_cut(in, 0);
	in->resumed = in->size > 0;
	return 0;
}

int
incoming_write(struct incoming *in, const void *data, size_t len)
{
	if (atomicfile_pwrite(in->fd, data, len, (off_t)in->size) == -1)
		return -1;
	in->size += len;
	return 0;
}

int
incoming_cut(struct incoming *in, uint64_t size)
{
	if (ftruncate(in->fd, (off_t)size) == -1)
		return -1;
	in->size = size;
	in->resumed = size > 0;
	return 0;
}

void
incoming_stop(struct incoming *in)
{
	if (in->fd != -1)
		close(in->fd);
	in->fd = -1;
}

/* NULL when the part is the segment that was offered, and whole. */
static const char *
check_part(struct incoming *in)
{
	struct segment_info info;
	const char *why = NULL;

	if (segment_read(in->fd, NULL, &info, &why) == -1 && errno != 0)
		return "read error";
	errno = 0;
	if (memcmp(info.sha, in->part.sha, sizeof(info.sha)) != 0)
		return "SHA-256 is not the one offered";
	if (!info.sealed)
		return why;
	if (memcmp(info.epoch, in->epoch, sizeof(info.epoch)) != 0)
		return "is a segment of another epoch";
	if (info.number != in->part.number)
		return "is a segment of another number";
	return NULL;
}

int
incoming_finish(struct incoming *in, const char **why)
{
	char part[SEGMENT_DIR_NAME], whole[SEGMENT_DIR_NAME];
	int rc = 1;

	segment_dir_name(part, in->part.number, ".part");
	segment_dir_name(whole, in->part.number, ".warts");
	errno = 0;
	*why = check_part(in);
	if (*why != NULL && errno != 0)
		rc = -1;
	else if (*why != NULL)
		rc = atomicfile_unlink(in->dir, part);
	else if (fsync(in->fd) == -1 ||
	    atomicfile_rename(in->dir, part, in->dir, whole) == -1)
		rc = -1;
	incoming_stop(in);
	return rc;
}

/* "VERB SHA-256 #check" to N.VERB. */
static int
write_note(
    struct incoming *in, const char *verb, uint64_t number, const uint8_t *sha)
{
	char name[SEGMENT_DIR_NAME], suffix[16];
	char hex[2 * SEGMENT_SHA_LEN + 1], *line;
	int rc;

	snprintf(suffix, sizeof(suffix), ".%s", verb);
	line = crcline_printf(
	    "%s %s", verb, segment_dir_hex(hex, sha, SEGMENT_SHA_LEN));
	rc = atomicfile_write(in->dir, segment_dir_name(name, number, suffix),
	    line, strlen(line), 0644);
	free(line);
	return rc;
}

int
incoming_refused(struct incoming *in, uint64_t number, const uint8_t *sha)
{
	uint64_t next = incoming_next(in);

	if (next == 0)
		return -1;
	if (number < next || incoming_has(in, number))
		return 0;
	return write_note(in, "refused", number, sha);
}

int
incoming_conflict(struct incoming *in, const struct offer *o)
{
	return write_note(in, "conflict", o->number, o->sha);
}
