#include "common/show/summary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/warts/record.h"
#include "common/xmalloc.h"

#define ROWS_SHOWN 8 /* of lists and cycles: it is one screen */

/* A set of addresses: open addressing, at most half full. */
struct addr_set {
	struct addr *slot; /* ADDR_NONE: free */
	size_t n, cap; /* cap is 0 or a power of two */
};

/* A cycle, or a list without one (start 0). */
struct row {
	char *name, *monitor; /* monitor "" if not known */
	uint32_t list, cycle, start, stop; /* user's numbers; Unix time */
	int is_cycle;
};

struct summary {
	uint64_t files, damages, damaged_bytes, traces, replies;
	struct show_types types;
	uint64_t stops[256], methods[256];
	struct warts_tv first, last; /* last.sec 0: no measurement yet */
	struct addr_set dsts, hops;
	struct row *rows;
	size_t nrows, caprows;
};

struct summary *
summary_new(void)
{
	return xcalloc(1, sizeof(struct summary));
}

void
summary_free(struct summary *s)
{
	if (s == NULL)
		return;
	for (size_t i = 0; i < s->nrows; i++) {
		free(s->rows[i].name);
		free(s->rows[i].monitor);
	}
	free(s->rows);
	free(s->dsts.slot);
	free(s->hops.slot);
	free(s);
}

void
summary_file(struct summary *s)
{
	s->files++;
}

void
summary_damage(struct summary *s, uint64_t bytes)
{
	s->damages++;
	s->damaged_bytes += bytes;
}

/* --- counting --------------------------------------------------------------- */

static struct addr *
set_slot(const struct addr_set *set, const struct addr *a)
{
	size_t i = addr_hash(a) & (set->cap - 1);

	while (
	    set->slot[i].family != ADDR_NONE && !addr_equal(&set->slot[i], a))
		i = (i + 1) & (set->cap - 1);
	return &set->slot[i];
}

static void
set_grow(struct addr_set *set)
{
	struct addr_set old = *set;

	set->cap = old.cap != 0 ? old.cap * 2 : 1024;
	set->slot = xcalloc(set->cap, sizeof(*set->slot));
	for (size_t i = 0; i < old.cap; i++) {
		if (old.slot[i].family != ADDR_NONE)
			*set_slot(set, &old.slot[i]) = old.slot[i];
	}
	free(old.slot);
}

static void
set_add(struct addr_set *set, const struct addr *a)
{
	struct addr *slot;

	if (set->n >= set->cap / 2)
		set_grow(set);
	slot = set_slot(set, a);
	if (slot->family == ADDR_NONE)
		set->n++;
	*slot = *a;
}

static size_t
set_count(const struct addr_set *set, int family)
{
	size_t n = 0;

	for (size_t i = 0; i < set->cap; i++)
		n += set->slot[i].family == family;
	return n;
}

static struct row *
row_add(struct summary *s, const struct warts_list *l)
{
	struct row *r;

	if (s->nrows == s->caprows) {
		s->caprows = s->caprows != 0 ? s->caprows * 2 : 64;
		s->rows = xreallocarray(s->rows, s->caprows, sizeof(*s->rows));
	}
	r = &s->rows[s->nrows++];
	memset(r, 0, sizeof(*r));
	r->name = xstrdup(l != NULL ? l->name : "?");
	r->monitor = xstrdup(l != NULL && l->monitor != NULL ? l->monitor : "");
	r->list = l != NULL ? l->user_id : 0;
	return r;
}

static int
count_list(struct summary *s, const struct warts_state *st,
    const struct warts_record *rec, const char **why)
{
	struct warts_list l;

	(void)st;
	if (warts_list_decode(rec->body, rec->len, &l, why) == -1)
		return -1;
	row_add(s, &l);
	return 0;
}

static int
count_cycle(struct summary *s, const struct warts_state *st,
    const struct warts_record *rec, const char **why)
{
	struct warts_cycle c;
	struct row *r;

	if (warts_cycle_decode(rec->body, rec->len, &c, why) == -1)
		return -1;
	r = row_add(s, warts_state_list(st, c.list));
	r->is_cycle = 1;
	r->cycle = c.user_id;
	r->start = c.start;
	r->stop = c.stop;
	return 0;
}

/* A stop is a row of its own and is merged with the cycle's at the end. */
static int
count_stop(struct summary *s, const struct warts_state *st,
    const struct warts_record *rec, const char **why)
{
	struct warts_cycle_stop stop;
	const struct warts_cycle *c;
	struct row *r;

	if (warts_cycle_stop_decode(rec->body, rec->len, &stop, why) == -1)
		return -1;
	c = warts_state_cycle(st, stop.id);
	if (c == NULL)
		return 0;
	r = row_add(s, warts_state_list(st, c->list));
	r->is_cycle = 1;
	r->cycle = c->user_id;
	r->start = c->start;
	r->stop = stop.stop;
	return 0;
}

static int
count_trace(struct summary *s, const struct warts_state *st,
    const struct warts_record *rec, const char **why)
{
	struct warts_trace t;

	if (warts_trace_decode(rec->body, rec->len, &t, why) == -1)
		return -1;
	if (warts_state_resolve(st, &t) == -1) {
		*why = "address record missing";
		warts_trace_clear(&t);
		return -1;
	}
	s->traces++;
	s->stops[t.stop_reason]++;
	s->methods[t.method]++;
	set_add(&s->dsts, &t.dst);
	s->replies += t.nhops;
	for (int i = 0; i < t.nhops; i++)
		set_add(&s->hops, &t.hops[i].addr);
	warts_trace_clear(&t);
	return 0;
}

static void
count_time(struct summary *s, const struct warts_record *rec)
{
	struct warts_tv tv;
	const char *why;

	if (rec->type < WARTS_TRACE || rec->type > WARTS_OWAMP ||
	    warts_start_time(rec, &tv, &why) == -1)
		return;
	if (s->last.sec == 0 || tv.sec < s->first.sec)
		s->first = tv;
	if (tv.sec > s->last.sec)
		s->last = tv;
}

int
summary_record(struct summary *s, const struct warts_state *st,
    const struct warts_record *rec, const char **why)
{
	static int (*const count[])(struct summary *,
	    const struct warts_state *, const struct warts_record *,
	    const char **) = {
	    [WARTS_LIST] = count_list,
	    [WARTS_CYCLE_START] = count_cycle,
	    [WARTS_CYCLE_DEF] = count_cycle,
	    [WARTS_CYCLE_STOP] = count_stop,
	    [WARTS_TRACE] = count_trace,
	};

	show_types_add(&s->types, rec->type);
	count_time(s, rec);
	if (rec->type >= sizeof(count) / sizeof(count[0]) ||
	    count[rec->type] == NULL)
		return 0;
	return count[rec->type](s, st, rec, why);
}

/* --- printing --------------------------------------------------------------- */

static void
print_time(struct wbuf *out, uint32_t sec)
{
	time_t t = (time_t)sec;
	struct tm tm;
	char buf[32];

	gmtime_r(&t, &tm);
	strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M:%S", &tm);
	wbuf_printf(out, "%s", buf);
}

static void
print_label(struct wbuf *out, const char *label)
{
	wbuf_printf(out, "%-14s", label);
}

/* One count in a row of them, separated by commas; none for 0. */
static void
print_count(struct wbuf *out, int *some, uint64_t n, const char *what)
{
	if (n == 0)
		return;
	wbuf_printf(out, "%s%ju %s", *some ? ", " : "", (uintmax_t)n, what);
	*some = 1;
}

/* The counts of 256 values named by WORD. */
static void
print_words(
    struct wbuf *out, const uint64_t *counts, const char *(*word)(uint8_t))
{
	char number[16];
	int some = 0;

	for (int i = 0; i < 256; i++) {
		const char *w = word((uint8_t)i);

		snprintf(number, sizeof(number), "number %d", i);
		print_count(out, &some, counts[i], w != NULL ? w : number);
	}
	wbuf_printf(out, "\n");
}

static int
list_order(const struct row *a, const struct row *b)
{
	int d = strcmp(a->name, b->name);

	if (d == 0)
		d = (a->list > b->list) - (a->list < b->list);
	return d != 0 ? d : strcmp(a->monitor, b->monitor);
}

static int
row_order(const void *x, const void *y)
{
	const struct row *a = x, *b = y;
	int d = a->is_cycle - b->is_cycle;

	if (d == 0)
		d = list_order(a, b);
	if (d == 0)
		d = (a->cycle > b->cycle) - (a->cycle < b->cycle);
	return d;
}

/* Put what is the same list or cycle into the first row of it. */
static void
rows_merge(struct summary *s)
{
	size_t n = 0;

	if (s->nrows == 0)
		return;
	qsort(s->rows, s->nrows, sizeof(*s->rows), row_order);
	for (size_t i = 1; i < s->nrows; i++) {
		struct row *to = &s->rows[n], *from = &s->rows[i];

		if (row_order(to, from) != 0) {
			n++;
			if (n != i) {
				struct row swap = s->rows[n];

				s->rows[n] = s->rows[i];
				s->rows[i] = swap;
			}
			continue;
		}
		if (from->start < to->start)
			to->start = from->start;
		if (from->stop > to->stop)
			to->stop = from->stop;
	}
	for (size_t i = n + 1; i < s->nrows; i++) {
		free(s->rows[i].name);
		free(s->rows[i].monitor);
	}
	s->nrows = n + 1;
}

static void
print_row(struct wbuf *out, const struct row *r)
{
	wbuf_printf(out, "%s (%u)", r->name, r->list);
	if (r->monitor[0] != '\0')
		wbuf_printf(out, " of %s", r->monitor);
	if (!r->is_cycle)
		return;
	wbuf_printf(out, " cycle %u: ", r->cycle);
	print_time(out, r->start);
	wbuf_printf(out, " to ");
	if (r->stop != 0)
		print_time(out, r->stop);
	else
		wbuf_printf(out, "?");
	wbuf_printf(out, " UTC");
}

static void
print_rows(const struct summary *s, struct wbuf *out, int cycles)
{
	size_t n = 0;

	for (size_t i = 0; i < s->nrows; i++) {
		if (s->rows[i].is_cycle != cycles || n++ >= ROWS_SHOWN)
			continue;
		print_label(out, n > 1 ? "" : cycles ? "cycles" : "lists");
		print_row(out, &s->rows[i]);
		wbuf_printf(out, "\n");
	}
	if (n > ROWS_SHOWN) {
		print_label(out, "");
		wbuf_printf(out, "and %zu more\n", n - ROWS_SHOWN);
	}
}

static int
name_order(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void
print_monitors(const struct summary *s, struct wbuf *out)
{
	const char **names = xcalloc(s->nrows, sizeof(*names));
	const char *sep = "";
	size_t n = 0;

	for (size_t i = 0; i < s->nrows; i++) {
		if (s->rows[i].monitor[0] != '\0')
			names[n++] = s->rows[i].monitor;
	}
	qsort(names, n, sizeof(*names), name_order);
	print_label(out, "monitors");
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && strcmp(names[i], names[i - 1]) == 0)
			continue;
		wbuf_printf(out, "%s%s", sep, names[i]);
		sep = ", ";
	}
	wbuf_printf(out, n != 0 ? "\n" : "not named\n");
	free(names);
}

static void
print_traces(const struct summary *s, struct wbuf *out)
{
	int some = 0;

	print_label(out, "traces");
	wbuf_printf(out, "%ju", (uintmax_t)s->traces);
	if (s->traces == 0) {
		wbuf_printf(out, "\n");
		return;
	}
	wbuf_printf(out, ": ");
	print_words(out, s->stops, show_stop_reason);
	print_label(out, "methods");
	print_words(out, s->methods, show_method);
	print_label(out, "destinations");
	wbuf_printf(out, "%zu: ", s->dsts.n);
	print_count(out, &some, set_count(&s->dsts, ADDR_IPV4), "IPv4");
	print_count(out, &some, set_count(&s->dsts, ADDR_IPV6), "IPv6");
	wbuf_printf(out, "\n");
	print_label(out, "hops");
	wbuf_printf(out, "%ju replies from %zu addresses\n",
	    (uintmax_t)s->replies, s->hops.n);
}

void
summary_print(struct summary *s, struct wbuf *out)
{
	rows_merge(s);
	print_label(out, "files");
	wbuf_printf(out, "%ju\n", (uintmax_t)s->files);
	print_label(out, "records");
	wbuf_printf(out, "%ju: ", (uintmax_t)show_types_sum(&s->types));
	show_types_print(&s->types, out);
	wbuf_printf(out, "\n");
	print_label(out, "damage");
	if (s->damages == 0)
		wbuf_printf(out, "none\n");
	else
		wbuf_printf(out, "%ju places, %ju bytes skipped\n",
		    (uintmax_t)s->damages, (uintmax_t)s->damaged_bytes);
	if (s->last.sec != 0) {
		print_label(out, "time");
		print_time(out, s->first.sec);
		wbuf_printf(out, " to ");
		print_time(out, s->last.sec);
		wbuf_printf(out, " UTC\n");
	}
	print_monitors(s, out);
	print_rows(s, out, 0);
	print_rows(s, out, 1);
	print_traces(s, out);
}
