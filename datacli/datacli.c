/*
 * datacli: wiring: options, signals, and the gate for monitors that dial.  The
 * map is datacli.h.
 */
#include "datacli/datacli.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/atomicfile.h"
#include "common/chan.h"
#include "common/gate.h"
#include "common/log.h"
#include "common/prog.h"

static struct {
	const char *make_key, *config;
	int check, verbose, daemon;
	struct settings settings;
	struct central central;
	struct gate *gate; /* NULL: we do not listen */
} cli;

/* --- options --------------------------------------------- */

static const char *
set_dir(void *ctx, const char *arg)
{
	(void)ctx;
	cli.central.dir = arg;
	return NULL;
}

static const char *
set_once(void *ctx, const char *arg)
{
	(void)ctx;
	(void)arg;
	cli.central.once = 1;
	return NULL;
}

static const char *
set_check(void *ctx, const char *arg)
{
	(void)ctx;
	(void)arg;
	cli.check = 1;
	return NULL;
}

static const char *
set_verbose(void *ctx, const char *arg)
{
	(void)ctx;
	(void)arg;
	cli.verbose++;
	return NULL;
}

static const char *
set_daemon(void *ctx, const char *arg)
{
	(void)ctx;
	(void)arg;
	cli.daemon = 1;
	return NULL;
}

static const char *
set_make_key(void *ctx, const char *arg)
{
	(void)ctx;
	cli.make_key = arg;
	return NULL;
}

static const struct prog_opt table[] = {
    {'d', "dir", "DIR", "directory of the central host (required)", set_dir},
    {'1', "once", NULL, "one pass over all monitors, then exit", set_once},
    {'n', "check", NULL, "only check the configuration", set_check},
    {0, "make-key", "FILE", "make a key unless there is one, print its pin",
	set_make_key},
    {'D', "daemon", NULL, "go to the background, log to syslog", set_daemon},
    {'v', "verbose", NULL, "say more; twice: even more", set_verbose},
    {0, NULL, NULL, NULL, NULL},
};

static const struct prog_usage usage = {
    .name = "datacli",
    .synopsis = "-d DIR [-1Dnv] CONFIG",
    .purpose = "Fetch the segments of all monitors and have them sorted.",
    .exit_code = EXIT_PERMANENT,
};

/* --- who dials ------------------------------------------------------------- */

static void
on_arrived(void *arg, struct gate_peer *peer)
{
	struct tls_conn *conn = peer->conn;
	struct monitor *m =
	    conn->has_pin ? monitor_by_pin(&cli.central, &conn->pin) : NULL;

	(void)arg;
	if (m == NULL)
		gate_refuse_key(cli.gate, peer);
	else if (monitor_take(m, peer->fd, conn) == -1)
		gate_refuse(cli.gate, peer, "busy",
		    "a pass is under way, or too many are");
}

/* --- the program ----------------------------------------------------------- */

static int
differs(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a != b : strcmp(a, b) != 0;
}

static void
on_hup(void *arg)
{
	struct settings fresh, *old = &cli.settings;

	(void)arg;
	if (settings_load(&fresh, cli.config) == -1) {
		log_warn("%s: the old configuration stays", cli.config);
		return;
	}
	if (differs(fresh.key, old->key) ||
	    differs(fresh.listen, old->listen) ||
	    differs(fresh.sorter, old->sorter))
		log_warn("%s: key, listen and sorter are read at start only",
		    cli.config);
	monitor_reload(&cli.central, &fresh);
	settings_clear(&fresh);
}

static int
run(void)
{
	struct central *c = &cli.central;
	int failed, listener = -1;

	c->base = prog_base();
	if (cli.settings.listen != NULL) {
		listener = gate_listen(cli.settings.listen);
		cli.gate = gate_new(&(struct gate_config){
		    c->base, listener, c->tls, on_arrived, NULL});
	}
	monitor_reload(c, &cli.settings);
	failed = prog_serve(c->base, on_hup, NULL);
	gate_free(cli.gate);
	while (c->monitors != NULL)
		failed |= monitor_free(c->monitors);
	if (listener != -1)
		close(listener);
	event_base_free(c->base);
	return c->once && failed ? EXIT_TEMPORARY : EXIT_DONE;
}

static void
load_settings(const char *path)
{
	cli.config = path;
	if (settings_load(&cli.settings, path) == -1)
		exit(EXIT_PERMANENT);
	if (cli.settings.count == 0)
		log_fatal(EXIT_PERMANENT, "%s: no monitor", path);
	if (cli.settings.key != NULL)
		cli.central.tls = gate_key(cli.settings.key);
	cli.central.sorter = cli.settings.sorter != NULL ? cli.settings.sorter
							 : (char *)"datasort";
}

int
main(int argc, char **argv)
{
	struct central *c = &cli.central;
	int first, lock, rc;

	log_init("datacli", 0, 0);
	first = prog_options(&usage, table, argc, argv, NULL);
	if (cli.make_key != NULL)
		return tls_make_key(cli.make_key);
	if (first != argc - 1 || (c->dir == NULL && !cli.check))
		log_fatal(EXIT_PERMANENT, "-d DIR and one CONFIG are needed");
	load_settings(argv[first]);
	if (cli.check)
		return EXIT_DONE;
	if (cli.daemon)
		prog_daemon();
	log_init("datacli", cli.daemon, cli.verbose);
	c->root = atomicfile_mkdir(AT_FDCWD, c->dir, 0755);
	if (c->root == -1)
		log_fatal(
		    prog_exit_code(errno), "%s: %s", c->dir, strerror(errno));
	lock = atomicfile_lock(c->root, "datacli.lock");
	if (lock == -1)
		log_fatal(EXIT_TEMPORARY, "%s/datacli.lock: %s", c->dir,
		    errno == EWOULDBLOCK ? "another data client is at work"
					 : strerror(errno));
	rc = run();
	close(lock);
	close(c->root);
	tls_free(c->tls);
	settings_clear(&cli.settings);
	return rc;
}
