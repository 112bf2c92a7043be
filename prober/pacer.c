#include "prober/prober.h"

#define CREDIT 1000000000ULL /* a packet, in packets × ns per second */

void
pacer_init(struct pacer *p, uint32_t pps)
{
	p->pps = pps;
	p->last_ns = 0;
	p->acc = p->peak = CREDIT;
}

/* X, but no more than a packet and NS at the rate. */
static uint64_t
limited(const struct pacer *p, uint64_t x, int64_t ns)
{
	uint64_t most = CREDIT + p->pps * (uint64_t)ns;

	return x < most ? x : most;
}

uint32_t
pacer_credits(struct pacer *p, int64_t now_ns)
{
	int64_t elapsed_ns = p->last_ns == 0 ? 0 : now_ns - p->last_ns;
	uint64_t earned;

	if (p->pps == 0)
		return UINT32_MAX;
	p->last_ns = now_ns;
	/* Two seconds earn more than may be kept, at any rate. */
	if (elapsed_ns > 2 * NS_PER_SEC)
		elapsed_ns = 2 * NS_PER_SEC;
	earned = p->pps * (uint64_t)elapsed_ns;
	p->acc = limited(p, p->acc + earned, PACER_DEBT_NS);
	if (p->peak > CREDIT)
		p->peak = CREDIT;
	p->peak = limited(p, p->peak + earned + earned / 16, PACER_BURST_NS);
	return (uint32_t)((p->acc < p->peak ? p->acc : p->peak) / CREDIT);
}

static uint64_t
less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

void
pacer_spend(struct pacer *p, uint32_t n)
{
	if (p->pps == 0)
		return;
	p->acc = less(p->acc, n * CREDIT);
	p->peak = less(p->peak, n * CREDIT);
}

void
pacer_idle(struct pacer *p)
{
	if (p->acc > CREDIT)
		p->acc = CREDIT;
}

int64_t
pacer_due(const struct pacer *p, int64_t now_ns)
{
	uint64_t acc_ns, peak_ns;
	int64_t due_ns;

	if (p->pps == 0)
		return now_ns;
	acc_ns = (less(CREDIT, p->acc) + p->pps - 1) / p->pps;
	peak_ns = (less(CREDIT, p->peak) + p->pps - 1) / p->pps;
	due_ns = p->last_ns + (int64_t)(acc_ns > peak_ns ? acc_ns : peak_ns);
	/* Above 1,000 packets/s: once a millisecond, a millisecond's share. */
	if (p->pps > 1000 && due_ns < now_ns + NS_PER_MS)
		due_ns = now_ns + NS_PER_MS;
	return due_ns > now_ns ? due_ns : now_ns;
}
