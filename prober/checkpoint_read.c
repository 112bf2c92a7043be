/*
 * checkpoint_read: state/checkpoint and the marks behind it, as one state.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/fd.h"
#include "common/scan.h"
#include "common/segment_mark.h"
#include "common/segment_read.h"
#include "common/xmalloc.h"
#include "prober/checkpoint.h"

#define INDEX_MIN 1024 /* a power of two */

/* --- rows and commands -------------------------------------------------------- */

static struct checkpoint_row *
new_row(struct checkpoint_state *s)
{
	struct checkpoint_row *row;

	s->rows = xreallocarray(s->rows, s->nrows + 1, sizeof(*s->rows));
	row = &s->rows[s->nrows++];
	memset(row, 0, sizeof(*row));
	return row;
}

/* The newest of these numbers, or NULL. */
static struct checkpoint_row *
find_row(struct checkpoint_state *s, uint32_t list, uint32_t cycle)
{
	for (size_t i = s->nrows; i-- > 0;) {
		if (s->rows[i].list == list && s->rows[i].cycle == cycle)
			return &s->rows[i];
	}
	return NULL;
}

static int
is_ahead(const struct checkpoint_row *row, uint64_t n)
{
	for (size_t i = 0; i < row->nahead; i++) {
		if (row->ahead[i] == n)
			return 1;
	}
	return 0;
}

static void
add_ahead(struct checkpoint_row *row, uint64_t n)
{
	row->ahead =
	    xreallocarray(row->ahead, row->nahead + 1, sizeof(*row->ahead));
	row->ahead[row->nahead++] = n;
}

static uint32_t *
index_slot(const struct checkpoint_state *s, uint32_t row, uint64_t number)
{
	size_t mask = s->index_size - 1;
	size_t i = (size_t)((number * 31 + row) * 0x9e3779b97f4a7c15u >> 20);
	const struct checkpoint_pending *p;

	for (i &= mask; s->index[i] != 0; i = (i + 1) & mask) {
		p = &s->pending[s->index[i] - 1];
		if (p->row == row && p->number == number)
			break;
	}
	return &s->index[i];
}

static void
grow_index(struct checkpoint_state *s)
{
	free(s->index);
	s->index_size = s->index_size == 0 ? INDEX_MIN : 2 * s->index_size;
	s->index = xcalloc(s->index_size, sizeof(*s->index));
	for (size_t i = 0; i < s->npending; i++)
		*index_slot(s, s->pending[i].row, s->pending[i].number) =
		    (uint32_t)i + 1;
}

/* The command of this number, NULL if it is not, or no longer, unfinished. */
static struct checkpoint_pending *
find_pending(const struct checkpoint_state *s, uint32_t row, uint64_t number)
{
	uint32_t at;

	if (s->index_size == 0)
		return NULL;
	at = *index_slot(s, row, number);
	if (at == 0 || s->pending[at - 1].finished)
		return NULL;
	return &s->pending[at - 1];
}

static void
add_pending(struct checkpoint_state *s, const struct addr *a)
{
	struct checkpoint_pending *p;

	if (2 * (s->npending + 1) > s->index_size)
		grow_index(s);
	if (s->npending == s->pending_cap) {
		s->pending_cap =
		    s->pending_cap == 0 ? INDEX_MIN : 2 * s->pending_cap;
		s->pending = xreallocarray(
		    s->pending, s->pending_cap, sizeof(*s->pending));
	}
	p = &s->pending[s->npending++];
	*p = (struct checkpoint_pending){
	    .number = s->run_next, .row = s->run_row, .addr = *a};
	*index_slot(s, p->row, p->number) = (uint32_t)s->npending;
}

/* --- items -------------------------------------------------------------------- */

/* A string of its own; the reader has failed if it is not there. */
static char *
take_str(struct rbuf *r)
{
	const char *text = rbuf_str(r);

	return xstrdup(text != NULL ? text : "");
}

static void
do_cycle(struct checkpoint_state *s, struct rbuf *r)
{
	struct checkpoint_row *row = new_row(s);
	uint8_t flags, n;
	uint64_t refused;

	row->list = rbuf_u32(r);
	row->cycle = rbuf_u32(r);
	row->start = rbuf_u32(r);
	flags = rbuf_u8(r);
	row->started = flags & CHECKPOINT_STARTED;
	row->ended = (flags & CHECKPOINT_ENDS) != 0;
	row->high = rbuf_u64(r);
	row->accepted = rbuf_u64(r);
	row->recorded = rbuf_u64(r);
	n = rbuf_u8(r);
	for (uint8_t i = 0; i < n; i++) {
		refused = rbuf_u64(r);
		if (i < REFUSED_N)
			row->refused[i] = refused;
	}
	row->name = take_str(r);
	row->descr = take_str(r);
	row->probe = take_str(r);
	if (!(flags & CHECKPOINT_DESCR)) {
		free(row->descr);
		row->descr = NULL;
	}
}

/* A slot, NULL after a failure. */
static struct checkpoint_row *
take_slot(struct checkpoint_state *s, struct rbuf *r)
{
	uint32_t slot = rbuf_u32(r);

	if (r->bad == NULL && slot < s->nrows)
		return &s->rows[slot];
	rbuf_fail(r, "a cycle is not defined");
	return NULL;
}

static void
begin_run(struct checkpoint_state *s, struct rbuf *r, int is_new)
{
	const struct checkpoint_row *row = take_slot(s, r);

	s->run_next = rbuf_u64(r);
	if (row == NULL)
		return;
	s->run_row = (uint32_t)(row - s->rows);
	s->run_new = is_new;
	s->in_run = 1;
}

static void
do_accepted(struct checkpoint_state *s, struct rbuf *r)
{
	begin_run(s, r, 1);
}

static void
do_unfinished(struct checkpoint_state *s, struct rbuf *r)
{
	begin_run(s, r, 0);
}

static void
take_address(struct checkpoint_state *s, struct rbuf *r, int family, size_t n)
{
	const uint8_t *bytes = rbuf_bytes(r, n);
	struct checkpoint_row *row;
	struct addr a;

	if (!s->in_run)
		rbuf_fail(r, "an address without its number");
	if (bytes == NULL || r->bad != NULL)
		return;
	a = addr_make(family, bytes);
	add_pending(s, &a);
	row = &s->rows[s->run_row];
	if (s->run_new) {
		row->accepted++;
		row->high = s->run_next;
	}
	s->run_next++;
}

static void
do_addr4(struct checkpoint_state *s, struct rbuf *r)
{
	take_address(s, r, ADDR_IPV4, 4);
}

static void
do_addr6(struct checkpoint_state *s, struct rbuf *r)
{
	take_address(s, r, ADDR_IPV6, 16);
}

static void
do_refused(struct checkpoint_state *s, struct rbuf *r)
{
	struct checkpoint_row *row = take_slot(s, r);
	uint64_t number = rbuf_u64(r);
	uint8_t why = rbuf_u8(r);
	struct checkpoint_pending *p = NULL;

	if (row != NULL)
		p = find_pending(s, (uint32_t)(row - s->rows), number);
	if (p == NULL || why >= REFUSED_N) {
		rbuf_fail(r, "what was not accepted is refused");
		return;
	}
	p->finished = 1;
	row->refused[why]++;
}

static void
do_ended(struct checkpoint_state *s, struct rbuf *r)
{
	struct checkpoint_row *row = take_slot(s, r);

	if (row != NULL)
		row->ended = 1;
}

static void
do_past(struct checkpoint_state *s, struct rbuf *r)
{
	struct checkpoint_past *p;

	s->past = xreallocarray(s->past, s->npast + 1, sizeof(*s->past));
	p = &s->past[s->npast++];
	p->list = rbuf_u32(r);
	p->cycle = rbuf_u32(r);
	p->high = rbuf_u64(r);
}

static void
do_ahead(struct checkpoint_state *s, struct rbuf *r)
{
	struct checkpoint_row *row = take_slot(s, r);
	uint64_t number = rbuf_u64(r);

	if (row != NULL)
		add_ahead(row, number);
}

static void
do_high(struct checkpoint_state *s, struct rbuf *r)
{
	struct checkpoint_row *row = take_slot(s, r);
	uint64_t number = rbuf_u64(r);

	if (row != NULL)
		row->high = number;
}

static void (*const items[])(struct checkpoint_state *, struct rbuf *) = {
    [CHECKPOINT_CYCLE] = do_cycle,
    [CHECKPOINT_ACCEPTED] = do_accepted,
    [CHECKPOINT_UNFINISHED] = do_unfinished,
    [CHECKPOINT_ADDR4] = do_addr4,
    [CHECKPOINT_ADDR6] = do_addr6,
    [CHECKPOINT_REFUSED] = do_refused,
    [CHECKPOINT_ENDED] = do_ended,
    [CHECKPOINT_PAST] = do_past,
    [CHECKPOINT_AHEAD] = do_ahead,
    [CHECKPOINT_HIGH] = do_high,
};

const char *
checkpoint_apply(struct checkpoint_state *s, const uint8_t *body, size_t len)
{
	const char *why = NULL;
	struct rbuf r;
	uint8_t item;

	rbuf_init(&r, body, len);
	s->in_run = 0;
	while (rbuf_left(&r) > 0) {
		item = rbuf_u8(&r);
		if (item >= sizeof(items) / sizeof(items[0]) ||
		    items[item] == NULL) {
			rbuf_fail(&r, "unknown item");
			break;
		}
		items[item](s, &r);
	}
	return rbuf_finish(&r, &why) == 0 ? NULL : why;
}

/* --- the segments ---------------------------------------------------------------- */

static void
finished(struct checkpoint_state *s, struct checkpoint_row *row, uint64_t n)
{
	struct checkpoint_pending *p =
	    find_pending(s, (uint32_t)(row - s->rows), n);

	if (p != NULL) {
		p->finished = 1;
		row->recorded++;
	} else if (n > row->high && !is_ahead(row, n)) {
		add_ahead(row, n);
		row->accepted++;
		row->recorded++;
	}
}

void
checkpoint_apply_event(
    struct checkpoint_state *s, const struct segment_event *e)
{
	struct checkpoint_row *row = find_row(s, e->list, e->cycle);

	if (row == NULL)
		return;
	if (e->kind == SEGMENT_STARTED)
		row->started = 1;
	else if (e->kind == SEGMENT_STOPPED)
		row->over = 1;
	else
		finished(s, row, e->number);
}

static void
on_event(void *arg, const struct segment_event *e)
{
	checkpoint_apply_event(arg, e);
}

static void
on_mark(void *arg, const uint8_t *body, uint32_t len)
{
	struct checkpoint_state *s = arg;
	struct segment_mark m;
	const char *why;

	if (segment_mark_decode(body, len, &m, &why) == -1 ||
	    m.first + m.count < s->record ||
	    (m.count > 0 && m.first + m.count == s->record))
		return; /* the snapshot knows */
	segment_mark_events(body, len, on_event, s);
}

/* Segment N wherever it lies: it may be on its way from one place to the next
 * while we look. */
static int
open_segment(const struct segment_dir *d, uint64_t n)
{
	const struct {
		int dirfd;
		const char *suffix;
	} places[] = {{d->spool, ".open"}, {d->spool, ".warts"},
	    {d->sent, ".warts"}, {d->bad, ".warts"}};
	char name[SEGMENT_DIR_NAME];
	int fd = -1;

	for (size_t i = 0; fd == -1 && i < 2 * 4; i++) {
		segment_dir_name(name, n, places[i % 4].suffix);
		fd = openat(places[i % 4].dirfd, name, O_RDONLY | O_CLOEXEC);
		if (fd == -1 && errno != ENOENT)
			break;
	}
	return fd;
}

/* What marks prove is believed up to the first that is not good.  0; or -1 with
 * errno: what cannot be read now may say that a record is there. */
static int
read_segments(struct segment_dir *d, struct checkpoint_state *s)
{
	const struct segment_read_opts opts = {.mark = on_mark, .arg = s};
	struct segment_info info;
	const char *why;
	int fd;

	for (uint64_t n = s->segment; n < d->next; n++) {
		fd = open_segment(d, n);
		if (fd == -1 && errno != ENOENT)
			return -1;
		if (fd == -1) {
			if (s->record < d->next_record && s->missing == 0)
				s->missing = n;
			continue;
		}
		if (segment_read(fd, &opts, &info, &why) == -1 && errno != 0) {
			fd_close(fd);
			return -1;
		}
		close(fd);
	}
	return 0;
}

/* --- the file --------------------------------------------------------------------- */

static const char *
on_line(void *arg, char *text, int *sure)
{
	struct checkpoint_state *s = arg;
	uint8_t boot[SEGMENT_DIR_BOOT_LEN];
	char *words[5];

	if (scan_words(text, words, 5) != 5 ||
	    strcmp(words[0], "checkpoint") != 0 ||
	    segment_dir_unhex(words[2], boot, sizeof(boot)) == -1 ||
	    scan_u64(words[3], 1, UINT64_MAX, &s->segment) == -1 ||
	    scan_u64(words[4], 1, UINT64_MAX, &s->record) == -1)
		return "first line is not that of a checkpoint";
	if (strcmp(words[1], "1") != 0)
		return "is of another version";
	*sure = memcmp(boot, s->boot, sizeof(boot)) == 0;
	return NULL;
}

static const char *
on_frame(void *arg, const uint8_t *body, size_t len)
{
	return checkpoint_apply(arg, body, len);
}

int
checkpoint_read(
    struct segment_dir *d, struct checkpoint_state *s, const char **why)
{
	const struct framelog_reader r = {on_line, on_frame, s};
	int saved;

	memset(s, 0, sizeof(*s));
	memcpy(s->boot, d->boot, sizeof(s->boot));
	if (framelog_read(d->state, CHECKPOINT_FILE, &r, &s->torn, why) == -1) {
		saved = errno;
		checkpoint_state_clear(s);
		errno = saved;
		return errno == ENOENT ? 0 : -1;
	}
	*why = "a segment behind it cannot be read";
	if (read_segments(d, s) == -1) {
		saved = errno;
		checkpoint_state_clear(s);
		errno = saved;
		return -1;
	}
	return 1;
}

void
checkpoint_state_clear(struct checkpoint_state *s)
{
	for (size_t i = 0; i < s->nrows; i++) {
		free(s->rows[i].name);
		free(s->rows[i].descr);
		free(s->rows[i].probe);
		free(s->rows[i].ahead);
	}
	free(s->rows);
	free(s->pending);
	free(s->index);
	free(s->past);
	memset(s, 0, sizeof(*s));
}
