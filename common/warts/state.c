#include "common/warts/state.h"

#include <stdlib.h>
#include <string.h>

#include "common/warts/record.h"
#include "common/xmalloc.h"

void
warts_state_clear(struct warts_state *st)
{
	free(st->lists);
	free(st->cycles);
	free(st->addrs);
	warts_arena_free(&st->strings);
	memset(st, 0, sizeof(*st));
}

/* Room for element N of an array of objects of SIZE bytes. */
static void *
grown(void *p, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return p;
	*cap = *cap != 0 ? *cap * 2 : 8;
	return xreallocarray(p, *cap, size);
}

static const char *
kept(struct warts_state *st, const char *s)
{
	size_t n;

	if (s == NULL)
		return NULL;
	n = strlen(s) + 1;
	return memcpy(warts_arena_alloc(&st->strings, n, 1), s, n);
}

static int
list_feed(
    struct warts_state *st, const struct warts_record *rec, const char **why)
{
	struct warts_list l;
	int joined;
	uint32_t last;

	if (warts_list_decode(rec->body, rec->len, &l, why) == -1)
		return -1;
	joined = l.id == 1 && st->nlists != 0;
	if (joined)
		warts_state_clear(st);
	last = st->nlists != 0 ? st->lists[st->nlists - 1].id : 0;
	if (l.id <= last) {
		*why = "list number used before";
		return -1;
	}
	st->lists =
	    grown(st->lists, st->nlists, &st->caplists, sizeof(*st->lists));
	l.name = kept(st, l.name);
	l.descr = kept(st, l.descr);
	l.monitor = kept(st, l.monitor);
	st->lists[st->nlists++] = l;
	if (joined)
		*why = "list 1 again: files joined end to end";
	else if (l.id != last + 1)
		*why = "a list before this one is missing";
	else
		return 0;
	return -1;
}

static int
cycle_feed(
    struct warts_state *st, const struct warts_record *rec, const char **why)
{
	struct warts_cycle c;
	uint32_t last;

	if (warts_cycle_decode(rec->body, rec->len, &c, why) == -1)
		return -1;
	last = st->ncycles != 0 ? st->cycles[st->ncycles - 1].id : 0;
	if (c.id <= last) {
		*why = "cycle number used before";
		return -1;
	}
	st->cycles =
	    grown(st->cycles, st->ncycles, &st->capcycles, sizeof(*st->cycles));
	c.hostname = kept(st, c.hostname);
	st->cycles[st->ncycles++] = c;
	if (c.id != last + 1)
		*why = "a cycle before this one is missing";
	else if (warts_state_list(st, c.list) == NULL)
		*why = "cycle of a list that is not in the file";
	else
		return 0;
	return -1;
}

static int
stop_feed(
    struct warts_state *st, const struct warts_record *rec, const char **why)
{
	struct warts_cycle_stop s;

	if (warts_cycle_stop_decode(rec->body, rec->len, &s, why) == -1)
		return -1;
	if (warts_state_cycle(st, s.id) != NULL)
		return 0;
	*why = "stop of a cycle that is not in the file";
	return -1;
}

/* check u8 (number modulo 255) | family u8 | address */
static int
addr_feed(
    struct warts_state *st, const struct warts_record *rec, const char **why)
{
	if (rec->len < 2 || addr_len(rec->body[1]) != rec->len - 2) {
		*why = "address of an unknown family or wrong size";
		return -1;
	}
	st->addrs =
	    grown(st->addrs, st->naddrs, &st->capaddrs, sizeof(*st->addrs));
	st->addrs[st->naddrs++] = addr_make(rec->body[1], rec->body + 2);
	if (rec->body[0] == st->naddrs % 255)
		return 0;
	*why = "an address before this one is missing";
	return -1;
}

int
warts_state_feed(
    struct warts_state *st, const struct warts_record *rec, const char **why)
{
	static int (*const feed[])(struct warts_state *,
	    const struct warts_record *, const char **) = {
	    [WARTS_LIST] = list_feed,
	    [WARTS_CYCLE_START] = cycle_feed,
	    [WARTS_CYCLE_DEF] = cycle_feed,
	    [WARTS_CYCLE_STOP] = stop_feed,
	    [WARTS_ADDR] = addr_feed,
	};

	if (rec->type >= sizeof(feed) / sizeof(feed[0]) ||
	    feed[rec->type] == NULL)
		return 0;
	return feed[rec->type](st, rec, why);
}

static int
list_order(const void *id, const void *list)
{
	uint32_t a = *(const uint32_t *)id;
	uint32_t b = ((const struct warts_list *)list)->id;

	return (a > b) - (a < b);
}

static int
cycle_order(const void *id, const void *cycle)
{
	uint32_t a = *(const uint32_t *)id;
	uint32_t b = ((const struct warts_cycle *)cycle)->id;

	return (a > b) - (a < b);
}

const struct warts_list *
warts_state_list(const struct warts_state *st, uint32_t id)
{
	if (st->nlists == 0)
		return NULL;
	return bsearch(
	    &id, st->lists, st->nlists, sizeof(*st->lists), list_order);
}

const struct warts_cycle *
warts_state_cycle(const struct warts_state *st, uint32_t id)
{
	if (st->ncycles == 0)
		return NULL;
	return bsearch(
	    &id, st->cycles, st->ncycles, sizeof(*st->cycles), cycle_order);
}

int
warts_state_addr(const struct warts_state *st, uint32_t gid, struct addr *out)
{
	if (gid == 0 || out->family != ADDR_NONE)
		return 0;
	if (gid > st->naddrs)
		return -1;
	*out = st->addrs[gid - 1];
	return 0;
}

static int
hops_resolve(const struct warts_state *st, struct warts_hop *hops, size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		rc |= warts_state_addr(st, hops[i].gid, &hops[i].addr);
	return rc;
}

int
warts_state_resolve(const struct warts_state *st, struct warts_trace *t)
{
	int rc = warts_state_addr(st, t->src_gid, &t->src);

	rc |= warts_state_addr(st, t->dst_gid, &t->dst);
	rc |= hops_resolve(st, t->hops, t->nhops);
	if (t->pmtud != NULL)
		rc |= hops_resolve(st, t->pmtud->hops, t->pmtud->hop_count);
	if (t->lastditch != NULL)
		rc |= hops_resolve(
		    st, t->lastditch->hops, t->lastditch->hop_count);
	if (t->dtree != NULL) {
		rc |= warts_state_addr(
		    st, t->dtree->lss_gid, &t->dtree->lss_stop);
		rc |= warts_state_addr(
		    st, t->dtree->gss_gid, &t->dtree->gss_stop);
	}
	return rc;
}

int
warts_state_resolve_ping(const struct warts_state *st, struct warts_ping *p)
{
	int rc = warts_state_addr(st, p->src_gid, &p->src);

	rc |= warts_state_addr(st, p->dst_gid, &p->dst);
	for (int i = 0; i < p->nreplies; i++)
		rc |= warts_state_addr(
		    st, p->replies[i].gid, &p->replies[i].addr);
	return rc;
}
