#include "common/warts/buf.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"

#define SLOTS_MIN 64
#define LARGE (2u << 20) /* bytes; from here on few steps and large pages */
#define IFNAMES 254 /* of a record that are remembered */

/* --- writing ------------------------------------------------------------ */

void
wbuf_init(struct wbuf *b)
{
	memset(b, 0, sizeof(*b));
}

void
wbuf_clear(struct wbuf *b)
{
	free(b->p);
	free(b->slots);
	free(b->ifnames);
	wbuf_init(b);
}

void
wbuf_reset(struct wbuf *b)
{
	b->len = 0;
}

void
wbuf_grow(struct wbuf *b, size_t n)
{
	size_t cap = b->cap != 0 ? b->cap : 4096;
	uint8_t *p;

	while (cap - b->len < n)
		cap *= cap < LARGE ? 2 : 8;
	if (cap < LARGE) {
		b->p = xreallocarray(b->p, cap, 1);
	} else {
		p = xmalloc_large(cap);
		if (b->len > 0)
			memcpy(p, b->p, b->len);
		free(b->p);
		b->p = p;
	}
	b->cap = cap;
}

static void
put(uint8_t *p, uint64_t v, size_t n)
{
	while (n-- > 0) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

static void
append(struct wbuf *b, uint64_t v, size_t n)
{
	wbuf_room(b, n);
	put(b->p + b->len, v, n);
	b->len += n;
}

void
wbuf_u8(struct wbuf *b, uint8_t v)
{
	append(b, v, 1);
}

void
wbuf_u16(struct wbuf *b, uint16_t v)
{
	append(b, v, 2);
}

void
wbuf_u32(struct wbuf *b, uint32_t v)
{
	append(b, v, 4);
}

void
wbuf_u64(struct wbuf *b, uint64_t v)
{
	append(b, v, 8);
}

void
wbuf_bytes(struct wbuf *b, const void *p, size_t len)
{
	if (len == 0)
		return;
	wbuf_room(b, len);
	memcpy(b->p + b->len, p, len);
	b->len += len;
}

void
wbuf_str(struct wbuf *b, const char *s)
{
	wbuf_bytes(b, s, strlen(s) + 1);
}

void
wbuf_tv(struct wbuf *b, struct warts_tv tv)
{
	append(b, (uint64_t)tv.sec << 32 | tv.usec, 8);
}

void
wbuf_printf(struct wbuf *b, const char *fmt, ...)
{
	va_list ap;
	size_t room;
	int n;

	wbuf_room(b, 128);
	room = b->cap - b->len;
	va_start(ap, fmt);
	n = vsnprintf((char *)b->p + b->len, room, fmt, ap);
	va_end(ap);
	assert(n >= 0);
	if ((size_t)n >= room) {
		wbuf_room(b, (size_t)n + 1);
		va_start(ap, fmt);
		vsnprintf((char *)b->p + b->len, (size_t)n + 1, fmt, ap);
		va_end(ap);
	}
	b->len += (size_t)n;
}

/* The slot of A, or the free one where it belongs. */
static inline struct wbuf_slot *
slot_find(const struct wbuf *b, const struct addr *a)
{
	uint32_t i = addr_hash_quick(a) & (b->nslots - 1);

	while (b->slots[i].generation == b->generation &&
	    !addr_equal(b->slots[i].addr, a))
		i = (i + 1) & (b->nslots - 1);
	return &b->slots[i];
}

__attribute__((noinline)) static void
slots_grow(struct wbuf *b)
{
	struct wbuf_slot *old = b->slots;
	uint32_t nold = b->nslots, generation = b->generation;

	b->nslots = nold != 0 ? nold * 2 : SLOTS_MIN;
	b->slots = xcalloc(b->nslots, sizeof(*b->slots));
	b->generation = 1;
	for (uint32_t i = 0; i < nold; i++) {
		struct wbuf_slot *s;

		if (old[i].generation != generation)
			continue;
		s = slot_find(b, old[i].addr);
		*s = old[i];
		s->generation = b->generation;
	}
	free(old);
}

static inline uint8_t *
saddr_at(uint8_t *p, const struct addr *a)
{
	size_t n = addr_len(a->family);

	assert(n != 0);
	p[0] = (uint8_t)n;
	p[1] = a->family;
	if (n == 4)
		memcpy(p + 2, a->b, 4);
	else
		memcpy(p + 2, a->b, n);
	return p + 2 + n;
}

void
wbuf_saddr(struct wbuf *b, const struct addr *a)
{
	wbuf_room(b, WBUF_ADDR_MAX);
	b->len = (size_t)(saddr_at(b->p + b->len, a) - b->p);
}

uint8_t *
wbuf_addr_at(struct wbuf *b, uint8_t *p, const struct addr *a)
{
	struct wbuf_slot *s;

	if (b->naddrs >= b->nslots / 2)
		slots_grow(b);
	s = slot_find(b, a);
	if (s->generation != b->generation) {
		*s = (struct wbuf_slot){a, b->generation, b->naddrs++};
		return saddr_at(p, a);
	}
	*p = 0;
	put(p + 1, s->index, 4);
	return p + 5;
}

void
wbuf_addr(struct wbuf *b, const struct addr *a)
{
	wbuf_room(b, WBUF_ADDR_MAX);
	b->len = (size_t)(wbuf_addr_at(b, b->p + b->len, a) - b->p);
}

void
wbuf_ifname(struct wbuf *b, const char *name)
{
	uint8_t i = 0;

	if (b->ifnames == NULL)
		b->ifnames = xreallocarray(NULL, IFNAMES, sizeof(char *));
	while (i < b->nifnames && strcmp(b->ifnames[i], name) != 0)
		i++;
	wbuf_u8(b, i < IFNAMES ? i + 1 : 0);
	if (i < b->nifnames)
		return;
	wbuf_str(b, name);
	if (i < IFNAMES)
		b->ifnames[b->nifnames++] = name;
}

static void
dict_empty(struct wbuf *b)
{
	b->naddrs = 0;
	b->nifnames = 0;
	if (++b->generation == 0) {
		/* Once in 4 billion records an old slot would look new. */
		if (b->nslots != 0)
			memset(b->slots, 0, b->nslots * sizeof(*b->slots));
		b->generation = 1;
	}
}

size_t
wbuf_record_begin(struct wbuf *b, uint16_t type)
{
	size_t token = b->len;

	dict_empty(b);
	wbuf_u16(b, WARTS_MAGIC);
	wbuf_u16(b, type);
	wbuf_u32(b, 0);
	return token;
}

void
wbuf_record_end(struct wbuf *b, size_t token)
{
	size_t len = b->len - token - WARTS_HEADER_LEN;

	assert(len > 0 && len <= UINT32_MAX);
	put(b->p + token + 4, len, 4);
}

struct wbuf_mark
wbuf_mark(const struct wbuf *b)
{
	return (struct wbuf_mark){b->len, b->naddrs};
}

void
wbuf_rewind(struct wbuf *b, struct wbuf_mark m)
{
	uint32_t generation = b->generation;
	struct wbuf_slot *old = b->slots;

	b->len = m.len;
	if (b->naddrs == m.naddrs)
		return;
	/* Taking single entries out would break probe chains: rebuild. */
	b->naddrs = m.naddrs;
	b->slots = xcalloc(b->nslots, sizeof(*b->slots));
	b->generation = 1;
	for (uint32_t i = 0; i < b->nslots; i++) {
		struct wbuf_slot *s;

		if (old[i].generation != generation || old[i].index >= m.naddrs)
			continue;
		s = slot_find(b, old[i].addr);
		*s = old[i];
		s->generation = 1;
	}
	free(old);
}

/* --- reading ------------------------------------------------------------ */

void
rbuf_init(struct rbuf *r, const void *body, size_t len)
{
	memset(r, 0, sizeof(*r));
	r->p = body;
	r->end = r->p + len;
}

void
rbuf_clear(struct rbuf *r)
{
	free(r->dict);
	free(r->ifnames);
	memset(r, 0, sizeof(*r));
}

int
rbuf_finish(struct rbuf *r, const char **why)
{
	const char *bad = r->bad;

	if (bad == NULL && r->p != r->end)
		bad = "bytes behind the end of the record";
	rbuf_clear(r);
	if (bad == NULL)
		return 0;
	*why = bad;
	return -1;
}

void
rbuf_fail(struct rbuf *r, const char *reason)
{
	if (r->bad == NULL)
		r->bad = reason;
	r->p = r->end;
}

size_t
rbuf_left(const struct rbuf *r)
{
	return (size_t)(r->end - r->p);
}

const uint8_t *
rbuf_bytes(struct rbuf *r, size_t len)
{
	const uint8_t *p = r->p;

	if (r->bad != NULL || rbuf_left(r) < len) {
		rbuf_fail(r, "field runs beyond its end");
		return NULL;
	}
	r->p += len;
	return p;
}

static uint64_t
get(struct rbuf *r, size_t n)
{
	const uint8_t *p = rbuf_bytes(r, n);
	uint64_t v = 0;

	if (p == NULL)
		return 0;
	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

uint8_t
rbuf_u8(struct rbuf *r)
{
	return (uint8_t)get(r, 1);
}

uint16_t
rbuf_u16(struct rbuf *r)
{
	return (uint16_t)get(r, 2);
}

uint32_t
rbuf_u32(struct rbuf *r)
{
	return (uint32_t)get(r, 4);
}

uint64_t
rbuf_u64(struct rbuf *r)
{
	return get(r, 8);
}

struct warts_tv
rbuf_tv(struct rbuf *r)
{
	uint64_t v = get(r, 8);

	return (struct warts_tv){(uint32_t)(v >> 32), (uint32_t)v};
}

const char *
rbuf_str(struct rbuf *r)
{
	const uint8_t *p = r->p, *nul;

	nul = rbuf_left(r) != 0 ? memchr(p, 0, rbuf_left(r)) : NULL;
	if (nul == NULL) {
		rbuf_fail(r, "string without an end");
		return NULL;
	}
	r->p = nul + 1;
	return (const char *)p;
}

/* The SIZE bytes at r->p are behind a family byte; remember and take them. */
static struct addr
addr_define(struct rbuf *r, uint8_t size, int remember)
{
	const uint8_t *p = rbuf_bytes(r, (size_t)size + 1);

	if (p == NULL)
		return (struct addr){.family = ADDR_NONE};
	if (addr_len(p[0]) != size) {
		rbuf_fail(r, "address of an unknown family or wrong size");
		return (struct addr){.family = ADDR_NONE};
	}
	if (remember && r->ndict == r->capdict) {
		r->capdict = r->capdict != 0 ? r->capdict * 2 : 32;
		r->dict = xreallocarray(r->dict, r->capdict, sizeof(*r->dict));
	}
	if (remember)
		r->dict[r->ndict++] = p;
	return addr_make(p[0], p + 1);
}

struct addr
rbuf_addr(struct rbuf *r)
{
	uint8_t size = rbuf_u8(r);
	uint32_t i;

	if (size != 0)
		return addr_define(r, size, 1);
	i = rbuf_u32(r);
	if (r->bad == NULL && i >= r->ndict)
		rbuf_fail(r, "reference to an address not yet defined");
	if (r->bad != NULL)
		return (struct addr){.family = ADDR_NONE};
	return addr_make(r->dict[i][0], r->dict[i] + 1);
}

struct addr
rbuf_saddr(struct rbuf *r)
{
	uint8_t size = rbuf_u8(r);

	if (r->bad == NULL && size == 0)
		rbuf_fail(r, "address of size zero");
	if (r->bad != NULL)
		return (struct addr){.family = ADDR_NONE};
	return addr_define(r, size, 0);
}

const char *
rbuf_ifname(struct rbuf *r)
{
	uint8_t id = rbuf_u8(r);
	const char *name;

	if (id != 0 && id <= r->nifnames)
		return r->ifnames[id - 1];
	if (id > r->nifnames + 1)
		rbuf_fail(r, "reference to an interface not yet named");
	name = rbuf_str(r);
	if (id == 0 || name == NULL)
		return name;
	if (r->ifnames == NULL)
		r->ifnames = xreallocarray(NULL, UINT8_MAX, sizeof(char *));
	return r->ifnames[r->nifnames++] = name;
}
