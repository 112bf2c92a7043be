/*
 * tls_own: what tls.c and tls_shake.c share and nobody else sees: OpenSSL's
 * types.
 */
#ifndef COMMON_TLS_OWN_H
#define COMMON_TLS_OWN_H

#include <openssl/ssl.h>

#include "common/tls.h"

struct tls {
	SSL_CTX *ctx;
	struct tls_pin pin; /* our own */
};

/* The pin of KEY.  0, or -1. */
int tls_pin_of(EVP_PKEY *key, struct tls_pin *pin);

/* The peer's certificate must be one of HOST, a name or an address.  0, or -1. */
int tls_expect_host(SSL *ssl, const char *host);

#endif
