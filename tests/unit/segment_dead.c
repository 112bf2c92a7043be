/*
 * segment on a disk that is dead for a while, with a process that may be killed
 * at any call: every call that changes a disk is numbered, those of a window
 * fail, and one may be the last.  Each life is a process.  Whatever becomes of
 * it, the next finds all that was said to be durable, no record twice, no number
 * skipped, each list and cycle defined where a record names it, and each record's
 * command answered in the mark behind it.
 */
#include <assert.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/segment_mark.h"
#include "common/syncer.h"
#include "tests/unit/lostpages.h"
#include "tests/unit/spool.h"

#define CYCLES 3
#define STEPS 90
#define NEVER 100000

/* --- the disk -------------------------------------------------------------- */

/* What is called. */
enum kind { APPEND, WRITE, CUT, SYNC, SYNC_DIR, RENAME, UNLINK, CREATE, KINDS };

struct life {
	int from, to; /* calls between fail, */
	unsigned int kinds; /* if they are of these: bits */
	int some; /* and not all of them */
	int next[KINDS]; /* so many of the next ones of a kind do */
	int err;
	int last; /* the process ends before this one */
	int threaded;
	unsigned int seed; /* of what is done */
};

/* Shared with the process that lives it. */
static struct {
	_Atomic int calls, failed;
	_Atomic uint32_t taken, durable;
	_Atomic int finished;
} * seen;

static struct life life;
static int armed;
static _Thread_local int inside; /* lostpages at work */

static int
is_chosen(int n, enum kind kind)
{
	unsigned int r = (unsigned int)n + life.seed;

	if (life.next[kind] > 0)
		return life.next[kind]--;
	if (n < life.from || n >= life.to || !(life.kinds >> kind & 1))
		return 0;
	return !life.some || rand_r(&r) % 3 == 0;
}

/* Is this one to fail?  Its errno is set. */
static int
fails(enum kind kind)
{
	int n;

	if (!armed || inside)
		return 0;
	n = seen->calls++;
	if (n == life.last)
		_exit(0);
	if (!is_chosen(n, kind))
		return 0;
	seen->failed++;
	errno = life.err;
	return 1;
}

ssize_t
pwritev(int fd, const struct iovec *iov, int n, off_t offset)
{
	struct iovec first = iov[0];

	if (!fails(APPEND))
		return syscall(SYS_pwritev, fd, iov, n, offset, 0);
	/* Some of it may have been written. */
	first.iov_len /= 2;
	syscall(SYS_pwritev, fd, &first, 1, offset, 0);
	errno = life.err;
	return -1;
}

ssize_t
pwrite(int fd, const void *p, size_t len, off_t offset)
{
	return fails(WRITE) ? -1 : syscall(SYS_pwrite64, fd, p, len, offset);
}

int
ftruncate(int fd, off_t len)
{
	return fails(CUT) ? -1 : (int)syscall(SYS_ftruncate, fd, len);
}

/* No disk is waited for: what it would lose, lostpages does. */
static int
sync_fd(int fd)
{
	struct stat st;
	int rc, saved;

	rc = fstat(fd, &st);
	if (rc == 0 && fails(S_ISDIR(st.st_mode) ? SYNC_DIR : SYNC))
		rc = -1;
	saved = errno;

	inside++;
	lostpages_synced(fd, rc == -1);
	inside--;
	errno = saved;
	return rc;
}

int
fdatasync(int fd)
{
	return sync_fd(fd);
}

int
fsync(int fd)
{
	return sync_fd(fd);
}

int
renameat(int from_dir, const char *from, int to_dir, const char *to)
{
	if (fails(RENAME))
		return -1;
	return (int)syscall(SYS_renameat, from_dir, from, to_dir, to);
}

int
unlinkat(int dirfd, const char *path, int flags)
{
	return fails(UNLINK) ? -1
			     : (int)syscall(SYS_unlinkat, dirfd, path, flags);
}

int
openat(int dirfd, const char *path, int flags, ...)
{
	mode_t mode;
	va_list ap;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if ((flags & O_CREAT) && fails(CREATE))
		return -1;
	return (int)syscall(SYS_openat, dirfd, path, flags, mode);
}

/* --- a life ---------------------------------------------------------------- */

struct user {
	struct segment_writer *w;
	int cycles[CYCLES];
	int64_t now_ns;
};

/* How many of the traces below N are of cycle K. */
static uint64_t
count_of(uint32_t n, uint32_t k)
{
	return n / CYCLES + (n % CYCLES > k);
}

/* Trace I belongs to list 1 + I % CYCLES and answers command I + 1. */
static void
put(struct user *u)
{
	uint32_t i = seen->taken, k = i % CYCLES;
	struct segment_account a = {.list = 1 + k, .cycle = CYCLE_TIME};

	if (segment_is_full(u->w))
		return;
	/* Before it is taken: from then on it may be found. */
	seen->taken++;
	segment_answers(u->w, i + 1);
	a.active = 1; /* not final */
	a.recorded = count_of(i + 1, k);
	segment_account(u->w, &a);
	if (put_trace(u->w, u->cycles[k], i) == -1)
		abort();
}

static void
note(struct user *u)
{
	seen->durable = (uint32_t)segment_durable(u->w);
}

static void
step(struct user *u, unsigned int *seed)
{
	for (int k = rand_r(seed) % 6; k > 0; k--)
		put(u);
	if (rand_r(seed) % 8 == 0) {
		int k = rand_r(seed) % CYCLES;

		segment_cycle_end(u->w, u->cycles[k], 9);
		u->cycles[k] = begin_cycle(u->w, 1 + (uint32_t)k, 0);
	}
	if (rand_r(seed) % 2)
		segment_settle(u->w, u->now_ns);
	segment_poll(u->w, u->now_ns);
	note(u);
	if (rand_r(seed) % 4 == 0)
		segment_tick(u->w, u->now_ns += NS_PER_SEC);
	if (rand_r(seed) % 8 == 0)
		segment_rotate(u->w, u->now_ns);
	if (rand_r(seed) % 8 == 0)
		segment_hurry(u->w, u->now_ns);
	if (rand_r(seed) % 16 == 0)
		segment_sync(u->w, u->now_ns);
	note(u);
}

static void
live(void)
{
	const struct segment_config cfg = {.batch_bytes = 300,
	    .sync_bytes = 1000,
	    .wait_bytes = 4000,
	    .syncer = life.threaded ? syncer_new() : NULL};
	struct user u = {.w = open_writer(&cfg), .now_ns = 2};
	unsigned int seed = life.seed;
	int tries = 0;

	for (int k = 0; k < CYCLES; k++)
		u.cycles[k] = begin_cycle(u.w, 1 + (uint32_t)k, 0);
	armed = 1;
	for (int k = 0; k < STEPS; k++)
		step(&u, &seed);
	/* The disk is well again: all of it gets there. */
	segment_settle(u.w, u.now_ns);
	life.from = life.to = 0;
	while (segment_sync(u.w, u.now_ns) == -1 && tries++ < 20)
		segment_tick(u.w, u.now_ns += NS_PER_SEC);
	note(&u);
	put(&u);
	assert(segment_close(u.w, u.now_ns) == 0);
	seen->durable = seen->taken;
	seen->finished = 1;
	syncer_free(cfg.syncer);
	_exit(0);
}

/* There is no room for a batch, and what says that the file ends where it is may
 * have got there: what comes when there is room does not belong to that file. */
static void
live_counted(void)
{
	struct user u = {.w = open_writer(NULL), .now_ns = 2};

	for (int k = 0; k < CYCLES; k++)
		u.cycles[k] = begin_cycle(u.w, 1 + (uint32_t)k, 0);
	put(&u);
	assert(segment_sync(u.w, u.now_ns) == 0);
	armed = 1;
	put(&u);
	assert(segment_tick(u.w, u.now_ns += NS_PER_SEC) == SEGMENT_FULL);
	assert(segment_tick(u.w, u.now_ns += NS_PER_SEC) == SEGMENT_OK);
	put(&u);
	assert(segment_sync(u.w, u.now_ns) == 0);
	note(&u);
	_exit(0);
}

/* --- what it leaves --------------------------------------------------------- */

struct found {
	uint32_t next; /* trace */
	uint32_t lists[64], cycles[64]; /* the user's list numbers, by id */
	uint32_t nlists, ncycles; /* of this file */
	uint64_t answered; /* commands */
	uint64_t recorded[CYCLES]; /* as the last account says */
};

static void
on_record(void *arg, uint16_t type, const uint8_t *body, uint32_t len,
    uint64_t number)
{
	struct found *f = arg;
	struct warts_list list;
	struct warts_cycle cycle;
	struct warts_trace t;
	const char *why;

	if (type == WARTS_LIST) {
		assert_int_equal(warts_list_decode(body, len, &list, &why), 0);
		assert_int_equal(list.id, ++f->nlists);
		f->lists[list.id] = list.user_id;
	} else if (type == WARTS_CYCLE_START || type == WARTS_CYCLE_DEF) {
		assert_int_equal(
		    warts_cycle_decode(body, len, &cycle, &why), 0);
		assert_int_equal(cycle.id, ++f->ncycles);
		assert_in_range(cycle.list, 1, f->nlists);
		f->cycles[cycle.id] = f->lists[cycle.list];
	} else if (type == WARTS_TRACE) {
		assert_int_equal(warts_trace_decode(body, len, &t, &why), 0);
		assert_int_equal(t.user_id, f->next);
		assert_int_equal(number, f->next + 1);
		assert_in_range(t.cycle, 1, f->ncycles);
		assert_int_equal(f->cycles[t.cycle], 1 + f->next % CYCLES);
		assert_int_equal(f->lists[t.list], f->cycles[t.cycle]);
		warts_trace_clear(&t);
		f->next++;
	}
}

static void
on_event(void *arg, const struct segment_event *e)
{
	struct found *f = arg;

	if (e->kind == SEGMENT_FINISHED)
		assert_int_equal(e->number, ++f->answered);
}

static void
on_mark(void *arg, const uint8_t *body, uint32_t len)
{
	struct segment_account a;
	struct found *f = arg;

	assert_int_equal(segment_mark_events(body, len, on_event, f), 0);
	assert_int_equal(f->answered, f->next);
	for (uint16_t i = 0; segment_mark_account(body, len, i, &a) == 0; i++)
		f->recorded[a.list - 1] = a.recorded;
}

static void
check_accounts(const struct found *f)
{
	for (uint32_t k = 0; k < CYCLES; k++)
		assert_int_equal(f->recorded[k], count_of(seen->taken, k));
}

static void
check(void)
{
	struct found f = {0};
	struct segment_read_opts opts = {
	    .record = on_record, .mark = on_mark, .arg = &f};
	struct segment_info info;
	struct segment_dir d;
	char name[SEGMENT_DIR_NAME];
	const char *why;
	uint64_t *list;
	ssize_t n;
	int fd;

	assert_int_equal(segment_close(open_writer(NULL), 9), 0);
	assert_int_equal(segment_dir_open(&d, spool, 0, &why), 0);
	n = segment_dir_list(d.spool, ".warts", &list);
	for (ssize_t i = 0; i < n; i++) {
		assert_int_equal(list[i], i + 1);
		f.nlists = f.ncycles = 0;
		segment_dir_name(name, list[i], ".warts");
		fd = openat(d.spool, name, O_RDONLY | O_CLOEXEC);
		if (segment_read(fd, &opts, &info, &why) != 0)
			fail_msg("%s: %s", name, why);
		close(fd);
	}
	free(list);
	segment_dir_close(&d);
	if (seen->finished)
		check_accounts(&f);
	if (f.next < seen->durable || f.next > seen->taken)
		fail_msg("%u traces, %u were durable, %u taken", f.next,
		    seen->durable, seen->taken);
}

static void
one_life(const struct life *l, void (*live_it)(void))
{
	int status;
	pid_t pid;

	life = *l;
	memset(seen, 0, sizeof(*seen));
	pid = fork();
	assert_true(pid != -1);
	if (pid == 0)
		live_it();
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		fail_msg("seed %u, from %d to %d: status %x", l->seed, l->from,
		    l->to, (unsigned int)status);
	check();
	spool_teardown(NULL);
	spool_setup(NULL);
}

static void
random_lives(unsigned int n, int killed)
{
	const char *more = getenv("LIVES"); /* for a campaign */

	for (unsigned int k = 0; k < n * (more ? atoi(more) : 1); k++) {
		unsigned int r = k;
		struct life l = {.seed = k / 8, .last = NEVER};

		l.from = rand_r(&r) % 250;
		l.to = l.from + 1 + rand_r(&r) % (k % 2 ? 8 : 40);
		l.kinds = k % 4 == 0 ? ~0u : (unsigned int)rand_r(&r) >> 8;
		l.some = rand_r(&r) % 2;
		l.err = rand_r(&r) % 2 ? EIO : ENOSPC;
		l.threaded = rand_r(&r) % 2;
		if (killed)
			l.last = l.from + rand_r(&r) % 60;
		one_life(&l, live);
	}
}

static void
test_heals(void **state)
{
	(void)state;
	random_lives(80, 0);
}

static void
test_killed(void **state)
{
	(void)state;
	random_lives(80, 1);
}

static void
test_counted(void **state)
{
	const struct life l = {.err = ENOSPC,
	    .last = NEVER,
	    .next = {[APPEND] = 1, [SYNC_DIR] = 2}};

	(void)state;
	one_life(&l, live_counted);
}

static int
group_setup(void **state)
{
	(void)state;
	seen = mmap(NULL, sizeof(*seen), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return seen == MAP_FAILED ? -1 : 0;
}

int
main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, spool_setup, spool_teardown)
	const struct CMUnitTest tests[] = {
	    T(test_heals),
	    T(test_killed),
	    T(test_counted),
	};

	return cmocka_run_group_tests(tests, group_setup, NULL);
}
