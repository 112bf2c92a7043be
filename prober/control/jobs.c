/*
 * jobs: the commands of a run, from the moment they are accepted to that of
 * their record.  All the time the books of the run's list and cycle say where
 * they are: in a queue here counts as queued.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"
#include "prober/control/control.h"

#define TABLE_MIN 16

/* --- by number ---------------------------------------------------------------- */

static struct job **
table_row(const struct job_table *t, uint64_t id)
{
	return &t->rows[t->start + (size_t)(id - t->first)];
}

static void
table_put(struct job_table *t, struct job *j)
{
	size_t n = (size_t)(t->next - t->first);

	if (t->start + n == t->cap && t->start > t->cap / 2) {
		memmove(t->rows, t->rows + t->start, n * sizeof(*t->rows));
		t->start = 0;
	} else if (t->start + n == t->cap) {
		t->cap = t->cap != 0 ? 2 * t->cap : TABLE_MIN;
		t->rows = xreallocarray(t->rows, t->cap, sizeof(*t->rows));
	}
	if (t->next == 0)
		t->first = t->next = 1;
	j->id = t->next++;
	*table_row(t, j->id) = j;
}

static void
table_remove(struct job_table *t, uint64_t id)
{
	*table_row(t, id) = NULL;
	while (t->first < t->next && *table_row(t, t->first) == NULL) {
		t->first++;
		t->start++;
	}
	if (t->first == t->next)
		t->start = 0;
}

void
jobs_table_clear(struct job_table *t)
{
	free(t->rows);
	memset(t, 0, sizeof(*t));
}

struct job *
jobs_find(const struct run *run, uint64_t id)
{
	const struct job_table *t = &run->jobs;

	if (id < t->first || id >= t->next)
		return NULL;
	return *table_row(t, id);
}

/* --- the life of a job ------------------------------------------------------------ */

struct job *
jobs_new(struct run *run, const struct addr *dst, struct measurement *m)
{
	struct job *j = xcalloc(1, sizeof(*j));

	j->run = run;
	j->m = m;
	j->dst = *dst;
	table_put(&run->jobs, j);
	TAILQ_INSERT_TAIL(&run->feed->queue, j, link);
	run->lc->accepted++;
	run->lc->queued++;
	run->feed->waiting++;
	return j;
}

/* It waits here no more: there is room for another. */
static void
leave_queue(struct job *j)
{
	struct feed *f = j->run->feed;

	f->waiting--;
	if (f->client != NULL && f->waiting < JOBS_MAX)
		client_resume(f->client);
}

void
jobs_end(struct job *j)
{
	table_remove(&j->run->jobs, j->id);
	technique_unref(j->m);
	free(j);
}

void
jobs_give(struct job *j, struct command *c)
{
	memset(c, 0, sizeof(*c));
	c->dst = j->dst;
	c->lc = j->run->lc;
	c->m = j->m;
	c->number = j->id;
	j->m = NULL;
	j->where = JOB_GIVEN;
	leave_queue(j);
}

static struct job_list *
bucket(struct control *c, const struct addr *dst)
{
	return &c->blocked[addr_hash(dst) & (JOBS_BUCKETS - 1)];
}

void
jobs_block(struct control *c, struct job *j)
{
	j->where = JOB_BLOCKED;
	TAILQ_INSERT_TAIL(bucket(c, &j->dst), j, link);
}

void
jobs_unblock(struct control *c, const struct addr *dst)
{
	struct job_list *b = bucket(c, dst);
	struct job *j;

	TAILQ_FOREACH(j, b, link)
	{
		if (!addr_equal(&j->dst, dst))
			continue;
		TAILQ_REMOVE(b, j, link);
		TAILQ_INSERT_TAIL(&c->again, j, link);
		return;
	}
}

/* --- ending it early ------------------------------------------------------------------ */

/* Take J, which has not been given, out of its list.  One that was unblocked
 * is still called blocked, and is in `again'. */
static void
unlink_job(struct control *c, struct job *j)
{
	struct job *other;

	if (j->where == JOB_QUEUED) {
		TAILQ_REMOVE(&j->run->feed->queue, j, link);
		return;
	}
	TAILQ_FOREACH(other, &c->again, link)
	{
		if (other == j) {
			TAILQ_REMOVE(&c->again, j, link);
			jobs_unblock(c, &j->dst);
			return;
		}
	}
	TAILQ_REMOVE(bucket(c, &j->dst), j, link);
}

/* The task of J, or NULL while it waits in the engine. */
static struct task *
task_of(struct control *c, const struct job *j)
{
	struct task *t = window_find(&c->e->window, &j->dst);

	return t != NULL && t->lc == j->run->lc && t->number == j->id ? t
								      : NULL;
}

void
jobs_halt(struct control *c, struct job *j)
{
	struct command cmd;
	struct task *t;

	if (j->where == JOB_GIVEN) {
		j->halt = 1;
		t = task_of(c, j);
		if (t != NULL)
			finish_halted(t);
	} else {
		unlink_job(c, j);
		jobs_give(j, &cmd);
		cmd.lc->queued--;
		finish_unstarted(c->e, &cmd, 0);
	}
	engine_kick(c->e);
}

uint64_t
jobs_flush(struct control *c, struct run *run, enum refusal why)
{
	uint64_t dropped = 0, end = run->jobs.next;
	struct job *j;

	for (uint64_t id = run->jobs.first; id < end; id++) {
		j = jobs_find(run, id);
		if (j == NULL || j->where == JOB_GIVEN)
			continue;
		unlink_job(c, j);
		run->lc->queued--;
		run->lc->refused[why]++;
		leave_queue(j);
		dropped++;
		jobs_end(j);
	}
	return dropped;
}

uint64_t
jobs_drop(struct control *c, struct run *run, enum refusal why)
{
	uint64_t dropped = jobs_flush(c, run, why);
	struct job *j;

	for (uint64_t id = run->jobs.first; id < run->jobs.next; id++) {
		j = jobs_find(run, id);
		if (j != NULL)
			jobs_halt(c, j);
	}
	return dropped;
}
