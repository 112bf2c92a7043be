/*
 * signed: the texts that the centre signs and a monitor obeys (signed(5)).
 *
 *	signed assign ams-nl 17 expires=1790000000 release=5	head
 *	monitor ams-nl						body
 *	list 1 name=team-1 weight=3 run listgen-file team-1.txt
 *	file 1 team-1.txt on-change=update sha256=... size=81920
 *	signature ed25519:KEY BASE64				of all above it
 *
 *	who signs	kind		says
 *	a next key	root VERSION	the keys of the roles, the next root keys
 *	release key	release VERSION	code that may run, caps, do-not-probe floor
 *	assign key	assign MON VER	the schedule of one monitor and its files
 *	release key	stop VERSION	stop all probing, or go on
 *
 * Lines of printable ASCII and tabs, at most 1,024 bytes with the \n, 256 KiB in
 * all.  A text is judged in this order, and the first thing wrong is the fault:
 * size, bytes, last line, head, signer, signature; only then, now that it is
 * known who wrote it: whose it is, version, expiry, body, and what other texts
 * say about it.  Nothing of a text that is refused is kept.
 *
 * Versions only grow.  A monitor stores `seen' (signed_seen_save) before it uses
 * what it took, so that nothing that was once replaced can come back, whoever
 * has the centre.  The same version again is fine if it is the same text.
 *
 * In what order: root (one version after the other, each signed by a next key of
 * the one before), stop, release, assign.  Only all of them together are a
 * generation: an assign names the release it builds on, and another one is a
 * fault.
 *
 *	signed.c	keys, faults, the head and the signature
 *	signed_root.c, signed_release.c, signed_assign.c, signed_stop.c
 *	signed_trust.c	what is held: the take functions, versions seen
 *	signed_object.c	the files that the texts name by SHA-256
 */
#ifndef COMMON_SIGNED_H
#define COMMON_SIGNED_H

#include <stddef.h>
#include <stdint.h>

#include "common/addr.h"
#include "common/cmd.h"
#include "common/schedule.h"

#define SIGNED_TEXT_MAX (256u << 10) /* bytes of a text */
#define SIGNED_KEYS_MAX 8 /* of one role */
#define SIGNED_OBJECT_MAX (1ull << 30) /* bytes of a file */

enum signed_kind { SIGNED_ROOT, SIGNED_STOP, SIGNED_RELEASE, SIGNED_ASSIGN };
#define SIGNED_KINDS 4

/* "root", "stop", "release", "assign". */
const char *signed_kind_name(enum signed_kind kind);

/* The kind of that name, or -1. */
int signed_kind_scan(const char *name);

/* --- faults ------------------------------------------------------------------ */

enum signed_code {
	SIGNED_OK,
	SIGNED_OVERSIZED, /* more than SIGNED_TEXT_MAX bytes */
	SIGNED_BYTES, /* a byte that no text has, or a line too long */
	SIGNED_TRUNCATED, /* no signature at the end */
	SIGNED_HEAD, /* the first line is not a head */
	SIGNED_KIND, /* another kind than was asked for */
	SIGNED_SIGNER, /* by a key that does not have the role */
	SIGNED_SIGNATURE, /* the signature does not match the text */
	SIGNED_FOREIGN, /* for another monitor */
	SIGNED_OLDER, /* a later version has been seen */
	SIGNED_CHANGED, /* the version has been seen with another text */
	SIGNED_EXPIRED, /* it, or the root it hangs on */
	SIGNED_UNKNOWN, /* a line or key that must be understood and is not */
	SIGNED_CONTENT, /* the body breaks the grammar */
	SIGNED_MIXED, /* builds on another release than the one held */
	SIGNED_CODE, /* a program or hash that the release does not allow */
	SIGNED_WITHDRAWN, /* code that was withdrawn */
	SIGNED_MISSING, /* a text that must come before it is not there */
	SIGNED_SIZE, /* a file has another size */
	SIGNED_HASH, /* a file has another SHA-256 */
	SIGNED_IO, /* a file cannot be read */
	SIGNED_CODES,
};

#define SIGNED_FAULT_LEN 256

/* Why something was refused. */
struct signed_fault {
	enum signed_code code;
	int line; /* of the text; 0: all of it */
	char text[SIGNED_FAULT_LEN]; /* for a log line and the heartbeat */
};

/* One word for CODE: "oversized", "older" ...: for heartbeats and programs. */
const char *signed_code_word(enum signed_code code);

/* --- keys -------------------------------------------------------------------- */

#define SIGNED_KEY_LEN 32
#define SIGNED_KEY_STRLEN 53 /* printed, with its NUL */

/* An Ed25519 public key: ed25519: and its 32 bytes in base64. */
struct signed_key {
	uint8_t pub[SIGNED_KEY_LEN];
};

/* Scan all of S.  NULL, or a static reason with OUT untouched. */
const char *signed_key_scan(const char *s, struct signed_key *out);

/* Print to BUF, which has SIGNED_KEY_STRLEN bytes; returns BUF. */
char *signed_key_str(const struct signed_key *key, char *buf);

/* Non-zero when equal. */
int signed_key_equal(const struct signed_key *a, const struct signed_key *b);

struct signed_keys {
	struct signed_key list[SIGNED_KEYS_MAX];
	size_t count;
};

/* Non-zero when KEY is one of KEYS. */
int
signed_keys_have(const struct signed_keys *keys, const struct signed_key *key);

/* --- the envelope ------------------------------------------------------------ */

/* A text as it came: LEN bytes at TEXT.  TEXT[LEN] need not be there. */
struct signed_text {
	const char *text;
	size_t len;
};

struct signed_head {
	enum signed_kind kind;
	uint64_t version; /* from 1 */
	int64_t expires_s; /* Unix time; 0: never (stop only) */
	uint64_t release; /* assign: the one it builds on */
	char monitor[CMD_NAME_MAX]; /* assign: whose it is; else "" */
	struct signed_key signer; /* as the last line names it */
};

/* What the envelope of T says, without looking at the signature: for the
 * publisher, and to name a text in a log.  0, or -1 with F. */
int signed_peek(const struct signed_text *t, struct signed_head *out,
    struct signed_fault *f);

/*
 * Open the envelope: size, bytes, head of that KIND, the signature by one of
 * KEYS (NULL: by whoever is named in it).  With the head in *OUT, returns the
 * text as a string in which everything but the body has become comment, so that
 * line numbers stay; the caller frees.  Or NULL with F.
 */
char *signed_open(const struct signed_text *t, enum signed_kind kind,
    const struct signed_keys *keys, struct signed_head *out,
    struct signed_fault *f);

/* SHA-256 of LEN bytes at P. */
#define SIGNED_SHA_LEN SCHEDULE_SHA_LEN
void signed_sha(const void *p, size_t len, uint8_t sha[SIGNED_SHA_LEN]);

/* --- root -------------------------------------------------------------------- */

struct signed_root {
	uint64_t version; /* 0: there is none */
	int64_t expires_s;
	struct signed_keys role[SIGNED_KINDS]; /* STOP has those of RELEASE */
	struct signed_keys next; /* who may sign version + 1 */
};

/* Read BODY as signed_open() gave it.  0, or -1 with F. */
int signed_root_parse(const struct signed_head *h, const char *body,
    struct signed_root *out, struct signed_fault *f);

/* --- release ----------------------------------------------------------------- */

struct signed_code_entry {
	char name[CMD_NAME_MAX];
	uint8_t sha[SIGNED_SHA_LEN];
	uint64_t size; /* bytes */
};

struct signed_caps {
	char monitor[CMD_NAME_MAX]; /* "*": of all without their own */
	uint32_t rate; /* packets/s in all; 0: not said */
	uint32_t address_rate; /* ... to one address */
	uint32_t prefix_rate; /* ... to one /24 or /48 */
	int64_t deadman_ns; /* no good check-in for so long: stop; 0: never */
};

struct signed_release {
	uint64_t version; /* 0: there is none */
	int64_t expires_s;
	struct signed_code_entry *code; /* ncode: may run, under this name */
	size_t ncode;
	/* ninstalled: programs of the monitor's own that may run */
	char (*installed)[CMD_NAME_MAX];
	size_t ninstalled;
	uint8_t (*withdrawn)[SIGNED_SHA_LEN]; /* nwithdrawn */
	size_t nwithdrawn;
	struct signed_caps *caps; /* ncaps */
	size_t ncaps;
	struct addr_prefix *dnp; /* ndnp: the floor of the do-not-probe list */
	size_t ndnp;
};

/* Read BODY as signed_open() gave it.  0 with *OUT for signed_release_clear(),
 * or -1 with F. */
int signed_release_parse(const struct signed_head *h, const char *body,
    struct signed_release *out, struct signed_fault *f);
void signed_release_clear(struct signed_release *r);

/* What may run as NAME with that hash: NULL if nothing. */
const struct signed_code_entry *signed_release_code(
    const struct signed_release *r, const char *name, const uint8_t *sha);

/* Non-zero when the schedule may run NAME as the monitor has it. */
int signed_release_installed(const struct signed_release *r, const char *name);

/* Non-zero when that hash was withdrawn. */
int
signed_release_withdrawn(const struct signed_release *r, const uint8_t *sha);

/* The caps of MONITOR: its own line, else that of *; all zeros if neither is
 * there.  Static or within R. */
const struct signed_caps *
signed_release_caps(const struct signed_release *r, const char *monitor);

/* --- assign ------------------------------------------------------------------ */

struct signed_assign {
	uint64_t version;
	int64_t expires_s;
	uint64_t release; /* it builds on */
	/* Every file and code of it has its hash and size; every program is
	 * one of its code lines or installed. */
	struct schedule *schedule;
};

/* Read BODY as signed_open() gave it, and judge it against the release R.  0
 * with *OUT for signed_assign_clear(), or -1 with F. */
int signed_assign_parse(const struct signed_head *h, const char *body,
    const struct signed_release *r, struct signed_assign *out,
    struct signed_fault *f);
void signed_assign_clear(struct signed_assign *a);

/* --- stop -------------------------------------------------------------------- */

struct signed_stop {
	uint64_t version; /* 0: there is none, which means go */
	int stopped; /* non-zero: nothing may be sent */
	char reason[CMD_DESCR_MAX]; /* for logs; may be empty */
};

/* Read BODY as signed_open() gave it.  0, or -1 with F. */
int signed_stop_parse(const struct signed_head *h, const char *body,
    struct signed_stop *out, struct signed_fault *f);

/* --- what a monitor holds ---------------------------------------------------- */

/* The highest version of a kind that was ever taken, and of which text. */
struct signed_seen {
	uint64_t version; /* 0: none */
	uint8_t sha[SIGNED_SHA_LEN]; /* of the whole text */
};

struct signed_trust {
	const char *monitor; /* our name; kept */
	int64_t now_s; /* Unix time, set before each call; 0: nothing expires */
	struct signed_keys anchor; /* who may sign the first root */
	struct signed_root root; /* version 0: none yet */
	struct signed_release release; /* version 0: none yet */
	struct signed_stop stop; /* version 0: none yet */
	struct signed_seen seen[SIGNED_KINDS];
};

/* All zeros but MONITOR (kept) and the key that the operator has given. */
void signed_trust_init(struct signed_trust *tr, const char *monitor,
    const struct signed_key *anchor);
void signed_trust_clear(struct signed_trust *tr);

/*
 * Judge T and, if it is good, hold it instead of the former and set `seen'.  0;
 * or -1 with F and all of TR as it was.
 *
 * A root that takes a key away from a role forgets what was held and seen of
 * that role, because who stole the key may have used up the versions; the other
 * texts must be taken again.  Only `stop.stopped' stays as it was.
 *
 * To read back what was stored: load `seen', then take in the same order.  A
 * root that `seen' knows needs no root before it.
 */
int signed_take_root(struct signed_trust *tr, const struct signed_text *t,
    struct signed_fault *f);
int signed_take_stop(struct signed_trust *tr, const struct signed_text *t,
    struct signed_fault *f);
int signed_take_release(struct signed_trust *tr, const struct signed_text *t,
    struct signed_fault *f);
/* The same; the assign is the caller's, for signed_assign_clear(). */
int signed_take_assign(struct signed_trust *tr, const struct signed_text *t,
    struct signed_assign *out, struct signed_fault *f);

/* Write `seen' to PATH, durably (atomicfile_write), or read it; a file that is
 * not there leaves it empty.  0; or -1 with errno (EBADMSG: damaged; then it is
 * not to be used, because nothing older could be told). */
int
signed_seen_save(const struct signed_trust *tr, int dirfd, const char *path);
int signed_seen_load(struct signed_trust *tr, int dirfd, const char *path);

/* --- signed_object.c: files -------------------------------------------------- */

/* A file that a text names. */
struct signed_object {
	uint8_t sha[SIGNED_SHA_LEN];
	uint64_t size; /* bytes */
};

/* Read the open file FD from its beginning: is it O?  0, or -1 with F
 * (SIGNED_SIZE, SIGNED_HASH, SIGNED_IO). */
int signed_object_check(
    int fd, const struct signed_object *o, struct signed_fault *f);

/* What the open file FD is.  0, or -1 with errno (EFBIG: SIGNED_OBJECT_MAX). */
int signed_object_make(int fd, struct signed_object *out);

#endif
