#include "listgen/position.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/conf.h"
#include "common/crcline.h"
#include "common/log.h"
#include "common/scan.h"
#include "common/xmalloc.h"

#define STATE_MAX (64u << 10) /* bytes of a state file */

static const char *
set_number(void *ctx, char **words, int nwords, int line)
{
	struct position *p = ctx;
	uint64_t v;

	(void)nwords;
	(void)line;
	if (scan_u64(words[1], 0, UINT64_MAX, &v) == -1)
		return "not a number";
	if (strcmp(words[0], "cycle") == 0) {
		if (v > UINT32_MAX)
			return "not a cycle";
		p->cycle = (uint32_t)v;
	} else if (strcmp(words[0], "accepted") == 0) {
		p->accepted = v;
	} else {
		p->open = v != 0;
	}
	return NULL;
}

static const char *
set_text(void *ctx, char **words, int nwords, int line)
{
	struct position *p = ctx;
	char *to = p->identity;
	size_t size = sizeof(p->identity);

	(void)nwords;
	(void)line;
	if (strcmp(words[0], "file") == 0) {
		to = p->file;
		size = sizeof(p->file);
	} else if (strcmp(words[0], "update") == 0) {
		to = p->update;
		size = sizeof(p->update);
	}
	if (strlen(words[1]) >= size)
		return "text too long";
	strcpy(to, words[1]);
	return NULL;
}

static const struct conf_key state_keys[] = {
    {"cycle", 1, 1, 1, set_number, "cycle NUMBER"},
    {"accepted", 1, 1, 1, set_number, "accepted NUMBER"},
    {"open", 1, 1, 1, set_number, "open 0|1"},
    {"file", 1, 1, 1, set_text, "file PATH"},
    {"update", 1, 1, 1, set_text, "update PATH"},
    {"identity", 1, 1, 1, set_text, "identity TEXT"},
    {0},
};

const char *
position_check(const char *list)
{
	if (strlen(list) > POSITION_PATH_MAX)
		return "the list's path is too long for a state file";
	for (const char *s = list; *s != '\0'; s++) {
		if (*s < ' ' || *s > '~' || *s == '"')
			return "the list's path has a byte that a state file "
			       "cannot hold";
	}
	return NULL;
}

/* What P->state says; 0 or -1, logged. */
static int
read_state(struct position *p)
{
	if (crcline_file(AT_FDCWD, p->state, STATE_MAX) == 0)
		return conf_load(
			   p->state, state_keys, p, conf_log_error, NULL) == 0
		    ? 0
		    : -1;
	log_warn("%s: %s", p->state,
	    errno == EBADMSG ? "a line does not match its check word"
			     : strerror(errno));
	return -1;
}

void
position_load(struct position *p, const char *state, const char *list)
{
	memset(p, 0, sizeof(*p));
	p->state = state;
	p->list = list;
	if (state == NULL || (access(state, F_OK) == -1 && errno == ENOENT))
		return;
	if (read_state(p) == -1) {
		log_warn("%s: state not usable: beginning a new cycle", state);
		memset(p, 0, sizeof(*p));
		p->state = state;
		p->list = list;
	}
	/* Another file on the command line is newer than any update. */
	if (strcmp(p->file, list) != 0)
		p->update[0] = '\0';
}

void
position_save(struct position *p, uint64_t accepted, int64_t now_ns)
{
	char *line[6], *text;

	p->saved_ns = now_ns;
	p->dirty = 0;
	if (p->state == NULL)
		return;
	line[0] = crcline_printf("cycle %u", p->cycle);
	line[1] = crcline_printf("accepted %ju", (uintmax_t)accepted);
	line[2] = crcline_printf("open %d", p->open);
	line[3] = crcline_printf("file \"%s\"", p->list);
	line[4] = crcline_printf("update \"%s\"", p->update);
	line[5] = crcline_printf("identity \"%s\"", p->identity);
	text = xasprintf("%s%s%s%s%s%s", line[0], line[1], line[2], line[3],
	    line[4], line[5]);
	for (int i = 0; i < 6; i++)
		free(line[i]);
	if (atomicfile_write(AT_FDCWD, p->state, text, strlen(text), 0644) ==
	    -1)
		log_warn("%s: cannot keep the position: %s", p->state,
		    strerror(errno));
	free(text);
}

const char *
position_update(struct position *p, const char *file)
{
	if (*file == '\0')
		return "update takes a file";
	if (strlen(file) > POSITION_PATH_MAX || strchr(file, '"') != NULL)
		return "file name too long or with a quote in it";
	if (access(file, R_OK) == -1)
		return "update names a file that cannot be read";
	strcpy(p->update, file);
	p->dirty = 1;
	return NULL;
}

const char *
position_file(const struct position *p)
{
	return p->update[0] != '\0' ? p->update : p->list;
}
