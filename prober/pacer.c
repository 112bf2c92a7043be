#include "prober/prober.h"

#define CREDIT 1000000000ULL /* a packet, in packets × ns per second */

void
pacer_init(struct pacer *p, uint32_t pps)
{
	p->pps = p->asked = pps;
	p->last_ns = p->sent_ns = 0;
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

static int64_t
slice_ns(const struct pacer *p)
{
	if (p->pps <= PACER_SLOT_PPS)
		return 0;
	return p->pps < PACER_LONG_PPS ? PACER_SLICE_NS : PACER_LONG_NS;
}

/* The most that one turn may send, whatever has accrued. */
static uint64_t
turn_limit(const struct pacer *p)
{
	uint64_t most = share(p, 2 * PACER_SLICE_NS);

	/* A machine that wakes us late all the time must not slow us down. */
	if (p->acc > share(p, PACER_BEHIND_NS) && most < p->acc / 2)
		most = p->acc / 2;
	return most > CREDIT ? most : CREDIT;
}

uint32_t
pacer_credits(struct pacer *p, int64_t now_ns)
{
	int64_t elapsed_ns = p->last_ns == 0 ? 0 : now_ns - p->last_ns;
	uint64_t earned;

	if (p->pps == 0)
		return UINT32_MAX;
	p->given = 0;
	if (p->sent_ns != 0 && p->pps > PACER_SLOT_PPS &&
	    now_ns - p->sent_ns < PACER_SLICE_NS)
		return 0;
	p->last_ns = now_ns;
	/* Two seconds earn more than may be kept, at any rate. */
	if (elapsed_ns > 2 * NS_PER_SEC)
		elapsed_ns = 2 * NS_PER_SEC;
	earned = share(p, elapsed_ns);
	p->acc = lesser(p->acc + earned, CREDIT + share(p, PACER_DEBT_NS));
	p->peak = lesser(p->peak, CREDIT) + earned + earned / 16;
	p->peak = lesser(p->peak, CREDIT + share(p, PACER_BURST_NS));
	p->given =
	    (uint32_t)(lesser(lesser(p->acc, p->peak), turn_limit(p)) / CREDIT);
	return p->given;
}

void
pacer_spend(struct pacer *p, uint32_t n)
{
	if (p->pps == 0)
		return;
	p->acc = minus(p->acc, n * CREDIT);
	p->peak = minus(p->peak, n * CREDIT);
	if (n > 0)
		p->sent_ns = p->last_ns;
}

void
pacer_idle(struct pacer *p)
{
	/* In a turn without a credit nobody looked for something to send. */
	if (p->given > 0)
		p->acc = lesser(p->acc, CREDIT);
}

int64_t
pacer_due(const struct pacer *p, int64_t now_ns)
{
	uint64_t acc_ns, peak_ns;
	int64_t due_ns;

	if (p->pps == 0)
		return now_ns;
	acc_ns = (minus(CREDIT, p->acc) + p->pps - 1) / p->pps;
	peak_ns = (minus(CREDIT, p->peak) + p->pps - 1) / p->pps;
	due_ns = p->last_ns + (int64_t)(acc_ns > peak_ns ? acc_ns : peak_ns);
	if (p->sent_ns != 0 && due_ns < p->sent_ns + slice_ns(p))
		due_ns = p->sent_ns + slice_ns(p);
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
