/*
 * trace_loop: has this address replied at an earlier ttl?  Nearly always it is
 * somebody new, and two bits of a filter in the state say so; only if they do
 * not, the log is looked through.  Several attempts at one ttl are one loop.
 */
#include <string.h>

#include "prober/tech/trace.h"

void
trace_loop_note(struct trace *tr, const struct addr *a)
{
	uint32_t hash = addr_hash_quick(a);
	uint64_t *half0 = &tr->seen[hash & 1],
		 *half1 = &tr->seen[hash >> 1 & 1];
	uint64_t bit0 = 1ULL << (hash >> 2 & 63),
		 bit1 = 1ULL << (hash >> 8 & 63);

	tr->maybe_again = (*half0 & bit0) != 0 && (*half1 & bit1) != 0;
	*half0 |= bit0;
	*half1 |= bit1;
}

int
trace_loop_is(
    const struct task *t, const struct trace *tr, const struct trace_hop *h)
{
	size_t len = addr_len(task_dst(t)->family);
	struct trace_walk w;
	int earlier = 0, here = 0;

	if (!tr->maybe_again)
		return 0;
	trace_walk_init(&w, t, tr);
	while (trace_walk_next(&w)) {
		if (w.hop.probe_ttl > h->probe_ttl ||
		    memcmp(w.hop.addr, h->addr, len) != 0)
			continue;
		if (w.hop.probe_ttl + 1 == h->probe_ttl)
			return 0;
		if (w.hop.probe_ttl == h->probe_ttl)
			here++;
		else
			earlier = 1;
	}
	return earlier && here <= 1;
}
