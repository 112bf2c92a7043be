/*
 * tls_ca: our side of a connection to a program of another maker, which has a
 * certificate by an authority and no pin: sc_remoted.  The certificate must be
 * vouched for and name the host that was dialled; we show ours if it is asked
 * for.
 */
#include "common/tls.h"

#include <arpa/inet.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "common/tls_own.h"
#include "common/xmalloc.h"

/* Our certificate and its key.  NULL, or a reason. */
static const char *
show_certificate(SSL_CTX *ctx, const struct tls_ca *files, const char **file)
{
	*file = files->cert;
	if (!SSL_CTX_use_certificate_chain_file(ctx, files->cert))
		return "no certificate can be read from it";
	if (files->key != NULL)
		*file = files->key;
	if (!SSL_CTX_use_PrivateKey_file(ctx, *file, SSL_FILETYPE_PEM))
		return ERR_GET_REASON(ERR_peek_last_error()) ==
			X509_R_KEY_VALUES_MISMATCH
		    ? "the key is not that of the certificate"
		    : "no private key can be read from it";
	return NULL;
}

/* NULL, or a reason. */
static const char *
configure(SSL_CTX *ctx, const struct tls_ca *files, const char **file)
{
	if (ctx == NULL || !SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION))
		return "OpenSSL does not offer TLS 1.2";
	if (files->ca == NULL && !SSL_CTX_set_default_verify_paths(ctx))
		return "the system has no certificates";
	*file = files->ca;
	if (files->ca != NULL &&
	    !SSL_CTX_load_verify_locations(ctx, files->ca, NULL))
		return "no certificates can be read from it";
	if (files->cert != NULL)
		return show_certificate(ctx, files, file);
	return NULL;
}

/* A key with a password is none that a daemon can ask for. */
static int
no_password(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

struct tls *
tls_new_ca(const struct tls_ca *files, const char **file, const char **why)
{
	struct tls *t = xcalloc(1, sizeof(*t));

	*file = NULL;
	t->ctx = SSL_CTX_new(TLS_client_method());
	if (t->ctx != NULL)
		SSL_CTX_set_default_passwd_cb(t->ctx, no_password);
	*why = configure(t->ctx, files, file);
	ERR_clear_error();
	if (*why != NULL) {
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
