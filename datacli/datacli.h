/*
 * datacli: fetch the segments of all monitors.  This is the map of the program.
 *
 *	datacli.c   options, signals; who dials in (common/gate.c)
 *	settings.c  the configuration
 *	   │ monitor_new(), monitor_take()
 *	   ▼             ┌── poll time, or back-off with jitter ──┐
 *	monitor.c   pass, then the sorter if there is work ◄──────┘
 *	   │ fetch_new()                      ▲ done: fetched, or why not
 *	   ▼                                  │
 *	fetch.c     one pass over one monitor: the protocol (dataserver(8))
 *	block.c     bytes behind a line, inflated
 *	   │ look, begin, write, finish       ▲ have, need, conflict
 *	   ▼                                  │
 *	incoming.c  the disk: incoming/MON/EPOCH/N.part -> N.warts
 *
 * For each segment, in this order: bytes to N.part; SHA-256 of the file as read
 * back, and its marks; fsync; rename to N.warts; fsync of the directory; only
 * then `commit'.  A kill anywhere leaves N.part, which is resumed, or N.warts,
 * which is committed again; until then the monitor has it.
 *
 * Names on disk come from the configuration and from numbers: the epoch, which
 * the monitor says, is taken as 128 bits and printed by us.
 */
#ifndef DATACLI_H
#define DATACLI_H

#include <stddef.h>
#include <stdint.h>

#include "common/segment.h"
#include "common/tls.h"

struct event_base;

#define DATACLI_LINE_MAX 512

/* --- incoming.c -------------------------------------------------------------- */

/* What a monitor offers. */
struct offer {
	uint64_t number, first, last, bytes;
	uint8_t sha[SEGMENT_SHA_LEN];
};

struct incoming {
	int root, dir; /* DIR; incoming/MON/EPOCH */
	char *monitor;
	uint8_t epoch[SEGMENT_EPOCH_LEN];
	char hex[2 * SEGMENT_EPOCH_LEN + 1];
	/* The part that is being written. */
	int fd; /* -1: none */
	struct offer part;
	uint64_t size; /* bytes in it */
	int resumed; /* it had bytes at the beginning */
};

/* Directories are made as needed.  0, or -1 with errno. */
int incoming_open(struct incoming *in, int root, const char *monitor,
    const uint8_t epoch[SEGMENT_EPOCH_LEN]);
void incoming_close(struct incoming *in);

/* The first number that is not filed.  0 with errno if that cannot be known. */
uint64_t incoming_next(struct incoming *in);

enum incoming_look {
	INCOMING_NEED, /* to be fetched */
	INCOMING_HAVE, /* here or filed, with the same hash: to be committed */
	INCOMING_CONFLICT, /* the number is here or filed with another hash */
	INCOMING_ERROR, /* errno */
};
/* What is to be done with O. */
enum incoming_look incoming_look(struct incoming *in, const struct offer *o);

/* Is segment NUMBER complete here (or known as refused)? */
int incoming_has(struct incoming *in, uint64_t number);

/* Open N.part; `size' says where to go on.  0, or -1 with errno (ENOSPC also
 * when less than twice the segment is free). */
int incoming_begin(struct incoming *in, const struct offer *o);
/* Bytes at `size'.  0, or -1 with errno. */
int incoming_write(struct incoming *in, const void *p, size_t len);
/* Forget the bytes from SIZE on. */
int incoming_cut(struct incoming *in, uint64_t size);
/* Stop; the part stays. */
void incoming_stop(struct incoming *in);

/*
 * All bytes are here: verify and make it N.warts.  Returns 1 when that is
 * durable; 0 when the bytes are not what was offered or not a good segment,
 * with *WHY (the part is gone); -1 with errno.
 */
int incoming_finish(struct incoming *in, const char **why);

/* The monitor keeps segment NUMBER in bad/: say so to the sorter.  0 or -1. */
int incoming_refused(struct incoming *in, uint64_t number, const uint8_t *sha);

/* O is another segment than the one of that number: say so to the sorter, for
 * the ledger.  0 or -1. */
int incoming_conflict(struct incoming *in, const struct offer *o);

/* --- block.c ------------------------------------------------------------------ */

struct block {
	struct incoming *in;
	uint64_t start; /* offset in the segment */
	uint64_t left; /* bytes still to come in */
	uint32_t crc, want_crc;
	uint8_t *z; /* what came of a compressed one; NULL: not allocated */
	size_t z_got, z_len; /* z_len 0: it comes as it is */
	size_t len; /* bytes of the segment */
};

/* Blocks of what is written to IN, which is kept. */
void block_init(struct block *b, struct incoming *in);
void block_clear(struct block *b);

/* The line "data N OFFSET LEN CRC" or "zdata N OFFSET LEN CRC Z", with N words.
 * NULL, and `left' bytes are to be expected; or a static reason. */
const char *block_begin(struct block *b, char **words, int n);

enum block_result { BLOCK_OK, BLOCK_BAD, BLOCK_ERROR };

/* Bytes of it.  BLOCK_BAD: they are not what their CRC says, and nothing of
 * the block is kept.  BLOCK_ERROR: errno. */
enum block_result block_data(struct block *b, const void *p, size_t len);

/* --- fetch.c ------------------------------------------------------------------ */

struct fetch;

struct fetch_config {
	struct event_base *base;
	int root; /* DIR */
	const char *monitor, *address; /* kept */
	struct tls *tls; /* NULL: plain */
	const struct tls_pin *pin; /* kept; of the monitor, with TLS */
	int fd; /* it dialled, this is it (owned); -1: dial */
	struct tls_conn *conn; /* ... and this (owned) */
	unsigned int poll_s; /* what one that dials is told */
	int64_t timeout_ns; /* its silence ends the pass */
	/* The pass is over: WHY is NULL, or why it broke off, for the log.
	 * FETCHED segments are new.  The fetch is gone afterwards. */
	void (*done)(void *arg, const char *why, unsigned int fetched);
	void *arg;
};

/* Begin one pass: rotate, list, get what is new, commit. */
struct fetch *fetch_new(const struct fetch_config *cfg);
void fetch_free(struct fetch *f);

/* --- settings.c ---------------------------------------------------------------- */

struct settings_monitor {
	char *name;
	char *address; /* NULL: it dials */
	int has_pin;
	struct tls_pin pin;
	int64_t poll_ns;
};

struct settings {
	char *key, *listen, *sorter; /* NULL: not said */
	int64_t timeout_ns; /* a monitor that says nothing so long has failed */
	struct settings_monitor *list;
	size_t count;
};

/* Read the configuration PATH.  0; or -1 with S empty, all errors logged. */
int settings_load(struct settings *s, const char *path);
void settings_clear(struct settings *s);
void settings_monitor_clear(struct settings_monitor *m);

/* The monitor of S with M's name, address and pin; or NULL. */
const struct settings_monitor *
settings_find(const struct settings *s, const struct settings_monitor *m);

/* --- monitor.c ------------------------------------------------------------------ */

struct monitor;

struct central {
	struct event_base *base;
	const char *dir;
	int root; /* the same, open */
	int once; /* one pass each, then leave the loop */
	int64_t timeout_ns; /* of the settings */
	char *sorter;
	struct tls *tls; /* NULL: no key */
	struct monitor *monitors; /* list */
	/* Under way: of those we dial, of those that dial, and sorters. */
	unsigned int ndialled, ncalls, nsorters;
};

/* Add a monitor to C (CONF is copied) and ask it at once, if we dial. */
struct monitor *
monitor_new(struct central *c, const struct settings_monitor *conf);
/* Take it away with what is under way.  Non-zero: something failed. */
int monitor_free(struct monitor *m);

/* Make C's monitors those of S: new ones begin, those gone or changed end. */
void monitor_reload(struct central *c, const struct settings *s);

/* The monitor that dials with PIN, or NULL. */
struct monitor *
monitor_by_pin(const struct central *c, const struct tls_pin *pin);

/* It has dialled: a pass.  -1: not now, nothing is owned. */
int monitor_take(struct monitor *m, int fd, struct tls_conn *conn);

#endif
