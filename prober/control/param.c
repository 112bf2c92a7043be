/*
 * param: words behind a command, `verb' or `key value ...'.
 */
#include <string.h>
#include <strings.h>

#include "common/scan.h"
#include "prober/control/control.h"

void
param_dispatch(struct client *cl, const struct param_verb *table, char *args,
    const char *usage)
{
	char *word = manage_word(&args);

	if (word == NULL) {
		chan_printf(cl->chan, "ERR usage: %s", usage);
		return;
	}
	while (table->word != NULL && strcasecmp(table->word, word) != 0)
		table++;
	if (table->word != NULL)
		table->obey(cl, args);
	else
		chan_printf(cl->chan, "ERR unhandled%s command '%.200s'",
		    *usage == 'o' ? " outfile" : "", word);
}

const char *
param_get(struct param *table, char *args)
{
	struct param *p;
	char *key;

	while ((key = manage_word(&args)) != NULL) {
		for (p = table; p->key != NULL; p++) {
			if (strcasecmp(p->key, key) == 0)
				break;
		}
		if (p->key == NULL)
			return key;
		p->value = manage_word(&args);
		if (p->value == NULL)
			return key;
	}
	return NULL;
}

int
param_number(const char *value, uint32_t min, uint32_t if_none, uint32_t *out)
{
	*out = if_none;
	return value == NULL ? 0 : scan_u32(value, min, INT32_MAX, out);
}

int
param_switch(const char *value, int *out)
{
	if (value != NULL && strcasecmp(value, "on") == 0)
		*out = 1;
	else if (value != NULL && strcasecmp(value, "off") == 0)
		*out = 0;
	else if (value != NULL)
		return -1;
	return 0;
}
