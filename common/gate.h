/*
 * gate: the listening socket of a program that serves peers, and what a peer
 * costs before it is known.
 *
 *	accept, at most ACCEPT_PER_S ──► at most GUESTS_MAX handshakes of
 *	5 seconds ──► arrived(): the program says by the pin who it is
 *
 * When all places are taken the guest that has waited longest goes: a thousand
 * connections that say nothing cannot keep out one that speaks, because a
 * handshake takes milliseconds and a place lasts at least
 * GUESTS_MAX / ACCEPT_PER_S seconds.
 *
 * A refusal is logged with the peer's address and the reason; the same of the
 * same address not again within a minute: then a number is said.
 */
#ifndef COMMON_GATE_H
#define COMMON_GATE_H

#include "common/tls.h"

struct event_base;
struct gate;

#define GATE_FROM_LEN 56

/* A connection that has come through; all of it is the callee's. */
struct gate_peer {
	int fd;
	struct tls_conn *conn; /* NULL: plain */
	char from[GATE_FROM_LEN]; /* address, "local" for a unix socket */
};

struct gate_config {
	struct event_base *base;
	int listener; /* of chan_listen; stays the caller's */
	struct tls *tls; /* NULL: plain */
	void (*arrived)(void *arg, struct gate_peer *peer);
	void *arg;
};

/* At a program's start: what a gate needs; each dies if it cannot be had, having
 * said why.  Our key of the file PATH; a socket that listens at ADDRESS. */
struct tls *gate_key(const char *path);
int gate_listen(const char *address);

/* Dies if the descriptor cannot be watched.  Raises the limit of open files as
 * far as it may. */
struct gate *gate_new(const struct gate_config *cfg);
void gate_free(struct gate *g);

/* Answer "err CODE TEXT" to PEER, close it, and log TEXT once. */
void gate_refuse(
    struct gate *g, struct gate_peer *peer, const char *code, const char *text);

/* The same to one whose key is nobody's, or who has shown none. */
void gate_refuse_key(struct gate *g, struct gate_peer *peer);

#endif
