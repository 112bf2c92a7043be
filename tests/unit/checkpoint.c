/*
 * checkpoint: a process does random things and is gone at a random moment; what
 * the next one reads is exactly what was accepted and has no record.  Then the
 * file itself: every flipped bit is found, and a cut is never taken for more
 * than it is.
 */
#include "tests/unit/test.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/atomicfile.h"
#include "prober/checkpoint.h"

#define NUMBERS 4000
#define CYCLE 1700000000
#define STEPS 300

/* What became of each number of the one cycle, as the child knows it. */
struct model {
	uint8_t accepted[NUMBERS], logged[NUMBERS];
	uint8_t recorded[NUMBERS], written[NUMBERS];
	uint8_t refused[NUMBERS], refusal_logged[NUMBERS];
	uint64_t high, durable; /* durable: would have been acknowledged */
	int ended, end_durable, stopped, stop_written, started, start_written;
};

static const struct technique fake = {.name = "fake", .state_size = 8};
const struct technique *const technique_table[] = {&fake, NULL};

static struct measurement measurement = {
    .tech = &fake, .refs = 1000000, .text = (char *)(uintptr_t) "fake -x 1"};
static struct link_path path;
static char spool[64];
static struct model *m;

void
technique_unref(struct measurement *x)
{
	x->refs--;
}

struct link_path *
link_lookup(struct link *l, const struct addr *dst, const char **why)
{
	(void)l;
	*why = "no route";
	/* Every 16th has none. */
	return dst->b[3] % 16 == 7 ? NULL : &path;
}

struct link_path *
link_lookup_by(struct link *l, const struct addr *dst,
    const struct technique_route *r, const char **why)
{
	(void)r;
	return link_lookup(l, dst, why);
}

static int
remove_one(const char *name, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(name);
}

static int
setup(void **state)
{
	(void)state;
	strcpy(spool, "/tmp/checkpoint-test-XXXXXX");
	m = mmap(NULL, sizeof(*m), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return mkdtemp(spool) == NULL || m == MAP_FAILED ? -1 : 0;
}

static int
teardown(void **state)
{
	(void)state;
	munmap(m, sizeof(*m));
	return nftw(spool, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* --- the process that dies --------------------------------------------------- */

struct life {
	struct segment_writer *w;
	struct checkpoint cp;
	struct admit a;
	struct window window;
	struct listcycle *lc;
	int64_t now_ns;
};

static struct addr
address_of(uint64_t n)
{
	uint8_t b[16] = {10, 0, (uint8_t)(n >> 8), (uint8_t)n};

	/* Every third is an IPv6 address, every tenth was there before. */
	if (n % 10 == 0 && n > 10)
		return address_of(n - 7);
	return addr_make(n % 3 == 0 ? ADDR_IPV6 : ADDR_IPV4, b);
}

static void
all_logged(void)
{
	memcpy(m->logged, m->accepted, sizeof(m->logged));
	memcpy(m->refusal_logged, m->refused, sizeof(m->refused));
	m->durable = m->high;
	m->end_durable = m->ended;
}

static void
all_written(void)
{
	memcpy(m->written, m->recorded, sizeof(m->written));
	m->start_written = m->started;
	m->stop_written = m->stopped;
}

static void
sealed(void *arg)
{
	struct life *l = arg;

	all_written();
	if (checkpoint_snapshot(&l->cp) == 0)
		all_logged();
}

static void
open_life(struct life *l)
{
	struct segment_config cfg = {
	    .dir = spool, .sealed = sealed, .arg = l, .batch_bytes = 1u << 20};
	const char *why;

	memset(l, 0, sizeof(*l));
	l->w = segment_open(&cfg, 1, &why);
	assert_non_null(l->w);
	assert_int_equal(checkpoint_init(&l->cp, spool, &why), 0);
	l->cp.w = l->w;
	l->cp.admit = &l->a;
	window_init(&l->window, 8);
	cmdqueue_init(&l->a.queue, NUMBERS < 4096 ? 4096 : 8192);
	l->a.hold = hold_new(20);
	l->a.window = &l->window;
	l->a.checkpoint = &l->cp;
	TAILQ_INIT(&l->a.table);
	assert_int_equal(checkpoint_snapshot(&l->cp), 0);
}

static void
begin(struct life *l)
{
	struct segment_cycle sc = {
	    .list_id = 7, .name = "l", .cycle_id = CYCLE, .start = CYCLE};

	l->lc = listcycle_add(&l->a.table, 7, CYCLE, &measurement);
	listcycle_define(l->lc, "l", "words", CYCLE);
	l->lc->out = segment_cycle_begin(l->w, &sc);
	checkpoint_began(&l->cp, l->lc);
}

static void
accept_one(struct life *l)
{
	struct command c = {.lc = l->lc, .m = &measurement};

	if (l->lc->ended || l->lc->high + 1 == NUMBERS)
		return;
	c.number = ++l->lc->high;
	c.dst = address_of(c.number);
	assert_int_equal(admit_put(&l->a, &c), 0);
	checkpoint_accepted(&l->cp, &c);
	m->accepted[c.number] = 1;
	m->high = c.number;
}

/* Refusals are seen by what left the queue and is nowhere. */
static void
admit_one(struct life *l)
{
	struct command c;
	uint64_t before = listcycle_refused(l->lc);
	uint32_t budget = 1;

	if (l->a.queue.count == 0 || window_full(&l->window))
		return;
	c = *cmdqueue_at(&l->a.queue, 0);
	admit_next(&l->a, l->now_ns, &budget);
	if (listcycle_refused(l->lc) > before)
		m->refused[c.number] = 1;
}

static void
first_task(void *arg, const struct task *t)
{
	const struct task **first = arg;

	*first = t;
}

static void
record_one(struct life *l)
{
	struct warts_trace t = {.attempts = 1,
	    .first_ttl = 1,
	    .squeries = 1,
	    .method = WARTS_TRACE_ICMP_PARIS};
	struct task *task = NULL;

	window_each(&l->window, first_task, &task);
	if (task == NULL)
		return;
	t.src = t.dst = task->dst;
	segment_answers(l->w, task->number);
	assert_int_equal(segment_trace(l->w, l->lc->out, &t), 0);
	m->started = 1;
	m->recorded[task->number] = 1;
	l->lc->active--;
	l->lc->recorded++;
	window_remove(&l->window, task);
}

static void
tick_log(struct life *l)
{
	checkpoint_tick(&l->cp, l->now_ns);
	all_logged();
}

static void
flush_records(struct life *l)
{
	assert_int_equal(segment_sync(l->w, l->now_ns), 0);
	all_written();
}

static void
rotate(struct life *l)
{
	assert_int_equal(segment_rotate(l->w, l->now_ns), 0);
}

static void
end_cycle(struct life *l)
{
	if (l->lc->ended || l->lc->high < 200)
		return;
	l->lc->ended = m->ended = 1;
	checkpoint_ended(&l->cp, l->lc);
}

static void (*const acts[])(struct life *) = {accept_one, accept_one,
    accept_one, accept_one, admit_one, admit_one, admit_one, record_one,
    record_one, record_one, tick_log, flush_records, rotate, end_cycle};
static const int often[] = {
    90, 90, 90, 90, 90, 90, 90, 80, 80, 80, 20, 20, 5, 3};

static _Noreturn void
live(unsigned int seed)
{
	struct life l;
	int steps;
	size_t i;

	srand(seed);
	open_life(&l);
	begin(&l);
	steps = rand() % STEPS * 10;
	for (int s = 0; s < steps; s++) {
		i = (size_t)rand() % LEN(acts);
		if (rand() % 100 < often[i])
			acts[i](&l);
	}
	_exit(0);
}

/* --- what the next one finds ------------------------------------------------------ */

static void
check_row(const struct checkpoint_row *row)
{
	assert_int_equal(row->list, 7);
	assert_int_equal(row->cycle, CYCLE);
	assert_string_equal(row->name, "l");
	assert_string_equal(row->descr, "words");
	assert_string_equal(row->probe, "fake -x 1");
	assert_true(row->high >= m->durable);
	assert_int_equal(row->started, m->start_written);
	assert_int_equal(row->ended, m->end_durable);
}

/* The books of the row, and which numbers are to be probed or passed over. */
static void
check_numbers(const struct checkpoint_state *s)
{
	static uint8_t left[NUMBERS], ahead[NUMBERS];
	const struct checkpoint_row *row = &s->rows[0];
	uint64_t nleft = 0, refused = 0;

	memset(left, 0, sizeof(left));
	memset(ahead, 0, sizeof(ahead));
	for (size_t i = 0; i < s->npending; i++) {
		struct addr want = address_of(s->pending[i].number);

		assert_true(addr_equal(&s->pending[i].addr, &want));
		if (s->pending[i].finished)
			continue;
		assert_int_equal(left[s->pending[i].number]++, 0);
		nleft++;
	}
	for (size_t i = 0; i < row->nahead; i++)
		ahead[row->ahead[i]] = 1;
	for (uint64_t n = 1; n < NUMBERS; n++) {
		assert_int_equal(left[n],
		    m->logged[n] && !m->refusal_logged[n] && !m->written[n]);
		if (n > row->high)
			assert_int_equal(ahead[n], m->written[n]);
		refused += m->refusal_logged[n];
	}
	for (int i = 0; i < REFUSED_N; i++)
		refused -= row->refused[i];
	assert_int_equal(refused, 0);
	assert_int_equal(row->accepted,
	    row->recorded + row->refused[REFUSED_NOROUTE] + nleft);
}

static void
any_moment(void **state)
{
	struct checkpoint_state s;
	struct segment_config cfg = {.dir = spool};
	struct segment_writer *w;
	struct segment_dir d;
	const char *why = "";
	int status;
	pid_t pid;

	(void)state;
	for (unsigned int seed = 1; seed <= 80; seed++) {
		print_message("seed %u\n", seed);
		memset(m, 0, sizeof(*m));
		pid = fork();
		if (pid == 0)
			live(seed);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		/* Recovery of the segments comes first. */
		w = segment_open(&cfg, 1, &why);
		assert_non_null(w);
		assert_int_equal(segment_dir_open(&d, spool, 0, &why), 0);
		assert_int_equal(checkpoint_read(&d, &s, &why), 1);
		assert_int_equal(s.missing, 0);
		assert_int_equal(s.nrows, 1);
		check_row(&s.rows[0]);
		check_numbers(&s);
		checkpoint_state_clear(&s);
		segment_dir_close(&d);
		assert_int_equal(segment_close(w, 2), 0);
	}
}

/* --- the file --------------------------------------------------------------------- */

static void
write_file(void)
{
	struct life l;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		open_life(&l);
		begin(&l);
		for (int i = 0; i < 5; i++)
			accept_one(&l);
		tick_log(&l);
		admit_one(&l);
		record_one(&l);
		rotate(&l);
		accept_one(&l);
		tick_log(&l);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int
read_file(struct segment_dir *d, uint64_t *high)
{
	struct checkpoint_state s;
	const char *why = NULL;
	int rc = checkpoint_read(d, &s, &why);

	*high = 0;
	if (rc == 1) {
		*high = s.nrows > 0 ? s.rows[0].high : 0;
		checkpoint_state_clear(&s);
	} else {
		assert_non_null(why);
	}
	return rc;
}

static void
bits_and_cuts(void **state)
{
	struct segment_dir d;
	const char *why;
	uint64_t high;
	size_t len, first;
	char *data;

	(void)state;
	write_file();
	assert_int_equal(segment_dir_open(&d, spool, 0, &why), 0);
	assert_int_equal(read_file(&d, &high), 1);
	assert_int_equal(high, 6);
	assert_int_equal(
	    atomicfile_read(d.state, CHECKPOINT_FILE, 1u << 20, &data, &len),
	    0);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		data[bit / 8] ^= (char)(1 << bit % 8);
		atomicfile_write(d.state, CHECKPOINT_FILE, data, len, 0600);
		assert_int_equal(read_file(&d, &high), -1);
		assert_int_equal(errno, EBADMSG);
		data[bit / 8] ^= (char)(1 << bit % 8);
	}
	/* A cut loses the frame that it is in, or is found. */
	first = len;
	for (size_t cut = len; cut-- > 0;) {
		atomicfile_write(d.state, CHECKPOINT_FILE, data, cut, 0600);
		if (read_file(&d, &high) == 1) {
			assert_int_equal(high, 5);
			first = cut;
		} else {
			assert_int_equal(errno, EBADMSG);
			assert_true(cut < first);
		}
	}
	assert_true(first < len && first > len / 2);
	free(data);
	segment_dir_close(&d);
}

static void
none(void **state)
{
	struct segment_dir d;
	const char *why;
	uint64_t high;

	(void)state;
	assert_int_equal(segment_dir_open(&d, spool, 1, &why), 0);
	assert_int_equal(read_file(&d, &high), 0);
	segment_dir_close(&d);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(any_moment, setup, teardown),
	    cmocka_unit_test_setup_teardown(bits_and_cuts, setup, teardown),
	    cmocka_unit_test_setup_teardown(none, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
