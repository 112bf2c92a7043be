/*
 * datasort: wiring.  What it does is in datasort.h.
 */
#include "datasort/datasort.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "common/prog.h"
#include "common/scan.h"

static struct {
	const char *dir;
	int verbose;
} opts = {.dir = NULL};

static const char *
set_dir(void *ctx, const char *arg)
{
	(void)ctx;
	opts.dir = arg;
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
    {'v', "verbose", NULL, "say more; twice: even more", set_verbose},
    {0, NULL, NULL, NULL, NULL},
};

static const struct prog_usage usage = {
    .name = "datasort",
    .synopsis = "-d DIR [-v] [MONITOR...]",
    .purpose = "File the records of fetched segments in the archive.",
    .exit_code = EXIT_PERMANENT,
};

static int
sort_all(int root)
{
	int fd = openat(root, "incoming", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct dirent *e;
	DIR *dir;
	int rc = 0;

	if (fd == -1 && errno == ENOENT)
		return 0;
	dir = fd == -1 ? NULL : fdopendir(fd);
	if (dir == NULL)
		log_fatal(EXIT_PERMANENT, "%s/incoming: %s", opts.dir,
		    strerror(errno));
	while ((e = readdir(dir)) != NULL) {
		if (scan_name(e->d_name) == 0 &&
		    sorter_run(root, e->d_name) == -1)
			rc = -1;
	}
	closedir(dir);
	return rc;
}

int
main(int argc, char **argv)
{
	int first, root, rc = 0;

	log_init("datasort", 0, 0);
	first = prog_options(&usage, table, argc, argv, NULL);
	log_init("datasort", 0, opts.verbose);
	if (opts.dir == NULL)
		log_fatal(EXIT_PERMANENT, "no directory given (-d)");
	root = open(opts.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root == -1)
		log_fatal(EXIT_PERMANENT, "%s: %s", opts.dir, strerror(errno));
	for (int i = first; i < argc; i++) {
		if (scan_name(argv[i]) == -1)
			log_fatal(EXIT_PERMANENT,
			    "%s: is not the name of a monitor", argv[i]);
	}
	if (first == argc && sort_all(root) == -1)
		rc = -1;
	for (int i = first; i < argc; i++) {
		if (sorter_run(root, argv[i]) == -1)
			rc = -1;
	}
	close(root);
	return rc == 0 ? EXIT_DONE : EXIT_TEMPORARY;
}
