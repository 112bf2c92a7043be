#include "ctlserver/include.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/atomicfile.h"
#include "common/cmd.h"
#include "common/scan.h"
#include "common/xmalloc.h"

#define DEPTH_MAX 8
#define FILE_BYTES_MAX (1u << 20)
#define TEXT_BYTES_MAX (4u << 20) /* of all together */

static int read_file(struct include *inc, const char *path, int depth);

static void
error(struct include *inc, const char *path, int line, const char *reason)
{
	inc->errors++;
	inc->cb(inc->arg, path, line, reason);
}

static void
add_line(struct include *inc, const char *path, int number, const char *line)
{
	inc->lines =
	    xreallocarray(inc->lines, inc->nlines + 1, sizeof(*inc->lines));
	inc->lines[inc->nlines++] = (struct include_line){path, number};
	fprintf(inc->out, "%s\n", line);
}

/* The name behind `include' in LINE, cut; NULL: it is another line.  "": there
 * is none, or more than one. */
static const char *
name_of(char *line)
{
	size_t n = strspn(line, " \t");
	char *words[3];

	if (strncmp(line + n, "include", 7) != 0 ||
	    strchr(" \t", line[n + 7]) == NULL)
		return NULL;
	line[n + strcspn(line + n, "#")] = '\0';
	return scan_words(line, words, 3) == 2 ? words[1] : "";
}

static void
do_include(struct include *inc, const char *name, const struct include_line *at,
    int depth)
{
	char path[sizeof("groups/") + CMD_NAME_MAX], why[160];

	if (scan_name(name) == -1) {
		error(inc, at->file, at->line,
		    "include NAME: a file in groups/, "
		    "[a-z0-9][a-z0-9_.-]{0,40}");
		return;
	}
	if (depth == DEPTH_MAX) {
		error(inc, at->file, at->line, "included 8 files deep");
		return;
	}
	snprintf(path, sizeof(path), "groups/%s", name);
	if (read_file(inc, path, depth + 1) == -1) {
		snprintf(why, sizeof(why), "%s: %s", path, strerror(errno));
		error(inc, at->file, at->line, why);
	}
}

static void
do_text(struct include *inc, const char *path, char *text, int depth)
{
	struct include_line at = {path, 0};
	char *line;
	const char *name;

	while ((line = strsep(&text, "\n")) != NULL) {
		at.line++;
		if (text == NULL && *line == '\0')
			break;
		name = name_of(line);
		if (name == NULL)
			add_line(inc, path, at.line, line);
		else
			do_include(inc, name, &at, depth);
		if (ftell(inc->out) > (long)TEXT_BYTES_MAX) {
			error(inc, path, at.line, "more than 4 MiB together");
			break;
		}
	}
}

/* 0, or -1 with errno. */
static int
read_file(struct include *inc, const char *path, int depth)
{
	char *text;
	size_t len;

	if (atomicfile_read(AT_FDCWD, path, FILE_BYTES_MAX, &text, &len) == -1)
		return -1;
	inc->files =
	    xreallocarray(inc->files, inc->nfiles + 1, sizeof(*inc->files));
	inc->files[inc->nfiles++] = xstrdup(path);
	path = inc->files[inc->nfiles - 1];
	if (strlen(text) == len)
		do_text(inc, path, text, depth);
	else
		error(inc, path, 0, "NUL byte");
	free(text);
	return 0;
}

int
include_load(struct include *inc, const char *path, conf_error_cb cb, void *arg)
{
	size_t len;

	memset(inc, 0, sizeof(*inc));
	inc->cb = cb;
	inc->arg = arg;
	inc->out = open_memstream(&inc->text, &len);
	if (inc->out == NULL)
		abort();
	if (read_file(inc, path, 0) == -1)
		error(inc, path, 0, strerror(errno));
	if (fclose(inc->out) != 0)
		abort();
	return inc->errors == 0 ? 0 : -1;
}

struct include_line
include_where(const struct include *inc, int line)
{
	if (line < 1 || (size_t)line > inc->nlines)
		return (struct include_line){inc->files[0], 0};
	return inc->lines[line - 1];
}

void
include_error(void *arg, const char *file, int line, const char *reason)
{
	struct include *inc = arg;
	struct include_line at = include_where(inc, line), other;
	const char *p = strstr(reason, "on line ");
	uint32_t n;
	char *text;

	(void)file;
	/* What is said of another line is meant for the whole. */
	if (p == NULL || scan_u32(p + 8, 1, INT32_MAX, &n) == -1) {
		inc->cb(inc->arg, at.file, at.line, reason);
		return;
	}
	other = include_where(inc, (int)n);
	text = xasprintf(
	    "%.*sin %s:%d", (int)(p - reason), reason, other.file, other.line);
	inc->cb(inc->arg, at.file, at.line, text);
	free(text);
}

void
include_clear(struct include *inc)
{
	for (size_t i = 0; i < inc->nfiles; i++)
		free(inc->files[i]);
	free(inc->files);
	free(inc->lines);
	free(inc->text);
}
