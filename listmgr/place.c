#include "listmgr/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/atomicfile.h"
#include "common/log.h"
#include "common/xmalloc.h"

#define TRIAL_NS (600 * NS_PER_SEC)

struct placed {
	uint32_t list;
	struct store_gen *gen; /* it runs from */
	struct store_gen *old; /* it would go back to; NULL: none */
	struct store_gen *bad; /* it has come back from; NULL: not */
	int64_t trial_ns; /* since when it is on trial; 0: it is not */
	int unlinked; /* it runs without its files: the disk refused */
	int speaks; /* it has something to say: silence is wrong */
	enum schedule_change change; /* to be told */
	int due; /* it owes a new cycle since a publication */
	uint32_t after; /* ... and was in this one then; 0: not known */
	const char **names; /* nnames files, of that */
	size_t nnames;
	char *code; /* folder of its programs */
	int64_t synced_ns; /* when the cycle it began last was; 0: never */
	int unsynced; /* it is to be */
};

struct place {
	struct roster *roster;
	struct store *store;
	int64_t silence_ns;
	struct placed **list; /* n */
	size_t n;
};

static void on_begun(void *arg, const struct generator *g);

struct place *
place_new(struct roster *r, struct store *st, int64_t silence_ns)
{
	struct place *p = xcalloc(1, sizeof(*p));

	p->roster = r;
	p->store = st;
	p->silence_ns = silence_ns;
	r->host.begun = on_begun;
	r->host.begun_arg = p;
	return p;
}

static void
free_placed(struct placed *d)
{
	free(d->names);
	free(d->code);
	free(d);
}

void
place_free(struct place *p)
{
	if (p == NULL)
		return;
	for (size_t i = 0; i < p->n; i++)
		free_placed(p->list[i]);
	free(p->list);
	free(p);
}

static struct placed *
find(const struct place *p, uint32_t list)
{
	for (size_t i = 0; i < p->n; i++) {
		if (p->list[i]->list == list)
			return p->list[i];
	}
	return NULL;
}

int
place_is_back(const struct place *p, uint32_t list)
{
	const struct placed *d = find(p, list);

	return d != NULL && d->bad != NULL;
}

/* --- what has changed ----------------------------------------------------- */

static const struct schedule_file *
file_of(const struct schedule *s, const struct schedule_file *f)
{
	for (size_t i = 0; i < s->nfiles; i++) {
		if (s->files[i].list == f->list &&
		    strcmp(s->files[i].name, f->name) == 0)
			return &s->files[i];
	}
	return NULL;
}

/* The files of D that are others in NEW than in OLD, and what to do then. */
static int
changed_files(
    struct placed *d, const struct schedule *old, const struct schedule *new)
{
	const struct schedule_file *f = new->files, *was;
	int changed = 0;

	for (; f < new->files + new->nfiles; f++) {
		if (f->list != d->list)
			continue;
		was = file_of(old, f);
		if (was != NULL &&
		    memcmp(was->sha, f->sha, sizeof(f->sha)) == 0)
			continue;
		changed = 1;
		if (f->on_change == SCHEDULE_NONE)
			continue;
		d->names =
		    xreallocarray(d->names, d->nnames + 1, sizeof(*d->names));
		d->names[d->nnames++] = f->name;
		if (f->on_change > d->change)
			d->change = f->on_change;
	}
	return changed;
}

static int
same_code(const struct schedule *a, const struct schedule *b, uint32_t list)
{
	const struct schedule_file *x, *y;

	x = schedule_code_of(a, schedule_find(a, list));
	y = schedule_code_of(b, schedule_find(b, list));
	if (x == NULL || y == NULL)
		return x == y;
	return memcmp(x->sha, y->sha, sizeof(x->sha)) == 0;
}

static int
same_words(const struct schedule_list *a, const struct schedule_list *b)
{
	if (a->argc != b->argc || strcmp(a->name, b->name) != 0 ||
	    strcmp(a->descr, b->descr) != 0 ||
	    memcmp(&a->limits, &b->limits, sizeof(a->limits)) != 0)
		return 0;
	for (int i = 0; i < a->argc; i++) {
		if (strcmp(a->argv[i], b->argv[i]) != 0)
			return 0;
	}
	return 1;
}

/* Is D another thing in NEW than in OLD? */
static int
is_changed(
    struct placed *d, const struct schedule *old, const struct schedule *new)
{
	const struct schedule_list *was = schedule_find(old, d->list);

	if (was == NULL)
		return 1;
	return changed_files(d, old, new) | !same_code(old, new, d->list) |
	    !same_words(was, schedule_find(new, d->list));
}

/* --- links ---------------------------------------------------------------- */

static void
put(struct place *p, const struct placed *d, enum store_place which,
    const struct store_gen *g)
{
	if (store_put(p->store, d->list, which, g) == -1)
		log_fatal(EXIT_TEMPORARY, "%s/place: %s", p->store->path,
		    strerror(errno));
}

/* PATH is, or becomes, a link to TARGET. */
static int
set_link(int dir, const char *path, const char *target)
{
	char is[PATH_MAX];
	ssize_t n = readlinkat(dir, path, is, sizeof(is));

	if (n == (ssize_t)strlen(target) && memcmp(is, target, (size_t)n) == 0)
		return 0;
	if (unlinkat(dir, path, 0) == -1 && errno != ENOENT)
		return -1;
	return symlinkat(target, dir, path);
}

/* Links to its files where G runs, which belong to us and not to it. */
static void
link_files(struct place *p, struct placed *d, const struct generator *g)
{
	const struct schedule *s = d->gen->assign.schedule;
	int fd = open(g->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int was = d->unlinked;
	char *target;

	d->unlinked = fd == -1;
	if (fd == -1 && !was)
		log_warn("%s: %s", g->dir, strerror(errno));
	for (size_t i = 0; fd != -1 && i < s->nfiles; i++) {
		if (s->files[i].list != d->list)
			continue;
		target = xasprintf("%s/place/%u.gen/file/%u/%s", p->store->path,
		    d->list, d->list, s->files[i].name);
		if (set_link(fd, s->files[i].name, target) == -1) {
			d->unlinked = 1;
			if (!was)
				log_warn("%s/%s: %s", g->dir, s->files[i].name,
				    strerror(errno));
		}
		free(target);
	}
	if (fd != -1)
		close(fd);
}

/* What it did without its files does not count. */
static void
link_again(struct place *p, struct placed *d, struct generator *g)
{
	link_files(p, d, g);
	if (d->unlinked)
		return;
	log_info("%s: has its files", g->who);
	if (d->trial_ns != 0)
		d->trial_ns = p->roster->host.now_ns;
	generator_changed(g, SCHEDULE_RESTART, NULL, 0);
}

/* --- placing -------------------------------------------------------------- */

static struct store_gen *
stored(struct place *p, uint32_t list, enum store_place which, int64_t now_s)
{
	struct signed_fault f = {0};
	char name[STORE_NAME_MAX];
	struct store_gen *g;

	if (store_placed(p->store, list, which, name) == -1)
		return NULL;
	g = store_gen(p->store, name, now_s, &f);
	if (g == NULL)
		log_info("list %u: generation %s: %s", list, name, f.text);
	return g;
}

/* As a manager before us has left it. */
static struct placed *
restore(struct place *p, uint32_t list, int64_t now_s)
{
	struct placed *d = xcalloc(1, sizeof(*d));

	d->list = list;
	d->gen = stored(p, list, STORE_GEN, now_s);
	d->old = stored(p, list, STORE_OLD, now_s);
	d->bad = stored(p, list, STORE_BAD, now_s);
	d->due = store_due(p->store, list, &d->after);
	/* It was on trial, and may still die too often. */
	if (d->gen != NULL && d->old != NULL && d->bad == NULL)
		d->trial_ns = p->roster->host.now_ns;
	d->code = xasprintf("%s/place/%u.gen/code", p->store->path, list);
	p->list = xreallocarray(p->list, p->n + 1, sizeof(*p->list));
	p->list[p->n++] = d;
	return d;
}

/* Does its generator have something to say, or may it wait for its next
 * cycle? */
static int
has_to_speak(const struct place *p, uint32_t list)
{
	const struct generator *g = roster_find(p->roster, list);

	return g == NULL || g->cycle == 0 || g->open;
}

static void
begin_trial(struct place *p, struct placed *d)
{
	/* Who is still on trial has proven nothing. */
	if (d->trial_ns == 0)
		d->old = d->gen;
	d->trial_ns = p->roster->host.now_ns;
	d->speaks = has_to_speak(p, d->list);
	put(p, d, STORE_OLD, d->old);
}

/* A new cycle is all that a process does not see by itself when it starts: it is
 * kept until one has begun it.  G: whose; NULL: it has. */
static void
set_due(struct place *p, struct placed *d, const struct store_gen *g,
    uint32_t after)
{
	d->due = g != NULL;
	d->after = after;
	if (store_put_due(p->store, d->list, g, after) == -1)
		log_fatal(EXIT_TEMPORARY, "%s/place: %s", p->store->path,
		    strerror(errno));
}

/* The cycle that its generator, or the one before it, began last. */
static uint32_t
begun(const struct place *p, uint32_t list)
{
	const struct generator *g = roster_find(p->roster, list);

	return g != NULL && g->begun != 0 ? g->begun
					  : store_begun(p->store, list);
}

/* Durable before the begin goes on to the Prober: by it the next manager tells a
 * cycle that is the answer from one that is not, also after a power cut.  One that
 * begins cycles without end must not have the disk: a second later will do. */
static void
keep_begun(struct place *p, struct placed *d, const struct generator *g)
{
	int64_t now_ns = p->roster->host.now_ns;
	int sync = d->synced_ns == 0 || now_ns - d->synced_ns >= NS_PER_SEC;
	int rc = store_put_begun(p->store, d->list, g->begun, sync);

	/* What failed is tried again each second, and said once. */
	if (rc == -1 && !d->unsynced)
		log_warn("%s/place/%u.begun: %s", p->store->path, d->list,
		    strerror(errno));
	if (sync)
		d->synced_ns = now_ns;
	d->unsynced = rc == -1 || !sync;
}

static void
on_begun(void *arg, const struct generator *g)
{
	struct place *p = arg;
	struct placed *d = find(p, g->number);

	if (d == NULL || g->removed)
		return;
	keep_begun(p, d, g);
	if (d->due && g->due == 0)
		set_due(p, d, NULL, 0);
	else if (d->due && d->after != g->after)
		set_due(p, d, d->gen, g->after);
}

/* List D in the generation NOW. */
static void
move(struct place *p, struct placed *d, struct store_gen *now)
{
	const struct schedule *old;

	free(d->names);
	d->names = NULL;
	d->nnames = 0;
	d->change = SCHEDULE_NONE;
	/* One that came back, and then lost what it came back to (it expired,
	 * say), has nothing better than to try again. */
	if (d->gen == now || (d->bad == now && d->gen != NULL))
		return;
	old = d->gen != NULL ? d->gen->assign.schedule : NULL;
	if (old != NULL && is_changed(d, old, now->assign.schedule))
		begin_trial(p, d);
	if (d->bad != NULL)
		put(p, d, STORE_BAD, NULL);
	d->bad = NULL;
	/* One that is owed already is owed since then. */
	if (d->change == SCHEDULE_NEW_CYCLE)
		set_due(p, d, now, d->due ? d->after : begun(p, d->list));
	d->gen = now;
	put(p, d, STORE_GEN, now);
}

static void
leave(struct place *p, size_t i)
{
	for (int which = STORE_GEN; which <= STORE_BAD; which++)
		put(p, p->list[i], (enum store_place)which, NULL);
	set_due(p, p->list[i], NULL, 0);
	store_put_begun(p->store, p->list[i]->list, 0, 1);
	free_placed(p->list[i]);
	memmove(
	    &p->list[i], &p->list[i + 1], (p->n - i - 1) * sizeof(*p->list));
	p->n--;
}

/* The newest release has the last word on what may run, whatever generation it
 * is from. */
static int
is_withdrawn(const struct place *p, const struct placed *d)
{
	const struct signed_release *r = &p->store->trust.release;
	const struct schedule *s = d->gen->assign.schedule;
	const struct schedule_file *f;

	f = schedule_code_of(s, schedule_find(s, d->list));
	if (f != NULL && signed_release_withdrawn(r, f->sha))
		return 1;
	for (f = s->files; f < s->files + s->nfiles; f++) {
		if (f->list == d->list && signed_release_withdrawn(r, f->sha))
			return 1;
	}
	return 0;
}

/* What is to run: each list from its generation, with the weight of now. */
static void
run(struct place *p)
{
	const struct store_gen *now = p->store->current;
	struct work *work = xcalloc(p->n + 1, sizeof(*work));
	struct placed *d;
	struct generator *g;
	size_t n = 0;

	for (size_t i = 0; i < p->n; i++) {
		d = p->list[i];
		if (is_withdrawn(p, d)) {
			log_warn(
			    "list %u: what it runs with was withdrawn: stopped",
			    d->list);
			continue;
		}
		work[n].schedule = d->gen->assign.schedule;
		work[n].list = schedule_find(work[n].schedule, d->list);
		work[n].weight =
		    schedule_find(now->assign.schedule, d->list)->weight;
		work[n++].code = d->code;
	}
	roster_apply(p->roster, work, n);
	free(work);
	for (size_t i = 0; i < p->n; i++) {
		d = p->list[i];
		g = roster_find(p->roster, d->list);
		if (g == NULL)
			continue;
		link_files(p, d, g);
		if (g->begun == 0)
			g->begun = store_begun(p->store, d->list);
		/* One that was just made reads the files at its start. */
		if (d->nnames > 0 && g->started_ns != 0)
			generator_changed(g, d->change, d->names, d->nnames);
		else if (d->due && g->due == 0)
			generator_due(g, d->after);
		d->nnames = 0;
	}
}

void
place_apply(struct place *p, int64_t now_s)
{
	struct store_gen *now = p->store->current;
	const struct schedule *s = now != NULL ? now->assign.schedule : NULL;
	struct placed *d;

	for (size_t i = p->n; i-- > 0;) {
		if (s == NULL || schedule_find(s, p->list[i]->list) == NULL)
			leave(p, i);
	}
	if (s == NULL) {
		roster_apply(p->roster, NULL, 0);
		return;
	}
	strcpy(p->roster->host.monitor, s->monitor);
	for (size_t i = 0; i < s->nlists; i++) {
		d = find(p, s->lists[i].number);
		if (d == NULL)
			d = restore(p, s->lists[i].number, now_s);
		move(p, d, now);
	}
	run(p);
}

/* --- trials --------------------------------------------------------------- */

/* Was it started since, and has not said anything good for long, although we
 * were there to read it?  A slow Prober is not its fault. */
static int
is_silent(
    const struct place *p, const struct placed *d, const struct generator *g)
{
	return g->started_ns >= d->trial_ns && g->valid_ns < g->started_ns &&
	    (g->dry || g->refused > 0) &&
	    p->roster->host.now_ns - g->started_ns >= p->silence_ns;
}

/* NULL, or why G must go back. */
static const char *
misbehaves(
    const struct place *p, const struct placed *d, const struct generator *g)
{
	int64_t now_ns = p->roster->host.now_ns, fifth_ns;

	if (g->failed)
		return "cannot run";
	if (g->ndeaths >= GENERATOR_DEATHS) {
		fifth_ns = g->deaths_ns[g->ndeaths % GENERATOR_DEATHS];
		if (fifth_ns >= d->trial_ns && now_ns - fifth_ns < TRIAL_NS)
			return "died five times";
	}
	if (g->stopped_ns != 0 && g->stopped_ns >= d->trial_ns)
		return g->trouble;
	if (d->speaks && is_silent(p, d, g))
		return "has said nothing valid";
	return NULL;
}

static void
go_back(struct place *p, struct placed *d, struct generator *g)
{
	d->bad = d->gen;
	d->gen = d->old;
	d->trial_ns = 0;
	/* In this order a kill leaves the new one on trial, or the old one. */
	put(p, d, STORE_BAD, d->bad);
	put(p, d, STORE_GEN, d->gen);
	/* What the bad one asked for is not the old one's to do. */
	generator_due_none(g);
	set_due(p, d, NULL, 0);
	run(p);
	/* Run in the same way, with other files: it was not restarted so. */
	if (!g->removed)
		generator_changed(g, SCHEDULE_RESTART, NULL, 0);
}

static int
look(struct place *p, struct placed *d)
{
	struct generator *g = roster_find(p->roster, d->list);
	char said[sizeof(g->trouble)];
	const char *why;

	if (g != NULL && d->unsynced)
		keep_begun(p, d, g);
	if (g != NULL && d->unlinked) {
		link_again(p, d, g);
		return 0;
	}
	if (d->trial_ns == 0 || g == NULL)
		return 0;
	why = misbehaves(p, d, g);
	if (why != NULL && d->old != NULL) {
		log_warn("%s: %s: back from generation %s to %s", g->who, why,
		    d->gen->name, d->old->name);
		snprintf(said, sizeof(said), "%s", why);
		generator_trouble(g, "rolled back: %s", said);
		go_back(p, d, g);
		return 1;
	}
	if (p->roster->host.now_ns - d->trial_ns >= TRIAL_NS) {
		d->trial_ns = 0;
		d->old = NULL;
		put(p, d, STORE_OLD, NULL);
	}
	return 0;
}

int
place_look(struct place *p)
{
	int back = 0;

	for (size_t i = 0; i < p->n; i++)
		back |= look(p, p->list[i]);
	return back;
}
