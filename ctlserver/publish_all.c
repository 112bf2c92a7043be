#include "ctlserver/ctlpublish.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/xmalloc.h"

#define CANARIES_MAX (64u << 10) /* bytes of their names */

static int64_t
now(void)
{
	return clock_wall_ns() / NS_PER_SEC;
}

/* --- root ---------------------------------------------------------------------- */

int
publish_trust(const struct repo *repo, struct signed_trust *tr)
{
	struct signed_head h = {.kind = SIGNED_ROOT};
	struct signed_key nobody = {{0}};
	struct signed_text t = {NULL, 0};
	struct repo_set set = {{0}};
	struct signed_fault f;
	int rc = -1;

	signed_trust_init(tr, NULL, &nobody);
	if (repo_get(repo, "none", 0, &set) == -1)
		log_warn("published/common: %s", strerror(errno));
	h.version = set.version[SIGNED_ROOT];
	if (h.version == 0)
		log_warn("there is no root: ctlpublish init makes it");
	else if (repo_text(repo, &h, &t) == -1)
		log_warn("root %" PRIu64 ": %s", h.version, strerror(errno));
	else if (signed_peek(&t, &h, &f) == 0) {
		/* What is here is ours; its monitors have their own anchor. */
		tr->anchor.list[0] = h.signer;
		tr->now_s = now();
		rc = signed_take_root(tr, &t, &f);
	}
	if (rc == -1 && t.text != NULL)
		log_warn("root %" PRIu64 ": %s", h.version, f.text);
	free((char *)t.text);
	return rc;
}

/* --- stop ---------------------------------------------------------------------- */

/* Is TEXT what the monitors will take?  Then put it, and switch. */
static int
put_stop(struct repo *repo, char *text, uint64_t version)
{
	struct signed_text t = {text, strlen(text)};
	struct repo_set set = {{0}};
	struct signed_trust tr;
	struct signed_fault f;
	int rc = publish_trust(repo, &tr);

	if (rc == 0 && signed_take_stop(&tr, &t, &f) == -1) {
		log_warn("stop would be refused: %s", f.text);
		rc = -1;
	}
	signed_trust_clear(&tr);
	if (rc == -1)
		return -1;
	rc = repo_get(repo, "none", 0, &set);
	set.version[SIGNED_STOP] = version;
	if (rc == 0 && repo_text_put(repo, &t) == 0 &&
	    repo_put_common(repo, &set) == 0 && repo_touch(repo) == 0)
		return 0;
	log_warn("published: %s", strerror(errno));
	return -1;
}

int
publish_stop(struct repo *repo, const char *keys, int stop, const char *reason)
{
	uint64_t version = repo_text_last(repo, SIGNED_STOP, "") + 1;
	int dir = open(keys, O_RDONLY | O_DIRECTORY | O_CLOEXEC), rc;
	const char *why = strerror(errno);
	struct keys_key *key = NULL;
	char *text, *whole;

	if (dir != -1) {
		key = keys_role(dir, "release", &why);
		close(dir);
	}
	if (key == NULL) {
		log_warn("%s/release.key: %s", keys, why);
		return -1;
	}
	text = xasprintf("signed stop %" PRIu64 "\nprobing %s \"%s\"\n",
	    version, stop ? "stop" : "go", reason);
	whole = keys_sign(key, text);
	rc = put_stop(repo, whole, version);
	if (rc == 0)
		printf("stop %" PRIu64 ": %s\n", version,
		    stop ? "all monitors stop probing" : "probing goes on");
	keys_free(key);
	free(text);
	free(whole);
	return rc;
}

/* --- promotion ----------------------------------------------------------------- */

/* Why the canary NAME has not been well for AFTER_S; NULL: it has. */
static const char *
not_yet(const struct repo *repo, int beats, const char *name, int64_t after_s)
{
	static char why[256];
	struct repo_set set = {{0}};
	const char *trouble;
	struct beat b;
	int64_t now_s = now(), well_s;
	uint64_t have;

	if (repo_get(repo, name, 0, &set) == -1)
		return strerror(errno);
	beat_load(beats, name, &b);
	trouble = beat_trouble(&b, now_s);
	well_s = b.well_s;
	have = beat_number(&b, "assign");
	if (trouble != NULL && strcmp(trouble, "list held") == 0)
		trouble = beat_bad_why(&b, why, sizeof(why));
	beat_free(&b);
	if (trouble != NULL)
		return trouble;
	if (have != set.version[SIGNED_ASSIGN])
		snprintf(why, sizeof(why),
		    "has assign %" PRIu64 ", not yet %" PRIu64, have,
		    set.version[SIGNED_ASSIGN]);
	else if (well_s == 0 || now_s - well_s < after_s)
		snprintf(why, sizeof(why),
		    "well for %" PRId64 " s, not %" PRId64,
		    well_s == 0 ? 0 : now_s - well_s, after_s);
	else
		return NULL;
	return why;
}

/* 0, or 1 when one is not ready. */
static int
ask_canaries(const struct repo *repo, int64_t after_s, int say)
{
	int beats =
	    openat(repo->root, "beats", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char *text, *name;
	const char *why;
	size_t len;
	int early = 0;

	if (atomicfile_read(repo->dir, "canaries", CANARIES_MAX, &text, &len) ==
	    -1)
		text = xstrdup("");
	for (name = strtok(text, "\n"); name != NULL;
	     name = strtok(NULL, "\n")) {
		why = not_yet(repo, beats, name, after_s);
		if (why == NULL)
			continue;
		early = 1;
		if (say)
			printf("canary %s: %s\n", name, why);
	}
	free(text);
	if (beats != -1)
		close(beats);
	return early;
}

int
publish_promote(struct repo *repo, int64_t after_s, int say)
{
	size_t n;
	char **names = repo_names(repo->waiting, &n);
	int rc = 0;

	if (n == 0)
		printf("nobody waits\n");
	else if (after_s >= 0)
		rc = ask_canaries(repo, after_s, say);
	for (size_t i = 0; i < n && rc == 0; i++) {
		rc = repo_promote(repo, names[i]);
		if (rc == -1)
			log_warn("published/waiting/%s: %s", names[i],
			    strerror(errno));
		else
			printf("%s: promoted\n", names[i]);
	}
	if (n > 0 && rc == 0)
		rc = repo_touch(repo);
	repo_names_free(names, n);
	return rc;
}
