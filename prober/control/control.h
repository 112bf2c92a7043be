/*
 * control: the Prober as scamper's daemon: clients that speak scamper's control
 * protocol drive it, and get their results back.
 *
 *	-P, -U ─► control.c ─► client.c ──────► jobs.c ─────► cmdqueue, admit
 *	             │            │ manage.c       ▲ round.c        │
 *	-R ──► remote.c           │ files.c ───────┘                ▼
 *	       frame.c            ◄──────── route.c ◄───────────── record
 *	       (a channel is a socket pair, its other end a client)
 *
 *	control.c	sockets, the engine's source, shutdown
 *	client.c	a connection: lines in, answers out; `attach'
 *	manage.c	what an operator may say: get, set, shutdown, ...
 *	sources.c	source commands, observers
 *	round.c		feeds in weighted round robin
 *	jobs.c		commands accepted and not yet recorded
 *	files.c		a feed whose commands come from a file, in cycles
 *	route.c		where a record goes: to its client, or to an output file
 *	uu.c		records as lines of text
 *	outfile.c	files for results, and commands about them; see outfile.h
 *	sink.c		one that is a client's connection; the same
 *	param.c		words behind a command; the same
 *	remotes.c	dial-out to sc_remoted; see remote.h
 *
 * Words.  A *feed* is what scamper calls a source: a client that has said
 * `attach', or a file.  A *job* is one command of a feed.  A *run* is a feed in
 * one cycle; it has a row in the List-Cycle Table, and so it is in the books.
 *
 * Every client loses its own only: one that does not read is not probed for
 * while CLIENT_UNREAD bytes wait for it, one that sends without end is not read
 * while JOBS_MAX of its commands wait, and when one goes away its commands are
 * dropped, its measurements halted, and all of it is counted.
 */
#ifndef PROBER_CONTROL_H
#define PROBER_CONTROL_H

#include <sys/queue.h>

#include "common/chan.h"
#include "common/show/show.h"
#include "prober/control/outfile.h"
#include "prober/output.h"
#include "prober/source/source.h"

#define CLIENT_LINE 8192 /* bytes; a payload may be long */
#define CLIENT_UNREAD (1024 * 1024) /* bytes */
#define CLIENTS_MAX 1000
#define JOBS_MAX 16384
#define JOBS_BUCKETS 4096 /* a power of two */
#define CONTROL_PPS_MAX 10000 /* that `set pps' takes, or -p if higher */
#define CONTROL_PPS_MAX_2026 50000

struct control;
struct client;
struct feed;
struct run;
struct file_feed;
struct remote;
struct remotes_one;

/* --- jobs.c ------------------------------------------------------------------- */

enum job_where {
	JOB_QUEUED, /* in its feed's queue */
	JOB_BLOCKED, /* its address is being probed for somebody else */
	JOB_GIVEN, /* to the engine */
};

struct job {
	TAILQ_ENTRY(job) link; /* of the queue or bucket that `where' names */
	struct run *run;
	struct measurement *m; /* a reference until it is given */
	uint64_t id; /* within its run, from 1 */
	struct addr dst;
	uint8_t where; /* enum job_where */
	uint8_t halt; /* as soon as it begins */
};

TAILQ_HEAD(job_list, job);

/* The jobs of a run by number: those from `first' on, NULL: has ended. */
struct job_table {
	struct job **rows;
	uint64_t first, next; /* ids */
	size_t start, cap; /* rows[start] is `first' */
};

/* A new job of RUN for DST by M (taken over), behind its feed's others. */
struct job *
jobs_new(struct run *run, const struct addr *dst, struct measurement *m);
/* Number ID of RUN if it has not ended, or NULL. */
struct job *jobs_find(const struct run *run, uint64_t id);
/* J has ended: free it. */
void jobs_end(struct job *j);
/* J becomes command C, and is the engine's from now on. */
void jobs_give(struct job *j, struct command *c);
/* J, in no list, waits until its address is free. */
void jobs_block(struct control *c, struct job *j);
/* Nobody probes DST any more: who waited longest for it is next. */
void jobs_unblock(struct control *c, const struct addr *dst);
/* End J now, wherever it is: it has a record that says so. */
void jobs_halt(struct control *c, struct job *j);
/* Drop all that RUN has waiting, counted as WHY; jobs_drop() also halts what is
 * in progress.  How many were dropped. */
uint64_t jobs_flush(struct control *c, struct run *run, enum refusal why);
uint64_t jobs_drop(struct control *c, struct run *run, enum refusal why);
void jobs_table_clear(struct job_table *t);

/* --- round.c -------------------------------------------------------------------- */

/* A feed in one cycle. */
struct run {
	struct feed *feed;
	struct listcycle *lc;
	struct job_table jobs;
	int handle; /* of the engine's output */
	struct output *o; /* a file for its results, or NULL */
	int out; /* its handle there */
	struct warts_list list; /* for a client */
	struct warts_cycle cycle;
};

struct feed {
	TAILQ_ENTRY(feed) link;
	struct control *control;
	char *name, *descr, *monitor; /* the last two may be NULL */
	uint32_t list_id, cycle_id; /* of the present run */
	uint32_t priority, left; /* left: in this turn of the round */
	struct run *run; /* the present one, or NULL */
	unsigned int nruns; /* that have not ended */
	struct client *client; /* NULL: a file, or a client that has gone */
	struct file_feed *file; /* NULL: a client */
	struct outfile *outfile; /* of a file */
	struct job_list queue;
	uint32_t waiting; /* jobs that have not been given */
	int closed; /* nothing more will come */
	int begun; /* at least one cycle */
	uint64_t lost; /* results that no client was there for */
};

TAILQ_HEAD(feed_list, feed);

struct feed_config {
	const char *name, *descr, *monitor; /* copied; the last two may be
					     * NULL */
	uint32_t list_id, cycle_id, priority;
};

/* A new feed, in which no cycle has begun. */
struct feed *round_add(struct control *c, const struct feed_config *cfg);
/* Its next cycle, or the first one, begins. */
void round_begin(struct feed *f);
/* Nothing more comes in its present cycle. */
void round_end(struct feed *f);
/* Nothing more will come at all.  The feed goes when its last run has ended. */
void round_close(struct feed *f);
/* RUN is over and its end is written: free it. */
void round_run_over(struct run *run);
struct feed *round_find(const struct control *c, const char *name);
/* The next job by weighted round robin: each feed has as many as its priority
 * says in a turn.  NULL when there is none now. */
struct job *round_take(struct control *c);
/* Would round_take() find one? */
int round_waiting(const struct control *c);

/* --- route.c ---------------------------------------------------------------------- */

/* The engine's output: an entry for each run that has not ended. */
void route_init(struct control *c);
void route_open(struct control *c, struct run *run);

/* What comes of RUN goes into O, and not where it went up to now. */
void route_into(struct run *run, struct output *o);

/* --- files.c ------------------------------------------------------------------------ */

struct file_feed_config {
	const char *path, *command;
	uint32_t cycles; /* 0: without end */
	int reload; /* read PATH again for every cycle */
};

/* F takes its commands from a file.  0, or -1 and a reason in WHY. */
int files_open(struct feed *f, const struct file_feed_config *cfg, char *why,
    size_t why_size);
void files_free(struct file_feed *ff);
/* See to it that F has a job waiting, if there is one to be had. */
void files_refill(struct feed *f);
/* From now on so many cycles; and whether to read again; -1: as it is. */
void files_update(struct feed *f, int64_t cycles, int reload);
/* " file '...' cycles N autoreload on" into BUF; returns BUF. */
const char *files_describe(const struct feed *f, char *buf, size_t size);

/* --- client.c ------------------------------------------------------------------------- */

struct client {
	TAILQ_ENTRY(client) link;
	struct control *control;
	struct chan *chan;
	char *name;
	struct feed *feed; /* NULL: has not attached, or is through */
	struct run *run; /* the feed's only one */
	int format; /* enum show_format, or CLIENT_WARTS */
	enum show_generation generation;
	int observer, done, leaving;
	int silent; /* gets no results any more */
	struct sink_list sinks; /* of `outfile socket' */
};

#define CLIENT_WARTS 100

TAILQ_HEAD(client_list, client);

/* A connection FD of NAME (copied); ATTACHED: as if it had said so. */
struct client *
client_new(struct control *c, int fd, const char *name, int attached);
/* RUN begins: its list and cycle start. */
void client_begin(struct client *cl, struct run *run);
/* A result of RUN for the client. */
void
client_result(struct client *cl, struct run *run, struct technique_record *rec);
/* One that is not finished: only clients of 2026 know of such, and who has much
 * to read misses it. */
int client_wants_partial(const struct client *cl);
void client_partial(
    struct client *cl, struct run *run, struct technique_record *rec);
/* RUN is over: the cycle's stop, and the connection ends. */
void client_end(struct client *cl, struct run *run, uint32_t stop);
/* Its queue has become empty. */
void client_more(struct client *cl);
/* Can it take more results? */
int client_takes(const struct client *cl);
/* Say what is unsaid, for MS at most, and end. */
void client_free(struct client *cl, int ms);
/* Room for commands again: read on. */
void client_resume(struct client *cl);

/* --- manage.c, sources.c ------------------------------------------------------------- */

/* Obey LINE (which is changed) of a client that has not attached. */
void manage_line(struct client *cl, char *line);
/* What is behind `source', `observe'; NULL: nothing. */
void sources_source(struct client *cl, char *args);
void sources_observe(struct client *cl, char *args);
/* Tell the observers: "source add name ...", "source cycle 'x' id 2". */
void sources_event(struct control *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* F as `source list' and events have it, into BUF; returns BUF. */
const char *sources_describe(const struct feed *f, char *buf, size_t size);
/* The next word of *ARGS, or NULL at the end. */
char *manage_word(char **args);

/* --- uu.c ----------------------------------------------------------------------------- */

/* Append LEN bytes at P to OUT as uuencoded lines and a line with a back
 * quote: 45 bytes a line, without begin and end. */
void uu_encode(struct wbuf *out, const uint8_t *p, size_t len);

/* --- remotes.c ------------------------------------------------------------------------ */

TAILQ_HEAD(remotes_list, remotes_one);

/* Dial the controller of -R, if there is one. */
void remotes_init(struct control *c);
void remotes_clear(struct control *c);
/* R, which was told to leave, has. */
void remotes_left(struct control *c, struct remote *r);
/* What is behind `remote'. */
void remotes_command(struct client *cl, char *args);
/* Read the files of certificates again; those with errors change nothing. */
void remotes_reload(struct control *c);

/* --- control.c ------------------------------------------------------------------------- */

struct control_listener {
	struct control *control;
	int fd; /* -1: none */
	struct event *event;
	const char *path; /* of a local socket, else NULL */
};

enum control_shutdown { SHUTDOWN_NONE, SHUTDOWN_DONE, SHUTDOWN_FLUSH };

struct control {
	struct source source; /* what the engine has of us */
	struct output output; /* the same */
	struct engine *e;
	const struct control_config *cfg;
	char *command, *monitor; /* monitor may be NULL */
	struct control_listener listeners[2];
	struct client_list clients;
	unsigned int nclients, named; /* now; so far, of local sockets */
	struct feed_list feeds;
	struct feed *turn; /* whose turn it is; NULL: the first's */
	struct outfile_list outfiles;
	struct outfile *main; /* of -o; NULL: somebody closed it */
	struct run **runs; /* by handle */
	int nruns;
	struct job_list again; /* unblocked: before all others */
	struct job_list blocked[JOBS_BUCKETS];
	struct remotes_list remotes;
	struct wbuf body, text; /* of a result, being made */
	enum control_shutdown shutdown;
	struct event *soon; /* see whether something has ended */
};

/* See soon whether a run has ended, and whether there is new work. */
void control_kick(struct control *c);
/* End when all feeds are through (SHUTDOWN_DONE), when what is in progress is
 * (SHUTDOWN_FLUSH), or not any more (SHUTDOWN_NONE). */
void control_shutdown(struct control *c, enum control_shutdown how);

#endif
