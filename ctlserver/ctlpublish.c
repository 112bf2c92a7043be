/*
 * ctlpublish: the operator's tool: check what was edited, show what it changes,
 * sign and publish it, go back.  Options and commands; what they do is in
 * ctlpublish.h.
 *
 *	edit ──► check ──► diff ──► publish ─────────────────► all monitors
 *	                              │ --canary: canaries      ▲
 *	                              └── they report well ── promote
 *	                 rollback, withdraw, stop, resume
 */
#include "ctlserver/ctlpublish.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/prog.h"
#include "common/scan.h"
#include "common/segment_dir.h"

#define PROMOTE_PAUSE_S 1 /* between two looks at the canaries */

static struct {
	const char *dir, *keys;
	int one_key, canary, wait, force;
	int64_t after_s;
	uint32_t keep;
} opts = {.dir = ".", .keys = "keys", .keep = 20};

/* --- options ------------------------------------------------------------------ */

static const char *
set_dir(void *ctx, const char *arg)
{
	(void)ctx;
	opts.dir = arg;
	return NULL;
}

static const char *
set_keys(void *ctx, const char *arg)
{
	(void)ctx;
	opts.keys = arg;
	return NULL;
}

static const char *
set_after(void *ctx, const char *arg)
{
	int64_t ns;

	(void)ctx;
	if (scan_duration(arg, NS_PER_SEC, &ns) == -1)
		return "is not a duration";
	opts.after_s = ns / NS_PER_SEC;
	return NULL;
}

static const char *
set_keep(void *ctx, const char *arg)
{
	(void)ctx;
	return scan_u32(arg, 2, UINT32_MAX, &opts.keep) == -1
	    ? "is not a number of publications, from 2 on"
	    : NULL;
}

static const char *
set_one_key(void *ctx, const char *arg)
{
	(void)ctx;
	(void)arg;
	opts.one_key = 1;
	return NULL;
}

static const char *
set_canary(void *ctx, const char *arg)
{
	(void)ctx;
	(void)arg;
	opts.canary = 1;
	return NULL;
}

static const char *
set_wait(void *ctx, const char *arg)
{
	(void)ctx;
	(void)arg;
	opts.wait = 1;
	return NULL;
}

static const char *
set_force(void *ctx, const char *arg)
{
	(void)ctx;
	(void)arg;
	opts.force = 1;
	return NULL;
}

static const struct prog_opt table[] = {
    {'d', "dir", "DIR", "the control repository (.)", set_dir},
    {'k', "keys", "FOLDER", "where the keys are (keys, in DIR)", set_keys},
    {0, "one-key", NULL, "init: one key for all roles", set_one_key},
    {'c', "canary", NULL,
	"publish, rollback: to the canaries only; the others wait", set_canary},
    {'a', "after", "TIME", "promote: when the canaries were well so long (0)",
	set_after},
    {'w', "wait", NULL, "promote: wait until they were", set_wait},
    {'f', "force", NULL, "promote: without asking them", set_force},
    {0, "keep", "N", "publications that can be gone back to (20)", set_keep},
    {0, NULL, NULL, NULL, NULL},
};

static const struct prog_usage usage = {
    .name = "ctlpublish",
    .synopsis = "[-d DIR] [-k FOLDER] init | check | diff | publish | promote "
		"| rollback [NUMBER] | withdraw HASH | stop [REASON] | resume "
		"[REASON] | renew [ROLE] | log",
    .purpose = "Check, sign and publish what the monitors do.",
    .exit_code = EXIT_PERMANENT,
};

/* --- commands ----------------------------------------------------------------- */

static int
take_lock(const struct repo *repo)
{
	int lock = atomicfile_lock(repo->dir, "lock");

	if (lock == -1)
		log_fatal(EXIT_TEMPORARY, "%s/published/lock: %s", opts.dir,
		    errno == EWOULDBLOCK ? "another ctlpublish is at work"
					 : strerror(errno));
	return lock;
}

static const char release_template[] =
    "# What all schedules can count on, and what none can raise.\n"
    "# See ctlpublish(8); `ctlpublish check' says what is wrong.\n"
    "#\n"
    "installed listgen-file\n"
    "caps * rate=100 deadman=7d\n"
    "#dnp 192.0.2.0/24\n"
    "#dnp-file do-not-probe.txt\n"
    "#canary ams-nl\n"
    "#life release=365d assign=30d\n";

static int
make_folders(void)
{
	static const char *const names[] = {
	    "monitors", "groups", "files", "code", "beats"};
	int fd;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		fd = atomicfile_mkdir(AT_FDCWD, names[i], 0755);
		if (fd == -1) {
			log_warn("%s: %s", names[i], strerror(errno));
			return -1;
		}
		close(fd);
	}
	if (access("release", F_OK) == 0)
		return 0;
	if (atomicfile_write(AT_FDCWD, "release", release_template,
		strlen(release_template), 0644) == 0)
		return 0;
	log_warn("release: %s", strerror(errno));
	return -1;
}

static int
run_init(struct repo *repo, const char *arg)
{
	char buf[SIGNED_KEY_STRLEN];
	struct repo_set set;
	struct signed_trust tr;

	(void)arg;
	if (repo_get(repo, "none", 0, &set) == -1 ||
	    set.version[SIGNED_ROOT] != 0) {
		log_warn("%s is a control repository already", opts.dir);
		/* Who has a new monitor wants to know it again. */
		if (publish_trust(repo, &tr) == 0)
			printf("root %s\n",
			    signed_key_str(&tr.anchor.list[0], buf));
		signed_trust_clear(&tr);
		return EXIT_PERMANENT;
	}
	if (make_folders() == -1 ||
	    root_init(repo, opts.keys, opts.one_key) == -1)
		return EXIT_PERMANENT;
	return EXIT_DONE;
}

static int
run_check(struct repo *repo, const char *arg)
{
	struct plan p = {.keys = opts.keys};
	int ok = plan_tree(&p, repo, 0) == 0 && plan_check(&p) == 0;

	(void)arg;
	if (ok)
		printf("%zu monitor%s, no error\n", p.nassigns,
		    p.nassigns == 1 ? "" : "s");
	plan_clear(&p);
	return ok ? EXIT_DONE : EXIT_PERMANENT;
}

static int
run_diff(struct repo *repo, const char *arg)
{
	struct plan p = {.keys = opts.keys};
	int ok = plan_tree(&p, repo, 0) == 0;

	(void)arg;
	if (ok && !plan_print(&p))
		printf("nothing is changed\n");
	ok = ok && plan_check(&p) == 0;
	plan_clear(&p);
	return ok ? EXIT_DONE : EXIT_PERMANENT;
}

/* Show P and carry it out. */
static int
publish(struct plan *p, int canary)
{
	size_t n;
	char **waiting = repo_names(p->repo->waiting, &n);

	repo_names_free(waiting, n);
	if (plan_check(p) > 0) {
		log_warn("nothing is published");
		return EXIT_PERMANENT;
	}
	if (!plan_print(p) && n == 0) {
		printf("nothing is changed\n");
		/* But who switched it may have been killed before saying so. */
		return repo_touch(p->repo) == 0 ? EXIT_DONE : EXIT_TEMPORARY;
	}
	if (publish_plan(p, canary) == -1)
		return EXIT_PERMANENT;
	prune(p->repo, &(struct prune){opts.keep, p->now_s});
	return EXIT_DONE;
}

/* If there are to be canaries: are there any? */
static int
has_canary(const struct plan *p)
{
	if (opts.canary && p->tree.ncanaries == 0)
		log_warn("release: no canary line");
	return !opts.canary || p->tree.ncanaries > 0;
}

static int
run_publish(struct repo *repo, const char *arg)
{
	struct plan p = {.keys = opts.keys, .what = "publish"};
	int code = EXIT_PERMANENT;

	/* Of renew, which role. */
	if (arg != NULL)
		p.what = *arg == 'r' ? "renew release" : "renew assign";
	if (plan_tree(&p, repo, 1) == 0 && has_canary(&p))
		code = publish(&p, opts.canary);
	plan_clear(&p);
	return code;
}

static int
run_promote(struct repo *repo, const char *arg)
{
	int64_t after_s = opts.force ? -1 : opts.after_s;
	int lock, rc, say = 1;

	(void)arg;
	for (;;) {
		lock = take_lock(repo);
		rc = publish_promote(repo, after_s, say);
		fflush(stdout);
		/* While we wait, others may publish, or stop all. */
		close(lock);
		if (rc != 1 || !opts.wait)
			break;
		say = 0;
		sleep(PROMOTE_PAUSE_S);
	}
	return rc == 0 ? EXIT_DONE : rc == 1 ? EXIT_TEMPORARY : EXIT_PERMANENT;
}

/* The publication before the last. */
static uint64_t
one_before(const struct repo *repo)
{
	uint64_t last = publish_last(repo);

	return last == 0 ? 0 : last - 1;
}

static int
run_rollback(struct repo *repo, const char *arg)
{
	uint64_t number = one_before(repo);
	struct plan p = {.keys = opts.keys};
	int code = EXIT_PERMANENT;
	char what[40];

	if (arg != NULL && scan_u64(arg, 1, INT64_MAX, &number) == -1)
		number = 0;
	if (number == 0) {
		log_warn("no such publication: see ctlpublish log");
		return EXIT_PERMANENT;
	}
	snprintf(what, sizeof(what), "rollback %" PRIu64, number);
	p.what = what;
	if (plan_history(&p, repo, number) == 0 && has_canary(&p))
		code = publish(&p, opts.canary);
	if (code == EXIT_DONE)
		printf(
		    "your files are as they were: ctlpublish diff shows what "
		    "the next publish would bring again\n");
	plan_clear(&p);
	return code;
}

static int
run_withdraw(struct repo *repo, const char *arg)
{
	struct plan p = {.keys = opts.keys};
	uint8_t sha[SIGNED_SHA_LEN];
	int code = EXIT_PERMANENT;
	char what[40];

	if (segment_dir_unhex(arg, sha, sizeof(sha)) == -1) {
		log_warn(
		    "%s: is not a SHA-256 of 64 lower-case hex digits", arg);
		return EXIT_PERMANENT;
	}
	snprintf(what, sizeof(what), "withdraw %.8s...", arg);
	p.what = what;
	if (plan_without(&p, repo, sha) == 0)
		code = publish(&p, 0);
	plan_clear(&p);
	return code;
}

static int
run_stop(struct repo *repo, const char *arg)
{
	return publish_stop(repo, opts.keys, 1, arg == NULL ? "" : arg) == 0
	    ? EXIT_DONE
	    : EXIT_PERMANENT;
}

static int
run_resume(struct repo *repo, const char *arg)
{
	return publish_stop(repo, opts.keys, 0, arg == NULL ? "" : arg) == 0
	    ? EXIT_DONE
	    : EXIT_PERMANENT;
}

/* A stop that the old release key has signed must be said again. */
static int
say_stop_again(struct repo *repo)
{
	struct signed_head h = {.kind = SIGNED_STOP};
	struct repo_set set;
	struct signed_text t;
	struct signed_stop stop;
	struct signed_fault f;
	char *body;
	int rc = -1;

	if (repo_get(repo, "none", 0, &set) == -1)
		return -1;
	h.version = set.version[SIGNED_STOP];
	if (h.version == 0)
		return 0;
	if (repo_text(repo, &h, &t) == -1)
		return -1;
	body = signed_open(&t, SIGNED_STOP, NULL, &h, &f);
	if (body != NULL && signed_stop_parse(&h, body, &stop, &f) == 0)
		rc = publish_stop(repo, opts.keys, stop.stopped, stop.reason);
	free(body);
	free((char *)t.text);
	return rc;
}

static int
run_renew(struct repo *repo, const char *arg)
{
	if (arg != NULL && strcmp(arg, "release") != 0 &&
	    strcmp(arg, "assign") != 0) {
		log_warn("%s: is neither release nor assign", arg);
		return EXIT_PERMANENT;
	}
	if (root_renew(repo, opts.keys, arg) == -1)
		return EXIT_PERMANENT;
	if (arg == NULL)
		return EXIT_DONE;
	if (arg[0] == 'r' && say_stop_again(repo) == -1)
		return EXIT_PERMANENT;
	return run_publish(repo, arg);
}

static int
run_log(struct repo *repo, const char *arg)
{
	(void)arg;
	publish_log(repo);
	return EXIT_DONE;
}

static const struct command {
	const char *name;
	int min, max; /* arguments */
	int makes; /* the repository need not be there */
	int locks; /* while it runs no other may */
	int (*run)(struct repo *repo, const char *arg);
} commands[] = {
    {"init", 0, 0, 1, 1, run_init},
    {"check", 0, 0, 0, 0, run_check},
    {"diff", 0, 0, 0, 0, run_diff},
    {"publish", 0, 0, 0, 1, run_publish},
    {"promote", 0, 0, 0, 0, run_promote},
    {"rollback", 0, 1, 0, 1, run_rollback},
    {"withdraw", 1, 1, 0, 1, run_withdraw},
    {"stop", 0, 1, 0, 1, run_stop},
    {"resume", 0, 1, 0, 1, run_resume},
    {"renew", 0, 1, 0, 1, run_renew},
    {"log", 0, 0, 0, 0, run_log},
};

static const struct command *
find_command(int argc, char **argv)
{
	size_t i, n = sizeof(commands) / sizeof(commands[0]);

	for (i = 0; i < n && argc > 0; i++) {
		if (strcmp(argv[0], commands[i].name) != 0)
			continue;
		if (argc - 1 < commands[i].min || argc - 1 > commands[i].max)
			log_fatal(EXIT_PERMANENT,
			    "%s: wrong number of arguments", argv[0]);
		return &commands[i];
	}
	if (argc > 0)
		log_fatal(EXIT_PERMANENT, "%s: no such command", argv[0]);
	prog_print_usage(&usage, table, 0);
	exit(EXIT_PERMANENT);
}

int
main(int argc, char **argv)
{
	const struct command *c;
	struct repo repo;
	int first, lock = -1, code;

	log_init("ctlpublish", 0, 0);
	first = prog_options(&usage, table, argc, argv, NULL);
	c = find_command(argc - first, argv + first);
	/* All names in messages are then those of the operator's files. */
	if (chdir(opts.dir) == -1)
		log_fatal(EXIT_PERMANENT, "%s: %s", opts.dir, strerror(errno));
	if (repo_open(&repo, ".", c->makes) == -1)
		log_fatal(EXIT_PERMANENT,
		    "%s/published: %s (ctlpublish init makes it)", opts.dir,
		    strerror(errno));
	if (c->locks)
		lock = take_lock(&repo);
	code = c->run(&repo, argv[first + 1]);
	if (lock != -1)
		close(lock);
	repo_close(&repo);
	if (fflush(stdout) != 0) {
		log_warn("standard output: %s", strerror(errno));
		code = EXIT_TEMPORARY;
	}
	return code;
}
