/*
 * segcheck: is a spool whole?  For tests.
 *
 *	segcheck DIR...		all N.warts in each DIR, together one spool
 *
 * Reads every segment with segment_read(), which believes only what the marks
 * prove, and compares their numbers: segments follow each other without a gap,
 * all of one epoch, and so do the records in them.  A resume mark is reported;
 * it is an error without -r.  Prints
 *
 *	segments=N records=N first=N last=N resumes=N
 *
 * and the first things that are wrong; exit status 1 then.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/scan.h"
#include "common/segment_read.h"
#include "common/xmalloc.h"

#define SAID_MAX 20

struct found {
	char *path;
	uint64_t number;
};

struct spool {
	struct found *files;
	size_t n;
	struct segment_info before; /* of the segment before; number 0: none */
	uint64_t first, last, records, resumes;
	int may_resume;
	int wrong;
};

static void
wrong(struct spool *s, const char *path, const char *why)
{
	if (s->wrong++ < SAID_MAX)
		printf("%s: %s\n", path, why);
}

static void
add_file(struct spool *s, const char *dir, const char *name)
{
	const char *dot = strchr(name, '.');
	char number[24] = "", path[4096];
	struct found f;

	if (dot == NULL || strcmp(dot, ".warts") != 0 ||
	    (size_t)(dot - name) >= sizeof(number))
		return;
	memcpy(number, name, (size_t)(dot - name));
	if (scan_u64(number, 1, UINT64_MAX, &f.number) == -1)
		return;
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f.path = xstrdup(path);
	s->files = xreallocarray(s->files, s->n + 1, sizeof(*s->files));
	s->files[s->n++] = f;
}

static void
add_dir(struct spool *s, const char *dir)
{
	DIR *d = opendir(dir);
	const struct dirent *e;

	if (d == NULL) {
		printf("%s: %s\n", dir, strerror(errno));
		exit(2);
	}
	while ((e = readdir(d)) != NULL)
		add_file(s, dir, e->d_name);
	closedir(d);
}

static int
by_number(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

static void
compare(struct spool *s, const char *path, const struct segment_info *in)
{
	const struct segment_info *b = &s->before;

	if (b->number == 0) {
		s->first = in->first;
		return;
	}
	if (in->number != b->number + 1)
		wrong(s, path, "a segment is missing before it");
	if (memcmp(in->epoch, b->epoch, sizeof(in->epoch)) != 0)
		wrong(s, path, "of another epoch");
	if (in->first != b->last + 1 && !in->resumed)
		wrong(s, path, "records are missing before it");
}

static void
check(struct spool *s, const struct found *f)
{
	struct segment_info in;
	const char *why;
	int fd = open(f->path, O_RDONLY | O_CLOEXEC);

	if (fd == -1 || segment_read(fd, NULL, &in, &why) == -1) {
		wrong(s, f->path, fd == -1 ? strerror(errno) : why);
	} else {
		if (in.number != f->number)
			wrong(s, f->path, "has another number inside");
		compare(s, f->path, &in);
		s->before = in;
		s->last = in.last;
		s->records += in.last + 1 - in.first;
		s->resumes += in.resumed != 0;
		if (in.resumed && !s->may_resume)
			wrong(s, f->path, "record numbers were jumped over");
	}
	if (fd != -1)
		close(fd);
}

int
main(int argc, char **argv)
{
	struct spool s = {.n = 0};
	int c;

	while ((c = getopt(argc, argv, "r")) != -1) {
		if (c != 'r')
			return 2;
		s.may_resume = 1;
	}
	for (int i = optind; i < argc; i++)
		add_dir(&s, argv[i]);
	if (s.n > 0)
		qsort(s.files, s.n, sizeof(*s.files), by_number);
	for (size_t i = 0; i < s.n; i++)
		check(&s, &s.files[i]);
	printf("segments=%zu records=%ju first=%ju last=%ju resumes=%ju\n", s.n,
	    (uintmax_t)s.records, (uintmax_t)s.first, (uintmax_t)s.last,
	    (uintmax_t)s.resumes);
	for (size_t i = 0; i < s.n; i++)
		free(s.files[i].path);
	free(s.files);
	return s.wrong != 0;
}
