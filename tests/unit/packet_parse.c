/*
 * packet_parse: every kind of reply, extensions in both placements, and bytes
 * that mean harm: every truncation and 100,000 mutations of good packets, each
 * in a heap buffer of exactly its size so that a sanitizer sees one byte of
 * overrun.
 */
#include "tests/unit/test.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "prober/net/packet_parse.h"

#define CAP 512

/* A packet in the making. */
struct pkt {
	uint8_t b[CAP];
	size_t len;
};

static void
put(struct pkt *p, const void *bytes, size_t n)
{
	memcpy(p->b + p->len, bytes, n);
	p->len += n;
}

static void
put16(struct pkt *p, unsigned int v)
{
	uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	put(p, b, 2);
}

static void
set16(uint8_t *at, unsigned int v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static const uint8_t ROUTER4[] = {192, 0, 2, 9}, US4[] = {10, 1, 2, 3},
		     DST4[] = {203, 0, 113, 7};
static const uint8_t ROUTER6[16] = {0x20, 1, 0xd, 0xb8, 9},
		     US6[16] = {0x20, 1, 0xd, 0xb8, 1},
		     DST6[16] = {0x20, 1, 0xd, 0xb8, 7};

/* An IP header, tos 0xb9, ttl 0x3d, IPv4 id 0x1234; LEN bytes follow. */
static void
ip(struct pkt *p, int family, int proto, size_t len)
{
	int v4 = family == ADDR_IPV4;

	if (v4) {
		put(p, "\x45\xb9", 2);
		put16(p, (unsigned int)(20 + len));
		put(p, "\x12\x34\0\0\x3d", 5);
		put(p, &(uint8_t){(uint8_t)proto}, 1);
		put(p, "\0\0", 2);
	} else {
		put(p, "\x6b\x9a\xbc\xde", 4);
		put16(p, (unsigned int)len);
		put(p, &(uint8_t){(uint8_t)proto}, 1);
		put(p, "\x3d", 1);
	}
	put(p, v4 ? ROUTER4 : ROUTER6, v4 ? 4 : 16);
	put(p, v4 ? US4 : US6, v4 ? 4 : 16);
}

/* The quoted probe: tos 3, ttl 1, IPv4 id 0x0506; 16 bytes of transport. */
static void
quote(struct pkt *p, int family, int proto)
{
	int v4 = family == ADDR_IPV4;

	if (v4)
		put(p, "\x45\x03\0\x2c\x05\x06\x40\0\x01", 9);
	else
		put(p, "\x60\x31\x23\x45\0\x14", 6);
	put(p, &(uint8_t){(uint8_t)proto}, 1);
	put(p, "\0\0", v4 ? 2 : 0);
	if (!v4)
		put(p, "\x01", 1);
	put(p, v4 ? US4 : US6, v4 ? 4 : 16);
	put(p, v4 ? DST4 : DST6, v4 ? 4 : 16);
	if (proto == IPPROTO_UDP)
		put(p, "\xd7\xdc\x82\x9b\0\x18\x05\x06", 8);
	else if (proto == IPPROTO_TCP)
		put(p, "\xd7\xdc\x82\x9b\1\2\3\4", 8);
	else
		put(p, "\x08\0\x05\x06\xd7\xdc\x82\x9b", 8);
	put(p, "\xaa\xbb\xcc\xdd\0\0\0\0", 8);
}

/* A whole ICMP error; WORD is bytes 4 to 8 of its header. */
static void
icmp_error(struct pkt *p, int family, const uint8_t *type_code,
    const uint8_t *word, int quoted_proto)
{
	int v4 = family == ADDR_IPV4;
	size_t quoted = (v4 ? 20 : 40) + 16;

	p->len = 0;
	ip(p, family, v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6, 8 + quoted);
	put(p, type_code, 2);
	put(p, "\0\0", 2);
	put(p, word, 4);
	quote(p, family, quoted_proto);
}

/* Parse from a buffer of exactly the packet's size. */
static int
parse(const struct pkt *p, struct reply *r)
{
	uint8_t *exact = malloc(p->len > 0 ? p->len : 1);
	int rc;

	memcpy(exact, p->b, p->len);
	memset(r, 0x55, sizeof(*r));
	rc = packet_parse(exact, p->len, r);
	/* What it points to is inside, to the last byte. */
	if (rc == 0 && r->ext != NULL)
		assert_true(
		    r->ext >= exact && r->ext + r->ext_len <= exact + p->len);
	if (rc == 0 && r->ext == NULL)
		assert_int_equal(r->ext_len, 0);
	if (rc == 0 && r->ext != NULL)
		r->ext = p->b + (r->ext - exact);
	free(exact);
	return rc;
}

static const struct {
	const char *name;
	int family;
	uint8_t type_code[2], word[4];
	int rc;
	uint16_t nhmtu;
} errors[] = {
    {"time exceeded", ADDR_IPV4, {11, 0}, {0}, 0, 0},
    {"reassembly time exceeded", ADDR_IPV4, {11, 1}, {0}, 0, 0},
    {"net unreachable", ADDR_IPV4, {3, 0}, {0}, 0, 0},
    {"port unreachable", ADDR_IPV4, {3, 3}, {0}, 0, 0},
    {"filtered", ADDR_IPV4, {3, 13}, {0, 0, 5, 5}, 0, 0},
    {"fragmentation needed", ADDR_IPV4, {3, 4}, {0, 0, 5, 0xdc}, 0, 1500},
    {"source quench", ADDR_IPV4, {4, 0}, {0}, 0, 0},
    {"parameter problem", ADDR_IPV4, {12, 0}, {9, 0, 0, 0}, 0, 0},
    {"redirect is none", ADDR_IPV4, {5, 1}, {0}, -1, 0},
    {"echo request is none", ADDR_IPV4, {8, 0}, {0}, -1, 0},
    {"time stamp request is none", ADDR_IPV4, {13, 0}, {0}, -1, 0},
    {"ICMPv6's number in IPv4", ADDR_IPV4, {1, 0}, {0}, -1, 0},
    {"no route", ADDR_IPV6, {1, 0}, {0}, 0, 0},
    {"port unreachable", ADDR_IPV6, {1, 4}, {0}, 0, 0},
    {"packet too big", ADDR_IPV6, {2, 0}, {0, 0, 5, 0}, 0, 1280},
    {"packet much too big", ADDR_IPV6, {2, 0}, {0, 1, 5, 0}, 0, 65535},
    {"packet too big by 2^24", ADDR_IPV6, {2, 0}, {1, 0, 0, 0}, 0, 65535},
    {"hop limit exceeded", ADDR_IPV6, {3, 0}, {0}, 0, 0},
    {"parameter problem", ADDR_IPV6, {4, 1}, {0, 0, 0, 6}, 0, 0},
    {"echo request is none", ADDR_IPV6, {128, 0}, {0}, -1, 0},
    {"neighbour solicitation is none", ADDR_IPV6, {135, 0}, {0}, -1, 0},
    {"ICMP's number in IPv6", ADDR_IPV6, {11, 0}, {0}, -1, 0},
};

static void
icmp_errors(void **state)
{
	static const int quoted[] = {IPPROTO_UDP, IPPROTO_TCP, -1};
	struct reply r;
	struct pkt p;

	(void)state;
	for (size_t i = 0; i < LEN(quoted) * LEN(errors); i++) {
		size_t row = i % LEN(errors);
		int v4 = errors[row].family == ADDR_IPV4;
		int proto = quoted[i / LEN(errors)];

		row_is(errors[row].name);
		if (proto == -1)
			proto = v4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
		icmp_error(&p, errors[row].family, errors[row].type_code,
		    errors[row].word, proto);
		assert_int_equal(parse(&p, &r), errors[row].rc);
		if (errors[row].rc == -1)
			continue;
		assert_int_equal(r.kind, REPLY_ICMP_ERROR);
		assert_int_equal(r.icmp_type, errors[row].type_code[0]);
		assert_int_equal(r.icmp_code, errors[row].type_code[1]);
		assert_int_equal(r.nhmtu, errors[row].nhmtu);
		assert_int_equal(r.from.family, errors[row].family);
		assert_memory_equal(
		    r.from.b, v4 ? ROUTER4 : ROUTER6, v4 ? 4 : 16);
		assert_int_equal(r.target.family, errors[row].family);
		assert_memory_equal(r.target.b, v4 ? DST4 : DST6, v4 ? 4 : 16);
		assert_int_equal(r.size, p.len);
		assert_int_equal(r.ttl, 0x3d);
		assert_int_equal(r.tos, 0xb9);
		assert_int_equal(r.ipid, v4 ? 0x1234 : 0);
		assert_int_equal(r.q_proto, proto);
		assert_int_equal(r.q_ttl, 1);
		assert_int_equal(r.q_tos, 3);
		assert_int_equal(r.q_len, v4 ? 44 : 60);
		if (v4)
			assert_int_equal(r.q_ipid, 0x0506);
		assert_int_equal(r.q_sport, 0xd7dc);
		assert_int_equal(r.q_dport, 0x829b);
		assert_int_equal(r.q_csum, proto == IPPROTO_TCP ? 0 : 0x0506);
		assert_null(r.ext);
	}
}

static void
other_replies(void **state)
{
	static const struct {
		const char *name;
		int family, proto;
		uint8_t l4[30];
		size_t len;
		int rc;
		enum reply_kind kind;
	} rows[] = {
	    {"timestamp reply", ADDR_IPV4, IPPROTO_ICMP,
		{14, 0, 9, 9, 0x12, 0x34, 0x56, 0x78, 1, 2, 3, 4}, 20, 0,
		REPLY_ICMP_TIME},
	    {"short timestamp reply", ADDR_IPV4, IPPROTO_ICMP, {14}, 19, -1, 0},
	    {"echo reply", ADDR_IPV4, IPPROTO_ICMP,
		{0, 0, 9, 9, 0x12, 0x34, 0x56, 0x78}, 8, 0, REPLY_ICMP_ECHO},
	    {"echo reply", ADDR_IPV6, IPPROTO_ICMPV6,
		{129, 0, 9, 9, 0x12, 0x34, 0x56, 0x78}, 8, 0, REPLY_ICMP_ECHO},
	    {"UDP", ADDR_IPV4, IPPROTO_UDP, {0x12, 0x34, 0x56, 0x78, 0, 8}, 8,
		0, REPLY_UDP},
	    {"UDP", ADDR_IPV6, IPPROTO_UDP, {0x12, 0x34, 0x56, 0x78, 0, 8}, 8,
		0, REPLY_UDP},
	    {"TCP", ADDR_IPV4, IPPROTO_TCP,
		{[0] = 0x12, 0x34, 0x56, 0x78, [13] = 0x14}, 20, 0, REPLY_TCP},
	    {"TCP", ADDR_IPV6, IPPROTO_TCP,
		{[0] = 0x12, 0x34, 0x56, 0x78, [13] = 0x14}, 20, 0, REPLY_TCP},
	    {"short TCP", ADDR_IPV4, IPPROTO_TCP, {0}, 19, -1, 0},
	    {"short UDP", ADDR_IPV4, IPPROTO_UDP, {0}, 7, -1, 0},
	    {"short echo reply", ADDR_IPV4, IPPROTO_ICMP, {0}, 7, -1, 0},
	    {"ICMP in IPv6", ADDR_IPV6, IPPROTO_ICMP, {0}, 8, -1, 0},
	    {"ICMPv6 in IPv4", ADDR_IPV4, IPPROTO_ICMPV6, {129}, 8, -1, 0},
	    {"SCTP", ADDR_IPV4, IPPROTO_SCTP, {0}, 20, -1, 0},
	    {"a first fragment", ADDR_IPV6, IPPROTO_FRAGMENT,
		{IPPROTO_ICMPV6, 0, 0, 1, 0, 0, 0, 7, 129, 0, 9, 9, 0x12, 0x34,
		    0x56, 0x78},
		16, 0, REPLY_ICMP_ECHO},
	    {"a later fragment", ADDR_IPV6, IPPROTO_FRAGMENT,
		{IPPROTO_ICMPV6, 0, 0, 9, 0, 0, 0, 7, 129}, 16, -1, 0},
	    {"a fragment of nothing known", ADDR_IPV6, IPPROTO_FRAGMENT, {0},
		20, -1, 0},
	    {"short fragment header", ADDR_IPV6, IPPROTO_FRAGMENT,
		{IPPROTO_ICMPV6}, 7, -1, 0},
	};
	struct reply r;
	struct pkt p;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].name);
		p.len = 0;
		ip(&p, rows[i].family, rows[i].proto, rows[i].len);
		put(&p, rows[i].l4, rows[i].len);
		assert_int_equal(parse(&p, &r), rows[i].rc);
		if (rows[i].rc == -1)
			continue;
		assert_int_equal(r.kind, rows[i].kind);
		assert_true(addr_equal(&r.target, &r.from));
		assert_null(r.ext);
		if (r.kind == REPLY_ICMP_TIME)
			assert_memory_equal(r.icmp_stamps, rows[i].l4 + 8, 12);
		if (rows[i].proto == IPPROTO_FRAGMENT)
			assert_true(r.has_fragid && r.fragid == 7);
		if (r.kind == REPLY_ICMP_ECHO || r.kind == REPLY_ICMP_TIME) {
			assert_int_equal(r.icmp_id, 0x1234);
			assert_int_equal(r.icmp_seq, 0x5678);
			continue;
		}
		assert_int_equal(r.sport, 0x1234);
		assert_int_equal(r.dport, 0x5678);
		assert_int_equal(r.tcp_flags, r.kind == REPLY_TCP ? 0x14 : 0);
	}
}

/* --- extensions ------------------------------------------------------------- */

/* An MPLS label stack of one entry (RFC 4950). */
static const uint8_t mpls[] = {0, 8, 1, 1, 0x49, 0x3e, 0x01, 0xfe};

enum { CSUM_GOOD, CSUM_NONE, CSUM_BAD };

/* A time exceeded with an extension behind PAD_TO bytes of quote. */
static void
with_extension(
    struct pkt *p, int family, unsigned int pad_to, int csum, int length_field)
{
	int v4 = family == ADDR_IPV4;
	uint8_t zeros[256] = {0}, *ext;
	size_t hlen = v4 ? 20 : 40;
	unsigned int sum = 0;

	icmp_error(p, family, (const uint8_t[]){v4 ? 11 : 3, 0},
	    (const uint8_t[4]){0}, IPPROTO_UDP);
	p->b[hlen + (v4 ? 5 : 4)] = (uint8_t)length_field;
	put(p, zeros, pad_to - (p->len - hlen - 8));
	ext = p->b + p->len;
	put(p, "\x20\0\0\0", 4);
	put(p, mpls, sizeof(mpls));
	for (size_t i = 0; i < 4 + sizeof(mpls); i += 2)
		sum += ext[i] * 256u + ext[i + 1];
	sum = ~((sum & 0xffff) + (sum >> 16)) & 0xffff;
	if (csum != CSUM_NONE)
		set16(ext + 2, csum == CSUM_BAD ? sum ^ 1 : sum);
	set16(p->b + (v4 ? 2 : 4), (unsigned int)(p->len - (v4 ? 0 : 40)));
}

static void
extensions(void **state)
{
	static const struct {
		const char *name;
		int family;
		unsigned int pad_to;
		int csum, length_field, found;
	} rows[] = {
	    {"length field", ADDR_IPV4, 128, CSUM_GOOD, 32, 1},
	    {"longer quote", ADDR_IPV4, 160, CSUM_GOOD, 40, 1},
	    {"legacy", ADDR_IPV4, 128, CSUM_GOOD, 0, 1},
	    {"no checksum", ADDR_IPV4, 128, CSUM_NONE, 32, 1},
	    {"bad checksum", ADDR_IPV4, 128, CSUM_BAD, 32, 0},
	    {"legacy, bad checksum", ADDR_IPV4, 128, CSUM_BAD, 0, 0},
	    {"legacy behind a longer quote", ADDR_IPV4, 160, CSUM_GOOD, 0, 0},
	    {"length below the minimum", ADDR_IPV4, 128, CSUM_GOOD, 31, 0},
	    {"length beyond the packet", ADDR_IPV4, 128, CSUM_GOOD, 255, 0},
	    {"length up to the end", ADDR_IPV4, 128, CSUM_GOOD, 35, 0},
	    {"length field", ADDR_IPV6, 128, CSUM_GOOD, 16, 1},
	    {"longer quote", ADDR_IPV6, 160, CSUM_GOOD, 20, 1},
	    {"legacy", ADDR_IPV6, 128, CSUM_GOOD, 0, 1},
	    {"bad checksum", ADDR_IPV6, 128, CSUM_BAD, 16, 0},
	    {"IPv4's unit", ADDR_IPV6, 128, CSUM_GOOD, 32, 0},
	};
	struct reply r;
	struct pkt p;

	(void)state;
	for (size_t i = 0; i < LEN(rows); i++) {
		row_is(rows[i].name);
		with_extension(&p, rows[i].family, rows[i].pad_to, rows[i].csum,
		    rows[i].length_field);
		assert_int_equal(parse(&p, &r), 0);
		assert_int_equal(r.q_csum, 0x0506);
		if (!rows[i].found) {
			assert_null(r.ext);
			continue;
		}
		assert_non_null(r.ext);
		assert_int_equal(r.ext_len, sizeof(mpls));
		assert_memory_equal(r.ext, mpls, sizeof(mpls));
	}
}

static void
version_of_the_extension(void **state)
{
	struct reply r;
	struct pkt p;

	(void)state;
	for (unsigned int version = 0; version < 16; version++) {
		with_extension(&p, ADDR_IPV4, 128, CSUM_NONE, 32);
		p.b[20 + 8 + 128] = (uint8_t)(version << 4);
		assert_int_equal(parse(&p, &r), 0);
		assert_int_equal(r.ext != NULL, version == 2);
	}
}

/* "Packet too big" and source quench have no length field. */
static void
no_extension_without_length_field(void **state)
{
	struct reply r;
	struct pkt p;

	(void)state;
	with_extension(&p, ADDR_IPV6, 128, CSUM_GOOD, 0);
	p.b[40] = 2;
	assert_int_equal(parse(&p, &r), 0);
	assert_null(r.ext);
	with_extension(&p, ADDR_IPV4, 128, CSUM_GOOD, 0);
	p.b[20] = 4;
	assert_int_equal(parse(&p, &r), 0);
	assert_null(r.ext);
}

/* --- lengths ------------------------------------------------------------------ */

static void
padding_is_not_read(void **state)
{
	static const uint8_t udp[26] = {0x12, 0x34, 0x56, 0x78, 0, 8};
	struct reply r;
	struct pkt p;

	(void)state;
	/* What follows the packet in its frame would pass for an extension. */
	with_extension(&p, ADDR_IPV4, 128, CSUM_GOOD, 32);
	set16(p.b + 2, 20 + 8 + 128);
	assert_int_equal(parse(&p, &r), 0);
	assert_null(r.ext);
	assert_int_equal(r.size, 20 + 8 + 128);
	with_extension(&p, ADDR_IPV6, 128, CSUM_GOOD, 16);
	set16(p.b + 4, 8 + 128);
	assert_int_equal(parse(&p, &r), 0);
	assert_null(r.ext);
	/* A frame is padded to 46 bytes: the payload is not. */
	p.len = 0;
	ip(&p, ADDR_IPV4, IPPROTO_UDP, 7);
	put(&p, udp, sizeof(udp));
	assert_int_equal(parse(&p, &r), -1);
}

static void
headers_of_ipv4(void **state)
{
	struct reply r;
	struct pkt p, q;

	(void)state;
	icmp_error(&p, ADDR_IPV4, (const uint8_t[]){11, 0},
	    (const uint8_t[4]){0}, IPPROTO_UDP);
	q = p;
	q.b[0] = 0x44;
	assert_int_equal(parse(&q, &r), -1);
	q.b[0] = 0x35;
	assert_int_equal(parse(&q, &r), -1);
	q = p;
	q.b[7] = 1; /* a later fragment has no transport header */
	assert_int_equal(parse(&q, &r), -1);
	q.b[7] = 0;
	q.b[6] = 0x20; /* the first one has */
	assert_int_equal(parse(&q, &r), 0);
	q.b[6] = 0x60; /* with DF too */
	assert_int_equal(parse(&q, &r), 0);
	q = p;
	set16(q.b + 2, 19);
	assert_int_equal(parse(&q, &r), -1);
	/* Options in the outer header, and in the quoted one. */
	q.len = 0;
	put(&q, p.b, 20);
	put(&q, "\x94\x04\0\0", 4);
	put(&q, p.b + 20, p.len - 20);
	q.b[0] = 0x46;
	set16(q.b + 2, (unsigned int)q.len);
	assert_int_equal(parse(&q, &r), 0);
	assert_int_equal(r.q_sport, 0xd7dc);
	q.len = 0;
	put(&q, p.b, 48);
	put(&q, "\x94\x04\0\0", 4);
	put(&q, p.b + 48, p.len - 48);
	q.b[28] = 0x46;
	set16(q.b + 2, (unsigned int)q.len);
	assert_int_equal(parse(&q, &r), 0);
	assert_int_equal(r.q_sport, 0xd7dc);
	assert_int_equal(r.q_csum, 0x0506);
	q.b[28] = 0x4f; /* says more options than are there */
	assert_int_equal(parse(&q, &r), -1);
	q.b[28] = 0x44;
	assert_int_equal(parse(&q, &r), -1);
	q.b[28] = 0x65;
	assert_int_equal(parse(&q, &r), -1);
}

/* --- harm ---------------------------------------------------------------------- */

static size_t
good_packets(struct pkt *out)
{
	size_t n = 0;

	for (size_t i = 0; i < LEN(errors); i++)
		icmp_error(&out[n++], errors[i].family, errors[i].type_code,
		    errors[i].word, IPPROTO_UDP);
	for (int family = ADDR_IPV4; family <= ADDR_IPV6; family++) {
		int v4 = family == ADDR_IPV4;

		with_extension(&out[n++], family, 128, CSUM_GOOD, 0);
		with_extension(&out[n++], family, 160, CSUM_NONE, v4 ? 40 : 20);
		out[n].len = 0;
		ip(&out[n], family, IPPROTO_TCP, 20);
		put(&out[n++], mpls, sizeof(mpls));
	}
	return n;
}

/* A packet cut anywhere is parsed as what is there, or not at all. */
static void
truncations(void **state)
{
	struct pkt good[LEN(errors) + 6], p;
	size_t n = good_packets(good);
	struct reply r;

	(void)state;
	for (size_t i = 0; i < n; i++) {
		for (size_t len = 0; len <= good[i].len; len++) {
			p = good[i];
			p.len = len;
			if (parse(&p, &r) == -1)
				continue;
			assert_true(len >= 28);
			assert_true(r.size >= len);
			if (r.kind == REPLY_ICMP_ERROR)
				assert_true(len >=
				    (r.from.family == ADDR_IPV4 ? 48 : 88));
		}
	}
}

static uint64_t
random_next(uint64_t *s)
{
	*s ^= *s << 13;
	*s ^= *s >> 7;
	*s ^= *s << 17;
	return *s;
}

static void
mutations(void **state)
{
	struct pkt good[LEN(errors) + 6], p;
	size_t n = good_packets(good), parsed = 0;
	uint64_t seed = 88172645463325252ULL;
	struct reply r;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		p = good[random_next(&seed) % n];
		if (random_next(&seed) % 2)
			p.len = random_next(&seed) % (p.len + 1);
		for (size_t k = random_next(&seed) % 8; k > 0 && p.len; k--)
			p.b[random_next(&seed) % p.len] =
			    (uint8_t)random_next(&seed);
		parsed += parse(&p, &r) == 0;
	}
	/* Both outcomes were met often. */
	assert_in_range(parsed, 10000, 90000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(icmp_errors),
	    cmocka_unit_test(other_replies),
	    cmocka_unit_test(extensions),
	    cmocka_unit_test(version_of_the_extension),
	    cmocka_unit_test(no_extension_without_length_field),
	    cmocka_unit_test(padding_is_not_read),
	    cmocka_unit_test(headers_of_ipv4),
	    cmocka_unit_test(truncations),
	    cmocka_unit_test(mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
