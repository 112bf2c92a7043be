/*
 * segment_mark: the private warts record that carries what warts lacks.
 *
 *	offset	size	content (all numbers big-endian)
 *	0	1	kind: 1 head, 2 batch, 3 resume, 4 tail
 *	1	1	version: 1
 *	2	16	epoch of the spool
 *	18	8	number of the segment
 *	26	8	number of the first record since the previous mark; with
 *			count 0 the number that the next record will get
 *	34	4	count of numbered records since the previous mark
 *	38	8	wall time, ns since 1970-01-01 UTC
 *	46	8	monotonic time, ns
 *	54		by kind
 *			head:	16  boot id
 *			resume:	 8  last record number found before the gap
 *			tail:	 8  first record number of the segment
 *				 8  last one (first - 1 when it has none)
 *				32  SHA-256 of all bytes before this mark
 *			batch, tail: the account section
 *				 1  version: 1
 *				 2  number of entries; each entry
 *				    4 list, 4 cycle (the user's numbers),
 *				    8 each: accepted, recorded, held, queued,
 *				    active; 1 number of reasons; per reason
 *				    1 reason, 8 refused for it
 *			batch, behind it: the event section (older ones: none)
 *				 1  version: 1
 *				 4  number of runs; each run
 *				    4 list, 4 cycle (the user's numbers)
 *				    1 flags: 1 its start record is in this
 *				      batch, 2 its stop record is
 *				    4 count; each 8: number of a command that
 *				      a record of this batch answers
 *	end-4	4	CRC-32 of all bytes from the end of the previous mark (or
 *			the start of the file) up to this field
 *
 * So each mark covers the records before it and itself: a flipped bit anywhere
 * in a segment breaks a CRC.  Numbered are measurement records (trace, ping,
 * ...), not list and cycle records, which every segment has of its own.
 *
 * Not here: where marks go (segment.c) and what is believed (segment_read.c).
 */
#ifndef COMMON_SEGMENT_MARK_H
#define COMMON_SEGMENT_MARK_H

#include <stddef.h>
#include <stdint.h>

#include "common/segment.h"
#include "common/warts/buf.h"

enum segment_mark_kind {
	SEGMENT_MARK_HEAD = 1,
	SEGMENT_MARK_BATCH = 2,
	SEGMENT_MARK_RESUME = 3,
	SEGMENT_MARK_TAIL = 4,
};

#define SEGMENT_MARK_VERSION 1
/* Record header and body of a head mark: the shortest good segment. */
#define SEGMENT_MARK_HEAD_LEN (8 + 54 + 16 + 4)

struct segment_mark {
	enum segment_mark_kind kind;
	uint8_t epoch[SEGMENT_EPOCH_LEN];
	uint64_t segment;
	uint64_t first;
	uint32_t count;
	int64_t wall_ns, mono_ns;
	uint8_t boot[16]; /* head */
	uint64_t resume_last; /* resume */
	uint64_t seg_first, seg_last; /* tail */
	uint8_t sha[SEGMENT_SHA_LEN]; /* tail */
	/* batch, tail: entries to encode; not set by decode */
	const struct segment_account *accounts;
	uint16_t naccounts;
	const struct segment_event *events; /* batch, likewise */
	size_t nevents;
};

/* Append mark M as a record to B, which holds nothing else.  CRC is the CRC-32
 * of the bytes between the previous mark and this one (0 if none). */
void
segment_mark_encode(struct wbuf *b, const struct segment_mark *m, uint32_t crc);

/* Take BODY of a mark apart.  0, or -1 with a static reason in *WHY.  The CRC
 * is the caller's to compare: segment_mark_crc(). */
int segment_mark_decode(
    const uint8_t *body, size_t len, struct segment_mark *m, const char **why);

/* The CRC that the mark in BODY (decoded without error) claims. */
uint32_t segment_mark_crc(const uint8_t *body, size_t len);

/* Entry I (from 0) of the account section of the batch or tail mark in BODY.
 * 0, or -1 when there is no such entry. */
int segment_mark_account(
    const uint8_t *body, size_t len, uint16_t i, struct segment_account *out);

/* Give each event of the mark in BODY to CB: of a run first its start, then
 * the numbers, then its stop.  0, also without any; or -1 when the section
 * breaks its rules: what was given before is to be forgotten. */
int segment_mark_events(const uint8_t *body, size_t len,
    void (*cb)(void *arg, const struct segment_event *e), void *arg);

#endif
