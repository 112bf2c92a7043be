#include "prober/prober.h"

#define CREDIT 1000000000ULL /* acc is in packets × nanoseconds per second */

void
pacer_init(struct pacer *p, uint32_t pps)
{
	p->pps = pps;
	p->last_ns = 0;
	p->acc = CREDIT;
}

uint32_t
pacer_credits(struct pacer *p, int64_t now_ns)
{
	int64_t elapsed_ns = p->last_ns == 0 ? 0 : now_ns - p->last_ns;
	uint64_t most;

	if (p->pps == 0)
		return UINT32_MAX;
	p->last_ns = now_ns;
	if (elapsed_ns > PACER_DEBT_NS)
		elapsed_ns = PACER_DEBT_NS;
	p->acc += p->pps * (uint64_t)elapsed_ns;
	most = p->pps * (uint64_t)PACER_DEBT_NS;
	if (most < CREDIT)
		most = CREDIT;
	if (p->acc > most)
		p->acc = most;
	if (elapsed_ns > PACER_BURST_NS)
		elapsed_ns = PACER_BURST_NS;
	most = p->pps * (uint64_t)elapsed_ns / 8 * 9;
	if (most < CREDIT)
		most = CREDIT;
	return (uint32_t)((p->acc < most ? p->acc : most) / CREDIT);
}

void
pacer_spend(struct pacer *p, uint32_t n)
{
	uint64_t cost = n * CREDIT;

	if (p->pps != 0)
		p->acc = p->acc > cost ? p->acc - cost : 0;
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
	int64_t due_ns = p->last_ns;

	if (p->pps == 0)
		return now_ns;
	if (p->acc < CREDIT)
		due_ns += (int64_t)((CREDIT - p->acc + p->pps - 1) / p->pps);
	/* Above 1,000 packets/s: once a millisecond, a millisecond's share. */
	if (p->pps > 1000 && due_ns < now_ns + NS_PER_MS)
		due_ns = now_ns + NS_PER_MS;
	return due_ns > now_ns ? due_ns : now_ns;
}
