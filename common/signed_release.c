#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/scan.h"
#include "common/segment_dir.h"
#include "common/signed_own.h"
#include "common/xmalloc.h"

#define NAME_RULE "is not [a-z0-9][a-z0-9_.-]{0,40}"

static const char *
set_code(void *ctx, char **words, int nwords, int line)
{
	struct signed_release *r = ctx;
	struct signed_code_entry e;

	(void)nwords;
	(void)line;
	if (scan_name(words[1]) == -1)
		return "code name " NAME_RULE;
	strcpy(e.name, words[1]);
	if (segment_dir_unhex(words[2], e.sha, sizeof(e.sha)) == -1)
		return "sha256 is not 64 lower-case hex digits";
	if (scan_u64(words[3], 0, SIGNED_OBJECT_MAX, &e.size) == -1)
		return "size is not a number of bytes up to 1 GiB";
	if (signed_release_code(r, e.name, e.sha) != NULL)
		return "this code is there already";
	r->code = xreallocarray(r->code, r->ncode + 1, sizeof(*r->code));
	r->code[r->ncode++] = e;
	return NULL;
}

static const char *
set_installed(void *ctx, char **words, int nwords, int line)
{
	struct signed_release *r = ctx;

	(void)nwords;
	(void)line;
	if (scan_name(words[1]) == -1)
		return "program name " NAME_RULE;
	if (signed_release_installed(r, words[1]))
		return "this program is there already";
	r->installed = xreallocarray(
	    r->installed, r->ninstalled + 1, sizeof(*r->installed));
	strcpy(r->installed[r->ninstalled++], words[1]);
	return NULL;
}

static const char *
set_withdrawn(void *ctx, char **words, int nwords, int line)
{
	struct signed_release *r = ctx;
	uint8_t sha[SIGNED_SHA_LEN];

	(void)nwords;
	(void)line;
	if (segment_dir_unhex(words[1], sha, sizeof(sha)) == -1)
		return "sha256 is not 64 lower-case hex digits";
	if (signed_release_withdrawn(r, sha))
		return "this hash is there already";
	r->withdrawn = xreallocarray(
	    r->withdrawn, r->nwithdrawn + 1, sizeof(*r->withdrawn));
	memcpy(r->withdrawn[r->nwithdrawn++], sha, sizeof(sha));
	return NULL;
}

/* --- caps ------------------------------------------------------------------ */

static const char *
set_rate(uint32_t *rate, const char *value)
{
	if (scan_u32(value, 1, UINT32_MAX, rate) == -1)
		return "rate is not a number of packets per second from 1";
	return NULL;
}

static const char *
cap_rate(struct signed_caps *c, const char *value)
{
	return set_rate(&c->rate, value);
}

static const char *
cap_address_rate(struct signed_caps *c, const char *value)
{
	return set_rate(&c->address_rate, value);
}

static const char *
cap_prefix_rate(struct signed_caps *c, const char *value)
{
	return set_rate(&c->prefix_rate, value);
}

static const char *
cap_deadman(struct signed_caps *c, const char *value)
{
	if (scan_duration(value, 1000000000, &c->deadman_ns) == -1 ||
	    c->deadman_ns == 0)
		return "deadman is not a duration";
	return NULL;
}

static const struct {
	const char *name;
	const char *(*set)(struct signed_caps *c, const char *value);
} cap_keys[] = {
    {"rate", cap_rate},
    {"address-rate", cap_address_rate},
    {"prefix-rate", cap_prefix_rate},
    {"deadman", cap_deadman},
};

static const char *
set_cap(struct signed_caps *c, const char *word, unsigned int *seen)
{
	const char *value;

	for (size_t i = 0; i < sizeof(cap_keys) / sizeof(cap_keys[0]); i++) {
		value = scan_keyvalue(word, cap_keys[i].name);
		if (value == NULL)
			continue;
		if (*seen & 1u << i)
			return "a key is there twice";
		*seen |= 1u << i;
		return cap_keys[i].set(c, value);
	}
	return signed_optional(word) ? NULL : "unknown key of caps";
}

static const char *
set_caps(void *ctx, char **words, int nwords, int line)
{
	struct signed_release *r = ctx;
	struct signed_caps c = {0};
	unsigned int seen = 0;
	const char *why;

	(void)line;
	if (strcmp(words[1], "*") != 0 && scan_name(words[1]) == -1)
		return "monitor name is neither * nor "
		       "[a-z0-9][a-z0-9_.-]{0,40}";
	strcpy(c.monitor, words[1]);
	for (size_t i = 0; i < r->ncaps; i++) {
		if (strcmp(r->caps[i].monitor, c.monitor) == 0)
			return "this monitor has caps already";
	}
	for (int i = 2; i < nwords; i++) {
		why = set_cap(&c, words[i], &seen);
		if (why != NULL)
			return why;
	}
	r->caps = xreallocarray(r->caps, r->ncaps + 1, sizeof(*r->caps));
	r->caps[r->ncaps++] = c;
	return NULL;
}

static const char *
set_dnp(void *ctx, char **words, int nwords, int line)
{
	struct signed_release *r = ctx;
	struct addr_prefix p;
	const char *why = addr_prefix_scan(words[1], &p);

	(void)nwords;
	(void)line;
	if (why != NULL)
		return why;
	r->dnp = xreallocarray(r->dnp, r->ndnp + 1, sizeof(*r->dnp));
	r->dnp[r->ndnp++] = p;
	return NULL;
}

static const struct conf_key table[] = {
    {"code", 3, 3, 0, set_code, "code NAME SHA256 SIZE"},
    {"installed", 1, 1, 0, set_installed, "installed NAME"},
    {"withdrawn", 1, 1, 0, set_withdrawn, "withdrawn SHA256"},
    {"caps", 1, -1, 0, set_caps, "caps MONITOR|* KEY=VALUE ..."},
    {"dnp", 1, 1, 0, set_dnp, "dnp PREFIX"},
    {0},
};

/* --- the whole ------------------------------------------------------------- */

static int
check_withdrawn(const struct signed_release *r, struct signed_fault *f)
{
	for (size_t i = 0; i < r->ncode; i++) {
		if (signed_release_withdrawn(r, r->code[i].sha))
			return signed_fail(f, SIGNED_WITHDRAWN, 0,
			    "code %s is allowed and withdrawn",
			    r->code[i].name);
	}
	return 0;
}

int
signed_release_parse(const struct signed_head *h, const char *body,
    struct signed_release *out, struct signed_fault *f)
{
	struct signed_release r = {
	    .version = h->version, .expires_s = h->expires_s};

	if (signed_body(body, table, &r, f) == -1 ||
	    check_withdrawn(&r, f) == -1) {
		signed_release_clear(&r);
		return -1;
	}
	*out = r;
	return 0;
}

void
signed_release_clear(struct signed_release *r)
{
	free(r->code);
	free(r->installed);
	free(r->withdrawn);
	free(r->caps);
	free(r->dnp);
	memset(r, 0, sizeof(*r));
}

const struct signed_code_entry *
signed_release_code(
    const struct signed_release *r, const char *name, const uint8_t *sha)
{
	for (size_t i = 0; i < r->ncode; i++) {
		if (strcmp(r->code[i].name, name) == 0 &&
		    memcmp(r->code[i].sha, sha, SIGNED_SHA_LEN) == 0)
			return &r->code[i];
	}
	return NULL;
}

int
signed_release_installed(const struct signed_release *r, const char *name)
{
	for (size_t i = 0; i < r->ninstalled; i++) {
		if (strcmp(r->installed[i], name) == 0)
			return 1;
	}
	return 0;
}

int
signed_release_withdrawn(const struct signed_release *r, const uint8_t *sha)
{
	for (size_t i = 0; i < r->nwithdrawn; i++) {
		if (memcmp(r->withdrawn[i], sha, SIGNED_SHA_LEN) == 0)
			return 1;
	}
	return 0;
}

const struct signed_caps *
signed_release_caps(const struct signed_release *r, const char *monitor)
{
	static const struct signed_caps none;
	const struct signed_caps *c, *all = &none;

	for (c = r->caps; c < r->caps + r->ncaps; c++) {
		if (strcmp(c->monitor, monitor) == 0)
			return c;
		if (strcmp(c->monitor, "*") == 0)
			all = c;
	}
	return all;
}
