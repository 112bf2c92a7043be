/*
 * store_due: the new cycle that a list still owes to a publication, and the cycle
 * that it begun last, by which its next process tells whether it has paid.
 *
 *	the change comes	LIST.due -> C/NAME	it is in cycle C
 *	begins C' != C		LIST.due gone		it has done it
 *
 * Both in one link, which is there or not.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/crcline.h"
#include "common/scan.h"
#include "listmgr/store_own.h"

static const char *
path_of(uint32_t list, const char *what, char buf[STORE_PATH])
{
	snprintf(buf, STORE_PATH, "place/%" PRIu32 ".%s", list, what);
	return buf;
}

int
store_put_due(
    struct store *st, uint32_t list, const struct store_gen *g, uint32_t after)
{
	char path[STORE_PATH], target[STORE_PATH];

	path_of(list, "due", path);
	if (g == NULL)
		return atomicfile_unlink(st->dir, path);
	snprintf(target, sizeof(target), "%" PRIu32 "/%s", after, g->name);
	return store_set_link(st, path, target);
}

int
store_due(const struct store *st, uint32_t list, uint32_t *after)
{
	char path[STORE_PATH], target[STORE_PATH];
	ssize_t n = readlinkat(
	    st->dir, path_of(list, "due", path), target, sizeof(target) - 1);

	*after = 0;
	if (n == -1)
		return 0;
	target[n] = '\0';
	target[strcspn(target, "/")] = '\0';
	if (scan_u32(target, 0, UINT32_MAX, after) == -1)
		*after = 0;
	return 1;
}

uint32_t
store_begun(const struct store *st, uint32_t list)
{
	char path[STORE_PATH], *line;
	uint32_t cycle = 0;
	size_t len;

	if (atomicfile_read(
		st->dir, path_of(list, "begun", path), 64, &line, &len) == -1)
		return 0;
	line[strcspn(line, "\n")] = '\0';
	if (crcline_check(line) != NULL ||
	    scan_u32(line, 0, UINT32_MAX, &cycle) == -1)
		cycle = 0;
	free(line);
	return cycle;
}

int
store_put_begun(struct store *st, uint32_t list, uint32_t cycle, int durable)
{
	char path[STORE_PATH], *line;
	int rc;

	path_of(list, "begun", path);
	if (cycle == 0)
		return atomicfile_unlink(st->dir, path);
	line = crcline_printf("%" PRIu32, cycle);
	rc = (durable ? atomicfile_write : atomicfile_show)(
	    st->dir, path, line, strlen(line), 0644);
	free(line);
	return rc;
}
