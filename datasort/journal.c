#include "datasort/datasort.h"

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

#define JOURNAL "journal"
#define JOURNAL_MAX (64u << 20) /* bytes */
#define WORDS_MAX 8

/* --- writing -------------------------------------------------------------- */

static void
add_line(struct wbuf *b, char *line)
{
	wbuf_bytes(b, line, strlen(line));
	free(line);
}

static void
add_target(struct wbuf *b, const struct archive_target *t)
{
	char stop[2 * ARCHIVE_STOP_LEN + 1] = "-";

	if (!t->exists) {
		add_line(b, crcline_printf("absent %s", t->path));
		return;
	}
	if (t->closed)
		segment_dir_hex(stop, t->stop, ARCHIVE_STOP_LEN);
	add_line(b,
	    crcline_printf(
		"target %s %" PRIu64 " %s", t->path, t->length, stop));
}

int
journal_write(int state, const struct archive_plan *p, uint64_t commit)
{
	struct wbuf b;
	size_t count = 0;
	int rc;

	wbuf_init(&b);
	add_line(&b, crcline_printf("journal 2 %" PRIu64, commit));
	for (size_t i = 0; i < p->count; i++) {
		if (!archive_changes(p->targets[i]))
			continue;
		add_target(&b, p->targets[i]);
		count++;
	}
	add_line(&b, crcline_printf("end %zu", count));
	rc = atomicfile_write(state, JOURNAL, b.p, b.len, 0644);
	wbuf_clear(&b);
	return rc;
}

/* --- reading and undoing -------------------------------------------------- */

struct entry {
	const char *path; /* in the journal's text */
	int exists;
	uint64_t length;
	int closed;
	uint8_t stop[ARCHIVE_STOP_LEN];
};

struct journal {
	char *text;
	uint64_t commit;
	struct entry *entries;
	size_t count;
	int ended;
};

static const char *
scan_head(struct journal *j, char **words)
{
	if (j->commit != 0 || strcmp(words[1], "2") != 0 ||
	    scan_u64(words[2], 1, UINT64_MAX, &j->commit) == -1)
		return "bad first line";
	return NULL;
}

static struct entry *
new_entry(struct journal *j, const char *path)
{
	struct entry *e;

	j->entries =
	    xreallocarray(j->entries, j->count + 1, sizeof(*j->entries));
	e = &j->entries[j->count++];
	memset(e, 0, sizeof(*e));
	e->path = path;
	return e;
}

static const char *
scan_absent(struct journal *j, char **words)
{
	new_entry(j, words[1]);
	return NULL;
}

static const char *
scan_target(struct journal *j, char **words)
{
	struct entry *e = new_entry(j, words[1]);

	e->exists = 1;
	if (scan_u64(words[2], 0, INT64_MAX, &e->length) == -1)
		return "bad length";
	if (strcmp(words[3], "-") == 0)
		return NULL;
	e->closed = 1;
	if (segment_dir_unhex(words[3], e->stop, sizeof(e->stop)) == -1 ||
	    e->length < ARCHIVE_STOP_LEN)
		return "bad cycle stop";
	return NULL;
}

static const char *
scan_end(struct journal *j, char **words)
{
	uint64_t n;

	if (scan_u64(words[1], 0, UINT64_MAX, &n) == -1 || n != j->count)
		return "targets are missing";
	j->ended = 1;
	return NULL;
}

static const struct {
	const char *name;
	int words;
	const char *(*scan)(struct journal *j, char **words);
} verbs[] = {
    {"journal", 3, scan_head},
    {"absent", 2, scan_absent},
    {"target", 4, scan_target},
    {"end", 2, scan_end},
};

static const char *
scan_line(struct journal *j, char *line)
{
	const char *why = crcline_check(line);
	char *words[WORDS_MAX];
	int n;

	if (why != NULL)
		return why;
	n = scan_words(line, words, WORDS_MAX);
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (n == verbs[i].words && strcmp(words[0], verbs[i].name) == 0)
			return j->ended ? "lines behind the end"
					: verbs[i].scan(j, words);
	}
	return "unknown line";
}

/* NULL, or a static reason. */
static const char *
scan_journal(struct journal *j)
{
	char *line, *save = NULL;
	const char *why;

	for (line = strtok_r(j->text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		why = scan_line(j, line);
		if (why != NULL)
			return why;
	}
	if (j->commit == 0 || !j->ended)
		return "journal is cut short";
	return NULL;
}

static int
undo(int root, const struct journal *j)
{
	const struct entry *e;

	for (size_t i = 0; i < j->count; i++) {
		e = &j->entries[i];
		if (archive_undo(root, e->path, e->exists, e->length,
			e->closed ? e->stop : NULL) == -1)
			return -1;
	}
	return 0;
}

static int
recover(int root, struct journal *j, uint64_t commit, const char **why)
{
	*why = scan_journal(j);
	if (*why != NULL) {
		errno = EBADMSG;
		return -1;
	}
	if (j->commit <= commit)
		return 0;
	*why = "cannot undo";
	return undo(root, j) == -1 ? -1 : 1;
}

int
journal_recover(int root, int state, uint64_t commit, const char **why)
{
	struct journal j = {.text = NULL};
	size_t len;
	int rc, saved;

	*why = "cannot read";
	if (atomicfile_read(state, JOURNAL, JOURNAL_MAX, &j.text, &len) == -1)
		return errno == ENOENT ? 0 : -1;
	rc = recover(root, &j, commit, why);
	saved = errno;
	free(j.entries);
	free(j.text);
	errno = saved;
	if (rc != -1 && journal_remove(state) == -1)
		return -1;
	return rc;
}

int
journal_remove(int state)
{
	return atomicfile_unlink(state, JOURNAL);
}
