/*
 * warts/ping: the ping record, type 0x0007 (contract: record.h).
 *
 *	block | reply count u16 | a block per reply
 *
 * Fields of a reply that depend on the family of the destination are written
 * as scamper 2026 does: IP-IDs of IPv4 and the fragment id of IPv6, each only
 * when known.
 */
#include <assert.h>
#include <string.h>

#include "common/warts/block.h"
#include "common/warts/record.h"

const char *const warts_ping_methods[] = {
    [WARTS_PING_ICMP_ECHO] = "icmp-echo",
    [WARTS_PING_TCP_ACK] = "tcp-ack",
    [WARTS_PING_TCP_ACK_SPORT] = "tcp-ack-sport",
    [WARTS_PING_UDP] = "udp",
    [WARTS_PING_UDP_DPORT] = "udp-dport",
    [WARTS_PING_ICMP_TIME] = "icmp-time",
    [WARTS_PING_TCP_SYN] = "tcp-syn",
    [WARTS_PING_TCP_SYNACK] = "tcp-synack",
    [WARTS_PING_TCP_RST] = "tcp-rst",
    [WARTS_PING_TCP_SYN_SPORT] = "tcp-syn-sport",
    [WARTS_PING_UDP_SPORT] = "udp-sport",
    NULL,
};

/* The shortest: flags, length, id of an address record. */
#define REPLY_BYTES_MIN 7

#define IP_PROTO_ICMP 1
#define IP_PROTO_TCP 6
#define IP_PROTO_ICMPV6 58

_Static_assert(offsetof(struct warts_ping_reply, icmp_code) ==
	offsetof(struct warts_ping_reply, icmp_type) + 1,
    "field 5 is both");

#define PING(e, member)                                                 \
	{                                                               \
		.enc = e, .offset = offsetof(struct warts_ping, member) \
	}
#define REPLY(e, member)                                                      \
	{                                                                     \
		.enc = e, .offset = offsetof(struct warts_ping_reply, member) \
	}

/* Fields 8 and 9 are one struct warts_bytes to the block's reader. */
struct ping_block {
	struct warts_ping ping;
	struct warts_bytes data;
};
#define DATA(e, member)                                                      \
	{                                                                    \
		.enc = e, .offset = offsetof(struct ping_block, data.member) \
	}

static const struct warts_field ping_field[] = {
    [1] = PING(WENC_U32, list),
    [2] = PING(WENC_U32, cycle),
    [3] = PING(WENC_U32, src_gid),
    [4] = PING(WENC_U32, dst_gid),
    [5] = PING(WENC_TV, start),
    [6] = PING(WENC_U8, stop_reason),
    [7] = PING(WENC_U8, stop_data),
    [8] = DATA(WENC_U16, len),
    [9] = {.enc = WENC_BYTES, .offset = offsetof(struct ping_block, data)},
    [10] = PING(WENC_U16, probe_count),
    [11] = PING(WENC_U16, probe_size),
    [12] = PING(WENC_U8, wait_s),
    [13] = PING(WENC_U8, ttl),
    [14] = PING(WENC_U16, reply_count),
    [15] = PING(WENC_U16, ping_sent),
    [16] = PING(WENC_U8, method),
    [17] = PING(WENC_U16, sport),
    [18] = PING(WENC_U16, dport),
    [19] = PING(WENC_U32, user_id),
    [20] = PING(WENC_ADDR, src),
    [21] = PING(WENC_ADDR, dst),
    [22] = PING(WENC_LOW8, flags),
    [23] = PING(WENC_U8, tos),
    [24] = PING(WENC_ADDRS, tsps),
    [25] = PING(WENC_U16, icmp_sum),
    [26] = PING(WENC_U16, pmtu),
    [27] = PING(WENC_U8, timeout_s),
    [28] = PING(WENC_U32, wait_us),
    [29] = PING(WENC_U32, tcp_ack),
    [30] = PING(WENC_U32, flags),
    [31] = PING(WENC_U32, tcp_seq),
    [32] = PING(WENC_SADDR, rtr),
    [33] = PING(WENC_U32, timeout_us),
    [34] = PING(WENC_STR, errmsg),
};
static const struct warts_fields ping_table = {.field = ping_field, .n = 34};

static const struct warts_field reply_field[] = {
    [1] = REPLY(WENC_U32, gid),
    [2] = REPLY(WENC_U8, flags),
    [3] = REPLY(WENC_U8, reply_ttl),
    [4] = REPLY(WENC_U16, reply_size),
    [5] = REPLY(WENC_PAIR, icmp_type),
    [6] = REPLY(WENC_U32, rtt_us),
    [7] = REPLY(WENC_U16, probe),
    [8] = REPLY(WENC_U16, reply_ipid),
    [9] = REPLY(WENC_U16, probe_ipid),
    [10] = REPLY(WENC_U8, protocol),
    [11] = REPLY(WENC_U8, tcp_flags),
    [12] = REPLY(WENC_ADDR, addr),
    [13] = REPLY(WENC_ADDRS, rr),
    [14] = REPLY(WENC_STAMPS, ts),
    [15] = REPLY(WENC_U32, reply_fragid),
    [16] = REPLY(WENC_TV, tx),
    [17] = REPLY(WENC_U32X3, icmp_ts),
    [18] = REPLY(WENC_U16, sport),
    [19] = REPLY(WENC_U8, reply_tos),
    [20] = REPLY(WENC_IFNAME, ifname),
    [21] = REPLY(WENC_U16, nhmtu),
};
static const struct warts_fields reply_table = {.field = reply_field, .n = 21};

int
warts_reply_is_icmp(const struct warts_ping_reply *r)
{
	return (r->addr.family == ADDR_IPV4 && r->protocol == IP_PROTO_ICMP) ||
	    (r->addr.family == ADDR_IPV6 && r->protocol == IP_PROTO_ICMPV6);
}

int
warts_reply_is_too_big(const struct warts_ping_reply *r)
{
	if (!warts_reply_is_icmp(r))
		return 0;
	if (r->addr.family == ADDR_IPV4)
		return r->icmp_type == 3 && r->icmp_code == 4;
	return r->icmp_type == 2;
}

/* --- writing ------------------------------------------------------------ */

/* The fields that scamper 2026 writes whatever their value: 5 to 7, 10 to 13,
 * 15, 21. */
#define PING_ALWAYS 0x020bce0ULL
_Static_assert(PING_ALWAYS ==
	(WARTS_BIT(5) | WARTS_BIT(6) | WARTS_BIT(7) | WARTS_BIT(10) |
	    WARTS_BIT(11) | WARTS_BIT(12) | WARTS_BIT(13) | WARTS_BIT(15) |
	    WARTS_BIT(21)),
    "fields written always");

static uint64_t
bit_if(int yes, int field)
{
	return yes ? WARTS_BIT(field) : 0;
}

/* Those that depend on how the probes are made. */
static uint64_t
probe_fields(const struct warts_ping *p)
{
	return bit_if(p->data_len != 0, 8) | bit_if(p->data_len != 0, 9) |
	    bit_if(p->method != 0, 16) | bit_if(p->sport != 0, 17) |
	    bit_if(p->dport != 0, 18) | bit_if(p->tos != 0, 23) |
	    bit_if(p->tsps.count != 0, 24) |
	    bit_if(p->icmp_sum != 0 && p->flags & WARTS_PING_ICMPSUM, 25) |
	    bit_if(p->pmtu != 0, 26) | bit_if(p->tcp_ack != 0, 29) |
	    bit_if(p->tcp_seq != 0, 31) |
	    bit_if(p->rtr.family != ADDR_NONE, 32);
}

static uint64_t
ping_fields(const struct warts_ping *p)
{
	return PING_ALWAYS | probe_fields(p) | bit_if(p->list != 0, 1) |
	    bit_if(p->cycle != 0, 2) | bit_if(p->reply_count != 0, 14) |
	    bit_if(p->user_id != 0, 19) |
	    bit_if(p->src.family != ADDR_NONE, 20) |
	    bit_if((p->flags & 0xff) != 0, 22) |
	    bit_if(p->timeout_s != p->wait_s, 27) |
	    bit_if(p->wait_us != 0, 28) | bit_if(p->flags > 0xff, 30) |
	    bit_if(p->timeout_us != 0, 33) | bit_if(p->errmsg != NULL, 34);
}

static uint64_t
reply_fields(const struct warts_ping *p, const struct warts_ping_reply *r)
{
	int v4 = p->dst.family == ADDR_IPV4;
	uint64_t has = WARTS_BIT(4) | WARTS_BIT(6) | WARTS_BIT(7) |
	    WARTS_BIT(12) | bit_if(r->flags != 0, 2);

	has |= bit_if(r->flags & WARTS_REPLY_TTL, 3) |
	    bit_if(warts_reply_is_icmp(r), 5) |
	    bit_if(v4 && r->flags & WARTS_REPLY_IPID, 8) |
	    bit_if(v4 && r->flags & WARTS_REPLY_PROBEIPID, 9) |
	    bit_if(!warts_ping_is_icmp(p->method), 10) |
	    bit_if(r->protocol == IP_PROTO_TCP, 11) |
	    bit_if(!v4 && r->flags & WARTS_REPLY_IPID, 15);
	return has | bit_if(r->rr.count != 0, 13) |
	    bit_if(r->ts.count != 0, 14) | bit_if(r->tx.sec != 0, 16) |
	    bit_if(r->has_icmp_ts, 17) | bit_if(r->sport != 0, 18) |
	    bit_if(r->flags & WARTS_REPLY_TOS && r->reply_tos != 0, 19) |
	    bit_if(r->ifname != NULL, 20) |
	    bit_if(warts_reply_is_too_big(r), 21);
}

void
warts_ping_write(struct wbuf *b, const struct warts_ping *p)
{
	struct ping_block block = {*p, {p->data_len, p->data}};
	uint64_t has = p->has;

	if (!(has & WARTS_HAS))
		has = ping_fields(p);
	warts_block_write(b, &ping_table, &block, has);
	wbuf_u16(b, p->nreplies);
	for (int i = 0; i < p->nreplies; i++) {
		const struct warts_ping_reply *r = &p->replies[i];

		warts_block_write(b, &reply_table, r,
		    r->has & WARTS_HAS ? r->has : reply_fields(p, r));
	}
}

void
warts_ping_encode(struct wbuf *b, const struct warts_ping *p)
{
	size_t token = wbuf_record_begin(b, WARTS_PING);

	warts_ping_write(b, p);
	wbuf_record_end(b, token);
}

/* --- reading ------------------------------------------------------------ */

static void
reply_read(struct rbuf *r, const struct warts_ping *p,
    struct warts_ping_reply *reply, struct warts_arena **arena)
{
	uint64_t has = warts_block_read(r, &reply_table, reply, arena);

	reply->has = (uint32_t)has;
	reply->has_icmp_ts = (has & WARTS_BIT(17)) != 0;
	if (!(has & WARTS_BIT(10)))
		reply->protocol = p->dst.family == ADDR_IPV6 ? IP_PROTO_ICMPV6
							     : IP_PROTO_ICMP;
	if (r->bad != NULL)
		return;
	if (!(has & WARTS_BIT(12)) && reply->gid == 0)
		rbuf_fail(r, "reply without an address");
	else if (reply->probe >= p->ping_sent)
		rbuf_fail(r, "reply to a probe that was not sent");
}

static void
replies_read(struct rbuf *r, struct warts_ping *p)
{
	size_t n = rbuf_u16(r);
	uint16_t probe = 0;

	if (n > rbuf_left(r) / REPLY_BYTES_MIN)
		rbuf_fail(r, "more replies than there are bytes for");
	if (r->bad != NULL || n == 0)
		return;
	p->replies = warts_arena_alloc(&p->arena, n, sizeof(*p->replies));
	p->nreplies = (uint16_t)n;
	for (size_t i = 0; i < n && r->bad == NULL; i++) {
		reply_read(r, p, &p->replies[i], &p->arena);
		if (p->replies[i].probe < probe)
			rbuf_fail(r, "replies out of order");
		probe = p->replies[i].probe;
	}
}

int
warts_ping_decode(
    const uint8_t *body, size_t len, struct warts_ping *out, const char **why)
{
	struct ping_block block;
	struct rbuf r;

	memset(&block, 0, sizeof(block));
	rbuf_init(&r, body, len);
	block.ping.has =
	    warts_block_read(&r, &ping_table, &block, &block.ping.arena);
	*out = block.ping;
	out->data_len = block.data.len;
	out->data = block.data.data;
	if (!(out->has & WARTS_BIT(27)))
		out->timeout_s = out->wait_s;
	if (!(out->has & WARTS_BIT(21)) && out->dst_gid == 0)
		rbuf_fail(&r, "ping without a destination");
	replies_read(&r, out);
	if (rbuf_finish(&r, why) == 0)
		return 0;
	warts_ping_clear(out);
	return -1;
}

void
warts_ping_clear(struct warts_ping *p)
{
	warts_arena_free(&p->arena);
	memset(p, 0, sizeof(*p));
}
