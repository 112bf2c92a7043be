/*
 * trace_pmtud: path MTU discovery behind a trace (Luckie, Cho, Owens, IMC 2005;
 * prober-reference §4.1).
 *
 *	DIRECT	a packet of the size at hand goes to the target
 *		answered: that is the path MTU
 *		too big, with a smaller next-hop MTU: on with that
 *		too big, with one of no use, or silence: SIZE
 *	SIZE	the largest size that passes, by a table of MTUs that there are
 *		and bisection
 *	TTL	silence: the large packet with a limited ttl, by bisection: the
 *		farthest router that answers it is in front of the link
 *
 * A size that was found because a nearer router told of something else goes
 * DIRECT again.  Probes are numbered on behind those of the trace.
 */
#include <string.h>

#include "prober/tech/trace_rare.h"

#define DIRECT_TTL 255
#define NOTES_MAX 32
#define SIZES_KEPT 16 /* of the last probes; later replies are dropped */
#define SIZE_MIN 68 /* of an IPv4 link (RFC 791) */
#define ETHERNET 1500
#define ETHERNET_LESS 1454 /* tunnels over it */

enum stage { DIRECT, SIZE, TTL };

struct pmtud_hop {
	struct pmtud_hop *next;
	struct warts_hop hop;
	uint8_t ext[]; /* its extension objects */
};

struct trace_pmtud {
	struct pmtud_hop *hops, *last;
	struct warts_pmtud_note notes[NOTES_MAX];
	struct addr bad; /* who sent a next-hop MTU of no use, in SIZE */
	uint16_t sizes[SIZES_KEPT]; /* by number of the probe */
	uint16_t if_mtu, path_mtu, out_mtu;
	uint16_t from; /* number of the first probe */
	uint16_t step_from; /* of the first with this size and ttl */
	uint16_t size; /* of the probe at hand */
	uint16_t large; /* that did not pass, when the search began */
	uint16_t lower, upper; /* passed, did not; lower 0: none yet */
	uint16_t nhops, large_hop; /* reply about the large packet */
	uint8_t nnotes;
	uint8_t stage; /* enum stage */
	uint8_t ttl; /* of the probe at hand */
	uint8_t low_ttl, high_ttl; /* answers the large one, does not */
	uint8_t has_large_hop;
	uint8_t lower_final; /* no router told of yet another MTU */
};

/* MTUs of links there are (RFC 1191, and tunnels). */
static const uint16_t table[] = {68, 296, 508, 512, 544, 552, 576, 1006, 1280,
    1454, 1480, 1492, 1500, 1514, 1536, 2002, 2048, 4352, 4464, 4470, 8166,
    9000, 9192, 16110, 17914, 65535};
#define TABLE_N (sizeof(table) / sizeof(table[0]))

/* --- sizes ------------------------------------------------------------------------- */

/* The largest entry below SIZE, 0 if none. */
static uint16_t
entry_below(uint16_t size)
{
	uint16_t best = 0;

	for (size_t i = 0; i < TABLE_N && table[i] < size; i++)
		best = table[i];
	return best;
}

/* The smallest entry above SIZE. */
static uint16_t
entry_above(uint16_t size)
{
	for (size_t i = 0; i < TABLE_N; i++) {
		if (table[i] > size)
			return table[i];
	}
	return UINT16_MAX;
}

static int
is_entry(uint16_t size)
{
	return size == UINT16_MAX || entry_above((uint16_t)(size - 1)) == size;
}

/* The size to try next. */
static uint16_t
next_size(const struct trace_pmtud *pm)
{
	uint16_t lower = pm->lower, upper = pm->upper;
	uint16_t below = entry_below(upper);
	int passed = pm->size == lower;

	if (lower == 0 && upper == pm->large && upper > ETHERNET)
		return ETHERNET;
	if (lower == 0 && upper == pm->large && upper > ETHERNET_LESS)
		return ETHERNET_LESS;
	if (lower == 0)
		return below;
	if (passed &&
	    (lower == ETHERNET ||
		(is_entry(lower) && entry_above(lower) >= upper)))
		return (uint16_t)(lower + 1);
	if (entry_above(lower) < upper)
		return entry_above(lower);
	if (is_entry(upper) && below > lower)
		return below;
	return (uint16_t)(lower + (upper - lower) / 2);
}

/* --- the record's memory ------------------------------------------------------------ */

static struct warts_pmtud_note *
note_add(struct trace_pmtud *pm, int type, uint16_t nhmtu)
{
	struct warts_pmtud_note *n = &pm->notes[pm->nnotes++];

	n->type = (uint8_t)type;
	n->nhmtu = nhmtu;
	return n;
}

/* About the reply kept as number HOP. */
static void
note_hop(struct warts_pmtud_note *n, uint16_t hop)
{
	n->hop = hop;
	n->has_hop = 1;
}

/* Keep R, an answer to probe NUMBER; returns its index. */
static uint16_t
keep(struct task *t, struct trace *tr, const struct reply *r,
    unsigned int number)
{
	struct trace_pmtud *pm = tr->more->pmtud;
	const struct trace_probe *p = trace_probe_get(t, tr, number);
	struct pmtud_hop *h = technique_extra(
	    (void **)(void *)&tr->more, sizeof(*h) + r->ext_len);
	int64_t tx_ns = tr->start_ns + (int64_t)trace_tx_us(p) * NS_PER_US;

	trace_hop_of(r, &h->hop);
	h->hop.probe_ttl = p->ttl;
	h->hop.attempt = p->attempt;
	h->hop.probe_size = pm->sizes[number % SIZES_KEPT];
	h->hop.tx = warts_tv_of(tx_ns);
	if (r->rx_ns > tx_ns)
		h->hop.rtt_us = (uint32_t)((r->rx_ns - tx_ns) / NS_PER_US);
	h->hop.exts.count = r->ext_len; /* to be split in the record */
	if (r->ext_len > 0)
		memcpy(h->ext, r->ext, r->ext_len);
	if (pm->last != NULL)
		pm->last->next = h;
	else
		pm->hops = h;
	pm->last = h;
	return pm->nhops++;
}

struct warts_pmtud *
trace_pmtud_record(const struct trace *tr)
{
	const struct trace_pmtud *pm = tr->more->pmtud;
	struct warts_pmtud *out;
	size_t i = 0;

	if (pm == NULL)
		return NULL;
	out = technique_scratch(sizeof(*out));
	out->if_mtu = pm->if_mtu;
	out->path_mtu = pm->path_mtu;
	out->out_mtu = pm->out_mtu;
	out->version = 2;
	out->note_count = pm->nnotes;
	out->notes = technique_scratch(sizeof(pm->notes));
	memcpy(out->notes, pm->notes, sizeof(pm->notes));
	out->hop_count = pm->nhops;
	out->hops = technique_scratch((pm->nhops + 1u) * sizeof(*out->hops));
	for (const struct pmtud_hop *h = pm->hops; h != NULL; h = h->next) {
		out->hops[i] = h->hop;
		trace_split_ext(h->ext, h->hop.exts.count, &out->hops[i++]);
	}
	return out;
}

/* --- what next ----------------------------------------------------------------------- */

static void
over(struct task *t)
{
	probe_done(t);
}

static void
step(struct task *t, struct trace *tr, uint16_t size, uint8_t ttl)
{
	struct trace_pmtud *pm = tr->more->pmtud;

	pm->size = size;
	pm->ttl = ttl;
	pm->step_from = tr->nprobes;
	tr->attempt = 0;
	trace_next_probe(t, tr, trace_last_tx_ns(tr, tr->start_ns));
}

static void
direct(struct task *t, struct trace *tr, uint16_t size)
{
	struct trace_pmtud *pm = tr->more->pmtud;

	if (size < trace_size_min(t) || pm->nnotes == NOTES_MAX) {
		over(t);
		return;
	}
	pm->stage = DIRECT;
	step(t, tr, size, DIRECT_TTL);
}

/* The size that passes is known, and all there is to tell about it. */
static void
found(struct task *t, struct trace *tr)
{
	struct trace_pmtud *pm = tr->more->pmtud;

	if (!pm->lower_final) {
		direct(t, tr, pm->lower);
		return;
	}
	pm->path_mtu = pm->lower;
	over(t);
}

/* --- TTL: where silence begins -------------------------------------------------------- */

/* The search is over. */
static void
silence_found(struct task *t, struct trace *tr)
{
	struct trace_pmtud *pm = tr->more->pmtud;

	if (pm->has_large_hop)
		note_hop(
		    note_add(pm, WARTS_NOTE_SILENCE, pm->lower), pm->large_hop);
	else
		pm->out_mtu = pm->lower; /* it does not even leave here */
	found(t, tr);
}

/* A ttl between the two that answered in the trace; 0 if there is none. */
static uint8_t
next_ttl(const struct task *t, const struct trace *tr)
{
	const struct trace_pmtud *pm = tr->more->pmtud;
	int middle = (pm->low_ttl + pm->high_ttl) / 2;

	for (int ttl = middle; ttl < pm->high_ttl; ttl++) {
		if (ttl > pm->low_ttl &&
		    trace_rare_replied(t, tr, (uint8_t)ttl))
			return (uint8_t)ttl;
	}
	for (int ttl = middle - 1; ttl > pm->low_ttl; ttl--) {
		if (trace_rare_replied(t, tr, (uint8_t)ttl))
			return (uint8_t)ttl;
	}
	return 0;
}

static void
ttl_step(struct task *t, struct trace *tr)
{
	struct trace_pmtud *pm = tr->more->pmtud;
	uint8_t ttl = next_ttl(t, tr);

	if (ttl == 0)
		silence_found(t, tr);
	else
		step(t, tr, pm->large, ttl);
}

static void
ttl_answered(
    struct task *t, struct trace *tr, const struct reply *r, uint16_t hop)
{
	struct trace_pmtud *pm = tr->more->pmtud;

	/* It was not silence, only a message lost. */
	if (r->nhmtu == pm->lower && trace_is_too_big(r)) {
		note_hop(note_add(pm, WARTS_NOTE_PTB, pm->lower), hop);
		found(t, tr);
		return;
	}
	pm->low_ttl = pm->ttl;
	pm->large_hop = hop;
	pm->has_large_hop = 1;
	ttl_step(t, tr);
}

/* --- SIZE: how large is not too large ---------------------------------------------------- */

static void
size_found(struct task *t, struct trace *tr)
{
	struct trace_pmtud *pm = tr->more->pmtud;

	if (pm->bad.family != ADDR_NONE) {
		pm->notes[pm->nnotes - 1].nhmtu = pm->lower;
		found(t, tr);
		return;
	}
	pm->stage = TTL;
	ttl_step(t, tr);
}

static void
size_step(struct task *t, struct trace *tr)
{
	struct trace_pmtud *pm = tr->more->pmtud;
	uint16_t size;

	if (pm->lower + 1 == pm->upper) {
		size_found(t, tr);
		return;
	}
	size = next_size(pm);
	if (size < SIZE_MIN || size < trace_size_min(t))
		over(t); /* nothing passes */
	else
		step(t, tr, size, DIRECT_TTL);
}

static void
size_start(struct task *t, struct trace *tr, const struct addr *bad)
{
	static const struct addr nobody;
	struct trace_pmtud *pm = tr->more->pmtud;

	pm->stage = SIZE;
	pm->bad = bad != NULL ? *bad : nobody;
	pm->large = pm->upper = pm->size;
	pm->lower = 0;
	size_step(t, tr);
}

/* FINAL: nobody told of another MTU. */
static void
size_passed(struct task *t, struct trace *tr, int final)
{
	struct trace_pmtud *pm = tr->more->pmtud;

	pm->lower = pm->size;
	pm->lower_final = (uint8_t) final;
	size_step(t, tr);
}

static void
size_answered(struct task *t, struct trace *tr, const struct reply *r)
{
	struct trace_pmtud *pm = tr->more->pmtud;

	if (trace_is_too_big(r) && pm->bad.family != ADDR_NONE &&
	    addr_equal(&r->from, &pm->bad)) {
		pm->upper = pm->size;
		size_step(t, tr);
	} else {
		size_passed(t, tr, !trace_is_too_big(r));
	}
}

/* --- DIRECT ------------------------------------------------------------------------------ */

/* The ttl before the sender of R, by what was left of the probe's: the sender
 * itself may be where silence begins. */
static uint8_t
ttl_before(const struct trace_pmtud *pm, const struct reply *r)
{
	return r->q_ttl <= pm->ttl ? (uint8_t)(pm->ttl - r->q_ttl) : 0;
}

static void
direct_answered(
    struct task *t, struct trace *tr, const struct reply *r, uint16_t hop)
{
	struct trace_pmtud *pm = tr->more->pmtud;
	int of_use = r->nhmtu > 0 && r->nhmtu < pm->size &&
	    r->nhmtu >= trace_size_min(t);

	if (!trace_is_too_big(r)) {
		pm->path_mtu = pm->size;
		over(t);
		return;
	}
	note_hop(note_add(pm, of_use ? WARTS_NOTE_PTB : WARTS_NOTE_PTB_BAD,
		     of_use ? r->nhmtu : 0),
	    hop);
	pm->low_ttl = ttl_before(pm, r);
	pm->large_hop = hop;
	pm->has_large_hop = 1;
	if (of_use)
		direct(t, tr, r->nhmtu);
	else if (r->nhmtu > 0 && r->nhmtu < pm->size)
		over(t);
	else
		size_start(t, tr, &r->from);
}

/* --- events ------------------------------------------------------------------------------- */

void
trace_pmtud_start(struct task *t, struct trace *tr)
{
	struct trace_pmtud *pm =
	    technique_extra((void **)(void *)&tr->more, sizeof(*pm));

	tr->more->pmtud = pm;
	tr->more->phase = PHASE_PMTUD;
	pm->if_mtu = task_mtu(t);
	pm->from = tr->nprobes;
	pm->high_ttl = tr->ttl;
	direct(t, tr, pm->if_mtu);
}

void
trace_pmtud_probe(struct task *t, struct trace *tr, struct probe *pr)
{
	struct trace_pmtud *pm = tr->more->pmtud;

	pr->ttl = pm->ttl;
	trace_make_large(t, pr, pm->size);
	pm->sizes[pr->id % SIZES_KEPT] = pm->size;
}

void
trace_pmtud_timeout(struct task *t, struct trace *tr)
{
	const struct trace_conf *c = task_conf(t);
	struct trace_pmtud *pm = tr->more->pmtud;

	if (tr->attempt + 1 < c->attempts) {
		tr->attempt++;
		trace_next_probe(t, tr, trace_last_tx_ns(tr, tr->start_ns));
		return;
	}
	switch (pm->stage) {
	case DIRECT:
		size_start(t, tr, NULL);
		break;
	case SIZE:
		if (pm->bad.family != ADDR_NONE) {
			size_passed(t, tr, 0);
			break;
		}
		pm->upper = pm->size;
		size_step(t, tr);
		break;
	default:
		pm->high_ttl = pm->ttl;
		ttl_step(t, tr);
		break;
	}
}

int
trace_pmtud_reply(struct task *t, struct trace *tr, const struct reply *r,
    unsigned int number)
{
	struct trace_pmtud *pm = tr->more->pmtud;
	uint16_t hop;

	if (number < pm->from)
		return 0; /* late, of the trace */
	if (number + SIZES_KEPT < tr->nprobes || pm->nhops == UINT16_MAX)
		return 1;
	hop = keep(t, tr, r, number);
	if (number < pm->step_from || tr->asked)
		return 1;
	if (pm->stage == DIRECT)
		direct_answered(t, tr, r, hop);
	else if (pm->stage == SIZE)
		size_answered(t, tr, r);
	else
		ttl_answered(t, tr, r, hop);
	return 1;
}
