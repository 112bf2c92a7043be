/*
 * show/dealias: alias tests as text and JSON (contract: more.h).
 *
 *	A B aliases | not aliases | none        ally; of other methods nothing
 */
#include <stddef.h>
#include <stdio.h>

#include "common/show/more.h"
#include "common/show/parts.h"
#include "common/warts/dealias.h"

static const char *
method_word(uint8_t method)
{
	static const char *const words[] = {
	    [WARTS_DEALIAS_MERCATOR] = "mercator",
	    [WARTS_DEALIAS_ALLY] = "ally",
	    [WARTS_DEALIAS_RADARGUN] = "radargun",
	    [WARTS_DEALIAS_PREFIXSCAN] = "prefixscan",
	    [WARTS_DEALIAS_BUMP] = "bump",
	};

	return PARTS_WORD(words, method);
}

static const char *
probe_method_word(uint8_t method)
{
	static const char *const words[] = {
	    [WARTS_DEALIAS_ICMP_ECHO] = "icmp-echo",
	    [WARTS_DEALIAS_TCP_ACK] = "tcp-ack",
	    [WARTS_DEALIAS_UDP] = "udp",
	    [WARTS_DEALIAS_TCP_ACK_SPORT] = "tcp-ack-sport",
	    [WARTS_DEALIAS_UDP_DPORT] = "udp-dport",
	    [WARTS_DEALIAS_TCP_SYN_SPORT] = "tcp-syn-sport",
	};

	return PARTS_WORD(words, method);
}

static const char *
result_word(uint8_t result)
{
	static const char *const words[] = {
	    [WARTS_DEALIAS_NONE] = "none",
	    [WARTS_DEALIAS_ALIASES] = "aliases",
	    [WARTS_DEALIAS_NOT_ALIASES] = "not-aliases",
	    [WARTS_DEALIAS_HALTED] = "halted",
	    [WARTS_DEALIAS_IPID_ECHO] = "ipid-echo",
	    [WARTS_DEALIAS_ERROR] = "error",
	};

	return PARTS_WORD(words, result);
}

void
show_text_dealias(
    struct wbuf *out, const struct show_context *ctx, const void *record)
{
	const struct warts_dealias *d = record;
	char a[ADDR_STRLEN], b[ADDR_STRLEN];

	if (d->method != WARTS_DEALIAS_ALLY)
		return;
	wbuf_printf(out, "%s %s ", addr_str(&d->defs[0].dst, a),
	    addr_str(&d->defs[1].dst, b));
	if (d->result == WARTS_DEALIAS_NOT_ALIASES)
		wbuf_printf(out, "not aliases\n");
	else if (d->result <= WARTS_DEALIAS_ALIASES ||
	    (ctx->generation == SHOW_2026 && result_word(d->result) != NULL))
		wbuf_printf(out, "%s\n", result_word(d->result));
	else
		wbuf_printf(out, "%u\n", d->result);
}

/* --- what each method was told ------------------------------------------------ */

static void
mercator(struct json *j, const struct warts_dealias_method_block *m)
{
	json_u32(j, "attempts", m->attempts);
	json_u32(j, "wait_timeout", m->wait_timeout_s);
}

static void
ally(struct json *j, const struct warts_dealias_method_block *m)
{
	json_u32(j, "wait_probe", m->wait_probe_ms);
	json_u32(j, "wait_timeout", m->wait_timeout_s);
	json_u32(j, "attempts", m->attempts);
	json_u32(j, "fudge", m->fudge);
}

static void
radargun(struct json *j, const struct warts_dealias_method_block *m)
{
	json_u32(j, "attempts", m->rounds);
	json_u32(j, "wait_probe", m->wait_probe_ms);
	json_u32(j, "wait_round", m->wait_round_ms);
	json_u32(j, "wait_timeout", m->wait_timeout_s);
}

static void
prefix(struct json *j, const char *key, const struct addr *a, unsigned int len)
{
	char text[ADDR_STRLEN + 8], buf[ADDR_STRLEN];

	snprintf(text, sizeof(text), "%s/%u", addr_str(a, buf), len);
	json_str(j, key, text);
}

/* How many bits A and B begin with together. */
static unsigned int
bits_shared(const struct addr *a, const struct addr *b)
{
	unsigned int n = 0, max = 8 * (unsigned int)addr_len(a->family);

	if (a->family != b->family)
		return 0;
	while (n < max && !((a->b[n / 8] ^ b->b[n / 8]) & 0x80 >> n % 8))
		n++;
	return n;
}

/* Are the bits of A behind the first LEN all 0 or all 1: the number of a net, or
 * everybody in it? */
static int
is_no_host(const struct addr *a, unsigned int len)
{
	uint32_t v = (uint32_t)a->b[0] << 24 | (uint32_t)a->b[1] << 16 |
	    (uint32_t)a->b[2] << 8 | a->b[3];
	uint32_t mask = UINT32_MAX >> len;

	return (v & mask) == 0 || (v & mask) == mask;
}

/* The length of the smallest prefix in which A and B can be on one link: with
 * 31 bits (RFC 3021), or both as hosts of it. */
static unsigned int
link_prefix(const struct addr *a, const struct addr *b)
{
	unsigned int len = bits_shared(a, b);

	if (a->family != ADDR_IPV4 || len >= 31)
		return len;
	while (len > 0 && (is_no_host(a, len) || is_no_host(b, len)))
		len--;
	return len;
}

static void
prefixscan(struct json *j, const struct warts_dealias_method_block *m)
{
	if (m->a.family != ADDR_NONE)
		json_addr(j, "a", &m->a);
	if (m->b.family != ADDR_NONE)
		prefix(j, "b", &m->b, m->prefix_len);
	if (m->ab.family != ADDR_NONE)
		prefix(j, "ab", &m->ab, link_prefix(&m->ab, &m->b));
	if (m->xs.count != 0) {
		json_open(j, "xs", '[');
		for (int i = 0; i < m->xs.count; i++)
			json_addr(j, NULL, &m->xs.addr[i]);
		json_close(j, ']');
	}
	json_u32(j, "attempts", m->attempts);
	json_u32(j, "replyc", m->nreplies);
	json_u32(j, "fudge", m->fudge);
	json_u32(j, "wait_probe", m->wait_probe_ms);
	json_u32(j, "wait_timeout", m->wait_timeout_s);
}

static void
bump(struct json *j, const struct warts_dealias_method_block *m)
{
	json_u32(j, "wait_probe", m->wait_probe_ms);
	json_u32(j, "bump_limit", m->bump_limit);
	json_u32(j, "attempts", m->attempts);
}

/* --- definitions and probes ------------------------------------------------- */

static void
def_object(struct json *j, const struct warts_dealias_def *d)
{
	json_open(j, NULL, '{');
	json_u32(j, "id", d->id);
	if (d->src.family != ADDR_NONE)
		json_addr(j, "src", &d->src);
	json_addr(j, "dst", &d->dst);
	json_u32(j, "ttl", d->ttl);
	json_u32(j, "size", d->size);
	json_word_or_number(
	    j, "method", probe_method_word(d->method), d->method);
	if (d->method == WARTS_DEALIAS_ICMP_ECHO) {
		json_u32(j, "icmp_id", d->icmp_id);
		json_u32(j, "icmp_csum", d->icmp_sum);
	} else if (d->method == WARTS_DEALIAS_UDP ||
	    d->method == WARTS_DEALIAS_UDP_DPORT) {
		json_u32(j, "udp_sport", d->sport);
		json_u32(j, "udp_dport", d->dport);
	} else {
		json_u32(j, "tcp_sport", d->sport);
		json_u32(j, "tcp_dport", d->dport);
		json_u32(j, "tcp_flags", d->tcp_flags);
	}
	if (d->mtu != 0)
		json_u32(j, "mtu", d->mtu);
	json_close(j, '}');
}

/* Is R a message whose quoted ttl says something (RFC 792, 4443)?  scamper does
 * not count the packet too big. */
static int
quotes(const struct warts_dealias_reply *r)
{
	if (r->src.family == ADDR_IPV4)
		return r->icmp_type == 3 || r->icmp_type == 11;
	return r->icmp_type == 1 || r->icmp_type == 3;
}

static void
reply_object(struct json *j, const struct warts_dealias_reply *r)
{
	json_open(j, NULL, '{');
	json_addr(j, "src", &r->src);
	parts_tv(j, "rx", j->sep, r->rx);
	json_u32(j, "ttl", r->ttl);
	if (j->newer && r->size != 0)
		json_u32(j, "size", r->size);
	if (r->src.family == ADDR_IPV4)
		json_u32(j, "ipid", r->ipid);
	else if (r->flags & 1)
		json_u32(j, "ipid", r->fragid);
	json_u32(j, "proto", r->protocol);
	if (warts_dealias_is_icmp(r)) {
		json_u32(j, "icmp_type", r->icmp_type);
		json_u32(j, "icmp_code", r->icmp_code);
		if (quotes(r))
			json_u32(j, "icmp_q_ttl", r->q_ttl);
	} else if (r->protocol == 6) {
		json_u32(j, "tcp_flags", r->tcp_flags);
	}
	json_close(j, '}');
}

static void
probe_object(struct json *j, const struct warts_dealias *d,
    const struct warts_dealias_probe *p)
{
	const struct warts_dealias_def *def = &d->defs[p->def];

	json_open(j, NULL, '{');
	json_u32(j, "probedef_id", def->id);
	json_u32(j, "seq", p->seq);
	parts_tv(j, "tx", j->sep, p->tx);
	if (def->dst.family == ADDR_IPV4)
		json_u32(j, "ipid", p->ipid);
	json_open(j, "replies", '[');
	for (int i = 0; i < p->nreplies; i++)
		reply_object(j, &p->replies[i]);
	json_close(j, ']');
	json_close(j, '}');
}

/* The byte order is known; that is what scamper calls every such flag. */
static void
flags(struct json *j, const struct warts_dealias *d)
{
	static const struct json_word nobs[] = {
	    {WARTS_DEALIAS_NOBS, "nobs"}, {0, NULL}};
	static const struct json_word scan[] = {{WARTS_DEALIAS_NOBS, "nobs"},
	    {WARTS_DEALIAS_CSA, "csa"}, {0, NULL}};
	static const struct json_word shuffle[] = {
	    {WARTS_DEALIAS_SHUFFLE, "shuffle"}, {0, NULL}};

	json_words(j, "flags", d->m.flags,
	    d->method == WARTS_DEALIAS_PREFIXSCAN     ? scan
		: d->method == WARTS_DEALIAS_RADARGUN ? shuffle
						      : nobs);
}

void
show_json_dealias(
    struct wbuf *out, const struct show_context *ctx, const void *record)
{
	static void (*const told[])(
	    struct json *, const struct warts_dealias_method_block *) = {
	    [WARTS_DEALIAS_MERCATOR] = mercator,
	    [WARTS_DEALIAS_ALLY] = ally,
	    [WARTS_DEALIAS_RADARGUN] = radargun,
	    [WARTS_DEALIAS_PREFIXSCAN] = prefixscan,
	    [WARTS_DEALIAS_BUMP] = bump,
	};
	struct json j = {
	    .out = out, .sep = ",", .newer = ctx->generation == SHOW_2026};
	const struct warts_dealias *d = record;

	if (d->method >= sizeof(told) / sizeof(told[0]))
		return;
	json_open(&j, NULL, '{');
	json_str(&j, "type", "dealias");
	json_str(&j, "version", "0.2");
	json_str(&j, "method", method_word(d->method));
	j.sep = ", ";
	json_u32(&j, "userid", d->user_id);
	json_word_or_number(&j, "result", result_word(d->result), d->result);
	parts_tv(&j, "start", j.sep, d->start);
	if (j.newer && d->errmsg != NULL)
		json_str(&j, "errmsg", d->errmsg);
	told[d->method](&j, &d->m);
	flags(&j, d);
	if (j.newer && ctx->list != NULL && ctx->list->monitor != NULL)
		json_str(&j, "monitor", ctx->list->monitor);
	json_open(&j, "probedefs", '[');
	for (uint32_t i = 0; i < d->ndefs; i++)
		def_object(&j, &d->defs[i]);
	json_close(&j, ']');
	json_open(&j, "probes", '[');
	for (uint32_t i = 0; i < d->nprobes; i++)
		probe_object(&j, d, &d->probes[i]);
	json_close(&j, ']');
	json_close(&j, '}');
	wbuf_u8(out, '\n');
}
