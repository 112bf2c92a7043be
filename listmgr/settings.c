/*
 * settings: the file of listmgr -C: which centre, and how the Prober is told.
 */
#include <stdlib.h>
#include <string.h>

#include "common/chan.h"
#include "common/chan.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/xmalloc.h"
#include "listmgr/sync.h"

#define PERIOD_NS (60 * NS_PER_SEC)
#define PERIOD_MAX_NS (600 * NS_PER_SEC) /* the protocol's */
#define SILENCE_NS (60 * NS_PER_SEC)

struct reading {
	struct settings *s;
	int anchor;
};

static const char *
conf_monitor(void *ctx, char **words, int nwords, int line)
{
	struct reading *r = ctx;

	(void)nwords;
	(void)line;
	if (scan_name(words[1]) == -1)
		return "monitor name is not [a-z0-9][a-z0-9_.-]{0,40}";
	r->s->monitor = xstrdup(words[1]);
	return NULL;
}

static const char *
conf_anchor(void *ctx, char **words, int nwords, int line)
{
	struct reading *r = ctx;

	(void)nwords;
	(void)line;
	r->anchor = 1;
	return signed_key_scan(words[1], &r->s->anchor);
}

static const char *
conf_server(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ((struct reading *)ctx)->s;
	struct settings_server *v = &s->servers[s->nservers];
	const char *pin = scan_keyvalue(words[2], "pin"), *why;

	(void)nwords;
	(void)line;
	if (s->nservers == SETTINGS_SERVERS_MAX)
		return "more than 8 servers";
	if (pin == NULL)
		return "pin= is missing";
	why = tls_pin_scan(pin, &v->pin);
	if (why == NULL)
		why = chan_check(words[1]);
	if (why != NULL)
		return why;
	v->address = xstrdup(words[1]);
	s->nservers++;
	return NULL;
}

static const char *
duration(const char *word, int64_t max_ns, int64_t *out_ns)
{
	int64_t ns;

	if (scan_duration(word, NS_PER_SEC, &ns) == -1 || ns < NS_PER_SEC ||
	    ns > max_ns)
		return "not a duration from 1s to 600s";
	*out_ns = ns;
	return NULL;
}

static const char *
conf_period(void *ctx, char **words, int nwords, int line)
{
	struct reading *r = ctx;

	(void)nwords;
	(void)line;
	return duration(words[1], PERIOD_MAX_NS, &r->s->period_ns);
}

static const char *
conf_silence(void *ctx, char **words, int nwords, int line)
{
	struct reading *r = ctx;

	(void)nwords;
	(void)line;
	return duration(words[1], PERIOD_MAX_NS, &r->s->silence_ns);
}

static const char *
conf_quota(void *ctx, char **words, int nwords, int line)
{
	struct reading *r = ctx;

	(void)nwords;
	(void)line;
	return scan_u64(words[1], 1, UINT64_MAX, &r->s->quota) == -1
	    ? "not a number of bytes"
	    : NULL;
}

/* Keys whose value is a path. */
static const char *
conf_path(void *ctx, char **words, int nwords, int line)
{
	struct settings *s = ((struct reading *)ctx)->s;
	const struct {
		const char *key;
		char **to;
	} paths[] = {
	    {"key", &s->key},
	    {"store", &s->store},
	    {"spool", &s->spool},
	    {"prober-status", &s->status},
	    {"prober-dnp", &s->dnp},
	    {"prober-limits", &s->limits},
	};

	(void)nwords;
	(void)line;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		if (strcmp(paths[i].key, words[0]) == 0)
			*paths[i].to = xstrdup(words[1]);
	}
	return NULL;
}

static const struct conf_key keys[] = {
    {"monitor", 1, 1, 1, conf_monitor, "monitor NAME"},
    {"anchor", 1, 1, 1, conf_anchor, "anchor ed25519:BASE64"},
    {"server", 2, 2, 0, conf_server, "server ADDRESS pin=sha256:BASE64"},
    {"key", 1, 1, 1, conf_path, "key FILE"},
    {"store", 1, 1, 1, conf_path, "store DIRECTORY"},
    {"period", 1, 1, 1, conf_period, "period 60s"},
    {"silence", 1, 1, 1, conf_silence, "silence 60s"},
    {"spool", 1, 1, 1, conf_path, "spool DIRECTORY"},
    {"spool-quota", 1, 1, 1, conf_quota, "spool-quota BYTES"},
    {"prober-status", 1, 1, 1, conf_path, "prober-status FILE"},
    {"prober-dnp", 1, 1, 1, conf_path, "prober-dnp FILE"},
    {"prober-limits", 1, 1, 1, conf_path, "prober-limits FILE"},
    {0},
};

/* What only the whole file shows. */
static const char *
missing(const struct reading *r)
{
	if (r->s->monitor == NULL)
		return "monitor is missing";
	if (!r->anchor)
		return "anchor is missing";
	if (r->s->nservers == 0)
		return "server is missing";
	if (r->s->key == NULL)
		return "key is missing";
	if (r->s->store == NULL)
		return "store is missing";
	return NULL;
}

int
settings_load(struct settings *s, const char *path)
{
	struct reading r = {.s = s};
	const char *why = NULL;
	int errors;

	memset(s, 0, sizeof(*s));
	s->period_ns = PERIOD_NS;
	s->silence_ns = SILENCE_NS;
	errors = conf_load(path, keys, &r, conf_log_error, NULL);
	if (errors == 0)
		why = missing(&r);
	if (why != NULL)
		log_warn("%s: %s", path, why);
	if (errors == 0 && why == NULL)
		return 0;
	settings_clear(s);
	return -1;
}

void
settings_clear(struct settings *s)
{
	for (size_t i = 0; i < s->nservers; i++)
		free(s->servers[i].address);
	free(s->monitor);
	free(s->key);
	free(s->store);
	free(s->spool);
	free(s->status);
	free(s->dnp);
	free(s->limits);
	memset(s, 0, sizeof(*s));
}
