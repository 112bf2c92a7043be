#include "common/warts/block.h"

#include <assert.h>
#include <string.h>

#define FIXED_MAX 20 /* bytes of the longest field that is not a string */
#define FLAG_MORE 0x80

/* --- reading ------------------------------------------------------------ */

/* The flags as a mask; *UNKNOWN is set when one is beyond field N. */
static uint64_t
flags_read(struct rbuf *r, int n, int *unknown)
{
	uint64_t has = WARTS_HAS;
	int bit = 1;
	uint8_t flags;

	*unknown = 0;
	do {
		flags = rbuf_u8(r);
		for (int i = 0; i < 7; i++, bit += bit <= n) {
			if (!(flags >> i & 1))
				continue;
			if (bit > n)
				*unknown = 1;
			else
				has |= WARTS_BIT(bit);
		}
	} while (flags & FLAG_MORE);
	return has;
}

static void
exts_read(struct rbuf *r, struct warts_exts *x, struct warts_arena **arena)
{
	size_t total = rbuf_u16(r);
	const uint8_t *p = rbuf_bytes(r, total);
	struct rbuf set;

	if (p == NULL || total == 0) {
		rbuf_fail(r, "empty extension set");
		return;
	}
	rbuf_init(&set, p, total);
	x->count = 0;
	x->ext = warts_arena_alloc(arena, total / 4, sizeof(*x->ext));
	while (rbuf_left(&set) != 0) {
		struct warts_ext e = {.len = rbuf_u16(&set)};

		e.class_num = rbuf_u8(&set);
		e.class_type = rbuf_u8(&set);
		e.data = rbuf_bytes(&set, e.len);
		if (set.bad != NULL) {
			rbuf_fail(r, "extension beyond the end of its set");
			return;
		}
		x->ext[x->count++] = e;
	}
}

/* N addresses of the dictionary; NULL if N is 0 or there are not so many. */
static struct addr *
addrs_read(struct rbuf *r, size_t n, struct warts_arena **arena)
{
	struct addr *a;

	if (r->bad != NULL || n == 0)
		return NULL;
	a = warts_arena_alloc(arena, n, sizeof(*a));
	for (size_t i = 0; i < n; i++)
		a[i] = rbuf_addr(r);
	return a;
}

static void
stamps_read(struct rbuf *r, struct warts_stamps *v, struct warts_arena **arena)
{
	v->count = rbuf_u8(r);
	v->addr_count = rbuf_u8(r);
	if (v->addr_count != 0 && v->addr_count != v->count)
		rbuf_fail(r, "timestamps and their addresses differ in number");
	v->stamp_ms = warts_arena_alloc(arena, v->count, sizeof(uint32_t));
	for (int i = 0; i < v->count; i++)
		v->stamp_ms[i] = rbuf_u32(r);
	v->addr = addrs_read(r, v->addr_count, arena);
}

/* A field of several parts. */
static void
parts_read(struct rbuf *r, int enc, void *v, struct warts_arena **arena)
{
	struct warts_addrs *addrs = v;
	uint32_t *u32 = v;

	switch (enc) {
	case WENC_EXTS:
		exts_read(r, v, arena);
		break;
	case WENC_ADDRS:
		addrs->count = rbuf_u8(r);
		addrs->addr = addrs_read(r, addrs->count, arena);
		break;
	case WENC_STAMPS:
		stamps_read(r, v, arena);
		break;
	case WENC_U32X3:
		for (int i = 0; i < 3; i++)
			u32[i] = rbuf_u32(r);
		break;
	case WENC_LOW16:
		*u32 = rbuf_u16(r);
		break;
	case WENC_U16X2:
		((uint16_t *)v)[0] = rbuf_u16(r);
		((uint16_t *)v)[1] = rbuf_u16(r);
		break;
	default:
		assert(!"a known encoding");
	}
}

static void
bytes_read(struct rbuf *r, struct warts_bytes *v)
{
	v->data = rbuf_bytes(r, v->len);
}

static void
field_read(struct rbuf *r, int enc, void *v, struct warts_arena **arena)
{
	switch (enc) {
	case WENC_U8:
		*(uint8_t *)v = rbuf_u8(r);
		break;
	case WENC_U16:
		*(uint16_t *)v = rbuf_u16(r);
		break;
	case WENC_U32:
		*(uint32_t *)v = rbuf_u32(r);
		break;
	case WENC_LOW8:
		*(uint32_t *)v = rbuf_u8(r);
		break;
	case WENC_PAIR:
		((uint8_t *)v)[0] = rbuf_u8(r);
		((uint8_t *)v)[1] = rbuf_u8(r);
		break;
	case WENC_TV:
		*(struct warts_tv *)v = rbuf_tv(r);
		break;
	case WENC_ADDR:
		*(struct addr *)v = rbuf_addr(r);
		break;
	case WENC_SADDR:
		*(struct addr *)v = rbuf_saddr(r);
		break;
	case WENC_STR:
		*(const char **)v = rbuf_str(r);
		break;
	case WENC_BYTES:
		bytes_read(r, v);
		break;
	case WENC_IFNAME:
		*(const char **)v = rbuf_ifname(r);
		break;
	default:
		parts_read(r, enc, v, arena);
	}
}

uint64_t
warts_block_read(struct rbuf *r, const struct warts_fields *t, void *obj,
    struct warts_arena **arena)
{
	const uint8_t *all_end = r->end, *block_end;
	uint64_t has, left;
	int unknown;
	size_t len;

	if (r->p != r->end && *r->p == 0) {
		r->p++;
		return WARTS_HAS;
	}
	has = flags_read(r, t->n, &unknown);
	len = rbuf_u16(r);
	if (r->bad == NULL && rbuf_left(r) < len)
		rbuf_fail(r, "block runs beyond its end");
	if (r->bad != NULL)
		return WARTS_HAS;
	block_end = r->p + len;
	r->end = block_end;
	for (left = has & ~WARTS_HAS; left != 0; left &= left - 1) {
		int n = __builtin_ctzll(left);

		if (t->field[n].enc == WENC_NONE) {
			has &= WARTS_BIT(n) - 1;
			unknown = 1;
			break;
		}
		if (t->field[n].enc >= WENC_OWN)
			t->read(r, t->field[n].enc,
			    (char *)obj + t->field[n].offset, arena);
		else
			field_read(r, t->field[n].enc,
			    (char *)obj + t->field[n].offset, arena);
	}
	if (r->bad == NULL && !unknown && r->p != block_end)
		rbuf_fail(r, "block is longer than its fields");
	r->end = all_end;
	r->p = r->bad == NULL ? block_end : all_end;
	return has;
}

/* --- writing ------------------------------------------------------------ */

static void
exts_write(struct wbuf *b, const struct warts_exts *x)
{
	size_t total = 0;

	for (int i = 0; i < x->count; i++)
		total += 4u + x->ext[i].len;
	assert(total > 0 && total <= UINT16_MAX);
	wbuf_u16(b, (uint16_t)total);
	for (int i = 0; i < x->count; i++) {
		wbuf_u16(b, x->ext[i].len);
		wbuf_u8(b, x->ext[i].class_num);
		wbuf_u8(b, x->ext[i].class_type);
		wbuf_bytes(b, x->ext[i].data, x->ext[i].len);
	}
}

static void
bytes_write(struct wbuf *b, const struct warts_bytes *v)
{
	wbuf_bytes(b, v->data, v->len);
}

static void
addrs_write(struct wbuf *b, const struct warts_addrs *v)
{
	wbuf_u8(b, v->count);
	for (int i = 0; i < v->count; i++)
		wbuf_addr(b, &v->addr[i]);
}

static void
stamps_write(struct wbuf *b, const struct warts_stamps *v)
{
	wbuf_u8(b, v->count);
	wbuf_u8(b, v->addr_count);
	for (int i = 0; i < v->count; i++)
		wbuf_u32(b, v->stamp_ms[i]);
	for (int i = 0; i < v->addr_count; i++)
		wbuf_addr(b, &v->addr[i]);
}

/* A field of several parts. */
static void
parts_write(struct wbuf *b, int enc, const void *v)
{
	const uint32_t *u32 = v;

	if (enc == WENC_EXTS)
		exts_write(b, v);
	else if (enc == WENC_ADDRS)
		addrs_write(b, v);
	else if (enc == WENC_STAMPS)
		stamps_write(b, v);
	else if (enc == WENC_U32X3)
		for (int i = 0; i < 3; i++)
			wbuf_u32(b, u32[i]);
	else if (enc == WENC_LOW16)
		wbuf_u16(b, (uint16_t)*u32);
	else if (enc == WENC_U16X2)
		for (int i = 0; i < 2; i++)
			wbuf_u16(b, ((const uint16_t *)v)[i]);
	else
		assert(!"a known encoding");
}

/* A field of no fixed size.  Leaves room for all fixed ones behind it. */
static void
field_write_long(struct wbuf *b, int enc, const void *v)
{
	if (enc == WENC_ADDR)
		wbuf_addr(b, v);
	else if (enc == WENC_SADDR)
		wbuf_saddr(b, v);
	else if (enc == WENC_STR)
		wbuf_str(b, *(const char *const *)v);
	else if (enc == WENC_BYTES)
		bytes_write(b, v);
	else if (enc == WENC_IFNAME)
		wbuf_ifname(b, *(const char *const *)v);
	else
		parts_write(b, enc, v);
	wbuf_room(b, FIXED_MAX * 64);
}

/* This is the record path of the prober: room was made, no calls needed. */
static inline void
field_write(struct wbuf *b, int enc, const void *v)
{
	uint8_t *p = b->p + b->len;

	switch (enc) {
	case WENC_U8:
		*p++ = *(const uint8_t *)v;
		break;
	case WENC_U16:
		p = wbuf_put16(p, *(const uint16_t *)v);
		break;
	case WENC_U32:
		p = wbuf_put32(p, *(const uint32_t *)v);
		break;
	case WENC_LOW8:
		*p++ = (uint8_t) * (const uint32_t *)v;
		break;
	case WENC_PAIR:
		memcpy(p, v, 2);
		p += 2;
		break;
	case WENC_TV:
		p = wbuf_put32(p, ((const struct warts_tv *)v)->sec);
		p = wbuf_put32(p, ((const struct warts_tv *)v)->usec);
		break;
	default:
		field_write_long(b, enc, v);
		return;
	}
	b->len = (size_t)(p - b->p);
}

/* Flag bytes, as few as hold the highest flag. */
static void
flags_write(struct wbuf *b, uint64_t flags)
{
	do {
		uint8_t more = flags >> 7 != 0 ? FLAG_MORE : 0;

		b->p[b->len++] = (uint8_t)(flags & 0x7f) | more;
		flags >>= 7;
	} while (flags != 0);
}

void
warts_block_write(
    struct wbuf *b, const struct warts_fields *t, const void *obj, uint64_t has)
{
	size_t at;
	uint64_t left;

	wbuf_room(b, FIXED_MAX * 64);
	flags_write(b, has >> 1);
	if ((has & ~WARTS_HAS) == 0)
		return;
	at = b->len;
	b->len += 2;
	for (left = has & ~WARTS_HAS; left != 0; left &= left - 1) {
		int n = __builtin_ctzll(left);

		if (t->field[n].enc >= WENC_OWN) {
			t->write(b, t->field[n].enc,
			    (const char *)obj + t->field[n].offset);
			wbuf_room(b, FIXED_MAX * 64);
			continue;
		}
		field_write(
		    b, t->field[n].enc, (const char *)obj + t->field[n].offset);
	}
	assert(b->len - at - 2 <= UINT16_MAX);
	wbuf_put16(b->p + at, (uint16_t)(b->len - at - 2));
}

/* --- by the table ------------------------------------------------------- */

/* Does V hold something else than nothing? */
static int
is_set(int enc, const void *v)
{
	const uint8_t *u8 = v;
	const struct warts_tv *tv = v;

	switch (enc) {
	case WENC_U8:
		return *u8 != 0;
	case WENC_PAIR:
		return u8[0] != 0 || u8[1] != 0;
	case WENC_U32:
		return *(const uint32_t *)v != 0;
	case WENC_LOW8:
		return (*(const uint32_t *)v & 0xff) != 0;
	case WENC_LOW16:
		return (*(const uint32_t *)v & 0xffff) != 0;
	case WENC_TV:
		return tv->sec != 0 || tv->usec != 0;
	case WENC_ADDR:
	case WENC_SADDR:
		return ((const struct addr *)v)->family != ADDR_NONE;
	case WENC_STR:
	case WENC_IFNAME:
		return *(const char *const *)v != NULL;
	default:
		/* U16, EXTS, BYTES and a type's own begin with one. */
		return *(const uint16_t *)v != 0;
	}
}

uint64_t
warts_block_due(const struct warts_fields *t, const void *obj)
{
	uint64_t due = 0;

	for (int n = 1; n <= t->n; n++) {
		const struct warts_field *f = &t->field[n];

		if (f->when == WHEN_ALWAYS ||
		    (f->when == WHEN_SET &&
			is_set(f->enc, (const char *)obj + f->offset)))
			due |= WARTS_BIT(n);
	}
	return due;
}

void
warts_block_get(struct rbuf *r, const struct warts_fields *t, void *obj,
    struct warts_arena **arena)
{
	uint64_t has = warts_block_read(r, t, obj, arena);

	memcpy((char *)obj + t->has, &has, sizeof(has));
}

void
warts_block_put(
    struct wbuf *b, const struct warts_fields *t, const void *obj, uint64_t due)
{
	uint64_t has;

	memcpy(&has, (const char *)obj + t->has, sizeof(has));
	warts_block_write(b, t, obj, has & WARTS_HAS ? has : due);
}

void *
warts_block_room(struct rbuf *r, const struct warts_fields *t, size_t n,
    struct warts_arena **arena)
{
	if (n > rbuf_left(r) / t->min)
		rbuf_fail(r, "more of something than there are bytes for");
	if (r->bad != NULL || n == 0)
		return NULL;
	return warts_arena_alloc(arena, n, t->size);
}

void *
warts_blocks_get(struct rbuf *r, const struct warts_fields *t, size_t n,
    struct warts_arena **arena)
{
	char *objs = warts_block_room(r, t, n, arena);

	if (objs == NULL)
		return NULL;
	for (size_t i = 0; i < n && r->bad == NULL; i++)
		warts_block_get(r, t, objs + i * t->size, arena);
	return objs;
}

void
warts_blocks_put(
    struct wbuf *b, const struct warts_fields *t, const void *objs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const char *obj = (const char *)objs + i * t->size;

		warts_block_put(b, t, obj, warts_block_due(t, obj));
	}
}
