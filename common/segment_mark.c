#include "common/segment_mark.h"

#include <string.h>
#include <zlib.h>

#define FIXED_LEN 54 /* bytes of a body before the part by kind */
#define CRC_LEN 4
#define TAIL_LEN (8 + 8 + SEGMENT_SHA_LEN)
#define ACCOUNT_VERSION 1
#define ACCOUNT_HEAD_LEN 3
#define ENTRY_LEN (4 + 4 + 5 * 8 + 1) /* without its reasons */
#define REASON_LEN (1 + 8)
#define EVENT_VERSION 1
#define EVENT_HEAD_LEN (1 + 4)
#define RUN_LEN (4 + 4 + 1 + 4) /* without its numbers */
#define RUN_STARTED 1
#define RUN_STOPPED 2

static uint64_t
get(const uint8_t *p, size_t bytes)
{
	uint64_t v = 0;

	while (bytes-- > 0)
		v = v << 8 | *p++;
	return v;
}

static void
encode_entry(struct wbuf *b, const struct segment_account *a)
{
	uint8_t reasons = 0;

	wbuf_u32(b, a->list);
	wbuf_u32(b, a->cycle);
	wbuf_u64(b, a->accepted);
	wbuf_u64(b, a->recorded);
	wbuf_u64(b, a->held);
	wbuf_u64(b, a->queued);
	wbuf_u64(b, a->active);
	for (int i = 0; i < SEGMENT_REASONS; i++)
		reasons += a->refused[i] != 0;
	wbuf_u8(b, reasons);
	for (int i = 0; i < SEGMENT_REASONS; i++) {
		if (a->refused[i] == 0)
			continue;
		wbuf_u8(b, (uint8_t)i);
		wbuf_u64(b, a->refused[i]);
	}
}

static void
encode_accounts(struct wbuf *b, const struct segment_mark *m)
{
	wbuf_u8(b, ACCOUNT_VERSION);
	wbuf_u16(b, m->naccounts);
	for (uint16_t i = 0; i < m->naccounts; i++)
		encode_entry(b, &m->accounts[i]);
}

static int
same_cycle(const struct segment_event *a, const struct segment_event *b)
{
	return a->list == b->list && a->cycle == b->cycle;
}

/* The events at E that belong to one cycle, at most N; returns how many. */
static size_t
encode_run(struct wbuf *b, const struct segment_event *e, size_t n)
{
	uint32_t count = 0;
	uint8_t flags = 0;
	size_t i;

	for (i = 0; i < n && same_cycle(e, &e[i]); i++) {
		flags |= e[i].kind == SEGMENT_STARTED ? RUN_STARTED : 0;
		flags |= e[i].kind == SEGMENT_STOPPED ? RUN_STOPPED : 0;
		count += e[i].kind == SEGMENT_FINISHED;
	}
	n = i;
	wbuf_u32(b, e->list);
	wbuf_u32(b, e->cycle);
	wbuf_u8(b, flags);
	wbuf_u32(b, count);
	for (i = 0; i < n; i++) {
		if (e[i].kind == SEGMENT_FINISHED)
			wbuf_u64(b, e[i].number);
	}
	return n;
}

static void
encode_events(struct wbuf *b, const struct segment_mark *m)
{
	uint32_t runs = 0;

	if (m->nevents == 0)
		return;
	for (size_t i = 0; i < m->nevents; i++)
		runs += i == 0 || !same_cycle(&m->events[i - 1], &m->events[i]);
	wbuf_u8(b, EVENT_VERSION);
	wbuf_u32(b, runs);
	for (size_t i = 0; i < m->nevents;)
		i += encode_run(b, &m->events[i], m->nevents - i);
}

static void
encode_kind(struct wbuf *b, const struct segment_mark *m)
{
	switch (m->kind) {
	case SEGMENT_MARK_HEAD:
		wbuf_bytes(b, m->boot, sizeof(m->boot));
		break;
	case SEGMENT_MARK_RESUME:
		wbuf_u64(b, m->resume_last);
		break;
	case SEGMENT_MARK_TAIL:
		wbuf_u64(b, m->seg_first);
		wbuf_u64(b, m->seg_last);
		wbuf_bytes(b, m->sha, sizeof(m->sha));
		encode_accounts(b, m);
		break;
	case SEGMENT_MARK_BATCH:
		encode_accounts(b, m);
		encode_events(b, m);
		break;
	}
}

void
segment_mark_encode(struct wbuf *b, const struct segment_mark *m, uint32_t crc)
{
	size_t token = wbuf_record_begin(b, WARTS_MARK);

	wbuf_u8(b, (uint8_t)m->kind);
	wbuf_u8(b, SEGMENT_MARK_VERSION);
	wbuf_bytes(b, m->epoch, sizeof(m->epoch));
	wbuf_u64(b, m->segment);
	wbuf_u64(b, m->first);
	wbuf_u32(b, m->count);
	wbuf_u64(b, (uint64_t)m->wall_ns);
	wbuf_u64(b, (uint64_t)m->mono_ns);
	encode_kind(b, m);
	/* The CRC covers the record header too, so the length must be in it. */
	wbuf_u32(b, 0);
	wbuf_record_end(b, token);
	b->len -= CRC_LEN;
	wbuf_u32(b, (uint32_t)crc32(crc, b->p, (unsigned int)b->len));
}

/* Length of the part by kind that has no account, -1 for an unknown kind. */
static int
kind_len(uint8_t kind)
{
	switch (kind) {
	case SEGMENT_MARK_HEAD:
		return 16;
	case SEGMENT_MARK_RESUME:
		return 8;
	case SEGMENT_MARK_TAIL:
		return TAIL_LEN;
	case SEGMENT_MARK_BATCH:
		return 0;
	default:
		return -1;
	}
}

static void
decode_kind(struct segment_mark *m, const uint8_t *p)
{
	if (m->kind == SEGMENT_MARK_HEAD)
		memcpy(m->boot, p, sizeof(m->boot));
	if (m->kind == SEGMENT_MARK_RESUME)
		m->resume_last = get(p, 8);
	if (m->kind == SEGMENT_MARK_TAIL) {
		m->seg_first = get(p, 8);
		m->seg_last = get(p + 8, 8);
		memcpy(m->sha, p + 16, sizeof(m->sha));
	}
}

int
segment_mark_decode(
    const uint8_t *body, size_t len, struct segment_mark *m, const char **why)
{
	int extra;

	if (len < FIXED_LEN + CRC_LEN) {
		*why = "mark is too short";
		return -1;
	}
	extra = kind_len(body[0]);
	if (extra == -1 || body[1] != SEGMENT_MARK_VERSION) {
		*why = "mark of unknown kind or version";
		return -1;
	}
	if (len < (size_t)FIXED_LEN + (size_t)extra + CRC_LEN) {
		*why = "mark is too short for its kind";
		return -1;
	}
	memset(m, 0, sizeof(*m));
	m->kind = body[0];
	memcpy(m->epoch, body + 2, sizeof(m->epoch));
	m->segment = get(body + 18, 8);
	m->first = get(body + 26, 8);
	m->count = (uint32_t)get(body + 34, 4);
	m->wall_ns = (int64_t)get(body + 38, 8);
	m->mono_ns = (int64_t)get(body + 46, 8);
	decode_kind(m, body + FIXED_LEN);
	return 0;
}

uint32_t
segment_mark_crc(const uint8_t *body, size_t len)
{
	return (uint32_t)get(body + len - CRC_LEN, CRC_LEN);
}

static void
decode_entry(const uint8_t *p, struct segment_account *out)
{
	uint8_t reasons = p[ENTRY_LEN - 1];

	memset(out, 0, sizeof(*out));
	out->list = (uint32_t)get(p, 4);
	out->cycle = (uint32_t)get(p + 4, 4);
	out->accepted = get(p + 8, 8);
	out->recorded = get(p + 16, 8);
	out->held = get(p + 24, 8);
	out->queued = get(p + 32, 8);
	out->active = get(p + 40, 8);
	for (p += ENTRY_LEN; reasons > 0; reasons--, p += REASON_LEN) {
		if (p[0] < SEGMENT_REASONS)
			out->refused[p[0]] = get(p + 1, 8);
	}
}

/* Behind the account section that begins at P, or NULL when it is cut. */
static const uint8_t *
skip_accounts(const uint8_t *p, const uint8_t *end)
{
	uint16_t count;
	size_t entry;

	if (end - p < ACCOUNT_HEAD_LEN || p[0] != ACCOUNT_VERSION)
		return NULL;
	count = (uint16_t)get(p + 1, 2);
	p += ACCOUNT_HEAD_LEN;
	for (; count > 0; count--, p += entry) {
		if (end - p < ENTRY_LEN)
			return NULL;
		entry = ENTRY_LEN + (size_t)p[ENTRY_LEN - 1] * REASON_LEN;
		if ((size_t)(end - p) < entry)
			return NULL;
	}
	return p;
}

int
segment_mark_account(
    const uint8_t *body, size_t len, uint16_t i, struct segment_account *out)
{
	const uint8_t *p, *end = body + len - CRC_LEN;
	uint16_t count;
	size_t entry;

	if (body[0] != SEGMENT_MARK_BATCH && body[0] != SEGMENT_MARK_TAIL)
		return -1;
	p = body + FIXED_LEN + kind_len(body[0]);
	if (end - p < ACCOUNT_HEAD_LEN || p[0] != ACCOUNT_VERSION)
		return -1;
	count = (uint16_t)get(p + 1, 2);
	p += ACCOUNT_HEAD_LEN;
	for (; count > 0 && end - p >= ENTRY_LEN; count--, p += entry) {
		entry = ENTRY_LEN + (size_t)p[ENTRY_LEN - 1] * REASON_LEN;
		if ((size_t)(end - p) < entry)
			return -1;
		if (i-- > 0)
			continue;
		decode_entry(p, out);
		return 0;
	}
	return -1;
}

struct event_reader {
	void (*cb)(void *arg, const struct segment_event *e);
	void *arg;
};

/* One run at P; returns its end, or NULL when it is cut. */
static const uint8_t *
decode_run(const struct event_reader *r, const uint8_t *p, const uint8_t *end)
{
	struct segment_event e = {.kind = SEGMENT_STARTED};
	uint64_t count;
	uint8_t flags;

	if (end - p < RUN_LEN)
		return NULL;
	e.list = (uint32_t)get(p, 4);
	e.cycle = (uint32_t)get(p + 4, 4);
	flags = p[8];
	count = get(p + 9, 4);
	p += RUN_LEN;
	if ((uint64_t)(end - p) / 8 < count)
		return NULL;
	if (flags & RUN_STARTED)
		r->cb(r->arg, &e);
	e.kind = SEGMENT_FINISHED;
	for (; count > 0; count--, p += 8) {
		e.number = get(p, 8);
		r->cb(r->arg, &e);
	}
	e.kind = SEGMENT_STOPPED;
	e.number = 0;
	if (flags & RUN_STOPPED)
		r->cb(r->arg, &e);
	return p;
}

int
segment_mark_events(const uint8_t *body, size_t len,
    void (*cb)(void *arg, const struct segment_event *e), void *arg)
{
	const struct event_reader r = {cb, arg};
	const uint8_t *p, *end = body + len - CRC_LEN;
	uint64_t runs;

	if (body[0] != SEGMENT_MARK_BATCH)
		return 0;
	p = skip_accounts(body + FIXED_LEN, end);
	if (p == NULL)
		return -1;
	if (p == end)
		return 0;
	if (end - p < EVENT_HEAD_LEN || p[0] != EVENT_VERSION)
		return -1;
	runs = get(p + 1, 4);
	p += EVENT_HEAD_LEN;
	for (; runs > 0 && p != NULL; runs--)
		p = decode_run(&r, p, end);
	return p == NULL ? -1 : 0;
}
