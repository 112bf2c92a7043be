/*
 * options_alias: the program under scamper's other names.  One that is called
 * scamper-ping (or -trace, ...) is that command: its arguments are the
 * command's options, and behind them addresses.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "prober/options.h"

#define ALIAS "scamper-"

/* The technique that NAME, a path, stands for; or NULL. */
static const char *
technique_of(const char *name)
{
	const char *slash = strrchr(name, '/');

	name = slash != NULL ? slash + 1 : name;
	if (strncmp(name, ALIAS, strlen(ALIAS)) != 0)
		return NULL;
	name += strlen(ALIAS);
	for (size_t i = 0; technique_table[i] != NULL; i++) {
		if (strcasecmp(technique_table[i]->name, name) == 0)
			return technique_table[i]->name;
	}
	return NULL;
}

/* NAME and N words as one command; words with blanks in quotes. */
static char *
join(const char *name, char **words, int n)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	if (f == NULL)
		log_fatal(EXIT_TEMPORARY, "out of memory");
	fputs(name, f);
	for (int i = 0; i < n; i++)
		fprintf(f, strpbrk(words[i], " \t") != NULL ? " \"%s\"" : " %s",
		    words[i]);
	if (fclose(f) == EOF)
		log_fatal(EXIT_TEMPORARY, "out of memory");
	return text;
}

/* How many of N words are options: all before the addresses at the end, but
 * an address may be an option's argument. */
static int
count_options(const char *name, char **words, int n)
{
	int addresses = n;
	struct measurement *m;
	struct addr a;
	char *s, why[256];

	while (addresses > 0 && addr_scan(words[addresses - 1], &a) == 0)
		addresses--;
	for (int i = addresses; i < n; i++) {
		s = join(name, words, i);
		m = technique_parse(s, NULL, why, sizeof(why));
		free(s);
		technique_unref(m);
		if (m != NULL)
			return i;
	}
	return addresses;
}

int
options_alias(struct options *o, int argc, char **argv)
{
	const char *name = technique_of(argv[0]);
	int n;

	if (name == NULL)
		return 0;
	n = count_options(name, argv + 1, argc - 1);
	o->command = join(name, argv + 1, n);
	o->addresses = 1;
	return n + 1;
}
