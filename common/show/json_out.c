#include "common/show/json_out.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define DIGITS_MAX 10 /* of 32 bits */

/*
 * The comma and the key that go before a value of at most N bytes, for which
 * there is room behind.  Returns where the value goes; end() says where it ends.
 * Records are printed by the million, so each value is formatted in place.
 */
static char *
begin(struct json *j, const char *key, size_t n)
{
	size_t len = key != NULL ? strlen(key) : 0;
	char *p;

	wbuf_room(j->out, len + n + 8);
	p = (char *)j->out->p + j->out->len;
	if (j->some) {
		*p++ = ',';
		if (key != NULL && j->sep[1] != '\0')
			*p++ = j->sep[1];
	}
	j->some = 1;
	if (key == NULL)
		return p;
	*p++ = '"';
	memcpy(p, key, len);
	p += len;
	*p++ = '"';
	*p++ = ':';
	return p;
}

static void
end(struct json *j, const char *p)
{
	j->out->len = (size_t)((const uint8_t *)p - j->out->p);
}

/* V in decimal at P; returns what is behind. */
static char *
put_decimal(char *p, uint32_t v)
{
	char digits[DIGITS_MAX];
	int n = 0;

	do {
		digits[n++] = (char)('0' + v % 10);
		v /= 10;
	} while (v != 0);
	while (n > 0)
		*p++ = digits[--n];
	return p;
}

void
json_open(struct json *j, const char *key, char bracket)
{
	char *p = begin(j, key, 1);

	*p++ = bracket;
	end(j, p);
	j->some = 0;
}

void
json_close(struct json *j, char bracket)
{
	wbuf_u8(j->out, (uint8_t)bracket);
	j->some = 1;
}

void
json_u32(struct json *j, const char *key, uint32_t v)
{
	end(j, put_decimal(begin(j, key, DIGITS_MAX), v));
}

void
json_i32(struct json *j, const char *key, int32_t v)
{
	char *p = begin(j, key, DIGITS_MAX + 1);

	if (v < 0)
		*p++ = '-';
	end(j, put_decimal(p, v < 0 ? -(uint32_t)v : (uint32_t)v));
}

void
json_share(struct json *j, const char *key, uint32_t part, uint32_t whole)
{
	end(j, begin(j, key, 0));
	wbuf_printf(j->out, "%.2f", (double)part / whole);
}

void
json_milli(struct json *j, const char *key, uint32_t v)
{
	char *p = put_decimal(begin(j, key, DIGITS_MAX + 4), v / 1000);

	*p++ = '.';
	*p++ = (char)('0' + v / 100 % 10);
	*p++ = (char)('0' + v / 10 % 10);
	*p++ = (char)('0' + v % 10);
	end(j, p);
}

/* How many bytes at S are one well-formed UTF-8 character; 0 if none
 * (RFC 3629: no overlong form, no surrogate, nothing above U+10FFFF). */
static size_t
utf8_len(const unsigned char *s)
{
	uint32_t v;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4)
		return 0;
	n = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	v = s[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (s[i] & 0x3f);
	}
	if ((n == 3 && v < 0x800) || (n == 4 && v < 0x10000) ||
	    (v >= 0xd800 && v < 0xe000) || v > 0x10ffff)
		return 0;
	return n;
}

/* How many bytes at S stand for themselves. */
static size_t
plain_len(const unsigned char *s)
{
	size_t n = 0;

	while (s[n] >= 0x20 && s[n] < 0x7f && s[n] != '"' && s[n] != '\\')
		n++;
	return n;
}

void
json_str(struct json *j, const char *key, const char *str)
{
	const unsigned char *s = (const unsigned char *)str;
	char *p = begin(j, key, 1);

	*p++ = '"';
	end(j, p);
	for (;;) {
		size_t n = plain_len(s);

		wbuf_bytes(j->out, s, n);
		s += n;
		if (*s == '\0')
			break;
		n = utf8_len(s);
		if (*s == '"' || *s == '\\')
			wbuf_printf(j->out, "\\%c", *s);
		else if (n == 0 || *s < 0x20 || *s == 0x7f)
			wbuf_printf(j->out, "\\u%04x", *s);
		else
			wbuf_bytes(j->out, s, n);
		s += n != 0 ? n : 1;
	}
	wbuf_u8(j->out, '"');
}

void
json_addr(struct json *j, const char *key, const struct addr *a)
{
	char *p = begin(j, key, ADDR_STRLEN + 2);

	*p++ = '"';
	p += addr_print(a, p);
	*p++ = '"';
	end(j, p);
}

void
json_hex(struct json *j, const char *key, const uint8_t *bytes, size_t len)
{
	static const char digit[] = "0123456789abcdef";
	char *p = begin(j, key, 2 * len + 2);

	*p++ = '"';
	for (size_t i = 0; i < len; i++) {
		*p++ = digit[bytes[i] >> 4];
		*p++ = digit[bytes[i] & 15];
	}
	*p++ = '"';
	end(j, p);
}

void
json_words(struct json *j, const char *key, uint32_t flags,
    const struct json_word *table)
{
	int open = 0;

	for (; table->word != NULL; table++) {
		if (!(flags & table->flag))
			continue;
		if (!open)
			json_open(j, key, '[');
		open = 1;
		json_str(j, NULL, table->word);
	}
	if (open)
		json_close(j, ']');
}

void
json_word_or_number(
    struct json *j, const char *key, const char *word, uint32_t v)
{
	char number[16];

	snprintf(number, sizeof(number), "%u", v);
	json_str(j, key, word != NULL ? word : number);
}
