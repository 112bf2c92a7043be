/*
 * sender: what a command of a client does to the table of lists and cycles.
 *
 * A cycle belongs to the client that said its last `begin': what an earlier one
 * has still in its pipe is passed over, for the new one says it again.  Numbers
 * that were accepted before (a restart, another client) are counted and not put
 * in the queue a second time.
 */
#include <assert.h>
#include <stdio.h>

#include "common/cmd.h"
#include "common/log.h"
#include "prober/checkpoint.h"
#include "prober/output.h"
#include "prober/source/source.h"

/* `end' of LC was read, or nobody is left to say it. */
static void
end_cycle(struct admit *a, struct listcycle *lc)
{
	if (lc->ended)
		return;
	lc->ended = 1;
	if (a->checkpoint != NULL)
		checkpoint_ended(a->checkpoint, lc);
}

/*
 * A list has one cycle open at a time.  One whose sender went away and that a
 * later one of the same list has followed gets no `end' any more: the crash of
 * a manager or generator has swallowed it.
 */
static void
end_forsaken(struct admit *a)
{
	struct listcycle *old, *new;

	TAILQ_FOREACH(old, &a->table, link)
	{
		if (old->owner != NULL || old->ended)
			continue;
		TAILQ_FOREACH(new, &a->table, link)
		{
			if (new->list == old->list &&new->cycle > old->cycle)
				end_cycle(a, old);
		}
	}
}

static void
new_cycle(struct engine *e, const struct cmd *c, struct measurement *m)
{
	struct output_cycle oc = {
	    .list = c->list,
	    .cycle = c->cycle,
	    .name = c->name,
	    .descr = *c->descr != '\0' ? c->descr : NULL,
	    .start = c->cycle,
	    .resumed = c->from > 1,
	};
	struct listcycle *lc =
	    listcycle_add(&e->admit.table, c->list, c->cycle, m);
	char number[16];

	snprintf(number, sizeof(number), "%u", c->list);
	if (*oc.name == '\0')
		oc.name = number;
	listcycle_define(lc, oc.name, oc.descr, oc.start);
	lc->high = lc->logged = lc->durable = c->from - 1;
	lc->out = output_cycle_begin(e->out, &oc);
	if (e->admit.checkpoint != NULL)
		checkpoint_began(e->admit.checkpoint, lc);
}

/* What is missing between the last number and the next will not come. */
static void
check_gap(const struct sender *s, const struct listcycle *lc, uint64_t from)
{
	if (from > lc->high + 1)
		log_warn("%s: list %u cycle %u: goes on at number %ju, behind "
			 "%ju: what is between was never seen",
		    s->name, lc->list, lc->cycle, (uintmax_t)from,
		    (uintmax_t)lc->high);
}

/* It is over, and its sender was not told: it may say all of it again. */
static void
begin_past(struct sender *s, const struct cmd *c, struct listcycle_past *past)
{
	past->owner = s;
	past->position = c->from;
	past->acked = 0;
}

static const char *
do_begin(struct sender *s, const struct cmd *c)
{
	struct engine *e = s->e;
	struct listcycle_past *past =
	    listcycle_past_find(&e->admit.history, c->list, c->cycle);
	struct listcycle *lc =
	    listcycle_find(&e->admit.table, c->list, c->cycle);
	static char why[256];
	struct measurement *m;

	m = technique_parse(c->probe, NULL, why, sizeof(why));
	if (m == NULL)
		return why;
	if (past == NULL && lc == NULL) {
		new_cycle(e, c, m);
		lc = listcycle_find(&e->admit.table, c->list, c->cycle);
	} else {
		technique_unref(m); /* it goes on as it began */
	}
	if (lc == NULL) {
		begin_past(s, c, past);
		return NULL;
	}
	check_gap(s, lc, c->from);
	lc->position = c->from;
	lc->owner = s;
	lc->acked = c->from - 1;
	lc->acked_end = 0;
	end_forsaken(&e->admit);
	return NULL;
}

/* An `ip' of a cycle that is not in the table. */
static const char *
ip_of_past(struct sender *s, const struct cmd *c)
{
	struct listcycle_past *past =
	    listcycle_past_find(&s->e->admit.history, c->list, c->cycle);

	if (past == NULL || past->owner == NULL)
		return "no begin for this list and cycle";
	if (past->owner == s && past->position++ > past->high)
		return "this list and cycle has ended";
	return NULL;
}

static void
accept_number(const struct sender *s, struct command *c)
{
	struct engine *e = s->e;
	struct listcycle *lc = c->lc;
	int rc;

	lc->high = c->number;
	if (lc->nahead > 0 && listcycle_is_ahead(lc, c->number)) {
		checkpoint_passed(e->admit.checkpoint, lc);
		return;
	}
	c->m = lc->m;
	c->m->refs++;
	rc = admit_put(&e->admit, c);
	assert(rc == 0); /* the caller has seen that there is room */
	++*s->put;
	if (e->admit.checkpoint != NULL)
		checkpoint_accepted(e->admit.checkpoint, c);
}

static const char *
do_ip(struct sender *s, const struct cmd *c)
{
	struct engine *e = s->e;
	struct listcycle *lc =
	    listcycle_find(&e->admit.table, c->list, c->cycle);
	struct command new = {.dst = c->addr, .lc = lc};

	if (lc == NULL)
		return ip_of_past(s, c);
	if (lc->owner == NULL)
		return "no begin for this list and cycle";
	if (lc->owner != s)
		return NULL; /* said again by another client */
	new.number = lc->position++;
	if (new.number <= lc->high)
		return NULL; /* accepted before a restart */
	if (lc->ended)
		return "this list and cycle has ended";
	accept_number(s, &new);
	return NULL;
}

/* Without a begin on this connection too: a manager may have lost the answer
 * to an `end' that it had made itself. */
static const char *
do_end(struct sender *s, const struct cmd *c)
{
	struct admit *a = &s->e->admit;
	struct listcycle *lc = listcycle_find(&a->table, c->list, c->cycle);
	struct listcycle_past *past =
	    listcycle_past_find(&a->history, c->list, c->cycle);

	if (lc == NULL && past == NULL)
		return "no begin for this list and cycle";
	if (lc == NULL) {
		past->owner = s;
		past->acked = 0;
		return NULL;
	}
	if (lc->owner != NULL && lc->owner != s)
		return NULL;
	lc->owner = s;
	lc->acked_end = 0;
	end_cycle(a, lc);
	return NULL;
}

static const char *
do_exit(struct sender *s, const struct cmd *c)
{
	engine_stop(s->e, c->now ? 2 : 1);
	return NULL;
}

static const char *(*const verbs[])(struct sender *, const struct cmd *) = {
    [CMD_BEGIN] = do_begin,
    [CMD_IP] = do_ip,
    [CMD_END] = do_end,
    [CMD_EXIT] = do_exit,
};

const char *
sender_obey(struct sender *s, const struct cmd *c)
{
	return verbs[c->verb](s, c);
}

void
sender_gone(const struct sender *s)
{
	struct admit *a = &s->e->admit;
	struct listcycle *lc;

	TAILQ_FOREACH(lc, &a->table, link)
	{
		if (lc->owner == s)
			lc->owner = NULL;
	}
	for (size_t i = 0; i < a->history.n; i++) {
		if (a->history.rows[i].owner == s)
			a->history.rows[i].owner = NULL;
	}
	end_forsaken(a);
}
