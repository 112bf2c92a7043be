/*
 * names: a cache of names, and the questions that fill it (contract: names.h).
 *
 *	(none) ─► QUEUED ─► ASKED ─► KNOWN ─► (none)
 *	             ▲        │        │
 *	             └─ again ┘        └─► QUEUED	when wanted and too old
 *
 * Each state is a list: those known in the order of their last use, so that the
 * first is the one to drop; those asked for in the order of their deadlines, as
 * every try has the same time.
 */
#include "prober/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "common/log.h"
#include "common/xmalloc.h"

#define BUCKETS 65536 /* a power of two */
#define BURST 8 /* questions at once */

enum state { QUEUED, ASKED, KNOWN };

struct name {
	TAILQ_ENTRY(name) link; /* of the list of its state */
	struct name *next; /* in its bucket */
	struct addr addr;
	uint8_t state, tries;
	uint16_t id; /* ASKED */
	int64_t until_ns; /* ASKED: the try's end; KNOWN: good until */
	TAILQ_HEAD(, names_waiter) waiters;
	char *text; /* KNOWN: or NULL */
};

TAILQ_HEAD(name_list, name);

struct names {
	const struct names_ops *ops;
	void *arg;
	struct name **buckets; /* NULL: none was ever wanted */
	struct name_list lists[3]; /* by state */
	unsigned int counts[3];
	char server[ADDR_STRLEN]; /* "": none */
	int64_t slot_ns; /* when the next question may go; may be past */
	int64_t trial_ns; /* dead: when one may be asked for */
	uint32_t pps; /* of the last names_run() */
	unsigned int silent; /* questions in a row without answer */
	int dead, told;
	int64_t tell_full_ns; /* not before: that names are left out */
	uint64_t asked, answered;
};

struct names *
names_new(const struct names_ops *ops, void *arg)
{
	struct names *n = xcalloc(1, sizeof(*n));

	n->ops = ops;
	n->arg = arg;
	n->pps = NAMES_PPS;
	for (int i = 0; i < 3; i++)
		TAILQ_INIT(&n->lists[i]);
	return n;
}

int
names_used(const struct names *n)
{
	return n->buckets != NULL;
}

unsigned int
names_asking(const struct names *n)
{
	return n->counts[ASKED];
}

/* --- lists -------------------------------------------------------------------- */

static struct name **
bucket_of(const struct names *n, const struct addr *a)
{
	return &n->buckets[addr_hash(a) & (BUCKETS - 1)];
}

static struct name *
find(const struct names *n, const struct addr *a)
{
	struct name *x = *bucket_of(n, a);

	while (x != NULL && !addr_equal(&x->addr, a))
		x = x->next;
	return x;
}

static void
leave(struct names *n, struct name *x)
{
	TAILQ_REMOVE(&n->lists[x->state], x, link);
	n->counts[x->state]--;
}

static void
enter(struct names *n, struct name *x, enum state state)
{
	x->state = (uint8_t)state;
	TAILQ_INSERT_TAIL(&n->lists[state], x, link);
	n->counts[state]++;
}

static void
drop(struct names *n, struct name *x)
{
	struct name **at = bucket_of(n, &x->addr);

	while (*at != x)
		at = &(*at)->next;
	*at = x->next;
	leave(n, x);
	free(x->text);
	free(x);
}

static struct name *
add(struct names *n, const struct addr *a)
{
	struct name *x;

	if (n->counts[QUEUED] + n->counts[ASKED] + n->counts[KNOWN] >=
	    NAMES_MAX)
		drop(n, TAILQ_FIRST(&n->lists[KNOWN]));
	x = xcalloc(1, sizeof(*x));
	x->addr = *a;
	TAILQ_INIT(&x->waiters);
	x->next = *bucket_of(n, a);
	*bucket_of(n, a) = x;
	enter(n, x, QUEUED);
	return x;
}

_Static_assert(NAMES_QUEUE_MAX + NAMES_ASKED_MAX < NAMES_MAX, "one to drop");

/* Whoever waits for X need not any more. */
static void
release(struct name *x)
{
	struct names_waiter *w;

	while ((w = TAILQ_FIRST(&x->waiters)) != NULL) {
		names_forget(w);
		w->done(w);
	}
}

void
names_forget(struct names_waiter *w)
{
	if (w->on == NULL)
		return;
	TAILQ_REMOVE(&w->on->waiters, w, link);
	w->on = NULL;
}

void
names_free(struct names *n)
{
	struct name *x;

	if (n == NULL)
		return;
	if (n->asked > 0 && n->answered == 0 && !n->told)
		log_warn("name server %s did not answer", n->server);
	for (int i = 0; i < 3; i++) {
		while ((x = TAILQ_FIRST(&n->lists[i])) != NULL) {
			release(x);
			drop(n, x);
		}
	}
	free(n->buckets);
	free(n);
}

/* --- wanting ------------------------------------------------------------------- */

static void
leave_out(struct names *n, int64_t now_ns)
{
	n->ops->left_out(n->arg);
	if (now_ns < n->tell_full_ns)
		return;
	n->tell_full_ns = now_ns + NAMES_TELL_NS;
	log_warn("%u names wait to be asked for: further ones are left out",
	    NAMES_QUEUE_MAX);
}

/* May a new name be asked for?  Not without a server, nor while it is dead, but
 * for one now and then, which nobody waits for. */
static int
is_open(struct names *n, int64_t now_ns)
{
	if (n->server[0] == '\0' && !n->told) {
		n->told = 1;
		log_warn("no name server: no names");
	}
	if (n->server[0] == '\0')
		return 0;
	if (n->counts[QUEUED] >= NAMES_QUEUE_MAX) {
		leave_out(n, now_ns);
		return 0;
	}
	if (!n->dead)
		return 1;
	if (now_ns < n->trial_ns)
		return 0;
	n->trial_ns = now_ns + NAMES_TRIAL_NS;
	return 1;
}

/* X is not to be dropped soon. */
static void
touch(struct names *n, struct name *x)
{
	leave(n, x);
	enter(n, x, KNOWN);
}

static int
want(struct names *n, const struct addr *a, struct names_waiter *w,
    int64_t fresh_ns, int64_t now_ns)
{
	struct name *x;

	if (n->buckets == NULL)
		n->buckets = xcalloc(BUCKETS, sizeof(*n->buckets));
	x = find(n, a);
	if (x != NULL && x->state == KNOWN) {
		touch(n, x);
		if (x->until_ns > fresh_ns || !is_open(n, now_ns))
			return 0;
		leave(n, x);
		enter(n, x, QUEUED);
	} else if (x == NULL) {
		if (!is_open(n, now_ns))
			return 0;
		x = add(n, a);
	}
	if (n->dead)
		return 0;
	if (w != NULL) {
		w->on = x;
		TAILQ_INSERT_TAIL(&x->waiters, w, link);
	}
	return 1;
}

int
names_want(struct names *n, const struct addr *a, struct names_waiter *w,
    int64_t now_ns)
{
	return want(n, a, w, now_ns, now_ns);
}

int
names_await(struct names *n, const struct addr *a, struct names_waiter *w,
    int64_t now_ns)
{
	return want(n, a, w, INT64_MIN, now_ns);
}

const char *
names_find(const struct names *n, const struct addr *a)
{
	const struct name *x = n->buckets != NULL ? find(n, a) : NULL;

	return x != NULL ? x->text : NULL;
}

/* --- the server ------------------------------------------------------------------ */

void
names_serve(struct names *n, const char *server)
{
	if (server == NULL)
		server = "";
	if (strcmp(n->server, server) == 0 && !n->dead)
		return;
	snprintf(n->server, sizeof(n->server), "%s", server);
	n->dead = n->told = 0;
	n->silent = 0;
}

/* What was in progress is not any more, and nothing was learnt. */
static void
abandon(struct names *n, enum state state)
{
	struct name *x;

	while ((x = TAILQ_FIRST(&n->lists[state])) != NULL) {
		release(x);
		if (x->text == NULL) {
			drop(n, x);
			continue;
		}
		leave(n, x); /* an old name, which is better than none */
		x->tries = 0;
		enter(n, x, KNOWN);
	}
}

static void
die(struct names *n, int64_t now_ns)
{
	const char *next;

	if (!n->told)
		log_warn("name server %s does not answer: no names until one "
			 "does",
		    n->server);
	n->dead = n->told = 1;
	n->silent = 0;
	n->trial_ns = INT64_MAX; /* not for those who are released now */
	abandon(n, QUEUED);
	abandon(n, ASKED);
	n->trial_ns = now_ns + NAMES_TRIAL_NS;
	next = n->ops->next(n->arg);
	if (next == NULL)
		return;
	snprintf(n->server, sizeof(n->server), "%s", next);
	n->trial_ns = now_ns;
}

static void
alive(struct names *n)
{
	if (n->dead)
		log_info("name server %s answers", n->server);
	n->dead = n->told = 0;
	n->silent = 0;
	n->answered++;
}

/* --- questions ---------------------------------------------------------------------- */

static struct name *
by_id(const struct names *n, uint16_t id)
{
	struct name *x;

	TAILQ_FOREACH(x, &n->lists[ASKED], link)
	{
		if (x->id == id)
			return x;
	}
	return NULL;
}

const struct addr *
names_asked(const struct names *n, uint16_t id)
{
	const struct name *x = by_id(n, id);

	return x != NULL ? &x->addr : NULL;
}

static void
ask(struct names *n, struct name *x, int64_t now_ns)
{
	uint16_t id = 0;

	do {
		if (getrandom(&id, sizeof(id), 0) == -1)
			id++;
	} while (by_id(n, id) != NULL);
	leave(n, x);
	x->id = id;
	x->tries++;
	x->until_ns = now_ns + NAMES_TRY_NS;
	enter(n, x, ASKED);
	n->asked++;
	n->ops->ask(n->arg, &x->addr, id);
}

/* X is known from now on, for so long. */
static void
settle(struct names *n, struct name *x, uint32_t ttl_s, int64_t now_ns)
{
	leave(n, x);
	x->tries = 0;
	x->until_ns = now_ns + ttl_s * NS_PER_SEC;
	enter(n, x, KNOWN);
	release(x);
}

static uint32_t
lifetime_s(const struct dns_answer *ans)
{
	uint32_t max_s =
	    ans->result == DNS_NAME ? NAMES_TTL_MAX_S : NAMES_NONE_MAX_S;

	if (ans->result == DNS_FAILED)
		return NAMES_FAILED_S;
	if (ans->ttl_s < NAMES_TTL_MIN_S)
		return NAMES_TTL_MIN_S;
	return ans->ttl_s < max_s ? ans->ttl_s : max_s;
}

void
names_answer(
    struct names *n, uint16_t id, const struct dns_answer *ans, int64_t now_ns)
{
	struct name *x = by_id(n, id);

	if (x == NULL)
		return;
	alive(n);
	free(x->text);
	x->text = ans->result == DNS_NAME ? xstrdup(ans->name) : NULL;
	settle(n, x, lifetime_s(ans), now_ns);
}

/* The time for an answer to X is over. */
static void
unanswered(struct names *n, struct name *x, int64_t now_ns)
{
	if (n->dead || ++n->silent >= NAMES_SILENT) {
		die(n, now_ns);
		return;
	}
	if (x->tries >= NAMES_TRIES) {
		settle(n, x, NAMES_FAILED_S, now_ns);
		return;
	}
	leave(n, x);
	enter(n, x, QUEUED);
}

/* May a question go now?  A bucket of BURST that fills at the rate. */
static int
take_credit(struct names *n, int64_t now_ns)
{
	int64_t slot_ns = NS_PER_SEC / n->pps;

	if (n->slot_ns < now_ns - BURST * slot_ns)
		n->slot_ns = now_ns - BURST * slot_ns;
	if (n->slot_ns > now_ns)
		return 0;
	n->slot_ns += slot_ns;
	return 1;
}

void
names_run(struct names *n, int64_t now_ns, uint32_t pps)
{
	struct name *x;

	n->pps = pps < NAMES_PPS ? pps : NAMES_PPS;
	while ((x = TAILQ_FIRST(&n->lists[ASKED])) != NULL &&
	    x->until_ns <= now_ns)
		unanswered(n, x, now_ns);
	while (n->pps > 0 && n->counts[ASKED] < NAMES_ASKED_MAX &&
	    (x = TAILQ_FIRST(&n->lists[QUEUED])) != NULL &&
	    take_credit(n, now_ns))
		ask(n, x, now_ns);
}

int64_t
names_due(const struct names *n)
{
	const struct name *x = TAILQ_FIRST(&n->lists[ASKED]);
	int64_t due_ns = x != NULL ? x->until_ns : INT64_MAX;

	if (n->counts[QUEUED] > 0 && n->pps > 0 &&
	    n->counts[ASKED] < NAMES_ASKED_MAX && n->slot_ns < due_ns)
		due_ns = n->slot_ns;
	return due_ns;
}
