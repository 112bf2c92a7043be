/*
 * permute: the numbers 0..n-1 in another order, each exactly once, by
 * arithmetic alone.  Any place of the order can be asked for: a generator that
 * was killed continues from one number, and no list is kept.
 *
 * Numbers that are near each other are far apart in the order, always and not
 * only probably: neighbours among numbers are neighbours in address space, and
 * a network is not to see one burst.  The numbers are dealt into K rounds by
 * their remainder; the rounds follow each other so that remainders which differ
 * by little are far apart; K and the step are Fibonacci numbers, for which that
 * holds at all scales.
 *
 *	n = 20, K = 5, step 2:  remainder r is round (2r + shift) mod 5
 *
 *	round 0: 0 5 10 15   1: 3 8 13 18   2: 1 6 11 16   3: 4 9 ...   4: 2 ...
 *	         ^-- in a keyed order of their own within the round
 *
 * With K = 34 two numbers that differ by 1 are more than a third of the cycle
 * apart (12 whole rounds lie between), and up to a difference of 12 at least
 * one whole round (1/34 of the cycle) lies between.
 *
 * Within a round: a Feistel network over the smallest a x b rectangle that
 * holds it; what falls outside is walked on (Black and Rogaway, "Ciphers with
 * arbitrary finite domains", 2002).
 */
#ifndef LISTGEN_PERMUTE_H
#define LISTGEN_PERMUTE_H

#include <stdint.h>

#define PERMUTE_ROUNDS 34
#define PERMUTE_MAX ((uint64_t)1 << 48) /* numbers */

struct permute {
	uint64_t n;
	uint64_t key;
	uint32_t rounds; /* 1 .. PERMUTE_ROUNDS */
	struct permute_round {
		uint64_t start; /* place of its first */
		uint64_t count;
		uint32_t remainder; /* of the numbers in it */
		uint32_t a, b; /* a * b >= count */
	} round[PERMUTE_ROUNDS + 1]; /* the last: where all end */
};

/* The order of 0..N-1 for KEY; N at most PERMUTE_MAX. */
void permute_init(struct permute *p, uint64_t n, uint64_t key);

/* The number at PLACE < n. */
uint64_t permute_at(const struct permute *p, uint64_t place);

/* 64 bits that look random, a function of X and KEY; the same everywhere. */
uint64_t permute_mix(uint64_t key, uint64_t x);

#endif
