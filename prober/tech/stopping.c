#include "prober/tech/stopping.h"

#include <assert.h>

#define INTERFACES_MAX 99

unsigned int
stopping_point(unsigned int n, unsigned int confidence)
{
	/* The chance that I interfaces were seen in K probes, for each I. */
	double seen[INTERFACES_MAX + 1] = {1.0};
	double enough = confidence / 100.0;
	unsigned int k = 0;

	assert(n >= 2 && n <= INTERFACES_MAX && confidence < 100);
	while (seen[n] < enough) {
		for (unsigned int i = n; i > 0; i--)
			seen[i] = (seen[i] * i + seen[i - 1] * (n - i + 1)) / n;
		seen[0] = 0;
		k++;
	}
	return k;
}
