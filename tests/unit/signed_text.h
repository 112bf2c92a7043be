/*
 * signed_text: signed texts for tests.  The keys have one-letter names and are
 * made of them; @R in a text stands for the public key of R.  struct held is
 * a monitor "mon" that has taken one good text of each kind.
 */
#ifndef TESTS_UNIT_SIGNED_TEXT_H
#define TESTS_UNIT_SIGNED_TEXT_H

#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "common/signed.h"
#include "common/xmalloc.h"
#include "test.h"

/* "signature ", a key, a blank, 88 digits, the newline. */
#define SIGNED_TEXT_SIGNATURE_LEN (10 + (SIGNED_KEY_STRLEN - 1) + 1 + 88 + 1)

static inline EVP_PKEY *
signed_text_pkey(char name)
{
	uint8_t seed[SIGNED_KEY_LEN];

	memset(seed, name, sizeof(seed));
	return EVP_PKEY_new_raw_private_key(
	    EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
}

/* The public key called NAME. */
static inline struct signed_key
signed_text_key(char name)
{
	EVP_PKEY *pkey = signed_text_pkey(name);
	struct signed_key key;
	size_t len = sizeof(key.pub);

	if (!EVP_PKEY_get_raw_public_key(pkey, key.pub, &len))
		abort();
	EVP_PKEY_free(pkey);
	return key;
}

/* TEXT with the names of keys replaced, allocated. */
static inline char *
signed_text_expand(const char *text)
{
	char *out = xmalloc(strlen(text) * 8 + SIGNED_KEY_STRLEN), *p = out;
	struct signed_key key;

	for (; *text != '\0'; text++) {
		if (text[0] != '@') {
			*p++ = *text;
			continue;
		}
		key = signed_text_key(*++text);
		p += strlen(signed_key_str(&key, p));
	}
	*p = '\0';
	return out;
}

static inline void
signed_text_sign(const char *text, char signer, uint8_t signature[64])
{
	EVP_PKEY *pkey = signed_text_pkey(signer);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	size_t len = 64;

	if (!EVP_DigestSignInit(ctx, NULL, NULL, NULL, pkey) ||
	    !EVP_DigestSign(
		ctx, signature, &len, (const uint8_t *)text, strlen(text)))
		abort();
	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(pkey);
}

/*
 * TEXT with the signature by SIGNER behind it; the caller frees .text.  '0':
 * none; of the assign key A, '!': of another text, '?': not base64, '-': the
 * key left out.
 */
static inline struct signed_text
signed_text_make(const char *text, char signer)
{
	char *body = signed_text_expand(text), *whole;
	char name = strchr("!?-", signer) == NULL ? signer : 'A';
	struct signed_key key = signed_text_key(name);
	char buf[SIGNED_KEY_STRLEN], base64[96];
	uint8_t signature[64];

	if (signer == '0')
		return (struct signed_text){body, strlen(body)};
	signed_text_sign(signer == '!' ? "other\n" : body, name, signature);
	EVP_EncodeBlock((uint8_t *)base64, signature, 64);
	if (signer == '?')
		base64[0] = '*';
	whole = xasprintf("%ssignature %s %s\n", body,
	    signer == '-' ? "" : signed_key_str(&key, buf), base64);
	free(body);
	return (struct signed_text){whole, strlen(whole)};
}

/* --- a monitor ------------------------------------------------------------- */

#define NOW_S 1780000000
#define SHA_A "aa02030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
#define SHA_B "bb02030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"
#define SHA_W "dd02030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f20"

#define ROLES                                          \
	"key root @R\nkey release @L\nkey assign @A\n" \
	"next @N\n"
#define ROOT "signed root 1 expires=1800000000\n" ROLES
#define RELEASE_BODY                                        \
	"code gen " SHA_A " 100\n"                          \
	"code gen " SHA_B " 200\n"                          \
	"installed listgen-file\n"                          \
	"withdrawn " SHA_W "\n"                             \
	"caps * rate=100 deadman=7d\n"                      \
	"caps big rate=500 address-rate=2 prefix-rate=10\n" \
	"dnp 192.0.2.0/24\n"                                \
	"dnp 2001:db8::/32\n"
#define RELEASE "signed release 5 expires=1790000000\n" RELEASE_BODY
#define A_HEAD "signed assign mon 17 expires=1785000000 release=5\n"
#define A_LISTS                                           \
	"monitor mon\n"                                   \
	"list 1 name=a weight=3 run listgen-file x.txt\n" \
	"list 2 name=b weight=1 run gen\n"
#define A_FILES "file 1 x.txt on-change=update sha256=" SHA_A " size=10\n"
#define A_CODE "code gen sha256=" SHA_B " size=200\n"
#define A_BODY A_LISTS A_FILES A_CODE
#define ASSIGN A_HEAD A_BODY
#define HEAD18 "signed assign mon 18 expires=1785000000 release=5\n"
#define STOP "signed stop 2\nprobing stop \"a complaint\"\n"

struct held {
	struct signed_trust tr;
	struct signed_fault f;
};

/* Sign TEXT by SIGNER and take it as a KIND; the code. */
static inline enum signed_code
take(struct held *h, enum signed_kind kind, const char *text, char signer)
{
	struct signed_assign a;
	struct signed_text t = signed_text_make(text, signer);
	int rc = -1;

	h->f.code = SIGNED_OK;
	switch (kind) {
	case SIGNED_ROOT:
		rc = signed_take_root(&h->tr, &t, &h->f);
		break;
	case SIGNED_STOP:
		rc = signed_take_stop(&h->tr, &t, &h->f);
		break;
	case SIGNED_RELEASE:
		rc = signed_take_release(&h->tr, &t, &h->f);
		break;
	case SIGNED_ASSIGN:
		rc = signed_take_assign(&h->tr, &t, &a, &h->f);
		if (rc == 0)
			signed_assign_clear(&a);
		break;
	}
	free((char *)t.text);
	if (rc == 0)
		return SIGNED_OK;
	assert_int_not_equal(h->f.code, SIGNED_OK);
	assert_int_not_equal(h->f.text[0], '\0');
	return h->f.code;
}

static inline void
hold(struct held *h)
{
	struct signed_key key = signed_text_key('R');

	memset(h, 0, sizeof(*h));
	signed_trust_init(&h->tr, "mon", &key);
	h->tr.now_s = NOW_S;
	assert_int_equal(take(h, SIGNED_ROOT, ROOT, 'R'), SIGNED_OK);
	assert_int_equal(take(h, SIGNED_RELEASE, RELEASE, 'L'), SIGNED_OK);
	assert_int_equal(take(h, SIGNED_STOP, STOP, 'L'), SIGNED_OK);
	assert_int_equal(take(h, SIGNED_ASSIGN, ASSIGN, 'A'), SIGNED_OK);
}

#endif
