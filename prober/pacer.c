#include "prober/pacer.h"

#define CREDIT 1000000000ULL /* a packet, in packets × ns per second */
#define STRETCH_MAX_NS (50 * NS_PER_MS)
#define ELAPSED_MAX_NS (2 * NS_PER_SEC) /* earns more than may be kept */

void
pacer_init(struct pacer *p, uint32_t pps)
{
	*p = (struct pacer){.pps = pps, .asked = pps};
	p->acc = p->peak = CREDIT;
}

static uint64_t
lesser(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
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

/* The share of a time in whole packets, and not none. */
static uint64_t
whole(const struct pacer *p, int64_t ns)
{
	return has_slots(p) ? CREDIT : share(p, ns) / CREDIT * CREDIT;
}

/* Is so much owed that shorter slices, which may follow faster, pay? */
static int
owing(const struct pacer *p)
{
	return p->pps >= PACER_OWING_PPS &&
	    minus(p->acc, p->peak) > share(p, PACER_LITTLE_NS);
}

/* What a wake-up is for when nothing is owed. */
static uint64_t
usual_goal(const struct pacer *p)
{
	return whole(
	    p, p->pps < PACER_OWING_PPS ? PACER_FEW_SLEEP_NS : PACER_SLEEP_NS);
}

static uint64_t
goal(const struct pacer *p)
{
	return owing(p) ? whole(p, PACER_OWING_SLEEP_NS) : usual_goal(p);
}

static uint64_t
acc_max(const struct pacer *p)
{
	return CREDIT + share(p, PACER_DEBT_NS);
}

/* A slot holds its packet and what a wake-up is late. */
static uint64_t
peak_max(const struct pacer *p, int64_t slice_ns)
{
	uint64_t slice = share(p, slice_ns);

	if (has_slots(p))
		slice = CREDIT + lesser(CREDIT / 2, share(p, PACER_LATE_NS));
	return slice + share(p, p->stretch_ns);
}

/* Once a second: is there a debt that lasts? */
static void
judge(struct pacer *p, int64_t now_ns)
{
	if (now_ns - p->judged_ns < NS_PER_SEC)
		return;
	p->judged_ns = now_ns;
	p->behind = p->acc > acc_max(p) / 16 * 15 ? p->behind + 1 : 0;
	if (p->behind >= PACER_BEHIND ||
	    (p->stretch_ns > 0 && p->acc > acc_max(p) / 4 * 3))
		p->stretch_ns += p->stretch_ns / 2 + NS_PER_MS;
	else if (p->acc < acc_max(p) / 2)
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
	p->peak += earned +
	    earned /
		(owing(p) || has_slots(p) ? PACER_OWING_REPAY : PACER_REPAY);
	p->acc = lesser(p->acc + earned, acc_max(p));
	p->peak = lesser(p->peak, peak_max(p, PACER_SLICE_NS));
	if (owing(p))
		p->peak = lesser(p->peak, peak_max(p, PACER_OWING_SLICE_NS));
}

static int64_t
gap_ns(const struct pacer *p)
{
	return has_slots(p) ? (int64_t)(CREDIT / 2 / p->pps) : PACER_GAP_NS;
}

uint32_t
pacer_credits(struct pacer *p, int64_t now_ns)
{
	if (p->pps == 0)
		return UINT32_MAX;
	p->fresh = 1;
	accrue(p, now_ns);
	judge(p, now_ns);
	if (p->sent_ns != 0 && now_ns - p->sent_ns < gap_ns(p))
		return 0;
	return (uint32_t)(lesser(p->acc, p->peak) / CREDIT);
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
	if (p->fresh)
		p->sent_ns = now_ns;
	p->fresh = 0;
}

void
pacer_idle(struct pacer *p)
{
	p->acc = lesser(p->acc, usual_goal(p));
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
	missing = minus(goal(p), lesser(p->acc, p->peak));
	due_ns = p->last_ns + (int64_t)((missing + p->pps - 1) / p->pps);
	if (p->sent_ns != 0 && due_ns < p->sent_ns + gap_ns(p))
		due_ns = p->sent_ns + gap_ns(p);
	return due_ns > now_ns ? due_ns : now_ns;
}

void
pacer_slow(struct pacer *p)
{
	if (p->pps > 1)
		p->pps -= (p->pps + 3) / 4;
}

void
pacer_recover(struct pacer *p)
{
	p->pps += (p->asked - p->pps + 7) / 8;
}
