/*
 * segment_dir: a spool directory, its durable state and its locks.
 *
 *	spool/N.open	being written, locked (OFD) by the writer
 *	spool/N.warts	sealed: tail mark, fsynced, renamed
 *	sent/N.warts	committed by the archive; oldest removed first
 *	bad/N.warts	refused twice by the archive; bad/N.why says why
 *	state/epoch	128-bit random id, made when the spool is made
 *	state/next	number of the next segment, number of its first record,
 *			last record number found before that: one less, unless
 *			numbers were jumped over
 *	state/numbers	record numbers below this may be in use; boot id
 *	state/checkpoint  the Prober's: what is not finished; its first line
 *			names the first segment that it may want to read
 *	state/reserve	256 KiB that a full disk gives back for a seal
 *	state/lock	OFD lock: one writer or one recovery at a time
 *	state/writer	classic (process) lock of the writer
 *
 * Two lock files, because the two kinds of lock are good for different things.
 * An OFD lock cannot be lost by closing another descriptor, but the kernel
 * names no holder (F_GETLK says pid -1).  A classic lock names its holder, and
 * the kernel drops it when the process is gone, so that the answer is never a
 * stale number; it would be lost if the writer closed any descriptor of that
 * file, so the writer opens state/writer once and nobody else touches it in
 * that process.  If it is lost all the same, no holder is named and nobody is
 * signalled: the error is on the quiet side.
 *
 * Every text file here is one line with a check word (crcline.h).
 */
#ifndef COMMON_SEGMENT_DIR_H
#define COMMON_SEGMENT_DIR_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/segment.h"

#define SEGMENT_DIR_NAME 32 /* bytes for "N.warts" */
#define SEGMENT_RESERVE_BYTES (256u << 10)
#define SEGMENT_DIR_BOOT_LEN 16

struct segment_dir {
	int top, spool, sent, bad, state; /* directory descriptors */
	uint8_t epoch[SEGMENT_EPOCH_LEN];
	uint8_t boot[SEGMENT_DIR_BOOT_LEN]; /* this boot */
	uint64_t next; /* segment that is or will be open */
	uint64_t next_record; /* number of its first record */
	uint64_t last_record; /* last one found before; normally one less */
	uint64_t limit; /* record numbers below are reserved */
	int limit_other_boot; /* ... by a process of another boot */
};

/*
 * Open spool directory PATH and read its state.  MAKE: make what is missing
 * (under the lock, which the caller must not have).
 * Returns 0, or -1 with errno and a reason in *WHY (EBADMSG: a state file is
 * damaged; ENOENT: not a spool).
 */
int segment_dir_open(
    struct segment_dir *d, const char *path, int make, const char **why);
void segment_dir_close(struct segment_dir *d);

/* Read state/next and state/numbers again.  0 or -1 as above. */
int segment_dir_load(struct segment_dir *d, const char **why);

/* Durably set state/next, giving up the reserve if the disk is full. 0, or -1
 * with errno. */
int segment_dir_set_next(
    struct segment_dir *d, uint64_t next, uint64_t record, uint64_t last);

/* Durably reserve record numbers below LIMIT for this boot. */
int segment_dir_reserve_numbers(struct segment_dir *d, uint64_t limit);

/* The reserve file: make it if it is not there (0, or -1 with errno); give it
 * back (non-zero if there was one; errno is kept). */
int segment_dir_reserve(struct segment_dir *d);
int segment_dir_unreserve(struct segment_dir *d);

/* Take state/lock; -1 with EWOULDBLOCK if another has it. */
int segment_dir_lock(struct segment_dir *d);
/* The same, patient with a program that recovers, but not with a writer. */
int segment_dir_lock_soon(struct segment_dir *d);
/* Take the classic lock on state/writer for this process; returns the only
 * descriptor of it, to be kept open, or -1 with errno. */
int segment_dir_writer(struct segment_dir *d);
/* The process that writes the spool, 0 if none (or not in our sight). */
pid_t segment_dir_holder(struct segment_dir *d);

/* Print N and SUFFIX (".open", ".warts") to BUF of SEGMENT_DIR_NAME bytes. */
const char *segment_dir_name(char *buf, uint64_t n, const char *suffix);

/* Numbers of all files called N and SUFFIX in directory DIRFD, ascending, in
 * *OUT (the caller's to free); other names are passed over.  Returns their
 * count, or -1 with errno. */
ssize_t segment_dir_list(int dirfd, const char *suffix, uint64_t **out);

/* Sum of the sizes of N.warts and N.open in DIRFD; bytes. */
uint64_t segment_dir_bytes(int dirfd);

/* Remove the oldest of sent/ until at most KEEP_BYTES are left, but none that
 * the checkpoint may want to read.  Returns the bytes freed. */
uint64_t segment_dir_prune(struct segment_dir *d, uint64_t keep_bytes);

/* 32 lower-case hex digits and NUL to BUF of 33 bytes; returns BUF. */
const char *
segment_dir_epoch(char *buf, const uint8_t epoch[SEGMENT_EPOCH_LEN]);

/* LEN bytes as hex to BUF of 2 * LEN + 1. */
const char *segment_dir_hex(char *buf, const uint8_t *p, size_t len);
/* All of S, 2 * LEN lower-case hex digits, to P.  0 or -1. */
int segment_dir_unhex(const char *s, uint8_t *p, size_t len);

#endif
