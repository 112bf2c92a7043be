#include "common/warts/trace_quick.h"

#include <string.h>

#include "common/addr.h"

#define BIT(n) (1ULL << (n))
#define FLAG_BYTES_MAX 5
#define NO_COUNT 255

/* Bytes of each fixed field; 0: not one. */
static const uint8_t trace_widths[] = {[1] = 4,
    [2] = 4,
    [5] = 8,
    [6] = 1,
    [7] = 1,
    [8] = 1,
    [9] = 1,
    [10] = 1,
    [11] = 1,
    [12] = 2,
    [13] = 2,
    [14] = 2,
    [15] = 1,
    [16] = 1,
    [17] = 1,
    [18] = 1,
    [19] = 2,
    [20] = 1,
    [21] = 1,
    [22] = 1,
    [23] = 2,
    [24] = 1,
    [25] = 1,
    [28] = 4,
    [29] = 2,
    [31] = 1,
    [32] = 4,
    [33] = 1};
static const uint8_t hop_widths[] = {[2] = 1,
    [3] = 1,
    [4] = 1,
    [5] = 1,
    [6] = 4,
    [7] = 2,
    [8] = 2,
    [9] = 2,
    [10] = 2,
    [11] = 1,
    [12] = 2,
    [13] = 2,
    [14] = 1,
    [15] = 1,
    [16] = 1,
    [19] = 8};

/* What there is to know of a kind of block. */
struct kind {
	const uint8_t *widths;
	unsigned int last; /* field */
	uint64_t must; /* fields */
	uint64_t addrs; /* address fields, next to each other */
	unsigned int count; /* field of the hop count, 0: none */
};

static const struct kind trace_kind = {
    .widths = trace_widths,
    .last = sizeof(trace_widths) - 1,
    .must = BIT(1) | BIT(2) | BIT(5) | BIT(27),
    .addrs = BIT(26) | BIT(27),
    .count = 19,
};
static const struct kind hop_kind = {
    .widths = hop_widths,
    .last = sizeof(hop_widths) - 1,
    .must = BIT(2) | BIT(18),
    .addrs = BIT(18),
};

/* The bytes not yet looked at. */
struct span {
	const uint8_t *p, *end;
	uint32_t addrs; /* defined so far in the record */
};

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
	    (uint32_t)p[2] << 8 | p[3];
}

static uint32_t
get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

/* --- forms ---------------------------------------------------------------- */

static void
work_out(struct warts_quick_form *f, uint64_t flags, const struct kind *k)
{
	memset(f, 0, sizeof(*f));
	f->flags = flags;
	f->count_at = NO_COUNT;
	if ((flags & k->must) != k->must)
		return;
	for (unsigned int n = 1; n < 64; n++) {
		if (!(flags & BIT(n)))
			continue;
		if (k->addrs & BIT(n)) {
			f->addrs++;
			continue;
		}
		if (n > k->last || k->widths[n] == 0)
			return;
		if (n == k->count)
			f->count_at = f->front;
		if (f->addrs > 0)
			f->back += k->widths[n];
		else
			f->front += k->widths[n];
	}
	f->usable = 1;
}

/* Flags of the block at S, as a mask of fields; 0 when they are not known. */
static uint64_t
take_flags(struct span *s)
{
	uint64_t flags = 0;

	for (unsigned int i = 0; i < FLAG_BYTES_MAX && s->p < s->end; i++) {
		uint8_t byte = *s->p++;

		flags |= (uint64_t)(byte & 0x7f) << (7 * i + 1);
		if (!(byte & 0x80))
			return flags;
	}
	return 0;
}

static struct warts_quick_form *
find_form(struct warts_quick_form *forms, struct span *s, const struct kind *k)
{
	const uint8_t *start = s->p;
	uint64_t flags = take_flags(s);
	struct warts_quick_form *f;
	size_t len = (size_t)(s->p - start);

	f = &forms[(flags ^ flags >> 8 ^ flags >> 16) % WARTS_QUICK_FORMS];
	if (f->flags == flags)
		return f;
	work_out(f, flags, k);
	if (len <= sizeof(f->raw)) {
		memcpy(f->raw, start, len);
		f->flag_bytes = (uint8_t)len;
	}
	return f;
}

/* The same; LAST is the form of the block before. */
static inline struct warts_quick_form *
take_form(struct warts_quick_form *forms, struct warts_quick_form *last,
    struct span *s, const struct kind *k)
{
	size_t left = (size_t)(s->end - s->p);

	if (last != NULL && last->flag_bytes == 3 && left > 3 &&
	    s->p[0] == last->raw[0] && s->p[1] == last->raw[1] &&
	    s->p[2] == last->raw[2]) {
		s->p += 3;
		return last;
	}
	return find_form(forms, s, k);
}

/* --- blocks --------------------------------------------------------------- */

/* An address: 1, or 0 when it is not of the common kind. */
static int
take_addr(struct span *s)
{
	size_t left = (size_t)(s->end - s->p);

	/* The shortest is a reference. */
	if (left < 5)
		return 0;
	if (s->p[0] == 0) {
		if (get32(s->p + 1) >= s->addrs)
			return 0;
		s->p += 5;
		return 1;
	}
	if (!(s->p[0] == 4 && s->p[1] == ADDR_IPV4) &&
	    !(s->p[0] == 16 && s->p[1] == ADDR_IPV6))
		return 0;
	if (left < 2u + s->p[0])
		return 0;
	s->p += 2 + s->p[0];
	s->addrs++;
	return 1;
}

/* A block of kind K: its fixed fields in front; *LAST is its form.  NULL when it is
 * not known to be good. */
static const uint8_t *
take_block(struct span *s, struct warts_quick_form *forms, const struct kind *k,
    struct warts_quick_form **last)
{
	const struct warts_quick_form *f;
	const uint8_t *front, *end;

	f = *last = take_form(forms, *last, s, k);
	if (!f->usable || s->end - s->p < 2)
		return NULL;
	front = s->p + 2;
	if ((size_t)(s->end - front) < get16(s->p))
		return NULL;
	end = front + get16(s->p);
	if (end - front < f->front + f->back)
		return NULL;
	s->p = front + f->front;
	for (int i = 0; i < f->addrs; i++) {
		if (!take_addr(s))
			return NULL;
	}
	s->p += f->back;
	return s->p == end ? front : NULL;
}

/* The hops: the TTL of the last, or -1. */
static int
take_hops(struct warts_quick *q, struct span *s)
{
	const uint8_t *front;
	uint32_t n;
	int ttl = 0;

	if (s->end - s->p < 2)
		return -1;
	n = get16(s->p);
	s->p += 2;
	for (uint32_t i = 0; i < n; i++) {
		front = take_block(s, q->hops, &hop_kind, &q->last_hop);
		if (front == NULL || front[0] == 0 || front[0] < ttl)
			return -1;
		ttl = front[0];
	}
	return ttl;
}

int
warts_trace_quick(struct warts_quick *q, const uint8_t *body, size_t len,
    struct warts_quick_trace *out)
{
	struct span s = {.p = body, .end = body + len};
	const uint8_t *front;
	uint32_t count = 0;
	uint8_t at;
	int ttl;

	front = take_block(&s, q->traces, &trace_kind, &q->last_trace);
	if (front == NULL)
		return 0;
	ttl = take_hops(q, &s);
	/* Two bytes 0: there are no sections. */
	if (ttl == -1 || s.end - s.p != 2 || get16(s.p) != 0)
		return 0;
	at = q->last_trace->count_at;
	if (at != NO_COUNT)
		count = get16(front + at);
	if (count > 255 || (count != 0 && count < (uint32_t)ttl))
		return 0;
	out->list = get32(front);
	out->cycle = get32(front + 4);
	out->start_s = get32(front + 8);
	return 1;
}
