/*
 * tls_shake: from a socket to a struct tls_conn, within a deadline, and then
 * the bytes through it.
 *
 *	accepted   wait for a byte ─► is it TLS's? ─► handshake ─► done
 *	connecting wait for the connection ─────────► handshake ─► done
 *
 * OpenSSL's state for a connection is made at the first byte: a stranger that
 * says nothing has none.
 */
#include "common/tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/tls_own.h"
#include "common/xmalloc.h"

#define RECORD_HANDSHAKE 0x16 /* first byte of a TLS connection, RFC 8446 5.1 */

struct tls_shake {
	struct tls_shake_config cfg;
	struct event *ev, *deadline;
	struct tls_conn *conn; /* NULL: nothing was said yet */
};

/* OpenSSL's own words, and ours where an operator would not understand. */
static const struct {
	int reason;
	const char *text;
} reasons[] = {
    {SSL_R_UNSUPPORTED_PROTOCOL, "does not offer TLS 1.3"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "does not offer TLS 1.3"},
    {SSL_R_WRONG_VERSION_NUMBER, "does not speak TLS"},
    {SSL_R_HTTP_REQUEST, "does not speak TLS"},
    {SSL_R_UNEXPECTED_EOF_WHILE_READING, "cut off by peer"},
    {SSL_R_NO_SHARED_SIGNATURE_ALGORITHMS, "has no Ed25519 key"},
    {SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM, "has no Ed25519 key"},
    {SSL_R_WRONG_SIGNATURE_TYPE, "has no Ed25519 key"},
    {SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC,
	"bytes were changed on the way, or are another session's"},
};

/* Of the oldest error in OpenSSL's queue, which is emptied; NULL: errno. */
static const char *
reason_of_queue(void)
{
	unsigned long e = ERR_get_error();
	const char *text;

	ERR_clear_error();
	if (e == 0)
		return NULL;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		if (ERR_GET_REASON(e) == reasons[i].reason)
			return reasons[i].text;
	}
	text = ERR_reason_error_string(e);
	return text != NULL ? text : "TLS error";
}

/* --- the bytes ------------------------------------------------------------- */

/* What RC (below 1) of an SSL_ call means, as struct chan_io has it. */
static ssize_t
io_result(struct tls_conn *conn, int rc)
{
	switch (SSL_get_error(conn->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		errno = EAGAIN;
		break;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_SYSCALL:
		if (errno == 0)
			conn->io.why = "cut off by peer";
		break;
	default:
		conn->io.why = reason_of_queue();
		if (conn->io.why == NULL)
			conn->io.why = "TLS error";
	}
	ERR_clear_error();
	return -1;
}

static ssize_t
conn_read(struct chan_io *io, void *p, size_t len)
{
	struct tls_conn *conn = (struct tls_conn *)io;
	size_t got = 0;
	int rc;

	io->why = NULL;
	errno = 0;
	ERR_clear_error();
	rc = SSL_read_ex(conn->ssl, p, len, &got);
	return rc > 0 ? (ssize_t)got : io_result(conn, rc);
}

static ssize_t
conn_write(struct chan_io *io, const void *p, size_t len)
{
	struct tls_conn *conn = (struct tls_conn *)io;
	size_t put = 0;
	int rc;

	io->why = NULL;
	errno = 0;
	ERR_clear_error();
	rc = SSL_write_ex(conn->ssl, p, len, &put);
	if (rc > 0)
		return (ssize_t)put;
	if (io_result(conn, rc) == 0)
		io->why = "closed by peer";
	return -1;
}

static int
conn_pending(struct chan_io *io)
{
	struct tls_conn *conn = (struct tls_conn *)io;

	return SSL_has_pending(conn->ssl);
}

static void
conn_close(struct chan_io *io)
{
	struct tls_conn *conn = (struct tls_conn *)io;

	ERR_clear_error();
	if (SSL_is_init_finished(conn->ssl))
		SSL_shutdown(conn->ssl);
	ERR_clear_error();
	SSL_free(conn->ssl);
	free(conn);
}

static struct tls_conn *
conn_new(const struct tls_shake_config *cfg)
{
	struct tls_conn *conn = xcalloc(1, sizeof(*conn));
	SSL *ssl = SSL_new(cfg->tls->ctx);

	if (ssl == NULL || !SSL_set_fd(ssl, cfg->fd) ||
	    (cfg->host != NULL && tls_expect_host(ssl, cfg->host) == -1))
		log_fatal(EXIT_TEMPORARY, "out of memory");
	if (cfg->accept)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	conn->ssl = ssl;
	conn->io.read = conn_read;
	conn->io.write = conn_write;
	conn->io.pending = conn_pending;
	conn->io.close = conn_close;
	return conn;
}

static void
learn_pin(struct tls_conn *conn)
{
	X509 *x = SSL_get0_peer_certificate(conn->ssl);
	EVP_PKEY *key = x == NULL ? NULL : X509_get0_pubkey(x);

	conn->has_pin = key != NULL && tls_pin_of(key, &conn->pin) == 0;
}

/* --- the handshake --------------------------------------------------------- */

static void
finish(struct tls_shake *s, const char *why)
{
	struct tls_shake_config cfg = s->cfg;
	struct tls_conn *conn = NULL;

	if (why == NULL) {
		conn = s->conn;
		s->conn = NULL;
		s->cfg.fd = -1;
		learn_pin(conn);
	}
	tls_shake_free(s);
	cfg.done(cfg.arg, conn == NULL ? -1 : cfg.fd, conn, why);
}

static void
wait_for(struct tls_shake *s, short what)
{
	event_del(s->ev);
	if (event_assign(s->ev, s->cfg.base, s->cfg.fd, what,
		event_get_callback(s->ev), s) == -1 ||
	    event_add(s->ev, NULL) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot watch a descriptor");
}

static void
shake(struct tls_shake *s)
{
	const char *why;
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_do_handshake(s->conn->ssl);
	if (rc == 1) {
		finish(s, NULL);
		return;
	}
	switch (SSL_get_error(s->conn->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
		wait_for(s, EV_READ);
		return;
	case SSL_ERROR_WANT_WRITE:
		wait_for(s, EV_WRITE);
		return;
	}
	why = reason_of_queue();
	if (why == NULL)
		why = errno != 0 ? strerror(errno) : "cut off by peer";
	finish(s, why);
}

/* The first byte tells.  NULL to go on, or why not; *LATER when there is none
 * yet. */
static const char *
look_at_first_byte(struct tls_shake *s, int *later)
{
	uint8_t first;
	ssize_t n = recv(s->cfg.fd, &first, 1, MSG_PEEK);

	*later = 0;
	if (n == 1 && first == RECORD_HANDSHAKE)
		return NULL;
	if (n == 1) {
		chan_refuse(
		    s->cfg.fd, NULL, "err tls only TLS 1.3 is spoken here\n");
		s->cfg.fd = -1;
		return "does not speak TLS";
	}
	if (n == 0)
		return "closed by peer before the handshake";
	*later = errno == EAGAIN || errno == EINTR;
	return *later ? NULL : strerror(errno);
}

static const char *
look_at_connection(struct tls_shake *s)
{
	int error = 0;
	socklen_t len = sizeof(error);

	if (getsockopt(s->cfg.fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		error = errno;
	return error == 0 ? NULL : strerror(error);
}

static void
on_event(int fd, short what, void *arg)
{
	struct tls_shake *s = arg;
	const char *why;
	int later = 0;

	(void)fd;
	(void)what;
	if (s->conn != NULL) {
		shake(s);
		return;
	}
	why = s->cfg.accept ? look_at_first_byte(s, &later)
			    : look_at_connection(s);
	if (why != NULL)
		finish(s, why);
	else if (later)
		wait_for(s, EV_READ);
	else {
		s->conn = conn_new(&s->cfg);
		shake(s);
	}
}

static void
on_deadline(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	finish(arg, "handshake not finished in time");
}

struct tls_shake *
tls_shake_new(const struct tls_shake_config *cfg)
{
	struct tls_shake *s = xcalloc(1, sizeof(*s));
	struct timeval tv;

	s->cfg = *cfg;
	tv.tv_sec = cfg->deadline_ns / NS_PER_SEC;
	tv.tv_usec = cfg->deadline_ns % NS_PER_SEC / NS_PER_US;
	s->ev = event_new(
	    cfg->base, cfg->fd, cfg->accept ? EV_READ : EV_WRITE, on_event, s);
	s->deadline = event_new(cfg->base, -1, 0, on_deadline, s);
	if (s->ev == NULL || s->deadline == NULL ||
	    event_add(s->ev, NULL) == -1 || event_add(s->deadline, &tv) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot watch a descriptor");
	return s;
}

void
tls_shake_free(struct tls_shake *s)
{
	if (s == NULL)
		return;
	event_free(s->ev);
	event_free(s->deadline);
	if (s->conn != NULL)
		s->conn->io.close(&s->conn->io);
	if (s->cfg.fd != -1)
		close(s->cfg.fd);
	free(s);
}
