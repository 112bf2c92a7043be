#include "common/signed.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/evp.h>

#include "common/scan.h"
#include "common/signed_own.h"
#include "common/xmalloc.h"

#define KEY_PREFIX "ed25519:"
#define KEY_BASE64 44 /* of 32 bytes, with one = at the end */
#define SIGNATURE_LEN 64
#define SIGNATURE_BASE64 88
#define SIGNATURE_VERB "signature "
#define HEAD_WORDS_MAX 16

static const char *const kind_names[SIGNED_KINDS] = {
    [SIGNED_ROOT] = "root",
    [SIGNED_STOP] = "stop",
    [SIGNED_RELEASE] = "release",
    [SIGNED_ASSIGN] = "assign",
};

static const char *const code_words[SIGNED_CODES] = {
    [SIGNED_OK] = "ok",
    [SIGNED_OVERSIZED] = "oversized",
    [SIGNED_BYTES] = "bytes",
    [SIGNED_TRUNCATED] = "truncated",
    [SIGNED_HEAD] = "head",
    [SIGNED_KIND] = "kind",
    [SIGNED_SIGNER] = "signer",
    [SIGNED_SIGNATURE] = "signature",
    [SIGNED_FOREIGN] = "foreign",
    [SIGNED_OLDER] = "older",
    [SIGNED_CHANGED] = "changed",
    [SIGNED_EXPIRED] = "expired",
    [SIGNED_UNKNOWN] = "unknown",
    [SIGNED_CONTENT] = "content",
    [SIGNED_MIXED] = "mixed",
    [SIGNED_CODE] = "code",
    [SIGNED_WITHDRAWN] = "withdrawn",
    [SIGNED_MISSING] = "missing",
    [SIGNED_SIZE] = "size",
    [SIGNED_HASH] = "hash",
    [SIGNED_IO] = "io",
};

const char *
signed_kind_name(enum signed_kind kind)
{
	return kind_names[kind];
}

int
signed_kind_scan(const char *name)
{
	for (int i = 0; i < SIGNED_KINDS; i++) {
		if (strcmp(kind_names[i], name) == 0)
			return i;
	}
	return -1;
}

const char *
signed_code_word(enum signed_code code)
{
	return code_words[code];
}

int
signed_fail(struct signed_fault *f, enum signed_code code, int line,
    const char *fmt, ...)
{
	va_list ap;

	f->code = code;
	f->line = line;
	va_start(ap, fmt);
	vsnprintf(f->text, sizeof(f->text), fmt, ap);
	va_end(ap);
	return -1;
}

/* --- keys ------------------------------------------------------------------ */

/* The LEN bytes that all of S says in base64.  There is one way to write them:
 * what does not come back as it was is none. */
static int
scan_base64(const char *s, uint8_t *out, size_t len)
{
	uint8_t raw[SIGNATURE_LEN + 2], back[SIGNATURE_BASE64 + 1];
	size_t n = (len + 2) / 3 * 4;

	if (strlen(s) != n ||
	    EVP_DecodeBlock(raw, (const uint8_t *)s, (int)n) == -1)
		return -1;
	EVP_EncodeBlock(back, raw, (int)len);
	if (memcmp(back, s, n) != 0)
		return -1;
	memcpy(out, raw, len);
	return 0;
}

const char *
signed_key_scan(const char *s, struct signed_key *out)
{
	if (strncmp(s, KEY_PREFIX, strlen(KEY_PREFIX)) != 0)
		return "key does not begin with ed25519:";
	if (scan_base64(s + strlen(KEY_PREFIX), out->pub, SIGNED_KEY_LEN) == -1)
		return "key is not the base64 of 32 bytes";
	return NULL;
}

char *
signed_key_str(const struct signed_key *key, char *buf)
{
	size_t n = strlen(KEY_PREFIX);

	memcpy(buf, KEY_PREFIX, n);
	EVP_EncodeBlock((uint8_t *)buf + n, key->pub, SIGNED_KEY_LEN);
	return buf;
}

int
signed_key_equal(const struct signed_key *a, const struct signed_key *b)
{
	return memcmp(a->pub, b->pub, sizeof(a->pub)) == 0;
}

int
signed_keys_have(const struct signed_keys *keys, const struct signed_key *key)
{
	for (size_t i = 0; i < keys->count; i++) {
		if (signed_key_equal(&keys->list[i], key))
			return 1;
	}
	return 0;
}

void
signed_sha(const void *p, size_t len, uint8_t sha[SIGNED_SHA_LEN])
{
	if (!EVP_Digest(p, len, sha, NULL, EVP_sha256(), NULL))
		abort();
}

/* --- the head -------------------------------------------------------------- */

static const char *
head_expires(struct signed_head *h, const char *value)
{
	uint64_t v;

	if (scan_u64(value, 1, INT64_MAX / 2, &v) == -1)
		return "expires is not a Unix time";
	if (h->kind == SIGNED_STOP)
		return "a stop does not expire";
	h->expires_s = (int64_t)v;
	return NULL;
}

static const char *
head_release(struct signed_head *h, const char *value)
{
	if (h->kind != SIGNED_ASSIGN)
		return "only an assign builds on a release";
	if (scan_u64(value, 1, INT64_MAX, &h->release) == -1)
		return "release is not a version";
	return NULL;
}

static const struct head_key {
	const char *name;
	const char *(*set)(struct signed_head *h, const char *value);
} head_keys[] = {
    {"expires", head_expires},
    {"release", head_release},
};

#define NHEADKEYS (sizeof(head_keys) / sizeof(head_keys[0]))

static int
head_key(struct signed_head *h, const char *word, unsigned int *seen,
    struct signed_fault *f)
{
	const char *value, *why;

	for (size_t i = 0; i < NHEADKEYS; i++) {
		value = scan_keyvalue(word, head_keys[i].name);
		if (value == NULL)
			continue;
		why = *seen & 1u << i ? "a key is there twice"
				      : head_keys[i].set(h, value);
		*seen |= 1u << i;
		if (why != NULL)
			return signed_fail(f, SIGNED_HEAD, 1, "%s", why);
		return 0;
	}
	if (signed_optional(word))
		return 0;
	return signed_fail(f, SIGNED_UNKNOWN, 1,
	    "unknown required key \"%.64s\" in the head", word);
}

/* "signed KIND [MONITOR] VERSION" of WORDS; how many words that was. */
static int
head_words(struct signed_head *h, char **words, int n, struct signed_fault *f)
{
	int kind, at = 2;

	if (n < 3 || strcmp(words[0], "signed") != 0)
		return signed_fail(
		    f, SIGNED_HEAD, 1, "does not begin with signed KIND");
	kind = signed_kind_scan(words[1]);
	if (kind == -1)
		return signed_fail(f, SIGNED_HEAD, 1,
		    "\"%.64s\" is no kind of text", words[1]);
	h->kind = (enum signed_kind)kind;
	if (h->kind == SIGNED_ASSIGN) {
		if (scan_name(words[at]) == -1)
			return signed_fail(f, SIGNED_HEAD, 1,
			    "monitor name \"%.64s\" is not "
			    "[a-z0-9][a-z0-9_.-]{0,40}",
			    words[at]);
		strcpy(h->monitor, words[at++]);
	}
	if (at >= n || scan_u64(words[at], 1, INT64_MAX, &h->version) == -1)
		return signed_fail(
		    f, SIGNED_HEAD, 1, "version is not a number from 1");
	return at + 1;
}

static int
parse_head(char *line, struct signed_head *h, struct signed_fault *f)
{
	char *words[HEAD_WORDS_MAX];
	int n = scan_words(line, words, HEAD_WORDS_MAX), at;
	unsigned int seen = 0;

	if (n == -1)
		return signed_fail(f, SIGNED_HEAD, 1, "head of too many words");
	at = head_words(h, words, n, f);
	if (at == -1)
		return -1;
	for (; at < n; at++) {
		if (head_key(h, words[at], &seen, f) == -1)
			return -1;
	}
	if (h->expires_s == 0 && h->kind != SIGNED_STOP)
		return signed_fail(f, SIGNED_HEAD, 1, "expires= missing");
	if (h->release == 0 && h->kind == SIGNED_ASSIGN)
		return signed_fail(f, SIGNED_HEAD, 1, "release= missing");
	return 0;
}

/* --- the envelope ---------------------------------------------------------- */

struct envelope {
	char *copy; /* of the text, a string */
	size_t signed_len; /* bytes that are signed */
	uint8_t signature[SIGNATURE_LEN];
	struct signed_head head;
};

static int
check_bytes(const struct signed_text *t, struct signed_fault *f)
{
	size_t begin = 0;
	int line = 1;

	if (t->len > SIGNED_TEXT_MAX)
		return signed_fail(f, SIGNED_OVERSIZED, 0,
		    "%zu bytes, more than %u", t->len, SIGNED_TEXT_MAX);
	for (size_t i = 0; i < t->len; i++) {
		if (i - begin >= CONF_LINE_MAX)
			return signed_fail(
			    f, SIGNED_BYTES, line, "line too long");
		if (t->text[i] == '\n') {
			begin = i + 1;
			line++;
		} else if ((t->text[i] < ' ' || t->text[i] > '~') &&
		    t->text[i] != '\t')
			return signed_fail(f, SIGNED_BYTES, line,
			    "byte outside printable ASCII");
	}
	return 0;
}

/* The last line of COPY, and so where the signed bytes end. */
static int
find_signature(struct envelope *e, size_t len, struct signed_fault *f)
{
	char *last;

	if (len == 0)
		return signed_fail(f, SIGNED_TRUNCATED, 0, "is empty");
	if (e->copy[len - 1] != '\n')
		return signed_fail(f, SIGNED_TRUNCATED, 0,
		    "is cut off: it does not end with a newline");
	e->copy[len - 1] = '\0';
	last = strrchr(e->copy, '\n');
	if (last == NULL ||
	    strncmp(last + 1, SIGNATURE_VERB, strlen(SIGNATURE_VERB)) != 0)
		return signed_fail(f, SIGNED_TRUNCATED, 0,
		    "is cut off: the last line is no signature");
	e->signed_len = (size_t)(last + 1 - e->copy);
	return 0;
}

static int
parse_signature(struct envelope *e, struct signed_fault *f)
{
	char *line = xstrdup(e->copy + e->signed_len), *words[3];
	int n = scan_words(line, words, 3);
	const char *why = "expected signature KEY BASE64";

	if (n == 3)
		why = signed_key_scan(words[1], &e->head.signer);
	if (why == NULL &&
	    scan_base64(words[2], e->signature, SIGNATURE_LEN) == -1)
		why = "signature is not the base64 of 64 bytes";
	free(line);
	return why == NULL ? 0 : signed_fail(f, SIGNED_SIGNATURE, 0, "%s", why);
}

/* What can be read without believing it.  E->copy is to be freed. */
static int
read_envelope(
    const struct signed_text *t, struct envelope *e, struct signed_fault *f)
{
	char *head;
	int rc;

	memset(e, 0, sizeof(*e));
	memset(f, 0, sizeof(*f));
	if (check_bytes(t, f) == -1)
		return -1;
	e->copy = xmalloc(t->len + 1);
	if (t->len > 0)
		memcpy(e->copy, t->text, t->len);
	e->copy[t->len] = '\0';
	if (find_signature(e, t->len, f) == -1)
		return -1;
	head = xmemdup(e->copy, e->signed_len);
	*strchr(head, '\n') = '\0';
	rc = parse_head(head, &e->head, f);
	free(head);
	return rc == -1 ? -1 : parse_signature(e, f);
}

int
signed_peek(const struct signed_text *t, struct signed_head *out,
    struct signed_fault *f)
{
	struct envelope e;
	int rc = read_envelope(t, &e, f);

	if (rc == 0)
		*out = e.head;
	free(e.copy);
	return rc;
}

static int
verify(const struct envelope *e)
{
	EVP_PKEY *key = EVP_PKEY_new_raw_public_key(
	    EVP_PKEY_ED25519, NULL, e->head.signer.pub, SIGNED_KEY_LEN);
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	int ok = key != NULL && ctx != NULL &&
	    EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
	    EVP_DigestVerify(ctx, e->signature, SIGNATURE_LEN,
		(const uint8_t *)e->copy, e->signed_len) == 1;

	EVP_MD_CTX_free(ctx);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return ok;
}

static int
check_envelope(const struct envelope *e, enum signed_kind kind,
    const struct signed_keys *keys, struct signed_fault *f)
{
	char buf[SIGNED_KEY_STRLEN];

	if (e->head.kind != kind)
		return signed_fail(f, SIGNED_KIND, 1, "is of kind %s, not %s",
		    kind_names[e->head.kind], kind_names[kind]);
	if (keys != NULL && !signed_keys_have(keys, &e->head.signer))
		return signed_fail(f, SIGNED_SIGNER, 0,
		    "is signed by %s, which may not sign this",
		    signed_key_str(&e->head.signer, buf));
	if (!verify(e))
		return signed_fail(f, SIGNED_SIGNATURE, 0,
		    "the signature does not match the text");
	return 0;
}

/* Head, signature and x- lines become comments. */
static void
mask(char *text, size_t signed_len)
{
	char *p = text, *word;

	text[0] = '#';
	text[signed_len] = '#';
	for (; p != NULL; p = strchr(p, '\n')) {
		p += *p == '\n';
		word = p + strspn(p, " \t");
		if (signed_optional(word))
			*word = '#';
	}
}

char *
signed_open(const struct signed_text *t, enum signed_kind kind,
    const struct signed_keys *keys, struct signed_head *out,
    struct signed_fault *f)
{
	struct envelope e;

	if (read_envelope(t, &e, f) == -1 ||
	    check_envelope(&e, kind, keys, f) == -1) {
		free(e.copy);
		return NULL;
	}
	mask(e.copy, e.signed_len);
	*out = e.head;
	return e.copy;
}

/* --- bodies ---------------------------------------------------------------- */

int
signed_optional(const char *word)
{
	return word[0] == 'x' && word[1] == '-';
}

void
signed_conf_error(void *arg, const char *file, int line, const char *reason)
{
	struct signed_fault *f = arg;
	int unknown = strncmp(reason, "unknown key", 11) == 0;

	(void)file;
	if (f->code != SIGNED_OK)
		return;
	signed_fail(f, unknown ? SIGNED_UNKNOWN : SIGNED_CONTENT, line, "%s%s",
	    unknown ? "must be understood: " : "", reason);
}

int
signed_body(const char *body, const struct conf_key *table, void *ctx,
    struct signed_fault *f)
{
	struct conf_text t = {"", body, strlen(body)};

	f->code = SIGNED_OK;
	conf_parse(&t, table, ctx, signed_conf_error, f);
	return f->code == SIGNED_OK ? 0 : -1;
}
