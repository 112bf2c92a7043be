#include "common/verbs.h"

#include <string.h>

/* Behind the word at P, which ends there. */
static char *
end_word(char *p)
{
	p += strcspn(p, " ");
	if (*p == ' ')
		*p++ = '\0';
	return p + strspn(p, " ");
}

/* The words of P, which comes behind the verb; -1: more than there may be. */
static int
split(const struct verbs_row *r, char *p, char **words)
{
	int n = 1;

	while (*p != '\0') {
		if (n == r->max)
			return -1;
		words[n++] = p;
		if (r->rest && n == r->max)
			break;
		p = end_word(p);
	}
	return n < r->min ? -1 : n;
}

const char *
verbs_run(const struct verbs *v, char *line, unsigned int state, void *arg)
{
	char *words[VERBS_WORDS_MAX + 1] = {line}, *p;
	const struct verbs_row *r;

	if (line[0] == '\0')
		return "empty line";
	p = end_word(line);
	for (r = v->rows; r < v->rows + v->count; r++) {
		if (strcmp(r->name, line) != 0)
			continue;
		if (split(r, p, words) == -1)
			return "wrong number of arguments";
		if (!(r->when & 1u << state))
			return v->not_now[state];
		return r->run(arg, words);
	}
	return "unknown verb";
}
