#include "tests/fault/killat.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"

static struct tracee **tracees;
static size_t n;

/* The process that thread TID is of. */
static pid_t
process_of(pid_t tid)
{
	char name[64], line[128];
	pid_t tgid = 0;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%d/status", tid);
	f = fopen(name, "re");
	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "Tgid: %d", &tgid) == 1)
			break;
	}
	if (f != NULL)
		fclose(f);
	return tgid;
}

struct tracee *
tracees_get(pid_t tid)
{
	for (size_t i = 0; i < n; i++) {
		if (tracees[i]->tid == tid)
			return tracees[i];
	}
	tracees = xreallocarray(tracees, n + 1, sizeof(*tracees));
	tracees[n] = xcalloc(1, sizeof(**tracees));
	tracees[n]->tid = tid;
	tracees[n]->process = process_of(tid);
	return tracees[n++];
}

void
tracees_gone(pid_t tid)
{
	for (size_t i = 0; i < n; i++) {
		if (tracees[i]->tid == tid) {
			free(tracees[i]);
			tracees[i] = tracees[--n];
			return;
		}
	}
}

struct tracee *
tracees_held(size_t i)
{
	for (size_t k = 0; k < n; k++) {
		if (tracees[k]->held_ns != 0 && i-- == 0)
			return tracees[k];
	}
	return NULL;
}
