#include "common/tls.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "common/keyfile.h"
#include "common/log.h"
#include "common/tls_own.h"
#include "common/xmalloc.h"

#define CHAIN_MAX 4096 /* bytes of certificates that a peer may show */
#define PIN_PREFIX "sha256:"
#define BASE64_LEN 44 /* of 32 bytes, with one = at the end */

/* --- pins ------------------------------------------------------------------ */

static int
scan_hex(const char *s, uint8_t *out)
{
	unsigned int byte;

	if (strspn(s, "0123456789abcdefABCDEF") != 2 * TLS_PIN_LEN)
		return -1;
	for (int i = 0; i < TLS_PIN_LEN; i++) {
		sscanf(s + 2 * i, "%2x", &byte);
		out[i] = (uint8_t)byte;
	}
	return 0;
}

static int
scan_base64(const char *s, uint8_t *out)
{
	uint8_t raw[TLS_PIN_LEN + 1], back[BASE64_LEN + 1];

	if (EVP_DecodeBlock(raw, (const uint8_t *)s, BASE64_LEN) == -1)
		return -1;
	/* One way to write it: the last digit has two bits to spare. */
	EVP_EncodeBlock(back, raw, TLS_PIN_LEN);
	if (memcmp(back, s, BASE64_LEN) != 0)
		return -1;
	memcpy(out, raw, TLS_PIN_LEN);
	return 0;
}

const char *
tls_pin_scan(const char *s, struct tls_pin *out)
{
	struct tls_pin pin;
	int rc = -1;

	if (strncmp(s, PIN_PREFIX, strlen(PIN_PREFIX)) != 0)
		return "pin does not begin with sha256:";
	s += strlen(PIN_PREFIX);
	if (strlen(s) == BASE64_LEN)
		rc = scan_base64(s, pin.sha);
	else if (strlen(s) == (size_t)2 * TLS_PIN_LEN)
		rc = scan_hex(s, pin.sha);
	if (rc == -1)
		return "pin is not the base64 or hex of a SHA-256";
	*out = pin;
	return NULL;
}

char *
tls_pin_str(const struct tls_pin *pin, char *buf)
{
	size_t n = strlen(PIN_PREFIX);

	memcpy(buf, PIN_PREFIX, n);
	EVP_EncodeBlock((uint8_t *)buf + n, pin->sha, TLS_PIN_LEN);
	return buf;
}

int
tls_pin_equal(const struct tls_pin *a, const struct tls_pin *b)
{
	return memcmp(a->sha, b->sha, sizeof(a->sha)) == 0;
}

int
tls_pin_of(EVP_PKEY *key, struct tls_pin *pin)
{
	uint8_t *der = NULL;
	int len = i2d_PUBKEY(key, &der);

	if (len <= 0)
		return -1;
	SHA256(der, (size_t)len, pin->sha);
	OPENSSL_free(der);
	return 0;
}

/* --- keys ------------------------------------------------------------------ */

int
tls_make_key(const char *path)
{
	char buf[TLS_PIN_STRLEN];
	struct tls_pin pin;
	const char *why;
	EVP_PKEY *key;

	if (keyfile_make(AT_FDCWD, path) == -1 && errno != EEXIST) {
		log_warn("%s: %s", path, strerror(errno));
		return EXIT_PERMANENT;
	}
	/* As every later start will read it. */
	key = keyfile_load(AT_FDCWD, path, &why);
	if (key == NULL || tls_pin_of(key, &pin) == -1) {
		log_warn("%s: %s", path, why);
		return EXIT_PERMANENT;
	}
	EVP_PKEY_free(key);
	printf("pin=%s\n", tls_pin_str(&pin, buf));
	return fflush(stdout) == 0 ? EXIT_DONE : EXIT_PERMANENT;
}

/* --- how we speak ---------------------------------------------------------- */

static X509 *
make_certificate(EVP_PKEY *key)
{
	X509 *x = X509_new();
	X509_NAME *name;

	if (x == NULL)
		return NULL;
	name = X509_get_subject_name(x);
	if (X509_set_version(x, X509_VERSION_3) &&
	    ASN1_INTEGER_set(X509_get_serialNumber(x), 1) &&
	    ASN1_TIME_set_string(X509_getm_notBefore(x), "19700101000000Z") &&
	    ASN1_TIME_set_string(X509_getm_notAfter(x), "99991231235959Z") &&
	    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
		(const uint8_t *)"scamper", -1, -1, 0) &&
	    X509_set_issuer_name(x, name) && X509_set_pubkey(x, key) &&
	    X509_sign(x, key, NULL) > 0)
		return x;
	X509_free(x);
	return NULL;
}

/* Any certificate will do: that the peer has its key is proved by the
 * handshake, and the key alone decides. */
static int
take_any(X509_STORE_CTX *store, void *arg)
{
	(void)store;
	(void)arg;
	return 1;
}

/* Nothing but what we use, so that strangers find nothing else to try. */
static int
configure(SSL_CTX *ctx, EVP_PKEY *key)
{
	X509 *x = make_certificate(key);
	int ok = x != NULL &&
	    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) &&
	    SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) &&
	    SSL_CTX_set1_groups_list(ctx, "X25519") &&
	    SSL_CTX_set1_sigalgs_list(ctx, "ed25519") &&
	    SSL_CTX_set1_client_sigalgs_list(ctx, "ed25519") &&
	    SSL_CTX_set_num_tickets(ctx, 0) &&
	    SSL_CTX_use_certificate(ctx, x) && SSL_CTX_use_PrivateKey(ctx, key);

	X509_free(x);
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_max_early_data(ctx, 0);
	SSL_CTX_set_max_cert_list(ctx, CHAIN_MAX);
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, take_any, NULL);
	SSL_CTX_set_mode(ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	return ok ? 0 : -1;
}

struct tls *
tls_new(const char *path, const char **why)
{
	EVP_PKEY *key = keyfile_load(AT_FDCWD, path, why);
	struct tls *t;

	if (key == NULL)
		return NULL;
	t = xcalloc(1, sizeof(*t));
	t->ctx = SSL_CTX_new(TLS_method());
	if (t->ctx == NULL || tls_pin_of(key, &t->pin) == -1 ||
	    configure(t->ctx, key) == -1) {
		*why = "OpenSSL does not offer TLS 1.3 with Ed25519";
		tls_free(t);
		t = NULL;
	}
	EVP_PKEY_free(key);
	return t;
}

void
tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	SSL_CTX_free(t->ctx);
	free(t);
}

const struct tls_pin *
tls_own_pin(const struct tls *t)
{
	return &t->pin;
}
