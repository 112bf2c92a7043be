#include "common/segment_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/crcline.h"
#include "common/scan.h"
#include "common/xmalloc.h"

#define STATE_MAX 4096 /* bytes of a state file */
#define WORDS 4
#define LOCK_TRIES 100 /* a recovery by another program is short */
#define LOCK_PAUSE_NS 20000000
#define MAKE_TRIES 200 /* another is making the spool */
#define MAKE_PAUSE_NS 10000000

/* --- hex ------------------------------------------------------------------ */

const char *
segment_dir_hex(char *buf, const uint8_t *p, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < len; i++) {
		buf[2 * i] = digits[p[i] >> 4];
		buf[2 * i + 1] = digits[p[i] & 15];
	}
	buf[2 * i] = '\0';
	return buf;
}

const char *
segment_dir_epoch(char *buf, const uint8_t epoch[SEGMENT_EPOCH_LEN])
{
	return segment_dir_hex(buf, epoch, SEGMENT_EPOCH_LEN);
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int
segment_dir_unhex(const char *s, uint8_t *p, size_t len)
{
	int hi, lo;

	if (strlen(s) != 2 * len)
		return -1;
	for (size_t i = 0; i < len; i++) {
		hi = hex_value(s[2 * i]);
		lo = hex_value(s[2 * i + 1]);
		if (hi == -1 || lo == -1)
			return -1;
		p[i] = (uint8_t)(hi << 4 | lo);
	}
	return 0;
}

/* --- state files ---------------------------------------------------------- */

static int
write_state(struct segment_dir *d, const char *name, char *line)
{
	int rc;

	rc = atomicfile_write(d->state, name, line, strlen(line), 0644);
	if (rc == -1 && (errno == ENOSPC || errno == EDQUOT) &&
	    segment_dir_unreserve(d))
		rc = atomicfile_write(d->state, name, line, strlen(line), 0644);
	free(line);
	return rc;
}

/* A state file: its name, which is its first word too, and COUNT more. */
struct state {
	const char *name;
	int count;
	char *text; /* holds the words, is to be freed */
	char *words[WORDS];
};

static int
damaged(char *text)
{
	free(text);
	errno = EBADMSG;
	return -1;
}

static int
read_state(struct segment_dir *d, struct state *s, const char **why)
{
	size_t len;
	char *nl;

	*why = s->name;
	if (atomicfile_read(d->state, s->name, STATE_MAX, &s->text, &len) == -1)
		return -1;
	nl = strchr(s->text, '\n');
	if (nl == NULL || nl[1] != '\0')
		return damaged(s->text);
	*nl = '\0';
	if (crcline_check(s->text) != NULL ||
	    scan_words(s->text, s->words, WORDS) != s->count + 1)
		return damaged(s->text);
	return 0;
}

static int
load_epoch(struct segment_dir *d, const char **why)
{
	struct state s = {.name = "epoch", .count = 1};

	if (read_state(d, &s, why) == -1)
		return -1;
	if (segment_dir_unhex(s.words[1], d->epoch, sizeof(d->epoch)) == -1)
		return damaged(s.text);
	free(s.text);
	return 0;
}

static int
load_next(struct segment_dir *d, const char **why)
{
	struct state s = {.name = "next", .count = 3};

	if (read_state(d, &s, why) == -1)
		return -1;
	if (scan_u64(s.words[1], 1, UINT64_MAX, &d->next) == -1 ||
	    scan_u64(s.words[2], 1, UINT64_MAX, &d->next_record) == -1 ||
	    scan_u64(s.words[3], 0, d->next_record - 1, &d->last_record) == -1)
		return damaged(s.text);
	free(s.text);
	return 0;
}

static int
load_numbers(struct segment_dir *d, const char **why)
{
	struct state s = {.name = "numbers", .count = 2};
	uint8_t boot[SEGMENT_DIR_BOOT_LEN];

	if (read_state(d, &s, why) == -1)
		return -1;
	if (scan_u64(s.words[1], 1, UINT64_MAX, &d->limit) == -1 ||
	    segment_dir_unhex(s.words[2], boot, sizeof(boot)) == -1)
		return damaged(s.text);
	d->limit_other_boot = memcmp(boot, d->boot, sizeof(boot)) != 0;
	free(s.text);
	return 0;
}

int
segment_dir_load(struct segment_dir *d, const char **why)
{
	if (load_next(d, why) == -1 || load_numbers(d, why) == -1)
		return -1;
	return 0;
}

int
segment_dir_set_next(
    struct segment_dir *d, uint64_t next, uint64_t record, uint64_t last)
{
	if (write_state(d, "next",
		crcline_printf("next %" PRIu64 " %" PRIu64 " %" PRIu64, next,
		    record, last)) == -1)
		return -1;
	d->next = next;
	d->next_record = record;
	d->last_record = last;
	return 0;
}

int
segment_dir_reserve_numbers(struct segment_dir *d, uint64_t limit)
{
	char boot[2 * SEGMENT_DIR_BOOT_LEN + 1];

	segment_dir_hex(boot, d->boot, sizeof(d->boot));
	if (write_state(d, "numbers",
		crcline_printf("numbers %" PRIu64 " %s", limit, boot)) == -1)
		return -1;
	d->limit = limit;
	d->limit_other_boot = 0;
	return 0;
}

/* --- making and opening --------------------------------------------------- */

/* This boot's id.  Where the kernel does not say, each process is a boot of
 * its own: then more gaps are announced than there are, never fewer. */
static void
read_boot(struct segment_dir *d)
{
	char *text, hex[2 * SEGMENT_DIR_BOOT_LEN + 1];
	size_t len, n = 0;

	if (atomicfile_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id",
		STATE_MAX, &text, &len) == 0) {
		for (size_t i = 0; i < len && n < sizeof(hex) - 1; i++) {
			if (hex_value(text[i]) != -1)
				hex[n++] = text[i];
		}
		free(text);
		hex[n] = '\0';
		if (segment_dir_unhex(hex, d->boot, sizeof(d->boot)) == 0)
			return;
	}
	if (getrandom(d->boot, sizeof(d->boot), 0) == -1)
		memset(d->boot, 0, sizeof(d->boot));
}

/*
 * The epoch is made last, so that a spool with an epoch has all the rest; and
 * a spool without one has never had a segment, so that starting its state anew
 * loses nothing.
 */
static int
write_first_state(struct segment_dir *d)
{
	uint8_t epoch[SEGMENT_EPOCH_LEN];
	char hex[2 * SEGMENT_EPOCH_LEN + 1];

	if (getrandom(epoch, sizeof(epoch), 0) != (ssize_t)sizeof(epoch))
		return -1;
	if (segment_dir_set_next(d, 1, 1, 0) == -1 ||
	    segment_dir_reserve_numbers(d, 1) == -1)
		return -1;
	return write_state(d, "epoch",
	    crcline_printf("epoch %s", segment_dir_epoch(hex, epoch)));
}

static int
make_state(struct segment_dir *d)
{
	const struct timespec pause = {.tv_nsec = MAKE_PAUSE_NS};
	int lock = -1, rc, saved;

	/* Two that start at once must not make two epochs. */
	for (int i = 0; i < MAKE_TRIES; i++) {
		rc = atomicfile_exists(d->state, "epoch");
		if (rc != 0)
			return rc == 1 ? 0 : -1;
		lock = segment_dir_lock(d);
		if (lock != -1 || errno != EWOULDBLOCK)
			break;
		nanosleep(&pause, NULL);
	}
	if (lock == -1)
		return -1;
	rc = atomicfile_exists(d->state, "epoch");
	if (rc != -1)
		rc = rc == 1 ? 0 : write_first_state(d);
	saved = errno;
	close(lock);
	errno = saved;
	return rc;
}

static int
open_sub(struct segment_dir *d, const char *name, int make)
{
	if (make)
		return atomicfile_mkdir(d->top, name, 0755);
	return openat(d->top, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int
segment_dir_open(
    struct segment_dir *d, const char *path, int make, const char **why)
{
	int saved;

	memset(d, 0, sizeof(*d));
	d->top = d->spool = d->sent = d->bad = d->state = -1;
	read_boot(d);
	*why = path;
	if (make)
		d->top = atomicfile_mkdir(AT_FDCWD, path, 0755);
	else
		d->top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (d->top != -1 && (d->spool = open_sub(d, "spool", make)) != -1 &&
	    (d->sent = open_sub(d, "sent", make)) != -1 &&
	    (d->bad = open_sub(d, "bad", make)) != -1 &&
	    (d->state = open_sub(d, "state", make)) != -1 &&
	    (!make || make_state(d) == 0) && load_epoch(d, why) == 0 &&
	    segment_dir_load(d, why) == 0)
		return 0;
	saved = errno;
	segment_dir_close(d);
	errno = saved;
	return -1;
}

static void
close_fd(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

void
segment_dir_close(struct segment_dir *d)
{
	close_fd(&d->top);
	close_fd(&d->spool);
	close_fd(&d->sent);
	close_fd(&d->bad);
	close_fd(&d->state);
}

/* --- the reserve ---------------------------------------------------------- */

int
segment_dir_reserve(struct segment_dir *d)
{
	struct stat st;
	int fd, rc;

	/* A power cut may have left less than there was. */
	if (fstatat(d->state, "reserve", &st, 0) == 0) {
		if (st.st_size == SEGMENT_RESERVE_BYTES)
			return 0;
		unlinkat(d->state, "reserve", 0);
	}
	fd = openat(
	    d->state, "reserve", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	rc = posix_fallocate(fd, 0, SEGMENT_RESERVE_BYTES);
	close(fd);
	if (rc == 0)
		return 0;
	unlinkat(d->state, "reserve", 0);
	errno = rc;
	return -1;
}

int
segment_dir_unreserve(struct segment_dir *d)
{
	int saved = errno, rc = unlinkat(d->state, "reserve", 0);

	errno = saved;
	return rc == 0;
}

/* --- locks ---------------------------------------------------------------- */

int
segment_dir_lock(struct segment_dir *d)
{
	return atomicfile_lock(d->state, "lock");
}

int
segment_dir_lock_soon(struct segment_dir *d)
{
	const struct timespec pause = {.tv_nsec = LOCK_PAUSE_NS};
	int fd;

	for (int i = 0;; i++) {
		fd = segment_dir_lock(d);
		if (fd != -1 || errno != EWOULDBLOCK || i == LOCK_TRIES ||
		    segment_dir_holder(d) != 0)
			return fd;
		nanosleep(&pause, NULL);
	}
}

static int
open_writer(struct segment_dir *d)
{
	return openat(d->state, "writer",
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
}

int
segment_dir_writer(struct segment_dir *d)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd, saved;

	fd = open_writer(d);
	if (fd != -1 && fcntl(fd, F_SETLK, &fl) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

pid_t
segment_dir_holder(struct segment_dir *d)
{
	struct flock fl = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd, rc;

	fd = open_writer(d);
	if (fd == -1)
		return 0;
	rc = fcntl(fd, F_GETLK, &fl);
	close(fd);
	if (rc == -1 || fl.l_type == F_UNLCK || fl.l_pid <= 0)
		return 0;
	return fl.l_pid;
}

/* --- numbered files ------------------------------------------------------- */

const char *
segment_dir_name(char *buf, uint64_t n, const char *suffix)
{
	snprintf(buf, SEGMENT_DIR_NAME, "%" PRIu64 "%s", n, suffix);
	return buf;
}

/* The number of a file called NUMBER and SUFFIX; 0 for any other name. */
static uint64_t
number_of(const char *name, const char *suffix)
{
	char digits[SEGMENT_DIR_NAME], whole[SEGMENT_DIR_NAME];
	const char *dot = strchr(name, '.');
	uint64_t n;

	if (dot == NULL || strcmp(dot, suffix) != 0 ||
	    (size_t)(dot - name) >= sizeof(digits))
		return 0;
	memcpy(digits, name, (size_t)(dot - name));
	digits[dot - name] = '\0';
	if (scan_u64(digits, 1, UINT64_MAX, &n) == -1)
		return 0;
	/* "007.warts" is not ours. */
	return strcmp(segment_dir_name(whole, n, suffix), name) == 0 ? n : 0;
}

static DIR *
open_list(int dirfd)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir;

	if (fd == -1)
		return NULL;
	dir = fdopendir(fd);
	if (dir == NULL)
		close(fd);
	return dir;
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

ssize_t
segment_dir_list(int dirfd, const char *suffix, uint64_t **out)
{
	DIR *dir = open_list(dirfd);
	struct dirent *e;
	uint64_t n, *list = NULL;
	size_t count = 0, cap = 0;

	*out = NULL;
	if (dir == NULL)
		return -1;
	while ((e = readdir(dir)) != NULL) {
		n = number_of(e->d_name, suffix);
		if (n == 0)
			continue;
		if (count == cap) {
			cap = cap == 0 ? 64 : 2 * cap;
			list = xreallocarray(list, cap, sizeof(*list));
		}
		list[count++] = n;
	}
	closedir(dir);
	if (count > 0)
		qsort(list, count, sizeof(*list), compare);
	*out = list;
	return (ssize_t)count;
}

static uint64_t
size_of(int dirfd, const char *name)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return 0;
	return (uint64_t)st.st_size;
}

uint64_t
segment_dir_bytes(int dirfd)
{
	DIR *dir = open_list(dirfd);
	struct dirent *e;
	uint64_t sum = 0;

	if (dir == NULL)
		return 0;
	while ((e = readdir(dir)) != NULL) {
		if (number_of(e->d_name, ".warts") != 0 ||
		    number_of(e->d_name, ".open") != 0)
			sum += size_of(dirfd, e->d_name);
	}
	closedir(dir);
	return sum;
}

/* The first segment that the Prober's checkpoint may want to read, behind its
 * first line "checkpoint VERSION BOOT SEGMENT RECORD"; all if that is damaged,
 * none without a checkpoint. */
static uint64_t
first_needed(struct segment_dir *d)
{
	char line[STATE_MAX], *words[5];
	uint64_t n = 0;
	ssize_t len;
	int fd = openat(d->state, "checkpoint", O_RDONLY | O_CLOEXEC);

	if (fd == -1)
		return errno == ENOENT ? UINT64_MAX : 0;
	len = read(fd, line, sizeof(line) - 1);
	close(fd);
	line[len > 0 ? len : 0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	if (crcline_check(line) != NULL || scan_words(line, words, 5) != 5 ||
	    scan_u64(words[3], 1, UINT64_MAX, &n) == -1)
		return 0;
	return n;
}

uint64_t
segment_dir_prune(struct segment_dir *d, uint64_t keep_bytes)
{
	char name[SEGMENT_DIR_NAME];
	uint64_t *list, total, size, freed = 0, needed = first_needed(d);
	ssize_t n;

	total = segment_dir_bytes(d->sent);
	n = segment_dir_list(d->sent, ".warts", &list);
	for (ssize_t i = 0; i < n && total - freed > keep_bytes; i++) {
		if (list[i] >= needed)
			break;
		segment_dir_name(name, list[i], ".warts");
		size = size_of(d->sent, name);
		if (unlinkat(d->sent, name, 0) == 0)
			freed += size;
	}
	free(list);
	return freed;
}
