/*
 * output: records to the spool, a file, or text.
 *
 * output.c chooses; output_spool.c and output_file.c are the kinds, and
 * control/sink.c one that is a client's connection.
 */
#ifndef PROBER_OUTPUT_H
#define PROBER_OUTPUT_H

#include "common/show/show.h"
#include "common/warts/buf.h"
#include "prober/prober.h"

struct output_config {
	const char *spool; /* directory, or NULL: write to PATH */
	uint64_t quota_bytes; /* of the spool, 0: no limit */
	const char *path; /* "-": standard output */
	const char *format; /* output_is_format(); NULL: by suffix */
	const char *otherwise; /* if that says nothing; NULL: text */
	int append; /* to what is in the file */
	uint32_t generation; /* of text and JSON, 2021 or 2026; 0: 2026 */
	const char *monitor; /* -M, or NULL */
};

struct output_cycle {
	uint32_t list, cycle;
	const char *name, *descr; /* descr may be NULL */
	uint32_t start; /* Unix time */
	int resumed;
};

/* Dies with a message when it cannot be opened. */
struct output *output_open(const struct output_config *cfg, int64_t now_ns);
/* The same for a file only; NULL with errno when it cannot be opened. */
struct output *output_try(const struct output_config *cfg);
/* A spool: continue in A what the process before this one left, and keep a
 * checkpoint from now on (checkpoint.h).  Nothing for a file. */
void output_resume(struct output *o, struct admit *a);
/* A handle for the cycle; writes its list and start. */
int output_cycle_begin(struct output *o, const struct output_cycle *c);
void output_cycle_end(struct output *o, int handle, uint32_t stop);
/* 0, or -1: no room now, keep the record and try after the next tick. */
int output_record(struct output *o, int handle, struct technique_record *rec);
/* Would somebody look at what is not finished, and can he now? */
int output_wants_partial(const struct output *o, int handle);
/* A record of what is not finished: to be shown, not kept. */
void output_partial(struct output *o, int handle, struct technique_record *rec);
/* At least once a second.  Non-zero: no room, admit nothing. */
int output_tick(struct output *o, int64_t now_ns);
/* What the disk does beside the loop (common/syncer.h): bits. */
enum {
	OUTPUT_BUSY = 1, /* it works: look again soon */
	OUTPUT_MOVED = 2, /* it has done something: more may be acknowledged */
	OUTPUT_FULL = 4, /* no room; only said with OUTPUT_MOVED */
};
/* Look at it; it costs next to nothing. */
int output_poll(struct output *o, int64_t now_ns);
/* Wait until it has done what it was given.  0: now there is room; -1: there is
 * none, or nothing was waited for. */
int output_settle(struct output *o, int64_t now_ns);
/* Seal the segment, or swap nothing.  0, or -1 + errno. */
int output_rotate(struct output *o, int64_t now_ns);
/* The present account of LC, for the next mark in the spool. */
void output_account(struct output *o, const struct listcycle *lc);
/* Write what is left, waiting for a slow reader as long as it takes, or with
 * HURRY for a moment only.  0, or -1 if something could not be written. */
int output_close(struct output *o, int64_t now_ns, int hurry);

/* --- what a kind supplies ---------------------------------------------------- */

struct output_ops {
	int (*cycle_begin)(struct output *o, const struct output_cycle *c);
	void (*cycle_end)(struct output *o, int handle, uint32_t stop);
	int (*record)(
	    struct output *o, int handle, struct technique_record *rec);
	/* Both NULL: it keeps results only. */
	int (*wants_partial)(const struct output *o, int handle);
	void (*partial)(
	    struct output *o, int handle, struct technique_record *rec);
	int (*tick)(struct output *o, int64_t now_ns);
	/* NULL: the disk does nothing beside the loop. */
	int (*poll)(struct output *o, int64_t now_ns);
	int (*settle)(struct output *o, int64_t now_ns);
	int (*rotate)(struct output *o, int64_t now_ns);
	/* NULL: accounts are kept in a spool only. */
	void (*account)(struct output *o, const struct listcycle *lc);
	void (*resume)(struct output *o, struct admit *a); /* or NULL */
	/* Frees O. */
	int (*close)(struct output *o, int64_t now_ns, int hurry);
};

/* The head of every kind's struct. */
struct output {
	const struct output_ops *ops;
	char hostname[256];
};

/* A new output as CFG says, into a spool or one file; dies when it cannot be
 * opened, output_file_try() returns NULL with errno then.  Its close() frees
 * it. */
struct output *
output_spool_open(const struct output_config *cfg, int64_t now_ns);
struct output *output_file_open(const struct output_config *cfg);
struct output *output_file_try(const struct output_config *cfg);

/* --- output_form.c: records as bytes of a stream ---------------------------------- */

enum output_kind { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_WARTS };

/* All zeros but for the first five; cleared by output_form_clear(). */
struct output_form {
	enum output_kind kind;
	enum show_generation generation;
	const char *monitor; /* -M, or NULL; not copied */
	/* Those that the stream has from somebody else: ids of warts. */
	uint32_t lists_before, cycles_before;
	struct output_form_cycle *cycles; /* ncycles */
	int ncycles;
};

/* Each appends to OUT: a cycle's list and start (its handle is returned;
 * HOSTNAME, which may be "", must stay), its stop, a record of it. */
int output_form_begin(struct output_form *f, const struct output_cycle *c,
    const char *hostname, struct wbuf *out);
void output_form_end(
    const struct output_form *f, int handle, uint32_t stop, struct wbuf *out);
void output_form_record(const struct output_form *f, int handle,
    struct technique_record *rec, struct wbuf *out);
void output_form_clear(struct output_form *f);

/* --- output_gz.c, output_bz2.c, output_xz.c ------------------------------------ */

/* Append LEN bytes at P to OUT as a gzip (RFC 1952), bzip2 or xz file of their
 * own.  A file of such pieces is one that every reader of these takes, and it is
 * whole after each of them. */
void output_gz_member(struct wbuf *out, const uint8_t *p, size_t len);
void output_bz2_member(struct wbuf *out, const uint8_t *p, size_t len);
void output_xz_member(struct wbuf *out, const uint8_t *p, size_t len);

/* --- output_file.c -------------------------------------------------------------- */

/* Is WORD one of the formats there are: text, warts.xz, ...? */
int output_is_format(const char *word);

#endif
