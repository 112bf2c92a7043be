/*
 * datasort: wiring.  What it does is in datasort.h.
 */
#include "datasort/datasort.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/conf.h"
#include "common/log.h"
#include "common/prog.h"
#include "common/scan.h"
#include "common/xmalloc.h"

#define GRACE_S (6 * 3600) /* records of the last hours are on their way */

static struct {
	const char *dir, *conf;
	int verbose;
} opts = {.dir = NULL};

static struct sorter_config cfg = {.grace_s = GRACE_S};

/* --- datasort.conf -------------------------------------------------------- */

static const char *
conf_compress(void *ctx, char **words, int nwords, int line)
{
	(void)ctx, (void)nwords, (void)line;
	if (strcmp(words[1], "gzip") != 0 && strcmp(words[1], "none") != 0)
		return "is neither gzip nor none";
	cfg.compress = strcmp(words[1], "gzip") == 0;
	return NULL;
}

static const char *
conf_grace(void *ctx, char **words, int nwords, int line)
{
	int64_t ns;

	(void)ctx, (void)nwords, (void)line;
	if (scan_duration(words[1], NS_PER_SEC, &ns) == -1)
		return "is not a duration";
	cfg.grace_s = ns / NS_PER_SEC;
	return NULL;
}

static const char *
conf_schedules(void *ctx, char **words, int nwords, int line)
{
	(void)ctx, (void)nwords, (void)line;
	cfg.schedules = xstrdup(words[1]);
	return NULL;
}

static const struct conf_key keys[] = {
    {"compress", 1, 1, 1, conf_compress, "compress gzip|none"},
    {"grace", 1, 1, 1, conf_grace, "grace DURATION"},
    {"schedules", 1, 1, 1, conf_schedules, "schedules DIRECTORY"},
    {NULL, 0, 0, 0, NULL, NULL},
};

/* The file that was named, or DIR/datasort.conf if there is one. */
static void
load_conf(void)
{
	char path[4096];

	snprintf(path, sizeof(path), "%s/datasort.conf", opts.dir);
	if (opts.conf == NULL && access(path, F_OK) == -1 && errno == ENOENT)
		return;
	if (conf_load(opts.conf != NULL ? opts.conf : path, keys, NULL,
		conf_log_error, NULL) > 0)
		log_fatal(EXIT_PERMANENT, "the configuration is not usable");
}

/* --- options -------------------------------------------------------------- */

static const char *
set_dir(void *ctx, const char *arg)
{
	(void)ctx;
	opts.dir = arg;
	return NULL;
}

static const char *
set_conf(void *ctx, const char *arg)
{
	(void)ctx;
	opts.conf = arg;
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

static const struct prog_opt table[] = {
    {'d', "dir", "DIR", "directory of the central host (required)", set_dir},
    {'c', "conf", "FILE", "configuration, for DIR/datasort.conf", set_conf},
    {'v', "verbose", NULL, "say more; twice: even more", set_verbose},
    {0, NULL, NULL, NULL, NULL},
};

static const struct prog_usage usage = {
    .name = "datasort",
    .synopsis = "-d DIR [-c FILE] [-v] [MONITOR...]",
    .purpose = "File the records of fetched segments in the archive.",
    .exit_code = EXIT_PERMANENT,
};

static int
sort_all(void)
{
	int fd =
	    openat(cfg.root, "incoming", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *e;
	DIR *dir;
	int rc = 0;

	if (fd == -1 && errno == ENOENT)
		return 0;
	dir = fd == -1 ? NULL : fdopendir(fd);
	if (dir == NULL)
		log_fatal(prog_exit_code(errno), "%s/incoming: %s", opts.dir,
		    strerror(errno));
	for (;;) {
		errno = 0;
		e = readdir(dir);
		if (e == NULL)
			break;
		if (scan_name(e->d_name) == 0 &&
		    sorter_run(&cfg, e->d_name) == -1)
			rc = -1;
	}
	if (errno != 0) {
		log_warn("%s/incoming: %s", opts.dir, strerror(errno));
		rc = -1;
	}
	closedir(dir);
	return rc;
}

int
main(int argc, char **argv)
{
	int first, rc = 0;

	log_init("datasort", 0, 0);
	first = prog_options(&usage, table, argc, argv, NULL);
	log_init("datasort", 0, opts.verbose);
	if (opts.dir == NULL)
		log_fatal(EXIT_PERMANENT, "no directory given (-d)");
	load_conf();
	cfg.root = open(opts.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cfg.root == -1)
		log_fatal(
		    prog_exit_code(errno), "%s: %s", opts.dir, strerror(errno));
	for (int i = first; i < argc; i++) {
		if (scan_name(argv[i]) == -1)
			log_fatal(EXIT_PERMANENT,
			    "%s: is not the name of a monitor", argv[i]);
	}
	if (first == argc && sort_all() == -1)
		rc = -1;
	for (int i = first; i < argc; i++) {
		if (sorter_run(&cfg, argv[i]) == -1)
			rc = -1;
	}
	close(cfg.root);
	return rc == 0 ? EXIT_DONE : EXIT_TEMPORARY;
}
