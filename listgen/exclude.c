#include "listgen/exclude.h"

#include <string.h>
#include <sys/stat.h>

#include "common/prefixset.h"

const char *
exclude_add(struct exclude *x, const char *path)
{
	if (x->n == EXCLUDE_MAX)
		return "too many do-not-probe files";
	x->path[x->n++] = path;
	return NULL;
}

int
exclude_load(struct exclude *x, char id[GEN_IDENTITY_MAX])
{
	struct prefixset *ps;
	struct stat st;

	for (int i = 0; i < x->n; i++) {
		ps = prefixset_load(x->path[i], conf_log_error, NULL);
		if (ps == NULL && x->set[i] == NULL)
			return -1;
		if (ps != NULL) {
			prefixset_free(x->set[i]);
			x->set[i] = ps;
		}
		if (stat(x->path[i], &st) == 0)
			gen_identify(&st, id);
	}
	return 0;
}

int
exclude_match(const struct exclude *x, const struct addr *a)
{
	for (int i = 0; i < x->n; i++) {
		if (prefixset_match(x->set[i], a, NULL))
			return 1;
	}
	return 0;
}

void
exclude_clear(struct exclude *x)
{
	for (int i = 0; i < x->n; i++)
		prefixset_free(x->set[i]);
	memset(x, 0, sizeof(*x));
}
