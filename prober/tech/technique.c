/*
 * technique: THE TABLE, and the parser of measurements in scamper's notation.
 */
#include "prober/tech/technique.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/scan.h"
#include "common/xmalloc.h"

extern const struct technique technique_trace, technique_ping;

const struct technique *const technique_table[] = {
    &technique_trace,
    &technique_ping,
    NULL,
};

#define WORDS_MAX 512

static uint32_t disabled; /* a bit for each row */

struct parse {
	struct measurement *m;
	uint64_t seen[4]; /* letters met, one bit each */
	char *why;
	size_t why_size;
};

static int __attribute__((format(printf, 2, 3)))
refuse(struct parse *ps, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ps->why, ps->why_size, fmt, ap);
	va_end(ap);
	return -1;
}

static int
set_number(struct parse *ps, const struct technique_opt *o, const char *arg)
{
	uint8_t *at = (uint8_t *)ps->m->conf + o->offset;
	uint32_t v;

	if (scan_u32(arg, o->min, o->max, &v) == -1)
		return refuse(ps, "-%c failed: %s must be within %u - %u",
		    o->letter, o->name, o->min, o->max);
	if (o->kind == OPT_U8)
		*at = (uint8_t)v;
	else if (o->kind == OPT_U16)
		*(uint16_t *)(void *)at = (uint16_t)v;
	else
		*(uint32_t *)(void *)at = v;
	return 0;
}

static int
set_stream(struct parse *ps, const struct technique_opt *o, const char *arg)
{
	uint32_t v;

	if (scan_u32(arg, o->min, o->max, &v) == -1)
		return refuse(ps, "-%c failed: %s must be within %u - %u",
		    o->letter, o->name, o->min, o->max);
	ps->m->partial = (uint8_t)v;
	return 0;
}

static int
set_word(struct parse *ps, const struct technique_opt *o, const char *arg)
{
	for (uint8_t i = 0; o->words[i] != NULL; i++) {
		if (strcasecmp(o->words[i], arg) == 0) {
			((uint8_t *)ps->m->conf)[o->offset] = i;
			return 0;
		}
	}
	return refuse(ps, "-%c failed: unknown %s %s", o->letter, o->name, arg);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int
set_hex(struct parse *ps, const struct technique_opt *o, const char *arg)
{
	struct technique_hex *hex =
	    (void *)((uint8_t *)ps->m->conf + o->offset);
	size_t digits = strlen(arg), odd = digits % 2, n = (digits + odd) / 2;
	size_t max = o->max != 0 ? o->max : sizeof(hex->bytes);

	if (n == 0 || n > max || (odd && o->min == 0))
		return refuse(ps, "-%c failed: %s must be 1 - %zu hex bytes",
		    o->letter, o->name, max);
	for (size_t i = 0; i < n; i++) {
		int hi = i == 0 && odd ? 0 : hex_digit(arg[2 * i - odd]);
		int lo = hex_digit(arg[2 * i + 1 - odd]);

		if (hi == -1 || lo == -1)
			return refuse(ps, "-%c failed: %s is not hexadecimal",
			    o->letter, o->name);
		hex->bytes[i] = (uint8_t)(hi << 4 | lo);
	}
	hex->len = (uint16_t)n;
	return 0;
}

static int
set_seconds(struct parse *ps, const struct technique_opt *o, const char *arg)
{
	int64_t ns, us;

	if (scan_duration(arg, NS_PER_SEC, &ns) == -1)
		return refuse(ps, "-%c failed: %s is not a duration: %s",
		    o->letter, o->name, arg);
	us = ns / NS_PER_US;
	if (us < o->min || us > o->max)
		return refuse(ps,
		    "-%c failed: %s must be within %u.%03u - %u.%03u s",
		    o->letter, o->name, o->min / 1000000, o->min / 1000 % 1000,
		    o->max / 1000000, o->max / 1000 % 1000);
	*(uint32_t *)(void *)((uint8_t *)ps->m->conf + o->offset) =
	    (uint32_t)us;
	return 0;
}

static int
set_call(struct parse *ps, const struct technique_opt *o, const char *arg)
{
	const char *why = o->set(ps->m->conf, arg);

	if (why == NULL)
		return 0;
	return refuse(
	    ps, "-%c failed: %s %s: %s", o->letter, o->name, arg, why);
}

static int
set_addr(struct parse *ps, const struct technique_opt *o, const char *arg)
{
	void *at = (uint8_t *)ps->m->conf + o->offset;

	if (addr_scan(arg, at) == 0)
		return 0;
	return refuse(ps, "-%c failed: %s %s: is not an address", o->letter,
	    o->name, arg);
}

static int
set_value(struct parse *ps, const struct technique_opt *o, const char *arg)
{
	switch (o->kind) {
	case OPT_FLAG:
		*(uint32_t *)(void *)((uint8_t *)ps->m->conf + o->offset) |=
		    o->min;
		return 0;
	case OPT_WORD:
		return set_word(ps, o, arg);
	case OPT_HEX:
		return set_hex(ps, o, arg);
	case OPT_SECONDS:
		return set_seconds(ps, o, arg);
	case OPT_STREAM:
		return set_stream(ps, o, arg);
	case OPT_ADDR:
		return set_addr(ps, o, arg);
	case OPT_CALL:
	case OPT_CALLS:
		return set_call(ps, o, arg);
	default:
		return set_number(ps, o, arg);
	}
}

static int
set_option(struct parse *ps, const struct technique_opt *o, const char *arg)
{
	if (set_value(ps, o, arg) == -1)
		return -1;
	if (o->given != 0)
		((uint8_t *)ps->m->conf)[o->given] = 1;
	return 0;
}

int
technique_addrs_scan(const char *list, int family, struct technique_addrs *out)
{
	char *copy = xstrdup(list), *save = NULL, *word;
	int ok = 1;

	out->count = 0;
	for (word = strtok_r(copy, ",", &save); ok && word != NULL;
	     word = strtok_r(NULL, ",", &save)) {
		struct addr *a = &out->addr[out->count];

		ok = out->count < sizeof(out->addr) / sizeof(out->addr[0]) &&
		    addr_scan(word, a) == 0 && a->family == family;
		out->count += (uint8_t)ok;
	}
	free(copy);
	return ok && out->count > 0 ? 0 : -1;
}

static const struct technique_opt *
find_option(const struct technique *tech, char letter)
{
	for (const struct technique_opt *o = tech->opts; o->letter != 0; o++) {
		if (o->letter == letter)
			return o;
	}
	return NULL;
}

/* One word of options, "-Q" or "-QT" or "-Qw" with NEXT as its argument.
 * Returns the number of words taken, or -1. */
static int
parse_option_word(struct parse *ps, const char *word, const char *next)
{
	const struct technique_opt *o;

	if (word[1] == '\0')
		return refuse(ps, "option expected after -");
	for (const char *c = word + 1; *c != '\0'; c++) {
		o = find_option(ps->m->tech, *c);
		if (o == NULL)
			return refuse(ps, "unknown option -%c", *c);
		if (o->kind != OPT_CALLS && ps->seen[*c / 64] & 1ULL << *c % 64)
			return refuse(ps, "repeated option -%c", *c);
		ps->seen[*c / 64] |= 1ULL << *c % 64;
		if (o->kind == OPT_FLAG) {
			set_option(ps, o, NULL);
			continue;
		}
		if (c[1] != '\0')
			return refuse(ps,
			    "the argument of -%c must be a "
			    "word of its own",
			    *c);
		if (next == NULL)
			return refuse(ps, "-%c requires an argument", *c);
		return set_option(ps, o, next) == -1 ? -1 : 2;
	}
	return 1;
}

static int
parse_target(struct parse *ps, char **words, int n, struct addr *target)
{
	if (target == NULL)
		return n == 0 ? 0 : refuse(ps, "unexpected word %s", words[0]);
	if (n == 0)
		return refuse(ps, "no target address");
	if (n > 1)
		return refuse(ps, "more than one target: %s", words[1]);
	if (addr_scan(words[0], target) == -1)
		return refuse(ps, "target %s is not an address", words[0]);
	return 0;
}

static int
parse_words(struct parse *ps, char **words, int n, struct addr *target)
{
	const struct technique *tech = ps->m->tech;
	const char *reason;
	int i = 1, used;

	while (i < n && words[i][0] == '-') {
		used = parse_option_word(
		    ps, words[i], i + 1 < n ? words[i + 1] : NULL);
		if (used == -1)
			return -1;
		i += used;
	}
	if (parse_target(ps, words + i, n - i, target) == -1)
		return -1;
	reason = tech->check != NULL ? tech->check(ps->m->conf) : NULL;
	if (reason == NULL && target != NULL && tech->check_target != NULL)
		reason = tech->check_target(ps->m->conf, target);
	return reason == NULL ? 0 : refuse(ps, "%s", reason);
}

static const struct technique *
find_technique(const char *name)
{
	for (size_t i = 0; technique_table[i] != NULL; i++) {
		if (strcasecmp(technique_table[i]->name, name) == 0)
			return technique_table[i];
	}
	return NULL;
}

/* TEXT as a measurement of TECH. */
static struct measurement *
parse(struct parse *ps, const struct technique *tech, const char *text,
    struct addr *target)
{
	char *copy = xstrdup(text), *words[WORDS_MAX];
	int n = scan_words(copy, words, WORDS_MAX);

	ps->m = xcalloc(1, sizeof(*ps->m) + tech->conf_size);
	ps->m->tech = tech;
	ps->m->refs = 1;
	ps->m->text = xstrdup(text);
	tech->defaults(ps->m->conf);
	if (parse_words(ps, words, n, target) == -1) {
		technique_unref(ps->m);
		ps->m = NULL;
	}
	free(copy);
	return ps->m;
}

/* The technique that TEXT begins with, or NULL and why not. */
static const struct technique *
technique_of(struct parse *ps, const char *text)
{
	char *copy = xstrdup(text), *words[WORDS_MAX];
	int n = scan_words(copy, words, WORDS_MAX);
	const struct technique *tech = n > 0 ? find_technique(words[0]) : NULL;

	if (n < 1)
		refuse(ps,
		    n == 0 ? "empty command"
			   : "too many words or an open quote");
	else if (tech == NULL)
		refuse(ps, "unknown technique %s", words[0]);
	free(copy);
	return tech;
}

struct measurement *
technique_parse_old(
    const char *text, struct addr *target, char *why, size_t why_size)
{
	struct parse ps = {.why = why, .why_size = why_size};
	const struct technique *tech = technique_of(&ps, text);

	return tech != NULL ? parse(&ps, tech, text, target) : NULL;
}

struct measurement *
technique_parse(
    const char *text, struct addr *target, char *why, size_t why_size)
{
	struct parse ps = {.why = why, .why_size = why_size};
	const struct technique *tech = technique_of(&ps, text);

	if (tech != NULL && technique_is_disabled(tech)) {
		refuse(&ps, "%s is disabled by the configuration file",
		    tech->name);
		return NULL;
	}
	return tech != NULL ? parse(&ps, tech, text, target) : NULL;
}

void
technique_enable(size_t row, int on)
{
	if (on)
		disabled &= ~(1u << row);
	else
		disabled |= 1u << row;
}

int
technique_is_disabled(const struct technique *tech)
{
	for (size_t i = 0; technique_table[i] != NULL; i++) {
		if (technique_table[i] == tech)
			return disabled >> i & 1;
	}
	return 0;
}

void
technique_unref(struct measurement *m)
{
	if (m == NULL || --m->refs > 0)
		return;
	if (m->tech->clear != NULL)
		m->tech->clear(m->conf);
	free(m->text);
	free(m);
}

uint16_t
technique_default_port(void)
{
	return (uint16_t)(getpid() | 0x8000);
}

uint16_t
technique_default_id(void)
{
	return (uint16_t)getpid();
}
