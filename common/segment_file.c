#include "common/segment_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <zlib.h>

#include "common/atomicfile.h"
#include "common/clock.h"
#include "common/segment_mark.h"

static int
fail(struct segment_file *f, const char *what)
{
	f->what = what;
	return -1;
}

/* --- points --------------------------------------------------------------- */

static void
point_init(struct segment_point *p)
{
	memset(p, 0, sizeof(*p));
	p->sha = EVP_MD_CTX_new();
	if (p->sha == NULL ||
	    EVP_DigestInit_ex(p->sha, EVP_sha256(), NULL) != 1)
		abort();
}

static void
point_start(struct segment_point *p, uint64_t record)
{
	p->len = 0;
	p->record = record;
	p->nlists = p->ncycles = 0;
	if (EVP_DigestInit_ex(p->sha, EVP_sha256(), NULL) != 1)
		abort();
}

static void
point_copy(struct segment_point *to, const struct segment_point *from)
{
	EVP_MD_CTX *sha = to->sha;

	if (EVP_MD_CTX_copy_ex(sha, from->sha) != 1)
		abort();
	*to = *from;
	to->sha = sha;
}

static void
point_add(struct segment_point *p, const uint8_t *bytes, size_t len)
{
	if (len > 0 && EVP_DigestUpdate(p->sha, bytes, len) != 1)
		abort();
	p->len += len;
}

void
segment_file_init(struct segment_file *f, struct segment_dir *d)
{
	memset(f, 0, sizeof(*f));
	f->dir = d;
	f->fd = -1;
	f->what = "";
	point_init(&f->written);
	point_init(&f->synced);
	wbuf_init(&f->mark);
}

void
segment_file_clear(struct segment_file *f)
{
	assert(!segment_file_is_busy(f));
	EVP_MD_CTX_free(f->written.sha);
	EVP_MD_CTX_free(f->synced.sha);
	wbuf_clear(&f->mark);
	if (f->fd != -1)
		close(f->fd);
	f->fd = -1;
}

/* --- bytes ---------------------------------------------------------------- */

static void
advance(struct iovec *iov, size_t *n)
{
	size_t part = *n < iov->iov_len ? *n : iov->iov_len;

	if (part == 0)
		return;
	iov->iov_base = (char *)iov->iov_base + part;
	iov->iov_len -= part;
	*n -= part;
}

static int
write_all(int fd, struct iovec iov[2], uint64_t offset)
{
	size_t done;
	ssize_t n;

	while (iov[0].iov_len + iov[1].iov_len > 0) {
		n = pwritev(fd, iov, 2, (off_t)offset);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		done = (size_t)n;
		offset += done;
		advance(&iov[0], &done);
		advance(&iov[1], &done);
	}
	return 0;
}

static void
mark_init(struct segment_file *f, struct segment_mark *m, int kind)
{
	memset(m, 0, sizeof(*m));
	m->kind = kind;
	memcpy(m->epoch, f->dir->epoch, sizeof(m->epoch));
	m->segment = f->number;
	m->first = f->written.record;
	m->wall_ns = clock_wall_ns();
	m->mono_ns = clock_mono_ns();
}

/* Append LEN bytes at P and mark M.  When it cannot be done the file is as it
 * was: half a batch would be in the way of the next try. */
static int
put(struct segment_file *f, const struct segment_mark *m, const uint8_t *p,
    size_t len)
{
	struct iovec iov[2];
	int saved;

	wbuf_reset(&f->mark);
	segment_mark_encode(
	    &f->mark, m, (uint32_t)crc32_z(crc32_z(0, NULL, 0), p, len));
	iov[0] = (struct iovec){.iov_base = (void *)p, .iov_len = len};
	iov[1] = (struct iovec){.iov_base = f->mark.p, .iov_len = f->mark.len};
	if (write_all(f->fd, iov, f->written.len) == -1) {
		saved = errno;
		/* That is more than a lack of space. */
		if (ftruncate(f->fd, (off_t)f->written.len) == -1)
			saved = EIO;
		errno = saved;
		return fail(f, f->name);
	}
	point_add(&f->written, p, len);
	point_add(&f->written, f->mark.p, f->mark.len);
	return 0;
}

int
segment_file_append(struct segment_file *f, const struct segment_batch *b)
{
	struct segment_mark m;

	assert(!f->ends);
	mark_init(f, &m, SEGMENT_MARK_BATCH);
	m.count = (uint32_t)(b->next_record - f->written.record);
	m.accounts = b->accounts;
	m.naccounts = b->naccounts;
	m.events = b->events;
	m.nevents = b->nevents;
	if (put(f, &m, b->p, b->len) == -1)
		return -1;
	f->written.record = b->next_record;
	f->written.nlists = b->nlists;
	f->written.ncycles = b->ncycles;
	return 0;
}

int
segment_file_sync(struct segment_file *f)
{
	if (f->written.len == f->synced.len)
		return 0;
	if (fdatasync(f->fd) == -1)
		return fail(f, f->name);
	point_copy(&f->synced, &f->written);
	return 0;
}

int
segment_file_cut(struct segment_file *f)
{
	f->ends = 1;
	point_copy(&f->written, &f->synced);
	if (ftruncate(f->fd, (off_t)f->synced.len) == -1)
		return fail(f, f->name);
	return 0;
}

int
segment_file_has_content(const struct segment_file *f)
{
	return f->written.len > SEGMENT_MARK_HEAD_LEN;
}

/* --- begin and seal ------------------------------------------------------- */

static int
put_head(struct segment_file *f)
{
	struct segment_mark m;

	mark_init(f, &m, SEGMENT_MARK_HEAD);
	memcpy(m.boot, f->dir->boot, sizeof(m.boot));
	if (put(f, &m, NULL, 0) == -1)
		return -1;
	if (f->dir->last_record + 1 == f->first_record)
		return 0;
	mark_init(f, &m, SEGMENT_MARK_RESUME);
	m.resume_last = f->dir->last_record;
	return put(f, &m, NULL, 0);
}

void
segment_file_discard(struct segment_file *f)
{
	if (unlinkat(f->dir->spool, f->name, 0) == -1 && errno != ENOENT)
		f->stale = f->number;
}

int
segment_file_begin(struct segment_file *f)
{
	int saved;

	assert(f->fd == -1);
	f->ends = 0;
	f->number = f->dir->next;
	f->first_record = f->dir->next_record;
	segment_dir_name(f->name, f->number, ".open");
	if (f->stale == f->number) {
		if (atomicfile_unlink(f->dir->spool, f->name) == -1)
			return fail(f, f->name);
		f->stale = 0;
	}
	f->fd = openat(f->dir->spool, f->name,
	    O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (f->fd == -1)
		return fail(f, f->name);
	point_start(&f->written, f->first_record);
	if (atomicfile_lock_fd(f->fd) == -1 || put_head(f) == -1 ||
	    atomicfile_syncdir(f->dir->spool) == -1) {
		saved = errno;
		segment_file_discard(f);
		close(f->fd);
		f->fd = -1;
		errno = saved;
		return fail(f, f->name);
	}
	point_copy(&f->synced, &f->written);
	return 0;
}

int
segment_file_begin_after(struct segment_file *f)
{
	int old = f->fd, rc, saved;

	f->fd = -1;
	rc = segment_file_begin(f);
	saved = errno;
	close(old);
	errno = saved;
	return rc;
}

static int
put_tail(struct segment_file *f, const struct segment_account *accounts,
    uint16_t naccounts)
{
	struct segment_mark m;

	mark_init(f, &m, SEGMENT_MARK_TAIL);
	m.seg_first = f->first_record;
	m.seg_last = f->written.record - 1;
	m.accounts = accounts;
	m.naccounts = naccounts;
	/* `synced' is where `written' is: its hash can be spent. */
	if (EVP_DigestFinal_ex(f->synced.sha, m.sha, NULL) != 1)
		abort();
	if (put(f, &m, NULL, 0) == 0)
		return 0;
	if (errno != ENOSPC || !segment_dir_unreserve(f->dir))
		return -1;
	return put(f, &m, NULL, 0);
}

/* Take the tail off again: BEFORE is where it began. */
static void
unseal(struct segment_file *f, const struct segment_point *before)
{
	int saved = errno;

	if (ftruncate(f->fd, (off_t)before->len) == -1)
		saved = EIO;
	point_copy(&f->written, before);
	point_copy(&f->synced, before);
	errno = saved;
}

int
segment_file_seal(struct segment_file *f,
    const struct segment_account *accounts, uint16_t naccounts)
{
	struct segment_point before;
	char to[SEGMENT_DIR_NAME];
	int rc;

	assert(f->written.len == f->synced.len);
	point_init(&before);
	point_copy(&before, &f->written);
	rc = put_tail(f, accounts, naccounts);
	if (rc == 0 && fsync(f->fd) == -1)
		rc = fail(f, f->name);
	/* If it fails the counter may have moved all the same: recovery would
	 * cut off what came behind. */
	f->ends |= rc == 0;
	if (rc == 0 &&
	    segment_dir_set_next(
		f->dir, f->number + 1, before.record, before.record - 1) == -1)
		rc = fail(f, "state/next");
	if (rc == -1)
		unseal(f, &before);
	/* When the rename fails N.open is whole and durable under its old
	 * name: the next start renames it. */
	else if (atomicfile_rename(f->dir->spool, f->name, f->dir->spool,
		     segment_dir_name(to, f->number, ".warts")) == -1)
		f->what = f->name;
	EVP_MD_CTX_free(before.sha);
	return rc;
}

/* --- jobs ----------------------------------------------------------------- */

static int
do_work(void *arg)
{
	struct segment_file *f = arg;
	const struct segment_work *k = &f->work;

	f->step = SEGMENT_WRITE;
	if (k->numbers != 0 &&
	    segment_dir_reserve_numbers(f->dir, k->numbers) == -1)
		return fail(f, "state/numbers");
	if (k->batch.len > 0 && segment_file_append(f, &k->batch) == -1)
		return -1;
	f->step = SEGMENT_SYNC;
	if ((k->sync || k->turn) && segment_file_sync(f) == -1)
		return -1;
	if (!k->turn)
		return 0;
	f->step = SEGMENT_SEAL;
	if (segment_file_seal(f, k->accounts, k->naccounts) == -1)
		return -1;
	f->step = SEGMENT_BEGIN;
	return segment_file_begin_after(f);
}

void
segment_file_give(struct segment_file *f, const struct segment_work *work)
{
	assert(f->fd != -1);
	f->work = *work;
	syncer_submit(&f->job, do_work, f);
}

int
segment_file_result(struct segment_file *f)
{
	return syncer_result(&f->job);
}
