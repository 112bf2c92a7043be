#include "datacli/datacli.h"

#include <stdlib.h>
#include <string.h>

#include "common/chan.h"
#include "common/clock.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/xmalloc.h"

#define POLL_NS (60 * NS_PER_SEC)
#define TIMEOUT_NS (60 * NS_PER_SEC)

static const char *
set_pin(struct settings_monitor *m, const char *v)
{
	m->has_pin = 1;
	return tls_pin_scan(v, &m->pin);
}

static const char *
set_poll(struct settings_monitor *m, const char *v)
{
	if (scan_duration(v, NS_PER_SEC, &m->poll_ns) == -1 || m->poll_ns <= 0)
		return "poll= is not a duration";
	return NULL;
}

static const struct {
	const char *name;
	const char *(*set)(struct settings_monitor *m, const char *v);
} monitor_keys[] = {
    {"pin", set_pin},
    {"poll", set_poll},
};

static const char *
set_monitor_key(struct settings_monitor *m, const char *word)
{
	const char *v;

	for (size_t i = 0; i < sizeof(monitor_keys) / sizeof(monitor_keys[0]);
	     i++) {
		v = scan_keyvalue(word, monitor_keys[i].name);
		if (v != NULL)
			return monitor_keys[i].set(m, v);
	}
	return "unknown key (only pin= and poll=)";
}

/* ... beside the monitors before it. */
static const char *
check_monitor(const struct settings *s, const struct settings_monitor *m)
{
	const struct settings_monitor *o;

	if (!m->has_pin && m->address == NULL)
		return "a monitor that dials needs pin=";
	if (!m->has_pin && !chan_is_local(m->address))
		return "without pin= only a loopback address or the path of a "
		       "socket";
	for (o = s->list; o < s->list + s->count; o++) {
		if (strcmp(o->name, m->name) == 0)
			return "monitor is there twice";
		if (m->has_pin && o->has_pin && tls_pin_equal(&m->pin, &o->pin))
			return "this pin is another monitor's already";
	}
	return NULL;
}

static const char *
conf_monitor(void *ctx, char **words, int nwords, int line)
{
	struct settings_monitor m = {.poll_ns = POLL_NS};
	struct settings *s = ctx;
	const char *why;

	(void)line;
	if (scan_name(words[1]) == -1)
		return "is not a name ([a-z0-9][a-z0-9_.-]*)";
	m.name = words[1];
	if (strcmp(words[2], "dials") != 0)
		m.address = words[2];
	for (int i = 3; i < nwords; i++) {
		why = set_monitor_key(&m, words[i]);
		if (why != NULL)
			return why;
	}
	why = check_monitor(s, &m);
	if (why != NULL)
		return why;
	m.name = xstrdup(m.name);
	m.address = m.address == NULL ? NULL : xstrdup(m.address);
	s->list = xreallocarray(s->list, s->count + 1, sizeof(*s->list));
	s->list[s->count++] = m;
	return NULL;
}

static const char *
conf_sorter(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ctx;

	(void)nwords;
	(void)line;
	s->sorter = xstrdup(words[1]);
	return NULL;
}

static const char *
conf_key(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ctx;

	(void)nwords;
	(void)line;
	s->key = xstrdup(words[1]);
	return NULL;
}

static const char *
conf_listen(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ctx;

	(void)nwords;
	(void)line;
	s->listen = xstrdup(words[1]);
	return NULL;
}

static const char *
conf_timeout(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ctx;

	(void)nwords;
	(void)line;
	if (scan_duration(words[1], NS_PER_SEC, &s->timeout_ns) == -1 ||
	    s->timeout_ns <= 0)
		return "timeout is not a duration";
	return NULL;
}

static const struct conf_key keys[] = {
    {"monitor", 2, 4, 0, conf_monitor,
	"monitor NAME ADDRESS|dials [pin=sha256:BASE64] [poll=60s]"},
    {"sorter", 1, 1, 1, conf_sorter, "sorter PROGRAM"},
    {"key", 1, 1, 1, conf_key, "key FILE"},
    {"listen", 1, 1, 1, conf_listen, "listen ADDRESS"},
    {"timeout", 1, 1, 1, conf_timeout, "timeout TIME"},
    {NULL, 0, 0, 0, NULL, NULL},
};

/* What only the whole file shows. */
static const char *
check_all(const struct settings *s)
{
	if (s->listen != NULL && s->key == NULL)
		return "listen needs key";
	for (size_t i = 0; i < s->count; i++) {
		if (s->list[i].has_pin && s->key == NULL)
			return "a monitor with pin= needs key";
		if (s->list[i].address == NULL && s->listen == NULL)
			return "a monitor that dials needs listen";
	}
	return NULL;
}

int
settings_load(struct settings *s, const char *path)
{
	const char *why = NULL;
	int errors;

	memset(s, 0, sizeof(*s));
	s->timeout_ns = TIMEOUT_NS;
	errors = conf_load(path, keys, s, conf_log_error, NULL);
	if (errors == 0)
		why = check_all(s);
	if (why != NULL)
		log_warn("%s: %s", path, why);
	if (errors == 0 && why == NULL)
		return 0;
	settings_clear(s);
	return -1;
}

void
settings_monitor_clear(struct settings_monitor *m)
{
	free(m->name);
	free(m->address);
}

void
settings_clear(struct settings *s)
{
	for (size_t i = 0; i < s->count; i++)
		settings_monitor_clear(&s->list[i]);
	free(s->list);
	free(s->key);
	free(s->listen);
	free(s->sorter);
	memset(s, 0, sizeof(*s));
}

static int
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

const struct settings_monitor *
settings_find(const struct settings *s, const struct settings_monitor *m)
{
	const struct settings_monitor *o;

	for (o = s->list; o < s->list + s->count; o++) {
		if (strcmp(o->name, m->name) == 0 &&
		    same_text(o->address, m->address) &&
		    o->has_pin == m->has_pin &&
		    (!m->has_pin || tls_pin_equal(&o->pin, &m->pin)))
			return o;
	}
	return NULL;
}
