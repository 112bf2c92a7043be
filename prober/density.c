#include "prober/density.h"

#include <string.h>

static const int64_t span_grains[DENSITY_SPANS] = {
    [DENSITY_MS] = NS_PER_MS / DENSITY_GRAIN_NS,
    [DENSITY_TEN] = 10 * NS_PER_MS / DENSITY_GRAIN_NS,
};

static uint32_t *
grain_at(struct density *d, int64_t grain)
{
	return &d->sent[grain % DENSITY_GRAINS];
}

/* The oldest grains leave the spans, and new ones begin, up to NOW's. */
static void
forward(struct density *d, int64_t now_ns)
{
	int64_t now = now_ns / DENSITY_GRAIN_NS, *tail;

	if (now - d->head >= DENSITY_GRAINS) {
		memset(d, 0, sizeof(*d));
		d->head = now;
		for (int i = 0; i < DENSITY_SPANS; i++)
			d->spans[i].tail = now;
		return;
	}
	for (int i = 0; i < DENSITY_SPANS; i++) {
		tail = &d->spans[i].tail;
		for (; *tail < now - span_grains[i]; ++*tail) {
			if (*tail <= d->head)
				d->spans[i].sum -= *grain_at(d, *tail);
		}
	}
	while (d->head < now)
		*grain_at(d, ++d->head) = 0;
}

void
density_add(struct density *d, uint32_t n, int64_t now_ns)
{
	forward(d, now_ns);
	*grain_at(d, d->head) += n;
	for (int i = 0; i < DENSITY_SPANS; i++)
		d->spans[i].sum += n;
}

uint64_t
density_in(struct density *d, enum density_span which, int64_t now_ns)
{
	forward(d, now_ns);
	return d->spans[which].sum;
}

int64_t
density_until(const struct density *d, enum density_span which, uint64_t most)
{
	uint64_t sum = d->spans[which].sum;
	int64_t tail = d->spans[which].tail;

	if (sum <= most)
		return 0;
	for (; sum > most; tail++)
		sum -= d->sent[tail % DENSITY_GRAINS];
	return (tail + span_grains[which]) * DENSITY_GRAIN_NS;
}
