#include "common/show/json_out.h"

#include <stddef.h>
#include <string.h>

/* The comma and the key that go before a value. */
static void
begin(struct json *j, const char *key)
{
	if (j->some)
		wbuf_printf(j->out, "%s", key != NULL ? j->sep : ",");
	j->some = 1;
	if (key != NULL)
		wbuf_printf(j->out, "\"%s\":", key);
}

void
json_open(struct json *j, const char *key, char bracket)
{
	begin(j, key);
	wbuf_u8(j->out, (uint8_t)bracket);
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
	begin(j, key);
	wbuf_printf(j->out, "%u", v);
}

void
json_share(struct json *j, const char *key, uint32_t part, uint32_t whole)
{
	begin(j, key);
	wbuf_printf(j->out, "%.2f", (double)part / whole);
}

void
json_milli(struct json *j, const char *key, uint32_t v)
{
	begin(j, key);
	wbuf_printf(j->out, "%u.%03u", v / 1000, v % 1000);
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

void
json_str(struct json *j, const char *key, const char *str)
{
	const unsigned char *s = (const unsigned char *)str;

	begin(j, key);
	wbuf_u8(j->out, '"');
	while (*s != '\0') {
		size_t n = utf8_len(s);

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
	char buf[ADDR_STRLEN];

	json_str(j, key, addr_str(a, buf));
}

void
json_hex(struct json *j, const char *key, const uint8_t *bytes, size_t len)
{
	begin(j, key);
	wbuf_u8(j->out, '"');
	for (size_t i = 0; i < len; i++)
		wbuf_printf(j->out, "%02x", bytes[i]);
	wbuf_u8(j->out, '"');
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
