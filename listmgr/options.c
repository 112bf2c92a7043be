/*
 * options: the command line of listmgr(8), and what of it goes together.
 */
#include "listmgr/options.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/chan.h"
#include "common/log.h"
#include "common/prog.h"
#include "common/scan.h"
#include "common/schedule.h"

#define UID_LAST (UINT32_MAX - SCHEDULE_LISTS_MAX - 1)

static const char *
opt_check(void *ctx, const char *arg)
{
	(void)arg;
	((struct options *)ctx)->check = 1;
	return NULL;
}

static const char *
opt_prober(void *ctx, const char *arg)
{
	((struct options *)ctx)->prober = arg;
	return chan_check(arg);
}

static const char *
opt_dir(void *ctx, const char *arg)
{
	struct stat st;

	((struct options *)ctx)->dir = arg;
	if (stat(arg, &st) == -1)
		return strerror(errno);
	if (!S_ISDIR(st.st_mode))
		return "not a directory";
	return access(arg, X_OK) == 0 ? NULL : strerror(errno);
}

static const char *
opt_user(void *ctx, const char *arg)
{
	((struct options *)ctx)->user = arg;
	return NULL;
}

static const char *
opt_pidfile(void *ctx, const char *arg)
{
	((struct options *)ctx)->pidfile = arg;
	return NULL;
}

static const char *
opt_daemon(void *ctx, const char *arg)
{
	(void)arg;
	((struct options *)ctx)->daemon = 1;
	return NULL;
}

static const char *
opt_exit(void *ctx, const char *arg)
{
	(void)arg;
	((struct options *)ctx)->say_exit = 1;
	return NULL;
}

static const char *
opt_users(void *ctx, const char *arg)
{
	struct options *o = ctx;

	if (scan_u32(arg, 1, UID_LAST, &o->first_uid) == -1)
		return "not a user id from 1 to 4294966294";
	return geteuid() == 0 ? NULL : "only root can give them away";
}

static const char *
opt_centre(void *ctx, const char *arg)
{
	((struct options *)ctx)->centre = arg;
	return NULL;
}

static const char *
opt_make_key(void *ctx, const char *arg)
{
	((struct options *)ctx)->make_key = arg;
	return NULL;
}

static const char *
opt_network(void *ctx, const char *arg)
{
	(void)arg;
	((struct options *)ctx)->network = 1;
	return NULL;
}

static const char *
opt_verbose(void *ctx, const char *arg)
{
	(void)arg;
	((struct options *)ctx)->verbose++;
	return NULL;
}

static const struct prog_opt options[] = {
    {'C', "centre", "SETTINGS", "follow a control server; no SCHEDULE then",
	opt_centre},
    {'D', "daemon", NULL, "run in the background, log to syslog; needs -p",
	opt_daemon},
    {'d', "directory", "DIR", "the generators' working directory", opt_dir},
    {0, "make-key", "FILE", "make a key unless there is one, print its pin",
	opt_make_key},
    {'n', "check", NULL, "check the schedule, print its canonical form",
	opt_check},
    {'N', "network", NULL, "the generators may use the network", opt_network},
    {'p', "prober", "SOCKET",
	"the Prober's socket: path or ip:port; default "
	"standard output",
	opt_prober},
    {'P', "pidfile", "FILE", "write the process id here", opt_pidfile},
    {'U', "users", "UID",
	"each generator is a user of its own, from this id on", opt_users},
    {'u', "user", "NAME", "become this user", opt_user},
    {'v', "verbose", NULL, "say more; twice: still more", opt_verbose},
    {'x', "exit", NULL, "when stopped, tell the Prober to exit", opt_exit},
    {0},
};

void
options_parse(struct options *o, int argc, char **argv)
{
	static const struct prog_usage usage = {"listmgr",
	    "[options] SCHEDULE | -C SETTINGS",
	    "run list generators and feed the Prober", EXIT_PERMANENT};
	int first = prog_options(&usage, options, argc, argv, o);

	if (o->make_key != NULL)
		return;
	if (argc - first != (o->centre == NULL))
		log_fatal(EXIT_PERMANENT,
		    "exactly one SCHEDULE is needed, or -C SETTINGS and none");
	o->path = argv[first];
	if (o->daemon && o->prober == NULL)
		log_fatal(EXIT_PERMANENT, "-D needs -p");
	if (o->user != NULL && o->first_uid != 0)
		log_fatal(EXIT_PERMANENT, "-U needs root: not with -u");
}
