#include "common/scan.h"

#include <string.h>

int
scan_u64(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;
	unsigned int digit;

	if (*s == '\0')
		return -1;
	for (; *s != '\0'; s++) {
		digit = (unsigned char)*s - '0';
		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return -1;
		v = v * 10 + digit;
	}
	if (v < min || v > max)
		return -1;
	*out = v;
	return 0;
}

int
scan_u32(const char *s, uint32_t min, uint32_t max, uint32_t *out)
{
	uint64_t v;

	if (scan_u64(s, min, max, &v) == -1)
		return -1;
	*out = (uint32_t)v;
	return 0;
}

/* Nanoseconds in the unit called S, UNIT_NS when S is empty, 0 if unknown. */
static int64_t
unit_of(const char *s, int64_t unit_ns)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
	    {"ns", 1},
	    {"us", 1000},
	    {"ms", 1000000},
	    {"s", 1000000000},
	    {"m", 60000000000},
	    {"h", 3600000000000},
	    {"d", 86400000000000},
	};

	if (*s == '\0')
		return unit_ns;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(s, units[i].name) == 0)
			return units[i].ns;
	}
	return 0;
}

int
scan_duration(const char *s, int64_t unit_ns, int64_t *out_ns)
{
	char whole[20];
	size_t n = strspn(s, "0123456789");
	int64_t unit, ns, scale;
	uint64_t v;
	const char *frac = NULL;
	size_t nfrac = 0;

	if (n == 0 || n >= sizeof(whole))
		return -1;
	memcpy(whole, s, n);
	whole[n] = '\0';
	if (scan_u64(whole, 0, INT64_MAX, &v) == -1)
		return -1;
	s += n;
	if (*s == '.') {
		frac = ++s;
		nfrac = strspn(s, "0123456789");
		if (nfrac == 0)
			return -1;
		s += nfrac;
	}
	unit = unit_of(s, unit_ns);
	if (unit == 0 || __builtin_mul_overflow((int64_t)v, unit, &ns))
		return -1;
	for (scale = unit / 10; nfrac > 0; nfrac--, scale /= 10) {
		if (__builtin_add_overflow(ns, (*frac++ - '0') * scale, &ns))
			return -1;
	}
	*out_ns = ns;
	return 0;
}

int
scan_name(const char *s)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789_.-";
	size_t n = strlen(s);

	if (n < 1 || n > 41 || strchr(first, *s) == NULL)
		return -1;
	if (strspn(s, rest) != n || strstr(s, "..") != NULL)
		return -1;
	return 0;
}

const char *
scan_keyvalue(const char *word, const char *key)
{
	size_t n = strlen(key);

	if (strncmp(word, key, n) != 0 || word[n] != '=')
		return NULL;
	return word + n + 1;
}

int
scan_word(char **p, char **word)
{
	char *in = *p + strspn(*p, " \t"), *out = in;
	int quoted = 0;

	*p = in;
	if (*in == '\0')
		return 0;
	*word = in;
	while (*in != '\0' && (quoted || (*in != ' ' && *in != '\t'))) {
		if (*in == '"')
			quoted = !quoted;
		else
			*out++ = *in;
		in++;
	}
	if (*in != '\0')
		in++;
	*out = '\0';
	*p = in;
	return quoted ? -1 : 1;
}

int
scan_words(char *line, char **words, int max)
{
	char *word;
	int n = 0, r;

	while ((r = scan_word(&line, &word)) == 1) {
		if (n == max)
			return -1;
		words[n++] = word;
	}
	return r == 0 ? n : -1;
}
