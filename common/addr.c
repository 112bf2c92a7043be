#include "common/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/scan.h"

/* 0..255 at S, without leading zeros; returns what is behind, or NULL. */
static const char *
scan_octet(const char *s, uint8_t *out)
{
	unsigned int digit = (unsigned char)*s - '0', v = digit;

	if (digit > 9)
		return NULL;
	s++;
	while (v != 0 && (digit = (unsigned char)*s - '0') <= 9) {
		v = v * 10 + digit;
		if (v > 255)
			return NULL;
		s++;
	}
	*out = (uint8_t)v;
	return s;
}

static int
ends_word(char c)
{
	return c == ' ' || c == '\t' || c == '\0';
}

/* As inet_pton(3) takes it: four decimal parts, no octal, no short forms. */
static const char *
scan_ipv4(const char *s, uint8_t *out)
{
	for (int i = 0; i < 4; i++) {
		if (i > 0 && *s++ != '.')
			return NULL;
		if ((s = scan_octet(s, &out[i])) == NULL)
			return NULL;
	}
	return ends_word(*s) ? s : NULL;
}

const char *
addr_scan_word(const char *s, struct addr *out)
{
	struct addr a = {.family = ADDR_IPV4};
	char word[ADDR_STRLEN];
	const char *end = scan_ipv4(s, a.b);
	size_t n = 0;

	if (end != NULL) {
		*out = a;
		return end;
	}
	for (; !ends_word(s[n]); n++) {
		if (n == sizeof(word) - 1)
			return NULL;
		word[n] = s[n];
	}
	word[n] = '\0';
	if (inet_pton(AF_INET6, word, a.b) != 1)
		return NULL;
	a.family = ADDR_IPV6;
	*out = a;
	return s + n;
}

int
addr_scan(const char *s, struct addr *out)
{
	struct addr a;
	const char *end = addr_scan_word(s, &a);

	if (end == NULL || *end != '\0')
		return -1;
	*out = a;
	return 0;
}

/* The bits of byte I that belong to a prefix of LEN bits. */
static uint8_t
byte_mask(size_t i, unsigned int len)
{
	if (len >= 8 * (i + 1))
		return 0xff;
	if (len <= 8 * i)
		return 0;
	return (uint8_t)(0xff00 >> (len - 8 * i));
}

const char *
addr_prefix_scan(const char *s, struct addr_prefix *out)
{
	char buf[ADDR_STRLEN];
	const char *slash = strchr(s, '/');
	size_t n = slash != NULL ? (size_t)(slash - s) : strlen(s);
	struct addr_prefix p;
	uint32_t len;

	if (n >= sizeof(buf))
		return "not an IPv4 or IPv6 prefix";
	memcpy(buf, s, n);
	buf[n] = '\0';
	if (addr_scan(buf, &p.addr) == -1)
		return "not an IPv4 or IPv6 prefix";
	len = 8 * (uint32_t)addr_len(p.addr.family);
	if (slash != NULL && scan_u32(slash + 1, 0, len, &len) == -1)
		return "prefix length out of range";
	p.len = (uint8_t)len;
	for (size_t i = 0; i < sizeof(p.addr.b); i++) {
		if (p.addr.b[i] & ~byte_mask(i, len))
			return "bits set beyond the prefix length";
	}
	*out = p;
	return NULL;
}

/* V, 0..255, in decimal at P; returns what is behind. */
static char *
put_octet(char *p, unsigned int v)
{
	if (v >= 100)
		*p++ = (char)('0' + v / 100);
	if (v >= 10)
		*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	return p;
}

static char *
put_ipv4(char *p, const uint8_t *b)
{
	for (int i = 0; i < 4; i++) {
		p = put_octet(p, b[i]);
		*p++ = '.';
	}
	return p - 1;
}

/* V in hexadecimal without leading zeros. */
static char *
put_group(char *p, unsigned int v)
{
	static const char hex[] = "0123456789abcdef";

	for (int shift = 12; shift > 0; shift -= 4) {
		if (v >> shift != 0)
			*p++ = hex[v >> shift & 15];
	}
	*p++ = hex[v & 15];
	return p;
}

/* The first longest run of two or more zeros in G, 8 groups: where it begins (8:
 * there is none), and its length in *LEN. */
static int
longest_zeros(const unsigned int *g, int *len)
{
	int at = 8, run = 0;

	*len = 1;
	for (int i = 0; i < 8; i++) {
		run = g[i] == 0 ? run + 1 : 0;
		if (run > *len) {
			*len = run;
			at = i + 1 - run;
		}
	}
	return at;
}

/* As RFC 5952 wants it; what is mapped or compatible with IPv4 as
 * inet_ntop(3) prints it. */
static char *
put_ipv6(char *p, const uint8_t *b)
{
	unsigned int g[8];
	int gap, len, i = 0;

	for (int k = 0; k < 8; k++)
		g[k] = (unsigned int)b[2 * k] << 8 | b[2 * k + 1];
	gap = longest_zeros(g, &len);
	if (gap == 0 && (len == 6 || (len == 5 && g[5] == 0xffff))) {
		p = stpcpy(p, len == 6 ? "::" : "::ffff:");
		return put_ipv4(p, b + 12);
	}
	while (i < 8) {
		if (i == gap) {
			*p++ = ':';
			if (i == 0)
				*p++ = ':';
			i += len;
			continue;
		}
		p = put_group(p, g[i++]);
		if (i < 8)
			*p++ = ':';
	}
	return p;
}

size_t
addr_print(const struct addr *a, char *buf)
{
	size_t n = addr_len(a->family);
	char *end = buf;

	switch (a->family) {
	case ADDR_IPV4:
		end = put_ipv4(buf, a->b);
		break;
	case ADDR_IPV6:
		end = put_ipv6(buf, a->b);
		break;
	case ADDR_MAC:
	case ADDR_FIREWIRE:
		for (size_t i = 0; i < n; i++)
			end += snprintf(
			    end, 4, "%02x%s", a->b[i], i + 1 < n ? ":" : "");
		break;
	default:
		*end++ = '-';
	}
	*end = '\0';
	return (size_t)(end - buf);
}

const char *
addr_str(const struct addr *a, char *buf)
{
	addr_print(a, buf);
	return buf;
}

int
addr_cmp(const struct addr *a, const struct addr *b)
{
	return memcmp(a, b, sizeof(*a));
}

int
addr_in_prefix(const struct addr *a, const struct addr_prefix *p)
{
	size_t whole = p->len / 8;

	if (a->family != p->addr.family || memcmp(a->b, p->addr.b, whole) != 0)
		return 0;
	if (p->len % 8 == 0)
		return 1;
	return ((a->b[whole] ^ p->addr.b[whole]) & byte_mask(whole, p->len)) ==
	    0;
}
