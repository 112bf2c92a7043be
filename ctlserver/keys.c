#include "ctlserver/ctlserver.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "common/keyfile.h"
#include "common/xmalloc.h"

#define SIGNATURE_LEN 64

struct keys_key {
	EVP_PKEY *pkey;
	struct signed_key pub;
};

struct keys_key *
keys_load(int dir, const char *name, const char **why)
{
	size_t publen = SIGNED_KEY_LEN;
	EVP_PKEY *pkey = keyfile_load(dir, name, why);
	struct keys_key *k;

	if (pkey == NULL)
		return NULL;
	k = xcalloc(1, sizeof(*k));
	k->pkey = pkey;
	/* Ed25519 fails for want of memory only. */
	if (!EVP_PKEY_get_raw_public_key(pkey, k->pub.pub, &publen))
		abort();
	return k;
}

struct keys_key *
keys_role(int dir, const char *role, const char **why)
{
	char name[32];

	snprintf(name, sizeof(name), "%s.key", role);
	if (faccessat(dir, name, F_OK, 0) == -1 && errno == ENOENT &&
	    faccessat(dir, "all.key", F_OK, 0) == 0)
		return keys_load(dir, "all.key", why);
	return keys_load(dir, name, why);
}

void
keys_free(struct keys_key *k)
{
	if (k == NULL)
		return;
	EVP_PKEY_free(k->pkey);
	free(k);
}

const struct signed_key *
keys_public(const struct keys_key *k)
{
	return &k->pub;
}

char *
keys_sign(const struct keys_key *k, const char *text)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	char base64[SIGNATURE_LEN * 2], key[SIGNED_KEY_STRLEN];
	uint8_t signature[SIGNATURE_LEN];
	size_t len = sizeof(signature);

	/* Ed25519 fails for want of memory only. */
	if (ctx == NULL ||
	    !EVP_DigestSignInit(ctx, NULL, NULL, NULL, k->pkey) ||
	    !EVP_DigestSign(
		ctx, signature, &len, (const uint8_t *)text, strlen(text)))
		abort();
	EVP_MD_CTX_free(ctx);
	EVP_EncodeBlock((uint8_t *)base64, signature, SIGNATURE_LEN);
	return xasprintf(
	    "%ssignature %s %s\n", text, signed_key_str(&k->pub, key), base64);
}
