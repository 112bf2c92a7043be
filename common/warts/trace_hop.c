#include "common/warts/trace_hop.h"

#include <string.h>

#include "common/warts/block.h"

/* The shortest: flags, length, id of an address record, probe ttl. */
#define HOP_BYTES_MIN 8

_Static_assert(offsetof(struct warts_hop, icmp_code) ==
	offsetof(struct warts_hop, icmp_type) + 1,
    "field 7 is both");

#define HOP(e, member)                                                 \
	{                                                              \
		.enc = e, .offset = offsetof(struct warts_hop, member) \
	}

static const struct warts_field fields[] = {
    [1] = HOP(WENC_U32, gid),
    [2] = HOP(WENC_U8, probe_ttl),
    [3] = HOP(WENC_U8, reply_ttl),
    [4] = HOP(WENC_U8, flags),
    [5] = HOP(WENC_U8, attempt),
    [6] = HOP(WENC_U32, rtt_us),
    [7] = HOP(WENC_PAIR, icmp_type),
    [8] = HOP(WENC_U16, probe_size),
    [9] = HOP(WENC_U16, reply_size),
    [10] = HOP(WENC_U16, reply_ipid),
    [11] = HOP(WENC_U8, reply_tos),
    [12] = HOP(WENC_U16, nhmtu),
    [13] = HOP(WENC_U16, q_len),
    [14] = HOP(WENC_U8, q_ttl),
    [15] = HOP(WENC_U8, tcp_flags),
    [16] = HOP(WENC_U8, q_tos),
    [17] = HOP(WENC_EXTS, exts),
    [18] = HOP(WENC_ADDR, addr),
    [19] = HOP(WENC_TV, tx),
    [20] = HOP(WENC_STR, name),
};
static const struct warts_fields table = {.field = fields, .n = 20};

int
warts_hop_is_icmp(const struct warts_hop *h)
{
	return (h->flags & (WARTS_HOP_TCP | WARTS_HOP_UDP)) == 0;
}

int
warts_hop_quotes(const struct warts_hop *h)
{
	if (!warts_hop_is_icmp(h))
		return 0;
	if (h->addr.family == ADDR_IPV4)
		return h->icmp_type == 3 || h->icmp_type == 11;
	return h->addr.family == ADDR_IPV6 && h->icmp_type >= 1 &&
	    h->icmp_type <= 3;
}

int
warts_hop_is_too_big(const struct warts_hop *h)
{
	if (!warts_hop_is_icmp(h))
		return 0;
	if (h->addr.family == ADDR_IPV4)
		return h->icmp_type == 3 && h->icmp_code == 4;
	return h->addr.family == ADDR_IPV6 && h->icmp_type == 2;
}

/* The fields of an ICMP reply. */
static uint64_t
icmp_fields(const struct warts_hop *h, uint16_t trace_size)
{
	uint64_t has = WARTS_BIT(7);

	if (!warts_hop_quotes(h))
		return has;
	has |= WARTS_BIT(16);
	if (h->q_len != trace_size || h->q_len != h->probe_size)
		has |= WARTS_BIT(13);
	if (h->q_ttl != 1)
		has |= WARTS_BIT(14);
	if (warts_hop_is_too_big(h))
		has |= WARTS_BIT(12);
	return has;
}

/* The fields that scamper 2026 writes of a hop. */
static uint64_t
hop_fields(const struct warts_hop *h, uint16_t trace_size)
{
	uint64_t has = WARTS_BIT(2) | WARTS_BIT(3) | WARTS_BIT(4) |
	    WARTS_BIT(5) | WARTS_BIT(6) | WARTS_BIT(8) | WARTS_BIT(9) |
	    WARTS_BIT(11) | WARTS_BIT(18);

	if (warts_hop_is_icmp(h))
		has |= icmp_fields(h, trace_size);
	if (h->flags & WARTS_HOP_TCP)
		has |= WARTS_BIT(15);
	if (h->reply_ipid != 0)
		has |= WARTS_BIT(10);
	if (h->exts.count != 0)
		has |= WARTS_BIT(17);
	if (h->tx.sec != 0)
		has |= WARTS_BIT(19);
	if (h->name != NULL)
		has |= WARTS_BIT(20);
	return has;
}

/*
 * What nearly every hop of ours has, and what it may have: written in one
 * pass, since this is most of the work on a record.  With extensions or a name
 * it goes through the table.
 */
#define PLAIN_ALWAYS                                                     \
	(WARTS_BIT(2) | WARTS_BIT(3) | WARTS_BIT(4) | WARTS_BIT(5) |     \
	    WARTS_BIT(6) | WARTS_BIT(8) | WARTS_BIT(9) | WARTS_BIT(11) | \
	    WARTS_BIT(18))
#define PLAIN_FIELDS                                                        \
	(WARTS_HAS | PLAIN_ALWAYS | WARTS_BIT(7) | WARTS_BIT(10) |          \
	    WARTS_BIT(12) | WARTS_BIT(13) | WARTS_BIT(14) | WARTS_BIT(16) | \
	    WARTS_BIT(19))
#define PLAIN_HEAD 5 /* flags (field 18 is in the third byte), length */
#define PLAIN_MAX (PLAIN_HEAD + 32 + WBUF_ADDR_MAX)

static inline uint8_t *
put_reply(uint8_t *p, const struct warts_hop *h, uint64_t has)
{
	p = wbuf_put16(p, h->probe_size);
	p = wbuf_put16(p, h->reply_size);
	if (has & WARTS_BIT(10))
		p = wbuf_put16(p, h->reply_ipid);
	*p++ = h->reply_tos;
	if (has & WARTS_BIT(12))
		p = wbuf_put16(p, h->nhmtu);
	if (has & WARTS_BIT(13))
		p = wbuf_put16(p, h->q_len);
	if (has & WARTS_BIT(14))
		*p++ = h->q_ttl;
	if (has & WARTS_BIT(16))
		*p++ = h->q_tos;
	return p;
}

static void
plain_write(struct wbuf *b, const struct warts_hop *h, uint64_t has)
{
	uint8_t *head, *p;

	wbuf_room(b, PLAIN_MAX);
	head = b->p + b->len;
	p = head + PLAIN_HEAD;
	*p++ = h->probe_ttl;
	*p++ = h->reply_ttl;
	*p++ = (uint8_t)h->flags;
	*p++ = h->attempt;
	p = wbuf_put32(p, h->rtt_us);
	if (has & WARTS_BIT(7)) {
		*p++ = h->icmp_type;
		*p++ = h->icmp_code;
	}
	p = put_reply(p, h, has);
	p = wbuf_addr_at(b, p, &h->addr);
	if (has & WARTS_BIT(19)) {
		p = wbuf_put32(p, h->tx.sec);
		p = wbuf_put32(p, h->tx.usec);
	}
	head[0] = (uint8_t)(has >> 1 | 0x80);
	head[1] = (uint8_t)(has >> 8 | 0x80);
	head[2] = (uint8_t)(has >> 15);
	wbuf_put16(head + 3, (uint16_t)(p - head - PLAIN_HEAD));
	b->len = (size_t)(p - b->p);
}

void
warts_hops_write(
    struct wbuf *b, const struct warts_hop *hops, size_t n, uint16_t trace_size)
{
	for (size_t i = 0; i < n; i++) {
		uint64_t has = hops[i].has;

		if (!(has & WARTS_HAS))
			has = hop_fields(&hops[i], trace_size);
		if ((has & PLAIN_ALWAYS) == PLAIN_ALWAYS &&
		    (has & ~PLAIN_FIELDS) == 0)
			plain_write(b, &hops[i], has);
		else
			warts_block_write(b, &table, &hops[i], has);
	}
}

static void
hop_read(struct rbuf *r, struct warts_hop *h, struct warts_arena **arena)
{
	uint64_t has = warts_block_read(r, &table, h, arena);

	h->has = (uint32_t)has;
	if (r->bad != NULL)
		return;
	if (h->probe_ttl == 0)
		rbuf_fail(r, "hop without the TTL of its probe");
	else if (!(has & WARTS_BIT(18)) && h->gid == 0)
		rbuf_fail(r, "hop without an address");
	/* For every hop: of one whose address is in a record of its own (1)
	 * nobody knows the family yet, and so not whether it quotes. */
	if (!(has & WARTS_BIT(14)))
		h->q_ttl = 1;
	if (!(has & WARTS_BIT(13)))
		h->q_len = h->probe_size;
}

struct warts_hop *
warts_hops_read(struct rbuf *r, size_t n, struct warts_arena **arena)
{
	struct warts_hop *hops;

	if (n > rbuf_left(r) / HOP_BYTES_MIN)
		rbuf_fail(r, "more hops than there are bytes for");
	if (r->bad != NULL || n == 0)
		return NULL;
	hops = warts_arena_alloc(arena, n, sizeof(*hops));
	for (size_t i = 0; i < n && r->bad == NULL; i++)
		hop_read(r, &hops[i], arena);
	return r->bad == NULL ? hops : NULL;
}
