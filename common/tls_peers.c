/*
 * tls_peers: the text file that says who is admitted:
 *
 *	# NAME is what logs and file names call the peer
 *	peer NAME pin=sha256:BASE64
 */
#include "common/tls.h"

#include <stdlib.h>
#include <string.h>

#include "common/conf.h"
#include "common/scan.h"
#include "common/xmalloc.h"

static const char *
conf_peer(void *ctx, char **words, int nwords, int line)
{
	struct tls_peers *p = ctx;
	const char *text = scan_keyvalue(words[2], "pin"), *why;
	struct tls_pin pin;

	(void)nwords;
	(void)line;
	if (scan_name(words[1]) == -1)
		return "is not a name ([a-z0-9][a-z0-9_.-]*)";
	if (text == NULL)
		return "expected pin=sha256:...";
	why = tls_pin_scan(text, &pin);
	if (why != NULL)
		return why;
	for (size_t i = 0; i < p->count; i++) {
		if (strcmp(p->list[i].name, words[1]) == 0)
			return "peer is there twice";
		if (tls_pin_equal(&p->list[i].pin, &pin))
			return "this pin is another peer's already";
	}
	p->list = xreallocarray(p->list, p->count + 1, sizeof(*p->list));
	p->list[p->count].name = xstrdup(words[1]);
	p->list[p->count++].pin = pin;
	return NULL;
}

static const struct conf_key keys[] = {
    {"peer", 2, 2, 0, conf_peer, "peer NAME pin=sha256:BASE64"},
    {NULL, 0, 0, 0, NULL, NULL},
};

int
tls_peers_load(struct tls_peers *p, const char *path)
{
	struct tls_peers fresh = {NULL, 0};

	if (conf_load(path, keys, &fresh, conf_log_error, NULL) > 0) {
		tls_peers_clear(&fresh);
		return -1;
	}
	tls_peers_clear(p);
	*p = fresh;
	return 0;
}

void
tls_peers_clear(struct tls_peers *p)
{
	for (size_t i = 0; i < p->count; i++)
		free(p->list[i].name);
	free(p->list);
	memset(p, 0, sizeof(*p));
}

const struct tls_peer *
tls_peers_find(const struct tls_peers *p, const struct tls_pin *pin)
{
	for (size_t i = 0; i < p->count; i++) {
		if (tls_pin_equal(&p->list[i].pin, pin))
			return &p->list[i];
	}
	return NULL;
}

const struct tls_peer *
tls_peers_who(const struct tls_peers *p, const struct tls_conn *c)
{
	return c->has_pin ? tls_peers_find(p, &c->pin) : NULL;
}
