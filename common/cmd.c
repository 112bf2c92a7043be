#include "common/cmd.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/line.h"
#include "common/scan.h"

#define CMD_LIST_MAX 0x7fffffffu
#define CMD_CYCLE_MAX 0xffffffffu

static const char *
skip_blanks(const char *s)
{
	while (*s == ' ' || *s == '\t')
		s++;
	return s;
}

/* The word at S as a number of at most MAX; behind it, or NULL. */
static const char *
take_number(const char *s, uint32_t max, uint32_t *out)
{
	uint64_t v = 0;
	unsigned int digit;
	const char *start = s;

	while ((digit = (unsigned char)*s - '0') <= 9) {
		v = v * 10 + digit;
		if (v > max)
			return NULL;
		s++;
	}
	if (s == start || (*s != ' ' && *s != '\t' && *s != '\0'))
		return NULL;
	*out = (uint32_t)v;
	return s;
}

/* LIST CYCLE at *S, moving it behind them. */
static const char *
take_pair(const char **s, struct cmd *out)
{
	const char *p = skip_blanks(*s);

	if (*p == '\0')
		return "list number missing";
	p = take_number(p, CMD_LIST_MAX, &out->list);
	if (p == NULL)
		return "list number is not 0..2147483647";
	p = skip_blanks(p);
	if (*p == '\0')
		return "cycle missing";
	p = take_number(p, CMD_CYCLE_MAX, &out->cycle);
	if (p == NULL || out->cycle == 0)
		return "cycle is not a Unix time 1..4294967295";
	*s = skip_blanks(p);
	return NULL;
}

static const char *
parse_ip(char *rest, struct cmd *out)
{
	const char *s = skip_blanks(rest), *why;

	if (*s == '\0')
		return "address missing";
	s = addr_scan_word(s, &out->addr);
	if (s == NULL)
		return "not an IPv4 or IPv6 address";
	if ((why = take_pair(&s, out)) != NULL)
		return why;
	return *s == '\0' ? NULL : "more words than ip ADDRESS LIST CYCLE";
}

static const char *
parse_end(char *rest, struct cmd *out)
{
	const char *s = rest, *why;

	if ((why = take_pair(&s, out)) != NULL)
		return why;
	return *s == '\0' ? NULL : "more words than end LIST CYCLE";
}

static const char *
parse_exit(char *rest, struct cmd *out)
{
	char *word, *more;
	int r = scan_word(&rest, &word);

	out->now = r != 0;
	if (r == 0)
		return NULL;
	if (r == -1 || strcmp(word, "now") != 0)
		return "exit takes nothing or now";
	return scan_word(&rest, &more) == 0 ? NULL : "more words than exit now";
}

static const char *
set_from(const char *value, struct cmd *out)
{
	if (scan_u64(value, 1, UINT64_MAX, &out->from) == -1)
		return "from is not a number from 1";
	return NULL;
}

static const char *
set_name(const char *value, struct cmd *out)
{
	if (scan_name(value) == -1)
		return "name is not [a-z0-9][a-z0-9_.-]{0,40}";
	strcpy(out->name, value);
	return NULL;
}

static const char *
set_descr(const char *value, struct cmd *out)
{
	if (strlen(value) >= sizeof(out->descr))
		return "descr is longer than 255 bytes";
	strcpy(out->descr, value);
	return NULL;
}

static const struct begin_key {
	const char *name;
	const char *(*set)(const char *value, struct cmd *out);
} begin_keys[] = {
    {"from", set_from},
    {"name", set_name},
    {"descr", set_descr},
};

/* One KEY=VALUE of begin; SEEN has a bit for each key that was there. */
static const char *
parse_key(const char *word, struct cmd *out, unsigned int *seen)
{
	const size_t n = sizeof(begin_keys) / sizeof(begin_keys[0]);
	const char *value;

	for (size_t i = 0; i < n; i++) {
		value = scan_keyvalue(word, begin_keys[i].name);
		if (value == NULL)
			continue;
		if (*seen & 1u << i)
			return "a key is there twice";
		*seen |= 1u << i;
		return begin_keys[i].set(value, out);
	}
	return strchr(word, '=') != NULL ? "unknown key"
					 : "expected key=value or probe";
}

/* What stands behind `probe', without the blanks around it. */
static const char *
parse_probe(char *rest, struct cmd *out)
{
	size_t n;

	rest += strspn(rest, " \t");
	for (n = strlen(rest); n > 0; n--) {
		if (rest[n - 1] != ' ' && rest[n - 1] != '\t')
			break;
	}
	rest[n] = '\0';
	out->probe = rest;
	return n != 0 ? NULL : "nothing behind probe";
}

static const char *
parse_begin(char *rest, struct cmd *out)
{
	const char *s = rest, *why;
	unsigned int seen = 0;
	char *word;
	int r;

	if ((why = take_pair(&s, out)) != NULL)
		return why;
	rest += s - rest;
	out->from = 1;
	out->name[0] = out->descr[0] = '\0';
	while ((r = scan_word(&rest, &word)) == 1) {
		if (strcmp(word, "probe") == 0)
			return parse_probe(rest, out);
		if ((why = parse_key(word, out, &seen)) != NULL)
			return why;
	}
	return r == 0 ? "probe missing" : "quote left open";
}

static const struct verb {
	const char *name;
	size_t len;
	enum cmd_verb verb;
	const char *(*parse)(char *rest, struct cmd *out);
} verbs[] = {
    {"ip", 2, CMD_IP, parse_ip},
    {"begin", 5, CMD_BEGIN, parse_begin},
    {"end", 3, CMD_END, parse_end},
    {"exit", 4, CMD_EXIT, parse_exit},
};

const char *
cmd_parse(char *line, struct cmd *out)
{
	const struct verb *v;
	size_t n = 0;

	line += skip_blanks(line) - line;
	if (*line == '\0')
		return "empty line";
	while (line[n] != ' ' && line[n] != '\t' && line[n] != '\0')
		n++;
	for (v = verbs; v < verbs + sizeof(verbs) / sizeof(verbs[0]); v++) {
		if (v->len != n || memcmp(v->name, line, n) != 0)
			continue;
		out->verb = v->verb;
		return v->parse(line + n, out);
	}
	return "unknown verb";
}

/* Text that grows in a buffer of fixed size; full once, full for ever. */
struct text {
	char *buf;
	size_t size, len;
	int full;
};

static void __attribute__((format(printf, 2, 3)))
put(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->full)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, t->size - t->len, fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= t->size - t->len)
		t->full = 1;
	else
		t->len += (size_t)n;
}

static void
put_begin(struct text *t, const struct cmd *c)
{
	const char *quote = strpbrk(c->descr, " \t") != NULL ? "\"" : "";

	put(t, "begin %u %u", c->list, c->cycle);
	if (c->from > 1)
		put(t, " from=%llu", (unsigned long long)c->from);
	if (c->name[0] != '\0')
		put(t, " name=%s", c->name);
	if (c->descr[0] != '\0')
		put(t, " descr=%s%s%s", quote, c->descr, quote);
	if (strchr(c->descr, '"') != NULL)
		t->full = 1;
	put(t, " probe %s\n", c->probe);
}

int
cmd_format(const struct cmd *c, char *buf, size_t size)
{
	struct text t = {.buf = buf, .size = size};
	char addr[ADDR_STRLEN];

	switch (c->verb) {
	case CMD_BEGIN:
		put_begin(&t, c);
		break;
	case CMD_IP:
		put(&t, "ip %s %u %u\n", addr_str(&c->addr, addr), c->list,
		    c->cycle);
		break;
	case CMD_END:
		put(&t, "end %u %u\n", c->list, c->cycle);
		break;
	case CMD_EXIT:
		put(&t, "exit%s\n", c->now ? " now" : "");
		break;
	}
	return t.full || t.len > LINE_MAX_COMMAND ? -1 : (int)t.len;
}
