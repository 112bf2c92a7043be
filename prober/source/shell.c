/*
 * shell: work from the command line, -i and -I.
 */
#include <stdlib.h>

#include "common/log.h"
#include "common/xmalloc.h"
#include "prober/source/source.h"

struct shell {
	struct source s;
	struct listcycle *lc;
	struct command *commands;
	int n, next;
};

static void
parse_word(struct shell *sh, const char *word, int whole)
{
	struct command *c = &sh->commands[sh->n];
	char why[256];

	c->lc = sh->lc;
	c->number = (uint64_t)sh->n + 1;
	if (!whole) {
		if (addr_scan(word, &c->dst) == -1)
			log_fatal(255, "%s is not an address", word);
		c->m = sh->lc->m;
		c->m->refs++;
	} else {
		c->m = technique_parse(word, &c->dst, why, sizeof(why));
		if (c->m == NULL)
			log_fatal(255, "\"%s\": %s", word, why);
	}
	sh->n++;
}

static void
shell_refill(struct source *s)
{
	struct shell *sh = (struct shell *)s;

	while (sh->next < sh->n &&
	    admit_put(&s->e->admit, &sh->commands[sh->next]) == 0)
		sh->next++;
	if (sh->next == sh->n)
		sh->lc->ended = 1;
}

static int
shell_more(const struct source *s)
{
	const struct shell *sh = (const struct shell *)s;

	return sh->next < sh->n;
}

static void
shell_tick(struct source *s)
{
	(void)s;
}

static void
shell_free(struct source *s)
{
	struct shell *sh = (struct shell *)s;

	for (; sh->next < sh->n; sh->next++)
		technique_unref(sh->commands[sh->next].m);
	free(sh->commands);
	free(sh);
}

static const struct source_ops shell_ops = {
    .refill = shell_refill,
    .more = shell_more,
    .tick = shell_tick,
    .free = shell_free,
};

struct source *
shell_new(
    struct engine *e, struct listcycle *lc, char **words, int nwords, int whole)
{
	struct shell *sh = xcalloc(1, sizeof(*sh));

	sh->s.ops = &shell_ops;
	sh->s.e = e;
	sh->lc = lc;
	sh->commands = xcalloc((size_t)nwords, sizeof(*sh->commands));
	for (int i = 0; i < nwords; i++)
		parse_word(sh, words[i], whole);
	e->stats.total = (uint64_t)sh->n;
	return &sh->s;
}
