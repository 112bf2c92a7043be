#include "ctlserver/ctlserver.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/atomicfile.h"
#include "common/scan.h"
#include "common/xmalloc.h"

#define LATE_PERIODS 3
#define PERIOD_S 300 /* of who does not say */
#define SPOOL_FILL_MAX 80 /* percent: fuller is trouble */
#define VALUE_LEN 64

/* --- receiving ------------------------------------------------------------- */

const char *
beat_add(struct beat_buf *b, const char *line)
{
	const char *eq = strchr(line, '=');
	size_t len = strlen(line);
	char key[CMD_NAME_MAX];

	if (eq == NULL || eq - line >= (ptrdiff_t)sizeof(key))
		return "beat without KEY=VALUE";
	snprintf(key, sizeof(key), "%.*s", (int)(eq - line), line);
	if (scan_name(key) == -1)
		return "beat key is not [a-z0-9][a-z0-9_.-]{0,40}";
	if (b->keys == BEAT_KEYS_MAX)
		return "beat of more than 1100 keys";
	if (b->len + len + 1 > BEAT_BYTES_MAX)
		return "beat of more than 128 KiB";
	if (b->len + len + 2 > b->size) {
		b->size = 2 * b->size + len + 256;
		b->text = xreallocarray(b->text, b->size, 1);
	}
	memcpy(b->text + b->len, line, len);
	b->len += len;
	memcpy(b->text + b->len++, "\n", 2);
	b->keys++;
	return NULL;
}

void
beat_clear(struct beat_buf *b)
{
	free(b->text);
	memset(b, 0, sizeof(*b));
}

/* --- the last one ---------------------------------------------------------- */

void
beat_load(int dir, const char *monitor, struct beat *out)
{
	struct beat b = {0};
	char *text, *nl;
	size_t len;

	memset(out, 0, sizeof(*out));
	if (atomicfile_read(dir, monitor, BEAT_BYTES_MAX + 256, &text, &len) ==
	    -1)
		return;
	nl = strchr(text, '\n');
	if (nl != NULL &&
	    sscanf(text, "beat at=%" SCNd64 " well=%" SCNd64 " from=%55s",
		&b.at_s, &b.well_s, b.from) == 3) {
		*out = b;
		out->text = xstrdup(nl + 1);
	}
	free(text);
}

void
beat_free(struct beat *b)
{
	free(b->text);
	memset(b, 0, sizeof(*b));
}

char *
beat_value(const struct beat *b, const char *key, char *buf, size_t size)
{
	const char *p = b->text, *v;

	buf[0] = '\0';
	for (; p != NULL && *p != '\0'; p = strchr(p, '\n')) {
		p += *p == '\n';
		v = scan_keyvalue(p, key);
		if (v == NULL)
			continue;
		snprintf(buf, size, "%.*s", (int)strcspn(v, "\n"), v);
		break;
	}
	return buf;
}

uint64_t
beat_number(const struct beat *b, const char *key)
{
	char buf[VALUE_LEN];
	uint64_t v;

	if (scan_u64(beat_value(b, key, buf, sizeof(buf)), 0, UINT64_MAX, &v) ==
	    -1)
		return 0;
	return v;
}

/* --- judging --------------------------------------------------------------- */

/* Is the state of the list on LINE, "list.N=... STATE", a bad one? */
static int
is_bad_list(const char *line)
{
	static const char *const bad[] = {" held", " rolled-back", " troubled"};
	size_t n = strcspn(line, "\n"), len;

	if (strncmp(line, "list.", 5) != 0)
		return 0;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		len = strlen(bad[i]);
		if (n > len && memcmp(line + n - len, bad[i], len) == 0)
			return 1;
	}
	return 0;
}

size_t
beat_bad_lists(const struct beat *b, struct beat_list *first)
{
	const char *p = b->text;
	size_t n = 0;

	for (; p != NULL && *p != '\0'; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (!is_bad_list(p))
			continue;
		if (n == 0 &&
		    sscanf(p, "list.%10[0-9]=%40s", first->number,
			first->name) == 2)
			n++;
		else if (n > 0)
			n++;
	}
	return n;
}

char *
beat_bad_why(const struct beat *b, char *buf, size_t size)
{
	struct beat_list list;
	size_t n = beat_bad_lists(b, &list);
	char key[32], what[200], more[48] = "";

	snprintf(key, sizeof(key), "trouble.%s", list.number);
	beat_value(b, key, what, sizeof(what));
	if (n > 1)
		snprintf(more, sizeof(more), "; %zu more list%s", n - 1,
		    n > 2 ? "s" : "");
	snprintf(buf, size, "list %s (%s): %s%s", list.number, list.name,
	    what[0] != '\0' ? what : "misbehaves", more);
	return buf;
}

static int
is_late(const struct beat *b, int64_t now_s)
{
	int64_t period_s = (int64_t)beat_number(b, "period");

	if (period_s <= 0 || period_s > 86400)
		period_s = PERIOD_S;
	return now_s - b->at_s > LATE_PERIODS * period_s;
}

const char *
beat_trouble(const struct beat *b, int64_t now_s)
{
	char v[VALUE_LEN];
	struct beat_list list;

	if (b->at_s == 0)
		return "never heard";
	if (is_late(b, now_s))
		return "late";
	beat_value(b, "probing", v, sizeof(v));
	if (v[0] != '\0' && strcmp(v, "on") != 0)
		return strcmp(v, "stopped") == 0 ? "stopped" : "not probing";
	if (beat_value(b, "refused", v, sizeof(v))[0] != '\0')
		return "refused";
	if (beat_bad_lists(b, &list) > 0)
		return "list held";
	if (beat_value(b, "prober", v, sizeof(v))[0] != '\0')
		return "no prober";
	if (beat_number(b, "errors") > 0)
		return "errors";
	if (beat_number(b, "spool-fill") >= SPOOL_FILL_MAX)
		return "spool full";
	return NULL;
}

/* Since when all beats were good, when NEW follows OLD. */
static int64_t
well_since(const struct beat *old, const struct beat *new)
{
	if (beat_trouble(new, new->at_s) != NULL)
		return 0;
	if (old->well_s == 0 || is_late(old, new->at_s) ||
	    beat_number(old, "assign") != beat_number(new, "assign"))
		return new->at_s;
	return old->well_s;
}

int
beat_store(int dir, const char *monitor, const struct beat_buf *b,
    const char *from, int64_t now_s)
{
	struct beat old, new = {.at_s = now_s, .text = b->text};
	char *text;
	int rc, saved;

	beat_load(dir, monitor, &old);
	text =
	    xasprintf("beat at=%" PRId64 " well=%" PRId64 " from=%s\n%s", now_s,
		well_since(&old, &new), from, b->text == NULL ? "" : b->text);
	rc = atomicfile_show(dir, monitor, text, strlen(text), 0644);
	saved = errno;
	beat_free(&old);
	free(text);
	errno = saved;
	return rc;
}
