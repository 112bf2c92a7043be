#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/crcline.h"
#include "common/ledger.h"
#include "common/scan.h"
#include "common/segment_dir.h"
#include "datasort/datasort.h"

#define NOTE_MAX 4096 /* bytes */

/* The note "VERB SHA-256 #check" that the client left about NUMBER: 1, 0 if
 * there is none, -1 with errno.  One that is damaged goes (logged): the client
 * makes it again in its next pass, because the monitor still says the same. */
static int
read_note(const struct sorter *s, const char *verb, struct ledger_entry *e)
{
	char name[SEGMENT_DIR_NAME], suffix[16], *text, *words[2];
	size_t len;
	int rc = 0;

	snprintf(suffix, sizeof(suffix), ".%s", verb);
	segment_dir_name(name, e->number, suffix);
	if (atomicfile_read(s->incoming, name, NOTE_MAX, &text, &len) == -1)
		return errno == ENOENT ? 0 : -1;
	text[strcspn(text, "\n")] = '\0';
	if (crcline_check(text) == NULL && scan_words(text, words, 2) == 2 &&
	    strcmp(words[0], verb) == 0 &&
	    segment_dir_unhex(words[1], e->sha, sizeof(e->sha)) == 0)
		rc = 1;
	else
		sorter_warn(s, e->number, suffix, "is damaged; removed");
	free(text);
	if (rc == 0)
		return atomicfile_unlink(s->incoming, name);
	return rc;
}

static const char *
ledger_path(const struct sorter *s, char *buf)
{
	snprintf(
	    buf, ARCHIVE_PATH_MAX, "state/%s/%s/ledger", s->monitor, s->epoch);
	return buf;
}

static int
write_line(struct plan *p, const struct ledger_entry *e)
{
	char path[ARCHIVE_PATH_MAX];

	return archive_line(
	    &p->files, ledger_path(p->s, path), ledger_format(e));
}

int
plan_refused(struct plan *p, uint64_t number)
{
	struct ledger_entry e = {.number = number, .outcome = LEDGER_REFUSED};
	int rc = read_note(p->s, "refused", &e);

	if (rc != 1)
		return rc;
	if (write_line(p, &e) == -1)
		return -1;
	p->table.filed = number;
	return 1;
}

static int
is_same(void *arg, const struct ledger_entry *e)
{
	const struct ledger_entry *want = arg;

	return e->number == want->number && e->outcome == want->outcome &&
	    memcmp(e->sha, want->sha, sizeof(e->sha)) == 0;
}

/* One conflict: a line, unless the ledger has it.  As plan_conflicts(). */
static int
plan_conflict(struct plan *p, uint64_t number)
{
	struct ledger_entry e = {.number = number, .outcome = LEDGER_CONFLICT};
	char path[ARCHIVE_PATH_MAX], name[SEGMENT_DIR_NAME];
	int rc = read_note(p->s, "conflict", &e);

	if (rc != 1)
		return rc;
	rc = ledger_each(p->s->cfg->root, ledger_path(p->s, path), is_same, &e);
	if (rc == -1)
		return -1;
	if (rc == 0)
		return write_line(p, &e) == -1 ? -1 : 1;
	/* Known: nothing will be committed that removes the note. */
	unlinkat(
	    p->s->incoming, segment_dir_name(name, number, ".conflict"), 0);
	return 0;
}

int
plan_conflicts(struct plan *p)
{
	uint64_t *list;
	ssize_t n = segment_dir_list(p->s->incoming, ".conflict", &list);
	int count = 0, rc;

	for (ssize_t i = 0; i < n && count != -1; i++) {
		if (list[i] > p->table.filed)
			continue;
		rc = plan_conflict(p, list[i]);
		count = rc == -1 ? -1 : count + rc;
	}
	free(list);
	return n == -1 ? -1 : count;
}
