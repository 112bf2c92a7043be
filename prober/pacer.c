#include "prober/pacer.h"

#define CREDIT 1000000000ULL /* a packet, in packets × ns per second */
#define MILLION 1000000ULL
#define MS_PER_SEC 1000
#define TEN_NS (10 * NS_PER_MS)
#define TURNS_IN_TEN 6 /* of twice a millisecond's share each: 1.2 shares */
#define REPAY_MIN_PPM 31250
#define STRETCH_MAX_NS (50 * NS_PER_MS)
#define ELAPSED_MAX_NS (2 * NS_PER_SEC) /* earns more than may be kept */
#define JUDGE_NS NS_PER_SEC
#define BEHIND 3 /* judgements: one stall is being paid by then */

static uint64_t
lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t
larger(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

static uint64_t
minus(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

static uint64_t
share(const struct pacer *p, int64_t ns)
{
	return p->pps * (uint64_t)ns;
}

static int
has_slots(const struct pacer *p)
{
	return p->pps <= PACER_SLOT_PPS;
}

/* --- what evenness allows ---------------------------------------------------- */

/* Packets in 10 ms: 1.2 times the share, or one more than it. */
static uint64_t
ten_max(const struct pacer *p)
{
	return larger(p->pps * 12, p->pps * 10 + MS_PER_SEC) / MS_PER_SEC;
}

/* And in a millisecond: twice, or one more. */
static uint64_t
ms_max(const struct pacer *p)
{
	return larger(p->pps * 2, MS_PER_SEC * 2) / MS_PER_SEC;
}

/* A slot holds its packet and what a wake-up is late. */
static uint64_t
slot_max(const struct pacer *p)
{
	return CREDIT + lesser(CREDIT / 2, share(p, PACER_LATE_NS));
}

/* A full bucket, and what flows in for 10 ms, is less than one too many. */
static void
plan_slots(struct pacer *p)
{
	uint64_t room = (ten_max(p) + 1) * CREDIT - slot_max(p);
	uint64_t ten = share(p, TEN_NS);

	p->slice = 1;
	p->gap_ns = (int64_t)(CREDIT / 2 / p->pps);
	p->repay_ppm = minus(room / (ten / MILLION), MILLION + 1);
	p->repay_ppm = lesser(p->repay_ppm, PACER_REPAY_PPM);
	p->repay_ppm = larger(p->repay_ppm, REPAY_MIN_PPM);
}

static void
set_rate(struct pacer *p, uint64_t pps)
{
	p->pps = pps;
	if (pps == 0)
		return;
	if (has_slots(p))
		plan_slots(p);
	else
		p->slice = ms_max(p);
}

void
pacer_init(struct pacer *p, uint32_t pps)
{
	*p = (struct pacer){.asked = pps, .acc = CREDIT, .peak = CREDIT};
	set_rate(p, pps);
}

/* --- what is owed ------------------------------------------------------------ */

static uint64_t
acc_max(const struct pacer *p)
{
	return CREDIT + share(p, PACER_DEBT_NS);
}

/* What a wake-up is for, in whole packets. */
static uint64_t
goal(const struct pacer *p)
{
	return lesser(p->slice, larger(share(p, PACER_SLEEP_NS) / CREDIT, 1)) *
	    CREDIT;
}

/* What this turn may send. */
static uint64_t
payable(const struct pacer *p)
{
	if (has_slots(p))
		return lesser(p->acc, p->peak);
	return lesser(p->acc, p->slice * CREDIT + share(p, p->stretch_ns));
}

/* Now and then: is there a debt that lasts? */
static void
judge(struct pacer *p, int64_t now_ns)
{
	uint64_t most = share(p, PACER_DEBT_NS), owed = minus(p->acc, goal(p));

	if (now_ns - p->judged_ns < JUDGE_NS)
		return;
	p->judged_ns = now_ns;
	if (owed > most / 8 && (owed > p->owed || owed > most / 16 * 15))
		p->behind++;
	else
		p->behind = 0;
	p->owed = owed;
	if (p->behind >= BEHIND)
		p->stretch_ns += p->stretch_ns / 2 + NS_PER_MS;
	else if (owed < most / 8)
		p->stretch_ns -= p->stretch_ns / 16 + NS_PER_MS / 8;
	if (p->stretch_ns > STRETCH_MAX_NS)
		p->stretch_ns = STRETCH_MAX_NS;
	if (p->stretch_ns < 0)
		p->stretch_ns = 0;
}

static void
accrue(struct pacer *p, int64_t now_ns)
{
	int64_t elapsed_ns = p->last_ns == 0 ? 0 : now_ns - p->last_ns;
	uint64_t earned;

	p->last_ns = now_ns;
	if (elapsed_ns > ELAPSED_MAX_NS)
		elapsed_ns = ELAPSED_MAX_NS;
	earned = share(p, elapsed_ns);
	p->acc = lesser(p->acc + earned, acc_max(p));
	if (has_slots(p))
		p->peak =
		    lesser(p->peak + earned + earned / MILLION * p->repay_ppm,
			slot_max(p) + share(p, p->stretch_ns));
}

/* What the millisecond, or the ten, may hold now. */
static uint64_t
most_in(const struct pacer *p, enum density_span which)
{
	uint64_t more = share(p, p->stretch_ns) / CREDIT;

	return which == DENSITY_MS ? ms_max(p) + more
				   : ten_max(p) + TURNS_IN_TEN * more;
}

static uint64_t
room_in(struct pacer *p, enum density_span which, int64_t now_ns)
{
	return minus(most_in(p, which), density_in(&p->density, which, now_ns));
}

/* So many packets may go now, whatever is owed. */
static uint64_t
room(struct pacer *p, int64_t now_ns)
{
	if (has_slots(p))
		return now_ns < p->sent_ns + p->gap_ns ? 0 : UINT32_MAX;
	return lesser(
	    room_in(p, DENSITY_MS, now_ns), room_in(p, DENSITY_TEN, now_ns));
}

static int64_t
until(const struct pacer *p, enum density_span which, uint64_t want)
{
	return density_until(&p->density, which, most_in(p, which) - want);
}

/* When there is room for a good part of a slice. */
static int64_t
room_ns(const struct pacer *p)
{
	uint64_t want = p->slice / 4 + 1;
	int64_t ms_ns, ten_ns;

	if (has_slots(p))
		return p->sent_ns + p->gap_ns;
	ms_ns = until(p, DENSITY_MS, want);
	ten_ns = until(p, DENSITY_TEN, want);
	return ms_ns > ten_ns ? ms_ns : ten_ns;
}

uint32_t
pacer_credits(struct pacer *p, int64_t now_ns)
{
	if (p->pps == 0)
		return UINT32_MAX;
	accrue(p, now_ns);
	judge(p, now_ns);
	return (uint32_t)lesser(payable(p) / CREDIT, room(p, now_ns));
}

uint32_t
pacer_room(struct pacer *p, int64_t now_ns)
{
	return p->pps == 0 ? UINT32_MAX : (uint32_t)room(p, now_ns);
}

void
pacer_spend(struct pacer *p, uint32_t n, int64_t now_ns)
{
	if (p->pps == 0 || n == 0)
		return;
	/* If that took long, credits of meanwhile are not kept for a burst. */
	accrue(p, now_ns);
	p->acc = minus(p->acc, n * CREDIT);
	p->peak = minus(p->peak, n * CREDIT);
	p->sent_ns = now_ns;
	density_add(&p->density, n, now_ns);
}

void
pacer_idle(struct pacer *p)
{
	p->acc = lesser(p->acc, goal(p));
}

void
pacer_refused(struct pacer *p)
{
	p->behind = 0;
}

int64_t
pacer_due(const struct pacer *p, int64_t now_ns)
{
	uint64_t missing;
	int64_t due_ns;

	if (p->pps == 0)
		return now_ns;
	missing = minus(goal(p), payable(p));
	due_ns = p->last_ns + (int64_t)((missing + p->pps - 1) / p->pps);
	if (due_ns < room_ns(p))
		due_ns = room_ns(p);
	return due_ns > now_ns ? due_ns : now_ns;
}

void
pacer_slow(struct pacer *p)
{
	if (p->pps > 1)
		set_rate(p, p->pps - (p->pps + 3) / 4);
}

void
pacer_recover(struct pacer *p)
{
	if (p->pps < p->asked)
		set_rate(p, p->pps + (p->asked - p->pps + 7) / 8);
}
