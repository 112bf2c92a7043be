#include <stdio.h>
#include <string.h>

#include "common/signed_own.h"

static const char *
add_key(struct signed_keys *keys, const char *word)
{
	struct signed_key key;
	const char *why = signed_key_scan(word, &key);

	if (why != NULL)
		return why;
	if (signed_keys_have(keys, &key))
		return "key is there already";
	if (keys->count == SIGNED_KEYS_MAX)
		return "more than 8 keys of one role";
	keys->list[keys->count++] = key;
	return NULL;
}

static const char *
set_key(void *ctx, char **words, int nwords, int line)
{
	struct signed_root *r = ctx;
	int kind = signed_kind_scan(words[1]);

	(void)nwords;
	(void)line;
	if (kind == -1 || kind == SIGNED_STOP)
		return "role is not root, release or assign";
	return add_key(&r->role[kind], words[2]);
}

static const char *
set_next(void *ctx, char **words, int nwords, int line)
{
	struct signed_root *r = ctx;

	(void)nwords;
	(void)line;
	return add_key(&r->next, words[1]);
}

static const struct conf_key table[] = {
    {"key", 2, 2, 0, set_key, "key ROLE KEY"},
    {"next", 1, 1, 0, set_next, "next KEY"},
    {0},
};

int
signed_root_parse(const struct signed_head *h, const char *body,
    struct signed_root *out, struct signed_fault *f)
{
	static const enum signed_kind roles[] = {
	    SIGNED_ROOT, SIGNED_RELEASE, SIGNED_ASSIGN};
	struct signed_root r = {
	    .version = h->version, .expires_s = h->expires_s};

	if (signed_body(body, table, &r, f) == -1)
		return -1;
	for (size_t i = 0; i < sizeof(roles) / sizeof(roles[0]); i++) {
		if (r.role[roles[i]].count == 0)
			return signed_fail(f, SIGNED_CONTENT, 0,
			    "no key has the role %s",
			    signed_kind_name(roles[i]));
	}
	if (r.next.count == 0)
		return signed_fail(f, SIGNED_CONTENT, 0,
		    "next is missing: there could be no root after it");
	if (!signed_keys_have(&r.role[SIGNED_ROOT], &h->signer))
		return signed_fail(f, SIGNED_SIGNER, 0,
		    "is signed by a key that it does not make a root key");
	r.role[SIGNED_STOP] = r.role[SIGNED_RELEASE];
	*out = r;
	return 0;
}
