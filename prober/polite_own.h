/*
 * polite_own: what the files of polite share.
 *
 * The file of limits, read through common/conf.h.  Each line may be missing:
 *
 *	rate 500		packets/s in all
 *	address-rate 5		... to one address
 *	prefix-rate 20		... to one prefix
 *	dead-man 2h		stop when this file is older
 *	do-not-probe 192.0.2.0/24	any number of them
 *	stop			stop now
 *
 * Its age counts from its last modification, and only if it could be read then:
 * garbage does not keep anyone alive.
 */
#ifndef PROBER_POLITE_OWN_H
#define PROBER_POLITE_OWN_H

#include <sys/stat.h>

#include "prober/polite.h"

struct prefixset;

/* What a file of limits says. */
struct polite_limits {
	struct polite_rates rates;
	struct prefixset *floor; /* NULL: nothing was read yet */
	int stop;
};

/* The state of one budget; all times monotonic. */
struct polite_budget {
	struct addr key; /* the address or prefix; family 0: free */
	int64_t next_ns; /* the next packet may go */
	int64_t wake_ns; /* the last of those that wait is woken */
	int64_t hold_ns; /* the last of its commands on hold is due */
};

struct polite_waiting {
	int64_t due_ns;
	struct task *task;
};

struct polite {
	struct polite_config cfg;
	struct polite_rates rates; /* in force */
	struct polite_limits limits;
	struct stat seen; /* of the file of limits, when last looked at */
	int64_t alive_ns; /* modification time of the last good one */
	const char *stopped; /* why, or NULL */
	struct polite_budget *slots; /* open addressing */
	uint32_t nslots, nused;
	struct polite_waiting *heap; /* nheap; stale entries are passed over */
	uint32_t nheap, cap;
	uint64_t waits;
};

#endif
