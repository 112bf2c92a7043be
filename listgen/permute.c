#include "listgen/permute.h"

#include <assert.h>
#include <string.h>

#define FEISTEL_TURNS 6

uint64_t
permute_mix(uint64_t key, uint64_t x)
{
	/* Two rounds of multiply and fold (the finalizer of MurmurHash3 with
	 * the constants of Stafford's variant 13). */
	x += 0x9e3779b97f4a7c15ULL * (key | 1) + key;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x ^= key;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

/* Fibonacci numbers F(i) and F(i - 2): how many rounds, and which step. */
static const struct {
	uint32_t rounds, step;
} steps[] = {{34, 13}, {21, 8}, {13, 5}, {8, 3}, {5, 2}, {3, 1}, {1, 0}};

static uint32_t
root_up(uint64_t n)
{
	uint64_t lo = 1, hi = (uint64_t)1 << 25;

	while (lo < hi) {
		uint64_t mid = (lo + hi) / 2;

		if (mid * mid >= n)
			hi = mid;
		else
			lo = mid + 1;
	}
	return (uint32_t)lo;
}

static void
set_round(struct permute_round *r, uint64_t n, uint32_t rounds)
{
	r->count = n / rounds + (r->remainder < n % rounds);
	r->a = root_up(r->count);
	r->b = (uint32_t)((r->count + r->a - 1) / r->a);
}

void
permute_init(struct permute *p, uint64_t n, uint64_t key)
{
	uint32_t shift, k = 0;
	uint64_t start = 0;

	assert(n <= PERMUTE_MAX);
	memset(p, 0, sizeof(*p));
	p->n = n;
	p->key = key;
	/* A round is worth its name with a number or two in it. */
	while (steps[k].rounds > 1 && n < 2 * steps[k].rounds)
		k++;
	p->rounds = steps[k].rounds;
	shift = (uint32_t)(permute_mix(key, 1) % p->rounds);
	for (uint32_t r = 0; r < p->rounds; r++)
		p->round[(steps[k].step * r + shift) % p->rounds].remainder = r;
	for (uint32_t i = 0; i < p->rounds; i++) {
		set_round(&p->round[i], n, p->rounds);
		p->round[i].start = start;
		start += p->round[i].count;
	}
	p->round[p->rounds].start = start;
}

/* A number below M, by the upper half of H. */
static uint32_t
below(uint64_t h, uint32_t m)
{
	return (uint32_t)(((h >> 32) * m) >> 32);
}

static uint32_t
plus(uint32_t x, uint32_t y, uint32_t m)
{
	uint64_t sum = (uint64_t)x + y;

	return (uint32_t)(sum >= m ? sum - m : sum);
}

/* One pass through the network: x = l * b + r with l < a, r < b. */
static uint64_t
feistel(const struct permute_round *rd, uint64_t key, uint64_t x)
{
	uint32_t l = (uint32_t)(x / rd->b), r = (uint32_t)(x % rd->b);

	for (uint32_t i = 0; i < FEISTEL_TURNS; i += 2) {
		l = plus(l, below(permute_mix(key + i, r), rd->a), rd->a);
		r = plus(r, below(permute_mix(key + i + 1, l), rd->b), rd->b);
	}
	return (uint64_t)l * rd->b + r;
}

uint64_t
permute_at(const struct permute *p, uint64_t place)
{
	const struct permute_round *rd = p->round;
	uint64_t x, key;

	assert(place < p->n);
	while (place >= rd[1].start)
		rd++;
	key = permute_mix(p->key, 2 + rd->remainder);
	x = place - rd->start;
	do {
		x = feistel(rd, key, x);
	} while (x >= rd->count);
	return x * p->rounds + rd->remainder;
}
