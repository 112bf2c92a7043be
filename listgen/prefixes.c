#include "listgen/prefixes.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/line.h"
#include "common/scan.h"
#include "common/warts/input.h"
#include "common/xmalloc.h"
#include "listgen/permute.h"
#include "listgen/special.h"

#define LINE_MAX_PREFIX 4096 /* a multi-origin set can be long */
#define READ_SIZE (256 * 1024)
#define NONE UINT32_MAX

struct entry {
	uint64_t top;
	uint32_t parent;
	uint8_t len;
};

struct table {
	struct entry *e;
	uint32_t n, cap;
	uint64_t *start; /* n + 1: unit each begins at; NULL: not split */
	uint64_t units;
};

struct prefixes {
	struct prefixes_config cfg;
	struct prefixes_count count;
	struct table t[PREFIXES_FAMILIES];
};

/* What a prefix of each family may be. */
static const struct {
	uint8_t family, bits, shortest;
} families[] = {
    [PREFIXES_V4] = {ADDR_IPV4, 32, 8},
    [PREFIXES_V6] = {ADDR_IPV6, 64, 16},
};

/* The bits of a table's `top' behind LEN. */
static uint64_t
host_bits(int len)
{
	return len >= 64 ? 0 : UINT64_MAX >> len;
}

/* --- a line -------------------------------------------------------------- */

static uint64_t
top_of(const struct addr *a)
{
	uint64_t top;

	memcpy(&top, a->b, sizeof(top));
	return be64toh(top);
}

/* Are bits set in A behind its first 64? */
static int
has_low_bits(const struct addr *a)
{
	static const uint8_t zeros[8];

	return memcmp(a->b + 8, zeros, sizeof(zeros)) != 0;
}

static int
is_unicast(int f, uint64_t top)
{
	uint64_t first = top >> 56;

	if (f == PREFIXES_V6)
		return first >> 5 == 1; /* 2000::/3, RFC 4291 */
	return first != 0 && first != 127 && first < 224;
}

/* Cut ADDRESS/LEN or ADDRESS LEN at the beginning of LINE in two words. */
static const char *
cut(char *line, char **addr, char **len)
{
	char *end = line + strcspn(line, "/ \t");

	*addr = line;
	*len = NULL;
	if (*end != '\0') {
		*end++ = '\0';
		*len = end + strspn(end, " \t");
		(*len)[strcspn(*len, " \t\r#")] = '\0';
	}
	return *len != NULL && **len != '\0' ? NULL : "no prefix length";
}

static void
add(struct table *t, uint64_t top, uint8_t len)
{
	if (t->n == t->cap) {
		t->cap = t->cap != 0 ? 2 * t->cap : 1024;
		t->e = xreallocarray(t->e, t->cap, sizeof(*t->e));
	}
	t->e[t->n++] = (struct entry){top, NONE, len};
}

/* NULL, or a static reason. */
static const char *
take_line(struct prefixes *p, char *line, uint64_t number)
{
	char *addr, *length;
	const char *why = cut(line, &addr, &length);
	struct addr a;
	uint32_t len;
	uint64_t top;
	int f;

	if (addr_scan(addr, &a) == -1)
		return "not an IPv4 or IPv6 address";
	if (why != NULL)
		return why;
	f = a.family == ADDR_IPV4 ? PREFIXES_V4 : PREFIXES_V6;
	if (scan_u32(length, 0, f == PREFIXES_V4 ? 32 : 128, &len) == -1)
		return "prefix length out of range";
	top = top_of(&a);
	if (!p->cfg.special &&
	    special_is(f, top, (uint8_t)(len < 64 ? len : 64))) {
		if (p->count.special++ == 0)
			p->count.special_line = number;
		return NULL;
	}
	if (len < families[f].shortest)
		return "shorter than any routed prefix";
	if (!is_unicast(f, top))
		return "outside unicast space";
	if (len > p->cfg.max_len[f]) {
		p->count.longer++;
		return NULL;
	}
	if (top & host_bits((int)len) || has_low_bits(&a))
		return "bits set beyond the prefix length";
	if (p->t[f].n == NONE)
		return "too many prefixes";
	add(&p->t[f], top, (uint8_t)len);
	return NULL;
}

/* --- a file -------------------------------------------------------------- */

struct reading {
	struct warts_input *in;
	struct line_buf lines;
	const char *why; /* it cannot be read on */
	int eof;
};

static void
read_more(struct reading *r)
{
	size_t room;
	char *space = line_space(&r->lines, &room);
	ssize_t n = warts_input_read(r->in, space, room, &r->why);

	if (n > 0)
		line_added(&r->lines, (size_t)n);
	else
		r->eof = 1;
}

static enum line_result
read_line(struct reading *r, char **line)
{
	enum line_result got;

	while ((got = line_next(&r->lines, line)) == LINE_MORE && !r->eof)
		read_more(r);
	if (got == LINE_MORE && r->why == NULL)
		got = line_last(&r->lines, line);
	return got;
}

static void
read_all(struct prefixes *p, struct reading *r, prefixes_bad_cb bad, void *arg)
{
	enum line_result got;
	const char *why;
	char *line;

	while ((got = read_line(r, &line)) != LINE_MORE) {
		why = NULL;
		if (got == LINE_TOO_LONG || got == LINE_BAD_BYTE) {
			why = line_reason(got);
		} else {
			line += strspn(line, " \t\r");
			if (*line != '\0' && *line != '#')
				why = take_line(p, line, r->lines.number);
		}
		if (why != NULL) {
			p->count.bad++;
			bad(arg, r->lines.number, why);
		}
	}
}

/* --- the table ------------------------------------------------------------ */

static int
entry_cmp(const void *x, const void *y)
{
	const struct entry *a = x, *b = y;

	if (a->top != b->top)
		return a->top < b->top ? -1 : 1;
	return (int)a->len - (int)b->len;
}

static void
sort(struct table *t)
{
	uint32_t n = 0, i = 1;

	/* They usually are in order already. */
	while (i < t->n && entry_cmp(&t->e[i - 1], &t->e[i]) <= 0)
		i++;
	if (i < t->n)
		qsort(t->e, t->n, sizeof(*t->e), entry_cmp);
	for (i = 0; i < t->n; i++) {
		if (n == 0 || entry_cmp(&t->e[n - 1], &t->e[i]) != 0)
			t->e[n++] = t->e[i];
	}
	t->n = n;
	if (n > 0)
		t->e = xreallocarray(t->e, n, sizeof(*t->e));
	t->cap = n;
}

static int
contains(const struct entry *e, uint64_t top)
{
	return (top & ~host_bits(e->len)) == e->top;
}

static void
find_parents(struct table *t)
{
	uint32_t up;

	for (uint32_t i = 1; i < t->n; i++) {
		up = i - 1;
		while (up != NONE && !contains(&t->e[up], t->e[i].top))
			up = t->e[up].parent;
		t->e[i].parent = up;
	}
}

static void
drop_children(struct table *t)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < t->n; i++) {
		if (t->e[i].parent == NONE)
			t->e[n++] = t->e[i];
	}
	t->n = n;
}

/* Where each prefix's units begin when they are LEN bits long. */
static void
count_parts(struct table *t, uint8_t len)
{
	uint64_t next = 0;

	t->start = xreallocarray(NULL, (size_t)t->n + 1, sizeof(*t->start));
	for (uint32_t i = 0; i < t->n; i++) {
		t->start[i] = next;
		next += t->e[i].len < len ? 1ULL << (len - t->e[i].len) : 1;
	}
	t->start[t->n] = next;
	t->units = next;
}

static const char *
make_tables(struct prefixes *p)
{
	for (int f = 0; f < PREFIXES_FAMILIES; f++) {
		struct table *t = &p->t[f];

		sort(t);
		p->count.prefixes += t->n;
		find_parents(t);
		t->units = t->n;
		if (p->cfg.split[f] == 0)
			continue;
		drop_children(t);
		count_parts(t, p->cfg.split[f]);
	}
	if (prefixes_units(p) > PERMUTE_MAX)
		return "more parts of prefixes than can be put in order";
	return NULL;
}

struct prefixes *
prefixes_load(const char *path, const struct prefixes_config *cfg,
    prefixes_bad_cb bad, void *arg, const char **why)
{
	static char reason[128]; /* that of the input is gone with it */
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct reading r = {.in = NULL};
	struct prefixes *p;

	if (fd == -1) {
		*why = strerror(errno);
		return NULL;
	}
	p = xcalloc(1, sizeof(*p));
	p->cfg = *cfg;
	r.in = warts_input_new(fd);
	line_init(&r.lines, LINE_MAX_PREFIX, READ_SIZE);
	read_all(p, &r, bad, arg);
	*why = r.why != NULL ? r.why : make_tables(p);
	if (*why != NULL) {
		snprintf(reason, sizeof(reason), "%s", *why);
		*why = reason;
		prefixes_free(p);
		p = NULL;
	}
	line_clear(&r.lines);
	warts_input_free(r.in);
	return p;
}

void
prefixes_free(struct prefixes *p)
{
	if (p == NULL)
		return;
	for (int f = 0; f < PREFIXES_FAMILIES; f++) {
		free(p->t[f].e);
		free(p->t[f].start);
	}
	free(p);
}

const struct prefixes_count *
prefixes_counts(const struct prefixes *p)
{
	return &p->count;
}

uint64_t
prefixes_units(const struct prefixes *p)
{
	return p->t[PREFIXES_V4].units + p->t[PREFIXES_V6].units;
}

/* --- units ----------------------------------------------------------------- */

/* The entry whose units unit I of T is one of. */
static uint32_t
entry_of(const struct table *t, uint64_t i)
{
	uint32_t lo = 0, hi = t->n;

	if (t->start == NULL)
		return (uint32_t)i;
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (t->start[mid] <= i)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

void
prefixes_unit(const struct prefixes *p, uint64_t i, struct prefixes_unit *out)
{
	int f = i < p->t[PREFIXES_V4].units ? PREFIXES_V4 : PREFIXES_V6;
	const struct table *t = &p->t[f];
	const struct entry *e;

	if (f == PREFIXES_V6)
		i -= p->t[PREFIXES_V4].units;
	assert(i < t->units);
	out->family = (uint8_t)f;
	out->entry = entry_of(t, i);
	e = &t->e[out->entry];
	out->top = e->top;
	out->len = e->len;
	if (t->start != NULL && e->len < p->cfg.split[f]) {
		out->len = p->cfg.split[f];
		out->top |= (i - t->start[out->entry]) << (64 - out->len);
	}
}

/* --- addresses --------------------------------------------------------------- */

/* Is TOP, which lies in entry I, in one of the prefixes inside of it? */
static int
in_longer(const struct table *t, uint32_t i, uint64_t top)
{
	uint32_t lo = i, hi = t->n;

	if (i + 1 == t->n || !contains(&t->e[i], t->e[i + 1].top))
		return 0;
	while (hi - lo > 1) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (t->e[mid].top <= top)
			lo = mid;
		else
			hi = mid;
	}
	while (lo != i && !contains(&t->e[lo], top))
		lo = t->e[lo].parent;
	return lo != i;
}

/* The last BITS of *V become neither all zeros nor all ones. */
static void
make_inner(uint32_t *v, int bits, uint64_t random)
{
	uint32_t mask, n;

	if (bits > 8)
		bits = 8;
	if (bits < 2)
		return;
	mask = (1U << bits) - 1;
	n = mask - 1; /* 1 .. 2^bits - 2 */
	*v = (*v & ~mask) | (1 + (uint32_t)((random & 0xffffffff) * n >> 32));
}

static struct addr
address_v4(const struct prefixes *p, const struct prefixes_unit *u,
    uint64_t top, uint64_t random)
{
	uint32_t v = (uint32_t)(top >> 32);

	if (p->cfg.inner)
		make_inner(&v, 32 - u->len, random);
	v = htobe32(v);
	return addr_make(ADDR_IPV4, &v);
}

int
prefixes_draw(const struct prefixes *p, const struct prefixes_unit *u,
    const uint64_t random[2], struct addr *out)
{
	const struct table *t = &p->t[u->family];
	uint64_t words[2];

	words[0] = u->top | (random[0] & host_bits(u->len));
	words[1] = random[1];
	if (u->family == PREFIXES_V4) {
		*out = address_v4(p, u, words[0], random[1]);
		words[0] = top_of(out);
	} else {
		if (p->cfg.inner && words[1] == 0)
			words[1] = 1;
		words[0] = htobe64(words[0]);
		words[1] = htobe64(words[1]);
		*out = addr_make(ADDR_IPV6, words);
		words[0] = be64toh(words[0]);
	}
	if (!p->cfg.special &&
	    special_is(u->family, words[0], families[u->family].bits))
		return -1;
	return t->start == NULL && in_longer(t, u->entry, words[0]) ? -1 : 0;
}
