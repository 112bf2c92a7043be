#include <stdio.h>
#include <string.h>

#include "common/signed_own.h"

static const char *
set_probing(void *ctx, char **words, int nwords, int line)
{
	struct signed_stop *s = ctx;

	(void)line;
	if (strcmp(words[1], "stop") != 0 && strcmp(words[1], "go") != 0)
		return "probing is neither stop nor go";
	s->stopped = words[1][0] == 's';
	if (nwords == 3 && strlen(words[2]) >= sizeof(s->reason))
		return "reason is longer than 255 bytes";
	snprintf(
	    s->reason, sizeof(s->reason), "%s", nwords == 3 ? words[2] : "");
	/* There was such a line. */
	s->version = 1;
	return NULL;
}

static const struct conf_key table[] = {
    {"probing", 1, 2, 1, set_probing, "probing stop|go [\"REASON\"]"},
    {0},
};

int
signed_stop_parse(const struct signed_head *h, const char *body,
    struct signed_stop *out, struct signed_fault *f)
{
	struct signed_stop s = {0};

	if (signed_body(body, table, &s, f) == -1)
		return -1;
	if (s.version == 0)
		return signed_fail(f, SIGNED_CONTENT, 0, "probing is missing");
	s.version = h->version;
	*out = s;
	return 0;
}
