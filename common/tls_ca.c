/*
 * tls_ca: our side of a connection to a program of another maker, which has a
 * certificate by an authority and no pin: sc_remoted.  The certificate must be
 * vouched for and name the host that was dialled.
 */
#include "common/tls.h"

#include <arpa/inet.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "common/tls_own.h"
#include "common/xmalloc.h"

struct tls *
tls_new_ca(const char *cafile, const char **why)
{
	struct tls *t = xcalloc(1, sizeof(*t));
	int ok;

	t->ctx = SSL_CTX_new(TLS_client_method());
	ok = t->ctx != NULL &&
	    SSL_CTX_set_min_proto_version(t->ctx, TLS1_2_VERSION);
	*why = "OpenSSL does not offer TLS 1.2";
	if (ok && cafile == NULL) {
		ok = SSL_CTX_set_default_verify_paths(t->ctx);
		*why = "the system has no certificates";
	} else if (ok) {
		ok = SSL_CTX_load_verify_locations(t->ctx, cafile, NULL);
		*why = "no certificates can be read from it";
	}
	ERR_clear_error();
	if (!ok) {
		tls_free(t);
		return NULL;
	}
	SSL_CTX_set_verify(t->ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_session_cache_mode(t->ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_mode(t->ctx,
	    SSL_MODE_ENABLE_PARTIAL_WRITE |
		SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
	return t;
}

int
tls_expect_host(SSL *ssl, const char *host)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	uint8_t a[16];

	if (inet_pton(AF_INET, host, a) == 1 ||
	    inet_pton(AF_INET6, host, a) == 1)
		return X509_VERIFY_PARAM_set1_ip_asc(param, host) ? 0 : -1;
	return SSL_set_tlsext_host_name(ssl, host) && SSL_set1_host(ssl, host)
	    ? 0
	    : -1;
}
