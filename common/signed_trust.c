#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/atomicfile.h"
#include "common/crcline.h"
#include "common/scan.h"
#include "common/segment_dir.h"
#include "common/signed_own.h"
#include "common/xmalloc.h"

#define SEEN_FILE_MAX 4096 /* bytes */
#define SEEN_WORDS (1 + 3 * SIGNED_KINDS)
#define NO_TEXT_BEFORE "there is no %s yet"

void
signed_trust_init(struct signed_trust *tr, const char *monitor,
    const struct signed_key *anchor)
{
	memset(tr, 0, sizeof(*tr));
	tr->monitor = monitor;
	tr->anchor.list[0] = *anchor;
	tr->anchor.count = 1;
}

void
signed_trust_clear(struct signed_trust *tr)
{
	signed_release_clear(&tr->release);
	memset(tr, 0, sizeof(*tr));
}

/* --- what holds for every kind ---------------------------------------------- */

static int
check_version(const struct signed_trust *tr, const struct signed_head *h,
    const uint8_t *sha, struct signed_fault *f)
{
	const struct signed_seen *seen = &tr->seen[h->kind];

	if (h->version < seen->version)
		return signed_fail(f, SIGNED_OLDER, 1,
		    "version %" PRIu64 " comes after %" PRIu64 " has been seen",
		    h->version, seen->version);
	if (h->version == seen->version &&
	    memcmp(sha, seen->sha, SIGNED_SHA_LEN) != 0)
		return signed_fail(f, SIGNED_CHANGED, 1,
		    "version %" PRIu64 " has been seen with another text",
		    h->version);
	return 0;
}

static int
check_expiry(const struct signed_trust *tr, int64_t expires_s, const char *what,
    struct signed_fault *f)
{
	if (tr->now_s == 0 || expires_s == 0 || tr->now_s < expires_s)
		return 0;
	return signed_fail(f, SIGNED_EXPIRED, 1, "%s expired %" PRId64 " s ago",
	    what, tr->now_s - expires_s);
}

static void
saw(struct signed_trust *tr, const struct signed_head *h, const uint8_t *sha)
{
	tr->seen[h->kind].version = h->version;
	memcpy(tr->seen[h->kind].sha, sha, SIGNED_SHA_LEN);
}

/* As signed_open(), with what holds for every kind but root. */
static char *
open_text(const struct signed_trust *tr, const struct signed_text *t,
    enum signed_kind kind, struct signed_head *h, struct signed_fault *f)
{
	uint8_t sha[SIGNED_SHA_LEN];
	char *body;

	if (tr->root.version == 0) {
		signed_fail(f, SIGNED_MISSING, 0, NO_TEXT_BEFORE, "root");
		return NULL;
	}
	body = signed_open(t, kind, &tr->root.role[kind], h, f);
	if (body == NULL)
		return NULL;
	signed_sha(t->text, t->len, sha);
	if (kind == SIGNED_ASSIGN && tr->monitor != NULL &&
	    strcmp(h->monitor, tr->monitor) != 0)
		signed_fail(f, SIGNED_FOREIGN, 1, "is for %s, not for %s",
		    h->monitor, tr->monitor);
	else if (check_version(tr, h, sha, f) == 0 &&
	    check_expiry(tr, tr->root.expires_s, "its root", f) == 0 &&
	    check_expiry(tr, h->expires_s, "it", f) == 0)
		return body;
	free(body);
	return NULL;
}

static void
saw_text(struct signed_trust *tr, const struct signed_head *h,
    const struct signed_text *t)
{
	uint8_t sha[SIGNED_SHA_LEN];

	signed_sha(t->text, t->len, sha);
	saw(tr, h, sha);
}

/* --- root ------------------------------------------------------------------ */

/* Has a key of FROM no place in TO? */
static int
lost_key(const struct signed_keys *from, const struct signed_keys *to)
{
	for (size_t i = 0; i < from->count; i++) {
		if (!signed_keys_have(to, &from->list[i]))
			return 1;
	}
	return 0;
}

static void
forget_roles(struct signed_trust *tr, const struct signed_root *fresh)
{
	for (int k = 0; k < SIGNED_KINDS; k++) {
		if (k == SIGNED_ROOT || tr->root.version == 0 ||
		    !lost_key(&tr->root.role[k], &fresh->role[k]))
			continue;
		memset(&tr->seen[k], 0, sizeof(tr->seen[k]));
		if (k == SIGNED_RELEASE)
			signed_release_clear(&tr->release);
		if (k == SIGNED_STOP)
			tr->stop.version = 0;
	}
}

/* Who may sign the text with head H and hash SHA.  NULL, which is whoever the
 * text itself names, when it has been taken before. */
static const struct signed_keys *
root_signers(const struct signed_trust *tr, const struct signed_head *h,
    const uint8_t *sha)
{
	const struct signed_seen *seen = &tr->seen[SIGNED_ROOT];

	if (h->version == seen->version &&
	    memcmp(seen->sha, sha, SIGNED_SHA_LEN) == 0)
		return NULL;
	return tr->root.version == 0 ? &tr->anchor : &tr->root.next;
}

/* One after the other; the first may be any, when none was seen. */
static int
check_order(const struct signed_trust *tr, const struct signed_head *h,
    struct signed_fault *f)
{
	uint64_t last = tr->seen[SIGNED_ROOT].version;

	if (tr->root.version == 0 && last != 0 && h->version != last)
		return signed_fail(f, SIGNED_MISSING, 1,
		    "root %" PRIu64 ", which has been seen, must come first",
		    last);
	if (tr->root.version != 0 && h->version > tr->root.version + 1)
		return signed_fail(f, SIGNED_MISSING, 1,
		    "root %" PRIu64 " must come before it",
		    tr->root.version + 1);
	return 0;
}

int
signed_take_root(struct signed_trust *tr, const struct signed_text *t,
    struct signed_fault *f)
{
	uint8_t sha[SIGNED_SHA_LEN];
	struct signed_root fresh;
	struct signed_head h;
	char *body;
	int rc = -1;

	if (signed_peek(t, &h, f) == -1)
		return -1;
	signed_sha(t->text, t->len, sha);
	body = signed_open(t, SIGNED_ROOT, root_signers(tr, &h, sha), &h, f);
	if (body == NULL)
		return -1;
	if (check_version(tr, &h, sha, f) == 0 && check_order(tr, &h, f) == 0 &&
	    check_expiry(tr, h.expires_s, "it", f) == 0)
		rc = signed_root_parse(&h, body, &fresh, f);
	free(body);
	if (rc == -1)
		return -1;
	forget_roles(tr, &fresh);
	tr->root = fresh;
	saw(tr, &h, sha);
	return 0;
}

/* --- the others ------------------------------------------------------------ */

int
signed_take_stop(struct signed_trust *tr, const struct signed_text *t,
    struct signed_fault *f)
{
	struct signed_head h;
	char *body = open_text(tr, t, SIGNED_STOP, &h, f);
	int rc;

	if (body == NULL)
		return -1;
	rc = signed_stop_parse(&h, body, &tr->stop, f);
	free(body);
	if (rc == 0)
		saw_text(tr, &h, t);
	return rc;
}

int
signed_take_release(struct signed_trust *tr, const struct signed_text *t,
    struct signed_fault *f)
{
	struct signed_release fresh;
	struct signed_head h;
	char *body = open_text(tr, t, SIGNED_RELEASE, &h, f);
	int rc;

	if (body == NULL)
		return -1;
	rc = signed_release_parse(&h, body, &fresh, f);
	free(body);
	if (rc == -1)
		return -1;
	signed_release_clear(&tr->release);
	tr->release = fresh;
	saw_text(tr, &h, t);
	return 0;
}

int
signed_take_assign(struct signed_trust *tr, const struct signed_text *t,
    struct signed_assign *out, struct signed_fault *f)
{
	struct signed_head h;
	char *body = open_text(tr, t, SIGNED_ASSIGN, &h, f);
	int rc = -1;

	if (body == NULL)
		return -1;
	if (tr->release.version == 0)
		signed_fail(f, SIGNED_MISSING, 0, NO_TEXT_BEFORE, "release");
	else if (check_expiry(tr, tr->release.expires_s, "its release", f) == 0)
		rc = signed_assign_parse(&h, body, &tr->release, out, f);
	free(body);
	if (rc == 0)
		saw_text(tr, &h, t);
	return rc;
}

/* --- seen ------------------------------------------------------------------ */

int
signed_seen_save(const struct signed_trust *tr, int dirfd, const char *path)
{
	char hex[SIGNED_KINDS][2 * SIGNED_SHA_LEN + 1], *line;
	const struct signed_seen *s = tr->seen;
	int rc, saved;

	_Static_assert(SIGNED_KINDS == 4, "as many as are printed below");
	for (int k = 0; k < SIGNED_KINDS; k++)
		segment_dir_hex(hex[k], s[k].sha, SIGNED_SHA_LEN);
	line =
	    crcline_printf("seen root %" PRIu64 " %s stop %" PRIu64
			   " %s release %" PRIu64 " %s assign %" PRIu64 " %s",
		s[0].version, hex[0], s[1].version, hex[1], s[2].version,
		hex[2], s[3].version, hex[3]);
	rc = atomicfile_write(dirfd, path, line, strlen(line), 0644);
	saved = errno;
	free(line);
	errno = saved;
	return rc;
}

static int
parse_seen(struct signed_seen *seen, char *line)
{
	char *words[SEEN_WORDS];

	if (line[0] == '\0' || line[strlen(line) - 1] != '\n')
		return -1;
	line[strlen(line) - 1] = '\0';
	if (crcline_check(line) != NULL ||
	    scan_words(line, words, SEEN_WORDS) != SEEN_WORDS)
		return -1;
	for (int k = 0; k < SIGNED_KINDS; k++) {
		if (strcmp(words[1 + 3 * k],
			signed_kind_name((enum signed_kind)k)) != 0 ||
		    scan_u64(words[2 + 3 * k], 0, INT64_MAX,
			&seen[k].version) == -1 ||
		    segment_dir_unhex(
			words[3 + 3 * k], seen[k].sha, SIGNED_SHA_LEN) == -1)
			return -1;
	}
	return 0;
}

int
signed_seen_load(struct signed_trust *tr, int dirfd, const char *path)
{
	struct signed_seen seen[SIGNED_KINDS];
	char *line;
	size_t len;
	int rc;

	memset(tr->seen, 0, sizeof(tr->seen));
	if (atomicfile_read(dirfd, path, SEEN_FILE_MAX, &line, &len) == -1)
		return errno == ENOENT ? 0 : -1;
	rc = strlen(line) == len ? parse_seen(seen, line) : -1;
	free(line);
	if (rc == -1) {
		errno = EBADMSG;
		return -1;
	}
	memcpy(tr->seen, seen, sizeof(seen));
	return 0;
}
