#include "common/ledger.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/atomicfile.h"
#include "common/crcline.h"
#include "common/scan.h"
#include "common/segment_dir.h"
#include "common/xmalloc.h"

#define LEDGER_MAX (1u << 30) /* bytes */
#define WORDS_MAX 12

static const char *const outcomes[] = {
    [LEDGER_FILED] = "filed",
    [LEDGER_VOID] = "void",
    [LEDGER_REFUSED] = "refused",
    [LEDGER_CONFLICT] = "conflict",
};

char *
ledger_format(const struct ledger_entry *e)
{
	char sha[2 * SEGMENT_SHA_LEN + 1], resume[40] = "";

	if (e->resumed)
		snprintf(
		    resume, sizeof(resume), " resume=%" PRIu64, e->resume_last);
	return crcline_printf("%" PRIu64 " %s %" PRIu64 " %" PRIu64
			      " %s bytes=%" PRIu64 " quarantined=%" PRIu64 "%s",
	    e->number, outcomes[e->outcome], e->first, e->last,
	    segment_dir_hex(sha, e->sha, sizeof(e->sha)), e->bytes,
	    e->quarantined, resume);
}

/* key=value words; unknown ones are newer than this program. */
static int
scan_keys(char **words, int n, struct ledger_entry *e)
{
	const char *value;

	for (int i = 0; i < n; i++) {
		value = scan_keyvalue(words[i], "quarantined");
		if (value != NULL &&
		    scan_u64(value, 0, UINT64_MAX, &e->quarantined) == -1)
			return -1;
		value = scan_keyvalue(words[i], "resume");
		if (value == NULL)
			continue;
		e->resumed = 1;
		if (scan_u64(value, 0, UINT64_MAX, &e->resume_last) == -1)
			return -1;
	}
	return 0;
}

const char *
ledger_scan(char *line, struct ledger_entry *e)
{
	const char *why = crcline_check(line);
	char *words[WORDS_MAX];
	int n;

	if (why != NULL)
		return why;
	memset(e, 0, sizeof(*e));
	n = scan_words(line, words, WORDS_MAX);
	if (n < 5 || scan_u64(words[0], 1, UINT64_MAX, &e->number) == -1 ||
	    scan_u64(words[2], 0, UINT64_MAX, &e->first) == -1 ||
	    scan_u64(words[3], 0, UINT64_MAX, &e->last) == -1 ||
	    segment_dir_unhex(words[4], e->sha, sizeof(e->sha)) == -1 ||
	    scan_keys(words + 5, n - 5, e) == -1)
		return "is not a ledger line";
	for (size_t i = 0; i < sizeof(outcomes) / sizeof(outcomes[0]); i++) {
		if (strcmp(words[1], outcomes[i]) == 0) {
			e->outcome = i;
			return NULL;
		}
	}
	return "has an unknown outcome";
}

static int
find_in(char *text, uint64_t number, struct ledger_entry *e)
{
	char *line, *save = NULL, want[24];
	size_t len;

	/* Only lines that claim to be the one asked for are taken apart. */
	len = (size_t)snprintf(want, sizeof(want), "%" PRIu64 " ", number);
	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, want, len) != 0)
			continue;
		if (ledger_scan(line, e) != NULL) {
			errno = EBADMSG;
			return -1;
		}
		if (e->outcome != LEDGER_CONFLICT)
			return 1;
	}
	return 0;
}

int
ledger_find(
    int dirfd, const char *path, uint64_t number, struct ledger_entry *e)
{
	char *text;
	size_t len;
	int rc, saved;

	if (atomicfile_read(dirfd, path, LEDGER_MAX, &text, &len) == -1)
		return errno == ENOENT ? 0 : -1;
	rc = find_in(text, number, e);
	saved = errno;
	free(text);
	errno = saved;
	return rc;
}

static int
each_in(
    char *text, int (*each)(void *arg, const struct ledger_entry *e), void *arg)
{
	struct ledger_entry e;
	char *line, *save = NULL;
	int rc;

	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (ledger_scan(line, &e) != NULL) {
			errno = EBADMSG;
			return -1;
		}
		rc = each(arg, &e);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
ledger_each(int dirfd, const char *path,
    int (*each)(void *arg, const struct ledger_entry *e), void *arg)
{
	char *text;
	size_t len;
	int rc, saved;

	if (atomicfile_read(dirfd, path, LEDGER_MAX, &text, &len) == -1)
		return errno == ENOENT ? 0 : -1;
	rc = each_in(text, each, arg);
	saved = errno;
	free(text);
	errno = saved;
	return rc;
}
