/*
 * dataserver: wiring.  What it does is in dataserver.h.
 */
#include "dataserver/dataserver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/atomicfile.h"
#include "common/chan.h"
#include "common/clock.h"
#include "common/gate.h"
#include "common/log.h"
#include "common/prog.h"
#include "common/scan.h"

#define KEEP_BYTES (256ull << 20) /* of sent/ */
#define IDLE_NS (130 * NS_PER_SEC) /* two missed pings */

#define DIAL_MAX 16

static struct {
	const char *dir, *listen, *key, *peers, *make_key;
	char *dial[DIAL_MAX];
	size_t ndial;
	uint64_t keep_bytes;
	int64_t idle_ns;
	int verbose, daemon;
} opts = {.keep_bytes = KEEP_BYTES, .idle_ns = IDLE_NS};

/* The server and who lets its peers in. */
struct served {
	struct server srv;
	struct gate *gate; /* NULL: we do not listen */
};

static const char *
set_key(void *ctx, const char *arg)
{
	(void)ctx;
	opts.key = arg;
	return NULL;
}

static const char *
set_peers(void *ctx, const char *arg)
{
	(void)ctx;
	opts.peers = arg;
	return NULL;
}

static const char *
set_make_key(void *ctx, const char *arg)
{
	(void)ctx;
	opts.make_key = arg;
	return NULL;
}

static const char *
set_dial(void *ctx, const char *arg)
{
	(void)ctx;
	if (opts.ndial == DIAL_MAX)
		return "is one too many (16)";
	opts.dial[opts.ndial++] = (char *)arg;
	return NULL;
}

static const char *
set_dir(void *ctx, const char *arg)
{
	(void)ctx;
	opts.dir = arg;
	return NULL;
}

static const char *
set_listen(void *ctx, const char *arg)
{
	(void)ctx;
	opts.listen = arg;
	return NULL;
}

static const char *
set_keep(void *ctx, const char *arg)
{
	(void)ctx;
	if (scan_u64(arg, 0, UINT64_MAX, &opts.keep_bytes) == -1)
		return "is not a number of bytes";
	return NULL;
}

static const char *
set_timeout(void *ctx, const char *arg)
{
	(void)ctx;
	if (scan_duration(arg, NS_PER_SEC, &opts.idle_ns) == -1 ||
	    opts.idle_ns <= 0)
		return "is not a duration";
	return NULL;
}

static const char *
set_verbose(void *ctx, const char *arg)
{
	(void)ctx;
	(void)arg;
	opts.verbose++;
	return NULL;
}

static const char *
set_daemon(void *ctx, const char *arg)
{
	(void)ctx;
	(void)arg;
	opts.daemon = 1;
	return NULL;
}

static const struct prog_opt table[] = {
    {'d', "dir", "SPOOL", "the prober's spool directory (required)", set_dir},
    {'l', "listen", "ADDRESS", "IP:PORT or socket path to listen at",
	set_listen},
    {'c', "dial", "ADDRESS", "call this central host; may be repeated",
	set_dial},
    {'K', "key", "FILE", "our key: speak TLS", set_key},
    {'p', "peers", "FILE", "whom we speak to: lines peer NAME pin=PIN",
	set_peers},
    {0, "make-key", "FILE", "make a key unless there is one, print its pin",
	set_make_key},
    {'k', "keep", "BYTES", "keep so much of what was sent (256 MiB)", set_keep},
    {'t', "timeout", "TIME", "end a session that is silent so long (130s)",
	set_timeout},
    {'D', "daemon", NULL, "go to the background, log to syslog", set_daemon},
    {'v', "verbose", NULL, "say more; twice: even more", set_verbose},
    {0, NULL, NULL, NULL, NULL},
};

static const struct prog_usage usage = {
    .name = "dataserver",
    .synopsis = "-d SPOOL [-l ADDRESS] [-c ADDRESS ...] [-K FILE -p FILE] "
		"[-Dv] [-k BYTES] [-t TIME]",
    .purpose = "Hand the segments of a spool to the archive.",
    .exit_code = EXIT_PERMANENT,
};

static void
on_arrived(void *arg, struct gate_peer *peer)
{
	struct served *sv = arg;
	struct session_config cfg = {.fd = peer->fd};

	if (peer->conn != NULL) {
		cfg.io = &peer->conn->io;
		cfg.peer = tls_peers_who(&sv->srv.peers, peer->conn);
	}
	if (peer->conn != NULL && cfg.peer == NULL)
		gate_refuse_key(sv->gate, peer);
	else if (session_new(&sv->srv, &cfg) == -1)
		gate_refuse(sv->gate, peer, "busy", "too many sessions");
}

static void
on_hup(void *arg)
{
	struct served *sv = arg;

	if (opts.peers == NULL)
		return;
	if (tls_peers_load(&sv->srv.peers, opts.peers) == -1)
		log_warn("%s: the old peers stay", opts.peers);
	else
		session_recheck(&sv->srv);
}

static int
open_spool(struct server *srv)
{
	const char *why;
	int lock;

	if (segment_dir_open(&srv->dir, opts.dir, 1, &why) == -1)
		log_fatal(prog_exit_code(errno), "%s: %s: %s", opts.dir, why,
		    strerror(errno));
	lock = atomicfile_lock(srv->dir.state, "dataserver");
	if (lock == -1)
		log_fatal(EXIT_TEMPORARY, "%s/state/dataserver: %s", opts.dir,
		    errno == EWOULDBLOCK ? "another data server is at work"
					 : strerror(errno));
	return lock;
}

static void
load_tls(struct server *srv)
{
	if (opts.key == NULL)
		return;
	srv->tls = gate_key(opts.key);
	if (tls_peers_load(&srv->peers, opts.peers) == -1)
		log_fatal(EXIT_PERMANENT, "%s: no peers", opts.peers);
}

static void
serve(struct served *sv)
{
	struct event_base *base = sv->srv.base;
	struct dial *dial = NULL;
	int listener = opts.listen == NULL ? -1 : gate_listen(opts.listen);

	if (listener != -1)
		sv->gate = gate_new(&(struct gate_config){
		    base, listener, sv->srv.tls, on_arrived, sv});
	if (opts.ndial > 0)
		dial = dial_new(&sv->srv, opts.dial, opts.ndial);
	prog_serve(base, on_hup, sv);
	gate_free(sv->gate);
	session_close_all(&sv->srv);
	dial_free(dial);
	if (listener != -1)
		close(listener);
}

static void
check_options(void)
{
	if (opts.dir == NULL || (opts.listen == NULL && opts.ndial == 0))
		log_fatal(EXIT_PERMANENT, "-d and one of -l and -c are needed");
	if ((opts.key == NULL) != (opts.peers == NULL))
		log_fatal(EXIT_PERMANENT, "-K and -p are given together");
	if (opts.key == NULL && opts.ndial > 0)
		log_fatal(EXIT_PERMANENT, "-c needs -K and -p");
	if (opts.key == NULL && !chan_is_local(opts.listen))
		log_fatal(EXIT_PERMANENT,
		    "%s: without -K and -p only a loopback address or the path "
		    "of a socket can be served",
		    opts.listen);
}

int
main(int argc, char **argv)
{
	struct served sv = {.gate = NULL};
	struct server *srv = &sv.srv;
	int lock;

	log_init("dataserver", 0, 0);
	if (prog_options(&usage, table, argc, argv, NULL) != argc)
		log_fatal(EXIT_PERMANENT, "too many arguments");
	if (opts.make_key != NULL)
		return tls_make_key(opts.make_key);
	check_options();
	load_tls(srv);
	if (opts.daemon)
		prog_daemon();
	log_init("dataserver", opts.daemon, opts.verbose);
	lock = open_spool(srv);
	srv->base = prog_base();
	srv->idle_ns = opts.idle_ns;
	offers_init(&srv->offers, &srv->dir, opts.keep_bytes);
	srv->rotate = rotate_new(srv->base, &srv->dir);
	serve(&sv);
	rotate_free(srv->rotate);
	offers_clear(&srv->offers);
	segment_dir_close(&srv->dir);
	tls_peers_clear(&srv->peers);
	tls_free(srv->tls);
	event_base_free(srv->base);
	close(lock);
	return EXIT_DONE;
}
