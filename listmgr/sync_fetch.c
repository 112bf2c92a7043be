/*
 * sync_fetch: what to ask the Control Server for next, and what to do with what
 * comes.  No network here: asked for a want, given a text, until nothing is
 * wanted; so each order of what a server may do can be played in a test.
 *
 *	root 2 ─► root 3 ─► stop ─► release ─► assign ─► object, object ... ─► switch
 *
 * Each is judged when it comes, and held only if it is good.  An assign counts
 * as seen only when all its objects are here: one that names what cannot be had
 * does not stand in the way of the next.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmalloc.h"
#include "listmgr/sync.h"

static void
drop_assign(struct sync_fetch *f)
{
	if (f->has_assign) {
		signed_assign_clear(&f->assign);
		f->store->trust.seen[SIGNED_ASSIGN] = f->seen;
	}
	f->has_assign = 0;
	free(f->assign_text);
	f->assign_text = NULL;
}

void
sync_fetch_begin(struct sync_fetch *f, const struct sync_versions *versions)
{
	drop_assign(f);
	f->server = *versions;
	memset(f->judged, 0, sizeof(f->judged));
	f->refused = 0;
}

void
sync_fetch_clear(struct sync_fetch *f)
{
	drop_assign(f);
}

/* --- what is next --------------------------------------------------------- */

/* The version that we hold of KIND; 0: none. */
static uint64_t
held(const struct sync_fetch *f, enum signed_kind kind)
{
	const struct signed_trust *tr = &f->store->trust;
	const struct store_gen *g = f->store->current;

	switch (kind) {
	case SIGNED_ROOT:
		return tr->root.version;
	case SIGNED_STOP:
		return tr->stop.version;
	case SIGNED_RELEASE:
		return tr->release.version;
	case SIGNED_ASSIGN:
		break;
	}
	/* A new root may have forgotten whose the current one is. */
	if (f->has_assign)
		return f->assign.version;
	return g != NULL && g->assign.version == tr->seen[kind].version
	    ? g->assign.version
	    : 0;
}

/* Roots come one by one.  The first may be any that the operator's key signed:
 * from the first one on, if the server has that. */
static uint64_t
next_root(const struct sync_fetch *f)
{
	const struct signed_trust *tr = &f->store->trust;
	uint64_t last = f->server.v[SIGNED_ROOT];

	if (tr->root.version != 0 && last > tr->root.version)
		return tr->root.version + 1;
	if (tr->root.version == 0 && tr->seen[SIGNED_ROOT].version != 0)
		return tr->seen[SIGNED_ROOT].version;
	if (tr->root.version == 0 && f->judged[SIGNED_ROOT] == 0)
		return 1;
	return last;
}

static int
want_object(struct sync_fetch *f, struct sync_want *w)
{
	const struct schedule *s = f->assign.schedule;
	const struct schedule_file *file;
	int rc;

	for (size_t i = 0; i < s->nfiles + s->ncodes; i++) {
		file = i < s->nfiles ? &s->files[i] : &s->codes[i - s->nfiles];
		memcpy(w->object.sha, file->sha, sizeof(w->object.sha));
		w->object.size = file->size;
		rc = store_look(f->store, &w->object, &w->have);
		if (rc == 1)
			continue;
		if (rc == 0)
			w->what = WANT_OBJECT;
		return rc;
	}
	return 0;
}

/* What the disk did not take in an earlier round.  0, or -1 with errno. */
static int
keep_owed(struct sync_fetch *f)
{
	int rc;

	for (int k = 0; k < SIGNED_KINDS; k++) {
		rc = store_keep_owed(f->store, (enum signed_kind)k);
		if (rc == -1)
			return -1;
		/* It is as if it had come in this round. */
		if (rc == 1)
			f->judged[k] = held(f, (enum signed_kind)k);
	}
	return 0;
}

int
sync_fetch_next(struct sync_fetch *f, struct sync_want *w)
{
	uint64_t there;

	memset(w, 0, sizeof(*w));
	if (f->refused)
		return 0;
	if (keep_owed(f) == -1)
		return -1;
	for (int k = 0; k < SIGNED_KINDS; k++) {
		there = f->server.v[k];
		if (there == 0 || there == held(f, (enum signed_kind)k) ||
		    there == f->judged[k])
			continue;
		w->what = WANT_TEXT;
		w->kind = (enum signed_kind)k;
		w->version = k == SIGNED_ROOT ? next_root(f) : there;
		return 0;
	}
	return f->has_assign ? want_object(f, w) : 0;
}

/* --- what comes ----------------------------------------------------------- */

static int
disk_fault(struct signed_fault *fault)
{
	fault->code = SIGNED_IO;
	fault->line = 0;
	snprintf(fault->text, sizeof(fault->text), "cannot be stored: %s",
	    strerror(errno));
	return -1;
}

static int
take_assign(struct sync_fetch *f, const struct signed_text *t,
    struct signed_fault *fault)
{
	struct signed_seen seen = f->store->trust.seen[SIGNED_ASSIGN];

	if (signed_take_assign(&f->store->trust, t, &f->assign, fault) == -1)
		return -1;
	f->seen = seen;
	f->has_assign = 1;
	f->assign_text = xmemdup(t->text, t->len);
	f->assign_len = t->len;
	return 0;
}

static int
take_and_keep(struct sync_fetch *f, enum signed_kind kind,
    const struct signed_text *t, struct signed_fault *fault)
{
	static int (*const take[])(struct signed_trust *,
	    const struct signed_text *, struct signed_fault *) = {
	    [SIGNED_ROOT] = signed_take_root,
	    [SIGNED_STOP] = signed_take_stop,
	    [SIGNED_RELEASE] = signed_take_release,
	};

	if (take[kind](&f->store->trust, t, fault) == -1)
		return -1;
	return store_keep_or_owe(f->store, kind, t) == -1 ? disk_fault(fault)
							  : 0;
}

int
sync_fetch_text(struct sync_fetch *f, const struct sync_want *w,
    const struct signed_text *t, struct signed_fault *fault)
{
	int rc;

	if (w->kind == SIGNED_ASSIGN)
		rc = take_assign(f, t, fault);
	else
		rc = take_and_keep(f, w->kind, t, fault);
	f->judged[w->kind] = w->version;
	if (rc == 0)
		return 0;
	f->refused = 1;
	drop_assign(f);
	return -1;
}

int
sync_fetch_switch(struct sync_fetch *f)
{
	struct signed_text t = {f->assign_text, f->assign_len}, r;
	const struct store_gen *g;

	if (f->refused || !f->has_assign)
		return 0;
	if (store_text(f->store, SIGNED_RELEASE, &r) == -1)
		return -1;
	g = store_switch(f->store, &f->assign, &t, &r);
	free((char *)r.text);
	if (g == NULL) {
		drop_assign(f);
		return -1;
	}
	f->has_assign = 0;
	free(f->assign_text);
	f->assign_text = NULL;
	return 1;
}
