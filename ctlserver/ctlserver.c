/*
 * ctlserver: wiring.  What it does is in ctlserver.h.
 */
#include "ctlserver/ctlserver.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>

#include "common/atomicfile.h"
#include "common/chan.h"
#include "common/gate.h"
#include "common/log.h"
#include "common/prog.h"

static struct {
	const char *dir, *listen, *key, *peers, *make_key, *user;
	int verbose, daemon, status;
} opts = {.dir = "."};

struct served {
	struct control ctl;
	struct gate *gate;
};

#define SETTER(name)                                              \
	static const char *set_##name(void *ctx, const char *arg) \
	{                                                         \
		(void)ctx;                                        \
		opts.name = arg;                                  \
		return NULL;                                      \
	}
#define COUNTER(name)                                             \
	static const char *set_##name(void *ctx, const char *arg) \
	{                                                         \
		(void)ctx;                                        \
		(void)arg;                                        \
		opts.name++;                                      \
		return NULL;                                      \
	}
SETTER(dir)
SETTER(listen)
SETTER(key)
SETTER(peers)
SETTER(make_key)
SETTER(user)
COUNTER(verbose)
COUNTER(daemon)
COUNTER(status)

static const struct prog_opt table[] = {
    {'d', "dir", "DIR", "the control repository (.)", set_dir},
    {'l', "listen", "ADDRESS", "IP:PORT to listen at", set_listen},
    {'K', "key", "FILE", "our key", set_key},
    {'p', "peers", "FILE", "the monitors: lines peer NAME pin=PIN", set_peers},
    {0, "make-key", "FILE", "make a key unless there is one, print its pin",
	set_make_key},
    {'s', "status", NULL, "one line per monitor, the most troubled first",
	set_status},
    {'u', "user", "NAME", "become this user", set_user},
    {'D', "daemon", NULL, "go to the background, log to syslog", set_daemon},
    {'v', "verbose", NULL, "say more; twice: even more", set_verbose},
    {0, NULL, NULL, NULL, NULL},
};

static const struct prog_usage usage = {
    .name = "ctlserver",
    .synopsis = "-l ADDRESS -K FILE -p FILE [-Dv] [-d DIR] [-u NAME] | "
		"--status [-d DIR]",
    .purpose = "Hand schedules, state and code to the monitors.",
    .exit_code = EXIT_PERMANENT,
};

static void
on_arrived(void *arg, struct gate_peer *peer)
{
	struct served *sv = arg;
	const struct tls_peer *who = tls_peers_who(&sv->ctl.peers, peer->conn);

	if (who == NULL)
		gate_refuse_key(sv->gate, peer);
	else if (checkin_new(&sv->ctl, peer->fd, &peer->conn->io, who,
		     peer->from) == -1)
		gate_refuse(sv->gate, peer, "busy", "too many sessions");
}

static void
on_hup(void *arg)
{
	struct served *sv = arg;

	if (tls_peers_load(&sv->ctl.peers, opts.peers) == -1)
		log_warn("%s: the old peers stay", opts.peers);
	else
		checkin_recheck(&sv->ctl);
}

static void
load_tls(struct control *ctl)
{
	ctl->tls = gate_key(opts.key);
	if (tls_peers_load(&ctl->peers, opts.peers) == -1)
		log_fatal(EXIT_PERMANENT, "%s: no peers", opts.peers);
}

static void
open_repo(struct control *ctl)
{
	if (repo_open(&ctl->repo, opts.dir, 0) == -1)
		log_fatal(prog_exit_code(errno),
		    "%s/published: %s (ctlpublish init makes it)", opts.dir,
		    strerror(errno));
	ctl->beats = atomicfile_mkdir(ctl->repo.root, "beats", 0755);
	if (ctl->beats == -1)
		log_fatal(prog_exit_code(errno), "%s/beats: %s", opts.dir,
		    strerror(errno));
	ctl->stamp = repo_stamp(&ctl->repo);
}

static void
serve(struct served *sv, int listener)
{
	sv->gate = gate_new(&(struct gate_config){
	    sv->ctl.base, listener, sv->ctl.tls, on_arrived, sv});
	checkin_begin(&sv->ctl);
	prog_serve(sv->ctl.base, on_hup, sv);
	gate_free(sv->gate);
	checkin_end(&sv->ctl);
}

static void
become_user(void)
{
	const char *why = opts.user != NULL ? prog_drop(opts.user, 0) : NULL;

	if (why != NULL)
		log_fatal(EXIT_PERMANENT, "user %s: %s", opts.user, why);
}

int
main(int argc, char **argv)
{
	struct served sv = {.gate = NULL};
	struct control *ctl = &sv.ctl;
	int listener;

	log_init("ctlserver", 0, 0);
	if (prog_options(&usage, table, argc, argv, NULL) != argc)
		log_fatal(EXIT_PERMANENT, "too many arguments");
	if (opts.make_key != NULL)
		return tls_make_key(opts.make_key);
	if (opts.status)
		return status_print(opts.dir);
	if (opts.listen == NULL || opts.key == NULL || opts.peers == NULL)
		log_fatal(EXIT_PERMANENT, "-l, -K and -p are needed");
	load_tls(ctl);
	if (opts.daemon)
		prog_daemon();
	log_init("ctlserver", opts.daemon, opts.verbose);
	listener = gate_listen(opts.listen);
	become_user();
	open_repo(ctl);
	ctl->base = prog_base();
	serve(&sv, listener);
	repo_close(&ctl->repo);
	close(ctl->beats);
	tls_peers_clear(&ctl->peers);
	tls_free(ctl->tls);
	event_base_free(ctl->base);
	close(listener);
	return EXIT_DONE;
}
