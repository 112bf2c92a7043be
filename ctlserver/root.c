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
#include "common/keyfile.h"
#include "common/log.h"
#include "common/xmalloc.h"

#define ROOT_LIFE_S (10 * 365LL * 86400)

static const char *const roles[] = {"root", "release", "assign", "next"};
#define NROLES (sizeof(roles) / sizeof(roles[0]))

static const enum signed_kind role_kinds[] = {
    SIGNED_ROOT, SIGNED_RELEASE, SIGNED_ASSIGN};

static int
open_keys(const char *path, int make)
{
	int dir = make ? atomicfile_mkdir(AT_FDCWD, path, 0700)
		       : open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dir == -1)
		log_warn("%s: %s", path, strerror(errno));
	return dir;
}

static void
print_keys(FILE *f, const char *what, const struct signed_keys *keys)
{
	char buf[SIGNED_KEY_STRLEN];

	for (size_t i = 0; i < keys->count; i++)
		fprintf(
		    f, "%s %s\n", what, signed_key_str(&keys->list[i], buf));
}

static char *
print_root(const struct signed_root *r)
{
	char *text = NULL, what[32];
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		abort();
	fprintf(f, "signed root %" PRIu64 " expires=%" PRId64 "\n", r->version,
	    (int64_t)(clock_wall_ns() / NS_PER_SEC + ROOT_LIFE_S));
	for (size_t i = 0; i < sizeof(role_kinds) / sizeof(role_kinds[0]);
	     i++) {
		snprintf(what, sizeof(what), "key %s", roles[i]);
		print_keys(f, what, &r->role[role_kinds[i]]);
	}
	print_keys(f, "next", &r->next);
	if (fclose(f) != 0)
		abort();
	return text;
}

static void
set_key(struct signed_keys *keys, const struct keys_key *key)
{
	keys->list[0] = *keys_public(key);
	keys->count = 1;
}

/* Sign R with KEY, see that who holds TR takes it (NULL: nobody yet), put it,
 * and switch all monitors to it. */
static int
put_root(struct repo *repo, const struct signed_root *r,
    const struct keys_key *key, struct signed_trust *tr)
{
	char *text = print_root(r), *whole = keys_sign(key, text);
	struct signed_text t = {whole, strlen(whole)};
	struct repo_set set = {{0}};
	struct signed_fault f;
	int rc = tr == NULL ? 0 : signed_take_root(tr, &t, &f);

	free(text);
	if (rc == -1)
		log_warn("root %" PRIu64 " would be refused: %s", r->version,
		    f.text);
	else {
		rc = repo_get(repo, "none", 0, &set);
		set.version[SIGNED_ROOT] = r->version;
		if (rc == 0)
			rc = repo_text_put(repo, &t);
		if (rc == 0)
			rc = repo_put_common(repo, &set);
		if (rc == -1)
			log_warn("published: %s", strerror(errno));
	}
	free(whole);
	return rc;
}

/* --- the first ----------------------------------------------------------------- */

static int
make_key(int dir, const char *path, const char *name)
{
	if (keyfile_make(dir, name) == 0 || errno == EEXIST)
		return 0;
	log_warn("%s/%s: %s", path, name, strerror(errno));
	return -1;
}

/* All keys as named above, which the caller frees. */
static int
load_all(int dir, const char *path, struct keys_key *keys[NROLES])
{
	const char *why;

	for (size_t i = 0; i < NROLES; i++) {
		keys[i] = keys_role(dir, roles[i], &why);
		if (keys[i] != NULL)
			continue;
		log_warn("%s/%s.key: %s", path, roles[i], why);
		return -1;
	}
	return 0;
}

static int
first(struct repo *repo, int dir, const char *path)
{
	struct keys_key *keys[NROLES] = {NULL};
	struct signed_root r = {.version = 1};
	char buf[SIGNED_KEY_STRLEN];
	int rc = load_all(dir, path, keys);

	for (size_t i = 0; i < NROLES && rc == 0; i++)
		set_key(i < 3 ? &r.role[role_kinds[i]] : &r.next, keys[i]);
	if (rc == 0)
		rc = put_root(repo, &r, keys[0], NULL);
	if (rc == 0)
		printf("root %s\n", signed_key_str(keys_public(keys[0]), buf));
	for (size_t i = 0; i < NROLES; i++)
		keys_free(keys[i]);
	return rc;
}

int
root_init(struct repo *repo, const char *path, int one_key)
{
	int dir = open_keys(path, 1), rc;
	char name[32];

	if (dir == -1)
		return -1;
	rc = one_key ? make_key(dir, path, "all.key") : 0;
	for (size_t i = 0; i < NROLES && rc == 0 && !one_key; i++) {
		snprintf(name, sizeof(name), "%s.key", roles[i]);
		rc = make_key(dir, path, name);
	}
	if (rc == 0)
		rc = first(repo, dir, path);
	close(dir);
	return rc;
}

/* --- the next ------------------------------------------------------------------ */

/* A new key for what is called WHAT, in the file WHAT.new until the root that
 * names it is current. */
static int
new_key(int dir, const char *path, const char *what, struct signed_keys *keys)
{
	struct keys_key *key;
	const char *why;
	char name[32];

	snprintf(name, sizeof(name), "%s.new", what);
	if (make_key(dir, path, name) == -1)
		return -1;
	key = keys_load(dir, name, &why);
	if (key == NULL) {
		log_warn("%s/%s: %s", path, name, why);
		return -1;
	}
	set_key(keys, key);
	keys_free(key);
	return 0;
}

/* Only if it is there. */
static int
rename_key(int dir, const char *from, const char *to)
{
	if (faccessat(dir, from, F_OK, 0) == -1 && errno == ENOENT)
		return 0;
	return atomicfile_rename(dir, from, dir, to);
}

/* Is the key in the file NAME one of KEYS? */
static int
is_one_of(int dir, const char *name, const struct signed_keys *keys)
{
	const char *why;
	struct keys_key *key = keys_load(dir, name, &why);
	int is = key != NULL && signed_keys_have(keys, keys_public(key));

	keys_free(key);
	return is;
}

/* The root NOW is current: the new keys that it names take their places.  Others
 * are of a renewal that came to nothing. */
static int
keep_new(int dir, const struct signed_root *now)
{
	if (is_one_of(dir, "release.new", &now->role[SIGNED_RELEASE]) &&
	    rename_key(dir, "release.new", "release.key") == -1)
		return -1;
	if (is_one_of(dir, "assign.new", &now->role[SIGNED_ASSIGN]) &&
	    rename_key(dir, "assign.new", "assign.key") == -1)
		return -1;
	/* In this order, so that a kill in between can be told below. */
	if (!is_one_of(dir, "next.new", &now->next))
		return 0;
	if (rename_key(dir, "next.key", "root.key") == -1)
		return -1;
	return rename_key(dir, "next.new", "next.key");
}

/* Was a renewal killed behind the switch?  Then 1, and it is finished. */
static int
was_killed(int dir, const struct signed_root *now)
{
	return is_one_of(dir, "next.new", &now->next) &&
	    keep_new(dir, now) == 0;
}

static int
renew(struct repo *repo, const char *path, int dir, const char *role,
    struct signed_trust *tr)
{
	struct signed_root r = tr->root;
	const char *why;
	struct keys_key *key = keys_role(dir, "next", &why);
	int one_key = faccessat(dir, "next.key", F_OK, 0) == -1, rc = 0;

	if (key == NULL) {
		log_warn("%s/next.key: %s", path, why);
		return -1;
	}
	r.version++;
	if (!one_key) {
		set_key(&r.role[SIGNED_ROOT], key);
		rc = new_key(dir, path, "next", &r.next);
	}
	if (rc == 0 && role != NULL)
		rc = new_key(dir, path, role,
		    &r.role[role[0] == 'r' ? SIGNED_RELEASE : SIGNED_ASSIGN]);
	if (rc == 0)
		rc = put_root(repo, &r, key, tr);
	if (rc == 0)
		rc = keep_new(dir, &tr->root);
	keys_free(key);
	return rc;
}

int
root_renew(struct repo *repo, const char *path, const char *role)
{
	struct signed_trust tr;
	int dir = open_keys(path, 0), rc = -1;

	if (dir == -1)
		return -1;
	if (publish_trust(repo, &tr) == 0) {
		rc = was_killed(dir, &tr.root)
		    ? 0
		    : renew(repo, path, dir, role, &tr);
		if (rc == 0)
			printf("root %" PRIu64 "\n", tr.root.version);
	}
	if (rc == 0)
		rc = repo_touch(repo);
	signed_trust_clear(&tr);
	close(dir);
	return rc;
}
