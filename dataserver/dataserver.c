/*
 * dataserver: wiring.  What it does is in dataserver.h.
 */
#include "dataserver/dataserver.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/addr.h"
#include "common/atomicfile.h"
#include "common/chan.h"
#include "common/log.h"
#include "common/prog.h"
#include "common/scan.h"

#define KEEP_BYTES (256ull << 20) /* of sent/ */

static struct {
	const char *dir, *listen;
	uint64_t keep_bytes;
	int verbose, daemon;
} opts = {.keep_bytes = KEEP_BYTES};

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
    {'l', "listen", "ADDRESS", "loopback IP:PORT or socket path (required)",
	set_listen},
    {'k', "keep", "BYTES", "keep so much of what was sent (256 MiB)", set_keep},
    {'D', "daemon", NULL, "go to the background, log to syslog", set_daemon},
    {'v', "verbose", NULL, "say more; twice: even more", set_verbose},
    {0, NULL, NULL, NULL, NULL},
};

static const struct prog_usage usage = {
    .name = "dataserver",
    .synopsis = "-d SPOOL -l ADDRESS [-Dv] [-k BYTES]",
    .purpose = "Hand the segments of a spool to the archive.",
    .exit_code = EXIT_PERMANENT,
};

/* Without TLS nobody can be known, so only this host may talk to us. */
static int
is_local(const char *address)
{
	struct addr_prefix loop4, loop6;
	struct addr a;
	char host[ADDR_STRLEN];
	const char *colon = strrchr(address, ':');
	size_t len;

	if (strchr(address, '/') != NULL)
		return 1;
	if (colon == NULL)
		return 0;
	if (*address == '[')
		address++;
	len = (size_t)(colon - address);
	if (len > 0 && address[len - 1] == ']')
		len--;
	if (len >= sizeof(host))
		return 0;
	memcpy(host, address, len);
	host[len] = '\0';
	addr_prefix_scan("127.0.0.0/8", &loop4);
	addr_prefix_scan("::1/128", &loop6);
	return addr_scan(host, &a) == 0 &&
	    (addr_in_prefix(&a, &loop4) || addr_in_prefix(&a, &loop6));
}

static void
on_accept(int fd, short what, void *arg)
{
	struct server *srv = arg;
	char peer[32];
	static unsigned int count;
	int s;

	(void)what;
	s = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (s == -1) {
		if (errno != EAGAIN && errno != EINTR)
			log_warn("accept: %s", strerror(errno));
		return;
	}
	snprintf(peer, sizeof(peer), "session %u", ++count);
	session_new(srv, s, peer);
}

static void
on_stop(int signo, short what, void *arg)
{
	(void)signo;
	(void)what;
	event_base_loopbreak(arg);
}

static int
open_spool(struct server *srv)
{
	const char *why;
	int lock;

	if (segment_dir_open(&srv->dir, opts.dir, 1, &why) == -1)
		log_fatal(EXIT_PERMANENT, "%s: %s: %s", opts.dir, why,
		    strerror(errno));
	lock = atomicfile_lock(srv->dir.state, "dataserver");
	if (lock == -1)
		log_fatal(EXIT_TEMPORARY, "%s/state/dataserver: %s", opts.dir,
		    errno == EWOULDBLOCK ? "another data server is at work"
					 : strerror(errno));
	return lock;
}

static void
serve(struct server *srv, int listener)
{
	struct event *accept_ev, *term, *intr;

	accept_ev = event_new(
	    srv->base, listener, EV_READ | EV_PERSIST, on_accept, srv);
	term = prog_signal(srv->base, SIGTERM, on_stop, srv->base);
	intr = prog_signal(srv->base, SIGINT, on_stop, srv->base);
	if (accept_ev == NULL || event_add(accept_ev, NULL) == -1)
		log_fatal(EXIT_TEMPORARY, "cannot watch a descriptor");
	prog_ready();
	event_base_dispatch(srv->base);
	session_close_all(srv);
	event_free(accept_ev);
	event_free(term);
	event_free(intr);
}

int
main(int argc, char **argv)
{
	struct server srv = {.base = NULL};
	const char *why = NULL;
	int listener, lock;

	log_init("dataserver", 0, 0);
	if (prog_options(&usage, table, argc, argv, NULL) != argc)
		log_fatal(EXIT_PERMANENT, "too many arguments");
	if (opts.dir == NULL || opts.listen == NULL)
		log_fatal(EXIT_PERMANENT, "-d and -l must be given");
	if (!is_local(opts.listen))
		log_fatal(EXIT_PERMANENT,
		    "%s: only a loopback address or the path of a socket can "
		    "be served, because the other side is not authenticated",
		    opts.listen);
	if (opts.daemon)
		prog_daemon();
	log_init("dataserver", opts.daemon, opts.verbose);
	lock = open_spool(&srv);
	listener = chan_listen(opts.listen, &why);
	if (listener == -1)
		log_fatal(EXIT_PERMANENT, "%s: %s: %s", opts.listen, why,
		    strerror(errno));
	srv.base = prog_base();
	offers_init(&srv.offers, &srv.dir, opts.keep_bytes);
	srv.rotate = rotate_new(srv.base, &srv.dir, opts.dir);
	serve(&srv, listener);
	rotate_free(srv.rotate);
	offers_clear(&srv.offers);
	segment_dir_close(&srv.dir);
	event_base_free(srv.base);
	close(listener);
	close(lock);
	return EXIT_DONE;
}
