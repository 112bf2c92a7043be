/*
 * admit: which command becomes the next task.  The Hold List's first if it is
 * due, else the queue's first.  A command whose address is active or on hold
 * goes to the Hold List; one that must not or cannot be probed is refused and
 * counted.
 *
 * "No route" is a reason to refuse an address, but not when the whole network
 * went away: a cycle would be used up in seconds.  Then commands wait.  And each
 * such refusal takes a probe's credit, as does one that makes a record: lists
 * that begin anew when they are through do not do so as fast as the machine can.
 */
#include "common/log.h"
#include "common/prefixset.h"
#include "prober/checkpoint.h"
#include "prober/polite.h"

/* Routes may come back so long after the interfaces: DHCP. */
#define GONE_NS (10 * NS_PER_SEC)
#define GONE_ASK_NS (100 * NS_PER_MS) /* not more often than that */
#define GONE_RETRY_NS NS_PER_SEC
#define AHEAD 4 /* commands whose place in the window is fetched before */

static void
refuse(struct admit *a, struct command *c, enum refusal why)
{
	int over = a->refused != NULL && a->refused(a->refused_arg, c, why);

	a->unstarted += over || why == REFUSED_NOROUTE;
	if (over)
		return;
	c->lc->refused[why]++;
	if (a->checkpoint != NULL)
		checkpoint_refused(a->checkpoint, c, why);
	technique_unref(c->m);
}

static void
put_on_hold(struct admit *a, const struct command *c, int64_t now_ns)
{
	c->lc->held++;
	hold_add(a->hold, c, now_ns);
}

static int
must_not_be_probed(const struct admit *a, const struct addr *dst)
{
	return (a->dnp != NULL && prefixset_match(a->dnp, dst, NULL)) ||
	    (a->polite != NULL && polite_refuses(a->polite, dst));
}

/* Does C have to wait for the budget of its prefix?  Then it is on hold. */
static int
waits_for_budget(struct admit *a, const struct command *c, int64_t now_ns)
{
	int64_t due_ns = polite_admit(a->polite, &c->dst, now_ns);

	if (due_ns == 0)
		return 0;
	c->lc->held++;
	hold_until(a->hold, c, due_ns);
	return 1;
}

static struct link_path *
find_path(struct admit *a, const struct command *c, const char **why)
{
	const struct technique *tech = c->m->tech;
	const struct technique_route *r =
	    tech->route != NULL ? tech->route(c->m->conf) : NULL;

	return r == NULL ? link_lookup(a->link, &c->dst, why)
			 : link_lookup_by(a->link, &c->dst, r, why);
}

/* Is no interface running, or was none a moment ago? */
static int
network_is_gone(struct admit *a, int64_t now_ns)
{
	if (!a->had_way)
		return 0;
	if (a->gone_ns == 0)
		a->gone_ns = now_ns - GONE_NS; /* never, as far as we know */
	if (now_ns >= a->asked_ns + GONE_ASK_NS) {
		a->asked_ns = now_ns;
		if (iface_any())
			return now_ns < a->gone_ns + GONE_NS;
		if (now_ns >= a->gone_ns + GONE_NS)
			log_warn("no interface is running: waiting for one");
		a->gone_ns = now_ns;
	}
	return now_ns < a->gone_ns + GONE_NS;
}

/* There is no way for C: now, or at all. */
static void
no_way(struct admit *a, struct command *c, int64_t now_ns)
{
	if (!network_is_gone(a, now_ns)) {
		refuse(a, c, REFUSED_NOROUTE);
		return;
	}
	c->lc->held++;
	a->pause_ns = now_ns + GONE_RETRY_NS;
	hold_until(a->hold, c, a->pause_ns);
}

/* C has left its queue: a task of it, or NULL if it went elsewhere. */
static struct task *
try_command(struct admit *a, struct command *c, int64_t now_ns)
{
	struct link_path *path;
	const char *why;

	if (must_not_be_probed(a, &c->dst)) {
		refuse(a, c, REFUSED_DNP);
		return NULL;
	}
	if (window_find(a->window, &c->dst) != NULL) {
		put_on_hold(a, c, now_ns);
		return NULL;
	}
	path = find_path(a, c, &why);
	if (path == NULL) {
		no_way(a, c, now_ns);
		return NULL;
	}
	a->had_way |= !path->raw_only;
	if (a->polite != NULL && waits_for_budget(a, c, now_ns))
		return NULL;
	c->lc->active++;
	return window_add(a->window, c, path);
}

/* Take the next command, from hold or queue: 1 with it in *C, 0 when it went on
 * hold behind others of its address, -1 when there is none. */
static int
take(struct admit *a, int64_t now_ns, struct command *c)
{
	if (hold_take(a->hold, now_ns, c) == 0) {
		c->lc->held--;
		return 1;
	}
	if (a->queue.count > AHEAD)
		window_prefetch(a->window, &cmdqueue_at(&a->queue, AHEAD)->dst);
	if (hold_count(a->hold) >= HOLD_MAX ||
	    cmdqueue_take(&a->queue, c) == -1)
		return -1;
	c->lc->queued--;
	if (!hold_has(a->hold, &c->dst))
		return 1;
	put_on_hold(a, c, now_ns);
	return 0;
}

struct task *
admit_next(struct admit *a, int64_t now_ns, uint32_t *budget)
{
	struct command c;
	struct task *t = NULL;
	uint32_t unstarted = a->unstarted;
	int taken;

	while (t == NULL && a->unstarted == unstarted && *budget > 0 &&
	    !window_full(a->window) && now_ns >= a->pause_ns) {
		taken = take(a, now_ns, &c);
		if (taken == -1)
			break;
		(*budget)--;
		if (taken)
			t = try_command(a, &c, now_ns);
	}
	return t;
}

int64_t
admit_due(const struct admit *a)
{
	int64_t due_ns;

	if (window_full(a->window))
		return INT64_MAX;
	if ((a->queue.count > 0 || a->waiting) &&
	    hold_count(a->hold) < HOLD_MAX)
		return a->pause_ns;
	due_ns = hold_due(a->hold);
	return due_ns > a->pause_ns ? due_ns : a->pause_ns;
}

void
admit_close(struct admit *a)
{
	struct command c;

	a->closed = 1;
	while (cmdqueue_take(&a->queue, &c) == 0) {
		c.lc->queued--;
		refuse(a, &c, REFUSED_EXIT);
	}
}

void
admit_stop(struct admit *a)
{
	if (a->checkpoint == NULL)
		admit_close(a);
	a->closed = 1;
}

int
admit_put(struct admit *a, const struct command *c)
{
	if (a->closed || cmdqueue_put(&a->queue, c) == -1)
		return -1;
	c->lc->accepted++;
	c->lc->queued++;
	return 0;
}
