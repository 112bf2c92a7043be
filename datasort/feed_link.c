#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/fd.h"
#include "datasort/feed.h"

static const char *
base_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? path : slash + 1;
}

/* The link's name for archive/LIST/.../LIST.MON.DATE.CYCLE_NN.warts.  A
 * monitor's name may have dots and underscores, the rest has none. */
static int
link_name(const char *path, char *buf)
{
	const char *base = base_of(path), *end, *cycle;
	size_t list = strcspn(base, ".");

	end = strrchr(base, '_');
	if (end == NULL)
		return -1;
	for (cycle = end; cycle > base && cycle[-1] != '.'; cycle--)
		continue;
	snprintf(buf, FEED_PATH_MAX, "by-cycle/%.*s/%.*s/%s", (int)list, base,
	    (int)(end - cycle), cycle, base);
	return 0;
}

/* Is the link at NAME in DIR to TARGET already? */
static int
is_there(int dir, const char *name, const char *target)
{
	char have[FEED_PATH_MAX + 16];
	ssize_t n = readlinkat(dir, name, have, sizeof(have) - 1);

	if (n == -1)
		return 0;
	have[n] = '\0';
	return strcmp(have, target) == 0;
}

static int
link_in(int dir, const char *name, const char *path, const char *other)
{
	char target[FEED_PATH_MAX + 16];

	snprintf(target, sizeof(target), "../../../%s", path);
	if (unlinkat(dir, base_of(other), 0) == -1 && errno != ENOENT)
		return -1;
	if (is_there(dir, name, target))
		return atomicfile_syncdir(dir);
	if (unlinkat(dir, name, 0) == -1 && errno != ENOENT)
		return -1;
	if (symlinkat(target, dir, name) == -1)
		return -1;
	return atomicfile_syncdir(dir);
}

int
feed_link(int root, const char *path, const char *other)
{
	char link[FEED_PATH_MAX];
	const char *name;
	int dir, rc;

	if (link_name(path, link) == -1) {
		errno = EBADMSG;
		return -1;
	}
	dir = archive_parent(root, link, &name);
	if (dir == -1)
		return -1;
	rc = link_in(dir, name, path, other);
	fd_close(dir);
	return rc;
}
