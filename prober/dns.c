/*
 * dns: one kind of question, and its answer, which is not to be believed: names
 * are expanded and records found by libresolv, and what comes out of it is
 * escaped (contract: names.h).
 *
 *	0    2       4   6       8          10          12
 *	| id | flags | 1 | ancnt | authority | additional | name, PTR, IN | ...
 */
#include <arpa/nameser.h>
#include <ctype.h>
#include <resolv.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "prober/names.h"

#define FLAG_ANSWER 0x80 /* of byte 2 */
#define FLAG_TRUNCATED 0x02
#define FLAG_RECURSE 0x01
#define RCODE 0x0f /* of byte 3 */

/* "1.2.0.192.in-addr.arpa", "1.0. ... .ip6.arpa" */
static void
reverse_name(const struct addr *a, char buf[NS_MAXDNAME])
{
	static const char digit[] = "0123456789abcdef";
	char *p = buf;

	if (a->family == ADDR_IPV4) {
		snprintf(buf, NS_MAXDNAME, "%u.%u.%u.%u.in-addr.arpa", a->b[3],
		    a->b[2], a->b[1], a->b[0]);
		return;
	}
	for (int i = 15; i >= 0; i--) {
		*p++ = digit[a->b[i] & 15];
		*p++ = '.';
		*p++ = digit[a->b[i] >> 4];
		*p++ = '.';
	}
	memcpy(p, "ip6.arpa", sizeof("ip6.arpa"));
}

size_t
dns_query(const struct addr *a, uint16_t id, uint8_t buf[DNS_QUERY_MAX])
{
	char name[NS_MAXDNAME];
	uint8_t *p = buf + NS_HFIXEDSZ;

	reverse_name(a, name);
	memset(buf, 0, NS_HFIXEDSZ);
	ns_put16(id, buf);
	buf[2] = FLAG_RECURSE;
	ns_put16(1, buf + 4);
	p += dn_comp(name, p, DNS_QUERY_MAX - NS_HFIXEDSZ - 4, NULL, NULL);
	ns_put16(ns_t_ptr, p);
	ns_put16(ns_c_in, p + 2);
	return (size_t)(p + 4 - buf);
}

/* --- answers ------------------------------------------------------------------ */

/* Is the question in the packet the one for A? */
static int
is_question(const uint8_t *p, size_t len, const struct addr *a)
{
	char asked[NS_MAXDNAME], name[NS_MAXDNAME];
	const uint8_t *end = p + len, *q = p + NS_HFIXEDSZ;
	int n;

	if (ns_get16(p + 4) != 1)
		return 0;
	n = dn_expand(p, end, q, name, sizeof(name));
	if (n < 0 || end - q < n + 4)
		return 0;
	reverse_name(a, asked);
	return strcasecmp(name, asked) == 0 && ns_get16(q + n) == ns_t_ptr &&
	    ns_get16(q + n + 2) == ns_c_in;
}

static uint32_t
ttl_of(const ns_rr *rr)
{
	return ns_rr_ttl(*rr) <= INT32_MAX ? ns_rr_ttl(*rr) : 0; /* RFC 2181 */
}

/* The byte that *P stands for, which goes behind it: libresolv writes \DDD and
 * \C for bytes that are special. */
static uint8_t
take_byte(const char **p, int *special)
{
	const char *s = *p;

	*special = *s == '\\';
	if (!*special) {
		*p = s + 1;
		return (uint8_t)*s;
	}
	if (!isdigit((unsigned char)s[1])) {
		*p = s + 2;
		return (uint8_t)s[1];
	}
	*p = s + 4;
	return (uint8_t)((s[1] - '0') * 100 + (s[2] - '0') * 10 + (s[3] - '0'));
}

/* TEXT, as libresolv has written it, into OUT: 0, or -1 when it is too long. */
static int
clean(const char *text, char out[DNS_NAME_MAX + 1])
{
	static const char digit[] = "0123456789ABCDEF";
	static const char plain[] =
	    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "0123456789-._/+:@*=";
	size_t n = 0;
	uint8_t byte;
	int special;

	while (*text != '\0') {
		byte = take_byte(&text, &special);
		if (n + 3 > DNS_NAME_MAX)
			return -1;
		if (byte != 0 && strchr(plain, byte) != NULL &&
		    !(special && byte == '.')) {
			out[n++] = (char)byte;
			continue;
		}
		out[n++] = '%';
		out[n++] = digit[byte >> 4];
		out[n++] = digit[byte & 15];
	}
	out[n] = '\0';
	return 0;
}

static void
read_name(ns_msg *m, const ns_rr *rr, struct dns_answer *out)
{
	char text[NS_MAXDNAME];

	if (dn_expand(ns_msg_base(*m), ns_msg_end(*m), ns_rr_rdata(*rr), text,
		sizeof(text)) < 0 ||
	    clean(text, out->name) == -1)
		return;
	out->result = out->name[0] != '\0' ? DNS_NAME : DNS_NONE;
}

/* The first PTR record, behind aliases (RFC 2317); 0 when there is none. */
static int
find_name(ns_msg *m, struct dns_answer *out)
{
	ns_rr rr;

	for (int i = 0; i < ns_msg_count(*m, ns_s_an); i++) {
		if (ns_parserr(m, ns_s_an, i, &rr) == -1)
			return 1; /* a failure */
		if (i == 0 || ttl_of(&rr) < out->ttl_s)
			out->ttl_s = ttl_of(&rr);
		if (ns_rr_type(rr) != ns_t_ptr || ns_rr_class(rr) != ns_c_in)
			continue;
		read_name(m, &rr, out);
		return 1;
	}
	return 0;
}

/* There is none, and for how long, RFC 2308: the last word of the SOA. */
static void
no_name(ns_msg *m, struct dns_answer *out)
{
	const uint8_t *minimum;
	ns_rr rr;

	out->result = DNS_NONE;
	out->ttl_s = 0;
	for (int i = 0; i < ns_msg_count(*m, ns_s_ns); i++) {
		if (ns_parserr(m, ns_s_ns, i, &rr) == -1)
			return;
		if (ns_rr_type(rr) != ns_t_soa || ns_rr_rdlen(rr) < 20)
			continue;
		minimum = ns_rr_rdata(rr) + ns_rr_rdlen(rr) - 4;
		out->ttl_s = (uint32_t)ns_get32(minimum);
		if (ttl_of(&rr) < out->ttl_s)
			out->ttl_s = ttl_of(&rr);
		return;
	}
}

int
dns_read(
    const uint8_t *p, size_t len, const struct addr *a, struct dns_answer *out)
{
	int rcode;
	ns_msg m;

	out->result = DNS_FAILED;
	out->ttl_s = 0;
	out->name[0] = '\0';
	if (len < NS_HFIXEDSZ || !(p[2] & FLAG_ANSWER) ||
	    !is_question(p, len, a))
		return -1;
	rcode = p[3] & RCODE;
	if (p[2] & FLAG_TRUNCATED ||
	    (rcode != ns_r_noerror && rcode != ns_r_nxdomain) ||
	    ns_initparse(p, (int)len, &m) == -1)
		return 0;
	if (rcode == ns_r_nxdomain || !find_name(&m, out))
		no_name(&m, out);
	return 0;
}
