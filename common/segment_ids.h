/*
 * segment_ids: the list and cycle records that each segment needs.
 *
 * Ids of lists and cycles are numbers within one file, from 1 in the order
 * written.  A cycle is known by a handle for as long as it runs; the first
 * record of it in a file is preceded by its list and cycle records.  The very
 * first time that is a cycle start, later and for a resumed cycle a cycle
 * definition.
 *
 * segment_ids_replay() writes the definitions that a file began with once
 * more, so that bytes which refer to them can be moved to another file.
 */
#ifndef COMMON_SEGMENT_IDS_H
#define COMMON_SEGMENT_IDS_H

#include <stddef.h>
#include <stdint.h>

#include "common/segment.h"
#include "common/warts/buf.h"

struct segment_ids_list {
	uint32_t user_id;
	char *name, *descr; /* descr may be NULL */
	uint32_t id; /* in the present file, 0: not there */
};

struct segment_ids_cycle {
	struct segment_ids_list *list;
	uint32_t user_id, start;
	char *hostname; /* or NULL */
	int started; /* its start record was written */
	int ended; /* no handle any more */
	uint32_t id; /* in the present file, 0: not there */
};

struct segment_ids {
	char *monitor; /* or NULL */
	struct segment_ids_list **lists; /* all ever seen */
	size_t nlists;
	struct segment_ids_cycle **cycles; /* by handle; NULL: free */
	size_t ncycles;
	/* What the present file defines, id - 1 -> object. */
	struct segment_ids_list **def_lists;
	size_t ndef_lists;
	struct segment_ids_cycle **def_cycles;
	size_t ndef_cycles;
};

/* MONITOR is copied, may be NULL. */
void segment_ids_init(struct segment_ids *ids, const char *monitor);
void segment_ids_clear(struct segment_ids *ids);

/* A new cycle; returns its handle.  C is copied. */
int segment_ids_begin(struct segment_ids *ids, const struct segment_cycle *c);

/* Have cycle HANDLE defined in the present file (appending to B what is
 * missing), and give its file-local ids. */
void segment_ids_use(struct segment_ids *ids, int handle, struct wbuf *b,
    uint32_t *list, uint32_t *cycle);

/* The handle is free again; the definition stays until the next file. */
void segment_ids_end(struct segment_ids *ids, int handle);

/* A new file begins: nothing is defined in it. */
void segment_ids_new_file(struct segment_ids *ids);

/* Append to B the definitions of the first NLISTS lists and NCYCLES cycles of
 * the present file, with the same ids. */
void segment_ids_replay(
    struct segment_ids *ids, struct wbuf *b, size_t nlists, size_t ncycles);

#endif
