#include "tests/fault/killat.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/xmalloc.h"

struct name {
	char *name;
	size_t inode; /* in `inodes' */
};

struct names {
	struct name *p;
	size_t n;
};

/* A file or directory as it is durable. */
struct inode {
	dev_t dev;
	ino_t ino;
	int pin; /* a descriptor, so that the number is not used again */
	mode_t mode;
	struct names names; /* of a directory */
	char *bytes; /* of a file, `len' of them */
	size_t len;
	int placed; /* it has a name in what is left */
	char *linked; /* of a symbolic link */
};

static struct inode *inodes;
static size_t ninodes;
static const char *top;
static unsigned int chance; /* 0: no chance */

static _Noreturn void
die(const char *what)
{
	perror(what);
	exit(125);
}

static char *
join(const char *dir, const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static int
toss(void)
{
	return chance != 0 && rand_r(&chance) % 2;
}

/* --- what is --------------------------------------------------------------- */

/* The inode of PATH; a new one has nothing durable yet. */
static size_t
inode_at(const char *path)
{
	struct inode *i;
	struct stat st;
	char target[PATH_MAX] = "";
	int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1 || fstat(fd, &st) == -1)
		die(path);
	for (size_t k = 0; k < ninodes; k++) {
		if (inodes[k].ino == st.st_ino && inodes[k].dev == st.st_dev) {
			close(fd);
			return k;
		}
	}
	inodes = xreallocarray(inodes, ninodes + 1, sizeof(*inodes));
	i = &inodes[ninodes];
	memset(i, 0, sizeof(*i));
	i->dev = st.st_dev;
	i->ino = st.st_ino;
	i->mode = st.st_mode;
	i->pin = fd;
	if (S_ISLNK(st.st_mode) &&
	    readlinkat(fd, "", target, sizeof(target) - 1) > 0)
		i->linked = xstrdup(target);
	return ninodes++;
}

static void
names_clear(struct names *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->p[i].name);
	free(l->p);
	*l = (struct names){NULL, 0};
}

static void
names_add(struct names *l, const char *name, size_t inode)
{
	l->p = xreallocarray(l->p, l->n + 1, sizeof(*l->p));
	l->p[l->n++] = (struct name){xstrdup(name), inode};
}

static struct name *
names_find(const struct names *l, const char *name)
{
	for (size_t i = 0; i < l->n; i++) {
		if (strcmp(l->p[i].name, name) == 0)
			return &l->p[i];
	}
	return NULL;
}

static struct names
names_in(const char *dir)
{
	struct names l = {NULL, 0};
	const struct dirent *e;
	DIR *d = opendir(dir);
	char *path;

	if (d == NULL)
		die(dir);
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		path = join(dir, e->d_name);
		names_add(&l, e->d_name, inode_at(path));
		free(path);
	}
	closedir(d);
	return l;
}

/* All bytes of the file that PIN is; *LEN. */
static char *
bytes_of(int pin, size_t *len)
{
	char name[64], *p;
	struct stat st;
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", pin);
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd == -1 || fstat(fd, &st) == -1)
		die(name);
	p = xmalloc((size_t)st.st_size + 1);
	n = pread(fd, p, (size_t)st.st_size, 0);
	*len = n > 0 ? (size_t)n : 0;
	close(fd);
	return p;
}

/* --- what is durable ------------------------------------------------------- */

static void
synced(const char *path)
{
	size_t k = inode_at(path);
	struct names names;
	struct stat st;

	if (fstat(inodes[k].pin, &st) == -1)
		die(path);
	inodes[k].mode = st.st_mode;
	if (S_ISDIR(st.st_mode)) {
		names = names_in(path);
		names_clear(&inodes[k].names);
		inodes[k].names = names;
	} else if (S_ISREG(st.st_mode)) {
		free(inodes[k].bytes);
		inodes[k].bytes = bytes_of(inodes[k].pin, &inodes[k].len);
	}
}

static void
all_synced(const char *path)
{
	size_t k = inode_at(path);
	char *sub;

	synced(path);
	for (size_t i = 0; i < inodes[k].names.n; i++) {
		sub = join(path, inodes[k].names.p[i].name);
		all_synced(sub);
		free(sub);
	}
}

void
power_begin(const char *dir)
{
	top = dir;
	all_synced(dir);
}

void
power_synced(pid_t pid, int fd)
{
	char name[64], path[PATH_MAX];
	size_t len = strlen(top);
	ssize_t n;

	snprintf(name, sizeof(name), "/proc/%d/fd/%d", pid, fd);
	n = readlink(name, path, sizeof(path) - 1);
	path[n > 0 ? n : 0] = '\0';
	/* A file that has no name any more will not be missed. */
	if (strncmp(path, top, len) == 0 && access(path, F_OK) == 0)
		synced(path);
}

/* --- what is left ---------------------------------------------------------- */

/* By chance some of the bytes that were not synced. */
static void
mix_bytes(struct inode *i)
{
	size_t len, keep;
	char *now = bytes_of(i->pin, &len);

	if (toss()) {
		free(now);
		return;
	}
	keep = len;
	if (len > i->len && toss())
		keep = i->len + (size_t)rand_r(&chance) % (len - i->len + 1);
	/* The length may be there before the bytes. */
	if (keep < len && toss())
		memset(now + keep, 0, len - keep);
	else
		len = keep;
	free(i->bytes);
	i->bytes = now;
	i->len = len;
}

static const struct name *
find_inode(const struct names *l, size_t inode)
{
	for (size_t i = 0; i < l->n; i++) {
		if (l->p[i].inode == inode)
			return &l->p[i];
	}
	return NULL;
}

/*
 * The names in one directory: those of OLD, with some of the changes that led
 * to NOW.  A file renamed here has its old name or its new.
 */
static struct names
mix_names(const struct names *old, const struct names *now)
{
	struct names out = {NULL, 0};
	const struct name *other;
	char *kept = xcalloc(ninodes, 1);

	for (size_t i = 0; i < old->n; i++) {
		other = names_find(now, old->p[i].name);
		if (other != NULL && other->inode == old->p[i].inode)
			kept[old->p[i].inode] = 1;
		else
			kept[old->p[i].inode] = (char)!toss();
		/* What a rename replaced goes when the new one comes. */
		if (kept[old->p[i].inode])
			names_add(&out, old->p[i].name, old->p[i].inode);
	}
	for (size_t i = 0; i < now->n; i++) {
		if (names_find(&out, now->p[i].name) != NULL ||
		    kept[now->p[i].inode])
			continue;
		other = names_find(old, now->p[i].name);
		if (other != NULL || find_inode(old, now->p[i].inode) != NULL ||
		    toss())
			names_add(&out, now->p[i].name, now->p[i].inode);
	}
	free(kept);
	return out;
}

static void
mix(const char *path)
{
	size_t k = inode_at(path);
	struct names now, mixed;
	char *sub;

	if (S_ISREG(inodes[k].mode))
		mix_bytes(&inodes[k]);
	if (!S_ISDIR(inodes[k].mode))
		return;
	now = names_in(path);
	for (size_t i = 0; i < now.n; i++) {
		sub = join(path, now.p[i].name);
		mix(sub);
		free(sub);
	}
	mixed = mix_names(&inodes[k].names, &now);
	names_clear(&inodes[k].names);
	inodes[k].names = mixed;
	names_clear(&now);
}

static void
remove_all(const char *dir)
{
	struct names l = names_in(dir);
	char *path;

	for (size_t i = 0; i < l.n; i++) {
		path = join(dir, l.p[i].name);
		if (S_ISDIR(inodes[l.p[i].inode].mode)) {
			remove_all(path);
			if (rmdir(path) == -1)
				die(path);
		} else if (unlink(path) == -1) {
			die(path);
		}
		free(path);
	}
	names_clear(&l);
}

static void
put(const char *path, struct inode *i)
{
	int fd;

	i->placed = 1;
	if (S_ISDIR(i->mode)) {
		if (mkdir(path, i->mode & 0777) == -1)
			die(path);
		for (size_t k = 0; k < i->names.n; k++) {
			char *sub = join(path, i->names.p[k].name);

			put(sub, &inodes[i->names.p[k].inode]);
			free(sub);
		}
	} else if (S_ISLNK(i->mode)) {
		if (symlink(i->linked, path) == -1)
			die(path);
	} else if (S_ISREG(i->mode)) {
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd == -1 ||
		    write(fd, i->bytes, i->len) != (ssize_t)i->len ||
		    fchmod(fd, i->mode & 0777) == -1)
			die(path);
		close(fd);
	}
}

/* Files whose old name is gone and whose new name did not come, in another
 * directory: a rename is one step, so it was not made. */
static void
give_back(const struct names *old, size_t dir, const char *reachable)
{
	for (size_t i = 0; i < old->n; i++) {
		size_t k = old->p[i].inode;

		if (!reachable[k] && inodes[k].placed &&
		    names_find(&inodes[dir].names, old->p[i].name) == NULL)
			names_add(&inodes[dir].names, old->p[i].name, k);
	}
}

static void
reach(size_t k, char *reachable)
{
	reachable[k] = 1;
	for (size_t i = 0; i < inodes[k].names.n; i++)
		reach(inodes[k].names.p[i].inode, reachable);
}

static void
note_current(const char *dir)
{
	struct names l = names_in(dir);

	for (size_t i = 0; i < l.n; i++) {
		char *path = join(dir, l.p[i].name);

		inodes[l.p[i].inode].placed = 1;
		if (S_ISDIR(inodes[l.p[i].inode].mode))
			note_current(path);
		free(path);
	}
	names_clear(&l);
}

static struct names
names_copy(const struct names *l)
{
	struct names out = {NULL, 0};

	for (size_t i = 0; i < l->n; i++)
		names_add(&out, l->p[i].name, l->p[i].inode);
	return out;
}

void
power_cut(unsigned int seed)
{
	size_t root = inode_at(top), n;
	struct names *old;
	char *reachable;

	chance = seed;
	note_current(top); /* `placed': it has a name now */
	n = ninodes;
	old = xcalloc(n, sizeof(*old));
	for (size_t i = 0; i < n; i++)
		old[i] = names_copy(&inodes[i].names);
	if (seed != 0)
		mix(top);
	reachable = xcalloc(ninodes, 1);
	reach(root, reachable);
	for (size_t i = 0; i < n; i++) {
		if (reachable[i])
			give_back(&old[i], i, reachable);
		names_clear(&old[i]);
	}
	remove_all(top);
	for (size_t i = 0; i < inodes[root].names.n; i++) {
		char *sub = join(top, inodes[root].names.p[i].name);

		put(sub, &inodes[inodes[root].names.p[i].inode]);
		free(sub);
	}
	free(reachable);
	free(old);
}
