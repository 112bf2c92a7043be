#include "prober/config.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/conf.h"
#include "common/scan.h"
#include "prober/tech/technique.h"

#define ROWS_MAX 32 /* of the table of techniques */
#define SUFFIX ".enable"

struct config {
	unsigned int given, on; /* a bit for each row */
	unsigned int others; /* ... of `others' that was given */
	char why[200];
};

/* Commands of scamper's that may be named beside those of the table. */
static const char *const others[] = {"dealias", "host", "http", "neighbourdisc",
    "owamp", "sniff", "sting", "tbit", "tracelb", "udpprobe", NULL};

static int
row_of(const char *name)
{
	for (int i = 0; technique_table[i] != NULL; i++) {
		if (strcasecmp(technique_table[i]->name, name) == 0)
			return i;
	}
	return -1;
}

static int
other_of(const char *name)
{
	for (int i = 0; others[i] != NULL; i++) {
		if (strcasecmp(others[i], name) == 0)
			return i;
	}
	return -1;
}

/* NAME is enabled or not.  NULL, or a reason. */
static const char *
set(struct config *c, const char *name, uint32_t on)
{
	int row = row_of(name), other = other_of(name);
	unsigned int *given = row != -1 ? &c->given : &c->others;
	unsigned int bit = 1u << (row != -1 ? row : other != -1 ? other : 0);

	if (row == -1 && other == -1) {
		snprintf(
		    c->why, sizeof(c->why), "no command is called %.64s", name);
		return c->why;
	}
	if (*given & bit) {
		snprintf(
		    c->why, sizeof(c->why), "%.64s is given already", name);
		return c->why;
	}
	*given |= bit;
	if (row != -1 && on)
		c->on |= bit;
	return NULL;
}

static const char *
on_line(void *ctx, char **words, int nwords, int line)
{
	struct config *c = ctx;
	char *equals = strchr(words[0], '='), *dot;
	uint32_t on;

	(void)line;
	if (nwords > 1 || equals == NULL)
		return "not of the form COMMAND.enable=0 or COMMAND.enable=1";
	*equals = '\0';
	dot = strrchr(words[0], '.');
	if (dot == NULL || strcasecmp(dot, SUFFIX) != 0) {
		snprintf(c->why, sizeof(c->why),
		    "unknown key %.64s: COMMAND.enable is known", words[0]);
		return c->why;
	}
	*dot = '\0';
	if (scan_u32(equals + 1, 0, 1, &on) == -1) {
		snprintf(c->why, sizeof(c->why), "%.64s.enable must be 0 or 1",
		    words[0]);
		return c->why;
	}
	return set(c, words[0], on);
}

int
config_load(const char *path)
{
	struct config c = {0};

	if (conf_load_lines(path, on_line, &c, conf_log_error, NULL) != 0)
		return -1;
	for (size_t i = 0; i < ROWS_MAX && technique_table[i] != NULL; i++)
		technique_enable(i, !(c.given >> i & 1) || c.on >> i & 1);
	return 0;
}
