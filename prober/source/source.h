/*
 * source: where commands come from.
 *
 *	control/	clients of scamper's daemon
 *	shell.c		addresses or commands on the command line
 *	file.c		the same from a file
 *	commands.c	probing commands from a pipe or a local socket
 *	room.c		how far a sender of commands may be ahead
 */
#ifndef PROBER_SOURCE_H
#define PROBER_SOURCE_H

#include "common/tls.h"
#include "prober/prober.h"

struct source_ops {
	/* Put commands until the queue is full or there are none now. */
	void (*refill)(struct source *s);
	/* Will there be more? */
	int (*more)(const struct source *s);
	/* About once a second. */
	void (*tick)(struct source *s);
	void (*free)(struct source *s);
	/* T of its commands has been started.  NULL: no interest. */
	void (*started)(struct source *s, struct task *t);
	/* More is durable than was.  NULL: no interest. */
	void (*durable)(struct source *s);
};

/* The head of every source's struct. */
struct source {
	const struct source_ops *ops;
	struct engine *e;
};

/*
 * Each of WORDS is an address to be measured as LC says (WHOLE 0), or a whole
 * command (WHOLE 1).  A word that is neither ends the program (255) before any
 * probe.  When all are in the queue, LC is ended.
 */
struct source *shell_new(struct engine *e, struct listcycle *lc, char **words,
    int nwords, int whole);

/* What a line of a file is. */
enum file_lines {
	FILE_ADDRESSES,
	FILE_COMMANDS, /* whole ones, with options and address */
	FILE_STAMPS, /* an address to ping and up to four routers on the way,
		      * which are to stamp the time: -O tsps */
};

/* The same from the lines of PATH ("-": standard input); a bad line is
 * reported with file and line, and skipped.  Dies when PATH cannot be read. */
struct source *file_new(struct engine *e, struct listcycle *lc,
    const char *path, enum file_lines lines);

/* LINE of a file of addresses, cut behind its first word: 1: the address in DST,
 * 0: empty or a comment, -1: LINE is no address. */
int file_address(char *line, struct addr *dst);

/* Probing commands (docs/protocol.md) from standard input ("-"), or from any
 * number of clients of a local socket.  Dies when it cannot listen. */
struct source *commands_new(struct engine *e, const char *address);

/* --- sender.c ------------------------------------------------------------------- */

/* Who says probing commands; cycles know it as their owner. */
struct sender {
	struct engine *e;
	char name[32]; /* for messages */
	uint64_t
	    *put; /* commands put in the queue by all senders: counted on */
};

struct cmd;

/* Do what C says.  Of an `ip' the caller has seen that the queue has room.  NULL, or
 * a reason that is good until the next call. */
const char *sender_obey(struct sender *s, const struct cmd *c);

/* Its cycles go without an owner until another says their `begin'. */
void sender_gone(const struct sender *s);

/* --- room.c: pure --------------------------------------------------------------- */

#define ROOM_MIN 16 /* commands that wait */
#define ROOM_MAX 65536 /* as many as the queue has */

struct room {
	uint32_t ahead; /* commands that should wait */
	uint64_t left; /* had left the queue at the last tick */
};

struct room_client {
	uint64_t taken; /* `ip' lines taken from it */
	uint64_t told; /* it was told it may send, 0: nothing yet */
};

void room_init(struct room *r);

/* About once a second: PUT commands in all were put in the queue, where COUNT
 * wait, of which some may have been there before. */
void room_tick(struct room *r, uint64_t put, uint32_t count);

/* COUNT commands wait: how many C should be told it may send in all, or 0: it
 * need not be told now.  The caller sets C->told once it was. */
uint64_t room_of(struct room *r, const struct room_client *c, uint32_t count);

enum control_tls {
	CONTROL_TLS_NEVER,
	CONTROL_TLS_UNASKED, /* only where `remote add' says ssl on */
	CONTROL_TLS_NAMES, /* if it has a name and not an address */
	CONTROL_TLS_ALWAYS,
};

/* scamper's daemon (prober/control/control.h). */
struct control_config {
	const char *port; /* IP:PORT to listen on, or NULL */
	const char *path; /* of a local socket, or NULL */
	const char *remote; /* NAME:PORT to dial, or NULL */
	const char *command; /* -c */
	const char *monitor, *nameserver; /* or NULL */
	struct tls_ca tls_files; /* for the remote */
	const struct output_config *out; /* of output files */
	uint32_t pps; /* -p */
	uint32_t generation; /* 2021 or 2026 */
	enum control_tls tls; /* with remotes */
	int outcopy; /* clients' results into the first output file too */
};

/* CFG stays.  Dies when it cannot listen. */
struct source *control_new(struct engine *e, const struct control_config *cfg);
/* SIGHUP: read the files of certificates again. */
void control_reload(struct source *s);
/* The output that goes with it; opens the first output file. */
struct output *control_output(struct source *s);

#endif
