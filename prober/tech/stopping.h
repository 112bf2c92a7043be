/*
 * stopping: when to stop looking for one more interface.
 *
 * A load balancer that sends each probe to one of N interfaces at random shows
 * all of them after enough probes; K(N) is how many are enough, so that the
 * chance that one of the N is still hidden is at most 5 or 1 %:
 *
 *	N       2   3   4   5   6   7   8   9  10
 *	95 %    6  11  16  21  27  33  38  44  51
 *	99 %    8  15  21  28  36  43  51  58  66
 *
 * Who has seen n interfaces in K(n + 1) probes stops.  The rule is that of
 * the multipath detection algorithm (Veitch et al., INFOCOM 2009); scamper's
 * tables have the same numbers for N of 2 to 99.
 */
#ifndef PROBER_STOPPING_H
#define PROBER_STOPPING_H

/* K(N) for N >= 2 interfaces, CONFIDENCE in percent. */
unsigned int stopping_point(unsigned int n, unsigned int confidence);

#endif
