/*
 * names: the names of addresses, by DNS (PTR records, RFC 1035 §3.5, 3596).
 *
 *	technique ── technique_name_wait() ──► naming.c     tasks that wait
 *	                                          │ names_want(), names_await()
 *	                                          ▼
 *	                                       names.c      what is known, or asked
 *	                                       │      ▲
 *	                         names_ops.ask ▼      │ names_answer()
 *	                                    nameserver.c    socket, resolv.conf
 *	                                          │
 *	                                        dns.c       bytes, by libresolv
 *
 * A technique asks for a name when it hears from an address, and when its task
 * is done the record waits for the names that are missing, NAMING_WAIT_NS and no
 * longer; whatever has not come by then is not in it.  Nothing of this exists
 * before the first name is asked for, and no probe waits for it.
 *
 * What is bounded: names kept (NAMES_MAX) and for how long (their TTL, within
 * limits), names that wait to be asked for, questions in flight, questions per
 * second (as many as probes, NAMES_PPS at most) and how often one is repeated.
 * So an address that is on a million paths is asked for once per TTL.
 *
 * A name server that leaves NAMES_SILENT questions in a row unanswered is dead:
 * this is said once, nobody waits for names, and one question in NAMES_TRIAL_NS
 * finds out whether it, or the next one of resolv.conf, answers.
 */
#ifndef PROBER_NAMES_H
#define PROBER_NAMES_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "common/addr.h"
#include "common/clock.h"

struct engine;
struct window;
struct task;

/* --- dns.c: questions and answers as bytes ----------------------------------- */

#define DNS_NAME_MAX 255 /* characters, the escaped ones as three */
#define DNS_QUERY_MAX 512 /* bytes */

enum dns_result {
	DNS_NAME,
	DNS_NONE, /* it has no name: NXDOMAIN, no such record */
	DNS_FAILED, /* the server cannot say, or says nonsense */
};

struct dns_answer {
	enum dns_result result;
	uint32_t ttl_s; /* how long that is true; 0 when nobody said */
	/* DNS_NAME: letters, digits and -._/+:@*= only, any other byte as %
	 * and two hexadecimal digits: what is in it was made by a stranger. */
	char name[DNS_NAME_MAX + 1];
};

/* A question for the PTR record of A into BUF; its length. */
size_t dns_query(const struct addr *a, uint16_t id, uint8_t buf[DNS_QUERY_MAX]);
/* Read the LEN bytes at P.  0, or -1 when they do not answer that question. */
int dns_read(
    const uint8_t *p, size_t len, const struct addr *a, struct dns_answer *out);

/* --- names.c: what is known and what is asked for ------------------------------ */

#define NAMES_MAX 65536 /* kept, and those being asked for */
#define NAMES_QUEUE_MAX 4096 /* more would be asked for too late */
#define NAMES_ASKED_MAX 64 /* questions in flight */
#define NAMES_PPS 1000 /* questions per second at most */
#define NAMES_TRY_NS (5 * NS_PER_SEC) /* for an answer, as scamper */
#define NAMES_TRIES 2 /* the same */
#define NAMES_SILENT 8 /* questions */
#define NAMES_TRIAL_NS (10 * NS_PER_SEC)
#define NAMES_TELL_NS (60 * NS_PER_SEC) /* between words of names left out */
/* How long an answer is good for: a name, that there is none, a failure. */
#define NAMES_TTL_MIN_S 60
#define NAMES_TTL_MAX_S 86400
#define NAMES_NONE_MAX_S 3600
#define NAMES_FAILED_S 60

struct names;
struct name;

struct names_ops {
	/* Send a question; whether that works is seen by the answer. */
	void (*ask)(void *arg, const struct addr *a, uint16_t id);
	/* The server is dead: ask the next one from now on.  Its name, for
	 * messages; NULL: there is no other. */
	const char *(*next)(void *arg);
	/* A name was not asked for, as NAMES_QUEUE_MAX wait: count it. */
	void (*left_out)(void *arg);
};

/* Who waits for one name.  Its owner sets `done', which is called once. */
struct names_waiter {
	TAILQ_ENTRY(names_waiter) link;
	struct name *on; /* NULL: none */
	void (*done)(struct names_waiter *w);
};

/* Names, none yet; ARG is for the operations. */
struct names *names_new(const struct names_ops *ops, void *arg);
void names_free(struct names *n);
/* From now on the server of this name (for messages, copied) is asked, and
 * nothing is held against it; NULL: there is none. */
void names_serve(struct names *n, const char *server);
/* Has any name been asked for so far? */
int names_used(const struct names *n);
/* Have A's name looked up, unless it is known.  Non-zero: that is in progress,
 * and W (NULL: nobody) waits for it. */
int names_want(struct names *n, const struct addr *a, struct names_waiter *w,
    int64_t now_ns);
/* The same, but what was known once is good enough: for the end of a task. */
int names_await(struct names *n, const struct addr *a, struct names_waiter *w,
    int64_t now_ns);
/* W waits no longer. */
void names_forget(struct names_waiter *w);
/* The name of A, good until the next call; NULL: none, or not known. */
const char *names_find(const struct names *n, const struct addr *a);
/* The address that question ID is about, or NULL: none is in flight. */
const struct addr *names_asked(const struct names *n, uint16_t id);
/* How many are. */
unsigned int names_asking(const struct names *n);
/* Question ID has its answer. */
void names_answer(
    struct names *n, uint16_t id, const struct dns_answer *ans, int64_t now_ns);
/* Give up what was not answered in time; ask what waits, at most so many per
 * second (0: nothing now). */
void names_run(struct names *n, int64_t now_ns, uint32_t pps);
/* When that is to be done next; INT64_MAX: not until something changes. */
int64_t names_due(const struct names *n);

/* --- nameserver.c: a socket, and who is asked ------------------------------------ */

struct nameserver;

/* Ask GIVEN, an address, or if that is NULL those of /etc/resolv.conf, which is
 * read here.  E's tasks can have names from now on. */
struct nameserver *nameserver_new(struct engine *e, const char *given);
void nameserver_free(struct nameserver *ns);
/* Ask TEXT from now on: 0, or -1 when it is not an address. */
int nameserver_set(struct nameserver *ns, const char *text);
/* Read resolv.conf again, unless somebody said who is to be asked. */
void nameserver_reload(struct nameserver *ns);
/* The address that is asked; NULL: there is none. */
const char *nameserver_text(const struct nameserver *ns);

/* --- naming.c: tasks that are done but for names ---------------------------------- */

#define NAMING_WAIT_NS (5 * NS_PER_SEC)

/* W's tasks can have names from now on. */
void naming_init(struct window *w, struct names *n);
/* Does T, the first of those that are done, wait for names?  Then it has left
 * that list, and comes to its end when they are there, or their time is over. */
int naming_holds(struct window *w, struct task *t);
/* T, which waits, has done so long enough. */
void naming_end(struct task *t);
/* The same for all. */
void naming_end_all(struct window *w);
/* Ask, and end what has waited its time.  Nothing is asked with PPS 0. */
void naming_run(struct window *w, uint32_t pps);
/* When that is to be done next; INT64_MAX: not until something changes. */
int64_t naming_due(const struct window *w);

#endif
