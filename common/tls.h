/*
 * tls: who the other side is.  TLS 1.3 only, over OpenSSL, with pinned keys as
 * ssh and WireGuard have them: each host makes its key once, each side has the
 * other's pin in a text file.  There is no CA, no expiry and no revocation
 * list: who takes the line out has revoked it.
 *
 *	key file	an Ed25519 private key (PEM), readable by its owner only
 *	pin		sha256:BASE64, the SHA-256 of the public key
 *			(SubjectPublicKeyInfo); sha256: and 64 hex digits is
 *			taken as well
 *	certificate	made from the key at each start, because TLS wants one;
 *			nobody looks at anything in it but the key
 *
 * A handshake proves that the peer has the key it shows, or shows none; whether
 * that key is admitted is the caller's to say, inside the encryption, so that
 * the refusal can be answered with its reason.  No session is ever resumed and
 * there is no early data: bytes of an earlier session are worth nothing.
 *
 *	tls_shake.c   FD ──handshake──► struct tls_conn ──► chan_new_io()
 *	tls_peers.c   pin ──► name, from a file of lines "peer NAME pin=PIN"
 */
#ifndef COMMON_TLS_H
#define COMMON_TLS_H

#include <stddef.h>
#include <stdint.h>

#include "common/chan.h"

struct event_base;

/* --- tls.c: keys and pins ---------------------------------------------------- */

#define TLS_PIN_LEN 32
#define TLS_PIN_STRLEN 72 /* printed, with its NUL */

struct tls_pin {
	uint8_t sha[TLS_PIN_LEN];
};

/* Scan all of S.  NULL, or a static reason with OUT untouched. */
const char *tls_pin_scan(const char *s, struct tls_pin *out);

/* Print as sha256:BASE64 to BUF, which has TLS_PIN_STRLEN bytes; returns BUF. */
char *tls_pin_str(const struct tls_pin *pin, char *buf);

/* Non-zero when equal. */
int tls_pin_equal(const struct tls_pin *a, const struct tls_pin *b);

/* Our key and how we speak. */
struct tls;

/* Of the key file PATH, which is refused when others than its owner may read
 * it.  NULL with a reason in *WHY (good until the next call). */
struct tls *tls_new(const char *path, const char **why);
void tls_free(struct tls *t);

/* For connections to programs that have a certificate instead of a pin.  PEM
 * files, each may be NULL. */
struct tls_ca {
	const char *ca; /* who may vouch for it; NULL: those of the system */
	const char *cert; /* ours, and what leads to its authority */
	const char *key; /* of cert; NULL: in the same file */
};

/* NULL with a static reason in *WHY, and in *FILE which file it is about, or
 * NULL. */
struct tls *
tls_new_ca(const struct tls_ca *files, const char **file, const char **why);

/* The pin of our own key. */
const struct tls_pin *tls_own_pin(const struct tls *t);

/* Make PATH with a new key (mode 600) unless there is one, and print "pin=PIN"
 * to standard output.  Returns the exit code of the program; says itself what
 * went wrong. */
int tls_make_key(const char *path);

/* --- tls_shake.c: connections ------------------------------------------------ */

/* After a handshake. */
struct tls_conn {
	struct chan_io io; /* first: &conn->io is what a channel takes */
	void *ssl;
	int has_pin; /* 0: the peer showed no key */
	struct tls_pin pin; /* of the peer */
};

struct tls_shake;

struct tls_shake_config {
	struct event_base *base;
	struct tls *tls;
	int fd; /* connected, or connecting; owned by the handshake */
	int accept; /* they connected to us */
	const char *host; /* with tls_new_ca(): whom the certificate names */
	int64_t deadline_ns; /* from now on */
	/* Once: the connection (io and fd are the caller's from here on), or
	 * CONN NULL, why not, and FD closed (-1).  The shake is gone. */
	void (*done)(void *arg, int fd, struct tls_conn *conn, const char *why);
	void *arg;
};

/* Begin; DONE is called from the loop.  Until the peer's first byte an accepted
 * connection costs less than a kilobyte.  A peer that speaks something else
 * than TLS is told so in plain text. */
struct tls_shake *tls_shake_new(const struct tls_shake_config *cfg);
/* Give up: DONE is not called, FD is closed. */
void tls_shake_free(struct tls_shake *s);

/* --- tls_peers.c: who is admitted --------------------------------------------- */

struct tls_peer {
	char *name;
	struct tls_pin pin;
};

struct tls_peers {
	struct tls_peer *list;
	size_t count;
};

/*
 * Read the file PATH of lines "peer NAME pin=PIN" (# comments) into P, whose
 * former contents go.  A name and a pin may be there once.  0; or -1 with P as
 * it was: all errors were logged with file and line.
 */
int tls_peers_load(struct tls_peers *p, const char *path);
void tls_peers_clear(struct tls_peers *p);

/* The peer with PIN, or NULL. */
const struct tls_peer *
tls_peers_find(const struct tls_peers *p, const struct tls_pin *pin);

/* Who has shown its key on C; NULL: it showed none, or one that is nobody's. */
const struct tls_peer *
tls_peers_who(const struct tls_peers *p, const struct tls_conn *c);

#endif
