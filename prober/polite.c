#include "prober/polite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/prefixset.h"
#include "common/xmalloc.h"
#include "prober/polite_own.h"
#include "prober/prober.h"

#define SLOTS_MIN 1024
#define RECHECK_NS (600 * NS_PER_SEC) /* a measurement takes less */
#define PREFIX_KEY 0x80 /* beside the family: a prefix, not an address */

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* --- budgets by address and prefix -------------------------------------------- */

static struct polite_budget *
slot_of(const struct polite *p, const struct addr *key)
{
	uint32_t mask = p->nslots - 1, i = (uint32_t)addr_hash(key) & mask;

	while (p->slots[i].key.family != ADDR_NONE &&
	    !addr_equal(&p->slots[i].key, key))
		i = (i + 1) & mask;
	return &p->slots[i];
}

/* Does it say anything that a new one would not? */
static int
is_live(const struct polite_budget *b, int64_t now_ns)
{
	return b->key.family != ADDR_NONE &&
	    later(later(b->next_ns, b->wake_ns), b->hold_ns) >
	    now_ns - POLITE_SLACK_NS;
}

/* Forget the budgets that are full again; the table stays half empty. */
static void
sweep(struct polite *p, int64_t now_ns)
{
	struct polite_budget *old = p->slots;
	uint32_t n = p->nslots, live = 0;

	for (uint32_t i = 0; i < n; i++)
		live += is_live(&old[i], now_ns) != 0;
	p->nslots = SLOTS_MIN;
	while (p->nslots < 4 * live)
		p->nslots *= 2;
	p->slots = xcalloc(p->nslots, sizeof(*p->slots));
	p->nused = live;
	for (uint32_t i = 0; i < n; i++) {
		if (is_live(&old[i], now_ns))
			*slot_of(p, &old[i].key) = old[i];
	}
	free(old);
}

/* Room for N more, so that a budget found before stays where it is. */
static void
reserve(struct polite *p, uint32_t n, int64_t now_ns)
{
	if (p->slots == NULL || 2 * (p->nused + n) > p->nslots)
		sweep(p, now_ns);
}

static struct polite_budget *
budget(struct polite *p, const struct addr *key)
{
	struct polite_budget *b = slot_of(p, key);

	if (b->key.family == ADDR_NONE) {
		b->key = *key;
		b->next_ns = b->wake_ns = b->hold_ns = 0;
		p->nused++;
	}
	return b;
}

static struct addr
prefix_key(const struct polite *p, const struct addr *a)
{
	struct addr key = *a;
	unsigned int len = p->cfg.prefix_len[a->family == ADDR_IPV6];

	if (len / 8 < sizeof(key.b)) {
		key.b[len / 8] &= (uint8_t)(0xff00 >> len % 8);
		memset(key.b + len / 8 + 1, 0, sizeof(key.b) - len / 8 - 1);
	}
	key.family |= PREFIX_KEY;
	return key;
}

static int64_t
interval(uint32_t pps)
{
	return (NS_PER_SEC + pps - 1) / pps;
}

static void
spend(struct polite_budget *b, uint32_t pps, int64_t now_ns)
{
	b->next_ns =
	    later(b->next_ns, now_ns - POLITE_SLACK_NS) + interval(pps);
}

int64_t
polite_claim(struct polite *p, const struct addr *a, int64_t now_ns)
{
	const struct polite_rates *r = &p->rates;
	struct polite_budget *one = NULL, *all = NULL;
	struct addr key;

	reserve(p, 2, now_ns);
	if (r->address_pps != 0) {
		one = budget(p, a);
		/* An address has one task: nobody else waits for it. */
		if (one->next_ns > now_ns)
			return one->next_ns;
	}
	if (r->prefix_pps != 0) {
		key = prefix_key(p, a);
		all = budget(p, &key);
		if (all->next_ns > now_ns) {
			/* Behind those that wait already. */
			all->wake_ns = later(all->wake_ns, all->next_ns);
			all->wake_ns += interval(r->prefix_pps);
			return all->wake_ns - interval(r->prefix_pps);
		}
		spend(all, r->prefix_pps, now_ns);
	}
	if (one != NULL)
		spend(one, r->address_pps, now_ns);
	return 0;
}

int64_t
polite_admit(struct polite *p, const struct addr *a, int64_t now_ns)
{
	struct polite_budget *b;
	struct addr key;

	if (p->rates.prefix_pps == 0)
		return 0;
	reserve(p, 1, now_ns);
	key = prefix_key(p, a);
	b = budget(p, &key);
	if (b->wake_ns <= now_ns + POLITE_AHEAD_NS)
		return 0;
	/* One by one, not all at the same moment. */
	b->hold_ns = later(b->hold_ns, now_ns) + interval(p->rates.prefix_pps);
	return b->hold_ns;
}

/* --- tasks that wait ------------------------------------------------------------- */

static void
push(struct polite *p, struct task *t)
{
	struct polite_waiting w = {t->due_ns, t};
	uint32_t i = p->nheap++;

	if (i == p->cap) {
		p->cap = p->cap != 0 ? 2 * p->cap : SLOTS_MIN;
		p->heap = xreallocarray(p->heap, p->cap, sizeof(*p->heap));
	}
	while (i > 0 && w.due_ns < p->heap[(i - 1) / 2].due_ns) {
		p->heap[i] = p->heap[(i - 1) / 2];
		i = (i - 1) / 2;
	}
	p->heap[i] = w;
}

static struct polite_waiting
pop(struct polite *p)
{
	struct polite_waiting first = p->heap[0], w = p->heap[--p->nheap];
	uint32_t i = 0, child;

	while ((child = 2 * i + 1) < p->nheap) {
		if (child + 1 < p->nheap &&
		    p->heap[child + 1].due_ns < p->heap[child].due_ns)
			child++;
		if (p->heap[child].due_ns >= w.due_ns)
			break;
		p->heap[i] = p->heap[child];
		i = child;
	}
	p->heap[i] = w;
	return first;
}

/* Is T's address one that must not be probed since it was admitted?  That is
 * asked only as long as measurements may last. */
static int
is_forbidden(struct polite *p, const struct task *t, int64_t now_ns)
{
	if (p->floor_is_new)
		p->recheck_ns = now_ns + RECHECK_NS;
	p->floor_is_new = 0;
	return now_ns < p->recheck_ns && polite_refuses(p, &t->dst);
}

struct task *
polite_take(struct window *w)
{
	struct task *t;
	int64_t due_ns;

	while ((t = window_take_ready(w)) != NULL) {
		if (is_forbidden(w->polite, t, w->now_ns)) {
			t->where = TASK_IDLE;
			t->m->tech->failed(t, EACCES);
			continue;
		}
		due_ns = polite_claim(w->polite, &t->dst, w->now_ns);
		if (due_ns == 0)
			return t;
		t->where = TASK_POLITE;
		t->due_ns = due_ns;
		push(w->polite, t);
		w->polite->waits++;
	}
	return NULL;
}

void
polite_wake(struct polite *p, int64_t now_ns)
{
	struct polite_waiting w;

	while (p->nheap > 0 && p->heap[0].due_ns <= now_ns) {
		w = pop(p);
		/* A reply may have taken it away; its memory stays a task's. */
		if (w.task->where == TASK_POLITE && w.task->due_ns == w.due_ns)
			probe_send(w.task);
	}
}

int64_t
polite_due(const struct polite *p)
{
	return p != NULL && p->nheap > 0 ? p->heap[0].due_ns : INT64_MAX;
}

/* --- what is in force --------------------------------------------------------------- */

const char *
polite_stopped(const struct polite *p)
{
	return p != NULL ? p->stopped : NULL;
}

uint32_t
polite_pps(const struct polite *p)
{
	return p->rates.pps;
}

int
polite_refuses(const struct polite *p, const struct addr *a)
{
	return (p->limits.floor != NULL &&
		   prefixset_match(p->limits.floor, a, NULL)) ||
	    (p->floor != NULL && prefixset_match(p->floor, a, NULL));
}

/* --- the engine ---------------------------------------------------------------------- */

uint32_t
polite_credits(struct engine *e, uint32_t credits)
{
	if (e->polite == NULL)
		return credits;
	polite_wake(e->polite, e->now_ns);
	if (e->polite->stopped == NULL)
		return credits;
	/* What was not sent meanwhile is not made good. */
	pacer_idle(&e->pacer);
	return 0;
}

void
polite_tick(struct engine *e)
{
	struct polite *p = e->polite;

	if (p == NULL)
		return;
	polite_look(p, clock_wall_ns());
	if (p->rates.pps != e->pacer.asked)
		pacer_init(&e->pacer, p->rates.pps);
	e->stats.polite_waits = p->waits;
	e->stats.stopped = p->stopped != NULL;
}
