#include "prober/density.h"

static const int64_t widths_ns[DENSITY_SPANS] = {
    [DENSITY_MS] = NS_PER_MS,
    [DENSITY_TEN] = 10 * NS_PER_MS,
};

/* Piece AT, counted from the first ever. */
static const struct density_piece *
piece(const struct density *d, uint32_t at)
{
	return &d->pieces[at % DENSITY_PIECES];
}

void
density_add(struct density *d, uint32_t n, int64_t now_ns)
{
	struct density_piece *last = &d->pieces[(d->head - 1) % DENSITY_PIECES];

	for (int i = 0; i < DENSITY_SPANS; i++) {
		density_in(d, i, now_ns);
		d->spans[i].sum += n;
	}
	if (d->spans[DENSITY_TEN].tail != d->head &&
	    now_ns < last->began_ns + DENSITY_GRAIN_NS) {
		last->ended_ns = now_ns;
		last->n += n;
		return;
	}
	d->pieces[d->head++ % DENSITY_PIECES] =
	    (struct density_piece){now_ns, now_ns, n};
}

uint64_t
density_in(struct density *d, enum density_span which, int64_t now_ns)
{
	int64_t from_ns = now_ns - widths_ns[which];
	uint32_t *tail = &d->spans[which].tail;

	while (*tail != d->head && piece(d, *tail)->ended_ns <= from_ns)
		d->spans[which].sum -= piece(d, (*tail)++)->n;
	return d->spans[which].sum;
}

int64_t
density_until(const struct density *d, enum density_span which, uint64_t most)
{
	uint64_t sum = d->spans[which].sum;
	uint32_t at = d->spans[which].tail;

	if (sum <= most)
		return 0;
	for (; sum > most; at++)
		sum -= piece(d, at)->n;
	return piece(d, at - 1)->ended_ns + widths_ns[which];
}
