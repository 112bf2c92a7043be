#include "datasort/datasort.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/atomicfile.h"
#include "common/crcline.h"
#include "common/scan.h"
#include "common/xmalloc.h"

#define TABLE "filed"
#define TABLE_MAX (64u << 20) /* bytes */
#define LOG_MAX (1u << 30) /* bytes of the account log */
#define WORDS_MAX 16
#define NUMBERS (TABLE_NUMBERS + SEGMENT_REASONS) /* of one account */

/* --- rows ----------------------------------------------------------------- */

static void
row_copy(struct table_row *to, const struct table_row *from)
{
	*to = *from;
	to->open = NULL;
	if (from->nopen > 0)
		to->open =
		    xmemdup(from->open, from->nopen * sizeof(*from->open));
}

void
table_clear(struct table *t)
{
	for (size_t i = 0; i < t->n; i++)
		free(t->rows[i].open);
	free(t->rows);
	memset(t, 0, sizeof(*t));
}

void
table_copy(struct table *to, const struct table *from)
{
	*to = *from;
	to->rows = NULL;
	if (from->n > 0)
		to->rows = xcalloc(from->n, sizeof(*to->rows));
	for (size_t i = 0; i < from->n; i++)
		row_copy(&to->rows[i], &from->rows[i]);
}

struct table_row *
table_find(const struct table *t, uint32_t list, uint32_t cycle)
{
	for (size_t i = t->n; i > 0; i--) {
		if (t->rows[i - 1].list == list &&
		    t->rows[i - 1].cycle == cycle)
			return &t->rows[i - 1];
	}
	return NULL;
}

struct table_row *
table_add(struct table *t, const struct table_row *row)
{
	t->rows = xreallocarray(t->rows, t->n + 1, sizeof(*t->rows));
	row_copy(&t->rows[t->n], row);
	return &t->rows[t->n++];
}

void
table_drop(struct table *t, struct table_row *row)
{
	free(row->open);
	*row = t->rows[--t->n];
}

void
table_window(struct table_row *row, uint32_t window, int open)
{
	size_t i = 0;

	while (i < row->nopen && row->open[i] != window)
		i++;
	if (open && i == row->nopen) {
		row->open = xreallocarray(row->open, i + 1, sizeof(*row->open));
		row->open[row->nopen++] = window;
	} else if (!open && i < row->nopen) {
		row->open[i] = row->open[--row->nopen];
	}
}

/* Did the Prober begin anew?  Then what it says is less than what was said. */
static int
began_anew(const struct segment_account *old, const struct segment_account *now)
{
	if (now->accepted < old->accepted || now->recorded < old->recorded)
		return 1;
	for (int i = 0; i < SEGMENT_REASONS; i++) {
		if (now->refused[i] < old->refused[i])
			return 1;
	}
	return 0;
}

void
table_say(
    struct table_row *row, const struct segment_account *a, int64_t wall_ns)
{
	struct segment_account *b = &row->before;
	const struct segment_account *old = &row->said;

	if (began_anew(old, a)) {
		b->accepted += old->accepted;
		b->recorded += old->recorded;
		b->active += old->active + old->held + old->queued;
		for (int i = 0; i < SEGMENT_REASONS; i++)
			b->refused[i] += old->refused[i];
	}
	row->said = *a;
	row->said_ns = wall_ns;
}

/* --- a row as a line ------------------------------------------------------ */

static void
print_account(struct wbuf *b, const char *key, const struct segment_account *a)
{
	wbuf_printf(b, " %s=%ju:%ju:%ju:%ju:%ju", key, (uintmax_t)a->accepted,
	    (uintmax_t)a->recorded, (uintmax_t)a->held, (uintmax_t)a->queued,
	    (uintmax_t)a->active);
	for (int i = 0; i < SEGMENT_REASONS; i++)
		wbuf_printf(b, ":%ju", (uintmax_t)a->refused[i]);
}

char *
table_row_line(const struct table_row *row)
{
	struct wbuf b;
	char *line;

	wbuf_init(&b);
	wbuf_printf(&b,
	    "cycle %" PRIu32 " %" PRIu32 " segments=%ju-%ju archived=%ju"
	    " quarantined=%ju stop=%" PRIu32 " at=%jd",
	    row->list, row->cycle, (uintmax_t)row->first_segment,
	    (uintmax_t)row->last_segment, (uintmax_t)row->archived,
	    (uintmax_t)row->quarantined, row->stop, (intmax_t)row->said_ns);
	print_account(&b, "said", &row->said);
	print_account(&b, "before", &row->before);
	wbuf_printf(&b, " open=%s", row->nopen == 0 ? "-" : "");
	for (size_t i = 0; i < row->nopen; i++)
		wbuf_printf(&b, "%s%" PRIu32, i == 0 ? "" : ",", row->open[i]);
	wbuf_u8(&b, '\0');
	line = crcline_make((const char *)b.p);
	wbuf_clear(&b);
	return line;
}

/* COUNT numbers with SEP between them, in place.  0 or -1. */
static int
scan_numbers(char *text, char sep, uint64_t *out, size_t count)
{
	char *end;

	for (size_t i = 0; i < count; i++) {
		if (text == NULL)
			return -1;
		end = strchr(text, sep);
		if (end != NULL)
			*end++ = '\0';
		if (scan_u64(text, 0, UINT64_MAX, &out[i]) == -1)
			return -1;
		text = end;
	}
	return text == NULL ? 0 : -1;
}

static int
scan_account(char *text, struct segment_account *a)
{
	uint64_t n[NUMBERS];

	if (scan_numbers(text, ':', n, NUMBERS) == -1)
		return -1;
	a->accepted = n[0];
	a->recorded = n[1];
	a->held = n[2];
	a->queued = n[3];
	a->active = n[4];
	memcpy(a->refused, n + TABLE_NUMBERS, sizeof(a->refused));
	return 0;
}

static int
scan_open(char *text, struct table_row *row)
{
	uint32_t window;
	char *save = NULL;

	if (strcmp(text, "-") == 0)
		return 0;
	for (text = strtok_r(text, ",", &save); text != NULL;
	     text = strtok_r(NULL, ",", &save)) {
		if (scan_u32(text, 0, UINT32_MAX, &window) == -1)
			return -1;
		table_window(row, window, 1);
	}
	return 0;
}

static const char *const keys[] = {"segments", "archived", "quarantined",
    "stop", "at", "said", "before", "open"};
#define KEYS (sizeof(keys) / sizeof(keys[0]))

/* The values behind list and cycle, in their order. */
static int
scan_values(char **v, struct table_row *row)
{
	uint64_t segments[2], at;

	if (scan_numbers(v[0], '-', segments, 2) == -1 ||
	    scan_u64(v[1], 0, UINT64_MAX, &row->archived) == -1 ||
	    scan_u64(v[2], 0, UINT64_MAX, &row->quarantined) == -1 ||
	    scan_u32(v[3], 0, UINT32_MAX, &row->stop) == -1 ||
	    scan_u64(v[4], 0, INT64_MAX, &at) == -1 ||
	    scan_account(v[5], &row->said) == -1 ||
	    scan_account(v[6], &row->before) == -1)
		return -1;
	row->first_segment = segments[0];
	row->last_segment = segments[1];
	row->said_ns = (int64_t)at;
	return scan_open(v[7], row);
}

/* The words of a row's line.  0, or -1 with *ROW empty. */
static int
scan_row(char **words, int n, struct table_row *row)
{
	char *values[KEYS];

	memset(row, 0, sizeof(*row));
	if (n != 3 + (int)KEYS ||
	    scan_u32(words[1], 0, UINT32_MAX, &row->list) == -1 ||
	    scan_u32(words[2], 0, UINT32_MAX, &row->cycle) == -1)
		return -1;
	for (size_t i = 0; i < KEYS; i++) {
		values[i] = (char *)scan_keyvalue(words[3 + i], keys[i]);
		if (values[i] == NULL)
			return -1;
	}
	if (scan_values(values, row) == 0)
		return 0;
	free(row->open);
	memset(row, 0, sizeof(*row));
	return -1;
}

/* --- the file ------------------------------------------------------------- */

static void
add_line(struct wbuf *b, char *line)
{
	wbuf_bytes(b, line, strlen(line));
	free(line);
}

int
table_write(int state, const struct table *t)
{
	struct wbuf b;
	int rc;

	wbuf_init(&b);
	add_line(&b, crcline_printf("filed %" PRIu64, t->filed));
	add_line(&b, crcline_printf("commit %" PRIu64, t->commit));
	for (size_t i = 0; i < t->n; i++)
		add_line(&b, table_row_line(&t->rows[i]));
	add_line(&b, crcline_printf("end %zu", t->n));
	rc = atomicfile_write(state, TABLE, b.p, b.len, 0644);
	wbuf_clear(&b);
	return rc;
}

/* Line number I of the file, and how many follow "end".  0 or -1. */
static int
read_line(struct table *t, size_t i, char *line, int *ended)
{
	char *words[WORDS_MAX];
	struct table_row row;
	uint64_t count;
	int n;

	if (*ended || crcline_check(line) != NULL)
		return -1;
	n = scan_words(line, words, WORDS_MAX);
	if (n < 2)
		return -1;
	if (i < 2)
		return n == 2 && strcmp(words[0], i ? "commit" : "filed") == 0
		    ? scan_u64(words[1], 0, UINT64_MAX - 1,
			  i ? &t->commit : &t->filed)
		    : -1;
	if (strcmp(words[0], "end") == 0) {
		*ended = 1;
		return scan_u64(words[1], t->n, t->n, &count);
	}
	if (strcmp(words[0], "cycle") != 0 || scan_row(words, n, &row) == -1)
		return -1;
	table_add(t, &row);
	free(row.open);
	return 0;
}

static int
read_lines(struct table *t, char *text)
{
	char *line, *save = NULL;
	int ended = 0;
	size_t i = 0;

	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (read_line(t, i++, line, &ended) == -1)
			return -1;
	}
	return ended ? 0 : -1;
}

int
table_read(int state, struct table *t)
{
	char *text;
	size_t len;
	int rc;

	memset(t, 0, sizeof(*t));
	if (atomicfile_read(state, TABLE, TABLE_MAX, &text, &len) == -1)
		return errno == ENOENT ? 0 : -1;
	rc = read_lines(t, text);
	free(text);
	if (rc == 0)
		return 0;
	table_clear(t);
	errno = EBADMSG;
	return -1;
}

/* Is LINE that of the cycle?  Only such lines are taken apart. */
static int
is_of(const char *line, uint32_t list, uint32_t cycle)
{
	char want[40];
	size_t len;

	len = (size_t)snprintf(
	    want, sizeof(want), "cycle %" PRIu32 " %" PRIu32 " ", list, cycle);
	return strncmp(line, want, len) == 0;
}

/* The last line of TEXT that is of the cycle; 1, 0 or -1. */
static int
find_last(char *text, uint32_t list, uint32_t cycle, struct table_row *row)
{
	char *line, *save = NULL, *last = NULL, *words[WORDS_MAX];

	for (line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (is_of(line, list, cycle))
			last = line;
	}
	if (last == NULL)
		return 0;
	if (crcline_check(last) != NULL ||
	    scan_row(words, scan_words(last, words, WORDS_MAX), row) == -1) {
		errno = EBADMSG;
		return -1;
	}
	return 1;
}

int
table_past(int state, uint32_t list, uint32_t cycle, struct table_row *row)
{
	char *text;
	size_t len;
	int rc;

	memset(row, 0, sizeof(*row));
	if (atomicfile_read(state, TABLE_LOG, LOG_MAX, &text, &len) == -1)
		return errno == ENOENT ? 0 : -1;
	rc = find_last(text, list, cycle, row);
	free(text);
	return rc;
}
